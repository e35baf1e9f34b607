//! A replica of a quorum: a register for each key, on n replicas, that any of them coordinates
//! (Attiya, Bar-Noy, Dolev, *Sharing memory robustly*, 1995; for several writers: Lynch,
//! Shvartsman, 1997).
//!
//! A put asks `read` replicas for their versions, then has one above written to `write`. A get asks
//! `read`, and has the largest put written back to `write` before it answers. The coordinator is
//! one of them. With `read + write > n` that is linearizable, whoever dies, as long as a majority
//! lives; without the write-back it is regular only.
//!
//! A replica that came back without its state must not vote: others have counted on what it had. So
//! it first hears from enough of the others (`recovery`). Messages name the newest lives that
//! their sender knows, and a coordinator takes back the votes of earlier ones (Michael, Ports,
//! Sharma, Szekeres, *Recovering shared objects without stable storage*, DISC 2017).
//!
//! In a sloppy quorum a put asks nobody first, and spares stand in for replicas that do not answer
//! (`hints`): whatever is set, reads need not meet writes.
//!
//! Lost messages are sent again while an operation is under way. What an operation has left undone
//! is repaired by comparisons of digests (`repair`).

mod contract;
mod coordinate;
mod hints;
mod lives;
mod numbers;
mod peers;
mod pending;
mod recovery;
mod registers;
mod repair;
mod serve;
#[cfg(test)]
mod tests;

pub use contract::{QuorumRule, QuorumSettings, QuorumStatus, QuorumTimer};

use std::borrow::Cow;

use self::hints::Hints;
use self::lives::Lives;
use self::numbers::Numbers;
use self::peers::Peers;
use self::pending::Pending;
use self::recovery::Recovery;
use self::registers::{Registers, version_of};
use self::repair::{Patience, Repair};
use super::shard::ShardStep;
use super::{Counters, Effects, Input, KindStatus, Persist, ReplicaSpec, RequestId, Status, Timer};
use crate::bug::Bug;
use crate::protocol::{
    Body, Dot, Message, NodeId, Origin, Pull, QuorumBody, QuorumWords, Record, Refusal, Response,
    Update,
};

/// Notes: numbers given out, lives known, and that it has recovered.
const NOTE_NUMBERS: u16 = 0;
const NOTE_LIVES: u16 = 1;
const NOTE_WHOLE: u16 = 2;

/// Bytes of a version before a value that is kept.
const VERSION_BYTES: usize = 8;

/// A replica of a quorum.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Quorum {
    origin: Origin,
    rule: QuorumRule,
    shards: Vec<ShardStep>,
    settings: QuorumSettings,
    bug: Option<Bug>,
    /// The other replicas; for a spare, all of them.
    peers: Peers,
    /// The spares of the group, this one among them if it is one.
    spares: Vec<NodeId>,
    hints: Hints,
    registers: Registers,
    numbers: Numbers,
    lives: Lives,
    pending: Pending,
    retry_timer_set: bool,
    /// What it has heard of the others since it came back empty; none once that is enough.
    recovery: Option<Recovery>,
    repair: Option<Repair>,
    patience: Patience,
    counters: Counters,
}

/// A chunk that has come, without its puts: see [`QuorumWords::Chunk`].
struct Chunk {
    /// Whether its sender knew which life of the receiver it answered.
    to_this_life: bool,
    pull: Pull,
    /// The key of its last put.
    last: Option<Box<[u8]>>,
    more: bool,
    whole: bool,
}

impl Quorum {
    pub(super) fn new(spec: &ReplicaSpec, rule: QuorumRule) -> Self {
        let shards = if spec.bug == Some(Bug::ForeignKeys) {
            Vec::new()
        } else {
            spec.shards.clone()
        };
        let is_spare = spec.spares.contains(&spec.node);
        let came_back_empty =
            spec.incarnation > 0 && !is_spare && spec.bug != Some(Bug::EmptyReplicaVotes);
        Self {
            origin: Origin::new(spec.node, spec.incarnation),
            rule,
            shards,
            settings: spec.settings.quorum,
            bug: spec.bug,
            peers: Peers::new(&spec.peers),
            spares: spec.spares.clone(),
            hints: Hints::default(),
            registers: Registers::new(),
            numbers: Numbers::default(),
            lives: Lives::default(),
            pending: Pending::default(),
            retry_timer_set: false,
            recovery: came_back_empty.then(Recovery::default),
            repair: None,
            patience: Patience::default(),
            counters: Counters::default(),
        }
    }

