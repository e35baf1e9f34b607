//! What an order has to explain of a history, key by key.

use super::super::super::index::Table;
use super::super::super::lookup::follow;
use super::contents::{Contents, Effect, NOTHING, OTHER};
use crate::history::{ErrorKind, History, Kind, NEVER, Outcome, Phase};

/// One operation that an order has to explain or, while its outcome is unknown, may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Op {
    pub(super) row: u32,
    /// The dense key.
    pub(super) key: u32,
    /// The dense session.
    pub(super) session: u32,
    pub(super) invoke: u64,
    /// [`NEVER`] while the outcome is unknown.
    pub(super) returned: u64,
    pub(super) effect: Effect,
}

impl Op {
    pub(super) const fn is_pending(&self) -> bool {
        self.returned == NEVER
    }
}

/// A history as the models of this folder see it.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// In the order of sessions and of their operations.
    pub(super) ops: Vec<Op>,
    /// By dense key.
    pub(super) contents: Vec<Contents>,
    pub(super) sessions: u32,
}

impl Read {
    /// Reads a history.
    ///
    /// # Errors
    /// When a session does two operations at once, or a get returned several values.
    pub(super) fn new(history: &History) -> Result<Self, String> {
        let columns = &history.columns;
        let counts =
            |row: usize| columns.outcome[row] == Outcome::Ok && columns.phase[row] != Phase::Local;
        let several = |row: &usize| counts(*row) && columns.read.at(*row).len() > 1;
        if let Some(row) = (0..columns.len()).find(several) {
            return Err(format!(
                "{} returned several values, a register holds one",
                history.operation_name(row)
            ));
        }
        let mut rows: Vec<usize> = (0..columns.len()).collect();
        rows.sort_by_key(|row| (columns.session[*row], columns.index[*row]));
        for pair in rows.windows(2) {
            if columns.session[pair[0]] == columns.session[pair[1]] {
                follow(columns, pair[0], pair[1])?;
            }
        }
        let mut keys: Table<u64, u32> = Table::default();
        for key in &columns.key {
            let next = keys.len() as u32;
            keys.entry(*key).or_insert(next);
        }
        let mut values = Values::new(history, &keys);
        let mut read = Self::default();
        let mut last = None;
        for row in rows {
            if last != Some(columns.session[row]) {
                read.sessions += u32::from(last.is_some());
                last = Some(columns.session[row]);
            }
            let key = keys[&columns.key[row]];
            let Some(effect) = values.effect(row, key) else {
                continue;
            };
            read.ops.push(Op {
                row: row as u32,
                key,
                session: read.sessions,
                invoke: columns.invoke[row],
                returned: match columns.outcome[row] {
                    Outcome::Info => NEVER,
                    Outcome::Ok | Outcome::Fail => columns.returned[row],
                },
                effect,
            });
        }
        read.sessions += u32::from(last.is_some());
        read.contents = values.contents;
        Ok(read)
    }
}

/// Whether the row found something that is known, and that an order has to explain.
fn observes(history: &History, row: usize) -> bool {
    let columns = &history.columns;
    match (columns.kind[row], columns.outcome[row]) {
        (Kind::Get, _) if columns.phase[row] == Phase::Local => false,
        (Kind::Get, Outcome::Ok) | (Kind::Cas, Outcome::Ok | Outcome::Info) => true,
        (Kind::Cas, Outcome::Fail) => {
            columns.error[row] == Some(ErrorKind::Mismatch) && columns.returned[row] != NEVER
        }
        (Kind::Get, Outcome::Info | Outcome::Fail) | (Kind::Put | Kind::Append, _) => false,
    }
}

/// The values of a history as contents of its keys.
struct Values<'h> {
    history: &'h History,
    contents: Vec<Contents>,
    /// Whether values are texts.
    has_appends: bool,
    /// Without appends, the contents by key and value: those that somebody expects.
    expected: Table<(u32, u64), u64>,
}

impl<'h> Values<'h> {
    fn new(history: &'h History, keys: &Table<u64, u32>) -> Self {
        let columns = &history.columns;
        let has_appends = columns.kind.contains(&Kind::Append);
        let mut texts: Vec<Vec<String>> = vec![Vec::new(); keys.len()];
        let mut expected: Table<(u32, u64), u64> = Table::default();
        for row in (0..columns.len()).filter(|row| observes(history, *row)) {
            let key = keys[&columns.key[row]];
            for id in columns.read.at(row) {
                if has_appends {
                    texts[key as usize].push(history.value_text(*id));
                } else {
                    let next = expected.len() as u64 + 1;
                    expected.entry((key, *id)).or_insert(next);
                }
            }
        }
        Self {
            history,
            contents: texts.into_iter().map(Contents::new).collect(),
            has_appends,
            expected,
        }
    }

    fn content(&self, key: u32, id: u64) -> u64 {
        if self.has_appends {
            return self.contents[key as usize].of(&self.history.value_text(id));
        }
        self.expected.get(&(key, id)).copied().unwrap_or(OTHER)
    }

    /// What the row does to its register; `None` where it says nothing of it.
    fn effect(&mut self, row: usize, key: u32) -> Option<Effect> {
        let columns = &self.history.columns;
        let found = columns.read.at(row).first();
        let found = found.map_or(NOTHING, |id| self.content(key, *id));
        let written = columns.written[row];
        match (columns.kind[row], columns.outcome[row]) {
            (Kind::Get | Kind::Cas, _) if !observes(self.history, row) => None,
            (Kind::Put | Kind::Append, Outcome::Fail) => None,
            (Kind::Get, _) => Some(Effect::Get(found)),
            (Kind::Cas, Outcome::Fail) => Some(Effect::Mismatch(found)),
            (Kind::Cas, _) => Some(Effect::Cas(found, self.content(key, written))),
            (Kind::Put, _) => Some(Effect::Put(self.content(key, written))),
            (Kind::Append, _) => {
                let piece = self.history.value_text(written);
                Some(Effect::Append(self.contents[key as usize].piece(piece)))
            }
        }
    }
}
