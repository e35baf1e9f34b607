//! `kvs-bench check --trace`: what ran, given again to fresh replicas.

use std::fmt::Write as _;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow};

use crate::trace::{Ending, Replayed, TraceError, replay};

use super::{ExitStatus, Failure};

/// How the files of traces end.
const EXTENSION: &str = "trace";
/// Bytes read from a file at a time.
const READ_BYTES: usize = 1 << 20;

/// Replays every trace of a run directory, or the one at `path`, and says what came of it.
pub(super) fn main(path: &Path, without_bug: bool) -> Result<ExitStatus, Failure> {
    let began = Instant::now();
    let traces = traces(path).map_err(Failure::bad_arguments)?;
    let mut text = String::new();
    let mut total = Total::default();
    for trace in &traces {
        let replayed = replay_file(trace, without_bug).map_err(Failure::bad_arguments)?;
        total.add(&replayed);
        describe(&mut text, trace, &replayed);
    }
    let Total {
        inputs, effects, ..
    } = total;
    let (status, word) = total.verdict();
    let traces = match traces.len() {
        1 => "1 trace".to_owned(),
        several => format!("{several} traces"),
    };
    let seconds = began.elapsed().as_secs_f64();
    super::print(&format!(
        "{word}: {traces}, {inputs} inputs, {effects} effects compared in {seconds:.2} s\n{text}"
    ))?;
    Ok(status)
}

/// What all traces together came to.
#[derive(Default)]
struct Total {
    inputs: u64,
    effects: u64,
    differ: bool,
    incomplete: bool,
}

impl Total {
    fn add(&mut self, replayed: &Replayed) {
        self.inputs += replayed.inputs;
        self.effects += replayed.effects;
        self.differ |= replayed.difference.is_some();
        self.incomplete |= replayed.ending != Ending::Whole;
    }

    /// One difference is proof. That there is none is known only of what is there.
    const fn verdict(&self) -> (ExitStatus, &'static str) {
        if self.differ {
            (ExitStatus::Invalid, "invalid")
        } else if self.incomplete || self.inputs == 0 {
            (ExitStatus::Unknown, "unknown")
        } else {
            (ExitStatus::Valid, "valid")
        }
    }
}

/// The traces of a run directory in order of their names, or the one file.
fn traces(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let nodes = path.join("nodes");
    let entries = std::fs::read_dir(&nodes)
        .with_context(|| format!("{} is neither a trace nor a run directory", path.display()))?;
    let mut traces = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| nodes.display().to_string())?.path();
        if path.extension().is_some_and(|end| end == EXTENSION) {
            traces.push(path);
        }
    }
    if traces.is_empty() {
        return Err(anyhow!(
            "there is no trace in {}: run with --trace to record them",
            nodes.display()
        ));
    }
    traces.sort_unstable();
    Ok(traces)
}

fn replay_file(path: &Path, without_bug: bool) -> anyhow::Result<Replayed> {
    let replayed = File::open(path).map_err(TraceError::from).and_then(|file| {
        replay(BufReader::with_capacity(READ_BYTES, file), |spec| {
            if without_bug {
                spec.bug = None;
            }
        })
    });
    replayed.with_context(|| path.display().to_string())
}

/// A line a trace, and its first difference.
fn describe(text: &mut String, path: &Path, replayed: &Replayed) {
    let Replayed {
        header,
        inputs,
        effects,
        ending,
        difference,
    } = replayed;
    let (node, life) = (header.spec.node, header.spec.incarnation);
    let found = match (difference, ending) {
        (Some(_), _) => "differs",
        (None, Ending::Whole) => "the same",
        (None, Ending::Limit) => "the same up to the size limit, where recording ended",
        (None, Ending::Cut) => {
            "the same up to where it is cut short: the node was killed, crashed or runs on"
        }
    };
    let write = writeln!(
        text,
        "{node}, life {life}: {inputs} inputs, {effects} effects, {found} ({})",
        path.display()
    )
    .and_then(|()| match difference {
        None => Ok(()),
        Some(difference) => {
            let recorder = &header.program;
            writeln!(text, "{difference}\n  recorded by kvs-bench {recorder}")
        }
    });
    write.expect("a text takes what is written to it");
}
