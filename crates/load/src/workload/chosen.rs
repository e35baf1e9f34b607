//! A workload that the user chose: where it comes from, and which fields were set since. So the
//! choice can be written down and made again.

use std::collections::BTreeSet;
use std::time::Duration;

use toml::{Table, Value};

use super::catalogue::catalogue;
use super::definition::{FaultStep, Workload};
use super::error::WorkloadError;

/// The fields that settings change, each by its dotted path, in the order in which they are
/// written.
const FIELDS: [&str; 15] = [
    NEMESIS,
    "mix.read",
    "mix.update",
    "mix.read_modify_write",
    "mix.compare_and_set",
    "mix.insert",
    "distribution",
    DURATION,
    OPERATIONS,
    "warmup",
    "sessions",
    "rate",
    "arrivals",
    "records",
    "value_size",
];
const NEMESIS: &str = "nemesis";
const DURATION: &str = "duration";
const OPERATIONS: &str = "operations";

/// A workload of the catalogue or of a file, and the fields that were set since.
#[derive(Clone, Debug)]
pub struct Chosen {
    origin: String,
    loaded: Workload,
    workload: Workload,
    /// Fields that were set, to what the file has or to something else.
    set: BTreeSet<&'static str>,
}

impl Chosen {
    /// The workload of this name or path, as [`Workload::load`] finds it.
    ///
    /// # Errors
    /// When there is none, or it is unreadable, malformed or impossible.
    pub fn load(name_or_path: &str) -> Result<Self, WorkloadError> {
        let loaded = Workload::load(name_or_path)?;
        let is_known = catalogue().iter().any(|known| known.name == loaded.name);
        let is_path = name_or_path.contains(['/', '.']);
        Ok(Self {
            // A name of the catalogue may be written in several ways.
            origin: match is_known && !is_path {
                true => loaded.name.clone(),
                false => name_or_path.to_owned(),
            },
            workload: loaded.clone(),
            loaded,
            set: BTreeSet::new(),
        })
    }

    /// A workload of the catalogue.
    ///
    /// # Panics
    /// When the catalogue has none of this name.
    #[must_use]
    pub fn of_catalogue(name: &str) -> Self {
        Self::load(name).expect("a workload of the catalogue")
    }

    /// Where it comes from: a name of the catalogue, or a path.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The workload with all that was set.
    #[must_use]
    pub const fn workload(&self) -> &Workload {
        &self.workload
    }

    /// Sets one field from `field=value`, as [`Workload::set`] does.
    ///
    /// # Errors
    /// As [`Workload::set`]; nothing is changed then.
    pub fn set(&mut self, given: &str) -> Result<(), WorkloadError> {
        self.workload.set(given)?;
        let path = given.split('=').next().unwrap_or(given).trim();
        let is_it = |field: &&&str| {
            let part = path.strip_prefix(**field);
            part.is_some_and(|part| part.is_empty() || part.starts_with('.'))
        };
        self.set.extend(FIELDS.iter().find(is_it));
        Ok(())
    }

    /// The same, measured for so long.
    #[must_use]
    pub fn lasting(mut self, duration: Duration) -> Self {
        self.workload.duration = Some(duration);
        self.with(DURATION)
    }

    /// The same, measured for so many operations and however long they take.
    #[must_use]
    pub fn of_operations(mut self, operations: u64) -> Self {
        self.workload.operations = Some(operations);
        self.workload.duration = None;
        self.set.remove(DURATION);
        self.with(OPERATIONS)
    }

    /// The same, driven for so long before it is measured.
    #[must_use]
    pub fn warmed_up_for(mut self, warmup: Duration) -> Self {
        self.workload.warmup = warmup;
        self.with("warmup")
    }

    /// The same with so many arrivals a second.
    #[must_use]
    pub fn at_rate(mut self, rate: f64) -> Self {
        self.workload.rate = Some(rate);
        self.with("rate")
    }

    /// The same with so many keys.
    #[must_use]
    pub fn with_records(mut self, records: u64) -> Self {
        self.workload.records = records;
        self.with("records")
    }

