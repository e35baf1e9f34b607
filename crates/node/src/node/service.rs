//! What a node does with its inputs: it gives them to the replica, and carries out the effects.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs::File;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg32;
use smallvec::SmallVec;

use super::connections::{ConnectionId, Connections};
use super::control::NodeStatus;
use super::counters::{Counters, Usage};
use super::disk::{Commits, Disk, Held, Stored};
use super::log;
use super::peers::Peers;
use super::timers::Timers;
use crate::storage::{DiskFault, StorageError};
use crate::transport::frame::{MESSAGE_BYTES_MAX, REQUEST_BYTES_MAX, decode_message};
use crate::transport::pump::{Bounds, FrameHandler, StreamEnd, pump};
use crate::transport::quic::{AcceptError, Accepted, Arrival};
use crate::transport::{CloseCode, Endpoint, Malformed, Outbox, Peer, Role, codec, link};
use kvs_core::protocol::{Dot, Message, NodeId, Refusal, Response};
use kvs_core::replica::{Draws, Effects, Input, Persist, ReplicaSpec, RequestId, Timer};
use kvs_core::trace::{Stopped, TracedReplica, Tracer};

/// While more bytes of answers than this wait for a client to take them, its requests wait too.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// The longest that a record of the trace waits in memory.
const TRACE_FLUSH_EVERY: Duration = Duration::from_secs(1);

/// A running node.
pub(super) struct Service {
    spec: ReplicaSpec,
    replica: RefCell<TracedReplica<File>>,
    outputs: RefCell<Outputs>,
    /// The peers, shuffled anew for each timer.
    drawn: RefCell<(Vec<NodeId>, Pcg32)>,
    draws: Draws,
    timers: Rc<Timers>,
    clock_offset_ns: Cell<i64>,
    peers: Rc<Peers>,
    counters: Rc<RefCell<Counters>>,
}

/// Where the replica's effects go.
struct Outputs {
    /// Where the state is kept, if it is.
    disk: Option<Disk>,
    connections: Connections,
    peers: Rc<Peers>,
    counters: Rc<RefCell<Counters>>,
    /// The request that is being handled, until it is answered.
    handled: Option<RequestId>,
    /// Requests that the replica has deferred: their numbers are taken. As many as it lets wait.
    open: BTreeSet<RequestId>,
    /// Timers that were set and are not armed yet, with their delays in ms.
    timers: SmallVec<[(Timer, u64); 4]>,
}

impl Service {
    /// A node that has seen nothing, with its timers armed. What its replica is given goes into
    /// `trace`, if there is one.
    pub(super) fn start(
        spec: ReplicaSpec,
        seed: u64,
        endpoint: Endpoint,
        trace: Option<Tracer<File>>,
        disk: Option<Stored>,
    ) -> Result<Rc<Self>, StorageError> {
        let counters = Rc::<RefCell<Counters>>::default();
        let peers = Rc::new(Peers::new(spec.node, endpoint, Rc::clone(&counters)));
        let is_traced = trace.is_some();
        let mut replica = TracedReplica::new(&spec, trace);
        let (disk, commits) = match disk {
            Some(stored) => {
                let (disk, commits) = stored.bring_back(&spec, &mut replica)?;
                (Some(disk), Some(commits))
            }
            None => (None, None),
        };
        let outputs = Outputs {
            disk,
            connections: Connections::default(),
            peers: Rc::clone(&peers),
            counters: Rc::clone(&counters),
            handled: None,
            open: BTreeSet::new(),
            timers: SmallVec::new(),
        };
        let service = Rc::new(Self {
            drawn: RefCell::new((spec.peers.clone(), Pcg32::seed_from_u64(seed))),
            draws: spec.draws(),
            timers: Rc::default(),
            spec,
            outputs: RefCell::new(outputs),
            clock_offset_ns: Cell::new(0),
            peers,
            counters,
            replica: RefCell::new(replica),
        });
        service
            .replica
            .borrow_mut()
            .start(&mut *service.outputs.borrow_mut());
        service.after_input();
        if is_traced {
            tokio::task::spawn_local(Rc::clone(&service).flush_trace());
        }
        if let Some(commits) = commits {
            tokio::task::spawn_local(Rc::clone(&service).see_commits(commits));
        }
        Ok(service)
    }

