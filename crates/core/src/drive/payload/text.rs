//! Payloads as text that every store and every language can print: base64url throughout.
//!
//! The layout is: the id (64 bits in 11 letters), a check of 30 bits over id and length (5
//! letters), then filler letters from a Weyl sequence that starts at the check.

use super::{check_word, next_word};
use crate::protocol::VALUE_BYTES_MAX;

/// The shortest payload, in letters: the id and its check.
pub const TEXT_BYTES_MIN: usize = 16;

const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ID_LETTERS: usize = 11;
const CHECK_BITS: u32 = 30;
/// Letters that one word of filler gives.
const LETTERS_A_WORD: usize = 10;

/// Fills `out` with the payload of value `id`, as text.
///
/// # Panics
/// When `out` is shorter than [`TEXT_BYTES_MIN`].
pub fn fill_text(id: u64, out: &mut [u8]) {
    assert!(out.len() >= TEXT_BYTES_MIN, "payload too short for its id");
    let check = check(id, out.len());
    let (header, filler) = out.split_at_mut(TEXT_BYTES_MIN);
    let (id_letters, check_letters) = header.split_at_mut(ID_LETTERS);
    write(id, id_letters);
    write(check, check_letters);
    let mut weyl = check;
    let (words, rest) = filler.as_chunks_mut::<LETTERS_A_WORD>();
    for letters in words {
        write(next_word(&mut weyl), letters);
    }
    write(next_word(&mut weyl), rest);
}

/// The id whose payload this text is; `None` when any letter or the length differs from what
/// [`fill_text`] wrote.
#[must_use]
pub fn id_of_text(bytes: &[u8]) -> Option<u64> {
    if bytes.len() < TEXT_BYTES_MIN || bytes.len() > VALUE_BYTES_MAX {
        return None;
    }
    let (header, filler) = bytes.split_at(TEXT_BYTES_MIN);
    let (id_letters, check_letters) = header.split_at(ID_LETTERS);
    let id = { id_letters.iter() }.try_fold(0_u128, |id, letter| {
        Some(id << 6 | u128::from(digit(*letter)?))
    })?;
    let id = u64::try_from(id).ok()?;
    let check = check(id, bytes.len());
    let is_it = |word: u64, letters: &[u8]| {
        let mut expected = [0; LETTERS_A_WORD];
        let expected = &mut expected[..letters.len()];
        write(word, expected);
        expected == letters
    };
    let mut weyl = check;
    // Whole words are compared as such: this verifies every byte of every value that is read.
    let (words, rest) = filler.as_chunks::<LETTERS_A_WORD>();
    let is_word = |letters: &[u8; LETTERS_A_WORD]| {
        let mut expected = [0; LETTERS_A_WORD];
        write(next_word(&mut weyl), &mut expected);
        expected == *letters
    };
    let is_whole = is_it(check, check_letters)
        && words.iter().all(is_word)
        && is_it(next_word(&mut weyl), rest);
    is_whole.then_some(id)
}

fn check(id: u64, length: usize) -> u64 {
    check_word(id, length) >> (u64::BITS - CHECK_BITS)
}

/// The lowest bits of a word, six a letter, the most significant first.
fn write(word: u64, letters: &mut [u8]) {
    let mut rest = word;
    for letter in letters.iter_mut().rev() {
        *letter = LETTERS[(rest & 63) as usize];
        rest >>= 6;
    }
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'A'..=b'Z' => Some(letter - b'A'),
        b'a'..=b'z' => Some(letter - b'a' + 26),
        b'0'..=b'9' => Some(letter - b'0' + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{fill, id_of};
    use super::*;

    fn text(id: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        fill_text(id, &mut bytes);
        bytes
    }

    #[test]
    fn the_id_is_read_back_at_every_length_from_what_can_be_printed() {
        for length in (TEXT_BYTES_MIN..80).chain([100, 4096, VALUE_BYTES_MAX]) {
            for id in [0, 1, 7 << 32 | 3, u64::MAX - 1, u64::MAX] {
                let text = text(id, length);
                assert!(text.iter().all(u8::is_ascii_graphic));
                assert_eq!(id_of_text(&text), Some(id), "{id} {length}");
            }
        }
    }

    #[test]
    fn every_changed_letter_and_length_shows() {
        let whole = text(5 << 32 | 9, 60);
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            for letter in LETTERS.iter().filter(|letter| **letter != whole[at]) {
                bytes[at] = *letter;
                assert_eq!(id_of_text(&bytes), None, "letter {at}");
            }
            assert_eq!(id_of_text(&whole[..at]), None, "cut to {at}");
        }
        assert_eq!(id_of_text(&[&whole[..], b"A"].concat()), None);
    }

    #[test]
    fn either_form_is_read_as_what_it_is() {
        assert_eq!(id_of(&text(7, 100)), Some(7));
        let mut bytes = vec![0; 100];
        fill(7, &mut bytes);
        assert_eq!(id_of(&bytes), Some(7));
        assert_eq!(id_of_text(&bytes), None, "the control");
    }
}
