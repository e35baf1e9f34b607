//! Makes a failing simulation smaller, as long as it still fails in the same way.

use std::collections::BTreeSet;

use super::outcome::SimVerdict;
use super::plan::{Options, Plan};
use super::run;
use kvs_load::nemesis::SimFault;

/// How many simulations a reduction takes at most.
const ATTEMPTS_MAX: u32 = 400;

/// Reduces what `options` make of `seed`, which must fail: first the steps, then the kinds of
/// fault, then sessions, keys and replicas, over and over until nothing more can be left out.
#[must_use]
pub fn shrink(seed: u64, options: &Options) -> Options {
    let way = verdict(seed, options).way();
    let mut search = Search {
        seed,
        way,
        best: options.clone(),
        attempts_left: ATTEMPTS_MAX,
    };
    loop {
        let before = search.best.clone();
        search.fewer_steps();
        search.fewer_faults();
        search.fewer_sessions();
        search.fewer_keys();
        search.fewer_replicas();
        if search.best == before || search.attempts_left == 0 {
            return search.best;
        }
    }
}

fn verdict(seed: u64, options: &Options) -> SimVerdict {
    run(&Plan::draw(seed, options)).verdict
}

struct Search {
    seed: u64,
    way: String,
    best: Options,
    attempts_left: u32,
}

impl Search {
    /// Takes the change if the simulation still fails in the same way.
    fn attempt(&mut self, change: impl FnOnce(&mut Options)) -> bool {
        let mut changed = self.best.clone();
        change(&mut changed);
        if changed == self.best || self.attempts_left == 0 {
            return false;
        }
        self.attempts_left -= 1;
        let verdict = verdict(self.seed, &changed);
        let same = verdict.is_failure() && verdict.way() == self.way;
        if same {
            self.best = changed;
        }
        same
    }

    /// Leaves out as many of the last steps as it can, in jumps that get smaller.
    fn fewer_steps(&mut self) {
        let mut jump = self.best.steps / 2;
        while jump > 0 {
            let fewer = self.best.steps.saturating_sub(jump);
            if fewer == 0 || !self.attempt(|options| options.steps = fewer) {
                jump /= 2;
            }
        }
    }

    fn fewer_faults(&mut self) {
        if self.attempt(|options| options.without = SimFault::ALL.iter().copied().collect()) {
            return;
        }
        for fault in SimFault::ALL {
            self.attempt(|options| {
                options.without.insert(*fault);
            });
        }
        self.name_absent_faults();
    }

    /// Kinds that the seed does not draw need not be named.
    fn name_absent_faults(&mut self) {
        let all = Options {
            without: BTreeSet::new(),
            ..self.best.clone()
        };
        let drawn = Plan::draw(self.seed, &all).faults;
        self.best.without.retain(|fault| drawn.contains_key(fault));
    }

    fn fewer_sessions(&mut self) {
        let drawn = Plan::draw(self.seed, &self.best).workload.sessions;
        for sessions in counts(u64::from(drawn)) {
            if self.attempt(|options| options.sessions = Some(sessions as u32)) {
                return;
            }
        }
    }

    fn fewer_keys(&mut self) {
        let drawn = Plan::draw(self.seed, &self.best).workload.records;
        for keys in counts(drawn) {
            if self.attempt(|options| options.keys = Some(keys)) {
                return;
            }
        }
    }

    fn fewer_replicas(&mut self) {
        for replicas in 2..=3 {
            let Ok(smaller) = self.best.architecture.with_replicas(replicas) else {
                return;
            };
            if smaller.size() >= self.best.architecture.size() {
                return;
            }
            if self.attempt(|options| options.architecture = smaller) {
                return;
            }
        }
    }
}

/// Smaller counts to try, the smallest first.
fn counts(from: u64) -> impl Iterator<Item = u64> {
    (1..=4)
        .chain([from / 4, from / 2, from.saturating_sub(1)])
        .filter(move |count| (1..from).contains(count))
}
