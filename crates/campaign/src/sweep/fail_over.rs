//! What clients notice when the node goes that takes the writes: runs in which faults of one kind
//! come one after the other, and what their histories say.

use std::time::Duration;

use anyhow::Context;

use kvs_check::History;
use kvs_check::history::{Kind, Outcome, Phase, Row};
use kvs_harness::run::{Config, HISTORY_FILE};
use kvs_load::nemesis::{FaultKind, PartitionShape, Target, Wanted};
use kvs_load::workload::humane;
use kvs_measure::RunRecord;
use kvs_report::report::sweep::{Course, FailOver, Outage};

/// From one fault to the next. A fault lasts at most four fifths of it, and three tenths at least: so
/// long that whoever is to take over does.
const INTERVAL: Duration = Duration::from_secs(5);
/// Sessions, so that those that wait for the node that went leave others to go on.
const SESSIONS: u32 = 1_000;
/// The width of a bin of the course.
const BIN_NS: u64 = 100_000_000;
/// Bins before a fault, and from it on.
const BINS: (usize, usize) = (10, 40);

/// A way in which a node goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) name: &'static str,
    kind: FaultKind,
    /// How it is parted from the others.
    shape: Option<PartitionShape>,
}

pub(super) const WAYS: [Way; 3] = [
    Way {
        name: "kill",
        kind: FaultKind::KILL,
        shape: None,
    },
    Way {
        name: "pause",
        kind: FaultKind::PAUSE,
        shape: None,
    },
    Way {
        name: "cut off",
        kind: FaultKind::PARTITION,
        shape: Some(PartitionShape::One),
    },
];

/// The run in which so many nodes go in this way; none where nodes of the store cannot. Whoever leads
/// a group is hit, or takes the writes, or else any node.
///
/// # Errors
/// When the load has no such rate or duration.
pub(super) fn config(common: Config, way: Way, faults: u32) -> anyhow::Result<Option<Config>> {
    let facts = common.facts();
    let is_alone = { facts.ports.groups().iter() }.all(|group| group.members().count() == 1);
    let can_be_parted = way.shape.is_none() || !is_alone;
    if !can_be_parted || !common.can_have(way.kind) {
        return Ok(None);
    }
    let target = if facts.has_leader {
        Some(Target::Leader)
    } else if facts.has_primary {
        Some(Target::Primary)
    } else {
        // A partition draws its node by its shape.
        way.shape.is_none().then_some(Target::One)
    };
    let mut load = common.load.clone();
    let duration = INTERVAL * (faults + 1);
    for setting in [
        format!("duration={}", humane::format_duration(duration)),
        format!("sessions={SESSIONS}"),
    ] {
        load.set(&setting)?;
    }
    Ok(Some(Config {
        load,
        faults: Wanted {
            interval: Some(INTERVAL),
            targets: target.into_iter().collect(),
            shapes: way.shape.into_iter().collect(),
            ..Wanted::of(way.kind)
        },
        // What is measured is no objective of the sweep.
        slo: None,
        ..common
    }))
}

/// What a run says of it.
///
/// # Errors
/// When its history cannot be read, or lacks operations.
pub(super) fn measured(record: &RunRecord, way: Way, rate: f64) -> anyhow::Result<FailOver> {
    let path = std::path::Path::new(&record.directory).join(HISTORY_FILE);
    let history = History::read(&path)?;
    anyhow::ensure!(
        record.history.complete,
        "{} is a sample, which does not say how long nobody could write",
        path.display()
    );
    let faults: Vec<Fault> = { record.faults.windows.iter() }
        .map(|window| {
            let node = window.nodes.first().context("a fault hits a node")?;
            let hit = record.nodes.iter().find(|it| it.node == *node);
            let group = hit.map_or(0, |hit| hit.group as u16);
            let from_ns = window.from_ns;
            Ok(Fault { group, from_ns })
        })
        .collect::<anyhow::Result<_>>()?;
    let rows = (0..history.len()).map(|at| history.row(at));
    let writes = rows.filter_map(|row| Write::of(&row)).collect();
    let seen = Seen::new(writes, faults);
    Ok(FailOver {
        way: way.name.to_owned(),
        rate,
        outages: seen.outages(),
        calm_ns: seen.calm_ns(),
        course: seen.course(),
        verdict: record.verdict.verdict,
        void: !record.void.is_empty(),
        directory: record.directory.clone(),
    })
}

