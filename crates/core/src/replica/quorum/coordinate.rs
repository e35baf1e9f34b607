//! Clients' requests: an operation asks, then has written, and is answered.
//!
//! A get skips the write-back to the replicas whose answers show that they have the put already: an
//! answer of that version says the same as the acknowledgement of writing it. So where `write` of
//! the answers agree, it is answered after one round.

use super::pending::{Operation as Pended, Phase, Vote};
use super::registers::version_of;
use super::{NOTE_NUMBERS, Quorum};
use crate::bug::Bug;
use crate::protocol::{
    Dot, NodeId, Operation, PutWitness, QuorumWords, Record, Refusal, Request, Response, Sibling,
    Update,
};
use crate::replica::shard::owns;
use crate::replica::{Effects, Input, RequestId};

impl Quorum {
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
        let value = match request.operation {
            Operation::Get => None,
            Operation::Put { value } => Some(value),
            // It takes consensus.
            Operation::Cas { .. } => return self.refuse(id, Refusal::Rejected, out),
        };
        if self.is_spare() {
            return self.refuse(id, Refusal::Rejected, out);
        }
        if self.recovery.is_some() {
            return self.refuse(id, Refusal::NotReady, out);
        }
        let record = Record::new(request.key, self.origin, &[], value.unwrap_or_default());
        if !self.has_room_for(&record) {
            return self.refuse(id, Refusal::Overloaded, out);
        }
        let own = self.registers.find(request.key);
        let own = own.map(|put| put.to_update());
        let above = own.as_ref().map_or_else(Dot::default, |own| own.dot);
        let operation = Pended {
            request: id,
            is_put: value.is_some(),
            record,
            phase: Phase::Query { above, best: own },
            votes: std::iter::once(self.own_vote(above)).collect(),
            looks: 0,
            age: 0,
        };
        let name = self.numbers.name();
        let asked = self.reads(&operation) - 1;
        self.pending.insert(name, operation);
        let peers: Vec<NodeId> = self.peers.from(input.random).take(asked).collect();
        self.reserve(out);
        self.ask(name, &peers, out);
        self.set_retry_timer(out);
        self.advance(name, out);
    }

    /// Takes what a replica has of the key that it was asked for.
    pub(super) fn take_answer<E: Effects>(
        &mut self,
        from: NodeId,
        operation: Dot,
        version: Dot,
        update: Option<Update>,
        out: &mut E,
    ) {
        self.numbers.observe(version.counter());
        let vote = self.vote_of(from, version);
        let Some(pended) = self.under_way(operation) else {
            return;
        };
        let Phase::Query { above, .. } = &pended.phase else {
            return;
        };
        let is_told = update.as_ref().is_some_and(|told| told.dot == version);
        if !pended.is_put && version_of(version) > version_of(*above) && !is_told {
            return;
        }
        if pended.has_vote_of(from) {
            return;
        }
        pended.votes.push(vote);
        let Phase::Query { best, .. } = &mut pended.phase else {
            return;
        };
        let known = best.as_ref().map_or_else(Dot::default, |best| best.dot);
        if let Some(told) = update
            && version_of(told.dot) > version_of(known)
        {
            *best = Some(told);
        }
        self.advance(operation.counter(), out);
    }

    /// Takes that a replica, or a spare for it, has what an operation had written.
    pub(super) fn take_written<E: Effects>(
        &mut self,
        from: NodeId,
        operation: Dot,
        home: NodeId,
        out: &mut E,
    ) {
        let vote = self.vote_of(from, Dot::default());
        let Some(pended) = self.under_way(operation) else {
            return;
        };
        let Phase::Write(update) = &pended.phase else {
            return;
        };
        let version = update.dot;
        if !pended.has_vote_of(from) && !pended.has_vote_for(home) {
            pended.votes.push(Vote {
                version,
                home,
                ..vote
            });
            self.advance(operation.counter(), out);
        }
    }

    /// Looks at the operations under way: asks spares to stand in for those who have not answered,
    /// asks those again at every other look, and gives up what has taken too long.
    pub(super) fn look<E: Effects>(&mut self, out: &mut E) {
        self.retry_timer_set = false;
        let mut lacking = Vec::new();
        let mut again = Vec::new();
        let mut overdue = Vec::new();
        for (name, pended) in self.pending.iter_mut() {
            pended.looks += 1;
            pended.age += 1;
            if pended.age >= self.settings.looks_max {
                overdue.push(name);
            } else if pended.looks >= 2 && pended.looks.is_power_of_two() {
                again.push(name);
            } else if pended.looks == 1 && self.rule.sloppy {
                lacking.push(name);
            }
        }
        for name in lacking {
            let unheard = self.suspect_unheard(name);
            self.ask_spares(name, &unheard, out);
        }
        for name in again {
            self.ask_again(name, out);
        }
        for name in overdue {
            self.give_up(name, out);
        }
        self.ask_for_states_again(out);
        if !self.pending.is_empty() || self.recovery.is_some() {
            self.set_retry_timer(out);
        }
    }

    fn has_room_for(&self, record: &Record) -> bool {
        let bytes = self.pending.bytes() + record.packed_len() as u64;
        self.pending.len() < self.settings.pending_max as usize
            && bytes <= self.settings.pending_bytes_max
    }

    /// How many answers an operation needs.
    fn reads(&self, operation: &Pended) -> usize {
        if self.bug == Some(Bug::FirstAnswer) && !operation.is_put {
            return 1;
        }
        if self.rule.sloppy && operation.is_put {
            // It takes one above what it has seen and issued.
            return 1;
        }
        self.rule.read.into()
    }

    fn own_vote(&self, version: Dot) -> Vote {
        Vote {
            node: self.origin.node(),
            home: self.origin.node(),
            incarnation: self.origin.incarnation(),
            version,
        }
    }

    /// A vote of the life that is known to be a peer's last.
    fn vote_of(&self, node: NodeId, version: Dot) -> Vote {
        Vote {
            node,
            home: node,
            incarnation: self.lives.of(node),
            version,
        }
    }

    /// The operation of this name, which may be one of an earlier life.
    fn under_way(&mut self, operation: Dot) -> Option<&mut Pended> {
        if operation.origin() != self.origin {
            return None;
        }
        self.pending.get_mut(operation.counter())
    }

    /// Goes on with an operation that has the answers that it needs.
    fn advance<E: Effects>(&mut self, name: u64, out: &mut E) {
        let Some(pended) = self.pending.get(name) else {
            return;
        };
        let votes = pended.votes.len();
        match &pended.phase {
            Phase::Query { .. } if votes < self.reads(pended) => {}
            Phase::Query { .. } if pended.is_put => self.write(name, out),
            Phase::Query { best: None, .. } => self.answer_get(name, None, out),
            Phase::Query {
                best: Some(best), ..
            } => {
                let best = best.clone();
                self.end_reading(name, best, out);
            }
            Phase::Write(_) if votes < usize::from(self.rule.write) => {}
            Phase::Write(update) => {
                let update = update.clone();
                if pended.is_put {
                    self.answer_put(name, update.dot, out);
                } else {
                    self.answer_get(name, Some(&update), out);
                }
            }
        }
    }

    /// A put knows what there is: it takes a version above, and has that written.
    fn write<E: Effects>(&mut self, name: u64, out: &mut E) {
        let largest = self.pending.get(name).expect("it is under way").largest();
        let counter = if self.bug == Some(Bug::SharedVersion) {
            largest.counter() + 1
        } else {
            self.numbers.observe(largest.counter());
            self.numbers.issue()
        };
        self.reserve(out);
        let dot = Dot::new(self.origin, counter);
        let own = self.own_vote(dot);
        let pended = self.pending.get_mut(name).expect("it is under way");
        let update = Update {
            dot,
            time: counter,
            record: pended.record.clone(),
        };
        pended.phase = Phase::Write(update.clone());
        pended.looks = 0;
        pended.votes.clear();
        pended.votes.push(own);
        let peers: Vec<NodeId> = self.peers.nodes().collect();
        self.ask(name, &peers, out);
        let silent: Vec<NodeId> = self.peers.silent().collect();
        self.ask_spares(name, &silent, out);
        self.keep(update, out);
        self.advance(name, out);
    }

    /// A get knows what there is: it writes that back where it may be missing.
    fn end_reading<E: Effects>(&mut self, name: u64, best: Update, out: &mut E) {
        let own = self.own_vote(best.dot);
        let write_back = self.rule.write_back && self.bug != Some(Bug::NoWriteBack);
        let pended = self.pending.get_mut(name).expect("it is under way");
        let asked: Vec<NodeId> = pended.votes.iter().map(|vote| vote.node).collect();
        pended.votes.retain(|vote| vote.version == best.dot);
        if !pended.has_vote_of(own.node) {
            pended.votes.push(own);
        }
        let lacks = |node: &NodeId| !pended.has_vote_of(*node);
        let lacking: Vec<NodeId> = asked.into_iter().filter(lacks).collect();
        let copies = pended.votes.len() + lacking.len();
        let answers = pended.votes.len() >= usize::from(self.rule.write) || !write_back;
        pended.phase = Phase::Write(best.clone());
        pended.looks = 0;
        if answers || copies >= usize::from(self.rule.write) {
            // Those who have answered are enough.
            self.ask(name, &lacking, out);
        } else {
            let peers: Vec<NodeId> = self.peers.nodes().collect();
            self.ask(name, &peers, out);
        }
        self.keep(best.clone(), out);
        if answers {
            self.answer_get(name, Some(&best), out);
        }
    }

    /// Sends what the operation's phase asks to those who have not answered.
    fn ask<E: Effects>(&mut self, name: u64, nodes: &[NodeId], out: &mut E) {
        let pended = self.pending.get(name).expect("it is under way");
        let operation = Dot::new(self.origin, name);
        let words = match &pended.phase {
            Phase::Query { above, .. } => QuorumWords::Query {
                operation,
                key: pended.record.key().into(),
                above: (!pended.is_put).then_some(*above),
            },
            Phase::Write(update) => QuorumWords::Write {
                operation,
                update: update.clone(),
            },
        };
        let unheard = |node: &&NodeId| !pended.has_vote_of(**node);
        let nodes: Vec<NodeId> = nodes.iter().filter(unheard).copied().collect();
        for node in nodes {
            self.send(node, words.clone(), out);
        }
    }

    fn ask_again<E: Effects>(&mut self, name: u64, out: &mut E) {
        let unheard = self.suspect_unheard(name);
        self.ask(name, &unheard, out);
        self.ask_spares(name, &unheard, out);
    }

    /// The other replicas that have not answered, which are now taken for silent.
    fn suspect_unheard(&mut self, name: u64) -> Vec<NodeId> {
        let pended = self.pending.get(name).expect("it is under way");
        let unheard = |peer: &NodeId| !pended.has_vote_of(*peer);
        let unheard: Vec<NodeId> = self.peers.nodes().filter(unheard).collect();
        for peer in &unheard {
            self.peers.unanswered(*peer);
        }
        unheard
    }

    /// Ends an operation for which too few have answered. A put that was sent to anybody may still
    /// come to be read.
    fn give_up<E: Effects>(&mut self, name: u64, out: &mut E) {
        let pended = self.pending.remove(name);
        if pended.is_put && matches!(pended.phase, Phase::Write(_)) {
            self.counters.refused += 1;
            out.reply(pended.request, &Response::Indefinite);
        } else {
            self.refuse(pended.request, Refusal::Unavailable, out);
        }
    }

    fn answer_put<E: Effects>(&mut self, name: u64, dot: Dot, out: &mut E) {
        self.counters.puts += 1;
        let pended = self.pending.remove(name);
        let version = version_of(dot);
        let response = Response::Put(PutWitness::Lww { version });
        out.reply(pended.request, &response);
    }

    fn answer_get<E: Effects>(&mut self, name: u64, put: Option<&Update>, out: &mut E) {
        self.counters.gets += 1;
        let pended = self.pending.remove(name);
        let sibling = put.map(|put| Sibling {
            value: put.record.value(),
            witness: PutWitness::Lww {
                version: version_of(put.dot),
            },
        });
        let response = Response::Get {
            vector: &[],
            siblings: sibling.as_slice(),
        };
        out.reply(pended.request, &response);
    }

    /// Has the numbers that were given out reserved before anything leaves that shows them.
    fn reserve<E: Effects>(&mut self, out: &mut E) {
        let Some(note) = self.numbers.reserve() else {
            return;
        };
        if self.bug != Some(Bug::ReusedVersion) {
            Self::note(NOTE_NUMBERS, &note, out);
        }
    }
}
