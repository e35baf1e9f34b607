//! The definitions themselves, by trying everything: for histories of a few operations.

use super::super::index::Index;
use crate::history::{History, Kind, NEVER, Outcome, Version, dot_origin, origin};

/// Row numbers of what an order has to explain, and whether every get can be explained at all.
fn counted(history: &History) -> Option<Vec<usize>> {
    let columns = &history.columns;
    let mut rows = Vec::new();
    for row in 0..columns.len() {
        let ok = columns.outcome[row] == Outcome::Ok;
        match columns.kind[row] {
            Kind::Get if ok => {
                for id in columns.read.at(row) {
                    put_of(history, row, *id)?;
                }
                rows.push(row);
            }
            Kind::Put if ok || was_read(history, columns.written[row]) => rows.push(row),
            Kind::Get | Kind::Put | Kind::Cas | Kind::Append => {}
        }
    }
    Some(rows)
}

fn put_of(history: &History, get: usize, id: u64) -> Option<usize> {
    let columns = &history.columns;
    (0..columns.len()).find(|put| {
        columns.kind[*put] == Kind::Put
            && columns.written[*put] == id
            && columns.key[*put] == columns.key[get]
            && columns.outcome[*put] != Outcome::Fail
    })
}

fn was_read(history: &History, id: u64) -> bool {
    let columns = &history.columns;
    (0..columns.len())
        .any(|row| columns.outcome[row] == Outcome::Ok && columns.read.at(row).contains(&id))
}

fn returned(history: &History, row: usize) -> u64 {
    match history.columns.outcome[row] {
        Outcome::Ok => history.columns.returned[row],
        Outcome::Info | Outcome::Fail => NEVER,
    }
}

/// Tries every order of `left` that keeps `before`, with `step` as the specification.
fn some_order<S: Clone>(
    before: &impl Fn(usize, usize) -> bool,
    left: &mut Vec<usize>,
    state: &S,
    step: &impl Fn(&mut S, usize) -> bool,
) -> bool {
    if left.is_empty() {
        return true;
    }
    for place in 0..left.len() {
        let row = left[place];
        if left
            .iter()
            .any(|other| *other != row && before(*other, row))
        {
            continue;
        }
        let mut next = state.clone();
        if step(&mut next, row) {
            left.remove(place);
            let found = some_order(before, left, &next, step);
            left.insert(place, row);
            if found {
                return true;
            }
        }
    }
    false
}

/// Herlihy and Wing's definition for registers.
pub(super) fn linearizable(history: &History) -> bool {
    let Some(mut rows) = counted(history) else {
        return false;
    };
    let columns = &history.columns;
    let index = Index::new(history).expect("generated histories can be indexed");
    let before = |a, b| index.fine_return(a) < index.fine_invoke(b);
    some_order(
        &before,
        &mut rows,
        &Vec::<(u64, u64)>::new(),
        &|state, row| {
            let place = state.iter().position(|(key, _)| *key == columns.key[row]);
            if columns.kind[row] == Kind::Put {
                match place {
                    Some(place) => state[place].1 = columns.written[row],
                    None => state.push((columns.key[row], columns.written[row])),
                }
                return true;
            }
            place.map(|place| state[place].1) == columns.read.at(row).first().copied()
        },
    )
}

/// Last write wins as a machine: origins that number upwards, registers that never go back.
pub(super) fn lww(history: &History) -> bool {
    #[derive(Clone, Default)]
    struct Machine {
        origins: Vec<(u32, Version)>,
        registers: Vec<((u32, u64), Version)>,
        puts: Vec<(u64, Version)>,
    }
    let Some(mut rows) = counted(history) else {
        return false;
    };
    let columns = &history.columns;
    let version_of = |row: usize| {
        columns.version(row).or_else(|| {
            (0..columns.len())
                .filter(|get| columns.outcome[*get] == Outcome::Ok)
                .find(|get| columns.read.at(*get) == [columns.written[row]])
                .and_then(|get| columns.version(get))
        })
    };
    let before = |a, b| returned(history, a) < columns.invoke[b];
    some_order(&before, &mut rows, &Machine::default(), &|machine, row| {
        let is_put = columns.kind[row] == Kind::Put;
        let version = if is_put {
            version_of(row)
        } else {
            columns.version(row)
        };
        let place = match version {
            Some(version) if is_put => version.origin,
            _ => origin(columns.node[row], columns.incarnation[row]),
        };
        let register = (place, columns.key[row]);
        let shown = machine
            .registers
            .iter()
            .find(|(r, _)| *r == register)
            .map(|(_, v)| *v);
        let allowed = if is_put {
            let last = machine
                .origins
                .iter()
                .find(|(o, _)| *o == place)
                .map(|(_, v)| *v);
            version > shown
                && version > last
                && machine.puts.iter().all(|(_, v)| Some(*v) != version)
        } else {
            let put = columns.read.at(row).first();
            let told = put.map(|id| machine.puts.iter().find(|(p, _)| p == id).map(|(_, v)| *v));
            version >= shown
                && told.unwrap_or(None) == version
                && put.is_some() == version.is_some()
        };
        let Some(version) = version.filter(|_| allowed) else {
            return allowed;
        };
        machine.registers.retain(|(r, _)| *r != register);
        machine.registers.push((register, version));
        if is_put {
            machine.origins.retain(|(o, _)| *o != place);
            machine.origins.push((place, version));
            machine.puts.push((columns.written[row], version));
        }
        true
    })
}

