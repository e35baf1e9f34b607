//! `kvs-bench scale` as its users have it.

use std::fs;

use crate::program::{Ended, bench};

fn scale(arguments: &[&str]) -> Ended {
    bench(&[&["scale", "--replicas", "3,12", "--fanout", "2"], arguments].concat())
}

#[test]
fn it_prints_a_table_and_keeps_it_with_a_plot_for_each_chance_of_loss() {
    let directory = tempfile::tempdir().unwrap();
    let out = format!("--out={}", directory.path().display());
    let ended = scale(&["--seeds", "2", "--loss", "0,0.1", &out]);
    assert_eq!((ended.code(), ended.stderr.as_str()), (0, ""));
    assert_eq!(
        ended
            .stdout
            .lines()
            .filter(|line| line.starts_with("  12 "))
            .count(),
        2
    );
    let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    assert_eq!(read("scale.txt").trim_end(), ended.stdout.trim_end());

    let mut csv = csv::Reader::from_reader(read("scale.csv").into_bytes().leak() as &[u8]);
    let header = csv.headers().unwrap().clone();
    for column in ["replicas", "fanout", "last_ms", "reached", "theory_reached"] {
        assert!(header.iter().any(|name| name == column), "{column}");
    }
    assert_eq!(csv.records().map(Result::unwrap).count(), 4);

    for name in ["lan-loss-0.svg", "lan-loss-0.1.svg"] {
        let svg = read(name);
        assert_well_formed(&svg);
        for label in [
            "replicas",
            "messages",
            "bytes",
            "part of the group",
            "fanout 2",
        ] {
            assert!(svg.contains(label), "{label} is missing in {name}");
        }
    }
}

/// Every element of the picture is closed, in the order in which they were opened.
#[track_caller]
fn assert_well_formed(svg: &str) {
    let mut open = Vec::new();
    for tag in svg.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "{text:?}");
        let name = tag.split_whitespace().next().unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(closed));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(svg.starts_with("<svg") && open.is_empty(), "{open:?}");
}

#[test]
#[should_panic(expected = "assertion")]
fn a_picture_that_is_cut_short_is_not_well_formed() {
    assert_well_formed("<svg a=\"1\">\n<g><text>9</text>\n</svg>");
}

#[test]
fn the_same_command_prints_the_same_and_json_says_what_csv_says() {
    let first = scale(&["--seeds", "1", "--csv"]);
    let jobs = scale(&["--seeds", "1", "--csv", "--jobs", "3"]);
    assert_eq!((first.code(), &first.stdout), (0, &jobs.stdout));
    let json = scale(&["--seeds", "1", "--json"]);
    let points: Vec<serde_json::Value> = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(points.len(), first.stdout.lines().count() - 1);
    assert_eq!(points[0]["topology"], "lan");
}

#[test]
fn a_store_that_does_not_repair_what_rumours_miss_is_caught() {
    let ended = scale(&["--replicas", "60", "--seeds", "1", "--bug", "no-repair"]);
    assert_eq!(ended.code(), 1, "{}", ended.stdout);
    assert!(ended.stdout.contains("never"), "{}", ended.stdout);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    for arguments in [
        &["--shards", "5"][..],
        &["--loss", "1"],
        &["--loss", "-0.1"],
        &["--every", "0"],
        &["--fanout", "0"],
        &["--replicas", "4000"],
        &["--replicas", "2000", "--sessions", "2000"],
        &["--bug", "no-such-bug"],
        &["--json", "--csv"],
    ] {
        let ended = scale(arguments);
        assert_eq!(ended.code(), 254, "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}
