//! What the page of a run says in words and tables.

use serde::Serialize;

use crate::report::faults;
use crate::report::layout::{join, plural};
use crate::report::number::{self, optional};
use crate::report::proof;
use crate::report::sentences;
use crate::report::tables::{self, Table};
use kvs_measure::{FaultWindow, ModelRecord, PeriodRecord, RunRecord, VerdictWord};

/// One of the answers at the top of the page.
#[derive(Debug, Serialize)]
pub(super) struct Tile {
    id: &'static str,
    name: &'static str,
    /// `valid`, `invalid` or `unknown`: its colour.
    word: &'static str,
    headline: String,
    detail: String,
}

/// The promise, the ladder, the objectives, the schedule.
pub(super) fn tiles(record: &RunRecord) -> Vec<Tile> {
    vec![
        promise(record),
        ladder_tile(record),
        objectives(record),
        schedule(record),
    ]
}

fn promise(record: &RunRecord) -> Tile {
    let verdict = &record.verdict;
    let detail = if verdict.disagreement {
        "The engines disagree: one of the checkers has a bug.".to_owned()
    } else if verdict.verdict == VerdictWord::Unknown && verdict.reason.is_some() {
        verdict.reason.clone().unwrap_or_default()
    } else {
        let judged = verdict.engines.iter().map(|engine| engine.covered).max();
        let judged = number::count(judged.unwrap_or(0));
        let lost = verdict.lost_writes.map_or_else(String::new, |lost| {
            format!(". {} acknowledged writes lost", number::count(lost))
        });
        let reason = verdict.reason.as_ref();
        let reason = reason.map_or_else(String::new, |reason| format!("; {reason}"));
        let clauses = proof::clauses(verdict).map(|clause| format!("; {clause}"));
        let clauses = clauses.collect::<String>();
        format!("{judged} operations judged{lost}{reason}{clauses}.")
    };
    Tile {
        id: "promise",
        name: "Promise",
        word: proof::word(verdict.verdict),
        headline: match verdict.verdict {
            VerdictWord::Valid => format!("VALID: {} kept", verdict.promise),
            VerdictWord::Invalid => format!("INVALID: {} broken", verdict.promise),
            VerdictWord::Unknown => format!("UNKNOWN: {}", verdict.promise),
        },
        detail,
    }
}

/// The strongest model up to which nothing is broken, in the colour of the worst result up to the
/// promised model: a store owes nothing above its promise.
fn ladder_tile(record: &RunRecord) -> Tile {
    let models = &record.verdict.models;
    let named = |wanted: VerdictWord| {
        let of = models.iter().filter(|model| model.verdict == Some(wanted));
        of.map(|model| model.name.clone()).collect::<Vec<_>>()
    };
    let (broken, unknown) = (named(VerdictWord::Invalid), named(VerdictWord::Unknown));
    let is_broken = |model: &ModelRecord| model.verdict == Some(VerdictWord::Invalid);
    let below = models.iter().take_while(|model| !is_broken(model));
    let strongest = below
        .filter(|model| model.verdict == Some(VerdictWord::Valid))
        .last();
    let headline = match strongest {
        _ if models.is_empty() => "not judged".to_owned(),
        Some(strongest) => format!("nothing broken up to {}", strongest.name),
        None if broken.is_empty() => "not one model decided".to_owned(),
        None => "not one model held".to_owned(),
    };
    let promised = models.iter().position(|model| model.promised);
    let owed = &models[..promised.map_or(models.len(), |place| place + 1)];
    let has = |word: VerdictWord| owed.iter().any(|model| model.verdict == Some(word));
    let word = if has(VerdictWord::Invalid) || (strongest.is_none() && !broken.is_empty()) {
        "invalid"
    } else if has(VerdictWord::Unknown) || strongest.is_none() {
        "unknown"
    } else {
        "valid"
    };
    let clause = |what: &str, names: Vec<String>| {
        (!names.is_empty()).then(|| format!("{what}: {}.", join(names)))
    };
    let clauses = [clause("Broken", broken), clause("Undecided", unknown)];
    let detail = Vec::from_iter(clauses.into_iter().flatten()).join(" ");
    Tile {
        id: "ladder",
        name: "Ladder",
        word,
        headline,
        detail: if detail.is_empty() {
            "No model was broken.".to_owned()
        } else {
            detail
        },
    }
}

