//! Smaller histories that show the same: operations are dropped, ids are dropped from what gets
//! read, then sessions, places, keys and times are renumbered.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{
    CORRUPT, End, History, Kind, NEVER, Row, Siblings, Witness, id_index, id_session, value_id,
};

/// The smallest history that dropping and renumbering leads to and that still `shows` it.
pub(super) fn shrink(history: &History, shows: impl Fn(&History) -> bool) -> History {
    let mut best = history.clone();
    loop {
        let found = smaller(&best).find(&shows);
        let Some(found) = found else {
            break;
        };
        best = found;
    }
    for renaming in [Renaming::names, Renaming::times] {
        let renamed = copy(&best, Without::default(), &renaming(&best));
        if shows(&renamed) {
            best = renamed;
        }
    }
    best
}

/// What is left out of a copy.
#[derive(Clone, Copy, Default)]
struct Without {
    row: Option<usize>,
    /// The place in a row's read list.
    read: Option<(usize, usize)>,
}

/// Every history with one thing less.
fn smaller(history: &History) -> impl Iterator<Item = History> + '_ {
    let rows = (0..history.len()).map(|row| Without {
        row: Some(row),
        read: None,
    });
    let reads = (0..history.len()).flat_map(|row| {
        let ids = history.columns.read.at(row).len();
        (0..ids).map(move |place| Without {
            row: None,
            read: Some((row, place)),
        })
    });
    rows.chain(reads)
        .map(|without| copy(history, without, &Renaming::default()))
}

/// New numbers; what has none keeps its own.
#[derive(Default)]
struct Renaming {
    sessions: BTreeMap<u32, u32>,
    /// By session and index.
    places: BTreeMap<(u32, u32), u32>,
    keys: BTreeMap<u64, u64>,
    times: BTreeMap<u64, u64>,
    /// Ids stand in the header's table of values, so they say nothing about sessions.
    ids_are_names: bool,
}

impl Renaming {
    fn names(history: &History) -> Self {
        let columns = &history.columns;
        let mut renaming = Self {
            ids_are_names: !history.header.values.is_empty(),
            ..Self::default()
        };
        let mut next: BTreeMap<u32, u32> = BTreeMap::new();
        let mut rows: Vec<usize> = (0..history.len()).collect();
        rows.sort_by_key(|row| (columns.session[*row], columns.index[*row]));
        for row in rows {
            let sessions = renaming.sessions.len() as u32;
            let session = columns.session[row];
            renaming.sessions.entry(session).or_insert(sessions);
            let place = next.entry(session).or_default();
            renaming
                .places
                .insert((session, columns.index[row]), *place);
            *place += 1;
            let keys = renaming.keys.len() as u64;
            renaming.keys.entry(columns.key[row]).or_insert(keys);
        }
        renaming
    }

    fn times(history: &History) -> Self {
        let columns = &history.columns;
        let both = columns.invoke.iter().chain(&columns.returned);
        let times: BTreeSet<u64> = both.copied().filter(|time| *time != NEVER).collect();
        Self {
            times: times.into_iter().zip(1..).collect(),
            ids_are_names: true,
            ..Self::default()
        }
    }

    fn session(&self, session: u32) -> u32 {
        self.sessions.get(&session).copied().unwrap_or(session)
    }

    fn place(&self, session: u32, index: u32) -> u32 {
        let place = self.places.get(&(session, index));
        place.copied().unwrap_or(index)
    }

    fn key(&self, key: u64) -> u64 {
        self.keys.get(&key).copied().unwrap_or(key)
    }

    fn time(&self, time: u64) -> u64 {
        self.times.get(&time).copied().unwrap_or(time)
    }

    fn id(&self, id: u64) -> u64 {
        if id == CORRUPT || self.ids_are_names {
            return id;
        }
        let (session, index) = (id_session(id), id_index(id));
        value_id(self.session(session), self.place(session, index))
    }
}

fn copy(history: &History, without: Without, renaming: &Renaming) -> History {
    let mut copy = History {
        header: history.header.clone(),
        ..History::default()
    };
    for at in (0..history.len()).filter(|row| without.row != Some(*row)) {
        let row = history.row(at);
        let kept = |place: &usize| without.read != Some((at, *place));
        let places: Vec<usize> = (0..row.read.len()).filter(kept).collect();
        let read: Vec<u64> = places.iter().map(|p| renaming.id(row.read[*p])).collect();
        let (mut dots, mut ends, mut vectors) = (Vec::new(), Vec::new(), Vec::new());
        if let Witness::Get { siblings, .. } = row.witness {
            for place in &places {
                dots.push(siblings.dots[*place]);
                vectors.extend(siblings.vector(*place));
                ends.push(vectors.len() as u32);
            }
        }
        let siblings = Siblings {
            dots: &dots,
            ends: &ends,
            vectors: &vectors,
            base: 0,
        };
        let witness = match row.witness {
            Witness::Get { vector, .. } => Witness::Get { vector, siblings },
            other @ (Witness::None | Witness::Put { .. } | Witness::Version(_)) => other,
        };
        let ids = row.context.map(|ids| ids.iter().map(|id| renaming.id(*id)));
        let context: Option<Vec<u64>> = ids.map(Iterator::collect);
        copy.columns.push(&Row {
            context: context.as_deref(),
            session: renaming.session(row.session),
            index: renaming.place(row.session, row.index),
            key: renaming.key(row.key),
            written: match row.kind {
                Kind::Get => 0,
                Kind::Put | Kind::Cas | Kind::Append => renaming.id(row.written),
            },
            read: &read,
            intended: renaming.time(row.intended),
            invoke: renaming.time(row.invoke),
            returned: row.returned.map(|time| renaming.time(time)),
            witness,
            ..row
        });
    }
    copy.end = Some(End::of(copy.len() as u64));
    copy
}
