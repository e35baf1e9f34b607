//! `kvs-bench matrix`: every store under every fault, with what theory says must come of it beside
//! what came.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::campaign::matrix::{self, Cell, Row, Standing};
use crate::node::HostKind;
use crate::recording::lattice_name;
use crate::report;
use crate::run::{self, Config};

use super::choice::choice;
use super::progress::Terminal;
use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench matrix`.
#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    /// How long each store is measured under each fault.
    #[arg(long, short, value_name = "TIME", default_value = "20s")]
    duration: String,

    /// The time from the start of one fault to the start of the next, in rows of one kind of fault.
    /// In a row of all kinds, faults come as often as it takes to have one of each.
    #[arg(
        long,
        alias = "nemesis-interval",
        value_name = "TIME",
        default_value = "3s"
    )]
    interval: String,

    /// Arrivals a second, so that every store has the same load.
    #[arg(long, value_name = "RATE", default_value = "2k")]
    rate: Option<String>,

    /// Runs only cells whose names have each of these words, such as "replicated lww disk kill".
    #[arg(long, value_name = "WORDS", default_value = "")]
    only: String,

    /// Plants a known mistake in every store of the matrix that can have it. Its rows must turn
    /// red.
    #[arg(long, value_name = "NAME")]
    bug: Option<String>,

    /// Where the nodes run.
    #[arg(long, value_parser = choice::<HostKind>(), default_value = HostKind::Process.name())]
    host: HostKind,

    /// The number that decides every random choice.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = super::whole)]
    seed: u64,

    /// The directory in which the runs' directories are made. Without it, those of rows that are as
    /// they must be are deleted.
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,

    /// Also writes the table into this file, as Markdown.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Prints the names of the cells and runs nothing.
    #[arg(long)]
    list: bool,
}

pub(super) fn main(args: &MatrixArgs) -> Result<ExitStatus, Failure> {
    let words: Vec<&str> = args.only.split_whitespace().collect();
    let cells: Vec<Cell> = Cell::all()
        .into_iter()
        .filter(|cell| cell.has_words(&words))
        .collect();
    if cells.is_empty() {
        return Err(Failure::bad_arguments(anyhow::anyhow!(
            "no cell of the matrix has all of the words {:?}: `kvs-bench matrix --list` has their \
             names",
            args.only
        )));
    }
    if args.list {
        let names: Vec<String> = cells.iter().map(Cell::name).collect();
        super::print(&names.join("\n"))?;
        return Ok(ExitStatus::Valid);
    }
    let scratch = tempfile::tempdir().context("making a directory for the runs")?;
    let results = args.results.as_deref().unwrap_or_else(|| scratch.path());
    let mut rows = Vec::new();
    let mut interrupted = false;
    for cell in cells {
        let Some(config) = config(&cell, args, results)? else {
            continue;
        };
        let Some(row) = judge(cell, &config)? else {
            interrupted = true;
            break;
        };
        // The table comes in an hour.
        eprintln!("{row}");
        rows.push(row);
    }
    if rows.is_empty() && !interrupted {
        return Err(Failure::bad_arguments(anyhow::anyhow!(
            "no store of these cells can have the bug: `kvs-bench bugs` says which can"
        )));
    }
    super::print(&matrix::text(&rows))?;
    if let Some(file) = &args.out {
        std::fs::write(file, matrix::markdown(&rows))
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    if interrupted {
        return Ok(ExitStatus::Interrupted);
    }
    Ok(match matrix::standing(&rows) {
        Standing::Ok => ExitStatus::Valid,
        Standing::Red => ExitStatus::Invalid,
        Standing::Unknown => ExitStatus::Unknown,
        Standing::Failed => ExitStatus::HarnessFailure,
    })
}

/// What a cell decides of its run, as the command line has it.
fn arguments(cell: &Cell) -> Vec<String> {
    let records = cell.records().to_string();
    let durability = cell.durability().name();
    let mut words = vec!["--arch", cell.architecture(), "--durability", durability];
    if let Some(lattice) = cell.lattice() {
        words.extend(["--lattice", lattice_name(lattice)]);
    }
    if cell.has_faults() {
        words.extend(["--nemesis", cell.faults().name()]);
    }
    words.extend(["--workload", "contended", "--records", &records]);
    // A time-out well below the faults' length.
    words.extend(["--timeout-ms", "500", "--warmup", "500ms"]);
    words.into_iter().map(str::to_owned).collect()
}

/// The run of a cell; none when its store cannot have the planted bug.
fn config(cell: &Cell, args: &MatrixArgs, results: &Path) -> Result<Option<Config>, Failure> {
    let mut words = arguments(cell);
    let mut add = |flag: &str, value: &str| words.extend([flag.to_owned(), value.to_owned()]);
    add("--duration", &args.duration);
    if cell.has_one_kind() {
        add("--nemesis-interval", &args.interval);
    }
    if let Some(rate) = &args.rate {
        add("--rate", rate);
    }
    add("--seed", &args.seed.to_string());
    add("--host", args.host.name());
    add("--results", &results.display().to_string());
    if let Some(bug) = &args.bug {
        let bug = super::bugs::named(bug)?;
        if !cell.can_have(bug) {
            return Ok(None);
        }
        add("--bug", bug.name());
    }
    super::run::config_of(&words).map(Some)
}

/// Runs a cell. None when it was interrupted.
fn judge(cell: Cell, config: &Config) -> Result<Option<Row>, Failure> {
    let mut terminal = Terminal::new();
    let finished = run::run(config, &mut terminal);
    drop(terminal);
    let finished = finished.with_context(|| format!("{} has no result", cell.name()))?;
    if finished.interrupted {
        return Ok(None);
    }
    let record = &finished.record;
    finished
        .save(&report::text(record))
        .with_context(|| format!("{} has a result", cell.name()))?;
    Ok(Some(Row::new(cell, record)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        args: MatrixArgs,
    }

    #[test]
    fn every_cell_has_room_for_its_faults() {
        let words = Words::try_parse_from(["matrix"]).expect("all have defaults");
        for cell in Cell::all() {
            let name = cell.name();
            let config = config(&cell, &words.args, Path::new("results"));
            let config = config.unwrap_or_else(|refused| panic!("{name}: {refused}"));
            let nemesis = config.expect("no bug is planted").nemesis;
            assert_eq!(nemesis.is_some(), cell.has_faults(), "{name}");
        }
    }
}
