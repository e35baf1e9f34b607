//! What comes after the faults: the liveness phase, and the verdict on what was recorded.

use kvs_check::checker::{self, Anomaly, Engine, Options, Property, Report};
use kvs_check::history::{End, History, Kind, Outcome, Row, Witness};
use kvs_core::protocol::{Dot, NodeId, Origin};
use kvs_core::values::VectorClock;

use super::outcome::SimVerdict;
use super::world::{MS, World};

/// How long the operations under way may take to end once all is healed: so many time-outs, and so
/// long beyond them.
const TIMEOUTS_MAX: u64 = 10;
const SESSIONS_NS_MAX: u64 = 10_000 * MS;
/// How many rounds of anti-entropy the replicas may take to agree, and how long beyond them.
const ROUNDS_MAX: u64 = 400;
const CONVERGENCE_NS_MAX: u64 = 5_000 * MS;
/// How many looks at the replicas there are in a round of anti-entropy.
const LOOKS: u64 = 4;
/// Events of a whole simulation, for each step: beyond them something spins.
const EVENTS_PER_STEP_MAX: u64 = 100_000;

impl World<'_> {
    /// Runs the safety phase, the liveness phase and the final reads. Why it is not live, if so.
    pub(super) fn run(&mut self) -> Result<(), String> {
        self.end_sessions()?;
        let since_ns = self.now_ns;
        self.converge()?;
        self.counters.converged_ns = self.now_ns - since_ns;
        self.read_back();
        Ok(())
    }

    fn end_sessions(&mut self) -> Result<(), String> {
        let events_max = (self.plan.steps + 1).saturating_mul(EVENTS_PER_STEP_MAX);
        while !self.clients.pacer.is_idle() {
            let until_ns = self.healed_ns.map_or(u64::MAX, |healed_ns| {
                healed_ns + TIMEOUTS_MAX * self.plan.timeout_ns + SESSIONS_NS_MAX
            });
            if !self.step(until_ns) || self.counters.events > events_max {
                let all = self.clients.pacer.lanes().count();
                let left = all - self.clients.pacer.idle();
                return Err(format!(
                    "{left} of {all} sessions never ended their operation"
                ));
            }
        }
        Ok(())
    }

    fn converge(&mut self) -> Result<(), String> {
        let round_ns = self.nodes[0].spec.round_ms() * MS;
        let until_ns = self.now_ns + ROUNDS_MAX * round_ns + CONVERGENCE_NS_MAX;
        loop {
            let Some(difference) = self.difference() else {
                return Ok(());
            };
            if self.now_ns >= until_ns {
                return Err(difference);
            }
            let look_ns = self.now_ns + (round_ns / LOOKS).max(1);
            while self.step(look_ns) {}
            self.now_ns = look_ns;
        }
    }

    /// What replicas of one group do not agree on, if anything.
    fn difference(&self) -> Option<String> {
        for group in self.ports.groups() {
            let status = |node: &NodeId| self.nodes[usize::from(node.0)].replica.status();
            let first = status(&group.nodes[0]);
            for node in &group.nodes {
                let status = status(node);
                if !(status.is_quiet() && first.agrees_with(&status)) {
                    let (what, other) = (status.difference(&first), group.nodes[0]);
                    return Some(format!("{node} and {other} never agreed: {what}"));
                }
            }
            for node in &group.spares {
                let status = status(node);
                if !status.is_quiet() {
                    let what = status.difference(&status);
                    return Some(format!("{node} never came to rest: {what}"));
                }
            }
        }
        None
    }

    /// What was recorded.
    pub(super) fn history(&mut self) -> History {
        let plan = self.plan;
        let mut header =
            kvs_recording::header(&plan.architecture, plan.lattice, &self.ports, plan.seed);
        header.promise = plan.promise.or(header.promise);
        let columns = std::mem::take(&mut self.clients.book.recording.rows);
        let end = End::of(columns.len() as u64);
        History {
            header,
            columns,
            end: Some(end),
            ..History::default()
        }
    }

    /// The history without the acknowledged puts that died with the only state that had them, and
    /// without the gets that had read one: durability in memory keeps nothing else from being lost.
    /// None where no put has died.
    pub(super) fn without_lost_puts(&mut self, history: &History) -> Option<History> {
        if self.nemesis.lost.is_empty() {
            return None;
        }
        let mut kept = VectorClock::new();
        for node in &self.nodes {
            kept.merge(node.replica.status().applied());
        }
        let lost = &self.nemesis.lost;
        let is_lost = |dot: &u64| {
            let dot = Dot(*dot);
            let gone = |(origin, first, last): &(Origin, u64, u64)| {
                dot.origin() == *origin && (*first..=*last).contains(&dot.counter())
            };
            lost.iter().any(gone) && !kept.covers(dot)
        };
        let mut lost_puts = 0;
        let stays = |row: &Row<'_>| match &row.witness {
            Witness::Put { dot, .. } => {
                let is_lost = is_lost(dot);
                lost_puts += u64::from(is_lost);
                !is_lost
            }
            Witness::Get { siblings, .. } => !siblings.dots.iter().any(is_lost),
            Witness::None | Witness::Version(_) => true,
        };
        let rows = (0..history.len()).map(|place| history.row(place));
        let without = History::from_rows(history.header.clone(), rows.filter(stays));
        self.counters.lost_puts += lost_puts;
        Some(without)
    }
}

