//! What the views found: a table, JSON, and the exit status.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use kvs_core::bug::Bug;
use kvs_report::report;

use super::View;

/// What a view found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "found")]
pub enum Finding {
    /// The store broke its promise.
    Broken {
        /// In which way.
        how: String,
        /// How many seeds it took, where there are such.
        #[serde(skip_serializing_if = "Option::is_none")]
        seeds: Option<u64>,
    },
    /// Nothing wrong.
    Kept {
        /// How many seeds could not be judged.
        unknown: u64,
    },
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

/// One look at one store through one view: a line when it is printed.
#[derive(Clone, Debug, Serialize)]
pub struct Look {
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
            None => matches!(self.finding, Finding::Kept { .. }),
        }
    }

    /// The finding in a word.
    const fn word(&self) -> &'static str {
        match (&self.finding, self.bug) {
            (Finding::Failed { .. }, _) => "FAILED",
            (Finding::Broken { .. }, Some(_)) => "caught",
            (Finding::Kept { .. }, None) => "ok",
            (Finding::Kept { .. } | Finding::Unknown { .. }, Some(_)) => "MISSED",
            (Finding::Broken { .. }, None) => "FALSE ALARM",
            (Finding::Unknown { .. }, None) => "UNKNOWN",
        }
    }

    /// What it took, for a cell of the table.
    fn cost(&self) -> String {
        let seconds = self.seconds;
        match &self.finding {
            Finding::Broken {
                seeds: Some(seeds), ..
            } => format!("{seeds} in {seconds:.2} s"),
            Finding::Broken { seeds: None, .. }
            | Finding::Kept { .. }
            | Finding::Unknown { .. }
            | Finding::Failed { .. } => format!("{seconds:.2} s"),
        }
    }
}

impl fmt::Display for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word();
        let name = self.bug.map_or("no bug", Bug::name);
        write!(f, "{word} {name}, {:.2} s: ", self.seconds)?;
        match &self.finding {
            Finding::Broken { how, seeds } => {
                write!(f, "{how}")?;
                if let Some(seeds) = seeds {
                    write!(f, ", seed {}", seeds - 1)?;
                }
            }
            Finding::Kept { unknown: 0 } => write!(f, "nothing wrong")?,
            Finding::Kept { unknown } => {
                write!(f, "nothing wrong, {unknown} seeds could not be judged")?;
            }
            Finding::Unknown { reason } => write!(f, "unknown, {reason}")?,
            Finding::Failed { reason } => write!(f, "{reason}")?,
        }
        write!(f, "; {}", self.command)
    }
}

/// How a hunt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every bug was caught, and nothing else was.
    Passed,
    /// A bug was missed, or there was a false alarm.
    Missed,
    /// A view could not do its work.
    Failed,
    /// It was interrupted.
    Interrupted,
}

/// Everything that was looked at: a table when it is printed.
#[derive(Debug)]
pub struct Hunt {
    bugs: Vec<Bug>,
    /// The views that were asked.
    views: BTreeSet<View>,
    pub(super) looks: Vec<Look>,
    /// Whether all of it was looked at.
    pub(super) complete: bool,
}

