//! An EDN value, and the one text in which it is written.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::number;
use super::reader::{EdnError, Fault, Reader};
use super::text;

/// A value, in the one form that all its spellings have. Two values are equal where Clojure's `=`
/// says so; besides, `##NaN` is equal to itself.
///
/// [`fmt::Display`] writes it as EDN on one line. Equal values have the same text, and others have
/// another.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value<'t> {
    /// `nil`.
    #[default]
    Nil,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// Any other number in its one spelling: a larger integer, a ratio (`1/2`), a decimal (`1.5M`),
    /// a float (`1.5`, `##NaN`).
    Number(Cow<'t, str>),
    /// A character.
    Char(char),
    /// A string, without its quotes and escapes.
    Text(Cow<'t, str>),
    /// A keyword with its namespace, without the colon.
    Keyword(Cow<'t, str>),
    /// A symbol with its namespace.
    Symbol(Cow<'t, str>),
    /// A vector or a list.
    Sequence(Vec<Self>),
    /// A set, ascending, none twice.
    Set(Vec<Self>),
    /// A map, ascending by its keys, none twice.
    Map(Vec<(Self, Self)>),
    /// A value with a tag, or a record with its name.
    Tagged(Cow<'t, str>, Box<Self>),
}

impl<'t> Value<'t> {
    /// A float.
    #[must_use]
    pub fn float(value: f64) -> Self {
        Self::Number(Cow::Owned(number::float_text(value)))
    }

    /// The keyword's name, without the colon.
    #[must_use]
    pub fn keyword(&self) -> Option<&str> {
        if let Self::Keyword(name) = self {
            Some(name)
        } else {
            None
        }
    }

    /// The string's content.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self {
            Some(text)
        } else {
            None
        }
    }

    /// The two items of a vector or list of two.
    #[must_use]
    pub fn pair(&self) -> Option<(&Self, &Self)> {
        let Self::Sequence(items) = self else {
            return None;
        };
        if let [a, b] = items.as_slice() {
            Some((a, b))
        } else {
            None
        }
    }

    /// The value apart from the text that it was read from.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        let owned = |text: Cow<'t, str>| Cow::Owned(text.into_owned());
        let all = |items: Vec<Self>| items.into_iter().map(Self::into_owned).collect();
        match self {
            Self::Nil => Value::Nil,
            Self::Bool(bool) => Value::Bool(bool),
            Self::Int(int) => Value::Int(int),
            Self::Number(text) => Value::Number(owned(text)),
            Self::Char(char) => Value::Char(char),
            Self::Text(text) => Value::Text(owned(text)),
            Self::Keyword(name) => Value::Keyword(owned(name)),
            Self::Symbol(name) => Value::Symbol(owned(name)),
            Self::Sequence(items) => Value::Sequence(all(items)),
            Self::Set(items) => Value::Set(all(items)),
            Self::Map(entries) => Value::Map(
                entries
                    .into_iter()
                    .map(|(key, value)| (key.into_owned(), value.into_owned()))
                    .collect(),
            ),
            Self::Tagged(tag, inner) => Value::Tagged(owned(tag), Box::new(inner.into_owned())),
        }
    }
}

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => f.write_str("nil"),
            Self::Bool(bool) => write!(f, "{bool}"),
            Self::Int(int) => write!(f, "{int}"),
            Self::Number(text) | Self::Symbol(text) => f.write_str(text),
            Self::Char(char) => text::write_char(f, *char),
            Self::Text(text) => text::write_string(f, text),
            Self::Keyword(name) => write!(f, ":{name}"),
            Self::Sequence(items) => write_items(f, "[", items, "]"),
            Self::Set(items) => write_items(f, "#{", items, "}"),
            Self::Map(entries) => {
                f.write_str("{")?;
                for (i, (key, value)) in entries.iter().enumerate() {
                    write!(f, "{}{key} {value}", if i > 0 { ", " } else { "" })?;
                }
                f.write_str("}")
            }
            Self::Tagged(tag, inner) => write!(f, "#{tag} {inner}"),
        }
    }
}

fn write_items(
    f: &mut fmt::Formatter<'_>,
    open: &str,
    items: &[Value<'_>],
    close: &str,
) -> fmt::Result {
    f.write_str(open)?;
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i > 0 { " " } else { "" })?;
    }
    f.write_str(close)
}

/// Reads a text that is one value.
impl FromStr for Value<'static> {
    type Err = EdnError;

    fn from_str(text: &str) -> Result<Self, EdnError> {
        let mut reader = Reader::new(text);
        let value = reader.next()?.map(Value::into_owned);
        if let Some(rest) = reader.peek() {
            let fault = Fault::Bad(format!("`{rest}` comes after the value"));
            return Err(reader.error(fault));
        }
        value.ok_or_else(|| reader.error(Fault::Bad("there is no value".to_owned())))
    }
}
