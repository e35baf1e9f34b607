//! The workloads that come with the program, and loading one by name or path.

use std::path::Path;

use super::definition::Workload;
use super::error::WorkloadError;
use super::setting::{nearest, refuse_unknown_fields};

/// A workload, or a store, that comes with the program.
#[derive(Clone, Copy, Debug)]
pub struct Catalogued {
    /// Its name.
    pub name: &'static str,
    /// The text of its TOML file.
    pub text: &'static str,
}

impl Catalogued {
    /// What it is for: the first line of its file.
    #[must_use]
    pub fn about(&self) -> &'static str {
        let line = self.text.lines().next().unwrap_or_default();
        line.trim_start_matches(['#', ' '])
    }
}

macro_rules! embed {
    ($($name:literal),+ $(,)?) => {
        [$(Catalogued {
            name: $name,
            text: include_str!(concat!("../../../../workloads/", $name, ".toml")),
        }),+]
    };
}

const CATALOGUE: [Catalogued; 13] = embed![
    "zipf",
    "uniform",
    "latest",
    "hotspot",
    "ycsb-a",
    "ycsb-b",
    "ycsb-c",
    "ycsb-d",
    "ycsb-f",
    "contended",
    "lonely-restart",
    "write-once",
    "cas-register",
];

/// Every workload that comes with the program.
#[must_use]
pub const fn catalogue() -> &'static [Catalogued] {
    &CATALOGUE
}

impl Workload {
    /// Loads the workload of this name from the catalogue, or else from the TOML file at this
    /// path.
    ///
    /// # Errors
    /// When there is neither, or the file is unreadable, malformed or impossible.
    pub fn load(name_or_path: &str) -> Result<Self, WorkloadError> {
        // Names on the command line take `-` and `_` alike.
        let name = name_or_path.replace('_', "-").to_lowercase();
        if let Some(found) = CATALOGUE.iter().find(|found| found.name == name) {
            return Self::parse(found.name, found.text);
        }
        let path = Path::new(name_or_path);
        let looks_like_a_path = path.components().count() > 1 || path.extension().is_some();
        if !looks_like_a_path && !path.exists() {
            return Err(WorkloadError::UnknownWorkload {
                name: name_or_path.to_owned(),
                nearest: nearest(&name, CATALOGUE.map(|found| found.name)),
            });
        }
        let text = std::fs::read_to_string(path).map_err(|source| WorkloadError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let mut workload = Self::parse(name_or_path, &text)?;
        if let Some(stem) = path.file_stem() {
            workload.name = stem.to_string_lossy().into_owned();
        }
        Ok(workload)
    }

    /// Reads a workload from the text of a TOML file; `origin` names it in errors.
    ///
    /// # Errors
    /// When the text is malformed or the workload impossible.
    pub fn parse(origin: &str, text: &str) -> Result<Self, WorkloadError> {
        let malformed = |error: &toml::de::Error| WorkloadError::Malformed {
            origin: origin.to_owned(),
            line: error.span().map_or(1, |span| {
                1 + text[..span.start].bytes().filter(|b| *b == b'\n').count()
            }),
            message: error.message().lines().collect::<Vec<_>>().join(", "),
        };
        let table: toml::Table = toml::from_str(text).map_err(|e| malformed(&e))?;
        refuse_unknown_fields(&table).map_err(|error| {
            if let WorkloadError::UnknownField { field, .. } = &error {
                return WorkloadError::Malformed {
                    origin: origin.to_owned(),
                    line: line_of(text, field),
                    message: error.to_string(),
                };
            }
            error
        })?;
        let workload: Self = toml::from_str(text).map_err(|e| malformed(&e))?;
        let workload = Self {
            name: origin.to_owned(),
            ..workload
        };
        workload.validate()?;
        Ok(workload)
    }
}

/// The line, from 1, that gives a field by its dotted path: below its table's heading, in the
/// path's own words, or within an inline table.
fn line_of(text: &str, field: &str) -> usize {
    let mut heading = String::new();
    let mut nearest = 1;
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if let Some(table) = line.strip_prefix('[') {
            table.trim_end_matches(']').trim().clone_into(&mut heading);
            heading.push('.');
        }
        let name = line.split('=').next().unwrap_or(line).trim();
        let name = name.replace(['"', '\'', ' '], "");
        let path = if heading.is_empty() {
            name
        } else {
            format!("{heading}{name}")
        };
        if path == field {
            return number;
        }
        if !path.is_empty() && field.starts_with(&format!("{path}.")) {
            nearest = number;
        }
    }
    nearest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_of_the_catalogue_loads_and_says_what_it_stresses() {
        for entry in catalogue() {
            let workload = Workload::load(entry.name).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(workload.name, entry.name);
            assert!(entry.about().starts_with("Stresses "), "{}", entry.name);
        }
        assert_eq!(Workload::load("YCSB_A").unwrap().name, "ycsb-a");
    }

