//! How far apart nodes and clients are.

use serde::{Deserialize, Serialize};

/// Where nodes and clients are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// In one place: the seed draws how long a message takes.
    #[default]
    Lan,
    /// Spread in turn over the six regions of [`REGIONS`].
    Wan,
}

/// The regions of [`Topology::Wan`].
pub const REGIONS: [&str; 6] = [
    "Dallas",
    "Washington DC",
    "Frankfurt",
    "Tokyo",
    "Sydney",
    "Sao Paulo",
];

/// Round trips between the regions, in ms: the averages that IBM Cloud measured between its VPC
/// regions from 28 September to 27 October 2024 (the mean of both directions; "Network latency",
/// github.com/ibm-cloud-docs/vpc, `_include-segments/network-latency.md`). On the diagonal that
/// between two zones of a region.
const ROUND_TRIP_MS: [[f64; 6]; 6] = [
    [2.1, 31.0, 123.0, 142.0, 185.0, 144.0],
    [31.0, 2.1, 91.0, 168.0, 213.5, 119.0],
    [123.0, 91.0, 2.1, 231.0, 250.0, 197.5],
    [142.0, 168.0, 231.0, 2.1, 115.0, 285.5],
    [185.0, 213.5, 250.0, 115.0, 2.1, 327.5],
    [144.0, 119.0, 197.5, 285.5, 327.5, 2.1],
];

impl Topology {
    /// Its name, as the command line has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lan => "lan",
            Self::Wan => "wan",
        }
    }

    /// The region of the `place`-th node or client.
    #[must_use]
    pub const fn region(self, place: usize) -> usize {
        match self {
            Self::Lan => 0,
            Self::Wan => place % REGIONS.len(),
        }
    }

    /// How long a message takes one way between two regions at the least, in ns; `lan_ns` within a
    /// LAN.
    #[must_use]
    pub fn one_way_ns(self, from: usize, to: usize, lan_ns: u64) -> u64 {
        match self {
            Self::Lan => lan_ns,
            Self::Wan => (ROUND_TRIP_MS[from][to] * 1e6 / 2.0) as u64,
        }
    }

    /// The mean of it over all pairs of regions, in ns.
    #[must_use]
    pub fn mean_one_way_ns(self, lan_ns: u64) -> f64 {
        let regions = match self {
            Self::Lan => 1,
            Self::Wan => REGIONS.len(),
        };
        let pairs = (0..regions).flat_map(|from| (0..regions).map(move |to| (from, to)));
        let sum: u64 = pairs
            .map(|(from, to)| self.one_way_ns(from, to, lan_ns))
            .sum();
        sum as f64 / (regions * regions) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_takes_as_long_and_a_region_is_nearest_to_itself() {
        let wan = |from, to| Topology::Wan.one_way_ns(from, to, 7);
        for from in 0..REGIONS.len() {
            for to in 0..REGIONS.len() {
                assert_eq!(wan(from, to), wan(to, from));
                assert!(wan(from, from) <= wan(from, to));
            }
        }
        assert_eq!(wan(0, 1), 15_500_000);
        assert_eq!(Topology::Lan.one_way_ns(0, 0, 7), 7);
    }
}
