//! Last write wins, judged only by what replicas showed: for each key the orders in which they
//! exposed values have to fit into one arbitration order. O(n log n).
//!
//! A replica exposes a value when it acknowledges its put or answers a get with it, and never goes
//! back: if one exposure had returned before another was invoked at the same replica, then the
//! first value comes before the second. Such an order exists iff the values can be taken away one
//! by one, each when no other that is left has to come before it. Per replica it is enough to know
//! the earliest return of each value and its latest invoke, so the values left are kept by both.
//!
//! Where sessions did several operations on the key at one instant, their order says what times do
//! not: what each of them did at a replica is a view of its own there, whose time is that order.

use super::index::{Index, NO_PUT, Table};
use super::lww::origins_acknowledge;
use super::one_value::siblings;
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost};
use super::time::Ticker;
use super::verdict::{Check, Findings, Verdict};
use crate::history::{Kind, NEVER, origin};

/// Steps of a circle that are shown: two operations each.
const CIRCLE_MAX: usize = 3;
/// The time at which the initial value was exposed, before all others: times are shifted by one.
const BEFORE_TIME: u64 = 0;
/// Stands for the initial value among the puts.
const INITIAL: u32 = NO_PUT;

/// A viewer, whose exposures have one order: a replica incarnation's by time, or those of one
/// session there by its order.
type Viewer = (u32, Option<u32>);

/// That a row showed a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown {
    pub(super) viewer: Viewer,
    pub(super) put: u32,
    pub(super) row: u32,
    /// By the viewer's clock, shifted by one.
    pub(super) invoke: u64,
    pub(super) returned: u64,
}

/// What one viewer showed of one value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exposure {
    pub(super) value: u32,
    pub(super) earliest_return: u64,
    pub(super) returned_by: Option<u32>,
    latest_invoke: u64,
    pub(super) invoked_by: Option<u32>,
    /// Whether another value that is left has to come before it here.
    is_held: bool,
}

/// One viewer's exposures of one key.
#[derive(Debug)]
pub(super) struct View {
    /// By earliest return; those before `first` are gone.
    exposures: Vec<Exposure>,
    first: usize,
    /// Their places by latest invoke; those before `free` are held up no longer.
    by_invoke: Vec<u32>,
    free: usize,
}

/// Checks each key on its own.
pub(super) fn check(index: &Index<'_>) -> Check {
    let property = Property::LwwBlackBox;
    if let Some(reason) = obstacle(index) {
        return Check {
            property,
            checked: 0,
            verdict: Verdict::not_applicable(reason),
        };
    }
    let mut findings = Findings::new(index.history, property);
    let mut checked = 0;
    let mut ticker = index.time.ticker(property.name(), index.history.len());
    for key in 0..index.by_key.len() {
        if ticker.is_over() {
            return findings.cut(checked);
        }
        let mut arbitration = Arbitration::new(index, key);
        checked += arbitration.operations;
        if !arbitration.take_away(&mut ticker) {
            return findings.cut(checked);
        }
        if let Some(circle) = arbitration.circle() {
            let rows: Vec<usize> = circle.into_iter().flatten().collect();
            findings.add(AnomalyKind::CyclicArbitration, &rows, || {
                let name = index.key_name(index.by_key.at(key)[0] as usize);
                format!(
                    "replicas showed values of {name} in orders that contradict each other: each \
                     operation had returned before the next was invoked at the same replica"
                )
            });
        }
    }
    findings.check(checked)
}

/// The row of the table.
pub(super) struct ByExposures;

impl Checker for ByExposures {
    fn properties(&self) -> &'static [Property] {
        &[Property::LwwBlackBox]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Search {
            unasked_max: usize::MAX,
            is_dear: false,
        }
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check(ask.index)]
    }

    fn proved_by(&self) -> Option<Property> {
        Some(Property::Lww)
    }

    /// Versions of another node's say nothing of what this one showed.
    fn is_bound_by_proof(&self, index: &Index<'_>) -> bool {
        origins_acknowledge(index)
    }
}

fn obstacle(index: &Index<'_>) -> Option<String> {
    if let Some(reason) = siblings(index) {
        return Some(reason);
    }
    let columns = index.columns;
    let anonymous = index.history.header.groups.is_empty()
        && columns.node.iter().all(|node| *node == columns.node[0]);
    anonymous.then(|| "the history does not say which replica answered".to_owned())
}

/// Whether a value has been taken away, and in how many views another holds it up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Value {
    is_gone: bool,
    holds: u32,
}

