//! Places behind a command: whatever that does to the agent's parent, its environment, its process
//! id or what it sees of this machine, the place does its work and leaves nothing behind. Namespaces
//! need root; their tests say so where there is none.

use std::path::Path;
use std::process::{Command, Stdio};

use kvs_place::{Place, Prefix, SignalName, Spawn};

use crate::place::{PATIENCE, nap, shell, sleepers, started_stubborn};
use crate::program::{PROGRAM, awaited, on_runtime, parent_of};

/// The environment that is left to an agent.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Has a place do all that there is to do, and leaves it.
async fn works(program: &Path, prefix: Prefix) {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::start(program, &prefix).unwrap();

    // Files and commands.
    let path = folder.path().join("file");
    place.write(&path, "text").await.unwrap();
    assert_eq!(place.fetch(&path, 100).await.unwrap(), b"text");
    let command = ["cat".to_owned(), path.display().to_string()];
    let none = std::collections::BTreeMap::new();
    let ran = place.run(&command, &none, None, PATIENCE).await.unwrap();
    assert_eq!(ran.output, "text");

    // A program that is talked to, and one that ends.
    let mut attached = place
        .spawn(Spawn {
            attached: true,
            ..shell(
                folder.path(),
                "echo oops >&2; read it; echo \"<$it>\"; read it",
            )
        })
        .await
        .unwrap();
    attached.input("one").unwrap();
    assert_eq!(attached.line().await.as_deref(), Some("<one>"));
    let log = place.fetch(&folder.path().join("log"), 100).await.unwrap();
    assert_eq!(log, b"oops\n");
    let ended = place.spawn(shell(folder.path(), "exit 3")).await.unwrap();
    assert_eq!(ended.wait().await.status, "exit status: 3");

    // Signals reach all processes of a program, and nobody else's.
    let (first, second) = (nap(), nap());
    let mut stubborn = started_stubborn(&place, folder.path(), &first).await;
    let other = started_stubborn(&place, folder.path(), &second).await;
    stubborn.signal(SignalName::Stop).await.unwrap();
    awaited(|| sleepers(&first) == "TT").await;
    stubborn.signal(SignalName::Continue).await.unwrap();
    awaited(|| sleepers(&first) == "SS").await;
    stubborn.kill().await;
    assert_eq!(sleepers(&first), "");
    // A process may just be running: it sleeps again, unless it was stopped or killed.
    awaited(|| sleepers(&second) == "SS").await;

    // And nothing is left.
    drop((attached, ended, stubborn, other, place));
    awaited(|| sleepers(&second).is_empty()).await;
}

#[test]
fn a_place_works_behind_a_command_that_becomes_the_agent() {
    on_runtime(async {
        for words in [
            // The toy: it does nothing else.
            &["env"][..],
            &["env", "-i", PATH],
            &["nice", "-n5"],
            &["setsid", "-w"],
        ] {
            works(Path::new(PROGRAM), Prefix::command(words)).await;
        }
    });
}

/// The toy, broken: each keeps something of the agent from its user.
#[test]
fn a_place_behind_a_command_that_is_none_is_refused_and_its_command_is_named() {
    let script = |script| vec!["sh", "-c", script, "toy"];
    let broken = [
        // It swallows the input, all that is said, the agent.
        (script(r#"exec "$@" </dev/null"#), "exit status: 0"),
        (
            script(r#""$@" >/dev/null </dev/null; exit 3"#),
            "exit status: 3",
        ),
        (vec!["true"], "exit status: 0"),
        (vec!["false"], "exit status: 1"),
        // It runs something else.
        (script(r#"exec "$0-of-a-place" "$@""#), "exit status: 127"),
    ];
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        for (words, status) in broken {
            let place = Place::start(Path::new(PROGRAM), &Prefix::command(&words)).unwrap();
            let written = place.write(&folder.path().join("file"), "text").await;
            let told = written.expect_err("nobody answers").to_string();
            let command = format!("(`{} {PROGRAM} place`) is gone", words.join(" "));
            assert!(told.contains(&command), "{told}");
            assert!(told.ends_with(status), "{told}");
        }
        let missing = Prefix::command(["no-such-prefix"]);
        let told = Place::start(Path::new(PROGRAM), &missing).map(drop);
        let told = told.expect_err("it is not there").to_string();
        assert!(told.contains("by running `no-such-prefix "), "{told}");
    });
}

#[test]
fn a_place_works_behind_a_command_that_stays_its_parent() {
    on_runtime(async {
        let script = r#""$@"; exit $?"#;
        let prefix = Prefix::command(["sh", "-c", script, "sh"]);
        works(Path::new(PROGRAM), prefix.clone()).await;

        let folder = tempfile::tempdir().unwrap();
        let place = Place::start(Path::new(PROGRAM), &prefix).unwrap();
        let script = "echo $PPID; read it";
        let spawn = Spawn {
            attached: true,
            ..shell(folder.path(), script)
        };
        let mut process = place.spawn(spawn).await.unwrap();
        let agent: u32 = process.line().await.unwrap().parse().unwrap();
        assert_eq!(parent_of(process.pid()), agent);
        assert_ne!(parent_of(agent), std::process::id(), "the control");
    });
}

/// As a remote shell does: it makes one line of its words, and another shell takes that apart.
#[test]
fn a_place_works_behind_a_shell_that_reads_its_command_whatever_its_path() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("it's here & now");
        std::os::unix::fs::symlink(PROGRAM, &program).unwrap();
        works(&program, Prefix::shell(["sh", "-c"])).await;
        let by_words = Prefix::command(["sh", "-c"]);
        let place = Place::start(&program, &by_words).unwrap();
        let written = place.write(&folder.path().join("file"), "").await;
        assert!(written.is_err(), "the control");
    });
}

/// Whether a command can be had here; says so when not.
fn can_be_had(words: &[&str]) -> bool {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg("true").stderr(Stdio::null());
    let can = command.status().is_ok_and(|status| status.success());
    if !can {
        eprintln!("not tested: {words:?} cannot be run here (not root?)");
    }
    can
}

#[test]
fn a_place_works_behind_a_command_that_gives_the_agent_namespaces_of_its_own() {
    on_runtime(async {
        for words in [
            &["unshare", "-m"][..],
            // There the agent is process 1, and ids mean something else.
            &["unshare", "--fork", "--pid", "--mount-proc"],
        ] {
            if can_be_had(words) {
                works(Path::new(PROGRAM), Prefix::command(words)).await;
            }
        }
    });
}

/// It would take the ids of strangers for those of its programs.
#[test]
fn an_agent_that_sees_the_processes_of_another_namespace_gives_up() {
    let words = ["unshare", "--fork", "--pid"];
    if !can_be_had(&words) {
        return;
    }
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::start(Path::new(PROGRAM), &Prefix::command(words)).unwrap();
        let error = place.write(&folder.path().join("file"), "").await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("exit status: 1"), "{error}");
    });
}
