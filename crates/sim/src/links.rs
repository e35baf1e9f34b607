//! The network of a simulated world: how long a message takes, and whether it arrives.

use smallvec::SmallVec;

use super::counters::Counters;
use super::draw::{Draw, Purpose};
use super::plan::{Network, Plan};
use super::topology::Topology;
use kvs_load::nemesis::{Deafness, SimFault};

/// Above so many nodes no link remembers its last arrival, and messages overtake one another.
const ORDERED_NODES_MAX: usize = 1_024;
/// The chance that what a client sends into a cut arrives once that is over, as a transport that
/// sends again would have it; otherwise it is lost with its connection.
const HELD: f64 = 0.5;

/// Links that one word has a bit for.
const LINKS: usize = u64::BITS as usize;

/// Somebody cannot talk to somebody.
#[derive(Debug)]
struct Cut {
    until_ns: u64,
    /// A bit for each link, which is set where nothing gets through; empty where none is cut.
    links: Vec<u64>,
    /// Clients and nodes that do not hear each other.
    clients: Vec<(Cutoff, usize)>,
}

/// Which clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cutoff {
    All,
    One(u16),
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

    /// From now on nothing goes wrong with a message.
    pub(super) fn heal(&mut self) {
        self.network.loss = 0.0;
        self.network.duplicate = 0.0;
        self.network.slow = 0.0;
    }

    /// Somebody does not hear somebody for a while.
    pub(super) fn cut<'d>(
        &mut self,
        deafness: impl Iterator<Item = &'d Deafness>,
        now_ns: u64,
        until_ns: u64,
    ) {
        self.cuts.retain(|cut| cut.until_ns > now_ns);
        let mut cut = Cut {
            until_ns,
            links: Vec::new(),
            clients: Vec::new(),
        };
        for deafness in deafness {
            match deafness {
                Deafness::Node(listener, speakers) => {
                    let links = self.nodes * self.nodes;
                    cut.links.resize(links.div_ceil(LINKS), 0);
                    for speaker in speakers {
                        let link = self.link(usize::from(speaker.0), usize::from(listener.0));
                        cut.links[link / LINKS] |= 1 << (link % LINKS);
                    }
                }
                Deafness::Clients(node) => cut.clients.push((Cutoff::All, usize::from(node.0))),
                Deafness::Client(client, node) => {
                    let who = Cutoff::One(*client);
                    cut.clients.push((who, usize::from(node.0)));
                }
            }
        }
        self.cuts.push(cut);
    }

    /// Everybody hears everybody again.
    pub(super) fn mend(&mut self) {
        self.cuts.clear();
    }

    /// The place of what one node sends another.
    const fn link(&self, from: usize, to: usize) -> usize {
        from * self.nodes + to
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
            counters.fault(SimFault::LOSS);
            return arrivals;
        }
        let link = self.link(from, to);
        let mut at_ns = now_ns + self.delay_ns(from, to);
        if self.network.slow > 0.0 && self.draw.chance(self.network.slow) {
            counters.fault(SimFault::DELAY);
            at_ns += self.draw.exponential(self.network.slow_ns);
        }
        if let Some(last_ns) = self.last_ns.get_mut(link) {
            if at_ns >= *last_ns {
                *last_ns = at_ns;
            } else if self.network.reorder {
                counters.fault(SimFault::REORDER);
            } else {
                at_ns = *last_ns;
            }
        }
        arrivals.push(at_ns);
        if self.network.duplicate > 0.0 && self.draw.chance(self.network.duplicate) {
            counters.fault(SimFault::DUPLICATE);
            arrivals.push(at_ns + self.delay_ns(from, to));
        }
        arrivals
    }

    /// When what a client and a node send one another arrives, either way; none when it never does.
    pub(super) fn client(&mut self, client: u16, node: usize, now_ns: u64) -> Option<u64> {
        let until_ns = self
            .cuts
            .iter()
            .filter(|cut| {
                let is_it = |who: &Cutoff| [Cutoff::All, Cutoff::One(client)].contains(who);
                cut.clients
                    .iter()
                    .any(|(who, from)| is_it(who) && *from == node)
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
        let link = self.link(from, to);
        let is_set = |bits: &u64| bits & 1 << (link % LINKS) != 0;
        let is_cut = |cut: &Cut| cut.links.get(link / LINKS).is_some_and(is_set);
        { self.cuts.iter() }.any(|cut| cut.until_ns > now_ns && is_cut(cut))
    }
}
