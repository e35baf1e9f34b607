//! Partitions have their shape, and schedules have the faults that were asked for.

use std::collections::BTreeSet;

use rand::SeedableRng;
use rand_pcg::Pcg64;

use super::faults::partition::part;
use super::*;
use kvs_core::protocol::NodeId;

mod pinned;

const SECOND: u64 = 1_000_000_000;

fn group(nodes: std::ops::Range<u16>) -> Vec<NodeId> {
    nodes.map(NodeId).collect()
}

/// Whom a node hears in its group, itself included.
fn heard_by(node: NodeId, group: &[NodeId], deafness: &[Deafness]) -> Vec<NodeId> {
    let unheard: Vec<NodeId> = deafness
        .iter()
        .filter_map(|deafness| match deafness {
            Deafness::Node(listener, speakers) if *listener == node => Some(speakers.clone()),
            Deafness::Node(..) | Deafness::Clients(_) | Deafness::Client(..) => None,
        })
        .flatten()
        .collect();
    let heard = group.iter().filter(|node| !unheard.contains(node));
    heard.copied().collect()
}

/// Each shape on groups of every size that it fits, a few times.
fn parted(shape: PartitionShape, mut test: impl FnMut(&[NodeId], &[Deafness])) {
    let mut random = Pcg64::seed_from_u64(1);
    let mut tested = 0;
    for size in 1..=7 {
        let group = group(0..size);
        if !shape.fits(group.len()) {
            continue;
        }
        for _ in 0..20 {
            test(&group, &part(shape, &group, &mut random));
            tested += 1;
        }
    }
    assert!(tested >= 100);
}

#[test]
fn one_node_alone_hears_nobody_and_is_heard_by_nobody() {
    parted(PartitionShape::One, |group, deafness| {
        let mut sizes: Vec<usize> = group
            .iter()
            .map(|node| heard_by(*node, group, deafness).len())
            .collect();
        sizes.sort_unstable();
        assert_eq!(sizes[0], 1);
        assert!(sizes[1..].iter().all(|size| *size == group.len() - 1));
    });
}

#[test]
fn a_majority_hears_itself_and_not_the_minority() {
    parted(PartitionShape::Majority, |group, deafness| {
        let majority = (group.len() / 2 + 1).min(group.len() - 1);
        for node in group {
            let heard = heard_by(*node, group, deafness);
            assert!([majority, group.len() - majority].contains(&heard.len()));
            for other in &heard {
                assert_eq!(heard_by(*other, group, deafness), heard, "sides are whole");
            }
        }
    });
}

#[test]
fn around_the_ring_every_node_hears_a_majority_and_no_two_the_same() {
    parted(PartitionShape::MajoritiesRing, |group, deafness| {
        let heard: BTreeSet<Vec<NodeId>> = group
            .iter()
            .map(|node| heard_by(*node, group, deafness))
            .inspect(|heard| assert_eq!(heard.len(), group.len() / 2 + 1))
            .collect();
        assert_eq!(heard.len(), group.len());
    });
}

#[test]
fn the_minority_of_a_third_is_less_than_half() {
    parted(PartitionShape::MinorityThird, |group, deafness| {
        let third = (group.len() / 3).max(1);
        let few = group
            .iter()
            .filter(|node| heard_by(**node, group, deafness).len() == third)
            .count();
        assert!(few >= third && (third * 2 < group.len() || group.len() == 2));
    });
}

#[test]
fn only_the_bridge_hears_everybody() {
    parted(PartitionShape::Bridge, |group, deafness| {
        let bridges = group
            .iter()
            .filter(|node| heard_by(**node, group, deafness).len() == group.len())
            .count();
        assert_eq!(bridges, 1);
    });
}

#[test]
fn an_asymmetric_partition_is_deaf_one_way_only() {
    parted(PartitionShape::Asymmetric, |group, deafness| {
        let mut one_way = 0;
        for a in group {
            for b in group {
                let hears = heard_by(*a, group, deafness).contains(b);
                let is_heard = heard_by(*b, group, deafness).contains(a);
                assert!(hears || is_heard, "one of the two hears the other");
                one_way += usize::from(hears != is_heard);
            }
        }
        assert!(one_way > 0);
    });
}

fn plan(kinds: &[FaultKind]) -> Plan {
    Plan {
        kinds: kinds.to_vec(),
        interval_ns: 10 * SECOND,
        seed: 3,
        ..Plan::default()
    }
}

