//! Random small histories: what correct stores would have recorded, and the same with one thing
//! changed.

mod change;
mod repeat;
mod store;

pub(in crate::checker::tests) use change::{misremember, mutate, mutate_context, mutate_visibly};
pub(in crate::checker::tests) use repeat::repeating;
pub(in crate::checker::tests) use store::{valid, with_final_reads};

use crate::history::{
    Dominance, Group, Header, History, Kind, Model, Outcome, Phase, Row, Siblings, Version,
    Witness, value_id,
};

/// `SplitMix64`: the same numbers everywhere.
pub(in crate::checker) struct Random(pub(in crate::checker) u64);

impl Random {
    pub(in crate::checker) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(in crate::checker) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(in crate::checker::tests) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// One sibling's evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::checker::tests) struct Seen {
    pub(in crate::checker::tests) id: u64,
    pub(in crate::checker::tests) dot: u64,
    pub(in crate::checker::tests) vector: Vec<u64>,
    pub(in crate::checker::tests) version: Option<Version>,
}

/// An operation that owns what a row borrows, so that it can be changed.
#[derive(Clone, Debug)]
pub(in crate::checker::tests) struct Op {
    pub(in crate::checker::tests) session: u32,
    pub(in crate::checker::tests) index: u32,
    pub(in crate::checker::tests) is_put: bool,
    pub(in crate::checker::tests) key: u64,
    pub(in crate::checker::tests) invoke: u64,
    pub(in crate::checker::tests) returned: Option<u64>,
    pub(in crate::checker::tests) node: u16,
    pub(in crate::checker::tests) seen: Vec<Seen>,
    pub(in crate::checker::tests) dot: u64,
    pub(in crate::checker::tests) vector: Vec<u64>,
    pub(in crate::checker::tests) version: Option<Version>,
    /// The ids that the put's client said it had seen, where that is recorded.
    pub(in crate::checker::tests) context: Option<Vec<u64>>,
    /// It certainly had no effect.
    pub(in crate::checker::tests) failed: bool,
    /// It read a replica after the store had gone quiet.
    pub(in crate::checker::tests) is_final: bool,
}

impl Op {
    /// A get of nothing on key 0 at time 0.
    fn new(session: u32, index: u32) -> Self {
        Self {
            session,
            index,
            is_put: false,
            key: 0,
            invoke: 0,
            returned: None,
            node: 0,
            seen: Vec::new(),
            dot: 0,
            vector: Vec::new(),
            version: None,
            context: None,
            failed: false,
            is_final: false,
        }
    }

    pub(in crate::checker::tests) fn id(&self) -> u64 {
        value_id(self.session, self.index)
    }
}

/// Which store is imitated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checker::tests) enum Store {
    Register,
    /// A put supersedes all that its replica had applied.
    Causal,
    /// A put supersedes its context only.
    Context,
    Lww,
}

/// Makes a history of operations.
pub(in crate::checker::tests) fn history(store: Store, ops: &[Op]) -> History {
    let promise = match store {
        Store::Register => Model::Linearizable,
        Store::Causal | Store::Context => Model::Causal,
        Store::Lww => Model::Lww,
    };
    let mut history = History::from_rows(
        Header {
            promise: Some(promise),
            dominance: (store == Store::Context).then_some(Dominance::Context),
            ..Header::default()
        },
        [],
    );
    for op in ops {
        let read: Vec<u64> = op.seen.iter().map(|s| s.id).collect();
        let dots: Vec<u64> = op.seen.iter().map(|s| s.dot).collect();
        let mut vectors = Vec::new();
        let mut ends = Vec::new();
        for seen in &op.seen {
            vectors.extend(&seen.vector);
            ends.push(vectors.len() as u32);
        }
        let siblings = Siblings {
            dots: &dots,
            ends: &ends,
            vectors: &vectors,
            base: 0,
        };
        let known = op.returned.is_some();
        let witness = match (store, op.is_put) {
            (Store::Register, _) => Witness::None,
            (_, true) if !known => Witness::None,
            (Store::Causal | Store::Context, true) => Witness::Put {
                dot: op.dot,
                vector: &op.vector,
            },
            (Store::Causal | Store::Context, false) => Witness::Get {
                vector: &op.vector,
                siblings,
            },
            (Store::Lww, true) => Witness::Version(op.version),
            (Store::Lww, false) => Witness::Version(op.seen.first().and_then(|s| s.version)),
        };
        history.columns.push(&Row {
            session: op.session,
            index: op.index,
            kind: if op.is_put { Kind::Put } else { Kind::Get },
            key: op.key,
            written: if op.is_put { op.id() } else { 0 },
            read: &read,
            intended: op.invoke,
            invoke: op.invoke,
            returned: op.returned,
            outcome: match op.returned {
                _ if op.failed => Outcome::Fail,
                Some(_) => Outcome::Ok,
                None => Outcome::Info,
            },
            node: op.node,
            phase: if op.is_final {
                Phase::Final
            } else {
                Phase::Run
            },
            context: op.context.as_deref(),
            witness: if op.failed { Witness::None } else { witness },
            ..Row::EMPTY
        });
    }
    history.end = Some(crate::history::End::of(ops.len() as u64));
    history
}

/// The same without evidence and without a promise, under the nodes of one group.
pub(in crate::checker::tests) fn bare(ops: &[Op]) -> History {
    let mut history = history(Store::Register, ops);
    history.header.promise = None;
    history
}

/// The same where a put supersedes its context only.
pub(in crate::checker::tests) fn bare_with_contexts(ops: &[Op]) -> History {
    let mut history = bare(ops);
    history.header.dominance = Some(Dominance::Context);
    history
}

/// Says which nodes hold the keys.
pub(in crate::checker::tests) fn with_nodes(mut history: History, nodes: u16) -> History {
    history.header.groups = vec![Group {
        id: 0,
        nodes: (0..nodes).collect(),
    }];
    history
}
