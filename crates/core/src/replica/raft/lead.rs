//! What a leader does: it has the others append its entries, and commits what a majority has.
//!
//! Entries go to a replica in messages, some of which may be under way at once; those that come
//! meanwhile go together. A replica that lacks the entry before those sent says so, and is sent them
//! from where its log ends. Until it has answered that, one message at a time is under way.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::machine::Copied;
use super::reads::{Get, Round};
use super::requests::Promised;
use super::{Effects, Raft, RaftChange, Role};
use crate::bug::Bug;
use crate::protocol::{Call, Command, LogEntry, NodeId, PAYLOAD_BYTES_MAX, RaftWords};
use crate::replica::Persist;

/// What a leader knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Leader {
    followers: BTreeMap<NodeId, Progress>,
    /// The index of its term's first entry: what it answers from must have that.
    first: u64,
    /// Ticks since it last made sure that it hears from a majority.
    ticks: u16,
    /// The entry under way that changes which lives are members.
    changes_members: Option<u64>,
    /// Who waits for which entry.
    pub(super) promised: BTreeMap<u64, Promised>,
    /// The last call of each session that waits for an entry, with its index.
    pub(super) calls: BTreeMap<u32, (u32, u64)>,
    /// The bytes of the entries that are not committed.
    pub(super) uncommitted_bytes: u64,
    /// The last round of questions whether it still leads.
    pub(super) round: u64,
    /// Rounds that are not answered by a majority, oldest first.
    pub(super) rounds: VecDeque<Round>,
    /// Gets for the next round.
    pub(super) gets: Vec<Get>,
    /// The planted bug `wall-clock-lease`: until when it believes that nobody else leads, in ns.
    pub(super) lease_ns: u64,
}

/// How far another replica is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Progress {
    /// Its life.
    incarnation: u16,
    /// Whether that is a member, as it says.
    is_member: bool,
    /// Its log is the leader's up to this index.
    matched: u64,
    /// The index of the first entry that it was not sent.
    next: u64,
    mode: Mode,
    /// Messages with entries that it has not answered.
    in_flight: u16,
    /// The last round that it has answered.
    round: u64,
    /// Whether it said anything since the leader last made sure of a majority.
    heard: bool,
    /// Whether it said anything since the last tick.
    lively: bool,
}

/// How entries are sent to another replica.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mode {
    /// Where its log meets the leader's is not known: one message at a time.
    Probe,
    /// It is sent what comes.
    Stream,
    /// It needs a state first.
    Transfer(Box<Copied>),
}

impl Progress {
    const fn new(incarnation: u16, last: u64) -> Self {
        Self {
            incarnation,
            is_member: false,
            matched: 0,
            next: last + 1,
            mode: Mode::Probe,
            in_flight: 0,
            round: 0,
            heard: true,
            lively: false,
        }
    }

    const fn hear(&mut self, round: u64) {
        self.heard = true;
        self.lively = true;
        if round > self.round {
            self.round = round;
        }
    }
}

impl Leader {
    /// How many requests wait for it.
    pub(super) fn pending(&self) -> usize {
        let rounds = self.rounds.iter().map(|round| round.gets.len());
        self.promised.len() + self.gets.len() + rounds.sum::<usize>()
    }

    /// The entry of this index was applied, which was this call.
    pub(super) fn forget_call_at(&mut self, index: u64, call: Option<Call>) {
        if let Some(call) = call
            && self
                .calls
                .get(&call.session)
                .is_some_and(|(_, at)| *at == index)
        {
            self.calls.remove(&call.session);
        }
    }

    /// Whether this get waits for an entry.
    pub(super) fn promised_get(&self, get: &Get) -> bool {
        let mut promised = self.promised.values();
        promised.any(|it| matches!(it, Promised::Get(other) if other == get))
    }

    pub(super) fn life_of(&self, peer: NodeId) -> u16 {
        self.followers.get(&peer).map_or(0, |it| it.incarnation)
    }

