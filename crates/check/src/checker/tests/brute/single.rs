//! Causal models of registers that return one value (Bouajjani, Enea, Guerraoui, Hamza, *On
//! verifying causal consistency*, POPL 2017, section 3): for every operation some sequence of its
//! causal past explains what it returned.
//!
//! Causal order is the closure of session order and of put before get. That is enough: ids are
//! unique, so every causal order contains it, and what a larger one explains the smallest does.

use super::{close, counted, some_order};
use crate::history::{History, Kind};

/// What an order has to explain, and the smallest causal order over it.
struct Past {
    rows: Vec<usize>,
    order: Vec<Vec<bool>>,
}

impl Past {
    /// `None` when something was read that nobody wrote, or when causes and effects form a circle.
    fn new(history: &History) -> Option<Self> {
        let rows = counted(history)?;
        let columns = &history.columns;
        let n = rows.len();
        let mut order = vec![vec![false; n]; n];
        for a in 0..n {
            for b in 0..n {
                let (x, y) = (rows[a], rows[b]);
                order[a][b] = (columns.session[x] == columns.session[y]
                    && columns.index[x] < columns.index[y])
                    || (columns.kind[x] == Kind::Put
                        && columns.read.at(y).contains(&columns.written[x]));
            }
        }
        let order = close(order);
        (0..n).all(|a| !order[a][a]).then_some(Self { rows, order })
    }

    /// Whether some sequence of what is before `last`, and of `last`, explains what the operations
    /// in `answered` returned.
    fn explains(&self, history: &History, last: usize, answered: &dyn Fn(usize) -> bool) -> bool {
        let mut past: Vec<usize> = (0..self.rows.len())
            .filter(|a| *a == last || self.order[*a][last])
            .collect();
        let before = |a: usize, b: usize| self.order[a][b];
        let columns = &history.columns;
        some_order(&before, &mut past, &Vec::new(), &|state, a| {
            take(history, state, self.rows[a])
                || (columns.kind[self.rows[a]] == Kind::Get && !answered(a))
        })
    }
}

/// Puts, or says whether the get returned what is there.
fn take(history: &History, state: &mut Vec<(u64, u64)>, row: usize) -> bool {
    let columns = &history.columns;
    let key = columns.key[row];
    if columns.kind[row] == Kind::Put {
        state.retain(|(k, _)| *k != key);
        state.push((key, columns.written[row]));
        return true;
    }
    let held = state.iter().find(|(k, _)| *k == key).map(|(_, id)| *id);
    columns.read.at(row).iter().copied().eq(held)
}

/// CC: each operation on its own.
pub(in crate::checker::tests) fn weak_causal(history: &History) -> bool {
    Past::new(history).is_some_and(|past| {
        (0..past.rows.len()).all(|a| past.explains(history, a, &|other| other == a))
    })
}

/// CM, causal memory (Ahamad et al., 1995): each operation together with its session's earlier
/// ones.
pub(in crate::checker::tests) fn causal_memory(history: &History) -> bool {
    let sessions = &history.columns.session;
    Past::new(history).is_some_and(|past| {
        (0..past.rows.len()).all(|a| {
            let own = |other: usize| sessions[past.rows[other]] == sessions[past.rows[a]];
            past.explains(history, a, &own)
        })
    })
}

/// CCv, causal convergence: one order of all puts in which every get returns the last of its past.
pub(in crate::checker::tests) fn causal_convergence(history: &History) -> bool {
    let Some(past) = Past::new(history) else {
        return false;
    };
    let columns = &history.columns;
    let is_put = |a: &usize| columns.kind[past.rows[*a]] == Kind::Put;
    let mut puts: Vec<usize> = (0..past.rows.len()).filter(is_put).collect();
    let before = |a: usize, b: usize| past.order[a][b];
    // A put takes its place when, for every get that has it in its past, either it is what the get
    // returned, or what the get returned is still to come.
    some_order(&before, &mut puts, &Vec::<usize>::new(), &|taken, put| {
        let fits = (0..past.rows.len())
            .filter(|get| !is_put(get) && past.order[put][*get])
            .filter(|get| columns.key[past.rows[*get]] == columns.key[past.rows[put]])
            .all(|get| {
                let returned = columns.read.at(past.rows[get]);
                let place = |id: &u64| {
                    taken
                        .iter()
                        .any(|other: &usize| columns.written[past.rows[*other]] == *id)
                };
                returned.first().is_some_and(|id| !place(id))
            });
        taken.push(put);
        fits
    })
}
