//! What the nemesis did, on the screen: a line for each kind of fault.

use kvs_measure::{FaultWindow, FaultsRecord, PeriodRecord};

use super::layout::{labelled, plural, table};
use super::number::{self, optional};

/// Failures of the nemesis that are listed one by one.
const FAILURES_SHOWN_MAX: usize = 3;

/// The faults by kind, with the worst that clients noticed of any; nothing without a nemesis.
pub(super) fn lines(faults: &FaultsRecord) -> Vec<String> {
    let mut lines = Vec::new();
    if !faults.windows.is_empty() {
        let all = plural(faults.windows.len() as u64, "fault");
        let title = format!(
            "{all}: successes a second before, during and after; the worst of all other columns"
        );
        lines.extend(labelled("Nemesis", &title));
        let header = [
            "fault",
            "count",
            "before",
            "during",
            "after",
            "available",
            "p99",
            "max",
            "recovery",
        ]
        .map(str::to_owned);
        let mut kinds: Vec<&str> = Vec::new();
        for window in &faults.windows {
            if !kinds.contains(&window.kind.as_str()) {
                kinds.push(&window.kind);
            }
        }
        let rows = kinds.iter().map(|kind| {
            let of_kind = |window: &&FaultWindow| window.kind == *kind;
            row(
                kind,
                &faults.windows.iter().filter(of_kind).collect::<Vec<_>>(),
            )
        });
        lines.extend(table(&header, rows.collect()));
    }
    for note in notes(&faults.windows) {
        lines.extend(labelled("", &note));
    }
    for failure in faults.failures.iter().take(FAILURES_SHOWN_MAX) {
        lines.extend(labelled("", &format!("THE NEMESIS FAILED: {failure}")));
    }
    if faults.failures.len() > FAILURES_SHOWN_MAX {
        let rest = faults.failures.len() - FAILURES_SHOWN_MAX;
        lines.extend(labelled("", &format!("… and {rest} more times")));
    }
    lines
}

/// What the numbers of a fault do not say by themselves, a sentence each.
pub(super) fn notes(windows: &[FaultWindow]) -> Vec<String> {
    let count = |is: fn(&FaultWindow) -> bool| windows.iter().filter(|window| is(window)).count();
    let all = plural(windows.len() as u64, "fault");
    let (waited, idle) = (count(waited), count(FaultWindow::is_idle));
    let mut notes = Vec::new();
    if waited > 0 {
        notes.push(format!(
            "{NONE_ENDED} during {waited} of {all}: each operation under way waited until it was over"
        ));
    }
    if idle > 0 {
        notes.push(format!(
            "{IDLE} during {idle} of {all}: no operation ran that could have noticed it"
        ));
    }
    notes
}

/// No operation ended while it lasted, and some waited.
const NONE_ENDED: &str = "none ended";
/// There was no operation while it lasted.
const IDLE: &str = "idle";

fn waited(window: &FaultWindow) -> bool {
    window.is_empty() && window.under_way.is_some_and(|waiting| waiting > 0)
}

/// The share of the operations that succeeded of those that ended during a fault, the worst of
/// some; or in a word why there is none.
pub(super) fn available(windows: &[&FaultWindow]) -> String {
    let worst = { windows.iter().map(|window| &window.during) }
        .filter(|period| period.operations + period.errors > 0)
        .map(|period| period.operations as f64 / (period.operations + period.errors) as f64)
        .min_by(f64::total_cmp);
    match worst {
        Some(share) => format!("{:.2} %", share * 100.0),
        None if windows.iter().any(|window| waited(window)) => NONE_ENDED.to_owned(),
        None if windows.iter().any(|window| window.is_idle()) => IDLE.to_owned(),
        None => optional(None, |()| String::new()),
    }
}

fn row(kind: &str, windows: &[&FaultWindow]) -> Vec<String> {
    let rate = |part: fn(&FaultWindow) -> &PeriodRecord| {
        let periods = windows.iter().map(|window| part(window));
        let (operations, seconds) = periods.fold((0, 0.0), |(operations, seconds), period| {
            (operations + period.operations, seconds + period.seconds)
        });
        optional(
            (seconds > 0.0).then(|| operations as f64 / seconds),
            number::rate,
        )
    };
    let during = windows.iter().map(|window| &window.during);
    let recovered = windows.iter().map(|window| window.recovery_ns);
    // A fault after which it did not recover in time is the worst.
    let recovery = if recovered.clone().any(|recovery| recovery.is_none()) {
        "not seen".to_owned()
    } else {
        optional(recovered.flatten().max(), |ns| match ns {
            0 => "at once".to_owned(),
            ns => number::time(ns),
        })
    };
    vec![
        kind.to_owned(),
        windows.len().to_string(),
        rate(|window| &window.before),
        rate(|window| &window.during),
        rate(|window| &window.after),
        available(windows),
        optional(
            during.clone().filter_map(|period| period.p99_ns).max(),
            number::time,
        ),
        optional(
            during.filter_map(|period| period.max_ns).max(),
            number::time,
        ),
        recovery,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fault during which so many operations succeeded, with so many under way.
    fn window(operations: u64, under_way: Option<u64>) -> FaultWindow {
        FaultWindow {
            during: PeriodRecord {
                operations,
                ..PeriodRecord::default()
            },
            under_way,
            ..FaultWindow::default()
        }
    }

    #[test]
    fn a_fault_during_which_nothing_ended_says_why() {
        let felt = window(9, Some(64));
        let waited = window(0, Some(64));
        let idle = window(0, Some(0));
        assert_eq!(available(&[&felt, &waited]), "100.00 %");
        assert_eq!(available(&[&waited, &idle]), "none ended");
        assert_eq!(available(&[&idle]), "idle");
        assert_eq!(available(&[&window(0, None)]), "-", "an older record");
        assert_eq!(notes(std::slice::from_ref(&felt)), [""; 0]);
        let notes = notes(&[felt, waited, idle]);
        let [waited, idle] = &notes[..] else {
            panic!("{notes:?}")
        };
        assert!(
            waited.starts_with("none ended during 1 of 3 faults"),
            "{waited}"
        );
        assert!(idle.starts_with("idle during 1 of 3 faults"), "{idle}");
    }
}
