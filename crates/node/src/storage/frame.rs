//! The frames of a journal: each has the lines of a batch, behind its length and checksums.
//!
//! All checksums begin with a seed, which is that of the journal and the place.

use twox_hash::XxHash64;

/// The most bytes that the lines of one batch may have, together. What may wait for a commit is much
/// less.
pub(super) const FRAME_BYTES_MAX: usize = 1 << 30;
/// A frame's length, and the checksums of its head and of its lines.
pub(super) const HEAD_BYTES: usize = 4 + 8 + 8;
/// Before each line: its length.
const LENGTH_BYTES: usize = 4;

/// What the head of a frame says of its lines.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) length: usize,
    checksum: u64,
}

impl Head {
    pub(super) fn of(seed: u64, payload: &[u8]) -> Self {
        Self {
            length: payload.len(),
            checksum: XxHash64::oneshot(seed, payload),
        }
    }

    /// Whether these are the lines.
    pub(super) fn is_of(self, seed: u64, payload: &[u8]) -> bool {
        XxHash64::oneshot(seed, payload) == self.checksum
    }

    pub(super) fn encode(self, seed: u64) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&(self.length as u32).to_le_bytes());
        bytes[4..12].copy_from_slice(&self.checksum.to_le_bytes());
        let own = XxHash64::oneshot(seed, &bytes[..12]);
        bytes[12..].copy_from_slice(&own.to_le_bytes());
        bytes
    }

    pub(super) fn read(seed: u64, bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk::<4>()?;
        let head = Self {
            length: u32::from_le_bytes(*length) as usize,
            checksum: u64::from_le_bytes(*rest.first_chunk()?),
        };
        (head.length <= FRAME_BYTES_MAX && head.encode(seed) == bytes).then_some(head)
    }
}

/// A frame with these lines; none when they are too many.
pub(super) fn frame(seed: u64, lines: &[Vec<u8>]) -> Option<Vec<u8>> {
    let length: usize = lines.iter().map(|line| LENGTH_BYTES + line.len()).sum();
    if length > FRAME_BYTES_MAX {
        return None;
    }
    let mut bytes = Vec::with_capacity(HEAD_BYTES + length);
    bytes.resize(HEAD_BYTES, 0);
    for line in lines {
        bytes.extend((line.len() as u32).to_le_bytes());
        bytes.extend(line);
    }
    let head = Head::of(seed, &bytes[HEAD_BYTES..]).encode(seed);
    bytes[..HEAD_BYTES].copy_from_slice(&head);
    Some(bytes)
}

/// What the checksums of a frame begin with that stands at this place.
pub(super) fn seed_at(seed: u64, place: u64) -> u64 {
    XxHash64::oneshot(seed, &place.to_le_bytes())
}

/// The first line and what is behind it.
pub(super) fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}
