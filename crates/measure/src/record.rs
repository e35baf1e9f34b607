//! The run record, `run.json`: everything that is known of a run, as plain data.
//!
//! It stands alone: `report` makes every page from it and needs no other part of the program. Names
//! of architectures, anomalies and errors are text here, so a record outlives the program that
//! wrote it. A number that does not exist is `null`, never NaN. `results/README.md` describes every
//! field.

use serde::{Deserialize, Serialize};

use super::fault::FaultsRecord;
use super::histogram::Summary;
use super::slo::ObjectiveRecord;
use super::statistics::Statistics;
use super::verdict::VerdictRecord;

/// The version of the schema. It rises whenever a reader of the old one would misread the new.
pub const RUN_RECORD_VERSION: u32 = 1;

/// A run: what was asked, on what, what it cost, and whether it was right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`RUN_RECORD_VERSION`] of the program that wrote it.
    pub version: u32,
    /// What was run.
    pub configuration: Configuration,
    /// On what.
    pub machine: Machine,
    /// By which program.
    pub versions: Versions,
    /// The exact command that runs it again, seed included.
    pub command: String,
    /// When it began: RFC 3339, UTC.
    pub started_at: String,
    /// Its run directory.
    pub directory: String,
    /// What it did, in order, and how long each took.
    pub phases: Vec<PhaseRecord>,
    /// What was measured.
    pub statistics: Statistics,
    /// How stale reads were; absent when there was no history to compute it from.
    pub staleness: Option<StalenessRecord>,
    /// What the nemesis did.
    #[serde(default)]
    pub faults: FaultsRecord,
    /// What each node did.
    pub nodes: Vec<NodeRecord>,
    /// The service level objectives, if there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<ObjectiveRecord>,
    /// Why the performance numbers must not be used; empty when they may.
    pub void: Vec<String>,
    /// Whether the store kept its promise.
    pub verdict: VerdictRecord,
    /// What was recorded.
    pub history: HistoryRecord,
    /// Warnings for the reader, each with what to do about it.
    pub warnings: Vec<String>,
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The architecture as `--arch` takes it.
    pub architecture: String,
    /// The lattice of replicated values; absent where none decides what puts mean.
    pub lattice: Option<String>,
    /// How many nodes.
    pub nodes: u32,
    /// Those of them that serve no keys, and stand in for others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spares: Vec<u32>,
    /// How many replica groups.
    pub groups: u32,
    /// How a session chooses a replica.
    pub routing: String,
    /// Whether sessions carry what they have seen.
    pub context: bool,
    /// Where the nodes ran: `process` or `netns`.
    #[serde(default = "process")]
    pub host: String,
    /// `memory` or `disk`.
    pub durability: String,
    /// The workload, fully resolved.
    pub workload: WorkloadRecord,
    /// Sessions.
    pub sessions: u32,
    /// QUIC connections from the load generator, over all nodes.
    pub connections: u32,
    /// Arrivals a second of an open loop; absent in a closed one.
    pub rate: Option<f64>,
    /// The seed that everything was drawn from.
    pub seed: u64,
    /// The planted bug, if one was.
    pub bug: Option<String>,
    /// What is known of a foreign store; absent for a store of the zoo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreRecord>,
}

impl Configuration {
    /// Whether a key is on more than one node.
    #[must_use]
    pub const fn is_replicated(&self) -> bool {
        self.nodes > self.groups
    }
}

/// A foreign store: one that is not of the zoo.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreRecord {
    /// Its version, as it says itself.
    pub version: Option<String>,
    /// What its own documentation says of its promise.
    pub says: Option<String>,
    /// How it was spoken to: a client of this program's own, or an adapter's command.
    pub adapter: String,
    /// Its options, each set.
    pub options: std::collections::BTreeMap<String, String>,
    /// Where its nodes were already running; empty if this program started them.
    pub endpoints: Vec<String>,
    /// What the pipe to its adapter costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipe: Option<PipeRecord>,
    /// Keys that were deleted in the end, if that was asked for and done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleaned: Option<u64>,
}

/// What the pipe to an adapter costs: an adapter that answers everything at once, measured in the
/// same run with as many operations outstanding as there are sessions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipeRecord {
    /// Operations a second.
    pub operations_per_s: f64,
    /// How long half of them took at most, in ns.
    pub p50_ns: u64,
}

