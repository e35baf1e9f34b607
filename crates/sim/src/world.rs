//! The simulated world: nodes, clients and the network between them, in virtual time.

use std::fmt::{self, Write};

use kvs_core::protocol::{Message, NodeId, message_bytes};
use kvs_core::replica::RequestId;
use kvs_core::server::ServerPorts;

use super::clients::{Clients, Sent};
use super::counters::Counters;
use super::disk::{Disk, Held};
use super::host::SimHost;
use super::links::Links;
use super::nemesis::Nemesis;
use super::node::{INBOX_MAX, Node, State};
use super::outbox::Outbox;
use super::plan::Plan;
use super::queue::{Event, Queue, Slots};
use super::spread::Probe;

/// How much is written down of what happens, in bytes; what comes after is left out.
const TRACE_BYTES_MAX: usize = 64 << 20;
/// Milliseconds in nanoseconds.
pub(super) const MS: u64 = 1_000_000;

/// A message on its way.
#[derive(Debug, Default)]
pub(super) struct Posted(Option<(NodeId, NodeId, Message)>);

/// The world.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) plan: &'a Plan,
    pub(super) ports: ServerPorts,
    pub(super) now_ns: u64,
    pub(super) queue: Queue,
    pub(super) nodes: Vec<Node>,
    pub(super) links: Links,
    pub(super) clients: Clients,
    pub(super) nemesis: Nemesis,
    pub(super) requests: Slots<Sent>,
    pub(super) messages: Slots<Posted>,
    pub(super) outbox: Outbox,
    pub(super) counters: Counters,
    /// How updates spread, where the plan has that watched.
    pub(super) probe: Option<Box<Probe>>,
    /// When the faults ended.
    pub(super) healed_ns: Option<u64>,
    /// Where values are made.
    pub(super) value: Vec<u8>,
    pub(super) trace: Option<String>,
}

impl<'a> World<'a> {
    /// The world of a plan at time 0, with its nodes started.
    pub(super) fn new(plan: &'a Plan) -> Self {
        let mut host = SimHost::new(plan.settings, plan.bug);
        let ports = plan.architecture.deploy(&mut host, plan.lattice);
        let specs = host.into_specs().into_iter();
        let nodes: Vec<Node> = specs.map(|spec| Node::new(spec, plan)).collect();
        let mut world = Self {
            plan,
            probe: plan.watched.then(|| Box::new(Probe::new(&ports))),
            now_ns: 0,
            queue: Queue::default(),
            links: Links::new(plan, nodes.len()),
            clients: Clients::new(plan, &ports),
            ports,
            nemesis: Nemesis::new(plan),
            requests: Slots::default(),
            messages: Slots::default(),
            outbox: Outbox {
                keeps: plan.replays,
                watched: plan.watched,
                ..Outbox::default()
            },
            counters: Counters::default(),
            healed_ns: None,
            value: Vec::new(),
            trace: plan.trace.then(String::new),
            nodes,
        };
        world.stand();
        for node in 0..world.nodes.len() {
            world.start(node);
        }
        world.unleash();
        world.clients.unleash(plan);
        world.await_pauses();
        world
    }

    /// Lets the next thing happen, unless that is after `until_ns`. Whether something did.
    pub(super) fn step(&mut self, until_ns: u64) -> bool {
        let event_ns = self.queue.next_ns();
        let deadline_ns = self.clients.pacer.lanes_mut().deadline_ns();
        let (at_ns, overdue) = match (event_ns, deadline_ns) {
            (Some(event_ns), Some(deadline_ns)) if deadline_ns < event_ns => (deadline_ns, true),
            (Some(event_ns), _) => (event_ns, false),
            (None, Some(deadline_ns)) => (deadline_ns, true),
            (None, None) => return false,
        };
        if at_ns > until_ns {
            return false;
        }
        self.now_ns = at_ns;
        self.counters.events += 1;
        if overdue {
            self.time_out();
        } else if let Some(event) = self.queue.pop() {
            self.happen(event);
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Request(slot) => {
                let node = self.requests.at(slot).node;
                self.deliver(node, event);
            }
            Event::Message(slot) => match &self.messages.at(slot).0 {
                Some((_, to, _)) => {
                    let node = usize::from(to.0);
                    self.deliver(node, event);
                }
                None => unreachable!("a message on its way lies in its slot"),
            },
            Event::Timer(node, _, life, _) | Event::Synced(node, life) => {
                let node = usize::from(node.0);
                if self.nodes[node].life == life {
                    self.deliver(node, event);
                }
            }
            Event::Reply(slot) => self.reply_arrives(slot),
            Event::Begin(lane) => self.begin(lane),
            Event::Disconnect(request) => self.disconnect(request),
            Event::Resume(node, life) => self.resume(usize::from(node.0), life),
            Event::Restart(node) => self.restart(usize::from(node.0)),
            Event::Fault(fault) => self.strike(fault),
        }
    }

