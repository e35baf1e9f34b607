//! Replicas of a quorum, message by message. (Random schedules, judged by the checker, are with the
//! simulator's tests.)

mod hints;
mod lives;
mod operations;
mod repairs;

use super::*;
use crate::protocol::{GroupId, Operation, PutWitness, Request, Sibling, Version};
use crate::replica::{Replica, ReplicaKind, Settings};

const ABD: QuorumRule = QuorumRule {
    read: 2,
    write: 2,
    write_back: true,
    sloppy: false,
};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Reply {
    Put(Version),
    /// The value, if there is one.
    Get(Option<Vec<u8>>),
    Refused(Refusal),
    Indefinite,
}

/// What one input had a replica do.
#[derive(Default)]
struct Done {
    replies: Vec<(RequestId, Reply)>,
    sent: Vec<(NodeId, Message)>,
    timers: Vec<Timer>,
    /// What was persisted, as bytes that a disk could hold, and how much before each message.
    kept: Vec<Vec<u8>>,
    kept_before_send: Vec<usize>,
}

impl Effects for Done {
    fn persist(&mut self, change: &Persist<'_>) {
        self.kept
            .push(postcard::to_stdvec(change).expect("plain data"));
    }

    fn reply(&mut self, to: RequestId, response: &Response<'_>) {
        let value = |found: &Sibling<'_>| found.value.to_vec();
        let reply = match response {
            Response::Put(PutWitness::Lww { version }) => Reply::Put(*version),
            Response::Get { siblings, .. } => Reply::Get(siblings.first().map(value)),
            Response::Refused(refusal) => Reply::Refused(*refusal),
            Response::Indefinite => Reply::Indefinite,
            Response::Put(_) | Response::NotLeader { .. } | Response::Mismatch { .. } => {
                panic!("{response:?}")
            }
        };
        self.replies.push((to, reply));
    }

    fn send(&mut self, to: NodeId, message: Message) {
        self.sent.push((to, message));
        self.kept_before_send.push(self.kept.len());
    }

    fn set_timer(&mut self, timer: Timer, _: u64) {
        self.timers.push(timer);
    }
}

/// Replicas 0, 1, … and what is under way between them.
struct Group {
    specs: Vec<ReplicaSpec>,
    replicas: Vec<Replica>,
    under_way: Vec<(u16, u16, Message)>,
    replies: Vec<(RequestId, Reply)>,
    kept: Vec<Vec<Vec<u8>>>,
    requests: u64,
}

impl Group {
    fn new(replicas: u16, rule: QuorumRule) -> Self {
        Self::built(replicas, rule, None, QuorumSettings::default())
    }

    fn built(n: u16, rule: QuorumRule, bug: Option<Bug>, quorum: QuorumSettings) -> Self {
        Self::with_spares(n, 0, rule, bug, quorum)
    }

    /// Replicas, and behind them spares.
    fn with_spares(
        n: u16,
        spares: u16,
        rule: QuorumRule,
        bug: Option<Bug>,
        quorum: QuorumSettings,
    ) -> Self {
        let replicas = || (0..n).map(NodeId);
        let nodes = || (0..n + spares).map(NodeId);
        let spec = |node| ReplicaSpec {
            node,
            incarnation: 0,
            group: GroupId(0),
            peers: replicas().filter(|peer| *peer != node).collect(),
            spares: nodes().skip(n.into()).collect(),
            kind: ReplicaKind::Quorum(rule),
            shards: Vec::new(),
            settings: Settings {
                quorum,
                ..Settings::default()
            },
            bug,
        };
        let specs: Vec<ReplicaSpec> = nodes().map(spec).collect();
        let mut group = Self {
            replicas: specs.iter().map(Replica::new).collect(),
            kept: vec![Vec::new(); specs.len()],
            specs,
            under_way: Vec::new(),
            replies: Vec::new(),
            requests: 0,
        };
        for node in 0..n + spares {
            group.input(node, |replica, out| replica.start(out));
        }
        group
    }

