//! The log of the nemesis, `nemesis.jsonl`: a line an action.

use std::fs::File;
use std::io::Write;

use anyhow::Context;
use jiff::Timestamp;
use serde::Serialize;

use super::numbers;
use crate::run::directory::Directory;
use kvs_load::nemesis::Fault;

/// Its name within the run directory.
const LOG_FILE: &str = "nemesis.jsonl";

/// What the nemesis does about a fault.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Install,
    Heal,
}

impl Action {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Heal => "heal",
        }
    }

    /// Its outcome when it was done.
    pub(super) const fn done(self) -> &'static str {
        match self {
            Self::Install => "installed",
            Self::Heal => "healed",
        }
    }
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    /// In ns since the run began, on the generator's clock.
    time_ns: u64,
    /// The same in UTC.
    time: String,
    /// `install` or `heal`.
    action: &'a str,
    kind: &'a str,
    fault: String,
    nodes: Vec<u16>,
    /// `installed`, `healed`, `failed` or `missed`.
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a String>,
}

/// The log.
pub(super) struct Log(File);

impl Log {
    pub(super) fn create(directory: &Directory) -> anyhow::Result<Self> {
        let path = directory.path().join(LOG_FILE);
        let file = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self(file))
    }

    /// Writes a line, or says in a sentence why it cannot.
    pub(super) fn write(
        &mut self,
        time_ns: u64,
        action: Action,
        fault: &Fault,
        outcome: &str,
        detail: Option<&String>,
    ) -> Result<(), String> {
        let line = Line {
            time_ns,
            time: Timestamp::now().to_string(),
            action: action.name(),
            kind: fault.kind().name(),
            fault: fault.to_string(),
            nodes: numbers(&fault.nodes()).collect(),
            outcome,
            detail,
        };
        let mut bytes = serde_json::to_vec(&line).expect("plain data");
        bytes.push(b'\n');
        { self.0.write_all(&bytes) }.map_err(|error| format!("cannot write {LOG_FILE}: {error}"))
    }
}
