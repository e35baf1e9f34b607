//! A history's rows looked up by key, session and id: what every check starts from.

mod groups;
mod ties;

use std::sync::OnceLock;

use hashbrown::HashMap;

use super::lookup::{Numbers, Puts, follow};
use super::session::Judged;
use super::time::Time;
use crate::history::{Columns, Dominance, History, Kind, Model, NEVER, Outcome, Phase};
use groups::Groups;

/// A hash table whose order nothing depends on, and whose hashes are the same in every run.
pub(super) type Table<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Stands for the put of an id that no usable put wrote.
pub(super) const NO_PUT: u32 = u32::MAX;

/// The index of one history.
#[derive(Debug)]
pub(super) struct Index<'h> {
    pub(super) history: &'h History,
    pub(super) columns: &'h Columns,
    /// Row to dense key.
    pub(super) key: Vec<u32>,
    pub(super) by_key: Groups,
    /// Row to dense session.
    pub(super) session: Vec<u32>,
    /// Rows of each session in its order.
    pub(super) by_session: Groups,
    /// For each id of each read list its put's row, or [`NO_PUT`].
    puts_read: Vec<u32>,
    /// Whether a usable get read the put of that row, or a client knew of it.
    pub(super) was_read: Vec<bool>,
    /// Which puts a put supersedes.
    pub(super) dominance: Dominance,
    /// What the history is held to: what its header promises, unless it was said otherwise.
    pub(super) promise: Option<Model>,
    /// Whether the store says that versions order its puts in real time.
    pub(super) is_ordered_by_versions: bool,
    /// Where each row's part of `context_puts` starts; empty where contexts do not matter.
    context_starts: Vec<u32>,
    /// For each put the puts that its context names, as far as there are such.
    context_puts: Vec<u32>,
    /// Bits of `TIED_INVOKE` and `TIED_RETURN` (`ties.rs`).
    ties: Vec<u8>,
    /// Dense keys on which a session's order at one instant is in no time that this index gives.
    untold: Table<u32, ()>,
    /// Nodes of each replica group, once somebody has asked for them.
    pub(super) nodes: OnceLock<Table<u16, Vec<u16>>>,
    /// What the session guarantees are judged by, once somebody has asked for it.
    pub(super) guarantees: OnceLock<Judged>,
    /// The time that the checks of it have.
    pub(super) time: Time,
}

/// Times are counted in quarters of a ns, in 64 bits.
const TIME_MAX: u64 = (NEVER >> 2) - 1;

impl<'h> Index<'h> {
    /// Indexes a history, under the rule of dominance that its header names.
    ///
    /// # Errors
    /// When the history breaks what every check relies on: puts and gets only, unique ids, sessions
    /// with one operation in flight, at most 2^32 rows.
    pub(super) fn new(history: &'h History) -> Result<Self, String> {
        Self::under(history, history.header.dominance.unwrap_or_default())
    }

