//! One run of a campaign, and its record.

use anyhow::Context;

use kvs_harness::run::{self, Config};
use kvs_measure::RunRecord;
use kvs_report::report;

use crate::Observer;

/// Runs it, and saves the result. None when it was interrupted; `name` is what it is called where
/// it fails.
pub(crate) fn recorded(
    config: &Config,
    name: &str,
    observer: &mut dyn Observer,
) -> anyhow::Result<Option<RunRecord>> {
    let finished = run::run(config, &mut *observer.run());
    let finished = finished.with_context(|| format!("{name} has no result"))?;
    if finished.interrupted {
        return Ok(None);
    }
    let saved = finished.save(&report::text(&finished.record));
    saved.with_context(|| format!("{name} has a result"))?;
    Ok(Some(finished.record))
}
