//! Puts a history together from invocations and completions in the order of time.

use hashbrown::HashMap;

use super::super::columns::Columns;
use super::super::edn::Value;
use super::super::header::{End, Header};
use super::super::operation::{ErrorKind, Kind, Outcome, Phase, Row};
use super::super::places::{self, Places, Spot};
use super::super::read::History;
use super::{BadLine, FailedCas, ImportOptions};

type Table<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// The text of nil.
const NIL: &str = "nil";

/// Where an event stands in the user's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Its line, from 1.
    pub(super) line: usize,
    /// Which of the file's records it is, from 1.
    pub(super) record: usize,
    /// Its `:index`, where the format has one.
    pub(super) index: Option<i64>,
}

/// Who does something, and when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Event<'v> {
    /// The process as the file names it.
    pub(super) process: &'v Value<'v>,
    pub(super) place: Place,
    /// Its time, in ns.
    pub(super) time: Option<u64>,
}

/// What is done to a register: what an invocation asks for, and what its completion says of it.
/// `nil` in an invocation is left open, and an `Ok` completion fills it in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Action<'v> {
    Put(&'v Value<'v>),
    /// With what was read.
    Get(&'v Value<'v>),
    /// With the expected value and the new one.
    Cas(&'v Value<'v>, &'v Value<'v>),
    Append(&'v Value<'v>),
}

