//! The replicas of a modelled cluster, their timers, and the messages in flight between them.

use std::collections::BTreeSet;

use kvs_core::protocol::{Dot, Message, NodeId, Origin, Request, Response};
use kvs_core::replica::{Effects, Input, Persist, Replica, ReplicaSpec, RequestId, Timer};
use kvs_core::values::VectorClock;

use crate::adapter::ClusterModel;
use crate::disk::{Disk, Held};
use crate::reply::Reply;
use crate::shared::Shared;

/// A message on its way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Packet {
    pub(crate) from: NodeId,
    pub(crate) to: NodeId,
    pub(crate) message: Message,
}

/// Requests by the name that they were given, with their answers.
pub(crate) type Replies = Vec<(RequestId, Reply)>;

/// What runs on the nodes and between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Nodes {
    pub(crate) replicas: Vec<Shared<Replica>>,
    /// Which life of each node this is.
    incarnations: Vec<u16>,
    /// Equal messages in flight are one.
    pub(crate) in_flight: BTreeSet<Shared<Packet>>,
    pub(crate) timers: BTreeSet<(NodeId, Timer)>,
    /// One a node; none where they have no disks.
    disks: Vec<Shared<Disk>>,
}

impl Nodes {
    /// The nodes in their first life.
    pub(crate) fn new(model: &ClusterModel) -> Self {
        let replicas = model.specs.iter().map(Replica::new).map(Shared::new);
        let mut nodes = Self {
            replicas: replicas.collect(),
            incarnations: vec![0; model.specs.len()],
            in_flight: BTreeSet::new(),
            timers: BTreeSet::new(),
            disks: Vec::new(),
        };
        if model.disks {
            let disks = model.specs.iter().map(|spec| Disk::new(spec.bug));
            nodes.disks = disks.map(Shared::new).collect();
        }
        for spec in &model.specs {
            nodes.start(spec.node);
        }
        nodes
    }

    pub(crate) fn request(
        &mut self,
        node: NodeId,
        id: RequestId,
        request: &Request<'_>,
        wall_ns: u64,
    ) -> Replies {
        let input = Input {
            wall_ns,
            peers: &[],
            // A replica looks at the clock or at random bits, never at both.
            random: wall_ns,
        };
        self.drive(node, |replica, out| {
            replica.handle_request(id, request, &input, out);
        })
    }

    /// A message arrives; whether it is still in flight is the caller's business.
    pub(crate) fn deliver(&mut self, packet: &Packet) -> Replies {
        let message = packet.message.clone();
        self.drive(packet.to, |replica, out| {
            replica.handle_message(packet.from, message, &Input::default(), out);
        })
    }

    pub(crate) fn fire(&mut self, node: NodeId, timer: Timer, peers: &[NodeId]) -> Replies {
        self.timers.remove(&(node, timer));
        let input = Input {
            wall_ns: 0,
            peers,
            random: 0,
        };
        self.drive(node, |replica, out| {
            replica.handle_timer(timer, &input, out);
        })
    }

    /// The node's process ends and comes back with its state.
    pub(crate) fn recover(&mut self, node: NodeId) {
        self.replicas[usize::from(node.0)].change(Replica::recover);
        self.start(node);
    }

    /// The timers of the node that run and are set again whenever they fire.
    pub(crate) fn recurring(&self, node: NodeId) -> Vec<Timer> {
        let of_node = self.timers.iter().filter(|(other, _)| *other == node);
        let timers = of_node.map(|(_, timer)| *timer);
        timers.filter(|timer| timer.recurs()).collect()
    }

    /// The node's disk, if it has one.
    pub(crate) fn disk(&self, node: NodeId) -> Option<&Disk> {
        self.disks.get(usize::from(node.0)).map(|disk| &**disk)
    }

    /// From now on nothing waits for a disk.
    pub(crate) fn without_disks(&mut self) {
        self.disks.clear();
    }

    /// One more change of the node is durable.
    pub(crate) fn sync(&mut self, node: NodeId) -> Replies {
        let free = self.disks[usize::from(node.0)].change(Disk::sync);
        let mut replies = Replies::new();
        for held in free {
            match held {
                Held::Reply(id, reply) => replies.push((id, reply)),
                Held::Packet(packet) => {
                    self.in_flight.insert(packet);
                }
            }
        }
        replies
    }

