//! What a check answers: a verdict, and the operations that prove it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::property::{AnomalyKind, Property};
use super::shown::Shown;
use super::time::OVER;
use crate::history::History;

/// Anomalies of one kind that a check keeps; it counts all.
pub const ANOMALIES_KEPT: usize = 10;

/// Something wrong, with the smallest set of operations that shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anomaly {
    /// What is wrong.
    pub kind: AnomalyKind,
    /// What it breaks.
    pub model: Property,
    /// The operations that show it, usually 2 to 6.
    pub operations: Vec<Shown>,
    /// Why no order explains them.
    pub sentence: String,
    /// Fewer operations may show it: looking for them was cut short.
    #[serde(skip)]
    pub is_cut: bool,
}

impl Anomaly {
    /// The operations: as a picture on a time line, where they fit one, and a line each.
    #[must_use]
    pub fn proof(&self) -> Vec<String> {
        let mut lines = super::explain::picture(&self.operations);
        lines.extend(self.operations.iter().map(ToString::to_string));
        lines
    }
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.kind, self.model, self.sentence)?;
        for line in self.proof() {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// What a check answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// The history satisfies the property.
    Valid,
    /// It does not.
    Invalid {
        /// How often each kind of anomaly was found.
        found: BTreeMap<AnomalyKind, u64>,
        /// The first of each kind, at most [`ANOMALIES_KEPT`].
        anomalies: Vec<Anomaly>,
    },
    /// It could not be decided.
    Unknown {
        /// Why.
        reason: String,
    },
    /// The property does not apply to this history.
    NotApplicable {
        /// Why.
        reason: String,
    },
}

/// How a sentence ends that may name more operations than it needs.
const MORE_THAN_NEEDED: &str =
    "; fewer may show it, but looking for them took as long as judging had";

impl Verdict {
    /// An unknown verdict.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown {
            reason: reason.into(),
        }
    }

    /// A verdict for a property that does not apply.
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self::NotApplicable {
            reason: reason.into(),
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid { .. } => "invalid",
            Self::Unknown { .. } => "unknown",
            Self::NotApplicable { .. } => "not applicable",
        }
    }

    /// Whether it is `valid`.
    #[must_use]
    pub const fn is_valid(&self) -> bool {
        matches!(self, Self::Valid)
    }

    /// Whether it is `invalid`.
    #[must_use]
    pub const fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid { .. })
    }

    /// How bad it is: the worst of several is the largest.
    #[must_use]
    pub const fn badness(&self) -> u8 {
        match self {
            Self::NotApplicable { .. } => 0,
            Self::Valid => 1,
            Self::Unknown { .. } => 2,
            Self::Invalid { .. } => 3,
        }
    }

    /// The anomalies, if there are any.
    #[must_use]
    pub fn anomalies(&self) -> &[Anomaly] {
        match self {
            Self::Invalid { anomalies, .. } => anomalies,
            Self::Valid | Self::Unknown { .. } | Self::NotApplicable { .. } => &[],
        }
    }
}

/// One property, and what its check answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The property.
    pub property: Property,
    /// Operations (for convergence and lost writes: keys and puts) that were checked.
    pub checked: u64,
    /// The answer.
    pub verdict: Verdict,
}

impl Check {
    /// An answer that was given without a look at the history.
    pub(super) const fn without_a_look(property: Property, verdict: Verdict) -> Self {
        Self {
            property,
            checked: 0,
            verdict,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:<20} {:<8} {} checked",
            self.property,
            self.verdict.name(),
            self.checked
        )?;
        match &self.verdict {
            Verdict::Valid => Ok(()),
            Verdict::Invalid { found, .. } => {
                for (kind, count) in found {
                    write!(f, ", {count} {kind}")?;
                }
                Ok(())
            }
            Verdict::Unknown { reason } | Verdict::NotApplicable { reason } => {
                write!(f, ": {reason}")
            }
        }
    }
}

/// Gathers a check's anomalies: counts all, keeps the first of each kind.
#[derive(Debug)]
pub(super) struct Findings<'h> {
    history: &'h History,
    property: Property,
    found: BTreeMap<AnomalyKind, u64>,
    anomalies: Vec<Anomaly>,
}

impl<'h> Findings<'h> {
    pub(super) const fn new(history: &'h History, property: Property) -> Self {
        Self {
            history,
            property,
            found: BTreeMap::new(),
            anomalies: Vec::new(),
        }
    }

    /// Adds an anomaly shown by `rows`; repeated rows are shown once.
    pub(super) fn add(
        &mut self,
        kind: AnomalyKind,
        rows: &[usize],
        sentence: impl FnOnce() -> String,
    ) {
        self.add_found(kind, rows, false, sentence);
    }

    /// The same; `is_cut` says that looking for fewer operations that show it was cut short.
    pub(super) fn add_found(
        &mut self,
        kind: AnomalyKind,
        rows: &[usize],
        is_cut: bool,
        sentence: impl FnOnce() -> String,
    ) {
        let count = self.found.entry(kind).or_insert(0);
        *count += 1;
        if *count > ANOMALIES_KEPT as u64 {
            return;
        }
        let mut operations: Vec<Shown> = Vec::with_capacity(rows.len());
        for row in rows {
            if operations.iter().all(|shown| shown.row != *row as u64) {
                operations.push(Shown::new(self.history, *row));
            }
        }
        self.anomalies.push(Anomaly {
            kind,
            model: self.property,
            operations,
            sentence: sentence() + if is_cut { MORE_THAN_NEEDED } else { "" },
            is_cut,
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The check if its time was over before it had looked at everything: invalid if it found
    /// something, and never valid.
    pub(super) fn cut(self, checked: u64) -> Check {
        let is_empty = self.is_empty();
        let mut check = self.check(checked);
        if is_empty {
            check.verdict = Verdict::unknown(OVER);
        }
        check
    }

    /// The check: valid when nothing was found, unknown when nothing was looked at.
    pub(super) fn check(self, checked: u64) -> Check {
        let verdict = if !self.found.is_empty() {
            Verdict::Invalid {
                found: self.found,
                anomalies: self.anomalies,
            }
        } else if checked == 0 {
            Verdict::unknown("there was nothing to check")
        } else {
            Verdict::Valid
        };
        Check {
            property: self.property,
            checked,
            verdict,
        }
    }
}