    /// The life of each other replica that does not say that it is a member.
    pub(super) fn newcomers(&self) -> impl Iterator<Item = (NodeId, u16)> + '_ {
        let others = self.followers.iter().filter(|(_, it)| !it.is_member);
        others.map(|(peer, it)| (*peer, it.incarnation))
    }

    /// Whether it is a new life, of which nothing was known.
    pub(super) fn learn_life(
        &mut self,
        peer: NodeId,
        incarnation: u16,
        is_member: bool,
        last: u64,
    ) -> bool {
        let Some(progress) = self.followers.get_mut(&peer) else {
            return false;
        };
        let is_new = incarnation > progress.incarnation;
        if is_new {
            *progress = Progress::new(incarnation, last);
        }
        progress.is_member |= is_member && incarnation == progress.incarnation;
        is_new
    }

    /// Whether no change of members is under way, and it has committed an entry of its term.
    pub(super) const fn may_change_members(&self, commit: u64) -> bool {
        let is_free = match self.changes_members {
            Some(index) => index <= commit,
            None => true,
        };
        is_free && self.has_begun(commit)
    }

    pub(super) const fn changes_members_at(&mut self, index: u64) {
        self.changes_members = Some(index);
    }

    /// Whether it has committed an entry of its term: it then knows every committed entry.
    pub(super) const fn has_begun(&self, commit: u64) -> bool {
        commit >= self.first
    }

    /// The copy of the state that a replica is sent.
    pub(super) fn copy_for(&mut self, peer: NodeId) -> Option<&Copied> {
        let progress = self.followers.get_mut(&peer)?;
        progress.hear(0);
        match &progress.mode {
            Mode::Transfer(copied) => Some(copied),
            Mode::Probe | Mode::Stream => None,
        }
    }

    /// The last round, index or whatever, that a majority of the members has reached.
    fn majority_of(
        &self,
        own: u64,
        majority: usize,
        is_member: impl Fn(NodeId, &Progress) -> bool,
        reached: impl Fn(&Progress) -> u64,
    ) -> u64 {
        let members = self.followers.iter();
        let members = members.filter(|(peer, it)| is_member(**peer, it));
        let mut all: Vec<u64> = members.map(|(_, it)| reached(it)).collect();
        all.push(own);
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.get(majority - 1).copied().unwrap_or(0)
    }
}

impl Raft {
    pub(super) fn begin_leading<E: Effects>(&mut self, out: &mut E) {
        let last = self.log.last_index();
        let progress = |peer: &NodeId| (*peer, Progress::new(self.machine.life(*peer), last));
        self.role = Role::Leader(Box::new(Leader {
            followers: self.peers.iter().map(progress).collect(),
            first: last + 1,
            ticks: 0,
            changes_members: None,
            promised: BTreeMap::new(),
            calls: BTreeMap::new(),
            uncommitted_bytes: 0,
            round: 0,
            rounds: VecDeque::new(),
            gets: Vec::new(),
            lease_ns: 0,
        }));
        self.leader = Some(self.origin.node());
        self.append_own(Command::Nothing, out);
        self.replicate(out);
        self.leader_changed(out);
    }

    /// Says that it leads; asks again what was not answered. Leads no more when a majority is
    /// silent.
    pub(super) fn lead_on<E: Effects>(&mut self, out: &mut E) {
        let election_ticks = self.settings.election_ticks;
        let majority = self.majority();
        let forgets_nothing = self.bug == Some(Bug::OldHeartbeat);
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        leader.ticks += 1;
        if leader.ticks >= election_ticks {
            leader.ticks = 0;
            let heard = leader.followers.values().filter(|it| it.heard).count() + 1;
            for progress in leader.followers.values_mut() {
                progress.heard = forgets_nothing;
            }
            let trusts_its_lease = self.bug == Some(Bug::WallClockLease);
            if heard < majority && !trusts_its_lease {
                self.silence = 0;
                return self.follow(None, out);
            }
        }
        for progress in leader.followers.values_mut() {
            if !progress.lively {
                // What was under way is lost, or waits: it is told by the next answer.
                progress.in_flight = 0;
                if matches!(progress.mode, Mode::Stream) {
                    progress.mode = Mode::Probe;
                    progress.next = progress.matched + 1;
                }
            }
            progress.lively = false;
        }
        self.send_to_all(true, out);
    }

    /// Appends an entry to its own log.
    pub(super) fn append_own<E: Effects>(&mut self, command: Command, out: &mut E) -> u64 {
        let entry = LogEntry {
            term: self.term,
            command,
        };
        let index = self.log.last_index() + 1;
        if let Role::Leader(leader) = &mut self.role {
            leader.uncommitted_bytes += entry.bytes() as u64;
        }
        out.persist(&Persist::Raft(RaftChange::Append {
            index,
            entries: Cow::Borrowed(std::slice::from_ref(&entry)),
        }));
        self.log.push(entry);
        index
    }

    /// Sends everybody what there is to send, and commits what is there already.
    pub(super) fn replicate<E: Effects>(&mut self, out: &mut E) {
        self.send_to_all(false, out);
        self.commit_what_a_majority_has(out);
    }

    /// Sends everybody entries; also where there are none, if it is to `speak`.
    pub(super) fn send_to_all<E: Effects>(&mut self, speak: bool, out: &mut E) {
        for place in 0..self.peers.len() {
            self.send_entries(self.peers[place], speak, out);
        }
    }

