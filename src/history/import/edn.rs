//! EDN forms one after another, with the lines they stand on. The reader is `clojure-reader`.

use clojure_reader::edn::{self, Edn};
use clojure_reader::error::Code;

use super::BadLine;

/// The longest operation, in bytes: its forms take some forty times that in memory.
const FORM_BYTES_MAX: usize = 16 << 20;

/// Calls `each` with every form: those of the file, or of the one vector or list that it holds.
pub(super) fn forms(
    text: &str,
    mut each: impl FnMut(usize, &Edn<'_>) -> Result<(), String>,
) -> Result<(), BadLine> {
    let mut lines = Lines {
        text,
        at: 0,
        line: 1,
    };
    let mut rest = skipped(text);
    let closing = match rest.chars().next() {
        Some('[') => Some(']'),
        Some('(') => Some(')'),
        Some(_) | None => None,
    };
    if closing.is_some() {
        rest = skipped(&rest[1..]);
    }
    loop {
        let line = lines.of(rest);
        if let Some(closing) = closing
            && let Some(after) = rest.strip_prefix(closing)
        {
            let after = skipped(after);
            return if after.is_empty() {
                Ok(())
            } else {
                let line = lines.of(after);
                Err(BadLine::new(
                    line,
                    "there is more after the end of the vector",
                ))
            };
        }
        if rest.is_empty() {
            return match closing {
                None => Ok(()),
                Some(closing) => Err(BadLine::new(
                    line,
                    format!("the file is cut short: `{closing}` is missing at its end"),
                )),
            };
        }
        let part = &rest[..rest.floor_char_boundary(FORM_BYTES_MAX)];
        let (form, after) = edn::read(part).map_err(|error| {
            if error.code == Code::UnexpectedEOF && part.len() < rest.len() {
                let reason = format!("an operation is longer than {FORM_BYTES_MAX} bytes");
                return BadLine::new(line, reason);
            }
            let at = error.line.map_or(line, |offset| line + offset - 1);
            BadLine::new(at, said(&error.code))
        })?;
        each(line, &form).map_err(|reason| BadLine::new(line, reason))?;
        rest = skipped(&rest[part.len() - after.len()..]);
    }
}

fn said(code: &Code) -> String {
    if *code == Code::UnexpectedEOF {
        "the file ends within an operation: it was cut short".to_owned()
    } else {
        format!("it is not EDN: {code:?}")
    }
}

/// The text after white space, commas and comments.
fn skipped(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if !text.starts_with(';') {
            return text;
        }
        text = text.find('\n').map_or("", |end| &text[end..]);
    }
}

/// Counts lines up to a place, going on from the last.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, rest: &str) -> usize {
        let place = self.text.len() - rest.len();
        let passed = &self.text.as_bytes()[self.at..place];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = place;
        self.line
    }
}

/// A map's value under a keyword; a tagged map is the map.
pub(super) fn field<'a, 'e>(form: &'a Edn<'e>, name: &str) -> Option<&'a Edn<'e>> {
    let Edn::Map(map) = untagged(form) else {
        return None;
    };
    map.iter()
        .find(|(key, _)| keyword(Some(key)) == Some(name))
        .map(|(_, value)| value)
}

/// A form without its tag.
pub(super) fn untagged<'a, 'e>(mut form: &'a Edn<'e>) -> &'a Edn<'e> {
    while let Edn::Tagged(_, inner) = form {
        form = inner;
    }
    form
}

/// A keyword's name.
pub(super) fn keyword<'a>(form: Option<&'a Edn<'_>>) -> Option<&'a str> {
    if let Some(Edn::Key(name)) = form {
        Some(name.trim_start_matches(':'))
    } else {
        None
    }
}

/// A pair in a vector or list.
pub(super) fn pair<'a, 'e>(form: &'a Edn<'e>) -> Option<(&'a Edn<'e>, &'a Edn<'e>)> {
    let (Edn::Vector(items) | Edn::List(items)) = untagged(form) else {
        return None;
    };
    if let [a, b] = items.as_slice() {
        Some((a, b))
    } else {
        None
    }
}

/// How a value is called: a string as it is, anything else as EDN.
pub(super) fn name(form: &Edn<'_>) -> String {
    if let Edn::Str(text) = form {
        text.to_string()
    } else {
        form.to_string()
    }
}