    pub(super) fn start<E: Effects>(&mut self, out: &mut E) {
        if self.is_spare() {
            self.set_timer(QuorumTimer::HandOver, out);
        } else if !self.peers.is_empty() {
            self.set_timer(QuorumTimer::AntiEntropy, out);
        }
        self.begin_recovery(out);
    }

    /// Forgets what only memory held.
    pub(super) fn recover(&mut self) {
        let counter = self.registers.counter();
        self.numbers = if self.bug == Some(Bug::ReusedVersion) {
            Numbers::default().come_back(counter)
        } else {
            self.numbers.come_back(counter)
        };
        self.peers = self.peers.unheard();
        self.pending = Pending::default();
        self.hints.come_back();
        self.retry_timer_set = false;
        self.recovery = self.recovery.is_some().then(Recovery::default);
        self.repair = None;
        self.patience = Patience::default();
    }

    /// Takes back a change that it had persisted.
    pub(super) fn restore(&mut self, change: &Persist<'_>) {
        match change {
            Persist::Record { key, value } if self.is_spare() => {
                self.restore_hint(key, put_of(value));
            }
            Persist::Record { key, value } => {
                let (dot, value) = put_of(value).expect("a replica keeps every key");
                self.numbers.observe(dot.counter());
                self.registers.merge(Update {
                    dot,
                    time: dot.counter(),
                    record: Record::new(key, dot.origin(), &[], value),
                });
            }
            Persist::Note { slot, bytes } => match *slot {
                NOTE_NUMBERS => self.numbers.restore(bytes),
                NOTE_LIVES => self.restore_lives(bytes),
                NOTE_WHOLE => self.recovery = None,
                _ => panic!("a replica of a quorum keeps no such note"),
            },
            Persist::Entry { .. } | Persist::Gossip(_) | Persist::Raft(_) => {
                panic!("a replica of a quorum persists records and notes")
            }
        }
    }

    /// All that it has of a key.
    pub(super) fn kept(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        if self.is_spare() {
            return self.kept_hint(key).map(Cow::Owned);
        }
        let put = self.registers.find(key)?;
        Some(Cow::Owned(kept(put.dot, put.record)))
    }

    pub(super) fn handle_message<E: Effects>(
        &mut self,
        from: NodeId,
        incarnation: u16,
        body: QuorumBody,
        out: &mut E,
    ) {
        self.counters.messages_received += 1;
        if !self.is_member(from) {
            return self.ignore_message();
        }
        self.learn_lives(from, incarnation, &body, out);
        if incarnation < self.lives.of(from) {
            return self.ignore_message();
        }
        self.peers.heard(from);
        let to_this_life = body.lives.contains(&self.origin);
        match body.words {
            QuorumWords::Hint {
                operation,
                home,
                update,
            } => self.take_hint(from, operation, home, update, out),
            QuorumWords::HandedOver { puts } => self.take_handed_over(from, &puts, out),
            // A spare is asked for nothing else.
            QuorumWords::Query { .. }
            | QuorumWords::Write { .. }
            | QuorumWords::Compare { .. }
            | QuorumWords::Pull(_)
            | QuorumWords::Chunk { .. }
            | QuorumWords::HandOver { .. }
                if self.is_spare() =>
            {
                self.ignore_message();
            }
            QuorumWords::HandOver { updates } => self.take_hand_over(from, updates, out),
            QuorumWords::Query {
                operation,
                key,
                above,
            } => self.answer_query(from, operation, &key, above, out),
            QuorumWords::Write { operation, update } => {
                self.take_write(from, operation, update, out);
            }
            QuorumWords::Answer {
                operation,
                version,
                update,
            } => self.take_answer(from, operation, version, update, out),
            QuorumWords::Written { operation, home } => {
                self.take_written(from, operation, home, out);
            }
            QuorumWords::Compare { group, digest } => self.compare(from, group, digest, out),
            QuorumWords::Digests { group, digests } => {
                self.take_digests(from, group, &digests, out);
            }
            QuorumWords::Pull(pull) => self.send_chunk(from, pull, out),
            QuorumWords::Chunk {
                pull,
                updates,
                more,
                whole,
            } => {
                let last = updates.last().map(|update| update.record.key().into());
                for update in updates {
                    self.keep(update, out);
                }
                let chunk = Chunk {
                    to_this_life,
                    pull,
                    last,
                    more,
                    whole,
                };
                if self.recovery.is_some() {
                    self.take_chunk_of_recovery(from, chunk, out);
                } else {
                    self.take_chunk_of_repair(from, chunk, out);
                }
            }
        }
    }