#[test]
fn every_kind_comes_once_a_round_one_an_interval() {
    let groups = vec![group(0..3), group(3..6)];
    let events: Vec<ScheduledFault> = Schedule::new(plan(&FaultKind::ALL), groups)
        .unwrap()
        .take(60)
        .collect();
    for (at, event) in events.iter().enumerate() {
        assert_eq!(event.at_ns, (5 + 10 * at as u64) * SECOND);
        assert!((3 * SECOND..13 * SECOND).contains(&event.lasts_ns));
        assert!(!event.fault.nodes().is_empty());
    }
    for round in events.chunks_exact(FaultKind::ALL.len()) {
        let mut kinds: Vec<FaultKind> = round.iter().map(|event| event.fault.kind()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, FaultKind::ALL);
    }
}

#[test]
fn the_seed_decides_the_schedule() {
    let events = |seed| {
        let plan = Plan {
            seed,
            ..plan(&FaultKind::ALL)
        };
        let schedule = Schedule::new(plan, vec![group(0..3)]).unwrap();
        schedule.take(30).collect::<Vec<_>>()
    };
    assert_eq!(events(1), events(1));
    assert_ne!(events(1), events(2));
}

#[test]
fn faults_of_one_kind_do_not_overlap() {
    let schedule = Schedule::new(plan(&[FaultKind::KILL]), vec![group(0..3)]).unwrap();
    let events: Vec<ScheduledFault> = schedule.take(50).collect();
    for pair in events.windows(2) {
        assert!(pair[0].at_ns + pair[0].lasts_ns < pair[1].at_ns);
    }
}

#[test]
fn a_partition_of_a_lone_node_cuts_it_off_from_its_clients() {
    let schedule = Schedule::new(plan(&[FaultKind::PARTITION]), vec![group(0..1)]).unwrap();
    for event in schedule.take(10) {
        assert_eq!(event.fault.way(), Some("clients"));
        let cut = Harm::Deaf(Deafness::Clients(NodeId(0)));
        assert_eq!(event.fault.harms(), [cut]);
    }
}

#[test]
fn what_was_written_down_comes_in_its_order_among_what_is_drawn() {
    let step = |at_s, what: Option<&str>| Step {
        at_ns: at_s * SECOND,
        lasts_ns: SECOND,
        kind: FaultKind::PARTITION,
        what: what.map(str::to_owned),
        nodes: vec![NodeId(1)],
    };
    let plan = Plan {
        steps: vec![step(12, Some("asymmetric")), step(2, None)],
        ..plan(&[FaultKind::PAUSE])
    };
    let schedule = Schedule::new(plan, vec![group(0..3)]).unwrap();
    let events: Vec<ScheduledFault> = schedule.take(4).collect();
    let times: Vec<u64> = events.iter().map(|event| event.at_ns / SECOND).collect();
    assert_eq!(times, [2, 5, 12, 15]);
    assert_eq!(
        events[2].fault.to_string(),
        "partition asymmetric: n0 deaf to n1, n2 deaf to n1"
    );
}

#[test]
fn a_schedule_that_names_what_there_is_not_is_refused() {
    let step = Step {
        at_ns: 0,
        lasts_ns: SECOND,
        kind: FaultKind::PACKET,
        what: Some("drizzle".to_owned()),
        nodes: Vec::new(),
    };
    let refused = |step: Step| {
        let plan = Plan {
            steps: vec![step],
            ..Plan::default()
        };
        Schedule::new(plan, vec![group(0..3)]).unwrap_err()
    };
    let told = refused(step.clone()).to_string();
    assert!(told.contains("drizzle") && told.contains("loss"), "{told}");
    let far = Step {
        what: None,
        nodes: vec![NodeId(7)],
        ..step.clone()
    };
    assert!(refused(far).to_string().contains("n7"));
    let bridge = Step {
        kind: FaultKind::PARTITION,
        what: Some("bridge".to_owned()),
        ..step
    };
    let plan = Plan {
        steps: vec![bridge],
        ..Plan::default()
    };
    let told = Schedule::new(plan, vec![group(0..2)]).unwrap_err();
    assert!(told.to_string().contains("bridge"), "{told}");
}

