//! Foreign stores: a TOML file says how to start each, how to speak to it and how to break it.
//!
//! [`Definition`] is the file. [`Store`] brings its nodes up at a place and is the target that the
//! harness drives. Whoever speaks to it is one of this program's
//! own clients, or a program that the file names.

mod auth;
mod catalogue;
mod complaints;
mod config;
mod definition;
mod leadership;
mod process;
mod ready;
mod start;
mod target;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use kvs_target::{Connector, Evidence, Leadership, Local, Operations};

pub(super) use auth::Credentials;
pub use catalogue::CATALOGUE;
pub(super) use complaints::Complaints;

pub use config::StoreConfig;
pub(super) use config::beside;
pub use definition::{Definition, NODES_MAX, Wrong};
pub use target::Store;
pub use template::{NodeWords, Template, Words};

use super::{etcd, redis};

/// Makes the connections to a store.
type Connect = fn(&Rc<Speech>) -> Result<Rc<dyn Connector>, Wrong>;

/// Deletes a run's keys, from 0 to this, and says how many were there.
type Clean = fn(&Speech, u64) -> Local<'_, Result<u64, String>>;

/// A client of this program's own.
pub(super) struct Builtin {
    /// Its name, as `[adapter] builtin` has it.
    pub(super) name: &'static str,
    /// What it can ask.
    pub(super) operations: Operations,
    /// What its answers prove, with these options.
    pub(super) evidence: fn(&BTreeMap<String, String>) -> Evidence,
    /// Makes its connections.
    pub(super) connector: Connect,
    /// Deletes what was written over them.
    pub(super) clean: Clean,
}

/// A way of this program's own to ask which node takes writes.
pub(super) struct PrimaryBuiltin {
    /// Its name, as `[primary] builtin` has it.
    pub(super) name: &'static str,
    /// Asks.
    pub(super) leadership: fn(&Rc<Speech>) -> Rc<dyn Leadership>,
}

/// Every client of this program's own.
const BUILTINS: &[Builtin] = &[redis::BUILTIN, etcd::BUILTIN];

/// Every way of this program's own to ask which node takes writes.
const PRIMARIES: &[PrimaryBuiltin] = &[redis::ROLE, redis::SENTINEL, etcd::LEADER];

/// What whoever speaks to a store has to know.
#[derive(Clone, Debug)]
pub(super) struct Speech {
    /// The nodes, in the order of their numbers.
    pub(super) nodes: Vec<NodeWords>,
    /// The name of the port that clients connect to.
    pub(super) client_port: String,
    /// The store's options.
    pub(super) options: BTreeMap<String, String>,
    /// What stands before every key.
    pub(super) key_prefix: String,
    /// How long an answer may take.
    pub(super) patience: Duration,
    /// What clients prove themselves with.
    pub(super) credentials: Credentials,
    /// The folder that the programs of adapters log to.
    pub(super) logs: PathBuf,
    /// What went wrong on the way.
    pub(super) complaints: Complaints,
}

/// The builtin of that name.
fn builtin(name: &str) -> Result<&'static Builtin, Wrong> {
    { BUILTINS.iter() }
        .find(|known| known.name == name)
        .ok_or_else(|| unknown("adapter", name, BUILTINS.iter().map(|known| known.name)))
}

/// The way of that name.
fn primary_builtin(name: &str) -> Result<&'static PrimaryBuiltin, Wrong> {
    { PRIMARIES.iter() }
        .find(|known| known.name == name)
        .ok_or_else(|| unknown("primary", name, PRIMARIES.iter().map(|known| known.name)))
}

fn unknown(table: &str, name: &str, known: impl Iterator<Item = &'static str>) -> Wrong {
    let known: Vec<&str> = known.collect();
    Wrong(format!(
        "[{table}] builtin = {name:?}: there is no such one, only {}",
        known.join(", ")
    ))
}
