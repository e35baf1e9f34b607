//! What a node costs beyond the bytes it moves: this store against a bare quinn echo of the same
//! design and settings, plain TCP, and Redis where it is installed.
//!
//! `cargo bench --bench limits [-- --quick]`, or `scripts/bench-limits.sh`. `--only local` and
//! `--outstanding 64` leave the rest out, for a profiler. All that is compared
//! is measured in turns within one run, in both placements (everything on one CPU; unpinned), and
//! the medians' ratios are printed as a Markdown table beside their targets. Absolute numbers mean
//! nothing on a shared machine.

mod echo;
mod load;
mod redis;
mod relay;
mod servers;
mod table;

use std::collections::BTreeMap;
use std::time::Duration;

use kvs_zoo::transport::runtime;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use load::{Mix, Sample};
use servers::{Servers, System};

/// Bytes of a value; keys have 16.
const VALUE_BYTES: usize = 100;
/// Keys that are read and written, each put once before anything is measured.
const RECORDS: u64 = 10_000;
/// Requests outstanding on one connection.
const OUTSTANDING: [usize; 4] = [1, 16, 64, 256];
/// Architectures are compared with each other over this many connections, all to the one node of
/// `local`, one to each node of the others.
const CONNECTIONS_ARCHITECTURES: usize = 3;
/// And with this many requests outstanding on all of them together: 64 on each.
const OUTSTANDING_ARCHITECTURES: usize = 64 * CONNECTIONS_ARCHITECTURES;

/// Where the processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Placement {
    OneCpu,
    Unpinned,
}

impl Placement {
    const ALL: [Self; 2] = [Self::OneCpu, Self::Unpinned];

    /// Puts this process, and those that it starts from now on, in their place.
    fn enter(self, all: &CpuSet) {
        let mut set = CpuSet::new();
        match self {
            Self::OneCpu => {
                let first = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu));
                set.set(first.expect("a process may run on some CPU"));
            }
            Self::Unpinned => set = *all,
        }
        sched_setaffinity(None, &set).expect("a process may place itself");
    }

    fn name(self) -> &'static str {
        match self {
            Self::OneCpu => "one CPU",
            Self::Unpinned => "unpinned",
        }
    }
}

/// What is measured: one cell of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    placement: Placement,
    outstanding: usize,
    mix: Mix,
    system: System,
}

/// What was found for each cell, one entry a round.
type Results = BTreeMap<Cell, Vec<Measured>>;

#[derive(Clone, Debug)]
struct Measured {
    sample: Sample,
    /// CPU time of all server processes, per operation; absent where it is not known.
    server_cpu_us: Option<f64>,
}

fn main() {
    kvs_zoo::node::run_if_node();
    match std::env::args().nth(1).as_deref() {
        Some(servers::ECHO_QUIC) => return echo::quic(),
        Some(servers::ECHO_TCP) => return echo::tcp(),
        Some(servers::RELAY) => return relay::relay(),
        _ => {}
    }
    // Run by `cargo test` as well, with `--test`: there is nothing to test here.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let options = Options::from_arguments();
    let results = runtime()
        .expect("an event loop")
        .block_on(measure(&options));
    table::print(&results);
}

/// What is measured, and for how long.
struct Options {
    rounds: usize,
    time: Duration,
    only: Option<String>,
    outstanding: Option<usize>,
}

impl Options {
    fn from_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().collect();
        let after = |name: &str| {
            let place = arguments.iter().position(|argument| argument == name)?;
            arguments.get(place + 1).cloned()
        };
        let quick = arguments.iter().any(|argument| argument == "--quick");
        let (rounds, time) = if quick {
            (5, Duration::from_millis(100))
        } else {
            (7, Duration::from_millis(700))
        };
        Self {
            rounds,
            time,
            only: after("--only"),
            outstanding: after("--outstanding").map(|number| number.parse().expect("a number")),
        }
    }

    fn wants(&self, cell: &Cell) -> bool {
        let system = format!("{:?}", cell.system).to_lowercase();
        self.only.as_ref().is_none_or(|only| only.contains(&system))
            && self
                .outstanding
                .is_none_or(|number| number == cell.outstanding)
    }
}

async fn measure(options: &Options) -> Results {
    let Options { rounds, time, .. } = *options;
    let all = sched_getaffinity(None).expect("a process knows its CPUs");
    let mut results = Results::new();
    for placement in Placement::ALL {
        placement.enter(&all);
        let mut servers = Servers::start().await;
        let cells = cells(placement, &servers, options);
        for round in 0..rounds {
            eprintln!("{}: round {} of {rounds}", placement.name(), round + 1);
            for cell in &cells {
                let measured = servers.measure(*cell, time).await;
                results.entry(*cell).or_default().push(measured);
            }
        }
        servers.stop().await;
    }
    results
}

/// In the order in which they are measured: what is compared stands together.
fn cells(placement: Placement, servers: &Servers, options: &Options) -> Vec<Cell> {
    let cell = |outstanding, mix, system| Cell {
        placement,
        outstanding,
        mix,
        system,
    };
    let mut cells = Vec::new();
    for outstanding in OUTSTANDING {
        for system in [System::Echo, System::Local, System::Tcp, System::Redis] {
            if servers.has(system) {
                cells.push(cell(outstanding, Mix::Half, system));
            }
        }
    }
    for mix in [Mix::Half, Mix::Gets, Mix::Puts] {
        let systems: &[System] = match mix {
            Mix::Half => &[System::Echo, System::Echoes, System::Local, System::Sharded],
            Mix::Gets | Mix::Puts => &[
                System::Local,
                System::Replicated,
                System::Relays,
                System::Quorum,
            ],
        };
        for system in systems {
            cells.push(cell(OUTSTANDING_ARCHITECTURES, mix, *system));
        }
    }
    cells.retain(|cell| options.wants(cell));
    cells
}
