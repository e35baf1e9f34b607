//! Writes a run as the command of `kvs-bench` that asks for it.

use std::fmt::Display;

use kvs_check::checker::Engine;
use kvs_load::nemesis::Wanted;
use kvs_load::workload::Chosen;
use kvs_load::workload::humane::format_duration;
use kvs_measure::shell;

use super::config::{CheckBudget, Config, Foreign};
use crate::targets::store::StoreConfig;
use kvs_core::session::Routing;

/// The program that takes the command.
const PROGRAM: &str = "kvs-bench";
/// Fields of the load that have an option of their own, if their value is one number or word.
const SHORTHANDS: [&str; 8] = [
    "duration",
    "operations",
    "warmup",
    "sessions",
    "rate",
    "arrivals",
    "records",
    "value_size",
];

/// The command that asks for this run, as a shell takes it. No command starts a store of the
/// caller's own: a comment then says what its run is.
pub(super) fn rendered(config: &Config) -> String {
    let words = arguments(config);
    let words = words.iter().map(String::as_str);
    match &config.store {
        Some(Foreign::Own(facts)) => {
            let words: Vec<String> = words.map(shell::quoted).collect();
            let name = &facts.name;
            format!("# its own program starts {name}, with {}", words.join(" "))
        }
        Some(Foreign::File(_)) | None => shell::command(PROGRAM, words),
    }
}

/// The arguments that ask for this run: its store, if a command can start it, and its load by their
/// names, and everything else that differs from its default.
#[must_use]
pub fn arguments(config: &Config) -> Vec<String> {
    let usual = Config::default();
    let mut words = Words::default();
    words.store(config, &usual);
    let (fields, shorthands) = settings(&config.load);
    words.option("workload", config.load.origin());
    words.differing(
        "durability",
        config.durability.name(),
        usual.durability.name(),
    );
    words.differing("host", config.host.name(), usual.host.name());
    words.clients(config, &usual);
    for (field, value) in fields {
        words.option("set", format!("{field}={value}"));
    }
    words.faults(&config.faults);
    for (field, value) in shorthands {
        words.option(&field.replace('_', "-"), value);
    }
    words.differing("seed", config.seed, usual.seed);
    if let Some(promise) = config.promise {
        words.option("promise", promise.name());
    }
    if let Some(bug) = config.bug {
        words.option("bug", bug.name());
    }
    words.output(config, &usual);
    words.judgement(config, &usual);
    words.0
}

