//! When each fault comes: drawn from a seed, or as it was written down.

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg64;

use super::fault::Fault;
use super::faults::{Draws, FaultKind, PartitionShape};
use super::plan::{Plan, PlanError, Step};
use super::targets::{Role, Target};
use kvs_core::protocol::NodeId;

/// Part of the interval that a fault lasts, at least.
const LASTS_MIN: f64 = 0.3;
/// And at most, where the next is of another kind, so that they overlap at times.
const LASTS_MAX: f64 = 1.3;
/// And at most, where every fault is of one kind.
const LASTS_MAX_ALONE: f64 = 0.8;

/// A fault and its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScheduledFault {
    /// When it comes, in ns since the measured part began.
    pub at_ns: u64,
    /// How long it lasts, in ns.
    pub lasts_ns: u64,
    /// What it does.
    pub fault: Fault,
    /// Until when it may still be installed where it cannot come in time, in ns since the measured
    /// part began: as long as it would have lasted, and one that comes at random as long as it is
    /// over some time before the end.
    pub latest_ns: u64,
    /// Whether it was written down; otherwise it comes at random.
    pub is_written: bool,
    /// For whom it is meant, where that has to be found when it comes. That node takes the place of
    /// those that it names: see [`ScheduledFault::aimed_at`].
    pub role: Option<Role>,
}

/// Faults in the order of their times. Without an end, those that come at random never end.
#[derive(Clone, Debug)]
pub struct Schedule {
    plan: Plan,
    groups: Vec<Vec<NodeId>>,
    random: Pcg64,
    /// The kinds that are still to come in this round: each comes once a round.
    round: Vec<FaultKind>,
    /// When the next random fault comes.
    next_ns: u64,
    /// Written-down faults, the next one last.
    steps: Vec<ScheduledFault>,
    /// When the measured part ends, in ns since it began.
    end_ns: u64,
    /// By when a fault that comes at random is over.
    healed_by_ns: u64,
}

impl Schedule {
    /// A schedule for a deployment of these replica groups.
    ///
    /// # Errors
    /// When a step names what there is not.
    ///
    /// # Panics
    /// When there are kinds and the interval is 0, or there are no nodes.
    pub fn new(plan: Plan, groups: Vec<Vec<NodeId>>) -> Result<Self, PlanError> {
        assert!(
            plan.kinds.is_empty() || plan.interval_ns > 0,
            "faults have time between them"
        );
        assert!(
            groups.iter().all(|group| !group.is_empty()) && !groups.is_empty(),
            "there are nodes"
        );
        let mut schedule = Self {
            random: Pcg64::seed_from_u64(plan.seed),
            round: Vec::new(),
            next_ns: plan.interval_ns / 2,
            steps: Vec::new(),
            end_ns: u64::MAX,
            healed_by_ns: u64::MAX,
            plan,
            groups,
        };
        let mut steps = schedule.plan.steps.clone();
        steps.sort_by_key(|step| std::cmp::Reverse(step.at_ns));
        for step in steps {
            let (fault, role) = schedule.written(&step)?;
            schedule.steps.push(ScheduledFault {
                at_ns: step.at_ns,
                lasts_ns: step.lasts_ns,
                fault,
                latest_ns: step.at_ns.saturating_add(step.lasts_ns),
                is_written: true,
                role: role.filter(|_| step.nodes.is_empty()),
            });
        }
        let fits = |shape: &PartitionShape| {
            let mut groups = schedule.groups.iter();
            groups.any(|group| shape.fits(group.len()))
        };
        if let Some(shape) = schedule.plan.shapes.iter().find(|shape| !fits(shape)) {
            let shape = shape.name().to_owned();
            return Err(PlanError::Shape { shape });
        }
        Ok(schedule)
    }

    /// The same in a measured part of `duration_ns`. A fault that was written down comes if it
    /// begins before the end. One that comes at random is left out unless it is over some time
    /// before the end, so that it is seen how the store recovers: an interval, or a quarter of the
    /// duration where that is less.
    #[must_use]
    pub fn within(mut self, duration_ns: u64) -> Self {
        self.end_ns = duration_ns;
        self.healed_by_ns = duration_ns - recovery_ns(self.plan.interval_ns, duration_ns);
        self
    }

