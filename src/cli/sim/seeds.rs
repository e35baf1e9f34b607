//! Runs seeds in parallel.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;

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
    let next = AtomicU64::new(seeds.start);
    let (send, receive) = channel();
    let mut ran: Vec<Ran> = std::thread::scope(|scope| {
        for _ in 0..jobs.get() {
            let (send, next, end) = (send.clone(), &next, seeds.end);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let outcome = sim::run(&Plan::draw(seed, options));
                    let ran = Ran {
                        seed,
                        verdict: outcome.verdict,
                        counters: outcome.counters,
                    };
                    if send.send(ran).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        let mut failures = 0;
        let tell = |ran: &Ran| {
            failures += u64::from(ran.verdict.is_failure());
            bar.advance(format!("{failures} failed"));
        };
        receive.into_iter().inspect(tell).collect()
    });
    ran.sort_unstable_by_key(|ran| ran.seed);
    ran
}
