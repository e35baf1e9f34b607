//! Histories for other programs: Jepsen's EDN, and CSV.

use std::borrow::Cow;
use std::io::{self, Write};

use hashbrown::HashMap;

use super::columns::NEVER;
use super::edn::Value;
use super::header::Limit;
use super::operation::{CORRUPT, ErrorKind, Kind, Outcome, Phase};
use super::read::History;

/// Why a history was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Writing failed.
    #[error("cannot write the history: {0}")]
    Io(#[from] io::Error),
    /// The format cannot say what the history says.
    #[error("{0}: export it with --format jsonl")]
    Unsayable(String),
}

/// One end of an operation, in the order in which the ends are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Event {
    time: u64,
    /// At one instant: invokes first, so that ties stay concurrent, but what a session did next
    /// on the key after the return that it followed.
    rank: u8,
    row: usize,
}

/// Writes a history as Jepsen's EDN: a line for each start and each end of an operation, values
/// being `[key value]`.
///
/// ```
/// use kvs_check::{Put, Recorder, history::write_jepsen_edn};
///
/// let recorder = Recorder::new();
/// recorder.process("alice").invoke(Put("x", 1)).ok(());
/// let mut edn = Vec::new();
/// write_jepsen_edn(&recorder.finish(), &mut edn)?;
/// let edn = String::from_utf8(edn)?;
/// assert!(edn.starts_with("{:process 0, :type :invoke, :f :write, "));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When writing fails, or when the history has what EDN cannot say: several values of one get,
/// appends, operations that were left out, no real time.
pub fn write_jepsen_edn(history: &History, output: &mut impl Write) -> Result<(), ExportError> {
    sayable(history)?;
    let mut processes = Processes::default();
    for (index, event) in (0u64..).zip(events(history)) {
        let row = history.row(event.row);
        let invokes = event.rank % 2 == 0;
        let (process, word) = if invokes {
            (processes.begin(event.row, row.session), "invoke")
        } else {
            (processes.end(event.row, row.outcome), row.outcome.name())
        };
        let f = match row.kind {
            Kind::Put => "write",
            Kind::Get => "read",
            Kind::Cas => "cas",
            Kind::Append => "append",
        };
        let read = row.read.first().copied();
        let what = match row.kind {
            Kind::Get if invokes || row.outcome != Outcome::Ok => "nil".to_owned(),
            Kind::Get => value(history, read),
            Kind::Cas => format!(
                "[{} {}]",
                value(history, read),
                value(history, Some(row.written))
            ),
            Kind::Put | Kind::Append => value(history, Some(row.written)),
        };
        let error = match row.error.filter(|_| !invokes) {
            Some(error) => format!(" :error :{error},"),
            None => String::new(),
        };
        writeln!(
            output,
            "{{:process {process}, :type :{word}, :f :{f}, :value [{} {what}],{error} :time {}, \
             :index {index}}}",
            key(history, row.key),
            event.time
        )?;
    }
    output.flush()?;
    Ok(())
}

/// Whether the row is one for other tools: they would hold a local read to every model.
fn is_exported(history: &History, row: usize) -> bool {
    history.columns.phase[row] != Phase::Local
}

fn sayable(history: &History) -> Result<(), ExportError> {
    let unsayable = |what: String| Err(ExportError::Unsayable(what));
    let columns = &history.columns;
    if !history.header.real_time {
        return unsayable("the history has no real time, which EDN's order of lines means".into());
    }
    let sampled = |limit: Limit| history.len() as u64 >= limit.operations;
    if history.end.is_none() || history.header.limit.is_some_and(sampled) {
        return unsayable("the history is not whole, and EDN cannot say what is missing".into());
    }
    for row in (0..history.len()).filter(|row| is_exported(history, *row)) {
        let name = || history.operation_name(row);
        if columns.read.at(row).len() > 1 {
            return unsayable(format!(
                "{} read several values, EDN's registers have one",
                name()
            ));
        }
        if columns.kind[row] == Kind::Append {
            return unsayable(format!(
                "{} is an append, Jepsen's registers have none",
                name()
            ));
        }
        let silent = columns.outcome[row] == Outcome::Fail
            && columns.kind[row] == Kind::Cas
            && columns.error[row] != Some(ErrorKind::Mismatch);
        if silent && columns.error.contains(&Some(ErrorKind::Mismatch)) {
            return unsayable(format!(
                "{} is a cas that failed for another reason than a mismatch, EDN says \
                 :fail for both",
                name()
            ));
        }
    }
    Ok(())
}

