//! What the searches see of a history: operations on registers, with small numbers for values.

use super::super::index::Table;
use super::super::lookup::follow;
use crate::history::{ErrorKind, History, Kind, NEVER, Outcome, Phase};

/// A value as a small number.
pub(in super::super) type Token = u32;
/// The value of a register that nobody wrote.
pub(in super::super) const NOTHING: Token = 0;

/// What an operation does to a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Action {
    Put(Token),
    Get(Token),
    Cas(Token, Token),
    /// A compare-and-set that found another value than this one.
    Mismatch(Token),
    Append(Token),
}

impl Action {
    /// Whether it leaves every register as it is.
    pub(in super::super) const fn only_observes(self) -> bool {
        match self {
            Self::Get(_) | Self::Mismatch(_) => true,
            Self::Cas(expected, value) => expected == value,
            Self::Put(_) | Self::Append(_) => false,
        }
    }

    /// Whether it only observes, and finds in a register of that value what it found.
    pub(in super::super) fn is_observed_in(self, held: Token) -> bool {
        match self {
            Self::Get(value) => held == value,
            Self::Mismatch(value) => held != value,
            Self::Cas(expected, value) => expected == value && held == value,
            Self::Put(_) | Self::Append(_) => false,
        }
    }

    /// The value that it has to find.
    pub(in super::super) const fn expects(self) -> Option<Token> {
        match self {
            Self::Get(value) | Self::Cas(value, _) => Some(value),
            Self::Put(_) | Self::Mismatch(_) | Self::Append(_) => None,
        }
    }

    /// The value that it writes, where it names it.
    pub(in super::super) const fn writes(self) -> Option<Token> {
        match self {
            Self::Put(value) | Self::Cas(_, value) => Some(value),
            Self::Get(_) | Self::Mismatch(_) | Self::Append(_) => None,
        }
    }
}

/// One operation that an order has to explain, or, with a return time of [`NEVER`], may use.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Op {
    pub(in super::super) row: u32,
    pub(in super::super) key: u32,
    pub(in super::super) invoke: u64,
    pub(in super::super) returned: u64,
    pub(in super::super) action: Action,
    /// The row of the session's previous operation, when it returned at the instant of this
    /// one's invoke: the clock does not tell their order, the session does.
    pub(in super::super) after: Option<u32>,
}

impl Op {
    /// Whether it may have taken effect or not, for ever.
    pub(in super::super) const fn is_pending(&self) -> bool {
        self.returned == NEVER
    }
}

/// The values of a history, and what operations do to a register.
#[derive(Debug)]
pub(in super::super) struct Registers {
    tokens: Table<u64, Token>,
    /// With appends a value is its text.
    texts: Option<Texts>,
}

#[derive(Debug, Default)]
struct Texts {
    tokens: Table<String, Token>,
    texts: Vec<String>,
    appended: Table<(Token, Token), Token>,
    bytes: usize,
}

impl Texts {
    fn token(&mut self, text: String) -> Token {
        if let Some(token) = self.tokens.get(&text) {
            return *token;
        }
        let token = self.texts.len() as Token;
        self.bytes += 2 * text.len();
        self.texts.push(text.clone());
        self.tokens.insert(text, token);
        token
    }

    fn append(&mut self, state: Token, value: Token) -> Token {
        if let Some(token) = self.appended.get(&(state, value)) {
            return *token;
        }
        let text = [
            self.texts[state as usize].as_str(),
            self.texts[value as usize].as_str(),
        ]
        .concat();
        let token = self.token(text);
        self.appended.insert((state, value), token);
        token
    }
}

impl Registers {
    pub(in super::super) fn new(history: &History) -> Self {
        let texts = history.columns.kind.contains(&Kind::Append).then(|| {
            let mut texts = Texts::default();
            // The empty text is the first token, which is that of nothing.
            texts.token(String::new());
            texts
        });
        Self {
            tokens: Table::default(),
            texts,
        }
    }

    /// Bytes that the texts take.
    pub(in super::super) fn bytes(&self) -> usize {
        self.texts.as_ref().map_or(0, |texts| texts.bytes)
    }

