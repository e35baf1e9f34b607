//! What the searches for an order of operations on registers have in common: the operations
//! themselves, what a search may cost, and making what has no order small. `wing_gong/` searches in
//! time, key by key; `sequential.rs` searches for one order of all sessions.
//!
//! There are two searches since each has what the other lacks. A sweep needs a line of time to go
//! along. Depth first with a memo can keep time, too, but cannot leave out what another state makes
//! superfluous: within 500,000 states it left 25 of 90 random histories open, the sweep 6, and with
//! one write in ten of unknown outcome it took 70 times the instructions.

pub(super) mod operation;
pub(super) mod smallest;

use super::time::{OVER, Pace, Time};

pub(super) use operation::{Action, NOTHING, Op, Registers, Token};

/// What a search may cost. It never ends in `valid` or `invalid` by running out.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// States that it may go through.
    pub(super) states: usize,
    /// Bytes that those at one instant may take.
    pub(super) bytes: usize,
    /// The time that it has.
    pub(super) time: Time,
    pub(super) pace: Pace,
}

/// States that a search goes through at most.
const STATES_MAX: usize = 5_000_000;
/// Bytes that those at one instant take at most.
const BYTES_MAX: usize = 512 << 20;

/// States and bytes that a search may take that the verdict does not ask for.
const UNASKED_STATES: usize = 100_000;
const UNASKED_BYTES: usize = 64 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self::within(&Time::default())
    }
}

impl Limits {
    /// As much as any search may cost, in so much time.
    pub(super) fn within(time: &Time) -> Self {
        Self {
            states: STATES_MAX,
            bytes: BYTES_MAX,
            time: time.clone(),
            pace: Pace::new("search for an order", 0),
        }
    }

    /// The same where the verdict rests on it, and less where it is one rung of many.
    pub(super) fn for_ladder(time: &Time, is_asked: bool) -> Self {
        let limits = Self::within(time);
        if is_asked {
            return limits;
        }
        Self {
            states: UNASKED_STATES,
            bytes: UNASKED_BYTES,
            ..limits
        }
    }

    /// Takes one more step. Whether the time is over.
    pub(super) fn is_over(&mut self) -> bool {
        self.pace.is_over(&self.time)
    }

    /// Why a search ended that had come to a limit; `on` says what it was about.
    pub(super) fn reason(&self, on: &str) -> String {
        if self.time.is_over() {
            return OVER.to_owned();
        }
        format!(
            "the search for an order of {on} reached its limit of {} states or {} MiB",
            self.states,
            self.bytes >> 20
        )
    }

    /// Pays for one state; `beside` bytes are taken by something else.
    pub(super) const fn spend(&mut self, bytes: usize, beside: usize) -> bool {
        if self.states == 0 || self.bytes < bytes + beside {
            return false;
        }
        self.states -= 1;
        self.bytes -= bytes;
        true
    }
}
