//! What cannot supersede a put because of its time.
//!
//! Nothing is visible to what was over before it began. So a put `w` is not visible to a final
//! value `f` when `f`, or something that `f` happened before, had returned before `w` was invoked:
//! of all that `f` happened before the earliest return is enough to know. Nor is it when `f`
//! happened before `w`. Then the operation of `w`'s session that came last between them had
//! returned before, or at the instant at which `w` was invoked; only such ties are searched. O(n)
//! for n operations.

use super::super::happens_before::{Conflicts, Graph, NONE, order};
use super::super::index::{Index, Table};

/// Operations that are visited at most to tell causes at one instant, for all puts together.
const VISITS_MAX: usize = 10_000_000;
/// Operations on the way from a final value to what was over early that are shown at most.
const WAY_MAX: usize = 8;

/// The latest of several times, and whose they are.
#[derive(Debug)]
pub(super) struct Latest {
    time: u64,
    rows: Vec<u32>,
}

impl Latest {
    /// The latest of the times of some rows.
    pub(super) fn new(rows: &[u32], time: impl Fn(u32) -> u64) -> Self {
        let latest = rows.iter().map(|row| time(*row)).max().unwrap_or(0);
        let rows = rows.iter().copied();
        Self {
            time: latest,
            rows: rows.filter(|row| time(*row) == latest).collect(),
        }
    }

    /// Whether all rows are before `instant`: their times are smaller or, where they are equal,
    /// that is known otherwise.
    pub(super) fn are_before(&self, instant: u64, mut at_a_tie: impl FnMut(u32) -> bool) -> bool {
        self.time < instant || (self.time == instant && self.rows.iter().all(|row| at_a_tie(*row)))
    }
}

/// For each operation the earliest return among itself and what it happened before.
pub(super) struct Futures<'a, 'h> {
    graph: Graph<'a, 'h>,
    earliest: Vec<u64>,
    /// Row to the next one on the way to the one that returned first.
    via: Vec<u32>,
}

impl<'a, 'h> Futures<'a, 'h> {
    /// Follows happens-before back.
    ///
    /// # Errors
    /// When causes and effects form a circle.
    pub(super) fn new(index: &'a Index<'h>) -> Result<Self, String> {
        let graph = Graph::new(index);
        let causes = order(&graph, &Conflicts::default());
        if !causes.circles.is_empty() {
            return Err("causes and effects form a circle (see causal)".to_owned());
        }
        let rows = 0..index.history.len();
        let mut earliest: Vec<u64> = rows.map(|row| index.returned(row)).collect();
        let mut via = vec![NONE; earliest.len()];
        for row in causes.rows.iter().rev().copied() {
            let own = earliest[row as usize];
            let sources = graph.sources(row).iter().copied();
            let before = std::iter::once(graph.previous[row as usize]).chain(sources);
            for cause in before.filter(|cause| *cause != NONE) {
                if own < earliest[cause as usize] {
                    earliest[cause as usize] = own;
                    via[cause as usize] = row;
                }
            }
        }
        Ok(Self {
            graph,
            earliest,
            via,
        })
    }

    /// Of puts that `finals` do not hold those that none of `finals` can supersede, with the way
    /// from each to what was over early.
    pub(super) fn lost(
        &self,
        finals: &[u32],
        puts: &[u32],
    ) -> Result<Vec<(u32, Vec<u32>)>, String> {
        let latest = Latest::new(finals, |put| self.earliest[put as usize]);
        let mut visits = 0;
        let mut lost = Vec::new();
        for put in puts.iter().copied() {
            let instant = self.graph.index.invoke(put as usize);
            if latest.are_before(instant, |last| self.happened_before(last, put, &mut visits)) {
                let ways = finals.iter().flat_map(|last| self.way(*last));
                lost.push((put, ways.collect()));
            }
            if visits > VISITS_MAX {
                return Err(format!(
                    "telling causes at one instant takes more than {VISITS_MAX} steps"
                ));
            }
        }
        Ok(lost)
    }

    /// The operations from a final value to what it happened before that returned first.
    fn way(&self, last: u32) -> Vec<u32> {
        let next = |row: &u32| Some(self.via[*row as usize]).filter(|next| *next != NONE);
        std::iter::successors(next(&last), next)
            .take(WAY_MAX)
            .collect()
    }

    /// Whether `cause`, of whose effects none returned before `put` was invoked, happened before
    /// it.
    fn happened_before(&self, cause: u32, put: u32, visits: &mut usize) -> bool {
        let (graph, index) = (&self.graph, self.graph.index);
        let instant = index.invoke(put as usize);
        let mut entered: Table<u32, ()> = Table::default();
        let mut left = vec![graph.previous[put as usize]];
        while let Some(row) = left.pop() {
            if row == cause {
                return true;
            }
            // What returned earlier is no effect of the cause.
            if row == NONE
                || index.returned(row as usize) < instant
                || entered.insert(row, ()).is_some()
            {
                continue;
            }
            *visits += 1;
            left.push(graph.previous[row as usize]);
            left.extend(graph.sources(row));
        }
        false
    }
}
