//! The judgement as text.

use std::fmt;

use super::super::searched::{Found, Search};
use super::super::verdict::{Check, Verdict};
use super::{Agreement, Report, Totals};
use crate::history::Dominance;

/// Anomalies of one kind that an explained report shows; it counts all.
const EXPLAINED_MAX: usize = 3;

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let covered = if self.operations == self.of {
            format!("all {} operations", self.of)
        } else {
            format!("the first {} of {} operations", self.operations, self.of)
        };
        match &self.found {
            Found::Order => {
                let found = if self.operations == self.of {
                    "valid, an order"
                } else {
                    "no violation in the part that was searched, an order"
                };
                let (steps, states) = (self.steps, self.states);
                write!(
                    f,
                    "{found} of {covered} in {steps} steps and {states} states"
                )
            }
            Found::NoOrder { operation, .. } => {
                write!(f, "invalid, no order of {covered} explains {operation}")
            }
            Found::Budget => write!(f, "unknown, the budget ran out on {covered}"),
            Found::NotApplicable { reason } => write!(f, "not applicable: {reason}"),
        }?;
        match &self.limit {
            Some(limit) => write!(f, ": {limit}"),
            None => Ok(()),
        }
    }
}

impl Report {
    /// One line a check, and the ladder.
    fn judgement(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Totals { ok, fail, info } = self.totals;
        write!(f, "{}, held to: {}", self.verdict().name(), self.held_to())?;
        for clause in self.gaps.iter().chain(&self.remarks) {
            write!(f, "; {clause}")?;
        }
        writeln!(f)?;
        if self.model.is_none() && self.promise.is_none() {
            writeln!(
                f,
                "  the history promises nothing: hold it to a model with --model, or to all"
            )?;
        }
        if self.dominance == Dominance::Context {
            writeln!(f, "  a put supersedes what its context names, and no more")?;
        }
        writeln!(f, "  operations: {ok} ok, {fail} fail, {info} unknown")?;
        for check in self
            .checks
            .iter()
            .filter(|check| self.is_judged(check.property))
        {
            writeln!(f, "  {check}")?;
        }
        if let Some(search) = &self.search {
            writeln!(f, "  {:<20} {search}", "stateright")?;
        }
        match &self.agreement {
            Agreement::Agree => writeln!(f, "  the engines agree")?,
            Agreement::Disagree { detail } => writeln!(f, "  THE ENGINES DISAGREE: {detail}")?,
            Agreement::NotCompared { .. } => {}
        }
        if let Some(bug) = &self.unexplained {
            writeln!(
                f,
                "  anomalies may show more operations than they need, since making them small \
                 failed: {bug}"
            )?;
        }
        if let Some(inversions) = self.clock_inversions {
            writeln!(f, "  clock inversions: {inversions}")?;
        }
        // One rung says what the verdict says.
        let ladder = if self.ladder.len() > 1 {
            &self.ladder[..]
        } else {
            &[]
        };
        if !ladder.is_empty() {
            writeln!(
                f,
                "  the ladder, from the weakest model (* is what is promised):"
            )?;
        }
        for rung in ladder {
            writeln!(f, "  {rung}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    /// One line a check, then the first anomaly of each property that is broken.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.judgement(f)?;
        for check in &self.checks {
            let first = check.verdict.anomalies().first();
            let Some(first) = first.filter(|_| self.is_judged(check.property)) else {
                continue;
            };
            writeln!(f, "  {first}")?;
        }
        Ok(())
    }
}

/// A report with every kind of anomaly explained.
#[derive(Clone, Copy, Debug)]
pub struct Explained<'a>(pub(super) &'a Report);

impl fmt::Display for Explained<'_> {
    /// One line a check, then each kind of anomaly with its count, its meaning and its first few.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.judgement(f)?;
        let judged = |check: &&Check| self.0.is_judged(check.property);
        for check in self.0.checks.iter().filter(judged) {
            let Verdict::Invalid { found, anomalies } = &check.verdict else {
                continue;
            };
            for (kind, count) in found {
                let meaning = kind.meaning();
                writeln!(f, "\n{count} {kind} ({}): {meaning}", check.property)?;
                let mut of_kind = anomalies.iter().filter(|a| a.kind == *kind).peekable();
                if of_kind.peek().is_none() {
                    writeln!(
                        f,
                        "  each holds a smaller anomaly, which is shown under its own kind"
                    )?;
                }
                for anomaly in of_kind.take(EXPLAINED_MAX) {
                    writeln!(f, "\n  {}", anomaly.sentence)?;
                    for line in anomaly.proof() {
                        writeln!(f, "    {line}")?;
                    }
                }
            }
        }
        Ok(())
    }
}
