//! The network of a simulated world: how long a message takes, and whether it arrives.

use smallvec::SmallVec;

use super::counters::Counters;
use super::draw::{Draw, Purpose};
use super::plan::{Network, Plan};
use super::topology::Topology;
use kvs_load::nemesis::{Deafness, Needs, PacketFault, SimFault};

/// Above so many nodes no link remembers its last arrival, and messages overtake one another.
const ORDERED_NODES_MAX: usize = 1_024;
/// The chance that what a client sends into a cut arrives once that is over, as a transport that
/// sends again would have it; otherwise it is lost with its connection.
const HELD: f64 = 0.5;

/// Links that one word has a bit for.
const LINKS: usize = u64::BITS as usize;

/// The bit of a way.
const fn bit(packet: PacketFault) -> u8 {
    1 << packet as u8
}

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
    /// What may happen to what each node sends: a bit for each way.
    suffers: Vec<u8>,
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
            suffers: vec![0; nodes],
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

    /// From now on this may happen to what a node sends its peers, with the chance of the plan.
    pub(super) fn suffer(&mut self, packet: PacketFault, node: usize) {
        self.suffers[node] |= bit(packet);
    }

    /// From now on it does not.
    pub(super) fn recover(&mut self, packet: PacketFault, node: usize) {
        self.suffers[node] &= !bit(packet);
    }

    /// Whether it happens to a message that a node sends now.
    fn befalls(&mut self, packet: PacketFault, node: usize) -> bool {
        if self.suffers[node] & bit(packet) == 0 {
            return false;
        }
        let chance = match packet {
            PacketFault::Loss => self.network.loss,
            PacketFault::Duplicate => self.network.duplicate,
            PacketFault::Delay => self.network.slow,
            // Wherever one that took less long comes after one that took longer.
            PacketFault::Reorder => return true,
            PacketFault::Corrupt | PacketFault::Rate => {
                unreachable!("{} needs {}", packet.name(), Needs::Processes)
            }
        };
        chance > 0.0 && self.draw.chance(chance)
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
        if self.befalls(PacketFault::Loss, from) {
            counters.fault(SimFault::LOSS);
            return arrivals;
        }
        let link = self.link(from, to);
        let mut at_ns = now_ns + self.delay_ns(from, to);
        if self.befalls(PacketFault::Delay, from) {
            counters.fault(SimFault::DELAY);
            at_ns += self.draw.exponential(self.network.slow_ns);
        }
        let overtakes = self.befalls(PacketFault::Reorder, from);
        if let Some(last_ns) = self.last_ns.get_mut(link) {
            if at_ns >= *last_ns {
                *last_ns = at_ns;
            } else if overtakes {
                counters.fault(SimFault::REORDER);
            } else {
                at_ns = *last_ns;
            }
        }
        arrivals.push(at_ns);
        if self.befalls(PacketFault::Duplicate, from) {
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

#[cfg(test)]
mod tests {
    use kvs_core::protocol::Lattice;
    use kvs_core::server::Architecture;

    use super::*;
    use crate::Options;

    /// A network in which a fault that a node suffers befalls all that it sends.
    fn bad() -> Links {
        let architecture = Architecture::replicated(2).expect("a size");
        let mut plan = Plan::draw(0, &Options::new(architecture, Lattice::Causal));
        plan.network.loss = 1.0;
        plan.network.duplicate = 1.0;
        Links::new(&plan, 2)
    }

    #[test]
    fn a_fault_of_packets_befalls_what_its_node_sends_from_its_coming_to_its_end() {
        let mut links = bad();
        let arrivals = |links: &mut Links| {
            let mut message = |from, to| {
                let counters = &mut Counters::default();
                links.message(from, to, 0, counters).len()
            };
            (message(0, 1), message(1, 0))
        };
        assert_eq!(arrivals(&mut links), (1, 1), "the control");
        links.suffer(PacketFault::Duplicate, 0);
        links.suffer(PacketFault::Loss, 1);
        assert_eq!(arrivals(&mut links), (2, 0));
        links.recover(PacketFault::Duplicate, 0);
        links.recover(PacketFault::Loss, 1);
        assert_eq!(arrivals(&mut links), (1, 1));
    }
}
