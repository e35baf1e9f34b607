//! The session guarantees (Terry et al., 1994): by recorded vectors, over all pairs of a session;
//! and by what clients saw, over all pairs of a get and a put that it had to show, under either
//! rule of dominance.

use super::{close, context, counted, superseded};
use crate::checker::index::Index;
use crate::history::{Dominance, Evidence, History, Kind, dot_counter, dot_origin};

fn covers(vector: &[u64], dot: u64) -> bool {
    dot_counter(dot) == 0
        || vector
            .iter()
            .any(|entry| dot_origin(*entry) == dot_origin(dot) && *entry >= dot)
}

/// Whether every later operation of kind `second` had all that each earlier one of kind `first`
/// of the session stands for: a put for itself, a get for all that its replica had. Open when there
/// is none of kind `second`.
fn guaranteed(history: &History, first: Kind, second: Kind) -> Option<bool> {
    let index = Index::new(history).ok()?;
    let columns = &history.columns;
    let rows: Vec<usize> = (0..history.len())
        .filter(|row| index.counts(*row) && columns.evidence[*row] == Evidence::Causal)
        .collect();
    let asked = rows.iter().any(|row| columns.kind[*row] == second);
    asked.then(|| {
        rows.iter().filter(|a| columns.kind[**a] == first).all(|a| {
            let own = [columns.dot[*a]];
            let past = match first {
                Kind::Put => &own[..],
                Kind::Get | Kind::Cas | Kind::Append => columns.vector.at(*a),
            };
            rows.iter()
                .filter(|b| {
                    columns.kind[**b] == second && columns.session[**b] == columns.session[*a]
                })
                .filter(|b| columns.index[**b] > columns.index[*a])
                .all(|b| past.iter().all(|dot| covers(columns.vector.at(*b), *dot)))
        })
    })
}

pub(in crate::checker::tests) fn read_your_writes(history: &History) -> Option<bool> {
    guaranteed(history, Kind::Put, Kind::Get)
}

pub(in crate::checker::tests) fn monotonic_reads(history: &History) -> Option<bool> {
    guaranteed(history, Kind::Get, Kind::Get)
}

pub(in crate::checker::tests) fn monotonic_writes(history: &History) -> Option<bool> {
    guaranteed(history, Kind::Put, Kind::Put)
}

pub(in crate::checker::tests) fn writes_follow_reads(history: &History) -> Option<bool> {
    guaranteed(history, Kind::Get, Kind::Put)
}

/// What makes one operation come before another.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edges {
    /// Sessions, and a put before the gets that returned it and the puts whose context names it.
    HappensBefore,
    /// A put before the later puts of its session.
    PutsOfASession,
    /// A put before the later puts of a session that had read it.
    PutsAfterReads,
}

/// What was done, and what comes before what.
struct Seen<'h> {
    history: &'h History,
    rows: Vec<usize>,
    before: Vec<Vec<bool>>,
    /// What has which row in its context, or in the context of one there, and so on, where contexts
    /// decide what supersedes what: `[put][by]`.
    superseded: Option<Vec<Vec<bool>>>,
}

impl<'h> Seen<'h> {
    /// `None` when something was read that nobody wrote, or when causes and effects form a circle.
    fn new(history: &'h History, edges: Edges) -> Option<Self> {
        let rows = counted(history)?;
        let of = |edges| {
            let edge = |a: &usize, b: &usize| has_edge(history, &rows, edges, *a, *b);
            let row = |a| rows.iter().map(|b| edge(a, b)).collect();
            close(rows.iter().map(row).collect())
        };
        let happens = of(Edges::HappensBefore);
        let is_circular = (0..rows.len()).any(|a| happens[a][a]);
        let before = of(edges);
        let by_context = history.header.dominance == Some(Dominance::Context);
        (!is_circular).then(|| Self {
            history,
            rows,
            before,
            superseded: by_context.then(|| superseded(history)),
        })
    }

    fn places(&self, kind: Kind) -> impl Iterator<Item = usize> {
        (0..self.rows.len()).filter(move |a| self.history.columns.kind[self.rows[*a]] == kind)
    }

    /// Whether the get `b` comes after `a` in its session, or is it.
    fn follows(&self, a: usize, b: usize) -> bool {
        let columns = &self.history.columns;
        let (a, b) = (self.rows[a], self.rows[b]);
        columns.session[a] == columns.session[b] && columns.index[a] <= columns.index[b]
    }

    fn returns(&self, get: usize, put: usize) -> bool {
        returns(self.history, self.rows[get], self.rows[put])
    }

