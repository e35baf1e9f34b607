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

use super::index::{Index, Table};
use super::property::{AnomalyKind, Property};
use super::verdict::{Check, Findings, Verdict};
use crate::history::{Evidence, Kind, NEVER, Version, id_text, origin, origin_node};

/// The rows that an explanation follows from one operation to the one that contradicts it.
const PATH_MAX: usize = 6;
/// Stands for "no row".
const NONE: u32 = u32::MAX;

/// The version of a put: its own reply's, or that under which it was read.
pub(super) fn put_version(index: &Index<'_>, put: usize) -> Option<Version> {
    index.columns.version(put).or_else(|| {
        // Only an unknown put has no reply; few are ever read.
        index
            .by_key
            .at(index.key[put] as usize)
            .iter()
            .map(|row| *row as usize)
            .filter(|row| index.is_usable_get(*row) && index.puts_read(*row) == [put as u32])
            .find_map(|get| index.columns.version(get))
    })
}

/// An operation with its place in arbitration order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) version: Option<Version>,
    pub(super) is_get: bool,
    pub(super) row: u32,
    /// The origin whose register of the key it acted on.
    pub(super) place: u32,
}

impl Item {
    /// Version first, and a put before the gets of its version.
    pub(super) fn rank(&self) -> (Option<Version>, bool) {
        (self.version, self.is_get)
    }
}

/// What an operation that comes earlier must not be later than.
#[derive(Clone, Copy, Debug)]
struct Deadline {
    time: u64,
    /// The next row on the way to the one that returned at `time`.
    via: u32,
}

impl Deadline {
    const NONE: Self = Self {
        time: NEVER,
        via: NONE,
    };

    const fn tighten(&mut self, other: Self) {
        if other.time < self.time {
            *self = other;
        }
    }
}

/// Why the history cannot be judged by versions, if so.
fn obstacle(index: &Index<'_>) -> Option<String> {
    let columns = index.columns;
    let acknowledged = |row: &usize| {
        index.is_known_get(*row)
            || (columns.kind[*row] == Kind::Put && index.returned(*row) != NEVER)
    };
    let blind = |row: &usize| {
        columns.evidence[*row] != Evidence::Lww
            || (columns.version(*row).is_none()
                && (columns.kind[*row] == Kind::Put || !columns.read.at(*row).is_empty()))
    };
    let rows = 0..index.history.len();
    if let Some(row) = rows.clone().find(|row| acknowledged(row) && blind(row)) {
        return Some(format!("row {row} carries no version"));
    }
    rows.into_iter()
        .find(|row| index.is_known_get(*row) && columns.read.at(*row).len() > 1)
        .map(|row| format!("row {row} returned several values, a register holds one"))
}

/// Every operation that an order has to explain, in no order.
pub(super) fn items(index: &Index<'_>) -> Vec<Item> {
    let columns = index.columns;
    (0..index.history.len())
        .filter(|row| index.counts(*row))
        .map(|row| {
            let is_get = columns.kind[row] == Kind::Get;
            let version = if is_get {
                columns.version(row)
            } else {
                put_version(index, row)
            };
            let place = match version {
                Some(version) if !is_get => version.origin,
                Some(_) | None => origin(columns.node[row], columns.incarnation[row]),
            };
            Item {
                version,
                is_get,
                row: row as u32,
                place,
            }
        })
        .collect()
}

