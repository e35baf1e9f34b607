//! `kvs-bench check`: a stored history, judged again.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};

use crate::checker::{Agreement, JudgedBy, Model, VerdictWord};
use crate::history::{Dominance, FailedCas, History, ImportOptions, ReadError, edn};
use crate::run::{self, Judging};

use super::choice::{known_models, model};
use super::engines::EngineArgs;
use super::progress::Terminal;
use super::words::command_of;
use super::{ExitStatus, Failure};

/// The flag that a verdict which is cut short names again with another value.
const BUDGET_FLAG: &str = "--check-budget";

/// The arguments of `kvs-bench check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// A run directory, a history of ours, or one of another tool. `-` reads it from the standard
    /// input.
    #[arg(value_name = "PATH", default_value = "results/latest")]
    path: PathBuf,

    #[command(flatten)]
    input: InputArgs,

    /// The model that decides the verdict: linearizable, regular, sequential, causal, cc, ccv, lww,
    /// eventual, ryw, mr, mw or wfr. `all` judges by every model; the promise of the header then
    /// decides, or without one the strongest model that applies. [default: what the header
    /// promises]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,

    /// The promise that the verdict is about, instead of the header's: one of the models.
    #[arg(long, value_name = "MODEL", value_parser = model)]
    promise: Option<Model>,

    /// Replays the traces of a run with --trace, or one trace, through fresh replicas, which must
    /// do what the recorded ones did. Does not judge the history.
    #[arg(long, conflicts_with_all = ["model", "promise", "format", "initial", "nil_reads_match_anything",
          "failed_cas", "dominance", "no_evidence", "engine", "budget", "check_budget", "explain", "json"])]
    trace: bool,

    /// Replays the traces through replicas without the planted bug of the recorded ones. They
    /// differ where the bug acted.
    #[arg(long, requires = "trace")]
    without_bug: bool,

    /// Which puts a put supersedes, in a store that keeps concurrent puts side by side. [default:
    /// what the header says]
    #[arg(long, value_enum, value_name = "RULE")]
    dominance: Option<DominanceArg>,

    /// Judges only by what clients saw, and ignores the evidence that replies carried.
    #[arg(long)]
    no_evidence: bool,

    #[command(flatten)]
    engines: EngineArgs,

    /// Prints every kind of anomaly with its count and its first few examples. Without it, only the
    /// first anomaly of each broken property is printed.
    #[arg(long, conflicts_with = "json")]
    explain: bool,

    /// Prints the judgement as JSON.
    #[arg(long)]
    json: bool,
}

/// `Dominance`, as the command line has it.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum DominanceArg {
    /// All that its replica had applied, as in the stores of this project.
    Applied,
    /// Only what its client said that it had seen, as in Dynamo and Riak.
    Context,
}

/// How a history is read.
#[derive(Debug, Args)]
pub(super) struct InputArgs {
    /// The format of the history. [default: guessed from its first records and its name]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,

    /// What every register of a foreign history holds at first, as EDN: 0 is a number, '"0"' a
    /// string. [default: nil]
    #[arg(long, value_name = "EDN", value_parser = edn::Value::from_str)]
    initial: Option<edn::Value<'static>>,

    /// Lets a read of nil match any value, as some of Knossos' models do.
    #[arg(long)]
    nil_reads_match_anything: bool,

    /// What a failed compare-and-set means. [default: what it means in the format]
    #[arg(long, value_enum, value_name = "MEANING")]
    failed_cas: Option<FailedCasMeaning>,
}

/// The form of a history in a file.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// An Arrow stream, as runs record it.
    Arrow,
    /// The same as JSON lines.
    Jsonl,
    /// Jepsen's and Knossos' EDN maps: read, write, cas.
    JepsenEdn,
    /// The same operations as JSON objects, as elle-cli has them.
    JepsenJson,
    /// Jepsen's logs: the console, jepsen.log, history.txt.
    JepsenLog,
    /// Porcupine's key-value logs: get, put, append.
    PorcupineKv,
    /// Plume's, AWDIT's and PolySI's text, without real time.
    Plume,
}

/// What a failed compare-and-set means.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FailedCasMeaning {
    /// It found another value than the expected one.
    Mismatch,
    /// It had no effect, for whatever reason.
    NoEffect,
}

