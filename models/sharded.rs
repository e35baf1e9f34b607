//! `sharded`: unreplicated shards, linearizable as a whole since every operation touches one key;
//! and `sharded_replicated`: each shard a group of replicas, causal within the group.

use kvs_core::bug::Bug;
use kvs_core::server::{LocalKVSServer, ReplicatedKVSServer, ShardedKVSServer};
use kvs_core::values::{CausalString, LwwWrapper};

use crate::adapter::{Budget, ClusterModel, EVER, Scenario, TICK_NS};
use crate::catalogue::{Entry, Size};
use crate::client::{get, put};
use crate::properties::A_LATE_PUT_IS_TAKEN;
use crate::replicated::CONCURRENT_PUTS_MEET;

type Lww = LwwWrapper<String>;
type Shards<S> = ShardedKVSServer<S, 2>;

/// Keys of the two shards. With the planted bug `foreign-keys` puts of `FIRST` go to the second.
const FIRST: &str = "e";
const SECOND: &str = "l";

pub(crate) const MODELS: &[Entry] = &[
    Entry {
        name: "sharded",
        describe: "2 shards of 1 node, 2 sessions that each put and get keys of both; requests \
                   and answers travel on their own",
        bounds: "1 restart with the state, 1 put given up",
        size: Size::Small,
        states: 76_292,
        model: sharded,
    },
    Entry {
        name: "sharded-replicated",
        describe: "2 shards of 2 replicas, 2 sessions that put and get keys of both",
        bounds: "any loss and repetition",
        size: Size::Small,
        states: 8_892,
        model: sharded_replicated,
    },
    Entry {
        name: "sharded-replicated-lww",
        describe: "the same under `lww`",
        bounds: "any loss and repetition, 2 readings of the clock",
        size: Size::Small,
        states: 15_592,
        model: sharded_replicated_lww,
    },
];

fn sharded(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        scripts: vec![
            vec![put(0, FIRST, "a"), get(0, SECOND), get(0, FIRST)],
            vec![put(0, SECOND, "b"), put(0, FIRST, "c"), get(0, SECOND)],
        ],
        budget: Budget {
            recoveries: 1,
            given_up: 1,
            ..Budget::default()
        },
        apart: true,
        happens: &[A_LATE_PUT_IS_TAKEN],
        ..Scenario::default()
    }
    .deploy::<Lww, Shards<LocalKVSServer<Lww>>>(bug)
}

fn sharded_replicated(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        happens: &[CONCURRENT_PUTS_MEET],
        ..across_shards()
    }
    .deploy::<CausalString, Shards<ReplicatedKVSServer<_, 2>>>(bug)
}

fn sharded_replicated_lww(bug: Option<Bug>) -> ClusterModel {
    Scenario {
        walls: &[0, 2 * TICK_NS],
        ..across_shards()
    }
    .deploy::<Lww, Shards<ReplicatedKVSServer<_, 2>>>(bug)
}

fn across_shards() -> Scenario {
    Scenario {
        scripts: vec![
            vec![put(0, FIRST, "a"), put(0, SECOND, "b"), get(1, FIRST)],
            vec![put(1, FIRST, "c"), get(1, SECOND), get(0, FIRST)],
        ],
        budget: Budget {
            repetitions: EVER,
            ..Budget::default()
        },
        ..Scenario::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::assert_holds;

    #[test]
    fn shards_are_linearizable_as_a_whole() {
        assert_holds("sharded");
    }

    #[test]
    fn replicated_shards_are_causal_each() {
        assert_holds("sharded-replicated");
    }

    #[test]
    fn replicated_shards_keep_the_last_write_each() {
        assert_holds("sharded-replicated-lww");
    }

    #[test]
    fn the_keys_are_of_different_shards() {
        let model = sharded(None);
        let groups = [FIRST, SECOND].map(|key| model.ports.route(key.as_bytes()).id.0);
        assert_eq!(groups, [0, 1]);
    }
}