    /// Releases what each commit was holding back, for as long as the node lives. A disk that fails
    /// ends the node: nobody can know what is durable (Rebello et al., *Can applications recover
    /// from fsync failures?*, 2020).
    async fn see_commits(self: Rc<Self>, mut commits: Commits) {
        while let Some(committed) = commits.recv().await {
            match committed {
                Ok(took) => {
                    self.outputs.borrow_mut().committed(took);
                    self.after_input();
                }
                Err(error) => {
                    log(format_args!("giving up: {error}"));
                    std::process::exit(1);
                }
            }
        }
    }

    /// Has a fault meet the node's disk. Whether it has one.
    pub(super) fn set_disk_fault(&self, fault: DiskFault) -> bool {
        let outputs = self.outputs.borrow();
        let disk = outputs.disk.as_ref();
        disk.inspect(|disk| disk.set_fault(fault)).is_some()
    }

    /// After each batch of inputs: begins a commit if there is something to commit and none is
    /// under way, and arms the timers that were set.
    fn after_input(self: &Rc<Self>) {
        if let Some(disk) = &mut self.outputs.borrow_mut().disk {
            disk.begin_commit(self.replica.borrow().replica());
        }
        self.arm_timers();
    }

    /// Hands what the trace has gathered to the system, again and again while it goes on.
    async fn flush_trace(self: Rc<Self>) {
        loop {
            tokio::time::sleep(TRACE_FLUSH_EVERY).await;
            if self.with_trace(Tracer::flush).is_none() {
                return;
            }
        }
    }

    /// Ends the trace, if there is one: nothing that comes from now on is recorded.
    pub(super) fn finish_trace(&self) {
        self.with_trace(Tracer::finish);
    }

    /// Notes in the log that the trace has ended. Returns none then, and when there is no trace.
    fn with_trace(&self, act: impl FnOnce(&mut Tracer<File>) -> Result<(), Stopped>) -> Option<()> {
        let mut replica = self.replica.borrow_mut();
        match act(replica.tracer()?) {
            Ok(()) => Some(()),
            Err(stopped) => {
                log(format_args!("{stopped}"));
                None
            }
        }
    }

    /// Serves every connection that comes in, for as long as the endpoint lives.
    pub(super) async fn accept_all(self: Rc<Self>, endpoint: Endpoint) {
        while let Some(arrival) = endpoint.arrival().await {
            tokio::task::spawn_local(Rc::clone(&self).serve(arrival));
        }
    }

    /// Learns where the nodes are.
    pub(super) fn meet(&self, addresses: &[(NodeId, SocketAddr)]) {
        self.peers.set(addresses, |node| {
            self.spec.others().any(|other| other == node)
        });
    }

    /// Sets how much more than the machine's the node's clock reads.
    pub(super) fn set_clock_offset(&self, offset_ns: i64) {
        self.clock_offset_ns.set(offset_ns);
    }

    /// How the node is.
    pub(super) fn status(&self, endpoint: &Endpoint) -> NodeStatus {
        NodeStatus {
            replica: self.replica.borrow().replica().status(),
            counters: *self.counters.borrow(),
            faults: endpoint.fault_counts(),
            disk: self.outputs.borrow().disk.as_ref().map(Disk::usage),
            usage: Usage::now(),
        }
    }

