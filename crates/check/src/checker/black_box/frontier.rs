//! What all sessions that still live have seen, so that no get need be asked about it again.
//!
//! Now and then the smallest of the clocks of their last operations becomes the new *frontier*, and
//! an epoch begins. A node of an epoch comes after the frontier of that epoch, whatever it grows
//! to. So a get which returned it has missed nothing up to there. Sessions that did nothing lately
//! do not hold the frontier up. What they do next belongs to an older epoch, until they have caught
//! up.

use super::chains::Chains;
use super::saturation::{Head, Saturation};
use super::world::NONE;

/// The frontier, and what the next one is made of.
#[derive(Debug, Default)]
pub(super) struct Frontier {
    /// By chain, what everybody has seen of it.
    entries: Vec<u32>,
    /// From 1 on, once there is a frontier.
    epoch: u32,
    /// How many times a new frontier was looked for.
    round: u32,
    /// Operations since then.
    operations: usize,
    /// Sessions that have done one of them.
    active: Vec<u32>,
    /// Room for what [`Saturation::advance`] needs for a moment.
    own: Vec<u32>,
    smallest: Vec<u32>,
}

impl Frontier {
    /// Notes that a session has done an operation.
    pub(super) fn note(&mut self, session: usize, head: &mut Head) {
        self.operations += 1;
        if head.active != self.round + 1 {
            head.active = self.round + 1;
            self.active.push(session as u32);
        }
    }
}

impl Saturation<'_, '_> {
    /// Begins a new epoch if that is worth it by now: after as many operations as there are chains,
    /// and only with puts beyond the frontier. Never during an attempt, which may take back what
    /// the sessions have seen.
    pub(super) fn advance(&mut self) {
        let chains = self.visible.chains.count();
        let pays = self.epoch_min.max(chains).max(self.on_key.beyond());
        if self.frontier.operations < pays || self.attempt.is_some() {
            return;
        }
        let Frontier {
            entries,
            epoch,
            round,
            operations,
            active,
            own,
            smallest,
        } = &mut self.frontier;
        (*operations, *round) = (0, *round + 1);
        entries.resize(chains, 0);
        smallest.clear();
        smallest.resize(chains, u32::MAX);
        active.retain(|session| {
            let head = &self.heads[*session as usize];
            own.clear();
            own.resize(chains, 0);
            self.visible.clocks.spread(head.clock, own);
            let lags = |(own, entry): (&u32, &u32)| own < entry;
            if head.next == NONE || own.iter().zip(&*entries).any(lags) {
                return false;
            }
            for (smallest, own) in smallest.iter_mut().zip(&*own) {
                *smallest = (*own).min(*smallest);
            }
            true
        });
        if !active.is_empty() {
            *epoch += 1;
            std::mem::swap(entries, smallest);
            for session in active.drain(..) {
                self.heads[session as usize].epoch = *epoch;
            }
            let Chains { chain, place, .. } = &self.visible.chains;
            let is_added = |put: u32| chain[put as usize] != NONE;
            let is_seen = |put: u32| {
                is_added(put) && place[put as usize] <= entries[chain[put as usize] as usize]
            };
            self.on_key.settle(*epoch, is_added, is_seen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::index::Index;
    use super::super::super::tests::causal_history;
    use super::super::Limits;
    use super::super::saturation::Saturation;
    use super::super::world::World;

    #[test]
    fn whoever_is_of_an_epoch_has_seen_all_that_was_settled_up_to_it() {
        let (mut settled, mut told) = (0, 0);
        for seed in 0..40 {
            let history = causal_history(seed, 300);
            let index = Index::new(&history).unwrap();
            let world = World::new(&index, 0, &index.time).unwrap();
            let limits = Limits {
                epoch: 0,
                ..Limits::default()
            };
            let mut saturation = Saturation::new(&world, limits);
            saturation.run();
            let nodes = saturation
                .visible
                .epoch
                .iter()
                .zip(&saturation.visible.clock);
            let heads = saturation.heads.iter();
            let heads = heads.map(|head| (&head.epoch, &head.clock));
            let all: Vec<_> = nodes.chain(heads).collect();
            for (put, epoch) in saturation.on_key.settled() {
                settled += 1;
                for (_, clock) in all.iter().filter(|(own, _)| **own >= epoch) {
                    told += 1;
                    assert!(saturation.is_in(put, **clock), "seed {seed}, node {put}");
                }
            }
        }
        println!("{settled} puts settled, {told} times known to be seen");
        assert!(settled > 1_000 && told > 20_000, "{settled}, {told}");
    }
}
