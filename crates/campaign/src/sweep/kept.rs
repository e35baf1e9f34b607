//! Saves a sweep: its record, its table and its page.

use std::path::Path;

use anyhow::Context;

use kvs_report::report::sweep::{SWEEP_FILE, SWEEP_PAGE, SweepRecord, page, text};

/// The table's file.
const SWEEP_TABLE: &str = "sweep.txt";

/// Writes it into its directory.
pub(super) fn save(swept: &SweepRecord, directory: &Path) -> anyhow::Result<()> {
    let json = serde_json::to_string_pretty(swept).expect("plain data with text keys");
    for (name, contents) in [
        (SWEEP_FILE, json + "\n"),
        (SWEEP_TABLE, text(swept)),
        (SWEEP_PAGE, page(swept)),
    ] {
        let path = directory.join(name);
        std::fs::write(&path, contents)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