    async fn serve(self: Rc<Self>, arrival: Arrival) {
        let accepted = match arrival.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                log(format_args!("{error}"));
                let mut counters = self.counters.borrow_mut();
                match error {
                    AcceptError::Refused { .. } => counters.connections_refused += 1,
                    AcceptError::Lost { .. } => counters.handshakes_lost += 1,
                }
                return;
            }
        };
        match (accepted.role, accepted.peer) {
            (Role::Requests, _) => self.serve_client(accepted).await,
            (Role::Messages, Peer::Node(from)) => self.serve_peer(from, accepted).await,
            (Role::Messages, Peer::Client) => unreachable!("clients send no messages"),
        }
    }

    async fn serve_client(self: Rc<Self>, accepted: Accepted) {
        let outbox = Rc::<Outbox>::default();
        let slot = self
            .outputs
            .borrow_mut()
            .connections
            .insert(Rc::clone(&outbox));
        let Some(id) = slot else {
            let reason = b"too many connections";
            accepted.connection.close(CloseCode::Done.into(), reason);
            return;
        };
        self.counters.borrow_mut().clients_accepted += 1;
        let mut requests = Requests {
            service: &self,
            id,
            dots: Vec::new(),
            wall_ns: None,
        };
        let bounds = Bounds {
            frame_bytes_max: REQUEST_BYTES_MAX,
            outbox_bytes_max: ANSWER_BYTES_MAX,
        };
        let end = pump(accepted.send, accepted.recv, &outbox, &mut requests, bounds).await;
        self.outputs.borrow_mut().connections.remove(id);
        self.ended(&accepted.connection, &end);
    }

    async fn serve_peer(self: Rc<Self>, from: NodeId, accepted: Accepted) {
        self.counters.borrow_mut().peers_accepted += 1;
        let nothing = Outbox::default();
        let mut from_peer = FromPeer {
            service: &self,
            from,
        };
        let bounds = Bounds {
            frame_bytes_max: MESSAGE_BYTES_MAX,
            outbox_bytes_max: 0,
        };
        let end = pump(
            accepted.send,
            accepted.recv,
            &nothing,
            &mut from_peer,
            bounds,
        )
        .await;
        self.ended(&accepted.connection, &end);
    }

    fn ended(&self, connection: &quinn::Connection, end: &StreamEnd) {
        if let StreamEnd::Malformed(malformed) = end {
            let from = connection.remote_address();
            log(format_args!("closing {from}: {malformed}"));
            self.counters.borrow_mut().frames_malformed += 1;
        }
        link::close(connection, end);
    }

    /// The node's wall clock, right or wrong, in ns since 1970.
    fn wall_ns(&self) -> u64 {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(now.as_nanos())
            .unwrap_or(u64::MAX)
            .saturating_add_signed(self.clock_offset_ns.get())
    }

    /// Random bits for one input, if its replica asks for them.
    fn random(&self) -> u64 {
        if self.draws.random {
            self.drawn.borrow_mut().1.next_u64()
        } else {
            0
        }
    }

    /// What the replica is told with an input that no peers are drawn for.
    fn input(&self, wall_ns: u64) -> Input<'static> {
        Input {
            wall_ns,
            peers: &[],
            random: self.random(),
        }
    }

    /// Fires a timer with peers drawn for it.
    fn fire(self: &Rc<Self>, timer: Timer) {
        let random = self.random();
        {
            let mut drawn = self.drawn.borrow_mut();
            let (peers, generator) = &mut *drawn;
            let (chosen, _) = peers.partial_shuffle(generator, self.draws.peers);
            let input = Input {
                wall_ns: self.wall_ns(),
                peers: chosen,
                random,
            };
            let mut outputs = self.outputs.borrow_mut();
            self.replica
                .borrow_mut()
                .handle_timer(timer, &input, &mut *outputs);
        }
        self.after_input();
    }

    /// Fires the timers that were set when their time has come. One that runs starts anew.
    fn arm_timers(self: &Rc<Self>) {
        let timers = std::mem::take(&mut self.outputs.borrow_mut().timers);
        for (timer, delay_ms) in timers {
            let service = Rc::clone(self);
            self.timers
                .arm(timer, delay_ms, move || service.fire(timer));
        }
    }
}

impl Outputs {
    /// Answers at once that there is too much to do, which shows nothing of the state.
    fn refuse(&mut self, id: RequestId, number: u32) {
        self.handled = None;
        if let Some((outbox, _)) = self.connections.destination(id) {
            self.counters.borrow_mut().responses += 1;
            outbox
                .response(number, &Response::Refused(Refusal::Overloaded))
                .expect("a refusal is short");
        }
    }

    /// A commit has ended well: releases what it was holding back.
    fn committed(&mut self, took: Duration) {
        let Some(disk) = &mut self.disk else { return };
        disk.committed(took);
        while let Some(held) = disk.release() {
            match held {
                Held::Reply(to, frame) => match self.connections.destination(to) {
                    Some((outbox, _)) => outbox.encoded(&frame),
                    None => self.counters.borrow_mut().responses_undeliverable += 1,
                },
                Held::Message(to, message) => self.peers.send(to, &message),
            }
        }
    }
}

