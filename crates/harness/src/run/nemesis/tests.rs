//! What several faults do to a node at a time is over when the last of them is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;

use super::hands::Hands;
use crate::client::{NodeAddress, RunClock};
use crate::targets::zoo;
use kvs_core::protocol::{Lattice, NodeId};
use kvs_core::server::Architecture;
use kvs_load::nemesis::{ClockFault, Deafness, DiskFault, Harm, PacketFault, Reach};
use kvs_measure::NodeRecord;
use kvs_node::node::Durability;
use kvs_place::Processes;
use kvs_target::{Connector, Facts, Local, NodeNetwork, Quiet, Target};

/// A target that writes down what it is told, and does it at once.
struct Paper {
    facts: Facts,
    told: Vec<String>,
    down: BTreeSet<NodeId>,
    /// Who says that it leads.
    leading: Vec<NodeId>,
}

impl Paper {
    fn new() -> Self {
        let three = Architecture::replicated(3).expect("a size");
        Self {
            facts: zoo::facts(&three, Lattice::Causal, Durability::Disk),
            told: Vec::new(),
            down: BTreeSet::new(),
            leading: Vec::new(),
        }
    }

    fn tell<'a, T: 'a>(&mut self, told: String, answer: T) -> Local<'a, T> {
        self.told.push(told);
        Box::pin(std::future::ready(answer))
    }
}

impl Target for Paper {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn connector(&self) -> Rc<dyn Connector> {
        unreachable!("nobody connects to paper")
    }

    fn addresses(&self) -> Vec<NodeAddress> {
        let address = |node| NodeAddress {
            node,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            incarnation: 0,
        };
        self.facts.ports.nodes().map(address).collect()
    }

    fn processes(&self) -> Processes {
        Processes::default()
    }

    fn leading(&mut self, nodes: Vec<NodeId>) -> Local<'_, Vec<NodeId>> {
        let mut leading = self.leading.clone();
        leading.retain(|node| nodes.contains(node));
        self.tell(format!("leading {nodes:?}"), leading)
    }

    fn quiet(&mut self) -> Local<'_, Quiet> {
        self.tell("quiet".to_owned(), Quiet::default())
    }

    fn observe(&mut self) -> Local<'_, Vec<(NodeId, Result<NodeRecord, String>)>> {
        self.tell("observe".to_owned(), Vec::new())
    }

    fn is_running(&self, node: NodeId) -> bool {
        !self.down.contains(&node)
    }

    fn exits(&mut self) -> BTreeMap<NodeId, String> {
        BTreeMap::new()
    }

    fn kill(&mut self, node: NodeId) -> Local<'_, ()> {
        self.down.insert(node);
        self.tell(format!("kill {node}"), ())
    }

    fn revive(&mut self, node: NodeId) -> Local<'_, Result<(), String>> {
        self.down.remove(&node);
        self.tell(format!("revive {node}"), Ok(()))
    }

    fn pause(&mut self, node: NodeId) -> Local<'_, Result<bool, String>> {
        self.tell(format!("pause {node}"), Ok(self.is_running(node)))
    }

    fn resume(&mut self, node: NodeId) -> Local<'_, Result<bool, String>> {
        self.tell(format!("resume {node}"), Ok(self.is_running(node)))
    }

    fn set_network<'a>(
        &'a mut self,
        node: NodeId,
        faults: &'a NodeNetwork,
        _: bool,
    ) -> Local<'a, Result<(), String>> {
        let NodeNetwork {
            deaf_to,
            cut_from_clients,
            packets,
        } = faults;
        let told = format!("network {node} {deaf_to:?} {cut_from_clients} {packets:?}");
        self.tell(told, Ok(()))
    }

    fn set_clock(&mut self, node: NodeId, offset_ns: i64) -> Local<'_, Result<(), String>> {
        self.tell(format!("clock {node} {offset_ns}"), Ok(()))
    }

    fn set_disk(
        &mut self,
        node: NodeId,
        fault: Option<DiskFault>,
        _: bool,
    ) -> Local<'_, Result<bool, String>> {
        let there = self.is_running(node);
        // A torn write ends its process.
        if fault == Some(DiskFault::TornWrite) {
            self.down.insert(node);
        }
        self.tell(format!("disk {node} {fault:?}"), Ok(there))
    }

    fn stop(self: Box<Self>) -> Local<'static, Vec<NodeId>> {
        Box::pin(std::future::ready(Vec::new()))
    }
}

const NODE: NodeId = NodeId(1);

