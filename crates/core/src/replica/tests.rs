//! Tests of replicas of every kind, and what they share.

mod kept;
mod lives;
mod planted;
mod schedules;
mod single;

use super::*;
use crate::protocol::{
    Body, Dot, GossipBody, PutWitness, Refusal, Response, Sibling, Vector, Version,
};

/// What a replica that gossips said.
fn said(message: &Message) -> &GossipBody {
    match &message.body {
        Body::Gossip(body) => body,
        Body::Quorum(_) | Body::Raft(_) => panic!("it does not gossip"),
    }
}

/// What a replica that gossips holds.
fn gossip(replica: &Replica) -> GossipStatus {
    match replica.status().kind {
        KindStatus::Gossip(status) => status,
        KindStatus::Local | KindStatus::Quorum(_) | KindStatus::Raft(_) => {
            panic!("it does not gossip")
        }
    }
}

#[derive(Default)]
struct Recorder {
    replies: Vec<(RequestId, Reply)>,
    sends: Vec<(NodeId, Message)>,
    timers: Vec<Timer>,
    /// What was persisted, as bytes that a disk could hold.
    kept: Vec<Vec<u8>>,
    /// How much was persisted before each reply and each send.
    kept_before_reply: Vec<usize>,
    kept_before_send: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Reply {
    Put(Option<Dot>, Vector, Option<Version>),
    Get(Vector, Vec<(u64, Option<Dot>, Vector)>),
    Refused(Refusal),
    Mismatch(Vec<u64>),
}

fn evidence(witness: &PutWitness<'_>) -> (Option<Dot>, Vector, Option<Version>) {
    match witness {
        PutWitness::None => (None, Vector::new(), None),
        PutWitness::Causal { dot, vector } => (Some(*dot), (*vector).into(), None),
        PutWitness::Lww { version } => (None, Vector::new(), Some(*version)),
    }
}

impl Effects for Recorder {
    fn persist(&mut self, change: &Persist<'_>) {
        let bytes = postcard::to_stdvec(change).expect("plain data");
        self.kept.push(bytes);
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        let reply = match response {
            Response::Put(witness) => {
                let (dot, vector, version) = evidence(witness);
                Reply::Put(dot, vector, version)
            }
            Response::Get { vector, siblings } => {
                let values = siblings.iter().map(|sibling| {
                    let value = sibling.value.try_into().expect("eight bytes");
                    let (dot, vector, _) = evidence(&sibling.witness);
                    (u64::from_le_bytes(value), dot, vector)
                });
                Reply::Get((*vector).into(), values.collect())
            }
            Response::Refused(refusal) => Reply::Refused(*refusal),
            Response::Indefinite | Response::NotLeader { .. } => panic!("{response:?}"),
            Response::Mismatch { found } => {
                let values = found.expect("a replica tells").iter();
                let number = |sibling: &Sibling<'_>| {
                    u64::from_le_bytes(sibling.value.try_into().expect("eight bytes"))
                };
                Reply::Mismatch(values.map(number).collect())
            }
        };
        self.replies.push((to, reply));
        self.kept_before_reply.push(self.kept.len());
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.sends.push((to, message));
        self.kept_before_send.push(self.kept.len());
    }

    fn set_timer(&mut self, timer: Timer, _: u64) {
        self.timers.push(timer);
    }
}
