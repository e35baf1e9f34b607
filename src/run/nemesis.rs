//! Carries a schedule of faults out on a running cluster, writes down what came of it, and undoes
//! everything at the end, whatever the end is.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::future::Future;
use std::io::Write;
use std::iter::Peekable;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;

use crate::client::{Clock, Load};
use crate::measure::{FaultWindow, FaultsRecord};
use crate::nemesis::{self, Deafness, Event, Fault, PacketFault, Schedule};
use crate::node::{Command, NodeError};
use crate::protocol::NodeId;
use crate::storage::DiskFault;
use crate::transport::faults::{NetworkFaults, PacketFaults};

use super::cluster::Cluster;
use super::directory::Directory;
use super::error::one_line;

/// What the nemesis did, a line an action.
const LOG_FILE: &str = "nemesis.jsonl";
/// How often a node is told of a clock that moves.
const CLOCK_TICK_NS: u64 = 10_000_000;
/// Faults at a time; while there are as many, no further one comes.
const ACTIVE_MAX: usize = 32;

/// The strength of packet faults: Jepsen's.
const CHANCE: f64 = 0.2;
const DELAY_NS: u64 = 50_000_000;
const JITTER_NS: u64 = 10_000_000;
const BYTES_PER_S: u64 = 125_000;

/// When faults may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) clock: Clock,
    /// The start of the measured part, in ns since the run began.
    pub(super) from_ns: u64,
    /// By when the last fault that was not written down has to be over, on the same clock.
    pub(super) until_ns: u64,
}

/// What goes on, in a few words, for the progress line.
pub(super) type Present = Rc<RefCell<String>>;

/// A nemesis at work.
pub(super) struct Nemesis<'a> {
    cluster: &'a mut Cluster,
    load: &'a Load,
    times: Times,
    schedule: Peekable<Schedule>,
    log: File,
    record: FaultsRecord,
    active: Vec<Active>,
    paused: BTreeSet<NodeId>,
    down: BTreeSet<NodeId>,
    /// What each node's network was told last.
    networks: BTreeMap<NodeId, NetworkFaults>,
    present: Present,
}

/// A fault that lasts.
struct Active {
    fault: Fault,
    /// Its place in the record.
    window: usize,
    since_ns: u64,
    until_ns: u64,
}

/// One line of the log.
#[derive(Serialize)]
struct Line<'a> {
    /// In ns since the run began, on the generator's clock.
    time_ns: u64,
    /// The same in UTC.
    time: String,
    /// `install` or `heal`.
    action: &'a str,
    kind: &'a str,
    fault: String,
    nodes: Vec<u16>,
    /// `installed`, `healed` or `failed`.
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

