//! The faults of a simulated world: how they come, and how they are healed.

use kvs_core::protocol::{NodeId, Origin};
use kvs_load::nemesis::{
    DiskFault, Fault, Harm, Needs, PacketFault, Reach, Role, SimFault, Strike,
};

use super::dice::Dice;
use super::disk::{Disk, Held};
use super::draw::{Draw, Purpose};
use super::node::{Node, State};
use super::plan::Plan;
use super::queue::Event;
use super::world::World;

/// The chance that clients are told of a process that ended.
const TOLD: f64 = 0.5;

/// A fault that comes.
#[derive(Clone, Debug)]
struct Coming {
    fault: SimFault,
    /// How it divides the world, for the trace; empty where it does not.
    sides: String,
    /// How long it lasts; none where it stands until everything is healed.
    lasts_ns: Option<u64>,
}

impl Coming {
    /// What stands comes before anything happens, and is counted when it shows.
    const fn stands(&self) -> bool {
        self.lasts_ns.is_none()
    }
}

/// Draws the faults.
#[derive(Debug)]
pub(super) struct Nemesis {
    draws: Vec<Draw>,
    /// The fault that comes now.
    coming: Option<Coming>,
    /// What is wrong until everything is healed.
    standing: Vec<Fault>,
    /// Whether a node says that it leads its group.
    pub(super) leads: fn(&Node) -> bool,
    /// Puts that no replica had any more when a node lost its state: those of an origin from the
    /// first counter to the second.
    pub(super) lost: Vec<(Origin, u64, u64)>,
}

impl Nemesis {
    pub(super) fn new(plan: &Plan) -> Self {
        let draw = |fault: &SimFault| Draw::new(plan.seed, Purpose::Fault(*fault));
        Self {
            draws: SimFault::ALL.iter().map(draw).collect(),
            coming: None,
            standing: Vec::new(),
            leads: |node| node.replica.status().leads(),
            lost: Vec::new(),
        }
    }

    fn draw(&mut self, fault: SimFault) -> &mut Draw {
        &mut self.draws[fault.index()]
    }
}

/// A harm of a simulated world is over by itself in time, or when everything is healed.
impl Reach for World<'_> {
    type Done<'a>
        = ()
    where
        Self: 'a;

    fn inflict(&mut self, harms: &[Harm]) {
        let coming = self.nemesis.coming.take().expect("a fault comes");
        let parts = |harm: &Harm| harm.deafness().is_some();
        if !coming.sides.is_empty() || harms.iter().any(parts) {
            self.cut(&coming, harms);
        }
        let (fault, lasts_ns) = (coming.fault, coming.lasts_ns.unwrap_or(u64::MAX));
        let place = |node: &NodeId| usize::from(node.0);
        for harm in harms {
            match harm {
                // All of it is one cut.
                Harm::Deaf(_) => {}
                Harm::Killed(node) => self.crash(place(node), fault, false, lasts_ns),
                Harm::Wiped(node) => self.crash(place(node), fault, true, lasts_ns),
                Harm::Paused(node) => self.pause(place(node), fault, lasts_ns),
                Harm::Clock(clock, node) => {
                    self.nodes[place(node)].turn(*clock, self.now_ns);
                    if !coming.stands() {
                        self.counters.fault(fault);
                        self.note(format_args!("the clock of {node} jumps"));
                    }
                }
                Harm::Disconnected(node) => self.break_connections(place(node), fault),
                Harm::Packets(packet, node) => self.links.suffer(*packet, place(node)),
                Harm::Disk(DiskFault::Full, _) => {
                    unreachable!("a full disk needs {}", Needs::Processes)
                }
                Harm::Disk(disk, node) => self.nodes[place(node)].suffers.push(*disk),
            }
        }
    }

    fn undo(&mut self, harms: &[Harm]) {
        for harm in harms {
            match harm {
                Harm::Deaf(_) => self.links.mend(),
                Harm::Killed(node) | Harm::Wiped(node) => self.restart(usize::from(node.0)),
                Harm::Paused(node) => {
                    let node = usize::from(node.0);
                    self.resume(node, self.nodes[node].life);
                }
                Harm::Disk(disk, node) => {
                    let suffers = &mut self.nodes[usize::from(node.0)].suffers;
                    suffers.retain(|suffered| suffered != disk);
                }
                // Messages go on overtaking one another, and clocks are as wrong as before: no
                // replica may need better to agree with the others.
                Harm::Packets(PacketFault::Reorder, _)
                | Harm::Clock(..)
                | Harm::Disconnected(_) => {}
                Harm::Packets(packet, node) => self.links.recover(*packet, usize::from(node.0)),
            }
        }
    }
}

