//! EDN forms one after another, with the lines they stand on.

use std::ops::ControlFlow;

use super::super::edn::{EdnError, Fault, Reader, Value};
use super::BadLine;

/// The longest operation, in bytes: its values take some twenty times that in memory.
const FORM_BYTES_MAX: usize = 16 << 20;

/// Calls `each` with the line and the value of every form: those of the file, or of the one vector
/// or list that it holds. Stops where `each` says so.
pub(super) fn forms<'t>(
    text: &'t str,
    mut each: impl FnMut(usize, Value<'t>) -> Result<ControlFlow<()>, String>,
) -> Result<(), BadLine> {
    let mut lines = Lines {
        text,
        at: 0,
        line: 1,
    };
    let mut start = Reader::new(text);
    let closing = match start.peek() {
        Some('[') => Some(']'),
        Some('(') => Some(')'),
        Some(_) | None => None,
    };
    let mut at = start.at() + usize::from(closing.is_some());
    loop {
        let part = &text[at..text.floor_char_boundary(at.saturating_add(FORM_BYTES_MAX))];
        let is_all = at + part.len() == text.len();
        let mut reader = Reader::new(part);
        if closing.is_some_and(|closing| reader.eat(closing)) {
            at += reader.at();
            return ended(&text[at..]).map_err(|()| {
                let reason = "there is more after the end of the vector";
                BadLine::new(lines.of(at), reason)
            });
        }
        reader.peek();
        let line = lines.of(at + reader.at());
        let form = reader
            .next()
            .map_err(|error| said(&mut lines, at, line, is_all, &error))?;
        at += reader.at();
        match (form, reader.peek(), closing) {
            (Some(form), ..) => {
                let flow = each(line, form).map_err(|reason| BadLine::new(line, reason))?;
                if flow.is_break() {
                    return Ok(());
                }
            }
            (None, None, _) if !is_all => {}
            (None, None, None) => return Ok(()),
            (None, None, Some(closing)) => {
                let reason = format!("the file is cut short: `{closing}` is missing at its end");
                return Err(BadLine::new(lines.of(text.len()), reason));
            }
            (None, Some(c), _) => {
                let reason = format!("it is not EDN: `{c}` closes nothing");
                return Err(BadLine::new(lines.of(at), reason));
            }
        }
    }
}

/// Whether nothing is left but white space and comments.
fn ended(rest: &str) -> Result<(), ()> {
    Reader::new(rest).peek().map_or(Ok(()), |_| Err(()))
}

fn said(lines: &mut Lines<'_>, at: usize, line: usize, is_all: bool, error: &EdnError) -> BadLine {
    match &error.fault {
        Fault::Cut if is_all => {
            BadLine::new(line, "the file ends within an operation: it was cut short")
        }
        Fault::Cut => BadLine::new(
            line,
            format!("an operation is longer than {FORM_BYTES_MAX} bytes"),
        ),
        Fault::Bad(_) => BadLine::new(lines.of(at + error.at), error.to_string()),
    }
}

/// Counts lines up to a place, going on from the last.
struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl Lines<'_> {
    fn of(&mut self, place: usize) -> usize {
        let passed = &self.text.as_bytes()[self.at..place];
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.at = place;
        self.line
    }
}
