//! The toy of a kind: `echo`, one node that answers what was put last.

use super::{KindFacts, KindRow, Losses, Promise, StoreKind, WitnessKind};
use crate::protocol::{GroupId, Lattice};
use crate::server::{ImpossibleSize, ReplicaKind, Route};

pub(super) static ROW: KindRow = KindRow {
    name: "echo",
    help: "one node that answers what was put last",
    sharded: "sharded_echo",
    sharded_help: "3 shards of such a node",
    usual: StoreKind::Echo(EchoStore),
    lattices: &[],
    parse: |arguments| {
        arguments.none()?;
        Ok(StoreKind::Echo(EchoStore))
    },
};

/// One node that answers what was put last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EchoStore;

impl KindFacts for EchoStore {
    fn row(&self) -> &'static KindRow {
        &ROW
    }

    fn size(&self) -> u16 {
        1
    }

    fn parameters(&self) -> String {
        String::new()
    }

    fn with_replicas(&self, _: u16) -> Result<StoreKind, ImpossibleSize> {
        Err(ImpossibleSize::NothingReplicated)
    }

    fn replica(&self, _: Lattice) -> ReplicaKind {
        ReplicaKind::Echo
    }

    fn route(&self, group: GroupId) -> Route {
        Route::Node(group)
    }

    fn promise(&self, _: Lattice) -> Promise {
        Promise::Linearizable
    }

    fn witness(&self, _: Lattice) -> WitnessKind {
        WitnessKind::None
    }

    fn compares_and_sets(&self) -> bool {
        false
    }

    fn has_copies(&self) -> bool {
        false
    }

    fn losses_of_memory(&self) -> Losses {
        Losses::Loses
    }
}

/// The toy is in its two files, in its row of `KINDS`, and where the compiler asks for a variant:
///
/// - `StoreKind`, and its `facts`;
/// - `ReplicaKind`, with what its host draws and how long a round takes;
/// - `Replica`, which makes it, starts it and has it recover.
///
/// A kind with messages, timers, changes, settings or a status of its own has a variant or a field
/// for each, too (`Body`, `Timer`, `Persist`, `Settings`, `KindStatus`).
mod tests {
    use super::*;
    use crate::protocol::{Message, NodeId, Operation, Request, Response};
    use crate::replica::{
        Effects, GossipTimer, Input, Persist, Replica, ReplicaSpec, RequestId, Settings, Timer,
    };
    use crate::server::{Architecture, KINDS};

    /// Keeps the values of gets, and what was persisted.
    #[derive(Default)]
    struct Seen {
        found: Vec<Option<Vec<u8>>>,
        kept: Vec<Vec<u8>>,
    }

    impl Effects for Seen {
        fn persist(&mut self, change: &Persist<'_>) {
            self.kept
                .push(postcard::to_stdvec(change).expect("plain data"));
        }

        fn reply(&mut self, _: RequestId, response: &Response<'_>) {
            if let Response::Get { siblings, .. } = response {
                let found = siblings.first().map(|sibling| sibling.value.to_vec());
                self.found.push(found);
            }
        }

        fn send(&mut self, _: NodeId, _: Message) {
            panic!("it has no peers");
        }

        fn set_timer(&mut self, _: Timer, _: u64) {
            panic!("it has no timers");
        }
    }

    fn spec(architecture: &Architecture) -> ReplicaSpec {
        ReplicaSpec {
            node: NodeId(0),
            incarnation: 0,
            group: GroupId(0),
            peers: Vec::new(),
            spares: Vec::new(),
            kind: architecture.kind().facts().replica(Lattice::Causal),
            shards: Vec::new(),
            settings: Settings::default(),
            bug: None,
        }
    }

    #[test]
    fn a_toy_is_a_kind_like_all_others() {
        assert!(KINDS.iter().any(|row| row.name == "echo"));
        let zoo = Architecture::zoo();
        for name in ["echo", "sharded_echo"] {
            let toy: Architecture = name.parse().expect("a name of the table");
            assert!(zoo.contains(&toy), "{name}");
        }
        let nested: Architecture = "sharded(2, sharded(3, echo))".parse().expect("a nesting");
        assert_eq!(nested.size(), 6);
        assert_eq!(nested.groups().len(), 6);
        assert!(!nested.has_lattice());
        let refused = "echo(2)"
            .parse::<Architecture>()
            .expect_err("it has no parameters");
        assert!(refused.to_string().contains("echo"), "{refused}");
    }

    #[test]
    fn a_toy_answers_what_was_put_last_and_comes_back_with_it() {
        let spec = spec(&"echo".parse().expect("a name of the table"));
        let (mut replica, mut seen) = (Replica::new(&spec), Seen::default());
        let key = b"a";
        let ask = |replica: &mut Replica, operation, seen: &mut Seen| {
            let context = &[];
            let request = Request {
                key,
                operation,
                context,
                call: None,
            };
            replica.handle_request(RequestId(0), &request, &Input::default(), seen);
        };
        replica.start(&mut seen);
        ask(&mut replica, Operation::Get, &mut seen);
        for value in [b"1", b"2"] {
            ask(&mut replica, Operation::Put { value }, &mut seen);
        }
        ask(&mut replica, Operation::Get, &mut seen);
        // Nothing of another kind means anything to it.
        let timer = Timer::Gossip(GossipTimer::Rumour);
        replica.handle_timer(timer, &Input::default(), &mut seen);
        let mut restored = Replica::new(&spec);
        for change in &seen.kept {
            restored.restore(&postcard::from_bytes(change).expect("it was serialised"));
        }
        assert_eq!(restored, replica);
        ask(&mut restored, Operation::Get, &mut seen);
        let found = [None, Some(b"2".to_vec()), Some(b"2".to_vec())];
        assert_eq!(seen.found, found);
    }
}
