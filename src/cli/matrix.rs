//! `kvs-bench matrix`: runs every store under every fault, and compares the outcome with what
//! theory says.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;

use crate::campaign::matrix::{self, Cell, Matrix, Outcome, Standing};
use crate::nemesis::Wanted;
use crate::node::HostKind;
use crate::run::Config;
use crate::workload::Chosen;

use super::bugs::named;
use super::choice::{Choice, choice};
use super::nemesis::interval;
use super::output::versions;
use super::progress::Screen;
use super::run::usual;
use super::words::whole;
use super::{ExitStatus, Failure};

/// The load of every cell: few keys, so that whatever goes wrong shows.
const WORKLOAD: &str = "contended";

/// The arguments of `kvs-bench matrix`.
#[derive(Debug, Args)]
pub(super) struct MatrixArgs {
    /// How long each store is measured under each fault.
    #[arg(long, short, value_name = "TIME", default_value = "20s")]
    duration: String,

    /// The time from the start of one fault to the start of the next, in rows of one kind of fault.
    /// In a row of all kinds, faults come often enough to have one of each.
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
    #[arg(long, value_parser = choice::<HostKind>(), default_value = usual().host.word())]
    host: HostKind,

    /// The number that decides every random choice.
    #[arg(long, value_name = "NUMBER", default_value_t = usual().seed, value_parser = whole)]
    seed: u64,

    /// The directory that keeps the directories of the runs. Without it, those of rows with the
    /// expected outcome are deleted.
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
    let cells = args.cells()?;
    if args.list {
        let names: Vec<String> = cells.iter().map(Cell::name).collect();
        super::print(&names.join("\n"))?;
        return Ok(ExitStatus::Valid);
    }
    let scratch = tempfile::tempdir().context("making a directory for the runs")?;
    let results = args.results.as_deref().unwrap_or_else(|| scratch.path());
    let matrix = Matrix {
        cells,
        common: args.common(results)?,
        bug: args.bug.as_deref().map(named).transpose()?,
    };
    let Outcome { rows, interrupted } = matrix.run(&mut Screen::default())?;
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

impl MatrixArgs {
    /// The cells that are asked for.
    fn cells(&self) -> Result<Vec<Cell>, Failure> {
        let words: Vec<&str> = self.only.split_whitespace().collect();
        let mut cells = Cell::all();
        cells.retain(|cell| cell.has_words(&words));
        if cells.is_empty() {
            return Err(Failure::bad_arguments(anyhow!(
                "no cell of the matrix has all of the words {:?}: `kvs-bench matrix --list` has \
                 their names",
                self.only
            )));
        }
        Ok(cells)
    }

    /// What all runs have in common.
    fn common(&self, results: &Path) -> Result<Config, Failure> {
        let mut load = Chosen::of_catalogue(WORKLOAD);
        let duration = Some(("duration", &self.duration));
        let rate = self.rate.as_ref().map(|rate| ("rate", rate));
        for (field, value) in duration.into_iter().chain(rate) {
            let setting = format!("{field}={value}");
            load.set(&setting).map_err(Failure::bad_arguments)?;
        }
        Ok(Config {
            load,
            faults: Wanted {
                interval: Some(interval(&self.interval)?),
                ..Wanted::default()
            },
            seed: self.seed,
            host: self.host,
            results: results.to_owned(),
            versions: versions(),
            ..Config::default()
        })
    }
}
