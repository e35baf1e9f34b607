//! Last write wins, judged by the versions that the store gives. O(n log n).
//!
//! Arbitration order is version order. The certificate is verified as one schedule: at each
//! origin puts take effect in version order, and at each replica incarnation the operations on
//! one key go up in version, a put before the gets of its own version. Such a schedule exists iff
//! no operation has to come, by that order, before one that had returned before it was invoked;
//! for interval orders one real-time edge always suffices to close a circle. So the operations
//! are walked from the largest version down, each with the earliest return among all that come
//! after it. This contains the axioms of the specification: they compare neighbours, the walk
//! also follows a put that took effect before its reply, as whoever read it proves.

mod ties;
mod versions;
mod walk;

pub(super) use versions::{Item, Versions};

use super::coverage::Coverage;
use super::index::Index;
use super::lww_black_box;
use super::one_value::siblings;
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost};
use super::verdict::{Check, Findings, Verdict};
use crate::history::{Evidence, Kind, Version, origin, origin_node};
use walk::Walk;

/// Stands for "no row".
const NONE: u32 = u32::MAX;

/// The row of the table.
pub(super) struct ByVersions;

impl Checker for ByVersions {
    fn properties(&self) -> &'static [Property] {
        &[Property::Lww]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Pass
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check(ask.index)]
    }

    fn is_by_evidence(&self, _index: &Index<'_>) -> bool {
        true
    }

    fn coverage(&self, index: &Index<'_>) -> Option<(&'static str, Coverage)> {
        let has_any = index.columns.evidence.contains(&Evidence::Versions);
        has_any.then(|| ("versions", Versions::new(index).coverage()))
    }
}

/// Checks the operations that have a version. If these are not the whole history, the check can
/// only refute it.
pub(super) fn check(index: &Index<'_>) -> Check {
    let versions = Versions::new(index);
    let coverage = versions.coverage();
    let obstacle = siblings(index)
        .or_else(|| (coverage.known == 0).then(|| "no operation carries a version".to_owned()));
    if let Some(reason) = obstacle.filter(|_| coverage.all > 0) {
        return Check {
            property: Property::Lww,
            checked: 0,
            verdict: Verdict::not_applicable(reason),
        };
    }
    let mut findings = Findings::new(index.history, Property::Lww);
    let mut items = versions.items();
    items.sort_unstable_by_key(|item| (item.rank(), item.row));
    versions_are_unique(index, &items, &mut findings);
    gets_agree_with_puts(index, &versions, &mut findings);
    if !Walk::new(index).run(&items, &mut findings) {
        return findings.cut(coverage.known);
    }
    if findings.is_empty() {
        ties::find(index, &items, &mut findings);
    }
    let mut check = findings.check(coverage.known);
    if check.verdict.is_valid() && coverage.is_partial() {
        check.verdict = coverage.undecided("version");
    }
    check
}

/// The check that a search for an order is compared with: versions explain what replicas showed,
/// too. Those that another node gave say nothing of that, and then neither engine is right.
pub(super) fn check_as_searched(index: &Index<'_>) -> Check {
    let by_versions = check(index);
    if !by_versions.verdict.is_valid() {
        return by_versions;
    }
    let shown = lww_black_box::check(index);
    if !shown.verdict.is_invalid() {
        return by_versions;
    }
    if origins_acknowledge(index) {
        return shown;
    }
    let reason = "versions of another node's say nothing of what this one showed";
    Check::without_a_look(Property::Lww, Verdict::unknown(reason))
}

/// Whether every acknowledged put was given its version by the node that acknowledged it, so that
/// what replicas showed cannot contradict versions that explain everything.
pub(super) fn origins_acknowledge(index: &Index<'_>) -> bool {
    let columns = index.columns;
    let is_acknowledged = |row: &usize| {
        columns.kind[*row] == Kind::Put && columns.outcome[*row] == crate::history::Outcome::Ok
    };
    (0..index.history.len()).filter(is_acknowledged).all(|row| {
        let own = origin(columns.node[row], columns.incarnation[row]);
        columns
            .version(row)
            .is_none_or(|version| version.origin == own)
    })
}

