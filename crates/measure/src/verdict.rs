//! The verdict as a run record keeps it: plain words, whatever checker gave it.

use serde::{Deserialize, Serialize};

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
    /// Why there is none, where no engine was asked; or which model broke it, where that is not the
    /// one that the promise is named after.
    pub reason: Option<String>,
    /// What keeps the run from being called valid, though nothing that was judged refutes it: each
    /// a clause for the verdict's own line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// What the verdict's own line says beside the word, and what changes no verdict.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Whether the engines disagreed on what both had judged: one of them has a bug.
    #[serde(default)]
    pub disagreement: bool,
    /// Each engine's own verdict and what it covered.
    pub engines: Vec<EngineRecord>,
    /// The ladder of models.
    pub models: Vec<ModelRecord>,
    /// How many acknowledged puts the final reads show to be lost; absent where they do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_writes: Option<u64>,
    /// What proves an invalid verdict.
    pub anomalies: Vec<AnomalyRecord>,
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
    /// Whether it is what the architecture promises.
    #[serde(default)]
    pub promised: bool,
    /// Why, where that is not in the anomalies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What proves that a model was broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnomalyRecord {
    /// Its kind.
    pub kind: String,
    /// What that kind means, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// The property that it breaks.
    pub model: String,
    /// The operations and the sentence that says why no order explains them; several lines.
    pub text: String,
    /// The same operations as data, for whoever draws them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub operations: Vec<OperationRecord>,
}

/// One operation that proves an anomaly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationRecord {
    /// The session that asked.
    pub session: u32,
    /// The node that was asked.
    pub node: u16,
    /// What was done and what came of it, as in `get user1 -> 3:7`.
    pub label: String,
    /// All that is known of it: its line in the anomaly's text.
    pub line: String,
    /// Its start, in ns since the run began.
    pub invoke_ns: u64,
    /// Its end; absent while unknown.
    pub return_ns: Option<u64>,
    /// `ok`, `fail` or `info`.
    pub outcome: String,
}
