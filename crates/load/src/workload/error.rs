//! What can be wrong with a workload, each in one line that names the problem and the remedy.

use std::path::PathBuf;

/// A workload that cannot be used. Nothing was changed by the call that returned it.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// Neither a workload of the catalogue nor a path.
    #[error(
        "unknown workload `{name}`{} (`kvs-bench list` shows them all; the path of a TOML file \
         works too)",
        meant(nearest)
    )]
    UnknownWorkload {
        /// What was asked for.
        name: String,
        /// The name in the catalogue that is closest to it, if one is close.
        nearest: Option<&'static str>,
    },
    /// The file could not be read.
    #[error("cannot read the workload file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not TOML, or a value in it has the wrong type.
    #[error("workload {origin}, line {line}: {message}")]
    Malformed {
        /// A name of the catalogue, or a path.
        origin: String,
        /// The line of the text, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A field that no workload has.
    #[error(
        "a workload has no field `{field}`{}",
        if nearest.is_some() { meant(nearest) } else { FIELDS.to_owned() }
    )]
    UnknownField {
        /// The dotted path that was given.
        field: String,
        /// The closest one that exists, if one is close.
        nearest: Option<&'static str>,
    },
    /// A setting that is not of the form `field=value`.
    #[error("`{given}` is not a setting: write field=value, such as records=1000")]
    NotASetting {
        /// What was given.
        given: String,
    },
    /// A value that its field cannot take.
    #[error("`{field}` takes {expected}, not `{given}`")]
    WrongValue {
        /// The dotted path of the field.
        field: String,
        /// What it takes, with an example.
        expected: &'static str,
        /// What was given.
        given: String,
    },
    /// Every field is well formed, but no run can be made of them.
    #[error("impossible workload: {0}")]
    Impossible(String),
}

/// Where all fields are.
const FIELDS: &str = " (`kvs-bench list` shows them all)";

/// What somebody may have meant.
fn meant(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |nearest| {
        format!(": did you mean `{nearest}`?")
    })
}
