//! The black-box causal check where it has to choose, and where histories are long.

use super::super::black_box::{self, Limits};
use super::super::direct::Direct;
use super::super::index::Index;
use super::super::integrity;
use super::super::model::Model;
use super::super::property::AnomalyKind;
use super::super::table::CHECKERS;
use super::super::verdict::Verdict;
use super::brute;
use super::contest::text;
use super::generate::{self, Random, Store};
use super::op;
use crate::history::{Header, History, Kind, value_id};

/// Histories of a few operations in which gets return anything.
const HISTORIES: u64 = 1_000;
/// Fewer of either verdict would make the comparison worthless.
const EACH_MIN: u64 = 100;

/// Puts by several sessions to one key, and gets that return up to three of those invoked before.
fn anything(random: &mut Random) -> History {
    let sessions = 2 + random.below(3);
    let count = 5 + random.below(4);
    let mut indices = vec![0u32; sessions];
    let mut puts: Vec<u64> = Vec::new();
    let mut rows: Vec<(u32, u32, u64, Kind, Vec<u64>)> = Vec::new();
    for i in 0..count {
        let session = random.below(sessions);
        let index = indices[session];
        indices[session] += 1;
        let (session, invoke) = (session as u32, 10 * i as u64);
        if puts.len() < 4 && random.one_in(2) {
            puts.push(value_id(session, index));
            rows.push((session, index, invoke, Kind::Put, Vec::new()));
            continue;
        }
        let mut read = Vec::new();
        for _ in 0..random.below(4).min(puts.len()) {
            let put = puts[random.below(puts.len())];
            if !read.contains(&put) {
                read.push(put);
            }
        }
        rows.push((session, index, invoke, Kind::Get, read));
    }
    let rows = rows
        .iter()
        .map(|(session, index, invoke, kind, read)| op(*session, *index, 0, *invoke, *kind, read));
    History::from_rows(Header::default(), rows)
}

#[test]
fn the_black_box_decides_where_several_puts_could_have_superseded_another() {
    let (mut valid, mut invalid, mut open) = (0, 0, 0);
    for seed in 0..HISTORIES {
        let history = anything(&mut Random(seed));
        let index = Index::new(&history).unwrap();
        let expected = brute::causal(&history);
        match black_box::check(&index).verdict {
            Verdict::Valid => {
                assert!(expected, "valid, seed {seed}:\n{}", text(&history));
                valid += 1;
            }
            Verdict::Invalid { anomalies, .. } => {
                let first = &anomalies[0];
                assert!(!expected, "{first}, seed {seed}:\n{}", text(&history));
                invalid += 1;
            }
            Verdict::Unknown { .. } => open += 1,
            Verdict::NotApplicable { reason } => panic!("{reason}"),
        }
    }
    println!("black box with a choice: {valid} valid, {invalid} invalid, {open} left open");
    assert!(
        valid >= EACH_MIN && invalid >= EACH_MIN,
        "{valid} valid, {invalid} invalid"
    );
    assert_eq!(open, 0, "left open");
}

#[test]
fn a_long_valid_history_is_decided_though_its_sessions_come_and_go() {
    for seed in 0..4 {
        let ops = generate::valid(&mut Random(seed), Store::Causal, 5_000);
        let history = generate::history(Store::Causal, &ops);
        let index = Index::new(&history).unwrap();
        let check = black_box::check(&index);
        assert!(check.verdict.is_valid(), "seed {seed}: {check}");
    }
}

#[test]
fn an_anomaly_at_the_end_of_a_long_history_is_found() {
    let mut found = 0;
    for seed in 0..60 {
        let mut random = Random(seed);
        let mut ops = generate::valid(&mut random, Store::Causal, 1_500);
        let end = ops.len() - 40;
        for _ in 0..3 {
            generate::mutate_visibly(&mut random, Store::Causal, &mut ops[end..]);
        }
        let history = generate::history(Store::Causal, &ops);
        let Ok(index) = Index::new(&history) else {
            continue;
        };
        if integrity::check(&index).verdict.is_invalid() {
            continue;
        }
        let check = black_box::check(&index);
        assert!(
            check.verdict.is_valid() || check.verdict.is_invalid(),
            "seed {seed}: {check}"
        );
        found += u64::from(check.verdict.is_invalid());
    }
    println!("{found} of 60 long histories broken at their end");
    assert!(found >= 10, "{found}");
}

