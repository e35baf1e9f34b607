//! Which format a file has, from its first records and its name.
//!
//! The records decide first. If they do not tell, the name decides: a log may begin with more lines
//! of something else than the reader looks at.

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value as Json;

use super::edn::forms;
use super::jepsen_edn::Fields;
use super::{Format, log_line};
use crate::history::edn::Value;
use crate::history::read::{ARROW_MAGIC, ReadError};

/// Fields of which a JSON object of ours has one: a row, the header, the end record.
const OURS: [&str; 4] = ["session", "kind", "schema", "end"];
/// Fields of which an operation of Jepsen has all.
const JEPSENS: [&str; 2] = ["process", "type"];

/// The format of a file that does not say which it has; `start` is how it begins.
///
/// # Errors
/// When neither its first records nor its name say it.
pub(super) fn guess(path: &Path, start: &[u8]) -> Result<Format, ReadError> {
    if start.starts_with(&ARROW_MAGIC) {
        return Ok(Format::Arrow);
    }
    let text = String::from_utf8_lossy(start);
    if is_empty(&text) {
        return Ok(Format::JepsenEdn);
    }
    of_records(&text)
        .or_else(|| of_name(path))
        .or_else(|| of_brackets(&text))
        .ok_or_else(|| ReadError::Unrecognised {
            path: path.to_owned(),
        })
}

/// The format of the first records, where they are such as a format has.
fn of_records(text: &str) -> Option<Format> {
    let first = skipped(text);
    if first.starts_with("r(") || first.starts_with("w(") {
        return Some(Format::Plume);
    }
    let of_maps = match notation(first) {
        Some(Notation::Json) => of_json(first),
        Some(Notation::Edn) => of_edn(first),
        None => None,
    };
    of_maps.or_else(|| {
        let is_logged = text.lines().any(log_line::is_of_a_log);
        is_logged.then_some(Format::JepsenLog)
    })
}

/// The format that a name stands for, with or without the ending of a packed file.
fn of_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let packed = [".gz", ".zst", ".xz", ".bz2"];
    let name = packed
        .iter()
        .find_map(|ending| name.strip_suffix(ending))
        .unwrap_or(&name);
    let (_, ending) = name.rsplit_once('.')?;
    match ending {
        "arrow" | "arrows" => Some(Format::Arrow),
        "edn" => Some(Format::JepsenEdn),
        "json" => Some(Format::JepsenJson),
        "log" => Some(Format::JepsenLog),
        _ => None,
    }
}

/// Maps that lack what a format has are read as it, for the reader to say what they lack.
fn of_brackets(text: &str) -> Option<Format> {
    match notation(skipped(text))? {
        Notation::Json => None,
        Notation::Edn => Some(Format::JepsenEdn),
    }
}

/// How a map is written.
#[derive(Clone, Copy)]
enum Notation {
    /// `{"process": 0}`
    Json,
    /// `{:process 0}`, with or without a tag before it.
    Edn,
}

/// How the first map is written, in a vector or not; none where something else comes first.
fn notation(first: &str) -> Option<Notation> {
    let inside = first.strip_prefix(['[', '(']).map_or(first, skipped);
    // A `#` before anything else, as in `#!`, is no tag.
    let mut letters = inside.chars();
    if letters.next() == Some('^')
        || (inside.starts_with('#')
            && letters
                .next()
                .is_some_and(|c| c.is_alphabetic() || "_:{^".contains(c)))
    {
        return Some(Notation::Edn);
    }
    let key = skipped(inside.strip_prefix('{')?);
    Some(if key.starts_with('"') {
        Notation::Json
    } else {
        Notation::Edn
    })
}

/// What the first object is. Of one that is cut off, the names that stand on its first line say it.
fn of_json(first: &str) -> Option<Format> {
    let object = first.strip_prefix('[').map_or(first, skipped);
    let mut values = serde_json::Deserializer::from_str(object).into_iter::<Json>();
    let whole = values.next().and_then(Result::ok);
    let line = object.lines().next().unwrap_or_default();
    let has = |name: &str| match &whole {
        Some(Json::Object(fields)) => fields.keys().any(|key| key.trim_start_matches(':') == name),
        Some(_) => false,
        None => line.contains(&format!("\"{name}\"")),
    };
    if JEPSENS.into_iter().all(has) {
        Some(Format::JepsenJson)
    } else {
        OURS.into_iter().any(has).then_some(Format::JsonLines)
    }
}

/// What the first operation of a client is: porcupine's have a `:key`.
fn of_edn(first: &str) -> Option<Format> {
    let mut format = None;
    // What cannot be read is for the format's reader to say.
    let _ = forms(first, |_, form| {
        let Some(mut fields) = Fields::of(form) else {
            return Ok(ControlFlow::Break(()));
        };
        let f = fields.keyword("f");
        let of_porcupine = matches!(f.as_deref(), Some("append" | "put" | "get"));
        match fields.take("process") {
            None => {}
            // The nemesis says nothing of what the clients do.
            Some(Value::Keyword(_)) => {
                format = Some(Format::JepsenEdn);
                return Ok(ControlFlow::Continue(()));
            }
            Some(_) if of_porcupine && fields.take("key").is_some() => {
                format = Some(Format::PorcupineKv);
            }
            Some(_) => format = Some(Format::JepsenEdn),
        }
        Ok(ControlFlow::Break(()))
    });
    format
}

/// The text after white space, commas and the comments of each format.
pub(super) fn skipped(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ',' || c == '\u{feff}');
        if !text.starts_with(';') && !text.starts_with("//") {
            return text;
        }
        text = text.find('\n').map_or("", |end| &text[end..]);
    }
}

/// Whether nothing is in a text, or nothing in its one vector or list.
pub(super) fn is_empty(text: &str) -> bool {
    let text = skipped(text);
    let inside = |open, close| {
        let inside = skipped(text.strip_prefix(open)?);
        Some(skipped(inside.strip_prefix(close)?).is_empty())
    };
    text.is_empty() || inside('[', ']') == Some(true) || inside('(', ')') == Some(true)
}
