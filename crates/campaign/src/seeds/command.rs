//! Simulations as commands.

use std::fmt::Display;

use kvs_load::nemesis::Target;
use kvs_measure::shell;
use kvs_sim::{Options, STEPS_DEFAULT, SimFault, Topology};

/// The program that takes the commands.
const PROGRAM: &str = "kvs-bench";
/// Every kind of fault, as `--without` takes it.
const ALL: &str = "all";

/// The command that simulates a store with all that a seed draws, in so many seeds from 0 where
/// that is decided.
#[must_use]
pub fn command(options: &Options, seeds: Option<u64>) -> String {
    let mut words = Words::of(options);
    words.bug(options);
    if let Some(seeds) = seeds {
        words.option("seeds", format!("0..{seeds}"));
    }
    if options.steps != STEPS_DEFAULT {
        words.option("steps", options.steps);
    }
    words.drawn(options);
    words.without(options);
    words.command()
}

/// The command that simulates exactly this.
#[must_use]
pub fn replay(seed: u64, options: &Options) -> String {
    let mut words = Words::of(options);
    words.option("seed", seed);
    words.option("steps", options.steps);
    words.drawn(options);
    words.without(options);
    words.bug(options);
    words.command()
}

/// Words of a command line.
struct Words(Vec<String>);

impl Words {
    /// Those that name the store.
    fn of(options: &Options) -> Self {
        let mut words = Self(vec!["sim".to_owned()]);
        words.option("arch", &options.architecture);
        if options.architecture.has_lattice() {
            words.option("lattice", options.lattice.name());
        }
        if let Some(promise) = options.promise {
            words.option("promise", promise.name());
        }
        words
    }

    fn option(&mut self, name: &str, value: impl Display) {
        self.0.extend([format!("--{name}"), value.to_string()]);
    }

    fn bug(&mut self, options: &Options) {
        if let Some(bug) = options.bug {
            self.option("bug", bug.name());
        }
    }

    /// What is decided though a seed could draw it.
    fn drawn(&mut self, options: &Options) {
        if let Some(workload) = &options.workload {
            self.option("workload", &workload.name);
        }
        if let Some(sessions) = options.sessions {
            self.option("sessions", sessions);
        }
        if let Some(keys) = options.keys {
            self.option("keys", keys);
        }
        if let Some(routing) = options.routing {
            self.option("routing", routing.name());
        }
        if !options.context {
            self.option("context", "off");
        }
        if options.topology != Topology::default() {
            self.option("topology", options.topology.name());
        }
    }

    fn without(&mut self, options: &Options) {
        if options.at_leader {
            self.option("nemesis-targets", Target::Leader.name());
        }
        if options.without.len() == SimFault::COUNT {
            self.option("without", ALL);
        } else if !options.without.is_empty() {
            let names: Vec<&str> = options.without.iter().map(|fault| fault.name()).collect();
            self.option("without", names.join(","));
        }
    }

    fn command(&self) -> String {
        shell::command(PROGRAM, self.0.iter().map(String::as_str))
    }
}
