//! The map from keys to entries.
//!
//! Entries lie in pages, in the order in which their keys came, behind a hash table of their
//! numbers. This has three advantages. An empty slot costs five bytes. State transfer has an order
//! that does not change. A snapshot is cheap, since pages are shared until they are written to.

use std::hash::{BuildHasher, Hash, Hasher};
use std::hint::black_box;
use std::sync::Arc;

use foldhash::fast::FixedState;
use hashbrown::HashTable;
use smallvec::SmallVec;

use crate::values::Entry;

/// Entries in a page. A snapshot shares pages; the first write to a shared one copies it.
const PAGE_ENTRIES: usize = 256;

/// The largest number of keys: their numbers are 32 bits wide.
const KEYS_MAX: usize = u32::MAX as usize;

/// Keys whose memory is loaded together: more than the loads that a processor has under way.
const ANTICIPATED_AT_ONCE: usize = 32;

/// Bytes of a cache line, and how many of a record are loaded early: the whole of a small one.
const LINE_BYTES: usize = 64;
const LINES_ANTICIPATED: usize = 4;

/// The seed is fixed, so that a replica does the same in every process; nothing depends on it.
const HASHER: FixedState = FixedState::with_seed(0x6b76_732d_7a6f_6f00);

/// A store of entries by key.
#[derive(Clone)]
pub(super) struct Store<E> {
    numbers: HashTable<u32>,
    pages: Vec<Arc<Vec<E>>>,
    totals: Totals,
}

/// Sums over all entries, kept up to date with every write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Of keys and dots.
    pub(super) digest: u64,
    pub(super) siblings: u64,
    /// Heap bytes of the entries beyond key and value.
    pub(super) overhead_bytes: u64,
}

