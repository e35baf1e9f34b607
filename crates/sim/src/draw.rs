//! Random numbers for the simulator: streams that depend on the seed and on their purpose only, so
//! that one more draw for one purpose leaves the others as they were.

use kvs_load::workload::{FOREIGN_FIRST, Stream};

use kvs_load::nemesis::SimFault;

/// What a stream is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// The plan itself.
    Plan,
    /// What happens to messages.
    Network,
    /// When sessions do what.
    Clients,
    /// When faults of this kind come, whom they hit and how long they last.
    Fault(SimFault),
    /// Intervals and bounds of kinds of replica that the plan's own draws do not reach.
    Settings,
    /// Which peers a node talks to.
    Node(u16),
    /// The random bits that come with a node's inputs.
    Bits(u16),
}

impl Purpose {
    const fn number(self) -> u64 {
        match self {
            Self::Plan => FOREIGN_FIRST,
            Self::Network => FOREIGN_FIRST + 1,
            Self::Clients => FOREIGN_FIRST + 2,
            Self::Settings => FOREIGN_FIRST + 3,
            Self::Fault(fault) => FOREIGN_FIRST + 10 + fault.index() as u64,
            Self::Node(node) => FOREIGN_FIRST + 1_000 + node as u64,
            // Beyond the numbers of nodes, which have 16 bits.
            Self::Bits(node) => FOREIGN_FIRST + 100_000 + node as u64,
        }
    }
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub(super) struct Draw(Stream);

impl Draw {
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        Self(Stream::numbered(seed, purpose.number()))
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0.bits()
    }

    /// Uniform in `from..=to`.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.0.below(to - from + 1)
    }

    /// Uniform in `0..n`.
    pub(super) fn below(&mut self, n: usize) -> usize {
        self.0.below(n as u64) as usize
    }

    /// Whether something of this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.0.unit() < probability
    }

    /// Between two positive bounds, each order of magnitude alike.
    pub(super) fn magnitude(&mut self, from: u64, to: u64) -> u64 {
        let (from, to) = ((from as f64).ln(), (to as f64).ln());
        (from + (to - from) * self.0.unit()).exp().round() as u64
    }

    /// Exponentially distributed with this mean, and at most twenty times as much.
    pub(super) fn exponential(&mut self, mean: u64) -> u64 {
        if mean == 0 {
            return 0;
        }
        let unit = 1.0 - self.0.unit();
        (-unit.ln() * mean as f64).min(mean as f64 * 20.0) as u64
    }
}
