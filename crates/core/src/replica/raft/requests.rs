//! Clients' requests. A replica that leads takes them. Another one names the leader for a write, once
//! it knows of one.

use std::collections::VecDeque;

use super::calls::Known;
use super::lead::Leader;
use super::machine::{Applied, Machine};
use super::reads::Get;
use super::{Effects, Input, Raft, Reads, Role};
use crate::protocol::{
    Call, Command, Expected, NodeId, Operation, PutWitness, Record, Refusal, Request, Response,
    Sibling,
};
use crate::replica::RequestId;
use crate::replica::shard::owns;
use crate::values::{UpdateRef, lww_version};

/// Who waits for an entry to be applied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Promised {
    /// Who asked for the write that it is.
    Write(RequestId),
    /// A get.
    Get(Get),
}

/// Writes that wait until a leader is known: it is named to their clients then.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Waiting(VecDeque<Waiter>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Waiter {
    id: RequestId,
    /// For how many ticks.
    ticks: u16,
}

impl Waiting {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Raft {
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
        if self.pending() >= self.settings.pending_max as usize {
            return self.refuse(id, Refusal::Overloaded, out);
        }
        let (expected, value) = match request.operation {
            Operation::Get => return self.take_get(id, request.key, input, out),
            Operation::Put { value } => (Expected::Anything, value),
            Operation::Cas {
                expected: None,
                value,
            } => (Expected::Nothing, value),
            Operation::Cas {
                expected: Some(expected),
                value,
            } => (Expected::Value(expected.into()), value),
        };
        if !self.leads() {
            return self.point_to_leader(id, out);
        }
        if let Some(call) = &request.call
            && let Some(applied) = self.answer_to(call)
        {
            return self.answer_write(id, &applied, out);
        }
        if let Some(call) = &request.call
            && self.waits_already(call, id, out)
        {
            return;
        }
        let record = Record::new(request.key, self.origin, &[], value);
        let command = Command::Write {
            call: request.call,
            expected,
            record,
        };
        let Role::Leader(leader) = &self.role else {
            return;
        };
        if leader.uncommitted_bytes + command.bytes() as u64 > self.settings.pending_bytes_max {
            return self.refuse(id, Refusal::Overloaded, out);
        }
        self.append_promised(command, Promised::Write(id), out);
    }

    /// Appends an entry that somebody waits for.
    pub(super) fn append_promised<E: Effects>(
        &mut self,
        command: Command,
        promised: Promised,
        out: &mut E,
    ) {
        let call = command.call();
        let index = self.append_own(command, out);
        if let Role::Leader(leader) = &mut self.role {
            leader.promised.insert(index, promised);
            if let Some(call) = call {
                leader.calls.insert(call.session, (call.operation, index));
            }
        }
        self.replicate(out);
    }

    /// The entry of this index was applied: tells who waits for it.
    pub(super) fn keep_promise<E: Effects>(
        &mut self,
        promised: Promised,
        index: u64,
        applied: Applied,
        out: &mut E,
    ) {
        match promised {
            Promised::Write(id) => self.answer_write(id, &applied, out),
            Promised::Get(get) => self.answer_get_at(get, index, out),
        }
    }

    /// Whether a call is an entry already that somebody waits for. Its session has asked again, and
    /// waits for the answer to this request from now on.
    fn waits_already<E: Effects>(&mut self, call: &Call, id: RequestId, out: &mut E) -> bool {
        let Role::Leader(leader) = &mut self.role else {
            return false;
        };
        let Some((operation, index)) = leader.calls.get(&call.session) else {
            return false;
        };
        if *operation != call.operation {
            return false;
        }
        let before = leader.promised.insert(*index, Promised::Write(id));
        if let Some(Promised::Write(before)) = before {
            out.reply(before, &Response::Indefinite);
        }
        true
    }

    /// What came of a call that was applied before.
    fn answer_to(&self, call: &Call) -> Option<Applied> {
        match self.machine.known(call) {
            Known::New => None,
            Known::Applied(last) => Some(Machine::outcome(last)),
            Known::Overtaken => Some(Applied::Overtaken),
            Known::Forgotten => Some(Applied::Forgotten),
        }
    }