    pub(in super::super) fn token(&mut self, history: &History, id: u64) -> Token {
        if let Some(token) = self.tokens.get(&id) {
            return *token;
        }
        let token = match &mut self.texts {
            Some(texts) => texts.token(history.value_text(id)),
            None => self.tokens.len() as Token + 1,
        };
        self.tokens.insert(id, token);
        token
    }

    /// The text of a value, where values are texts.
    pub(in super::super) fn text(&self, token: Token) -> Option<&str> {
        let texts = self.texts.as_ref()?;
        texts.texts.get(token as usize).map(String::as_str)
    }

    /// The value after the action, or `None` when the action contradicts the value before.
    pub(in super::super) fn step(&mut self, state: Token, action: Action) -> Option<Token> {
        match action {
            Action::Put(value) => Some(value),
            Action::Get(value) => (state == value).then_some(state),
            Action::Cas(expected, value) => (state == expected).then_some(value),
            Action::Mismatch(expected) => (state != expected).then_some(state),
            Action::Append(value) => {
                let texts = self.texts.as_mut()?;
                Some(texts.append(state, value))
            }
        }
    }

    /// The operations of a history, row by row: `None` for those that constrain nothing.
    ///
    /// # Errors
    /// When a get returned several values: a register holds one.
    pub(in super::super) fn operations(
        &mut self,
        history: &History,
    ) -> Result<Vec<Option<Op>>, String> {
        let columns = &history.columns;
        let mut keys: Table<u64, u32> = Table::default();
        let mut operations = Vec::with_capacity(columns.len());
        for row in 0..columns.len() {
            let counts = columns.outcome[row] == Outcome::Ok && columns.phase[row] != Phase::Local;
            if counts && columns.read.at(row).len() > 1 {
                return Err(format!(
                    "{} returned several values, a register holds one",
                    history.operation_name(row)
                ));
            }
            let next = keys.len() as u32;
            let key = *keys.entry(columns.key[row]).or_insert(next);
            let returned = match columns.outcome[row] {
                Outcome::Info => NEVER,
                Outcome::Ok | Outcome::Fail => columns.returned[row],
            };
            operations.push(self.action(history, row).map(|action| Op {
                row: row as u32,
                key,
                invoke: columns.invoke[row],
                returned,
                action,
                after: None,
            }));
        }
        Ok(operations)
    }

    fn action(&mut self, history: &History, row: usize) -> Option<Action> {
        let columns = &history.columns;
        let (kind, outcome) = (columns.kind[row], columns.outcome[row]);
        let mismatch =
            columns.error[row] == Some(ErrorKind::Mismatch) && columns.returned[row] != NEVER;
        let read = columns.read.at(row).first().copied();
        let read = |own: &mut Self| read.map_or(NOTHING, |id| own.token(history, id));
        let written = columns.written[row];
        match (kind, outcome) {
            (Kind::Get, _) if columns.phase[row] == Phase::Local => None,
            (Kind::Get, Outcome::Ok) => Some(Action::Get(read(self))),
            (Kind::Cas, Outcome::Fail) if mismatch => Some(Action::Mismatch(read(self))),
            (Kind::Get, _) | (_, Outcome::Fail) => None,
            (Kind::Put, _) => Some(Action::Put(self.token(history, written))),
            (Kind::Cas, _) => Some(Action::Cas(read(self), self.token(history, written))),
            (Kind::Append, _) => Some(Action::Append(self.token(history, written))),
        }
    }
}

/// The rows of each session in its order, those that constrain nothing included.
///
/// # Errors
/// When a session has two operations at once, or at one place.
pub(in super::super) fn sessions(history: &History) -> Result<Vec<Vec<u32>>, String> {
    let columns = &history.columns;
    let mut numbers: Table<u32, usize> = Table::default();
    let mut sessions: Vec<Vec<u32>> = Vec::new();
    for (row, session) in (0..).zip(&columns.session) {
        let number = *numbers.entry(*session).or_insert(sessions.len());
        if number == sessions.len() {
            sessions.push(Vec::new());
        }
        sessions[number].push(row);
    }
    for rows in &mut sessions {
        rows.sort_by_key(|row| columns.index[*row as usize]);
        for pair in rows.windows(2) {
            follow(columns, pair[0] as usize, pair[1] as usize)?;
        }
    }
    Ok(sessions)
}
