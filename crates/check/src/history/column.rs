//! Columns that take no memory while they are blank: most histories use only a part of the schema.

use std::ops::Index;

/// A column whose leading entries are not stored as long as they are blank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column<T> {
    blank: T,
    /// How many blank entries come before `values`, whose first is not blank.
    skipped: usize,
    values: Vec<T>,
}

impl<T: Copy + PartialEq> Column<T> {
    /// An empty column in which `blank` stands for nothing.
    #[must_use]
    pub const fn new(blank: T) -> Self {
        Self {
            blank,
            skipped: 0,
            values: Vec::new(),
        }
    }

    /// How many entries there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.skipped + self.values.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether nothing but blank entries is in the column.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.values.is_empty()
    }

    /// Appends an entry.
    pub fn push(&mut self, value: T) {
        if self.values.is_empty() && value == self.blank {
            self.skipped += 1;
        } else {
            self.values.push(value);
        }
    }

    /// Every entry in turn.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::repeat_n(&self.blank, self.skipped).chain(&self.values)
    }

    /// The entries in one buffer.
    #[cfg(any(test, feature = "arrow"))]
    pub(super) fn to_vec(&self) -> Vec<T> {
        let mut values = vec![self.blank; self.skipped];
        values.extend_from_slice(&self.values);
        values
    }

    /// Drops all entries and keeps the memory.
    pub(super) fn clear(&mut self) {
        self.skipped = 0;
        self.values.clear();
    }
}

impl<T: Copy + PartialEq> Index<usize> for Column<T> {
    type Output = T;

    fn index(&self, i: usize) -> &T {
        if i < self.skipped {
            &self.blank
        } else {
            &self.values[i - self.skipped]
        }
    }
}

/// What takes numbers by the batch.
#[cfg(any(test, feature = "arrow"))]
pub(super) trait Fill<T> {
    /// Appends `values`.
    fn fill(&mut self, values: impl ExactSizeIterator<Item = T> + Clone);
}

#[cfg(any(test, feature = "arrow"))]
impl<T> Fill<T> for Vec<T> {
    fn fill(&mut self, values: impl ExactSizeIterator<Item = T> + Clone) {
        self.extend(values);
    }
}

#[cfg(any(test, feature = "arrow"))]
impl<T: Copy + PartialEq> Fill<T> for Column<T> {
    fn fill(&mut self, mut values: impl ExactSizeIterator<Item = T> + Clone) {
        if self.values.is_empty() {
            let blank = values
                .clone()
                .take_while(|value| *value == self.blank)
                .count();
            self.skipped += blank;
            if blank > 0 {
                values.nth(blank - 1);
            }
        }
        self.values.extend(values);
    }
}

/// Lists of numbers, one after another in one buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    /// Where each list ends: blank before the first entry.
    ends: Column<u32>,
    values: Vec<u64>,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            ends: Column::new(0),
            values: Vec::new(),
        }
    }
}

impl Lists {
    /// Lists whose ends are all stored, so that [`Lists::ends_between`] has them as one slice.
    pub(super) const fn with_all_ends() -> Self {
        Self {
            ends: Column::new(u32::MAX),
            values: Vec::new(),
        }
    }

    /// The most entries that all lists of a column have together.
    pub const ENTRIES_MAX: usize = u32::MAX as usize;

    /// Appends one list.
    ///
    /// # Panics
    /// When there would be more than [`Lists::ENTRIES_MAX`] entries.
    pub fn push(&mut self, list: &[u64]) {
        self.values.extend_from_slice(list);
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
    pub fn ends(&self) -> impl Iterator<Item = u32> {
        self.ends.iter().copied()
    }

    /// Where the lists from `first` to before `last` end. Only for [`Lists::with_all_ends`].
    pub(super) fn ends_between(&self, first: usize, last: usize) -> &[u32] {
        &self.ends.values[first..last]
    }

    /// The entries of all lists.
    #[must_use]
    pub fn values(&self) -> &[u64] {
        &self.values
    }

    /// Appends lists given by their entries and by their offsets, which ascend from the first.
    #[cfg(any(test, feature = "arrow"))]
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
        self.ends.fill(
            rest.iter()
                .map(|&end| (base + (end - first) as usize) as u32),
        );
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.ends.clear();
        self.values.clear();
    }
}

/// A list column would pass [`Lists::ENTRIES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a column of the history has more than 2^32 list entries: record fewer operations")]
pub struct TooLarge;

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(values: &[u64]) -> Column<u64> {
        let mut column = Column::new(0);
        for value in values {
            column.push(*value);
        }
        column
    }

    #[test]
    fn a_column_stores_nothing_before_its_first_word() {
        let column = pushed(&[0, 0, 0, 7, 0]);
        assert_eq!(column.values, [7, 0]);
        assert_eq!(column.to_vec(), [0, 0, 0, 7, 0]);
        assert_eq!(
            (0..5).map(|i| column[i]).collect::<Vec<_>>(),
            [0, 0, 0, 7, 0]
        );
        assert!(pushed(&[0, 0]).is_blank());
    }

    #[test]
    fn batches_and_single_entries_give_equal_columns() {
        for cut in 0..=5 {
            for values in [[0, 0, 0, 7, 0], [0; 5], [1; 5], [0, 3, 0, 0, 0]] {
                let mut column = Column::new(0);
                column.fill(values[..cut].iter().copied());
                column.fill(values[cut..].iter().copied());
                assert_eq!(column, pushed(&values), "{values:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn lists_that_start_empty_are_found_where_they_were_put() {
        let all: [&[u64]; 5] = [&[], &[], &[4, 5], &[], &[6]];
        let mut lists = Lists::default();
        for list in all {
            lists.push(list);
        }
        for (i, list) in all.into_iter().enumerate() {
            assert_eq!(lists.at(i), list);
        }
        let mut appended = Lists::default();
        appended.append(&[0, 0, 0], &[]).unwrap();
        appended.append(&[1, 3, 3, 4], &[9, 4, 5, 6]).unwrap();
        assert_eq!(appended, lists);
    }
}
