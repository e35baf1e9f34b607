//! A replica of a group that agrees on a log (Ongaro, Ousterhout, *In search of an understandable
//! consensus algorithm*, 2014; Ongaro's dissertation of the same year).
//!
//! One replica leads. It appends each write to its log and has the others append it; an entry that a
//! majority has is committed, and every replica applies the committed entries in their order. Who
//! hears nothing from a leader for long enough asks for votes (`elect`).
//!
//! A get is answered from the state once the leader has asked the others whether it still leads
//! (`reads`), or is an entry of the log. A replica that does not lead asks the leader for an index,
//! and answers gets itself; for writes it names the leader.
//!
//! A session sends a write again until it knows what became of it. The entry names the session and
//! which of its operations it is, so that it happens once (`calls`).
//!
//! After some entries the state takes the place of the log up to there (`compact`). A replica that
//! lacks entries which are gone gets the state (`transfer`).
//!
//! A replica that came back without its state has forgotten its vote and what it had appended. It
//! neither votes nor counts until an entry that names its new life is committed by a majority
//! without it (`lives`).

mod append;
mod calls;
mod compact;
mod contract;
mod elect;
mod lead;
mod lives;
mod log;
mod machine;
mod reads;
mod requests;
#[cfg(test)]
mod tests;
mod transfer;

pub use contract::{
    RaftChange, RaftChangeKind, RaftRule, RaftSettings, RaftStatus, RaftTimer, Reads,
};

use std::collections::BTreeSet;

use self::lead::Leader;
use self::log::Log;
use self::machine::Machine;
use self::reads::Asking;
use self::requests::Waiting;
use self::transfer::Incoming;
use super::shard::ShardStep;
use super::{Counters, Effects, Input, KindStatus, Persist, ReplicaSpec, RequestId, Status, Timer};
use crate::bug::Bug;
use crate::protocol::{
    Body, LogEntry, Message, NodeId, Origin, Position, RaftBody, RaftWords, Refusal, Response,
};

/// A replica of a Raft group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Raft {
    origin: Origin,
    rule: RaftRule,
    shards: Vec<ShardStep>,
    settings: RaftSettings,
    bug: Option<Bug>,
    /// The other replicas, ascending.
    peers: Vec<NodeId>,
    term: u64,
    voted_for: Option<NodeId>,
    /// How often it has begun to run.
    runs: u16,
    /// Whether its life is a member: its votes and its log count.
    is_member: bool,
    log: Log,
    /// The state that takes the place of the entries up to its position.
    base: Machine,
    /// The state that the committed entries lead to.
    machine: Machine,
    /// The bytes of the entries that were applied since.
    applied_bytes: u64,
    /// The last index that is known to be committed.
    commit: u64,
    role: Role,
    /// Who leads in this term, as far as it is known.
    leader: Option<NodeId>,
    /// Ticks since it last heard from a leader, or voted.
    silence: u16,
    /// After so many it asks for votes.
    patience: u16,
    /// Requests that wait for a leader.
    waiting: Waiting,
    /// Gets that wait for an index.
    asking: Asking,
    counters: Counters,
}

/// What it is in its term.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Role {
    Follower(Follower),
    Candidate(Candidate),
    Leader(Box<Leader>),
}

/// One that follows a leader, or knows of none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Follower {
    /// The last index up to which its log is the leader's.
    verified: u64,
    /// The last round that it has heard of.
    round: u64,
    /// The state that it is given in place of entries that are gone.
    incoming: Option<Incoming>,
}

/// One that asks for votes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Candidate {
    /// Whether it only asks if it would get them.
    would: bool,
    /// Who has voted for it, itself included.
    votes: BTreeSet<NodeId>,
}

impl Raft {
    pub(super) fn new(spec: &ReplicaSpec, rule: RaftRule) -> Self {
        let shards = if spec.bug == Some(Bug::ForeignKeys) {
            Vec::new()
        } else {
            spec.shards.clone()
        };
        let mut peers = spec.peers.clone();
        peers.sort_unstable();
        let settings = spec.settings.raft;
        let machine = Machine::new(settings.sessions_max);
        Self {
            origin: Origin::new(spec.node, spec.incarnation),
            rule,
            shards,
            settings,
            bug: spec.bug,
            peers,
            term: 0,
            voted_for: None,
            runs: 0,
            is_member: spec.incarnation == 0 || spec.bug == Some(Bug::EmptyReplicaVotes),
            log: Log::default(),
            base: machine.clone(),
            machine,
            applied_bytes: 0,
            commit: 0,
            role: Role::Follower(Follower::default()),
            leader: None,
            silence: 0,
            patience: settings.election_ticks,
            waiting: Waiting::default(),
            asking: Asking::default(),
            counters: Counters::default(),
        }
    }

    pub(super) fn start<E: Effects>(&mut self, out: &mut E) {
        self.runs = self.runs.saturating_add(1);
        // A crash may have come between the state that says so and the note of it.
        self.is_member |= self.base.life(self.origin.node()) == self.origin.incarnation();
        self.persist_term(out);
        self.set_timer(out);
    }

    /// Forgets what only memory held, and which entries are committed.
    pub(super) fn recover(&mut self) {
        self.machine = self.base.clone();
        self.applied_bytes = 0;
        self.commit = self.base.at().index;
        self.log.begin_after(self.base.at());
        self.role = Role::Follower(Follower::default());
        self.leader = None;
        self.silence = 0;
        self.patience = self.settings.election_ticks;
        self.waiting = Waiting::default();
        self.asking = Asking::default();
    }

