//! A replica of a group that spreads its puts by epidemic gossip (Demers et al., *Epidemic
//! algorithms for replicated database maintenance*, 1987), for both lattices.
//!
//! A replica pushes fresh updates at once ([`GossipTimer::Rumour`]). Digests of what it has applied
//! repair what got lost ([`GossipTimer::AntiEntropy`]). It applies updates of one origin in order.
//! Under `causal` an update also waits for everything that its put had seen. Every queue has a bound
//! in [`GossipSettings`]. What does not fit is dropped, and comes again by anti-entropy.

mod apply;
mod contract;
mod digest;
mod log;
mod lost;
mod peers;
mod request;
mod transfer;
mod waiting;

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::contract::{
    GossipChange, GossipChangeKind, GossipSettings, GossipStatus, GossipTimer,
};
use self::log::UpdateLog;
use self::peers::Peers;
use self::request::Deferred;
use self::transfer::{Chunk, Incoming, Outgoing};
use self::waiting::Waiting;
use super::shard::ShardStep;
use super::store::Store;
use super::{Counters, Effects, Input, KindStatus, Persist, ReplicaSpec, RequestId, Status, Timer};
use crate::bug::Bug;
use crate::protocol::{Body, Dot, End, GossipBody, Message, NodeId, Origin, Update};
use crate::values::{HybridClock, UpdateRef, Value, VectorClock};

/// How many fresh updates wait for the next push, at most. Anti-entropy brings the rest.
const RUMOURS_MAX: usize = 1 << 16;
/// The slot of the note of all that was applied. Other notes are under the numbers of nodes, which
/// are smaller.
const APPLIED: u16 = u16::MAX;

/// The planted bugs of puts strike after one dot in so many.
const STRUCK_DOT_EVERY: u64 = 16;

/// With the planted bug `lost-update-on-transfer`, the log is this short, so that transfers happen.
const SHORT_LOG_UPDATES: u32 = 64;

/// A replica of a group that gossips.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Gossip<V: Value> {
    origin: Origin,
    shards: Vec<ShardStep>,
    settings: GossipSettings,
    bug: Option<Bug>,
    peers: Peers,
    /// What is in the store: all that these dots cover, and nothing else.
    applied: VectorClock,
    /// LWW: ahead of every version seen.
    clock: HybridClock,
    store: Store<V>,
    log: UpdateLog,
    /// Fresh updates to be pushed.
    rumours: Vec<Update>,
    /// Updates that wait, by the dot that they wait for and their own.
    held_back: Waiting<Dot, Update>,
    /// Requests that wait, by the dot that they wait for.
    deferred: Waiting<RequestId, Deferred>,
    deferral_timer_set: bool,
    /// What is known of lives that ended.
    ends: BTreeMap<NodeId, End>,
    /// How many rounds of anti-entropy the replica has waited to hear from every peer, which it
    /// does after it came back empty.
    unheard_ticks: u8,
    outgoing: BTreeMap<NodeId, Outgoing<V>>,
    incoming: Option<Incoming>,
    counters: Counters,
}

impl<V: Value> Gossip<V> {
    pub(super) fn new(spec: &ReplicaSpec) -> Self {
        let mut settings = spec.settings.gossip;
        if spec.bug == Some(Bug::LostUpdateOnTransfer) {
            settings.log_updates_max = settings.log_updates_max.min(SHORT_LOG_UPDATES);
        }
        let shards = if spec.bug == Some(Bug::ForeignKeys) {
            Vec::new()
        } else {
            spec.shards.clone()
        };
        let incarnation = if spec.bug == Some(Bug::RestartReusesDots) {
            0
        } else {
            spec.incarnation
        };
        Self {
            origin: Origin::new(spec.node, incarnation),
            shards,
            settings,
            bug: spec.bug,
            peers: Peers::new(&spec.peers),
            applied: VectorClock::new(),
            clock: HybridClock::new(),
            store: Store::new(),
            log: UpdateLog::new(&settings),
            rumours: Vec::new(),
            held_back: Waiting::new(settings.held_back_max, settings.held_back_bytes_max),
            deferred: Waiting::new(settings.deferred_max, settings.deferred_bytes_max),
            deferral_timer_set: false,
            ends: BTreeMap::new(),
            unheard_ticks: 0,
            outgoing: BTreeMap::new(),
            incoming: None,
            counters: Counters::default(),
        }
    }

    pub(super) fn start<E: Effects>(&mut self, out: &mut E) {
        if !self.peers.is_empty() {
            self.set_timer(GossipTimer::AntiEntropy, out);
        }
    }

    /// Forgets what only memory held.
    pub(super) fn recover(&mut self) {
        let settings = &self.settings;
        self.peers = self.peers.unheard();
        self.rumours.clear();
        self.held_back = Waiting::new(settings.held_back_max, settings.held_back_bytes_max);
        self.deferred = Waiting::new(settings.deferred_max, settings.deferred_bytes_max);
        self.deferral_timer_set = false;
        self.unheard_ticks = 0;
        self.outgoing.clear();
        self.incoming = None;
    }

