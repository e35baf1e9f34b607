//! Jepsen's log lines: `INFO  jepsen.util - <process>\t<type>\t<f>\t<value>`. Lines that are not of
//! `jepsen.util` are skipped. A failed compare-and-set did not match.

use std::borrow::Cow;

use super::super::edn::{Reader, Value};
use super::super::read::History;
use super::events::Place;
use super::jepsen::{self, Line};
use super::{BadLine, FailedCas, ImportOptions};

/// What stands before every operation.
pub(super) const MARK: &str = "jepsen.util - ";

pub(super) fn import(text: &str, options: &ImportOptions) -> Result<History, BadLine> {
    jepsen::import(options, FailedCas::Mismatch, |each| {
        for (number, line) in (1..).zip(text.lines()) {
            let bad = |reason| BadLine::new(number, reason);
            let Some((_, operation)) = line.split_once(MARK) else {
                continue;
            };
            if let Some(line) = self::line(number, operation).map_err(bad)?
                && each(line).map_err(bad)?.is_break()
            {
                break;
            }
        }
        Ok(())
    })
}

fn line(number: usize, text: &str) -> Result<Option<Line<'_>>, String> {
    let mut words = text.splitn(4, '\t').map(str::trim);
    let (Some(process), Some(word), Some(f)) = (words.next(), words.next(), words.next()) else {
        return Err(
            "an operation is `process`, `:type`, `:f` and `value` with tabs between".to_owned(),
        );
    };
    if process.starts_with(':') {
        return Ok(None);
    }
    let process: u64 = process
        .parse()
        .map_err(|_| format!("`{process}` is no number of a process"))?;
    let bare = |word: &'_ str| word.trim_start_matches(':').to_owned();
    let value = Reader::new(words.next().unwrap_or_default()).next();
    Ok(Some(Line {
        place: Place {
            line: number,
            index: None,
        },
        process: Value::Number(Cow::Owned(process.to_string())),
        word: Cow::Owned(bare(word)),
        f: Cow::Owned(bare(f)),
        value: value.map_err(|error| error.to_string())?,
        time: None,
    }))
}
