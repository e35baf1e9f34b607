//! Starts what a run drives.

use std::path::PathBuf;

use anyhow::anyhow;
use jiff::Timestamp;

use kvs_target::Target;

use super::capacity::Capacity;
use super::config::{Config, Foreign};
use super::directory::Directory;
use super::error::Error;
use crate::targets::store::Store;
use crate::targets::zoo::{ClusterConfig, Zoo};
use crate::wording::one_line;

/// What a run gives to the target that is started for it.
#[derive(Clone, Debug)]
pub struct Home {
    /// A name that no other run has, on this machine or another.
    pub name: String,
    /// The folder for what its nodes log.
    pub logs: PathBuf,
}

impl Home {
    /// That of the run with this directory, which began at `start`.
    pub(super) fn of(directory: &Directory, start: Timestamp) -> Self {
        Self {
            // Another machine may start a run of this name against the same store within this
            // second.
            name: format!("{}-{:09}", directory.name(), start.subsec_nanosecond()),
            logs: directory.nodes(),
        }
    }
}

/// Starts the target that a configuration names: the only place that knows which one it is.
pub(super) async fn start_target(config: &Config, home: &Home) -> Result<Box<dyn Target>, Error> {
    let store = match &config.store {
        Some(Foreign::File(store)) => store,
        Some(Foreign::Own(facts)) => {
            let name = &facts.name;
            return Err(Error::Start(anyhow!(
                "whoever has {name} starts it: run_on"
            )));
        }
        None => {
            let started = Zoo::start(&cluster_config(config, home), config.timeout).await;
            let started = started.map_err(|reason| Error::Start(strained(reason, config)))?;
            return Ok(Box::new(started));
        }
    };
    let program = match &config.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(|source| Error::System {
            what: "to find out which program this is",
            source,
        })?,
    };
    let Home { name, logs } = home;
    let started = Store::start(store, &program, name, logs, config.timeout).await;
    Ok(Box::new(started.map_err(Error::Start)?))
}

fn cluster_config(config: &Config, home: &Home) -> ClusterConfig {
    ClusterConfig {
        architecture: config.architecture.clone(),
        lattice: config.lattice,
        bug: config.bug,
        traced_by: config.traced.then(|| config.versions.program()),
        host: config.host,
        durability: config.durability,
        seed: config.seed,
        logs: Some(home.logs.clone()),
        program: config.program.clone(),
    }
}

/// The reason, with what else it may be where the deployment is large for this machine.
pub(super) fn strained(reason: anyhow::Error, config: &Config) -> anyhow::Error {
    if config.store.is_some() {
        return reason;
    }
    match Capacity::of(&config.architecture) {
        Capacity::Enough => reason,
        Capacity::Strained(why) | Capacity::Short(why) => {
            anyhow!("{}: {why}", one_line(&reason))
        }
    }
}