    /// Takes back a change that it had persisted.
    pub(super) fn restore(&mut self, change: &Persist<'_>) {
        match change {
            Persist::Record { value, .. } => {
                decoded::<Vec<Update>>(value)
                    .into_iter()
                    .for_each(|update| self.merge(update));
            }
            Persist::Note { slot, bytes } if *slot == APPLIED => {
                self.merge_state(&decoded::<Vec<Dot>>(bytes), Vec::new());
            }
            Persist::Note { bytes, .. } => {
                let end: End = decoded(bytes);
                self.ends.insert(end.node, end);
            }
            Persist::Entry { bytes } => self.restore_update(decoded(bytes)),
            Persist::Gossip(GossipChange::Update(update)) => {
                self.restore_update(update.as_ref().clone());
            }
            Persist::Gossip(GossipChange::State { vector, updates }) => {
                self.merge_state(vector, updates.to_vec());
            }
            Persist::Raft(_) => panic!("a replica that gossips elects nobody"),
        }
    }

    /// All that it has applied.
    pub(super) fn summary(&self) -> (u16, Vec<u8>) {
        (APPLIED, encoded(&self.applied.to_vector().to_vec()))
    }

    /// The puts that are left of a key, in ascending order of their dots.
    pub(super) fn kept(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        let puts = self.store.find(key)?.updates();
        let puts: Vec<Update> = puts.map(UpdateRef::to_update).collect();
        Some(Cow::Owned(encoded(&puts)))
    }

    fn restore_update(&mut self, update: Update) {
        if self.applied.covers(update.dot) {
            return;
        }
        self.applied.advance(update.dot);
        if !self.peers.is_empty() {
            self.log.push(update.clone());
        }
        self.merge(update);
    }

    pub(super) fn handle_message<E: Effects>(
        &mut self,
        from: NodeId,
        incarnation: u16,
        body: GossipBody,
        input: &Input<'_>,
        out: &mut E,
    ) {
        self.counters.messages_received += 1;
        if !self.peers.contains(from) {
            self.counters.messages_ignored += 1;
            return;
        }
        match body {
            GossipBody::Updates {
                vector,
                fresh,
                updates,
            } => {
                self.learn(from, incarnation, &vector);
                self.receive_updates(updates, fresh, out);
            }
            GossipBody::Digest { vector, ends, ask } => {
                self.learn(from, incarnation, &vector);
                self.learn_ends(ends, out);
                self.declare_ends_if_all_were_heard(out);
                self.answer_digest(from, &vector.as_slice().into(), ask, out);
            }
            GossipBody::StateRequest {
                incarnation,
                vector,
                from: place,
            } => {
                if incarnation == self.origin.incarnation() {
                    self.send_requested_chunk(from, &vector, place, out);
                }
            }
            GossipBody::StateChunk {
                vector,
                from: place,
                next,
                updates,
            } => {
                let sender = Origin::new(from, incarnation);
                let chunk = Chunk {
                    vector,
                    place,
                    next,
                    updates,
                };
                self.receive_chunk(sender, chunk, out);
            }
        }
        self.wake_deferred(input, out);
    }

    pub(super) fn handle_timer<E: Effects>(
        &mut self,
        timer: GossipTimer,
        input: &Input<'_>,
        out: &mut E,
    ) {
        match timer {
            GossipTimer::Rumour => self.push_rumours(input.peers, out),
            GossipTimer::AntiEntropy => {
                self.tick_transfers(out);
                self.tick_ends(out);
                self.log.forget(|origin| self.peers.all_have(origin));
                if let Some(peer) = input.peers.first() {
                    self.send_digest(*peer, true, out);
                }
                self.set_timer(GossipTimer::AntiEntropy, out);
            }
            GossipTimer::Deferral => self.end_overdue(input, out),
        }
    }

    pub(super) const fn ignore_message(&mut self) {
        self.counters.messages_ignored += 1;
    }

    pub(super) fn anticipate<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        self.store.anticipate(keys);
    }

    pub(super) fn status(&self) -> Status {
        let totals = self.store.totals();
        Status {
            keys: self.store.len() as u64,
            siblings: totals.siblings,
            digest: totals.digest,
            overhead_bytes: totals.overhead_bytes + self.store.table_bytes(),
            counters: self.counters,
            kind: KindStatus::Gossip(GossipStatus {
                applied: self.applied.to_vector(),
                log_updates: self.log.len() as u64,
                log_bytes: self.log.bytes(),
                held_back: self.held_back.len() as u64,
                deferred: self.deferred.len() as u64,
            }),
        }
    }

    fn send<E: Effects>(&mut self, to: NodeId, body: GossipBody, out: &mut E) {
        self.counters.messages_sent += 1;
        let message = Message {
            incarnation: self.origin.incarnation(),
            body: Body::Gossip(body),
        };
        out.send(to, message);
    }

    fn set_timer<E: Effects>(&self, timer: GossipTimer, out: &mut E) {
        out.set_timer(Timer::Gossip(timer), timer.delay_ms(&self.settings));
    }

    /// Takes in what a peer says that it has applied.
    fn learn(&mut self, from: NodeId, incarnation: u16, vector: &[Dot]) {
        self.peers.learn(from, incarnation, vector);
    }

    /// Counts a put of another origin as applied, without its content.
    #[cfg(test)]
    pub(super) fn see_for_tests(&mut self, dot: Dot) {
        self.applied.advance(dot);
    }
}

fn encoded(data: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(data).expect("plain data")
}

/// What [`encoded`] made.
///
/// # Panics
/// When it is something else: hosts verify that they hand over what they were given.
fn decoded<T: DeserializeOwned>(bytes: &[u8]) -> T {
    postcard::from_bytes(bytes).expect("hosts hand over what they were given")
}
