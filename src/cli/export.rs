//! `kvs-bench export`: a stored history, or what was measured, for other programs.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};

use crate::history::{
    ExportError, History, ImportOptions, read_history, write_csv, write_jepsen_edn,
    write_json_lines,
};
use crate::measure::{Measured, merge_interval_log, write_hgrm};
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

    /// Writes a history as csv even if it was cut short or operations were left out, although the
    /// table cannot say what is missing.
    #[arg(long)]
    partial: bool,

    /// The kind of operation and of time for hgrm, such as read.service. [default: all operations,
    /// as clients waited for them]
    #[arg(long, value_name = "TAG")]
    tag: Option<String>,

    /// The file to write to, instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What a history can be written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// JSON lines: everything that was recorded.
    Jsonl,
    /// Jepsen's EDN maps, for Knossos and others, without siblings and evidence.
    JepsenEdn,
    /// A table, without the servers' evidence.
    Csv,
    /// What was measured, second by second and kind by kind, with units in the header.
    Timeseries,
    /// The same for each node and each replica group.
    Nodes,
    /// The HDR interval log, version 1.3, in ns. Its largest values are in ms.
    Hlog,
    /// A percentile distribution in ms, for HdrHistogram's plotter.
    Hgrm,
    /// The run record, run.json.
    Run,
}

pub(super) fn main(args: &ExportArgs) -> Result<ExitStatus, Failure> {
    if args.tag.is_some() && args.format != Format::Hgrm {
        let error = anyhow!("--tag goes with --format hgrm only");
        return Err(Failure::bad_arguments(error));
    }
    if args.partial && args.format != Format::Csv {
        let error = anyhow!("--partial goes with --format csv only");
        return Err(Failure::bad_arguments(error));
    }
    let Some(write) = writer(args.format) else {
        let measured = measured(args)?;
        return written(output(args)?.write_all(&measured).map_err(ExportError::Io));
    };
    let path = run::find_history(&args.path).map_err(Failure::bad_arguments)?;
    let history =
        read_history(&path, None, &ImportOptions::default()).map_err(Failure::bad_arguments)?;
    let missing = missing(&history);
    if let Some(missing) = &missing
        && args.format == Format::Csv
        && !args.partial
    {
        return Err(Failure::bad_arguments(anyhow!(
            "{}: {missing}, and a table cannot say that: use --format jsonl, or --partial to \
             write the table without it",
            path.display()
        )));
    }
    let mut output = output(args)?;
    let outcome = write(&history, &mut *output);
    let status = written(outcome.and_then(|()| Ok(output.flush()?)))?;
    if let Some(missing) = missing {
        eprintln!("warning: what was written is not the whole history: {missing}");
    }
    Ok(status)
}

/// What is missing of a history, so that nothing partial passes for the whole.
fn missing(history: &History) -> Option<String> {
    match (history.end, &history.damage) {
        (None, Some(damage)) => Some(format!("it was cut short: {damage}")),
        (None, None) => Some("it was cut short: there is no end record".to_owned()),
        (Some(end), _) if end.left_out > 0 => Some(format!(
            "{} of {} operations were left out beyond the limit",
            end.left_out,
            end.operations + end.left_out
        )),
        (Some(_), _) => None,
    }
}

/// Where it goes.
fn output(args: &ExportArgs) -> Result<Box<dyn Write>, Failure> {
    Ok(match &args.output {
        None => Box::new(BufWriter::new(io::stdout())),
        Some(output) => {
            let file = File::create(output)
                .with_context(|| format!("cannot create {}", output.display()))?;
            Box::new(BufWriter::new(file))
        }
    })
}

fn written(outcome: Result<(), ExportError>) -> Result<ExitStatus, Failure> {
    match outcome {
        Ok(()) => Ok(ExitStatus::Valid),
        // A reader who has seen enough is no failure.
        Err(ExportError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Ok(ExitStatus::Valid)
        }
        Err(error @ ExportError::Unsayable(_)) => Err(Failure::bad_arguments(error)),
        Err(error @ ExportError::Io(_)) => Err(anyhow::Error::new(error).into()),
    }
}

/// What was measured; the run record for formats of histories.
fn measured(args: &ExportArgs) -> Result<Vec<u8>, Failure> {
    let read = |name: &str| {
        let path = args.path.join(name);
        fs::read(&path)
            .with_context(|| format!("cannot read {} (is it a run directory?)", path.display()))
            .map_err(Failure::bad_arguments)
    };
    Ok(match args.format {
        Format::Timeseries => read(Measured::SERIES_FILE_NAME)?,
        Format::Nodes => read(Measured::PLACES_FILE_NAME)?,
        Format::Hlog => read(Measured::LOG_FILE_NAME)?,
        Format::Run | Format::Jsonl | Format::JepsenEdn | Format::Csv => {
            // Read and checked, so that what is not a record is not passed on as one.
            let record = crate::report::load(&args.path).map_err(Failure::bad_arguments)?;
            (record.to_json() + "\n").into_bytes()
        }
        Format::Hgrm => {
            let log = read(Measured::LOG_FILE_NAME)?;
            let histogram = merge_interval_log(&log, args.tag.as_deref())
                .context(Measured::LOG_FILE_NAME)
                .map_err(Failure::bad_arguments)?;
            let mut text = Vec::new();
            write_hgrm(&histogram, &mut text).context("cannot write the distribution")?;
            text
        }
    })
}

/// What a history can be written by.
type Writer = fn(&History, &mut dyn Write) -> Result<(), ExportError>;

/// How a history is written in this format; nothing where it is not what is asked for.
fn writer(format: Format) -> Option<Writer> {
    match format {
        Format::Jsonl => Some(|history, mut output| Ok(write_json_lines(history, &mut output)?)),
        Format::JepsenEdn => Some(|history, mut output| write_jepsen_edn(history, &mut output)),
        Format::Csv => Some(|history, mut output| write_csv(history, &mut output)),
        Format::Timeseries | Format::Nodes | Format::Hlog | Format::Hgrm | Format::Run => None,
    }
}