fn events(history: &History) -> Vec<Event> {
    let columns = &history.columns;
    let rows = || (0..history.len()).filter(|row| is_exported(history, *row));
    let mut order: Vec<usize> = rows().collect();
    order.sort_by_key(|row| (columns.session[*row], columns.index[*row]));
    let mut follows = vec![false; history.len()];
    let mut is_followed = vec![false; history.len()];
    for pair in order.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        let tied = columns.session[a] == columns.session[b]
            && columns.key[a] == columns.key[b]
            && columns.outcome[a] != Outcome::Info
            && columns.returned[a] == columns.invoke[b];
        follows[b] |= tied;
        is_followed[a] |= tied;
    }
    let mut events = Vec::with_capacity(2 * history.len());
    for row in rows() {
        let mut push = |time, rank| events.push(Event { time, rank, row });
        push(columns.invoke[row], if follows[row] { 2 } else { 0 });
        if columns.returned[row] != NEVER {
            push(columns.returned[row], if is_followed[row] { 1 } else { 3 });
        }
    }
    events.sort_unstable();
    // An operation without duration still begins before it ends.
    let mut begun = vec![false; history.len()];
    let mut ordered = Vec::with_capacity(events.len());
    for event in events {
        if event.rank % 2 == 0 {
            if !std::mem::replace(&mut begun[event.row], true) {
                ordered.push(event);
            }
            continue;
        }
        if !std::mem::replace(&mut begun[event.row], true) {
            let rank = 0;
            ordered.push(Event { rank, ..event });
        }
        ordered.push(event);
    }
    ordered
}

/// Which process a session is: its own number, unless that is busy or was ended by an unknown
/// outcome.
#[derive(Default)]
struct Processes {
    of_row: HashMap<usize, u64, foldhash::fast::FixedState>,
    of_session: HashMap<u32, u64, foldhash::fast::FixedState>,
    busy: HashMap<u64, usize, foldhash::fast::FixedState>,
    fresh: u64,
}

/// Where the processes begin that are no session's own number.
const FRESH: u64 = 1 << 30;

impl Processes {
    fn begin(&mut self, row: usize, session: u32) -> u64 {
        let own = *self.of_session.entry(session).or_insert_with(|| {
            if u64::from(session) < FRESH {
                return u64::from(session);
            }
            self.fresh += 1;
            FRESH + self.fresh
        });
        let process = if self.busy.contains_key(&own) {
            self.fresh += 1;
            self.of_session.insert(session, FRESH + self.fresh);
            FRESH + self.fresh
        } else {
            own
        };
        self.busy.insert(process, row);
        self.of_row.insert(row, process);
        process
    }

    fn end(&mut self, row: usize, outcome: Outcome) -> u64 {
        let process = self.of_row.remove(&row).unwrap_or(FRESH);
        // A process whose operation is unknown is never used again.
        if outcome != Outcome::Info {
            self.busy.remove(&process);
        }
        process
    }
}

fn string(text: &str) -> String {
    Value::Text(Cow::Borrowed(text)).to_string()
}

fn key(history: &History, key: u64) -> String {
    let name = history.key_name(key);
    let has_name = usize::try_from(key).is_ok_and(|key| key < history.header.keys.len());
    if !has_name || history.header.edn {
        name
    } else {
        string(&name)
    }
}

/// A value: its text when that is EDN or a number, else as a string.
fn value(history: &History, id: Option<u64>) -> String {
    let Some(id) = id else {
        return "nil".to_owned();
    };
    if id == CORRUPT {
        return ":corrupt".to_owned();
    }
    let name = history.value_name(id);
    let values = &history.header.values;
    let has_text = usize::try_from(id).is_ok_and(|id| id < values.len());
    let is_number = name.parse::<i64>().is_ok_and(|n| n.to_string() == name);
    let is_edn = has_text && (history.header.edn || name == "nil");
    if is_edn || is_number {
        name
    } else {
        string(&name)
    }
}

/// Writes a history's operations as CSV, without the servers' evidence.
///
/// ```
/// use kvs_check::{Put, Recorder, history::write_csv};
///
/// let recorder = Recorder::new();
/// recorder.process("alice").invoke(Put("x", 1)).ok(());
/// let mut csv = Vec::new();
/// write_csv(&recorder.finish(), &mut csv)?;
/// assert!(csv.starts_with(b"session,index,kind,key,written,read,"));
/// # Ok::<(), kvs_check::history::ExportError>(())
/// ```
///
/// # Errors
/// When writing fails.
pub fn write_csv(history: &History, output: &mut impl Write) -> Result<(), ExportError> {
    let mut writer = csv::Writer::from_writer(output);
    let failed = |error: csv::Error| ExportError::Io(error.into());
    writer
        .write_record([
            "session",
            "index",
            "kind",
            "key",
            "written",
            "read",
            "intended",
            "invoke",
            "return",
            "outcome",
            "error",
            "node",
            "incarnation",
            "group",
            "phase",
        ])
        .map_err(failed)?;
    for i in 0..history.len() {
        let row = history.row(i);
        let read: Vec<String> = row.read.iter().map(|id| history.value_name(*id)).collect();
        writer
            .write_record([
                row.session.to_string(),
                row.index.to_string(),
                row.kind.to_string(),
                history.key_name(row.key),
                if row.kind == Kind::Get {
                    String::new()
                } else {
                    history.value_name(row.written)
                },
                read.join(" "),
                row.intended.to_string(),
                row.invoke.to_string(),
                row.returned.map_or_else(String::new, |at| at.to_string()),
                row.outcome.to_string(),
                row.error
                    .map_or_else(String::new, |error| error.to_string()),
                row.node.to_string(),
                row.incarnation.to_string(),
                row.group.to_string(),
                row.phase.to_string(),
            ])
            .map_err(failed)?;
    }
    writer.flush()?;
    Ok(())
}
