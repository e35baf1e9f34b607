//! A history's rows as columns: what a recorder fills and what a checker reads.

use super::column::{Column, Lists};
use super::operation::{ErrorKind, Kind, Outcome, Phase, Row, Siblings, Version, Witness};

/// The return time of an operation that has none.
pub const NEVER: u64 = u64::MAX;
/// The version time that stands for "no version".
const NO_VERSION: u64 = u64::MAX;

/// What kind of evidence a row carries, and what the answers of a store prove.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Evidence {
    /// None.
    #[default]
    None,
    /// The dots and vectors of causal siblings.
    Causal,
    /// The version of each value, which orders the puts on a key.
    Versions,
}

impl Evidence {
    /// Every value, in the order of its numbers.
    pub const ALL: [Self; 3] = [Self::None, Self::Causal, Self::Versions];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Causal => "causal",
            Self::Versions => "lww",
        }
    }
}

/// The columns, row `i` being entry `i` of each. Fields are as in [`Row`], with [`NEVER`] for an
/// absent return time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of Row, which documents them")]
pub struct Columns {
    pub session: Vec<u32>,
    pub index: Vec<u32>,
    pub kind: Vec<Kind>,
    pub key: Vec<u64>,
    pub written: Vec<u64>,
    pub read: Lists,
    pub intended: Vec<u64>,
    pub invoke: Vec<u64>,
    pub returned: Vec<u64>,
    pub outcome: Vec<Outcome>,
    pub error: Vec<Option<ErrorKind>>,
    pub node: Vec<u16>,
    pub incarnation: Column<u16>,
    pub group: Column<u16>,
    pub phase: Vec<Phase>,
    pub evidence: Vec<Evidence>,
    /// The contexts that were recorded; [`Columns::context`] tells an empty one from none.
    pub contexts: Lists,
    /// Whether the row's context was recorded.
    pub has_context: Column<bool>,
    /// A put's dot, 0 without.
    pub dot: Column<u64>,
    /// The vector of a put or a get.
    pub vector: Lists,
    /// The dots of a get's siblings, in the order of `read`.
    pub sibling_dots: Lists,
    /// The siblings' vectors: list `sibling_dots.start(i) + j` is that of row `i`'s `j`-th.
    pub sibling_vectors: Lists,
    /// The versions' times, [`u64::MAX`] without.
    pub version_time: Column<u64>,
    /// The versions' origins, 0 without.
    pub version_origin: Column<u32>,
}

impl Default for Columns {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl Columns {
    /// How many rows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.session.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.session.is_empty()
    }

    /// Room for `rows` rows in the columns that every history fills.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        Self {
            session: Vec::with_capacity(rows),
            index: Vec::with_capacity(rows),
            kind: Vec::with_capacity(rows),
            key: Vec::with_capacity(rows),
            written: Vec::with_capacity(rows),
            read: Lists::default(),
            intended: Vec::with_capacity(rows),
            invoke: Vec::with_capacity(rows),
            returned: Vec::with_capacity(rows),
            outcome: Vec::with_capacity(rows),
            error: Vec::with_capacity(rows),
            node: Vec::with_capacity(rows),
            incarnation: Column::new(0),
            group: Column::new(0),
            phase: Vec::with_capacity(rows),
            evidence: Vec::with_capacity(rows),
            contexts: Lists::default(),
            has_context: Column::new(false),
            dot: Column::new(0),
            vector: Lists::default(),
            sibling_dots: Lists::default(),
            sibling_vectors: Lists::with_all_ends(),
            version_time: Column::new(NO_VERSION),
            version_origin: Column::new(0),
        }
    }

    /// Appends a row.
    pub fn push(&mut self, row: &Row<'_>) {
        self.session.push(row.session);
        self.index.push(row.index);
        self.kind.push(row.kind);
        self.key.push(row.key);
        self.written.push(row.written);
        self.read.push(row.read);
        self.intended.push(row.intended);
        self.invoke.push(row.invoke);
        self.returned.push(row.returned.unwrap_or(NEVER));
        self.outcome.push(row.outcome);
        self.error.push(row.error);
        self.node.push(row.node);
        self.incarnation.push(row.incarnation);
        self.group.push(row.group);
        self.phase.push(row.phase);
        self.contexts.push(row.context.unwrap_or_default());
        self.has_context.push(row.context.is_some());
        self.push_witness(&row.witness);
    }

    fn push_witness(&mut self, witness: &Witness<'_>) {
        let none = Siblings::default();
        let (evidence, dot, vector, siblings, version) = match witness {
            Witness::None => (Evidence::None, 0, &[][..], none, None),
            Witness::Put { dot, vector } => (Evidence::Causal, *dot, *vector, none, None),
            Witness::Get { vector, siblings } => (Evidence::Causal, 0, *vector, *siblings, None),
            Witness::Version(version) => (Evidence::Versions, 0, &[][..], none, *version),
        };
        self.evidence.push(evidence);
        self.dot.push(dot);
        self.vector.push(vector);
        self.sibling_dots.push(siblings.dots);
        for i in 0..siblings.dots.len() {
            self.sibling_vectors.push(siblings.vector(i));
        }
        self.version_time
            .push(version.map_or(NO_VERSION, |v| v.time));
        self.version_origin.push(version.map_or(0, |v| v.origin));
    }

    /// The context of row `i`, where it was recorded.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn context(&self, i: usize) -> Option<&[u64]> {
        self.has_context[i].then(|| self.contexts.at(i))
    }

    /// The version that row `i` carries.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn version(&self, i: usize) -> Option<Version> {
        let time = self.version_time[i];
        (time != NO_VERSION).then(|| Version {
            time,
            origin: self.version_origin[i],
        })
    }

    /// The vector of row `i`'s `j`-th sibling.
    ///
    /// # Panics
    /// When there is no such row or sibling.
    #[must_use]
    pub fn sibling_vector(&self, i: usize, j: usize) -> &[u64] {
        self.sibling_vectors.at(self.sibling_dots.start(i) + j)
    }

    /// Drops all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.session.clear();
        self.index.clear();
        self.kind.clear();
        self.key.clear();
        self.written.clear();
        self.read.clear();
        self.intended.clear();
        self.invoke.clear();
        self.returned.clear();
        self.outcome.clear();
        self.error.clear();
        self.node.clear();
        self.incarnation.clear();
        self.group.clear();
        self.phase.clear();
        self.evidence.clear();
        self.contexts.clear();
        self.has_context.clear();
        self.dot.clear();
        self.vector.clear();
        self.sibling_dots.clear();
        self.sibling_vectors.clear();
        self.version_time.clear();
        self.version_origin.clear();
    }
}
