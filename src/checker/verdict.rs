//! What a check answers: a verdict, and the operations that prove it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::history::{
    ErrorKind, History, Kind, NEVER, Outcome, Phase, Version, dot_text, origin_incarnation,
    origin_node,
};

/// Anomalies of one kind that a check keeps; it counts all.
pub const ANOMALIES_KEPT: usize = 10;
/// Ids and dots that one operation shows in text; the rest is counted.
const SHOWN_MAX: usize = 8;

/// Declares an enum whose names in files are fixed, each with what it means.
macro_rules! kinds {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal: $doc:literal,)+ }) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        pub enum $name {
            $(#[doc = $doc] #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name in files and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $doc,)+
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

kinds! {
    /// What a history is held to, one check each.
    Property {
        Integrity = "integrity": "Every value read was written to that key, and before.",
        Convergence = "convergence": "After the run every replica answers every key alike.",
        LostWrites = "lost-writes": "No acknowledged put has vanished.",
        Lww = "lww": "Last write wins by the versions that the store gives.",
        ReadYourWrites = "read-your-writes": "A session sees what it wrote.",
        MonotonicReads = "monotonic-reads": "A session never sees less than it saw.",
        MonotonicWrites = "monotonic-writes": "A session's puts are applied in its order.",
        WritesFollowReads = "writes-follow-reads": "A put comes after what its session had read.",
        Causal = "causal": "The store's dots and vectors explain every read.",
        CausalBlackBox = "causal-black-box": "Some causal order explains every read.",
        Linearizable = "linearizable": "Every key is an atomic register.",
        Sequential = "sequential": "One order that keeps each session's explains every read.",
    }
}

kinds! {
    /// What is wrong with a history.
    AnomalyKind {
        CorruptRead = "corrupt-read": "A payload that its own id does not derive.",
        ThinAirRead = "thin-air-read": "A value that nobody wrote to that key.",
        AbortedRead = "aborted-read": "The value of a put that failed.",
        FutureRead = "future-read": "A value that was read before its put was invoked.",
        Divergence = "divergence": "Replicas that answer one key differently in the end.",
        LostWrite = "lost-write": "An acknowledged put that is gone in the end.",
        DuplicateVersion = "duplicate-version": "Two puts under one version.",
        VersionMismatch = "version-mismatch": "A value read under another version than its put's.",
        OriginOrder = "origin-order": "A later put of one origin under a smaller version.",
        Regression = "regression": "A replica that went back to an older version of a key.",
        ClockNotMerged = "clock-not-merged": "A put whose version is below what its node had shown.",
        ReadOwnWriteMissed = "read-own-write-missed": "A session's own put that it no longer saw.",
        NonMonotonicRead = "non-monotonic-read": "A session that saw less than before.",
        NonMonotonicWrite = "non-monotonic-write": "A put applied without its session's earlier one.",
        WriteBeforeRead = "write-before-read": "A put applied without what its session had read.",
        DuplicateDot = "duplicate-dot": "Two puts under one dot.",
        VectorRegression = "vector-regression": "A session whose vector went back.",
        MissingDependency = "missing-dependency": "A put shown without all that it depends on.",
        MissingSibling = "missing-sibling": "A visible value that nothing supersedes was left out.",
        SupersededSibling = "superseded-sibling": "A value returned beside one that supersedes it.",
        UncoveredSibling = "uncovered-sibling": "A value returned that the vector does not cover.",
        FutureDependency = "future-dependency": "A vector that covers a put not yet invoked.",
        MutualCover = "mutual-cover": "Two puts that each claim to come after the other.",
        BadDot = "bad-dot": "A put whose vector disagrees with its own dot.",
        EvidenceMismatch = "evidence-mismatch": "Evidence of one put that differs between replies.",
        CyclicHb = "cyclic-hb": "Causes and effects that form a circle.",
        CyclicVisibility = "cyclic-visibility": "An order that reads force, and that contradicts itself.",
        StaleRead = "stale-read": "A value read although a later one was known to the session.",
        MissedWrite = "missed-write": "A known put that is missing, and that nothing replaces.",
        NotLinearizable = "not-linearizable": "Operations on a key that no order in time explains.",
        NotSequential = "not-sequential": "Operations that no order of the sessions explains.",
    }
}

/// One operation in the evidence of an anomaly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The row in the history.
    pub row: u64,
    /// The session.
    pub session: u32,
    /// Its place in the session.
    pub index: u32,
    /// What it did.
    pub kind: Kind,
    /// The key's name.
    pub key: String,
    /// What it wrote: the id as `session:index`, or the value's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// What a get read, or what a compare-and-set expected.
    pub read: Vec<String>,
    /// Start, in ns since the run began.
    pub invoke: u64,
    /// End, absent while unknown.
    #[serde(rename = "return", skip_serializing_if = "Option::is_none")]
    pub returned: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not `ok`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorKind>,
    /// The node.
    pub node: u16,
    /// Its incarnation.
    pub incarnation: u16,
    /// The replica group.
    pub group: u16,
    /// The part of the run.
    pub phase: Phase,
    /// The put's dot or the siblings' dots.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dots: Vec<String>,
    /// The vector.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub vector: Vec<String>,
    /// The version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

impl Shown {
    /// The operation of row `row`.
    #[must_use]
    pub fn new(history: &History, row: usize) -> Self {
        let columns = &history.columns;
        let dots = match columns.kind[row] {
            Kind::Put if columns.dot[row] != 0 => vec![dot_text(columns.dot[row])],
            Kind::Put | Kind::Get | Kind::Cas | Kind::Append => texts(columns.sibling_dots.at(row)),
        };
        let returned = columns.returned[row];
        Self {
            row: row as u64,
            session: columns.session[row],
            index: columns.index[row],
            kind: columns.kind[row],
            key: history.key_name(columns.key[row]),
            written: (columns.kind[row] != Kind::Get)
                .then(|| history.value_name(columns.written[row])),
            read: columns
                .read
                .at(row)
                .iter()
                .map(|id| history.value_name(*id))
                .collect(),
            invoke: columns.invoke[row],
            returned: (returned != NEVER).then_some(returned),
            outcome: columns.outcome[row],
            error: columns.error[row],
            node: columns.node[row],
            incarnation: columns.incarnation[row],
            group: columns.group[row],
            phase: columns.phase[row],
            dots,
            vector: texts(columns.vector.at(row)),
            version: columns.version(row),
        }
    }
}

fn texts(dots: &[u64]) -> Vec<String> {
    dots.iter().map(|dot| dot_text(*dot)).collect()
}

/// Words, cut at [`SHOWN_MAX`].
fn shortened(words: &[String]) -> String {
    let shown = words[..words.len().min(SHOWN_MAX)].join(" ");
    if words.len() > SHOWN_MAX {
        format!("{shown} and {} more", words.len() - SHOWN_MAX)
    } else {
        shown
    }
}

/// Nanoseconds as milliseconds with all digits that matter.
fn milliseconds(ns: u64) -> String {
    format!("{}.{:06}", ns / 1_000_000, ns % 1_000_000)
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "session {} #{} {} {}",
            self.session, self.index, self.kind, self.key
        )?;
        let read = || match &self.read[..] {
            [] => "nothing".to_owned(),
            read => shortened(read),
        };
        match (&self.written, self.kind) {
            (Some(value), Kind::Cas) => write!(f, " {} -> {value}", read())?,
            (Some(value), Kind::Append) => write!(f, " + {value}")?,
            (Some(value), Kind::Put | Kind::Get) => write!(f, " = {value}")?,
            (None, _) => write!(f, " -> {}", read())?,
        }
        write!(f, " at n{}", self.node)?;
        if self.incarnation > 0 {
            write!(f, ".{}", self.incarnation)?;
        }
        write!(f, " [{} .. ", milliseconds(self.invoke))?;
        match self.returned {
            Some(returned) => write!(f, "{} ms]", milliseconds(returned))?,
            None => f.write_str("unknown]")?,
        }
        if self.error == Some(ErrorKind::Mismatch) {
            f.write_str(" did not match")?;
        } else if self.outcome != Outcome::Ok {
            write!(f, " {}", self.outcome)?;
        }
        if !self.dots.is_empty() {
            write!(f, " dot {}", shortened(&self.dots))?;
        }
        if !self.vector.is_empty() {
            write!(f, " vector {}", shortened(&self.vector))?;
        }
        if let Some(version) = self.version {
            let (node, incarnation) = (
                origin_node(version.origin),
                origin_incarnation(version.origin),
            );
            write!(f, " version {}@n{node}.{incarnation}", version.time)?;
        }
        Ok(())
    }
}

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
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.kind, self.model, self.sentence)?;
        for operation in &self.operations {
            write!(f, "\n    {operation}")?;
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
            sentence: sentence(),
        });
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
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
