//! Each key's puts, by chain, from the last one back.

use super::world::NONE;

/// Lasts that lie side by side: as many as a cache line has room for.
const BLOCK: usize = 5;

/// The last put of a chain on a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    /// [`NONE`] where there is no last yet.
    pub(super) chain: u32,
    pub(super) put: u32,
    pub(super) place: u16,
}

/// Some of a key's lasts, the first entries filled before the others.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Block {
    lasts: [Last; BLOCK],
    next: u32,
}

/// A place among a key's lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor {
    block: u32,
    entry: u32,
}

/// A put's way back along its chain on its key. Its leap goes back far, so that a search takes
/// logarithmically many steps (Myers, *An applicative random-access stack*, 1983).
#[derive(Clone, Copy, Debug)]
struct Back {
    before: u32,
    leap: u32,
    depth: u32,
}

/// All keys.
#[derive(Debug)]
pub(super) struct OnKey {
    /// Key to the first of its blocks, or [`NONE`]: the only one with room.
    first: Vec<u32>,
    blocks: Vec<Block>,
    /// By node.
    back: Vec<Back>,
}

impl OnKey {
    pub(super) fn new(nodes: usize, keys: usize) -> Self {
        let alone = Back {
            before: NONE,
            leap: NONE,
            depth: 0,
        };
        Self {
            first: vec![NONE; keys],
            blocks: Vec::new(),
            back: vec![alone; nodes],
        }
    }

    /// Adds a put at the end of its chain.
    pub(super) fn add(&mut self, key: u32, put: u32, chain: u32, place: u16) {
        let mut block = self.first[key as usize];
        while let Some(at) = self.blocks.get_mut(block as usize) {
            if let Some(last) = at.lasts.iter_mut().find(|last| last.chain == chain) {
                let before = std::mem::replace(&mut last.put, put);
                last.place = place;
                self.back[put as usize] = self.after(before);
                return;
            }
            block = at.next;
        }
        self.add_chain(key, Last { chain, put, place });
        // The first of a chain leaps to itself.
        self.back[put as usize].leap = put;
    }

    fn add_chain(&mut self, key: u32, last: Last) {
        let first = &mut self.first[key as usize];
        if let Some(block) = self.blocks.get_mut(*first as usize)
            && let Some(free) = block.lasts.iter_mut().find(|last| last.chain == NONE)
        {
            *free = last;
            return;
        }
        let none = Last {
            chain: NONE,
            put: NONE,
            place: 0,
        };
        let mut block = Block {
            lasts: [none; BLOCK],
            next: *first,
        };
        block.lasts[0] = last;
        *first = self.blocks.len() as u32;
        self.blocks.push(block);
    }

    /// The way back of a put that comes after `before`.
    fn after(&self, before: u32) -> Back {
        let one = self.back[before as usize];
        let two = self.back[one.leap as usize];
        let three = self.back[two.leap as usize];
        let even = one.depth - two.depth == two.depth - three.depth;
        Back {
            before,
            leap: if even { two.leap } else { before },
            depth: one.depth + 1,
        }
    }

    /// Where the lasts on a key begin.
    pub(super) fn first(&self, key: u32) -> Cursor {
        Cursor {
            block: self.first[key as usize],
            entry: 0,
        }
    }

    /// The last at the cursor, which moves on.
    pub(super) fn next(&self, cursor: &mut Cursor) -> Option<Last> {
        loop {
            let block = self.blocks.get(cursor.block as usize)?;
            if let Some(last) = block.lasts.get(cursor.entry as usize)
                && last.chain != NONE
            {
                cursor.entry += 1;
                return Some(*last);
            }
            *cursor = Cursor {
                block: block.next,
                entry: 0,
            };
        }
    }

    /// Going back from `put`, the first for which `is_far` does not hold.
    pub(super) fn back(&self, put: u32, is_far: impl Fn(u32) -> bool) -> Option<u32> {
        let mut put = put;
        while put != NONE && is_far(put) {
            let back = self.back[put as usize];
            put = if back.leap != put && is_far(back.leap) {
                back.leap
            } else {
                back.before
            };
        }
        (put != NONE).then_some(put)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn every_chain_of_a_key_has_its_last_put() {
        let chains = 3 * BLOCK as u32 + 1;
        let mut on_key = OnKey::new(1_000, 2);
        for put in 0..200 {
            on_key.add(
                put % 2,
                put,
                (put / 2) % chains,
                (put / 2 / chains) as u16 + 1,
            );
        }
        for key in 0..2 {
            let mut cursor = on_key.first(key);
            let mut found: Vec<(u32, u32)> = std::iter::from_fn(|| on_key.next(&mut cursor))
                .map(|l| (l.chain, l.put))
                .collect();
            found.sort_unstable();
            let last = |chain| {
                (0..200)
                    .rev()
                    .find(|p| p % 2 == key && (p / 2) % chains == chain)
            };
            let expected: Vec<_> = (0..chains).map(|c| (c, last(c).unwrap())).collect();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn going_back_far_takes_few_steps() {
        let puts = 10_000;
        let mut on_key = OnKey::new(puts as usize, 1);
        for put in 0..puts {
            on_key.add(0, put, 3, put as u16 + 1);
        }
        for wanted in (0..puts).step_by(97) {
            let asked = Cell::new(0);
            let found = on_key.back(puts - 1, |put| {
                asked.set(asked.get() + 1);
                put > wanted
            });
            assert_eq!(found, Some(wanted));
            assert!(asked.get() < 100, "{} steps", asked.get());
        }
        assert_eq!(on_key.back(puts - 1, |_| true), None);
    }
}
