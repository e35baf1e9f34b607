//! Compare-and-set as a put: what integrity, convergence and lost writes make of a history of
//! unique values with it.
//!
//! One that took effect put its value in the place of the one that it expected, and one of unknown
//! outcome may have. One that found another value put nothing. Where values are unique, these checks
//! need no search: the last value of a key is the one that nothing came after.

use super::guarded;
use super::index::Index;
use super::model::Model;
use super::property::Property;
use super::shown::Shown;
use super::table::{Ask, Checkers};
use super::time::Time;
use super::verdict::{Check, Verdict};
use crate::history::{History, Kind};

/// What is judged so, beside integrity.
const JUDGED: [Property; 2] = [Property::Convergence, Property::LostWrites];

/// Judges what needs no search, in the place of what `checks` say of it. Nothing changes where values
/// repeat, or there is more than puts, gets and compare-and-set.
pub(super) fn judge(
    checkers: Checkers,
    history: &History,
    promise: Option<Model>,
    time: &Time,
    checks: &mut Vec<Check>,
) {
    let judged = guarded(|| judged(checkers, history, promise, time));
    let Ok(Some([integrity, others @ ..])) = judged else {
        return;
    };
    match integrity.verdict {
        // The search for an order takes care of it where there is one; without, nothing is wrong.
        Verdict::Valid => {}
        Verdict::Invalid { .. } => checks.insert(0, integrity),
        // Nothing to stand on.
        Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => return,
    }
    for own in others {
        if let Some(check) = { checks.iter_mut() }.find(|check| check.property == own.property) {
            *check = own;
        }
    }
}

/// The answers on integrity and on what is [`JUDGED`], if the history can be judged so.
fn judged(
    checkers: Checkers,
    history: &History,
    promise: Option<Model>,
    time: &Time,
) -> Option<[Check; 3]> {
    if !history.columns.kind.contains(&Kind::Cas) {
        return None;
    }
    let puts = as_puts(history);
    let mut index = Index::new(&puts).ok()?.within(time);
    index.promise = promise;
    let ask = Ask {
        index: &index,
        is_asked: true,
        time,
    };
    let [first, second] = JUDGED;
    let [integrity, convergence, lost] = [Property::Integrity, first, second].map(|property| {
        let mut check = checkers.of(property)?.run(&ask).into_iter().next()?;
        show_as_recorded(&mut check, history);
        Some(check)
    });
    Some([integrity?, convergence?, lost?])
}

/// The history with its compare-and-sets as puts. Each keeps the value that it expected as what it
/// read.
fn as_puts(history: &History) -> History {
    let mut puts = history.clone();
    for kind in &mut puts.columns.kind {
        if *kind == Kind::Cas {
            *kind = Kind::Put;
        }
    }
    puts
}

