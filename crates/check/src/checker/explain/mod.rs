//! Explanations: they reduce every anomaly that a check kept to a smallest set of operations that
//! shows it.
//!
//! The evidence that a check names is made a history of its own ([`part`]), and the same check
//! judges that. If that does not show the anomaly by itself, operations are added
//! ([`Case::grown`]). Then operations are removed as long as what is left still shows the anomaly
//! ([`Case::shrink`]). A put is removed together with the gets that read it, since those gets say
//! that it took effect. So what is left proves the anomaly by itself, and every operation of it is
//! needed. A history only loses constraints when operations are removed, so no correct history
//! becomes incorrect.
//!
//! This is done only for the anomalies that are kept, and for all of them together within
//! [`WORK_MAX`].

mod grow;
mod part;
mod picture;
mod shrink;

use super::index::Index;
use super::property::{AnomalyKind, Property};
use super::shown::Shown;
use super::table::{CHECKERS, Checkers, Reduction};
use super::time::Time;
use super::verdict::{Anomaly, Check, Verdict};
use crate::history::History;

pub(super) use picture::picture;

/// How many rows may be judged or visited to explain all anomalies of one history. Once these are
/// used up, the other anomalies stay as their checks gave them.
const WORK_MAX: u64 = 20_000_000;
/// What judging any history costs beside its rows.
const JUDGE_WORK: usize = 16;

/// Rows that explanations may still judge and look at.
#[derive(Debug)]
struct Work {
    left: u64,
    time: Time,
}

impl Work {
    fn is_done(&self) -> bool {
        self.left == 0 || self.time.is_over()
    }

    const fn spend(&mut self, rows: usize) {
        self.left = self.left.saturating_sub(rows as u64);
    }
}

/// Reduces every anomaly of `checks` to the smallest set of operations that shows it. An anomaly
/// that contains a smaller one of another kind is dropped in favour of that one. When the time is
/// over, the others stay as their checks gave them.
pub(super) fn explain(checkers: Checkers, index: &Index<'_>, checks: &mut [Check], time: &Time) {
    let mut work = Work {
        left: WORK_MAX,
        time: time.clone(),
    };
    let anomalies_of = |check: &Check| check.verdict.anomalies().to_vec();
    let mut all: Vec<Vec<Anomaly>> = checks.iter().map(anomalies_of).collect();
    // The first of each check come first, should the work run out.
    let longest = all.iter().map(Vec::len).max().unwrap_or(0);
    for place in 0..longest {
        for anomalies in &mut all {
            if let Some(anomaly) = anomalies.get_mut(place) {
                minimise(checkers, index, anomaly, &mut work);
            }
        }
    }
    for (check, reduced) in checks.iter_mut().zip(all) {
        if let Verdict::Invalid { found, anomalies } = &mut check.verdict {
            *anomalies = without_repeated(reduced);
            for anomaly in anomalies {
                found.entry(anomaly.kind).or_insert(1);
            }
        }
    }
}

/// Several anomalies may come down to the same operations.
fn without_repeated(anomalies: Vec<Anomaly>) -> Vec<Anomaly> {
    let mut kept: Vec<Anomaly> = Vec::with_capacity(anomalies.len());
    for anomaly in anomalies {
        if !kept
            .iter()
            .any(|other| other.operations == anomaly.operations)
        {
            kept.push(anomaly);
        }
    }
    kept
}

