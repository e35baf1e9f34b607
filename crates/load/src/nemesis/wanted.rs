//! Which faults the user wants, before anybody asks what the store can have and what the run has
//! room for.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use kvs_core::protocol::NodeId;

use super::faults::{FAULTS, FaultKind, PacketFault, PartitionShape};
use super::plan::{Plan, PlanError, Step};
use super::room::{INTERVAL_NS_MIN, Lack};
use super::schedule::Schedule;
use super::targets::Target;
use crate::humane::format_duration;

/// The time from one fault to the next, unless told otherwise: Jepsen's.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// Or so many of them in a run that is short.
const FAULTS_MIN: u64 = 5;

/// Faults that are wanted of a run, beside those that its workload has at given times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Whether every kind comes at random that the store can have.
    pub all: bool,
    /// Kinds that come at random; a store that cannot have one of them is refused.
    pub kinds: BTreeSet<FaultKind>,
    /// The time from the start of one fault to the start of the next; when none, [`INTERVAL`], or
    /// less where the run could not hold five faults and one of each kind.
    pub interval: Option<Duration>,
    /// Which nodes faults act on; any target but `all` when empty.
    pub targets: Vec<Target>,
    /// How partitions look; any when empty.
    pub shapes: Vec<PartitionShape>,
}

/// Where faults come: the deployment, and the measured part of its load.
#[derive(Clone, Debug)]
pub struct Site {
    /// The replica groups.
    pub groups: Vec<Vec<NodeId>>,
    /// The kinds of fault that the store cannot have, and what each needs.
    pub lacks: Vec<(FaultKind, String)>,
    /// What may happen to packets; anything when empty.
    pub packets: Vec<PacketFault>,
    /// Whether one of the nodes takes the writes, and somebody says which.
    pub has_primary: bool,
    /// Whether one of the nodes of each group leads it, and says so.
    pub has_leader: bool,
    /// Faults at given times.
    pub steps: Vec<Step>,
    /// How long the load is measured, where that is known beforehand.
    pub limit: Option<Duration>,
    /// Decides every draw.
    pub seed: u64,
}

/// Why the faults that are wanted cannot come.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An interval without faults at random.
    #[error(
        "--nemesis-interval says how often random faults come, and there are none: add --nemesis"
    )]
    IdleInterval,
    /// Targets without faults of nodes.
    #[error(
        "--nemesis-targets says which nodes a fault hits, and there are no such faults: add \
         --nemesis with {}",
        that_hit_targets()
    )]
    IdleTargets,
    /// Shapes without partitions.
    #[error(
        "--nemesis-partitions gives the shapes of partitions, and there are none: add --nemesis \
         partition"
    )]
    IdleShapes,
    /// No time from one fault to the next, or too short a one.
    #[error(
        "--nemesis-interval takes a time with its unit of at least {}, such as 10s, not {given:?}",
        written(INTERVAL_NS_MIN)
    )]
    Interval {
        /// What was given.
        given: String,
    },
    /// A kind that this store cannot have.
    #[error("this store cannot have a {kind} fault, which needs {need}")]
    Kind {
        /// The kind.
        kind: FaultKind,
        /// What it needs.
        need: String,
    },
    /// A store without a primary.
    #[error(
        "--nemesis-targets primary aims at the node that takes the writes, and this store has no \
         such node: choose one, minority, majority or all"
    )]
    NoPrimary,
    /// A store without leaders.
    #[error(
        "--nemesis-targets leader aims at the node that leads its group, and this store has no such \
         node: choose one, minority, majority or all"
    )]
    NoLeader,
    /// What the deployment cannot have.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// What the run has no room for.
    #[error("{}", no_room(wanted, lack, *limit))]
    Room {
        /// What was wanted.
        wanted: Box<Wanted>,
        /// What would not come.
        lack: Box<Lack>,
        /// How long the load is measured.
        limit: Duration,
    },
}

impl Wanted {
    /// Faults of one kind.
    #[must_use]
    pub fn of(kind: FaultKind) -> Self {
        Self {
            kinds: BTreeSet::from([kind]),
            ..Self::default()
        }
    }