/// Puts and gets of more sessions than a line of a clock has room for: each reads what the one
/// before put, so that all know of each other.
fn of_many_sessions(sessions: u32, rounds: u32) -> History {
    let mut rows = Vec::new();
    for round in 0..rounds {
        for session in 0..sessions {
            let read = match (round, session) {
                (0, 0) => vec![],
                (_, 0) => vec![value_id(sessions - 1, 2 * (round - 1))],
                _ => vec![value_id(session - 1, 2 * round)],
            };
            rows.push((session, round, read));
        }
    }
    let ops = rows.iter().flat_map(|(session, round, read)| {
        let (index, at) = (2 * round, u64::from(round * sessions + session) * 20);
        let put = op(*session, index, 1 + u64::from(*session), at, Kind::Put, &[]);
        let key = match read.first() {
            Some(id) => 1 + u64::from(crate::history::id_session(*id)),
            None => 0,
        };
        [put, op(*session, index + 1, key, at + 10, Kind::Get, read)]
    });
    History::from_rows(Header::default(), ops)
}

#[test]
fn clocks_beyond_the_budget_leave_the_question_open_and_say_so() {
    let history = of_many_sessions(100, 20);
    let index = Index::new(&history).unwrap();
    let afforded = black_box::check(&index);
    assert!(afforded.verdict.is_valid(), "{afforded}");
    let limits = Limits {
        clock_lines: 1_000,
        ..Limits::default()
    };
    match black_box::check_within(&index, limits).verdict {
        Verdict::Unknown { reason } => assert!(reason.contains("memory"), "{reason}"),
        verdict @ (Verdict::Valid | Verdict::Invalid { .. } | Verdict::NotApplicable { .. }) => {
            panic!("{verdict:?}")
        }
    }
}

/// Judges histories of a few hundred operations, some of them broken, within all these limits.
fn judge_within(name: &str, all: &[Limits]) {
    let mut invalid = 0;
    for seed in 0..300 {
        let mut random = Random(seed);
        let mut ops = generate::valid(&mut random, Store::Causal, 300);
        for _ in 0..random.below(3) {
            generate::mutate_visibly(&mut random, Store::Causal, &mut ops);
        }
        let history = generate::history(Store::Causal, &ops);
        let Ok(index) = Index::new(&history) else {
            continue;
        };
        let verdict = |limits: &Limits| black_box::check_within(&index, *limits).verdict.is_valid();
        let verdicts: Vec<bool> = all.iter().map(verdict).collect();
        assert!(verdicts.iter().all(|v| *v == verdicts[0]), "seed {seed}");
        invalid += u64::from(!verdicts[0]);
    }
    println!("{name}: {invalid} of 300 histories broken");
    assert!((30..270).contains(&invalid), "{invalid}");
}

#[test]
fn when_growth_is_passed_on_changes_no_verdict() {
    let all = [0, 1, 10, usize::MAX].map(|grown| Limits {
        grown,
        ..Limits::default()
    });
    judge_within("growth", &all);
}

#[test]
fn how_often_the_frontier_moves_changes_no_verdict() {
    let all = [usize::MAX, 0, 10, 50].map(|epoch| Limits {
        epoch,
        ..Limits::default()
    });
    judge_within("frontier", &all);
}

#[test]
fn what_is_passed_over_changes_no_verdict() {
    let all = [usize::MAX / 2, 1, 3].map(|held_up| Limits {
        epoch: 0,
        held_up,
        ..Limits::default()
    });
    judge_within("passed over", &all);
}

#[test]
fn what_is_presumed_of_replicas_changes_no_verdict() {
    let all = [true, false].map(|presumes| Limits {
        presumes,
        ..Limits::default()
    });
    judge_within("presumed", &all);
}

#[test]
fn when_likely_answers_are_presumed_right_changes_no_verdict() {
    let all = [100_000, 0, 3].map(|guesses_from| Limits {
        guesses_from,
        ..Limits::default()
    });
    judge_within("presumed answers", &all);
}

