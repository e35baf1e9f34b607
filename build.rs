//! Tells the program which compiler and which commit built it, for the run record. A build from a
//! package, without git, leaves the commit unknown.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    if let Some(version) = output(&rustc, &["--version"]) {
        println!("cargo::rustc-env=KVS_ZOO_RUSTC={version}");
    }
    // Only when this package is the repository, not when it was unpacked inside another one.
    if !Path::new(".git").exists() {
        return;
    }
    // The log of HEAD gets a line at every commit, checkout and reset.
    if let Some(log) = output("git", &["rev-parse", "--git-path", "logs/HEAD"])
        && Path::new(&log).exists()
    {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(commit) = output("git", &["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rustc-env=KVS_ZOO_COMMIT={commit}");
    }
}

/// What the program prints, in one line; `None` when it fails or is not there.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
