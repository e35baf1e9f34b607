//! Draws keys below a growing count from a [`Distribution`], in constant time.

use super::alias::{AliasTable, OUTCOMES_MAX};
use super::distribution::Distribution;
use super::random::{Purpose, Stream};
use super::scramble::Scramble;
use super::zipf::Zipf;

/// Draws key numbers in 0..n.
#[derive(Clone, Debug)]
pub(super) struct KeySampler {
    law: Law,
    stream: Stream,
}

#[derive(Clone, Debug)]
enum Law {
    Uniform,
    /// Zipf's law over keys that stay as many as they are.
    Table(AliasTable),
    Zipfian {
        zipf: Zipf,
        scramble: Scramble,
    },
    Latest {
        zipf: Zipf,
    },
    Hotspot {
        keys: f64,
        operations: f64,
    },
    Exponential {
        decay: f64,
    },
    Sequential {
        next: u64,
    },
}

impl KeySampler {
    /// Of `n` keys, to which more may come if it `grows`.
    pub(super) fn new(distribution: Distribution, n: u64, grows: bool, seed: u64) -> Self {
        let law = match distribution {
            Distribution::Uniform => Law::Uniform,
            Distribution::Zipfian { theta } => zipfian(theta, n, grows, seed),
            Distribution::Latest { theta } => Law::Latest {
                zipf: Zipf::new(n, theta),
            },
            Distribution::Hotspot { keys, operations } => Law::Hotspot { keys, operations },
            Distribution::Exponential { keys, operations } => Law::Exponential {
                decay: decay(keys, operations),
            },
            Distribution::Sequential => Law::Sequential { next: 0 },
        };
        Self {
            law,
            stream: Stream::new(seed, Purpose::Keys),
        }
    }

    /// A key below `n`, which is at least 1.
    #[inline]
    pub(super) fn sample(&mut self, n: u64) -> u64 {
        let stream = &mut self.stream;
        match &mut self.law {
            Law::Uniform => stream.below(n),
            Law::Table(table) => table.sample(stream),
            Law::Zipfian { zipf, scramble } => {
                zipf.grow(n);
                scramble.place(zipf.sample(stream) - 1, n)
            }
            Law::Latest { zipf } => {
                zipf.grow(n);
                n - zipf.sample(stream)
            }
            Law::Hotspot { keys, operations } => {
                let hot = hot_keys(*keys, n);
                // With one key there is no cold one to draw.
                if hot == n || stream.unit() < *operations {
                    stream.below(hot)
                } else {
                    hot + stream.below(n - hot)
                }
            }
            Law::Exponential { decay } => {
                // The inverse of the exponential law cut off at one, scaled to n keys by age.
                let kept = -(-*decay).exp_m1();
                let age = -(-stream.unit() * kept).ln_1p() / *decay;
                n - 1 - ((age * n as f64) as u64).min(n - 1)
            }
            Law::Sequential { next } => {
                let key = if *next < n { *next } else { 0 };
                *next = key + 1;
                key
            }
        }
    }
}

/// Both forms are the same law over the same keys; a table is three times as fast, and fixed.
fn zipfian(theta: f64, n: u64, grows: bool, seed: u64) -> Law {
    let scramble = Scramble::new(&mut Stream::new(seed, Purpose::Scramble));
    if grows || n > OUTCOMES_MAX {
        let zipf = Zipf::new(n, theta);
        return Law::Zipfian { zipf, scramble };
    }
    let weights: Vec<_> = (1..=n).map(|rank| (rank as f64).powf(-theta)).collect();
    Law::Table(AliasTable::new(&weights, |rank| scramble.place(rank, n)))
}

/// How fast popularity falls over the whole range of ages, so that the newest fraction `keys` of an
/// uncut exponential law takes `operations`.
fn decay(keys: f64, operations: f64) -> f64 {
    -(-operations).ln_1p() / keys
}

/// How many of `n` keys are hot: at least one.
fn hot_keys(keys: f64, n: u64) -> u64 {
    ((keys * n as f64).round() as u64).clamp(1, n)
}
