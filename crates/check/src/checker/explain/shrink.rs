//! Removing operations from what shows an anomaly as long as it still does.

use super::Case;
use super::part::without;

impl Case<'_, '_> {
    /// The smallest part of `rows`, which show the anomaly, that still does: removing any one more
    /// operation hides it. Halves are tried first, then quarters, and so on down to single
    /// operations (Zeller and Hildebrandt, *Simplifying and isolating failure-inducing input*,
    /// 2002, without its test of subsets). What the check itself named is removed last.
    pub(super) fn shrink(&mut self, mut rows: Vec<usize>, evidence: &[usize]) -> Vec<usize> {
        let mut chunk = (rows.len() / 2).max(1);
        loop {
            let before = rows.len();
            let mut order = rows.clone();
            order.sort_by_key(|row| evidence.contains(row));
            for removed in order.chunks(chunk) {
                let left = without(self.index, self.reduction, &rows, removed);
                if left.len() < rows.len() && self.is_shown_by(&left) {
                    rows = left;
                }
            }
            if chunk > 1 {
                chunk /= 2;
            } else if rows.len() == before {
                return rows;
            }
        }
    }
}
