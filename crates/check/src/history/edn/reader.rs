//! Reads EDN forms one after another from a text.

use std::borrow::Cow;

use super::value::Value;
use super::{DEPTH_MAX, tagged, text, token};

/// Why a text is not EDN, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct EdnError {
    /// The byte of the text at which it was seen.
    pub at: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It ends within a form.
    #[error("the text ends within a value")]
    Cut,
    /// It is not EDN.
    #[error("it is not EDN: {0}")]
    Bad(String),
}

/// Characters that end a word.
pub(super) fn ends_word(c: char) -> bool {
    is_blank(c)
        || matches!(
            c,
            '"' | ';' | '(' | ')' | '[' | ']' | '{' | '}' | '\\' | '^'
        )
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c == ','
}

/// A text and how much of it was read.
#[derive(Debug)]
pub(in super::super) struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    pub(in super::super) const fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    /// The byte that is read next.
    pub(in super::super) const fn at(&self) -> usize {
        self.at
    }

    /// What begins with the next significant character. Skips white space, commas and comments
    /// before it.
    pub(in super::super) fn peek(&mut self) -> Option<char> {
        loop {
            let rest = self.rest().trim_start_matches(is_blank);
            self.at = self.text.len() - rest.len();
            if !rest.starts_with(';') {
                return rest.chars().next();
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    /// Passes over this character, if it is next.
    pub(in super::super) fn eat(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        if is_next {
            self.at += c.len_utf8();
        }
        is_next
    }

    /// The next form; `None` at the end of the text and before a closing bracket.
    ///
    /// # Errors
    /// When the text is not EDN, ends within the form, or nests too deep.
    pub(in super::super) fn next(&mut self) -> Result<Option<Value<'t>>, EdnError> {
        self.form(0)
    }

    pub(super) const fn error(&self, fault: Fault) -> EdnError {
        EdnError { at: self.at, fault }
    }

    fn bad(&self, reason: impl Into<String>) -> EdnError {
        self.error(Fault::Bad(reason.into()))
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn form(&mut self, depth: usize) -> Result<Option<Value<'t>>, EdnError> {
        if depth > DEPTH_MAX {
            return Err(self.bad(format!("forms are nested deeper than {DEPTH_MAX}")));
        }
        loop {
            let value = match self.peek() {
                None | Some(')' | ']' | '}') => return Ok(None),
                Some('^') => {
                    self.at += 1;
                    self.required(depth)?;
                    // Metadata is no part of the value that it stands before.
                    return self.required(depth).map(Some);
                }
                Some('#') => match self.dispatched(depth)? {
                    Some(value) => value,
                    None => continue,
                },
                Some('"') => self.string()?,
                Some('(') => Value::Sequence(self.items(depth, ')')?),
                Some('[') => Value::Sequence(self.items(depth, ']')?),
                Some('{') => self.map(depth, None)?,
                Some(_) => {
                    let start = self.at;
                    let word = self.word();
                    token::value(word).map_err(|reason| EdnError {
                        at: start,
                        fault: Fault::Bad(reason),
                    })?
                }
            };
            return Ok(Some(value));
        }
    }

    /// The form that has to follow.
    fn required(&mut self, depth: usize) -> Result<Value<'t>, EdnError> {
        self.form(depth + 1)?.ok_or_else(|| match self.peek() {
            None => self.error(Fault::Cut),
            Some(c) => self.bad(format!("there is no value before `{c}`")),
        })
    }

    /// What begins with `#`; `None` for what is passed over.
    fn dispatched(&mut self, depth: usize) -> Result<Option<Value<'t>>, EdnError> {
        let start = self.at;
        self.at += 1;
        let Some(c) = self.rest().chars().next() else {
            return Err(self.error(Fault::Cut));
        };
        match c {
            '_' => {
                self.at += 1;
                self.required(depth)?;
                Ok(None)
            }
            '^' => {
                self.at += 1;
                self.required(depth)?;
                self.required(depth).map(Some)
            }
            '{' => {
                let mut items = self.items(depth, '}')?;
                items.sort_unstable();
                if let Some(twice) = items.windows(2).find(|pair| pair[0] == pair[1]) {
                    return Err(self.bad(format!("a set holds {} twice", short(&twice[0]))));
                }
                Ok(Some(Value::Set(items)))
            }
            ':' => {
                self.at += 1;
                let namespace = self.word();
                if namespace.is_empty() || namespace.starts_with(':') {
                    return Err(self.bad(format!("`#:{namespace}` names no namespace")));
                }
                match self.peek() {
                    Some('{') => self.map(depth, Some(namespace)).map(Some),
                    None => Err(self.error(Fault::Cut)),
                    Some(_) => Err(self.bad(format!("no map follows `#:{namespace}`"))),
                }
            }
            '#' => {
                self.at += 1;
                let word = self.word();
                token::symbolic(word)
                    .map(Some)
                    .ok_or_else(|| self.bad(format!("`##{word}` is no number")))
            }
            c if c.is_alphabetic() => {
                let tag = self.word();
                let inner = self.required(depth)?;
                tagged::value(tag, inner)
                    .map(Some)
                    .map_err(|reason| EdnError {
                        at: start,
                        fault: Fault::Bad(reason),
                    })
            }
            _ => Err(self.bad(format!("`#{}` begins nothing", c.escape_debug()))),
        }
    }

    /// The forms between a bracket, which is next, and the one that closes it.
    fn items(&mut self, depth: usize, close: char) -> Result<Vec<Value<'t>>, EdnError> {
        self.at += 1;
        let mut items = Vec::new();
        while let Some(item) = self.form(depth + 1)? {
            items.push(item);
        }
        match self.peek() {
            None => Err(self.error(Fault::Cut)),
            Some(c) if c != close => Err(self.bad(format!("`{c}` stands where `{close}` should"))),
            Some(_) => {
                self.at += 1;
                Ok(items)
            }
        }
    }

    fn map(&mut self, depth: usize, namespace: Option<&str>) -> Result<Value<'t>, EdnError> {
        let items = self.items(depth, '}')?;
        if !items.len().is_multiple_of(2) {
            return Err(self.bad("a map's last key has no value"));
        }
        let mut entries = Vec::with_capacity(items.len() / 2);
        let mut items = items.into_iter();
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            let key = match namespace {
                Some(namespace) => qualified(namespace, key),
                None => key,
            };
            entries.push((key, value));
        }
        // Stable and by key alone, so that values are not compared.
        entries.sort_by(|a: &(Value<'t>, _), b| a.0.cmp(&b.0));
        if let Some(twice) = entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(self.bad(format!("a map has the key {} twice", short(&twice[0].0))));
        }
        Ok(Value::Map(entries))
    }

    fn string(&mut self) -> Result<Value<'t>, EdnError> {
        let start = self.at + 1;
        let (content, length) = text::string(&self.text[start..]).map_err(|(offset, fault)| {
            let at = start + offset;
            EdnError { at, fault }
        })?;
        self.at = start + length;
        Ok(Value::Text(content))
    }

    /// Everything up to what ends a word; a character is one word, whatever it is.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let mut chars = rest.char_indices();
        if rest.starts_with('\\') {
            chars.next();
            chars.next();
        }
        let end = chars.find(|(_, c)| ends_word(*c));
        let (word, _) = rest.split_at(end.map_or(rest.len(), |(end, _)| end));
        self.at += word.len();
        word
    }
}

/// A key in a map with a namespace: what has none gets it, and `_` is none.
fn qualified<'t>(namespace: &str, key: Value<'t>) -> Value<'t> {
    let name = |name: Cow<'t, str>| match name.split_once('/') {
        None => Cow::Owned(format!("{namespace}/{name}")),
        Some(("_", bare)) => Cow::Owned(bare.to_owned()),
        Some(_) => name,
    };
    match key {
        Value::Keyword(keyword) => Value::Keyword(name(keyword)),
        Value::Symbol(symbol) => Value::Symbol(name(symbol)),
        Value::Nil
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Number(_)
        | Value::Char(_)
        | Value::Text(_)
        | Value::Sequence(_)
        | Value::Set(_)
        | Value::Map(_)
        | Value::Tagged(..) => key,
    }
}

/// The longest value that a message shows, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// A value's text, cut where it is long.
fn short(value: &Value<'_>) -> String {
    token::shown(&value.to_string(), SHOWN_CHARS_MAX)
}
