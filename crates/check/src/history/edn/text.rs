//! Strings and characters: their escapes, read and written.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::reader::Fault;
use super::value::Value;

/// Characters that have a name.
const NAMED: [(&str, char); 6] = [
    ("newline", '\n'),
    ("return", '\r'),
    ("space", ' '),
    ("tab", '\t'),
    ("backspace", '\u{8}'),
    ("formfeed", '\u{c}'),
];
/// Letters that stand after a backslash in a string.
const ESCAPED: [(char, char); 7] = [
    ('"', '"'),
    ('\\', '\\'),
    ('n', '\n'),
    ('r', '\r'),
    ('t', '\t'),
    ('b', '\u{8}'),
    ('f', '\u{c}'),
];
/// The largest character that an octal escape means.
const OCTAL_MAX: u32 = 0o377;
/// Digits of an escape that begins with `u`.
const HEX_DIGITS: usize = 4;

/// The content of a string, and the bytes up to after its closing quote. The text begins after the
/// opening one.
///
/// # Errors
/// When the text ends before the string, or an escape means nothing: the byte at which, and why.
pub(super) fn string(text: &str) -> Result<(Cow<'_, str>, usize), (usize, Fault)> {
    let mut content = String::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let Some(place) = rest.find(['"', '\\']) else {
            return Err((text.len(), Fault::Cut));
        };
        let (plain, mark) = rest.split_at(place);
        if mark.starts_with('"') {
            let end = at + place + 1;
            if content.is_empty() {
                return Ok((Cow::Borrowed(plain), end));
            }
            content += plain;
            return Ok((Cow::Owned(content), end));
        }
        content += plain;
        at += place;
        let (c, length) = escape(&mark[1..]).ok_or_else(|| (at, bad_escape(&mark[1..])))?;
        content.push(c);
        at += 1 + length;
    }
}

/// Why an escape means nothing: the text may have been cut within it.
fn bad_escape(rest: &str) -> Fault {
    let is_cut = rest.len() < HEX_DIGITS + 1 && !rest.contains('"');
    if is_cut && (rest.is_empty() || rest.starts_with('u')) {
        return Fault::Cut;
    }
    let length = if rest.starts_with('u') {
        1 + HEX_DIGITS
    } else {
        1
    };
    let shown: String = rest.chars().take(length).collect();
    let shown = shown.escape_debug();
    Fault::Bad(format!("`\\{shown}` in a string means no character"))
}

/// The character that stands after a backslash in a string, and how many bytes it takes.
fn escape(rest: &str) -> Option<(char, usize)> {
    let first = rest.chars().next()?;
    if let Some((_, c)) = ESCAPED.iter().find(|(letter, _)| *letter == first) {
        return Some((*c, 1));
    }
    if first == 'u' {
        let high = hex(rest.get(1..1 + HEX_DIGITS)?)?;
        if let Some(c) = char::from_u32(high) {
            return Some((c, 1 + HEX_DIGITS));
        }
        // A character beyond 16 bits is written as two halves.
        let low = rest.get(1 + HEX_DIGITS..)?.strip_prefix("\\u")?;
        let halves = [high as u16, hex(low.get(..HEX_DIGITS)?)? as u16];
        let c = char::decode_utf16(halves).next()?.ok()?;
        return Some((c, 3 + 2 * HEX_DIGITS));
    }
    let digits = rest.bytes().take(3).take_while(u8::is_ascii_digit).count();
    octal(&rest[..digits]).map(|c| (c, digits))
}

fn hex(digits: &str) -> Option<u32> {
    let are_digits = digits.len() == HEX_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit());
    are_digits
        .then(|| u32::from_str_radix(digits, 16).ok())
        .flatten()
}

fn octal(digits: &str) -> Option<char> {
    let are_digits = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let code = are_digits
        .then(|| u32::from_str_radix(digits, 8).ok())
        .flatten()?;
    char::from_u32(code).filter(|_| code <= OCTAL_MAX)
}

/// The character that a word after a backslash names.
pub(super) fn character(name: &str) -> Option<Value<'static>> {
    let mut chars = name.chars();
    let first = chars.next()?;
    let rest = chars.as_str();
    let c = if rest.is_empty() {
        Some(first)
    } else if let Some((_, c)) = NAMED.iter().find(|(known, _)| *known == name) {
        Some(*c)
    } else if first == 'u' {
        hex(rest).and_then(char::from_u32)
    } else if first == 'o' {
        octal(rest)
    } else {
        None
    };
    c.map(Value::Char)
}

/// Writes a character.
pub(super) fn write_char(f: &mut fmt::Formatter<'_>, c: char) -> fmt::Result {
    if let Some((name, _)) = NAMED.iter().find(|(_, named)| *named == c) {
        write!(f, "\\{name}")
    } else if is_unseen(c) {
        write!(f, "\\u{:04X}", u32::from(c))
    } else {
        write!(f, "\\{c}")
    }
}

/// Writes a string in quotes, on one line.
pub(super) fn write_string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        if let Some((letter, _)) = ESCAPED.iter().find(|(_, escaped)| *escaped == c) {
            write!(f, "\\{letter}")?;
        } else if is_unseen(c) {
            write!(f, "\\u{:04X}", u32::from(c))?;
        } else {
            f.write_char(c)?;
        }
    }
    f.write_char('"')
}

/// Whether a character would not be seen, or would end a line. All of them have 16 bits.
fn is_unseen(c: char) -> bool {
    let separates = c.is_whitespace() && c != ' ';
    (c.is_control() || separates || c == '\u{feff}') && u32::from(c) <= 0xffff
}
