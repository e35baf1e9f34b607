//! Edges that are presumed, and taken back if they do not help to explain the history.
//!
//! A client that goes on under a new session knows nothing at first. What it puts before it reads
//! comes after nothing, and would be a chain of its own for as long as the history lasts. But a
//! replica does not forget what it has applied. So such a put is presumed to come after the last
//! put of a session that was over at the same replica, since the replica had applied that one by
//! then.
//!
//! A replica had also applied whatever it had shown. So a put there is presumed to come after all
//! of that (`replicas.rs`).
//!
//! When many questions are open (which of several returned puts superseded another), further ones
//! get their likeliest answer at once. Open questions breed others: whoever sees a put that nothing
//! supersedes yet asks again, as hundreds of sessions on one key do.
//!
//! The definition does not ask for any of these edges. But visibility may be larger than
//! happens-before. So a history is valid if it is explained with such edges. If it is not, it is
//! judged again without them.

use super::Limits;
use super::choice;
use super::saturation::Saturation;
use super::world::World;

/// Judges a group, with what may be presumed, and without where that does not explain it. Returns
/// what is left open too.
pub(super) fn judge<'w, 'h>(
    world: &'w World<'w, 'h>,
    limits: Limits,
) -> (Saturation<'w, 'h>, Option<String>) {
    let (saturation, open) = judge_within(world, limits);
    let is_explained = open.is_none() && saturation.refuted.contradictions.is_empty();
    if is_explained || !saturation.has_presumed || world.time.is_over() {
        return (saturation, open);
    }
    drop(saturation);
    let presumes = false;
    judge_within(world, Limits { presumes, ..limits })
}

fn judge_within<'w, 'h>(
    world: &'w World<'w, 'h>,
    limits: Limits,
) -> (Saturation<'w, 'h>, Option<String>) {
    let mut saturation = Saturation::new(world, limits);
    saturation.run();
    let open = choice::decide(&mut saturation);
    (saturation, open)
}

