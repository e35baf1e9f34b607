//! The searches against the definition: every order of a small history, tried one by one.

use super::super::ordering::operation::Action;
use super::super::search::Found;
use super::super::{Model, Verdict, sequential};
use super::*;
use crate::checker::tests::{Random, text};
use crate::history::{ErrorKind, Header, Kind, Outcome, Row};

/// Histories that are compared.
const HISTORIES: u64 = 20_000;
/// Fewer of either verdict would make the comparison worthless.
const EACH_MIN: u64 = 3_000;
/// States that stateright may go through on each.
const SEARCHED_STATES: usize = 200_000;
/// The same of histories that are too large for every order.
const LARGE_MIN: u64 = 2_000;
/// Values of the random histories, so few that they repeat.
const FEW_VALUES: u64 = 3;
/// So many that most are written once.
const MANY_VALUES: u64 = 12;

fn below(random: &mut Random, bound: u64) -> u64 {
    random.next() % bound
}

/// An operation of a random history.
#[derive(Clone, Debug)]
struct Small {
    session: u32,
    key: u64,
    kind: Kind,
    written: u64,
    read: Vec<u64>,
    invoke: u64,
    returned: Option<u64>,
    outcome: Outcome,
    error: Option<ErrorKind>,
}

/// A history of 2 to 8 operations of 3 sessions: the results are those of a store that takes
/// effect at some instant in each, and in half of the histories one result is then changed.
fn random_history(random: &mut Random, keys: u64, values: u64, appends: bool) -> History {
    let count = 2 + below(random, 7);
    random_history_of(random, (count, 3), (keys, values), appends)
}

/// The same of so many operations of so many sessions.
fn random_history_of(
    random: &mut Random,
    (count, sessions): (u64, u64),
    (keys, values): (u64, u64),
    appends: bool,
) -> History {
    let mut ends = vec![0u64; sessions as usize];
    let mut ops: Vec<(u64, Small)> = Vec::new();
    for _ in 0..count {
        let session = below(random, sessions);
        let invoke = ends[session as usize] + below(random, 3);
        let returned = invoke + below(random, 5);
        ends[session as usize] = returned;
        let kind = match below(random, if appends { 4 } else { 3 }) {
            0 => Kind::Get,
            1 => Kind::Put,
            2 if appends => Kind::Get,
            2 => Kind::Cas,
            _ => Kind::Append,
        };
        let effect = invoke * 8 + below(random, (returned - invoke) * 8 + 1);
        ops.push((
            effect,
            Small {
                session: session as u32,
                key: below(random, keys),
                kind,
                written: 1 + below(random, values),
                read: Vec::new(),
                invoke,
                returned: Some(returned),
                outcome: Outcome::Ok,
                error: None,
            },
        ));
    }
    let mut texts: Vec<String> = (0..=values).map(|value| value.to_string()).collect();
    texts[0] = String::new();
    answer(random, &mut ops, &mut texts, (sessions, values));
    if below(random, 2) == 0 {
        let broken = below(random, count) as usize;
        let op = &mut ops[broken].1;
        if op.kind != Kind::Put {
            op.read = vec![1 + below(random, texts.len() as u64 - 1)];
        }
    }
    let header = Header {
        values: if appends { texts } else { Vec::new() },
        promise: Some(Model::Linearizable),
        ..Header::default()
    };
    let mut next: Table<u32, u32> = Table::default();
    let rows = ops.iter().map(|(_, op)| {
        let place = next.entry(op.session).or_default();
        let index = *place;
        *place += 1;
        let effect = op.kind != Kind::Get;
        Row {
            session: op.session,
            index,
            kind: op.kind,
            key: op.key,
            written: if effect { op.written } else { 0 },
            read: if op.kind == Kind::Append {
                &[]
            } else {
                &op.read
            },
            invoke: op.invoke,
            returned: op.returned,
            outcome: op.outcome,
            error: op.error,
            ..Row::EMPTY
        }
    });
    History::from_rows(header, rows)
}

