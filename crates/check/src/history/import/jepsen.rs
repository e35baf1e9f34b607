//! Jepsen's operations on registers, from whatever they were written in: EDN, a log, JSON.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::super::edn::Value;
use super::super::operation::Kind;
use super::super::read::History;
use super::events::{Action, Ended, Event, Events, Place};
use super::shape::{Finder, Shape, keyed};
use super::versions::Versions;
use super::{BadLine, FailedCas, ImportOptions, micro, others};

/// The name of the only register of a test without keys.
const REGISTER: Value<'static> = Value::Symbol(Cow::Borrowed("register"));
const NIL: Value<'static> = Value::Nil;

/// One line of a history: an operation of a client is invoked or completed.
#[derive(Clone, Debug)]
pub(super) struct Line<'t> {
    pub(super) place: Place,
    pub(super) process: Value<'t>,
    /// `invoke`, `ok`, `fail` or `info`, without a colon.
    pub(super) word: Cow<'t, str>,
    /// What is done, without a colon: `read`, `write`, `cas`; empty where the line does not say it.
    pub(super) f: Cow<'t, str>,
    /// The register, where the line has it apart from the value.
    pub(super) key: Option<Value<'t>>,
    /// `None` where the line says no value.
    pub(super) value: Option<Value<'t>>,
    /// An error stands on the line, of which no more is known.
    pub(super) error: bool,
    /// In ns.
    pub(super) time: Option<u64>,
}

/// What is given each line, in the order of the file.
pub(super) type Each<'e, 't> = dyn FnMut(Line<'t>) -> Result<ControlFlow<()>, String> + 'e;

/// Imports the history whose lines `scan` gives. It is asked twice: the shape of the values is not
/// known before a line tells it. Lines of the nemesis are left out by `scan`.
pub(super) fn import<'t>(
    options: &ImportOptions,
    failed_cas: FailedCas,
    scan: impl Fn(&mut Each<'_, 't>) -> Result<(), BadLine>,
) -> Result<History, BadLine> {
    let mut finder = Finder::default();
    // A line that cannot be read is reported by the second scan, which reads in order.
    drop(scan(&mut |line| {
        let line = plain(line)?;
        let kind = kind(&line)?;
        let value = line.value.as_ref().unwrap_or(&NIL);
        Ok(finder.see(&line.process, &line.word, kind, value))
    }));
    let mut reader = Reader {
        events: Events::new(options, &NIL, failed_cas),
        shape: finder.shape(),
        versions: Versions::default(),
        last_index: None,
        failed_cas_is_told: options.failed_cas.is_some(),
    };
    let mut last = 0;
    scan(&mut |line| {
        let (number, record) = (line.place.line, line.place.record);
        let shares_line = std::mem::replace(&mut last, number) == number;
        let said = plain(line).and_then(|line| reader.line(&line));
        said.map_err(|reason| {
            if shares_line {
                format!("record {record}: {reason}")
            } else {
                reason
            }
        })?;
        Ok(ControlFlow::Continue(()))
    })?;
    reader.events.finish()
}

/// The line with its key in its value, and for a transaction of one operation that operation.
fn plain(line: Line<'_>) -> Result<Line<'_>, String> {
    let mut line = micro::single(line)?;
    let says_nothing = line.value.is_none() && line.f != "read";
    if let Some(key) = line.key.take().filter(|_| !says_nothing) {
        let value = line.value.take().unwrap_or_default();
        let has_key = value.pair().is_some_and(|(first, _)| *first == key);
        line.value = Some(if has_key {
            value
        } else {
            Value::Sequence(vec![key, value])
        });
    }
    Ok(line)
}

/// The kind of an operation on a register.
fn kind(line: &Line<'_>) -> Result<Kind, String> {
    match line.f.as_ref() {
        "read" => Ok(Kind::Get),
        "write" => Ok(Kind::Put),
        "cas" => Ok(Kind::Cas),
        "" => Err("the operation has no :f".to_owned()),
        other => Err(others::not_a_register(other)),
    }
}

struct Reader<'o> {
    events: Events<'o>,
    shape: Shape,
    versions: Versions,
    last_index: Option<i64>,
    /// The caller says what a failed compare-and-set means.
    failed_cas_is_told: bool,
}

impl Reader<'_> {
    fn line(&mut self, line: &Line<'_>) -> Result<(), String> {
        self.index(line.place.index)?;
        let kind = kind(line)?;
        let event = Event {
            process: &line.process,
            place: line.place,
            time: line.time,
        };
        let value = line.value.as_ref();
        match line.word.as_ref() {
            "invoke" => {
                let (key, _, value) = self.split(kind, value.unwrap_or(&NIL))?;
                self.versions.invoke(&event, key);
                self.events.invoke(&event, key, action(kind, value)?)
            }
            "ok" if value.is_none() && kind != Kind::Get => {
                self.events.complete(&event, kind, Ended::OkAsAsked)
            }
            "ok" => {
                let (key, version, value) = self.split(kind, value.unwrap_or(&NIL))?;
                let action = action(kind, value)?;
                let ended = Ended::Ok(key, action);
                self.events.complete(&event, kind, ended)?;
                version.map_or(Ok(()), |version| {
                    self.versions.ok(&event, key, version, action)
                })
            }
            "fail" if line.error && !self.failed_cas_is_told => {
                self.events.complete(&event, kind, Ended::FailByError)
            }
            "fail" => self.events.complete(&event, kind, Ended::Fail),
            "info" => self.events.complete(&event, kind, Ended::Info),
            _ => Err("the :type of an operation is :invoke, :ok, :fail or :info".to_owned()),
        }
    }

    fn index(&mut self, index: Option<i64>) -> Result<(), String> {
        let Some(index) = index else {
            return Ok(());
        };
        if let Some(last) = self.last_index.filter(|last| *last >= index) {
            return Err(format!(
                ":index {index} comes after :index {last}: sort the file by :index"
            ));
        }
        self.last_index = Some(index);
        Ok(())
    }

    /// A value's register, the version that it gives, and what is read or written there.
    fn split<'v>(&self, kind: Kind, value: &'v Value<'v>) -> Result<Split<'v>, String> {
        let keyed = keyed(kind, value);
        match (self.shape, keyed) {
            (Shape::One, _) | (Shape::OneWithoutPairs, None) => Ok((&REGISTER, None, value)),
            (Shape::Keyed, Some((key, value))) => Ok((key, None, value)),
            (Shape::Keyed, None) | (Shape::OneWithoutPairs, Some(_)) => Err(
                "some values are [key value] and some are not: a history has one or the other"
                    .to_owned(),
            ),
            (Shape::Versioned, _) => value
                .pair()
                .and_then(|(key, of_key)| {
                    let (version, value) = of_key.pair()?;
                    Some((key, Some(version), value))
                })
                .ok_or_else(|| {
                    "some values are [key [version value]] and some are not: a history has one or \
                     the other"
                        .to_owned()
                }),
        }
    }
}

/// A register, a version and a value.
type Split<'v> = (&'v Value<'v>, Option<&'v Value<'v>>, &'v Value<'v>);

fn action<'v>(kind: Kind, value: &'v Value<'v>) -> Result<Action<'v>, String> {
    match (kind, value.pair()) {
        (Kind::Get, _) => Ok(Action::Get(value)),
        (Kind::Cas, Some((expected, value))) => Ok(Action::Cas(expected, value)),
        (Kind::Cas, None) => Err("the :value of a :cas is [expected new]".to_owned()),
        (Kind::Put | Kind::Append, _) => Ok(Action::Put(value)),
    }
}
