//! Elections.
//!
//! A replica that hears from no leader first asks whether it would get votes, so that one that was
//! cut off does not end a term that goes well when it is back (Ongaro, 2014, section 9.6). Others say
//! no while they hear from a leader.

use std::collections::BTreeSet;

use super::{Candidate, Effects, Follower, Raft, Role};
use crate::bug::Bug;
use crate::protocol::{NodeId, Position, RaftWords};
use crate::replica::Input;

impl Raft {
    /// One more tick in which it did not lead.
    pub(super) fn count_silence<E: Effects>(&mut self, input: &Input<'_>, out: &mut E) {
        self.silence = self.silence.saturating_add(1);
        if self.silence >= self.patience && self.is_member {
            self.ask_for_votes(self.settings.asks_first, input, out);
        }
    }

    /// Goes to a later term, in which it follows whoever will lead.
    pub(super) fn enter_term<E: Effects>(&mut self, term: u64, out: &mut E) {
        self.term = term;
        self.voted_for = None;
        self.persist_anothers_term(out);
        self.follow(None, out);
    }

    /// Keeps a term that another began, and its vote in it.
    fn persist_anothers_term<E: Effects>(&self, out: &mut E) {
        if self.bug != Some(Bug::VoteNotSynced) {
            self.persist_term(out);
        }
    }

    /// Follows a leader of its term, or none that it knows.
    pub(super) fn follow<E: Effects>(&mut self, leader: Option<NodeId>, out: &mut E) {
        let before = std::mem::replace(&mut self.role, Role::Follower(Follower::default()));
        let news = self.leader != leader;
        self.leader = leader;
        if let Role::Leader(led) = before {
            self.end_leading(*led, out);
        }
        if news {
            self.leader_changed(out);
        }
    }

    fn ask_for_votes<E: Effects>(&mut self, would: bool, input: &Input<'_>, out: &mut E) {
        self.silence = 0;
        let ticks = u64::from(self.settings.election_ticks);
        let more = input.random % (ticks + 1);
        self.patience = u16::try_from(ticks + more).unwrap_or(u16::MAX);
        self.leader = None;
        if !would {
            self.term += 1;
            self.voted_for = Some(self.origin.node());
            self.persist_term(out);
        }
        let votes = BTreeSet::from([self.origin.node()]);
        self.role = Role::Candidate(Candidate { would, votes });
        let last = self.log.last();
        for peer in self.peers.clone() {
            let term = if would { self.term + 1 } else { self.term };
            self.send_of(term, peer, RaftWords::AskVote { last, would }, out);
        }
        self.count_votes(input, out);
    }

    /// Answers whether it votes, or would. It has entered the term if that is later, unless it was
    /// only asked if it would.
    pub(super) fn answer_vote<E: Effects>(
        &mut self,
        from: NodeId,
        term: u64,
        last: Position,
        would: bool,
        out: &mut E,
    ) {
        if !self.is_member {
            return;
        }
        let is_up_to_date = last >= self.log.last();
        let granted = if would {
            let hears = self.leads()
                || self.leader.is_some() && self.silence < self.settings.election_ticks;
            term > self.term && is_up_to_date && !hears
        } else {
            let is_free =
                self.voted_for.is_none_or(|other| other == from) || self.bug == Some(Bug::TwoVotes);
            let is_out = matches!(self.role, Role::Follower(_)) || self.bug == Some(Bug::TwoVotes);
            term == self.term && is_up_to_date && is_free && is_out && !self.leads()
        };
        if granted && !would {
            self.silence = 0;
            if self.voted_for != Some(from) {
                self.voted_for = Some(from);
                self.persist_anothers_term(out);
            }
        }
        let term = if would && granted { term } else { self.term };
        self.send_of(term, from, RaftWords::Vote { granted, would }, out);
    }

    pub(super) fn take_vote<E: Effects>(
        &mut self,
        from: NodeId,
        term: u64,
        granted: bool,
        would: bool,
        input: &Input<'_>,
        out: &mut E,
    ) {
        let asked = if would { self.term + 1 } else { self.term };
        if let Role::Candidate(candidate) = &mut self.role
            && granted
            && candidate.would == would
            && term == asked
        {
            candidate.votes.insert(from);
            self.count_votes(input, out);
        }
    }

    /// Forgets the vote of a life that has ended.
    pub(super) fn forget_vote(&mut self, node: NodeId) {
        if let Role::Candidate(candidate) = &mut self.role {
            candidate.votes.remove(&node);
        }
    }

    fn count_votes<E: Effects>(&mut self, input: &Input<'_>, out: &mut E) {
        let Role::Candidate(candidate) = &self.role else {
            return;
        };
        if candidate.votes.len() < self.majority() {
            return;
        }
        if candidate.would {
            self.ask_for_votes(false, input, out);
        } else {
            self.begin_leading(out);
        }
    }
}