impl Value {
    /// One more view shows it.
    pub(super) const fn hold(&mut self) {
        self.holds += 1;
    }

    /// Takes it away; says whether it was still there.
    pub(super) const fn take(&mut self) -> bool {
        !std::mem::replace(&mut self.is_gone, true)
    }
}

struct Arbitration {
    operations: u64,
    values: Vec<Value>,
    views: Vec<View>,
    /// Each value, a view that shows it and the place of its exposure there, by value.
    shown_in: Vec<[u32; 3]>,
}

impl Arbitration {
    fn new(index: &Index<'_>, key: usize) -> Self {
        let columns = index.columns;
        let rows = index.by_key.at(key).iter().map(|row| *row as usize);
        let rows = || rows.clone().filter(|row| exposes(index, *row));
        let show = |row: usize, session: Option<u32>, times: [u64; 2]| Shown {
            viewer: (origin(columns.node[row], columns.incarnation[row]), session),
            put: match columns.kind[row] {
                Kind::Get => index.puts_read(row).first().copied().unwrap_or(INITIAL),
                Kind::Put | Kind::Cas | Kind::Append => row as u32,
            },
            row: row as u32,
            invoke: times[0].saturating_add(1),
            returned: times[1].saturating_add(1),
        };
        let times = |row: usize| [index.fine_invoke(row), index.fine_return(row)];
        let mut shown: Vec<Shown> = rows().map(|row| show(row, None, times(row))).collect();
        let operations = shown.len() as u64;
        if index.has_untold_ties_on(key as u32) {
            shown.extend(rows().map(|row| {
                let at = 2 * u64::from(columns.index[row]);
                show(row, Some(index.session[row]), [at, at + 1])
            }));
        }
        let mut puts: Vec<u32> = shown.iter().map(|shown| shown.put).collect();
        puts.sort_unstable();
        puts.dedup();
        shown.sort_unstable_by_key(|shown| (shown.viewer, shown.put, shown.row));
        let views = shown.chunk_by(|a, b| a.viewer == b.viewer);
        let views: Vec<View> = views.map(|shown| View::new(shown, &puts)).collect();
        let mut values = vec![Value::default(); puts.len()];
        let mut shown_in = Vec::with_capacity(puts.len());
        for (number, view) in (0..).zip(&views) {
            for (place, exposure) in (0..).zip(&view.exposures) {
                values[exposure.value as usize].hold();
                shown_in.push([exposure.value, number, place]);
            }
        }
        shown_in.sort_unstable();
        Self {
            operations,
            values,
            views,
            shown_in,
        }
    }

    /// Takes values away as long as that is possible. Whether there was time for it.
    fn take_away(&mut self, ticker: &mut Ticker<'_>) -> bool {
        let mut ready = Vec::new();
        for view in &mut self.views {
            view.release(&mut self.values, &mut ready);
        }
        while let Some(value) = ready.pop() {
            if ticker.is_over() {
                return false;
            }
            if !self.values[value as usize].take() {
                continue;
            }
            for [_, view, _] in shown_in(&self.shown_in, value) {
                self.views[*view as usize].release(&mut self.values, &mut ready);
            }
        }
        true
    }

    /// What is left when no more can be taken away contains a circle, given as pairs of rows the
    /// first of which had returned before the second was invoked.
    fn circle(&self) -> Option<Vec<[usize; 2]>> {
        let is_left = |value: &Value| !value.is_gone;
        { self.values.iter().any(is_left) }.then(|| self.find_circle())
    }

    /// From any value that is left to one that has to come before it, until one comes again.
    fn find_circle(&self) -> Vec<[usize; 2]> {
        let mut steps: Vec<[u32; 2]> = Vec::new();
        // Each value on the way, and how many steps led to it.
        let mut reached: Table<u32, usize> = Table::default();
        let mut at = self.values.iter().position(|v| !v.is_gone).unwrap_or(0) as u32;
        let start = loop {
            if let Some(start) = reached.insert(at, steps.len()) {
                break start;
            }
            let mut shown = shown_in(&self.shown_in, at).iter();
            let held = shown.find_map(|[_, view, place]| {
                let view = &self.views[*view as usize];
                let own = &view.exposures[*place as usize];
                let other = view.blocker(own, &self.values)?;
                Some((other.value, [other.returned_by, own.invoked_by]))
            });
            let Some((next, [first, second])) = held else {
                break 0;
            };
            // The initial value has no row of its own: whoever found nothing again shows it.
            let second = second.or(first).unwrap_or(0);
            steps.push([first.unwrap_or(second), second]);
            at = next;
        };
        let circle = steps[start..].iter().rev().take(CIRCLE_MAX);
        circle.map(|rows| rows.map(|row| row as usize)).collect()
    }
}

