//! The network of a simulated world: how long a message takes, and whether it arrives.

use smallvec::SmallVec;

use super::counters::Counters;
use super::draw::{Draw, Purpose};
use super::fault::SimFault;
use super::plan::{Network, Plan};
use super::topology::Topology;

/// Above so many nodes no link remembers its last arrival, and messages overtake one another.
const ORDERED_NODES_MAX: usize = 1_024;
/// The chance that what a client sends into a cut arrives once that is over, as a transport that
/// sends again would have it; otherwise it is lost with its connection.
const HELD: f64 = 0.5;

/// Somebody cannot talk to somebody.
#[derive(Clone, Debug)]
pub(super) struct Cut {
    pub(super) until_ns: u64,
    /// Which nodes are on the far side.
    pub(super) far: Vec<bool>,
    pub(super) kind: CutKind,
}

/// Who cannot talk to whom.
#[derive(Clone, Copy, Debug)]
pub(super) enum CutKind {
    /// Nodes of different sides, either way.
    Both,
    /// Nodes of the far side to the others.
    OneWay,
    /// This client to nodes of the far side, either way.
    Client(u16),
}

/// The network.
#[derive(Debug)]
pub(super) struct Links {
    network: Network,
    topology: Topology,
    draw: Draw,
    cuts: Vec<Cut>,
    nodes: usize,
    /// When the last message of each link arrives; empty where that is not kept.
    last_ns: Vec<u64>,
}

impl Links {
    pub(super) fn new(plan: &Plan, nodes: usize) -> Self {
        let ordered = nodes <= ORDERED_NODES_MAX;
        Self {
            network: plan.network,
            topology: plan.topology,
            draw: Draw::new(plan.seed, Purpose::Network),
            cuts: Vec::new(),
            nodes,
            last_ns: if ordered {
                vec![0; nodes * nodes]
            } else {
                Vec::new()
            },
        }
    }

    /// How long nodes gather fresh updates.
    pub(super) const fn batch_ns(&self) -> u64 {
        self.network.batch_ns
    }

    /// From now on nothing goes wrong.
    pub(super) fn heal(&mut self) {
        self.cuts.clear();
        self.network.loss = 0.0;
        self.network.duplicate = 0.0;
        self.network.slow = 0.0;
    }

    pub(super) fn cut(&mut self, cut: Cut, now_ns: u64) {
        self.cuts.retain(|cut| cut.until_ns > now_ns);
        self.cuts.push(cut);
    }

    /// When a message from one node reaches another: never, once, or more than once.
    pub(super) fn message(
        &mut self,
        from: usize,
        to: usize,
        now_ns: u64,
        counters: &mut Counters,
    ) -> SmallVec<[u64; 2]> {
        let mut arrivals = SmallVec::new();
        if self.is_cut(from, to, now_ns) {
            counters.messages_cut += 1;
            return arrivals;
        }
        if self.network.loss > 0.0 && self.draw.chance(self.network.loss) {
            counters.fault(SimFault::Loss);
            return arrivals;
        }
        let mut at_ns = now_ns + self.delay_ns(from, to);
        if self.network.slow > 0.0 && self.draw.chance(self.network.slow) {
            counters.fault(SimFault::Delay);
            at_ns += self.draw.exponential(self.network.slow_ns);
        }
        if let Some(last_ns) = self.last_ns.get_mut(from * self.nodes + to) {
            if at_ns >= *last_ns {
                *last_ns = at_ns;
            } else if self.network.reorder {
                counters.fault(SimFault::Reorder);
            } else {
                at_ns = *last_ns;
            }
        }
        arrivals.push(at_ns);
        if self.network.duplicate > 0.0 && self.draw.chance(self.network.duplicate) {
            counters.fault(SimFault::Duplicate);
            arrivals.push(at_ns + self.delay_ns(from, to));
        }
        arrivals
    }

    /// When what a client and a node send one another arrives, either way; none when it never does.
    pub(super) fn client(&mut self, client: u16, node: usize, now_ns: u64) -> Option<u64> {
        let until_ns = self
            .cuts
            .iter()
            .filter(|cut| match cut.kind {
                CutKind::Client(cut_off) => cut_off == client && cut.far[node],
                CutKind::Both | CutKind::OneWay => false,
            })
            .map(|cut| cut.until_ns)
            .max()
            .filter(|until_ns| *until_ns > now_ns);
        // A client is where the node of its number is.
        let delay_ns = self.delay_ns(usize::from(client), node);
        match until_ns {
            None => Some(now_ns + delay_ns),
            Some(until_ns) => self.draw.chance(HELD).then_some(until_ns + delay_ns),
        }
    }

    fn delay_ns(&mut self, from: usize, to: usize) -> u64 {
        let (from, to) = (self.topology.region(from), self.topology.region(to));
        let least_ns = self.topology.one_way_ns(from, to, self.network.base_ns);
        least_ns + self.draw.exponential(self.network.jitter_ns)
    }

    fn is_cut(&self, from: usize, to: usize, now_ns: u64) -> bool {
        self.cuts.iter().any(|cut| {
            cut.until_ns > now_ns
                && match cut.kind {
                    CutKind::Both => cut.far[from] != cut.far[to],
                    CutKind::OneWay => cut.far[from] && !cut.far[to],
                    CutKind::Client(_) => false,
                }
        })
    }
}
