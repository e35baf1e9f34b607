//! What one process did, and the clock that all processes share.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::operation::{Answered, Asked};
use crate::history::Outcome;

/// A monotonic clock in ns that gives no instant twice, so that it tells the order of all that
/// happens in one program. It starts at 1: what a store holds at first is there at 0.
#[derive(Debug)]
pub(super) struct Ticks {
    epoch: Instant,
    last: AtomicU64,
}

impl Ticks {
    pub(super) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    /// The time, later than all that were given before. Whatever a thread did before it asks for
    /// the time is visible to every thread that gets a later time.
    pub(super) fn tick(&self) -> u64 {
        let now = u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX >> 4);
        let later = |last: u64| now.max(last + 1);
        let last = self
            .last
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |last| {
                Some(later(last))
            });
        // The update always succeeds, and gives the value before it.
        later(last.unwrap_or_else(|last| last))
    }
}

/// One operation.
#[derive(Debug)]
pub(super) struct Entry<K, V> {
    pub(super) asked: Asked<K, V>,
    /// What it read, where it was answered.
    pub(super) answered: Option<Answered<V>>,
    /// Which session of its process it belongs to, from 0.
    pub(super) session: u32,
    pub(super) invoke: u64,
    pub(super) returned: Option<u64>,
    pub(super) outcome: Outcome,
}

#[derive(Debug)]
struct Entries<K, V> {
    list: Vec<Entry<K, V>>,
    /// The session that the next operation belongs to.
    session: u32,
    /// Whether an operation of that session is under way.
    is_busy: bool,
    /// Nothing is recorded any more.
    is_closed: bool,
}

/// What one process did.
#[derive(Debug)]
pub(super) struct Log<K, V> {
    pub(super) name: String,
    entries: Mutex<Entries<K, V>>,
}

/// A thread that panics leaves what it had recorded by then, which is whole.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<K, V> Log<K, V> {
    pub(super) const fn new(name: String, is_closed: bool) -> Self {
        Self {
            name,
            entries: Mutex::new(Entries {
                list: Vec::new(),
                session: 0,
                is_busy: false,
                is_closed,
            }),
        }
    }

    /// Notes what begins now, and says where; nowhere once the log is closed.
    pub(super) fn begin(&self, asked: Asked<K, V>, ticks: &Ticks) -> Option<usize> {
        let mut entries = locked(&self.entries);
        if entries.is_closed {
            return None;
        }
        // A session does one thing at a time.
        if entries.is_busy {
            entries.session += 1;
        }
        entries.is_busy = true;
        let session = entries.session;
        entries.list.push(Entry {
            asked,
            answered: None,
            session,
            invoke: ticks.tick(),
            returned: None,
            outcome: Outcome::Info,
        });
        Some(entries.list.len() - 1)
    }

    /// Notes how an operation ended.
    pub(super) fn end(
        &self,
        at: usize,
        outcome: Outcome,
        answered: Option<Answered<V>>,
        ticks: &Ticks,
    ) {
        let mut entries = locked(&self.entries);
        let returned = ticks.tick();
        // A closed log has been taken.
        let Some(entry) = entries.list.get_mut(at) else {
            return;
        };
        // What nobody knows the end of has none.
        entry.returned = (outcome != Outcome::Info).then_some(returned);
        entry.outcome = outcome;
        entry.answered = answered;
        if entry.session == entries.session {
            entries.is_busy = false;
            entries.session += u32::from(outcome == Outcome::Info);
        }
    }

    /// Closes the log and takes all that is in it.
    pub(super) fn take(&self) -> Vec<Entry<K, V>> {
        let mut entries = locked(&self.entries);
        entries.is_closed = true;
        std::mem::take(&mut entries.list)
    }
}
