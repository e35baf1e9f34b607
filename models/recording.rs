//! Records what the clients of a modelled cluster did, in the tester of the cluster's promise. This
//! is part of the state. So every reachable history is judged, not only the recorded ones.

use std::collections::BTreeMap;

use kvs_check::checker::{
    CausalReturn, CausalSibling, CausalTester, LwwReturn, LwwTester, StoreOp,
};
use kvs_check::history::{Version, origin};
use kvs_core::protocol::{Dot, Origin, Refusal, Vector};
use kvs_core::server::Promise;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};

use crate::client::Step;
use crate::eventual::EventualTester;
use crate::regular::RegularTester;
use crate::reply::{Reply, Shown, Witness};

/// The session of the final reads.
pub(crate) const READER: u32 = u32::MAX;

/// What clients did so far, by session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Recording {
    Linearizable(LinearizabilityTester<u32, Registers>),
    /// What is promised, and whether it would be linearizable, too.
    Regular(RegularTester, LinearizabilityTester<u32, Registers>),
    Eventual(EventualTester),
    Causal(CausalTester<u32, &'static str, String>),
    Lww(LwwTester<u32, &'static str, String>),
}

/// The reference of a linearizable store: one register a key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Registers(BTreeMap<&'static str, String>);

/// What a register answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RegisterReturn {
    Put,
    Get(Option<String>),
    /// The operation certainly had no effect.
    Refused,
}

impl SequentialSpec for Registers {
    type Op = StoreOp<&'static str, String>;
    type Ret = RegisterReturn;

    fn invoke(&mut self, op: &Self::Op) -> RegisterReturn {
        match op {
            StoreOp::Put(key, value) => {
                self.0.insert(key, value.clone());
                RegisterReturn::Put
            }
            StoreOp::Get(key) => RegisterReturn::Get(self.0.get(key).cloned()),
        }
    }

    fn is_valid_step(&mut self, op: &Self::Op, ret: &RegisterReturn) -> bool {
        *ret == RegisterReturn::Refused || self.invoke(op) == *ret
    }
}

impl Recording {
    /// Nothing is on record yet.
    pub(crate) fn new(promise: Promise) -> Self {
        let registers = || LinearizabilityTester::new(Registers::default());
        match promise {
            Promise::Linearizable => Self::Linearizable(registers()),
            Promise::Regular => Self::Regular(RegularTester::default(), registers()),
            Promise::Eventual => Self::Eventual(EventualTester::default()),
            Promise::Causal => Self::Causal(CausalTester::new()),
            Promise::Lww => Self::Lww(LwwTester::new()),
        }
    }

    /// Whether it judges what is read in the end: its puts have no identity by which
    /// [`crate::properties::NOTHING_IS_LOST`] could find them.
    pub(crate) const fn judges_final_reads(&self) -> bool {
        matches!(
            self,
            Self::Linearizable(_) | Self::Regular(..) | Self::Eventual(_)
        )
    }

    /// Whether a get showed less than an earlier one had, which regular registers may.
    pub(crate) fn goes_back(&self) -> bool {
        matches!(self, Self::Regular(_, tester) if !tester.is_consistent())
    }

    /// A session asks.
    pub(crate) fn asked(&mut self, session: u32, step: &Step) {
        let op = match step.value {
            None => StoreOp::Get(step.key),
            Some(value) => StoreOp::Put(step.key, value.to_owned()),
        };
        let taken = match self {
            Self::Linearizable(tester) => tester.on_invoke(session, op).map(|_| ()),
            Self::Regular(regular, tester) => {
                regular.on_invoke(session, op.clone());
                tester.on_invoke(session, op).map(|_| ())
            }
            Self::Eventual(tester) => {
                tester.on_invoke(session, op);
                Ok(())
            }
            Self::Causal(tester) => tester.on_invoke(session, op).map(|_| ()),
            Self::Lww(tester) => tester.on_invoke(session, op).map(|_| ()),
        };
        taken.expect("a session has one request under way, and values are unique");
    }

