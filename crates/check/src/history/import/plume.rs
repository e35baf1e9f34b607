//! The text of Plume, AWDIT and PolySI: `r(key,value,session,txn)` and `w(key,value,session,txn)`,
//! one a line, unsigned numbers. The order within a session is that of the lines, and there is no
//! time: all operations are at one instant, which orders nothing else. Value 0 is what a key holds
//! at first; transaction -1 was aborted.

use hashbrown::HashMap;

use super::super::columns::Columns;
use super::super::header::{End, Header};
use super::super::operation::{Kind, Outcome, Row};
use super::super::places::{Place, Places, Spot};
use super::super::read::History;
use super::BadLine;

type Table<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

#[derive(Default)]
struct Reader {
    columns: Columns,
    places: Places,
    keys: Table<u64, u64>,
    values: Table<(u64, u64), u64>,
    names: Vec<String>,
    texts: Vec<String>,
    next_index: Table<u32, u32>,
    /// The line on which a value was written.
    written: Table<u64, usize>,
    /// The line of a session's transaction.
    transactions: Table<(u32, u64), usize>,
}

pub(super) fn import(text: &str) -> Result<History, BadLine> {
    let mut reader = Reader::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if !line.is_empty() {
            reader
                .operation(number, line)
                .map_err(|reason| BadLine::new(number, reason))?;
        }
    }
    let end = End::of(reader.columns.len() as u64);
    Ok(History {
        header: Header {
            keys: reader.names,
            values: reader.texts,
            real_time: false,
            ..Header::default()
        },
        columns: reader.columns,
        places: reader.places,
        end: Some(end),
        ..History::default()
    })
}

/// The kind and the four numbers of a line; no transaction when it was aborted.
fn parse(line: &str) -> Option<(Kind, u64, u64, u32, Option<u64>)> {
    let (word, rest) = line.split_once('(')?;
    let kind = match word.trim() {
        "r" => Kind::Get,
        "w" => Kind::Put,
        _ => return None,
    };
    let mut numbers = rest.strip_suffix(')')?.split(',').map(str::trim);
    let key = numbers.next()?.parse().ok()?;
    let value = numbers.next()?.parse().ok()?;
    let session = numbers.next()?.parse().ok()?;
    let transaction = match numbers.next()? {
        "-1" => None,
        number => Some(number.parse().ok()?),
    };
    numbers
        .next()
        .is_none()
        .then_some((kind, key, value, session, transaction))
}

impl Reader {
    fn operation(&mut self, number: usize, line: &str) -> Result<(), String> {
        let Some((kind, key, value, session, transaction)) = parse(line) else {
            return Err(
                "an operation is r(key,value,session,txn) or w(key,value,session,txn), all numbers"
                    .to_owned(),
            );
        };
        if let Some(transaction) = transaction
            && let Some(first) = self.transactions.insert((session, transaction), number)
        {
            return Err(format!(
                "transaction {transaction} of session {session} has a second operation, its first \
                 is on line {first}: only transactions of one operation are judged"
            ));
        }
        let next = self.names.len() as u64;
        let names = &mut self.names;
        let dense = *self.keys.entry(key).or_insert_with(|| {
            names.push(key.to_string());
            next
        });
        let id = (value != 0).then(|| self.value(dense, value));
        if kind == Kind::Put {
            let Some(id) = id else {
                return Err("value 0 is what keys hold at first, it cannot be written".to_owned());
            };
            if let Some(first) = self.written.insert(id, number) {
                return Err(format!(
                    "value {value} of key {key} was written on line {first} already: in this \
                     format a key's values are unique"
                ));
            }
        }
        self.places.push(Some(&Place {
            process: session.to_string(),
            invoked: Some(Spot {
                line: number as u64,
                ..Spot::default()
            }),
            completed: None,
        }));
        let index = self.next_index.entry(session).or_insert(0);
        *index += 1;
        self.columns.push(&Row {
            session,
            index: *index - 1,
            kind,
            key: dense,
            written: id.filter(|_| kind == Kind::Put).unwrap_or(0),
            read: if kind == Kind::Get {
                id.as_slice()
            } else {
                &[]
            },
            returned: Some(0),
            outcome: transaction.map_or(Outcome::Fail, |_| Outcome::Ok),
            ..Row::EMPTY
        });
        Ok(())
    }

    fn value(&mut self, key: u64, value: u64) -> u64 {
        let next = self.texts.len() as u64;
        let texts = &mut self.texts;
        *self.values.entry((key, value)).or_insert_with(|| {
            texts.push(value.to_string());
            next
        })
    }
}