    pub(super) fn handle_message<E: Effects>(
        &mut self,
        from: NodeId,
        incarnation: u16,
        body: RaftBody,
        input: &Input<'_>,
        out: &mut E,
    ) {
        self.counters.messages_received += 1;
        if !self.peers.contains(&from) || incarnation < self.life_of(from) {
            return self.ignore_message();
        }
        let RaftBody {
            term,
            is_member,
            words,
        } = body;
        self.learn_life(from, incarnation, is_member, out);
        // Whoever asks whether it would get votes, and gets them, has begun no term yet.
        let is_of_no_term = matches!(
            words,
            RaftWords::AskVote { would: true, .. }
                | RaftWords::Vote {
                    granted: true,
                    would: true
                }
        );
        if term > self.term && !is_of_no_term {
            self.enter_term(term, out);
        }
        let is_late = term < self.term;
        match words {
            RaftWords::AskVote { last, would } => {
                self.answer_vote(from, term, last, would, out);
            }
            RaftWords::Vote { granted, would } => {
                self.take_vote(from, term, granted, would, input, out);
            }
            RaftWords::Append { .. } | RaftWords::Offer { .. } if is_late => {
                // So that it finds out that it leads no more.
                let words = RaftWords::Missing {
                    previous: 0,
                    next: 0,
                    round: 0,
                };
                self.send(from, words, out);
            }
            RaftWords::Append {
                previous,
                entries,
                commit,
                round,
            } => self.take_append(from, previous, entries, commit, round, out),
            RaftWords::Offer { at, round } => self.take_offer(from, at, round, out),
            RaftWords::PullState { at, from: place } => self.send_state(from, at, place, out),
            // Its sender leads no more, and the one that does has its items in another order.
            RaftWords::State { .. } if is_late => {}
            RaftWords::State {
                at,
                from: place,
                items,
                more,
            } => self.take_state(from, at, place, items, more, out),
            RaftWords::Appended { .. } | RaftWords::Missing { .. } | RaftWords::AskIndex { .. }
                if is_late => {}
            RaftWords::Appended { matched, round } => self.take_appended(from, matched, round, out),
            RaftWords::Missing {
                previous,
                next,
                round,
            } => self.take_missing(from, previous, next, round, out),
            RaftWords::AskIndex { question } => self.take_question(from, question, input, out),
            RaftWords::Index { question, index } => self.take_index(question, index, out),
        }
    }

    pub(super) fn handle_timer<E: Effects>(
        &mut self,
        timer: RaftTimer,
        input: &Input<'_>,
        out: &mut E,
    ) {
        match timer {
            RaftTimer::Tick => {
                if matches!(self.role, Role::Leader(_)) {
                    self.lead_on(out);
                } else {
                    self.count_silence(input, out);
                }
                self.look_at_waiting(out);
                self.ask_index_again(out);
                self.set_timer(out);
            }
        }
    }

    pub(super) const fn ignore_message(&mut self) {
        self.counters.messages_ignored += 1;
    }

    pub(super) fn anticipate<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) {
        self.machine.store().anticipate(keys);
    }

    pub(super) fn status(&self) -> Status {
        let store = self.machine.store();
        let totals = store.totals();
        Status {
            keys: store.len() as u64,
            siblings: totals.siblings,
            digest: totals.digest,
            overhead_bytes: totals.overhead_bytes + store.table_bytes(),
            counters: self.counters,
            kind: KindStatus::Raft(RaftStatus {
                pending: self.pending() as u64,
                recovering: !self.is_member,
                leads: self.leads(),
                term: self.term,
                applied: self.machine.at().index,
                uncommitted: self.log.last_index().saturating_sub(self.commit),
                sessions: self.machine.sessions() as u64,
            }),
        }
    }

    /// Whether it leads, as far as it knows.
    #[must_use]
    pub const fn leads(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    /// Its term.
    #[must_use]
    pub const fn term(&self) -> u64 {
        self.term
    }

    /// The last index that it knows to be committed.
    #[must_use]
    pub const fn commit(&self) -> u64 {
        self.commit
    }

    /// The entries of its log that are there, with their indices.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &LogEntry)> {
        let first = self.log.before().index + 1;
        (first..).zip(self.log.from(first))
    }

    /// The last position of its log.
    #[must_use]
    pub fn last(&self) -> Position {
        self.log.last()
    }

    /// How many of a group make a majority.
    const fn majority(&self) -> usize {
        let members = self.peers.len() + 1;
        members / 2 + 1
    }

    /// Requests that wait here.
    fn pending(&self) -> usize {
        let led = match &self.role {
            Role::Leader(leader) => leader.pending(),
            Role::Follower(_) | Role::Candidate(_) => 0,
        };
        led + self.waiting.len() + self.asking.len()
    }

    fn persist_term<E: Effects>(&self, out: &mut E) {
        out.persist(&Persist::Raft(RaftChange::Term {
            term: self.term,
            voted_for: self.voted_for,
            runs: self.runs,
            is_member: self.is_member,
        }));
    }

    fn send<E: Effects>(&mut self, to: NodeId, words: RaftWords, out: &mut E) {
        self.send_of(self.term, to, words, out);
    }

    fn send_of<E: Effects>(&mut self, term: u64, to: NodeId, words: RaftWords, out: &mut E) {
        self.counters.messages_sent += 1;
        let message = Message {
            incarnation: self.origin.incarnation(),
            body: Body::Raft(RaftBody {
                term,
                is_member: self.is_member,
                words,
            }),
        };
        out.send(to, message);
    }

    fn refuse<E: Effects>(&mut self, id: RequestId, refusal: Refusal, out: &mut E) {
        self.counters.refused += 1;
        out.reply(id, &Response::Refused(refusal));
    }

    fn set_timer<E: Effects>(&self, out: &mut E) {
        let timer = RaftTimer::Tick;
        out.set_timer(Timer::Raft(timer), timer.delay_ms(&self.settings));
    }
}