fn objectives(record: &RunRecord) -> Tile {
    let missed = { &record.objectives }
        .iter()
        .filter(|objective| objective.met == Some(false))
        .count();
    let (word, headline) = if record.objectives.is_empty() {
        ("none", "none given".to_owned())
    } else if missed > 0 {
        ("invalid", format!("{missed} missed"))
    } else if record.objectives.iter().any(|one| one.met.is_none()) {
        ("unknown", "nobody can tell".to_owned())
    } else {
        ("valid", "met".to_owned())
    };
    let detail = { &record.objectives }.iter().map(|objective| {
        let measured = tables::measured(objective);
        let reason = objective.reason.as_ref();
        let reason = reason.map_or_else(String::new, |reason| format!("; {reason}"));
        format!("{} ({measured} measured{reason})", objective.objective)
    });
    let detail = if record.objectives.is_empty() {
        "--slo sets objectives.".to_owned()
    } else {
        join(detail)
    };
    Tile {
        id: "slo",
        name: "SLO",
        word,
        headline,
        detail,
    }
}

fn schedule(record: &RunRecord) -> Tile {
    let throughput_text = sentences::throughput(record);
    let (word, headline, detail) = if !record.void.is_empty() {
        ("invalid", "VOID".to_owned(), join(record.void.clone()))
    } else if record.configuration.rate.is_none() {
        // There is none to keep.
        let sessions = plural(u64::from(record.configuration.sessions), "session");
        ("none", format!("closed loop, {sessions}"), throughput_text)
    } else if record.statistics.throughput.not_started > 0 {
        let share = record.statistics.throughput.not_started_share() * 100.0;
        let headline = format!("{share:.1} % of the arrivals never started");
        ("unknown", headline, throughput_text)
    } else {
        ("valid", "kept".to_owned(), throughput_text)
    };
    Tile {
        id: "schedule",
        name: "Schedule",
        word,
        headline,
        detail,
    }
}

/// Configuration, seed, machine.
pub(super) fn facts(record: &RunRecord) -> Vec<(&'static str, String)> {
    let configuration = &record.configuration;
    let context = sentences::with_context(configuration);
    let lattice = configuration.lattice.as_deref();
    let without_lattice = if configuration.is_replicated() {
        "none: a key holds one value"
    } else {
        "none: nothing is replicated"
    };
    let mut facts = match &configuration.store {
        Some(store) => vec![
            ("Store", configuration.architecture.clone()),
            ("Version", sentences::foreign(store)),
        ],
        None => vec![
            ("Architecture", configuration.architecture.clone()),
            ("Lattice", lattice.unwrap_or(without_lattice).to_owned()),
        ],
    };
    facts.extend([
        (
            "Nodes",
            format!(
                "{} in {}, {}",
                sentences::nodes(configuration),
                plural(u64::from(configuration.groups), "replica group"),
                plural(u64::from(configuration.connections), "connection")
            ),
        ),
        ("Durability", sentences::stored(configuration)),
        ("Routing", format!("{}{context}", configuration.routing)),
        ("Workload", sentences::workload(configuration)),
        ("Seed", configuration.seed.to_string()),
        (
            "Machine",
            sentences::machine(record, record.versions.rustc.clone()),
        ),
        ("Phases", sentences::phases(record)),
        ("History", proof::history(record)),
    ]);
    if let Some(store) = &configuration.store {
        facts.extend(sentences::says(configuration).map(|says| ("Promise", says)));
        facts.extend(store.pipe.map(|pipe| ("Pipe", sentences::pipe(pipe))));
    }
    if let Some(bug) = &configuration.bug {
        facts.insert(0, ("Planted bug", format!("{bug}: must be caught")));
    }
    facts
}

/// Every fault: what clients noticed before, during and after.
pub(super) fn faults(windows: &[FaultWindow]) -> Table {
    let header = [
        "fault",
        "from",
        "lasted",
        "ops/s before",
        "during",
        "after",
        "available during",
        "p99 before",
        "during",
        "after",
        "max during",
        "recovery",
    ];
    Table::new(header, windows.iter().map(fault).collect())
}

fn fault(window: &FaultWindow) -> Vec<String> {
    let rate = |period: &PeriodRecord| {
        let rate = period.operations as f64 / period.seconds;
        optional((period.seconds > 0.0).then_some(rate), number::rate)
    };
    let during = &window.during;
    let recovery = match window.recovery_ns {
        None => "not seen".to_owned(),
        Some(0) => "at once".to_owned(),
        Some(ns) => number::time(ns),
    };
    vec![
        window.fault.clone(),
        number::seconds(window.from_ns as f64 / 1e9),
        number::time(window.to_ns.saturating_sub(window.from_ns)),
        rate(&window.before),
        rate(during),
        rate(&window.after),
        faults::available(&[window]),
        optional(window.before.p99_ns, number::time),
        optional(during.p99_ns, number::time),
        optional(window.after.p99_ns, number::time),
        optional(during.max_ns, number::time),
        recovery,
    ]
}

