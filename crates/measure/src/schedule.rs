//! What an open loop offers, second by second. An arrival counts when the schedule meant it to
//! start, whenever a session took it up.

use std::fmt;
use std::iter::Peekable;

/// The intended starts of all arrivals, in ns since the run began, ascending; and which of them
/// count.
pub(super) struct Schedule {
    times: Peekable<Box<dyn Iterator<Item = u64> + Send>>,
    /// Arrivals before this are of the warm-up.
    from_ns: u64,
    /// How many more count.
    left: u64,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedule")
            .field("from_ns", &self.from_ns)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Schedule {
    /// Of the arrivals from `from_ns` on, `count` are offered at most.
    pub(super) fn new(
        times: Box<dyn Iterator<Item = u64> + Send>,
        from_ns: u64,
        count: u64,
    ) -> Self {
        Self {
            times: times.peekable(),
            from_ns,
            left: count,
        }
    }

    /// How many arrivals that count lie before `end_ns` and were not taken yet.
    pub(super) fn take_before(&mut self, end_ns: u64) -> u64 {
        let mut count = 0;
        while self.left > 0
            && let Some(at_ns) = self.times.next_if(|at_ns| *at_ns < end_ns)
        {
            let counts = u64::from(at_ns >= self.from_ns);
            count += counts;
            self.left -= counts;
        }
        count
    }
}
