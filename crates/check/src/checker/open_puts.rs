//! Puts that were read but not recorded, because the recording had ended or no longer covered their
//! key.

use std::borrow::Cow;

use super::index::{Table, is_sampled, is_whole};
use super::lookup::ids_are_places;
use crate::history::{CORRUPT, History, Kind, NEVER, Outcome, Row, id_index, id_session};

/// Adds the puts that were under way when the recording ended: an id that was read, and that lies
/// past the last row of its session in a history without an end record, or on a key that
/// recording had left, is an unknown put.
pub(super) fn with_open_puts(history: &History) -> Cow<'_, History> {
    if history.end.is_some() && !is_sampled(history) {
        return Cow::Borrowed(history);
    }
    let mut recorded = Recorded::of(history);
    let columns = &history.columns;
    let mut open = Cow::Borrowed(history);
    for row in 0..columns.len() {
        for id in columns.read.at(row) {
            let (session, index) = (id_session(*id), id_index(*id));
            let last = recorded.last.get(&session).copied();
            let (last_index, end) = last.unwrap_or((0, 0));
            // Ids that name no places, and rows in no order, do not say where a cut fell.
            let told = recorded.in_order && recorded.by_place;
            let past = history.end.is_none() && told && (index > last_index || last.is_none());
            let left = !is_whole(history, columns.key[row]) || (history.end.is_none() && !told);
            if *id == CORRUPT || recorded.known.contains_key(id) || !(past || left) {
                continue;
            }
            recorded.known.insert(*id, ());
            // A put that was left out has later rows in its session; its place there is unknown,
            // so it gets a session of its own. So does all but one that were under way.
            let own = u32::MAX - open.len() as u32;
            let continues = past && recorded.ended.insert(session, ()).is_none();
            open.to_mut().columns.push(&Row {
                session: if continues { session } else { own },
                index,
                kind: Kind::Put,
                key: columns.key[row],
                written: *id,
                intended: if past { end } else { 0 },
                invoke: if past { end } else { 0 },
                outcome: Outcome::Info,
                group: columns.group[row],
                ..Row::EMPTY
            });
        }
    }
    open
}

/// What the rows of a history say about where its recording ended.
struct Recorded {
    /// The ids that were written.
    known: Table<u64, ()>,
    /// The last index of each session, and when that operation ended.
    last: Table<u32, (u32, u64)>,
    /// Sessions that a write of unknown outcome has ended.
    ended: Table<u32, ()>,
    /// Whether each session's rows are in its order, as they are recorded.
    in_order: bool,
    /// Whether ids say where their puts are.
    by_place: bool,
}

impl Recorded {
    fn of(history: &History) -> Self {
        let columns = &history.columns;
        let mut recorded = Self {
            known: Table::default(),
            last: Table::default(),
            ended: Table::default(),
            in_order: true,
            by_place: history.header.values.is_empty() && ids_are_places(columns),
        };
        for row in 0..columns.len() {
            let (session, index) = (columns.session[row], columns.index[row]);
            if columns.kind[row] != Kind::Get {
                recorded.known.insert(columns.written[row], ());
                if columns.outcome[row] == Outcome::Info {
                    recorded.ended.insert(session, ());
                }
            }
            let end = match columns.returned[row] {
                NEVER => columns.invoke[row],
                returned => returned,
            };
            let last = recorded.last.entry(session).or_insert((index, end));
            recorded.in_order &= last.0 <= index;
            *last = (*last).max((index, end));
        }
        recorded
    }
}
