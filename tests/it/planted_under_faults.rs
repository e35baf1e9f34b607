//! The checkers see what is wrong in histories that the simulator records under faults: planted
//! bugs of the store, and evidence that was changed by hand where only some replies carry any.

use kvs_zoo::bug::Bug;
use kvs_zoo::checker::{Engine, Options, Report, VerdictWord, check};
use kvs_zoo::history::{Evidence, History, Kind, Row, Siblings, Witness};
use kvs_zoo::protocol::Lattice;
use kvs_zoo::server::Architecture;
use kvs_zoo::sim::{self, Plan};
use kvs_zoo::workload::Workload;

const STEPS: u64 = 800;
/// What is searched at most, for a seed that has what is changed.
const SEEDS: std::ops::Range<u64> = 0..120;
/// The same for a seed that shows a bug. Most show in one of the first ten, and that a quorum does
/// not write back in one of two hundred.
const SEEDS_OF_BUGS: std::ops::Range<u64> = 0..2_000;
/// How many rows of a history are changed, each by itself.
const CHANGES: usize = 24;
/// Every so many-th reply of a history carries no evidence.
const ERASED_IN: usize = 4;

/// What clients saw under the faults and the workload that a seed draws, or on the keys of
/// `contended`, and whether faults came.
fn recorded(
    seed: u64,
    (architecture, lattice, bug): (Architecture, Lattice, Option<Bug>),
    is_contended: bool,
) -> (sim::Simulated, bool) {
    let options = sim::Options {
        steps: STEPS,
        bug,
        at_leader: bug.is_some_and(sim::shows_at_leader),
        ..sim::Options::new(architecture, lattice)
    };
    let drawn = Plan::draw(seed, &options);
    let plan = Plan {
        workload: if is_contended {
            Workload::load("contended").unwrap()
        } else {
            drawn.workload.clone()
        },
        loses_puts: false,
        ..drawn
    };
    let outcome = sim::run(&plan);
    let faults: u64 = outcome.counters.faults.iter().sum();
    (outcome, faults > 0)
}

fn judged(history: &History) -> Report {
    let options = Options {
        engine: Engine::Direct,
        ..Options::default()
    };
    check(history, &options)
}

#[test]
fn every_planted_bug_makes_a_history_under_faults_invalid() {
    // Without repair replicas never come to rest, which is seen before anything is read back.
    let never_rests = |bug: &Bug| *bug == Bug::NoRepair;
    for bug in Bug::ALL.into_iter().filter(|bug| bug.facts().sim) {
        let facts = bug.facts();
        let lattice = facts.lattice.unwrap_or_default();
        let architecture = || Architecture::from(facts.store);
        let shows = SEEDS_OF_BUGS.into_iter().find(|seed| {
            let (run, has_faults) = recorded(*seed, (architecture(), lattice, Some(bug)), false);
            let verdict = judged(&run.history).verdict();
            if never_rests(&bug) && run.verdict.way() == "liveness" {
                assert_ne!(verdict, VerdictWord::Valid, "{bug}, seed {seed}");
                return has_faults;
            }
            has_faults && verdict == VerdictWord::Invalid
        });
        let seed = shows.unwrap_or_else(|| panic!("no history shows {bug}"));
        let (control, _) = recorded(seed, (architecture(), lattice, None), false);
        let report = judged(&control.history);
        let verdict = report.verdict();
        assert_eq!(verdict, VerdictWord::Valid, "{bug}, seed {seed}: {report}");
    }
}

/// The history with each row given to `change` together with its number, and what that makes of
/// its evidence.
fn with(history: &History, change: impl Fn(usize, &Row<'_>) -> Changed) -> History {
    let mut rest = History::from_rows(history.header.clone(), []);
    for number in 0..history.len() {
        let row = history.row(number);
        let changed = change(number, &row);
        let witness = match &changed {
            Changed::Kept => row.witness,
            Changed::Erased => Witness::None,
            Changed::To(own) => own.witness(),
        };
        rest.columns.push(&Row { witness, ..row });
    }
    rest.end = history.end;
    rest
}

enum Changed {
    Kept,
    Erased,
    To(Own),
}

/// The evidence of a reply, to be changed.
#[derive(Clone, Default)]
struct Own {
    dot: Option<u64>,
    vector: Vec<u64>,
    dots: Vec<u64>,
    ends: Vec<u32>,
    vectors: Vec<u64>,
    version: Option<kvs_zoo::history::Version>,
}

impl Own {
    fn of(witness: &Witness<'_>) -> Self {
        match witness {
            Witness::None => Self::default(),
            Witness::Put { dot, vector } => Self {
                dot: Some(*dot),
                vector: vector.to_vec(),
                ..Self::default()
            },
            Witness::Get { vector, siblings } => {
                let mut own = Self {
                    vector: vector.to_vec(),
                    dots: siblings.dots.to_vec(),
                    ..Self::default()
                };
                for at in 0..siblings.dots.len() {
                    own.vectors.extend(siblings.vector(at));
                    own.ends.push(own.vectors.len() as u32);
                }
                own
            }
            Witness::Version(version) => Self {
                version: *version,
                ..Self::default()
            },
        }
    }

    fn witness(&self) -> Witness<'_> {
        match (self.version, self.dot) {
            (Some(version), _) => Witness::Version(Some(version)),
            (None, Some(dot)) => Witness::Put {
                dot,
                vector: &self.vector,
            },
            (None, None) => Witness::Get {
                vector: &self.vector,
                siblings: Siblings {
                    dots: &self.dots,
                    ends: &self.ends,
                    vectors: &self.vectors,
                    base: 0,
                },
            },
        }
    }
}