impl Effects for Outputs {
    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        // Nearly every request is answered while it is handled, and costs this comparison.
        if self.handled == Some(to) {
            self.handled = None;
        } else {
            self.open.remove(&to);
        }
        let mut counters = self.counters.borrow_mut();
        let Some((outbox, number)) = self.connections.destination(to) else {
            counters.responses_undeliverable += 1;
            return;
        };
        counters.responses += 1;
        let refusal = Response::Refused(Refusal::Overloaded);
        if let Some(disk) = self.disk.as_mut().filter(|disk| disk.holds()) {
            let frame = Outbox::encode(number, response).unwrap_or_else(|_| {
                counters.responses_too_long += 1;
                Outbox::encode(number, &refusal).expect("a refusal is short")
            });
            disk.hold(Held::Reply(to, frame));
        } else if outbox.response(number, response).is_err() {
            counters.responses_too_long += 1;
            outbox
                .response(number, &refusal)
                .expect("a refusal is short");
        }
    }

    fn send(&mut self, to: NodeId, message: Message) {
        match self.disk.as_mut().filter(|disk| disk.holds()) {
            Some(disk) => {
                let dropped = !disk.hold(Held::Message(to, message));
                self.counters.borrow_mut().messages_dropped += u64::from(dropped);
            }
            None => self.peers.send(to, &message),
        }
    }

    fn persist(&mut self, change: &Persist<'_>) {
        if let Some(disk) = &mut self.disk {
            disk.note(change);
        }
    }

    fn set_timer(&mut self, timer: Timer, delay_ms: u64) {
        self.timers.push((timer, delay_ms));
    }
}

/// Requests of one connection.
struct Requests<'a> {
    service: &'a Rc<Service>,
    id: ConnectionId,
    dots: Vec<Dot>,
    /// The clock, read once a batch: the hybrid clock orders what falls on one reading.
    wall_ns: Option<u64>,
}

impl FrameHandler for Requests<'_> {
    fn anticipate<'a>(&mut self, payloads: impl Iterator<Item = &'a [u8]>) {
        let keys = payloads.filter_map(codec::key_of_request);
        self.service.replica.borrow().replica().anticipate(keys);
    }

    fn frame(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        let service = self.service;
        let (number, request) = codec::decode_request(payload, &mut self.dots)?;
        let wall_ns = *self.wall_ns.get_or_insert_with(|| service.wall_ns());
        let input = service.input(wall_ns);
        let id = self.id.request(number);
        let mut outputs = service.outputs.borrow_mut();
        if outputs.open.contains(&id) {
            return Err(Malformed::RequestOpen(number));
        }
        service.counters.borrow_mut().requests += 1;
        outputs.handled = Some(id);
        if outputs.disk.as_ref().is_some_and(Disk::is_full) {
            outputs.refuse(id, number);
            return Ok(());
        }
        let mut replica = service.replica.borrow_mut();
        replica.handle_request(id, &request, &input, &mut *outputs);
        if let Some(deferred) = outputs.handled.take() {
            outputs.open.insert(deferred);
        }
        Ok(())
    }

    fn batch_end(&mut self) {
        self.wall_ns = None;
        self.service.after_input();
    }
}

/// Messages of one peer.
struct FromPeer<'a> {
    service: &'a Rc<Service>,
    from: NodeId,
}

impl FrameHandler for FromPeer<'_> {
    fn frame(&mut self, payload: &[u8]) -> Result<(), Malformed> {
        let service = self.service;
        let message: Message = decode_message(payload)?;
        let input = service.input(service.wall_ns());
        {
            let mut counters = service.counters.borrow_mut();
            counters.messages_in += 1;
            counters.message_bytes_in += payload.len() as u64;
        }
        service.replica.borrow_mut().handle_message(
            self.from,
            message,
            &input,
            &mut *service.outputs.borrow_mut(),
        );
        Ok(())
    }

    fn batch_end(&mut self) {
        self.service.after_input();
    }
}
