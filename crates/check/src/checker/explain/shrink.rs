//! Removing operations from what shows an anomaly as long as it still does.

use super::super::minimise::{Shrinking, Tried, minimise};
use super::Case;
use super::part::without;

impl Case<'_, '_> {
    /// The smallest part of `rows`, which show the anomaly, that still does: removing any one more
    /// operation hides it. What the check itself named is removed last.
    pub(super) fn shrink(&mut self, rows: Vec<usize>, evidence: &[usize]) -> Vec<usize> {
        let mut shown = Shown {
            case: self,
            rows,
            evidence,
        };
        minimise(&mut shown);
        shown.rows
    }
}

/// Rows that show an anomaly.
struct Shown<'c, 'e, 'a, 'h> {
    case: &'c mut Case<'a, 'h>,
    rows: Vec<usize>,
    /// What the check named.
    evidence: &'e [usize],
}

impl Shrinking for Shown<'_, '_, '_, '_> {
    type Item = usize;

    fn items(&mut self) -> Vec<usize> {
        let mut order = self.rows.clone();
        order.sort_by_key(|row| self.evidence.contains(row));
        order
    }

    fn size(&self) -> usize {
        self.rows.len()
    }

    fn leave_out(&mut self, removed: &[usize]) -> Tried {
        let (index, reduction) = (self.case.index, self.case.reduction);
        let left = without(index, reduction, &self.rows, removed);
        if left.len() < self.rows.len() && self.case.is_shown_by(&left) {
            self.rows = left;
        }
        Tried::Decided
    }
}
