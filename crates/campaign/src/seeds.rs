//! Many seeds of one simulation, at once, and the search for one that fails.

mod command;

use std::num::NonZero;
use std::ops::Range;

use kvs_sim::{Counters, Options, Plan, SimFault, SimVerdict};

use crate::{Observer, parallel};

pub use command::{command, replay};

/// Of so many seeds every kind of fault must have come, each being in every other seed; of fewer,
/// the draw may have left some out.
pub const SEEDS_WITH_EVERY_FAULT: u64 = 32;
/// How many seeds run before a failure is looked for; twice as many the next time.
const BATCH_FIRST: u64 = 8;

/// What is kept of a seed.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The seed.
    pub seed: u64,
    /// What was found.
    pub verdict: SimVerdict,
    /// What happened.
    pub counters: Counters,
}

/// Runs every seed of a range, `jobs` at a time, and returns what came of them, by seed. A panic of
/// the store is a verdict, and says nothing on standard error.
pub fn run(
    options: &Options,
    seeds: Range<u64>,
    jobs: NonZero<usize>,
    observer: &mut dyn Observer,
) -> Vec<Ran> {
    observer.begin(seeds.end - seeds.start);
    let mut failures = 0;
    let work = |seed| {
        let outcome = kvs_sim::run(&Plan::draw(seed, options));
        Ran {
            seed,
            verdict: outcome.verdict,
            counters: outcome.counters,
        }
    };
    let ran = quietly(|| {
        parallel::each(seeds, jobs, work, |ran| {
            failures += u64::from(ran.verdict.is_failure());
            observer.advance(&format!("{failures} failed"));
        })
    });
    observer.end();
    ran
}

/// What came of a search for a seed that fails.
#[derive(Debug)]
pub struct Search {
    /// The first seed that fails, and in which way.
    pub failure: Option<(u64, String)>,
    /// How many seeds were simulated and could not be judged.
    pub unknown: u64,
    /// Kinds of fault that never came, though there were seeds enough for each.
    pub never_came: Vec<SimFault>,
}

/// Simulates seed after seed from 0 to `seeds`, and only until one fails.
pub fn search(
    options: &Options,
    seeds: u64,
    jobs: NonZero<usize>,
    observer: &mut dyn Observer,
) -> Search {
    let mut unknown = 0;
    let mut counters = Counters::default();
    let mut batch = BATCH_FIRST;
    let mut from = 0;
    while from < seeds {
        let to = from.saturating_add(batch).min(seeds);
        for ran in run(options, from..to, jobs, observer) {
            if ran.verdict.is_failure() {
                let failure = Some((ran.seed, ran.verdict.way()));
                return Search {
                    failure,
                    unknown,
                    never_came: Vec::new(),
                };
            }
            counters.add(&ran.counters);
            unknown += u64::from(ran.verdict != SimVerdict::Valid);
        }
        (from, batch) = (to, batch.saturating_mul(2));
    }
    let never_came = if seeds < SEEDS_WITH_EVERY_FAULT {
        Vec::new()
    } else {
        options.never_came(&counters)
    };
    Search {
        failure: None,
        unknown,
        never_came,
    }
}

/// Does it without printing what panics say: a panic of the store is a result, which is told with
/// its seed.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let done = work();
    std::panic::set_hook(hook);
    done
}
