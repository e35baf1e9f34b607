//! Clients' requests, and those that wait for the replica to catch up with their session.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::waiting::Weighed;
use super::{Gossip, STRUCK_DOT_EVERY};
use crate::bug::Bug;
use crate::protocol::{
    Dot, Lattice, Operation, PutWitness, Record, Refusal, Request, Response, Sibling, Update,
    Vector,
};
use crate::replica::shard::owns;
use crate::replica::{Effects, GossipChange, GossipTimer, Input, Persist, RequestId};
use crate::values::{Value, lww_version};

/// A deferred request is refused when its timer fires for the so-manieth time.
const DEFERRED_TICKS: u8 = 2;

/// A request that waits for the replica to catch up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Deferred {
    key: Box<[u8]>,
    /// None for a get.
    value: Option<Box<[u8]>>,
    context: Vector,
    ticks: u8,
}

impl<V: Value> Gossip<V> {
    pub(in crate::replica) fn handle_request<E: Effects>(
        &mut self,
        id: RequestId,
        request: &Request<'_>,
        input: &Input<'_>,
        out: &mut E,
    ) {
        if !owns(&self.shards, request.key) {
            return self.refuse(id, Refusal::WrongShard, out);
        }
        if matches!(request.operation, Operation::Cas { .. }) {
            // Replicas that gossip cannot agree on what a key holds.
            return self.refuse(id, Refusal::Rejected, out);
        }
        match self.first_unseen(request.context) {
            None => self.serve(id, request.key, request.operation, input, out),
            Some(missing) => self.defer(id, request, missing, out),
        }
    }

    /// Serves the deferred requests whose session the replica has caught up with.
    pub(super) fn wake_deferred<E: Effects>(&mut self, input: &Input<'_>, out: &mut E) {
        if self.deferred.is_empty() {
            return;
        }
        for last in self.applied.to_vector() {
            let (origin, reached) = (last.origin(), last.counter());
            while let Some((at, waiting)) = self.deferred.take_first(origin, reached) {
                match self.first_unseen(&waiting.context) {
                    Some(_) if self.any_lost(&waiting.context) => {
                        self.refuse(at.1, Refusal::ContextLost, out);
                    }
                    Some(missing) => {
                        self.deferred.insert((missing, at.1), waiting);
                    }
                    None => {
                        let operation = waiting.operation();
                        self.serve(at.1, &waiting.key, operation, input, out);
                    }
                }
            }
        }
    }

    /// Refuses the deferred requests that have waited long enough.
    pub(super) fn end_overdue<E: Effects>(&mut self, input: &Input<'_>, out: &mut E) {
        let mut overdue = Vec::new();
        for (at, waiting) in self.deferred.iter_mut() {
            waiting.ticks += 1;
            if waiting.ticks == DEFERRED_TICKS {
                overdue.push(*at);
            }
        }
        for at in overdue {
            let waiting = self.deferred.remove(at).expect("it is overdue");
            if self.bug == Some(Bug::StaleAfterPause) {
                self.serve(at.1, &waiting.key, waiting.operation(), input, out);
            } else {
                self.refuse(at.1, Refusal::Unavailable, out);
            }
        }
        self.deferral_timer_set = !self.deferred.is_empty();
        if self.deferral_timer_set {
            self.set_timer(GossipTimer::Deferral, out);
        }
    }

    /// Refuses the deferred requests whose session has seen what is lost.
    pub(super) fn refuse_lost<E: Effects>(&mut self, out: &mut E) {
        let lost: Vec<_> = self
            .deferred
            .iter()
            .filter(|(_, waiting)| self.any_lost(&waiting.context))
            .map(|(at, _)| *at)
            .collect();
        for at in lost {
            self.deferred.remove(at);
            self.refuse(at.1, Refusal::ContextLost, out);
        }
    }

    /// The first dot of a session's context that the replica has not applied.
    fn first_unseen(&self, context: &[Dot]) -> Option<Dot> {
        match V::LATTICE {
            Lattice::Causal if self.bug != Some(Bug::ForgottenContext) => {
                self.applied.first_missing(context.iter().copied())
            }
            Lattice::Causal | Lattice::Lww => None,
        }
    }

    fn defer<E: Effects>(
        &mut self,
        id: RequestId,
        request: &Request<'_>,
        missing: Dot,
        out: &mut E,
    ) {
        if self.any_lost(request.context) {
            return self.refuse(id, Refusal::ContextLost, out);
        }
        let value = match request.operation {
            Operation::Get => None,
            Operation::Put { value } => Some(value),
            Operation::Cas { .. } => unreachable!("it was refused as it came"),
        };
        if !self
            .deferred
            .has_room(bytes(request.key, value, request.context))
        {
            return self.refuse(id, Refusal::Overloaded, out);
        }
        self.counters.deferrals += 1;
        let waiting = Deferred {
            key: request.key.into(),
            value: value.map(Into::into),
            context: request.context.into(),
            ticks: 0,
        };
        let repeated = self.deferred.insert((missing, id), waiting);
        assert!(repeated.is_none(), "the ids of waiting requests differ");
        if !self.deferral_timer_set {
            self.deferral_timer_set = true;
            self.set_timer(GossipTimer::Deferral, out);
        }
    }

