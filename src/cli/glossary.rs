//! `kvs-bench glossary`: what the words of a report mean.

use anyhow::anyhow;
use clap::Args;

use super::{ExitStatus, Failure};
use crate::report;

/// The arguments of `kvs-bench glossary`.
#[derive(Debug, Args)]
pub(super) struct GlossaryArgs {
    /// A word, or a part of one. Without it, the command explains every word.
    word: Option<String>,
}

pub(super) fn main(args: &GlossaryArgs) -> Result<ExitStatus, Failure> {
    let word = args.word.as_deref();
    let text = report::meanings(word).ok_or_else(|| {
        Failure::bad_arguments(anyhow!(
            "the glossary has no word like {:?}; `kvs-bench glossary` explains all that it has",
            word.unwrap_or_default()
        ))
    })?;
    super::print(&text)?;
    Ok(ExitStatus::Valid)
}
