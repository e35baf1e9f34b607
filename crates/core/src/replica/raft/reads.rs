//! Linearizable gets that append nothing (Ongaro, 2014, section 6.4).
//!
//! The leader notes what is committed when a get comes, and asks the others whether it still leads:
//! a majority that answers this question, and not an earlier one, has elected nobody else before.
//! Gets that come while a question is under way share the next. A leader knows what is committed only
//! once it has committed an entry of its term.
//!
//! A replica that does not lead asks the leader for an index, and answers once it has applied the
//! entry there.

use super::requests::Promised;
use super::{Effects, Input, Raft, Role};
use crate::bug::Bug;
use crate::protocol::{Command, NodeId, RaftWords, Refusal};
use crate::replica::RequestId;

/// Nanoseconds of a millisecond.
const MS: u64 = 1_000_000;

/// A get that a leader answers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Get {
    /// A client's.
    Own(AskedGet),
    /// Another replica's question for an index.
    Peer {
        /// Which replica.
        node: NodeId,
        /// Which of its questions.
        question: u64,
    },
}

/// A client's get.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct AskedGet {
    id: RequestId,
    key: Box<[u8]>,
    /// For how many ticks it has waited for a leader.
    ticks: u16,
}

/// A question whether a leader still leads, and the gets that wait for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Round {
    round: u64,
    /// What was committed when it began.
    index: u64,
    pub(super) gets: Vec<Get>,
    /// The planted bug `wall-clock-lease`: when it began.
    began_ns: u64,
}

/// Gets of a replica that does not lead.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Asking {
    /// How many questions it has asked.
    questions: u32,
    /// Those for the next question.
    queued: Vec<AskedGet>,
    /// The question under way.
    asked: Option<Asked>,
    /// Those that wait until an entry is applied, with its index.
    told: Vec<(u64, AskedGet)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    question: u64,
    gets: Vec<AskedGet>,
}

impl Asking {
    pub(super) fn len(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, |asked| asked.gets.len());
        self.queued.len() + asked + self.told.len()
    }
}

impl Raft {
    pub(super) fn take_get<E: Effects>(
        &mut self,
        id: RequestId,
        key: &[u8],
        input: &Input<'_>,
        out: &mut E,
    ) {
        let get = AskedGet {
            id,
            key: key.into(),
            ticks: 0,
        };
        if self.leads() {
            self.lead_get(Get::Own(get), input.wall_ns, out);
        } else {
            self.asking.queued.push(get);
            self.ask_index(out);
        }
    }

    /// Another replica asks for an index.
    pub(super) fn take_question<E: Effects>(
        &mut self,
        from: NodeId,
        question: u64,
        input: &Input<'_>,
        out: &mut E,
    ) {
        let get = Get::Peer {
            node: from,
            question,
        };
        let Role::Leader(leader) = &self.role else {
            return;
        };
        let mut under_way = leader.rounds.iter().flat_map(|round| &round.gets);
        let is_known = under_way.any(|other| *other == get)
            || leader.gets.contains(&get)
            || self.reads_through_log() && leader.promised_get(&get);
        if !is_known {
            self.lead_get(get, input.wall_ns, out);
        }
    }

    /// A get that the leader is to answer.
    fn lead_get<E: Effects>(&mut self, get: Get, wall_ns: u64, out: &mut E) {
        if self.reads_through_log() {
            return self.append_promised(Command::Nothing, Promised::Get(get), out);
        }
        let answers_at_once = self.believes_to_lead(wall_ns);
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        if answers_at_once {
            let index = self.commit;
            return self.answer_get_at(get, index, out);
        }
        leader.gets.push(get);
        self.begin_round_at(wall_ns, out);
    }

    /// Whether a planted bug has it answer without a question.
    fn believes_to_lead(&self, wall_ns: u64) -> bool {
        let Role::Leader(leader) = &self.role else {
            return false;
        };
        match self.bug {
            Some(Bug::OldHeartbeat) => leader.has_begun(self.commit) && self.heard_of_a_majority(),
            Some(Bug::WallClockLease) => leader.has_begun(self.commit) && wall_ns < leader.lease_ns,
            _ => false,
        }
    }

    /// Asks whether it still leads, if gets wait for that.
    pub(super) fn begin_round<E: Effects>(&mut self, out: &mut E) {
        self.begin_round_at(0, out);
    }

    fn begin_round_at<E: Effects>(&mut self, wall_ns: u64, out: &mut E) {
        let rounds_max = self.settings.rounds_max;
        let commit = self.commit;
        let may_begin = self.bug == Some(Bug::ReadsBeforeOwnEntry);
        let Role::Leader(leader) = &mut self.role else {
            return;
        };
        let may_begin = may_begin || leader.has_begun(commit);
        if !may_begin || leader.gets.is_empty() || leader.rounds.len() >= rounds_max.into() {
            return;
        }
        leader.round += 1;
        leader.rounds.push_back(Round {
            round: leader.round,
            index: commit,
            gets: std::mem::take(&mut leader.gets),
            began_ns: if self.bug == Some(Bug::WallClockLease) {
                wall_ns
            } else {
                0
            },
        });
        self.send_to_all(true, out);
        self.end_rounds(out);
    }

