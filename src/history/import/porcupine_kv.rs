//! Porcupine's key-value logs: EDN maps `{:process 9, :type :invoke, :f :append, :key "0", :value
//! "x"}`, one a line, in the order of time. An append writes what the key held with the value after
//! it; keys hold the empty text at first.

use clojure_reader::edn::Edn;

use super::super::operation::Kind;
use super::super::read::History;
use super::edn::{field, forms, keyword, name};
use super::events::{Asked, Ended, Events};
use super::{BadLine, FailedCas, ImportOptions};

pub(super) fn import(text: &str, options: &ImportOptions) -> Result<History, BadLine> {
    let mut events = Events::new(options, "", FailedCas::NoEffect);
    let mut last = 1;
    forms(text, |line, form| {
        last = line;
        operation(&mut events, form)
    })?;
    events.finish().map_err(|reason| BadLine::new(last, reason))
}

fn operation(events: &mut Events<'_>, form: &Edn<'_>) -> Result<(), String> {
    let process = match field(form, "process") {
        Some(Edn::Int(process)) => {
            u64::try_from(*process).map_err(|_| format!("process {process} is negative"))?
        }
        Some(Edn::Key(_)) => return Ok(()),
        _ => return Err("the operation has no :process, a number".to_owned()),
    };
    let kind = match keyword(field(form, "f")) {
        Some("get") => Kind::Get,
        Some("put") => Kind::Put,
        Some("append") => Kind::Append,
        Some(_) | None => return Err("the :f of an operation is :get, :put or :append".to_owned()),
    };
    let key = field(form, "key").map(name);
    let key = key.ok_or_else(|| "the operation has no :key".to_owned())?;
    let value = match field(form, "value") {
        Some(Edn::Nil) | None => None,
        Some(value) => Some(name(value)),
    };
    let ended = match keyword(field(form, "type")) {
        Some("invoke") => {
            let missing = || format!("the {kind} has no :value");
            let asked = match kind {
                Kind::Append => Asked::Append(value.ok_or_else(missing)?),
                Kind::Put => Asked::Put(value.ok_or_else(missing)?),
                Kind::Get | Kind::Cas => Asked::Get,
            };
            return events.invoke(process, &key, &asked, None);
        }
        Some("ok") => Ended::Ok((kind == Kind::Get).then(|| value.unwrap_or_default())),
        Some("fail") => Ended::Fail,
        Some("info") => Ended::Info,
        Some(_) | None => {
            return Err("the :type of an operation is :invoke, :ok, :fail or :info".to_owned());
        }
    };
    events.complete(process, kind, Some(&key), ended, None)
}
