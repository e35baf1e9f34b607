//! Streams of random numbers, one for each purpose, all derived from the run's seed.
//!
//! The generator is PCG-64 DXSM (O'Neill's family, as in NumPy). Its definition fixes its output.
//! The conversions to fractions and bounded integers are written out here, since those of `rand`
//! may change between releases. A seed must mean the same run in the next release.

use rand::Rng;
use rand_pcg::Pcg64Dxsm;

/// What a stream is for. Each purpose draws from its own stream, so that one more draw for one
/// (a longer warm-up, another value size) leaves the others as they were.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    Kinds = 1,
    Keys = 2,
    ValueSizes = 3,
    Arrivals = 4,
    Scramble = 5,
    LoadedValueSizes = 6,
}

/// The first number of the streams that others than the workload draw from.
pub const FOREIGN_FIRST: u64 = 100;

/// A reproducible stream of random numbers.
#[derive(Clone, Debug)]
pub struct Stream(Pcg64Dxsm);

impl Stream {
    /// The stream of `seed` for `purpose`.
    pub(super) fn new(seed: u64, purpose: Purpose) -> Self {
        Self::numbered(seed, purpose as u64)
    }

    /// The stream of `seed` of this number. Those below [`FOREIGN_FIRST`] are the workload's own.
    pub fn numbered(seed: u64, number: u64) -> Self {
        // PCG streams that differ in little may correlate: so both words come from a mixer.
        let mut mixer = SplitMix(mix(seed) ^ number);
        let mut wide = || u128::from(mixer.next()) << 64 | u128::from(mixer.next());
        let (state, stream) = (wide(), wide());
        Self(Pcg64Dxsm::new(state, stream))
    }

    /// 64 random bits.
    #[inline]
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in 0..n, by a widening multiplication (Lemire 2019, without the rejection step: the
    /// bias is below n / 2^64).
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }
}

/// Steele, Lea and Flood's SplitMix64: turns one seed into many unrelated words.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }
}

/// SplitMix64's finaliser: a bijection of 64 bits in which every output bit depends on every input
/// bit.
#[inline]
const fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_the_same_in_every_release() {
        let mut stream = Stream::new(42, Purpose::Keys);
        let first = [stream.bits(), stream.bits(), stream.bits()];
        let pinned = [
            15_886_174_381_382_216_698,
            2_662_982_568_867_197_286,
            1_005_971_684_140_371_818,
        ];
        assert_eq!(first, pinned);
    }

    #[test]
    fn purposes_and_seeds_give_unrelated_streams() {
        let draw = |seed, purpose| {
            let mut stream = Stream::new(seed, purpose);
            [stream.bits(), stream.bits()]
        };
        let keys = draw(1, Purpose::Keys);
        assert_ne!(keys, draw(1, Purpose::Kinds));
        assert_ne!(keys, draw(2, Purpose::Keys));
        assert_eq!(keys, draw(1, Purpose::Keys));
    }
}
