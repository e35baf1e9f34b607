//! Last write wins: the machine, and the axioms one by one.

use super::{close, counted, precedes, put_of, some_order};
use crate::history::{History, Kind, Outcome, Version, origin};

/// The version of an operation: for a put without one that under which it was read.
pub(super) fn version_of(history: &History, row: usize) -> Option<Version> {
    let columns = &history.columns;
    columns.version(row).or_else(|| {
        (0..columns.len())
            .filter(|get| columns.outcome[*get] == Outcome::Ok)
            .filter(|get| columns.read.at(*get) == [columns.written[row]])
            .find_map(|get| columns.version(get))
    })
}

/// The version that a get without one read: its put's.
fn read_version(history: &History, get: usize) -> Option<Version> {
    let columns = &history.columns;
    columns.version(get).or_else(|| {
        let put = put_of(history, get, *columns.read.at(get).first()?)?;
        version_of(history, put)
    })
}

/// Whether the version of an operation is known, be it that of the value that nobody put.
fn is_known(history: &History, row: usize) -> bool {
    match history.columns.kind[row] {
        Kind::Put => version_of(history, row).is_some(),
        Kind::Get | Kind::Cas | Kind::Append => {
            history.columns.read.at(row).is_empty() || read_version(history, row).is_some()
        }
    }
}

/// Last write wins as a machine: origins that number upwards, registers that never go back. What
/// has no version is left out.
pub(in crate::checker::tests) fn lww(history: &History) -> bool {
    #[derive(Clone, Default)]
    struct Machine {
        origins: Vec<(u32, Version)>,
        registers: Vec<((u32, u64), Version)>,
        puts: Vec<(u64, Version)>,
    }
    let Some(mut rows) = counted(history) else {
        return false;
    };
    rows.retain(|row| is_known(history, *row));
    let columns = &history.columns;
    let version_of = |row| version_of(history, row);
    let before = |a, b| precedes(history, a, b);
    some_order(&before, &mut rows, &Machine::default(), &|machine, row| {
        let is_put = columns.kind[row] == Kind::Put;
        let version = if is_put {
            version_of(row)
        } else {
            read_version(history, row)
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

/// The axioms of a last-write-wins register over all pairs, as they are written down: they compare
/// replies, so every history that the machine explains satisfies them.
pub(in crate::checker::tests) fn lww_axioms(history: &History) -> bool {
    let Some(rows) = counted(history) else {
        return false;
    };
    let columns = &history.columns;
    let is_put = |row: usize| columns.kind[row] == Kind::Put;
    let place = |row: usize| origin(columns.node[row], columns.incarnation[row]);
    let known = |row: &&usize| columns.version(**row).is_some();
    let pairs = |holds: &dyn Fn(usize, usize, Version, Version) -> bool| {
        rows.iter().filter(known).all(|a| {
            rows.iter().filter(known).filter(|b| a != *b).all(|b| {
                let versions = columns.version(*a).zip(columns.version(*b));
                versions.is_none_or(|(va, vb)| holds(*a, *b, va, vb))
            })
        })
    };
    let before = |a: usize, b: usize| precedes(history, a, b);
    // 1: versions are unique, and a get's is its put's.
    let unique = pairs(&|a, b, va, vb| !is_put(a) || !is_put(b) || va != vb);
    let same = pairs(&|a, b, va, vb| {
        !is_put(a) || is_put(b) || !columns.read.at(b).contains(&columns.written[a]) || va == vb
    });
    // 2: an origin numbers upwards.
    let upwards = pairs(&|a, b, va, vb| {
        let puts = is_put(a) && is_put(b) && va.origin == vb.origin;
        !puts || !before(a, b) || va < vb
    });
    // 3: an incarnation never goes back on a key, and a put there exceeds what it had shown.
    let registers = pairs(&|a, b, va, vb| {
        let here = place(a) == place(b) && columns.key[a] == columns.key[b] && before(a, b);
        !here || if is_put(b) { va < vb } else { va <= vb }
    });
    unique && same && upwards && registers
}

/// Last write wins by what replicas showed: for each key some order of its values has every replica
/// go up in it. A replica shows what it acknowledges and what it answers; before that, nothing.
/// Open when something was read that cannot have been.
pub(in crate::checker::tests) fn arbitrable(history: &History) -> Option<bool> {
    let columns = &history.columns;
    let mut shown: Vec<(usize, Option<u64>)> = Vec::new();
    for row in (0..history.len()).filter(|row| columns.outcome[*row] == Outcome::Ok) {
        let value = match columns.kind[row] {
            Kind::Put => Some(columns.written[row]),
            Kind::Get | Kind::Cas | Kind::Append => columns.read.at(row).first().copied(),
        };
        shown.push((row, value));
    }
    if shown.is_empty() || !super::integrity(history) {
        return None;
    }
    // What a session did next at the same instant comes after.
    let follows = |a: usize, b: usize| {
        let session =
            columns.session[a] == columns.session[b] && columns.index[a] < columns.index[b];
        session || columns.returned[a] < columns.invoke[b]
    };
    Some(shown.iter().all(|(row, _)| {
        let of_key = |a: &&(usize, Option<u64>)| columns.key[a.0] == columns.key[*row];
        let shown: Vec<_> = shown.iter().filter(of_key).collect();
        let mut values: Vec<Option<u64>> = shown.iter().map(|(_, value)| *value).collect();
        values.sort_unstable();
        values.dedup();
        let mut before = vec![vec![false; values.len()]; values.len()];
        for (a, earlier) in &shown {
            for (b, later) in &shown {
                let one_replica = origin(columns.node[*a], columns.incarnation[*a])
                    == origin(columns.node[*b], columns.incarnation[*b]);
                if earlier != later && one_replica && (follows(*a, *b) || earlier.is_none()) {
                    let place = |value| values.binary_search(value);
                    if let (Ok(from), Ok(to)) = (place(earlier), place(later)) {
                        before[from][to] = true;
                    }
                }
            }
        }
        let before = close(before);
        (0..values.len()).all(|value| !before[value][value])
    }))
}