/// Gives the operations the results of a store, and makes a few of unknown outcome.
fn answer(
    random: &mut Random,
    ops: &mut Vec<(u64, Small)>,
    texts: &mut Vec<String>,
    (sessions, values): (u64, u64),
) {
    let mut order: Vec<usize> = (0..ops.len()).collect();
    order.sort_by_key(|i| ops[*i].0);
    let mut store = std::collections::BTreeMap::<u64, u64>::new();
    for i in order {
        let op = &mut ops[i].1;
        let value = store.get(&op.key).copied();
        let unknown = op.kind != Kind::Get && below(random, 8) == 0;
        let happens = !unknown || below(random, 2) == 0;
        match op.kind {
            Kind::Get => op.read = value.into_iter().collect(),
            Kind::Put | Kind::Append if !happens => {}
            Kind::Put => {
                store.insert(op.key, op.written);
            }
            Kind::Append => {
                let text = [
                    value.map_or("", |value| &texts[value as usize]),
                    &texts[op.written as usize],
                ]
                .concat();
                let id = texts.iter().position(|other| *other == text);
                let id = id.unwrap_or_else(|| {
                    texts.push(text);
                    texts.len() - 1
                });
                store.insert(op.key, id as u64);
            }
            Kind::Cas => {
                let guess = below(random, values + 1);
                let expected = (guess > 0).then_some(guess).or(value);
                op.read = expected.into_iter().collect();
                if expected == value && happens {
                    store.insert(op.key, op.written);
                } else if !unknown {
                    op.outcome = Outcome::Fail;
                    op.error = Some(ErrorKind::Mismatch);
                }
            }
        }
        if unknown {
            op.outcome = Outcome::Info;
            op.returned = None;
        }
    }
    // An unknown outcome ends its session: what follows is another's.
    let mut life = vec![0u32; sessions as usize];
    for (_, op) in ops {
        let session = op.session as usize;
        op.session += sessions as u32 * life[session];
        life[session] += u32::from(op.outcome == Outcome::Info);
    }
}

/// Whether some order of the rows explains them: the definition, enumerated.
fn has_order(history: &History, before: &dyn Fn(usize, usize) -> bool) -> bool {
    let rows: Vec<usize> = (0..history.len())
        .filter(|row| {
            let row = history.row(*row);
            match row.outcome {
                Outcome::Ok => true,
                Outcome::Info => row.kind != Kind::Get,
                Outcome::Fail => row.error == Some(ErrorKind::Mismatch),
            }
        })
        .collect();
    extend(history, before, &rows, &mut Vec::new())
}

fn extend(
    history: &History,
    before: &dyn Fn(usize, usize) -> bool,
    rows: &[usize],
    order: &mut Vec<usize>,
) -> bool {
    let missing = |row: &usize| !order.contains(row);
    if rows
        .iter()
        .filter(|row| missing(row))
        .all(|row| history.row(*row).outcome == Outcome::Info)
    {
        return true;
    }
    for row in rows.iter().copied().filter(missing).collect::<Vec<_>>() {
        let waits = rows
            .iter()
            .any(|other| *other != row && !order.contains(other) && before(*other, row));
        if waits || !explained(history, order, row) {
            continue;
        }
        order.push(row);
        if extend(history, before, rows, order) {
            return true;
        }
        order.pop();
    }
    false
}

/// The text of a key's value after an order, by replaying it.
fn replayed(history: &History, order: &[usize], key: u64) -> Option<String> {
    let mut value: Option<String> = None;
    for row in order.iter().map(|row| history.row(*row)) {
        if row.key != key || row.error == Some(ErrorKind::Mismatch) {
            continue;
        }
        match row.kind {
            Kind::Get => {}
            Kind::Put | Kind::Cas => value = Some(history.value_name(row.written)),
            Kind::Append => {
                let text = value.unwrap_or_default() + &history.value_name(row.written);
                value = Some(text);
            }
        }
    }
    value
}

fn explained(history: &History, order: &[usize], row: usize) -> bool {
    let row = history.row(row);
    let value = replayed(history, order, row.key);
    let named = row.read.first().map(|id| history.value_name(*id));
    match row.kind {
        Kind::Put | Kind::Append => true,
        Kind::Get => value == named,
        Kind::Cas if row.error == Some(ErrorKind::Mismatch) => value != named,
        Kind::Cas => value == named,
    }
}

fn in_time(history: &History) -> impl Fn(usize, usize) -> bool {
    |a, b| {
        let (a, b) = (history.row(a), history.row(b));
        let ended = a.outcome != Outcome::Info;
        let tie = a.session == b.session && a.key == b.key && a.index < b.index;
        ended
            && a.returned
                .is_some_and(|at| at < b.invoke || (at == b.invoke && tie))
    }
}