/// A fault of a node of this group.
#[derive(Clone, Copy, Debug)]
struct Fault {
    group: u16,
    from_ns: u64,
}

/// A write of the measured load.
#[derive(Clone, Copy, Debug)]
struct Write {
    group: u16,
    intended_ns: u64,
    ended_ns: u64,
    is_ok: bool,
}

impl Write {
    fn of(row: &Row<'_>) -> Option<Self> {
        (row.kind != Kind::Get && row.phase == Phase::Run).then_some(())?;
        Some(Self {
            group: row.group,
            intended_ns: row.intended,
            ended_ns: row.returned?,
            is_ok: row.outcome == Outcome::Ok,
        })
    }
}

/// What clients saw of faults.
struct Seen {
    /// By their ends.
    writes: Vec<Write>,
    /// In the order of time.
    faults: Vec<Fault>,
}

impl Seen {
    fn new(mut writes: Vec<Write>, mut faults: Vec<Fault>) -> Self {
        writes.sort_unstable_by_key(|write| write.ended_ns);
        faults.sort_unstable_by_key(|fault| fault.from_ns);
        Self { writes, faults }
    }

    /// When writes of a group were acknowledged, in ns.
    fn acknowledged(&self, group: u16) -> Vec<u64> {
        let of_group = |write: &&Write| write.is_ok && write.group == group;
        let acknowledged = self.writes.iter().filter(of_group);
        acknowledged.map(|write| write.ended_ns).collect()
    }

    fn outages(&self) -> Vec<Outage> {
        let end_ns = self.writes.last().map_or(0, |last| last.ended_ns);
        let until = self.faults.iter().skip(1).map(|next| next.from_ns);
        let until = until.chain([end_ns]);
        { self.faults.iter().zip(until) }
            .map(|(fault, until_ns)| {
                outage(&self.acknowledged(fault.group), fault.from_ns, until_ns)
            })
            .collect()
    }

    fn calm_ns(&self) -> Vec<u64> {
        let second_ns = BIN_NS * BINS.0 as u64;
        { self.faults.iter() }
            .map(|fault| {
                let from_ns = fault.from_ns.saturating_sub(second_ns);
                let mut times = self.acknowledged(fault.group);
                times.retain(|at| (from_ns..fault.from_ns).contains(at));
                let edges = [from_ns].into_iter().chain(times).chain([fault.from_ns]);
                longest(edges).unwrap_or(0)
            })
            .collect()
    }

    fn course(&self) -> Course {
        let (before, after) = BINS;
        let bins = before + after;
        let before_ns = BIN_NS * before as u64;
        let bin = |fault: &Fault, at_ns: u64| {
            let from_ns = (at_ns + before_ns).checked_sub(fault.from_ns)?;
            let bin = (from_ns / BIN_NS) as usize;
            (bin < bins).then_some(bin)
        };
        let mut acknowledged = vec![0_u64; bins];
        let mut waits_ns = vec![Vec::new(); bins];
        for fault in &self.faults {
            for write in &self.writes {
                if let Some(bin) = bin(fault, write.ended_ns)
                    && write.is_ok
                {
                    acknowledged[bin] += 1;
                }
                if let Some(bin) = bin(fault, write.intended_ns) {
                    // Whoever was given up waits for ever.
                    let wait_ns = write.ended_ns.saturating_sub(write.intended_ns);
                    waits_ns[bin].push(if write.is_ok { wait_ns } else { u64::MAX });
                }
            }
        }
        let seconds = BIN_NS as f64 / 1e9 * self.faults.len() as f64;
        Course {
            before_ns,
            bin_ns: BIN_NS,
            writes_per_s: { acknowledged.iter() }
                .map(|count| *count as f64 / seconds.max(f64::MIN_POSITIVE))
                .collect(),
            p99_ns: waits_ns.into_iter().map(p99).collect(),
        }
    }
}

/// The longest time without an acknowledgement from a fault up to the next, of all the times of
/// acknowledgements, ascending.
fn outage(acknowledged: &[u64], from_ns: u64, until_ns: u64) -> Outage {
    let first = acknowledged.partition_point(|at| *at <= from_ns);
    let since = first
        .checked_sub(1)
        .map_or(from_ns, |last| acknowledged[last]);
    let rest = &acknowledged[first..];
    // What the next fault falls into is its own, but for the part before it.
    let ends = &rest[..rest.partition_point(|at| *at < until_ns)];
    let Some(last) = ends.last().copied() else {
        return Outage {
            without_writes_ns: until_ns.saturating_sub(since),
            ended: false,
        };
    };
    let ended = longest([since].into_iter().chain(ends.iter().copied())).unwrap_or(0);
    let open = until_ns.saturating_sub(last);
    Outage {
        without_writes_ns: ended.max(open),
        ended: ended >= open,
    }
}

