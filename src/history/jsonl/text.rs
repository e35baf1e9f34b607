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

pub(super) fn parse_id(token: &Token<'_>) -> Result<u64, String> {
    match token {
        Token::Number(id) => Ok(*id),
        Token::Text(text) if text == "corrupt" => Ok(CORRUPT),
        Token::Text(text) => text
            .split_once(':')
            .and_then(|(session, index)| Some(value_id(session.parse().ok()?, index.parse().ok()?)))
            .ok_or_else(|| format!("`{text}` is no id: write \"session:index\" or a number")),
    }
}

pub(super) fn parse_dot(token: &Token<'_>) -> Result<u64, String> {
    match token {
        Token::Number(dot) => Ok(*dot),
        Token::Text(text) => dot_from_text(text)
            .ok_or_else(|| format!("`{text}` is no dot: write \"n0:5\", \"n0.1:5\" or a number")),
    }
}

fn dot_from_text(text: &str) -> Option<u64> {
    let (origin, counter) = text.strip_prefix('n')?.split_once(':')?;
    let (node, incarnation) = origin.split_once('.').unwrap_or((origin, "0"));
    let (node, incarnation) = (node.parse().ok()?, incarnation.parse().ok()?);
    let counter = counter.parse().ok().filter(|c| dot_counter(*c) == *c)?;
    (node <= ORIGIN_PART_MAX && incarnation <= ORIGIN_PART_MAX)
        .then(|| dot(node, incarnation, counter))
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