    fn answer_write<E: Effects>(&mut self, id: RequestId, applied: &Applied, out: &mut E) {
        match applied {
            Applied::Written(index) => {
                self.counters.puts += 1;
                out.reply(id, &Response::Put(witness(*index)));
            }
            Applied::Mismatch(found) => {
                self.counters.gets += 1;
                let sibling = found.iter().flatten().map(|put| Sibling {
                    value: put.record.value(),
                    witness: witness(put.time),
                });
                let siblings: Vec<Sibling<'_>> = sibling.collect();
                let found = found.as_ref().map(|_| siblings.as_slice());
                out.reply(id, &Response::Mismatch { found });
            }
            Applied::Forgotten => self.refuse(id, Refusal::Rejected, out),
            // Its session goes on already, or the entry is none of a client.
            Applied::Overtaken | Applied::Nothing | Applied::Member(_) => {
                out.reply(id, &Response::Indefinite);
            }
        }
    }

    /// Answers a get from the state.
    pub(super) fn answer_get<E: Effects>(&mut self, id: RequestId, key: &[u8], out: &mut E) {
        self.counters.gets += 1;
        let sibling = self.machine.find(key).map(sibling_of);
        let response = Response::Get {
            vector: &[],
            siblings: sibling.as_slice(),
        };
        out.reply(id, &response);
    }

    /// Names the leader to who asked for a write, or has it wait until there is one.
    fn point_to_leader<E: Effects>(&mut self, id: RequestId, out: &mut E) {
        if self.leader.is_some() {
            return self.name_leader(id, out);
        }
        self.waiting.0.push_back(Waiter { id, ticks: 0 });
    }

    fn name_leader<E: Effects>(&mut self, id: RequestId, out: &mut E) {
        self.counters.refused += 1;
        let leader = self.leader;
        out.reply(id, &Response::NotLeader { leader });
    }

    /// A leader is known, or none any more.
    pub(super) fn leader_changed<E: Effects>(&mut self, out: &mut E) {
        if self.leader.is_some() {
            for waiter in std::mem::take(&mut self.waiting.0) {
                self.name_leader(waiter.id, out);
            }
        }
        self.ask_index_anew(out);
    }

    /// It leads no more. Whoever waits for a write asks the next leader, which knows whether it
    /// happened; gets wait for that leader here.
    pub(super) fn end_leading<E: Effects>(&mut self, leader: Leader, out: &mut E) {
        let rounds = leader.rounds.into_iter().flat_map(|round| round.gets);
        let gets: Vec<Get> = rounds.chain(leader.gets).collect();
        self.queue_gets(gets);
        for promised in leader.promised.into_values() {
            match promised {
                Promised::Write(id) => out.reply(id, &Response::Indefinite),
                Promised::Get(get) => self.queue_gets(vec![get]),
            }
        }
    }

    /// One more tick for what waits.
    pub(super) fn look_at_waiting<E: Effects>(&mut self, out: &mut E) {
        for waiter in &mut self.waiting.0 {
            waiter.ticks += 1;
        }
        let wait_ticks = self.settings.wait_ticks;
        while let Some(waiter) = self.waiting.0.front()
            && waiter.ticks >= wait_ticks
        {
            let id = waiter.id;
            self.waiting.0.pop_front();
            self.refuse(id, Refusal::NotReady, out);
        }
    }

    /// Whether gets are entries of the log.
    pub(super) fn reads_through_log(&self) -> bool {
        self.rule.reads == Reads::Log
    }

    /// The node that leads, if it is another one that is known.
    pub(super) fn other_leader(&self) -> Option<NodeId> {
        self.leader.filter(|leader| *leader != self.origin.node())
    }
}

/// What is told of a put: the index of its entry as a version.
fn witness(index: u64) -> PutWitness<'static> {
    let version = lww_version(index, super::machine::dot_of(index).origin());
    PutWitness::Lww { version }
}

fn sibling_of(put: UpdateRef<'_>) -> Sibling<'_> {
    Sibling {
        value: put.record.value(),
        witness: witness(put.time),
    }
}
