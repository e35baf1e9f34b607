//! What a replica does that follows a leader: it appends what it is sent, and applies what is
//! committed.

use std::borrow::Cow;

use super::machine::Applied;
use super::{Effects, Follower, Raft, RaftChange, Role};
use crate::bug::Bug;
use crate::protocol::{LogEntry, NodeId, Position, RaftWords};
use crate::replica::Persist;

impl Raft {
    /// Follows the leader that a message of its term comes from. None when it leads itself, which
    /// no correct group comes to.
    pub(super) fn follower_of<E: Effects>(
        &mut self,
        leader: NodeId,
        out: &mut E,
    ) -> Option<&mut Follower> {
        if self.leads() {
            return None;
        }
        if self.leader != Some(leader) || !matches!(self.role, Role::Follower(_)) {
            self.follow(Some(leader), out);
        }
        self.silence = 0;
        match &mut self.role {
            Role::Follower(follower) => Some(follower),
            Role::Candidate(_) | Role::Leader(_) => None,
        }
    }

    pub(super) fn take_append<E: Effects>(
        &mut self,
        from: NodeId,
        previous: Position,
        mut entries: Vec<LogEntry>,
        commit: u64,
        round: u64,
        out: &mut E,
    ) {
        let Some(follower) = self.follower_of(from, out) else {
            return;
        };
        follower.round = follower.round.max(round);
        let round = follower.round;
        let end = previous.index + entries.len() as u64;
        // What comes before its log is committed, and so the same.
        let before = self.log.before();
        let covered = before.index.saturating_sub(previous.index);
        let meets = covered > 0 || self.log.term_at(previous.index) == Some(previous.term);
        if !meets {
            let next = if previous.index > self.log.last_index() {
                self.log.last_index() + 1
            } else {
                // None of the entries of that term are the leader's.
                self.log.start_of_term(previous.index)
            };
            let words = RaftWords::Missing {
                previous: previous.index,
                next: next.max(self.commit + 1),
                round,
            };
            return self.send(from, words, out);
        }
        let covered = usize::try_from(covered).unwrap_or(usize::MAX);
        let known = entries.iter().enumerate().skip(covered);
        let first_new = known
            .zip(previous.index + 1 + covered as u64..)
            .find(|((_, entry), index)| self.log.term_at(*index) != Some(entry.term))
            .map(|((place, _), index)| (place, index));
        if let Some((place, index)) = first_new {
            self.append(index, entries.split_off(place), out);
        } else if self.bug == Some(Bug::TruncatesCommitted) && end < self.log.last_index() {
            self.append(end + 1, Vec::new(), out);
        }
        let matched = end.max(before.index);
        if let Role::Follower(follower) = &mut self.role {
            follower.verified = follower.verified.max(matched);
        }
        self.learn_commit(commit, out);
        self.send(from, RaftWords::Appended { matched, round }, out);
    }

    /// Takes in that the leader's log is committed up to an index.
    pub(super) fn learn_commit<E: Effects>(&mut self, commit: u64, out: &mut E) {
        let Role::Follower(follower) = &self.role else {
            return;
        };
        let known = commit.min(follower.verified);
        if known > self.commit {
            self.commit = known;
            self.apply(out);
        }
    }

    /// Its log has these entries from an index on, and nothing after them.
    fn append<E: Effects>(&mut self, index: u64, entries: Vec<LogEntry>, out: &mut E) {
        out.persist(&Persist::Raft(RaftChange::Append {
            index,
            entries: Cow::Borrowed(&entries),
        }));
        self.log.truncate(index);
        for entry in entries {
            self.log.push(entry);
        }
    }

    /// Applies what is committed.
    pub(super) fn apply<E: Effects>(&mut self, out: &mut E) {
        while self.machine.at().index < self.commit
            && let Some(entry) = self.log.get(self.machine.at().index + 1)
        {
            let bytes = entry.bytes() as u64;
            let call = entry.command.call();
            let applied = self.machine.apply(entry);
            self.applied_bytes += bytes;
            match &applied {
                Applied::Written(_) => self.counters.applied += 1,
                Applied::Member(life) if *life == self.origin => self.become_member(out),
                Applied::Nothing
                | Applied::Mismatch(_)
                | Applied::Overtaken
                | Applied::Forgotten
                | Applied::Member(_) => {}
            }
            let index = self.machine.at().index;
            let Role::Leader(leader) = &mut self.role else {
                continue;
            };
            leader.uncommitted_bytes = leader.uncommitted_bytes.saturating_sub(bytes);
            leader.forget_call_at(index, call);
            if let Some(promised) = leader.promised.remove(&index) {
                self.keep_promise(promised, index, applied, out);
            }
        }
        self.compact_if_due(out);
        self.answer_what_was_applied(out);
    }
}
