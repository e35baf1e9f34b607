//! What the views found: a table, JSON, and the exit status.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::bug::Bug;
use crate::cli::ExitStatus;
use crate::report;

use super::View;

/// What a view found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "found")]
pub(super) enum Finding {
    /// The store broke its promise.
    Broken {
        /// In which way.
        how: String,
        /// How many seeds it took, where there are such.
        #[serde(skip_serializing_if = "Option::is_none")]
        seeds: Option<u64>,
    },
    /// Nothing wrong.
    Kept,
    /// Nobody can tell.
    Unknown {
        /// Why.
        reason: String,
    },
    /// The view itself failed.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
}

/// One look at one store through one view.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Look {
    view: View,
    /// None for a look at the store without a bug.
    bug: Option<Bug>,
    command: String,
    #[serde(flatten)]
    finding: Finding,
    seconds: f64,
}

impl Look {
    pub(super) fn new(
        view: View,
        bug: Option<Bug>,
        command: String,
        finding: Finding,
        took: Duration,
    ) -> Self {
        Self {
            view,
            bug,
            command,
            finding,
            seconds: took.as_secs_f64(),
        }
    }

    /// Whether it found what it had to find.
    fn is_right(&self) -> bool {
        match self.bug {
            Some(_) => matches!(self.finding, Finding::Broken { .. }),
            None => self.finding == Finding::Kept,
        }
    }

    /// What it took, for a cell of the table.
    fn cost(&self) -> String {
        let seconds = self.seconds;
        match &self.finding {
            Finding::Broken {
                seeds: Some(seeds), ..
            } => format!("{seeds} in {seconds:.1} s"),
            _ => format!("{seconds:.1} s"),
        }
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match (self.is_right(), self.bug) {
            (true, Some(_)) => "caught",
            (true, None) => "ok",
            (false, Some(_)) => "MISSED",
            (false, None) => "FALSE ALARM",
        };
        let name = self.bug.map_or("no bug", Bug::name);
        write!(f, "{word} {name}, {:.1} s: ", self.seconds)?;
        match &self.finding {
            Finding::Broken { how, seeds } => {
                write!(f, "{how}")?;
                if let Some(seeds) = seeds {
                    write!(f, ", seed {}", seeds - 1)?;
                }
            }
            Finding::Kept => write!(f, "nothing wrong")?,
            Finding::Unknown { reason } => write!(f, "unknown, {reason}")?,
            Finding::Failed { reason } => write!(f, "{reason}")?,
        }
        write!(f, "; {}", self.command)
    }
}

/// Everything that was looked at.
#[derive(Debug)]
pub(super) struct Hunt {
    bugs: Vec<Bug>,
    /// The views that were asked.
    pub(super) views: Vec<View>,
    pub(super) looks: Vec<Look>,
    /// Whether all of it was looked at.
    pub(super) complete: bool,
}

impl Hunt {
    pub(super) fn new(bugs: &[Bug], views: &[View]) -> Self {
        Self {
            bugs: bugs.to_vec(),
            views: views.to_vec(),
            looks: Vec::new(),
            complete: false,
        }
    }

    pub(super) fn bugs(&self) -> Vec<Bug> {
        self.bugs.clone()
    }

    /// The views that were asked and must catch the bug.
    fn wanted(&self, bug: Bug) -> usize {
        let must = |view: &&View| view.must_catch(bug.facts());
        self.views.iter().filter(must).count()
    }

    fn caught_by(&self, bug: Bug) -> usize {
        let caught = |look: &&Look| look.bug == Some(bug) && look.is_right();
        self.looks.iter().filter(caught).count()
    }

    /// Whether every view that was asked and must catch the bug has caught it. Of many bugs, those
    /// that no view which was asked can show are not judged; one alone is missed.
    fn is_caught(&self, bug: Bug) -> bool {
        let wanted = self.wanted(bug);
        self.caught_by(bug) == wanted && (wanted > 0 || self.bugs.len() > 1)
    }

    fn passed(&self) -> bool {
        self.complete
            && self.bugs.iter().all(|bug| self.is_caught(*bug))
            && self.looks.iter().all(Look::is_right)
    }

    /// 0 when every bug was caught and nothing else was, 1 when not, 255 when a view could not do
    /// its work.
    pub(super) fn exit_status(&self) -> ExitStatus {
        let failed = |look: &Look| matches!(look.finding, Finding::Failed { .. });
        if !self.complete {
            ExitStatus::Interrupted
        } else if self.looks.iter().any(failed) {
            ExitStatus::HarnessFailure
        } else if self.passed() {
            ExitStatus::Valid
        } else {
            ExitStatus::Invalid
        }
    }

    pub(super) fn to_json(&self) -> serde_json::Value {
        let bug = |bug: &Bug| {
            json!({
                "bug": bug,
                "promise": bug.facts().promise,
                "caught": self.is_caught(*bug),
                "caught_by": self.caught_by(*bug),
            })
        };
        json!({
            "passed": self.passed(),
            "complete": self.complete,
            "bugs": self.bugs.iter().map(bug).collect::<Vec<_>>(),
            "looks": self.looks,
        })
    }

    fn row(&self, bug: Bug) -> Vec<String> {
        let mut cells = vec![bug.name().to_owned(), bug.facts().promise.to_owned()];
        for view in View::ALL {
            let look = { &self.looks }
                .iter()
                .find(|look| (look.view, look.bug) == (view, Some(bug)));
            cells.push(match look {
                Some(look) if look.is_right() => look.cost(),
                Some(_) => "MISSED".to_owned(),
                None => "-".to_owned(),
            });
        }
        let verdict = if self.is_caught(bug) {
            format!("{}", self.caught_by(bug))
        } else {
            "MISSED".to_owned()
        };
        cells.push(verdict);
        cells
    }
}

impl fmt::Display for Hunt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["bug", "breaks", "model", "sim: seeds", "real", "caught by"];
        let rows = self.bugs.iter().map(|bug| self.row(*bug)).collect();
        for line in report::table(&header.map(str::to_owned), rows) {
            writeln!(f, "{line}")?;
        }
        let unbroken = self.looks.iter().filter(|look| look.bug.is_none());
        let wrong = { &self.looks }
            .iter()
            .filter(|look| look.bug.is_some() && !look.is_right());
        for look in unbroken.chain(wrong) {
            writeln!(f, "\n{look}")?;
        }
        if !self.complete {
            writeln!(f, "\ninterrupted: the rest was not looked at")?;
        }
        Ok(())
    }
}
