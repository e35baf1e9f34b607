//! The views: what each is told to look at, with a bug and without, and what it finds.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};
use clap::Parser;

use crate::bug::Bug;
use crate::campaign::seeds::search;
use crate::checker::AnomalyKind;
use crate::cli::progress::{Bar, Terminal};
use crate::cli::run::{config, quoted};
use crate::cli::{self, Cli};
use crate::measure::{RunRecord, VerdictWord};
use crate::nemesis::FaultKind;
use crate::node::Durability;
use crate::report;
use crate::run::{self, Config};
use crate::sim::Fault;

use super::View;
use super::outcome::Finding;

/// Real runs are short: what a bug breaks shows within a second, and in three on a machine that has
/// other things to do.
const SHORT: [&str; 4] = ["--duration", "3s", "--warmup", "100ms"];

/// A store passes if no seed fails and at most one in so many cannot be judged.
const UNKNOWN_SEEDS_MAX: u64 = 100;

/// The program that explores the models, beside this one.
const MODELS: &str = "kvs-models";

/// Its exit status when it has caught the bug.
const CAUGHT: i32 = 1;

/// How far views go.
#[derive(Debug)]
pub(super) struct Limits<'a> {
    /// How many seeds are simulated at most.
    pub(super) seeds: u64,
    /// Faults that are not simulated, as `sim --without` takes them.
    pub(super) without: &'a [String],
    /// Where real runs leave their directories.
    pub(super) results: &'a Path,
}

/// What a view is told to look at: a store with a bug, or without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    view: View,
    program: &'static str,
    arguments: Vec<String>,
}

impl Target {
    /// What must show this bug; none when the view cannot.
    pub(super) fn new(view: View, bug: Bug) -> Option<Self> {
        if !view.must_catch(bug.facts()) {
            return None;
        }
        if view == View::Model {
            let arguments = ["bugs", "--check", bug.name()];
            return Some(Self {
                view,
                program: MODELS,
                arguments: arguments.map(str::to_owned).into(),
            });
        }
        let mut target = Self::unbroken(view, bug)?;
        target.add(&["--bug", bug.name()]);
        Some(target)
    }

    /// The same without the bug; none when the view cannot show the bug, and in models, which the
    /// tests explore to the end without one.
    pub(super) fn unbroken(view: View, bug: Bug) -> Option<Self> {
        let facts = bug.facts();
        if view == View::Model || !view.must_catch(facts) {
            return None;
        }
        let mut target = Self {
            view,
            program: "kvs-bench",
            arguments: Vec::new(),
        };
        if view == View::Sim {
            target.add(&["sim"]);
        }
        target.add(&["--arch", facts.arch]);
        if let Some(lattice) = facts.lattice {
            target.add(&["--lattice", lattice]);
        }
        if let (View::Real, Some(workload)) = (view, facts.real) {
            target.add(&["--workload"]);
            target.add(workload);
            target.add(&SHORT);
        }
        Some(target)
    }

    fn add(&mut self, arguments: &[&str]) {
        self.arguments
            .extend(arguments.iter().map(|word| (*word).to_owned()));
    }

    /// The same within these limits.
    pub(super) fn within(mut self, limits: &Limits<'_>) -> Self {
        if self.view == View::Sim {
            self.add(&["--seeds", &format!("0..{}", limits.seeds)]);
            if !limits.without.is_empty() {
                self.add(&["--without", &limits.without.join(",")]);
            }
        }
        self
    }

    /// The command that looks at it, quoted for a shell.
    pub(super) fn command(&self) -> String {
        let mut command = self.program.to_owned();
        for word in &self.arguments {
            command.push(' ');
            command += &quoted(word);
        }
        command
    }

    /// Looks. None when it was interrupted.
    pub(super) fn look(&self, limits: &Limits<'_>) -> Option<Finding> {
        let found = match self.view {
            View::Model => explored(&self.arguments).map(Some),
            View::Sim => self.simulated(limits.seeds).map(Some),
            View::Real => self.ran(limits.results),
        };
        found.unwrap_or_else(|error| {
            Some(Finding::Failed {
                reason: run::one_line(&error),
            })
        })
    }

    /// Simulates it, seed after seed, until one is not valid.
    fn simulated(&self, seeds: u64) -> anyhow::Result<Finding> {
        let Some(cli::Command::Sim(args)) = self.parsed().command else {
            unreachable!("the words begin with the subcommand");
        };
        let options = args.options().map_err(|failure| failure.error)?;
        let search = search(&options, seeds, args.jobs(), &mut Bar::default());
        let unknown = search.unknown;
        Ok(match search.failure {
            Some((seed, how)) => Finding::Broken {
                how,
                seeds: Some(seed + 1),
            },
            None if !search.never_came.is_empty() => Finding::Unknown {
                reason: format!("never came: {}", names(&search.never_came)),
            },
            None if unknown > seeds / UNKNOWN_SEEDS_MAX => Finding::Unknown {
                reason: format!("{unknown} of {seeds} seeds could not be judged"),
            },
            None => Finding::Kept { unknown },
        })
    }

