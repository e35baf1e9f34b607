//! Operations drawn as boxes on a time line, one line a session.
//!
//! Times are ranked, not scaled: a run's operations take microseconds and lie seconds apart. Two
//! boxes share a column exactly when the operations overlapped, also when their ends touch. Within
//! a session, though, the later operation always stands after the earlier one. If several sessions
//! did one thing after another at one instant, no picture can show all of that. An end that is
//! unknown stays open.

use std::collections::BTreeMap;

use super::super::shown::Shown;
use crate::history::{Kind, Outcome};

/// A picture's widest line.
pub(super) const COLUMNS_MAX: usize = 92;
/// The most sessions that are drawn; pictures of more explain nothing.
const SESSIONS_MAX: usize = 24;
/// Ids of one read that a box shows.
const IDS_MAX: usize = 3;

/// What a box says, the wordiest first: the picture takes the first that fits.
const LABELS: [fn(&Shown) -> String; 4] = [
    |shown| match shown.place {
        Some(_) => named(shown),
        None => format!("{} n{}", named(shown), shown.node),
    },
    named,
    number,
    |_| String::new(),
];

/// Which operation it is: of its session or, from another tool's file, by its line there.
fn number(shown: &Shown) -> String {
    match shown.place.as_ref().and_then(|place| place.invoked) {
        Some(invoked) => invoked.record.unwrap_or(invoked.line).to_string(),
        None => format!("#{}", shown.index),
    }
}

fn named(shown: &Shown) -> String {
    let key = &shown.key;
    let what = match shown.kind {
        Kind::Put => format!("={}", shown.written.as_deref().unwrap_or("?")),
        Kind::Append => format!("+{}", shown.written.as_deref().unwrap_or("?")),
        Kind::Cas => format!(
            "{}->{}",
            shown.read.first().map_or("nothing", String::as_str),
            shown.written.as_deref().unwrap_or("?")
        ),
        Kind::Get if shown.read.is_empty() => "->nothing".to_owned(),
        Kind::Get => {
            let more = shown.read.len().saturating_sub(IDS_MAX);
            let ids = shown.read[..shown.read.len() - more].join(",");
            let more = if more > 0 {
                format!(",+{more}")
            } else {
                String::new()
            };
            format!("->{ids}{more}")
        }
    };
    let label = format!("{} {} {key}{what}", number(shown), shown.kind);
    label.replace(char::is_control, "?")
}

/// An instant: the time, and the order among what happened at that time.
type Instant = (u64, u32);

/// When an operation began and ended.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: Instant,
    end: Option<Instant>,
}

/// A line of the picture: a session's operations in its order.
struct Lane<'a> {
    name: String,
    operations: Vec<(&'a Shown, Span)>,
}

/// The picture of `operations`, a string a line; empty when they do not fit any.
pub(crate) fn picture(operations: &[Shown]) -> Vec<String> {
    let lanes = lanes(operations);
    if lanes.len() > SESSIONS_MAX {
        return Vec::new();
    }
    let margin = lanes
        .iter()
        .map(|lane| lane.name.chars().count())
        .max()
        .unwrap_or(0)
        + 1;
    LABELS
        .iter()
        .find_map(|label| drawn(&lanes, margin, *label))
        .unwrap_or_default()
}

/// Whose line it is.
fn name(shown: &Shown) -> String {
    match &shown.place {
        Some(place) => format!("process {}", place.process).replace(char::is_control, "?"),
        None => format!("session {}", shown.session),
    }
}

/// The sessions, in the order in which they first did something.
fn lanes(operations: &[Shown]) -> Vec<Lane<'_>> {
    let mut sessions: BTreeMap<u32, Vec<&Shown>> = BTreeMap::new();
    for shown in operations {
        sessions.entry(shown.session).or_default().push(shown);
    }
    let mut lanes: Vec<Lane<'_>> = sessions
        .into_values()
        .map(|mut operations| {
            operations.sort_by_key(|shown| shown.index);
            Lane {
                name: name(operations[0]),
                operations: spans(&operations),
            }
        })
        .collect();
    lanes.sort_by_key(|lane| lane.operations[0].1.start);
    lanes
}

/// At one instant everything begins before anything ends, unless a session did one after the other.
fn spans<'a>(operations: &[&'a Shown]) -> Vec<(&'a Shown, Span)> {
    let mut spans: Vec<(&Shown, Span)> = Vec::with_capacity(operations.len());
    for (place, shown) in operations.iter().enumerate() {
        let tied = spans
            .last()
            .and_then(|(_, before)| before.end)
            .filter(|end| end.0 == shown.invoke);
        let start = (shown.invoke, tied.map_or(0, |end| end.1 + 1));
        let next = operations.get(place + 1);
        let known = shown.returned.filter(|_| shown.outcome != Outcome::Info);
        let end = known.map(|returned| {
            let followed = next.is_some_and(|next| next.invoke == returned);
            let order = match followed {
                true if start.0 == returned => start.1 + 1,
                true => 1,
                false => u32::MAX,
            };
            (returned, order)
        });
        spans.push((shown, Span { start, end }));
    }
    spans
}

/// Gives each instant a column such that every box has room for its label. `None` when that takes
/// more than the screen has.
fn columns(
    lanes: &[Lane<'_>],
    margin: usize,
    label: fn(&Shown) -> String,
) -> Option<(BTreeMap<Instant, usize>, usize)> {
    let mut columns: BTreeMap<Instant, usize> = BTreeMap::new();
    // For each instant the boxes that end there, as where they began and how long they must be.
    let mut ending: BTreeMap<Instant, Vec<(Instant, usize)>> = BTreeMap::new();
    let mut open = Vec::new();
    for (shown, span) in lanes.iter().flat_map(|lane| &lane.operations) {
        let length = label(shown).chars().count() + 1;
        columns.insert(span.start, 0);
        match span.end {
            Some(end) => {
                columns.insert(end, 0);
                ending.entry(end).or_default().push((span.start, length));
            }
            None => open.push((span.start, length)),
        }
    }
    let mut next = margin;
    let instants: Vec<Instant> = columns.keys().copied().collect();
    for instant in instants {
        for (start, length) in ending.get(&instant).into_iter().flatten() {
            next = next.max(columns.get(start)? + length);
        }
        columns.insert(instant, next);
        next += 1;
    }
    let open_ends = open
        .iter()
        .filter_map(|(start, length)| Some(columns.get(start)? + length));
    let width = open_ends.max().unwrap_or(0).max(next) + usize::from(!open.is_empty());
    (width <= COLUMNS_MAX).then_some((columns, width))
}

fn drawn(lanes: &[Lane<'_>], margin: usize, label: fn(&Shown) -> String) -> Option<Vec<String>> {
    let (columns, width) = columns(lanes, margin, label)?;
    let mut lines = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let mut line: Vec<char> = format!("{:<width$}", lane.name).chars().collect();
        for (shown, span) in &lane.operations {
            let start = *columns.get(&span.start)?;
            let end = match span.end {
                Some(end) => *columns.get(&end)?,
                None => width - 1,
            };
            line[start..end].fill(if span.end.is_some() { '-' } else { '.' });
            line[start] = '[';
            line[end] = if span.end.is_some() { ']' } else { '?' };
            let label = format!("{} ", label(shown));
            for (place, letter) in line[start + 1..end].iter_mut().zip(label.chars()) {
                *place = letter;
            }
        }
        lines.push(line.into_iter().collect::<String>().trim_end().to_owned());
    }
    Some(lines)
}
