//! Hybrid logical clock: close to wall time, yet ahead of everything it has seen.
//!
//! After Kulkarni et al., *Logical Physical Clocks and Consistent Snapshots in Globally
//! Distributed Databases*, 2014, in the 64-bit form of its section 6.

use serde::{Deserialize, Serialize};

/// Bits of a reading that count events within one wall unit.
const COUNTER_BITS: u32 = 16;
const COUNTER_MAX: u64 = (1 << COUNTER_BITS) - 1;

/// A clock whose readings are 48 bits of wall time in units of 2^16 ns (65.5 µs) and 16 bits of
/// counter, so that a reading is close to the wall clock in nanoseconds as a number.
///
/// Past 65,536 events in one unit the counter carries into the wall part: the clock runs ahead of
/// the wall (by one unit for each 65,536 events) and stays monotone, and the wall catches up once
/// the rate falls below one event a nanosecond. Wall time in nanoseconds fills the 64 bits in the
/// year 2554.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct HybridClock(u64);

impl HybridClock {
    /// A clock that has seen nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0)
    }

    /// The last reading.
    #[must_use]
    pub const fn last(self) -> u64 {
        self.0
    }

    /// A new reading, larger than every reading made or observed before.
    ///
    /// # Panics
    /// When the 64 bits are used up, which wall time alone does in the year 2554.
    pub const fn tick(&mut self, wall_ns: u64) -> u64 {
        let wall = wall_ns & !COUNTER_MAX;
        let next = self
            .0
            .checked_add(1)
            .expect("hybrid clock beyond its 64 bits");
        self.0 = if wall > next { wall } else { next };
        self.0
    }

    /// Takes in a reading made elsewhere, so that later readings are larger than it. The wall
    /// clock is not needed: the next [`HybridClock::tick`] looks at it.
    pub const fn observe(&mut self, time: u64) {
        if time > self.0 {
            self.0 = time;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT_NS: u64 = 1 << COUNTER_BITS;

    #[test]
    fn readings_follow_the_wall_and_count_within_one_unit() {
        let mut clock = HybridClock::new();
        assert_eq!(clock.tick(5 * UNIT_NS + 17), 5 * UNIT_NS);
        assert_eq!(clock.tick(5 * UNIT_NS + 18), 5 * UNIT_NS + 1);
        assert_eq!(clock.tick(6 * UNIT_NS), 6 * UNIT_NS);
    }

    #[test]
    fn readings_grow_when_the_wall_goes_back() {
        let mut clock = HybridClock::new();
        let first = clock.tick(9 * UNIT_NS);
        assert_eq!(clock.tick(UNIT_NS), first + 1);
    }

    #[test]
    fn readings_exceed_what_was_observed() {
        let mut clock = HybridClock::new();
        clock.observe(70 * UNIT_NS + 3);
        assert_eq!(clock.tick(UNIT_NS), 70 * UNIT_NS + 4);
        clock.observe(UNIT_NS);
        assert_eq!(clock.tick(UNIT_NS), 70 * UNIT_NS + 5);
    }

    #[test]
    fn a_full_counter_carries_into_the_wall_part_and_time_still_grows() {
        let mut clock = HybridClock::new();
        clock.observe(3 * UNIT_NS + COUNTER_MAX);
        let carried = clock.tick(3 * UNIT_NS);
        assert_eq!(carried, 4 * UNIT_NS);
        assert_eq!(clock.tick(4 * UNIT_NS + 5), 4 * UNIT_NS + 1);
    }
}
