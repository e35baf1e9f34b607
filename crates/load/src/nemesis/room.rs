//! Whether a run has room for the faults that it was asked for: one of each kind, and every fault
//! at a given time. To find out this draws the real schedule and estimates nothing.

use super::faults::FaultKind;
use super::plan::{Plan, PlanError, Step};
use super::schedule::{Schedule, recovery_ns};
use kvs_core::protocol::NodeId;

/// The least time from one fault to the next, in ns: the launcher tells nodes of faults no faster.
pub const INTERVAL_NS_MIN: u64 = 10 * MS;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
/// How often an interval is made a little shorter, at most, until the schedule fits.
const TRIES_MAX: usize = 4;

/// What a run has no room for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Kinds that would not come once.
    Kinds {
        /// Which.
        missing: Vec<FaultKind>,
        /// A duration in which each kind comes, in ns.
        duration_ns: u64,
        /// An interval with which each kind comes in the duration that there is, in ns, if there is
        /// one.
        interval_ns: Option<u64>,
    },
    /// A fault that was written down for a time after the end.
    Step {
        /// The fault.
        step: Step,
        /// A duration in which it is over as well, in ns.
        duration_ns: u64,
    },
}

impl Plan {
    /// What does not come in a measured part of `duration_ns`; none when all of it does.
    ///
    /// # Errors
    /// When the deployment of these replica groups cannot have what the plan asks for.
    pub fn lack(
        &self,
        groups: &[Vec<NodeId>],
        duration_ns: u64,
    ) -> Result<Option<Lack>, PlanError> {
        if let Some(last) = { &self.steps }
            .iter()
            .filter(|step| step.at_ns >= duration_ns)
            .max_by_key(|step| step.at_ns.saturating_add(step.lasts_ns))
        {
            let end_ns = last.at_ns.saturating_add(last.lasts_ns);
            return Ok(Some(Lack::Step {
                step: last.clone(),
                duration_ns: rounded_up(end_ns),
            }));
        }
        let schedule = Schedule::new(self.clone(), groups.to_vec())?.within(duration_ns);
        // What does not come in its first round does not come in a later one.
        let comes: Vec<FaultKind> = { schedule.take(self.kinds.len() + self.steps.len()) }
            .map(|event| event.fault.kind())
            .collect();
        let missing: Vec<FaultKind> = { &self.kinds }
            .iter()
            .copied()
            .filter(|kind| !comes.contains(kind))
            .collect();
        if missing.is_empty() {
            return Ok(None);
        }
        Ok(Some(Lack::Kinds {
            missing,
            duration_ns: self.duration_ns(groups)?,
            interval_ns: self.interval_ns_within(groups, duration_ns)?,
        }))
    }

    /// The largest round interval with which each kind comes within `duration_ns`; none when even
    /// the least is too long.
    ///
    /// # Errors
    /// As [`Plan::lack`].
    pub fn interval_ns_within(
        &self,
        groups: &[Vec<NodeId>],
        duration_ns: u64,
    ) -> Result<Option<u64>, PlanError> {
        // The round is as many intervals long whatever the interval is.
        let probed = self.every(SECOND);
        let intervals = probed.first_round_ns(groups)? as f64 / SECOND as f64;
        let duration = duration_ns as f64;
        let mut interval_ns =
            (duration / (intervals + 1.0)).max(duration * 0.75 / intervals) as u64;
        for _ in 0..TRIES_MAX {
            interval_ns = rounded_down(interval_ns);
            if interval_ns < INTERVAL_NS_MIN {
                return Ok(None);
            }
            let healed_by_ns = duration_ns - recovery_ns(interval_ns, duration_ns);
            if self.every(interval_ns).first_round_ns(groups)? <= healed_by_ns {
                return Ok(Some(interval_ns));
            }
            interval_ns -= 1;
        }
        Ok(None)
    }

    /// A round duration in which each kind comes, in ns.
    fn duration_ns(&self, groups: &[Vec<NodeId>]) -> Result<u64, PlanError> {
        let round_ns = u128::from(self.first_round_ns(groups)?);
        let recovered_ns = (round_ns + u128::from(self.interval_ns)).min(round_ns * 4 / 3 + 2);
        Ok(rounded_up(u64::try_from(recovered_ns).unwrap_or(u64::MAX)))
    }

    /// When the first round of random faults, one of each kind, is over at last, in ns.
    fn first_round_ns(&self, groups: &[Vec<NodeId>]) -> Result<u64, PlanError> {
        let schedule = Schedule::new(self.clone(), groups.to_vec())?;
        let random = schedule.filter(|event| !event.is_written);
        let ends = { random.take(self.kinds.len()) }
            .map(|event| event.at_ns.saturating_add(event.lasts_ns));
        Ok(ends.max().unwrap_or(0))
    }

    /// The same with another interval.
    fn every(&self, interval_ns: u64) -> Self {
        Self {
            interval_ns,
            ..self.clone()
        }
    }
}

/// A duration of at least so many ns that reads well.
fn rounded_up(ns: u64) -> u64 {
    let unit = if ns >= 10 * SECOND { SECOND } else { 100 * MS };
    ns.div_ceil(unit).saturating_mul(unit)
}

/// An interval of at most so many ns that reads well.
const fn rounded_down(ns: u64) -> u64 {
    let unit = if ns >= SECOND {
        100 * MS
    } else if ns >= 100 * MS {
        10 * MS
    } else {
        MS
    };
    ns / unit * unit
}
