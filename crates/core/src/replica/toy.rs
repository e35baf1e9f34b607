//! The toy of a replica: one copy of each key, in a map. It shows what a replica must bring.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::shard::{ShardStep, owns};
use super::{Counters, Effects, Input, KindStatus, Persist, ReplicaSpec, RequestId, Status};
use crate::bug::Bug;
use crate::protocol::{Operation, PutWitness, Refusal, Request, Response, Sibling};

/// Answers what was put last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Echo {
    shards: Vec<ShardStep>,
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    counters: Counters,
}

impl Echo {
    pub(super) fn new(spec: &ReplicaSpec) -> Self {
        Self {
            shards: if spec.bug == Some(Bug::ForeignKeys) {
                Vec::new()
            } else {
                spec.shards.clone()
            },
            values: BTreeMap::new(),
            counters: Counters::default(),
        }
    }

    pub(super) fn handle_request<E: Effects>(
        &mut self,
        id: RequestId,
        request: &Request<'_>,
        _: &Input<'_>,
        out: &mut E,
    ) {
        if !owns(&self.shards, request.key) {
            return out.reply(id, &Response::Refused(Refusal::WrongShard));
        }
        match request.operation {
            Operation::Get => {
                let found = self.values.get(request.key).map(|value| Sibling {
                    value,
                    witness: PutWitness::None,
                });
                let siblings = found.as_slice();
                let vector = &[];
                out.reply(id, &Response::Get { vector, siblings });
            }
            Operation::Put { value } => {
                let (key, value) = (request.key.into(), value.into());
                let change = Persist::Record { key, value };
                self.restore(&change);
                out.persist(&change);
                out.reply(id, &Response::Put(PutWitness::None));
            }
            Operation::Cas { .. } => out.reply(id, &Response::Refused(Refusal::Rejected)),
        }
    }

    pub(super) fn restore(&mut self, change: &Persist<'_>) {
        let Persist::Record { key, value } = change else {
            panic!("an echo persists records");
        };
        self.values.insert(key.to_vec(), value.to_vec());
    }

    pub(super) fn kept(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.values.get(key).map(Cow::from)
    }

    pub(super) const fn ignore_message(&mut self) {
        self.counters.messages_ignored += 1;
    }

    pub(super) fn anticipate<'a>(&self, _: impl Iterator<Item = &'a [u8]>) {}

    pub(super) fn status(&self) -> Status {
        Status {
            keys: self.values.len() as u64,
            siblings: self.values.len() as u64,
            counters: self.counters,
            // It has nothing of its own to say.
            kind: KindStatus::Local,
            // Nobody compares the digest: a group has one replica.
            ..Status::default()
        }
    }
}
