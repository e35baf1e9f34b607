//! Every field of a workload by its dotted path, so that `--set field=value` reaches all of them.

use toml::{Table, Value};

use super::definition::Workload;
use super::error::WorkloadError;

/// A field that can be set.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its dotted path.
    pub field: &'static str,
    /// What it takes, with an example.
    pub expects: &'static str,
}

const fn setting(field: &'static str, expects: &'static str) -> Setting {
    Setting { field, expects }
}

const PROPORTION: &str = "a proportion from 0 to 1, such as 0.5";
const FRACTION: &str = "a fraction between 0 and 1, such as 0.2 (hotspot, exponential)";
const SETTINGS: [Setting; 22] = [
    setting("records", "a whole number of keys, such as 10000 or 10k"),
    setting("mix.read", PROPORTION),
    setting("mix.update", PROPORTION),
    setting("mix.read_modify_write", PROPORTION),
    setting("mix.compare_and_set", PROPORTION),
    setting("mix.insert", PROPORTION),
    setting(
        "distribution",
        "uniform, zipfian, latest, hotspot, exponential or sequential",
    ),
    setting(
        "distribution.kind",
        "uniform, zipfian, latest, hotspot, exponential or sequential",
    ),
    setting(
        "distribution.theta",
        "a number above 0, such as 0.99 (zipfian, latest)",
    ),
    setting("distribution.keys", FRACTION),
    setting("distribution.operations", FRACTION),
    setting("value_size", "a whole number of bytes, such as 100 or 4k"),
    setting("value_size.kind", "uniform or zipfian"),
    setting("value_size.min", "a whole number of bytes, such as 16"),
    setting("value_size.max", "a whole number of bytes, such as 4096"),
    setting("sessions", "a whole number, such as 16"),
    setting("rate", "operations a second, such as 20000 or 20k"),
    setting("arrivals", "poisson or constant"),
    setting("warmup", "a time with its unit, such as 1s or 500ms"),
    setting("duration", "a time with its unit, such as 5s or 500ms"),
    setting("operations", "a whole number, such as 100000 or 100k"),
    setting(
        "nemesis",
        "faults, such as [{ at = \"1s\", for = \"2s\", fault = \"kill\", nodes = [1] }]",
    ),
];

/// Every field of a workload that a file or `--set` may give.
#[must_use]
pub const fn settings() -> &'static [Setting] {
    &SETTINGS
}

impl Workload {
    /// Sets one field from `field=value`. Proportions and sizes are judged together, by
    /// [`Workload::validate`], after the last call.
    ///
    /// A part of `distribution` or `value_size` changes that part alone; naming another kind
    /// starts from that kind's defaults.
    ///
    /// # Errors
    /// When `given` has no `=`, names no field, or the value is none that the field takes; the
    /// workload is unchanged then.
    pub fn set(&mut self, given: &str) -> Result<(), WorkloadError> {
        let Some((field, value)) = given.split_once('=') else {
            return Err(WorkloadError::NotASetting {
                given: given.to_owned(),
            });
        };
        let (field, value) = (field.trim(), value.trim());
        let setting = find(field)?;
        *self =
            self.with(setting.field, parse(value))
                .ok_or_else(|| WorkloadError::WrongValue {
                    field: field.to_owned(),
                    expected: setting.expects,
                    given: value.to_owned(),
                })?;
        Ok(())
    }

    /// The workload with one field replaced; `None` when it does not take the value.
    fn with(&self, field: &str, value: Value) -> Option<Self> {
        // The kind decides which parameters there are, so the old kind's go with it.
        let field = if field == "distribution.kind" {
            "distribution"
        } else {
            field
        };
        let mut fields = Table::try_from(self).ok()?;
        match field.split_once('.') {
            None => {
                fields.insert(field.to_owned(), value);
            }
            Some((table, part)) => {
                let table = fields.get_mut(table)?;
                if !table.is_table() {
                    *table = size_table(table)?;
                }
                table.as_table_mut()?.insert(part.to_owned(), value);
            }
        }
        let workload: Self = fields.try_into().ok()?;
        Some(Self {
            name: self.name.clone(),
            ..workload
        })
    }
}

/// A fixed size as a range, so that one end of it can be moved.
fn size_table(fixed: &Value) -> Option<Value> {
    let size = fixed.as_integer()?;
    Some(Value::Table(Table::from_iter([
        ("kind".to_owned(), Value::from("uniform")),
        ("min".to_owned(), Value::from(size)),
        ("max".to_owned(), Value::from(size)),
    ])))
}

/// A TOML value, or else the text itself: `5s` and `zipfian` need no quotes on a command line.
fn parse(value: &str) -> Value {
    value
        .parse::<Value>()
        .unwrap_or_else(|_| Value::from(value))
}

/// The field with this path.
fn find(field: &str) -> Result<&'static Setting, WorkloadError> {
    SETTINGS
        .iter()
        .find(|setting| setting.field == field)
        .ok_or_else(|| WorkloadError::UnknownField {
            field: field.to_owned(),
            nearest: nearest_field(field),
        })
}

