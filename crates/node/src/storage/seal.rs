//! Checksums behind values, and how all that is stored is encoded.

use twox_hash::XxHash64;

const CHECKSUM_BYTES: usize = 8;

/// Of a value under its key, so that one that stands under another is found as well.
fn checksum(key: &[u8], payload: &[u8]) -> u64 {
    XxHash64::oneshot(XxHash64::oneshot(0, key), payload)
}

/// The value with its checksum behind it.
pub(super) fn sealed(key: &[u8], mut payload: Vec<u8>) -> Vec<u8> {
    let checksum = checksum(key, &payload);
    payload.extend_from_slice(&checksum.to_le_bytes());
    payload
}

/// The value of this key with its checksum, when that is right.
pub(super) fn unsealed<'a>(key: &[u8], sealed: &'a [u8]) -> Option<(&'a [u8], u64)> {
    let (payload, stored) = sealed.split_last_chunk::<CHECKSUM_BYTES>()?;
    let stored = u64::from_le_bytes(*stored);
    (stored == checksum(key, payload)).then_some((payload, stored))
}

/// The checksum behind a value; 0 where there is none, which reading will find.
pub(super) fn checksum_of(sealed: &[u8]) -> u64 {
    sealed
        .last_chunk::<CHECKSUM_BYTES>()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

pub(super) fn encode(data: &impl serde::Serialize) -> Vec<u8> {
    postcard::to_stdvec(data).expect("plain data")
}