    /// The same with these faults at given times, and no others.
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<FaultStep>) -> Self {
        self.workload.nemesis = faults;
        self.with(NEMESIS)
    }

    fn with(mut self, field: &'static str) -> Self {
        self.set.insert(field);
        self
    }

    /// The count of operations alone ends the measured part, whatever duration the file has.
    pub fn end_by_operations(&mut self) {
        self.workload.duration = None;
        self.set.remove(DURATION);
    }

    /// What was set since it was loaded: fields by their paths, with their values as
    /// [`Workload::set`] takes them.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let before = Table::try_from(&self.loaded).expect("a workload is plain data");
        let now = Table::try_from(&self.workload).expect("a workload is plain data");
        let differs = |field: &str| value(&now, field) != value(&before, field);
        let counts = self.set.contains(OPERATIONS) || differs(OPERATIONS);
        let is_set = |field: &&'static str| {
            // A count alone takes the duration of the file away.
            self.set.contains(field) || differs(field) || (*field == DURATION && counts)
        };
        { FIELDS.into_iter().filter(is_set) }
            .filter_map(|field| Some((field, self.written(value(&now, field), field)?)))
            .collect()
    }

    /// A field's value as a setting has it. None where the field is absent: no setting takes one
    /// away but the list of faults, which can be empty.
    fn written(&self, value: Option<&Value>, field: &str) -> Option<String> {
        if field == NEMESIS {
            let faults = self.workload.nemesis.iter().map(FaultStep::to_string);
            return Some(format!("[{}]", faults.collect::<Vec<_>>().join(", ")));
        }
        let value = value?;
        let text = value.as_str().map(str::to_owned);
        // Without the point that TOML gives whole numbers.
        let number = || value.as_float().map(|number| number.to_string());
        Some(text.or_else(number).unwrap_or_else(|| value.to_string()))
    }
}

/// Two choices are the same when they begin from the same and ask for the same, whichever fields
/// were set on the way.
impl PartialEq for Chosen {
    fn eq(&self, other: &Self) -> bool {
        self.origin == other.origin && self.workload == other.workload
    }
}

/// What a table has at a dotted path.
fn value<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((name, part)) => table.get(name)?.as_table()?.get(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::settings;

    fn zipf() -> Chosen {
        Chosen::of_catalogue("zipf")
    }

    /// The same choice, made again from what is written down of it.
    fn again(chosen: &Chosen) -> Chosen {
        let mut again = Chosen::load(chosen.origin()).expect("it was loaded before");
        for (field, value) in chosen.settings() {
            again.set(&format!("{field}={value}")).expect(field);
        }
        if again.workload.operations.is_some() && chosen.workload.duration.is_none() {
            again.end_by_operations();
        }
        again
    }

    #[test]
    fn every_setting_changes_a_field_that_is_written_down() {
        for setting in settings() {
            let path = setting.field;
            let is_it = |field: &&str| path == *field || path.starts_with(&format!("{field}."));
            assert!(FIELDS.iter().any(is_it), "{path}");
        }
    }

    #[test]
    fn what_nobody_set_is_not_written_down_and_what_was_set_is_though_it_is_the_same() {
        assert_eq!(zipf().settings(), []);
        assert_eq!(Chosen::of_catalogue("YCSB_A").origin(), "ycsb-a");
        let mut same = zipf();
        same.set("duration=5s").expect("a field");
        assert_eq!(same.settings(), [("duration", "5s".to_owned())]);
        assert_eq!(same, zipf());
    }

    #[test]
    fn a_choice_that_is_written_down_is_made_again() {
        for given in [
            "records=20k",
            "mix.read=0.5",
            "distribution.theta=1.25",
            "distribution=uniform",
            "value_size=64",
            "value_size.max=4096",
            "sessions=4",
            "rate=1500.5",
            "arrivals=constant",
            "warmup=250ms",
            "duration=2m",
            "operations=1M",
            r#"nemesis=[{ at = "1s", for = "2s", fault = "kill", nodes = [1] }]"#,
        ] {
            let mut chosen = zipf();
            chosen.set(given).expect(given);
            assert_eq!(again(&chosen), chosen, "{given}");
        }
        let counted = zipf().of_operations(500);
        assert_eq!(counted.settings(), [("operations", "500".to_owned())]);
        assert_eq!(again(&counted), counted);
        let calm = Chosen::of_catalogue("lonely-restart").with_faults(Vec::new());
        assert_eq!(calm.settings(), [("nemesis", "[]".to_owned())]);
        assert_eq!(again(&calm), calm);
    }

    #[test]
    fn a_setting_that_is_refused_changes_nothing() {
        let mut chosen = zipf();
        assert!(chosen.set("records=many").is_err());
        assert!(chosen.set("recrods=1").is_err());
        assert_eq!(chosen.settings(), []);
    }
}