impl World<'_> {
    /// Has everything be wrong that is so from the beginning.
    pub(super) fn stand(&mut self) {
        let plan = self.plan;
        for fault in plan.faults.keys() {
            let Some(stands) = fault.row().stands else {
                continue;
            };
            let what = stands(&mut self.dice(*fault));
            self.nemesis.coming = Some(Coming {
                fault: *fault,
                sides: String::new(),
                lasts_ns: None,
            });
            what.install(self);
            self.nemesis.standing.push(what);
        }
    }

    fn dice(&mut self, fault: SimFault) -> Dice<'_> {
        Dice {
            plan: self.plan,
            nodes: self.nodes.len() as u16,
            draw: self.nemesis.draw(fault),
        }
    }

    /// Lets the faults of the plan begin that come from time to time.
    pub(super) fn unleash(&mut self) {
        for (fault, rate) in &self.plan.faults {
            if fault.row().strikes.is_some() {
                let wait_ns = self.nemesis.draw(*fault).exponential(rate.every_ns);
                self.queue.push(wait_ns, Event::Fault(*fault));
            }
        }
    }

    /// A fault comes. The next of its kind is drawn with it.
    pub(super) fn strike(&mut self, fault: SimFault) {
        if self.healed_ns.is_some() || self.plan.watched {
            return;
        }
        let rate = self.plan.faults[&fault];
        let nodes = self.nodes.len();
        let draw = self.nemesis.draw(fault);
        let wait_ns = draw.exponential(rate.every_ns);
        let lasts_ns = 1 + draw.exponential(rate.lasts_ns);
        let node = draw.below(nodes);
        self.queue.push(self.now_ns + wait_ns, Event::Fault(fault));
        let mut node = self.nodes[node].spec.node;
        if self.plan.at_leader {
            match self.leader(node) {
                Some(leader) => node = leader,
                None => {
                    return self.note(format_args!("{fault}: nobody leads the group of {node}"));
                }
            }
        }
        let strikes = fault.row().strikes.expect("it comes from time to time");
        let Strike {
            fault: mut what,
            mut sides,
        } = strikes(&mut self.dice(fault), node);
        if self.plan.at_leader && !sides.is_empty() {
            what = what.aimed_at(node, &self.groups());
            sides = format!("of the leader {node}");
        }
        self.nemesis.coming = Some(Coming {
            fault,
            sides,
            lasts_ns: Some(lasts_ns),
        });
        what.install(self);
    }

    /// The node that leads the group of this one, as those say that are there to be asked.
    fn leader(&self, of: NodeId) -> Option<NodeId> {
        let mut groups = self.groups().into_iter();
        let mut group = groups.find(|group| group.contains(&of))?;
        group.retain(|node| {
            let node = &self.nodes[usize::from(node.0)];
            node.state == State::Up && (self.nemesis.leads)(node)
        });
        Role::leader(group)
    }

    fn groups(&self) -> Vec<Vec<NodeId>> {
        let groups = self.ports.groups().iter();
        groups.map(|group| group.members().collect()).collect()
    }

    /// Nodes, or clients and nodes, are parted.
    fn cut(&mut self, coming: &Coming, harms: &[Harm]) {
        let (fault, sides) = (coming.fault, &coming.sides);
        let until_ns = coming.lasts_ns.map_or(u64::MAX, |ns| self.now_ns + ns);
        self.counters.fault(fault);
        self.note(format_args!("{fault} {sides} until {until_ns} ns"));
        let deafness = harms.iter().filter_map(Harm::deafness);
        self.links.cut(deafness, self.now_ns, until_ns);
    }

    /// Every client that waits for the node hears that its connection is broken, after a while.
    fn break_connections(&mut self, node: usize, fault: SimFault) {
        self.counters.fault(fault);
        self.note(format_args!("the connections to n{node} break"));
        self.tell_clients(node);
    }

    fn tell_clients(&mut self, node: usize) {
        for (request, client) in self.clients.waiting_for(self.nodes[node].spec.node) {
            if let Some(at_ns) = self.links.client(client, node, self.now_ns) {
                self.queue.push(at_ns, Event::Disconnect(request));
            }
        }
    }

    fn pause(&mut self, node: usize, fault: SimFault, lasts_ns: u64) {
        let paused = &mut self.nodes[node];
        if paused.state != State::Up {
            return;
        }
        paused.state = State::Paused;
        let event = Event::Resume(paused.spec.node, paused.life);
        self.queue.push(self.now_ns.saturating_add(lasts_ns), event);
        self.counters.fault(fault);
        self.note(format_args!("n{node} pauses for {lasts_ns} ns"));
    }

    /// A paused node goes on, and takes in what has waited.
    pub(super) fn resume(&mut self, node: usize, life: u32) {
        if self.nodes[node].state != State::Paused || self.nodes[node].life != life {
            return;
        }
        self.note(format_args!("n{node} goes on"));
        self.nodes[node].state = State::Up;
        let mut waiting = std::mem::take(&mut self.nodes[node].inbox);
        for event in waiting.drain(..) {
            // A sync among them may fail and end the process; what comes after is lost with it.
            if self.nodes[node].life == life {
                self.handle(node, event);
            } else {
                self.discard(event);
            }
        }
        self.nodes[node].inbox = waiting;
    }

    /// The process of a node ends, and may forget all that it kept.
    fn crash(&mut self, node: usize, fault: SimFault, forgets: bool, lasts_ns: u64) {
        let refuses = self.nemesis.draw(fault).chance(TOLD);
        if self.nodes[node].is_down() || forgets && !self.may_forget(node) {
            return;
        }
        self.counters.fault(fault);
        self.note(format_args!("{fault} of n{node} for {lasts_ns} ns"));
        let waiting = std::mem::take(&mut self.nodes[node].inbox);
        for event in waiting {
            self.discard(event);
        }
        let life = self.nodes[node].life;
        let unanswered: Vec<u32> = self
            .requests
            .iter()
            .filter(|(_, sent)| sent.waits && sent.node == node && sent.life == life)
            .map(|(slot, _)| slot)
            .collect();
        for slot in unanswered {
            self.requests.at(slot).waits = false;
            self.requests.release(slot);
        }
        let crashed = &mut self.nodes[node];
        if let Some(disk) = &mut crashed.disk {
            let tears = crashed.suffers.contains(&DiskFault::TornWrite);
            let (damage, held) = disk.crash(tears, self.nemesis.draw(fault));
            for held in held {
                if let Held::Reply(_, slot) = held {
                    self.outbox.slots.release(slot);
                }
            }
            self.counters.changes_lost += damage.lost as u64;
            self.counters.changes_torn += u64::from(damage.torn);
        }
        crashed.life += 1;
        crashed.state = State::Down { refuses };
        if forgets || crashed.disk.is_some() {
            let status = crashed.replica.status();
            self.counters.add_replica(&status.counters);
        }
        crashed.come_back(forgets);
        let event = Event::Restart(crashed.spec.node);
        self.queue.push(self.now_ns.saturating_add(lasts_ns), event);
        if refuses {
            self.tell_clients(node);
        }
    }

    /// The sync under way at a node has ended, well or not. A node whose sync failed cannot know
    /// what is durable, so that its process ends (Rebello et al., *Can applications recover from
    /// fsync failures?*, 2020).
    pub(super) fn synced(&mut self, node: usize) {
        let draw = self.nemesis.draw(SimFault::DISK);
        let failed = draw.chance(self.plan.syncs.fail);
        let lasts_ns = 1 + draw.exponential(self.plan.faults[&SimFault::DISK].lasts_ns);
        if failed && self.nodes[node].suffers.contains(&DiskFault::SyncFails) {
            return self.crash(node, SimFault::DISK, false, lasts_ns);
        }
        self.counters.syncs += 1;
        let disk = self.nodes[node].disk.as_mut();
        disk.expect("it has synced").end_sync();
        self.send_durable(node);
        self.begin_sync(node);
    }

    /// Has the disk of a node make durable what is not, if it is not at it.
    pub(super) fn begin_sync(&mut self, node: usize) {
        let (id, life) = (self.nodes[node].spec.node, self.nodes[node].life);
        let disk = self.nodes[node].disk.as_mut();
        if disk.is_some_and(Disk::begin_sync) {
            let draw = self.nemesis.draw(SimFault::DISK);
            let lasts_ns = draw.exponential(self.plan.syncs.lasts_ns);
            self.queue
                .push(self.now_ns + lasts_ns, Event::Synced(id, life));
        }
    }

    /// A node's process starts again.
    pub(super) fn restart(&mut self, node: usize) {
        if !self.nodes[node].is_down() {
            return;
        }
        self.note(format_args!("n{node} starts again"));
        self.nodes[node].state = State::Up;
        self.start(node);
    }

    /// Ends all faults: cuts are mended, every node is up and goes on.
    pub(super) fn heal(&mut self) {
        if self.healed_ns.is_some() {
            return;
        }
        self.healed_ns = Some(self.now_ns);
        self.note(format_args!("everything is healed"));
        for fault in std::mem::take(&mut self.nemesis.standing) {
            fault.heal(self);
        }
        let nodes = self.nodes.iter().map(|node| node.spec.node);
        let of = |node| [Harm::Paused(node), Harm::Killed(node)];
        let harms: Vec<Harm> = nodes.flat_map(of).collect();
        self.links.mend();
        self.undo(&harms);
    }
}
