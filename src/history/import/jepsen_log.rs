//! Jepsen's log lines: `INFO  jepsen.util - <process>\t<type>\t<f>\t<value>`. One register, nil at
//! first; lines that are not of `jepsen.util` are skipped. A failed compare-and-set did not match.

use super::super::operation::Kind;
use super::super::read::History;
use super::events::{Asked, Ended, Events};
use super::{BadLine, FailedCas, ImportOptions};

/// What stands before every operation.
pub(super) const MARK: &str = "jepsen.util - ";
/// The name of the one register.
const REGISTER: &str = "register";

pub(super) fn import(text: &str, options: &ImportOptions) -> Result<History, BadLine> {
    let mut events = Events::new(options, "nil", FailedCas::Mismatch);
    let mut last = 1;
    for (number, line) in (1..).zip(text.lines()) {
        last = number;
        if let Some((_, operation)) = line.split_once(MARK) {
            self::operation(&mut events, operation)
                .map_err(|reason| BadLine::new(number, reason))?;
        }
    }
    events.finish().map_err(|reason| BadLine::new(last, reason))
}

fn operation(events: &mut Events<'_>, line: &str) -> Result<(), String> {
    let mut words = line.split('\t').map(str::trim);
    let (Some(process), Some(word), Some(f)) = (words.next(), words.next(), words.next()) else {
        return Err(
            "an operation is `process`, `:type`, `:f` and `value` with tabs between".to_owned(),
        );
    };
    if process.starts_with(':') {
        return Ok(());
    }
    let process: u64 = process
        .parse()
        .map_err(|_| format!("`{process}` is no number of a process"))?;
    let kind = match f {
        ":read" => Kind::Get,
        ":write" => Kind::Put,
        ":cas" => Kind::Cas,
        other => {
            return Err(format!(
                "{other} is no operation on a register: only :read, :write and :cas are judged"
            ));
        }
    };
    let value = words.next().unwrap_or("nil");
    let ended = match word {
        ":invoke" => {
            let asked = asked(kind, value)?;
            return events.invoke(process, REGISTER, &asked, None);
        }
        ":ok" => Ended::Ok((kind == Kind::Get).then(|| value.to_owned())),
        ":fail" => Ended::Fail,
        ":info" => Ended::Info,
        other => {
            return Err(format!(
                "{other} is no type of an operation: :invoke, :ok, :fail and :info are"
            ));
        }
    };
    events.complete(process, kind, None, ended, None)
}

fn asked(kind: Kind, value: &str) -> Result<Asked, String> {
    if kind == Kind::Get {
        return Ok(Asked::Get);
    }
    if kind == Kind::Put {
        return Ok(Asked::Put(value.to_owned()));
    }
    value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .and_then(|pair| {
            pair.trim()
                .split_once(|c: char| c.is_whitespace() || c == ',')
        })
        .map(|(expected, new)| {
            let bare = |text: &str| {
                text.trim_matches(|c: char| c.is_whitespace() || c == ',')
                    .to_owned()
            };
            Asked::Cas(bare(expected), bare(new))
        })
        .ok_or_else(|| format!("`{value}` is no [expected new] of a :cas"))
}
