//! `replicated` under `lww`: the register with the largest version, convergence, and clocks that
//! are wrong (hybrid logical clocks, Kulkarni et al., 2014).

use kvs_zoo::bug::Bug;
use kvs_zoo::server::ReplicatedKVSServer;
use kvs_zoo::values::LwwWrapper;

use crate::adapter::{Budget, ClusterModel, EVER, Scenario, TICK_NS};
use crate::catalogue::{Entry, Size};
use crate::client::{get, put};
use crate::properties::A_PUT_IS_LOST;

type Lww = LwwWrapper<String>;
type Replicated<const N: u16> = ReplicatedKVSServer<Lww, N>;

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "replicated-lww",
        describe: "2 replicas, 2 sessions that put one key and get it where they put it",
        bounds: "any loss and repetition, 1 round of anti-entropy",
        size: Size::Small,
        states: 0,
        model: |bug| two_replicas(&[0]).deploy::<Lww, Replicated<2>>(bug),
    },
    Entry {
        name: "replicated-lww-clocks",
        describe: "the same",
        bounds: "any loss, 1 round of anti-entropy, 2 readings of the clock at every put",
        size: Size::Small,
        states: 0,
        model: |bug| two_replicas(&[0, 3 * TICK_NS]).deploy::<Lww, Replicated<2>>(bug),
    },
    Entry {
        name: "replicated-lww-forgets",
        describe: "2 replicas, 2 sessions that put one key and get it",
        bounds: "any loss, 1 round of anti-entropy, 1 restart without the state, 2 readings",
        size: Size::Small,
        states: 0,
        model: forgets,
    },
];

fn two_replicas(walls: &'static [u64]) -> Scenario {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), get(0, "k")],
            vec![put(1, "k", "b"), get(1, "k"), get(0, "k")],
        ],
        budget: Budget {
            repetitions: EVER,
            rounds: 1,
            ..Budget::default()
        },
        walls,
        ..Scenario::default()
    }
}

fn forgets(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), put(0, "k", "b")],
            vec![put(1, "k", "c"), get(0, "k")],
        ],
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
