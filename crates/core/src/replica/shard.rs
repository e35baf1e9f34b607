//! Which shard owns a key: a fixed hash, the same in every build and process.
//!
//! The shard of a key among `count` at nesting depth `depth` is the upper 64 bits of
//! `XXH64(key, seed = depth) * count`. The depth salts the hash: with one hash for all depths, the
//! keys that an outer shard gets would all fall to the same part of its inner shards.

use serde::{Deserialize, Serialize};
use twox_hash::XxHash64;

/// The shard, from 0, that owns `key` among `count` at this nesting depth.
#[must_use]
pub fn shard_of(key: &[u8], depth: u16, count: u16) -> u16 {
    let hash = XxHash64::oneshot(u64::from(depth), key);
    let scaled = (u128::from(hash) * u128::from(count)) >> 64;
    u16::try_from(scaled).expect("a fraction of a u16")
}

/// One step on the way from the whole key space to what a node owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardStep {
    /// The shard, from 0.
    pub index: u16,
    /// Out of how many.
    pub count: u16,
}

/// Whether the key belongs to the shard at the end of `path`, whose n-th step has depth n.
#[inline]
pub(super) fn owns(path: &[ShardStep], key: &[u8]) -> bool {
    path.iter()
        .zip(0..)
        .all(|(step, depth)| shard_of(key, depth, step.count) == step.index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> impl Iterator<Item = Vec<u8>> {
        (0..40_000).map(|n| format!("user{n:012}").into_bytes())
    }

    #[test]
    fn the_hash_is_pinned() {
        let shards: Vec<u16> = keys().take(8).map(|key| shard_of(&key, 0, 1000)).collect();
        assert_eq!(shards, PINNED_DEPTH_0);
        let deeper: Vec<u16> = keys().take(8).map(|key| shard_of(&key, 1, 1000)).collect();
        assert_eq!(deeper, PINNED_DEPTH_1);
        assert_eq!(
            XxHash64::oneshot(0, b""),
            0xEF46_DB37_51D8_E999,
            "reference vector"
        );
    }
    const PINNED_DEPTH_0: [u16; 8] = [766, 273, 201, 581, 743, 270, 372, 377];
    const PINNED_DEPTH_1: [u16; 8] = [65, 245, 563, 363, 709, 873, 800, 839];

    #[test]
    fn nested_shards_are_balanced() {
        let mut counts = [[[0_u32; 2]; 2]; 3];
        for key in keys() {
            let at = |depth, count| usize::from(shard_of(&key, depth, count));
            counts[at(0, 3)][at(1, 2)][at(2, 2)] += 1;
        }
        let expected = 40_000.0 / 12.0;
        for count in counts.iter().flatten().flatten() {
            let off = (f64::from(*count) - expected).abs() / expected;
            assert!(off < 0.06, "{counts:?}");
        }
    }

    #[test]
    fn one_salt_for_all_depths_would_leave_shards_empty() {
        let inner: Vec<u16> = keys()
            .filter(|key| shard_of(key, 0, 2) == 0)
            .map(|key| shard_of(&key, 0, 2))
            .collect();
        assert!(inner.iter().all(|shard| *shard == 0));
    }

    #[test]
    fn exactly_one_path_owns_a_key() {
        for key in keys().take(500) {
            let mut owners = 0;
            for outer in 0..3 {
                for inner in 0..2 {
                    let path = [
                        ShardStep {
                            index: outer,
                            count: 3,
                        },
                        ShardStep {
                            index: inner,
                            count: 2,
                        },
                    ];
                    owners += u32::from(owns(&path, &key));
                }
            }
            assert_eq!(owners, 1);
        }
    }
}