    /// Hands an input to a node, now or once it goes on; one that is down loses it.
    fn deliver(&mut self, node: usize, event: Event) {
        match self.nodes[node].state {
            State::Up => self.handle(node, event),
            State::Down { .. } => self.discard(event),
            State::Paused => {
                let full = self.nodes[node].inbox.len() >= INBOX_MAX;
                if full && matches!(event, Event::Message(_)) {
                    self.discard(event);
                } else {
                    self.nodes[node].inbox.push_back(event);
                }
            }
        }
    }

    pub(super) fn discard(&mut self, event: Event) {
        match event {
            Event::Request(slot) => self.requests.release(slot),
            Event::Message(slot) => {
                self.messages.at(slot).0 = None;
                self.messages.release(slot);
            }
            Event::Timer(..)
            | Event::Synced(..)
            | Event::Reply(_)
            | Event::Begin(_)
            | Event::Disconnect(_)
            | Event::Resume(..)
            | Event::Restart(_)
            | Event::Fault(_) => {}
        }
    }

    /// Has the replica of a node that is up handle an input.
    pub(super) fn handle(&mut self, node: usize, event: Event) {
        match event {
            Event::Request(slot) => self.handle_request(node, slot),
            Event::Message(slot) => self.handle_message(node, slot),
            Event::Timer(_, timer, _, setting) => {
                self.nodes[node].fire(timer, setting, self.now_ns, &mut self.outbox);
            }
            Event::Synced(..) => self.synced(node),
            Event::Reply(_)
            | Event::Begin(_)
            | Event::Disconnect(_)
            | Event::Resume(..)
            | Event::Restart(_)
            | Event::Fault(_) => unreachable!("only inputs of replicas are delivered"),
        }
        self.flush(node);
    }

    fn handle_request(&mut self, node: usize, slot: u32) {
        let sent = self.requests.at(slot);
        let (life, id) = (sent.life, sent.id);
        if life != self.nodes[node].life {
            self.requests.release(slot);
            return;
        }
        self.counters.late_requests += u64::from(!self.clients.pacer.lanes().is_awaited(id));
        let input = self.nodes[node].input(self.now_ns);
        let sent = self.requests.at(slot);
        sent.waits = true;
        let (replica, outbox) = (&mut self.nodes[node].replica, &mut self.outbox);
        sent.with(&mut self.value, |request| {
            replica.handle_request(RequestId(u64::from(slot)), request, &input, outbox);
        });
    }

    fn handle_message(&mut self, node: usize, slot: u32) {
        let posted = self.messages.at(slot).0.take();
        self.messages.release(slot);
        let (from, _, message) = posted.expect("a message on its way lies in its slot");
        let input = self.nodes[node].input(self.now_ns);
        if self.trace.is_some() {
            let incarnation = message.incarnation;
            let body = format!("{:?}", message.body);
            self.note(format_args!("n{node} hears {from}.{incarnation}: {body}"));
        }
        if let Some(probe) = &mut self.probe {
            probe.hears(&message);
        }
        let replica = &mut self.nodes[node].replica;
        replica.handle_message(from, message, &input, &mut self.outbox);
    }

    /// Starts a node's replica.
    pub(super) fn start(&mut self, node: usize) {
        self.nodes[node].replica.start(&mut self.outbox);
        self.flush(node);
    }

    /// Sends what the last input of a node has brought about.
    fn flush(&mut self, node: usize) {
        if let Some(probe) = &mut self.probe {
            for dot in self.outbox.applied.drain(..) {
                probe.applied(dot, self.now_ns);
            }
        }
        if self.keep(node) {
            self.send_all(node);
        } else {
            self.hold(node);
        }
        let (id, life) = (self.nodes[node].spec.node, self.nodes[node].life);
        while let Some((timer, delay_ms)) = self.outbox.timers.pop() {
            let delay_ns = match delay_ms {
                0 => self.links.batch_ns(),
                delay_ms => delay_ms * MS,
            };
            let setting = self.nodes[node].set_timer(timer);
            let event = Event::Timer(id, timer, life, setting);
            self.queue.push(self.now_ns + delay_ns, event);
        }
    }

