//! Jepsen's operations as JSON objects, as elle-cli ships them: `{"process": 0, "type": "invoke",
//! "f": "read", "value": null}`, one after another or in an array. They mean what the maps of
//! `history.edn` mean; names may have their colons.

use std::borrow::Cow;
use std::ops::ControlFlow;

use super::super::edn::Value;
use super::super::read::History;
use super::jepsen;
use super::jepsen_edn::{self, Fields};
use super::json::values;
use super::{BadLine, FailedCas, ImportOptions};

/// Fields whose strings are names.
const NAMES: [&str; 2] = ["type", "f"];
/// The process that is no client.
const NEMESIS: &str = "nemesis";

pub(super) fn import(text: &str, options: &ImportOptions) -> Result<History, BadLine> {
    jepsen::import(options, FailedCas::NoEffect, |each| {
        let mut record = 0;
        values(text, |number, value| {
            record += 1;
            match jepsen_edn::line(number, record, fields(value)?)? {
                Some(line) => each(line),
                None => Ok(ControlFlow::Continue(())),
            }
        })
    })
}

/// The fields that `history.edn` has for an object.
fn fields(value: Value<'static>) -> Result<Fields<'static>, String> {
    let Value::Map(entries) = value else {
        return Err(
            "an operation is an object: {\"process\": 0, \"type\": \"invoke\", …}".to_owned(),
        );
    };
    let entries = entries.into_iter().map(|(name, value)| {
        let name = name.text().unwrap_or_default();
        let name = name.trim_start_matches(':').to_owned();
        let value = match value.text() {
            Some(text) if NAMES.contains(&name.as_str()) => keyword(text),
            Some(text) if name == "process" && text.trim_start_matches(':') == NEMESIS => {
                keyword(text)
            }
            Some(_) | None => value,
        };
        (keyword(&name), value)
    });
    Ok(Fields::from_entries(entries.collect()))
}

fn keyword(text: &str) -> Value<'static> {
    Value::Keyword(Cow::Owned(text.trim_start_matches(':').to_owned()))
}
