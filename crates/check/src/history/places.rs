//! Which process each operation of a history belongs to, and where it stands in the user's file. So
//! the user finds what an explanation is about.

use std::fmt;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// Stands for a row that is in no file: what a register holds at first.
const NO_PROCESS: u32 = u32::MAX;

/// Where one record of the file stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The line that it begins on, from 1.
    pub line: u64,
    /// Which record of the file it is, from 1, where several stand on one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u64>,
    /// Its `:index`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<i64>,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.record {
            Some(record) => write!(f, "record {record}")?,
            None => write!(f, "line {}", self.line)?,
        }
        match self.index {
            Some(index) => write!(f, " (:index {index})"),
            None => Ok(()),
        }
    }
}

/// Whose one operation is, and where it stands in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The process, as the file or the recorder calls it.
    pub process: String,
    /// Where it was invoked; nowhere where it was recorded in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invoked: Option<Spot>,
    /// Where it was completed, unless it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed: Option<Spot>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(invoked) = self.invoked else {
            return f.write_str("no line");
        };
        let Some(completed) = self.completed else {
            return write!(f, "{invoked}");
        };
        match (invoked.record, completed.record) {
            (Some(first), Some(last)) => write!(f, "records {first} and {last}")?,
            (Some(_) | None, _) => {
                write!(f, "lines {} and {}", invoked.line, completed.line)?;
            }
        }
        match (invoked.index, completed.index) {
            (Some(first), Some(last)) => write!(f, " (:index {first} and {last})"),
            (Some(_) | None, _) => Ok(()),
        }
    }
}

/// One operation's row of [`Places`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kept {
    process: u32,
    invoked: Option<Spot>,
    completed: Option<Spot>,
}

/// The places of all rows of a history; empty where it has no names of processes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    processes: Vec<String>,
    numbers: HashMap<String, u32, foldhash::fast::FixedState>,
    rows: Vec<Kept>,
}

impl Places {
    /// Adds the next row's place; `None` for a row that is in no file.
    ///
    /// # Panics
    /// When the file has 2^32 processes.
    pub fn push(&mut self, place: Option<&Place>) {
        let Some(place) = place else {
            self.rows.push(Kept {
                process: NO_PROCESS,
                invoked: None,
                completed: None,
            });
            return;
        };
        let process = match self.numbers.get(&place.process) {
            Some(number) => *number,
            None => self.number(&place.process),
        };
        self.rows.push(Kept {
            process,
            invoked: place.invoked,
            completed: place.completed,
        });
    }

    fn number(&mut self, process: &str) -> u32 {
        let next = self.processes.len();
        let number = u32::try_from(next).expect("a file has fewer than 2^32 processes");
        self.processes.push(process.to_owned());
        self.numbers.insert(process.to_owned(), number);
        number
    }

    /// The place of row `i`, where it has one.
    #[must_use]
    pub fn at(&self, i: usize) -> Option<Place> {
        let kept = self.rows.get(i)?;
        let process = self.processes.get(kept.process as usize)?;
        Some(Place {
            process: process.clone(),
            invoked: kept.invoked,
            completed: kept.completed,
        })
    }

    /// Whether no row has a place.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}
