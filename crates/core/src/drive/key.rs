//! Keys: numbers in workloads and histories, sixteen bytes of text on the wire.

/// How many keys there can be: as many as their names have digits for.
pub const KEY_COUNT_MAX: u64 = 1_000_000_000_000;

/// The length of a key's name, in bytes.
pub const KEY_NAME_BYTES: usize = 16;

const PREFIX: &[u8; 4] = b"user";
/// What six digits count to.
const HALF: u64 = 1_000_000;
/// The digits of each number below 100: clients name several keys an operation.
const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut number = 0;
    while number < 100 {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// The name of key `n`: `user` and twelve decimal digits, as YCSB names its records.
///
/// # Panics
/// When `n` is not below [`KEY_COUNT_MAX`].
#[must_use]
pub fn key_name(n: u64) -> [u8; KEY_NAME_BYTES] {
    assert!(n < KEY_COUNT_MAX, "key beyond the range of key names");
    let mut name = [b'0'; KEY_NAME_BYTES];
    name[..PREFIX.len()].copy_from_slice(PREFIX);
    let halves = [(n / HALF) as u32, (n % HALF) as u32];
    let pairs = halves.map(|half| [half / 10_000, half / 100 % 100, half % 100]);
    let places = name[PREFIX.len()..].chunks_exact_mut(2);
    for (place, pair) in places.zip(pairs.as_flattened()) {
        place.copy_from_slice(&PAIRS[*pair as usize]);
    }
    name
}

/// The number of the key with this name; `None` when it is not a name that [`key_name`] makes.
#[must_use]
pub fn key_number(name: &[u8]) -> Option<u64> {
    if name.len() != KEY_NAME_BYTES {
        return None;
    }
    let digits = name.strip_prefix(PREFIX)?;
    digits.iter().try_fold(0, |n, digit| {
        let digit = digit.wrapping_sub(b'0');
        (digit < 10).then(|| n * 10 + u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_inverse() {
        assert_eq!(&key_name(42), b"user000000000042");
        for n in [0, 1, 9, 10, 123_456_789_012, KEY_COUNT_MAX - 1] {
            assert_eq!(key_number(&key_name(n)), Some(n));
        }
    }

    #[test]
    fn what_is_no_key_name_has_no_number() {
        for name in [
            &b""[..],
            b"user",
            b"user00000000004",
            b"user0000000000042",
            b"uset000000000042",
            b"user00000000004x",
            b"user0000000000-1",
        ] {
            assert_eq!(key_number(name), None);
        }
    }

    #[test]
    #[should_panic(expected = "beyond the range")]
    fn a_number_too_large_for_a_name_is_refused() {
        let _ = key_name(KEY_COUNT_MAX);
    }
}
