//! What a replica of a quorum keeps: of each key the put of the largest version, and digests by
//! which replicas find out where they differ.
//!
//! Keys fall into buckets by a fixed hash, and buckets into groups. The digest of a bucket is a sum
//! over its keys and versions, so that a write changes it in constant time.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};

use twox_hash::XxHash64;

use crate::protocol::{Dot, PAYLOAD_BYTES_MAX, Pull, Update, Version};
use crate::replica::store::Store;
use crate::values::{Entry, LwwWrapper, UpdateRef, Value, lww_version};

/// Buckets in a group, and groups.
pub(super) const FANOUT: u16 = 64;
const BUCKETS: u16 = FANOUT * FANOUT;
/// Salts the hash: shards take small seeds.
const SEED: u64 = u64::MAX;

type Register = LwwWrapper<Vec<u8>>;

/// The version of a put, from its dot: the counter decides, then node and incarnation.
pub(super) const fn version_of(dot: Dot) -> Version {
    lww_version(dot.counter(), dot.origin())
}

/// The registers of a replica.
#[derive(Clone)]
pub(super) struct Registers {
    store: Store<Register>,
    buckets: BTreeMap<u16, Bucket>,
}

#[derive(Clone, Default)]
struct Bucket {
    digest: u64,
    /// Where its keys are in the store.
    places: Vec<u32>,
}

impl Registers {
    pub(super) const fn new() -> Self {
        Self {
            store: Store::new(),
            buckets: BTreeMap::new(),
        }
    }

    pub(super) const fn store(&self) -> &Store<Register> {
        &self.store
    }

    /// The key's put.
    pub(super) fn find(&self, key: &[u8]) -> Option<UpdateRef<'_>> {
        self.store.find(key)?.updates().next()
    }

    /// The key's version; counter 0 when there is none.
    pub(super) fn version(&self, key: &[u8]) -> Dot {
        self.find(key).map_or_else(Dot::default, |put| put.dot)
    }

    /// The put of each key.
    pub(super) fn puts(&self) -> impl Iterator<Item = UpdateRef<'_>> {
        self.store.entries().flat_map(Entry::updates)
    }

    /// The largest counter of a version.
    pub(super) fn counter(&self) -> u64 {
        self.puts().map(|put| put.dot.counter()).max().unwrap_or(0)
    }

    /// Keeps a put unless there is one of its version or a later one. Whether it is kept now.
    pub(super) fn merge(&mut self, update: Update) -> bool {
        let record = update.record.clone();
        let key = record.key();
        let before = self.version(key);
        if version_of(before) >= version_of(update.dot) {
            return false;
        }
        let hash = hash_of(key);
        let bucket = self.buckets.entry(bucket_of(hash)).or_default();
        if before.counter() > 0 {
            bucket.digest = bucket.digest.wrapping_sub(mix(hash, before));
        } else {
            let place = u32::try_from(self.store.len()).expect("the store is bounded");
            bucket.places.push(place);
        }
        bucket.digest = bucket.digest.wrapping_add(mix(hash, update.dot));
        let replace = |entry: &mut Register, update| *entry = Register::from_update(update);
        self.store
            .upsert(key, update, Register::from_update, replace);
        true
    }

    /// The digest of a group of buckets, or of all.
    pub(super) fn digest(&self, group: Option<u8>) -> u64 {
        let buckets = match group {
            None => self.buckets.range(..),
            Some(group) => self.buckets.range(buckets_of(group)),
        };
        let digests = buckets.map(|(_, bucket)| bucket.digest);
        digests.fold(0, u64::wrapping_add)
    }

    /// The digests of the parts of it, in their order.
    pub(super) fn digests(&self, group: Option<u8>) -> Vec<u64> {
        let mut digests = vec![0_u64; FANOUT.into()];
        let first = group.map_or(0, |group| *buckets_of(group).start());
        let buckets = match group {
            None => self.buckets.range(..),
            Some(group) => self.buckets.range(buckets_of(group)),
        };
        for (number, bucket) in buckets {
            let part = match group {
                None => number / FANOUT,
                Some(_) => number - first,
            };
            let digest = &mut digests[usize::from(part)];
            *digest = digest.wrapping_add(bucket.digest);
        }
        digests
    }

    /// Puts that are asked for, at most [`PAYLOAD_BYTES_MAX`] of them unless one alone is larger,
    /// and whether there are more.
    pub(super) fn chunk(&self, pull: &Pull) -> (Vec<Update>, bool) {
        let (buckets, wanted) = match pull.part {
            None => (0..=BUCKETS - 1, u64::MAX),
            Some((group, wanted)) => (buckets_of(group), wanted),
        };
        let after = pull.after.as_deref();
        let start = after.map_or(0, |key| bucket_of(hash_of(key)));
        let mut updates = Vec::new();
        let mut bytes = 0;
        let first = start.max(*buckets.start());
        if first > *buckets.end() {
            return (updates, false);
        }
        let some = self.buckets.range(first..=*buckets.end());
        for (number, bucket) in some.filter(|(number, _)| wanted >> (*number % FANOUT) & 1 == 1) {
            let mut entries: Vec<&Register> =
                bucket.places.iter().map(|at| self.store.at(*at)).collect();
            entries.sort_unstable_by(|a, b| a.key().cmp(b.key()));
            let seen = |entry: &&Register| {
                *number == start && after.is_some_and(|after| entry.key() <= after)
            };
            for entry in entries.into_iter().skip_while(seen) {
                for put in entry.updates() {
                    bytes += put.record.packed_len();
                    if bytes > PAYLOAD_BYTES_MAX && !updates.is_empty() {
                        return (updates, true);
                    }
                    updates.push(put.to_update());
                }
            }
        }
        (updates, false)
    }
}

