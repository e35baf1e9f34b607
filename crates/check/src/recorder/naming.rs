//! Makes a history of the logs: keys and values become numbers, and their texts are kept for
//! explanations.
//!
//! Equal values of one key are one number, so that a checker sees which were written once. A value
//! that a store holds at first, and that nobody writes, is no value to the checkers: a get of it
//! read nothing. Where somebody writes it too, it is put before everything else.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use hashbrown::HashMap;

use super::lists::Lists;
use super::log::{Entry, Log};
use super::operation::{Answered, Asked};
use crate::history::{
    Columns, End, ErrorKind, Header, History, Kind, Outcome, Phase, Place, Places, Row,
};

type Table<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Characters of a key or a value that explanations show.
const TEXT_MAX: usize = 120;
/// What explanations call the process that put what a store holds at first.
const AT_FIRST: &str = "(at first)";
/// What explanations call the absence of a key in a store in which no key is absent.
const ABSENT: &str = "None";

/// One key: the numbers of its values.
#[derive(Debug)]
struct Register<'v, V> {
    values: Table<&'v V, u64>,
    /// What it holds at first is written as well.
    writes_initial: bool,
    /// The number of what a get read that found no key where every key has a value.
    absent: Option<u64>,
}

struct Names<'v, K, V> {
    initial: Option<&'v V>,
    /// The texts of values, where values are lists.
    lists: Option<Lists<V>>,
    /// Every key holds a list with elements at first.
    begins_with_elements: bool,
    keys: Table<&'v K, usize>,
    registers: Vec<Register<'v, V>>,
    key_texts: Vec<String>,
    texts: Vec<String>,
}

impl<'v, K: Eq + Hash + Debug, V: Eq + Hash + Debug> Names<'v, K, V> {
    fn new(initial: Option<&'v V>, lists: Option<Lists<V>>) -> Self {
        let has_elements = |lists: &Lists<V>| initial.is_some_and(|list| !lists.is_empty(list));
        Self {
            initial,
            begins_with_elements: lists.as_ref().is_some_and(has_elements),
            lists,
            keys: Table::default(),
            registers: Vec::new(),
            key_texts: Vec::new(),
            texts: Vec::new(),
        }
    }

    fn key(&mut self, key: &'v K) -> usize {
        if let Some(number) = self.keys.get(key) {
            return *number;
        }
        let number = self.registers.len();
        self.keys.insert(key, number);
        self.key_texts.push(text(key));
        self.registers.push(Register {
            values: Table::default(),
            writes_initial: false,
            absent: None,
        });
        number
    }

    fn value(&mut self, key: usize, value: &'v V) -> u64 {
        let values = &mut self.registers[key].values;
        if let Some(id) = values.get(value) {
            return *id;
        }
        let id = self.texts.len() as u64;
        values.insert(value, id);
        let text = match &mut self.lists {
            Some(lists) => lists.text(value),
            None => text(value),
        };
        self.texts.push(text);
        id
    }

    /// What a get read or a compare-and-set expected: no number stands for what was there at first.
    fn seen(&mut self, key: usize, value: Option<&'v V>) -> Option<u64> {
        match (value, self.initial) {
            (None, None) => None,
            (None, Some(_)) => Some(self.absent(key)),
            (Some(value), Some(initial))
                if value == initial && !self.registers[key].writes_initial =>
            {
                None
            }
            (Some(value), _) => {
                let id = self.value(key, value);
                let is_empty_list = self.lists.is_some() && self.texts[id as usize].is_empty();
                (!is_empty_list).then_some(id)
            }
        }
    }

    /// Notes a key. Its initial value needs a put of its own if a write repeats it, or if it is a
    /// list with elements, since an absent value is an empty list.
    fn note(&mut self, asked: &'v Asked<K, V>) {
        let key = self.key(&asked.key);
        let repeats = self.initial.is_some() && asked.written.as_ref() == self.initial;
        self.registers[key].writes_initial |= repeats || self.begins_with_elements;
    }

    fn absent(&mut self, key: usize) -> u64 {
        let next = self.texts.len() as u64;
        let id = *self.registers[key].absent.get_or_insert(next);
        if id == next {
            self.texts.push(ABSENT.to_owned());
        }
        id
    }

    /// The rows that put what was there at first, by a session of their own.
    fn initial_rows(&mut self, session: u32) -> Vec<Row<'static>> {
        let Some(initial) = self.initial else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        for key in 0..self.registers.len() {
            if self.registers[key].writes_initial {
                rows.push(Row {
                    session,
                    index: rows.len() as u32,
                    kind: Kind::Put,
                    key: key as u64,
                    written: self.value(key, initial),
                    returned: Some(0),
                    phase: Phase::Load,
                    ..Row::EMPTY
                });
            }
        }
        rows
    }
}