/// A put's evidence.
#[derive(Clone, Copy, PartialEq)]
struct Evident<'h> {
    dot: u64,
    vector: &'h [u64],
}

fn evidence<'h>(history: &'h History, put: usize) -> Option<Evident<'h>> {
    let columns = &history.columns;
    if columns.outcome[put] == Outcome::Ok {
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
        (columns.outcome[get] == Outcome::Ok).then(|| Evident {
            dot: columns.sibling_dots.at(get)[place],
            vector: columns.sibling_vector(get, place),
        })
    })
}

fn covers(vector: &[u64], dot: u64) -> bool {
    vector
        .iter()
        .any(|entry| dot_origin(*entry) == dot_origin(dot) && *entry >= dot)
}

fn at_most(a: &[u64], b: &[u64]) -> bool {
    a.iter()
        .all(|dot| *dot & ((1 << 40) - 1) == 0 || covers(b, *dot))
}

/// The axioms of the witness, A1 to A7, over all pairs.
pub(super) fn causal_witness(history: &History) -> bool {
    let Some(rows) = counted(history) else {
        return false;
    };
    let columns = &history.columns;
    let is_put = |row: &usize| columns.kind[*row] == Kind::Put;
    let puts: Vec<usize> = rows.iter().copied().filter(is_put).collect();
    let ev = |put: usize| evidence(history, put).expect("a counted put has evidence");
    let vector = |row: usize| {
        if is_put(&row) {
            ev(row).vector
        } else {
            columns.vector.at(row)
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
            .filter(|w| {
                visible
                    .iter()
                    .all(|v| v == *w || !covers(ev(*v).vector, ev(**w).dot))
            })
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
    unique && own && sessions && pairs && gets
}

/// Causal consistency of a multi-value register: whether some visibility order explains all.
/// Tries every set of edges between puts on one key, closed with happens-before.
pub(super) fn causal(history: &History) -> bool {
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
                    && columns.read.at(y).contains(&columns.written[x]));
        }
    }
    let pairs: Vec<(usize, usize)> = (0..n)
        .flat_map(|a| (0..n).map(move |b| (a, b)))
        .filter(|(a, b)| {
            let (x, y) = (rows[*a], rows[*b]);
            x != y
                && columns.kind[x] == Kind::Put
                && columns.kind[y] == Kind::Put
                && columns.key[x] == columns.key[y]
        })
        .collect();
    (0..1u32 << pairs.len()).any(|chosen| {
        let mut vis = base.clone();
        for (i, (a, b)) in pairs.iter().enumerate() {
            vis[*a][*b] |= chosen & (1 << i) != 0;
        }
        explains(history, &rows, close(vis))
    })
}

fn close(mut vis: Vec<Vec<bool>>) -> Vec<Vec<bool>> {
    for via in 0..vis.len() {
        let from = vis[via].clone();
        for row in vis.iter_mut().filter(|row| row[via]) {
            for (to, from) in row.iter_mut().zip(&from) {
                *to |= from;
            }
        }
    }
    vis
}

fn explains(history: &History, rows: &[usize], vis: Vec<Vec<bool>>) -> bool {
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
                    .filter(|w| visible.iter().all(|v| !vis[**w][*v]))
                    .map(|w| columns.written[rows[*w]])
                    .collect();
                let mut read = columns.read.at(rows[g]).to_vec();
                maxima.sort_unstable();
                read.sort_unstable();
                read.dedup();
                maxima == read
            })
}
