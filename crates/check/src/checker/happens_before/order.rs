//! Causes before effects, and the circles that stand in the way.

use super::super::index::Table;
use super::graph::{Conflicts, Graph, NONE};

/// The rows with causes before effects, and the circles that stand in the way.
#[derive(Debug, Default)]
pub(in crate::checker) struct Order {
    pub(in crate::checker) rows: Vec<u32>,
    /// Sets of at least two rows each of which comes before all others.
    pub(in crate::checker) circles: Vec<Vec<u32>>,
}

/// A row that is being visited: its next cause, and the earliest row it is known to reach.
struct Visit {
    row: u32,
    next: u32,
    low: u32,
}

/// Strongly connected components, causes first (Tarjan, *Depth-first search and linear graph
/// algorithms*, SIAM J. Comput. 1972), without recursion.
pub(in crate::checker) fn order(graph: &Graph<'_, '_>, conflicts: &Conflicts) -> Order {
    const DONE: u32 = NONE - 1;
    let mut order = Order::default();
    order.rows.reserve(graph.rows.len());
    // When each row was first visited, [`NONE`] before and `DONE` once its component is complete.
    let mut first = vec![NONE; graph.chain.len()];
    let mut clock = 0;
    let mut open: Vec<u32> = Vec::new();
    let mut visits: Vec<Visit> = Vec::new();
    for root in &graph.rows {
        let mut enter = (first[*root as usize] == NONE).then_some(*root);
        loop {
            if let Some(row) = enter.take() {
                first[row as usize] = clock;
                open.push(row);
                visits.push(Visit {
                    row,
                    next: 0,
                    low: clock,
                });
                clock += 1;
            }
            let Some(visit) = visits.last_mut() else {
                break;
            };
            if let Some(cause) = graph.cause(visit.row, visit.next, conflicts) {
                visit.next += 1;
                if cause == NONE {
                    continue;
                }
                match first[cause as usize] {
                    NONE => enter = Some(cause),
                    DONE => {}
                    seen => visit.low = visit.low.min(seen),
                }
                continue;
            }
            let Visit { row, low, .. } = *visit;
            visits.pop();
            if let Some(caller) = visits.last_mut() {
                caller.low = caller.low.min(low);
            }
            if low == first[row as usize] {
                let start = open.iter().rposition(|o| *o == row).unwrap_or(0);
                let component = &open[start..];
                for row in component {
                    first[*row as usize] = DONE;
                }
                order.rows.extend_from_slice(component);
                if component.len() > 1 {
                    order.circles.push(component.to_vec());
                }
                open.truncate(start);
            }
        }
    }
    order
}

/// A shortest circle through a component, each row before the next and the last before the first;
/// all of the component where there is no time to look for one.
pub(in crate::checker) fn shortest_circle(
    graph: &Graph<'_, '_>,
    conflicts: &Conflicts,
    component: &[u32],
) -> Vec<u32> {
    /// Rows that are tried as a start.
    const STARTS_MAX: usize = 64;
    let mut best: Vec<u32> = Vec::new();
    let inside: Table<u32, ()> = component.iter().map(|row| (*row, ())).collect();
    let mut ticker = graph.index.time.ticker("circles", 0);
    for start in component
        .iter()
        .filter(|row| graph.is_put(**row))
        .take(STARTS_MAX)
    {
        // Row to the effect from which it was reached.
        let mut towards: Table<u32, u32> = Table::default();
        let mut queue = std::collections::VecDeque::from([*start]);
        'search: while let Some(row) = queue.pop_front() {
            if ticker.is_over() {
                break;
            }
            for i in 0.. {
                let Some(cause) = graph.cause(row, i, conflicts) else {
                    break;
                };
                if cause == *start {
                    let mut circle = vec![*start];
                    let mut at = row;
                    while at != *start {
                        circle.push(at);
                        at = towards[&at];
                    }
                    if best.is_empty() || circle.len() < best.len() {
                        best = circle;
                    }
                    break 'search;
                }
                if cause != NONE && inside.contains_key(&cause) && !towards.contains_key(&cause) {
                    towards.insert(cause, row);
                    queue.push_back(cause);
                }
            }
        }
    }
    if best.is_empty() {
        return component.to_vec();
    }
    best
}
