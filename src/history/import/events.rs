//! Puts a history together from invocations and completions in the order of time.

use hashbrown::HashMap;

use super::super::columns::Columns;
use super::super::header::{End, Header};
use super::super::operation::{ErrorKind, Kind, Outcome, Phase, Row};
use super::super::read::History;
use super::{FailedCas, ImportOptions};

type Table<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// What a process asks for; values are texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Put(String),
    Get,
    Cas(String, String),
    Append(String),
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// With the value that a get read.
    Ok(Option<String>),
    Fail,
    Info,
}

/// An operation of the history.
#[derive(Debug)]
struct Operation {
    life: usize,
    index: u32,
    kind: Kind,
    key: usize,
    written: u64,
    read: Option<u64>,
    invoke: u64,
    returned: Option<u64>,
    outcome: Outcome,
    error: Option<ErrorKind>,
}

/// One life of a process: an unknown outcome ends it.
#[derive(Debug)]
struct Life {
    process: u64,
    is_first: bool,
    next_index: u32,
    open: Option<usize>,
}

/// One register.
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
    /// The value of a register that nobody wrote.
    nothing: &'static str,
    failed_cas: FailedCas,
    lives: Vec<Life>,
    current: Table<u64, usize>,
    /// Processes that had a life.
    seen: Table<u64, ()>,
    operations: Vec<Operation>,
    registers: Vec<Register>,
    names: Table<String, usize>,
    texts: Vec<String>,
    time: u64,
}

impl<'o> Events<'o> {
    pub(super) fn new(
        options: &'o ImportOptions,
        nothing: &'static str,
        failed_cas: FailedCas,
    ) -> Self {
        Self {
            options,
            nothing,
            failed_cas: options.failed_cas.unwrap_or(failed_cas),
            lives: Vec::new(),
            current: Table::default(),
            seen: Table::default(),
            operations: Vec::new(),
            registers: Vec::new(),
            names: Table::default(),
            texts: Vec::new(),
            time: 0,
        }
    }

    /// The time of the next event: its own, but always after the last one's, since the order of
    /// the lines is that of time.
    fn tick(&mut self, time: Option<u64>) -> u64 {
        self.time = time.unwrap_or(0).max(self.time + 1);
        self.time
    }

    fn register(&mut self, name: &str) -> usize {
        if let Some(key) = self.names.get(name) {
            return *key;
        }
        let key = self.registers.len();
        self.registers.push(Register {
            name: name.to_owned(),
            ..Register::default()
        });
        self.names.insert(name.to_owned(), key);
        key
    }

    /// The id of a value of a register.
    fn value(&mut self, key: usize, text: &str) -> u64 {
        if let Some(id) = self.registers[key].values.get(text) {
            return *id;
        }
        let id = self.texts.len() as u64;
        self.texts.push(text.to_owned());
        self.registers[key].values.insert(text.to_owned(), id);
        id
    }

    fn written(&mut self, key: usize, text: &str) -> u64 {
        self.registers[key].nothing_written |= text == self.nothing;
        self.value(key, text)
    }

    /// A process asks for something.
    pub(super) fn invoke(
        &mut self,
        process: u64,
        key: &str,
        asked: &Asked,
        time: Option<u64>,
    ) -> Result<(), String> {
        let known = self.current.get(&process).copied();
        let life = known.unwrap_or(self.lives.len());
        if known.is_none() {
            let is_first = self.seen.insert(process, ()).is_none();
            self.lives.push(Life {
                process,
                is_first,
                next_index: 0,
                open: None,
            });
            self.current.insert(process, life);
        }
        if self.lives[life].open.is_some() {
            return Err(format!(
                "process {process} invokes an operation while its last one is still open: a \
                 process has one at a time"
            ));
        }
        let key = self.register(key);
        let (kind, written, read) = match asked {
            Asked::Get => (Kind::Get, 0, None),
            Asked::Put(value) => (Kind::Put, self.written(key, value), None),
            Asked::Append(value) => (Kind::Append, self.written(key, value), None),
            Asked::Cas(expected, value) => {
                let expected = self.value(key, expected);
                (Kind::Cas, self.written(key, value), Some(expected))
            }
        };
        let invoke = self.tick(time);
        self.lives[life].open = Some(self.operations.len());
        self.operations.push(Operation {
            life,
            index: self.lives[life].next_index,
            kind,
            key,
            written,
            read,
            invoke,
            returned: None,
            outcome: Outcome::Info,
            error: None,
        });
        self.lives[life].next_index += 1;
        Ok(())
    }

