//! The lanes of clients in the simulated world: those that the load generator drives, over
//! simulated links, with a pause after each step.

use kvs_check::history::Phase;
use kvs_core::drive::{self, EndedOperation, Hands, InFlight, Ledger, Order, Pacer, Wake, Wire};
use kvs_core::protocol::{NodeId, request_bytes};

use super::clients::{Book, Sent, Source};
use super::counters::Counters;
use super::links::Links;
use super::node::Node;
use super::queue::{Event, Queue, Slots};
use super::world::{World, write_down};

/// The way to the nodes.
struct Roads<'a> {
    nodes: &'a [Node],
    links: &'a mut Links,
    queue: &'a mut Queue,
    requests: &'a mut Slots<Sent>,
    counters: &'a mut Counters,
    /// Where values are made.
    value: &'a mut Vec<u8>,
    now_ns: u64,
}

impl Wire for Roads<'_> {
    fn send(&mut self, node: NodeId, id: u32, order: &Order<'_>) -> drive::Sent {
        let to = usize::from(node.0);
        if self.nodes[to].refuses() {
            return drive::Sent::Nowhere;
        }
        let slot = self.requests.take();
        let sent = self.requests.at(slot);
        *sent = Sent {
            id,
            client: order.client,
            node: to,
            life: self.nodes[to].life,
            waits: false,
            key: order.key,
            ask: order.ask,
            context: order.context.into(),
            call: order.call,
        };
        self.counters.requests += 1;
        self.counters.request_bytes += order.with(self.value, request_bytes) as u64;
        match self.links.client(order.client, to, self.now_ns) {
            Some(at_ns) => self.queue.push(at_ns, Event::Request(slot)),
            None => self.requests.release(slot),
        }
        drive::Sent::To {
            incarnation: self.nodes[to].spec.incarnation,
        }
    }
}

/// Records operations, and writes them down where that is asked for.
struct Scribe<'a> {
    book: &'a mut Book,
    trace: &'a mut Option<String>,
}

impl Ledger<Phase> for Scribe<'_> {
    fn operation(&mut self, ended: &EndedOperation<'_, Phase>) {
        self.book.operation(ended);
        if self.trace.is_none() {
            return;
        }
        let InFlight {
            ask,
            key,
            index,
            node,
            ..
        } = ended.operation;
        let kind = ask.name();
        let (session, outcome, response) = (ended.session, ended.outcome, ended.response);
        let what = format_args!(
            "s{session}:{index} {kind} of key {key} at {node}: {outcome:?} {response:?}"
        );
        write_down(self.trace, ended.ended_ns, what);
    }

    fn retried(&mut self) {
        self.book.retried();
    }
}

impl World<'_> {
    /// Has a lane begin its next step, or idle when there is none: then everything is healed.
    pub(super) fn begin(&mut self, lane: u32) {
        let now_ns = self.now_ns;
        self.drive(|pacer, hands| pacer.proceed(lane, now_ns, hands));
        if self.clients.pacer.idle() > 0 {
            self.heal();
        }
    }

    /// A reply reaches its client. Replies to requests that were given up are ignored.
    pub(super) fn reply_arrives(&mut self, slot: u32) {
        let reply = std::mem::take(self.outbox.slots.at(slot));
        if self.clients.pacer.lanes().is_awaited(reply.request) {
            let now_ns = self.now_ns;
            self.drive(|pacer, hands| {
                reply.with(|response| {
                    pacer.handle_response(reply.request, response, now_ns, hands);
                });
            });
        }
        *self.outbox.slots.at(slot) = reply;
        self.outbox.slots.release(slot);
    }

    /// The oldest request under way is overdue.
    pub(super) fn time_out(&mut self) {
        let now_ns = self.now_ns;
        self.drive(|pacer, hands| pacer.time_out(now_ns, hands));
    }

    /// The connection broke that this request was sent on.
    pub(super) fn disconnect(&mut self, request: u32) {
        let now_ns = self.now_ns;
        self.drive(|pacer, hands| pacer.handle_disconnect(request, now_ns, hands));
    }

    /// Has lanes act, and those that pause then go on at their time.
    fn drive(
        &mut self,
        act: impl FnOnce(&mut Pacer<Phase>, &mut Hands<'_, Roads<'_>, Scribe<'_>, Source>),
    ) {
        let mut roads = Roads {
            nodes: &self.nodes,
            links: &mut self.links,
            queue: &mut self.queue,
            requests: &mut self.requests,
            counters: &mut self.counters,
            value: &mut self.value,
            now_ns: self.now_ns,
        };
        let mut scribe = Scribe {
            book: &mut self.clients.book,
            trace: &mut self.trace,
        };
        let mut hands = Hands {
            wire: &mut roads,
            record: &mut scribe,
            steps: &mut self.clients.source,
        };
        act(&mut self.clients.pacer, &mut hands);
        self.await_pauses();
    }

    /// Has lanes that pause go on at their time, in the order of all that happens.
    pub(super) fn await_pauses(&mut self) {
        while let Some(Wake { lane, at_ns }) = self.clients.pacer.wake(u64::MAX) {
            self.queue.push(at_ns, Event::Begin(lane));
        }
    }
}
