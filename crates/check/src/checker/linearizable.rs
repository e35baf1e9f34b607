//! Linearizable registers by zones: Gibbons and Korach, *Testing Shared Memories*, SIAM J. Comput.
//! 1997, section 4, for values that are unique. O(n log n).
//!
//! A put and the gets that read it form a cluster. `f` is the earliest return in it and `s` the
//! latest invoke: when `f < s` the value was certainly current from `f` to `s` (forward zone),
//! otherwise it was current at some instant between `s` and `f` (backward zone). A key is
//! linearizable iff no two forward zones overlap and no backward zone lies inside a forward one,
//! and no get returns before its put is invoked. Comparisons are strict, since at ties the closed
//! forms reject valid histories. Within a session, though, the later operation comes after the
//! earlier one even if the clock has not ticked. If times cannot express that, the key is searched
//! (`wing_gong/`). The initial value was put before time began. Keys are judged one by one, which
//! is right except at ties of sessions that go from key to key (`instants.rs`). If the store gives
//! versions that order its puts, these are compared with real time too (`by_versions.rs`).

mod by_versions;
mod zone;

use super::index::{Index, Table};
use super::instants;
use super::one_value::siblings;
use super::ordering::Limits;
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost, Searched};
use super::verdict::{Check, Findings, Verdict};
use super::wing_gong::{self, NO_REAL_TIME};
use crate::history::NEVER;
use by_versions::Order;
use zone::{NO_ROW, Zone, shifted};

/// The row of the table.
pub(super) struct ByZones;

impl Checker for ByZones {
    fn properties(&self) -> &'static [Property] {
        &[Property::Linearizable]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Pass
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check(ask.index)]
    }

    fn search(&self) -> Option<Searched> {
        Some(Searched {
            unasked_max: 0,
            run: wing_gong::check,
        })
    }
}

/// Checks every key, by times and by the versions that the store gives.
pub(super) fn check(index: &Index<'_>) -> Check {
    judge(index, Order::of(index))
}

/// Checks every key by what clients saw, whatever versions say of it.
pub(super) fn check_by_times(index: &Index<'_>) -> Check {
    judge(index, None)
}

fn judge<'h>(index: &Index<'h>, mut order: Option<Order<'_, 'h>>) -> Check {
    if !index.history.header.real_time {
        return Check {
            property: Property::Linearizable,
            checked: 0,
            verdict: Verdict::not_applicable(NO_REAL_TIME),
        };
    }
    if let Some(reason) = siblings(index) {
        return Check {
            property: Property::Linearizable,
            checked: 0,
            verdict: Verdict::not_applicable(reason),
        };
    }
    let mut findings = Findings::new(index.history, Property::Linearizable);
    let mut clusters = Clusters::new(index);
    let mut ticker = index
        .time
        .ticker(Property::Linearizable.name(), index.by_key.len());
    if let Some(order) = &order {
        order.check_reads(&mut findings);
    }
    for key in 0..index.by_key.len() {
        if ticker.is_over() {
            return findings.cut(clusters.operations);
        }
        let zones = clusters.of_key(key);
        check_key(index, zones, &mut findings);
        if let Some(order) = &mut order {
            order.check_key(zones, &mut findings);
        }
    }
    if findings.is_empty() && index.has_untold_ties() {
        let tied = |row: usize| index.has_untold_ties_on(index.key[row]);
        let searched = wing_gong::check_keys(index.history, Limits::within(&index.time), tied);
        if !searched.verdict.is_valid() {
            return searched;
        }
    }
    let mut check = findings.check(clusters.operations);
    if check.verdict.is_valid()
        && let Some(reason) = entangled(index)
    {
        check.verdict = Verdict::unknown(reason);
    }
    check
}

/// Says so when orders of single keys may not make up one of all.
pub(super) fn entangled(index: &Index<'_>) -> Option<String> {
    instants::entangled(index, |key| needs_ties(index, key))
}

/// Whether a key has no order in which what ended at an instant comes before what began there.
fn needs_ties(index: &Index<'_>, key: u32) -> bool {
    // Ends before beginnings, so that an equal time is an order.
    let times = |row: usize| {
        let returned = match index.returned(row) {
            NEVER => NEVER,
            returned => 2 * returned,
        };
        (2 * index.invoke(row) + 1, returned)
    };
    let rows = index
        .by_key
        .at(key as usize)
        .iter()
        .map(|row| *row as usize);
    let mut zones = vec![Zone::INITIAL];
    let mut zone_of: Table<u32, usize> = Table::default();
    for put in rows.clone().filter(|row| index.is_effective_put(*row)) {
        let (invoke, returned) = times(put);
        zone_of.insert(put as u32, zones.len());
        zones.push(Zone::from_put(put, invoke, returned));
    }
    for get in rows.filter(|row| index.is_usable_get(*row)) {
        let (invoke, returned) = times(get);
        let put = index.puts_read(get).first();
        let zone = put.and_then(|put| zone_of.get(put)).copied().unwrap_or(0);
        zones[zone].add_at(get, invoke, returned);
    }
    let early = |zone: &Zone| {
        zone.put != NO_ROW && zone.earliest_return < shifted(times(zone.put as usize).0)
    };
    let mut findings = Findings::new(index.history, Property::Linearizable);
    let reads_early = zones.iter().any(early);
    zones.sort_unstable_by_key(|zone| (zone.start(), zone.end()));
    overlapping_forwards(index, &zones, &mut findings);
    enclosed_backwards(index, &zones, &mut findings);
    reads_early || !findings.is_empty()
}