    /// The kinds that come at random, by their names, as `--nemesis` takes them.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let all = self.all.then_some("all");
        let kinds = self.kinds.iter().map(|kind| kind.name());
        all.into_iter().chain(kinds).collect()
    }

    /// What the nemesis does there, if there is anything for it to do.
    ///
    /// # Errors
    /// When it cannot do it, or the measured part is too short for all of it.
    pub fn plan(&self, site: &Site) -> Result<Option<Plan>, Refusal> {
        if self.targets.contains(&Target::Primary) && !site.has_primary {
            return Err(Refusal::NoPrimary);
        }
        if self.targets.contains(&Target::Leader) && !site.has_leader {
            return Err(Refusal::NoLeader);
        }
        let mut plan = Plan {
            packets: site.packets.clone(),
            kinds: self.kinds_at(site),
            left_out: self.left_out_at(site),
            interval_ns: INTERVAL.as_nanos() as u64,
            targets: self.targets.clone(),
            shapes: self.shapes.clone(),
            steps: site.steps.clone(),
            seed: site.seed,
        };
        self.refuse_idle(&plan)?;
        if plan.kinds.is_empty() && plan.steps.is_empty() {
            return Ok(None);
        }
        let impossible = |kind: &FaultKind| !site.can_have(*kind);
        if let Some(kind) = plan.every_kind().into_iter().find(impossible) {
            let need = site.need(kind).unwrap_or_default().to_owned();
            return Err(Refusal::Kind { kind, need });
        }
        // What it cannot do is said before anything is started.
        Schedule::new(plan.clone(), site.groups.clone())?;
        plan.interval_ns = self.interval_ns(&plan, site)?;
        self.refuse_without_room(&plan, site)?;
        Ok(Some(plan))
    }

    fn kinds_at(&self, site: &Site) -> Vec<FaultKind> {
        let all = FaultKind::ALL.into_iter();
        let all = all.filter(|kind| self.all && site.can_have(*kind));
        let comes: BTreeSet<FaultKind> = self.kinds.iter().copied().chain(all).collect();
        comes.into_iter().collect()
    }

    fn left_out_at(&self, site: &Site) -> Vec<(FaultKind, String)> {
        if self.all {
            site.lacks.clone()
        } else {
            Vec::new()
        }
    }

    /// Refuses an option that would change nothing: whoever gives it expects faults.
    fn refuse_idle(&self, plan: &Plan) -> Result<(), Refusal> {
        // What divides a group cuts the node that it is meant for from the others.
        let of_nodes = |kind: FaultKind| kind.row().hits_targets || plan.is_aimed();
        if self.interval.is_some() && plan.kinds.is_empty() {
            Err(Refusal::IdleInterval)
        } else if !self.targets.is_empty() && !plan.every_kind().into_iter().any(of_nodes) {
            Err(Refusal::IdleTargets)
        } else if !self.shapes.is_empty() && !plan.has(FaultKind::PARTITION) {
            Err(Refusal::IdleShapes)
        } else {
            Ok(())
        }
    }

    fn interval_ns(&self, plan: &Plan, site: &Site) -> Result<u64, Refusal> {
        match (self.interval, site.limit_ns()) {
            (Some(given), _) => u64::try_from(given.as_nanos())
                .ok()
                .filter(|interval_ns| *interval_ns >= INTERVAL_NS_MIN)
                .ok_or_else(|| Refusal::Interval {
                    given: format_duration(given),
                }),
            (None, Some(limit_ns)) => Ok(default_interval_ns(plan, &site.groups, limit_ns)?),
            (None, None) => Ok(INTERVAL.as_nanos() as u64),
        }
    }

    fn refuse_without_room(&self, plan: &Plan, site: &Site) -> Result<(), Refusal> {
        let Some((limit, limit_ns)) = site.limit.zip(site.limit_ns()) else {
            return Ok(());
        };
        match plan.lack(&site.groups, limit_ns)? {
            None => Ok(()),
            Some(lack) => Err(Refusal::Room {
                wanted: Box::new(self.clone()),
                lack: Box::new(lack),
                limit,
            }),
        }
    }
}

impl Site {
    /// Whether its store can have faults of a kind.
    fn can_have(&self, kind: FaultKind) -> bool {
        self.need(kind).is_none()
    }

    /// What its store needs to have faults of a kind, if it cannot have them.
    fn need(&self, kind: FaultKind) -> Option<&str> {
        let lacks = self.lacks.iter().find(|(lacked, _)| *lacked == kind);
        lacks.map(|(_, need)| need.as_str())
    }

    fn limit_ns(&self) -> Option<u64> {
        let ns = |limit: Duration| u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        self.limit.map(ns)
    }
}

/// Ten seconds, or less where a run of `limit_ns` could not hold five faults and one of each kind.
fn default_interval_ns(
    plan: &Plan,
    groups: &[Vec<NodeId>],
    limit_ns: u64,
) -> Result<u64, PlanError> {
    let fits = plan.interval_ns_within(groups, limit_ns)?;
    let few = (limit_ns / FAULTS_MIN).max(INTERVAL_NS_MIN);
    let most = few.min(INTERVAL.as_nanos() as u64);
    Ok(fits.unwrap_or(INTERVAL_NS_MIN).min(most))
}

