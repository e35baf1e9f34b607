//! The tables of a store's file.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use kvs_check::checker::Model;
use kvs_load::workload::humane;

use super::CLIENT_PORT;
use crate::targets::store::template::Template;

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
    pub(super) fn is_none(&self) -> bool {
        self.commands.is_empty()
    }
}

impl SessionsTable {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes a reference"
    )]
    pub(super) fn is_shared(&self) -> bool {
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
