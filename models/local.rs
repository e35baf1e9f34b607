//! `local`: one node, whose promise is linearizability (Herlihy and Wing, 1990). Requests and
//! answers travel on their own, so that operations overlap in every way.
//!
//! The node restarts with its state: under `--durability memory` a node that restarts without has
//! lost what it acknowledged, and nothing is promised.

use kvs_core::bug::Bug;
use kvs_core::server::LocalKVSServer;
use kvs_core::values::LwwWrapper;

use crate::adapter::{Budget, ClusterModel, Scenario};
use crate::catalogue::{Entry, Size};
use crate::client::{Step, get, put};
use crate::properties::A_LATE_PUT_IS_TAKEN;

type Lww = LwwWrapper<String>;

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "local",
        describe: "1 node, 3 sessions, 2 puts, 3 gets of one key; requests and answers travel on their own",
        bounds: "1 restart with the state, 1 put given up",
        size: Size::Small,
        states: 119_114,
        model: local,
    },
    Entry {
        name: "local-stale",
        describe: "1 node, a session that puts a key twice and gets it until the bug shows",
        bounds: "nothing",
        size: Size::Small,
        states: 19,
        model: sixteen_gets,
    },
];

/// Three sessions of one key: two put it and get it, and one gets it.
pub(crate) fn three_sessions() -> Vec<Vec<Step>> {
    vec![
        vec![put(0, "k", "a"), get(0, "k")],
        vec![put(0, "k", "b"), get(0, "k")],
        vec![get(0, "k")],
    ]
}

fn local(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: three_sessions(),
        budget: Budget {
            recoveries: 1,
            given_up: 1,
            ..Budget::default()
        },
        apart: true,
        happens: &[A_LATE_PUT_IS_TAKEN],
        ..Scenario::default()
    }
    .deploy::<Lww, LocalKVSServer<Lww>>(bug)
}

/// The planted bug answers one get in sixteen from the value before the last.
fn sixteen_gets(bug: Option<Bug>) -> ClusterModel {
    let mut script = vec![put(0, "k", "a"), put(0, "k", "b")];
    script.extend([get(0, "k"); 16]);
    Scenario {
        scripts: vec![script],
        ..Scenario::default()
    }
    .deploy::<Lww, LocalKVSServer<Lww>>(bug)
}

#[cfg(test)]
mod tests {
    use crate::explore::assert_holds;

    #[test]
    fn a_local_node_is_linearizable_however_requests_overlap_and_it_restarts() {
        assert_holds("local");
    }

    #[test]
    fn a_session_reads_its_last_put_sixteen_times() {
        assert_holds("local-stale");
    }
}