    pub(super) fn handle_timer<E: Effects>(
        &mut self,
        timer: QuorumTimer,
        input: &Input<'_>,
        out: &mut E,
    ) {
        match timer {
            QuorumTimer::Retry => self.look(out),
            QuorumTimer::AntiEntropy => {
                if let Some(peer) = input.peers.first()
                    && self.recovery.is_none()
                {
                    self.repair_or_wait(*peer, out);
                }
                self.set_timer(QuorumTimer::AntiEntropy, out);
            }
            QuorumTimer::HandOver => {
                self.hand_over(out);
                self.set_timer(QuorumTimer::HandOver, out);
            }
        }
    }

    /// Whether it is another of the group.
    fn is_member(&self, node: NodeId) -> bool {
        self.peers.contains(node) || node != self.origin.node() && self.spares.contains(&node)
    }

    pub(super) const fn ignore_message(&mut self) {
        self.counters.messages_ignored += 1;
    }

    pub(super) fn anticipate<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        self.registers.store().anticipate(keys);
    }

    pub(super) fn status(&self) -> Status {
        let store = self.registers.store();
        let totals = store.totals();
        Status {
            keys: store.len() as u64,
            siblings: totals.siblings,
            digest: totals.digest,
            overhead_bytes: totals.overhead_bytes + store.table_bytes(),
            counters: self.counters,
            kind: KindStatus::Quorum(QuorumStatus {
                pending: self.pending.len() as u64,
                recovering: self.recovery.is_some(),
                hints: self.hints.len() as u64,
            }),
        }
    }

    /// Whether it has a put that none of these has, nor a later one of its key.
    pub(super) fn has_alone(&self, others: &[&Self]) -> bool {
        let is_elsewhere = |key: &[u8], dot: Dot| {
            let has = |other: &&Self| {
                let version = other.registers.version(key);
                version_of(version) >= version_of(dot) || other.holds_hint(key, dot)
            };
            others.iter().any(has)
        };
        let mut kept = self.registers.puts();
        let mut held = self.hints.updates();
        kept.any(|put| !is_elsewhere(put.record.key(), put.dot))
            || held.any(|put| !is_elsewhere(put.record.key(), put.dot))
    }

    /// Keeps a put unless it has it or a later one.
    fn keep<E: Effects>(&mut self, update: Update, out: &mut E) {
        self.numbers.observe(update.dot.counter());
        let (dot, record) = (update.dot, update.record.clone());
        if self.registers.merge(update) {
            out.persist(&Persist::Record {
                key: record.key().into(),
                value: kept(dot, &record).into(),
            });
        }
    }

    fn note<E: Effects>(slot: u16, bytes: &[u8], out: &mut E) {
        let bytes = bytes.into();
        out.persist(&Persist::Note { slot, bytes });
    }

    fn send<E: Effects>(&mut self, to: NodeId, words: QuorumWords, out: &mut E) {
        self.counters.messages_sent += 1;
        let body = QuorumBody {
            lives: self.lives.list(),
            words,
        };
        let message = Message {
            incarnation: self.origin.incarnation(),
            body: Body::Quorum(body),
        };
        out.send(to, message);
    }

    fn refuse<E: Effects>(&mut self, id: RequestId, refusal: Refusal, out: &mut E) {
        self.counters.refused += 1;
        out.reply(id, &Response::Refused(refusal));
    }

    fn set_timer<E: Effects>(&self, timer: QuorumTimer, out: &mut E) {
        out.set_timer(Timer::Quorum(timer), timer.delay_ms(&self.settings));
    }

    fn set_retry_timer<E: Effects>(&mut self, out: &mut E) {
        if !self.retry_timer_set {
            self.retry_timer_set = true;
            self.set_timer(QuorumTimer::Retry, out);
        }
    }
}

/// A put as it is kept.
fn kept(dot: Dot, record: &Record) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VERSION_BYTES + record.value().len());
    bytes.extend_from_slice(&dot.0.to_le_bytes());
    bytes.extend_from_slice(record.value());
    bytes
}

/// What is kept of a put; none where it was let go.
fn put_of(kept: &[u8]) -> Option<(Dot, &[u8])> {
    let (version, value) = kept.split_first_chunk::<VERSION_BYTES>()?;
    Some((Dot(u64::from_le_bytes(*version)), value))
}