    /// Runs the store as `kvs-bench run` does. None when it was interrupted.
    fn ran(&self, results: &Path) -> anyhow::Result<Option<Finding>> {
        let config =
            config(&self.parsed().run, self.command()).expect("the table of bugs has good stores");
        let config = Config {
            results: results.to_owned(),
            ..config
        };
        let mut terminal = Terminal::new();
        let finished = run::run(&config, &mut terminal);
        drop(terminal);
        let finished = finished.context("the run has no result")?;
        if finished.interrupted {
            return Ok(None);
        }
        let record = &finished.record;
        finished.save(&report::text(record))?;
        let verdict = &record.verdict;
        if verdict.disagreement {
            return Err(anyhow!(
                "the engines disagree: one of the checkers has a bug"
            ));
        }
        let finding = match verdict.verdict {
            VerdictWord::Valid => Finding::Kept { unknown: 0 },
            VerdictWord::Invalid => match (sign_of_a_bug(record), verdict.gaps.first()) {
                (Some(how), _) => Finding::Broken { how, seeds: None },
                (None, None) => Finding::Kept { unknown: 0 },
                (None, Some(gap)) => Finding::Unknown {
                    reason: gap.clone(),
                },
            },
            VerdictWord::Unknown => Finding::Unknown {
                reason: { verdict.gaps.first().or(verdict.reason.as_ref()) }
                    .cloned()
                    .unwrap_or_default(),
            },
        };
        Ok(Some(finding))
    }

    fn parsed(&self) -> Cli {
        let words = { &self.arguments }.iter().map(String::as_str);
        let words = std::iter::once(self.program).chain(words);
        Cli::try_parse_from(words).expect("the table of bugs has good arguments")
    }
}

/// The names of these kinds of fault.
fn names(faults: &[Fault]) -> String {
    let names: Vec<&str> = faults.iter().map(|fault| fault.name()).collect();
    names.join(", ")
}

/// What kind of anomaly shows that the store of an invalid run has a bug. What a killed node alone
/// had in its memory is lost without any: theory has it so (docs/measured/fault-matrix.md).
fn sign_of_a_bug(record: &RunRecord) -> Option<String> {
    let killed = { &record.faults.windows }
        .iter()
        .any(|window| window.kind == FaultKind::Kill.name());
    let may_lose = killed && record.configuration.durability == Durability::Memory.name();
    let anomalies = &record.verdict.anomalies;
    let sign = { anomalies.iter() }
        .find(|anomaly| !may_lose || anomaly.kind != AnomalyKind::LostWrite.name());
    match sign {
        Some(anomaly) => Some(anomaly.kind.clone()),
        None if may_lose && !anomalies.is_empty() => None,
        // Invalid for a reason that has no operations to show.
        None => Some(String::new()),
    }
}

/// Has the program that explores the models do it.
fn explored(arguments: &[String]) -> anyhow::Result<Finding> {
    let program = std::env::current_exe()
        .context("finding this program")?
        .with_file_name(format!("{MODELS}{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        return Err(anyhow!(
            "{} is not there: `cargo build --release --bin {MODELS}` makes it",
            program.display()
        ));
    }
    let output = Command::new(&program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    match output.status.code() {
        Some(0) => Ok(Finding::Kept { unknown: 0 }),
        Some(CAUGHT) => Ok(Finding::Broken {
            how: broken_property(&String::from_utf8_lossy(&output.stdout)),
            seeds: None,
        }),
        _ => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let first = complaint.lines().next().unwrap_or("it said nothing");
            Err(anyhow!("{MODELS} has failed ({}): {first}", output.status))
        }
    }
}

/// The property that a model says is broken: it stands in quotes.
fn broken_property(said: &str) -> String {
    said.split('"')
        .nth(1)
        .unwrap_or_else(|| said.trim())
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{AnomalyRecord, FaultWindow};

    #[test]
    fn every_real_run_has_room_for_its_faults() {
        let mut beset = 0;
        for bug in Bug::ALL {
            let Some(target) = Target::new(View::Real, bug) else {
                continue;
            };
            let config = config(&target.parsed().run, target.command());
            let config = config.unwrap_or_else(|refused| panic!("{bug:?}: {refused}"));
            beset += usize::from(config.nemesis.is_some());
        }
        assert!(beset >= 4, "{beset}");
    }

    #[test]
    fn a_write_that_a_kill_took_from_memory_is_no_sign_of_a_bug_and_anything_else_is() {
        let stored = include_str!("../../../tests/testdata/records/before-faults.json");
        let mut record: RunRecord = serde_json::from_str(stored).expect("a record");
        let anomaly = |kind: &str| AnomalyRecord {
            kind: kind.to_owned(),
            model: "causal".to_owned(),
            text: String::new(),
            operations: Vec::new(),
            meaning: None,
        };
        record.verdict.anomalies = vec![anomaly("lost-write")];
        assert_eq!(sign_of_a_bug(&record).as_deref(), Some("lost-write"));
        record.faults.windows.push(FaultWindow {
            kind: "kill".to_owned(),
            ..FaultWindow::default()
        });
        assert_eq!(sign_of_a_bug(&record), None);
        record.verdict.anomalies.push(anomaly("duplicate-dot"));
        assert_eq!(sign_of_a_bug(&record).as_deref(), Some("duplicate-dot"));
        record.verdict.anomalies.pop();
        record.configuration.durability = "disk".to_owned();
        assert_eq!(sign_of_a_bug(&record).as_deref(), Some("lost-write"));
    }
}
