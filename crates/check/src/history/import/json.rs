//! JSON values one after another as EDN values, with the lines they stand on.
//!
//! JSON has one kind of number, so that `1` and `1.0` are one.

use std::borrow::Cow;
use std::fmt;
use std::ops::ControlFlow;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::BadLine;
use super::guess::skipped;
use crate::history::edn::Value;

/// The longest operation, in bytes.
const VALUE_BYTES_MAX: usize = 16 << 20;
/// Up to here floating point has every whole number.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Calls `each` with the line and the value of everything in a file: one value after another, or in
/// one array. Stops where `each` says so.
pub(super) fn values(
    text: &str,
    mut each: impl FnMut(usize, Value<'static>) -> Result<ControlFlow<()>, String>,
) -> Result<(), BadLine> {
    let mut at = Cursor {
        rest: text,
        line: 1,
    };
    at.skip();
    let in_array = at.take('[');
    loop {
        let line = at.line;
        if in_array && at.take(']') {
            return if at.rest.is_empty() {
                Ok(())
            } else {
                Err(BadLine::new(
                    line,
                    "there is more after the end of the array",
                ))
            };
        }
        if at.rest.is_empty() {
            return if in_array {
                let reason = "the file is cut short: `]` is missing at its end";
                Err(BadLine::new(line, reason))
            } else {
                Ok(())
            };
        }
        let part = &at.rest[..at.rest.floor_char_boundary(VALUE_BYTES_MAX)];
        let mut json = serde_json::Deserializer::from_str(part).into_iter::<Json>();
        let value = match json.next() {
            Some(Ok(Json(value))) => value,
            Some(Err(error)) if error.is_eof() && part.len() < at.rest.len() => {
                let reason = format!("an operation is longer than {VALUE_BYTES_MAX} bytes");
                return Err(BadLine::new(line, reason));
            }
            Some(Err(error)) => {
                // What is wrong with the end of a line is said to be before the next one's start.
                let at_end = usize::from(error.column() == 0);
                let line = (line + error.line()).saturating_sub(1 + at_end);
                return Err(BadLine::new(line.max(1), said(&error)));
            }
            None => return Ok(()),
        };
        let length = json.byte_offset();
        let flow = each(line, value).map_err(|reason| BadLine::new(line, reason))?;
        if flow.is_break() {
            return Ok(());
        }
        at.pass(length);
        at.skip();
    }
}

/// What is wrong, in words of ours.
fn said(error: &serde_json::Error) -> String {
    match error.classify() {
        Category::Eof => "the file ends within an operation: it was cut short".to_owned(),
        Category::Data => {
            let text = error.to_string();
            text.split(" at line ")
                .next()
                .unwrap_or_default()
                .to_owned()
        }
        Category::Syntax | Category::Io if error.column() == 0 => {
            "it is not JSON: a string is not closed on its line".to_owned()
        }
        Category::Syntax | Category::Io => {
            format!("it is not JSON from column {} on", error.column())
        }
    }
}

/// What is left of the text, and the line that it begins on.
struct Cursor<'a> {
    rest: &'a str,
    line: usize,
}

impl Cursor<'_> {
    fn pass(&mut self, bytes: usize) {
        let (passed, rest) = self.rest.split_at(bytes);
        self.line += passed.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
    }

    fn skip(&mut self) {
        self.pass(self.rest.len() - skipped(self.rest).len());
    }

    /// Passes over `expected` and what is skipped after it, if it comes next.
    fn take(&mut self, expected: char) -> bool {
        let is_there = self.rest.starts_with(expected);
        if is_there {
            self.pass(expected.len_utf8());
            self.skip();
        }
        is_there
    }
}

/// A JSON value as an EDN value; the names of an object's fields are strings.
struct Json(Value<'static>);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AsEdn).map(Self)
    }
}

struct AsEdn;

impl<'de> Visitor<'de> for AsEdn {
    type Value = Value<'static>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value)
            .map_or_else(|_| Value::Number(Cow::Owned(value.to_string())), Value::Int))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        if value.fract() != 0.0 {
            return Ok(Value::float(value));
        }
        // Two whole numbers beyond may be read as one.
        if value.abs() < EXACT_MAX {
            Ok(Value::Int(value as i64))
        } else {
            Err(E::custom(
                "a number is larger than JSON keeps exactly: write it as a string",
            ))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Json(item)) = values.next_element()? {
            items.push(item);
        }
        Ok(Value::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<(Value<'static>, Value<'static>)> = Vec::new();
        while let Some((name, Json(value))) = fields.next_entry::<String, Json>()? {
            entries.push((Value::Text(Cow::Owned(name)), value));
        }
        entries.sort_unstable();
        if let Some(twice) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let name = &twice[0].0;
            return Err(A::Error::custom(format!("the field {name} is there twice")));
        }
        Ok(Value::Map(entries))
    }
}
