//! A store as a TOML file: how it is started, spoken to and broken, and what it promises.

mod problems;
mod tables;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use kvs_check::checker::Model;
use kvs_load::nemesis::FaultKind;
use kvs_target::{Reads, Sessions, Writes};

use super::template::Template;

pub(super) use tables::{
    Adapter, Auth, Choice, From, Init, Nodes, On, Primary, Process, Read, Ready, SessionsTable, To,
    Write,
};

/// The most nodes of a store.
pub const NODES_MAX: u16 = 64;
/// The port that clients connect to.
pub(super) const CLIENT_PORT: &str = "client";

/// What a store's file says. Only `name`, `promise` and `[adapter]` are required.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// What the verdict holds it to: any model of the ladder.
    pub promise: Model,
    /// What its own documentation says of that, shown beside the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub says: Option<String>,
    /// How it is spoken to.
    pub adapter: Adapter,
    /// Its nodes; without them the store runs already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodes: Option<Nodes>,
    /// Programs of its nodes beside `nodes.start`, or instead of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub process: Vec<Process>,
    /// Files that are written to each node's directory before `nodes.start` is run: templates by
    /// their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Template>,
    /// What is done once when all programs are ready.
    #[serde(default, skip_serializing_if = "Init::is_none")]
    pub init: Init,
    /// Where reads go.
    #[serde(default)]
    pub read: Read,
    /// Where writes go.
    #[serde(default)]
    pub write: Write,
    /// How to ask which node takes writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<Primary>,
    /// Words of the store's own that `--set store.NAME=VALUE` sets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, Choice>,
    /// The faults that it can take; when absent, every fault that its nodes can have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub faults: BTreeMap<FaultKind, bool>,
    /// The package that each program is in, for whoever lacks it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, String>,
    /// The environment variables that hold what clients prove themselves with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
}

/// What is wrong with a store's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong(pub String);

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