    /// Whether a session read the put, at or before the get: a get returned it, or a put's client
    /// said that it had seen it.
    fn had_read(&self, get: usize, put: usize) -> bool {
        (0..self.rows.len()).any(|other| {
            let named = context(self.history, self.rows[other]);
            let read = self.returns(other, put) || named.contains(&self.rows[put]);
            self.follows(other, get) && read
        })
    }

    /// Every get and every put on its key.
    fn all(&self, holds: impl Fn(usize, usize) -> bool) -> bool {
        let key = |a: usize| self.history.columns.key[self.rows[a]];
        self.places(Kind::Get).all(|get| {
            let puts = || self.places(Kind::Put);
            puts()
                .filter(|put| key(*put) == key(get))
                .all(|put| holds(get, put))
        })
    }

    /// Whether the get shows neither the put nor anything that supersedes it, by contexts.
    fn lacks(&self, superseded: &[Vec<bool>], get: usize, put: usize) -> bool {
        let mut shown = self.places(Kind::Put).filter(|s| self.returns(get, *s));
        let row = |a: usize| self.rows[a];
        !shown.any(|shown| shown == put || superseded[row(put)][row(shown)])
    }

    /// Whether the get lacks the put and all that it shows comes before that.
    fn is_older(&self, get: usize, put: usize) -> bool {
        if let Some(superseded) = &self.superseded {
            return self.lacks(superseded, get, put);
        }
        let mut shown = self.places(Kind::Put).filter(|s| self.returns(get, *s));
        !self.returns(get, put) && shown.all(|shown| self.before[shown][put])
    }

    /// Whether the get shows what comes before the put, or nothing.
    fn is_stale(&self, get: usize, put: usize) -> bool {
        if let Some(superseded) = &self.superseded {
            return self.lacks(superseded, get, put);
        }
        let shown = || self.places(Kind::Put).filter(|s| self.returns(get, *s));
        shown().next().is_none() || shown().any(|shown| self.before[shown][put])
    }
}

fn returns(history: &History, get: usize, put: usize) -> bool {
    let columns = &history.columns;
    columns.kind[get] == Kind::Get
        && columns.kind[put] == Kind::Put
        && columns.key[get] == columns.key[put]
        && columns.read.at(get).contains(&columns.written[put])
}

fn has_edge(history: &History, rows: &[usize], edges: Edges, a: usize, b: usize) -> bool {
    let columns = &history.columns;
    let session = |a: usize, b: usize| {
        columns.session[a] == columns.session[b] && columns.index[a] < columns.index[b]
    };
    let puts = columns.kind[a] == Kind::Put && columns.kind[b] == Kind::Put;
    match edges {
        Edges::HappensBefore => {
            session(a, b) || returns(history, b, a) || context(history, b).contains(&a)
        }
        Edges::PutsOfASession => puts && session(a, b),
        Edges::PutsAfterReads => {
            let read = |row: &usize| {
                let named = context(history, *row).contains(&a);
                let up_to = session(*row, b) || *row == b;
                up_to && (named || returns(history, *row, a))
            };
            puts && rows.iter().any(read)
        }
    }
}

/// What a session put is in each of its later gets, or something there is not older.
pub(in crate::checker::tests) fn read_your_writes_seen(history: &History) -> Option<bool> {
    let seen = Seen::new(history, Edges::HappensBefore)?;
    Some(seen.all(|get, put| !seen.follows(put, get) || !seen.is_older(get, put)))
}

/// What a session read is in each of its later gets, or something there is not older.
pub(in crate::checker::tests) fn monotonic_reads_seen(history: &History) -> Option<bool> {
    let seen = Seen::new(history, Edges::HappensBefore)?;
    Some(seen.all(|get, put| !seen.had_read(get, put) || !seen.is_older(get, put)))
}

fn along(history: &History, edges: Edges) -> Option<bool> {
    let seen = Seen::new(history, edges)?;
    Some(seen.all(|get, put| {
        let has_to_see = |put: usize| {
            let mut later = seen.places(Kind::Put).filter(|p| seen.had_read(get, *p));
            later.any(|later| later == put || seen.before[put][later])
        };
        !has_to_see(put) || !seen.is_stale(get, put)
    }))
}

/// No get shows what its session knows to be followed by a later put of the same writer.
pub(in crate::checker::tests) fn monotonic_writes_seen(history: &History) -> Option<bool> {
    along(history, Edges::PutsOfASession)
}

/// No get shows what its session knows to be followed by a put of somebody who had read it.
pub(in crate::checker::tests) fn writes_follow_reads_seen(history: &History) -> Option<bool> {
    along(history, Edges::PutsAfterReads)
}
