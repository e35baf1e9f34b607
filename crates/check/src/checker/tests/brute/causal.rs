//! Causal consistency of multi-value registers: the axioms of the witness, and the definition.

use super::{close, context, counted, put_of, returned, superseded};
use crate::history::{Dominance, Evidence, History, Kind, Outcome, dot_origin};

/// A put's evidence.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Evident<'h> {
    pub(super) dot: u64,
    pub(super) vector: &'h [u64],
}

pub(super) fn evidence<'h>(history: &'h History, put: usize) -> Option<Evident<'h>> {
    let columns = &history.columns;
    let carries = |row: usize| {
        columns.outcome[row] == Outcome::Ok && columns.evidence[row] == Evidence::Causal
    };
    if carries(put) {
        return Some(Evident {
            dot: columns.dot[put],
            vector: columns.vector.at(put),
        });
    }
    (0..columns.len()).find_map(|get| {
        let place = columns
            .read
            .at(get)
            .iter()
            .position(|id| *id == columns.written[put])?;
        carries(get).then(|| Evident {
            dot: columns.sibling_dots.at(get)[place],
            vector: columns.sibling_vector(get, place),
        })
    })
}

/// Whether an operation has evidence: a reply's or, a put, that of a get that returned it.
fn is_known(history: &History, row: usize) -> bool {
    match history.columns.kind[row] {
        Kind::Put => evidence(history, row).is_some(),
        Kind::Get | Kind::Cas | Kind::Append => history.columns.evidence[row] == Evidence::Causal,
    }
}

/// Whether every operation that took effect has evidence, and whether some has.
pub(in crate::checker::tests) fn has_evidence(history: &History) -> [bool; 2] {
    let mut rows = counted(history).unwrap_or_default().into_iter();
    let all = rows.clone().all(|row| is_known(history, row));
    [all, rows.any(|row| is_known(history, row))]
}

pub(super) fn covers(vector: &[u64], dot: u64) -> bool {
    vector
        .iter()
        .any(|entry| dot_origin(*entry) == dot_origin(dot) && *entry >= dot)
}

fn at_most(a: &[u64], b: &[u64]) -> bool {
    a.iter()
        .all(|dot| *dot & ((1 << 40) - 1) == 0 || covers(b, *dot))
}

/// The axioms of the witness, A1 to A7, over all pairs; where contexts decide what supersedes what,
/// a put also covers what its context names. They are asked of what has evidence.
pub(in crate::checker::tests) fn causal_witness(history: &History) -> bool {
    let Some(mut rows) = counted(history) else {
        return false;
    };
    rows.retain(|row| is_known(history, *row));
    let columns = &history.columns;
    let is_put = |row: &usize| columns.kind[*row] == Kind::Put;
    let puts: Vec<usize> = rows.iter().copied().filter(is_put).collect();
    let by_context = history.header.dominance == Some(Dominance::Context);
    let superseded = superseded(history);
    let ev = |put: usize| evidence(history, put).expect("a counted put has evidence");
    let vector = |row: usize| {
        if is_put(&row) {
            ev(row).vector
        } else {
            columns.vector.at(row)
        }
    };
    let contexts = puts.iter().all(|put| {
        let named = context(history, *put);
        named
            .iter()
            .filter(|named| is_known(history, **named))
            .all(|named| covers(ev(*put).vector, ev(*named).dot))
    });
    let supersedes = |by: usize, put: usize| {
        if by_context {
            superseded[put][by]
        } else {
            by != put && covers(ev(by).vector, ev(put).dot)
        }
    };
    let unique = puts
        .iter()
        .all(|a| puts.iter().all(|b| a == b || ev(*a).dot != ev(*b).dot));
    let own = puts
        .iter()
        .all(|p| ev(*p).dot & ((1 << 40) - 1) > 0 && ev(*p).vector.contains(&ev(*p).dot));
    let sessions = rows.iter().all(|a| {
        rows.iter().all(|b| {
            columns.session[*a] != columns.session[*b]
                || columns.index[*a] >= columns.index[*b]
                || (at_most(vector(*a), vector(*b))
                    && !(is_put(b) && covers(vector(*a), ev(*b).dot)))
        })
    });
    let pairs = rows.iter().all(|o| {
        puts.iter()
            .filter(|w| *w != o && covers(vector(*o), ev(**w).dot))
            .all(|w| {
                at_most(ev(*w).vector, vector(*o))
                    && returned(history, *o) >= columns.invoke[*w]
                    && !(is_put(o) && covers(ev(*w).vector, ev(*o).dot))
            })
    });
    let gets = rows.iter().filter(|row| !is_put(row)).all(|get| {
        let visible: Vec<usize> = puts
            .iter()
            .copied()
            .filter(|w| columns.key[*w] == columns.key[*get])
            .filter(|w| covers(vector(*get), ev(*w).dot))
            .collect();
        let mut maxima: Vec<u64> = visible
            .iter()
            .filter(|w| visible.iter().all(|v| !supersedes(*v, **w)))
            .map(|w| columns.written[*w])
            .collect();
        let mut read = columns.read.at(*get).to_vec();
        maxima.sort_unstable();
        read.sort_unstable();
        read.dedup();
        let told = columns.read.at(*get).iter().enumerate().all(|(place, id)| {
            put_of(history, *get, *id).is_some_and(|put| {
                let given = Evident {
                    dot: columns.sibling_dots.at(*get)[place],
                    vector: columns.sibling_vector(*get, place),
                };
                ev(put) == given
            })
        });
        maxima == read && told
    });
    unique && own && sessions && pairs && gets && contexts
}