    /// The fault that was written down, with what it does not say drawn.
    fn written(&mut self, step: &Step) -> Result<(Fault, Option<Role>), PlanError> {
        let count = self.groups.iter().map(Vec::len).sum();
        let unknown = |node: &&NodeId| !self.groups.iter().any(|group| group.contains(node));
        if let Some(&node) = step.nodes.iter().find(unknown) {
            return Err(PlanError::Node { node, nodes: count });
        }
        let mut nodes = step.nodes.clone();
        nodes.sort_unstable();
        nodes.dedup();
        if step.lasts_ns == 0 {
            return Err(PlanError::NoTime { kind: step.kind });
        }
        let (drawn, role) = self.draw(step.kind);
        if step.what.is_none() && nodes.is_empty() {
            return Ok((drawn, role));
        }
        let written = step.written(&nodes)?;
        let mut draws = Draws {
            plan: &self.plan,
            groups: &self.groups,
            nodes: drawn.nodes(),
            random: &mut self.random,
        };
        let fault = (step.kind.row().parse)(&mut draws, drawn, &written)?;
        Ok((fault, role))
    }

    /// A fault of this kind, and for whom it is meant.
    fn draw(&mut self, kind: FaultKind) -> (Fault, Option<Role>) {
        let targets = match &self.plan.targets[..] {
            [] => vec![Target::One, Target::One, Target::Minority, Target::Majority],
            chosen => chosen.to_vec(),
        };
        let target = targets[self.random.random_range(0..targets.len())];
        let nodes = target.draw(&self.groups, &mut self.random);
        let role = target.role(nodes[0]);
        let mut draws = Draws {
            nodes,
            plan: &self.plan,
            groups: &self.groups,
            random: &mut self.random,
        };
        ((kind.row().draw)(&mut draws), role)
    }

    fn random_event(&mut self) -> ScheduledFault {
        if self.round.is_empty() {
            self.round.clone_from(&self.plan.kinds);
            self.round.shuffle(&mut self.random);
        }
        let kind = self.round.pop().expect("there are kinds");
        let most = if self.plan.kinds.len() > 1 {
            LASTS_MAX
        } else {
            LASTS_MAX_ALONE
        };
        let part = self.random.random_range(LASTS_MIN..most);
        let at_ns = self.next_ns;
        self.next_ns = self.next_ns.saturating_add(self.plan.interval_ns);
        let lasts_ns = (self.plan.interval_ns as f64 * part) as u64;
        let (fault, role) = self.draw(kind);
        ScheduledFault {
            at_ns,
            lasts_ns,
            fault,
            latest_ns: { self.healed_by_ns.saturating_sub(lasts_ns) }
                .max(at_ns.saturating_add(lasts_ns)),
            is_written: false,
            role,
        }
    }
}

impl ScheduledFault {
    /// The same for this node, which was found to be the one that it is meant for.
    #[must_use]
    pub fn aimed_at(mut self, node: NodeId, groups: &[Vec<NodeId>]) -> Self {
        self.fault = self.fault.aimed_at(node, groups);
        self
    }
}

impl Iterator for Schedule {
    type Item = ScheduledFault;

    fn next(&mut self) -> Option<ScheduledFault> {
        loop {
            let has_random = !self.plan.kinds.is_empty() && self.next_ns < self.healed_by_ns;
            let random = has_random.then_some(self.next_ns);
            let written = self.steps.last().map(|event| event.at_ns);
            let event = match (written, random) {
                (Some(written), Some(random)) if random < written => self.random_event(),
                (Some(_), _) => self.steps.pop()?,
                (None, Some(_)) => self.random_event(),
                (None, None) => return None,
            };
            let comes = if event.is_written {
                event.at_ns < self.end_ns
            } else {
                event.at_ns.saturating_add(event.lasts_ns) <= self.healed_by_ns
            };
            if comes {
                return Some(event);
            }
        }
    }
}

/// How long before the end the last fault that comes at random is over, in ns.
pub(super) const fn recovery_ns(interval_ns: u64, duration_ns: u64) -> u64 {
    let quarter = duration_ns / 4;
    if interval_ns < quarter {
        interval_ns
    } else {
        quarter
    }
}
