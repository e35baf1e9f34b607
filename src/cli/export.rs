//! `kvs-bench export`: a stored history, for other programs.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::history::{
    ExportError, History, ImportOptions, read_history, write_csv, write_jepsen_edn,
    write_json_lines,
};
use crate::run;

use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// A run directory, or a history in any format that `check` reads.
    #[arg(value_name = "PATH", default_value = "results/latest")]
    path: PathBuf,

    /// What to write.
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "jsonl")]
    format: Format,

    /// The file to write to, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What a history can be written as.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// JSON lines: everything that was recorded.
    Jsonl,
    /// Jepsen's EDN maps, for Knossos and others: no siblings, no evidence.
    JepsenEdn,
    /// A table, without the servers' evidence.
    Csv,
}

pub(super) fn main(args: &ExportArgs) -> Result<ExitStatus, Failure> {
    let path = run::history_path(&args.path);
    let history =
        read_history(&path, None, &ImportOptions::default()).map_err(Failure::bad_arguments)?;
    let written = match &args.output {
        None => write(
            &history,
            args.format,
            &mut BufWriter::new(io::stdout().lock()),
        ),
        Some(output) => {
            let file = File::create(output)
                .with_context(|| format!("cannot create {}", output.display()))?;
            write(&history, args.format, &mut BufWriter::new(file))
        }
    };
    match written {
        Ok(()) => Ok(ExitStatus::Valid),
        // A reader who has seen enough is no failure.
        Err(ExportError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitStatus::Valid)
        }
        Err(error @ ExportError::Unsayable(_)) => Err(Failure::bad_arguments(error)),
        Err(error @ ExportError::Io(_)) => Err(anyhow::Error::new(error).into()),
    }
}

fn write(history: &History, format: Format, output: &mut impl Write) -> Result<(), ExportError> {
    match format {
        Format::Jsonl => Ok(write_json_lines(history, output)?),
        Format::JepsenEdn => write_jepsen_edn(history, output),
        Format::Csv => write_csv(history, output),
    }
}
