//! The bytes of a value, all derived from its id, so that a reader can tell a corrupt one.
//!
//! The layout is the id (8 bytes, little endian), a check word over id and length, and filler words
//! from a Weyl sequence that starts at the check word. A last partial word is cut short. So a
//! changed byte, a changed length and bytes of another value all show. A reader need not remember
//! anything to see it. `text` has the same as text, for stores that are not ours.

mod text;

pub use text::{TEXT_BYTES_MIN, fill_text, id_of_text};

use crate::protocol::VALUE_BYTES_MAX;

/// The shortest payload, in bytes: the id and its check word.
pub const VALUE_BYTES_MIN: usize = 16;

/// Fills `out` with the payload of value `id`.
///
/// # Panics
/// When `out` is shorter than [`VALUE_BYTES_MIN`].
pub fn fill(id: u64, out: &mut [u8]) {
    assert!(out.len() >= VALUE_BYTES_MIN, "payload too short for its id");
    let check = check_word(id, out.len());
    let (header, filler) = out.split_at_mut(VALUE_BYTES_MIN);
    header[..8].copy_from_slice(&id.to_le_bytes());
    header[8..].copy_from_slice(&check.to_le_bytes());
    let mut weyl = check;
    let (words, rest) = filler.as_chunks_mut::<8>();
    for word in words {
        *word = next_word(&mut weyl).to_le_bytes();
    }
    let last = next_word(&mut weyl).to_le_bytes();
    rest.copy_from_slice(&last[..rest.len()]);
}

/// The id whose payload this is, in either form; `None` when any byte or the length differs from
/// what [`fill`] or [`fill_text`] wrote.
#[must_use]
pub fn id_of(bytes: &[u8]) -> Option<u64> {
    id_of_bytes(bytes).or_else(|| id_of_text(bytes))
}

fn id_of_bytes(bytes: &[u8]) -> Option<u64> {
    if bytes.len() < VALUE_BYTES_MIN || bytes.len() > VALUE_BYTES_MAX {
        return None;
    }
    let (header, filler) = bytes.split_at(VALUE_BYTES_MIN);
    let ([id, check], []) = header.as_chunks::<8>() else {
        return None;
    };
    let id = u64::from_le_bytes(*id);
    let mut weyl = u64::from_le_bytes(*check);
    let mut difference = weyl ^ check_word(id, bytes.len());
    let (words, rest) = filler.as_chunks::<8>();
    for word in words {
        difference |= u64::from_le_bytes(*word) ^ next_word(&mut weyl);
    }
    let last = next_word(&mut weyl).to_le_bytes();
    (difference == 0 && rest == &last[..rest.len()]).then_some(id)
}

/// Depends on every bit of the id and of the length.
#[inline]
fn check_word(id: u64, length: usize) -> u64 {
    let folded = id ^ (length as u64).rotate_left(40);
    let z = (folded ^ (folded >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let z = (z ^ (z >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    z ^ (z >> 32)
}

/// The next filler word: one addition and one multiplication, and no two alike in a row, so that
/// compression finds little to win.
#[inline]
fn next_word(weyl: &mut u64) -> u64 {
    *weyl = weyl.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (*weyl ^ (*weyl >> 32)).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    z ^ (z >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(id: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        fill(id, &mut bytes);
        bytes
    }

    #[test]
    fn the_id_is_read_back_at_every_length() {
        for length in (VALUE_BYTES_MIN..80).chain([100, 4096, VALUE_BYTES_MAX]) {
            for id in [0, 1, 7 << 32 | 3, u64::MAX - 1] {
                assert_eq!(id_of(&payload(id, length)), Some(id), "{id} {length}");
            }
        }
    }

    #[test]
    fn every_flipped_bit_shows() {
        for length in [VALUE_BYTES_MIN, 17, 24, 100] {
            let mut bytes = payload(5 << 32 | 9, length);
            for bit in 0..length * 8 {
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(id_of(&bytes), None, "bit {bit} of {length} bytes");
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }

    #[test]
    fn a_changed_length_shows() {
        let bytes = payload(5 << 32 | 9, 100);
        for length in 0..100 {
            assert_eq!(id_of(&bytes[..length]), None, "cut to {length}");
        }
        let longer = payload(5 << 32 | 9, 101);
        assert_eq!(id_of(&[&bytes[..], &longer[100..]].concat()), None);
    }

    #[test]
    fn two_values_spliced_together_show() {
        let (mut a, b) = (payload(1, 100), payload(2, 100));
        a[50..].copy_from_slice(&b[50..]);
        assert_eq!(id_of(&a), None);
    }

    #[test]
    #[should_panic(expected = "too short")]
    fn a_payload_too_short_for_its_id_is_refused() {
        fill(1, &mut [0; VALUE_BYTES_MIN - 1]);
    }
}