/// One session's put that nobody reads while two others go on, and that one of them then reads
/// beside their last one. `last` says what that session reads next.
fn passed_over(last: impl Fn(u64, u64) -> Vec<u64>) -> History {
    const ROUNDS: u32 = 20;
    let lonely = value_id(2, 0);
    let mut rows = vec![(2, 0, Kind::Put, Vec::new())];
    for round in 0..ROUNDS {
        rows.push((0, round, Kind::Put, Vec::new()));
        rows.push((1, round, Kind::Get, vec![value_id(0, round)]));
    }
    let newest = value_id(0, ROUNDS - 1);
    rows.push((0, ROUNDS, Kind::Get, vec![lonely, newest]));
    rows.push((0, ROUNDS + 1, Kind::Get, last(lonely, newest)));
    let rows = (0u64..).zip(&rows);
    let rows = rows
        .map(|(at, (session, index, kind, read))| op(*session, *index, 0, 10 * at, *kind, read));
    History::from_rows(Header::default(), rows)
}

#[test]
fn a_put_that_was_passed_over_can_be_missed_all_the_same() {
    let limits = Limits {
        epoch: 0,
        held_up: 1,
        ..Limits::default()
    };
    let verdict = |history: &History| {
        let index = Index::new(history).unwrap();
        black_box::check_within(&index, limits).verdict
    };
    let held = passed_over(|lonely, newest| vec![lonely, newest]);
    assert!(verdict(&held).is_valid(), "{}", text(&held));
    let missed = passed_over(|_, newest| vec![newest]);
    assert!(verdict(&missed).is_invalid(), "{}", text(&missed));
}

/// One operation after another: its session, its key, and what it returned if it is a get.
fn one_by_one(ops: &[(u32, u64, Option<&[u64]>)]) -> History {
    let mut indices = [0u32; 8];
    let rows = (0u64..).zip(ops).map(|(at, (session, key, read))| {
        let index = &mut indices[*session as usize];
        *index += 1;
        let kind = read.map_or(Kind::Put, |_| Kind::Get);
        let read = read.unwrap_or_default();
        op(*session, *index - 1, *key, 10 * at, kind, read)
    });
    History::from_rows(Header::default(), rows)
}

/// What session 0 put to the keys 3, 2 and 1; what others put to 1, 2 and 3.
const OLD: [u64; 3] = [value_id(0, 0), value_id(0, 1), value_id(0, 2)];
const ON_1: u64 = value_id(1, 0);
const ON_2: u64 = value_id(2, 0);
const ON_3: u64 = value_id(3, 0);

/// A get of key 1 that returned another put after the old one says late that all old puts come
/// before that, for a session that had seen it and what `then` says of it and others.
fn known_late(then: &[(u32, u64, Option<&[u64]>)], late: bool) -> Verdict {
    let mut ops = vec![
        (0, 3, None),
        (0, 2, None),
        (0, 1, None),
        (3, 3, None),
        (2, 2, None),
        (1, 1, None),
    ];
    ops.extend_from_slice(then);
    ops.push((7, 1, Some(&OLD[2..])));
    if late {
        ops.push((7, 1, Some(&[ON_1])));
    }
    let history = one_by_one(&ops);
    let index = Index::new(&history).unwrap();
    black_box::check(&index).verdict
}

#[test]
fn what_a_session_returned_before_a_get_counts_when_it_grows_later() {
    // Session 4 missed the old put on key 2, which session 5 shows not to be superseded. Its own
    // put knows nothing of it.
    let (first, second) = ([ON_1], [ON_2]);
    let siblings = [OLD[1], ON_2];
    let then: [(u32, u64, Option<&[u64]>); 5] = [
        (4, 9, None),
        (4, 1, Some(&first)),
        (4, 2, Some(&second)),
        (5, 2, Some(&second)),
        (5, 2, Some(&siblings)),
    ];
    assert!(known_late(&then, false).is_valid());
    assert!(known_late(&then, true).is_invalid());
}

