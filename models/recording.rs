//! What the clients of a modelled cluster did, in the tester of what the cluster promises: part of
//! the state, so that every reachable history is judged, not only the recorded ones.

use kvs_zoo::checker::{CausalReturn, CausalSibling, CausalTester, LwwReturn, LwwTester, StoreOp};
use kvs_zoo::history::{Version, origin};
use kvs_zoo::protocol::{Dot, Lattice, NodeId, Vector};
use stateright::semantics::ConsistencyTester;

use crate::adapter::Step;
use crate::cluster::Reply;

/// What clients did so far.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Recording {
    Causal(CausalTester<usize, &'static str, String>),
    Lww(LwwTester<usize, &'static str, String>),
}

/// One value that a get returned, as the recording keeps it.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) value: String,
    pub(crate) evidence: Evidence,
}

/// What a reply says about a put.
#[derive(Clone, Debug)]
pub(crate) enum Evidence {
    Causal(Dot, Vector),
    Lww(kvs_zoo::protocol::Version),
}

impl Shown {
    /// What the value's put had covered, where that is known.
    pub(crate) const fn vector(&self) -> Option<&Vector> {
        match &self.evidence {
            Evidence::Causal(_, vector) => Some(vector),
            Evidence::Lww(_) => None,
        }
    }
}

impl Recording {
    pub(crate) const fn new(lattice: Lattice) -> Self {
        match lattice {
            Lattice::Causal => Self::Causal(CausalTester::new()),
            Lattice::Lww => Self::Lww(LwwTester::new()),
        }
    }

    /// A client asks.
    pub(crate) fn asked(&mut self, client: usize, step: &Step) {
        let op = match step.value {
            None => StoreOp::Get(step.key),
            Some(value) => StoreOp::Put(step.key, value.to_owned()),
        };
        let taken = match self {
            Self::Causal(tester) => tester.on_invoke(client, op).map(|_| ()),
            Self::Lww(tester) => tester.on_invoke(client, op).map(|_| ()),
        };
        taken.expect("a client has one request under way, and values are unique");
    }

    /// The node answers. Says whether all that was recorded is still consistent.
    pub(crate) fn answered(&mut self, client: usize, node: NodeId, reply: &Reply) -> bool {
        match self {
            Self::Causal(tester) => {
                let tester = tester.on_return(client, causal(reply));
                tester.expect("the client waits").is_consistent()
            }
            Self::Lww(tester) => {
                let tester = tester.on_return(client, lww(node, reply));
                tester.expect("the client waits").is_consistent()
            }
        }
    }
}

fn dots(vector: &Vector) -> Vec<u64> {
    vector.as_slice().iter().map(|dot| dot.0).collect()
}

fn causal(reply: &Reply) -> CausalReturn<String> {
    let put = |evidence: &Evidence| match evidence {
        Evidence::Causal(dot, vector) => (dot.0, dots(vector)),
        Evidence::Lww(_) => panic!("a causal store gives dots"),
    };
    match reply {
        Reply::Refused(_) => CausalReturn::Refused,
        Reply::Put(evidence) => {
            let (dot, vector) = put(evidence);
            CausalReturn::Put { dot, vector }
        }
        Reply::Get(vector, shown) => {
            let sibling = |shown: &Shown| {
                let (dot, vector) = put(&shown.evidence);
                CausalSibling {
                    value: shown.value.clone(),
                    dot,
                    vector,
                }
            };
            CausalReturn::Get {
                vector: dots(vector),
                siblings: shown.iter().map(sibling).collect(),
            }
        }
    }
}

fn lww(node: NodeId, reply: &Reply) -> LwwReturn<String> {
    let at = origin(node.0, 0);
    let put = |evidence: &Evidence| match evidence {
        Evidence::Lww(version) => Version {
            time: version.time,
            origin: version.origin,
        },
        Evidence::Causal(..) => panic!("a last-write-wins store gives versions"),
    };
    match reply {
        Reply::Refused(_) => LwwReturn::Refused,
        Reply::Put(evidence) => LwwReturn::Put(at, put(evidence)),
        Reply::Get(_, shown) => {
            let read = shown.first();
            LwwReturn::Get(at, read.map(|s| (s.value.clone(), put(&s.evidence))))
        }
    }
}