    /// Writes what the last input of a node persisted to its disk. Whether what shows it may leave.
    fn keep(&mut self, node: usize) -> bool {
        let Some(disk) = &mut self.nodes[node].disk else {
            return true;
        };
        disk.write(&mut self.outbox.changes);
        if self.plan.syncs.lasts_ns == 0 {
            disk.sync_at_once();
            return true;
        }
        let holds = disk.holds();
        self.begin_sync(node);
        !holds
    }

    fn send_all(&mut self, node: usize) {
        let mut replies = std::mem::take(&mut self.outbox.replies);
        for (request, slot) in replies.drain(..) {
            self.answer(node, request, slot);
        }
        self.outbox.replies = replies;
        let mut messages = std::mem::take(&mut self.outbox.messages);
        for (to, message) in messages.drain(..) {
            self.post(node, to, message);
        }
        self.outbox.messages = messages;
    }

    /// Keeps back what a node has to say until its disk has made durable what that may show.
    fn hold(&mut self, node: usize) {
        let disk = self.nodes[node].disk.as_mut();
        let disk = disk.expect("only a disk holds something back");
        for (request, slot) in self.outbox.replies.drain(..) {
            disk.hold(Held::Reply(request, slot));
        }
        for (to, message) in self.outbox.messages.drain(..) {
            disk.hold(Held::Message(to, message));
        }
    }

    /// Sends what a node's disk held back and need not any longer.
    pub(super) fn send_durable(&mut self, node: usize) {
        loop {
            let disk = self.nodes[node].disk.as_mut();
            match disk.and_then(Disk::release) {
                Some(Held::Reply(request, slot)) => self.answer(node, request, slot),
                Some(Held::Message(to, message)) => self.post(node, to, message),
                None => return,
            }
        }
    }

    fn answer(&mut self, node: usize, request: RequestId, slot: u32) {
        let request = u32::try_from(request.0).expect("requests are named by their slots");
        let sent = self.requests.at(request);
        let client = sent.client;
        let reply = self.outbox.slots.at(slot);
        reply.request = sent.id;
        sent.waits = false;
        self.requests.release(request);
        self.counters.responses += 1;
        self.counters.response_bytes += reply.bytes as u64;
        match self.links.client(client, node, self.now_ns) {
            Some(at_ns) => self.queue.push(at_ns, Event::Reply(slot)),
            None => self.outbox.slots.release(slot),
        }
    }

    fn post(&mut self, from: usize, to: NodeId, message: Message) {
        self.counters.messages += 1;
        let bytes = message_bytes(&message);
        self.counters.message_bytes += bytes as u64;
        if let Some(probe) = &mut self.probe {
            probe.sent(&message, bytes);
        }
        let sender = self.nodes[from].spec.node;
        let receiver = usize::from(to.0);
        let arrivals = self
            .links
            .message(from, receiver, self.now_ns, &mut self.counters);
        let Some((last_ns, earlier)) = arrivals.split_last() else {
            return;
        };
        for at_ns in earlier {
            let slot = self.messages.take();
            self.messages.at(slot).0 = Some((sender, to, message.clone()));
            self.queue.push(*at_ns, Event::Message(slot));
        }
        let slot = self.messages.take();
        self.messages.at(slot).0 = Some((sender, to, message));
        self.queue.push(*last_ns, Event::Message(slot));
    }

    /// Writes down what happens, where that is asked for.
    pub(super) fn note(&mut self, what: fmt::Arguments<'_>) {
        write_down(&mut self.trace, self.now_ns, what);
    }
}

/// Writes down what happens at `now_ns`, where there is a trace.
pub(super) fn write_down(trace: &mut Option<String>, now_ns: u64, what: fmt::Arguments<'_>) {
    if let Some(trace) = trace
        && trace.len() < TRACE_BYTES_MAX
    {
        let ms = now_ns as f64 / MS as f64;
        writeln!(trace, "{ms:12.6} ms  {what}").expect("a string takes all");
    }
}
