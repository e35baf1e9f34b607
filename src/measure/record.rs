//! The run record, `run.json`: everything that is known of a run, as plain data.
//!
//! It stands alone: `report` makes every page from it and needs no other part of the program. Names
//! of architectures, anomalies and errors are text here, so that a record outlives the program that
//! wrote it. Numbers that do not exist are `null`, never NaN. Documented in `results/README.md`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::histogram::Summary;
use super::kind::OperationKind;
use super::recorder::{ErrorRecord, Measured};

/// The version of the schema. It rises whenever a reader of the old one would misread the new.
pub const RUN_RECORD_VERSION: u32 = 1;

/// The largest `run.json` that is read, in bytes: far above what a run writes.
const RUN_RECORD_BYTES_MAX: u64 = 64 << 20;

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
    /// What each node did.
    pub nodes: Vec<NodeRecord>,
    /// Why the performance numbers must not be used; empty when they may.
    pub void: Vec<String>,
    /// Whether the store kept its promise.
    pub verdict: VerdictRecord,
    /// What was recorded.
    pub history: HistoryRecord,
    /// What a reader should know beside it, each with what to do about it.
    pub warnings: Vec<String>,
}

/// What was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// The architecture as `--arch` takes it.
    pub architecture: String,
    /// The lattice of replicated values; absent where nothing is replicated.
    pub lattice: Option<String>,
    /// How many nodes.
    pub nodes: u32,
    /// How many replica groups.
    pub groups: u32,
    /// How a session chooses a replica.
    pub routing: String,
    /// Whether sessions carry what they have seen.
    pub context: bool,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Those of this program.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self {
            kvs_zoo: env!("CARGO_PKG_VERSION").to_owned(),
            rustc: option_env!("KVS_ZOO_RUSTC").map(str::to_owned),
            commit: option_env!("KVS_ZOO_COMMIT").map(str::to_owned),
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

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// How much was asked and done.
    pub throughput: Throughput,
    /// Latencies by kind of operation; a kind that did nothing is left out.
    pub kinds: Vec<KindRecord>,
    /// Errors by kind of operation and of error.
    pub errors: Vec<ErrorRecord>,
}

/// How much was asked and done in the measured part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throughput {
    /// The length of the measured part.
    pub seconds: f64,
    /// Operations that succeeded.
    pub operations: u64,
    /// Operations that did not.
    pub errors: u64,
    /// Operations a second that succeeded; absent when no time passed.
    pub achieved_per_s: Option<f64>,
    /// Arrivals a second that were meant; absent in a closed loop.
    pub offered_per_s: Option<f64>,
    /// Arrivals that were meant; absent in a closed loop.
    pub offered: Option<u64>,
    /// Arrivals that the generator started late though a session was free.
    pub late: u64,
}

/// The latencies of one kind of operation, in ns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KindRecord {
    /// The kind.
    pub kind: OperationKind,
    /// Operations a second that succeeded.
    pub per_s: Option<f64>,
    /// From the intended start; absent in a closed loop, where it is the service time.
    pub response: Option<Summary>,
    /// From the actual start.
    pub service: Summary,
}

impl From<&Measured> for Statistics {
    fn from(measured: &Measured) -> Self {
        let seconds = (measured.end_ns - measured.start_ns) as f64 / 1e9;
        let per_second = |count: u64| (seconds > 0.0).then(|| count as f64 / seconds);
        let operations = measured.service.iter().map(|h| h.count()).sum();
        let errors = measured.errors.iter().map(|e| e.count).sum();
        let kinds = OperationKind::ALL
            .iter()
            .zip(measured.service.iter().zip(&measured.response))
            .filter(|(_, (service, _))| service.count() > 0)
            .map(|(kind, (service, response))| KindRecord {
                kind: *kind,
                per_s: per_second(service.count()),
                response: measured.offered.map(|_| response.summary()),
                service: service.summary(),
            })
            .collect();
        Self {
            throughput: Throughput {
                seconds,
                operations,
                errors,
                achieved_per_s: per_second(operations),
                offered_per_s: measured.offered.and_then(per_second),
                offered: measured.offered,
                late: measured.late,
            },
            kinds,
            errors: measured.errors.clone(),
        }
    }
}

/// The share of late arrivals above which the performance numbers are void.
const LATE_SHARE_MAX: f64 = 0.01;

