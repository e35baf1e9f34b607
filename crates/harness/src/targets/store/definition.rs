//! A store as a TOML file: how it is started, spoken to and broken, and what it promises.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use kvs_check::checker::Model;
use kvs_load::nemesis::FaultKind;
use kvs_load::workload::humane;
use kvs_target::{Reads, Sessions, Writes};

use super::template::Template;

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

/// How a store is spoken to: exactly one of `builtin` and `command`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Adapter {
    /// A client of this program's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<String>,
    /// A program that speaks the adapter protocol on its standard input and output.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// What shares a connection, or an adapter's process.
    #[serde(default, skip_serializing_if = "SessionsTable::is_shared")]
    pub session: SessionsTable,
}

/// What shares a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionsTable {
    /// All sessions share one connection to each node.
    #[default]
    Shared,
    /// Each session has its own.
    Own,
}

/// The nodes of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    /// How many there are, 1 to [`NODES_MAX`].
    #[serde(default = "one")]
    pub count: u16,
    /// The program that each node runs, with its arguments; templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<Template>,
    /// The names of the ports that each node needs. Clients connect to the one named `client`, or
    /// to the first.
    #[serde(default = "client_port")]
    pub ports: Vec<String>,
    /// When a node serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// The command that prints the store's version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version: Vec<String>,
    /// Variables of the environment of the nodes' programs; templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, Template>,
}

/// One more program of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Its name, for its log.
    pub name: String,
    /// The program with its arguments; templates.
    pub start: Vec<Template>,
    /// The nodes that run it.
    #[serde(default)]
    pub on: On,
    /// When it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// Files that are written to the directories of its nodes before it starts: templates by their
    /// names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, Template>,
}

/// The nodes that run a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum On {
    /// The node of this number, from 0.
    Node(u16),
    /// The nodes of these numbers.
    Nodes(Vec<u16>),
    /// Every node.
    #[default]
    #[serde(with = "each")]
    Each,
}

/// When a program is ready: a port is open and answers, or a command succeeds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// The name of a port that must take connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<String>,
    /// What is sent over it, `PING` and a line's end when only `expect` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub send: Option<String>,
    /// The name of a port that must answer an HTTP request with success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// The path of that request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A command that must end well; a template.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<Template>,
    /// What the answer, or what the command prints, must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expect: Option<String>,
    /// How long it may take until it serves, such as `90s`; a minute when absent.
    #[serde(
        default,
        with = "humane::optional_duration",
        skip_serializing_if = "Option::is_none"
    )]
    pub within: Option<Duration>,
}

/// What is done once when all programs are ready.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// Commands that are run in their order, as on node 0; templates. Each must end well.
    #[serde(default)]
    pub commands: Vec<Vec<Template>>,
}

/// Where reads go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// From which node.
    pub from: From,
}

/// Which node answers a read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum From {
    /// The node of the session.
    #[default]
    Any,
    /// The primary.
    Primary,
    /// A node that the store, or the adapter, chooses.
    Unknown,
}

/// Where writes go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Write {
    /// To which node.
    pub to: To,
}

/// Which node takes a write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum To {
    /// The node of the session.
    #[default]
    Any,
    /// The primary.
    Primary,
}

/// How to ask which node takes writes: exactly one of `builtin` and `command`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Primary {
    /// A way of this program's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builtin: Option<String>,
    /// A command that prints the name of the node, or its host and client port; a template, filled
    /// in for each node in turn until one knows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<Template>,
}

/// A word of the store's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What it is when nobody says.
    pub default: String,
    /// What it may be; anything when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// What it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// What the store promises instead when the word is this.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub promises: BTreeMap<String, Model>,
}

/// The environment variables that hold what clients prove themselves with. What they hold stands on
/// no command line and in no record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The variable with the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The variable with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
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

    fn problem(&self) -> Option<String> {
        let Adapter {
            builtin, command, ..
        } = &self.adapter;
        if self.name.is_empty() {
            return Some("name is empty: give the store a name".to_owned());
        }
        if builtin.is_some() != command.is_empty() {
            return Some(
                "[adapter] needs either `builtin`, a client of kvs-bench's own, or `command`, a \
                 program that speaks the adapter protocol"
                    .to_owned(),
            );
        }
        if let Some(primary) = &self.primary
            && primary.builtin.is_some() != primary.command.is_empty()
        {
            return Some("[primary] needs either `builtin` or `command`".to_owned());
        }
        if { self.auth.as_ref() }.is_some_and(|auth| auth.password.is_none()) {
            return Some(
                "[auth] needs `password`, the name of the environment variable that holds it"
                    .to_owned(),
            );
        }
        let goes_there = self.write.to == To::Primary || self.read.from == From::Primary;
        if goes_there && self.primary.is_none() {
            return Some(
                "[read] or [write] goes to the primary, and nothing says how to ask which node that \
                 is: add [primary]"
                    .to_owned(),
            );
        }
        self.nodes_problem().or_else(|| self.options_problem())
    }

    fn nodes_problem(&self) -> Option<String> {
        let count = self.count();
        if !(1..=NODES_MAX).contains(&count) {
            return Some(format!(
                "nodes.count is {count}: it must be from 1 to {NODES_MAX}"
            ));
        }
        if self.nodes.is_none() && !self.process.is_empty() {
            return Some("[[process]] needs [nodes]: how many nodes are there?".to_owned());
        }
        let ports = self.nodes.as_ref().map_or(&[][..], |nodes| &nodes.ports);
        let known = |port: &String| ports.contains(port);
        let readies = { &self.nodes }
            .iter()
            .filter_map(|nodes| nodes.ready.as_ref());
        let readies = readies.chain(self.process.iter().filter_map(|it| it.ready.as_ref()));
        for ready in readies {
            let named = ready.tcp.iter().chain(&ready.http);
            if let Some(port) = named.clone().find(|port| !known(port)) {
                return Some(format!(
                    "ready asks the port {port:?}, which nodes.ports has not"
                ));
            }
            if named.count() + usize::from(!ready.command.is_empty()) != 1 {
                return Some("ready needs one of `tcp`, `http` and `command`".to_owned());
            }
        }
        let outside = |process: &&Process| match &process.on {
            On::Each => false,
            On::Node(node) => *node >= count,
            On::Nodes(nodes) => nodes.iter().any(|node| *node >= count),
        };
        let process = self.process.iter().find(outside)?;
        Some(format!(
            "the process {:?} runs on a node that is not there: there are {count}, from 0 on",
            process.name
        ))
    }

    fn options_problem(&self) -> Option<String> {
        let (name, choice) = self.options.iter().find(|(_, choice)| {
            !choice.values.is_empty() && !choice.values.contains(&choice.default)
        })?;
        Some(format!(
            "the default of options.{name}, {:?}, is not among its values",
            choice.default
        ))
    }
}

impl On {
    /// Whether a node runs it.
    #[must_use]
    pub fn has(&self, node: u16) -> bool {
        match self {
            Self::Each => true,
            Self::Node(own) => *own == node,
            Self::Nodes(nodes) => nodes.contains(&node),
        }
    }
}

impl Init {
    fn is_none(&self) -> bool {
        self.commands.is_empty()
    }
}

impl SessionsTable {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    fn is_shared(&self) -> bool {
        *self == Self::Shared
    }
}

const fn one() -> u16 {
    1
}

fn client_port() -> Vec<String> {
    vec![CLIENT_PORT.to_owned()]
}

/// The word `each`.
mod each {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("each")
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "each" => Ok(()),
            other => Err(D::Error::custom(format!(
                "{other:?} is neither \"each\" nor a node"
            ))),
        }
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