/// What a target is told when these are done in their order: `true` inflicts, `false` undoes.
async fn told(steps: &[(bool, &[Harm])]) -> Vec<String> {
    let mut paper = Paper::new();
    let mut hands = Hands::new(&mut paper, Box::new(|_| {}), RunClock::start());
    for (inflicts, harms) in steps {
        let done = if *inflicts {
            hands.inflict(harms)
        } else {
            hands.undo(harms)
        };
        assert_eq!(done.await, Ok(()));
    }
    drop(hands);
    paper.told
}

/// What a target is told while two faults do the same, and when the later of them is over.
async fn twice(harm: Harm) -> (Vec<String>, Vec<String>) {
    let harm = &[harm][..];
    let steps = [(true, harm), (true, harm), (false, harm), (false, harm)];
    let mut meanwhile = told(&steps[..3]).await;
    let all = told(&steps).await;
    let then = all[meanwhile.len()..].to_vec();
    meanwhile.dedup();
    (meanwhile, then)
}

#[tokio::test]
async fn a_node_that_two_faults_keep_down_or_still_comes_back_with_the_end_of_the_later() {
    let (meanwhile, then) = twice(Harm::Killed(NODE)).await;
    assert_eq!(meanwhile, ["kill n1"]);
    assert_eq!(then, ["revive n1"]);
    let (meanwhile, then) = twice(Harm::Paused(NODE)).await;
    assert_eq!(meanwhile, ["pause n1"]);
    assert_eq!(then, ["resume n1", "clock n1 0"]);
}

#[tokio::test]
async fn what_is_wrong_with_a_network_is_the_sum_of_its_faults_and_told_when_it_changes() {
    let deaf = &[Harm::Deaf(Deafness::Node(NODE, vec![NodeId(0)]))][..];
    let slow = &[
        Harm::Packets(PacketFault::Delay, NODE),
        Harm::Deaf(Deafness::Clients(NODE)),
    ][..];
    let told = told(&[(true, deaf), (true, slow), (false, deaf), (false, slow)]).await;
    let expected = [
        "network n1 [NodeId(0)] false []",
        "network n1 [NodeId(0)] true [Delay]",
        "network n1 [] true [Delay]",
        "network n1 [] false []",
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn a_node_that_comes_back_is_told_again_what_is_wrong_with_its_network_and_its_clock() {
    let offset_ns = 7;
    let wrong = &[
        Harm::Deaf(Deafness::Clients(NODE)),
        Harm::Clock(ClockFault::Bump { offset_ns }, NODE),
    ][..];
    let killed = &[Harm::Killed(NODE)][..];
    let told = told(&[(true, wrong), (true, killed), (false, killed)]).await;
    let twice = ["network n1 [] true []", "clock n1 7"];
    assert_eq!(told[..2], twice);
    assert_eq!(told[2..4], ["kill n1", "revive n1"]);
    assert_eq!(told[4..], twice);
}

#[tokio::test]
async fn a_disk_is_mended_when_no_fault_is_left_and_its_node_comes_back_if_it_has_ended() {
    let full = &[Harm::Disk(DiskFault::Full, NODE)][..];
    let torn = &[Harm::Disk(DiskFault::TornWrite, NODE)][..];
    let mended = told(&[(true, full), (false, full)]).await;
    assert_eq!(mended, ["disk n1 Some(Full)", "disk n1 None"]);
    let both = told(&[(true, full), (true, torn), (false, torn), (false, full)]).await;
    let expected = [
        "disk n1 Some(Full)",
        "disk n1 Some(TornWrite)",
        "disk n1 Some(Full)",
        "disk n1 None",
        "kill n1",
        "revive n1",
    ];
    assert_eq!(both, expected);
}

#[tokio::test]
async fn what_only_a_simulated_world_knows_is_no_fault_of_a_run() {
    let mut paper = Paper::new();
    let mut hands = Hands::new(&mut paper, Box::new(|_| {}), RunClock::start());
    for harm in [Harm::Wiped(NODE), Harm::Disconnected(NODE)] {
        assert!(hands.inflict(&[harm]).await.is_err());
    }
}

#[tokio::test]
async fn the_leader_is_the_one_node_that_says_so_of_those_that_can_say_anything() {
    let [zero, two] = [NodeId(0), NodeId(2)];
    for (leading, leader) in [
        (vec![], None),
        (vec![two], Some(two)),
        (vec![zero, two], None),
        (vec![two, NODE], Some(two)),
    ] {
        let mut paper = Paper::new();
        paper.leading = leading;
        let mut hands = Hands::new(&mut paper, Box::new(|_| {}), RunClock::start());
        let still = &[Harm::Paused(NODE)];
        assert_eq!(hands.inflict(still).await, Ok(()));
        assert_eq!(hands.leader(NODE).await, leader);
        drop(hands);
        let asked = "leading [NodeId(0), NodeId(2)]";
        assert_eq!(paper.told[1], asked, "who stands still is not asked");
    }
}
