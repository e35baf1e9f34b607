//! Clients that compare and set.

use super::*;
use kvs_check::history::{Format, ImportOptions, Kind, Outcome, read_history, write_jepsen_edn};
use kvs_load::workload::Workload;

const CAS_SEEDS: std::ops::Range<u64> = 0..20;

fn registers(architecture: &str) -> Options {
    Options {
        workload: Some(Workload::load("cas-register").expect("it comes with the program")),
        steps: 300,
        ..Options::new(
            architecture.parse().expect("an architecture"),
            Lattice::Causal,
        )
    }
}

#[test]
fn stores_of_one_copy_compare_and_set_and_stay_linearizable() {
    for architecture in ["local", "sharded"] {
        let (mut taken, mut told) = (0, 0);
        for seed in CAS_SEEDS {
            let outcome = run(&Plan::draw(seed, &registers(architecture)));
            assert_eq!(
                outcome.verdict,
                SimVerdict::Valid,
                "{architecture}, seed {seed}"
            );
            let columns = &outcome.history.columns;
            let rows = (0..columns.len()).filter(|row| columns.outcome[*row] == Outcome::Ok);
            let of = |kind| {
                rows.clone()
                    .filter(|row| columns.kind[*row] == kind)
                    .count()
            };
            taken += of(Kind::Cas);
            told += of(Kind::Get);
        }
        assert!(
            taken > 1_000 && told > taken,
            "{architecture}: {taken}, {told}"
        );
    }
}

#[test]
fn a_store_that_reads_stale_values_is_caught_among_compare_and_sets() {
    let options = Options {
        bug: Some(Bug::StaleReads),
        ..registers("local")
    };
    let mut ways = CAS_SEEDS.map(|seed| run(&Plan::draw(seed, &options)).verdict.way());
    assert!(ways.any(|way| way == "invalid: not-linearizable"));
}

#[test]
fn a_history_with_compare_and_sets_is_judged_the_same_after_its_export_and_import() {
    let directory = std::env::temp_dir().join(format!("kvs-sim-cas-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    let sane = Options {
        without: SimFault::ALL.iter().copied().collect(),
        ..registers("local")
    };
    let buggy = Options {
        bug: Some(Bug::StaleReads),
        ..sane.clone()
    };
    let word = |history: &History| judge::verdict(history, None).way();
    // A last read that is stale shows a value that was replaced: that is a lost write first. EDN does
    // not say which reads were the last.
    for (options, expected, in_edn) in [
        (sane, "valid", "valid"),
        (buggy, "invalid: lost-write", "invalid: not-linearizable"),
    ] {
        let history = run(&Plan::draw(1, &options)).history;
        assert_eq!(word(&history), expected);
        let mut edn = Vec::new();
        write_jepsen_edn(&history, &mut edn).expect("EDN can say it");
        assert!(String::from_utf8_lossy(&edn).contains(":f :cas"));
        let formats = [
            (Format::JepsenEdn, edn, in_edn),
            (Format::JsonLines, lines(&history).into_bytes(), expected),
        ];
        for (format, text, expected) in formats {
            let path = directory.join("history");
            std::fs::write(&path, text).expect("a file");
            let read = read_history(&path, Some(format), &ImportOptions::default());
            let read = read.expect("it was exported");
            assert_eq!(word(&read), expected, "{format:?}");
        }
    }
    std::fs::remove_dir_all(&directory).expect("the directory is there");
}
