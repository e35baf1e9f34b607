//! Tests of replicas of every kind, and what they share.

mod lives;
mod planted;
mod schedules;
mod single;

use super::*;
use crate::protocol::{Body, Dot, PutWitness, Refusal, Response, Vector, Version};

#[derive(Default)]
struct Recorder {
    replies: Vec<(RequestId, Reply)>,
    sends: Vec<(NodeId, Message)>,
    timers: Vec<Timer>,
}

#[derive(Clone, Debug)]
enum Reply {
    Put(Option<Dot>, Vector, Option<Version>),
    Get(Vector, Vec<(u64, Option<Dot>, Vector)>),
    Refused(Refusal),
}

fn evidence(witness: &PutWitness<'_>) -> (Option<Dot>, Vector, Option<Version>) {
    match witness {
        PutWitness::None => (None, Vector::new(), None),
        PutWitness::Causal { dot, vector } => (Some(*dot), (*vector).into(), None),
        PutWitness::Lww { version } => (None, Vector::new(), Some(*version)),
    }
}

impl Effects for Recorder {
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
        };
        self.replies.push((to, reply));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.sends.push((to, message));
    }

    fn set_timer(&mut self, timer: Timer) {
        self.timers.push(timer);
    }
}