    fn refuse<E: Effects>(&mut self, id: RequestId, refusal: Refusal, out: &mut E) {
        self.counters.refused += 1;
        out.reply(id, &Response::Refused(refusal));
    }

    fn serve<E: Effects>(
        &mut self,
        id: RequestId,
        key: &[u8],
        operation: Operation<'_>,
        input: &Input<'_>,
        out: &mut E,
    ) {
        match operation {
            Operation::Get => self.get(id, key, out),
            Operation::Put { value } => self.put(id, key, value, input, out),
            Operation::Cas { .. } => unreachable!("it was refused as it came"),
        }
    }

    fn get<E: Effects>(&mut self, id: RequestId, key: &[u8], out: &mut E) {
        self.counters.gets += 1;
        let entry = self.store.find(key);
        match V::LATTICE {
            Lattice::Causal => {
                let vectors: SmallVec<[Vector; 2]> = entry
                    .into_iter()
                    .flat_map(V::updates)
                    .map(|put| put.record.vector_with(put.dot))
                    .collect();
                let siblings: SmallVec<[Sibling<'_>; 2]> = entry
                    .into_iter()
                    .flat_map(V::updates)
                    .zip(&vectors)
                    .map(|(put, vector)| Sibling {
                        value: put.record.value(),
                        witness: PutWitness::Causal {
                            dot: put.dot,
                            vector,
                        },
                    })
                    .collect();
                let shown = if self.bug == Some(Bug::MissingSibling) {
                    siblings.len().min(1)
                } else {
                    siblings.len()
                };
                let response = Response::Get {
                    vector: self.applied.as_slice(),
                    siblings: &siblings[..shown],
                };
                out.reply(id, &response);
            }
            Lattice::Lww => {
                let last = entry.into_iter().flat_map(V::updates).next();
                let sibling = last.map(|put| Sibling {
                    value: put.record.value(),
                    witness: PutWitness::Lww {
                        version: lww_version(put.time, put.dot.origin()),
                    },
                });
                let response = Response::Get {
                    vector: &[],
                    siblings: sibling.as_slice(),
                };
                out.reply(id, &response);
            }
        }
    }

    fn put<E: Effects>(
        &mut self,
        id: RequestId,
        key: &[u8],
        value: &[u8],
        input: &Input<'_>,
        out: &mut E,
    ) {
        self.counters.puts += 1;
        let dot = self.next_dot(key);
        let is_logged = !self.applied.covers(dot) && !self.is_struck(Bug::UnloggedPut, key);
        if is_logged {
            self.applied.advance(dot);
        }
        let (time, covered) = match V::LATTICE {
            Lattice::Causal => (0, self.applied.as_slice()),
            Lattice::Lww => (self.clock.tick(input.wall_ns), [].as_slice()),
        };
        let update = Update {
            dot,
            time,
            record: Record::new(key, self.origin, covered, value),
        };
        let change = GossipChange::Update(Cow::Borrowed(&update));
        out.persist(&Persist::Gossip(change));
        if is_logged && !self.peers.is_empty() {
            self.log.push(update.clone());
            self.spread(update.clone(), out);
        }
        self.store
            .upsert(key, update, V::from_update, |entry, update| {
                entry.merge(V::from_update(update));
            });
        let witness = match V::LATTICE {
            Lattice::Causal => PutWitness::Causal {
                dot,
                vector: self.applied.as_slice(),
            },
            Lattice::Lww => PutWitness::Lww {
                version: lww_version(time, self.origin),
            },
        };
        out.reply(id, &Response::Put(witness));
    }

    fn next_dot(&self, key: &[u8]) -> Dot {
        let last = self.applied.counter(self.origin);
        let reused = self.is_struck(Bug::ReusedDots, key);
        Dot::new(self.origin, if reused { last } else { last + 1 })
    }

    /// Whether the replica has this bug and the next put shows it: every so-manieth dot is struck,
    /// until a key with an even end comes.
    fn is_struck(&self, bug: Bug, key: &[u8]) -> bool {
        self.bug == Some(bug)
            && self.applied.counter(self.origin) % STRUCK_DOT_EVERY == 1
            && key.last().is_some_and(|byte| byte % 2 == 1)
    }
}

impl Deferred {
    fn operation(&self) -> Operation<'_> {
        match &self.value {
            None => Operation::Get,
            Some(value) => Operation::Put { value },
        }
    }
}

impl Weighed for Deferred {
    fn bytes(&self) -> u64 {
        bytes(&self.key, self.value.as_deref(), &self.context)
    }
}

/// What a request takes while it waits.
fn bytes(key: &[u8], value: Option<&[u8]>, context: &[Dot]) -> u64 {
    (key.len() + value.map_or(0, <[u8]>::len) + size_of_val(context)) as u64
}
