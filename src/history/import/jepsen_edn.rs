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
        forms(text, |number, form| match line(number, form)? {
            Some(line) => each(line),
            None => Ok(ControlFlow::Continue(())),
        })
    })
}

/// The operation that a form is; `None` for one of the nemesis, which is no client.
fn line(number: usize, form: Value<'_>) -> Result<Option<Line<'_>>, String> {
    let Some(mut fields) = Fields::of(form) else {
        return Err("an operation is a map: {:process 0, :type :invoke, …}".to_owned());
    };
    let process = match fields.take("process") {
        Some(process @ (Value::Int(_) | Value::Number(_))) => process,
        Some(Value::Keyword(_)) => return Ok(None),
        _ => return Err("the operation has no :process, a number".to_owned()),
    };
    let index = fields.int("index");
    let time = fields.int("time");
    let f = fields.keyword("f");
    Ok(Some(Line {
        place: Place {
            line: number,
            index,
        },
        process,
        f: f.ok_or_else(|| "the operation has no :f".to_owned())?,
        word: fields.keyword("type").unwrap_or_default(),
        value: fields.take("value"),
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