    /// The node's process ends and comes back with so many of its changes. Whether it lost any.
    pub(crate) fn crash(&mut self, spec: &ReplicaSpec, left: usize) -> bool {
        let at = usize::from(spec.node.0);
        let loses = *self.disks[at].may_be_left().end() > left;
        let replica = self.disks[at].change(|disk| disk.crash(left, spec));
        self.replicas[at] = Shared::new(replica);
        self.start(spec.node);
        loses
    }

    /// The node's process ends and comes back empty, in its next life.
    pub(crate) fn forget(&mut self, spec: &ReplicaSpec) {
        let at = usize::from(spec.node.0);
        self.incarnations[at] += 1;
        self.replicas[at] = Shared::new(Replica::new(&ReplicaSpec {
            incarnation: self.incarnations[at],
            ..spec.clone()
        }));
        self.start(spec.node);
    }

    /// The life that the node is in.
    pub(crate) fn origin(&self, node: NodeId) -> Origin {
        Origin::new(node, self.incarnations[usize::from(node.0)])
    }

    /// What the node has applied.
    pub(crate) fn applied(&self, node: NodeId) -> VectorClock {
        let status = self.replicas[usize::from(node.0)].status();
        status.applied().into()
    }

    /// The dot of the last put that this life of the node accepted; none where it gives puts none.
    pub(crate) fn last_dot(&self, node: NodeId) -> Option<Dot> {
        let origin = self.origin(node);
        let last = self.applied(node).counter(origin);
        (last > 0).then(|| Dot::new(origin, last))
    }

    fn start(&mut self, node: NodeId) {
        self.timers.retain(|(other, _)| *other != node);
        self.drive(node, |replica, out| replica.start(out));
    }

    fn drive(&mut self, node: NodeId, input: impl FnOnce(&mut Replica, &mut Recorder)) -> Replies {
        let at = usize::from(node.0);
        let mut out = Recorder {
            disk: self.disks.get(at).map(|disk| (**disk).clone()),
            ..Recorder::default()
        };
        self.replicas[at].change(|replica| input(replica, &mut out));
        let timers = out.timers.into_iter().map(|timer| (node, timer));
        self.timers.extend(timers);
        let packet = |(to, message)| {
            let from = node;
            Shared::new(Packet { from, to, message })
        };
        let packets = out.sends.into_iter().map(packet);
        let Some(mut disk) = out.disk else {
            self.in_flight.extend(packets);
            return out.replies;
        };
        let mut replies = Replies::new();
        if disk.holds() {
            for (id, reply) in out.replies {
                disk.hold(Held::Reply(id, reply));
            }
            packets.for_each(|packet| disk.hold(Held::Packet(packet)));
        } else {
            self.in_flight.extend(packets);
            replies = out.replies;
        }
        self.disks[at] = Shared::new(disk);
        replies
    }
}

#[derive(Default)]
struct Recorder {
    replies: Replies,
    sends: Vec<(NodeId, Message)>,
    timers: Vec<Timer>,
    disk: Option<Disk>,
}

impl Effects for Recorder {
    fn persist(&mut self, change: &Persist<'_>) {
        if let Some(disk) = &mut self.disk {
            disk.write(change);
        }
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        self.replies.push((to, Reply::of(response)));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.sends.push((to, message));
    }

    /// It may fire at any moment, however long it takes and however often it was set.
    fn set_timer(&mut self, timer: Timer, _: u64) {
        self.timers.push(timer);
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use kvs_core::protocol::Operation;

    use super::*;
    use crate::catalogue::find;

    #[test]
    fn nodes_that_differ_in_statistics_only_are_one_state() {
        let entry = find("replicated-causal").expect("there is such a model");
        let before = Nodes::new(&(entry.model)(None));
        let mut after = before.clone();
        let request = Request {
            key: b"k",
            operation: Operation::Get,
            context: &[],
            call: None,
        };
        let replies = after.request(NodeId(0), RequestId(0), &request, 0);
        assert_eq!(replies.len(), 1);
        let gets = |nodes: &Nodes| nodes.replicas[0].status().counters.gets;
        assert_eq!((gets(&before), gets(&after)), (0, 1));
        assert_eq!(before, after);
        let hash = |nodes: &Nodes| foldhash::quality::FixedState::default().hash_one(nodes);
        assert_eq!(hash(&before), hash(&after));
    }
}