/// The kinds that hit targets, as a sentence has them.
fn that_hit_targets() -> String {
    let hitting = FAULTS.iter().filter(|row| row.hits_targets);
    let names: Vec<&str> = hitting.map(|row| row.name).collect();
    match names.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

/// What is lacking, and what would do.
fn no_room(wanted: &Wanted, lack: &Lack, limit: Duration) -> String {
    let limit = format_duration(limit);
    match lack {
        Lack::Kinds {
            missing,
            duration_ns,
            interval_ns,
        } => {
            let mut flags = format!("--nemesis {}", wanted.names().join(","));
            if let Some(given) = wanted.interval {
                // Writing to a text does not fail.
                let _ = write!(flags, " --nemesis-interval {}", format_duration(given));
            }
            let or = interval_ns.map_or_else(String::new, |ns| {
                format!(" (or `--nemesis-interval {}`)", written(ns))
            });
            let missing: Vec<&str> = missing.iter().map(|kind| kind.name()).collect();
            format!(
                "`{flags}` needs `--duration {}`{or} to have each kind once: in {limit} there is \
                 no room for {}",
                written(*duration_ns),
                missing.join(", ")
            )
        }
        Lack::Step { step, duration_ns } => format!(
            "the {} at {} never comes, since the load is measured for {limit}: it needs \
             `--duration {}`, or an earlier time",
            step.kind,
            written(step.at_ns),
            written(*duration_ns)
        ),
    }
}

/// A time in ns as people write it.
fn written(ns: u64) -> String {
    format_duration(Duration::from_nanos(ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a store without disks lacks.
    fn lacks() -> Vec<(FaultKind, String)> {
        vec![(FaultKind::DISK, "--durability disk".to_owned())]
    }

    /// Three replicas that are measured for so long.
    fn site(has_disks: bool, limit: Duration) -> Site {
        Site {
            groups: vec![vec![NodeId(0), NodeId(1), NodeId(2)]],
            lacks: if has_disks { Vec::new() } else { lacks() },
            packets: Vec::new(),
            has_primary: false,
            has_leader: false,
            steps: Vec::new(),
            limit: Some(limit),
            seed: 1,
        }
    }

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn nothing_that_is_wanted_is_no_plan() {
        let plan = Wanted::default().plan(&site(false, MINUTE));
        assert_eq!(plan, Ok(None));
    }

    #[test]
    fn all_leaves_out_what_the_store_cannot_have_and_a_named_kind_is_refused() {
        let all = Wanted {
            all: true,
            ..Wanted::default()
        };
        let plan = |wanted: &Wanted, has_disks| wanted.plan(&site(has_disks, MINUTE));
        let memory = plan(&all, false).expect("a plan").expect("faults");
        assert_eq!(memory.left_out, lacks());
        assert_eq!(memory.kinds.len(), FaultKind::ALL.len() - 1);
        let disks = plan(&all, true).expect("a plan").expect("faults");
        assert_eq!(disks.kinds, FaultKind::ALL, "the control");
        let kind = FaultKind::DISK;
        let refused = plan(&Wanted::of(kind), false);
        let need = "--durability disk".to_owned();
        assert_eq!(refused, Err(Refusal::Kind { kind, need }));
    }

    #[test]
    fn an_interval_that_is_too_short_or_has_nothing_to_space_is_refused() {
        let every = |wanted: Wanted, interval| {
            let interval = Some(interval);
            let wanted = Wanted { interval, ..wanted };
            wanted.plan(&site(false, MINUTE)).map(|_| ())
        };
        let kill = || Wanted::of(FaultKind::KILL);
        let second = Duration::from_secs(1);
        assert_eq!(every(kill(), second), Ok(()), "the control");
        assert_eq!(every(Wanted::default(), second), Err(Refusal::IdleInterval));
        let refused = every(kill(), Duration::from_millis(1)).expect_err("too short");
        assert!(refused.to_string().contains("at least 10ms"), "{refused}");
    }

    #[test]
    fn a_run_without_room_for_a_fault_says_what_would_do() {
        let wanted = Wanted {
            interval: Some(INTERVAL),
            ..Wanted::of(FaultKind::KILL)
        };
        let refused = wanted.plan(&site(false, Duration::from_secs(2)));
        let told = refused.expect_err("no room").to_string();
        for part in [
            "--nemesis kill --nemesis-interval 10s",
            "--duration",
            "in 2s",
        ] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_store_without_leaders_refuses_faults_that_are_meant_for_one() {
        let wanted = Wanted {
            targets: vec![Target::Leader],
            ..Wanted::of(FaultKind::PARTITION)
        };
        let led = Site {
            has_leader: true,
            ..site(false, MINUTE)
        };
        assert!(wanted.plan(&led).is_ok(), "the control");
        assert_eq!(wanted.plan(&site(false, MINUTE)), Err(Refusal::NoLeader));
    }
}
