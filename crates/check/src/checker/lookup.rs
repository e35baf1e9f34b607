//! Tables that an index is made with: values as small numbers, and puts by what they wrote.

use super::index::{Index, Table};
use crate::history::{Columns, History, Kind, NEVER, Outcome, id_index, id_session, value_id};

/// Numbers below this many times the number of rows are looked up in a table, others by hash.
const DIRECT_MAX: u64 = 2;

/// Values as small numbers, in the order in which they first occur.
pub(super) enum Numbers {
    /// By value; [`NO_NUMBER`] where there is none.
    Direct(Vec<u32>),
    Hashed(Table<u64, u32>),
}

/// No row has so large a number.
const NO_NUMBER: u32 = u32::MAX;

impl Numbers {
    /// Numbers every value; also returns how many there are.
    pub(super) fn new(values: impl Iterator<Item = u64> + Clone) -> (Self, Vec<u32>, usize) {
        let (rows, largest) = values
            .clone()
            .fold((0, 0), |(rows, largest): (u64, u64), value| {
                (rows + 1, largest.max(value))
            });
        if largest >= rows.saturating_mul(DIRECT_MAX) {
            let mut numbers: Table<u64, u32> = Table::default();
            let dense = values
                .map(|value| {
                    let next = numbers.len() as u32;
                    *numbers.entry(value).or_insert(next)
                })
                .collect();
            let count = numbers.len();
            return (Self::Hashed(numbers), dense, count);
        }
        let mut numbers = vec![NO_NUMBER; largest as usize + 1];
        let mut count = 0;
        let dense = values
            .map(|value| {
                let number = &mut numbers[value as usize];
                if *number == NO_NUMBER {
                    *number = count;
                    count += 1;
                }
                *number
            })
            .collect();
        (Self::Direct(numbers), dense, count as usize)
    }

    fn of(&self, value: u64) -> Option<u32> {
        match self {
            Self::Direct(numbers) => usize::try_from(value)
                .ok()
                .and_then(|value| numbers.get(value))
                .copied()
                .filter(|number| *number != NO_NUMBER),
            Self::Hashed(numbers) => numbers.get(&value).copied(),
        }
    }
}

/// Where the put of an id is found.
pub(super) enum Puts {
    /// Every put wrote the id of its own place, and each place holds one row.
    ByPlace(Numbers),
    ById(Table<u64, u32>),
}

impl Puts {
    /// Finds how to look puts up, given the numbers of the sessions.
    ///
    /// # Errors
    /// When ids are not unique, or the history holds more than puts and gets.
    pub(super) fn new(history: &History, sessions: Numbers) -> Result<Self, String> {
        if ids_are_places(&history.columns) {
            Ok(Self::ByPlace(sessions))
        } else {
            let puts = puts_by_id(&history.columns).map_err(|found| found.said_of(history))?;
            Ok(Self::ById(puts))
        }
    }

    /// The row of the put that wrote `id`.
    pub(super) fn row(&self, index: &Index<'_>, id: u64) -> Option<u32> {
        let sessions = match self {
            Self::ById(puts) => return puts.get(&id).copied(),
            Self::ByPlace(sessions) => sessions,
        };
        let columns = index.columns;
        let session = sessions.of(u64::from(id_session(id)))?;
        let (rows, place) = (index.by_session.at(session as usize), id_index(id));
        let is_there = |row: &&u32| columns.index[**row as usize] == place;
        let row = match rows.get(place as usize).filter(is_there) {
            Some(row) => *row,
            // The session has gaps, or starts late.
            None => {
                let after = |row: &u32| columns.index[*row as usize] < place;
                *rows.get(rows.partition_point(after)).filter(is_there)?
            }
        };
        (columns.kind[row as usize] == Kind::Put).then_some(row)
    }
}

/// Whether a put's id says where the put is, as it does in every history of our own.
pub(super) fn ids_are_places(columns: &Columns) -> bool {
    let place = |row: usize| value_id(columns.session[row], columns.index[row]);
    (0..columns.len()).all(|row| match columns.kind[row] {
        Kind::Put => columns.written[row] == place(row),
        Kind::Get => true,
        Kind::Cas | Kind::Append => false,
    })
}

/// Why puts are not found by what they wrote.
pub(super) enum NoPuts {
    /// The row is neither a put nor a get.
    Other(usize),
    /// Both rows wrote the same.
    Twice(usize, usize),
}

impl NoPuts {
    /// The same in words.
    fn said_of(&self, history: &History) -> String {
        match *self {
            Self::Other(row) => format!(
                "{} is a {}: only a search judges histories of more than puts and gets",
                history.operation_name(row),
                history.columns.kind[row]
            ),
            Self::Twice(first, second) => format!(
                "values are not unique: {} and {} wrote the same id",
                history.operation_name(first),
                history.operation_name(second)
            ),
        }
    }
}

/// The rows of puts by what they wrote.
///
/// # Errors
/// When ids are not unique, or the history holds more than puts and gets.
pub(super) fn puts_by_id(columns: &Columns) -> Result<Table<u64, u32>, NoPuts> {
    let mut puts: Table<u64, u32> = Table::default();
    puts.reserve(columns.len() / 2);
    for row in 0..columns.len() {
        if matches!(columns.kind[row], Kind::Cas | Kind::Append) {
            return Err(NoPuts::Other(row));
        }
        if columns.kind[row] == Kind::Put
            && let Some(other) = puts.insert(columns.written[row], row as u32)
        {
            return Err(NoPuts::Twice(other as usize, row));
        }
    }
    Ok(puts)
}

/// Whether row `b` can be what the session of row `a` did next.
///
/// # Errors When both are one place of the session, or `a` was under way when `b` began: a write of
/// unknown outcome may take effect at any later time, so it ends its session.
pub(super) fn follow(columns: &Columns, a: usize, b: usize) -> Result<(), String> {
    let (session, returned) = (columns.session[a], columns.returned[a]);
    if columns.index[a] == columns.index[b] {
        let (first, second) = (a.min(b), a.max(b));
        Err(format!(
            "operation #{} of session {session} is there twice, in rows {first} and {second}: each \
             pair of session and index must occur once",
            columns.index[a]
        ))
    } else if returned != NEVER && returned > columns.invoke[b] {
        Err(format!(
            "session {session} has two operations at once: #{} and #{}",
            columns.index[a], columns.index[b]
        ))
    } else if columns.kind[a] != Kind::Get && columns.outcome[a] == Outcome::Info {
        Err(format!(
            "session {session} goes on after #{}, a {} of unknown outcome, which may take effect at \
             any later time: what follows it must have a session of its own",
            columns.index[a], columns.kind[a]
        ))
    } else {
        Ok(())
    }
}
