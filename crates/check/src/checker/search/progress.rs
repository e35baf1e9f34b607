//! How far a search got, and whether it was cut short.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::super::options::Clock;
use super::{Found, Search};

/// The farthest that a search got, and what stopped it there.
#[derive(Clone, Copy, Debug, Default)]
struct Farthest {
    taken: u64,
    stuck: Option<u32>,
}

/// What the states of a search share.
#[derive(Debug)]
pub(super) struct Progress {
    farthest: Mutex<Farthest>,
    clock: Option<(Clock, Duration)>,
    is_cut: AtomicBool,
}

impl Progress {
    /// A search that ends at the clock's deadline.
    pub(super) const fn until(clock: Option<(Clock, Duration)>) -> Self {
        Self {
            farthest: Mutex::new(Farthest {
                taken: 0,
                stuck: None,
            }),
            clock,
            is_cut: AtomicBool::new(false),
        }
    }

    /// Something was not tried: that nothing was found then means nothing.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
    }

    /// Whether the time is over, which cuts the search.
    pub(super) fn is_out_of_time(&self) -> bool {
        let is_over = self
            .clock
            .as_ref()
            .is_some_and(|(clock, deadline)| clock.now() > *deadline);
        if is_over {
            self.cut();
        }
        is_over
    }

    /// A state in which so many operations were taken, and the row of those left that returned
    /// first.
    pub(super) fn note(&self, taken: u64, stuck: Option<u32>) {
        let mut farthest = self
            .farthest
            .lock()
            .expect("no thread panics with the lock");
        if taken >= farthest.taken {
            *farthest = Farthest { taken, stuck };
        }
    }

    /// What was found among `total` operations by a search that generated so many states, of which
    /// it might generate `max`.
    pub(super) fn answer(&self, total: u64, states: (usize, usize), max: usize) -> Search {
        let farthest = *self
            .farthest
            .lock()
            .expect("no thread panics with the lock");
        let (generated, different) = states;
        let is_whole = !self.is_cut.load(Ordering::Relaxed) && generated < max;
        let found = match farthest.stuck {
            _ if farthest.taken == total => Found::Order,
            Some(row) if is_whole => Found::NoOrder {
                row: u64::from(row),
                operation: String::new(),
            },
            Some(_) | None => Found::Budget,
        };
        Search {
            steps: farthest.taken,
            states: different as u64,
            limit: None,
            ..Search::of(found)
        }
    }
}