/// Causal consistency of a multi-value register: whether some visibility order explains all.
/// Tries every way to order puts on one key, closed with happens-before.
pub(in crate::checker::tests) fn causal(history: &History) -> bool {
    let Some(rows) = counted(history) else {
        return false;
    };
    let columns = &history.columns;
    let n = rows.len();
    let mut base = vec![vec![false; n]; n];
    for a in 0..n {
        for b in 0..n {
            let (x, y) = (rows[a], rows[b]);
            base[a][b] = (columns.session[x] == columns.session[y]
                && columns.index[x] < columns.index[y])
                || (columns.kind[x] == Kind::Put
                    && columns.read.at(y).contains(&columns.written[x]))
                || context(history, y).contains(&x);
        }
    }
    let base = close(base);
    // Puts on one key that happens-before leaves open: one is visible to the other, or neither is.
    let open: Vec<(usize, usize)> = (0..n)
        .flat_map(|a| (0..a).map(move |b| (a, b)))
        .filter(|(a, b)| {
            let (x, y) = (rows[*a], rows[*b]);
            let puts = columns.kind[x] == Kind::Put && columns.kind[y] == Kind::Put;
            puts && columns.key[x] == columns.key[y] && !base[*a][*b] && !base[*b][*a]
        })
        .collect();
    let superseded =
        (history.header.dominance == Some(Dominance::Context)).then(|| superseded(history));
    (0..3usize.pow(open.len() as u32)).any(|chosen| {
        let mut vis = base.clone();
        let mut left = chosen;
        for (a, b) in &open {
            match left % 3 {
                0 => {}
                1 => vis[*a][*b] = true,
                _ => vis[*b][*a] = true,
            }
            left /= 3;
        }
        explains(history, &rows, &close(vis), superseded.as_deref())
    })
}

/// Whether every get returns the maxima of what it sees, by visibility or by what contexts say.
fn explains(
    history: &History,
    rows: &[usize],
    vis: &[Vec<bool>],
    superseded: Option<&[Vec<bool>]>,
) -> bool {
    let columns = &history.columns;
    let n = rows.len();
    let order = (0..n).all(|a| {
        !vis[a][a]
            && (0..n).all(|b| !vis[a][b] || returned(history, rows[b]) >= columns.invoke[rows[a]])
    });
    order
        && (0..n)
            .filter(|g| columns.kind[rows[*g]] == Kind::Get)
            .all(|g| {
                let visible: Vec<usize> = (0..n)
                    .filter(|w| {
                        vis[*w][g]
                            && columns.kind[rows[*w]] == Kind::Put
                            && columns.key[rows[*w]] == columns.key[rows[g]]
                    })
                    .collect();
                let mut maxima: Vec<u64> = visible
                    .iter()
                    .filter(|w| {
                        visible.iter().all(|v| match superseded {
                            Some(superseded) => !superseded[rows[**w]][rows[*v]],
                            None => !vis[**w][*v],
                        })
                    })
                    .map(|w| columns.written[rows[*w]])
                    .collect();
                let mut read = columns.read.at(rows[g]).to_vec();
                maxima.sort_unstable();
                read.sort_unstable();
                read.dedup();
                maxima == read
            })
}
