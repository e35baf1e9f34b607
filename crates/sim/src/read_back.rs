//! The final reads: each replica is asked for every key that it has, by a lane that is pinned to
//! it, and answers at once, also where it asks others first. What was on its way before is lost: where
//! a replica waits for it, timers fire.

use std::collections::VecDeque;

use kvs_check::history::Phase;
use kvs_core::drive::{self, Due, EndedStep, Hands, Order, Step, StepKind, Steps, Wire, key_name};
use kvs_core::protocol::NodeId;
use kvs_core::replica::RequestId;

use super::node::Node;
use super::outbox::{Outbox, Reply};
use super::world::World;

/// How long a final read takes.
const FINAL_READ_NS: u64 = 1_000;
/// The name of the first final read: names go on above those of slots.
const FINAL_REQUESTS: u64 = 1 << 32;
/// How often timers fire for one final read, at most.
const ROUNDS_MAX: usize = 4;

/// The way to the nodes when nothing else happens: a request is handled as it is sent.
struct AtOnce<'a> {
    nodes: &'a mut [Node],
    outbox: &'a mut Outbox,
    value: &'a mut Vec<u8>,
    now_ns: u64,
    /// Which request was the last, as lanes name them.
    asked: u32,
    /// The same, as its replica knows it.
    request: RequestId,
}

impl AtOnce<'_> {
    /// The answer to the last request; none when its replica has deferred it.
    fn answer(&mut self) -> Option<Reply> {
        for _ in 0..ROUNDS_MAX {
            if let Some(reply) = self.take_answer() {
                return Some(reply);
            }
            for node in 0..self.nodes.len() {
                self.nodes[node].fire_recurring(self.now_ns, self.outbox);
                self.deliver(self.nodes[node].spec.node);
            }
        }
        self.take_answer()
    }

    fn take_answer(&mut self) -> Option<Reply> {
        let mut answer = None;
        while let Some((request, slot)) = self.outbox.replies.pop() {
            let reply = std::mem::take(self.outbox.slots.at(slot));
            if request == self.request {
                answer = Some(reply);
            }
        }
        answer
    }

    /// Lets arrive at once what a node has sent, and what follows from it.
    fn deliver(&mut self, from: NodeId) {
        let sent = self.outbox.messages.drain(..);
        let mut under_way: VecDeque<_> = sent.map(|(to, message)| (from, to, message)).collect();
        while let Some((from, to, message)) = under_way.pop_front() {
            let node = &mut self.nodes[usize::from(to.0)];
            let input = node.input(self.now_ns);
            node.replica
                .handle_message(from, message, &input, self.outbox);
            let sent = self.outbox.messages.drain(..);
            under_way.extend(sent.map(|(next, message)| (to, next, message)));
        }
        // No time passes any more, and no process ends.
        self.outbox.timers.clear();
        self.outbox.changes.clear();
    }
}

impl Wire for AtOnce<'_> {
    fn send(&mut self, node: NodeId, id: u32, order: &Order<'_>) -> drive::Sent {
        self.asked = id;
        let asked = &mut self.nodes[usize::from(node.0)];
        let input = asked.input(self.now_ns);
        let incarnation = asked.spec.incarnation;
        let (replica, outbox) = (&mut asked.replica, &mut *self.outbox);
        order.with(self.value, |request| {
            replica.handle_request(self.request, request, &input, outbox);
        });
        self.deliver(node);
        drive::Sent::To { incarnation }
    }
}

/// Final reads are not drawn, put nothing and are not measured.
struct Unmeasured;

impl Steps<Phase> for Unmeasured {
    fn draw(&mut self) -> u32 {
        0
    }

    fn value_id(&self, _: u32, _: u32) -> u64 {
        unreachable!("a read puts no value")
    }

    fn step(&mut self, _: &EndedStep<Phase>) {}
}

impl World<'_> {
    /// Reads every key from every replica that serves it.
    pub(super) fn read_back(&mut self) {
        for status in self.nodes.iter().map(|node| node.replica.status()) {
            self.counters.add_replica(&status.counters);
        }
        let nodes = self.nodes.iter().map(|node| Some(node.spec.node));
        self.clients.pacer.renew(nodes);
        for lane in 0..self.nodes.len() {
            for key in 0..self.clients.source.keys_end {
                let group = self.ports.route(&key_name(key));
                if group.nodes.contains(&self.nodes[lane].spec.node) {
                    self.read(lane as u32, key);
                }
            }
        }
    }

    fn read(&mut self, lane: u32, key: u64) {
        self.now_ns += FINAL_READ_NS;
        let (now_ns, ended_ns) = (self.now_ns, self.now_ns + FINAL_READ_NS / 2);
        let due = Due {
            step: Step {
                kind: StepKind::Read,
                key,
                value_bytes: 0,
            },
            intended_ns: now_ns,
            mark: Phase::Final,
        };
        let mut hands = Hands {
            wire: &mut AtOnce {
                nodes: &mut self.nodes,
                outbox: &mut self.outbox,
                value: &mut self.value,
                now_ns,
                asked: 0,
                request: RequestId(FINAL_REQUESTS + now_ns),
            },
            record: &mut self.clients.book,
            steps: &mut Unmeasured,
        };
        let lanes = self.clients.pacer.lanes_mut();
        let unsent = lanes.start(lane, due, now_ns, &mut hands);
        assert_eq!(unsent, None, "every node can be reached");
        let asked = hands.wire.asked;
        let ended = match hands.wire.answer() {
            Some(reply) => {
                reply.with(|response| lanes.handle_response(asked, response, ended_ns, &mut hands))
            }
            None => lanes.time_out(ended_ns, &mut hands),
        };
        assert!(ended.is_some(), "a pinned session asks nobody else");
    }
}
