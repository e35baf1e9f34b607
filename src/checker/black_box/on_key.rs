//! Each key's puts, by chain, from the last one back.

use super::world::NONE;

/// The last put of a chain on a key, in the list of the key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) chain: u32,
    pub(super) put: u32,
    pub(super) place: u16,
    next: u32,
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
    /// Key to the first of its `lasts`, or [`NONE`].
    first: Vec<u32>,
    lasts: Vec<Last>,
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
            lasts: Vec::new(),
            back: vec![alone; nodes],
        }
    }

    /// Adds a put at the end of its chain.
    pub(super) fn add(&mut self, key: u32, put: u32, chain: u32, place: u16) {
        let mut at = self.first[key as usize];
        while let Some(last) = self.lasts.get_mut(at as usize) {
            if last.chain == chain {
                let before = std::mem::replace(&mut last.put, put);
                last.place = place;
                self.back[put as usize] = self.after(before);
                return;
            }
            at = last.next;
        }
        self.lasts.push(Last {
            chain,
            put,
            place,
            next: self.first[key as usize],
        });
        self.first[key as usize] = self.lasts.len() as u32 - 1;
        // The first of a chain leaps to itself.
        self.back[put as usize].leap = put;
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

    /// The first of the lasts on a key.
    pub(super) fn first(&self, key: u32) -> Option<Last> {
        self.at(self.first[key as usize])
    }

    /// The one after it.
    pub(super) fn next(&self, last: Last) -> Option<Last> {
        self.at(last.next)
    }

    fn at(&self, at: u32) -> Option<Last> {
        self.lasts.get(at as usize).copied()
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
