//! Jepsen's logs: `history.txt`, what the console showed and `jepsen.log`, whose lines
//! [`log_line`](super::log_line) reads. They mean what the maps of `history.edn` mean, but that a
//! compare-and-set that failed without an error did not match.

use std::borrow::Cow;

use super::super::edn::{Reader, Value};
use super::super::read::History;
use super::events::Place;
use super::jepsen;
use super::log_line::{self, Line, Logged};
use super::{BadLine, FailedCas, ImportOptions};

pub(super) fn import(text: &str, options: &ImportOptions) -> Result<History, BadLine> {
    jepsen::import(options, FailedCas::Mismatch, |each| {
        let mut has_operations = false;
        for (number, line) in (1..).zip(text.lines()) {
            let bad = |reason: String| BadLine::new(number, reason);
            match log_line::read(line).map_err(bad)? {
                Line::Operation(logged) => {
                    has_operations = true;
                    let line = self::line(number, &logged).map_err(bad)?;
                    if each(line).map_err(bad)?.is_break() {
                        return Ok(());
                    }
                }
                Line::Beginning if has_operations => {
                    let reason = "a second test begins here: judge the lines of each test alone";
                    return Err(bad(reason.to_owned()));
                }
                Line::Nemesis | Line::Beginning | Line::Other => {}
            }
        }
        Ok(())
    })
}

/// The operation as `history.edn` has it.
fn line<'t>(number: usize, logged: &Logged<'t>) -> Result<jepsen::Line<'t>, String> {
    let process = logged.process.parse();
    let (value, error) = value(logged)?;
    Ok(jepsen::Line {
        place: Place {
            line: number,
            record: number,
            index: None,
        },
        process: process.map_or(Value::Number(Cow::Borrowed(logged.process)), Value::Int),
        word: Cow::Borrowed(logged.word),
        f: Cow::Borrowed(logged.f),
        key: None,
        value,
        error: !error.trim().is_empty(),
        time: None,
    })
}

/// The value of a line, and the error after it. The value may be absent if it says nothing.
fn value<'t>(logged: &Logged<'t>) -> Result<(Option<Value<'t>>, &'t str), String> {
    let says_nothing = match logged.word {
        "invoke" => logged.f == "read",
        "ok" => logged.f == "write",
        _ => true,
    };
    let mut reader = Reader::new(logged.rest);
    match reader.next() {
        Ok(Some(value)) => Ok((Some(value), &logged.rest[reader.at()..])),
        Ok(None) | Err(_) if says_nothing => Ok((None, logged.rest)),
        Ok(None) => Err(format!(
            "the :{} of a :{} has no value: was the line cut short?",
            logged.word, logged.f
        )),
        Err(error) => Err(format!("its value: {error}")),
    }
}