/// A valid history under faults of which every [`ERASED_IN`]-th reply carries no evidence.
fn partly_evident(lattice: Lattice) -> History {
    let replicated: Architecture = "replicated".parse().unwrap();
    let mut histories = SEEDS.filter_map(|seed| {
        let (whole, has_faults) = recorded(seed, (replicated.clone(), lattice, None), true);
        let some = with(&whole.history, |number, _| {
            if number % ERASED_IN == 0 {
                Changed::Erased
            } else {
                Changed::Kept
            }
        });
        let is_valid = judged(&some).verdict() == VerdictWord::Valid;
        (has_faults && is_valid).then_some(some)
    });
    histories.next().expect("other seeds are needed")
}

/// The put that wrote an id, where its reply carries evidence.
fn evident_put(history: &History, id: u64) -> Option<Row<'_>> {
    let rows = (0..history.len()).map(|number| history.row(number));
    let mut puts = rows.filter(|row| row.kind == Kind::Put && row.written == id);
    puts.next().filter(|row| row.witness != Witness::None)
}

/// Changes one row after another by `lie`, which says nothing where the row has nothing to change,
/// and expects each lie to be seen.
#[track_caller]
fn each_is_seen(what: &str, history: &History, lie: impl Fn(&Row<'_>) -> Option<Own>) {
    let rows = (0..history.len()).filter(|number| lie(&history.row(*number)).is_some());
    let rows: Vec<usize> = rows.collect();
    assert!(rows.len() >= CHANGES, "{what}: only {} rows", rows.len());
    let mut invalid = 0;
    for chosen in rows.iter().step_by(rows.len() / CHANGES) {
        let changed = with(history, |number, row| match lie(row) {
            Some(own) if number == *chosen => Changed::To(own),
            Some(_) | None => Changed::Kept,
        });
        let report = judged(&changed);
        let verdict = report.verdict();
        assert_ne!(
            verdict,
            VerdictWord::Valid,
            "{what}, row {chosen}: {report}"
        );
        invalid += usize::from(verdict == VerdictWord::Invalid);
    }
    assert!(invalid > 0, "{what}: a lie that is never refuted");
}

#[test]
fn a_lie_in_a_part_of_a_certificate_is_seen_where_other_evidence_contradicts_it() {
    let history = partly_evident(Lattice::Causal);
    assert!(history.columns.evidence.contains(&Evidence::Causal));
    let first_put = (0..history.len())
        .map(|number| history.row(number))
        .find(|row| row.kind == Kind::Put && matches!(row.witness, Witness::Put { .. }))
        .unwrap();
    let taken = Own::of(&first_put.witness).dot.unwrap();
    each_is_seen("a dot that another put has", &history, |row| {
        let own = Own::of(&row.witness);
        let is_other = own.dot? != taken;
        is_other.then_some(Own {
            dot: Some(taken),
            ..own
        })
    });
    each_is_seen("a sibling's dot that is not its put's", &history, |row| {
        let mut own = Own::of(&row.witness);
        let id = *row.read.first()?;
        evident_put(&history, id)?;
        *own.dots.first_mut()? += 1;
        Some(own)
    });
    each_is_seen(
        "a sibling's vector that is not its put's",
        &history,
        |row| {
            let mut own = Own::of(&row.witness);
            let id = *row.read.first()?;
            evident_put(&history, id)?;
            *own.vectors.first_mut()? += 1;
            Some(own)
        },
    );
    each_is_seen("a get that does not cover what it read", &history, |row| {
        let mut own = Own::of(&row.witness);
        evident_put(&history, *row.read.first()?)?;
        let dot = *own.dots.first()?;
        let origin = kvs_zoo::history::dot_origin(dot);
        own.vector
            .retain(|entry| kvs_zoo::history::dot_origin(*entry) != origin);
        Some(own)
    });
}

#[test]
fn a_lie_in_a_part_of_the_versions_is_seen_where_another_version_contradicts_it() {
    let history = partly_evident(Lattice::Lww);
    assert!(history.columns.evidence.contains(&Evidence::Versions));
    let first_put = (0..history.len())
        .map(|number| history.row(number))
        .find(|row| row.kind == Kind::Put && matches!(row.witness, Witness::Version(Some(_))))
        .unwrap();
    let taken = Own::of(&first_put.witness).version;
    each_is_seen("a version that another put has", &history, |row| {
        let own = Own::of(&row.witness);
        let is_other = row.kind == Kind::Put && own.version? != taken?;
        is_other.then_some(Own {
            version: taken,
            ..own
        })
    });
    each_is_seen("a version read that is not its put's", &history, |row| {
        let mut own = Own::of(&row.witness);
        evident_put(&history, *row.read.first()?)?;
        own.version.as_mut()?.time += 1;
        Some(own)
    });
}
