//! Where the effects of a replica go until they are sent, and the replies that are on their way.

use smallvec::SmallVec;

use kvs_core::protocol::{
    Dot, Message, NodeId, PutWitness, Refusal, Response, Sibling, Version, response_bytes,
};
use kvs_core::replica::{Effects, Persist, RequestId, Timer};

use super::queue::Slots;

/// The effects of the last input.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Whether changes are kept.
    pub(super) keeps: bool,
    /// Whether it is written down which updates were applied.
    pub(super) watched: bool,
    /// The updates that were applied.
    pub(super) applied: Vec<Dot>,
    /// What the replica persisted, encoded.
    pub(super) changes: Vec<Vec<u8>>,
    pub(super) messages: Vec<(NodeId, Message)>,
    /// The timers that were set, with their delays in ms: each as it was set last.
    pub(super) timers: Vec<(Timer, u64)>,
    /// Requests that were answered, and the slots of the replies.
    pub(super) replies: Vec<(RequestId, u32)>,
    pub(super) slots: Slots<Reply>,
}

impl Effects for Outbox {
    fn persist(&mut self, change: &Persist<'_>) {
        if self.watched {
            self.applied.extend(change.applied());
        }
        if self.keeps {
            let change = postcard::to_stdvec(change).expect("a change is plain data");
            self.changes.push(change);
        }
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        let slot = self.slots.take();
        self.slots.at(slot).keep(response);
        self.replies.push((to, slot));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.messages.push((to, message));
    }

    fn set_timer(&mut self, timer: Timer, delay_ms: u64) {
        self.timers.retain(|(other, _)| *other != timer);
        self.timers.push((timer, delay_ms));
    }
}

/// A response that owns what it says, in buffers that are used again.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// Which request it answers, as lanes name them.
    pub(super) request: u32,
    /// Bytes of its frame.
    pub(super) bytes: usize,
    kind: Kind,
    vector: Vec<Dot>,
    siblings: Vec<Kept>,
    values: Vec<u8>,
    /// The vectors of the witnesses, one after another.
    vectors: Vec<Dot>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Kind {
    Put(Witness),
    Get,
    Refused(Refusal),
    Indefinite,
    NotLeader(Option<NodeId>),
    /// Whether it tells what was found.
    Mismatch(bool),
    #[default]
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    witness: Witness,
    value_end: usize,
}

#[derive(Clone, Copy, Debug)]
enum Witness {
    None,
    Causal { dot: Dot, end: usize },
    Lww(Version),
}

impl Reply {
    fn keep(&mut self, response: &Response<'_>) {
        self.vector.clear();
        self.siblings.clear();
        self.values.clear();
        self.vectors.clear();
        self.bytes = response_bytes(response);
        self.kind = match response {
            Response::Put(witness) => Kind::Put(self.keep_witness(witness)),
            Response::Refused(refusal) => Kind::Refused(*refusal),
            Response::Indefinite => Kind::Indefinite,
            Response::NotLeader { leader } => Kind::NotLeader(*leader),
            Response::Get { vector, siblings } => {
                self.vector.extend_from_slice(vector);
                self.keep_siblings(siblings);
                Kind::Get
            }
            Response::Mismatch { found } => {
                self.keep_siblings(found.unwrap_or_default());
                Kind::Mismatch(found.is_some())
            }
        };
    }

    fn keep_siblings(&mut self, siblings: &[Sibling<'_>]) {
        for sibling in siblings {
            let witness = self.keep_witness(&sibling.witness);
            self.values.extend_from_slice(sibling.value);
            let value_end = self.values.len();
            self.siblings.push(Kept { witness, value_end });
        }
    }

    fn keep_witness(&mut self, witness: &PutWitness<'_>) -> Witness {
        match witness {
            PutWitness::None => Witness::None,
            PutWitness::Lww { version } => Witness::Lww(*version),
            PutWitness::Causal { dot, vector } => {
                self.vectors.extend_from_slice(vector);
                Witness::Causal {
                    dot: *dot,
                    end: self.vectors.len(),
                }
            }
        }
    }

    /// Hands the response to `handle`.
    pub(super) fn with<T>(&self, handle: impl FnOnce(&Response<'_>) -> T) -> T {
        match self.kind {
            Kind::Put(witness) => handle(&Response::Put(self.witness(witness, &mut 0))),
            Kind::Refused(refusal) => handle(&Response::Refused(refusal)),
            Kind::Indefinite => handle(&Response::Indefinite),
            Kind::NotLeader(leader) => handle(&Response::NotLeader { leader }),
            Kind::Get => handle(&Response::Get {
                vector: &self.vector,
                siblings: &self.siblings(),
            }),
            Kind::Mismatch(true) => handle(&Response::Mismatch {
                found: Some(&self.siblings()),
            }),
            Kind::Mismatch(false) => handle(&Response::Mismatch { found: None }),
            Kind::Nothing => unreachable!("a reply on its way was kept before"),
        }
    }

    fn siblings(&self) -> SmallVec<[Sibling<'_>; 4]> {
        let (mut value_start, mut vector_start) = (0, 0);
        let sibling = |kept: &Kept| {
            let value = &self.values[value_start..kept.value_end];
            value_start = kept.value_end;
            let witness = self.witness(kept.witness, &mut vector_start);
            Sibling { value, witness }
        };
        self.siblings.iter().map(sibling).collect()
    }

    fn witness(&self, witness: Witness, start: &mut usize) -> PutWitness<'_> {
        match witness {
            Witness::None => PutWitness::None,
            Witness::Lww(version) => PutWitness::Lww { version },
            Witness::Causal { dot, end } => {
                let vector = &self.vectors[*start..end];
                *start = end;
                PutWitness::Causal { dot, vector }
            }
        }
    }
}
