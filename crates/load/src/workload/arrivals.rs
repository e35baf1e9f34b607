//! When the operations of an open loop are meant to start, whatever the store does meanwhile.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::definition::Workload;
use super::random::{Purpose, Stream};

/// How the arrivals of an open loop are spaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ArrivalProcess {
    /// Independent arrivals: exponential gaps, as many independent users make them.
    #[default]
    Poisson,
    /// Equal gaps.
    Constant,
}

impl fmt::Display for ArrivalProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Poisson => "poisson",
            Self::Constant => "constant",
        })
    }
}

/// The intended start times of an open loop, in ns since it began: ascending and without end.
///
/// They depend on the seed and the rate alone, never on how the store answers.
#[derive(Clone, Debug)]
pub struct Arrivals {
    process: ArrivalProcess,
    gap_ns: f64,
    stream: Stream,
    count: u64,
    poisson_ns: f64,
}

impl Arrivals {
    /// The arrivals of `workload`; `None` when it is a closed loop.
    #[must_use]
    pub fn new(workload: &Workload, seed: u64) -> Option<Self> {
        let rate = workload.rate?;
        Some(Self {
            process: workload.arrivals,
            gap_ns: 1e9 / rate,
            stream: Stream::new(seed, Purpose::Arrivals),
            count: 0,
            poisson_ns: 0.0,
        })
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let offset_ns = match self.process {
            // From the count and not by adding gaps up, so that rounding does not accumulate.
            ArrivalProcess::Constant => self.count as f64 * self.gap_ns,
            ArrivalProcess::Poisson => {
                // 1 - u lies in (0, 1], so its logarithm is finite.
                self.poisson_ns -= (1.0 - self.stream.unit()).ln() * self.gap_ns;
                self.poisson_ns
            }
        };
        self.count += 1;
        Some(offset_ns as u64)
    }
}
