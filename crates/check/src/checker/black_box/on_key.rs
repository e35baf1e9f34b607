//! The puts on each key, without the silent ones: by time, and by chain from the last one back.

use super::super::index::Table;
use super::world::{NONE, World};

/// Stands for the epoch of what not everybody has seen.
const NO_EPOCH: u32 = u32::MAX;
/// Puts that are looked at one by one, at most.
const RECENT_MAX: usize = 64;
/// Stragglers of a key, at most.
const STRAGGLERS_MAX: usize = 32;

/// A put in the order of invokes.
#[derive(Clone, Copy, Debug)]
struct ByTime {
    invoke: u64,
    node: u32,
    /// The epoch from which on everybody has seen it and all before it, or [`NO_EPOCH`].
    epoch: u32,
}

/// The last put of a chain on a key: what clocks are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Last {
    pub(super) chain: u32,
    pub(super) place: u32,
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

/// How far a key has got.
#[derive(Clone, Copy, Debug)]
struct Settled {
    /// The place in `by_time` of its first put that not everybody has seen.
    place: u32,
    /// Puts that were added and not settled.
    open: u32,
}

/// All keys.
#[derive(Debug)]
pub(super) struct OnKey {
    /// Key to where its puts start in `by_time`.
    starts: Vec<u32>,
    by_time: Vec<ByTime>,
    settled: Vec<Settled>,
    /// Keys with open puts.
    open: Vec<u32>,
    /// For each key the puts that were passed over: every later get is asked about them. Without
    /// this, a put that only its own session had seen when it ended would hold up its key.
    stragglers: Table<u32, Vec<u32>>,
    /// How far after a put that some have not seen the first is that all have seen, when the put
    /// is passed over.
    held_up: usize,
    /// How many puts are open.
    beyond: usize,
    /// Key to the last of each chain that has put to it.
    keys: Vec<Lasts>,
    /// By node.
    back: Vec<Back>,
}

impl OnKey {
    pub(super) fn new(world: &World<'_, '_>, held_up: usize) -> Self {
        let key = |node: u32| world.index.key[world.row[node as usize] as usize];
        let puts = world.order.iter().filter(|row| world.is_put(**row));
        let puts = puts.map(|row| (world.node[*row as usize], world.index.invoke(*row as usize)));
        let puts = puts.filter(|(put, _)| !world.is_silent(*put));
        let (nodes, keys) = (world.row.len(), world.index.by_key.len());
        Self::of(puts, key, nodes, keys, held_up)
    }

    /// Puts and their invokes, in the order of those.
    fn of(
        puts: impl Iterator<Item = (u32, u64)> + Clone,
        key: impl Fn(u32) -> u32,
        nodes: usize,
        keys: usize,
        held_up: usize,
    ) -> Self {
        let mut starts = vec![0; keys + 1];
        for (node, _) in puts.clone() {
            starts[key(node) as usize + 1] += 1;
        }
        for key in 0..keys {
            starts[key + 1] += starts[key];
        }
        let none = ByTime {
            invoke: 0,
            node: NONE,
            epoch: NO_EPOCH,
        };
        let mut by_time = vec![none; starts[keys] as usize];
        let mut next = starts.clone();
        for (node, invoke) in puts {
            let place = &mut next[key(node) as usize];
            by_time[*place as usize] = ByTime {
                invoke,
                node,
                ..none
            };
            *place += 1;
        }
        let first = |place: &u32| Settled {
            place: *place,
            open: 0,
        };
        let alone = Back {
            before: NONE,
            leap: NONE,
            depth: 0,
        };
        Self {
            settled: starts[..keys].iter().map(first).collect(),
            starts,
            by_time,
            open: Vec::new(),
            stragglers: Table::default(),
            held_up,
            beyond: 0,
            keys: vec![Lasts::default(); keys],
            back: vec![alone; nodes],
        }
    }

    /// Adds a put at the end of its chain.
    pub(super) fn add(&mut self, key: u32, put: u32, chain: u32, place: u32) {
        let settled = &mut self.settled[key as usize];
        if settled.open == 0 {
            self.open.push(key);
        }
        settled.open += 1;
        self.beyond += 1;
        let Lasts { lasts, puts } = &mut self.keys[key as usize];
        if let Some(at) = lasts.iter().rposition(|last| last.chain == chain) {
            lasts[at].place = place;
            let before = std::mem::replace(&mut puts[at], put);
            // Who has put lately will put soon, and the search begins at the end.
            let end = lasts.len() - 1;
            lasts.swap(at, end);
            puts.swap(at, end);
            self.back[put as usize] = self.after(before);
            return;
        }
        lasts.push(Last { chain, place });
        puts.push(put);
        // The first of a chain leaps to itself.
        self.back[put as usize].leap = put;
    }

    /// How many puts not everybody has seen.
    pub(super) const fn beyond(&self) -> usize {
        self.beyond
    }

    /// Gives the epoch to the puts that everybody has seen, and all before them on the key. Says of
    /// a put whether it was added, and whether everybody has seen it.
    pub(super) fn settle(
        &mut self,
        epoch: u32,
        is_added: impl Fn(u32) -> bool,
        is_seen: impl Fn(u32) -> bool,
    ) {
        let Self {
            starts,
            by_time,
            settled,
            open,
            stragglers,
            held_up,
            beyond,
            ..
        } = self;
        open.retain(|key| {
            let settled = &mut settled[*key as usize];
            let puts = &mut by_time[..starts[*key as usize + 1] as usize];
            let is_settled = |put: Option<&ByTime>| put.is_some_and(|put| is_seen(put.node));
            loop {
                let place = settled.place as usize;
                if !is_settled(puts.get(place)) {
                    let holds_up = is_settled(puts.get(place + *held_up));
                    if !(holds_up && is_added(puts[place].node)) {
                        break;
                    }
                    let others = stragglers.entry(*key).or_default();
                    if others.len() == STRAGGLERS_MAX {
                        break;
                    }
                    others.push(puts[place].node);
                }
                puts[place].epoch = epoch;
                settled.place += 1;
                settled.open -= 1;
                *beyond -= 1;
            }
            settled.open > 0
        });
    }

