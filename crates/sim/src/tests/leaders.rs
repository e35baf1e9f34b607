//! Faults that are meant for a leader meet whoever leads when they come.

use super::*;
use kvs_core::protocol::NodeId;

use crate::node::Node;
use crate::world::World;

/// All that happens to three replicas in some seeds while nodes say so whether they lead.
fn happened(leads: fn(&Node) -> bool) -> (String, Counters) {
    // A node whose sync fails ends by itself, whoever leads.
    let options = Options {
        at_leader: true,
        without: [SimFault::DISK].into(),
        trace: true,
        steps: 200,
        ..replicated(Lattice::Causal)
    };
    let (mut trace, mut counters) = (String::new(), Counters::default());
    for seed in 0..20 {
        let plan = Plan::draw(seed, &options);
        let mut world = World::new(&plan);
        world.nemesis.leads = leads;
        world.run().expect("every operation ends");
        trace += world.trace.as_deref().expect("a trace was asked for");
        counters.add(&world.counters);
    }
    (trace, counters)
}

#[test]
fn faults_for_a_leader_meet_it_alone_and_cut_it_from_the_others() {
    let (trace, counters) = happened(|node| node.spec.node == NodeId(1));
    for fault in SimFault::ALL
        .iter()
        .filter(|fault| fault.row().strikes.is_some())
    {
        assert!(counters.faults[fault.index()] > 0, "{fault} never came");
    }
    let hits = [
        "crash of ",
        "amnesia of ",
        " pauses for",
        "connections to ",
        " of the leader ",
    ];
    for hit in hits {
        let of_it: Vec<&str> = trace.lines().filter(|line| line.contains(hit)).collect();
        assert!(!of_it.is_empty(), "{hit}");
        assert!(of_it.iter().all(|line| line.contains("n1")), "{of_it:#?}");
    }
    assert!(!trace.contains("Both of ["), "no other cut comes");
    assert!(trace.contains("nobody leads"), "who is down says nothing");
}

#[test]
fn a_fault_for_a_leader_is_left_out_while_nobody_leads_or_several_say_that_they_do() {
    for leads in [(|_| false) as fn(&Node) -> bool, |_| true] {
        let (trace, counters) = happened(leads);
        assert!(trace.contains("nobody leads the group of n"));
        for fault in SimFault::ALL
            .iter()
            .filter(|fault| **fault != SimFault::DISK)
        {
            let stands = fault.row().stands.is_some() && *fault != SimFault::CLOCK;
            let came = counters.faults[fault.index()] > 0;
            assert_eq!(came, stands, "{fault}");
        }
    }
}
