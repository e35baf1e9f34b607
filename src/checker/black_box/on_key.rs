//! Each key's puts, by chain, from the last one back.

use super::world::NONE;

/// The last put of a chain on a key: what clocks are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) chain: u32,
    pub(super) place: u16,
}

/// The lasts of one key.
#[derive(Clone, Debug, Default)]
struct Lasts {
    lasts: Vec<Last>,
    /// The node of each.
    puts: Vec<u32>,
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
    /// Key to the last of each chain that has put to it.
    keys: Vec<Lasts>,
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
            keys: vec![Lasts::default(); keys],
            back: vec![alone; nodes],
        }
    }

    /// Adds a put at the end of its chain.
    pub(super) fn add(&mut self, key: u32, put: u32, chain: u32, place: u16) {
        let Lasts { lasts, puts } = &mut self.keys[key as usize];
        if let Some(at) = lasts.iter().position(|last| last.chain == chain) {
            lasts[at].place = place;
            let before = std::mem::replace(&mut puts[at], put);
            self.back[put as usize] = self.after(before);
            return;
        }
        lasts.push(Last { chain, place });
        puts.push(put);
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

    /// The lasts on a key, and their nodes.
    pub(super) fn lasts(&self, key: u32) -> (&[Last], &[u32]) {
        let Lasts { lasts, puts } = &self.keys[key as usize];
        (lasts, puts)
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
        let chains = 16;
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
            let (lasts, puts) = on_key.lasts(key);
            let lasts = lasts.iter().map(|last| last.chain);
            let mut found: Vec<(u32, u32)> = lasts.zip(puts.iter().copied()).collect();
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
