//! A history's rows as columns: what a recorder fills and what a checker reads.

use super::operation::{ErrorKind, Kind, Outcome, Phase, Row, Siblings, Version, Witness};

/// The return time of an operation that has none.
pub const NEVER: u64 = u64::MAX;
/// The version time that stands for "no version".
const NO_VERSION: u64 = u64::MAX;

/// What kind of evidence a row carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// None.
    None,
    /// Dots and vectors.
    Causal,
    /// Versions.
    Lww,
}

impl Evidence {
    /// Every value, in the order of its numbers.
    pub const ALL: [Self; 3] = [Self::None, Self::Causal, Self::Lww];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Causal => "causal",
            Self::Lww => "lww",
        }
    }
}

/// Lists of numbers, one after another in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    ends: Vec<u32>,
    values: Vec<u64>,
}

impl Lists {
    /// The most entries that all lists of a column have together.
    pub const ENTRIES_MAX: usize = u32::MAX as usize;

    /// Appends one list.
    ///
    /// # Panics
    /// When there would be more than [`Lists::ENTRIES_MAX`] entries.
    pub fn push(&mut self, list: &[u64]) {
        self.values.extend_from_slice(list);
        self.close();
    }

    /// Ends the list whose entries were pushed to the buffer.
    fn close(&mut self) {
        let end = u32::try_from(self.values.len()).expect("a column holds at most 2^32 entries");
        self.ends.push(end);
    }

    /// The `i`-th list.
    ///
    /// # Panics
    /// When there is no such list.
    #[must_use]
    pub fn at(&self, i: usize) -> &[u64] {
        &self.values[self.start(i)..self.ends[i] as usize]
    }

    /// Where the `i`-th list starts in the buffer.
    ///
    /// # Panics
    /// When `i` is beyond the number of lists.
    #[must_use]
    pub fn start(&self, i: usize) -> usize {
        if i == 0 { 0 } else { self.ends[i - 1] as usize }
    }

    /// How many lists there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no list.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Where each list ends.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The entries of all lists.
    #[must_use]
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// Appends lists given by their entries and by their offsets, which ascend from the first.
    pub(super) fn append(&mut self, offsets: &[i32], values: &[u64]) -> Result<(), TooLarge> {
        let Some((&first, rest)) = offsets.split_first() else {
            return Ok(());
        };
        let base = self.values.len();
        let last = offsets[offsets.len() - 1];
        self.values
            .extend_from_slice(&values[first as usize..last as usize]);
        if self.values.len() > Self::ENTRIES_MAX {
            return Err(TooLarge);
        }
        self.ends.extend(
            rest.iter()
                .map(|&end| (base + (end - first) as usize) as u32),
        );
        Ok(())
    }

    fn clear(&mut self) {
        self.ends.clear();
        self.values.clear();
    }
}

/// A list column would pass [`Lists::ENTRIES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a column of the history has more than 2^32 list entries: record fewer operations")]
pub struct TooLarge;

/// The columns, row `i` being entry `i` of each. Fields are as in [`Row`], with [`NEVER`] for an
/// absent return time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    pub incarnation: Vec<u16>,
    pub group: Vec<u16>,
    pub phase: Vec<Phase>,
    pub evidence: Vec<Evidence>,
    /// A put's dot, 0 without.
    pub dot: Vec<u64>,
    /// The vector of a put or a get.
    pub vector: Lists,
    /// The dots of a get's siblings, in the order of `read`.
    pub sibling_dots: Lists,
    /// The siblings' vectors: list `sibling_dots.start(i) + j` is that of row `i`'s `j`-th.
    pub sibling_vectors: Lists,
    /// The versions' times, [`u64::MAX`] without.
    pub version_time: Vec<u64>,
    /// The versions' origins, 0 without.
    pub version_origin: Vec<u32>,
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

    /// Room for `rows` rows in the columns of fixed width.
    #[must_use]
    pub fn with_capacity(rows: usize) -> Self {
        let lists = || Lists {
            ends: Vec::with_capacity(rows),
            values: Vec::new(),
        };
        Self {
            session: Vec::with_capacity(rows),
            index: Vec::with_capacity(rows),
            kind: Vec::with_capacity(rows),
            key: Vec::with_capacity(rows),
            written: Vec::with_capacity(rows),
            read: lists(),
            intended: Vec::with_capacity(rows),
            invoke: Vec::with_capacity(rows),
            returned: Vec::with_capacity(rows),
            outcome: Vec::with_capacity(rows),
            error: Vec::with_capacity(rows),
            node: Vec::with_capacity(rows),
            incarnation: Vec::with_capacity(rows),
            group: Vec::with_capacity(rows),
            phase: Vec::with_capacity(rows),
            evidence: Vec::with_capacity(rows),
            dot: Vec::with_capacity(rows),
            vector: lists(),
            sibling_dots: lists(),
            sibling_vectors: Lists::default(),
            version_time: Vec::with_capacity(rows),
            version_origin: Vec::with_capacity(rows),
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
        self.push_witness(&row.witness);
    }

    fn push_witness(&mut self, witness: &Witness<'_>) {
        let none = Siblings::default();
        let (evidence, dot, vector, siblings, version) = match witness {
            Witness::None => (Evidence::None, 0, &[][..], none, None),
            Witness::Put { dot, vector } => (Evidence::Causal, *dot, *vector, none, None),
            Witness::Get { vector, siblings } => (Evidence::Causal, 0, *vector, *siblings, None),
            Witness::Version(version) => (Evidence::Lww, 0, &[][..], none, *version),
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
        self.dot.clear();
        self.vector.clear();
        self.sibling_dots.clear();
        self.sibling_vectors.clear();
        self.version_time.clear();
        self.version_origin.clear();
    }
}