/// Checks the whole history.
pub(super) fn check(index: &Index<'_>) -> Check {
    if let Some(reason) = obstacle(index) {
        return Check {
            property: Property::Lww,
            checked: 0,
            verdict: Verdict::not_applicable(reason),
        };
    }
    let mut findings = Findings::new(index.history, Property::Lww);
    let mut items = items(index);
    items.sort_unstable_by_key(|item| (item.rank(), item.row));
    versions_are_unique(index, &items, &mut findings);
    gets_agree_with_puts(index, &mut findings);
    if Walk::new(index).run(&items, &mut findings) {
        findings.check(items.len() as u64)
    } else {
        findings.cut(items.len() as u64)
    }
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

fn gets_agree_with_puts(index: &Index<'_>, findings: &mut Findings<'_>) {
    for get in (0..index.history.len()).filter(|row| index.is_usable_get(*row)) {
        if let [put] = index.puts_read(get) {
            let put = *put as usize;
            if index.columns.version(get) != put_version(index, put) {
                findings.add(AnomalyKind::VersionMismatch, &[put, get], || {
                    format!(
                        "{} was read under another version than it was put under",
                        id_text(index.columns.written[put])
                    )
                });
            }
        }
    }
}

/// A replica incarnation's register of one key, as seen from the largest version down.
#[derive(Clone, Copy, Debug)]
struct Register {
    /// The rank of the operations walked last.
    rank: (Option<Version>, bool),
    /// The deadline that operations of greater rank give.
    above: Deadline,
    /// The same with those of `rank`.
    with: Deadline,
}

struct Walk<'a, 'h> {
    index: &'a Index<'h>,
    registers: Table<(u32, u32), Register>,
    origins: Table<u32, Deadline>,
    /// For each put the deadline that its gets give.
    readers: Vec<Deadline>,
    /// For each row the next one on the way to the return that is its deadline.
    via: Vec<u32>,
}

impl<'a, 'h> Walk<'a, 'h> {
    fn new(index: &'a Index<'h>) -> Self {
        let rows = index.history.len();
        Self {
            index,
            registers: Table::default(),
            origins: Table::default(),
            readers: vec![Deadline::NONE; rows],
            via: vec![NONE; rows],
        }
    }

    /// Walks `items`, which are sorted by rank, from the last to the first. Whether there was time
    /// for all of them.
    fn run(mut self, items: &[Item], findings: &mut Findings<'_>) -> bool {
        let mut ticker = self.index.time.ticker(Property::Lww.name(), items.len());
        for item in items.iter().rev() {
            if ticker.is_over() {
                return false;
            }
            let row = item.row as usize;
            let after = self.after(item);
            self.via[row] = after.via;
            if after.time < self.index.invoke(row) {
                self.report(item, findings);
            }
            let mut own = Deadline {
                time: self.index.returned(row),
                via: item.row,
            };
            own.tighten(Deadline {
                time: after.time,
                via: item.row,
            });
            if after.time >= self.index.returned(row) {
                self.via[row] = NONE;
            }
            self.settle(item, own);
        }
        true
    }

    /// The earliest return among the operations that come after this one.
    fn after(&mut self, item: &Item) -> Deadline {
        let register = self
            .registers
            .entry((item.place, self.index.key[item.row as usize]))
            .or_insert(Register {
                rank: item.rank(),
                above: Deadline::NONE,
                with: Deadline::NONE,
            });
        if register.rank != item.rank() {
            register.rank = item.rank();
            register.above = register.with;
        }
        let mut after = register.above;
        if !item.is_get {
            after.tighten(self.readers[item.row as usize]);
            if let Some(origin) = self.origins.get(&item.place) {
                after.tighten(*origin);
            }
        }
        after
    }

    fn settle(&mut self, item: &Item, own: Deadline) {
        let row = item.row as usize;
        if let Some(register) = self.registers.get_mut(&(item.place, self.index.key[row])) {
            register.with.tighten(own);
        }
        if item.is_get {
            if let [put] = self.index.puts_read(row) {
                self.readers[*put as usize].tighten(own);
            }
        } else {
            self.origins
                .entry(item.place)
                .or_insert(Deadline::NONE)
                .tighten(own);
        }
    }

    fn report(&self, item: &Item, findings: &mut Findings<'_>) {
        let index = self.index;
        let row = item.row as usize;
        let mut path = vec![row];
        while let Some(next) = path.last().map(|row| self.via[*row])
            && next != NONE
            && path.len() < PATH_MAX
        {
            path.push(next as usize);
        }
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
            format!(
                "node {} {why} {}: session {} #{} had returned before session {} #{} was invoked",
                origin_node(item.place),
                index.key_name(row),
                index.columns.session[end],
                index.columns.index[end],
                index.columns.session[row],
                index.columns.index[row],
            )
        });
    }
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
