//! `kvs-bench serve`: results in a browser.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Args;

use crate::web::Server;

use super::{ExitStatus, Failure};

/// The arguments of `kvs-bench serve`.
#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    /// The directory of the runs.
    #[arg(value_name = "DIR", default_value = "results")]
    results: PathBuf,

    /// The port to listen on, at 127.0.0.1. 0 takes any free one.
    #[arg(long, value_name = "PORT", default_value_t = 7878)]
    port: u16,
}

pub(super) fn main(args: &ServeArgs) -> Result<ExitStatus, Failure> {
    if !args.results.is_dir() {
        let error = anyhow!(
            "{} is no directory: run something first, or name one",
            args.results.display()
        );
        return Err(Failure::bad_arguments(error));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start an event loop")?;
    runtime.block_on(async {
        let server = Server::bind(args.results.clone(), args.port)
            .await
            .with_context(|| {
                format!("cannot listen on port {}: --port takes another", args.port)
            })?;
        let address = server.address().context("cannot tell where it listens")?;
        super::print(&format!(
            "http://{address}/ shows {}; Ctrl-C ends it",
            args.results.display()
        ))?;
        let stop = async {
            // Without signals it goes on until it is killed.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending().await
            }
        };
        server.run(stop).await.context("cannot serve any more")
    })?;
    Ok(ExitStatus::Valid)
}