    /// This life of a node answered; the session [`READER`] when all was healed. Says whether all that was recorded is still explained.
    pub(crate) fn answered(&mut self, session: u32, at: Origin, reply: &Reply) -> bool {
        let taken = match self {
            Self::Linearizable(tester) => tester.on_return(session, register(reply)).map(|_| ()),
            Self::Regular(regular, tester) => {
                let answer = register(reply);
                regular.on_return(session, &answer);
                tester.on_return(session, answer).map(|_| ())
            }
            Self::Eventual(tester) => {
                tester.on_return(session, reply, session == READER);
                Ok(())
            }
            Self::Causal(tester) => tester.on_return(session, causal(reply)).map(|_| ()),
            Self::Lww(tester) => tester.on_return(session, lww(at, reply)).map(|_| ()),
        };
        taken.expect("the session waits");
        self.is_consistent()
    }

    /// The session's operation certainly had no effect.
    pub(crate) fn failed(&mut self, session: u32) -> bool {
        let taken = match self {
            Self::Linearizable(tester) => tester
                .on_return(session, RegisterReturn::Refused)
                .map(|_| ()),
            Self::Regular(regular, tester) => {
                regular.on_return(session, &RegisterReturn::Refused);
                let refused = tester.on_return(session, RegisterReturn::Refused);
                refused.map(|_| ())
            }
            Self::Eventual(tester) => {
                let refused = Reply::Refused(Refusal::Unavailable);
                tester.on_return(session, &refused, false);
                Ok(())
            }
            Self::Causal(tester) => tester.on_return(session, CausalReturn::Refused).map(|_| ()),
            Self::Lww(tester) => tester.on_return(session, LwwReturn::Refused).map(|_| ()),
        };
        taken.expect("the session waits");
        self.is_consistent()
    }

    fn is_consistent(&self) -> bool {
        match self {
            Self::Linearizable(tester) => tester.is_consistent(),
            Self::Regular(regular, _) => regular.is_consistent(),
            Self::Eventual(tester) => tester.is_consistent(),
            Self::Causal(tester) => tester.is_consistent(),
            Self::Lww(tester) => tester.is_consistent(),
        }
    }
}

fn register(reply: &Reply) -> RegisterReturn {
    match reply {
        Reply::Put(_) => RegisterReturn::Put,
        Reply::Get(_, shown) => RegisterReturn::Get(shown.first().map(|put| put.value.clone())),
        Reply::Refused(_) | Reply::NotLeader(_) => RegisterReturn::Refused,
        Reply::Indefinite => panic!("its session has ended, and waits no more"),
    }
}

fn dots(vector: &Vector) -> Vec<u64> {
    vector.as_slice().iter().map(|dot| dot.0).collect()
}

fn causal(reply: &Reply) -> CausalReturn<String> {
    let put = |evidence: &Witness| match evidence {
        Witness::Causal(dot, vector) => (*dot, dots(vector)),
        Witness::None | Witness::Lww(_) => panic!("a causal store gives dots"),
    };
    match reply {
        Reply::Refused(_) | Reply::NotLeader(_) => CausalReturn::Refused,
        Reply::Indefinite => panic!("its session has ended, and waits no more"),
        Reply::Put(evidence) => {
            let (Dot(dot), vector) = put(evidence);
            CausalReturn::Put { dot, vector }
        }
        Reply::Get(vector, shown) => {
            let sibling = |shown: &Shown| {
                let (Dot(dot), vector) = put(&shown.evidence);
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

fn lww(at: Origin, reply: &Reply) -> LwwReturn<String> {
    let at = origin(at.node().0, at.incarnation());
    let put = |evidence: &Witness| match evidence {
        Witness::Lww(version) => Version {
            time: version.time,
            origin: version.origin,
        },
        Witness::None | Witness::Causal(..) => panic!("a last-write-wins store gives versions"),
    };
    match reply {
        Reply::Refused(_) | Reply::NotLeader(_) => LwwReturn::Refused,
        Reply::Indefinite => panic!("its session has ended, and waits no more"),
        Reply::Put(evidence) => LwwReturn::Put(at, put(evidence)),
        Reply::Get(_, shown) => {
            let read = shown.first();
            LwwReturn::Get(at, read.map(|s| (s.value.clone(), put(&s.evidence))))
        }
    }
}
