//! The zones of values: when each was certainly current, or had to be.

use super::super::index::Index;
use crate::history::NEVER;

/// The time of the initial put, before all others: times are shifted up by one.
const BEFORE_TIME: u64 = 0;

/// Stands for no row: the initial put's.
pub(super) const NO_ROW: u32 = u32::MAX;

/// A cluster's ends, and the rows that set them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Zone {
    pub(super) earliest_return: u64,
    pub(super) latest_invoke: u64,
    pub(super) put: u32,
    pub(super) returned_by: u32,
    pub(super) invoked_by: u32,
}

impl Zone {
    /// That of the initial value.
    pub(super) const INITIAL: Self = Self {
        earliest_return: BEFORE_TIME,
        latest_invoke: BEFORE_TIME,
        put: NO_ROW,
        returned_by: NO_ROW,
        invoked_by: NO_ROW,
    };

    pub(super) fn of_put(index: &Index<'_>, put: usize) -> Self {
        Self::from_put(put, index.fine_invoke(put), index.fine_return(put))
    }

    pub(super) fn from_put(put: usize, invoke: u64, returned: u64) -> Self {
        Self {
            earliest_return: shifted(returned),
            latest_invoke: shifted(invoke),
            put: put as u32,
            returned_by: put as u32,
            invoked_by: put as u32,
        }
    }

    pub(super) fn add(&mut self, index: &Index<'_>, get: usize) {
        self.add_at(get, index.fine_invoke(get), index.fine_return(get));
    }

    pub(super) fn add_at(&mut self, get: usize, invoke: u64, returned: u64) {
        let (returned, invoke) = (shifted(returned), shifted(invoke));
        if returned < self.earliest_return {
            self.earliest_return = returned;
            self.returned_by = get as u32;
        }
        if invoke > self.latest_invoke {
            self.latest_invoke = invoke;
            self.invoked_by = get as u32;
        }
    }

    pub(super) const fn is_forward(&self) -> bool {
        self.earliest_return < self.latest_invoke
    }

    pub(super) const fn start(&self) -> u64 {
        if self.is_forward() {
            self.earliest_return
        } else {
            self.latest_invoke
        }
    }

    pub(super) const fn end(&self) -> u64 {
        if self.is_forward() {
            self.latest_invoke
        } else {
            self.earliest_return
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        [self.put, self.returned_by, self.invoked_by]
            .into_iter()
            .filter(|row| *row != NO_ROW)
            .map(|row| row as usize)
    }

    pub(super) fn name(&self, index: &Index<'_>) -> String {
        if self.put == NO_ROW {
            "the initial value".to_owned()
        } else {
            let id = index.columns.written[self.put as usize];
            format!("value {}", index.history.value_name(id))
        }
    }
}

pub(super) const fn shifted(time: u64) -> u64 {
    if time == NEVER { NEVER } else { time + 1 }
}