/// Has anomalies show the operations as they were recorded.
fn show_as_recorded(check: &mut Check, history: &History) {
    let Verdict::Invalid { anomalies, .. } = &mut check.verdict else {
        return;
    };
    for shown in anomalies.iter_mut().flat_map(|it| &mut it.operations) {
        *shown = Shown::new(history, shown.row as usize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checker::property::AnomalyKind;
    use crate::checker::tests::op;
    use crate::checker::{Engine, Options, Report, VerdictWord};
    use crate::history::{self, ErrorKind, Header, Phase, Row, value_id};

    /// What the put of every history here wrote.
    const FIRST: u64 = value_id(0, 0);
    /// What its compare-and-set wrote.
    const SECOND: u64 = value_id(1, 0);
    /// What a later put wrote.
    const THIRD: u64 = value_id(2, 0);

    fn put() -> Row<'static> {
        op(0, 0, 0, 0, Kind::Put, &[])
    }

    /// A compare-and-set of what the put wrote.
    fn cas() -> Row<'static> {
        op(1, 0, 0, 10, Kind::Cas, &[FIRST])
    }

    /// What a node answers in the end.
    fn last(node: u16, read: &[u64]) -> Row<'_> {
        Row {
            node,
            phase: Phase::Final,
            ..op(10 + u32::from(node), 0, 0, 100, Kind::Get, read)
        }
    }

    fn report(rows: &[Row<'_>], promise: Model) -> Report {
        let header = Header {
            promise: Some(promise),
            ..Header::default()
        };
        let mut history = History::from_rows(header, rows.iter().copied());
        history.end = Some(history::End {
            operations: rows.len() as u64,
            ..history::End::default()
        });
        let options = Options {
            engine: Engine::Direct,
            ..Options::default()
        };
        crate::checker::check(&history, &options)
    }

    #[track_caller]
    fn is(rows: &[Row<'_>], verdict: VerdictWord) -> Report {
        let report = report(rows, Model::Eventual);
        assert_eq!(report.verdict(), verdict, "{report}");
        report
    }

    #[track_caller]
    fn is_broken(rows: &[Row<'_>], kind: AnomalyKind) {
        let report = is(rows, VerdictWord::Invalid);
        let anomaly = report.anomalies().next().expect("an anomaly");
        assert_eq!(anomaly.kind, kind, "{report}");
    }

    #[test]
    fn a_store_that_keeps_what_was_set_is_valid_and_says_nothing_of_a_search() {
        let report = is(&[put(), cas(), last(0, &[SECOND])], VerdictWord::Valid);
        assert_eq!(report.lost_writes(), Some(0));
        let text = report.to_string();
        let judged = text.lines().filter(|line| line.contains("lost-writes"));
        assert!({ judged }.all(|line| !line.contains("search")), "{text}");
        let later = op(2, 0, 0, 30, Kind::Put, &[]);
        is(
            &[put(), cas(), later, last(0, &[THIRD])],
            VerdictWord::Valid,
        );
    }

    #[test]
    fn what_a_compare_and_set_expected_cannot_be_the_last_value() {
        let rows = [put(), cas(), last(0, &[FIRST])];
        is_broken(&rows, AnomalyKind::LostWrite);
        let report = report(&rows, Model::Eventual);
        let shown = report.anomalies().next().expect("an anomaly").to_string();
        assert!(shown.contains("cas"), "it is shown as it was: {shown}");
        // Nor where the put may have come late, which says nothing of two puts.
        let slow = |row: Row<'static>| Row {
            returned: Some(50),
            ..row
        };
        is_broken(
            &[slow(put()), cas(), last(0, &[FIRST])],
            AnomalyKind::LostWrite,
        );
        let blind = Row {
            read: &[],
            kind: Kind::Put,
            ..cas()
        };
        is(&[slow(put()), blind, last(0, &[FIRST])], VerdictWord::Valid);
    }

    #[test]
    fn a_compare_and_set_that_is_over_before_the_last_value_began_may_be_gone_and_no_other() {
        let early = op(2, 0, 0, 2, Kind::Put, &[]);
        is_broken(
            &[put(), early, cas(), last(0, &[THIRD])],
            AnomalyKind::LostWrite,
        );
        is_broken(&[put(), cas(), last(0, &[])], AnomalyKind::LostWrite);
    }

    #[test]
    fn one_of_unknown_outcome_may_be_gone_unless_it_was_seen() {
        let open = Row {
            returned: None,
            outcome: history::Outcome::Info,
            ..cas()
        };
        let seen = op(3, 0, 0, 40, Kind::Get, &[SECOND]);
        is(&[put(), open, last(0, &[FIRST])], VerdictWord::Valid);
        is(&[put(), open, last(0, &[SECOND])], VerdictWord::Valid);
        is_broken(
            &[put(), open, seen, last(0, &[FIRST])],
            AnomalyKind::LostWrite,
        );
    }

    #[test]
    fn one_that_found_another_value_put_nothing() {
        let mismatch = Row {
            outcome: history::Outcome::Fail,
            error: Some(ErrorKind::Mismatch),
            ..cas()
        };
        is(&[put(), mismatch, last(0, &[FIRST])], VerdictWord::Valid);
        is_broken(
            &[put(), mismatch, last(0, &[SECOND])],
            AnomalyKind::AbortedRead,
        );
    }

    #[test]
    fn replicas_that_differ_and_values_that_nobody_wrote_are_found() {
        let differ = [put(), cas(), last(0, &[SECOND]), last(1, &[FIRST])];
        is_broken(&differ, AnomalyKind::Divergence);
        is_broken(&[put(), cas(), last(0, &[77])], AnomalyKind::ThinAirRead);
    }

    #[test]
    fn what_a_compare_and_set_found_must_have_been_put_to_the_key_before() {
        let found = |id| op(1, 0, 0, 10, Kind::Cas, id);
        let kept = last(0, &[SECOND]);
        is(&[put(), found(&[FIRST]), kept], VerdictWord::Valid);
        let nobody_wrote_it = [put(), found(&[77]), kept];
        is_broken(&nobody_wrote_it, AnomalyKind::ThinAirRead);
        is_broken(&[put(), found(&[SECOND]), kept], AnomalyKind::ThinAirRead);
        let too_late = op(2, 0, 0, 50, Kind::Put, &[]);
        is_broken(
            &[put(), found(&[THIRD]), too_late, last(0, &[THIRD])],
            AnomalyKind::FutureRead,
        );
        let failed = Row {
            outcome: history::Outcome::Fail,
            ..op(2, 0, 0, 2, Kind::Put, &[])
        };
        let by_whom_it_failed = [put(), failed, found(&[THIRD]), kept];
        is_broken(&by_whom_it_failed, AnomalyKind::AbortedRead);
    }

    #[test]
    fn values_that_repeat_are_left_to_the_search() {
        let again = Row {
            written: SECOND,
            ..op(2, 0, 0, 30, Kind::Put, &[])
        };
        let rows = [put(), cas(), again, last(0, &[SECOND])];
        assert_eq!(
            report(&rows, Model::Eventual).verdict(),
            VerdictWord::Unknown
        );
        assert_eq!(
            report(&rows, Model::Linearizable).verdict(),
            VerdictWord::Valid
        );
    }
}
