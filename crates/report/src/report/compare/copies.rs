//! Finds runs that are there more than once: a copy of a run says nothing new.

use std::collections::BTreeMap;

use super::answer::Gap;
use super::load::RunSet;
use kvs_measure::RunRecord;

/// The copies within each set, and the runs that A and B share.
pub(super) fn gaps(a: &RunSet, b: &RunSet) -> impl Iterator<Item = Gap> {
    let shared = { b.runs.iter() }.filter(|run| a.runs.contains(run)).count();
    let shared = (shared > 0).then(|| {
        let all = b.runs.len();
        Gap::new("B", format!("{shared} of {all} runs are runs of A as well"))
    });
    within("A", a)
        .into_iter()
        .chain(within("B", b))
        .chain(shared)
}

fn within(set: &str, runs: &RunSet) -> Option<Gap> {
    // Most runs differ by their start, so that few are compared with each other.
    let mut by_start: BTreeMap<&str, Vec<&RunRecord>> = BTreeMap::new();
    let mut copies = 0;
    for run in &runs.runs {
        let known = by_start.entry(&run.started_at).or_default();
        if known.iter().any(|other| is_same(run, other)) {
            copies += 1;
        } else {
            known.push(run);
        }
    }
    let text = format!(
        "{copies} of {} runs are copies of other runs in it: count each once",
        runs.runs.len()
    );
    (copies > 0).then(|| Gap::new(set, text))
}

/// Whether two records are of one run, wherever they lie.
fn is_same(one: &RunRecord, other: &RunRecord) -> bool {
    one.configuration == other.configuration
        && one.phases == other.phases
        && one.statistics == other.statistics
        && one.nodes == other.nodes
        && one.verdict == other.verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(seed: u64, directory: &str) -> RunRecord {
        let mut run: RunRecord = serde_json::from_str(include_str!(
            "../../../../../tests/testdata/records/before-faults.json"
        ))
        .expect("a record");
        run.configuration.seed = seed;
        directory.clone_into(&mut run.directory);
        run
    }

    fn told(a: &[RunRecord], b: &[RunRecord]) -> Vec<String> {
        let (a, b) = (a.to_vec().into(), b.to_vec().into());
        gaps(&a, &b).map(|gap| gap.sentence()).collect()
    }

    #[test]
    fn a_run_that_was_copied_is_no_second_run() {
        let (a, b) = ([run(1, "a"), run(2, "b")], [run(3, "c"), run(4, "d")]);
        assert_eq!(told(&a, &b), [""; 0], "the control");
        let copied = [run(1, "a"), run(1, "copy"), run(2, "b")];
        let gap = "A: 1 of 3 runs are copies of other runs in it: count each once";
        assert_eq!(told(&copied, &b), [gap]);
    }

    #[test]
    fn a_set_is_not_compared_with_itself() {
        let a = [run(1, "a"), run(2, "b")];
        assert_eq!(told(&a, &a), ["B: 2 of 2 runs are runs of A as well"]);
    }
}
