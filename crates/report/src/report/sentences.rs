//! Sentences that both the screen and the page say.

use kvs_measure::{Configuration, PipeRecord, RunRecord, Statistics, StoreRecord};

use super::layout::{join, plural};
use super::number::{self, optional};

/// What the workload is.
pub(super) fn workload(configuration: &Configuration) -> String {
    let workload = &configuration.workload;
    format!("{}: {}", workload.name, workload.summary)
}

/// How many nodes there are, and which of them are spares.
pub(super) fn nodes(configuration: &Configuration) -> String {
    let nodes = plural(u64::from(configuration.nodes), "node");
    let spares = &configuration.spares;
    let names: Vec<String> = spares.iter().map(|node| format!("n{node}")).collect();
    match names.as_slice() {
        [] => nodes,
        [one] => format!("{nodes} ({one} is a spare)"),
        [.., _] => format!("{nodes} ({} are spares)", names.join(" ")),
    }
}

/// Whether requests carry what their session has seen, where the store takes that.
pub(super) const fn with_context(configuration: &Configuration) -> &'static str {
    match (&configuration.store, configuration.context) {
        (Some(_), _) => "",
        (None, true) => ", context on",
        (None, false) => ", context off",
    }
}

/// What is known of the machine, and which `program` ran on it.
pub(super) fn machine(record: &RunRecord, program: Option<String>) -> String {
    let machine = &record.machine;
    let known = [
        Some(plural(u64::from(machine.cores), "core")),
        machine.cpu.clone(),
        machine.memory_bytes.map(number::bytes),
        machine.kernel.clone(),
        program,
    ];
    join(known.into_iter().flatten())
}

/// How long each phase took.
pub(super) fn phases(record: &RunRecord) -> String {
    let phases = record.phases.iter();
    join(phases.map(|phase| format!("{} {}", phase.name, number::seconds(phase.seconds))))
}

/// What is known of a foreign store: its version, its options, how it was spoken to.
pub(super) fn foreign(store: &StoreRecord) -> String {
    let options = store.options.iter();
    let options = options.map(|(name, value)| format!("{name}={value}"));
    let ran = (!store.endpoints.is_empty())
        .then(|| format!("already running at {}", store.endpoints.join(", ")));
    let known = [
        store.version.clone(),
        Some(format!("adapter {}", store.adapter)),
        ran,
        { store.cleaned }.map(|keys| format!("{} deleted in the end", plural(keys, "key"))),
    ];
    join(known.into_iter().flatten().chain(options))
}

/// What the pipe to an adapter costs.
pub(super) fn pipe(pipe: PipeRecord) -> String {
    format!(
        "an adapter that answers at once reaches {} operations/s here, half of them within {}",
        number::rate(pipe.operations_per_s),
        number::time(pipe.p50_ns)
    )
}

/// What the store's own documentation says of its promise.
pub(super) fn says(configuration: &Configuration) -> Option<String> {
    let says = configuration.store.as_ref()?.says.as_ref()?;
    Some(format!("its documentation: {says}"))
}

/// Where values are, and what a kill would lose of them.
pub(super) fn stored(configuration: &Configuration) -> String {
    if configuration.store.is_some() {
        return match configuration.host.as_str() {
            "process" => "durability is the store's own".to_owned(),
            host => format!("durability is the store's own, host {host}"),
        };
    }
    let host = match configuration.host.as_str() {
        "process" => String::new(),
        host => format!(", host {host}"),
    };
    match (
        configuration.durability.as_str(),
        configuration.is_replicated(),
    ) {
        ("memory", false) => format!("stored in memory (a killed node loses all it has){host}"),
        ("memory", true) => {
            format!("stored in memory (a killed node loses what no other node has){host}")
        }
        (durability, _) => format!("stored on {durability}, acknowledged when synced{host}"),
    }
}

/// How often a compare-and-set found another value than it expected, where any was asked.
pub(super) fn mismatches(statistics: &Statistics) -> Option<String> {
    let (mismatches, compared) = statistics.mismatched()?;
    Some(format!(
        "{} of {} compare-and-sets found another value ({}): an answer, and no error",
        number::count(mismatches),
        number::count(compared),
        number::percent(mismatches, compared)
    ))
}

/// How many operations there were in how long, and what the schedule asked for.
pub(super) fn throughput(record: &RunRecord) -> String {
    let throughput = &record.statistics.throughput;
    let achieved = optional(throughput.achieved_per_s, number::rate);
    let done = format!(
        "{achieved} operations/s achieved ({} in {})",
        number::count(throughput.operations),
        number::seconds(throughput.seconds)
    );
    let Some(offered) = throughput.offered else {
        return done;
    };
    let mut text = format!(
        "{} operations/s offered, {done}; {} of the arrivals late by the generator's fault",
        optional(throughput.offered_per_s, number::rate),
        number::percent(throughput.late, offered)
    );
    if throughput.not_started > 0 {
        let share = number::percent(throughput.not_started, offered);
        text += &format!(", {share} never started");
    }
    text
}