fn text(value: &impl Debug) -> String {
    shortened(&format!("{value:?}"))
}

/// A text in one line, cut at [`TEXT_MAX`].
pub(super) fn shortened(whole: &str) -> String {
    let mut text: String = whole.chars().take(TEXT_MAX).collect();
    if text.len() < whole.len() {
        text.push('…');
    }
    text.replace(char::is_control, " ")
}

/// What processes are called: a name that was given before gets a number.
fn process_names<K, V>(logs: &[Arc<Log<K, V>>]) -> Vec<String> {
    let mut given: Table<String, usize> = Table::default();
    let mut names = Vec::with_capacity(logs.len());
    for log in logs {
        let name = log.name.replace(char::is_control, " ");
        let mut free = name.clone();
        let mut times = given.get(&name).copied().unwrap_or(0);
        // Each round passes over a name that was given, of which there are few.
        while given.contains_key(&free) {
            times += 1;
            free = format!("{name} ({})", times + 1);
        }
        given.insert(name, times);
        given.entry(free.clone()).or_insert(0);
        names.push(free);
    }
    names
}

/// The history that the logs make up. Closes them.
pub(super) fn history<K: Eq + Hash + Debug, V: Eq + Hash + Debug>(
    logs: &[Arc<Log<K, V>>],
    initial: Option<&V>,
) -> History {
    let entries: Vec<Vec<Entry<K, V>>> = logs.iter().map(|log| log.take()).collect();
    let names_of_processes = process_names(logs);
    let mut all: Vec<(usize, usize, &Entry<K, V>)> = (0..)
        .zip(&entries)
        .flat_map(|(process, list)| {
            let own = move |(index, entry)| (process, index, entry);
            (0..).zip(list).map(own)
        })
        .collect();
    all.sort_unstable_by_key(|(_, _, entry)| entry.invoke);

    let split = all.iter().find_map(|(_, _, entry)| entry.asked.split);
    let mut names = Names::new(initial, split.map(Lists::new));
    for (_, _, entry) in &all {
        names.note(&entry.asked);
    }
    let (firsts, sessions) = sessions(&entries);
    let mut columns = Columns::with_capacity(all.len());
    let mut places = Places::default();
    let mut add = |row: &Row<'_>, process: &str| {
        columns.push(row);
        places.push(Some(&Place {
            process: process.to_owned(),
            invoked: None,
            completed: None,
        }));
    };
    for row in names.initial_rows(sessions) {
        add(&row, AT_FIRST);
    }
    for (process, index, entry) in all {
        let key = names.key(&entry.asked.key);
        let written = entry.asked.written.as_ref();
        let seen = seen(entry, key, &mut names);
        let row = Row {
            session: firsts[process] + entry.session,
            index: index as u32,
            kind: entry.asked.kind,
            key: key as u64,
            written: written.map_or(0, |value| names.value(key, value)),
            read: seen.as_slice(),
            intended: entry.invoke,
            invoke: entry.invoke,
            returned: entry.returned,
            outcome: entry.outcome,
            error: matches!(entry.answered, Some(Answered::Mismatch))
                .then_some(ErrorKind::Mismatch),
            ..Row::EMPTY
        };
        add(&row, &names_of_processes[process]);
    }
    let end = End::of(columns.len() as u64);
    History {
        header: Header {
            keys: names.key_texts,
            values: names.texts,
            ..Header::default()
        },
        columns,
        end: Some(end),
        places,
        ..History::default()
    }
}

/// The first session of each process, and how many there are.
fn sessions<K, V>(entries: &[Vec<Entry<K, V>>]) -> (Vec<u32>, u32) {
    let mut next = 0;
    let firsts = entries
        .iter()
        .map(|list| {
            let first = next;
            next += list.last().map_or(0, |entry| entry.session + 1);
            first
        })
        .collect();
    (firsts, next)
}

/// What an operation read, or expected.
fn seen<'v, K: Eq + Hash + Debug, V: Eq + Hash + Debug>(
    entry: &'v Entry<K, V>,
    key: usize,
    names: &mut Names<'v, K, V>,
) -> Option<u64> {
    match (entry.asked.kind, &entry.answered, entry.outcome) {
        (Kind::Cas, _, _) => names.seen(key, entry.asked.expected.as_ref()),
        (Kind::Get, Some(Answered::Read(value)), Outcome::Ok) => names.seen(key, value.as_ref()),
        (Kind::Get | Kind::Put | Kind::Append, _, _) => None,
    }
}
