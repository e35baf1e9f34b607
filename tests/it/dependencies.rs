//! What a crate pulls in: `kvs-check` stays small for those who use it alone.

use std::collections::BTreeSet;
use std::process::Command;

/// Crates that `kvs-check` may have without its features, itself included.
const CRATES_MAX: usize = 40;
/// Starts of the names of crates that it must not have: sockets, runtimes, servers and terminals.
const BANNED: [&str; 4] = ["quinn", "tokio", "axum", "ratatui"];

/// The names of the crates that `kvs-check` is built from, itself included.
fn crates(features: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", "kvs-check"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{said}");
    let lines = String::from_utf8(tree.stdout).unwrap();
    { lines.lines() }
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}

/// What is wrong with a set of crates.
fn complaints(crates: &BTreeSet<String>) -> Vec<String> {
    let is_banned = |name: &&String| BANNED.iter().any(|banned| name.starts_with(banned));
    let mut found: Vec<String> = { crates.iter().filter(is_banned) }
        .map(|name| format!("{name} is not for a checker"))
        .collect();
    if crates.len() > CRATES_MAX {
        found.push(format!("{} crates: {crates:#?}", crates.len()));
    }
    found
}

#[test]
fn the_checker_without_its_features_has_few_crates_and_none_that_does_io() {
    let small = crates(&["--no-default-features"]);
    assert!(small.iter().any(|name| name.starts_with("kvs-check ")));
    assert_eq!(complaints(&small), [""; 0]);
}

#[test]
fn a_checker_with_too_many_crates_or_with_a_socket_is_found() {
    let large = crates(&[]);
    assert!(large.len() > CRATES_MAX, "{large:?}");
    assert_eq!(complaints(&large).len(), 1);
    let with_socket = BTreeSet::from(["quinn v0.11.0".to_owned()]);
    assert_eq!(complaints(&with_socket).len(), 1);
}