pub(super) fn errors(record: &RunRecord) -> Table {
    let rows = record.statistics.errors.iter().map(|error| {
        let outcome = match error.outcome {
            kvs_measure::ErrorOutcome::Fail => "fail",
            kvs_measure::ErrorOutcome::Info => "info",
        };
        vec![
            error.kind.to_string(),
            error.error.clone(),
            outcome.to_owned(),
            number::count(error.count),
        ]
    });
    Table::new(["operation", "error", "outcome", "count"], rows.collect())
}

pub(super) fn engines(record: &RunRecord) -> Table {
    let rows = record.verdict.engines.iter().map(|engine| {
        vec![
            engine.name.clone(),
            proof::found(engine).to_owned(),
            number::count(engine.covered),
            number::count(engine.total),
            number::seconds(engine.seconds),
            engine.reason.clone().unwrap_or_default(),
        ]
    });
    let header = ["engine", "verdict", "judged", "of", "took", "why"];
    Table::new(header, rows.collect())
}

pub(super) fn ladder(record: &RunRecord) -> Table {
    let rows = record.verdict.models.iter().map(|model| {
        let promised = if model.promised { "promised" } else { "" };
        vec![
            model.name.clone(),
            proof::standing(model.verdict).to_owned(),
            promised.to_owned(),
            model.reason.clone().unwrap_or_default(),
        ]
    });
    Table::new(["model", "verdict", "", "why"], rows.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tile of a ladder, weakest model first: each model's name, its verdict, and whether it is
    /// what was promised.
    fn tile(models: &[(&str, Option<VerdictWord>, bool)]) -> Tile {
        let stored = include_str!("../../../../../tests/testdata/records/before-faults.json");
        let mut record: RunRecord = serde_json::from_str(stored).expect("a record");
        let models = models.iter().map(|(name, verdict, promised)| ModelRecord {
            name: (*name).to_owned(),
            verdict: *verdict,
            promised: *promised,
            reason: None,
        });
        record.verdict.models = models.collect();
        ladder_tile(&record)
    }

    const HELD: Option<VerdictWord> = Some(VerdictWord::Valid);
    const BROKEN: Option<VerdictWord> = Some(VerdictWord::Invalid);
    const OPEN: Option<VerdictWord> = Some(VerdictWord::Unknown);

    #[test]
    fn a_model_that_held_above_broken_ones_is_no_praise() {
        let tile = tile(&[
            ("eventual", BROKEN, false),
            ("lww", BROKEN, true),
            ("mw", HELD, false),
            ("wfr", HELD, false),
        ]);
        assert_eq!(
            (tile.word, tile.headline.as_str()),
            ("invalid", "not one model held")
        );
        assert_eq!(tile.detail, "Broken: eventual, lww.");
    }

    #[test]
    fn the_ladder_is_climbed_to_the_last_model_below_the_first_broken_one() {
        let tile = tile(&[
            ("eventual", HELD, false),
            ("lww", None, false),
            ("ryw", HELD, false),
            ("mr", BROKEN, false),
            ("causal", BROKEN, true),
        ]);
        assert_eq!(
            (tile.word, tile.headline.as_str()),
            ("invalid", "nothing broken up to ryw")
        );
    }

    #[test]
    fn what_is_broken_above_the_promise_colours_nothing() {
        let tile = tile(&[
            ("eventual", HELD, false),
            ("lww", HELD, true),
            ("linearizable", BROKEN, false),
        ]);
        assert_eq!(
            (tile.word, tile.headline.as_str()),
            ("valid", "nothing broken up to lww")
        );
        assert_eq!(tile.detail, "Broken: linearizable.");
    }

    #[test]
    fn a_ladder_on_which_something_owed_is_open_is_not_green() {
        let open = tile(&[("eventual", OPEN, false), ("linearizable", HELD, true)]);
        assert_eq!(open.word, "unknown");
        let nothing = tile(&[("eventual", OPEN, false), ("causal", None, false)]);
        assert_eq!(
            (nothing.word, nothing.headline.as_str()),
            ("unknown", "not one model decided")
        );
        assert_eq!(tile(&[]).word, "unknown");
    }
}
