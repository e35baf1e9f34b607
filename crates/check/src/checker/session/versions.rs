//! The session guarantees by recorded versions, with running maxima, O(n): for each key a get must
//! not show less than what its session had put and read, nor a put fall below it.

use super::super::index::{Index, Table};
use super::super::lww::Versions;
use super::super::property::AnomalyKind;
use super::super::verdict::{Check, Findings, Verdict};
use super::{GUARANTEES, PROPERTIES};
use crate::history::{Evidence, Kind, Version};

/// The largest version that a session had put or read of a key, and the row that showed it.
#[derive(Clone, Copy, Debug, Default)]
struct Past {
    written: Option<(Version, usize)>,
    read: Option<(Version, usize)>,
}

const KINDS: [AnomalyKind; 4] = [
    AnomalyKind::ReadOwnWriteMissed,
    AnomalyKind::NonMonotonicRead,
    AnomalyKind::NonMonotonicWrite,
    AnomalyKind::WriteBeforeRead,
];

pub(super) fn check(index: &Index<'_>) -> [Check; 4] {
    let columns = index.columns;
    let mut findings = PROPERTIES.map(|property| Findings::new(index.history, property));
    let mut checked = [0u64; 4];
    let versions = Versions::new(index);
    let carry = columns.evidence.contains(&Evidence::Versions);
    let mut pasts: Table<u32, Past> = Table::default();
    let mut ticker = index.time.ticker(GUARANTEES, index.history.len());
    for session in 0..if carry { index.by_session.len() } else { 0 } {
        pasts.clear();
        for row in index.by_session.at(session).iter().map(|row| *row as usize) {
            if ticker.is_over() {
                return findings.map(|findings| findings.cut(0));
            }
            let Some(version) = versions.of(row).filter(|_| index.counts(row)) else {
                continue;
            };
            let past = pasts.entry(index.key[row]).or_default();
            let is_get = columns.kind[row] == Kind::Get;
            let first = if is_get { 0 } else { 2 };
            for (guarantee, seen) in (first..).zip([past.written, past.read]) {
                checked[guarantee] += 1;
                let Some((_, before)) = seen.filter(|(seen, _)| Some(*seen) > version) else {
                    continue;
                };
                findings[guarantee].add(KINDS[guarantee], &[before, row], || {
                    format!(
                        "session {} had {} a larger version of {} in #{} than it {} in #{}",
                        columns.session[row],
                        if guarantee % 2 == 0 { "put" } else { "read" },
                        index.key_name(row),
                        columns.index[before],
                        if is_get { "read" } else { "put" },
                        columns.index[row],
                    )
                });
            }
            let seen = if is_get {
                &mut past.read
            } else {
                &mut past.written
            };
            if let Some(version) = version
                && seen.is_none_or(|(seen, _)| seen < version)
            {
                *seen = Some((version, row));
            }
        }
    }
    let mut checked = checked.into_iter();
    findings.map(|findings| {
        let checked = checked.next().unwrap_or(0);
        let mut check = findings.check(checked);
        if checked == 0 {
            check.verdict = Verdict::not_applicable("no operation carries a version");
        }
        check
    })
}
