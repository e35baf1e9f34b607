//! Draws keys below a growing count from a [`Distribution`], in constant time.

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
    Zipfian { zipf: Zipf, scramble: Scramble },
    Latest { zipf: Zipf },
    Hotspot { keys: f64, operations: f64 },
    Exponential { decay: f64 },
    Sequential { next: u64 },
}

impl KeySampler {
    pub(super) fn new(distribution: Distribution, n: u64, seed: u64) -> Self {
        let law = match distribution {
            Distribution::Uniform => Law::Uniform,
            Distribution::Zipfian { theta } => Law::Zipfian {
                zipf: Zipf::new(n, theta),
                scramble: Scramble::new(&mut Stream::new(seed, Purpose::Scramble)),
            },
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

/// How fast popularity falls over the whole range of ages, so that the newest fraction `keys` of an
/// uncut exponential law takes `operations`.
fn decay(keys: f64, operations: f64) -> f64 {
    -(-operations).ln_1p() / keys
}

/// How many of `n` keys are hot: at least one.
fn hot_keys(keys: f64, n: u64) -> u64 {
    ((keys * n as f64).round() as u64).clamp(1, n)
}