impl<'v> Action<'v> {
    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Put(_) => Kind::Put,
            Self::Get(_) => Kind::Get,
            Self::Cas(..) => Kind::Cas,
            Self::Append(_) => Kind::Append,
        }
    }

    /// The value that is read or expected, and the one that is written.
    const fn values(self) -> (Option<&'v Value<'v>>, Option<&'v Value<'v>>) {
        match self {
            Self::Put(written) | Self::Append(written) => (None, Some(written)),
            Self::Get(read) => (Some(read), None),
            Self::Cas(expected, written) => (Some(expected), Some(written)),
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ended<'v> {
    /// On this register, with this.
    Ok(&'v Value<'v>, Action<'v>),
    /// As it was invoked: the completion says no more.
    OkAsAsked,
    Fail,
    /// It failed, and an error says why: not for what the register held.
    FailByError,
    Info,
}

/// An operation of the history. Of its values `None` is nil.
#[derive(Debug)]
struct Operation {
    life: usize,
    index: u32,
    kind: Kind,
    key: usize,
    read: Option<u64>,
    written: Option<u64>,
    invoke: u64,
    returned: Option<u64>,
    outcome: Outcome,
    error: Option<ErrorKind>,
    invoked_at: Place,
    completed_at: Option<Place>,
}

/// One life of a process: an unknown outcome ends it.
#[derive(Debug)]
struct Life {
    process: usize,
    is_first: bool,
    next_index: u32,
    open: Option<usize>,
}

/// One register; its name and its values are EDN.
#[derive(Debug, Default)]
struct Register {
    name: String,
    values: Table<String, u64>,
    /// Somebody wrote what stands for nothing.
    nothing_written: bool,
}

/// The history as far as it was read.
pub(super) struct Events<'o> {
    options: &'o ImportOptions,
    /// The value of a register that nobody wrote, as EDN.
    nothing: String,
    failed_cas: FailedCas,
    lives: Vec<Life>,
    /// What the processes are called, in the order of their first invocations.
    processes: Vec<String>,
    numbers: Table<String, usize>,
    /// The life of each process that has one.
    current: Vec<Option<usize>>,
    operations: Vec<Operation>,
    registers: Vec<Register>,
    names: Table<String, usize>,
    texts: Vec<String>,
    /// The line of the first completion that filled in what was to be written.
    filled_in: Option<usize>,
    time: u64,
    last_line: usize,
    /// Several events stand on one line.
    shares_lines: bool,
}

impl<'o> Events<'o> {
    pub(super) fn new(
        options: &'o ImportOptions,
        nothing: &Value<'_>,
        failed_cas: FailedCas,
    ) -> Self {
        Self {
            options,
            nothing: nothing.to_string(),
            failed_cas: options.failed_cas.unwrap_or(failed_cas),
            lives: Vec::new(),
            processes: Vec::new(),
            numbers: Table::default(),
            current: Vec::new(),
            operations: Vec::new(),
            registers: Vec::new(),
            names: Table::default(),
            texts: Vec::new(),
            filled_in: None,
            time: 0,
            last_line: 1,
            shares_lines: false,
        }
    }

    /// The time of the next event: its own, but always after the last one's, since the order of
    /// the lines is that of time.
    fn tick(&mut self, event: &Event<'_>) -> u64 {
        self.shares_lines |= self.time > 0 && self.last_line == event.place.line;
        self.last_line = event.place.line;
        self.time = event.time.unwrap_or(0).max(self.time + 1);
        self.time
    }

    fn register(&mut self, name: &Value<'_>) -> usize {
        let name = name.to_string();
        if let Some(key) = self.names.get(&name) {
            return *key;
        }
        let key = self.registers.len();
        self.registers.push(Register {
            name: name.clone(),
            ..Register::default()
        });
        self.names.insert(name, key);
        key
    }

    /// The id of a value of a register, whose text is given.
    fn id(&mut self, key: usize, text: String) -> u64 {
        if let Some(id) = self.registers[key].values.get(&text) {
            return *id;
        }
        let id = self.texts.len() as u64;
        self.texts.push(text.clone());
        self.registers[key].values.insert(text, id);
        id
    }

    /// The ids of what an action reads and writes; nil has none.
    fn ids(&mut self, key: usize, action: Action<'_>) -> (Option<u64>, Option<u64>) {
        let (read, written) = action.values();
        let mut id = |value: Option<&Value<'_>>| {
            let value = value.filter(|value| **value != Value::Nil)?;
            Some(self.id(key, value.to_string()))
        };
        (id(read), id(written))
    }

    /// The current life of a process, begun if it has none.
    fn life(&mut self, process: &Value<'_>) -> usize {
        let name = process.to_string();
        let next = self.processes.len();
        let process = *self.numbers.entry(name).or_insert_with_key(|name| {
            self.processes.push(name.clone());
            next
        });
        let is_first = process == next;
        if is_first {
            self.current.push(None);
        }
        *self.current[process].get_or_insert_with(|| {
            self.lives.push(Life {
                process,
                is_first,
                next_index: 0,
                open: None,
            });
            self.lives.len() - 1
        })
    }

    /// A process asks for something.
    ///
    /// # Errors
    /// When its last operation is still open.
    pub(super) fn invoke(
        &mut self,
        event: &Event<'_>,
        key: &Value<'_>,
        action: Action<'_>,
    ) -> Result<(), String> {
        let life = self.life(event.process);
        if let Some(open) = self.lives[life].open {
            return Err(format!(
                "process {} invokes an operation while its last one, of line {}, is still open: a \
                 process has one at a time",
                event.process, self.operations[open].invoked_at.line
            ));
        }
        let key = self.register(key);
        let (read, written) = self.ids(key, action);
        let invoke = self.tick(event);
        self.lives[life].open = Some(self.operations.len());
        self.operations.push(Operation {
            life,
            index: self.lives[life].next_index,
            kind: action.kind(),
            key,
            read,
            written,
            invoke,
            returned: None,
            outcome: Outcome::Info,
            error: None,
            invoked_at: event.place,
            completed_at: None,
        });
        self.lives[life].next_index += 1;
        Ok(())
    }

    /// What the process had asked for ended. `kind` is what the completion says that it was.
    ///
    /// # Errors
    /// When the process has no operation open, or when the completion is of another operation.
    pub(super) fn complete(
        &mut self,
        event: &Event<'_>,
        kind: Kind,
        ended: Ended<'_>,
    ) -> Result<(), String> {
        let process = self.numbers.get(&event.process.to_string()).copied();
        let life = process.and_then(|process| self.current[process]);
        let Some((life, number)) =
            life.and_then(|life| Some((life, self.lives[life].open.take()?)))
        else {
            return Err(format!(
                "process {} completes an operation that it did not invoke: is the start of the \
                 file missing?",
                event.process
            ));
        };
        let returned = self.tick(event);
        let invoked = &self.operations[number];
        if invoked.kind != kind {
            return Err(format!(
                "process {} completes a {kind}, but it invoked a {} on line {}",
                event.process, invoked.kind, invoked.invoked_at.line
            ));
        }
        if let Ended::Ok(key, action) = ended {
            self.confirm(event, number, key, action)?;
        }
        let anything = self.options.nil_reads_match_anything
            && matches!(ended, Ended::Ok(_, Action::Get(value)) if value.to_string() == self.nothing);
        let mismatch = kind == Kind::Cas
            && matches!(ended, Ended::Fail)
            && self.failed_cas == FailedCas::Mismatch;
        let operation = &mut self.operations[number];
        operation.returned = Some(returned);
        operation.completed_at = Some(event.place);
        operation.outcome = match ended {
            // What a read of anything saw is as good as unknown.
            Ended::Ok(..) if anything => Outcome::Info,
            Ended::Ok(..) | Ended::OkAsAsked => Outcome::Ok,
            Ended::Fail | Ended::FailByError => Outcome::Fail,
            Ended::Info => Outcome::Info,
        };
        if operation.outcome == Outcome::Fail && mismatch {
            operation.error = Some(ErrorKind::Mismatch);
        }
        if let (Ended::Info, Some(process)) = (ended, process) {
            self.current[process] = None;
        }
        debug_assert_eq!(self.lives[life].open, None);
        Ok(())
    }

    /// Holds an `Ok` completion against its invocation, and fills in what that left open.
    fn confirm(
        &mut self,
        event: &Event<'_>,
        number: usize,
        key: &Value<'_>,
        action: Action<'_>,
    ) -> Result<(), String> {
        let register = self.operations[number].key;
        let name = key.to_string();
        if self.registers[register].name != name {
            return Err(format!(
                "the completion is of key {name}, its invocation on line {} is of key {}: one of \
                 the two is wrong",
                self.operations[number].invoked_at.line, self.registers[register].name
            ));
        }
        let (read, written) = self.ids(register, action);
        let operation = &mut self.operations[number];
        let is_cas = operation.kind == Kind::Cas;
        let asked = (operation.read, operation.written);
        let may_differ = |asked: Option<u64>| asked.is_none() && !is_cas;
        let same =
            (asked.0 == read || may_differ(asked.0)) && (asked.1 == written || may_differ(asked.1));
        operation.read = read;
        operation.written = written;
        if same {
            if asked.1 != written {
                self.filled_in.get_or_insert(event.place.line);
            }
            return Ok(());
        }
        let line = operation.invoked_at.line;
        let kind = operation.kind;
        Err(format!(
            "the completion says {kind} {}, its invocation on line {line} says {kind} {}: one of \
             the two is wrong",
            self.said(kind, (read, written)),
            self.said(kind, asked)
        ))
    }

    /// The values of an action, for a message.
    fn said(&self, kind: Kind, (read, written): (Option<u64>, Option<u64>)) -> String {
        let text = |id: Option<u64>| id.map_or(NIL, |id| self.texts[id as usize].as_str());
        match kind {
            Kind::Get => text(read).to_owned(),
            Kind::Put | Kind::Append => text(written).to_owned(),
            Kind::Cas => format!("[{} {}]", text(read), text(written)),
        }
    }

    /// The history. What is still open stays so for ever.
    ///
    /// # Errors
    /// When there is no operation, or when nobody knows what one wrote.
    pub(super) fn finish(mut self) -> Result<History, BadLine> {
        if self.operations.is_empty() {
            return Err(BadLine::new(
                self.last_line,
                "the history is empty: there is no operation of a client in it",
            ));
        }
        self.all_are_known()?;
        self.note_nothing();
        let mut columns = Columns::with_capacity(self.operations.len());
        let sessions = self.sessions()?;
        self.push_initial(&mut columns, sessions.next)?;
        let places = self.places(columns.len());
        for number in 0..self.operations.len() {
            let read = self.read(number);
            let written = self.written(number);
            let operation = &self.operations[number];
            columns.push(&Row {
                session: sessions.of_lives[operation.life],
                index: operation.index,
                kind: operation.kind,
                key: operation.key as u64,
                written,
                read: read.as_slice(),
                intended: operation.invoke,
                invoke: operation.invoke,
                returned: operation.returned,
                outcome: operation.outcome,
                error: operation.error,
                ..Row::EMPTY
            });
        }
        let end = End::of(columns.len() as u64);
        Ok(History {
            header: Header {
                keys: self.registers.into_iter().map(|r| r.name).collect(),
                values: self.texts,
                edn: true,
                ..Header::default()
            },
            columns,
            end: Some(end),
            places,
            ..History::default()
        })
    }

    /// Where the operations stand in the file. What `initial` registers hold at first comes before
    /// them, and stands nowhere.
    fn places(&self, initial: usize) -> Places {
        let spot = |place: Place| Spot {
            line: place.line as u64,
            record: self.shares_lines.then_some(place.record as u64),
            index: place.index,
        };
        let mut places = Places::default();
        for _ in 0..initial {
            places.push(None);
        }
        for operation in &self.operations {
            places.push(Some(&places::Place {
                process: self.processes[self.lives[operation.life].process].clone(),
                invoked: Some(spot(operation.invoked_at)),
                completed: operation.completed_at.map(spot),
            }));
        }
        places
    }

    /// Where completions fill in what is written, an operation that has none wrote nobody knows
    /// what.
    fn all_are_known(&self) -> Result<(), BadLine> {
        let Some(filled_in) = self.filled_in else {
            return Ok(());
        };
        let unknown = self.operations.iter().find(|operation| {
            operation.kind != Kind::Get
                && operation.written.is_none()
                && operation.outcome == Outcome::Info
        });
        let Some(operation) = unknown else {
            return Ok(());
        };
        Err(BadLine::new(
            operation.invoked_at.line,
            format!(
                "nobody knows what this {} wrote: its value is nil, no :ok filled it in, and line \
                 {filled_in} shows that nil stands for a value here",
                operation.kind
            ),
        ))
    }

    /// Sees on which registers what stands for nothing is a value that was written too.
    fn note_nothing(&mut self) {
        for operation in &self.operations {
            let written = match operation.written {
                None => self.nothing == NIL,
                Some(id) => self.texts[id as usize] == self.nothing,
            };
            self.registers[operation.key].nothing_written |= operation.kind != Kind::Get && written;
        }
    }

    /// The id of a value; nil gets one now.
    fn known(&mut self, key: usize, id: Option<u64>) -> u64 {
        id.unwrap_or_else(|| self.id(key, NIL.to_owned()))
    }

    fn written(&mut self, number: usize) -> u64 {
        let operation = &self.operations[number];
        match operation.kind {
            Kind::Get => 0,
            Kind::Put | Kind::Cas | Kind::Append => self.known(operation.key, operation.written),
        }
    }

    /// What an operation read or expected, where that is known and is something.
    fn read(&mut self, number: usize) -> Option<u64> {
        let operation = &self.operations[number];
        let (key, read) = (operation.key, operation.read);
        let saw = match operation.kind {
            Kind::Get => operation.outcome == Outcome::Ok,
            Kind::Cas => true,
            Kind::Put | Kind::Append => false,
        };
        let may_be_nothing = self.options.initial.is_none() && !self.registers[key].nothing_written;
        let text = read.map_or(NIL, |id| self.texts[id as usize].as_str());
        let is_nothing = may_be_nothing && text == self.nothing;
        (saw && !is_nothing).then(|| self.known(key, read))
    }

    /// What registers hold at first is put before everything else: the value that the caller
    /// names, or nothing where it is a value that is written as well.
    fn push_initial(&mut self, columns: &mut Columns, session: u32) -> Result<(), BadLine> {
        let initial = self.options.initial.as_ref().map(ToString::to_string);
        for (index, key) in (0..).zip(0..self.registers.len()) {
            let is_written = self.registers[key].nothing_written;
            let text = match &initial {
                Some(initial) => initial.clone(),
                None if is_written => self.nothing.clone(),
                None => continue,
            };
            if text == self.nothing && !is_written {
                continue;
            }
            let written = self.id(key, text);
            columns.push(&Row {
                session,
                index,
                kind: Kind::Put,
                key: key as u64,
                written,
                returned: Some(0),
                phase: Phase::Load,
                ..Row::EMPTY
            });
        }
        Ok(())
    }

    /// The sessions of the lives. Where the processes have small numbers, the first life of each
    /// keeps its number; otherwise processes are numbered as they came.
    fn sessions(&self) -> Result<Sessions, BadLine> {
        let own = |name: &String| name.parse().ok().filter(|number| *number < u32::MAX / 2);
        let own: Option<Vec<u32>> = self.processes.iter().map(own).collect();
        let first = |process: usize| own.as_ref().map_or(process as u32, |own| own[process]);
        let largest = (0..self.processes.len()).map(first).max().unwrap_or(0);
        let lives = u32::try_from(self.lives.len()).ok();
        if lives
            .and_then(|lives| lives.checked_add(largest)?.checked_add(2))
            .is_none()
        {
            return Err(BadLine::new(
                self.last_line,
                "there are more than 2^31 sessions",
            ));
        }
        let mut next = largest + 1;
        let of_lives = self.lives.iter().map(|life| {
            if life.is_first {
                return first(life.process);
            }
            next += 1;
            next - 1
        });
        let of_lives = of_lives.collect();
        Ok(Sessions { of_lives, next })
    }
}

/// The sessions of the lives, and the first that is free.
struct Sessions {
    of_lives: Vec<u32>,
    next: u32,
}