/// The longest time between two neighbours.
fn longest(times: impl Iterator<Item = u64> + Clone) -> Option<u64> {
    let next = times.clone().skip(1);
    times.zip(next).map(|(one, next)| next - one).max()
}

fn p99(mut waits_ns: Vec<u64>) -> Option<u64> {
    waits_ns.sort_unstable();
    let at = (waits_ns.len() * 99).div_ceil(100);
    { waits_ns.get(at.checked_sub(1)?) }
        .copied()
        .filter(|wait_ns| *wait_ns < u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn an_outage_is_the_longest_time_without_an_acknowledgement_up_to_the_next_fault() {
        let every_ms = |range: std::ops::Range<u64>| range.map(|at| at * MS);
        let gap = every_ms(0..1_001).chain(every_ms(1_300..3_000));
        let times: Vec<u64> = gap.collect();
        let seen = outage(&times, 1_000 * MS, 2_000 * MS);
        assert_eq!((seen.without_writes_ns, seen.ended), (300 * MS, true));
        // Nothing happens at the next fault.
        let seen = outage(&times, 2_000 * MS, 2_999 * MS);
        assert_eq!((seen.without_writes_ns, seen.ended), (MS, true));
        // What the next fault does is not this one's.
        let next_gap: Vec<u64> = every_ms(0..2_001).chain(every_ms(2_600..3_000)).collect();
        let seen = outage(&next_gap, 1_000 * MS, 2_000 * MS);
        assert_eq!((seen.without_writes_ns, seen.ended), (MS, true));
        // A pause that began before the fault is not the fault's.
        let seen = outage(&times, 1_500 * MS, 2_000 * MS);
        assert_eq!((seen.without_writes_ns, seen.ended), (MS, true));
    }

    #[test]
    fn an_outage_that_nothing_ended_is_said_to_be_at_least_so_long() {
        let times = [0, 900 * MS];
        let seen = outage(&times, 1_000 * MS, 2_000 * MS);
        assert_eq!((seen.without_writes_ns, seen.ended), (1_100 * MS, false));
        let once = outage(&[900 * MS, 1_100 * MS], 1_000 * MS, 2_000 * MS);
        assert_eq!((once.without_writes_ns, once.ended), (900 * MS, false));
        let none = outage(&[], 1_000 * MS, 2_000 * MS);
        assert_eq!((none.without_writes_ns, none.ended), (1_000 * MS, false));
    }

    #[test]
    fn only_writes_of_the_group_of_the_node_count_for_its_outage_and_all_for_the_course() {
        let write = |group, at_ms: u64, is_ok| Write {
            group,
            intended_ns: (at_ms - 1) * MS,
            ended_ns: at_ms * MS,
            is_ok,
        };
        let mut writes: Vec<Write> = (1..4_000).map(|at_ms| write(0, at_ms, true)).collect();
        let of_other = |at_ms| write(1, at_ms, !(2_000..2_500).contains(&at_ms));
        writes.extend((1..4_000).map(of_other));
        let fault = |group| Fault {
            group,
            from_ns: 2_000 * MS,
        };
        let outages = |group| Seen::new(writes.clone(), vec![fault(group)]).outages();
        assert_eq!(outages(0)[0].without_writes_ns, MS);
        assert_eq!(outages(1)[0].without_writes_ns, 501 * MS);
        let seen = Seen::new(writes, vec![fault(1)]);
        assert_eq!(seen.calm_ns(), [MS]);
        let course = seen.course();
        assert_eq!(course.writes_per_s.len(), BINS.0 + BINS.1);
        assert_eq!(course.p99_ns[12], None, "half of the writes failed");
        let rates = [course.writes_per_s[5], course.writes_per_s[12]];
        assert_eq!(rates, [2_000.0, 1_000.0]);
        assert_eq!(course.p99_ns[5], Some(MS));
        assert_eq!(course.p99_ns[BINS.0 + BINS.1 - 1], None, "the run was over");
    }
}
