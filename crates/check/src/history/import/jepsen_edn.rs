//! Jepsen's and Knossos' histories: EDN maps `{:process :type :f :value :time :index}`, one a line,
//! or in a vector or a list. Registers are read, written, and compared and set; a test of many
//! registers has `[key value]` for values.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::super::edn::Value;
use super::super::read::History;
use super::edn::forms;
use super::events::Place;
use super::jepsen::{self, Line};
use super::{BadLine, FailedCas, ImportOptions};

pub(super) fn import(text: &str, options: &ImportOptions) -> Result<History, BadLine> {
    jepsen::import(options, FailedCas::NoEffect, |each| {
        let mut record = 0;
        forms(text, |number, form| {
            record += 1;
            let Some(fields) = Fields::of(form) else {
                return Err("an operation is a map: {:process 0, :type :invoke, …}".to_owned());
            };
            match line(number, record, fields)? {
                Some(line) => each(line),
                None => Ok(ControlFlow::Continue(())),
            }
        })
    })
}

/// The operation that has these fields; `None` for one of the nemesis, which is no client.
pub(super) fn line(
    number: usize,
    record: usize,
    mut fields: Fields<'_>,
) -> Result<Option<Line<'_>>, String> {
    let process = match fields.take("process") {
        // Clients have numbers; some tools name them.
        Some(process @ (Value::Int(_) | Value::Number(_) | Value::Text(_))) => process,
        Some(Value::Keyword(_)) => return Ok(None),
        _ => return Err("the operation has no :process, a number or a string".to_owned()),
    };
    let index = fields.int("index");
    let time = fields.int("time");
    Ok(Some(Line {
        place: Place {
            line: number,
            record,
            index,
        },
        process,
        f: fields.keyword("f").unwrap_or_default(),
        word: fields.keyword("type").unwrap_or_default(),
        key: fields.take("key"),
        value: fields.take("value"),
        error: false,
        time: time.and_then(|time| u64::try_from(time).ok()),
    }))
}

/// The fields of an operation.
pub(super) struct Fields<'t>(Vec<(Value<'t>, Value<'t>)>);

impl<'t> Fields<'t> {
    /// Those of a map, or of a record.
    pub(super) fn of(mut form: Value<'t>) -> Option<Self> {
        while let Value::Tagged(_, inner) = form {
            form = *inner;
        }
        if let Value::Map(entries) = form {
            Some(Self(entries))
        } else {
            None
        }
    }

    pub(super) const fn from_entries(entries: Vec<(Value<'t>, Value<'t>)>) -> Self {
        Self(entries)
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value<'t>> {
        let mut entries = self.0.iter_mut();
        let entry = entries.find(|(key, _)| key.keyword() == Some(name));
        entry.map(|(_, value)| std::mem::take(value))
    }

    pub(super) fn keyword(&mut self, name: &str) -> Option<Cow<'t, str>> {
        if let Some(Value::Keyword(word)) = self.take(name) {
            Some(word)
        } else {
            None
        }
    }

    pub(super) fn int(&mut self, name: &str) -> Option<i64> {
        if let Some(Value::Int(int)) = self.take(name) {
            Some(int)
        } else {
            None
        }
    }
}