/// A field of the load, and what it is set to.
type Setting = (&'static str, String);

/// What was set of the load: what `--set` takes, and what has an option of its own.
fn settings(load: &Chosen) -> (Vec<Setting>, Vec<Setting>) {
    // A table of sizes is no single value.
    let is_long = |(field, value): &Setting| !SHORTHANDS.contains(field) || value.contains('{');
    load.settings().into_iter().partition(is_long)
}

/// Words of a command line.
#[derive(Default)]
struct Words(Vec<String>);

impl Words {
    fn flag(&mut self, name: &str, is_given: bool) {
        if is_given {
            self.0.push(format!("--{name}"));
        }
    }

    fn option(&mut self, name: &str, value: impl Display) {
        let value = value.to_string();
        // A value that looks like an option is read as one.
        if value.starts_with('-') {
            self.0.push(format!("--{name}={value}"));
        } else {
            self.0.extend([format!("--{name}"), value]);
        }
    }

    fn differing<T: Display + PartialEq>(&mut self, name: &str, value: T, usual: T) {
        if value != usual {
            self.option(name, value);
        }
    }

    fn list(&mut self, name: &str, values: &[&str]) {
        if !values.is_empty() {
            self.option(name, values.join(","));
        }
    }

    fn store(&mut self, config: &Config, usual: &Config) {
        match &config.store {
            Some(Foreign::File(store)) => return self.foreign_store(store),
            // No command starts it.
            Some(Foreign::Own(_)) => return,
            None => {}
        }
        self.option("arch", &config.architecture);
        if config.architecture.has_lattice() || config.lattice != usual.lattice {
            self.option("lattice", config.lattice.name());
        }
    }

    fn foreign_store(&mut self, store: &StoreConfig) {
        self.option("store", &store.source);
        let endpoints: Vec<&str> = store.endpoints.iter().map(String::as_str).collect();
        self.list("endpoints", &endpoints);
        self.flag("clean", store.clean);
        for (name, value) in &store.options {
            let choice = store.definition.options.get(name);
            if choice.is_none_or(|choice| choice.default != *value) {
                self.option("set", format!("store.{name}={value}"));
            }
        }
    }

    fn clients(&mut self, config: &Config, usual: &Config) {
        let (policy, other) = (config.policy, usual.policy);
        let usually = match config.store {
            Some(_) => Routing::Sticky,
            None => other.routing,
        };
        self.differing("routing", policy.routing.name(), usually.name());
        let switch = |is_on: bool| if is_on { "on" } else { "off" };
        self.differing("context", switch(policy.context), switch(other.context));
        let (timeout, other) = (config.timeout.as_millis(), usual.timeout.as_millis());
        self.differing("timeout-ms", timeout, other);
    }

    fn faults(&mut self, faults: &Wanted) {
        let Wanted {
            all: _,
            kinds: _,
            interval,
            targets,
            shapes,
        } = faults;
        self.list("nemesis", &faults.names());
        if let Some(interval) = interval {
            self.option("nemesis-interval", format_duration(*interval));
        }
        let targets: Vec<&str> = targets.iter().map(|target| target.name()).collect();
        self.list("nemesis-targets", &targets);
        let shapes: Vec<&str> = shapes.iter().map(|shape| shape.name()).collect();
        self.list("nemesis-partitions", &shapes);
    }

    fn output(&mut self, config: &Config, usual: &Config) {
        let [results, other] = [config, usual].map(|it| it.results.display().to_string());
        self.differing("results", results, other);
        match config.history_limit {
            None => self.flag("no-history", true),
            Some(limit) if Some(limit) != usual.history_limit => {
                self.option("history-limit", limit);
            }
            Some(_) => {}
        }
        self.flag("trace", config.traced);
    }

    fn judgement(&mut self, config: &Config, usual: &Config) {
        self.differing(
            "engine",
            engine_name(config.engine),
            engine_name(usual.engine),
        );
        let [budget, other] = [config, usual].map(|it| it.budget.as_secs_f64());
        self.differing("budget", budget, other);
        match config.check_budget {
            CheckBudget::AsTheRun => {}
            CheckBudget::Time(time) => self.option("check-budget", format_duration(time)),
            CheckBudget::Unlimited => self.option("check-budget", "none"),
        }
        if let Some(slo) = &config.slo {
            self.option("slo", slo);
        }
    }
}

/// An engine's name, as `--engine` takes it.
#[must_use]
pub const fn engine_name(engine: Engine) -> &'static str {
    match engine {
        Engine::Direct => "direct",
        Engine::Stateright => "stateright",
        Engine::Both => "both",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvs_core::bug::Bug;
    use kvs_load::nemesis::FaultKind;
    use std::time::Duration;

    #[test]
    fn a_command_names_the_store_and_the_load_and_what_is_not_as_usual() {
        let usual = Config::default();
        assert_eq!(
            usual.command(),
            "kvs-bench --arch replicated --lattice causal --workload zipf"
        );
        let config = Config {
            architecture: "sharded(2)".parse().expect("an architecture"),
            load: usual.load.clone().lasting(Duration::from_secs(3)),
            bug: Some(Bug::StaleReads),
            faults: Wanted::of(FaultKind::KILL),
            ..usual
        };
        assert_eq!(
            config.command(),
            "kvs-bench --arch 'sharded(2)' --workload zipf --nemesis kill --duration 3s --bug \
             stale-reads"
        );
    }

    #[test]
    fn the_command_that_somebody_gave_stays_as_it_is() {
        let config = Config {
            given: Some("kvs-bench -a local".to_owned()),
            ..Config::default()
        };
        assert_eq!(config.command(), "kvs-bench -a local");
    }
}
