//! RESP2, the protocol of Redis (its documentation, reference/protocol-spec): commands as arrays of
//! bulk strings, and replies decoded in place.

use std::fmt;

/// The longest bulk string that is accepted, in bytes.
const BULK_BYTES_MAX: usize = 64 << 20;
/// The longest array that is accepted.
const ARRAY_MAX: usize = 1 << 16;
/// How deep arrays may stand in arrays.
const DEPTH_MAX: usize = 8;
/// The longest line of a reply, in bytes: an error's text is one.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What a server replies, borrowed from the bytes it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply<'a> {
    /// A word, such as `OK`.
    Simple(&'a [u8]),
    /// An error: a word in capitals, and a text.
    Error(&'a [u8]),
    /// A number.
    Integer(i64),
    /// Bytes, or nothing.
    Bulk(Option<&'a [u8]>),
    /// Several replies, or nothing.
    Array(Option<Vec<Self>>),
}

/// What came is no RESP2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server does not speak RESP2")
    }
}

/// A reply and how many bytes it takes; none when it is not all there yet.
type Parsed<'a> = Result<Option<(Reply<'a>, usize)>, Malformed>;

/// Appends a command.
pub(super) fn append_command(out: &mut Vec<u8>, words: &[&[u8]]) {
    append_length(out, b'*', words.len());
    for word in words {
        append_bulk(out, word.len(), |out| out.extend_from_slice(word));
    }
}

/// Appends how many words of a command, or bytes of a word, follow.
pub(super) fn append_length(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = length;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
    out.extend_from_slice(b"\r\n");
}

/// Appends a word of so many bytes, which `write` appends.
pub(super) fn append_bulk(out: &mut Vec<u8>, length: usize, write: impl FnOnce(&mut Vec<u8>)) {
    append_length(out, b'$', length);
    write(out);
    out.extend_from_slice(b"\r\n");
}

/// The first reply of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Parsed<'_> {
    parse_at(bytes, DEPTH_MAX)
}

fn parse_at(bytes: &[u8], depth: usize) -> Parsed<'_> {
    let Some((&kind, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let Some(line) = line(rest)? else {
        return Ok(None);
    };
    let read = 1 + line.len() + 2;
    match kind {
        b'+' => Ok(Some((Reply::Simple(line), read))),
        b'-' => Ok(Some((Reply::Error(line), read))),
        b':' => Ok(Some((Reply::Integer(number(line)?), read))),
        b'$' => bulk(bytes, read, number(line)?),
        b'*' => array(bytes, read, number(line)?, depth),
        _ => Err(Malformed),
    }
}

fn bulk(bytes: &[u8], read: usize, length: i64) -> Parsed<'_> {
    if length == -1 {
        return Ok(Some((Reply::Bulk(None), read)));
    }
    let length = usize::try_from(length).map_err(|_| Malformed)?;
    if length > BULK_BYTES_MAX {
        return Err(Malformed);
    }
    let end = read + length;
    match bytes.get(end..end + 2) {
        Some(b"\r\n") => Ok(Some((Reply::Bulk(Some(&bytes[read..end])), end + 2))),
        Some(_) => Err(Malformed),
        None => Ok(None),
    }
}

fn array(bytes: &[u8], mut read: usize, length: i64, depth: usize) -> Parsed<'_> {
    if length == -1 {
        return Ok(Some((Reply::Array(None), read)));
    }
    let length = usize::try_from(length).map_err(|_| Malformed)?;
    if length > ARRAY_MAX || depth == 0 {
        return Err(Malformed);
    }
    let mut replies = Vec::new();
    for _ in 0..length {
        let Some((reply, more)) = parse_at(&bytes[read..], depth - 1)? else {
            return Ok(None);
        };
        replies.push(reply);
        read += more;
    }
    Ok(Some((Reply::Array(Some(replies)), read)))
}

/// What comes before the first end of a line.
fn line(bytes: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let within = &bytes[..bytes.len().min(LINE_BYTES_MAX)];
    match within.iter().position(|byte| *byte == b'\r') {
        Some(end) => match bytes.get(end + 1) {
            Some(b'\n') => Ok(Some(&bytes[..end])),
            Some(_) => Err(Malformed),
            None => Ok(None),
        },
        None if bytes.len() >= LINE_BYTES_MAX => Err(Malformed),
        None => Ok(None),
    }
}

fn number(line: &[u8]) -> Result<i64, Malformed> {
    let text = std::str::from_utf8(line).map_err(|_| Malformed)?;
    text.parse().map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLIES: &[u8] =
        b"+OK\r\n-READONLY You can't\r\n:-12\r\n$5\r\nhe\r\nl\r\n$-1\r\n$0\r\n\r\n*2\r\n:1\r\n*-1\r\n";

    fn all(mut bytes: &[u8]) -> Result<Vec<Reply<'_>>, Malformed> {
        let mut replies = Vec::new();
        while let Some((reply, read)) = parse(bytes)? {
            replies.push(reply);
            bytes = &bytes[read..];
        }
        Ok(replies)
    }

    #[test]
    fn every_kind_of_reply_is_read_and_a_part_of_one_is_waited_for() {
        let replies = all(REPLIES).expect("replies");
        let expected = [
            Reply::Simple(b"OK"),
            Reply::Error(b"READONLY You can't"),
            Reply::Integer(-12),
            Reply::Bulk(Some(b"he\r\nl")),
            Reply::Bulk(None),
            Reply::Bulk(Some(b"")),
            Reply::Array(Some(vec![Reply::Integer(1), Reply::Array(None)])),
        ];
        assert_eq!(replies, expected);
        for end in 0..REPLIES.len() {
            let part = all(&REPLIES[..end]).expect("nothing wrong so far");
            assert_eq!(part, expected[..part.len()], "{end}");
            assert!(part.len() < expected.len());
        }
    }

    #[test]
    fn what_is_no_reply_is_refused_without_a_large_allocation() {
        let deep = b"*1\r\n".repeat(100);
        for bytes in [
            &b"HTTP/1.1 400\r\n"[..],
            b"$x\r\n",
            b"$99999999999\r\n",
            b"*99999999\r\n",
            b"$2\r\nabc\r\n",
            b"+O\rK\r\n",
            b"$-2\r\n",
            &deep,
        ] {
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(all(bytes), Err(Malformed), "{text:?}");
        }
    }

    #[test]
    fn a_command_is_an_array_of_its_words() {
        let mut out = Vec::new();
        append_command(&mut out, &[b"GET", b"user000000000042"]);
        assert_eq!(out, b"*2\r\n$3\r\nGET\r\n$16\r\nuser000000000042\r\n");
    }
}
