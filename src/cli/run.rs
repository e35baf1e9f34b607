//! `kvs-bench run`, the main job: its arguments become a [`Config`], the run does the work, and
//! the result is one screen.

#[cfg(test)]
mod again;
mod arguments;

use std::io::IsTerminal;

use anyhow::{Context, anyhow};

use crate::report;
use crate::run::{self, Capacity, Config, Finished};

use super::progress::Terminal;
use super::tui::Tui;
use super::words::command_line;
use super::{ExitStatus, Failure, nemesis};

#[cfg(test)]
pub(super) use arguments::asked;
pub(super) use arguments::{RunArgs, Switch, usual};

/// Runs, and prints the result.
pub(super) fn main(args: &RunArgs) -> Result<ExitStatus, Failure> {
    let config = Config {
        given: Some(command_line()),
        ..args.config()?
    };
    config.check().map_err(Failure::bad_arguments)?;
    // For whoever looks on; the screen says which faults came, and which could not.
    if let Some(faults) = nemesis::announcement(&config)
        && std::io::stderr().is_terminal()
    {
        eprintln!("Nemesis     {faults}");
    }
    if config.store.is_none()
        && let Capacity::Strained(why) = Capacity::of(&config.architecture)
    {
        eprintln!("warning: {why}");
    }
    let finished = driven(&config, args.output.tui)?;
    show(&finished, args.output.json)?;
    if let Err(error) = finished.link_latest() {
        eprintln!(
            "warning: {}/latest is not this run: {error}",
            config.results.display()
        );
    }
    if finished.interrupted {
        return Ok(ExitStatus::Interrupted);
    }
    Ok(super::report::exit_status(&finished.record))
}

/// Runs it, on the whole terminal if so asked.
fn driven(config: &Config, tui: bool) -> Result<Finished, Failure> {
    let finished = if tui {
        if !std::io::stdout().is_terminal() {
            return Err(Failure::bad_arguments(anyhow!("--tui needs a terminal")));
        }
        let title = format!("{}: {}", config.store_name(), config.workload());
        let mut tui = Tui::start(title).context("cannot take the terminal over")?;
        run::run(config, &mut tui)
    } else {
        run::run(config, &mut Terminal::new())
    };
    Ok(finished.context("the run has no result")?)
}

/// Saves the result, prints it, and makes its page.
fn show(finished: &Finished, json: bool) -> Result<(), Failure> {
    let record = &finished.record;
    let screen = report::text(record);
    let saved = finished.save(&screen);
    if json {
        super::print(&record.to_json())?;
    } else {
        super::print(&screen)?;
    }
    saved.context("the run has a result")?;
    // The result stands without it.
    if let Err(error) = super::report::write_page(record) {
        eprintln!("warning: cannot make the page of this run: {error:#}");
    }
    Ok(())
}