/// Judges what was recorded, by the direct engine alone and by nothing but the promise. Where
/// acknowledged puts died with the only state that had them, no put may be missing from the
/// history `without_lost` them; everything else is judged with them.
pub(super) fn verdict(history: &History, without_lost: Option<&History>) -> SimVerdict {
    let verdict = verdict_of(&judge(history), history);
    let (SimVerdict::Invalid { anomalies }, Some(without_lost)) = (&verdict, without_lost) else {
        return verdict;
    };
    let is_loss = |anomaly: &&Anomaly| anomaly.model == Property::LostWrites;
    if !anomalies.iter().any(|anomaly| is_loss(&anomaly)) {
        return verdict;
    }
    let mut real: Vec<Anomaly> = anomalies
        .iter()
        .filter(|anomaly| !is_loss(anomaly))
        .cloned()
        .collect();
    real.extend(judge(without_lost).anomalies().filter(is_loss).cloned());
    if real.is_empty() {
        return SimVerdict::Valid;
    }
    SimVerdict::Invalid { anomalies: real }
}

fn judge(history: &History) -> Report {
    let options = Options {
        verdict_only: true,
        engine: Engine::Direct,
        ..Options::default()
    };
    checker::check(history, &options)
}

/// Whether one order in time explains all that was read, the final reads included: then no write is
/// lost.
fn is_linearizable(report: &Report) -> bool {
    report
        .checks
        .iter()
        .any(|check| check.property == Property::Linearizable && check.verdict.is_valid())
}

/// The verdict on what is promised.
fn verdict_of(report: &Report, history: &History) -> SimVerdict {
    let checks = || {
        let checks = report.checks.iter();
        checks.filter(|check| report.is_judged(check.property))
    };
    if checks().any(|check| matches!(check.verdict, checker::Verdict::Invalid { .. })) {
        let anomalies = checks().flat_map(|check| check.verdict.anomalies());
        return SimVerdict::Invalid {
            anomalies: anomalies.cloned().collect(),
        };
    }
    // Where no put was acknowledged there is nothing that most properties could be broken by.
    let putless = !has_puts(history);
    let settled = |check: &checker::Check| {
        check.property == Property::CausalBlackBox && is_proved_causal(report)
            || check.property == Property::LostWrites && is_linearizable(report)
            || check.property != Property::Integrity && check.checked == 0 && putless
    };
    // What a promise names applies to every history of a store that makes it.
    let reasons: Vec<String> = checks()
        .filter(|check| !settled(check))
        .filter_map(|check| match &check.verdict {
            checker::Verdict::Unknown { reason } | checker::Verdict::NotApplicable { reason } => {
                Some(format!("{}: {reason}", check.property))
            }
            checker::Verdict::Valid | checker::Verdict::Invalid { .. } => None,
        })
        .collect();
    let missing = checks().next().is_none();
    if missing || !reasons.is_empty() {
        return SimVerdict::Unknown {
            reason: reasons.join("; "),
        };
    }
    SimVerdict::Valid
}

fn has_puts(history: &History) -> bool {
    let columns = &history.columns;
    let mut ended = columns.kind.iter().zip(&columns.outcome);
    ended.any(|(kind, outcome)| *kind == Kind::Put && *outcome == Outcome::Ok)
}

/// Whether the store's evidence proves the history causal: a certificate that verifies settles what
/// the black box has to leave open.
fn is_proved_causal(report: &Report) -> bool {
    [Property::Integrity, Property::Causal]
        .iter()
        .all(|property| {
            let check = report.check(*property);
            check.is_some_and(|check| matches!(check.verdict, checker::Verdict::Valid))
        })
}
