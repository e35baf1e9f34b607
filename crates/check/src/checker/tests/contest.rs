//! One model, its engines, and a brute force that enumerates its definition: all have to agree on
//! every one of many random histories, of which enough are valid and enough are not.

use super::generate::Random;
use super::shrink::shrink;
use crate::history::{History, write_json_lines};

/// Histories that every model is compared on, unless the build says otherwise.
const HISTORIES: u64 = 5_000;
/// Fewer of either kind, as a share of all, would make the comparison worthless.
const EACH_MIN_IN: u64 = 8;

/// Histories that are generated at most for each that counts.
const TRIES: u64 = 40;

/// Says whether a history satisfies a model; `None` when it cannot be said.
pub(super) type Judge = fn(&History) -> Option<bool>;

/// The same of an engine, which may have to know more than the history.
pub(super) type Engine = Box<dyn Fn(&History) -> Option<bool>>;

/// An engine that is compared with the definition.
pub(super) struct Rival {
    pub(super) name: &'static str,
    pub(super) judge: Engine,
    /// Histories, one in so many, on which it may leave the verdict open; 0 for none.
    pub(super) may_leave_one_in: u64,
}

/// A model and those who judge it.
pub(super) struct Contest {
    pub(super) model: &'static str,
    /// A random history of about so many operations, or none if it came out useless.
    pub(super) generate: fn(&mut Random, usize) -> Option<History>,
    pub(super) operations: std::ops::Range<usize>,
    /// The definition.
    pub(super) brute: Judge,
    pub(super) rivals: Vec<Rival>,
}

/// How many histories of each kind there were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) valid: u64,
    pub(super) invalid: u64,
    /// The definition itself leaves the verdict open.
    pub(super) open: u64,
}

/// A history on which an engine answers something else than the definition says.
pub(super) struct Disagreement {
    pub(super) seed: u64,
    pub(super) rival: &'static str,
    pub(super) history: History,
}

/// How many histories each model is compared on. The number is part of the build, since checkers
/// read no environment: `KVS_ORACLE_HISTORIES` when it is compiled, as the nightly script does.
pub(super) fn histories() -> u64 {
    option_env!("KVS_ORACLE_HISTORIES").map_or(HISTORIES, |number| {
        number.parse().expect("KVS_ORACLE_HISTORIES is a number")
    })
}

/// Where the seeds start: `KVS_ORACLE_SEED` when it is compiled.
fn first_seed() -> u64 {
    option_env!("KVS_ORACLE_SEED").map_or(0, |number| {
        number.parse().expect("KVS_ORACLE_SEED is a number")
    })
}

impl Contest {
    /// Whether the two differ on a history as they did on the one it was shrunk from: a history
    /// of another kind of disagreement would explain nothing.
    fn differ(&self, rival: &Rival, history: &History, answers: [Option<bool>; 2]) -> bool {
        let now = [(rival.judge)(history), (self.brute)(history)];
        if answers[0].is_none() {
            now[0].is_none() && now[1].is_some()
        } else {
            now == answers
        }
    }

    /// Compares on `count` histories; the first disagreement, shrunk, ends it.
    pub(super) fn run(&self, count: u64) -> Result<Tally, Box<Disagreement>> {
        let mut tally = Tally::default();
        let mut left = vec![0; self.rivals.len()];
        let first = first_seed();
        let mut seed = first;
        while tally.valid + tally.invalid < count {
            assert!(
                seed - first < TRIES * count,
                "{}: hardly a history",
                self.model
            );
            let mut random = Random(seed);
            seed += 1;
            let operations =
                self.operations.start + random.below(self.operations.end - self.operations.start);
            let Some(history) = (self.generate)(&mut random, operations) else {
                continue;
            };
            let expected = (self.brute)(&history);
            for (rival, left) in self.rivals.iter().zip(&mut left) {
                let answer = (rival.judge)(&history);
                *left += u64::from(answer.is_none() && expected.is_some());
                let may_leave = answer.is_none() && rival.may_leave_one_in > 0;
                if answer != expected && !may_leave {
                    return Err(Box::new(Disagreement {
                        seed: seed - 1,
                        rival: rival.name,
                        history: shrink(&history, |smaller| {
                            self.differ(rival, smaller, [answer, expected])
                        }),
                    }));
                }
            }
            // Of the commoner kind only so many count, and the search goes on for the other.
            let enough = count - count / EACH_MIN_IN;
            match expected {
                Some(true) => tally.valid += u64::from(tally.valid < enough),
                Some(false) => tally.invalid += u64::from(tally.invalid < enough),
                None => tally.open += 1,
            }
        }
        for (rival, left) in self.rivals.iter().zip(left) {
            let (model, name) = (self.model, rival.name);
            assert!(
                left * rival.may_leave_one_in <= seed - first,
                "{model}: {name} left {left} of {count} open"
            );
        }
        Ok(tally)
    }

    /// Compares on as many histories as the build asks for.
    ///
    /// # Panics
    /// With the shrunk history when two disagree, and when there are too few of either kind.
    #[track_caller]
    pub(super) fn hold(&self) {
        let count = histories();
        let tally = match self.run(count) {
            Ok(tally) => tally,
            Err(disagreement) => panic!("{}", self.describe(&disagreement)),
        };
        let rivals: Vec<&str> = self.rivals.iter().map(|rival| rival.name).collect();
        println!(
            "oracle  {:<24} {:>9} valid {:>9} invalid {:>7} open   definition = {}",
            self.model,
            tally.valid,
            tally.invalid,
            tally.open,
            rivals.join(" = ")
        );
        assert!(
            tally.valid >= count / EACH_MIN_IN && tally.invalid >= count / EACH_MIN_IN,
            "{}: one kind is too rare: {tally:?}",
            self.model
        );
    }

    /// A disagreement, ready to become a file of the corpus.
    pub(super) fn describe(&self, disagreement: &Disagreement) -> String {
        let rival = self.rivals.iter().find(|r| r.name == disagreement.rival);
        format!(
            "{}, seed {}: {} says {:?}, the definition says {:?}:\n{}",
            self.model,
            disagreement.seed,
            disagreement.rival,
            rival.and_then(|rival| (rival.judge)(&disagreement.history)),
            (self.brute)(&disagreement.history),
            text(&disagreement.history)
        )
    }
}

/// The history as JSON lines.
pub(in crate::checker) fn text(history: &History) -> String {
    let mut bytes = Vec::new();
    write_json_lines(history, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}