#[test]
fn a_strobing_clock_jumps_to_and_fro_and_a_drifting_one_gets_ever_further_off() {
    let strobe = ClockFault::Strobe {
        offset_ns: 7,
        period_ns: 10,
    };
    let offsets = [0, 9, 10, 19, 20].map(|since| strobe.offset_ns(since));
    assert_eq!(offsets, [7, 7, 0, 0, 7]);
    let drift = ClockFault::Drift { ppm: -1_000 };
    assert_eq!(drift.offset_ns(SECOND), -1_000_000);
}

/// What a run of so many seconds lacks.
fn lack(plan: &Plan, duration_ns: u64) -> Option<Lack> {
    plan.lack(&[group(0..3)], duration_ns)
        .expect("the plan is possible")
}

#[test]
fn a_run_that_cannot_hold_one_of_each_kind_is_told_what_would_do() {
    for seed in 0..50 {
        let kinds = &FaultKind::ALL[..1 + seed as usize % FaultKind::ALL.len()];
        let plan = Plan {
            seed,
            ..plan(kinds)
        };
        let short_ns = 2 * SECOND;
        let Some(Lack::Kinds {
            missing,
            duration_ns,
            interval_ns,
        }) = lack(&plan, short_ns)
        else {
            panic!("10 s from fault to fault do not fit into 2 s")
        };
        assert_eq!(missing, kinds);
        assert_eq!(lack(&plan, duration_ns), None, "{duration_ns} ns do");
        // It is not much longer than it must be: it is rounded to a second.
        assert!(lack(&plan, duration_ns - 2 * SECOND).is_some());
        let denser = Plan {
            interval_ns: interval_ns.expect("2 s hold six faults"),
            ..plan
        };
        assert_eq!(lack(&denser, short_ns), None, "{}", denser.interval_ns);
        let sparser = Plan {
            interval_ns: denser.interval_ns * 11 / 10,
            ..denser
        };
        assert!(lack(&sparser, short_ns).is_some());
    }
}

#[test]
fn a_run_too_short_for_any_interval_has_a_duration_that_would_do() {
    let plan = Plan {
        interval_ns: INTERVAL_NS_MIN,
        ..plan(&FaultKind::ALL)
    };
    let Some(Lack::Kinds {
        interval_ns,
        duration_ns,
        ..
    }) = lack(&plan, SECOND / 1_000)
    else {
        panic!("a millisecond holds nothing")
    };
    assert_eq!(interval_ns, None);
    assert_eq!(lack(&plan, duration_ns), None);
}

#[test]
fn a_fault_that_is_written_down_for_after_the_end_is_lacking_and_one_that_only_ends_there_is_not() {
    let step = |at_ns, lasts_ns| Step {
        at_ns,
        lasts_ns,
        kind: FaultKind::KILL,
        what: None,
        nodes: Vec::new(),
    };
    let steps = |steps: &[Step]| Plan {
        steps: steps.to_vec(),
        ..Plan::default()
    };
    let late = step(10 * SECOND, SECOND);
    let plan = steps(&[step(SECOND, SECOND), late.clone()]);
    let expected = Lack::Step {
        step: late,
        duration_ns: 11 * SECOND,
    };
    assert_eq!(lack(&plan, 2 * SECOND), Some(expected));
    assert_eq!(lack(&plan, 11 * SECOND), None);
    assert!(lack(&plan, 10 * SECOND).is_some(), "the end is not within");
    assert_eq!(lack(&steps(&[step(SECOND, 60 * SECOND)]), 2 * SECOND), None);
    // The longest time that can be written.
    let far = steps(&[step(u64::MAX, u64::MAX)]);
    assert!(lack(&far, u64::MAX).is_some());
}

#[test]
fn within_a_duration_faults_at_random_are_over_in_time_and_later_given_ones_come() {
    let step = Step {
        at_ns: 58 * SECOND,
        lasts_ns: SECOND,
        kind: FaultKind::PAUSE,
        what: None,
        nodes: Vec::new(),
    };
    let plan = Plan {
        steps: vec![step],
        ..plan(&[FaultKind::KILL, FaultKind::CLOCK])
    };
    let schedule = Schedule::new(plan, vec![group(0..3)]).unwrap();
    let events: Vec<ScheduledFault> = schedule.within(60 * SECOND).collect();
    let (written, random): (Vec<ScheduledFault>, Vec<ScheduledFault>) =
        events.into_iter().partition(|event| event.is_written);
    assert_eq!(written.len(), 1, "what does not fit stops nothing after it");
    assert!((4..=5).contains(&random.len()), "{random:?}");
    for event in random {
        assert!(event.at_ns + event.lasts_ns <= 50 * SECOND, "{event:?}");
    }
}

