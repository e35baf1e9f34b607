//! Porcupine's key-value logs: EDN maps `{:process 9, :type :invoke, :f :append, :key "0", :value
//! "x"}`, one a line, in the order of time. An append writes what the key held with the value after
//! it; keys hold the empty text at first, and a get of nil is one of the empty text.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::super::edn::Value;
use super::super::operation::Kind;
use super::super::read::History;
use super::edn::forms;
use super::events::{Action, Ended, Event, Events, Place};
use super::jepsen_edn::Fields;
use super::{BadLine, FailedCas, ImportOptions};

const NIL: Value<'static> = Value::Nil;
const EMPTY: Value<'static> = Value::Text(Cow::Borrowed(""));

pub(super) fn import(text: &str, options: &ImportOptions) -> Result<History, BadLine> {
    let mut reader = Reader {
        events: Events::new(options, &EMPTY, FailedCas::NoEffect),
        appends: false,
        no_text: None,
    };
    if let Some(initial) = options
        .initial
        .as_ref()
        .filter(|value| value.text().is_none())
    {
        reader.no_text = Some((1, initial.to_string()));
    }
    let mut record = 0;
    forms(text, |line, form| {
        record += 1;
        reader.operation(line, record, form)?;
        Ok(ControlFlow::Continue(()))
    })?;
    match reader.no_text {
        Some((line, value)) if reader.appends => {
            let reason = format!("{value} is no string, and the history appends to strings");
            Err(BadLine::new(line, reason))
        }
        Some(_) | None => reader.events.finish(),
    }
}

struct Reader<'o> {
    events: Events<'o>,
    /// Something is appended somewhere.
    appends: bool,
    /// The first value that is no string, and its line.
    no_text: Option<(usize, String)>,
}

impl Reader<'_> {
    fn operation(&mut self, line: usize, record: usize, form: Value<'_>) -> Result<(), String> {
        let Some(mut fields) = Fields::of(form) else {
            return Err("an operation is a map: {:process 0, :type :invoke, …}".to_owned());
        };
        let process = match fields.take("process") {
            Some(process @ (Value::Int(_) | Value::Number(_))) => process,
            Some(Value::Keyword(_)) => return Ok(()),
            _ => return Err("the operation has no :process, a number".to_owned()),
        };
        let kind = match fields.keyword("f").as_deref() {
            Some("get") => Kind::Get,
            Some("put") => Kind::Put,
            Some("append") => Kind::Append,
            Some(_) | None => {
                return Err("the :f of an operation is :get, :put or :append".to_owned());
            }
        };
        let key = fields.take("key");
        let key = key.ok_or_else(|| "the operation has no :key".to_owned())?;
        let value = fields.take("value").unwrap_or_default();
        self.appends |= kind == Kind::Append;
        if value != NIL && value.text().is_none() {
            self.no_text
                .get_or_insert_with(|| (line, value.to_string()));
        }
        let event = Event {
            process: &process,
            place: Place {
                line,
                record,
                index: None,
            },
            time: None,
        };
        match fields.keyword("type").as_deref() {
            Some("invoke") if kind != Kind::Get && value == NIL => {
                Err(format!("the {kind} has no :value"))
            }
            Some("invoke") => self.events.invoke(&event, &key, action(kind, &value)),
            Some("ok") => {
                let found = if value == NIL { &EMPTY } else { &value };
                self.events
                    .complete(&event, kind, Ended::Ok(&key, action(kind, found)))
            }
            Some("fail") => self.events.complete(&event, kind, Ended::Fail),
            Some("info") => self.events.complete(&event, kind, Ended::Info),
            Some(_) | None => {
                Err("the :type of an operation is :invoke, :ok, :fail or :info".to_owned())
            }
        }
    }
}

const fn action<'v>(kind: Kind, value: &'v Value<'v>) -> Action<'v> {
    match kind {
        Kind::Get | Kind::Cas => Action::Get(value),
        Kind::Put => Action::Put(value),
        Kind::Append => Action::Append(value),
    }
}