/// The closest field, by its whole path or by its last part: `read` means `mix.read`.
fn nearest_field(field: &str) -> Option<&'static str> {
    let last = |path: &'static str| path.rsplit('.').next().unwrap_or(path);
    SETTINGS
        .iter()
        .find(|setting| last(setting.field) == field)
        .map_or_else(
            || nearest(field, SETTINGS.map(|setting| setting.field)),
            |setting| Some(setting.field),
        )
}

/// Refuses a table that holds a field no workload has.
pub(super) fn refuse_unknown_fields(table: &Table) -> Result<(), WorkloadError> {
    for (name, value) in table {
        match value {
            Value::Table(parts) => {
                for part in parts.keys() {
                    find(&format!("{name}.{part}"))?;
                }
                if parts.is_empty() && name != "mix" {
                    find(name)?;
                }
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                if name != "mix" {
                    find(name)?;
                }
            }
        }
    }
    Ok(())
}

/// How alike two names have to be, from 0 to 1, for one to count as a misspelling of the other.
const ALIKE_MIN: f64 = 0.5;

/// The name most like `given`, by Damerau-Levenshtein distance scaled to the length; none where no
/// name is like it.
pub(super) fn nearest<const N: usize>(
    given: &str,
    names: [&'static str; N],
) -> Option<&'static str> {
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(given, name);
    names
        .into_iter()
        .filter(|name| likeness(name) >= ALIKE_MIN)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Distribution, ValueSize};

    #[test]
    fn every_field_can_be_set_to_what_it_expects() {
        let mut covered = Vec::new();
        for given in [
            "records=20k",
            "mix.read=0.25",
            "mix.update=0.25",
            "mix.read_modify_write=0.25",
            "mix.compare_and_set=0.25",
            "mix.insert=0.25",
            "distribution=hotspot",
            "distribution.keys=0.1",
            "distribution.operations=0.9",
            "distribution.kind=latest",
            "distribution.theta=1.5",
            "value_size=64",
            "value_size.max=4096",
            "value_size.min=32",
            "value_size.kind=zipfian",
            "sessions=4",
            "rate=20k",
            "arrivals=constant",
            "warmup=250ms",
            "duration=2m",
            "operations=1M",
            r#"nemesis=[{ at = "1s", for = "2s", fault = "kill", nodes = [1] }]"#,
        ] {
            let mut workload = Workload::default();
            if given.starts_with("distribution.") && !given.contains("theta") {
                workload.set("distribution=hotspot").unwrap();
            }
            let before = workload.clone();
            workload.set(given).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(workload.name, before.name);
            assert_ne!(workload, before, "{given}");
            covered.push(given.split_once('=').unwrap().0);
        }
        for setting in settings() {
            assert!(
                covered.contains(&setting.field),
                "{} not tried",
                setting.field
            );
        }
    }

    #[test]
    fn a_part_is_set_alone_and_another_kind_starts_from_its_defaults() {
        let mut workload = Workload::default();
        workload.set("distribution.theta=1.2").unwrap();
        assert_eq!(workload.distribution, Distribution::Zipfian { theta: 1.2 });
        workload.set("distribution.kind=latest").unwrap();
        assert_eq!(workload.distribution, Distribution::Latest { theta: 0.99 });
        workload.set("value_size.max=200").unwrap();
        let range = ValueSize::Uniform { min: 100, max: 200 };
        assert_eq!(workload.value_size, range);
    }

    #[track_caller]
    fn check(given: &str, message: &str) {
        let mut workload = Workload::default();
        assert_eq!(workload.set(given).expect_err(given).to_string(), message);
        assert_eq!(workload, Workload::default(), "changed by {given}");
    }

    #[test]
    fn a_wrong_setting_is_refused_and_changes_nothing() {
        check(
            "records",
            "`records` is not a setting: write field=value, such as records=1000",
        );
        check(
            "recrods=5",
            "a workload has no field `recrods`: did you mean `records`?",
        );
        check(
            "theta=1",
            "a workload has no field `theta`: did you mean `distribution.theta`?",
        );
        check(
            "records=many",
            "`records` takes a whole number of keys, such as 10000 or 10k, not `many`",
        );
        check(
            "records=1.5",
            "`records` takes a whole number of keys, such as 10000 or 10k, not `1.5`",
        );
        check(
            "duration=5",
            "`duration` takes a time with its unit, such as 5s or 500ms, not `5`",
        );
        check(
            "rate=-5",
            "`rate` takes operations a second, such as 20000 or 20k, not `-5`",
        );
        check(
            "distribution.keys=0.5",
            "`distribution.keys` takes a fraction between 0 and 1, such as 0.2 (hotspot, \
             exponential), not `0.5`",
        );
    }

    #[test]
    fn a_mix_is_judged_after_the_last_setting() {
        let mut workload = Workload::default();
        workload.set("mix.read=0.9").unwrap();
        assert!(workload.validate().is_err());
        workload.set("mix.update=0.1").unwrap();
        workload.validate().unwrap();
    }
}
