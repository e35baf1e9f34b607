//! `kvs-bench completions`: a completion script for a shell, on standard output.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, ExitStatus, Failure};

/// The arguments of `kvs-bench completions`.
#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// The shell; for bash: `kvs-bench completions bash >
    /// ~/.local/share/bash-completion/completions/kvs-bench`.
    shell: Shell,
}

pub(super) fn main(args: &CompletionsArgs) -> Result<ExitStatus, Failure> {
    // Into memory first: writing to a pipe that its reader has closed would panic.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kvs-bench", &mut script);
    super::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Valid)
}