impl Definition {
    /// Reads a file's text.
    ///
    /// # Errors
    /// When it is no TOML, has fields that nobody knows, or contradicts itself.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let parsed: Result<Self, _> = toml::from_str(text);
        let definition = parsed.map_err(|error| Wrong(error.to_string().trim_end().to_owned()))?;
        definition
            .problem()
            .map_or(Ok(definition), |problem| Err(Wrong(problem)))
    }

    /// How many nodes it has when it is started here.
    #[must_use]
    pub fn count(&self) -> u16 {
        self.nodes.as_ref().map_or(1, |nodes| nodes.count)
    }

    /// Whether this program starts it.
    #[must_use]
    pub fn is_started(&self) -> bool {
        { &self.nodes }
            .as_ref()
            .is_some_and(|nodes| !nodes.start.is_empty())
            || !self.process.is_empty()
    }

    /// The name of the port that clients connect to.
    #[must_use]
    pub fn client_port(&self) -> &str {
        let ports = self.nodes.as_ref().map_or(&[][..], |nodes| &nodes.ports);
        let named = ports.iter().find(|port| *port == CLIENT_PORT);
        named
            .or_else(|| ports.first())
            .map_or(CLIENT_PORT, String::as_str)
    }

    /// Where its reads go, as targets have it.
    #[must_use]
    pub const fn reads(&self) -> Reads {
        match self.read.from {
            From::Any => Reads::AsAsked,
            From::Primary => Reads::Primary,
            From::Unknown => Reads::Unknown,
        }
    }

    /// Where its writes go, as targets have it.
    #[must_use]
    pub const fn writes(&self) -> Writes {
        match self.write.to {
            To::Any => Writes::Any,
            To::Primary => Writes::Primary,
        }
    }

    /// What shares a connection, as targets have it.
    #[must_use]
    pub const fn sessions(&self) -> Sessions {
        match self.adapter.session {
            SessionsTable::Shared => Sessions::Shared,
            SessionsTable::Own => Sessions::Own,
        }
    }

    /// What it promises when its options are these.
    #[must_use]
    pub fn promise_with(&self, options: &BTreeMap<String, String>) -> Model {
        let named = self
            .options
            .iter()
            .find_map(|(name, choice)| choice.promises.get(options.get(name)?).copied());
        named.unwrap_or(self.promise)
    }

    /// Its options with those that are given set.
    ///
    /// # Errors
    /// When there is no such option, or it cannot be that.
    pub fn options_with(
        &self,
        given: &[(String, String)],
    ) -> Result<BTreeMap<String, String>, Wrong> {
        let defaults = self.options.iter();
        let mut options: BTreeMap<String, String> = defaults
            .map(|(name, choice)| (name.clone(), choice.default.clone()))
            .collect();
        for (name, value) in given {
            let Some(choice) = self.options.get(name) else {
                let known: Vec<String> = self
                    .options
                    .keys()
                    .map(|name| format!("store.{name}"))
                    .collect();
                let known = if known.is_empty() {
                    "it has none".to_owned()
                } else {
                    format!("it has {}", known.join(", "))
                };
                return Err(Wrong(format!(
                    "{} has no option store.{name}: {known}",
                    self.name
                )));
            };
            if !choice.values.is_empty() && !choice.values.contains(value) {
                return Err(Wrong(format!(
                    "store.{name} cannot be {value:?}: choose one of {}",
                    choice.values.join(", ")
                )));
            }
            options.insert(name.clone(), value.clone());
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = "name = \"mine\"\npromise = \"linearizable\"\n";

    #[track_caller]
    fn refused(text: &str, told: &str) {
        let wrong = Definition::parse(text).expect_err(text);
        assert!(wrong.0.contains(told), "{wrong}");
    }

    #[test]
    fn a_name_a_promise_and_an_adapter_are_enough() {
        let text = format!("{LEAST}[adapter]\ncommand = [\"./mine\"]\n");
        let definition = Definition::parse(&text).expect("a definition");
        assert!(!definition.is_started());
        assert_eq!(definition.count(), 1);
        assert_eq!(definition.client_port(), "client");
        refused(LEAST, "adapter");
        refused(
            "name = \"mine\"\n[adapter]\nbuiltin = \"redis\"\n",
            "promise",
        );
    }

    #[test]
    fn what_contradicts_itself_is_refused_in_words() {
        refused(&format!("{LEAST}[adapter]\n"), "either `builtin`");
        let with = |rest: &str| format!("{LEAST}[adapter]\nbuiltin = \"redis\"\n{rest}");
        refused(&with("[nodes]\ncount = 0\n"), "from 1 to 64");
        refused(&with("[auth]\nuser = \"NAME\"\n"), "`password`");
        refused(&with("[write]\nto = \"primary\"\n"), "add [primary]");
        refused(&with("[nodes]\nready = { tcp = \"bus\" }\n"), "\"bus\"");
        refused(
            &with("[nodes]\nready = { expect = \"x\" }\n"),
            "one of `tcp`",
        );
        refused(
            &with("[nodes]\n[[process]]\nname = \"p\"\nstart = [\"p\"]\non = 3\n"),
            "not there",
        );
        refused(
            &with("[options.level]\ndefault = \"a\"\nvalues = [\"b\"]\n"),
            "not among its values",
        );
        refused(&with("[nodes]\ncuont = 3\n"), "cuont");
    }

    #[test]
    fn options_are_set_by_name_and_some_change_the_promise() {
        let text = format!(
            "{LEAST}[adapter]\nbuiltin = \"redis\"\n[options.level]\ndefault = \"strong\"\n\
             values = [\"strong\", \"weak\"]\npromises = {{ weak = \"eventual\" }}\n"
        );
        let definition = Definition::parse(&text).expect("a definition");
        let set = |name: &str, value: &str| {
            definition.options_with(&[(name.to_owned(), value.to_owned())])
        };
        let none = definition.options_with(&[]).expect("the defaults");
        assert_eq!(none["level"], "strong");
        assert_eq!(definition.promise_with(&none), Model::Linearizable);
        let weak = set("level", "weak").expect("a value");
        assert_eq!(definition.promise_with(&weak), Model::Eventual);
        assert!(
            set("level", "x")
                .expect_err("no value")
                .0
                .contains("strong, weak")
        );
        assert!(
            set("x", "1")
                .expect_err("no option")
                .0
                .contains("store.level")
        );
    }
}