fn minimise(checkers: Checkers, index: &Index<'_>, anomaly: &mut Anomaly, work: &mut Work) {
    let evidence: Vec<usize> = anomaly.operations.iter().map(|o| o.row as usize).collect();
    let mut case = Case {
        index,
        checkers,
        property: anomaly.model,
        reduction: checkers.reduction(anomaly.model),
        kind: Some(anomaly.kind),
        work,
    };
    let mut rows = evidence.clone();
    if let Some(grown) = case.grown(&evidence) {
        rows = case.shrink(grown, &evidence);
        // Part of it may be wrong in another way, which then is the smaller explanation.
        case.kind = None;
        let of_any_kind = case.shrink(rows.clone(), &evidence);
        if of_any_kind.len() == rows.len() {
            case.kind = Some(anomaly.kind);
        }
        rows = of_any_kind;
        // The sentence speaks of the evidence, so it stays only if all of that does.
        let all_there = evidence.iter().all(|row| rows.contains(row));
        if (case.kind.is_none() || !all_there)
            && let Some((kind, sentence)) = case.words(&rows)
        {
            anomaly.kind = kind;
            anomaly.sentence = sentence;
        }
    }
    rows.sort_unstable_by_key(|row| (index.fine_invoke(*row), *row));
    anomaly.operations = rows
        .iter()
        .map(|row| Shown::new(index.history, *row))
        .collect();
}

/// An anomaly in the making: which operations show it?
struct Case<'a, 'h> {
    index: &'a Index<'h>,
    checkers: Checkers,
    property: Property,
    /// What of a read may be left out.
    reduction: Reduction,
    /// What has to be wrong, or `None` for anything that breaks the property.
    kind: Option<AnomalyKind>,
    work: &'a mut Work,
}

impl Case<'_, '_> {
    /// Whether these rows are by themselves invalid, for the same property and in the same way.
    /// Without work left they are not known to be.
    fn is_shown_by(&mut self, rows: &[usize]) -> bool {
        if rows.is_empty() || self.work.is_done() {
            return false;
        }
        self.work.spend(rows.len() + JUDGE_WORK);
        match self.verdict(rows) {
            Some(Verdict::Invalid { found, .. }) => {
                self.kind.is_none_or(|kind| found.contains_key(&kind))
            }
            Some(Verdict::Valid | Verdict::Unknown { .. } | Verdict::NotApplicable { .. })
            | None => false,
        }
    }

    /// The verdict on these rows alone; `None` when they cannot be indexed.
    fn verdict(&self, rows: &[usize]) -> Option<Verdict> {
        let alone = part::part(self.index, self.reduction, rows);
        let mut index = Index::new(&alone).ok()?.within(&self.work.time);
        index.is_ordered_by_versions = self.index.is_ordered_by_versions;
        let check = self.checkers.judge(self.property, &index)?;
        Some(check.verdict)
    }

    /// What the check says of these rows alone.
    fn words(&self, rows: &[usize]) -> Option<(AnomalyKind, String)> {
        let verdict = self.verdict(rows)?;
        let mut anomalies = verdict.anomalies().iter();
        let anomaly = anomalies.find(|a| self.kind.is_none_or(|kind| a.kind == kind))?;
        Some((anomaly.kind, anomaly.sentence.clone()))
    }
}

/// The verdict on one property; `None` when the history cannot be indexed.
#[cfg(test)]
pub(super) fn judge(history: &History, property: Property) -> Option<Verdict> {
    let index = Index::new(history).ok()?;
    CHECKERS.judge(property, &index).map(|check| check.verdict)
}

/// The operations of each anomaly as a history of its own, which the same check judges invalid.
///
/// `history` is what the report is about.
#[must_use]
pub fn proofs(history: &History, anomalies: &[Anomaly]) -> Vec<History> {
    if anomalies.is_empty() {
        return Vec::new();
    }
    let open = super::with_open_puts(history);
    let Ok(index) = Index::new(&open) else {
        return Vec::new();
    };
    let rows = |anomaly: &Anomaly| -> Vec<usize> {
        let rows = anomaly.operations.iter().map(|shown| shown.row as usize);
        rows.filter(|row| *row < open.len()).collect()
    };
    anomalies
        .iter()
        .map(|anomaly| part::part(&index, CHECKERS.reduction(anomaly.model), &rows(anomaly)))
        .collect()
}
