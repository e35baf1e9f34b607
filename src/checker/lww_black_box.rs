//! Last write wins, judged by what replicas showed and nothing else: for each key the orders in
//! which they exposed values have to fit into one arbitration order. O(n log n).
//!
//! A replica exposes a value when it acknowledges its put or answers a get with it, and never goes
//! back: if one exposure had returned before another was invoked at the same replica, then the
//! first value comes before the second. Such an order exists iff the values can be taken away one
//! by one, each when no other that is left has to come before it. Per replica it is enough to know
//! the earliest return of each value and its latest invoke, so the values left are kept by both.

use super::index::{Index, NO_PUT, Table, UNTOLD_TIES};
use super::property::{AnomalyKind, Property};
use super::verdict::{Check, Findings, Verdict};
use crate::history::{Kind, NEVER, origin};

/// Steps of a circle that are shown: two operations each.
const CIRCLE_MAX: usize = 3;
/// The time at which the initial value was exposed, before all others: times are shifted by one.
const BEFORE_TIME: u64 = 0;
/// Stands for the initial value among the puts.
const INITIAL: u32 = NO_PUT;

/// What one replica showed of one value.
#[derive(Clone, Copy, Debug)]
struct Exposure {
    value: usize,
    earliest_return: u64,
    returned_by: Option<usize>,
    latest_invoke: u64,
    invoked_by: Option<usize>,
    /// Whether another value that is left has to come before it here.
    is_held: bool,
}

/// One replica incarnation's exposures of one key.
#[derive(Debug, Default)]
struct Replica {
    exposures: Vec<Exposure>,
    /// Value to its exposure.
    of: Table<usize, usize>,
    /// Exposures by earliest return; those before `first` are gone.
    by_return: Vec<usize>,
    first: usize,
    /// Exposures by latest invoke; those before `free` are held up no longer.
    by_invoke: Vec<usize>,
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
    for key in 0..index.by_key.len() {
        let mut arbitration = Arbitration::new(index, key);
        checked += arbitration.operations;
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
    if findings.is_empty() && index.has_untold_ties() {
        return Check {
            property,
            checked: 0,
            verdict: Verdict::unknown(UNTOLD_TIES),
        };
    }
    findings.check(checked)
}

fn obstacle(index: &Index<'_>) -> Option<String> {
    if let Some(reason) = super::single_value::siblings(index) {
        return Some(reason);
    }
    let columns = index.columns;
    let anonymous = index.history.header.groups.is_empty()
        && columns.node.iter().all(|node| *node == columns.node[0]);
    anonymous.then(|| "the history does not say which replica answered".to_owned())
}

struct Arbitration {
    operations: u64,
    /// Whether a value has been taken away, and at how many replicas another holds it up.
    values: Vec<(bool, usize)>,
    replicas: Vec<Replica>,
}

impl Arbitration {
    fn new(index: &Index<'_>, key: usize) -> Self {
        let columns = index.columns;
        let mut arbitration = Self {
            operations: 0,
            values: Vec::new(),
            replicas: Vec::new(),
        };
        let mut values: Table<u32, usize> = Table::default();
        let mut replicas: Table<u32, usize> = Table::default();
        for row in index.by_key.at(key).iter().map(|row| *row as usize) {
            let acknowledged = columns.kind[row] == Kind::Put && index.returned(row) != NEVER;
            let put = match index.is_usable_get(row) {
                true => index.puts_read(row).first().copied().unwrap_or(INITIAL),
                false if acknowledged => row as u32,
                false => continue,
            };
            let next = values.len();
            let value = *values.entry(put).or_insert(next);
            let next = replicas.len();
            let place = origin(columns.node[row], columns.incarnation[row]);
            let replica = *replicas.entry(place).or_insert(next);
            if replica == arbitration.replicas.len() {
                arbitration.replicas.push(Replica::default());
            }
            arbitration.operations += 1;
            arbitration.replicas[replica].expose(index, row, value, put == INITIAL);
        }
        arbitration.values = vec![(false, 0); values.len()];
        for replica in &mut arbitration.replicas {
            replica.sort();
            for exposure in &replica.exposures {
                arbitration.values[exposure.value].1 += 1;
            }
        }
        arbitration
    }