/// The clusters of every key. They are gathered in the order of the rows, since a key's own rows
/// lie far apart in memory.
struct Clusters {
    /// Those of each key are one slice, the initial value's first.
    zones: Vec<Zone>,
    /// Where each key's slice ends.
    ends: Vec<u32>,
    operations: u64,
}

impl Clusters {
    fn new(index: &Index<'_>) -> Self {
        let keys = index.by_key.len();
        let puts = || (0..index.history.len()).filter(|row| index.is_effective_put(*row));
        // Counted first, then turned into where each key starts, which moves on to where it ends.
        let mut ends = vec![1u32; keys];
        for put in puts() {
            ends[index.key[put] as usize] += 1;
        }
        let mut start = 0u32;
        for end in &mut ends {
            let next = start.checked_add(*end);
            *end = start;
            start = next.expect("values and keys are fewer than 2^32 together");
        }
        let starts = ends.clone();
        let mut zones = vec![Zone::INITIAL; start as usize];
        for end in &mut ends {
            *end += 1;
        }
        let mut zone_of = vec![NO_ROW; index.history.len()];
        let mut operations = 0;
        for put in puts() {
            let place = &mut ends[index.key[put] as usize];
            zone_of[put] = *place;
            zones[*place as usize] = Zone::of_put(index, put);
            *place += 1;
            operations += 1;
        }
        for get in (0..index.history.len()).filter(|row| index.is_usable_get(*row)) {
            let zone = match index.puts_read(get) {
                [] => starts[index.key[get] as usize],
                [put, ..] => zone_of[*put as usize],
            };
            zones[zone as usize].add(index, get);
            operations += 1;
        }
        Self {
            zones,
            ends,
            operations,
        }
    }

    fn of_key(&mut self, key: usize) -> &mut [Zone] {
        let start = if key == 0 { 0 } else { self.ends[key - 1] };
        &mut self.zones[start as usize..self.ends[key] as usize]
    }
}

fn check_key(index: &Index<'_>, zones: &mut [Zone], findings: &mut Findings<'_>) {
    for zone in zones.iter().filter(|zone| zone.put != NO_ROW) {
        let (put, get) = (zone.put as usize, zone.returned_by as usize);
        if zone.earliest_return < shifted(index.fine_invoke(put)) {
            findings.add(AnomalyKind::NotLinearizable, &[get, put], || {
                format!("{} was read before its put was invoked", zone.name(index))
            });
        }
    }
    zones.sort_unstable_by_key(|zone| (zone.start(), zone.end()));
    overlapping_forwards(index, zones, findings);
    enclosed_backwards(index, zones, findings);
}

/// Two values that were both certainly current at one instant.
fn overlapping_forwards(index: &Index<'_>, zones: &[Zone], findings: &mut Findings<'_>) {
    let mut open: Option<&Zone> = None;
    for zone in zones.iter().filter(|zone| zone.is_forward()) {
        if let Some(before) = open
            && zone.start() < before.end()
        {
            add(
                index,
                findings,
                before,
                zone,
                "were both current at one time",
            );
        }
        if open.is_none_or(|before| before.end() < zone.end()) {
            open = Some(zone);
        }
    }
}

/// A value whose only instants lie while another was certainly current.
fn enclosed_backwards(index: &Index<'_>, zones: &[Zone], findings: &mut Findings<'_>) {
    let mut open: Option<&Zone> = None;
    for zone in zones {
        if zone.is_forward() {
            if open.is_none_or(|before| before.end() < zone.end()) {
                open = Some(zone);
            }
        } else if let Some(around) = open
            && around.start() < zone.start()
            && zone.end() < around.end()
        {
            let why = "exclude each other: the second had to be current while the first was";
            add(index, findings, around, zone, why);
        }
    }
}

fn add(index: &Index<'_>, findings: &mut Findings<'_>, a: &Zone, b: &Zone, why: &str) {
    let mut rows: Vec<usize> = a.rows().chain(b.rows()).collect();
    rows.sort_unstable_by_key(|row| (index.fine_invoke(*row), *row));
    findings.add(AnomalyKind::NotLinearizable, &rows, || {
        if let Some(inversion) = inversion(index, a, b) {
            return inversion;
        }
        let key = rows
            .first()
            .map(|row| index.key_name(*row))
            .unwrap_or_default();
        format!("{} and {} of {key} {why}", a.name(index), b.name(index))
    });
}

/// What two gets say that follow each other, of which the second returned the older value though no
/// put forbids it by itself: the one anomaly that a regular register allows.
fn inversion(index: &Index<'_>, a: &Zone, b: &Zone) -> Option<String> {
    let is_older = |old: &&Zone, new: &Zone| {
        let is_put = new.put != NO_ROW;
        is_put && (old.put == NO_ROW || index.precedes(old.put as usize, new.put as usize))
    };
    let (old, new) = match (Some(a).filter(|a| is_older(a, b)), is_older(&b, a)) {
        (Some(old), _) => (old, b),
        (None, true) => (b, a),
        (None, false) => return None,
    };
    if new.returned_by == new.put || old.invoked_by == old.put {
        return None;
    }
    let (first, second) = (new.returned_by as usize, old.invoked_by as usize);
    let is_inverted = index.precedes(first, second) && !index.precedes(new.put as usize, second);
    is_inverted.then(|| {
        format!(
            "{} returned {} of {} after {} had returned the newer {}: a new-old inversion",
            index.name(second),
            old.name(index),
            index.key_name(second),
            index.name(first),
            new.name(index)
        )
    })
}