/// Which parts differ, one bit each.
pub(super) fn differing(ours: &[u64], theirs: &[u64]) -> u64 {
    let parts = ours.iter().zip(theirs).take(FANOUT.into()).enumerate();
    let differing = parts.filter(|(_, (ours, theirs))| ours != theirs);
    differing.fold(0, |bits, (part, _)| bits | 1 << part)
}

fn hash_of(key: &[u8]) -> u64 {
    XxHash64::oneshot(SEED, key)
}

/// The upper bits: the lower ones are mixed into the digest.
const fn bucket_of(hash: u64) -> u16 {
    ((hash as u128 * BUCKETS as u128) >> 64) as u16
}

/// The buckets of a group; none beyond the last.
fn buckets_of(group: u8) -> std::ops::RangeInclusive<u16> {
    let first = u16::from(group) * FANOUT;
    first..=first + (FANOUT - 1)
}

/// One put of a key as a number, by the finaliser of MurmurHash3.
const fn mix(hash: u64, dot: Dot) -> u64 {
    let mut z = hash ^ dot.0.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    z = (z ^ (z >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    z ^ (z >> 33)
}

/// Buckets follow from the store.
impl PartialEq for Registers {
    fn eq(&self, other: &Self) -> bool {
        self.store == other.store
    }
}

impl Eq for Registers {}

impl Hash for Registers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.store.hash(state);
    }
}

impl std::fmt::Debug for Registers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.store.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{NodeId, Origin, Record};

    fn put(key: &str, node: u16, counter: u64, bytes: usize) -> Update {
        let origin = Origin::new(NodeId(node), 0);
        Update {
            dot: Dot::new(origin, counter),
            time: counter,
            record: Record::new(key.as_bytes(), origin, &[], &vec![7; bytes]),
        }
    }

    fn filled(keys: u64) -> Registers {
        let mut registers = Registers::new();
        for key in 0..keys {
            assert!(registers.merge(put(&format!("key{key}"), 0, key + 2, 100)));
        }
        registers
    }

    #[test]
    fn a_register_keeps_the_put_of_the_larger_counter_and_of_equal_ones_that_of_the_larger_node() {
        let mut registers = Registers::new();
        assert!(registers.merge(put("x", 1, 2, 1)));
        assert!(!registers.merge(put("x", 2, 1, 1)), "an earlier one");
        assert!(!registers.merge(put("x", 1, 2, 1)), "the same");
        assert!(!registers.merge(put("x", 0, 2, 1)), "a smaller node");
        assert!(registers.merge(put("x", 2, 2, 1)), "a larger node");
        assert_eq!(registers.version(b"x"), put("x", 2, 2, 1).dot);
        assert_eq!(registers.counter(), 2);
    }

    #[test]
    fn digests_are_of_what_is_kept_and_not_of_how_it_came() {
        let mut one = filled(100);
        let mut other = Registers::new();
        for key in (0..100).rev() {
            other.merge(put(&format!("key{key}"), 0, 1, 1));
            other.merge(put(&format!("key{key}"), 0, key + 2, 100));
        }
        assert_eq!(one.digest(None), other.digest(None));
        assert_eq!(one, other);
        one.merge(put("key7", 1, 1_000, 1));
        let groups = differing(&one.digests(None), &other.digests(None));
        assert_eq!(groups.count_ones(), 1);
        let group = u8::try_from(groups.trailing_zeros()).expect("a group");
        let buckets = differing(&one.digests(Some(group)), &other.digests(Some(group)));
        assert_eq!(buckets.count_ones(), 1);
        let pull = Pull {
            part: Some((group, buckets)),
            after: None,
        };
        let (updates, more) = one.chunk(&pull);
        assert!(!more);
        assert!(
            updates
                .iter()
                .any(|update| update.dot == put("key7", 1, 1_000, 1).dot)
        );
    }

    #[test]
    fn chunks_bring_every_put_once_however_the_sender_came_by_it() {
        let one = filled(3_000);
        let mut other = Registers::new();
        for key in (0..3_000).rev() {
            other.merge(put(&format!("key{key}"), 0, key + 2, 100));
        }
        let mut received = Registers::new();
        let mut pull = Pull {
            part: None,
            after: None,
        };
        let mut chunks = 0;
        loop {
            // The sender restarts between two chunks and keeps its keys in another order then.
            let sender = if chunks % 2 == 0 { &one } else { &other };
            let (updates, more) = sender.chunk(&pull);
            let bytes: usize = updates.iter().map(|put| put.record.packed_len()).sum();
            assert!(bytes <= PAYLOAD_BYTES_MAX);
            chunks += 1;
            for update in updates {
                pull.after = Some(update.record.key().into());
                assert!(received.merge(update), "a put came twice");
            }
            if !more {
                break;
            }
        }
        assert!(chunks > 3);
        assert_eq!(received, one);
        assert_eq!(received.digests(None), other.digests(None));
    }

    #[test]
    fn a_put_that_is_larger_than_a_chunk_comes_alone() {
        let mut registers = filled(2);
        registers.merge(put("key0", 0, 9, 2 * PAYLOAD_BYTES_MAX));
        registers.merge(put("key1", 0, 10, 2 * PAYLOAD_BYTES_MAX));
        let all = Pull {
            part: None,
            after: None,
        };
        let (updates, more) = registers.chunk(&all);
        assert_eq!((updates.len(), more), (1, true));
    }
}
