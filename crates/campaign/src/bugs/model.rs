//! The view of the models: runs `kvs-models`, the program beside this one that explores them.

use std::process::{Command, Stdio};

use anyhow::{Context, anyhow};

use kvs_core::bug::Bug;

use super::outcome::Finding;

/// The program that explores the models.
pub(super) const PROGRAM: &str = "kvs-models";

/// Its exit status when it has caught the bug.
const CAUGHT: i32 = 1;

/// What it is told to have a bug caught.
pub(super) const fn arguments(bug: Bug) -> [&'static str; 3] {
    ["bugs", "--check", bug.name()]
}

/// Has it look for the bug.
pub(super) fn explored(bug: Bug) -> anyhow::Result<Finding> {
    let program = std::env::current_exe()
        .context("finding this program")?
        .with_file_name(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        return Err(anyhow!(
            "{} is not there: `cargo build --release --bin {PROGRAM}` makes it",
            program.display()
        ));
    }
    let output = Command::new(&program)
        .args(arguments(bug))
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {}", program.display()))?;
    match output.status.code() {
        Some(0) => Ok(Finding::Kept { unknown: 0 }),
        Some(CAUGHT) => Ok(Finding::Broken {
            how: broken_property(&String::from_utf8_lossy(&output.stdout)),
            seeds: None,
        }),
        _ => {
            let complaint = String::from_utf8_lossy(&output.stderr);
            let first = complaint.lines().next().unwrap_or("it said nothing");
            Err(anyhow!("{PROGRAM} has failed ({}): {first}", output.status))
        }
    }
}

/// The property that a model says is broken: it stands in quotes.
fn broken_property(said: &str) -> String {
    said.split('"')
        .nth(1)
        .unwrap_or_else(|| said.trim())
        .to_owned()
}