fn versions_are_unique(index: &Index<'_>, items: &[Item], findings: &mut Findings<'_>) {
    let mut last: Option<Item> = None;
    for item in items.iter().filter(|item| !item.is_get) {
        if let Some(before) = last
            && before.version == item.version
        {
            findings.add(
                AnomalyKind::DuplicateVersion,
                &[before.row as usize, item.row as usize],
                || {
                    format!(
                        "both puts got the same version ({})",
                        index.key_name(item.row as usize)
                    )
                },
            );
        }
        last = Some(*item);
    }
}

/// Reports gets under another version than that of what they returned.
pub(super) fn gets_agree_with_puts(
    index: &Index<'_>,
    versions: &Versions<'_, '_>,
    findings: &mut Findings<'_>,
) {
    for get in (0..index.history.len()).filter(|row| index.is_usable_get(*row)) {
        let Some(version) = index.columns.version(get) else {
            continue;
        };
        match index.puts_read(get) {
            [] => findings.add(AnomalyKind::VersionMismatch, &[get], || {
                format!(
                    "nothing was found of {}, under a version all the same",
                    index.key_name(get)
                )
            }),
            [put] if versions.of_put(*put as usize) != Some(version) => {
                let put = *put as usize;
                findings.add(AnomalyKind::VersionMismatch, &[put, get], || {
                    format!(
                        "{} was read under another version than it was put under",
                        index.history.value_name(index.columns.written[put])
                    )
                });
            }
            [..] => {}
        }
    }
}

/// Reports that `item` has no place: `path` leads from it, along what has to come after it, to an
/// operation that was over before it began.
fn report(index: &Index<'_>, item: &Item, mut path: Vec<usize>, findings: &mut Findings<'_>) {
    let row = item.row as usize;
    let next = path.get(1).copied().unwrap_or(row);
    let end = path.last().copied().unwrap_or(row);
    let (kind, why) = if item.is_get {
        (AnomalyKind::Regression, "went back to an older version of")
    } else if index.columns.kind[next] == Kind::Get && index.puts_read(next) == [item.row] {
        (
            AnomalyKind::FutureRead,
            "put what had by then to be read already, on",
        )
    } else if index.key[next] == index.key[row] {
        (
            AnomalyKind::ClockNotMerged,
            "gave a put a version below what it had shown of",
        )
    } else {
        (
            AnomalyKind::OriginOrder,
            "gave a later put a smaller version, on",
        )
    };
    path.reverse();
    findings.add(kind, &path, || {
        let over = if index.returned(end) < index.invoke(row) {
            "had returned before"
        } else {
            "was over, at the same instant, before its own"
        };
        format!(
            "node {} {why} {}: session {} #{} {over} session {} #{} was invoked",
            origin_node(item.place),
            index.key_name(row),
            index.columns.session[end],
            index.columns.index[end],
            index.columns.session[row],
            index.columns.index[row],
        )
    });
}

/// Puts whose version is below that of a put on the same key that had returned before they were
/// invoked: what clock skew costs. Measured, not judged.
pub(super) fn clock_inversions(index: &Index<'_>) -> u64 {
    let mut inversions = 0;
    let mut puts: Vec<(u64, u64, Version)> = Vec::new();
    let mut by_return: Vec<(u64, Version)> = Vec::new();
    for key in 0..index.by_key.len() {
        let rows = index.by_key.at(key).iter().map(|row| *row as usize);
        puts.clear();
        puts.extend(
            rows.filter(|row| index.is_effective_put(*row))
                .filter_map(|row| {
                    Some((
                        index.invoke(row),
                        index.returned(row),
                        index.columns.version(row)?,
                    ))
                }),
        );
        puts.sort_unstable();
        by_return.clear();
        by_return.extend(
            puts.iter()
                .map(|(_, returned, version)| (*returned, *version)),
        );
        by_return.sort_unstable();
        let mut returned = by_return.iter().peekable();
        let mut largest: Option<Version> = None;
        for (invoke, _, version) in &puts {
            while let Some((_, done)) = returned.next_if(|(returned, _)| returned < invoke) {
                largest = largest.max(Some(*done));
            }
            inversions += u64::from(largest > Some(*version));
        }
    }
    inversions
}