/// The entries of one value among all, which are sorted by value.
pub(super) fn shown_in(all: &[[u32; 3]], value: u32) -> &[[u32; 3]] {
    let start = all.partition_point(|shown| shown[0] < value);
    let length = all[start..].partition_point(|shown| shown[0] == value);
    &all[start..start + length]
}

/// Whether the row shows a value at its replica.
fn exposes(index: &Index<'_>, row: usize) -> bool {
    let is_put = index.columns.kind[row] == Kind::Put;
    index.is_usable_get(row) || (is_put && index.returned(row) != NEVER)
}

impl Exposure {
    /// Sums up what a viewer showed of the value of one put.
    fn new(shown: &[Shown], value: u32) -> Self {
        let is_initial = shown.iter().any(|shown| shown.put == INITIAL);
        let mut exposure = Self {
            value,
            earliest_return: if is_initial { BEFORE_TIME } else { NEVER },
            returned_by: None,
            latest_invoke: BEFORE_TIME,
            invoked_by: None,
            is_held: true,
        };
        for shown in shown {
            if shown.returned < exposure.earliest_return {
                exposure.earliest_return = shown.returned;
                exposure.returned_by = Some(shown.row);
            }
            if shown.invoke > exposure.latest_invoke {
                exposure.latest_invoke = shown.invoke;
                exposure.invoked_by = Some(shown.row);
            }
        }
        exposure
    }
}

impl View {
    /// What a viewer showed, sorted by put; `puts` are those that the key's values are counted by.
    pub(super) fn new(shown: &[Shown], puts: &[u32]) -> Self {
        let values = shown.chunk_by(|a, b| a.put == b.put).map(|shown| {
            let value = puts.partition_point(|put| *put < shown[0].put);
            Exposure::new(shown, value as u32)
        });
        let mut exposures: Vec<Exposure> = values.collect();
        exposures.sort_by_key(|exposure| exposure.earliest_return);
        let mut by_invoke: Vec<u32> = (0..exposures.len() as u32).collect();
        by_invoke.sort_by_key(|place| exposures[*place as usize].latest_invoke);
        Self {
            exposures,
            first: 0,
            by_invoke,
            free: 0,
        }
    }

    /// By earliest return.
    pub(super) fn exposures(&self) -> &[Exposure] {
        &self.exposures
    }

    /// By latest invoke.
    pub(super) fn by_invoke(&self) -> impl Iterator<Item = &Exposure> {
        let places = self.by_invoke.iter();
        places.map(|place| &self.exposures[*place as usize])
    }

    /// The first place by latest invoke of what was last invoked after `time`.
    pub(super) fn invoked_after(&self, time: u64) -> usize {
        let invoke = |place: &u32| self.exposures[*place as usize].latest_invoke;
        self.by_invoke
            .partition_point(|place| invoke(place) <= time)
    }

    /// What is left and returned before the exposure was last invoked, itself not counted.
    fn blocker(&self, own: &Exposure, values: &[Value]) -> Option<&Exposure> {
        self.exposures[self.first..]
            .iter()
            .take_while(|other| other.earliest_return < own.latest_invoke)
            .find(|other| other.value != own.value && !values[other.value as usize].is_gone)
    }

    /// Counts down the values that nothing here holds up any longer.
    pub(super) fn release(&mut self, values: &mut [Value], ready: &mut Vec<u32>) {
        while let Some(exposure) = self.exposures.get(self.first)
            && values[exposure.value as usize].is_gone
        {
            self.first += 1;
        }
        let left = self.exposures.get(self.first).copied();
        let bound = left.map_or(NEVER, |exposure| exposure.earliest_return);
        // The earliest one does not hold itself up, only the next that is left can.
        if let Some(own) = left
            && self.blocker(&own, values).is_none()
        {
            self.let_go(self.first, values, ready);
        }
        while let Some(place) = self.by_invoke.get(self.free).map(|place| *place as usize)
            && self.exposures[place].latest_invoke <= bound
        {
            self.free += 1;
            self.let_go(place, values, ready);
        }
    }

    fn let_go(&mut self, place: usize, values: &mut [Value], ready: &mut Vec<u32>) {
        let exposure = &mut self.exposures[place];
        if std::mem::replace(&mut exposure.is_held, false) {
            let value = &mut values[exposure.value as usize];
            value.holds -= 1;
            if value.holds == 0 {
                ready.push(exposure.value);
            }
        }
    }
}
