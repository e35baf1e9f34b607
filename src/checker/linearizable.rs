//! Linearizable registers by zones: Gibbons and Korach, *Testing Shared Memories*, SIAM J. Comput.
//! 1997, section 4, for values that are unique. O(n log n).
//!
//! A put and the gets that read it form a cluster. `f` is the earliest return in it and `s` the
//! latest invoke: when `f < s` the value was certainly current from `f` to `s` (forward zone),
//! otherwise it was current at some instant between `s` and `f` (backward zone). A key is
//! linearizable iff no two forward zones overlap and no backward zone lies inside a forward one,
//! and no get returns before its put is invoked. Comparisons are strict: at ties the closed
//! forms reject valid histories, except that what one session does next comes after even if the
//! clock has not ticked. The initial value was put before time began.

use super::index::Index;
use super::verdict::{AnomalyKind, Check, Findings, Property, Verdict};
use super::wing_gong::NO_REAL_TIME;
use crate::history::NEVER;

/// The time of the initial put, before all others: times are shifted up by one.
const BEFORE_TIME: u64 = 0;

/// A cluster's ends, and the rows that set them. Row `None` is the initial put.
#[derive(Clone, Copy, Debug)]
struct Zone {
    put: Option<usize>,
    earliest_return: u64,
    returned_by: Option<usize>,
    latest_invoke: u64,
    invoked_by: Option<usize>,
}

impl Zone {
    const INITIAL: Self = Self {
        put: None,
        earliest_return: BEFORE_TIME,
        returned_by: None,
        latest_invoke: BEFORE_TIME,
        invoked_by: None,
    };

    fn of_put(index: &Index<'_>, put: usize) -> Self {
        Self {
            put: Some(put),
            earliest_return: shifted(index.fine_return(put)),
            returned_by: Some(put),
            latest_invoke: shifted(index.fine_invoke(put)),
            invoked_by: Some(put),
        }
    }

    fn add(&mut self, index: &Index<'_>, get: usize) {
        let (returned, invoke) = (
            shifted(index.fine_return(get)),
            shifted(index.fine_invoke(get)),
        );
        if returned < self.earliest_return {
            self.earliest_return = returned;
            self.returned_by = Some(get);
        }
        if invoke > self.latest_invoke {
            self.latest_invoke = invoke;
            self.invoked_by = Some(get);
        }
    }

    const fn is_forward(&self) -> bool {
        self.earliest_return < self.latest_invoke
    }

    const fn start(&self) -> u64 {
        if self.is_forward() {
            self.earliest_return
        } else {
            self.latest_invoke
        }
    }

    const fn end(&self) -> u64 {
        if self.is_forward() {
            self.latest_invoke
        } else {
            self.earliest_return
        }
    }

    fn rows(&self) -> impl Iterator<Item = usize> {
        [self.put, self.returned_by, self.invoked_by]
            .into_iter()
            .flatten()
    }

    fn name(&self, index: &Index<'_>) -> String {
        self.put.map_or_else(
            || "the initial value".to_owned(),
            |put| {
                format!(
                    "value {}",
                    index.history.value_name(index.columns.written[put])
                )
            },
        )
    }
}

const fn shifted(time: u64) -> u64 {
    if time == NEVER { NEVER } else { time + 1 }
}

/// Checks every key.
pub(super) fn check(index: &Index<'_>) -> Check {
    if !index.history.header.real_time {
        return Check {
            property: Property::Linearizable,
            checked: 0,
            verdict: Verdict::not_applicable(NO_REAL_TIME),
        };
    }
    let siblings = (0..index.history.len())
        .find(|row| index.is_known_get(*row) && index.columns.read.at(*row).len() > 1);
    if let Some(row) = siblings {
        let reason = format!("row {row} returned several values, a register holds one");
        return Check {
            property: Property::Linearizable,
            checked: 0,
            verdict: Verdict::not_applicable(reason),
        };
    }
    let mut findings = Findings::new(index.history, Property::Linearizable);
    let mut zone_of = vec![u32::MAX; index.history.len()];
    let mut checked = 0;
    let mut zones = Vec::new();
    for key in 0..index.by_key.len() {
        let rows = index.by_key.at(key);
        checked += clusters(index, rows, &mut zone_of, &mut zones);
        check_key(index, &mut zones, &mut findings);
    }
    findings.check(checked)
}

/// Gathers a key's clusters and returns how many operations they hold.
fn clusters(index: &Index<'_>, rows: &[u32], zone_of: &mut [u32], zones: &mut Vec<Zone>) -> u64 {
    zones.clear();
    zones.push(Zone::INITIAL);
    let mut counted = 0;
    for put in rows.iter().map(|row| *row as usize) {
        if index.is_effective_put(put) {
            zone_of[put] = zones.len() as u32;
            zones.push(Zone::of_put(index, put));
            counted += 1;
        }
    }
    for get in rows.iter().map(|row| *row as usize) {
        if index.is_usable_get(get) {
            let zone = match index.puts_read(get) {
                [] => 0,
                [put, ..] => zone_of[*put as usize] as usize,
            };
            zones[zone].add(index, get);
            counted += 1;
        }
    }
    counted
}

fn check_key(index: &Index<'_>, zones: &mut [Zone], findings: &mut Findings<'_>) {
    for zone in zones.iter() {
        if let (Some(put), Some(get)) = (zone.put, zone.returned_by)
            && zone.earliest_return < shifted(index.fine_invoke(put))
        {
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
        let key = rows
            .first()
            .map(|row| index.key_name(*row))
            .unwrap_or_default();
        format!("{} and {} of {key} {why}", a.name(index), b.name(index))
    });
}
