//! Runs seeds in parallel.

use std::num::NonZero;
use std::ops::Range;

use crate::cli::parallel;
use crate::cli::progress::Bar;
use crate::sim::{self, Counters, Options, Plan, Verdict};

/// What is kept of a seed.
#[derive(Clone, Debug)]
pub(super) struct Ran {
    pub(super) seed: u64,
    pub(super) verdict: Verdict,
    pub(super) counters: Counters,
}

/// Runs every seed of a range, `jobs` at a time, and returns what came of them, by seed.
pub(super) fn run(options: &Options, seeds: Range<u64>, jobs: NonZero<usize>) -> Vec<Ran> {
    let bar = Bar::new(seeds.end - seeds.start);
    let mut failures = 0;
    let work = |seed| {
        let outcome = sim::run(&Plan::draw(seed, options));
        Ran {
            seed,
            verdict: outcome.verdict,
            counters: outcome.counters,
        }
    };
    parallel::each(seeds, jobs, work, |ran| {
        failures += u64::from(ran.verdict.is_failure());
        bar.advance(format!("{failures} failed"));
    })
}