    fn input(&mut self, node: u16, input: impl FnOnce(&mut Replica, &mut Done)) -> Done {
        let mut done = Done::default();
        input(&mut self.replicas[usize::from(node)], &mut done);
        let sent = done.sent.iter().cloned();
        self.under_way
            .extend(sent.map(|(to, message)| (node, to.0, message)));
        self.replies.extend(done.replies.iter().cloned());
        self.kept[usize::from(node)].extend(done.kept.iter().cloned());
        done
    }

    fn ask(&mut self, node: u16, key: &str, operation: Operation<'_>) -> (RequestId, Done) {
        self.requests += 1;
        let id = RequestId(self.requests);
        let request = Request {
            key: key.as_bytes(),
            operation,
            context: &[],
            call: None,
        };
        let done = self.input(node, |replica, out| {
            replica.handle_request(id, &request, &Input::default(), out);
        });
        (id, done)
    }

    fn put(&mut self, node: u16, key: &str, value: &str) -> RequestId {
        let value = value.as_bytes();
        self.ask(node, key, Operation::Put { value }).0
    }

    fn get(&mut self, node: u16, key: &str) -> RequestId {
        self.ask(node, key, Operation::Get).0
    }

    fn fire(&mut self, node: u16, timer: QuorumTimer) -> Done {
        let peers = self.specs[usize::from(node)].peers.clone();
        let input = Input {
            peers: &peers,
            ..Input::default()
        };
        self.input(node, |replica, out| {
            replica.handle_timer(Timer::Quorum(timer), &input, out);
        })
    }

    /// Lets arrive what is under way from one to another, in its order.
    fn deliver(&mut self, from: u16, to: u16) {
        let all = std::mem::take(&mut self.under_way);
        let (those, others) = all
            .into_iter()
            .partition(|(sender, receiver, _)| (*sender, *receiver) == (from, to));
        self.under_way = others;
        for (from, to, message) in those {
            self.input(to, |replica, out| {
                replica.handle_message(NodeId(from), message, &Input::default(), out);
            });
        }
    }

    /// Lets all arrive between these, and what follows from it.
    fn deliver_among(&mut self, nodes: &[u16]) {
        let among =
            |(from, to, _): &(u16, u16, Message)| nodes.contains(from) && nodes.contains(to);
        while let Some((from, to, _)) = self.under_way.iter().find(|it| among(it)) {
            self.deliver(*from, *to);
        }
    }

    /// Loses what is under way to or from a node.
    fn lose(&mut self, node: u16) {
        self.under_way
            .retain(|(from, to, _)| *from != node && *to != node);
    }

    fn come_back_empty(&mut self, node: u16) {
        let spec = &mut self.specs[usize::from(node)];
        spec.incarnation += 1;
        self.replicas[usize::from(node)] = Replica::new(spec);
        self.input(node, |replica, out| replica.start(out));
    }

    fn come_back(&mut self, node: u16) {
        let mut restored = Replica::new(&self.specs[usize::from(node)]);
        for change in &self.kept[usize::from(node)] {
            restored.restore(&postcard::from_bytes(change).expect("it was serialised"));
        }
        self.replicas[usize::from(node)] = restored;
        self.input(node, |replica, out| replica.start(out));
    }

    fn reply(&self, id: RequestId) -> Option<&Reply> {
        let mut all = self.replies.iter().filter(|(to, _)| *to == id);
        let reply = all.next();
        assert!(all.next().is_none(), "a request is answered once");
        reply.map(|(_, reply)| reply)
    }

    #[track_caller]
    fn assert_found(&self, id: RequestId, value: &str) {
        let found = Reply::Get(Some(value.as_bytes().to_vec()));
        assert_eq!(self.reply(id), Some(&found));
    }

    fn is_recovering(&self, node: u16) -> bool {
        match self.status(node).kind {
            KindStatus::Quorum(status) => status.recovering,
            other @ (KindStatus::Local | KindStatus::Gossip(_) | KindStatus::Raft(_)) => {
                panic!("{other:?}")
            }
        }
    }

    fn status(&self, node: u16) -> Status {
        self.replicas[usize::from(node)].status()
    }
}

/// A put that two replicas of three have.
fn with_a_put() -> Group {
    let mut group = Group::new(3, ABD);
    let put = group.put(0, "x", "old");
    group.deliver_among(&[0, 1]);
    assert!(matches!(group.reply(put), Some(Reply::Put(_))));
    group.lose(2);
    group
}
