//! The program as whoever runs it sees it.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kvs-models"))
        .args(arguments)
        .output()
        .expect("kvs-models starts")
}

#[test]
fn the_list_has_a_model_of_every_architecture() {
    let output = run(&["list"]);
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    for name in ["local", "replicated-causal", "replicated-lww", "sharded"] {
        assert!(text.contains(name), "{name} is missing:\n{text}");
    }
}

#[test]
fn a_model_that_nobody_wrote_is_refused() {
    let output = run(&["check", "replicated-magic"]);
    assert_eq!(output.status.code(), Some(254));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("replicated-magic"), "{text}");
}
