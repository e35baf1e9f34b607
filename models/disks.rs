//! Nodes with disks: what may show a change waits until the change is durable, and a process that
//! ends comes back from what its disk has left.

use kvs_core::bug::Bug;
use kvs_core::server::{LocalKVSServer, ReplicatedKVSServer};
use kvs_core::values::{CausalString, LwwWrapper};

use crate::adapter::{Budget, ClusterModel, Scenario};
use crate::catalogue::{Entry, Size};
use crate::client::{get, put};
use crate::local::three_sessions;
use crate::properties::A_CHANGE_IS_LOST;
use crate::replicated::CONCURRENT_PUTS_MEET;

type Lww = LwwWrapper<String>;

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "local-disk",
        describe: "1 node with a disk, 3 sessions, 2 puts, 3 gets of one key",
        bounds: "2 crashes that leave any change that is not durable or none",
        size: Size::Small,
        states: 3_032,
        model: local,
    },
    Entry {
        name: "replicated-disk",
        describe: "2 replicas with disks, 2 sessions that put one key and get it on the other side",
        bounds: "any loss, 1 round of anti-entropy, 1 crash that leaves any change that is not durable or none",
        size: Size::Small,
        states: 142_244,
        model: replicated,
    },
];

fn local(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: three_sessions(),
        budget: Budget {
            recoveries: 2,
            ..Budget::default()
        },
        disks: true,
        happens: &[A_CHANGE_IS_LOST],
        ..Scenario::default()
    }
    .deploy::<Lww, LocalKVSServer<Lww>>(bug)
}

fn replicated(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, "k", "a"), get(1, "k")],
            vec![put(1, "k", "b"), get(0, "k")],
        ],
        budget: Budget {
            rounds: 1,
            recoveries: 1,
            ..Budget::default()
        },
        disks: true,
        records: false,
        happens: &[CONCURRENT_PUTS_MEET, A_CHANGE_IS_LOST],
        ..Scenario::default()
    }
    .deploy::<CausalString, ReplicatedKVSServer<CausalString, 2>>(bug)
}

#[cfg(test)]
mod tests {
    use crate::explore::assert_holds;

    #[test]
    fn a_local_node_with_a_disk_is_linearizable_whatever_a_crash_leaves() {
        assert_holds("local-disk");
    }

    #[test]
    fn replicas_with_disks_lose_nothing_that_was_acknowledged() {
        assert_holds("replicated-disk");
    }
}
