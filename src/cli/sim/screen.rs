//! The result of many seeds: one screen, or JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;
use std::ops::Range;

use anyhow::Context;
use serde::Serialize;

use crate::campaign::seeds::{Ran, SEEDS_WITH_EVERY_FAULT, replay};
use crate::cli::{ExitStatus, Failure};
use crate::recording::lattice_of;
use crate::sim::{Counters, Options, SimVerdict};

/// Failing seeds that are shown; all are counted.
const SHOWN_MAX: usize = 3;

/// What came of many seeds.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    architecture: String,
    lattice: Option<String>,
    bug: Option<&'static str>,
    first_seed: u64,
    seeds: u64,
    steps: u64,
    jobs: usize,
    seconds: f64,
    operations: u64,
    operations_per_second: f64,
    verdicts: BTreeMap<&'static str, u64>,
    faults: BTreeMap<&'static str, u64>,
    /// Kinds of fault that these seeds could have had and that never came.
    never_came: Vec<&'static str>,
    counters: Counters,
    failures: Vec<Shown>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shrunk: Option<String>,
}

/// A seed that is shown: it failed, or nobody can tell.
#[derive(Debug, Serialize)]
struct Shown {
    seed: u64,
    #[serde(flatten)]
    verdict: SimVerdict,
    command: String,
}

impl Summary {
    pub(super) fn new(
        options: &Options,
        seeds: Range<u64>,
        jobs: NonZero<usize>,
        seconds: f64,
        ran: Vec<Ran>,
    ) -> Self {
        let mut counters = Counters::default();
        let mut verdicts = BTreeMap::new();
        let mut failures = Vec::new();
        for Ran {
            seed,
            verdict,
            counters: counted,
        } in ran
        {
            counters.add(&counted);
            *verdicts.entry(verdict.name()).or_insert(0) += 1;
            if verdict != SimVerdict::Valid && failures.len() < SHOWN_MAX {
                failures.push(Shown {
                    seed,
                    verdict,
                    command: replay(seed, options),
                });
            }
        }
        Self {
            architecture: options.architecture.to_string(),
            lattice: lattice_of(&options.architecture, options.lattice),
            bug: options.bug.map(crate::bug::Bug::name),
            first_seed: seeds.start,
            seeds: seeds.end - seeds.start,
            steps: options.steps,
            jobs: jobs.get(),
            seconds,
            operations: counters.operations,
            operations_per_second: counters.operations as f64 / seconds,
            verdicts,
            faults: counters.by_fault(),
            never_came: { options.never_came(&counters).into_iter() }
                .map(crate::sim::SimFault::name)
                .collect(),
            counters,
            failures,
            shrunk: None,
        }
    }

    pub(super) fn to_json(&self) -> Result<String, Failure> {
        Ok(serde_json::to_string_pretty(self).context("cannot print the summary")?)
    }

    /// The first seed that did not turn out valid.
    pub(super) fn first_failure(&self) -> Option<(u64, &SimVerdict)> {
        self.failures
            .first()
            .map(|shown| (shown.seed, &shown.verdict))
    }

    /// Adds the command of a smaller simulation that fails in the same way.
    pub(super) fn set_shrunk(&mut self, command: String) {
        self.shrunk = Some(command);
    }

    /// Whether there were enough seeds for every kind of fault, and one never came.
    fn is_tame(&self) -> bool {
        !self.never_came.is_empty() && self.seeds >= SEEDS_WITH_EVERY_FAULT
    }

    /// 1 when a seed failed, 2 when nobody can tell or a kind of fault never came, 0 when all were
    /// valid.
    pub(super) fn exit_status(&self) -> ExitStatus {
        let any = |name: &str| self.verdicts.contains_key(name);
        if any("invalid") || any("liveness") || any("crash") {
            ExitStatus::Invalid
        } else if any("unknown") || self.is_tame() {
            ExitStatus::Unknown
        } else {
            ExitStatus::Valid
        }
    }
}

/// Numbers with their names, in lines of a few.
fn listed(f: &mut fmt::Formatter<'_>, what: &str, numbers: &[(&str, u64)]) -> fmt::Result {
    const COLUMNS: usize = 4;
    for (row, numbers) in numbers.chunks(COLUMNS).enumerate() {
        let label = if row == 0 { what } else { "" };
        write!(f, "{label:<12}")?;
        for (name, number) in numbers {
            write!(f, "{:<24}", format!("{name} {number}"))?;
        }
        writeln!(f)?;
    }
    Ok(())
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lattice = self
            .lattice
            .as_deref()
            .map_or(String::new(), |lattice| format!(", {lattice}"));
        writeln!(
            f,
            "simulated {}{lattice}: {} seeds from {}, {} steps each{}",
            self.architecture,
            self.seeds,
            self.first_seed,
            self.steps,
            self.bug
                .map_or(String::new(), |bug| format!(", with the planted bug {bug}")),
        )?;
        writeln!(
            f,
            "speed       {} operations in {:.2} s: {:.0} a second, checks included, on {} threads",
            self.operations, self.seconds, self.operations_per_second, self.jobs
        )?;
        let verdicts: Vec<(&str, u64)> = { &self.verdicts }.iter().map(|(n, c)| (*n, *c)).collect();
        listed(f, "verdicts", &verdicts)?;
        let counters = &self.counters;
        writeln!(
            f,
            "virtual     {:.1} s; {} messages of {:.0} bytes between replicas, {} requests",
            counters.virtual_ns as f64 / 1e9,
            counters.messages,
            counters.message_bytes as f64 / counters.messages.max(1) as f64,
            counters.requests
        )?;
        let faults: Vec<(&str, u64)> = self.faults.iter().map(|(n, c)| (*n, *c)).collect();
        listed(f, "faults", &faults)?;
        if !self.never_came.is_empty() {
            let why = if self.is_tame() {
                "the seeds are not put to the test of these: take more steps, or --without them"
            } else {
                "so few seeds need not have them"
            };
            writeln!(f, "never came  {}: {why}", self.never_came.join(", "))?;
        }
        listed(f, "met", &counters.marks())?;
        for shown in &self.failures {
            writeln!(f, "\nseed {}: {}", shown.seed, shown.verdict)?;
            writeln!(f, "  again: {}", shown.command)?;
        }
        if let Some(command) = &self.shrunk {
            writeln!(f, "  smaller, and fails in the same way: {command}")?;
        }
        Ok(())
    }
}