impl Throughput {
    /// Why the generator itself spoiled the numbers, if it did: more than one arrival in a hundred
    /// was started late though a session was free.
    #[must_use]
    pub fn void_reason(&self) -> Option<String> {
        let offered = self.offered.filter(|offered| *offered > 0)?;
        let share = self.late as f64 / offered as f64;
        (share > LATE_SHARE_MAX).then(|| {
            format!(
                "the load generator started {:.1} % of the arrivals late though a session was \
                 free (at most 1 % may be): lower --rate, or give it a processor of its own",
                share * 100.0
            )
        })
    }
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
    /// Processor time, user and system.
    pub cpu_seconds: Option<f64>,
    /// The largest resident set, in bytes.
    pub resident_bytes: Option<u64>,
    /// Keys that it held in the end.
    pub keys: Option<u64>,
    /// Bytes a key beyond key and value.
    pub overhead_bytes_per_key: Option<f64>,
    /// How it ended, when not as asked: crashed, killed.
    pub fate: Option<String>,
}

/// A verdict's three values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictWord {
    /// The history keeps the promise.
    Valid,
    /// It does not; the anomalies say why.
    Invalid,
    /// It was not established.
    Unknown,
}

/// Whether the store kept its promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerdictRecord {
    /// The promise it was held to.
    pub promise: String,
    /// The verdict on it.
    pub verdict: VerdictWord,
    /// Each engine's own verdict and what it covered.
    pub engines: Vec<EngineRecord>,
    /// The ladder of models.
    pub models: Vec<ModelRecord>,
    /// What proves an invalid verdict.
    pub anomalies: Vec<AnomalyRecord>,
}

impl VerdictRecord {
    /// Whether one engine calls valid what another calls invalid.
    #[must_use]
    pub fn engines_disagree(&self) -> bool {
        let says = |word| self.engines.iter().any(|engine| engine.verdict == word);
        says(VerdictWord::Valid) && says(VerdictWord::Invalid)
    }
}

/// One engine's verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineRecord {
    /// `direct` or `stateright`.
    pub name: String,
    /// Its verdict.
    pub verdict: VerdictWord,
    /// Operations that it judged.
    pub covered: u64,
    /// Operations that there are.
    pub total: u64,
    /// How long it took.
    pub seconds: f64,
    /// Why it is unknown, or covered less than all.
    pub reason: Option<String>,
}

/// The verdict on one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecord {
    /// The model's name.
    pub name: String,
    /// The verdict; absent where the model does not apply.
    pub verdict: Option<VerdictWord>,
}

/// What proves that a model was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnomalyRecord {
    /// Its kind.
    pub kind: String,
    /// The model that it breaks.
    pub model: String,
    /// The operations and the sentence that says why no order explains them; several lines.
    pub text: String,
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
}

/// A run record that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// There is none.
    #[error("cannot read {}: {source} (is it a run directory?)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a run record.
    #[error("{} is not a run record: {source}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It has another schema.
    #[error(
        "{} has schema version {found}, this program reads version {RUN_RECORD_VERSION}: use the \
         program that wrote it, or run again",
        path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
    },
}

impl RunRecord {
    /// The file's name within a run directory.
    pub const FILE_NAME: &'static str = "run.json";

    /// As JSON, for people to read as well.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a run record is plain data with text keys")
    }

    /// Writes `run.json` into `directory`, whole or not at all.
    ///
    /// # Errors
    /// When the directory is not writable or the disk is full; an older record stays as it was.
    pub fn save(&self, directory: &Path) -> io::Result<()> {
        // A name beside the final one, so that the renaming stays within one file system.
        let partial = directory.join("run.json.partial");
        let mut file = fs::File::create(&partial)?;
        writeln!(file, "{}", self.to_json())?;
        file.sync_all()?;
        fs::rename(&partial, directory.join(Self::FILE_NAME))
    }

    /// Reads `run.json` from a run directory, or the file itself.
    ///
    /// # Errors
    /// When it is missing, malformed, or of a schema that this program does not know.
    pub fn load(directory: &Path) -> Result<Self, RecordError> {
        let path = if directory.is_file() {
            directory.to_owned()
        } else {
            directory.join(Self::FILE_NAME)
        };
        let text = read_bounded(&path).map_err(|source| RecordError::Unreadable {
            path: path.clone(),
            source,
        })?;
        let malformed = |source| RecordError::Malformed {
            path: path.clone(),
            source,
        };
        let head: Head = serde_json::from_str(&text).map_err(malformed)?;
        if head.version != RUN_RECORD_VERSION {
            return Err(RecordError::Version {
                path,
                found: head.version,
            });
        }
        serde_json::from_str(&text).map_err(malformed)
    }
}

/// What every version of the schema has.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let length = fs::metadata(path)?.len();
    if length > RUN_RECORD_BYTES_MAX {
        let message = format!("it has {length} bytes, and at most {RUN_RECORD_BYTES_MAX} are read");
        return Err(io::Error::other(message));
    }
    fs::read_to_string(path)
}