impl InputArgs {
    /// Reads the history of a file.
    pub(super) fn read(&self, path: &Path) -> Result<History, ReadError> {
        use crate::history::Format as Known;
        let format = self.format.map(|format| match format {
            Format::Arrow => Known::Arrow,
            Format::Jsonl => Known::JsonLines,
            Format::JepsenEdn => Known::JepsenEdn,
            Format::JepsenJson => Known::JepsenJson,
            Format::JepsenLog => Known::JepsenLog,
            Format::PorcupineKv => Known::PorcupineKv,
            Format::Plume => Known::Plume,
        });
        let options = ImportOptions {
            initial: self.initial.clone(),
            nil_reads_match_anything: self.nil_reads_match_anything,
            failed_cas: self.failed_cas.map(|meaning| match meaning {
                FailedCasMeaning::Mismatch => FailedCas::Mismatch,
                FailedCasMeaning::NoEffect => FailedCas::NoEffect,
            }),
        };
        crate::history::read_history(path, format, &options)
    }
}

fn judged_by(name: &str) -> Result<JudgedBy, Failure> {
    if name == "all" {
        return Ok(JudgedBy::Ladder);
    }
    Model::from_name(name).map(JudgedBy::Model).ok_or_else(|| {
        Failure::bad_arguments(anyhow!(
            "there is no model `{name}`: --model is one of {} or all",
            known_models()
        ))
    })
}

/// The command of these arguments without its budget.
fn again(arguments: impl Iterator<Item = OsString>) -> String {
    let mut is_value = false;
    let arguments = arguments.filter(|word| {
        let was_flag = std::mem::replace(&mut is_value, word == BUDGET_FLAG);
        let word = word.to_string_lossy();
        let with_value = word.strip_prefix(BUDGET_FLAG);
        !was_flag && with_value.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('='))
    });
    command_of(arguments)
}

pub(super) fn main(args: &CheckArgs) -> Result<ExitStatus, Failure> {
    if args.trace {
        return super::replay::main(&args.path, args.without_bug);
    }
    let (budget, check_budget) = (args.engines.budget()?, args.engines.check_budget()?);
    let judged_by = args
        .model
        .as_deref()
        .map(judged_by)
        .transpose()?
        .unwrap_or_default();
    let path = run::find_history(&args.path).map_err(Failure::bad_arguments)?;
    let mut history = args.input.read(&path).map_err(Failure::bad_arguments)?;
    if args.no_evidence {
        history = history.without_evidence();
    }
    if args.promise.is_some() {
        history.header.promise = args.promise;
    }
    if let Some(dominance) = args.dominance {
        history.header.dominance = Some(match dominance {
            DominanceArg::Applied => Dominance::Applied,
            DominanceArg::Context => Dominance::Context,
        });
    }
    let terminal = Terminal::new();
    let mut report = run::check_history(
        &history,
        &Judging {
            judged_by,
            engine: args.engines.engine,
            budget,
            check_budget,
            again: again(std::env::args_os().skip(1)),
            progress: Some(terminal.progress_of("check")),
        },
    );
    drop(terminal);
    run::add_record(&mut report, &args.path, &path, &history);
    if args.json {
        let json = serde_json::to_string_pretty(&report).context("cannot print the judgement")?;
        super::print(&json)?;
    } else if args.explain {
        super::print(&report.explained().to_string())?;
    } else {
        super::print(&report.to_string())?;
    }
    if matches!(report.agreement, Agreement::Disagree { .. }) {
        return Err(Failure::from(anyhow!(
            "the engines disagree, so one of the checkers has a bug: keep {} and report it with \
             the lines above",
            path.display()
        )));
    }
    Ok(match report.verdict() {
        VerdictWord::Valid => ExitStatus::Valid,
        VerdictWord::Invalid => ExitStatus::Invalid,
        VerdictWord::Unknown => ExitStatus::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_goes_on_has_no_budget_yet() {
        let command = |words: &[&str]| again(words.iter().map(OsString::from));
        let expected = "kvs-bench check 'a b' --explain";
        assert_eq!(command(&["check", "a b", "--explain"]), expected);
        for budget in [&["--check-budget", "1s"][..], &["--check-budget=1s"]] {
            let words = [&["check", "a b"], budget, &["--explain"]].concat();
            assert_eq!(command(&words), expected);
        }
    }
}