impl<E: Entry> Store<E> {
    pub(super) const fn new() -> Self {
        Self {
            numbers: HashTable::new(),
            pages: Vec::new(),
            totals: Totals {
                digest: 0,
                siblings: 0,
                overhead_bytes: 0,
            },
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(super) const fn totals(&self) -> Totals {
        self.totals
    }

    /// Heap bytes of table and pages, free room included.
    pub(super) fn table_bytes(&self) -> u64 {
        let pages: usize = self
            .pages
            .iter()
            .map(|page| page.capacity() * size_of::<E>() + size_of::<Vec<E>>())
            .sum();
        let directory = self.pages.capacity() * size_of::<Arc<Vec<E>>>();
        (self.numbers.allocation_size() + pages + directory) as u64
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<&E> {
        let number = self.numbers.find(hash_of(key), |number| {
            entry_at(&self.pages, *number).key() == key
        })?;
        Some(entry_at(&self.pages, *number))
    }

    /// The entry at this place in the order in which keys came.
    pub(super) fn at(&self, place: u32) -> &E {
        entry_at(&self.pages, place)
    }

    /// Has the processor load what operations on these keys will need.
    ///
    /// An operation follows three pointers, to table, entry and record, and is too long for the
    /// processor to begin the next one while it waits for memory. These loops are not: they follow
    /// each pointer for many keys at once ("group prefetching", Chen et al., 2004).
    pub(super) fn anticipate<'a>(&self, mut keys: impl Iterator<Item = &'a [u8]>) {
        let mut numbers = SmallVec::<[u32; ANTICIPATED_AT_ONCE]>::new();
        while let Some(first) = keys.next() {
            let others = keys.by_ref().take(ANTICIPATED_AT_ONCE - 1);
            let some = std::iter::once(first).chain(others);
            // The first whose hash looks alike, which nearly always is the key's own.
            numbers
                .extend(some.filter_map(|key| self.numbers.find(hash_of(key), |_| true).copied()));
            let records = |number: &u32| entry_at(&self.pages, *number).updates().next();
            let mut touched = 0;
            for put in numbers.iter().filter_map(records) {
                touched ^= put.record.packed_len();
            }
            for put in numbers.iter().filter_map(records) {
                let bytes = put.record.as_bytes();
                for line in bytes.chunks(LINE_BYTES).take(LINES_ANTICIPATED) {
                    touched ^= usize::from(line[0]);
                }
                touched ^= usize::from(bytes[bytes.len() - 1]);
            }
            black_box(touched);
            numbers.clear();
        }
    }

    /// Applies `change` to the key's entry, or inserts `new` if there is none; both get `input`.
    ///
    /// # Panics
    /// When the store is full, with 2^32 - 1 keys.
    pub(super) fn upsert<I>(
        &mut self,
        key: &[u8],
        input: I,
        new: impl FnOnce(I) -> E,
        change: impl FnOnce(&mut E, I),
    ) {
        let hash = hash_of(key);
        let found = self
            .numbers
            .find(hash, |number| entry_at(&self.pages, *number).key() == key);
        if let Some(number) = found {
            let (page, slot) = place(*number);
            // The page is copied if a snapshot shares it; entries share their records.
            let entry = &mut Arc::make_mut(&mut self.pages[page])[slot];
            self.totals.remove(hash, entry);
            change(entry, input);
            self.totals.add(hash, entry);
            return;
        }
        let entry = new(input);
        debug_assert_eq!(entry.key(), key, "an entry is kept under its own key");
        self.totals.add(hash, &entry);
        assert!(self.len() < KEYS_MAX, "store full");
        let number = u32::try_from(self.len()).expect("bounded by KEYS_MAX");
        if self.len().is_multiple_of(PAGE_ENTRIES) {
            self.pages.push(Arc::new(Vec::new()));
        }
        let last = self
            .pages
            .last_mut()
            .expect("a page was pushed for the first entry");
        Arc::make_mut(last).push(entry);
        let pages = &self.pages;
        self.numbers.insert_unique(hash, number, |number| {
            hash_of(entry_at(pages, *number).key())
        });
    }

    /// The entries as they are now, in a form that later writes do not change.
    pub(super) fn snapshot(&self) -> Snapshot<E> {
        Snapshot(self.pages.clone())
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &E> {
        self.pages.iter().flat_map(|page| page.iter())
    }
}

impl Totals {
    fn add<E: Entry>(&mut self, hash: u64, entry: &E) {
        for put in entry.updates() {
            self.digest = self.digest.wrapping_add(mix(hash, put.dot.0));
            self.siblings += 1;
        }
        self.overhead_bytes += entry.overhead_bytes() as u64;
    }

    fn remove<E: Entry>(&mut self, hash: u64, entry: &E) {
        for put in entry.updates() {
            self.digest = self.digest.wrapping_sub(mix(hash, put.dot.0));
            self.siblings -= 1;
        }
        self.overhead_bytes -= entry.overhead_bytes() as u64;
    }
}

#[inline]
fn hash_of(key: &[u8]) -> u64 {
    HASHER.hash_one(key)
}

/// One put of a key as a number, by the finaliser of SplitMix64 (Steele et al., 2014).
#[inline]
const fn mix(hash: u64, dot: u64) -> u64 {
    let mut z = hash ^ dot.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[inline]
const fn place(number: u32) -> (usize, usize) {
    let number = number as usize;
    (number / PAGE_ENTRIES, number % PAGE_ENTRIES)
}

#[inline]
fn entry_at<E>(pages: &[Arc<Vec<E>>], number: u32) -> &E {
    let (page, slot) = place(number);
    &pages[page][slot]
}

impl<E: Entry> PartialEq for Store<E> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.totals == other.totals
            && self
                .entries()
                .all(|entry| other.find(entry.key()) == Some(entry))
    }
}

impl<E: Entry> Eq for Store<E> {}

impl<E: Entry> Hash for Store<E> {
    /// Independent of the order in which keys came: the sum of the entries' hashes.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let sum = self
            .entries()
            .map(|entry| HASHER.hash_one(entry))
            .fold(0, u64::wrapping_add);
        sum.hash(state);
    }
}

impl<E: Entry> std::fmt::Debug for Store<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut entries: Vec<&E> = self.entries().collect();
        entries.sort_by(|a, b| a.key().cmp(b.key()));
        f.debug_list().entries(entries).finish()
    }
}

/// The entries of a store as they were at one moment, in the order in which their keys came.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Snapshot<E>(Vec<Arc<Vec<E>>>);

impl<E: Entry> Snapshot<E> {
    /// The entries from this place on.
    pub(super) fn from(&self, place: usize) -> impl Iterator<Item = &E> {
        let pages = self.0.iter().skip(place / PAGE_ENTRIES);
        pages
            .flat_map(|page| page.iter())
            .skip(place % PAGE_ENTRIES)
    }
}

impl<E> std::fmt::Debug for Snapshot<E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let keys: usize = self.0.iter().map(|page| page.len()).sum();
        write!(f, "Snapshot({keys} keys)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::Plain;

    #[test]
    fn unknown_keys_do_not_end_the_anticipation_of_those_after_them() {
        const KEYS: usize = 3 * ANTICIPATED_AT_ONCE + 1;
        let store = Store::<Plain>::new();
        let mut seen = 0;
        store.anticipate((0..KEYS).map(|_| {
            seen += 1;
            b"unknown".as_slice()
        }));
        assert_eq!(seen, KEYS);
    }
}
