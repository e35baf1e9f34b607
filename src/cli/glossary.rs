//! `kvs-bench glossary`: what the words of a report mean.

use anyhow::anyhow;
use clap::Args;

use super::{ExitStatus, Failure};
use crate::report;

/// The arguments of `kvs-bench glossary`.
#[derive(Debug, Args)]
pub(super) struct GlossaryArgs {
    /// A word, or a part of one. Without it, every word is explained.
    word: Option<String>,
}

pub(super) fn main(args: &GlossaryArgs) -> Result<ExitStatus, Failure> {
    let word = args.word.as_deref();
    let text = report::meanings(word).ok_or_else(|| {
        Failure::bad_arguments(anyhow!(
            "no report uses {:?} in a sense of its own; `kvs-bench glossary` explains every word \
             that one does",
            word.unwrap_or_default()
        ))
    })?;
    super::print(&text)?;
    Ok(ExitStatus::Valid)
}
