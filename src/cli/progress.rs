//! The progress line, on standard error and only where that is a terminal; and what came of the
//! parts of a campaign, line by line.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::campaign;
use crate::checker::ProgressSink;
use crate::run::Observer;

/// How often the spinner turns.
const TURN: Duration = Duration::from_millis(100);

/// Shows on the terminal what a campaign is doing: how many of a number of simulations are done, or
/// how far a run has got.
#[derive(Debug, Default)]
pub(super) struct Screen {
    line: Option<ProgressBar>,
}

impl campaign::Observer for Screen {
    fn begin(&mut self, all: u64) {
        let style = ProgressStyle::with_template("{bar:30} {pos} of {len}, {msg}, {eta} left");
        let line = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr());
        line.set_style(style.expect("the template is well formed"));
        self.line = Some(line);
    }

    fn advance(&mut self, message: &str) {
        if let Some(line) = &self.line {
            line.set_message(message.to_owned());
            line.inc(1);
        }
    }

    fn end(&mut self) {
        if let Some(line) = self.line.take() {
            line.finish_and_clear();
        }
    }

    fn run(&mut self) -> Box<dyn Observer + '_> {
        Box::new(Terminal::new())
    }

    fn found(&mut self, line: &str) {
        eprintln!("{line}");
    }
}

/// Shows on the terminal what a run is doing.
#[derive(Debug)]
pub(super) struct Terminal {
    line: ProgressBar,
}

impl Terminal {
    pub(super) fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {prefix:9} {wide_msg}");
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        line.set_style(style.expect("the template is well formed"));
        line.enable_steady_tick(TURN);
        Self { line }
    }

    /// Begins a stage and shows how far checks say that they have got.
    pub(super) fn progress_of(&self, stage: &'static str) -> ProgressSink {
        self.line.set_prefix(stage);
        let line = self.line.clone();
        ProgressSink::new(move |progress| line.set_message(progress.to_string()))
    }
}

impl Observer for Terminal {
    fn stage(&mut self, name: &'static str) {
        // In this order, so that the old message never stands beside the new name.
        self.line.set_message("");
        self.line.set_prefix(name);
    }

    fn progress(&mut self, message: String) {
        self.line.set_message(message);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}
