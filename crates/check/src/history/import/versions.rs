//! Registers whose values have versions, `[key [version value]]`, as Jepsen's etcd test has them:
//! every write counts the register's version up.
//!
//! The values alone are judged as those of a register. The versions are held against time and
//! against each other here, operation by operation, and a history in which they contradict is
//! refused, so that what they prove wrong is never called valid. An operation of version v
//!
//! - has at least the version that was known on its register before it was invoked, and a write a
//!   higher one,
//! - agrees with all others on the value of v, and a compare-and-set with all on that of v − 1,
//! - is the only write of v.

use hashbrown::HashMap;

use super::super::edn::Value;
use super::events::{Action, Event};

type Table<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// What is known of the versions.
#[derive(Debug, Default)]
pub(super) struct Versions {
    registers: Table<String, Register>,
    /// What was known when a process invoked the operation that it has open.
    open: Table<String, Seen>,
}

#[derive(Debug, Default)]
struct Register {
    latest: Seen,
    values: Table<i64, Known>,
}

/// The highest version that an operation had shown, and its line.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    version: i64,
    line: usize,
}

/// The value of a version.
#[derive(Debug)]
struct Known {
    value: String,
    line: usize,
    /// The line of the operation that wrote it.
    written: Option<usize>,
}

impl Versions {
    /// A process invokes an operation on a register.
    pub(super) fn invoke(&mut self, event: &Event<'_>, key: &Value<'_>) {
        let register = self.registers.get(&key.to_string());
        let seen = register.map(|register| register.latest).unwrap_or_default();
        self.open.insert(event.process.to_string(), seen);
    }

    /// It did it, and got this version.
    ///
    /// # Errors
    /// When the version contradicts others.
    pub(super) fn ok(
        &mut self,
        event: &Event<'_>,
        key: &Value<'_>,
        version: &Value<'_>,
        action: Action<'_>,
    ) -> Result<(), String> {
        let before = self.open.remove(&event.process.to_string());
        let version = match (version, action) {
            (Value::Int(version), _) => *version,
            // What nobody wrote has no version yet.
            (Value::Nil, Action::Get(&Value::Nil)) => 0,
            (Value::Nil, _) => return Ok(()),
            _ => {
                return Err(format!(
                    "{version} is no version of a register: it is no integer"
                ));
            }
        };
        let before = before.unwrap_or_default();
        let reads = matches!(action, Action::Get(_));
        if version < before.version || (!reads && version == before.version) {
            return Err(format!(
                "version {version} of register {key} comes too late: line {} had shown version {} \
                 before this operation was invoked, so the register is not linearizable",
                before.line, before.version
            ));
        }
        let line = event.place.line;
        let register = self.registers.entry(key.to_string()).or_default();
        if version > register.latest.version {
            register.latest = Seen { version, line };
        }
        let agreed = match action {
            Action::Get(value) => register.holds(version, value, line, false),
            Action::Put(value) | Action::Append(value) => {
                register.holds(version, value, line, true)
            }
            Action::Cas(expected, value) => register
                .holds(version.saturating_sub(1), expected, line, false)
                .and_then(|()| register.holds(version, value, line, true)),
        };
        agreed.map_err(|reason| format!("register {key}: {reason}"))
    }
}

impl Register {
    /// An operation on `line` shows that the version has this value.
    fn holds(
        &mut self,
        version: i64,
        value: &Value<'_>,
        line: usize,
        writes: bool,
    ) -> Result<(), String> {
        let value = value.to_string();
        let known = self.values.entry(version).or_insert_with(|| Known {
            value: value.clone(),
            line,
            written: None,
        });
        if known.value != value {
            return Err(format!(
                "version {version} has the value {value} here and {} on line {}, so it is not \
                 linearizable",
                known.value, known.line
            ));
        }
        if !writes {
            return Ok(());
        }
        if let Some(first) = known.written {
            return Err(format!(
                "version {version} is written here and on line {first}, so it is not linearizable"
            ));
        }
        known.written = Some(line);
        Ok(())
    }
}
