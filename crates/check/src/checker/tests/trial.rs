//! The oracles on trial: definitions that have to imply one another, and planted wrong checkers
//! that have to be found.

use super::brute;
use super::contest::{Contest, histories, text};
use super::generate::{self, Random, Store};
use super::oracle::{registers, rival, something};
use super::shrink::shrink;
use crate::history::History;

/// What clients of a store that keeps one value see. Mostly all replicas prefer the same of two
/// concurrent values, now and then each its own.
pub(super) fn single_values(random: &mut Random, operations: usize) -> Option<History> {
    let mut ops = generate::valid(random, Store::Causal, operations);
    let alike = random.one_in(3);
    for op in &mut ops {
        if alike {
            op.seen.sort_by_key(|seen| std::cmp::Reverse(seen.version));
        } else if op.seen.len() > 1 && random.one_in(2) {
            op.seen.swap(0, 1);
        }
        op.seen.truncate(1);
    }
    for _ in 0..random.below(5) {
        generate::mutate_visibly(random, Store::Register, &mut ops);
    }
    something(generate::bare(&ops)).filter(brute::integrity)
}

#[test]
fn the_definitions_of_models_imply_one_another_as_they_must() {
    let (mut weak, mut differ) = (0, [0; 6]);
    for seed in 0..histories() {
        let mut random = Random(seed);
        let operations = 5 + random.below(5);
        let Some(history) = single_values(&mut random, operations) else {
            continue;
        };
        let [linearizable, regular, sequential, memory, convergence, cc] = [
            brute::linearizable,
            brute::regular,
            brute::sequential,
            brute::causal_memory,
            brute::causal_convergence,
            brute::weak_causal,
        ]
        .map(|model| model(&history));
        let holds = (!linearizable || (sequential && regular))
            && (!sequential || (memory && convergence))
            && (!memory || cc)
            && (!convergence || cc);
        assert!(holds, "seed {seed}:\n{}", text(&history));
        weak += u64::from(cc);
        differ[0] += u64::from(sequential && !linearizable);
        differ[1] += u64::from(memory && convergence && !sequential);
        differ[2] += u64::from(cc && !convergence);
        differ[3] += u64::from(convergence && !memory);
        differ[4] += u64::from(regular && !sequential);
        differ[5] += u64::from(sequential && !regular);
    }
    println!("definitions: {weak} of CC, told apart {differ:?}");
    let mut wanted = differ.iter().enumerate().filter(|(at, _)| *at != 3);
    assert!(wanted.all(|(_, count)| *count > 0), "{differ:?}");
}

#[test]
fn a_planted_wrong_checker_is_found_and_nothing_can_be_left_out_of_what_it_shows() {
    let contest = Contest {
        model: "linearizable",
        generate: registers,
        operations: 5..9,
        brute: |history| Some(brute::linearizable(history)),
        rivals: vec![rival("without real time", |h| Some(brute::sequential(h)))],
    };
    let found = contest.run(1_000).expect_err("real time was forgotten");
    let wrong = |h: &History| !brute::linearizable(h) && brute::sequential(h);
    let lines = contest.describe(&found);
    assert!(found.history.len() <= 3 && wrong(&found.history), "{lines}");
    assert_eq!(shrink(&found.history, wrong), found.history, "{lines}");
    let read = lines
        .lines()
        .filter(|line| line.contains("\"kind\""))
        .count();
    assert_eq!(read, found.history.len(), "{lines}");
}

#[test]
fn a_checker_that_gives_no_verdict_where_it_has_to_is_found() {
    let contest = Contest {
        model: "linearizable",
        generate: registers,
        operations: 3..6,
        brute: |history| Some(brute::linearizable(history)),
        rivals: vec![rival("silent", |_| None)],
    };
    let found = contest.run(10).expect_err("it said nothing");
    assert!(found.history.len() <= 1);
}