impl Hunt {
    pub(super) fn new(bugs: &[Bug], views: &BTreeSet<View>) -> Self {
        Self {
            bugs: bugs.to_vec(),
            views: views.clone(),
            looks: Vec::new(),
            complete: false,
        }
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

    /// Whether every view that was asked and must catch the bug has caught it. When several bugs
    /// were asked for, one that none of these views can show is not judged. When it is the only
    /// bug, it counts as missed.
    fn is_caught(&self, bug: Bug) -> bool {
        let wanted = self.wanted(bug);
        self.caught_by(bug) == wanted && (wanted > 0 || self.bugs.len() > 1)
    }

    fn passed(&self) -> bool {
        self.complete
            && self.bugs.iter().all(|bug| self.is_caught(*bug))
            && self.looks.iter().all(Look::is_right)
    }

    /// How it ended.
    #[must_use]
    pub fn end(&self) -> End {
        let failed = |look: &Look| matches!(look.finding, Finding::Failed { .. });
        if !self.complete {
            End::Interrupted
        } else if self.looks.iter().any(failed) {
            End::Failed
        } else if self.passed() {
            End::Passed
        } else {
            End::Missed
        }
    }

    /// All of it as JSON.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
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
                Some(look) => look.word().to_owned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn look(view: View, bug: Option<Bug>, finding: Finding) -> Look {
        Look::new(view, bug, String::new(), finding, Duration::ZERO)
    }

    fn broken() -> Finding {
        Finding::Broken {
            how: "lost-write".to_owned(),
            seeds: None,
        }
    }

    fn kept() -> Finding {
        Finding::Kept { unknown: 0 }
    }

    /// How the program ends after all views have looked for `forgotten-context` and found these.
    fn ends(looks: impl IntoIterator<Item = Look>) -> End {
        let mut hunt = Hunt::new(&[Bug::ForgottenContext], &BTreeSet::from(View::ALL));
        hunt.looks = looks.into_iter().collect();
        hunt.complete = true;
        hunt.end()
    }

    fn all_caught() -> Vec<Look> {
        View::ALL
            .map(|view| look(view, Some(Bug::ForgottenContext), broken()))
            .into()
    }

    #[test]
    fn a_hunt_succeeds_when_every_view_catches_the_bug_and_nothing_else() {
        let mut looks = all_caught();
        assert_eq!(ends(looks.clone()), End::Passed);
        looks.push(look(View::Real, None, kept()));
        assert_eq!(ends(looks), End::Passed);
    }

    #[test]
    fn a_view_that_misses_a_bug_fails_the_hunt() {
        let unknown = Finding::Unknown {
            reason: String::new(),
        };
        for missed in [kept(), unknown] {
            for at in 0..View::ALL.len() {
                let mut looks = all_caught();
                looks[at].finding = missed.clone();
                assert_eq!(ends(looks), End::Missed);
            }
        }
        assert_eq!(ends(all_caught().into_iter().skip(1)), End::Missed);
    }

    #[test]
    fn a_false_alarm_fails_the_hunt() {
        let mut looks = all_caught();
        looks.push(look(View::Sim, None, broken()));
        assert_eq!(ends(looks), End::Missed);
    }

    #[test]
    fn a_view_that_cannot_do_its_work_is_told_apart_from_one_that_misses() {
        let mut looks = all_caught();
        looks[0].finding = Finding::Failed {
            reason: "kvs-models is not there".to_owned(),
        };
        assert_eq!(looks[0].word(), "FAILED");
        assert_eq!(looks[1].word(), "caught", "the control");
        assert_eq!(ends(looks), End::Failed);
    }

    #[test]
    fn an_interrupted_hunt_says_so() {
        let mut hunt = Hunt::new(&[Bug::ForgottenContext], &BTreeSet::from(View::ALL));
        hunt.looks = all_caught();
        assert_eq!(hunt.end(), End::Interrupted);
        assert!(hunt.to_string().contains("interrupted"));
    }

    #[test]
    fn a_bug_alone_is_missed_where_no_view_that_was_asked_can_show_it() {
        let real_only = |bugs: &[Bug]| {
            let mut hunt = Hunt::new(bugs, &BTreeSet::from([View::Real]));
            hunt.looks
                .push(look(View::Real, Some(Bug::StaleReads), broken()));
            hunt.complete = true;
            hunt.end()
        };
        assert_eq!(real_only(&[Bug::ForgottenContextOnFailover]), End::Missed);
        let both = [Bug::ForgottenContextOnFailover, Bug::StaleReads];
        assert_eq!(real_only(&both), End::Passed, "it is not judged");
    }
}