    #[test]
    fn a_workload_written_as_toml_reads_back_the_same() {
        for entry in catalogue() {
            let workload = Workload::load(entry.name).unwrap();
            let again = Workload::parse(entry.name, &workload.to_toml()).unwrap();
            assert_eq!(again, workload);
        }
    }

    #[test]
    fn a_file_is_loaded_by_its_path_and_named_by_its_stem() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("mine.toml");
        std::fs::write(&path, "records = 7\ndistribution = \"sequential\"").unwrap();
        let workload = Workload::load(path.to_str().unwrap()).unwrap();
        assert_eq!((workload.name.as_str(), workload.records), ("mine", 7));
    }

    #[track_caller]
    fn check(text: &str, message: &str) {
        let error = Workload::parse("mine", text).expect_err(text).to_string();
        assert_eq!(error, message);
        assert!(!error.contains('\n'));
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        check(
            "reocrds = 5",
            "workload mine, line 1: a workload has no field `reocrds`: did you mean `records`?",
        );
        check(
            "[mix]\nraed = 1",
            "workload mine, line 2: a workload has no field `mix.raed`: did you mean `mix.read`?",
        );
        check(
            "foo = 1",
            "workload mine, line 1: a workload has no field `foo` (`kvs-bench list` shows them all)",
        );
        check(
            "read = 1",
            "workload mine, line 1: a workload has no field `read`: did you mean `mix.read`?",
        );
        check(
            "records = 5\nmix.raed = 1",
            "workload mine, line 2: a workload has no field `mix.raed`: did you mean `mix.read`?",
        );
        check(
            "records = 5\n\n# a comment\nmix = { read = 1, raed = 1 }",
            "workload mine, line 4: a workload has no field `mix.raed`: did you mean `mix.read`?",
        );
        check(
            "\nrecords = [1]",
            "workload mine, line 2: invalid type: sequence, expected a number of at least 0, \
             or a string like \"20k\"",
        );
        check(
            "[mix]\nread = 0.9",
            "impossible workload: the mix sums to 0.9 (read 0.9): make read, update, \
             read_modify_write, compare_and_set and insert sum to 1",
        );
        check(
            "records = 0",
            "impossible workload: records is 0: it must be from 1 to 1000000000000",
        );
        check(
            "sessions = 0",
            "impossible workload: sessions is 0: it must be from 1 to 65536",
        );
        check(
            "value_size = 15",
            "impossible workload: a value of 15 bytes cannot carry its id and check word: use at \
             least 16",
        );
        check(
            "value_size = 2000000",
            "impossible workload: a value of 2000000 bytes is longer than the protocol carries: \
             use at most 1048576",
        );
        check(
            "value_size = { kind = \"uniform\", min = 50, max = 20 }",
            "impossible workload: value_size.min is 50, above value_size.max, 20: exchange them",
        );
        check(
            "rate = 0",
            "impossible workload: rate is 0: it must be above 0 and at most 1000000000 operations \
             a second (leave it out for a closed loop)",
        );
        check(
            "duration = \"0s\"",
            "impossible workload: duration is 0: nothing would be measured; use 5s",
        );
        check(
            "duration = \"5\"",
            "workload mine, line 1: `5` is not a duration: write it like \"5s\"",
        );
        check(
            "distribution = \"zipfain\"",
            "workload mine, line 1: unknown distribution `zipfain`: did you mean `zipfian`?",
        );
        check(
            "distribution = { kind = \"uniform\", theta = 1.0 }",
            "workload mine, line 1: distribution.theta belongs to zipfian and latest, not to \
             uniform: leave it out",
        );
        check(
            "distribution = { kind = \"zipfian\", theta = 0.0 }",
            "impossible workload: distribution.theta is 0: it must lie above 0 and at most 100 \
             (for 0, use the uniform distribution)",
        );
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = Workload::load("zpif").unwrap_err().to_string();
        assert!(
            error.starts_with("unknown workload `zpif`: did you mean `zipf`?"),
            "{error}"
        );
        let error = Workload::load("no/such.toml").unwrap_err().to_string();
        assert!(
            error.starts_with("cannot read the workload file no/such.toml: "),
            "{error}"
        );
    }
}
