//! How ids and dots are written: as numbers, or as text for a reader's eyes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::history::operation::{
    CORRUPT, dot, dot_counter, dot_origin, id_index, id_session, origin_incarnation, origin_node,
    value_id,
};

/// The largest node or incarnation that a dot carries.
const ORIGIN_PART_MAX: u16 = (1 << 12) - 1;

/// A number that a text may stand for.
pub(super) enum Token<'a> {
    Number(u64),
    Text(Cow<'a, str>),
}

/// By hand, since the derived form copies each value before it looks what it is.
impl<'de: 'a, 'a> Deserialize<'de> for Token<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tokens;

        impl<'de> Visitor<'de> for Tokens {
            type Value = Token<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or a text")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Token<'de>, E> {
                Ok(Token::Number(number))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Token<'de>, E> {
                Ok(Token::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Token<'de>, E> {
                Ok(Token::Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_any(Tokens)
    }
}

/// The id of a value: a number, or what [`id_text`] writes.
#[derive(Clone, Copy)]
pub(super) struct Id(pub(super) u64);

/// A dot: a number, or what [`dot_text`] writes.
#[derive(Clone, Copy)]
pub(super) struct Dot(pub(super) u64);

/// Reads a number as it is, and a text by a function that says what is wrong with it.
struct Parsed(fn(&str) -> Result<u64, String>);

impl Visitor<'_> for Parsed {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a text")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        (self.0)(text).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parsed(parse_id)).map(Self)
    }
}

impl<'de> Deserialize<'de> for Dot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Parsed(parse_dot)).map(Self)
    }
}

fn parse_id(text: &str) -> Result<u64, String> {
    if text == "corrupt" {
        return Ok(CORRUPT);
    }
    id_from_text(text.as_bytes())
        .ok_or_else(|| format!("`{text}` is no id: write \"session:index\" or a number"))
}

fn parse_dot(text: &str) -> Result<u64, String> {
    dot_from_text(text.as_bytes())
        .ok_or_else(|| format!("`{text}` is no dot: write \"n0:5\", \"n0.1:5\" or a number"))
}

/// The number that a text begins with, and what follows it.
fn leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, rest) = text.split_at(digits);
    let value = number.iter().try_fold(0u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    })?;
    (digits > 0).then_some((value, rest))
}

fn id_from_text(text: &[u8]) -> Option<u64> {
    let (session, rest) = leading_number(text)?;
    let (index, rest) = leading_number(rest.strip_prefix(b":")?)?;
    let id = value_id(session.try_into().ok()?, index.try_into().ok()?);
    rest.is_empty().then_some(id)
}

fn dot_from_text(text: &[u8]) -> Option<u64> {
    let (node, rest) = leading_number(text.strip_prefix(b"n")?)?;
    let (incarnation, rest) = match rest.strip_prefix(b".") {
        Some(rest) => leading_number(rest)?,
        None => (0, rest),
    };
    let (counter, rest) = leading_number(rest.strip_prefix(b":")?)?;
    let part = |part: u64| {
        u16::try_from(part)
            .ok()
            .filter(|part| *part <= ORIGIN_PART_MAX)
    };
    let whole = rest.is_empty() && dot_counter(counter) == counter;
    let dot = dot(part(node)?, part(incarnation)?, counter);
    whole.then_some(dot)
}

/// A dot as `n0:5`, or `n0.1:5` in a later incarnation.
#[must_use]
pub fn dot_text(dot: u64) -> String {
    let origin = dot_origin(dot);
    let (node, incarnation) = (origin_node(origin), origin_incarnation(origin));
    if incarnation == 0 {
        format!("n{node}:{}", dot_counter(dot))
    } else {
        format!("n{node}.{incarnation}:{}", dot_counter(dot))
    }
}

/// A value id as `session:index`.
#[must_use]
pub fn id_text(id: u64) -> String {
    if id == CORRUPT {
        "corrupt".to_owned()
    } else {
        format!("{}:{}", id_session(id), id_index(id))
    }
}
