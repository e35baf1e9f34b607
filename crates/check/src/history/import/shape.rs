//! What the values of a Jepsen history are: those of one register, `[key value]` of many, or `[key
//! [version value]]`. A register may hold vectors itself, so one value does not tell; the first
//! read that is invoked does, since it has a hole where its value will be: `nil`, `[key nil]` or
//! `[key [nil nil]]`. A history without reads is told by its first operation, and by completions
//! that give what they write a version.

use std::ops::ControlFlow;

use hashbrown::HashMap;

use super::super::edn::Value;
use super::super::operation::Kind;

/// What the values of a history are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shape {
    /// Those of one register, which may hold anything.
    One,
    /// Those of one register as far as its first operation tells, which is not `[key value]`.
    #[default]
    OneWithoutPairs,
    /// `[key value]`.
    Keyed,
    /// `[key [version value]]`.
    Versioned,
}

/// Finds the shape.
#[derive(Debug, Default)]
pub(super) struct Finder {
    first: Option<Shape>,
    told: Option<Shape>,
    /// Processes that have asked to write a value whose version is left open.
    open: HashMap<String, (), foldhash::fast::FixedState>,
}

impl Finder {
    /// Looks at a line; breaks when the shape is known.
    pub(super) fn see(
        &mut self,
        process: &Value<'_>,
        word: &str,
        kind: Kind,
        value: &Value<'_>,
    ) -> ControlFlow<()> {
        match word {
            "invoke" if kind == Kind::Get => self.told = told_by_read(value),
            "invoke" => {
                let keyed = keyed(kind, value);
                let shape = keyed.map_or(Shape::OneWithoutPairs, |_| Shape::Keyed);
                self.first.get_or_insert(shape);
                let process = process.to_string();
                if version(value) == Some(&Value::Nil) {
                    self.open.insert(process, ());
                } else {
                    self.open.remove(&process);
                }
            }
            "ok" if kind != Kind::Get => {
                let was_open = self.open.remove(&process.to_string()).is_some();
                if was_open && version(value).is_some_and(|version| *version != Value::Nil) {
                    self.told = Some(Shape::Versioned);
                }
            }
            _ => {}
        }
        if self.told.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    pub(super) fn shape(&self) -> Shape {
        self.told.or(self.first).unwrap_or_default()
    }
}

/// What the value of an invoked read tells, if it has a hole.
fn told_by_read(value: &Value<'_>) -> Option<Shape> {
    if *value == Value::Nil {
        return Some(Shape::One);
    }
    let (_, of_key) = value.pair()?;
    if *of_key == Value::Nil {
        return Some(Shape::Keyed);
    }
    let holes = of_key.pair()?;
    (holes == (&Value::Nil, &Value::Nil)).then_some(Shape::Versioned)
}

/// A value as a key and its value, if it is one: of a compare-and-set, that is a pair too.
pub(super) fn keyed<'v>(
    kind: Kind,
    value: &'v Value<'v>,
) -> Option<(&'v Value<'v>, &'v Value<'v>)> {
    value
        .pair()
        .filter(|(_, of_key)| kind != Kind::Cas || of_key.pair().is_some())
}

/// What would be the version in `[key [version value]]`.
fn version<'v>(value: &'v Value<'v>) -> Option<&'v Value<'v>> {
    let (_, of_key) = value.pair()?;
    of_key.pair().map(|(version, _)| version)
}