    /// Takes values away as long as that is possible; what is left then contains a circle, given
    /// as pairs of rows the first of which had returned before the second was invoked.
    fn circle(&mut self) -> Option<Vec<[usize; 2]>> {
        let mut ready = Vec::new();
        for replica in &mut self.replicas {
            replica.release(&mut self.values, &mut ready);
        }
        let mut left = self.values.len();
        while let Some(value) = ready.pop() {
            if std::mem::replace(&mut self.values[value].0, true) {
                continue;
            }
            left -= 1;
            for replica in &mut self.replicas {
                if replica.of.contains_key(&value) {
                    replica.release(&mut self.values, &mut ready);
                }
            }
        }
        (left > 0).then(|| self.find_circle())
    }

    /// From any value that is left to one that has to come before it, until one comes again.
    fn find_circle(&self) -> Vec<[usize; 2]> {
        let mut steps: Vec<(usize, [usize; 2])> = Vec::new();
        let mut at = self.values.iter().position(|(gone, _)| !gone).unwrap_or(0);
        loop {
            if let Some(start) = steps.iter().position(|(value, _)| *value == at) {
                let circle = steps[start..].iter().rev().take(CIRCLE_MAX);
                return circle.map(|(_, rows)| *rows).collect();
            }
            let held = self.replicas.iter().find_map(|replica| {
                let own = &replica.exposures[*replica.of.get(&at)?];
                let other = replica.blocker(own, &self.values)?;
                Some((other.value, [other.returned_by, own.invoked_by]))
            });
            let Some((next, [first, second])) = held else {
                return steps.into_iter().map(|(_, rows)| rows).collect();
            };
            // The initial value has no row of its own: whoever found nothing again shows it.
            let second = second.or(first).unwrap_or(0);
            steps.push((at, [first.unwrap_or(second), second]));
            at = next;
        }
    }
}

impl Replica {
    fn expose(&mut self, index: &Index<'_>, row: usize, value: usize, initial: bool) {
        let next = self.exposures.len();
        let place = *self.of.entry(value).or_insert(next);
        if place == next {
            self.exposures.push(Exposure {
                value,
                earliest_return: if initial { BEFORE_TIME } else { NEVER },
                returned_by: None,
                latest_invoke: BEFORE_TIME,
                invoked_by: None,
                is_held: true,
            });
        }
        let exposure = &mut self.exposures[place];
        let shifted = |time: u64| time.saturating_add(1);
        let (invoke, returned) = (
            shifted(index.fine_invoke(row)),
            shifted(index.fine_return(row)),
        );
        if returned < exposure.earliest_return {
            exposure.earliest_return = returned;
            exposure.returned_by = Some(row);
        }
        if invoke > exposure.latest_invoke {
            exposure.latest_invoke = invoke;
            exposure.invoked_by = Some(row);
        }
    }

    fn sort(&mut self) {
        let exposures = &self.exposures;
        self.by_return = (0..exposures.len()).collect();
        self.by_return
            .sort_by_key(|e| exposures[*e].earliest_return);
        self.by_invoke = (0..exposures.len()).collect();
        self.by_invoke.sort_by_key(|e| exposures[*e].latest_invoke);
    }

    /// What is left and returned before the exposure was last invoked, itself not counted.
    fn blocker(&self, own: &Exposure, values: &[(bool, usize)]) -> Option<&Exposure> {
        self.by_return[self.first..]
            .iter()
            .map(|e| &self.exposures[*e])
            .take_while(|e| e.earliest_return < own.latest_invoke)
            .find(|e| e.value != own.value && !values[e.value].0)
    }

    /// Counts down the values that nothing here holds up any longer.
    fn release(&mut self, values: &mut [(bool, usize)], ready: &mut Vec<usize>) {
        let gone = |values: &[(bool, usize)], e: &Exposure| values[e.value].0;
        while let Some(e) = self.by_return.get(self.first)
            && gone(values, &self.exposures[*e])
        {
            self.first += 1;
        }
        let left = self.by_return.get(self.first).map(|e| self.exposures[*e]);
        let bound = left.map_or(NEVER, |e| e.earliest_return);
        // The earliest one does not hold itself up, only the next that is left can.
        if let Some(own) = left
            && self.blocker(&own, values).is_none()
        {
            self.let_go(self.by_return[self.first], values, ready);
        }
        while let Some(e) = self.by_invoke.get(self.free).copied()
            && self.exposures[e].latest_invoke <= bound
        {
            self.free += 1;
            self.let_go(e, values, ready);
        }
    }

    fn let_go(&mut self, e: usize, values: &mut [(bool, usize)], ready: &mut Vec<usize>) {
        let exposure = &mut self.exposures[e];
        if std::mem::replace(&mut exposure.is_held, false) {
            let holds = &mut values[exposure.value].1;
            *holds -= 1;
            if *holds == 0 {
                ready.push(exposure.value);
            }
        }
    }
}
