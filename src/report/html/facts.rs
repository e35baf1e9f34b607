//! What the page of a run says in words and tables.

use serde::Serialize;

use crate::measure::{FaultWindow, PeriodRecord, RunRecord, VerdictWord};
use crate::report::layout::{join, plural};
use crate::report::number::{self, optional};
use crate::report::proof;
use crate::report::tables::{self, Table};
use crate::report::text::{stored, throughput};

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

fn ladder_tile(record: &RunRecord) -> Tile {
    let named = |wanted: Option<VerdictWord>| {
        let models = record.verdict.models.iter();
        let of = models.filter(|model| model.verdict == wanted);
        of.map(|model| model.name.clone()).collect::<Vec<_>>()
    };
    let held = named(Some(VerdictWord::Valid));
    let broken = named(Some(VerdictWord::Invalid));
    let (word, headline) = match held.last() {
        _ if record.verdict.models.is_empty() => ("unknown", "not judged".to_owned()),
        None => ("invalid", "no model held".to_owned()),
        Some(strongest) => ("valid", format!("up to {strongest}")),
    };
    let detail = if broken.is_empty() {
        "No model was broken.".to_owned()
    } else {
        format!("Broken: {}.", join(broken))
    };
    Tile {
        id: "ladder",
        name: "Ladder",
        word,
        headline,
        detail,
    }
}

fn objectives(record: &RunRecord) -> Tile {
    let missed = { &record.objectives }
        .iter()
        .filter(|objective| objective.met == Some(false))
        .count();
    let (word, headline) = if record.objectives.is_empty() {
        ("none", "none given".to_owned())
    } else if record.objectives.iter().any(|one| one.met.is_none()) {
        ("unknown", "cannot be judged".to_owned())
    } else if missed > 0 {
        ("invalid", format!("{missed} missed"))
    } else {
        ("valid", "met".to_owned())
    };
    let detail = { &record.objectives }.iter().map(|objective| {
        let measured = tables::measured(objective);
        format!("{} ({measured} measured)", objective.objective)
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
    let throughput_text = throughput(record);
    let (word, headline, detail) = if !record.void.is_empty() {
        ("invalid", "VOID".to_owned(), join(record.void.clone()))
    } else if record.configuration.rate.is_some() {
        ("valid", "kept".to_owned(), throughput_text)
    } else {
        let sessions = plural(u64::from(record.configuration.sessions), "session");
        let headline = format!("closed loop, {sessions}");
        ("valid", headline, throughput_text)
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
    let workload = &configuration.workload;
    let machine = &record.machine;
    let known = [
        Some(plural(u64::from(machine.cores), "core")),
        machine.cpu.clone(),
        machine.memory_bytes.map(number::bytes),
        machine.kernel.clone(),
        record.versions.rustc.clone(),
    ];
    let phases = record
        .phases
        .iter()
        .map(|phase| format!("{} {}", phase.name, number::seconds(phase.seconds)));
    let context = if configuration.context { "on" } else { "off" };
    let lattice = configuration.lattice.as_deref();
    let mut facts = vec![
        ("Architecture", configuration.architecture.clone()),
        (
            "Lattice",
            lattice.unwrap_or("none: nothing is replicated").to_owned(),
        ),
        (
            "Nodes",
            format!(
                "{} in {}, {}",
                plural(u64::from(configuration.nodes), "node"),
                plural(u64::from(configuration.groups), "replica group"),
                plural(u64::from(configuration.connections), "connection")
            ),
        ),
        ("Durability", stored(configuration)),
        (
            "Routing",
            format!("{}, context {context}", configuration.routing),
        ),
        (
            "Workload",
            format!("{}: {}", workload.name, workload.summary),
        ),
        ("Seed", configuration.seed.to_string()),
        ("Machine", join(known.into_iter().flatten())),
        ("Phases", join(phases)),
        ("History", proof::history(record)),
    ];
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
    let all = during.operations + during.errors;
    let available = (all > 0).then(|| during.operations as f64 * 100.0 / all as f64);
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
        optional(available, |share| format!("{share:.2} %")),
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
            crate::measure::Outcome::Fail => "fail",
            crate::measure::Outcome::Info => "info",
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
            proof::word(engine.verdict).to_owned(),
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

/// The kinds of fault with the colours that Jepsen's plots give them.
const COLOURS: [(&str, &str); 6] = [
    ("partition", "#E9DCA0"),
    ("kill", "#E9A4A0"),
    ("pause", "#A0B1E9"),
    ("packet", "#D1E8A0"),
    ("clock", "#A0E9E3"),
    ("disk", "#99F2E2"),
];
/// The colour of a kind that this program does not know.
const OTHER_COLOUR: &str = "#CCCCCC";

/// The colour of a kind of fault.
pub(super) fn colour(kind: &str) -> &'static str {
    let known = COLOURS.iter().find(|(name, _)| *name == kind);
    known.map_or(OTHER_COLOUR, |(_, colour)| colour)
}