#[test]
fn what_grows_behind_the_sweep_is_passed_on_too() {
    // Session 4 says that the put on key 2 supersedes the old one, so that session 6, which had
    // read it, missed the old put on key 3, which session 5 shows not to be superseded.
    let (first, second, third) = ([ON_1], [ON_2], [ON_3]);
    let siblings = [OLD[0], ON_3];
    let then: [(u32, u64, Option<&[u64]>); 6] = [
        (6, 2, Some(&second)),
        (6, 3, Some(&third)),
        (4, 1, Some(&first)),
        (4, 2, Some(&second)),
        (5, 3, Some(&third)),
        (5, 3, Some(&siblings)),
    ];
    assert!(known_late(&then, false).is_valid());
    assert!(known_late(&then, true).is_invalid());
}

#[test]
fn a_session_whose_last_put_has_grown_comes_after_what_that_comes_after() {
    // Session 1 read another put instead of its own: that one supersedes its own, and comes after
    // what it had put to key 2, which the session of the other one then has to see.
    let verdict = |then: &[u64]| {
        let (other, ops) = ([value_id(0, 0)], [(1, 2, None), (1, 1, None), (0, 1, None)]);
        let then = [(1, 1, Some(&other[..])), (0, 2, Some(then))];
        let history = one_by_one(&[&ops[..], &then].concat());
        let index = Index::new(&history).unwrap();
        let limits = Limits {
            grown: 0,
            ..Limits::default()
        };
        black_box::check_within(&index, limits).verdict
    };
    assert!(verdict(&[value_id(1, 0)]).is_valid());
    assert!(verdict(&[]).is_invalid());
}

#[test]
fn how_many_likely_answers_are_tried_at_once_changes_no_verdict() {
    let all = [64, 1, 2].map(|likely| Limits {
        likely,
        ..Limits::default()
    });
    judge_within("likely", &all);
}

#[test]
fn how_wide_the_entries_of_clocks_are_changes_no_verdict() {
    let all = [usize::MAX, 0].map(|narrow| Limits {
        narrow,
        ..Limits::default()
    });
    judge_within("width", &all);
}

#[test]
fn a_second_thread_changes_no_verdict() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let mut ops = generate::valid(&mut random, Store::Causal, 3_000);
        if seed % 2 == 1 {
            for _ in 0..5 {
                generate::mutate_visibly(&mut random, Store::Causal, &mut ops);
            }
        }
        let history = generate::history(Store::Causal, &ops);
        let Ok(index) = Index::new(&history) else {
            continue;
        };
        for asked in [Model::ALL, &[Model::Causal], &[Model::CausalConvergence]] {
            let [alone, beside] = [usize::MAX, 0].map(|second_from| {
                let engine = Direct {
                    checkers: CHECKERS,
                    index: &index,
                    asked,
                    only_asked: false,
                    second_from,
                    checks: Vec::new(),
                };
                engine.judge()
            });
            assert_eq!(format!("{alone:?}"), format!("{beside:?}"), "seed {seed}");
        }
    }
}

#[test]
fn a_circle_is_shown_by_as_few_operations_as_there_are() {
    // Each of two sessions reads what the other one puts later, with much else in between.
    let mut rows = Vec::new();
    for session in 0..2u32 {
        let theirs = [value_id(1 - session, 30)];
        for index in 0..40u32 {
            let (kind, key) = match index {
                5 => (Kind::Get, 2),
                30 => (Kind::Put, 2),
                _ => (Kind::Put, 100 + u64::from(session)),
            };
            rows.push((session, index, key, kind, theirs));
        }
    }
    let rows = rows.iter().map(|(session, index, key, kind, read)| {
        let read = if *kind == Kind::Get { &read[..] } else { &[] };
        op(*session, *index, *key, u64::from(*index) * 10, *kind, read)
    });
    let history = History::from_rows(Header::default(), rows);
    let check = black_box::check(&Index::new(&history).unwrap());
    let anomalies = check.verdict.anomalies();
    assert_eq!(anomalies[0].kind, AnomalyKind::CyclicHb, "{check}");
    assert_eq!(anomalies[0].operations.len(), 4, "{}", anomalies[0]);
}