fn in_session(history: &History) -> impl Fn(usize, usize) -> bool {
    |a, b| {
        let (a, b) = (history.row(a), history.row(b));
        a.session == b.session && a.index < b.index && a.outcome != Outcome::Info
    }
}

/// What stateright says of a whole history; `None` when its states do not suffice.
fn second_opinion(history: &History, model: Model) -> Option<bool> {
    let repeats = model.row().repeats.expect("stateright searches for it");
    match (repeats.search)(history, SEARCHED_STATES, None).found {
        Found::Order => Some(true),
        Found::NoOrder { .. } => Some(false),
        Found::Budget => None,
        Found::NotApplicable { reason } => panic!("{reason}"),
    }
}

/// Compares on random histories, stateright too; each evidence has no order either.
fn compare(
    appends: bool,
    (keys, values): (u64, u64),
    model: Model,
    judge: fn(&History) -> (Check, bool),
) {
    let (mut valid, mut invalid) = (0, 0);
    for seed in 0..HISTORIES {
        let history = random_history(&mut Random(seed), keys, values, appends);
        let (check, expected) = judge(&history);
        assert_eq!(
            second_opinion(&history, model),
            Some(expected),
            "seed {seed}: stateright\n{}",
            text(&history)
        );
        assert_eq!(
            check.verdict.is_valid(),
            expected,
            "seed {seed}: {check}\n{}",
            text(&history)
        );
        assert_eq!(
            check.verdict.is_invalid(),
            !expected,
            "seed {seed}: {check}"
        );
        if expected {
            valid += 1;
        } else {
            invalid += 1;
            assert!(!check.verdict.anomalies()[0].operations.is_empty());
        }
    }
    assert!(
        valid > EACH_MIN && invalid > EACH_MIN,
        "{valid} valid, {invalid} invalid"
    );
}

fn linearizable(history: &History) -> (Check, bool) {
    (
        check(history, Limits::default()),
        (0..3).all(|key| {
            let rows = (0..history.len()).map(|row| history.row(row));
            let one = History::from_rows(history.header.clone(), rows.filter(|row| row.key == key));
            has_order(&one, &in_time(&one))
        }),
    )
}

#[test]
fn registers_with_compare_and_set_are_judged_as_the_definition_says() {
    compare(false, (2, FEW_VALUES), Model::Linearizable, linearizable);
}

#[test]
fn registers_whose_values_hardly_repeat_are_judged_as_the_definition_says() {
    compare(false, (1, MANY_VALUES), Model::Linearizable, linearizable);
}

#[test]
fn what_values_written_once_say_is_what_the_definition_says_of_the_whole_register() {
    let mut counts = [0u64; 3];
    for seed in 0..2 * HISTORIES {
        let values = if seed % 2 == 0 {
            FEW_VALUES
        } else {
            MANY_VALUES
        };
        let history = random_history(&mut Random(seed), 1, values, seed % 5 == 0);
        let mut registers = Registers::new(&history);
        let Ok(keys) = by_key(&history, &mut registers) else {
            panic!("seed {seed}: the generator made what is refused");
        };
        for ops in keys {
            let order = || has_order(&history, &in_time(&history));
            match clusters::judge(&ops, &registers) {
                Judged::Conflict(shown) => {
                    counts[0] += 1;
                    assert!(!order(), "seed {seed}:\n{}", text(&history));
                    let alone = search(&shown, &mut registers, &mut Limits::default());
                    assert!(
                        matches!(alone, Answer::NoOrder(_)),
                        "seed {seed}: {shown:?}"
                    );
                }
                Judged::Order => {
                    counts[1] += 1;
                    assert!(order(), "seed {seed}:\n{}", text(&history));
                }
                Judged::Open => counts[2] += 1,
            }
        }
    }
    println!("{counts:?} refuted, in order, open");
    assert!(
        counts.iter().all(|count| *count > EACH_MIN / 10),
        "{counts:?}"
    );
}

/// What clusters say of operations one after another on one register.
fn clustered(actions: &[Action]) -> Judged {
    let op = |(at, action): (u32, &Action)| Op {
        row: at,
        key: 0,
        invoke: 10 * u64::from(at),
        returned: 10 * u64::from(at) + 5,
        action: *action,
        after: None,
    };
    let ops: Vec<Op> = (0..).zip(actions).map(op).collect();
    let history = History::from_rows(Header::default(), []);
    clusters::judge(&ops, &Registers::new(&history))
}

