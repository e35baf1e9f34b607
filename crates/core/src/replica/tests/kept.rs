//! What replicas persist: enough to come back from, and before anything leaves that shows it.

use super::*;
use crate::protocol::{GossipBody, GroupId, Operation};
use crate::values::VectorClock;

/// The disk of one node: what its replica has persisted, and the replica that comes of it.
pub(super) struct Disk {
    restored: Replica,
}

impl Disk {
    pub(super) fn new(spec: &ReplicaSpec) -> Self {
        Self {
            restored: Replica::new(spec),
        }
    }

    /// Takes in what an input had persisted. Says whether every reply and every message showed only
    /// what had been persisted before it.
    pub(super) fn covers_what_leaves(&mut self, out: &Recorder) -> bool {
        let mut covered = vec![self.applied()];
        for change in &out.kept {
            let change = postcard::from_bytes(change).expect("it was serialised");
            self.restored.restore(&change);
            covered.push(self.applied());
        }
        let shown = |(_, reply): &(RequestId, Reply)| match reply {
            Reply::Put(_, vector, _) | Reply::Get(vector, _) => vector.clone(),
            Reply::Refused(_) | Reply::Mismatch(_) => Vector::new(),
        };
        let told = |(_, message): &(NodeId, Message)| match said(message) {
            GossipBody::Updates { vector, .. } | GossipBody::Digest { vector, .. } => {
                vector.clone()
            }
            // The state that was asked for, and one that was taken before.
            GossipBody::StateRequest { .. } | GossipBody::StateChunk { .. } => Vector::new(),
        };
        let replies = out.replies.iter().map(shown).zip(&out.kept_before_reply);
        let sends = out.sends.iter().map(told).zip(&out.kept_before_send);
        replies
            .chain(sends)
            .all(|(vector, kept)| covered[*kept].covers_all(&vector))
    }

    /// The replica that comes back, which has all that is left of `live` but for the log.
    pub(super) fn restored_like(&self, live: &Replica) -> Replica {
        let mut recovered = live.clone();
        recovered.recover();
        assert_eq!(essence(&self.restored), essence(&recovered));
        self.restored.clone()
    }

    fn applied(&self) -> VectorClock {
        VectorClock::from(self.restored.status().applied())
    }
}

/// What a replica is, but for its log: its store, and what it says next to a peer and to a client.
fn essence(replica: &Replica) -> (u64, Vec<(NodeId, Message)>, String) {
    let status = replica.status();
    let peers: Vec<NodeId> = (0..4).map(NodeId).collect();
    let mut out = Recorder::default();
    let input = Input {
        wall_ns: 0,
        peers: &peers,
        random: 0,
    };
    let mut replica = replica.clone();
    replica.handle_timer(Timer::Gossip(GossipTimer::AntiEntropy), &input, &mut out);
    let request = Request {
        key: b"z",
        operation: Operation::Put { value: &[0; 8] },
        context: &[],
        call: None,
    };
    replica.handle_request(RequestId(0), &request, &input, &mut out);
    (status.digest, out.sends, format!("{:?}", out.replies))
}

#[test]
fn an_unreplicated_replica_comes_back_with_the_last_value_of_each_key() {
    let spec = ReplicaSpec {
        node: NodeId(0),
        incarnation: 0,
        group: GroupId(0),
        peers: Vec::new(),
        spares: Vec::new(),
        kind: ReplicaKind::Local,
        shards: Vec::new(),
        settings: Settings::default(),
        bug: None,
    };
    let mut live = Replica::new(&spec);
    let mut out = Recorder::default();
    for (key, value) in [(b"a", 1_u64), (b"b", 2), (b"a", 3)] {
        let request = Request {
            key,
            operation: Operation::Put {
                value: &value.to_le_bytes(),
            },
            context: &[],
            call: None,
        };
        live.handle_request(RequestId(0), &request, &Input::default(), &mut out);
    }
    let mut restored = Replica::new(&spec);
    for change in &out.kept {
        restored.restore(&postcard::from_bytes(change).expect("it was serialised"));
    }
    assert_eq!(out.kept_before_reply, [1, 2, 3]);
    assert_eq!(restored, live);
}
