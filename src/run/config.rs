//! What a run is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use crate::bug::Bug;
use crate::checker::Engine;
use crate::measure::Slo;
use crate::nemesis;
use crate::node::{Durability, HostKind};
use crate::protocol::Lattice;
use crate::server::Architecture;
use crate::session::Policy;
use crate::workload::Workload;

/// After how many operations only a sample of the keys goes on being recorded, unless told
/// otherwise: what is still checked in seconds, in well under 10 GiB.
pub const HISTORY_LIMIT_DEFAULT: u64 = 20_000_000;
/// Beyond the limit one key in this many goes on being recorded.
pub const HISTORY_SAMPLE: u64 = 100;

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct Config {
    /// What to run.
    pub architecture: Architecture,
    /// What replicated stores promise for concurrent puts.
    pub lattice: Lattice,
    /// Where the nodes run.
    pub host: HostKind,
    /// What they acknowledge.
    pub durability: Durability,
    /// The load; it must be valid.
    pub workload: Workload,
    /// How sessions behave.
    pub policy: Policy,
    /// How long an answer may take before its outcome counts as unknown.
    pub timeout: Duration,
    /// Decides every random choice of the load.
    pub seed: u64,
    /// A known mistake to build the store with.
    pub bug: Option<Bug>,
    /// Whether each node records what its replica is given, in `nodes/<id>.trace`.
    pub traced: bool,
    /// What the nemesis does, if there is one.
    pub nemesis: Option<nemesis::Plan>,
    /// Where the run's directory is made.
    pub results: PathBuf,
    /// After how many operations only a sample of the keys is recorded; none records nothing.
    pub history_limit: Option<u64>,
    /// Which engines judge the history.
    pub engine: Engine,
    /// How long the second engine may search.
    pub budget: Duration,
    /// What the measurements must be, if anything.
    pub slo: Option<Slo>,
    /// The program that nodes run instead of this one; see [`super::ClusterConfig::program`].
    pub program: Option<PathBuf>,
    /// The command that runs it again.
    pub command: String,
}