/// Where nodes ran before records said so.
fn process() -> String {
    "process".to_owned()
}

/// The workload, fully resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadRecord {
    /// The name in the catalogue, or the file's.
    pub name: String,
    /// One line that describes it.
    pub summary: String,
    /// Every field.
    pub settings: serde_json::Value,
}

/// On what it ran. What could not be found out is absent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Processors that the program could use.
    pub cores: u32,
    /// The processor's name.
    pub cpu: Option<String>,
    /// Operating system and release.
    pub kernel: Option<String>,
    /// Memory, in bytes.
    pub memory_bytes: Option<u64>,
}

/// By which program it was run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Versions {
    /// The version of this package.
    pub kvs_zoo: String,
    /// The compiler, if known when it was built.
    pub rustc: Option<String>,
    /// The commit, if known when it was built.
    pub commit: Option<String>,
}

impl Versions {
    /// The program in a few words: its version, and the commit if it is known.
    #[must_use]
    pub fn program(&self) -> String {
        match &self.commit {
            Some(commit) => format!("{} ({commit})", self.kvs_zoo),
            None => self.kvs_zoo.clone(),
        }
    }
}

/// One thing that the run did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseRecord {
    /// `start`, `load`, `warm-up`, `run`, `quiesce`, `read-back`, `check`.
    pub name: String,
    /// How long it took.
    pub seconds: f64,
}

/// How stale reads were: consistency.md section 6.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StalenessRecord {
    /// Gets that missed an acknowledged put.
    pub stale_reads: u64,
    /// Gets that were judged.
    pub reads: u64,
    /// Per get, how long the oldest put that it missed had been acknowledged, in ns.
    pub delta_ns: Summary,
    /// Per get, how many acknowledged puts it missed.
    pub k: Summary,
    /// Per put, from its acknowledgement to its first appearance at each other replica, in ns.
    pub visibility_lag_ns: Summary,
    /// LWW: pairs of puts, one after the other, whose versions are the other way round.
    pub clock_inversions: Option<u64>,
}

/// What one node did, from its start to its end. What it did not report is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeRecord {
    /// Its id.
    pub node: u32,
    /// Its replica group.
    pub group: u32,
    /// Requests that it answered.
    pub requests: u64,
    /// Messages that it sent to other nodes.
    pub messages_sent: u64,
    /// Bytes of those messages.
    pub message_bytes_sent: u64,
    /// Frames that it refused as malformed.
    pub refused_frames: u64,
    /// Connections that it refused for who wanted them.
    pub refused_connections: u64,
    /// Processor time, user and system.
    pub cpu_seconds: Option<f64>,
    /// The largest resident set, in bytes.
    pub resident_bytes: Option<u64>,
    /// Keys that it held in the end.
    pub keys: Option<u64>,
    /// Bytes a key beyond key and value.
    pub overhead_bytes_per_key: Option<f64>,
    /// Batches that it made durable; absent where it keeps nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commits: Option<u64>,
    /// How long half of these took at most, in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_ns_p50: Option<u64>,
    /// How long 99 in 100 of these took at most, in ns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit_ns_p99: Option<u64>,
    /// How it ended, when not as asked: crashed, killed.
    pub fate: Option<String>,
}

impl RunRecord {
    /// What of the test did not take place, each as a clause: it keeps the run from being called
    /// valid.
    #[must_use]
    pub fn gaps(&self) -> Vec<String> {
        let faults = self.faults.gaps().into_iter();
        faults
            .chain(self.statistics.gap())
            .chain(self.history.gap())
            .collect()
    }
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryRecord {
    /// Operations in the history; 0 with `--no-history`.
    pub recorded: u64,
    /// Operations that were done.
    pub operations: u64,
    /// Whether every operation was recorded.
    pub complete: bool,
    /// The cap on recorded operations.
    pub limit: Option<u64>,
    /// Keys that were to be read in the end, and that nobody answered for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread: u64,
}

impl HistoryRecord {
    /// Why a verdict does not rest on all that was to be read, as a clause.
    #[must_use]
    pub fn gap(&self) -> Option<String> {
        let unread = self.unread;
        (unread > 0).then(|| format!("in the end nobody answered for {unread} keys"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
