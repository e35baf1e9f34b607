//! Explanations: every anomaly that a check kept, as the smallest set of operations that shows it.
//!
//! The evidence that a check names is made a history of its own ([`part`]) and judged again by the
//! same check. Where it does not show the anomaly by itself it is grown ([`Case::grown`]), and then
//! operations are removed as long as what is left still shows the anomaly ([`Case::shrink`]). A put
//! is removed together with the gets that read it, since those gets say that it took effect. What
//! is left therefore proves the anomaly alone, and nothing of it can be spared. Histories only lose
//! constraints by that, so no correct one becomes incorrect.
//!
//! Only the anomalies that are kept are treated so, and all of them together within [`WORK_MAX`].

mod grow;
mod part;
mod picture;
mod shrink;

use super::convergence::{self, Final};
use super::index::Index;
use super::property::{AnomalyKind, Property};
use super::shown::Shown;
use super::verdict::{ANOMALIES_KEPT, Anomaly, Check, Verdict};
use super::{black_box, causal, integrity, linearizable, lww, session};
use crate::history::History;

pub(super) use picture::picture;

/// Rows that are judged or looked at to explain all anomalies of one history. When they are used
/// up the other anomalies stay as their checks gave them.
const WORK_MAX: u64 = 20_000_000;
/// What judging any history costs beside its rows.
const JUDGE_WORK: u64 = 16;

/// Rows that explanations may still judge and look at.
#[derive(Debug)]
struct Work {
    left: u64,
}

impl Work {
    const fn is_done(&self) -> bool {
        self.left == 0
    }

    const fn spend(&mut self, rows: usize) {
        self.left = self.left.saturating_sub(rows as u64);
    }
}

/// Reduces every anomaly of `checks` to the smallest set of operations that shows it.
pub(super) fn explain(index: &Index<'_>, checks: &mut [Check]) {
    let mut work = Work { left: WORK_MAX };
    // The first of each kind come first, should the work run out.
    for place in 0..ANOMALIES_KEPT {
        for check in &mut *checks {
            let Verdict::Invalid { found, anomalies } = &mut check.verdict else {
                continue;
            };
            for kind in found.keys() {
                let mut of_kind = anomalies.iter_mut().filter(|a| a.kind == *kind);
                if let Some(anomaly) = of_kind.nth(place) {
                    minimise(index, anomaly, &mut work);
                }
            }
        }
    }
    for check in checks {
        if let Verdict::Invalid { anomalies, .. } = &mut check.verdict {
            drop_repeated(anomalies);
        }
    }
}

/// Several anomalies may come down to the same operations.
fn drop_repeated(anomalies: &mut Vec<Anomaly>) {
    let mut kept: Vec<Anomaly> = Vec::with_capacity(anomalies.len());
    for anomaly in anomalies.drain(..) {
        let same =
            |other: &Anomaly| other.kind == anomaly.kind && other.operations == anomaly.operations;
        if !kept.iter().any(same) {
            kept.push(anomaly);
        }
    }
    *anomalies = kept;
}

fn minimise(index: &Index<'_>, anomaly: &mut Anomaly, work: &mut Work) {
    let evidence: Vec<usize> = anomaly.operations.iter().map(|o| o.row as usize).collect();
    let mut case = Case {
        index,
        property: anomaly.model,
        kind: anomaly.kind,
        work,
    };
    let mut rows = evidence.clone();
    if let Some(grown) = case.grown(&evidence) {
        rows = case.shrink(grown, &evidence);
        // The sentence speaks of the evidence, so it stays only if all of that does.
        if !evidence.iter().all(|row| rows.contains(row))
            && let Some(sentence) = case.sentence(&rows)
        {
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
    property: Property,
    kind: AnomalyKind,
    work: &'a mut Work,
}

impl Case<'_, '_> {
    /// Whether these rows are by themselves invalid, for the same property and in the same way.
    /// Without work left they are not known to be.
    fn is_shown_by(&mut self, rows: &[usize]) -> bool {
        if rows.is_empty() || self.work.is_done() {
            return false;
        }
        self.work.spend(rows.len());
        self.work.left = self.work.left.saturating_sub(JUDGE_WORK);
        let alone = part::part(self.index, self.property, rows);
        match judge(&alone, self.property) {
            Some(Verdict::Invalid { found, .. }) => found.contains_key(&self.kind),
            Some(Verdict::Valid | Verdict::Unknown { .. } | Verdict::NotApplicable { .. })
            | None => false,
        }
    }

    /// What the check says of these rows alone.
    fn sentence(&self, rows: &[usize]) -> Option<String> {
        let alone = part::part(self.index, self.property, rows);
        let verdict = judge(&alone, self.property)?;
        let anomaly = verdict.anomalies().iter().find(|a| a.kind == self.kind)?;
        Some(anomaly.sentence.clone())
    }
}

/// The verdict on one property; `None` when the history cannot be indexed.
pub(super) fn judge(history: &History, property: Property) -> Option<Verdict> {
    let index = Index::new(history).ok()?;
    let check = match property {
        Property::Integrity => integrity::check(&index),
        Property::Convergence => convergence::check(&Final::new(&index)),
        Property::LostWrites => convergence::check_lost_writes(&Final::new(&index)),
        Property::Lww => lww::check(&index),
        Property::ReadYourWrites
        | Property::MonotonicReads
        | Property::MonotonicWrites
        | Property::WritesFollowReads => session::check(&index)
            .into_iter()
            .find(|check| check.property == property)?,
        Property::Causal => causal::check(&index),
        Property::CausalBlackBox => black_box::check(&index),
        Property::Linearizable => linearizable::check(&index),
    };
    Some(check.verdict)
}

/// The operations of each anomaly as a history of its own, which the same check judges invalid.
///
/// `history` is what the report is about.
#[must_use]
pub fn proofs(history: &History, anomalies: &[Anomaly]) -> Vec<History> {
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
        .map(|anomaly| part::part(&index, anomaly.model, &rows(anomaly)))
        .collect()
}