    /// Sends entries that a replica was not sent, as many messages as may be under way; at least
    /// one, if it is to `speak`.
    fn send_entries<E: Effects>(&mut self, to: NodeId, speak: bool, out: &mut E) {
        let mut speaks = speak;
        loop {
            let Role::Leader(leader) = &mut self.role else {
                return;
            };
            let Some(progress) = leader.followers.get_mut(&to) else {
                return;
            };
            let round = leader.round;
            if let Mode::Transfer(copied) = &progress.mode {
                let at = copied.at;
                if speaks {
                    self.send(to, RaftWords::Offer { at, round }, out);
                }
                return;
            }
            let Some(previous) = self.log.position(progress.next - 1) else {
                // What comes before is gone.
                progress.mode = Mode::Transfer(Box::new(self.base.copied()));
                progress.in_flight = 0;
                speaks = true;
                continue;
            };
            let under_way_max = match progress.mode {
                Mode::Probe => 1,
                Mode::Stream | Mode::Transfer(_) => self.settings.in_flight_max,
            };
            let mut entries = Vec::new();
            if progress.in_flight < under_way_max {
                let mut bytes = 0;
                let some = self.settings.entries_max as usize;
                for entry in self.log.from(progress.next).take(some) {
                    bytes += entry.bytes();
                    if bytes > PAYLOAD_BYTES_MAX && !entries.is_empty() {
                        break;
                    }
                    entries.push(entry.clone());
                }
            }
            if entries.is_empty() && !speaks {
                return;
            }
            if !entries.is_empty() {
                progress.in_flight += 1;
                if matches!(progress.mode, Mode::Stream) {
                    progress.next += entries.len() as u64;
                }
            }
            speaks = false;
            let commit = self.commit;
            let words = RaftWords::Append {
                previous,
                entries,
                commit,
                round,
            };
            self.send(to, words, out);
        }
    }

    /// A replica has appended what it was sent.
    pub(super) fn take_appended<E: Effects>(
        &mut self,
        from: NodeId,
        matched: u64,
        round: u64,
        out: &mut E,
    ) {
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let Some(progress) = leader.followers.get_mut(&from) else {
            return;
        };
        progress.hear(round);
        progress.in_flight = progress.in_flight.saturating_sub(1);
        progress.matched = progress.matched.max(matched);
        progress.next = progress.next.max(progress.matched + 1);
        let has_met = match &progress.mode {
            Mode::Probe => progress.matched + 1 >= progress.next,
            Mode::Stream => true,
            Mode::Transfer(copied) => progress.matched >= copied.at.index,
        };
        if has_met {
            progress.mode = Mode::Stream;
        }
        self.commit_what_a_majority_has(out);
        self.end_rounds(out);
        self.send_entries(from, false, out);
    }

    /// A replica lacks the entry before those that it was sent.
    pub(super) fn take_missing<E: Effects>(
        &mut self,
        from: NodeId,
        previous: u64,
        next: u64,
        round: u64,
        out: &mut E,
    ) {
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let Some(progress) = leader.followers.get_mut(&from) else {
            return;
        };
        progress.hear(round);
        let earlier = next.min(previous).max(progress.matched + 1);
        let is_news = match progress.mode {
            // Of several that were under way the first one counts. Where there is nothing earlier to
            // try, the next tick asks again: at once, the two would never end.
            Mode::Probe => previous + 1 == progress.next && earlier < progress.next,
            Mode::Stream => previous > progress.matched,
            Mode::Transfer(_) => false,
        };
        if is_news {
            progress.mode = Mode::Probe;
            progress.in_flight = 0;
            progress.next = earlier;
        }
        self.end_rounds(out);
        self.send_entries(from, false, out);
    }

    /// Commits what a majority has, if that is of its term: an entry of an earlier term that a
    /// majority has may still be replaced (Ongaro, Ousterhout, 2014, figure 8).
    fn commit_what_a_majority_has<E: Effects>(&mut self, out: &mut E) {
        let majority = self.majority();
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let is_member = |peer, progress: &Progress| self.counts(peer, progress);
        let own = self.log.last_index();
        let has = leader.majority_of(own, majority, is_member, |it| it.matched);
        let is_of_term =
            self.log.term_at(has) == Some(self.term) || self.bug == Some(Bug::CountsEarlierTerms);
        if has <= self.commit || !is_of_term {
            return;
        }
        let had_begun = leader.has_begun(self.commit);
        self.commit = has;
        self.apply(out);
        if !had_begun {
            self.begin_round(out);
        }
        self.propose_lives(out);
    }

    /// The last round that a majority has answered.
    pub(super) fn answered_round(&self) -> u64 {
        let Role::Leader(leader) = &self.role else {
            return 0;
        };
        let is_member = |peer, progress: &Progress| self.counts(peer, progress);
        leader.majority_of(leader.round, self.majority(), is_member, |it| it.round)
    }

    /// The planted bug `old-heartbeat`: whether a majority has answered anything in this term.
    pub(super) fn heard_of_a_majority(&self) -> bool {
        let Role::Leader(leader) = &self.role else {
            return false;
        };
        let heard = leader.followers.values().filter(|it| it.matched > 0);
        heard.count() + 1 >= self.majority()
    }

    /// Whether what a replica has counts.
    fn counts(&self, peer: NodeId, progress: &Progress) -> bool {
        progress.is_member
            || self.machine.life(peer) == progress.incarnation
            || self.bug == Some(Bug::EmptyReplicaVotes)
    }
}
