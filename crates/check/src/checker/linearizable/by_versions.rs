//! Versions as evidence of the order of the puts on a key, from a store that promises linearizable
//! registers. The check never trusts them: it compares them with real time, with what was read, and
//! with each other.
//!
//! Values in the order of their versions leave one order of their clusters. It is right iff no
//! operation of a later cluster was over before one of an earlier cluster was invoked. The initial
//! value is the first. Clusters of unknown version are judged by their zones alone. O(n log n).

use super::super::index::Index;
use super::super::lww::{Versions, gets_agree_with_puts};
use super::super::property::AnomalyKind;
use super::super::verdict::Findings;
use super::{NO_ROW, Zone};
use crate::history::{Evidence, Version};

/// The order of puts that a history's versions give.
pub(super) struct Order<'a, 'h> {
    index: &'a Index<'h>,
    versions: Versions<'a, 'h>,
    /// The clusters of one key with their versions; none for the initial value.
    clusters: Vec<(Option<Version>, Zone)>,
}

impl<'a, 'h> Order<'a, 'h> {
    /// That of a store whose versions say which of two puts came first, if the history has any.
    pub(super) fn of(index: &'a Index<'h>) -> Option<Self> {
        let carries = || index.columns.evidence.contains(&Evidence::Versions);
        (index.is_ordered_by_versions && carries()).then(|| Self {
            index,
            versions: Versions::new(index),
            clusters: Vec::new(),
        })
    }

    /// Reports reads under another version than that of what they returned.
    pub(super) fn check_reads(&self, findings: &mut Findings<'_>) {
        gets_agree_with_puts(self.index, &self.versions, findings);
    }

    /// Holds the order of a key's clusters against real time.
    pub(super) fn check_key(&mut self, zones: &[Zone], findings: &mut Findings<'_>) {
        let versions = &self.versions;
        let ordered = zones.iter().filter_map(|zone| match zone.put {
            NO_ROW => Some((None, *zone)),
            put => Some((Some(versions.of_put(put as usize)?), *zone)),
        });
        self.clusters.clear();
        self.clusters.extend(ordered);
        self.clusters
            .sort_unstable_by_key(|(version, zone)| (*version, zone.put));
        let mut latest: Option<&Zone> = None;
        for (place, (version, zone)) in self.clusters.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| &self.clusters[before]);
            if let Some((_, twin)) = before.filter(|(own, _)| own == version) {
                self.report_twins(twin, zone, findings);
            }
            if let Some(earlier) = latest
                && zone.earliest_return < earlier.latest_invoke
            {
                self.report_order(earlier, zone, findings);
            }
            if latest.is_none_or(|latest| latest.latest_invoke < zone.latest_invoke) {
                latest = Some(zone);
            }
        }
    }

    fn report_twins(&self, a: &Zone, b: &Zone, findings: &mut Findings<'_>) {
        let rows = [a.put as usize, b.put as usize];
        findings.add(AnomalyKind::DuplicateVersion, &rows, || {
            let key = self.index.key_name(rows[0]);
            format!("both puts got the same version ({key})")
        });
    }

    /// Reports that `later`, whose version is the larger, was over before `earlier` was.
    fn report_order(&self, earlier: &Zone, later: &Zone, findings: &mut Findings<'_>) {
        let index = self.index;
        let rows = [
            later.put,
            later.returned_by,
            earlier.put,
            earlier.invoked_by,
        ];
        let known = rows.into_iter().filter(|row| *row != NO_ROW);
        let mut rows: Vec<usize> = known.map(|row| row as usize).collect();
        rows.sort_unstable_by_key(|row| (index.fine_invoke(*row), *row));
        rows.dedup();
        findings.add(AnomalyKind::NotLinearizable, &rows, || {
            format!(
                "{} of {} has a larger version than {}, and yet {} was over before {} was invoked",
                later.name(index),
                index.key_name(rows[0]),
                earlier.name(index),
                index.name(later.returned_by as usize),
                index.name(earlier.invoked_by as usize),
            )
        });
    }
}
