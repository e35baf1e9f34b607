//! A permutation of the keys, so that the popular ones do not stand side by side.
//!
//! YCSB hashes a rank modulo the number of records. So ranks collide, and some keys are never
//! drawn. A bijection keeps the distribution exact: each rank of the law is exactly one key.

use super::random::Stream;

/// A bijection of 0..n for any n, drawn from a stream.
///
/// It mixes within the next power of two and walks the cycle until it is below n (Black and
/// Rogaway, *Ciphers with arbitrary finite domains*, 2002): under two steps on average. When n
/// grows by one within a power of two, only the one rank whose walk passed over the new key moves;
/// past a power of two all are drawn anew.
#[derive(Clone, Debug)]
pub(super) struct Scramble {
    offsets: [u64; ROUNDS],
}

const ROUNDS: usize = 3;
/// Odd, hence invertible modulo every power of two.
const MULTIPLIERS: [u64; ROUNDS] = [
    0x9E37_79B9_7F4A_7C15,
    0xBF58_476D_1CE4_E5B9,
    0x94D0_49BB_1331_11EB,
];

impl Scramble {
    pub(super) fn new(stream: &mut Stream) -> Self {
        Self {
            offsets: std::array::from_fn(|_| stream.bits()),
        }
    }

    /// Where `rank` (below `n`) stands among the `n` keys.
    #[inline]
    pub(super) fn place(&self, rank: u64, n: u64) -> u64 {
        debug_assert!(rank < n);
        let bits = u64::BITS - (n - 1).leading_zeros();
        if bits == 0 {
            return 0;
        }
        let mask = u64::MAX >> (u64::BITS - bits);
        let mut place = rank;
        // `rank` lies below n and on the cycle itself, so the walk ends.
        loop {
            place = self.mix(place, bits, mask);
            if place < n {
                return place;
            }
        }
    }

    #[inline]
    fn mix(&self, mut x: u64, bits: u32, mask: u64) -> u64 {
        for (offset, multiplier) in self.offsets.iter().zip(MULTIPLIERS) {
            x = x.wrapping_add(*offset).wrapping_mul(multiplier) & mask;
            x ^= x >> bits.div_ceil(2);
        }
        x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::random::Purpose;

    #[test]
    fn every_rank_has_its_own_place() {
        for seed in 0..20 {
            let scramble = Scramble::new(&mut Stream::new(seed, Purpose::Scramble));
            for n in [1, 2, 3, 7, 64, 65, 1000, 10_000] {
                let mut seen = vec![false; n as usize];
                for rank in 0..n {
                    let place = scramble.place(rank, n) as usize;
                    assert!(!seen[place], "two ranks at {place} of {n}");
                    seen[place] = true;
                }
            }
        }
    }

    #[test]
    fn one_more_key_moves_at_most_one_rank() {
        let scramble = Scramble::new(&mut Stream::new(3, Purpose::Scramble));
        for n in 600..1000 {
            let moved = (0..n)
                .filter(|rank| scramble.place(*rank, n) != scramble.place(*rank, n + 1))
                .count();
            assert!(moved <= 1, "{moved} ranks moved at {n}");
        }
    }

    #[test]
    fn neighbours_are_torn_apart() {
        let scramble = Scramble::new(&mut Stream::new(1, Purpose::Scramble));
        let n = 10_000;
        let adjacent = (1..n)
            .filter(|rank| {
                scramble
                    .place(*rank, n)
                    .abs_diff(scramble.place(rank - 1, n))
                    == 1
            })
            .count();
        // By chance two of 10,000 pairs are adjacent; the identity would leave all of them so.
        assert!(adjacent < 20, "{adjacent} adjacent pairs");
    }
}
