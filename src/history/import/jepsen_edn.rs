//! Jepsen's and Knossos' histories: EDN maps `{:process :type :f :value :time :index}`, one a line,
//! or in a vector or a list. Registers are read, written, and compared and set; a test of many
//! registers has `[key value]` for values.

use clojure_reader::edn::Edn;

use super::super::operation::Kind;
use super::super::read::History;
use super::edn::{field, forms, keyword, name, pair};
use super::events::{Asked, Ended, Events};
use super::{BadLine, FailedCas, ImportOptions};

/// The name of the only register of a test without keys.
const REGISTER: &str = "register";

pub(super) fn import(text: &str, options: &ImportOptions) -> Result<History, BadLine> {
    let mut reader = Reader {
        events: Events::new(options, "nil", FailedCas::NoEffect),
        last_index: None,
        keyed: None,
    };
    let mut last = 1;
    forms(text, |line, form| {
        last = line;
        reader.operation(form)
    })?;
    reader
        .events
        .finish()
        .map_err(|reason| BadLine::new(last, reason))
}

struct Reader<'o> {
    events: Events<'o>,
    last_index: Option<i64>,
    /// Whether values are `[key value]`, once that is known.
    keyed: Option<bool>,
}

impl Reader<'_> {
    fn operation(&mut self, form: &Edn<'_>) -> Result<(), String> {
        if !matches!(super::edn::untagged(form), Edn::Map(_)) {
            return Err("an operation is a map: {:process 0, :type :invoke, …}".to_owned());
        }
        let process = match field(form, "process") {
            Some(Edn::Int(process)) => {
                u64::try_from(*process).map_err(|_| format!("process {process} is negative"))?
            }
            // The nemesis is no process of the store's clients.
            Some(Edn::Key(_)) => return Ok(()),
            _ => return Err("the operation has no :process, a number".to_owned()),
        };
        if let Some(Edn::Int(index)) = field(form, "index") {
            if let Some(last) = self.last_index.filter(|last| last >= index) {
                return Err(format!(
                    ":index {index} comes after :index {last}: sort the file by :index"
                ));
            }
            self.last_index = Some(*index);
        }
        let time = match field(form, "time") {
            Some(Edn::Int(time)) => u64::try_from(*time).ok(),
            _ => None,
        };
        let kind = match keyword(field(form, "f")) {
            Some("read") => Kind::Get,
            Some("write") => Kind::Put,
            Some("cas") => Kind::Cas,
            Some(other) => {
                return Err(format!(
                    ":f :{other} is no operation on a register: only :read, :write and :cas are \
                     judged"
                ));
            }
            None => return Err("the operation has no :f".to_owned()),
        };
        let nil = Edn::Nil;
        let value = field(form, "value").unwrap_or(&nil);
        let ended = match keyword(field(form, "type")) {
            Some("invoke") => {
                let (key, value) = self.split(kind, value)?;
                let asked = asked(kind, value)?;
                return self.events.invoke(process, &key, &asked, time);
            }
            Some("ok") if kind == Kind::Get => {
                let (key, value) = self.split(kind, value)?;
                let ended = Ended::Ok(Some(name(value)));
                return self.events.complete(process, kind, Some(&key), ended, time);
            }
            Some("ok") => Ended::Ok(None),
            Some("fail") => Ended::Fail,
            Some("info") => Ended::Info,
            Some(_) | None => {
                return Err("the :type of an operation is :invoke, :ok, :fail or :info".to_owned());
            }
        };
        self.events.complete(process, kind, None, ended, time)
    }

    /// A value's register, and what is read or written there.
    fn split<'a, 'e>(
        &mut self,
        kind: Kind,
        value: &'a Edn<'e>,
    ) -> Result<(String, &'a Edn<'e>), String> {
        let pair = pair(value).filter(|(_, of_key)| kind != Kind::Cas || pair(of_key).is_some());
        let keyed = pair.is_some();
        if *self.keyed.get_or_insert(keyed) != keyed {
            return Err(
                "some values are [key value] and some are not: a history has one or the other"
                    .to_owned(),
            );
        }
        Ok(match pair {
            Some((key, value)) => (name(key), value),
            None => (REGISTER.to_owned(), value),
        })
    }
}

fn asked(kind: Kind, value: &Edn<'_>) -> Result<Asked, String> {
    match (kind, pair(value)) {
        (Kind::Get, _) => Ok(Asked::Get),
        (Kind::Cas, Some((expected, value))) => Ok(Asked::Cas(name(expected), name(value))),
        (Kind::Cas, None) => Err("the :value of a :cas is [expected new]".to_owned()),
        (Kind::Put | Kind::Append, _) => Ok(Asked::Put(name(value))),
    }
}
