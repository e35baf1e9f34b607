//! What a single word is: a keyword, a symbol, a character, a number.

use std::borrow::Cow;

use super::number;
use super::text;
use super::value::Value;

/// The longest word that a message shows, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// What a word is.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub(super) fn value(word: &str) -> Result<Value<'_>, String> {
    match word {
        "nil" => return Ok(Value::Nil),
        "true" => return Ok(Value::Bool(true)),
        "false" => return Ok(Value::Bool(false)),
        _ => {}
    }
    let no = |what: &str| Err(format!("`{}` is no {what}", shown(word, SHOWN_CHARS_MAX)));
    if word.contains(char::is_control) {
        return no("value");
    }
    let mut chars = word.chars();
    match chars.next() {
        Some('\\') => text::character(chars.as_str()).map_or_else(|| no("character"), Ok),
        Some(':') => match chars.as_str() {
            "" => no("keyword"),
            name if name.starts_with(':') => no("keyword"),
            name => Ok(Value::Keyword(Cow::Borrowed(name))),
        },
        Some('0'..='9') => number::value(word).map_or_else(|| no("number"), Ok),
        Some('+' | '-') if chars.as_str().starts_with(|c: char| c.is_ascii_digit()) => {
            number::value(word).map_or_else(|| no("number"), Ok)
        }
        None | Some('\'' | '`' | '~' | '@') => no("value"),
        Some(_) => Ok(Value::Symbol(Cow::Borrowed(word))),
    }
}

/// What stands after `##`.
pub(super) fn symbolic(word: &str) -> Option<Value<'static>> {
    match word {
        "NaN" => Some(Value::float(f64::NAN)),
        "Inf" => Some(Value::float(f64::INFINITY)),
        "-Inf" => Some(Value::float(f64::NEG_INFINITY)),
        _ => None,
    }
}

/// A text for a message: on one line, and cut where it is long.
pub(super) fn shown(text: &str, chars_max: usize) -> String {
    let mut shown: String = text.chars().take(chars_max).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.escape_debug().to_string()
}