impl World<'_, '_> {
    /// Whether the replica at which a put (a row) was done had surely applied another one (a node)
    /// before that was invoked, unless it had forgotten it.
    pub(super) fn had_applied(&self, put: u32, before: u32) -> bool {
        let (columns, other) = (&self.index.columns, self.row[before as usize] as usize);
        let replica = |row: usize| (columns.node[row], columns.incarnation[row]);
        if replica(put as usize) != replica(other) {
            return false;
        }
        // Whoever returns a put has seen its effect, which is all that is known of an unknown one.
        let returned = |row: u32| self.index.returned(row as usize);
        let seen = self.readers(before).iter().copied().map(returned).min();
        let invoke = self.index.invoke(put as usize);
        self.index.returned(other) < invoke || seen.is_some_and(|seen| seen < invoke)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::index::Index;
    use super::super::super::tests::{causal_history, op};
    use super::super::check_within;
    use super::super::clock::FROZEN;
    use super::super::world::NONE;
    use super::*;
    use crate::history::{Header, History, Kind, Outcome, Row, value_id};

    fn with(presumes: bool) -> Limits {
        Limits {
            presumes,
            ..Limits::default()
        }
    }

    /// Every likely answer is presumed.
    fn guessing() -> Limits {
        Limits {
            guesses_from: 0,
            ..Limits::default()
        }
    }

    /// What the first attempt to explain a history came to.
    struct Attempt {
        has_presumed: bool,
        is_explained: bool,
        chains: usize,
        forced: usize,
    }

    fn attempt(history: &History, limits: Limits) -> Attempt {
        let index = Index::new(history).unwrap();
        let world = World::new(&index, 0, &index.time).unwrap();
        let (saturation, open) = judge_within(&world, limits);
        Attempt {
            has_presumed: saturation.has_presumed,
            is_explained: saturation.refuted.contradictions.is_empty() && open.is_none(),
            chains: saturation.visible.chains.count(),
            forced: saturation.forced.len(),
        }
    }

    fn is_valid(history: &History) -> bool {
        let index = Index::new(history).unwrap();
        check_within(&index, Limits::default()).verdict.is_valid()
    }

    /// One operation after another: its session, its replica, its key, and what a get returned.
    fn one_by_one(ops: &[(u32, u16, u64, Option<&[u64]>)]) -> History {
        let mut indices = [0u32; 256];
        let rows = (0u64..)
            .zip(ops)
            .map(|(at, (session, node, key, returned))| {
                let next = &mut indices[*session as usize];
                let index = std::mem::replace(next, *next + 1);
                let kind = returned.map_or(Kind::Put, |_| Kind::Get);
                let read = returned.unwrap_or_default();
                Row {
                    node: *node,
                    ..op(*session, index, *key, 10 * at, kind, read)
                }
            });
        History::from_rows(Header::default(), rows)
    }

    #[test]
    fn sessions_that_follow_one_another_at_a_replica_are_one_chain() {
        const SESSIONS: u32 = 100;
        let ids: Vec<[u64; 1]> = (0..SESSIONS)
            .map(|session| [value_id(session, 0)])
            .collect();
        let ops = (0..SESSIONS).zip(&ids).flat_map(|(session, id)| {
            let node = (session % 2) as u16;
            [(session, node, 0, None), (SESSIONS, 0, 0, Some(&id[..]))]
        });
        let history = one_by_one(&Vec::from_iter(ops));
        let chains = [true, false].map(|presumes| {
            let attempt = attempt(&history, with(presumes));
            assert!(attempt.is_explained);
            attempt.chains
        });
        assert_eq!(chains, [2, SESSIONS as usize]);
    }

    /// A session puts blindly where another one was over; a third returns both as siblings.
    fn siblings_of_one_replica(node: u16) -> History {
        let (old, new) = (value_id(0, 0), value_id(1, 0));
        one_by_one(&[
            (0, 0, 0, None),
            (1, node, 0, None),
            (2, 1, 0, Some(&[old, new])),
        ])
    }

    #[test]
    fn a_replica_that_had_forgotten_is_judged_by_what_clients_saw() {
        let history = siblings_of_one_replica(0);
        let presumed = attempt(&history, with(true));
        assert!(presumed.has_presumed && !presumed.is_explained);
        assert!(is_valid(&history));
    }

    #[test]
    fn a_likely_answer_that_others_contradict_is_taken_back() {
        let [old, first, second] = [value_id(0, 0), value_id(1, 0), value_id(2, 0)];
        // The fourth session leaves it open which of two puts superseded the old one, and the last
        // read that beside the second.
        let history = one_by_one(&[
            (0, 0, 0, None),
            (1, 1, 0, None),
            (2, 2, 0, None),
            (3, 3, 0, Some(&[old])),
            (3, 3, 0, Some(&[first, second])),
            (4, 4, 0, Some(&[old, second])),
        ]);
        let presumed = attempt(&history, guessing());
        assert!(presumed.has_presumed && !presumed.is_explained);
        let index = Index::new(&history).unwrap();
        let world = World::new(&index, 0, &index.time).unwrap();
        let (saturation, open) = judge(&world, guessing());
        assert!(saturation.refuted.contradictions.is_empty() && open.is_none());
        let node = |id: u64| {
            let row = history.columns.written.iter().position(|own| *own == id);
            world.node[row.unwrap()]
        };
        assert!(saturation.precedes(node(old), node(first)));
        assert!(!saturation.precedes(node(old), node(second)));
    }

    #[test]
    fn nothing_is_presumed_of_another_replica() {
        let history = siblings_of_one_replica(1);
        let attempt = attempt(&history, with(true));
        assert!(!attempt.has_presumed && attempt.is_explained);
    }

    #[test]
    fn what_is_presumed_is_visible_to_whoever_comes_after() {
        let (old, new) = (value_id(0, 0), value_id(1, 0));
        // The third session saw the new put of another key, and returns nothing for the old one.
        let history = one_by_one(&[
            (0, 0, 0, None),
            (3, 1, 0, Some(&[old])),
            (1, 0, 1, None),
            (2, 1, 1, Some(&[new])),
            (2, 1, 0, Some(&[])),
        ]);
        let presumed = attempt(&history, with(true));
        assert!(presumed.has_presumed && !presumed.is_explained);
        assert!(is_valid(&history));
    }

    #[test]
    fn an_unknown_put_that_was_read_before_is_followed_and_one_that_was_not_is_not() {
        let follows = |reads_first: bool| {
            let (unknown, new) = (value_id(0, 0), value_id(1, 0));
            let mut ops = [(2, 0, 0, Some(&[unknown][..])), (1, 0, 1, None)];
            if !reads_first {
                ops.reverse();
            }
            let ops = [(0, 0, 0, None), ops[0], ops[1], (3, 0, 1, Some(&[new][..]))];
            let mut history = one_by_one(&ops);
            history.columns.outcome[0] = Outcome::Info;
            attempt(&history, with(true)).has_presumed
        };
        assert!(follows(true));
        assert!(!follows(false));
    }

    #[test]
    fn each_put_of_a_chain_covers_all_that_the_one_before_it_has_come_to_cover() {
        let (mut presumed, mut grown) = (0, 0);
        for seed in 0..200 {
            let history = causal_history(seed, 300);
            let index = Index::new(&history).unwrap();
            let world = World::new(&index, 0, &index.time).unwrap();
            let (mut saturation, _) = judge_within(&world, with(true));
            presumed += u32::from(saturation.has_presumed);
            grown += saturation.visits;
            let nodes = 0..world.row.len() as u32;
            let mut puts: Vec<((u32, u32), u32)> =
                nodes.map(|put| (saturation.position(put), put)).collect();
            puts.retain(|((chain, _), _)| *chain != NONE);
            puts.sort_unstable();
            for pair in puts.windows(2).filter(|pair| pair[0].0.0 == pair[1].0.0) {
                let [before, after] = [pair[0].1, pair[1].1];
                assert!(saturation.precedes(before, after), "seed {seed}");
                let clock = saturation.visible.clock[after as usize];
                let other = saturation.visible.clock[before as usize];
                let both = saturation.visible.clocks.join(clock, other, FROZEN);
                assert_eq!(both, clock, "seed {seed}: {before} and {after}");
            }
        }
        println!("{presumed} of 200 histories with something presumed, {grown} visits");
        assert!(presumed > 100 && grown > 5_000, "{presumed}, {grown}");
    }

    #[test]
    fn what_is_presumed_explains_what_correct_replicas_do() {
        let (mut presumed, mut answered) = (0, 0);
        for seed in 0..200 {
            let history = causal_history(seed, 300);
            let [kept, guessed] = [with(true), guessing()].map(|limits| attempt(&history, limits));
            assert!(kept.is_explained && guessed.is_explained, "seed {seed}");
            presumed += u32::from(kept.has_presumed);
            answered += u32::from(guessed.forced > kept.forced);
        }
        println!("of 200 histories {presumed} with a presumed order, {answered} with an answer");
        assert!(presumed > 100 && answered > 50, "{presumed}, {answered}");
    }
}