#[test]
fn a_value_that_is_written_twice_and_what_is_made_of_it_refute_nothing_by_themselves() {
    use Action::{Cas, Get, Put};
    let stale = |rest: &[Action]| [&[Put(1), Put(2)], rest, &[Get(1)]].concat();
    assert!(matches!(clustered(&stale(&[])), Judged::Conflict(_)));
    assert!(matches!(clustered(&stale(&[Put(1)])), Judged::Open));
    assert!(matches!(clustered(&stale(&[Cas(2, 1)])), Judged::Open));
    // The values 3 and 4 are written once, but 3 is made of one that is written twice.
    let made = |rest: &[Action]| [&[Put(1), Cas(1, 3), Put(4)], rest].concat();
    assert!(matches!(clustered(&made(&[Get(4)])), Judged::Order));
    assert!(matches!(clustered(&made(&[Get(3)])), Judged::Conflict(_)));
    assert!(matches!(clustered(&made(&[Put(1), Get(3)])), Judged::Open));
}

#[test]
fn compare_and_sets_of_values_written_once_are_a_chain_in_order() {
    use Action::{Cas, Get, Put};
    let chain = [Put(1), Get(1), Cas(1, 2), Get(2), Cas(2, 3), Get(3)];
    assert!(matches!(clustered(&chain), Judged::Order));
    let back = [&chain[..], &[Get(2)]].concat();
    assert!(matches!(clustered(&back), Judged::Conflict(_)));
    let between = [Put(1), Cas(1, 2), Put(9), Get(9), Cas(2, 3)];
    assert!(matches!(clustered(&between), Judged::Conflict(_)));
    let twice = [Put(1), Cas(1, 2), Cas(1, 3)];
    assert!(matches!(clustered(&twice), Judged::Conflict(_)));
    let circle = [Cas(1, 2), Cas(2, 1)];
    assert!(!matches!(clustered(&circle), Judged::Order));
}

#[test]
fn registers_with_append_are_judged_as_the_definition_says() {
    compare(true, (1, FEW_VALUES), Model::Linearizable, linearizable);
}

#[test]
fn sequential_consistency_with_append_is_judged_as_the_definition_says() {
    compare(true, (2, FEW_VALUES), Model::Sequential, |history| {
        (
            sequential::check(history, Limits::default()),
            has_order(history, &in_session(history)),
        )
    });
}

#[test]
fn both_engines_agree_on_more_sessions_than_every_order_can_be_tried_for() {
    let mut counts = [0u64; 3];
    for seed in 0..HISTORIES {
        let random = &mut Random(seed);
        let count = 8 + below(random, 25);
        let sessions = 2 + below(random, 10);
        let values = [2, FEW_VALUES, MANY_VALUES][below(random, 3) as usize];
        let appends = below(random, 3) == 0;
        let history = random_history_of(random, (count, sessions), (1, values), appends);
        let direct = check(&history, Limits::default());
        let second = second_opinion(&history, Model::Linearizable);
        let Some(second) = second else {
            counts[2] += 1;
            continue;
        };
        assert_eq!(
            direct.verdict.is_valid(),
            second,
            "seed {seed}: {direct}\n{}",
            text(&history)
        );
        counts[usize::from(second)] += 1;
    }
    let [invalid, valid, undecided] = counts;
    assert!(valid > LARGE_MIN && invalid > LARGE_MIN, "{counts:?}");
    assert!(undecided < HISTORIES / 100, "{counts:?}");
}

#[test]
fn sequential_consistency_is_judged_as_the_definition_says() {
    compare(false, (2, FEW_VALUES), Model::Sequential, |history| {
        (
            sequential::check(history, Limits::default()),
            has_order(history, &in_session(history)),
        )
    });
}

