//! Watches how updates spread: when each replica has applied each update, what brought it there,
//! and what was sent for it. Only a plan that is watched has a probe.

use std::collections::BTreeMap;

use serde::Serialize;

use kvs_core::protocol::{Body, Dot, GossipBody, GossipBodyKind, Message};
use kvs_core::server::ServerPorts;

/// How one update reached the replicas of its group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UpdateSpread {
    /// Replicas of its group, with the one that took the put.
    pub replicas: u32,
    /// Replicas that a rumour had apply it, without the one that took the put.
    pub by_rumour: u32,
    /// How long after the put each other replica had applied it, in ns, ascending. Shorter than the
    /// number of other replicas when the simulation ended before all had.
    pub delays_ns: Vec<u64>,
}

impl UpdateSpread {
    /// Whether every replica has applied it.
    #[must_use]
    pub const fn is_everywhere(&self) -> bool {
        self.delays_ns.len() + 1 == self.replicas as usize
    }

    /// How long it took until this part of the other replicas, above 0 and up to 1, had applied it,
    /// in ns; none when they never did.
    #[must_use]
    pub fn delay_ns(&self, part: f64) -> Option<u64> {
        let others = f64::from(self.replicas - 1);
        let place = (part * others).ceil() as usize;
        self.delays_ns.get(place.max(1) - 1).copied()
    }
}

/// Messages of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Messages sent, whether or not they arrived.
    pub messages: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// Updates in them.
    pub updates: u64,
    /// Entries of the version vectors of their senders.
    pub vector_entries: u64,
}

/// What was sent, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// Each update, in the order of the puts.
    pub updates: Vec<UpdateSpread>,
    /// Rumours: fresh updates that are pushed.
    pub rumours: Traffic,
    /// Answers to digests: the updates that the other lacked.
    pub repairs: Traffic,
    /// Digests.
    pub digests: Traffic,
    /// Requests and chunks of whole states.
    pub transfers: Traffic,
    /// Updates that arrived in rumours and repairs.
    pub arrived: u64,
    /// Those of them that were applied: every other one had arrived before.
    pub applied: u64,
    /// From the beginning to the moment at which every replica had all, in virtual ns.
    pub lasted_ns: u64,
}

/// An update that is on its way.
#[derive(Debug)]
struct Tracked {
    put_ns: u64,
    spread: UpdateSpread,
}

/// Watches a world.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Replicas in the group of each node.
    replicas: Vec<u32>,
    tracked: Vec<Tracked>,
    by_dot: BTreeMap<Dot, usize>,
    /// Updates that not every replica of their group has applied.
    under_way: usize,
    /// Whether the message that is being handled is a rumour.
    hears_rumour: bool,
    spread: Spread,
}

impl Probe {
    pub(crate) fn new(ports: &ServerPorts) -> Self {
        let mut replicas = vec![0; ports.nodes().count()];
        for group in ports.groups() {
            for node in &group.nodes {
                replicas[usize::from(node.0)] = group.nodes.len() as u32;
            }
        }
        Self {
            replicas,
            tracked: Vec::new(),
            by_dot: BTreeMap::new(),
            under_way: 0,
            hears_rumour: false,
            spread: Spread::default(),
        }
    }

    /// Whether every update is everywhere.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.under_way == 0
    }

    /// A replica sends a message of so many bytes.
    pub(crate) fn sent(&mut self, message: &Message, bytes: usize) {
        let Body::Gossip(body) = &message.body else {
            return;
        };
        let traffic = match body.kind() {
            GossipBodyKind::Rumour => &mut self.spread.rumours,
            GossipBodyKind::Missing => &mut self.spread.repairs,
            GossipBodyKind::Digest => &mut self.spread.digests,
            GossipBodyKind::StateRequest | GossipBodyKind::StateChunk => &mut self.spread.transfers,
        };
        traffic.messages += 1;
        traffic.bytes += bytes as u64;
        traffic.updates += body.updates().len() as u64;
        traffic.vector_entries += body.vector().len() as u64;
    }

    /// A replica is about to handle a message.
    pub(crate) fn hears(&mut self, message: &Message) {
        let Body::Gossip(body) = &message.body else {
            return;
        };
        self.hears_rumour = body.kind() == GossipBodyKind::Rumour;
        if let GossipBody::Updates { updates, .. } = body {
            self.spread.arrived += updates.len() as u64;
        }
    }

    /// A replica has applied an update; the first one to do so took the put.
    pub(crate) fn applied(&mut self, dot: Dot, now_ns: u64) {
        let Some(&place) = self.by_dot.get(&dot) else {
            let replicas = self.replicas[usize::from(dot.origin().node().0)];
            self.by_dot.insert(dot, self.tracked.len());
            self.under_way += usize::from(replicas > 1);
            self.tracked.push(Tracked {
                put_ns: now_ns,
                spread: UpdateSpread {
                    replicas,
                    by_rumour: 0,
                    delays_ns: Vec::new(),
                },
            });
            return;
        };
        let Tracked { put_ns, spread } = &mut self.tracked[place];
        spread.delays_ns.push(now_ns - *put_ns);
        spread.by_rumour += u32::from(self.hears_rumour);
        self.spread.applied += 1;
        self.under_way -= usize::from(spread.is_everywhere());
    }

    /// What it has seen until now.
    pub(crate) fn into_spread(mut self, now_ns: u64) -> Spread {
        self.spread.updates = self.tracked.into_iter().map(|one| one.spread).collect();
        self.spread.lasted_ns = now_ns;
        self.spread
    }
}
