//! `replicated` under `lww`: the register with the largest version, convergence, and clocks that
//! are wrong (hybrid logical clocks, Kulkarni et al., 2014).

use kvs_core::bug::Bug;
use kvs_core::server::ReplicatedKVSServer;
use kvs_core::values::LwwWrapper;

use crate::adapter::{Budget, ClusterModel, EVER, Scenario, TICK_NS};
use crate::catalogue::{Entry, Size};
use crate::client::{Step, get, put};
use crate::properties::A_PUT_IS_LOST;

type Lww = LwwWrapper<String>;
type Replicated<const N: u16> = ReplicatedKVSServer<Lww, N>;

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "replicated-lww",
        describe: "2 replicas, 2 sessions that put one key and get it",
        bounds: "any loss and repetition, 1 round of anti-entropy",
        size: Size::Small,
        states: 179_191,
        model: |bug| {
            let own = vec![put(0, "k", "a"), get(0, "k")];
            two_replicas(bug, 1, &[0], own)
        },
    },
    Entry {
        name: "replicated-lww-clocks",
        describe: "2 replicas, a session that puts a key twice, and one that puts it on the other \
                   side and gets it on both",
        bounds: "any loss and repetition, 2 readings of the clock at every put",
        size: Size::Small,
        states: 9_844,
        model: |bug| {
            let own = vec![put(0, "k", "a"), put(0, "k", "b")];
            two_replicas(bug, 0, &[0, 3 * TICK_NS], own)
        },
    },
    Entry {
        name: "replicated-lww-forgets",
        describe: "2 replicas, 2 sessions that put one key, one of which gets it",
        bounds: "any loss, 1 round of anti-entropy, 1 restart without the state, 2 readings of \
                 the clock at every put",
        size: Size::Small,
        states: 148_319,
        model: forgets,
    },
];

fn two_replicas(
    bug: Option<Bug>,
    rounds: u8,
    walls: &'static [u64],
    first: Vec<Step>,
) -> ClusterModel {
    Scenario {
        scripts: vec![first, vec![put(1, "k", "c"), get(1, "k"), get(0, "k")]],
        budget: Budget {
            repetitions: EVER,
            rounds,
            ..Budget::default()
        },
        walls,
        ..Scenario::default()
    }
    .deploy::<Lww, Replicated<2>>(bug)
}

fn forgets(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![vec![put(0, "k", "a")], vec![put(1, "k", "c"), get(0, "k")]],
        budget: Budget {
            rounds: 1,
            losses_of_memory: 1,
            ..Budget::default()
        },
        walls: &[0, 3 * TICK_NS],
        happens: &[A_PUT_IS_LOST],
        ..Scenario::default()
    }
    .deploy::<Lww, Replicated<2>>(bug)
}

#[cfg(test)]
mod tests {
    use crate::explore::assert_holds;

    #[test]
    fn last_write_wins_keeps_its_promise_in_every_state() {
        assert_holds("replicated-lww");
    }

    #[test]
    fn last_write_wins_whatever_the_clocks_read() {
        assert_holds("replicated-lww-clocks");
    }

    #[test]
    fn last_write_wins_though_a_replica_loses_its_memory() {
        assert_holds("replicated-lww-forgets");
    }
}