    /// The puts that have an epoch, and which.
    #[cfg(test)]
    pub(super) fn settled(&self) -> impl Iterator<Item = (u32, u32)> {
        let settled = self.by_time.iter().filter(|put| put.epoch != NO_EPOCH);
        let passed_over = |put: u32| self.stragglers.values().flatten().any(|node| *node == put);
        let settled = settled.filter(move |put| !passed_over(put.node));
        settled.map(|put| (put.node, put.epoch))
    }

    /// The puts on a key that a node of some epoch may not have seen, and that were invoked up to
    /// `end` (ns), the latest first, and the stragglers. `None` if [`Self::lasts`] is the shorter
    /// way.
    pub(super) fn recent(
        &self,
        key: u32,
        epoch: u32,
        end: u64,
    ) -> Option<impl Iterator<Item = u32> + Clone> {
        let start = self.starts[key as usize] as usize;
        let settled = self.settled[key as usize].place as usize;
        // What a session reads was settled lately, so that the search begins there.
        let is_later = |place: usize| self.by_time[place].epoch > epoch;
        let (mut first, mut step) = (settled, 1);
        while first > start && is_later(first - 1) {
            let far = first.saturating_sub(step).max(start);
            if !is_later(far) {
                let between = &self.by_time[far..first];
                first = far + between.partition_point(|put| put.epoch <= epoch);
                break;
            }
            (first, step) = (far, 2 * step);
        }
        let puts = &self.by_time[first..self.starts[key as usize + 1] as usize];
        let most = RECENT_MAX.min(self.keys[key as usize].lasts.len());
        let count = puts.iter().take(most + 1);
        let count = count.take_while(|put| put.invoke <= end).count();
        let stragglers = self.stragglers.get(&key).map_or(&[][..], Vec::as_slice);
        let recent = puts[..count].iter().rev().map(|put| put.node);
        (count <= most).then(|| recent.chain(stragglers.iter().rev().copied()))
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

    /// Puts to the keys in turn, invoked at the instant of their number.
    fn on_keys(puts: u32, keys: u32) -> OnKey {
        let by_time = (0..puts).map(|put| (put, u64::from(put)));
        OnKey::of(by_time, |put| put % keys, puts as usize, keys as usize, 32)
    }

    #[test]
    fn what_an_epoch_may_have_missed_is_what_was_settled_after_it() {
        let (puts, chains) = (3_000, 100);
        let mut on_key = on_keys(puts, 2);
        // After `put` has been added everybody has seen what is 50 puts older.
        for put in 0..puts {
            on_key.add(put % 2, put, put % chains, (put / chains) + 1);
            on_key.settle(put + 1, |_| true, |seen| seen + 50 <= put);
        }
        assert_eq!(on_key.beyond(), 50);
        for epoch in 0..puts {
            for key in 0..2 {
                let unseen = epoch.saturating_sub(50);
                let end = u64::from(epoch + 10);
                let found = on_key.recent(key, epoch, end).map(Iterator::collect);
                let expected = (unseen..puts.min(epoch + 11)).rev();
                let expected: Vec<u32> = expected.filter(|put| put % 2 == key).collect();
                assert_eq!(found, Some(expected), "epoch {epoch}");
            }
        }
        assert!(on_key.recent(0, 5, 4_000).is_none(), "chains are fewer");
    }

    #[test]
    fn a_put_that_nobody_sees_is_asked_about_and_holds_up_no_other() {
        let (puts, lost) = (1_000, 300);
        let mut on_key = on_keys(puts, 1);
        for put in 0..puts {
            on_key.add(0, put, put % 100, (put / 100) + 1);
            let is_seen = |seen| seen != lost && seen + 10 <= put;
            on_key.settle(put + 1, |_| true, is_seen);
        }
        assert_eq!(on_key.beyond(), 10);
        let found = on_key.recent(0, puts - 5, u64::from(puts));
        let expected = (puts - 15..puts).rev().chain([lost]);
        assert_eq!(
            found.map(Iterator::collect),
            Some(expected.collect::<Vec<u32>>())
        );
        assert!(on_key.settled().all(|(put, _)| put != lost));
        assert_eq!(on_key.settled().count() as u32, puts - 11);
    }

    #[test]
    fn a_put_that_was_not_added_is_not_passed_over() {
        let mut on_key = on_keys(100, 1);
        for put in 1..100 {
            on_key.add(0, put, put, 1);
        }
        on_key.settle(1, |put| put != 0, |put| put != 0);
        assert_eq!(on_key.beyond(), 99);
        on_key.add(0, 0, 0, 1);
        on_key.settle(2, |_| true, |_| true);
        assert_eq!(on_key.beyond(), 0);
    }

    #[test]
    fn every_chain_of_a_key_has_its_last_put() {
        let chains = 16;
        let mut on_key = on_keys(1_000, 2);
        for put in 0..200 {
            on_key.add(put % 2, put, (put / 2) % chains, (put / 2 / chains) + 1);
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
        let mut on_key = on_keys(puts, 1);
        for put in 0..puts {
            on_key.add(0, put, 3, put + 1);
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