#[test]
fn evidence_of_values_that_repeat_has_no_order_and_nothing_of_it_can_be_spared() {
    let (mut shown, mut writes) = (0, 0);
    for seed in 0..HISTORIES {
        let appends = seed % 4 == 0;
        let history = random_history(&mut Random(seed), 1, FEW_VALUES, appends);
        let mut registers = Registers::new(&history);
        let Ok(keys) = by_key(&history, &mut registers) else {
            panic!("seed {seed}: the generator made what is refused");
        };
        let mut answer = |ops: &[Op]| search(ops, &mut registers, &mut Limits::default());
        for ops in keys {
            let Answer::NoOrder(end) = answer(&ops) else {
                continue;
            };
            let mut has_no_order =
                |ops: &[Op]| !ops.is_empty() && matches!(answer(ops), Answer::NoOrder(_));
            let ops = smallest::by_time(&ops, end, &mut has_no_order);
            assert!(has_no_order(&ops), "seed {seed}");
            let links = smallest::Links::new(&ops);
            for op in &ops {
                let gone = links.with_observers(&[*op]);
                let rest = ops.iter().filter(|op| !gone.contains_key(&op.row)).copied();
                let rest: Vec<Op> = rest.collect();
                assert_eq!(
                    answer(&rest),
                    Answer::Order,
                    "seed {seed}: without row {} of {} rows:\n{}",
                    op.row,
                    ops.len(),
                    text(&history)
                );
                writes += u64::from(!op.action.only_observes());
            }
            shown += 1;
        }
    }
    println!("{shown} refuted registers, {writes} writes in what shows them");
    assert!(
        shown > EACH_MIN && writes > EACH_MIN / 3,
        "{shown} {writes}"
    );
}

#[test]
fn a_search_that_reaches_its_limit_is_unknown_and_says_so() {
    let limits = Limits {
        states: 3,
        ..Limits::default()
    };
    // Ten concurrent puts of three values, and gets that see one of them come back.
    let mut rows: Vec<Row<'_>> = (0..10)
        .map(|i| Row {
            session: i,
            kind: Kind::Put,
            written: u64::from(i) % 3 + 1,
            returned: Some(100),
            ..Row::EMPTY
        })
        .collect();
    for (i, read) in (0..).zip([&[1], &[2], &[1]]) {
        rows.push(Row {
            session: 10,
            index: i,
            read,
            invoke: 200 + u64::from(i),
            returned: Some(200 + u64::from(i)),
            ..Row::EMPTY
        });
    }
    let history = History::from_rows(Header::default(), rows);
    for check in [
        check(&history, limits.clone()),
        sequential::check(&history, limits.clone()),
    ] {
        let Verdict::Unknown { reason } = check.verdict else {
            panic!("{check}");
        };
        assert!(reason.contains("limit of 3 states"), "{reason}");
    }
    assert!(check(&history, Limits::default()).verdict.is_invalid());
}

#[test]
fn a_valid_history_of_one_key_costs_little_more_than_its_operations() {
    // 200 pending compare-and-sets that do the same are one choice, not 2^200.
    let mut rows: Vec<Row<'_>> = (0..200)
        .map(|i| Row {
            session: 10 + i,
            kind: Kind::Cas,
            read: &[1],
            written: 2,
            outcome: Outcome::Info,
            ..Row::EMPTY
        })
        .collect();
    for i in 0..2_000u32 {
        rows.push(Row {
            index: i,
            kind: if i % 2 == 0 { Kind::Put } else { Kind::Get },
            written: u64::from(i % 2 == 0),
            read: if i % 2 == 0 { &[] } else { &[2] },
            invoke: u64::from(i) * 10,
            returned: Some(u64::from(i) * 10 + 5),
            ..Row::EMPTY
        });
    }
    let few: Vec<Row<'_>> = rows[..200 + 200].to_vec();
    let history = History::from_rows(Header::default(), few);
    let limits = Limits {
        states: 2_000,
        ..Limits::default()
    };
    assert!(check(&history, limits.clone()).verdict.is_valid());
    // Of the 1,000 gets of 2 only 200 can be explained.
    let all = History::from_rows(Header::default(), rows);
    assert!(check(&all, limits).verdict.is_invalid());
}

#[test]
fn a_stale_read_among_many_operations_is_shown_by_a_few() {
    let mut rows = Vec::new();
    for i in 0..300u32 {
        rows.push(Row {
            index: i,
            kind: Kind::Put,
            written: u64::from(i / 2) + 1,
            invoke: u64::from(i) * 10,
            returned: Some(u64::from(i) * 10 + 5),
            ..Row::EMPTY
        });
    }
    rows.push(Row {
        session: 1,
        read: &[7],
        invoke: 2_000,
        returned: Some(2_001),
        ..Row::EMPTY
    });
    let check = check(
        &History::from_rows(Header::default(), rows),
        Limits::default(),
    );
    let [anomaly] = check.verdict.anomalies() else {
        panic!("{check}");
    };
    let shown: Vec<u64> = anomaly.operations.iter().map(|shown| shown.row).collect();
    assert!(shown.contains(&300) && shown.len() <= 5, "{anomaly}");
}