    /// Answers the gets of the rounds that a majority has answered.
    pub(super) fn end_rounds<E: Effects>(&mut self, out: &mut E) {
        let answered = self.answered_round();
        let lease_ns = u64::from(self.settings.election_ticks) * self.settings.tick_ms * MS;
        loop {
            let Role::Leader(leader) = &mut self.role else {
                return;
            };
            let Some(round) = leader.rounds.pop_front_if(|round| round.round <= answered) else {
                break;
            };
            if round.began_ns > 0 {
                leader.lease_ns = leader.lease_ns.max(round.began_ns + lease_ns);
            }
            for get in round.gets {
                self.answer_get_at(get, round.index, out);
            }
        }
        self.begin_round(out);
    }

    /// Answers a get that may be answered from the state at this index.
    pub(super) fn answer_get_at<E: Effects>(&mut self, get: Get, index: u64, out: &mut E) {
        match get {
            Get::Own(get) => self.answer_get(get.id, &get.key, out),
            Get::Peer { node, question } => {
                self.send(node, RaftWords::Index { question, index }, out);
            }
        }
    }

    /// Keeps gets for the next leader. Other replicas ask again by themselves.
    pub(super) fn queue_gets(&mut self, gets: Vec<Get>) {
        for get in gets {
            if let Get::Own(get) = get {
                self.asking.queued.push(get);
            }
        }
    }

    /// Another replica leads, or this one, or none: what was asked of the last is asked anew.
    pub(super) fn ask_index_anew<E: Effects>(&mut self, out: &mut E) {
        if let Some(asked) = self.asking.asked.take() {
            self.asking.queued.extend(asked.gets);
        }
        if self.leads() {
            let told = std::mem::take(&mut self.asking.told);
            let queued = std::mem::take(&mut self.asking.queued);
            for get in told.into_iter().map(|(_, get)| get).chain(queued) {
                self.lead_get(Get::Own(get), 0, out);
            }
        } else {
            self.ask_index(out);
        }
    }

    /// Asks the leader for an index, if gets wait for one and none is asked for.
    fn ask_index<E: Effects>(&mut self, out: &mut E) {
        let Some(leader) = self.other_leader() else {
            return;
        };
        if self.asking.asked.is_some() || self.asking.queued.is_empty() {
            return;
        }
        self.asking.questions += 1;
        let life = u64::from(self.origin.incarnation()) << 48 | u64::from(self.runs) << 32;
        let question = life | u64::from(self.asking.questions);
        let gets = std::mem::take(&mut self.asking.queued);
        self.asking.asked = Some(Asked { question, gets });
        self.send(leader, RaftWords::AskIndex { question }, out);
    }

    /// One more tick for gets: asks again for what may be lost, and refuses what has waited too
    /// long.
    pub(super) fn ask_index_again<E: Effects>(&mut self, out: &mut E) {
        if self.asking.len() == 0 {
            return;
        }
        let asking = &mut self.asking;
        let asked = asking.asked.iter_mut().flat_map(|asked| &mut asked.gets);
        let told = asking.told.iter_mut().map(|(_, get)| get);
        let mut overdue = false;
        for get in asking.queued.iter_mut().chain(asked).chain(told) {
            get.ticks += 1;
            overdue |= get.ticks >= self.settings.wait_ticks;
        }
        if overdue {
            self.refuse_overdue(out);
        }
        if let (Some(leader), Some(asked)) = (self.other_leader(), &self.asking.asked) {
            let question = asked.question;
            self.send(leader, RaftWords::AskIndex { question }, out);
        }
    }

    fn refuse_overdue<E: Effects>(&mut self, out: &mut E) {
        let wait_ticks = self.settings.wait_ticks;
        let is_overdue = |get: &mut AskedGet| get.ticks >= wait_ticks;
        let asking = &mut self.asking;
        let mut overdue: Vec<AskedGet> = asking.queued.extract_if(.., is_overdue).collect();
        if let Some(asked) = &mut asking.asked {
            overdue.extend(asked.gets.extract_if(.., is_overdue));
        }
        let told = asking.told.extract_if(.., |(_, get)| is_overdue(get));
        overdue.extend(told.map(|(_, get)| get));
        for get in overdue {
            self.refuse(get.id, Refusal::NotReady, out);
        }
    }

    /// The leader has told an index.
    pub(super) fn take_index<E: Effects>(&mut self, question: u64, index: u64, out: &mut E) {
        let asked = self.asking.asked.take_if(|it| it.question == question);
        let Some(asked) = asked else {
            return;
        };
        let told = asked.gets.into_iter().map(|get| (index, get));
        self.asking.told.extend(told);
        self.learn_commit(index, out);
        self.answer_what_was_applied(out);
        self.ask_index(out);
    }

    /// Answers the gets whose index was applied.
    pub(super) fn answer_what_was_applied<E: Effects>(&mut self, out: &mut E) {
        if self.asking.told.is_empty() {
            return;
        }
        let applied = self.machine.at().index;
        let ready = self
            .asking
            .told
            .extract_if(.., |(index, _)| *index <= applied);
        let ready: Vec<AskedGet> = ready.map(|(_, get)| get).collect();
        for get in ready {
            self.answer_get(get.id, &get.key, out);
        }
    }
}