#[test]
fn every_shape_that_is_asked_for_must_fit() {
    let plan = Plan {
        shapes: vec![PartitionShape::Clients, PartitionShape::Bridge],
        ..plan(&[FaultKind::PARTITION])
    };
    let told = Schedule::new(plan.clone(), vec![group(0..2)]).unwrap_err();
    assert!(told.to_string().contains("bridge"), "{told}");
    assert!(
        Schedule::new(plan, vec![group(0..3)]).is_ok(),
        "the control"
    );
}

#[test]
fn a_fault_of_no_length_and_a_way_that_is_not_are_refused() {
    let refused = |lasts_ns, what: Option<&str>| {
        let step = Step {
            at_ns: 0,
            lasts_ns,
            kind: FaultKind::KILL,
            what: what.map(str::to_owned),
            nodes: vec![NodeId(0)],
        };
        let plan = Plan {
            steps: vec![step],
            ..Plan::default()
        };
        Schedule::new(plan, vec![group(0..3)]).err()
    };
    let told = refused(0, None).expect("no length").to_string();
    assert!(told.contains("lasts 0 s"), "{told}");
    let told = refused(SECOND, Some("gently")).expect("no way").to_string();
    assert!(told.contains("leave `what` out"), "{told}");
    assert_eq!(refused(SECOND, None), None, "the control");
}

#[test]
fn a_fault_for_the_primary_meets_the_node_that_is_the_primary_when_it_comes() {
    let groups = vec![group(0..3)];
    for kind in [FaultKind::KILL, FaultKind::PAUSE, FaultKind::PARTITION] {
        let plan = Plan {
            kinds: vec![kind],
            interval_ns: SECOND,
            targets: vec![Target::Primary],
            ..Plan::default()
        };
        let mut schedule = Schedule::new(plan, groups.clone()).expect("a schedule");
        let event = schedule.next().expect("a fault");
        assert_eq!(event.role, Some(Role::Primary), "{kind}");
        let fault = event.aimed_at(NodeId(2), &groups).fault;
        if kind == FaultKind::PARTITION {
            let deafness = fault.harms().iter().map(|harm| {
                let Harm::Deaf(deafness) = harm else {
                    panic!("{harm:?} is no deafness")
                };
                deafness.clone()
            });
            let deafness: Vec<Deafness> = deafness.collect();
            let heard = |node| heard_by(NodeId(node), &groups[0], &deafness);
            assert_eq!(heard(2), [NodeId(2)], "it is cut off");
            assert_eq!(heard(0), group(0..2), "the others hear each other");
        } else {
            assert_eq!(fault.nodes(), [NodeId(2)], "{kind}");
        }
    }
    let plan = Plan {
        kinds: vec![FaultKind::KILL],
        interval_ns: SECOND,
        ..Plan::default()
    };
    let mut schedule = Schedule::new(plan, groups).expect("a schedule");
    let event = schedule.next().expect("a fault");
    assert_eq!(event.role, None, "the control");
}

#[test]
fn a_fault_for_a_leader_is_meant_for_a_node_of_one_group_and_one_for_somebody_else_is_not() {
    let groups = vec![group(0..3), group(3..6)];
    let plan = Plan {
        kinds: vec![FaultKind::KILL, FaultKind::PARTITION],
        interval_ns: SECOND,
        targets: vec![Target::Leader, Target::All],
        ..Plan::default()
    };
    let schedule = Schedule::new(plan, groups.clone()).expect("a schedule");
    let mut led = BTreeSet::new();
    for event in schedule.take(100) {
        let Some(role) = event.role else {
            assert_ne!(event.fault.nodes().len(), 1, "all of them: {event:?}");
            continue;
        };
        let Role::LeaderOf(node) = role else {
            panic!("{role:?} was not asked for")
        };
        let place = groups.iter().position(|group| group.contains(&node));
        led.insert((event.fault.kind(), place.expect("a node of a group")));
    }
    assert_eq!(
        led.len(),
        4,
        "each kind meets the leader of each group: {led:?}"
    );
}

#[test]
fn who_leads_is_known_where_one_says_so_and_no_other() {
    let [one, two] = [NodeId(1), NodeId(2)];
    assert_eq!(Role::leader([two]), Some(two));
    assert_eq!(Role::leader([one, two]), None);
    assert_eq!(Role::leader([]), None);
}
