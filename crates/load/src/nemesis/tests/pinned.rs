//! A seed keeps its meaning: a schedule that it draws stays as it is.

use super::*;

/// Adds to a fingerprint (FNV-1a).
fn mixed(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3)
    })
}

/// All that decides what an event does.
fn told(event: &ScheduledFault) -> String {
    let clock = if let Some(Harm::Clock(clock, _)) = event.fault.harms().first() {
        format!("{clock:?}")
    } else {
        String::new()
    };
    let ScheduledFault {
        at_ns,
        lasts_ns,
        fault,
        latest_ns,
        is_written,
        role,
    } = event;
    let at_primary = *role == Some(Role::Primary);
    format!("{at_ns} {lasts_ns} {fault} {clock} {latest_ns} {is_written} {at_primary}\n")
}

/// The kinds that there were when this was pinned.
const KINDS: [FaultKind; 6] = [
    FaultKind::PARTITION,
    FaultKind::KILL,
    FaultKind::PAUSE,
    FaultKind::PACKET,
    FaultKind::CLOCK,
    FaultKind::DISK,
];

/// A command that somebody wrote down brings the same faults until somebody decides otherwise.
#[test]
fn a_seed_is_the_same_schedule_as_ever() {
    let step = |at_s, kind, what: Option<&str>, nodes: &[u16]| Step {
        at_ns: at_s * SECOND,
        lasts_ns: SECOND,
        kind,
        what: what.map(str::to_owned),
        nodes: nodes.iter().copied().map(NodeId).collect(),
    };
    let steps = vec![
        step(2, FaultKind::PARTITION, Some("bridge"), &[]),
        step(3, FaultKind::PARTITION, None, &[2]),
        step(4, FaultKind::PARTITION, Some("clients"), &[2, 0]),
        step(5, FaultKind::KILL, None, &[1]),
        step(6, FaultKind::PAUSE, None, &[]),
        step(7, FaultKind::PACKET, Some("reorder"), &[]),
        step(8, FaultKind::PACKET, None, &[1, 0]),
        step(9, FaultKind::CLOCK, Some("strobe"), &[]),
        step(10, FaultKind::CLOCK, None, &[2, 2]),
        step(11, FaultKind::DISK, Some("torn-write"), &[0]),
    ];
    let deployments = [
        vec![group(0..1)],
        vec![group(0..3)],
        vec![group(0..3), group(3..8)],
    ];
    let targets = [vec![], vec![Target::All], vec![Target::Primary]];
    let mut hash = 0xCBF2_9CE4_8422_2325;
    for groups in &deployments {
        for targets in &targets {
            for seed in 0..20 {
                let steps = if groups[0].len() > 1 { &steps[..] } else { &[] };
                let plan = Plan {
                    seed,
                    targets: targets.clone(),
                    steps: steps.to_vec(),
                    ..plan(&KINDS)
                };
                let schedule = Schedule::new(plan, groups.clone()).expect("a schedule");
                for event in schedule.within(600 * SECOND) {
                    hash = mixed(hash, &told(&event));
                    let aimed = event.aimed_at(NodeId(0), groups);
                    hash = mixed(hash, &told(&aimed));
                }
            }
        }
    }
    assert_eq!(hash, 0x1FFD_80C4_1696_9C38);
}
