//! Draws what becomes of each datagram. The socket carries it out.

use std::net::SocketAddr;

use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;
use smallvec::SmallVec;

use super::NetworkFaults;

/// How long a reordered datagram waits, at most, in ns: long enough for what is sent right after it
/// to overtake it.
const REORDER_NS_MAX: u64 = 10_000_000;
/// How long a datagram may wait for its turn under a rate, in ns; then it is lost, as a router's
/// queue would be full.
pub(super) const RATE_QUEUE_NS_MAX: u64 = 400_000_000;

/// A datagram, or a copy of it, that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fate {
    /// When, on the clock that was given.
    pub(super) at_ns: u64,
    /// Which bit is flipped, if one is.
    pub(super) flipped: Option<usize>,
}

/// Draws the fates.
#[derive(Debug)]
pub(super) struct Lottery {
    pub(super) faults: NetworkFaults,
    random: Pcg32,
    /// When the rate lets the next datagram through.
    free_ns: u64,
}

impl Lottery {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            faults: NetworkFaults::default(),
            random: Pcg32::seed_from_u64(seed),
            free_ns: 0,
        }
    }

    /// Whether what comes from there arrives.
    pub(super) fn hears(&self, from: SocketAddr) -> bool {
        !self.faults.deaf_to.contains(&from)
    }

    /// What becomes of a datagram of `len` bytes: nothing of it is sent, it is, or twice.
    pub(super) fn send(&mut self, to: SocketAddr, len: usize, now_ns: u64) -> SmallVec<[Fate; 2]> {
        let mut fates = SmallVec::new();
        if self.faults.mute_to.contains(&to) {
            return fates;
        }
        let sent = self.faults.sent;
        if self.happens(sent.loss) {
            return fates;
        }
        let Some(turn_ns) = self.turn(len, now_ns) else {
            return fates;
        };
        let copies = if self.happens(sent.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            let mut at_ns = turn_ns + sent.delay_ns;
            if sent.jitter_ns > 0 {
                let jitter_ns = sent.jitter_ns.min(sent.delay_ns);
                at_ns = at_ns - jitter_ns + self.random.random_range(0..=2 * jitter_ns);
            }
            if self.happens(sent.reorder) {
                at_ns += self.random.random_range(1..=REORDER_NS_MAX);
            }
            let flipped = self
                .happens(sent.corrupt)
                .then(|| self.random.random_range(0..len.max(1) * 8));
            fates.push(Fate { at_ns, flipped });
        }
        fates
    }

    /// When the rate lets a datagram through; none when too many wait.
    fn turn(&mut self, len: usize, now_ns: u64) -> Option<u64> {
        let bytes_per_s = self.faults.sent.bytes_per_s;
        if bytes_per_s == 0 {
            return Some(now_ns);
        }
        let turn_ns = self.free_ns.max(now_ns);
        if turn_ns - now_ns > RATE_QUEUE_NS_MAX {
            return None;
        }
        self.free_ns = turn_ns + len as u64 * 1_000_000_000 / bytes_per_s;
        Some(turn_ns)
    }

    fn happens(&mut self, chance: f64) -> bool {
        chance > 0.0 && self.random.random_bool(chance.min(1.0))
    }
}
