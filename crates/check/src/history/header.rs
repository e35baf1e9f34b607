//! What stands before and after the rows of a history.

use serde::{Deserialize, Serialize};

use super::model::Model;
use super::operation::Dominance;

/// The version of the schema that this code writes, and the only one it reads.
pub const SCHEMA_VERSION: u32 = 1;

/// What a history says about the run that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The schema version, [`SCHEMA_VERSION`].
    pub schema: u32,
    /// The architecture as `--arch` would take it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub architecture: String,
    /// The lattice (`causal`, `lww`), or empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub lattice: String,
    /// What the run must satisfy; without one only integrity and convergence are judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promise: Option<Model>,
    /// Which puts a put supersedes, where the store says so; all that its replica had applied where
    /// it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dominance: Option<Dominance>,
    /// The replica groups and their nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// The run's seed.
    #[serde(default)]
    pub seed: u64,
    /// Names of keys, where they were not numbers: key `i` is `keys[i]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Texts of values, if a history came with values of its own. Id `i` stands for `values[i]`,
    /// and each id belongs to one key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    /// Whether `keys` and `values` are EDN, in which `"3"` is a string and `3` a number; otherwise
    /// they are bare texts.
    #[serde(default, skip_serializing_if = "is_no")]
    pub edn: bool,
    /// Whether the times are real; otherwise only the order within a session means anything.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub real_time: bool,
    /// How recording is thinned out in a long run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}

const fn yes() -> bool {
    true
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
const fn is_no(value: &bool) -> bool {
    !*value
}

impl Header {
    /// Reads a header from JSON.
    ///
    /// # Errors
    /// When it has another version than this program reads, is no header, or contradicts itself.
    pub(super) fn parse(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Versioned {
            schema: u32,
        }

        // A later version may have fields that nobody here knows: its number says more.
        if let Ok(Versioned { schema }) = serde_json::from_str(json)
            && schema != SCHEMA_VERSION
        {
            return Err(format!(
                "its schema has version {schema}, this program reads {SCHEMA_VERSION}"
            ));
        }
        let header: Self =
            serde_json::from_str(json).map_err(|error| format!("its header: {error}"))?;
        header.agrees()?;
        Ok(header)
    }
}

impl Default for Header {
    fn default() -> Self {
        Self {
            schema: SCHEMA_VERSION,
            architecture: String::new(),
            lattice: String::new(),
            promise: None,
            dominance: None,
            groups: Vec::new(),
            seed: 0,
            keys: Vec::new(),
            values: Vec::new(),
            edn: false,
            real_time: true,
            limit: None,
        }
    }
}

/// A replica group: the nodes that hold the same keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// The number that rows name it by.
    pub id: u16,
    /// Its nodes.
    pub nodes: Vec<u16>,
}

/// After `operations` rows only the operations on a sample of the keys are recorded, but all of
/// those. So the history of a long run can still be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Rows after which only the sample is recorded.
    pub operations: u64,
    /// One key in this many is in the sample; at least 1.
    pub one_key_in: u64,
}

impl Limit {
    /// Whether operations on `key` are recorded beyond the limit: a fixed hash, the same in every
    /// build (the finalizer of `SplitMix64`).
    #[must_use]
    pub const fn samples(&self, key: u64) -> bool {
        let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        let one_in = if self.one_key_in == 0 {
            1
        } else {
            self.one_key_in
        };
        z.is_multiple_of(one_in)
    }
}

/// The end record: a history without one was cut short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct End {
    /// Rows in the history.
    pub operations: u64,
    /// Operations that happened but were left out beyond the limit.
    #[serde(default)]
    pub left_out: u64,
    /// Whether the run was interrupted: everything until then is recorded, but not all replicas
    /// were read back.
    #[serde(default, skip_serializing_if = "is_no")]
    pub interrupted: bool,
}

impl End {
    /// The end of a history of so many rows from which nothing is missing.
    #[must_use]
    pub const fn of(operations: u64) -> Self {
        Self {
            operations,
            left_out: 0,
            interrupted: false,
        }
    }
}