    /// What the process had asked for ended. `key` and `kind` are what the completion says.
    pub(super) fn complete(
        &mut self,
        process: u64,
        kind: Kind,
        key: Option<&str>,
        ended: Ended,
        time: Option<u64>,
    ) -> Result<(), String> {
        let life = self.current.get(&process).copied();
        let Some((life, number)) =
            life.and_then(|life| Some((life, self.lives[life].open.take()?)))
        else {
            return Err(format!(
                "process {process} completes an operation that it did not invoke: is the start of \
                 the file missing?"
            ));
        };
        let returned = self.tick(time);
        let (asked, register) = (self.operations[number].kind, self.operations[number].key);
        if asked != kind || key.is_some_and(|key| self.registers[register].name != key) {
            return Err(format!(
                "process {process} completes another operation than the {asked} of {} that it \
                 invoked",
                self.registers[register].name
            ));
        }
        let mut anything = false;
        if let (Ended::Ok(Some(text)), Kind::Get) = (&ended, kind) {
            anything = self.options.nil_reads_match_anything && text == self.nothing;
            let id = self.value(register, text);
            self.operations[number].read = (!anything).then_some(id);
        }
        let mismatch = kind == Kind::Cas && self.failed_cas == FailedCas::Mismatch;
        let operation = &mut self.operations[number];
        operation.returned = Some(returned);
        operation.outcome = match ended {
            // What a read of anything saw is as good as unknown.
            Ended::Ok(_) if anything => Outcome::Info,
            Ended::Ok(_) => Outcome::Ok,
            Ended::Fail => Outcome::Fail,
            Ended::Info => Outcome::Info,
        };
        if ended == Ended::Fail && mismatch {
            operation.error = Some(ErrorKind::Mismatch);
        }
        if ended == Ended::Info {
            self.current.remove(&process);
        }
        debug_assert_eq!(self.lives[life].open, None);
        Ok(())
    }

    /// The history. What is still open stays so for ever.
    pub(super) fn finish(mut self) -> Result<History, String> {
        if self.operations.is_empty() {
            return Err(
                "there is no operation in it: is it the format that `--format` says?".to_owned(),
            );
        }
        let mut columns = Columns::with_capacity(self.operations.len());
        self.push_initial(&mut columns)?;
        let sessions = self.sessions()?;
        let initial_is_nothing = self.options.initial.is_none();
        for operation in &self.operations {
            let register = &self.registers[operation.key];
            let is_nothing = initial_is_nothing && !register.nothing_written;
            let read = operation
                .read
                .filter(|id| !(is_nothing && self.texts[*id as usize] == self.nothing));
            columns.push(&Row {
                session: sessions[operation.life],
                index: operation.index,
                kind: operation.kind,
                key: operation.key as u64,
                written: operation.written,
                read: read.as_slice(),
                intended: operation.invoke,
                invoke: operation.invoke,
                returned: operation.returned,
                outcome: operation.outcome,
                error: operation.error,
                ..Row::EMPTY
            });
        }
        let end = End {
            operations: columns.len() as u64,
            left_out: 0,
        };
        Ok(History {
            header: Header {
                keys: self.registers.into_iter().map(|r| r.name).collect(),
                values: self.texts,
                ..Header::default()
            },
            columns,
            end: Some(end),
            damage: None,
        })
    }

    /// What registers hold at first is put before everything else: the value that the caller
    /// names, or nothing where it is a value that is written as well.
    fn push_initial(&mut self, columns: &mut Columns) -> Result<(), String> {
        let session = u32::try_from(self.lives.len()).map_err(|_| TOO_MANY)?;
        let session = session.max(self.largest_process()?.saturating_add(1));
        let mut index = 0;
        for key in 0..self.registers.len() {
            let text = match &self.options.initial {
                Some(initial) => initial.clone(),
                None if self.registers[key].nothing_written => self.nothing.to_owned(),
                None => continue,
            };
            if text == self.nothing && !self.registers[key].nothing_written {
                continue;
            }
            let written = self.value(key, &text);
            columns.push(&Row {
                session: session.saturating_add(self.lives.len() as u32),
                index,
                kind: Kind::Put,
                key: key as u64,
                written,
                returned: Some(0),
                phase: Phase::Load,
                ..Row::EMPTY
            });
            index += 1;
        }
        Ok(())
    }

    fn largest_process(&self) -> Result<u32, String> {
        let largest = self.lives.iter().map(|life| life.process).max();
        u32::try_from(largest.unwrap_or(0))
            .ok()
            .filter(|largest| *largest < u32::MAX / 2)
            .ok_or_else(|| TOO_MANY.to_owned())
    }

    /// The sessions of the lives: a process's first keeps its number.
    fn sessions(&self) -> Result<Vec<u32>, String> {
        let mut next = self.largest_process()?.saturating_add(1);
        let sessions = self.lives.iter().map(|life| {
            if life.is_first {
                return life.process as u32;
            }
            next = next.saturating_add(1);
            next - 1
        });
        Ok(sessions.collect())
    }
}

const TOO_MANY: &str = "there are processes with numbers beyond 2^31: number them anew";
