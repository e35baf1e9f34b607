//! `kvs-bench adapter`: adapters, tried against the protocol.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs};

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand};

use crate::targets::adapter::{Finding, check};
use crate::transport;

use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench adapter`.
#[derive(Debug, Args)]
pub(super) struct AdapterArgs {
    #[command(subcommand)]
    command: AdapterCommand,
}

#[derive(Debug, Subcommand)]
enum AdapterCommand {
    /// Test whether an adapter keeps the protocol (docs/reference/adapters.md), and say what is
    /// wrong.
    Check(CheckArgs),
}

/// The arguments of `kvs-bench adapter check`.
#[derive(Debug, Args)]
struct CheckArgs {
    /// The addresses of the store that the adapter speaks to, separated by commas.
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    endpoints: Vec<String>,

    /// An option of the store's own, which kvs-bench passes on to the adapter.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    options: Vec<String>,

    /// The adapter's program and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs the subcommand.
pub(super) fn main(args: &AdapterArgs) -> Result<ExitStatus, Failure> {
    let AdapterCommand::Check(args) = &args.command;
    let endpoints: Result<Vec<SocketAddr>, Failure> = args
        .endpoints
        .iter()
        .map(|endpoint| address(endpoint))
        .collect();
    let options: Result<BTreeMap<String, String>, Failure> =
        args.options.iter().map(|option| setting(option)).collect();
    let program = std::env::current_exe().context("finding out which program this is")?;
    let runtime = transport::runtime().context("starting an event loop")?;
    // Keys that no other check has.
    let prefix = format!("kvs:check-{}:", std::process::id());
    let (endpoints, options) = (endpoints?, options?);
    let trial = check(&program, &args.command, &endpoints, &options, &prefix);
    let findings = runtime.block_on(trial);
    super::print(&text(&findings))?;
    Ok(if findings.iter().all(|finding| finding.wrong.is_none()) {
        ExitStatus::Valid
    } else {
        ExitStatus::Invalid
    })
}

fn address(endpoint: &str) -> Result<SocketAddr, Failure> {
    let found = endpoint
        .to_socket_addrs()
        .ok()
        .and_then(|mut found| found.next());
    found.ok_or_else(|| {
        Failure::bad_arguments(anyhow!("{endpoint:?} is no address such as 127.0.0.1:8080"))
    })
}

fn setting(option: &str) -> Result<(String, String), Failure> {
    let (name, value) = option.split_once('=').ok_or_else(|| {
        Failure::bad_arguments(anyhow!(
            "--set takes NAME=VALUE, such as level=strong: {option:?}"
        ))
    })?;
    Ok((
        name.trim_start_matches("store.").to_owned(),
        value.to_owned(),
    ))
}

fn text(findings: &[Finding]) -> String {
    let line = |finding: &Finding| match &finding.wrong {
        None => format!("ok     {}\n", finding.tried),
        Some(wrong) => format!("WRONG  {}: {wrong}\n", finding.tried),
    };
    let lines: String = findings.iter().map(line).collect();
    let wrong = findings
        .iter()
        .filter(|finding| finding.wrong.is_some())
        .count();
    let end = match wrong {
        0 => "The adapter keeps the protocol.".to_owned(),
        wrong => format!(
            "The adapter does not keep the protocol: {wrong} of {} are wrong.",
            findings.len()
        ),
    };
    lines + &end
}