impl<'a> Nemesis<'a> {
    /// A nemesis that has done nothing yet.
    pub(super) fn new(
        cluster: &'a mut Cluster,
        load: &'a Load,
        times: Times,
        schedule: Schedule,
        directory: &Directory,
        present: Present,
    ) -> anyhow::Result<Self> {
        let path = directory.path().join(LOG_FILE);
        let log = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self {
            cluster,
            load,
            times,
            schedule: schedule.peekable(),
            log,
            record: FaultsRecord::default(),
            active: Vec::new(),
            paused: BTreeSet::new(),
            down: BTreeSet::new(),
            networks: BTreeMap::new(),
            present,
        })
    }

    /// Does what the schedule says until `stop` is ready, then undoes everything.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) -> FaultsRecord {
        let mut stop = pin!(stop);
        loop {
            let wait = self
                .next_ns()
                .map(|at_ns| Duration::from_nanos(at_ns.saturating_sub(self.times.clock.now_ns())));
            tokio::select! {
                biased;
                () = &mut stop => break,
                // For ever, when all is over.
                () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)) => self.act().await,
            }
        }
        while let Some(active) = self.active.pop() {
            self.heal(active).await;
        }
        self.record
    }

    /// When there is something to do next; none when all is over.
    fn next_ns(&mut self) -> Option<u64> {
        let heal = self.active.iter().map(|active| active.until_ns).min();
        let tick = self
            .active
            .iter()
            .any(|active| matches!(active.fault, Fault::Clock(clock, _) if clock.moves()))
            .then(|| self.times.clock.now_ns() + CLOCK_TICK_NS);
        [self.next_event_ns(), heal, tick]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the next fault comes, if one does.
    fn next_event_ns(&mut self) -> Option<u64> {
        if self.active.len() >= ACTIVE_MAX {
            return None;
        }
        let event = self.schedule.peek()?;
        let at_ns = self.times.from_ns + event.at_ns;
        let in_time = at_ns + event.lasts_ns <= self.times.until_ns;
        (event.is_written || in_time).then_some(at_ns)
    }

    async fn act(&mut self) {
        let now_ns = self.times.clock.now_ns();
        while let Some(over) = { &self.active }
            .iter()
            .position(|active| active.until_ns <= now_ns)
        {
            let over = self.active.swap_remove(over);
            self.heal(over).await;
        }
        if self.next_event_ns().is_some_and(|at_ns| at_ns <= now_ns)
            && let Some(event) = self.schedule.next()
        {
            self.install(event).await;
        }
        if let Err(reason) = self.turn_clocks().await {
            self.fail(format!("could not turn a clock: {reason}"));
        }
    }

    async fn install(&mut self, event: Event) {
        let since_ns = self.times.clock.now_ns();
        let window = self.record.windows.len();
        self.record.windows.push(FaultWindow {
            kind: event.fault.kind().name().to_owned(),
            fault: event.fault.to_string(),
            nodes: numbers(&event.fault.nodes()).map(u32::from).collect(),
            from_ns: since_ns,
            ..FaultWindow::default()
        });
        let done = match &event.fault {
            Fault::Kill(nodes) => self.kill(nodes).await,
            Fault::Pause(nodes) => self.pause(nodes).await,
            Fault::Disk(disk, nodes) => self.set_disks(storage_fault(*disk), nodes).await,
            Fault::Partition { .. } | Fault::Packet(..) | Fault::Clock(..) => Ok(()),
        };
        let until_ns = self.times.from_ns + event.at_ns + event.lasts_ns;
        self.active.push(Active {
            fault: event.fault.clone(),
            window,
            since_ns,
            until_ns,
        });
        let done = match &event.fault {
            Fault::Partition { .. } | Fault::Packet(..) => self.set_networks().await,
            Fault::Clock(..) => self.turn_clocks().await,
            Fault::Kill(_) | Fault::Pause(_) | Fault::Disk(..) => done,
        };
        self.note("install", &event.fault, done);
    }

    async fn heal(&mut self, over: Active) {
        let done = match &over.fault {
            Fault::Partition { .. } | Fault::Packet(..) => self.set_networks().await,
            Fault::Kill(nodes) => self.revive(nodes).await,
            Fault::Pause(nodes) => self.resume(nodes).await,
            Fault::Clock(_, nodes) => self.right_clocks(nodes).await,
            Fault::Disk(_, nodes) => self.mend_disks(nodes).await,
        };
        self.record.windows[over.window].to_ns = self.times.clock.now_ns();
        self.note("heal", &over.fault, done);
    }

    /// Writes down what was done and what came of it.
    fn note(&mut self, action: &str, fault: &Fault, done: Result<(), String>) {
        let outcome = match (&done, action) {
            (Err(_), _) => "failed",
            (Ok(()), "install") => "installed",
            (Ok(()), _) => "healed",
        };
        let line = Line {
            time_ns: self.times.clock.now_ns(),
            time: Timestamp::now().to_string(),
            action,
            kind: fault.kind().name(),
            fault: fault.to_string(),
            nodes: numbers(&fault.nodes()).collect(),
            outcome,
            detail: done.as_ref().err().cloned(),
        };
        let mut bytes = serde_json::to_vec(&line).expect("plain data");
        bytes.push(b'\n');
        if let Err(error) = self.log.write_all(&bytes) {
            self.fail(format!("cannot write {LOG_FILE}: {error}"));
        }
        if let Err(reason) = done {
            self.fail(format!("could not {action} {fault}: {reason}"));
        }
        let present: Vec<String> = { &self.active }
            .iter()
            .map(|active| active.fault.to_string())
            .collect();
        *self.present.borrow_mut() = present.join("; ");
    }

    fn fail(&mut self, failure: String) {
        self.record.failures.push(failure);
    }

    async fn kill(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        for &node in nodes {
            self.cluster.kill(node).await;
            self.down.insert(node);
            self.paused.remove(&node);
        }
        Ok(())
    }

    /// Brings nodes back, unless another fault keeps them down.
    async fn revive(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        let mut failed = Ok(());
        for &node in nodes {
            let held = |active: &Active| matches!(&active.fault, Fault::Kill(nodes) if nodes.contains(&node));
            if !self.down.contains(&node) || self.active.iter().any(held) {
                continue;
            }
            if let Err(error) = self.cluster.launcher().revive(node).await {
                // The others can come back all the same.
                failed = Err(one_line(&error.into()));
                continue;
            }
            self.down.remove(&node);
            self.networks.remove(&node);
            let addresses = self.cluster.addresses();
            let address = addresses.iter().find(|address| address.node == node);
            self.load.node_moved(*address.expect("it was revived"));
        }
        // Who is deaf to a node is so wherever it is, and the new life has no faults yet.
        let network = self.set_networks().await;
        let clocks = self.turn_clocks().await;
        failed.and(network).and(clocks)
    }

    async fn set_disks(&mut self, fault: DiskFault, nodes: &[NodeId]) -> Result<(), String> {
        for &node in nodes {
            let Some(handle) = self.cluster.launcher().node(node) else {
                continue;
            };
            if self.paused.contains(&node) {
                handle.tell(Command::Disk { fault });
                continue;
            }
            match handle.disk(fault).await {
                Ok(()) | Err(NodeError::Exited { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Mends disks, and brings back the nodes that their faults have ended, as they should.
    async fn mend_disks(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        let mut ended = Vec::new();
        for &node in nodes {
            let Some(handle) = self.cluster.launcher().node(node) else {
                continue;
            };
            let fault = DiskFault::None;
            if self.paused.contains(&node) {
                handle.tell(Command::Disk { fault });
                continue;
            }
            match handle.disk(fault).await {
                Ok(()) => {}
                Err(NodeError::Exited { .. }) => ended.push(node),
                Err(error) => return Err(error.to_string()),
            }
        }
        self.kill(&ended).await?;
        self.revive(&ended).await
    }

    async fn pause(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        for &node in nodes {
            let Some(handle) = self.cluster.launcher().node(node) else {
                continue;
            };
            match handle.pause().await {
                Ok(()) => drop(self.paused.insert(node)),
                // It has ended by itself, which its fate will say.
                Err(NodeError::Exited { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }

    /// Lets nodes go on, unless another fault stops them.
    async fn resume(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        let mut resumed = Vec::new();
        for &node in nodes {
            let held = |active: &Active| matches!(&active.fault, Fault::Pause(nodes) if nodes.contains(&node));
            if self.active.iter().any(held) || !self.paused.remove(&node) {
                continue;
            }
            if let Some(handle) = self.cluster.launcher().node(node) {
                match handle.resume().await {
                    Ok(()) => resumed.push(node),
                    Err(NodeError::Exited { .. }) => {}
                    Err(error) => return Err(error.to_string()),
                }
            }
        }
        // Their clocks may have been turned, or put right, while they stood still.
        self.right_clocks(&resumed).await
    }

    /// Tells each node what is wrong with its network, if that has changed.
    async fn set_networks(&mut self) -> Result<(), String> {
        let mut done = Ok(());
        let ids: Vec<NodeId> = self.cluster.ports().nodes().collect();
        for node in ids {
            let faults = self.network_of(node);
            let told = self.networks.get(&node);
            if self.down.contains(&node) || told.cloned().unwrap_or_default() == faults {
                continue;
            }
            let paused = self.paused.contains(&node);
            let launcher = self.cluster.launcher();
            match launcher.set_network(node, faults.clone(), paused).await {
                Ok(()) => drop(self.networks.insert(node, faults)),
                Err(error) => done = Err(one_line(&error.into())),
            }
        }
        done
    }

    /// All that is wrong with the network of a node now.
    fn network_of(&self, node: NodeId) -> NetworkFaults {
        let addresses = self.cluster.addresses();
        let address = |node: &NodeId| {
            let found = addresses.iter().find(|address| address.node == *node);
            found.map(|found| found.address)
        };
        let mut faults = NetworkFaults::default();
        for active in &self.active {
            match &active.fault {
                Fault::Partition { deafness, .. } => {
                    for deafness in deafness {
                        match deafness {
                            Deafness::Node(listener, speakers) if *listener == node => {
                                faults.deaf_to.extend(speakers.iter().filter_map(address));
                            }
                            Deafness::Clients(cut) if *cut == node => {
                                let clients = self.cluster.client_endpoint().local_addr();
                                faults.deaf_to.extend(clients.as_ref().ok());
                                faults.mute_to.extend(clients.ok());
                            }
                            Deafness::Node(..) | Deafness::Clients(_) => {}
                        }
                    }
                }
                Fault::Packet(packet, nodes) if nodes.contains(&node) => {
                    worsen(&mut faults.sent, *packet);
                }
                Fault::Packet(..)
                | Fault::Kill(_)
                | Fault::Pause(_)
                | Fault::Clock(..)
                | Fault::Disk(..) => {}
            }
        }
        faults
    }

    /// Has each clock that is wrong read what it should by now.
    async fn turn_clocks(&mut self) -> Result<(), String> {
        let now_ns = self.times.clock.now_ns();
        let mut offsets: BTreeMap<NodeId, i64> = BTreeMap::new();
        for active in &self.active {
            if let Fault::Clock(clock, nodes) = &active.fault {
                for &node in nodes {
                    let offset_ns = clock.offset_ns(now_ns - active.since_ns);
                    let offset = offsets.entry(node).or_default();
                    *offset = offset.saturating_add(offset_ns);
                }
            }
        }
        self.set_clocks(offsets).await
    }

    async fn right_clocks(&mut self, nodes: &[NodeId]) -> Result<(), String> {
        self.set_clocks(nodes.iter().map(|node| (*node, 0)).collect())
            .await?;
        self.turn_clocks().await
    }

    async fn set_clocks(&mut self, offsets: BTreeMap<NodeId, i64>) -> Result<(), String> {
        for (node, offset_ns) in offsets {
            let Some(handle) = self.cluster.launcher().node(node) else {
                continue;
            };
            // It is told when it goes on; until then commands would only heap up.
            if self.paused.contains(&node) {
                continue;
            }
            match handle.clock_offset(offset_ns).await {
                Ok(()) | Err(NodeError::Exited { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(())
    }
}

/// What the node's file does for a fault of the nemesis.
const fn storage_fault(fault: nemesis::DiskFault) -> DiskFault {
    match fault {
        nemesis::DiskFault::Full => DiskFault::Full,
        nemesis::DiskFault::SyncFails => DiskFault::SyncFails,
        nemesis::DiskFault::TornWrite => DiskFault::TornWrite,
    }
}

/// Adds a packet fault to what is wrong already.
fn worsen(sent: &mut PacketFaults, packet: PacketFault) {
    match packet {
        PacketFault::Delay => (sent.delay_ns, sent.jitter_ns) = (DELAY_NS, JITTER_NS),
        PacketFault::Loss => sent.loss = CHANCE,
        PacketFault::Duplicate => sent.duplicate = CHANCE,
        PacketFault::Reorder => sent.reorder = CHANCE,
        PacketFault::Corrupt => sent.corrupt = CHANCE,
        PacketFault::Rate => sent.bytes_per_s = BYTES_PER_S,
    }
}

fn numbers(nodes: &[NodeId]) -> impl Iterator<Item = u16> {
    nodes.iter().map(|node| node.0)
}