    /// Indexes a history under a rule of dominance.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn under(history: &'h History, dominance: Dominance) -> Result<Self, String> {
        let columns = &history.columns;
        if columns.len() >= NO_PUT as usize {
            return Err("there are more than 2^32 operations".to_owned());
        }
        let (_, key, keys) = Numbers::new(columns.key.iter().copied());
        let raw_sessions = columns.session.iter().map(|session| u64::from(*session));
        let (numbers, session, sessions) = Numbers::new(raw_sessions);
        let mut index = Self {
            history,
            columns,
            by_key: Groups::new(&key, keys),
            key,
            by_session: Groups::new(&session, sessions),
            session,
            puts_read: Vec::with_capacity(columns.read.values().len()),
            was_read: vec![false; columns.len()],
            dominance,
            promise: history.header.promise,
            is_ordered_by_versions: orders_by_versions(history.header.promise),
            context_starts: Vec::new(),
            context_puts: Vec::new(),
            ties: vec![0; columns.len()],
            untold: Table::default(),
            nodes: OnceLock::new(),
            guarantees: OnceLock::new(),
            time: Time::default(),
        };
        index.order_sessions()?;
        times_fit(history)?;
        let puts = Puts::new(history, numbers)?;
        index.find_ties();
        index.resolve_reads(&puts);
        if dominance == Dominance::Context {
            index.resolve_contexts(&puts);
        }
        Ok(index)
    }

    /// The same, whose checks have so much time.
    pub(super) fn within(self, time: &Time) -> Self {
        Self {
            time: time.clone(),
            ..self
        }
    }

    /// Sorts each session by index and checks that its operations follow one another.
    fn order_sessions(&mut self) -> Result<(), String> {
        let columns = self.columns;
        for session in 0..self.by_session.len() {
            let (start, end) = (
                self.by_session.starts[session],
                self.by_session.starts[session + 1],
            );
            let rows = &mut self.by_session.rows[start as usize..end as usize];
            if !rows.is_sorted_by_key(|row| columns.index[*row as usize]) {
                rows.sort_by_key(|row| columns.index[*row as usize]);
            }
            for pair in rows.windows(2) {
                follow(columns, pair[0] as usize, pair[1] as usize)?;
            }
        }
        Ok(())
    }

    /// The put to the row's key that wrote `id` and did not fail.
    fn put_of(&self, puts: &Puts, row: usize, id: u64) -> Option<u32> {
        let columns = self.columns;
        puts.row(self, id).filter(|put| {
            let put = *put as usize;
            columns.key[put] == columns.key[row] && columns.outcome[put] != Outcome::Fail
        })
    }

    /// Finds the puts that each put's context names: those that its client said it had seen, or,
    /// where that was not recorded, those that the session's last get of the key had returned.
    fn resolve_contexts(&mut self, puts: &Puts) {
        let columns = self.columns;
        let mut contexts: Vec<Vec<u32>> = vec![Vec::new(); columns.len()];
        let mut last_get: Table<u32, u32> = Table::default();
        for session in 0..self.by_session.len() {
            last_get.clear();
            for row in self.by_session.at(session).iter().map(|row| *row as usize) {
                if self.is_known_get(row) {
                    last_get.insert(self.key[row], row as u32);
                } else if columns.kind[row] == Kind::Put {
                    let own = &mut contexts[row];
                    match columns.context(row) {
                        Some(ids) => {
                            own.extend(ids.iter().filter_map(|id| self.put_of(puts, row, *id)));
                        }
                        None => own.extend(
                            last_get
                                .get(&self.key[row])
                                .into_iter()
                                .flat_map(|get| self.puts_read(*get as usize))
                                .filter(|put| **put != NO_PUT),
                        ),
                    }
                    own.retain(|put| *put != row as u32);
                    own.sort_unstable();
                    own.dedup();
                }
            }
        }
        self.context_starts.push(0);
        for context in contexts {
            for put in &context {
                self.was_read[*put as usize] = true;
            }
            self.context_puts.extend(context);
            self.context_starts.push(self.context_puts.len() as u32);
        }
    }

    /// The puts that a put's context names, ascending; none where contexts do not matter.
    pub(super) fn context_puts(&self, put: usize) -> &[u32] {
        match self.context_starts.get(put..put + 2) {
            Some(ends) => &self.context_puts[ends[0] as usize..ends[1] as usize],
            None => &[],
        }
    }

    fn resolve_reads(&mut self, puts: &Puts) {
        let columns = self.columns;
        for get in 0..columns.len() {
            let counts = self.is_known_get(get);
            for id in columns.read.at(get) {
                let put = self.put_of(puts, get, *id);
                self.puts_read.push(put.unwrap_or(NO_PUT));
                if let Some(put) = put.filter(|_| counts) {
                    self.was_read[put as usize] = true;
                }
            }
        }
    }

    /// Whether the row is a get whose result is known, and that counts in every model: a local one
    /// counts where replicas are compared, and nowhere else.
    pub(super) fn is_known_get(&self, row: usize) -> bool {
        self.is_answered_get(row) && self.columns.phase[row] != Phase::Local
    }

    /// Whether the row is a get after the run whose result is known: what replicas are compared by.
    pub(super) fn is_final_get(&self, row: usize) -> bool {
        self.is_answered_get(row) && self.columns.phase[row].is_after_run()
    }

    fn is_answered_get(&self, row: usize) -> bool {
        self.columns.kind[row] == Kind::Get && self.columns.outcome[row] == Outcome::Ok
    }

    /// The rows of the puts that a get read, [`NO_PUT`] where there is none.
    pub(super) fn puts_read(&self, get: usize) -> &[u32] {
        let start = self.columns.read.start(get);
        &self.puts_read[start..start + self.columns.read.at(get).len()]
    }

    /// Whether the row is a known get that read only what puts wrote to its key. The others are
    /// the integrity check's to report, and no order can be asked to explain them.
    pub(super) fn is_usable_get(&self, row: usize) -> bool {
        self.is_known_get(row) && self.puts_read(row).iter().all(|put| *put != NO_PUT)
    }

    /// Whether the row is a put that took effect: it was acknowledged, or it was read.
    pub(super) fn is_effective_put(&self, row: usize) -> bool {
        self.columns.kind[row] == Kind::Put
            && match self.columns.outcome[row] {
                Outcome::Ok => true,
                Outcome::Info => self.was_read[row],
                Outcome::Fail => false,
            }
    }

    /// Whether an order has to explain the row.
    pub(super) fn counts(&self, row: usize) -> bool {
        self.is_effective_put(row) || self.is_usable_get(row)
    }

    /// When the row's effect was certainly there: [`NEVER`] for an unknown outcome.
    pub(super) fn returned(&self, row: usize) -> u64 {
        match self.columns.outcome[row] {
            Outcome::Ok => self.columns.returned[row],
            Outcome::Info | Outcome::Fail => NEVER,
        }
    }

    pub(super) fn invoke(&self, row: usize) -> u64 {
        self.columns.invoke[row]
    }

    /// Whether `a` was over before `b` began: it had returned before that was invoked, or its
    /// session did it earlier, be it at one instant.
    pub(super) fn precedes(&self, a: usize, b: usize) -> bool {
        let columns = self.columns;
        let session =
            columns.session[a] == columns.session[b] && columns.index[a] < columns.index[b];
        session || self.returned(a) < self.invoke(b)
    }

    /// How sentences name an operation.
    pub(super) fn name(&self, row: usize) -> String {
        self.history.operation_name(row)
    }

    pub(super) fn key_name(&self, row: usize) -> String {
        self.history.key_name(self.columns.key[row])
    }
}

/// Whether the versions of a store that promises this say which of two puts came first.
pub(super) fn orders_by_versions(promise: Option<Model>) -> bool {
    promise.is_some_and(|promise| promise.row().orders_by_versions)
}

/// Whether every time can be counted in quarters of a ns.
fn times_fit(history: &History) -> Result<(), String> {
    let columns = &history.columns;
    let late = |time: u64| time != NEVER && time > TIME_MAX;
    let row = (0..columns.len())
        .find(|row| columns.invoke[*row] > TIME_MAX || late(columns.returned[*row]));
    row.map_or(Ok(()), |row| {
        Err(format!(
            "{} has a time beyond {TIME_MAX} ns: give times from the start of the run",
            history.operation_name(row)
        ))
    })
}

/// Whether the history's limit was reached, so that keys outside of the sample are cut short.
pub(super) fn is_sampled(history: &History) -> bool {
    history
        .header
        .limit
        .is_some_and(|limit| history.len() as u64 >= limit.operations)
}

/// Whether all operations on `key` were recorded.
pub(super) fn is_whole(history: &History, key: u64) -> bool {
    !is_sampled(history) || history.header.limit.is_none_or(|limit| limit.samples(key))
}
