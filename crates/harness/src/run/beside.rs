//! What a later judgement of a run's history needs from the run record beside it.
//!
//! A history does not tell which faults were asked for, nor whether its run came to its end. The
//! run's verdict depends on both, so a later verdict has to depend on them too.

use std::path::Path;

use kvs_check::checker::Report;
use kvs_check::history::History;
use kvs_measure::RunRecord;

use super::directory::{HISTORY_FILE, NODES_DIRECTORY};
use super::verdict::want_reads;

/// Adds to the report of a run's history what the run record beside it says of the verdict. `given`
/// is what was named, a run's directory or a file, and `path` the history that was found there. A
/// history that lies in no run's directory is judged by itself.
pub fn add_record(report: &mut Report, given: &Path, path: &Path, history: &History) {
    let Some(directory) = path.parent() else {
        return;
    };
    if !directory.join(RunRecord::FILE_NAME).exists() {
        if is_run(given, path, directory) {
            report.gaps.push(format!(
                "the run's directory is partial, there is no {}: the run did not come to its end, \
                 and which faults it asked for is not known",
                RunRecord::FILE_NAME
            ));
        }
        return;
    }
    match RunRecord::load(directory) {
        Ok(record) => {
            report.gaps.extend(foreign(&record, history));
            report.gaps.extend(record.gaps());
            want_reads(report);
            report.remarks.extend(record.faults.remark());
        }
        Err(error) => report.gaps.push(format!(
            "{error}, so that which faults the run asked for is not known"
        )),
    }
}

/// Whether a history without a run record was recorded by a run.
fn is_run(given: &Path, path: &Path, directory: &Path) -> bool {
    let is_recording = path.file_name().is_some_and(|name| name == HISTORY_FILE);
    is_recording && (given.is_dir() || directory.join(NODES_DIRECTORY).is_dir())
}

/// That record and history are of different runs, as a clause.
fn foreign(record: &RunRecord, history: &History) -> Option<String> {
    let header = &history.header;
    if header.architecture.is_empty() {
        // A history of no run of ours has nothing to compare.
        return None;
    }
    let configuration = &record.configuration;
    let differs = header.architecture != configuration.architecture
        || header.seed != configuration.seed
        || (history.end).is_some_and(|end| end.operations != record.history.recorded);
    differs.then(|| {
        format!(
            "the {} beside it is of another run ({} with the seed {}, {} operations)",
            RunRecord::FILE_NAME,
            configuration.architecture,
            configuration.seed,
            record.history.recorded
        )
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;
    use kvs_check::checker::{NOTHING_READ, Options, VerdictWord, check};
    use kvs_measure::FaultCoverage;

    /// A valid history of one put and the read of it.
    const HISTORY: &str = concat!(
        r#"{"schema":1,"promise":"linearizable","architecture":"replicated","seed":7}"#,
        "\n",
        r#"{"session":0,"kind":"put","key":"x","invoke":1,"return":2}"#,
        "\n",
        r#"{"session":1,"kind":"get","key":"x","read":["0:0"],"invoke":3,"return":4}"#,
        "\n",
        r#"{"end":{"operations":2}}"#,
        "\n",
    );

    fn record() -> RunRecord {
        let stored = include_str!("../../../../tests/testdata/records/before-faults.json");
        let mut record: RunRecord = serde_json::from_str(stored).expect("a record");
        record.configuration.architecture = "replicated".to_owned();
        record.configuration.seed = 7;
        record.history.recorded = 2;
        record
    }

    /// A run's directory, and the history in it.
    fn directory(record: Option<&RunRecord>) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("a directory");
        fs::create_dir(directory.path().join(NODES_DIRECTORY)).expect("made");
        if let Some(record) = record {
            record.save(directory.path()).expect("saved");
        }
        let path = directory.path().join(HISTORY_FILE);
        fs::write(&path, HISTORY).expect("written");
        (directory, path)
    }

    fn judged(given: &Path, path: &Path) -> Report {
        let history = History::read(path).expect("a history");
        let mut report = check(&history, &Options::default());
        assert_eq!(
            report.verdict(),
            VerdictWord::Valid,
            "the control: {report}"
        );
        add_record(&mut report, given, path, &history);
        report
    }

    /// The gap of a history beside this record.
    #[track_caller]
    fn gap(record: Option<&RunRecord>) -> String {
        let (directory, path) = directory(record);
        let report = judged(directory.path(), &path);
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
        assert_eq!(judged(&path, &path), report, "the file is as the directory");
        report.gaps.join("; ")
    }

    #[test]
    fn a_run_is_judged_again_with_the_faults_that_never_came() {
        let kills = |installed| FaultCoverage {
            kind: "kill".to_owned(),
            at_random: true,
            installed,
            ..FaultCoverage::default()
        };
        let mut run = record();
        run.faults.coverage = vec![kills(0)];
        assert!(gap(Some(&run)).contains("no kill was installed"));
        run.faults.coverage = vec![kills(2)];
        let (directory, path) = directory(Some(&run));
        let report = judged(directory.path(), &path);
        assert_eq!(
            report.verdict(),
            VerdictWord::Valid,
            "the control: {report}"
        );
        assert_eq!(report.remarks, ["faults: 2 kills"]);
        run.faults.failures = vec!["could not heal".to_owned()];
        assert!(gap(Some(&run)).ends_with("the nemesis failed: could not heal"));
    }

    #[test]
    fn a_run_in_which_nothing_succeeded_is_judged_again_as_unknown() {
        let mut run = record();
        run.statistics.throughput.operations = 0;
        run.statistics.throughput.errors = 7;
        assert_eq!(
            gap(Some(&run)),
            "none of the 7 operations of the measured part succeeded"
        );
    }

    #[test]
    fn a_run_in_which_nothing_was_read_is_unknown_and_a_history_of_nobodys_is_not() {
        let run = record();
        let (directory, path) = directory(Some(&run));
        let unread = HISTORY.replace(
            "\"get\",\"key\":\"x\",\"read\":[\"0:0\"]",
            "\"put\",\"key\":\"x\"",
        );
        fs::write(&path, &unread).expect("written");
        let report = judged(directory.path(), &path);
        assert_eq!(report.gaps, [NOTHING_READ], "{report}");
        let elsewhere = tempfile::tempdir().expect("a directory");
        let path = elsewhere.path().join("mine.jsonl");
        fs::write(&path, &unread).expect("written");
        assert_eq!(judged(&path, &path).remarks, [NOTHING_READ]);
    }

    #[test]
    fn a_directory_without_its_record_or_with_half_of_it_is_partial() {
        assert!(gap(None).contains("is partial, there is no run.json"));
        let (directory, path) = directory(None);
        fs::write(directory.path().join(RunRecord::FILE_NAME), "{\"version\":").expect("written");
        let report = judged(directory.path(), &path);
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
        assert!(report.gaps[0].contains("is not a run record"), "{report}");
    }

    #[test]
    fn a_record_of_another_run_vouches_for_nothing() {
        let mut run = record();
        run.history.recorded = 3;
        assert!(gap(Some(&run)).contains("is of another run"));
        let mut run = record();
        run.configuration.seed = 8;
        assert!(gap(Some(&run)).contains("with the seed 8"));
    }

    #[test]
    fn a_history_that_lies_in_no_run_is_judged_by_itself() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("mine.jsonl");
        fs::write(&path, HISTORY).expect("written");
        let report = judged(&path, &path);
        assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
        assert!(report.gaps.is_empty() && report.remarks.is_empty());
    }
}
