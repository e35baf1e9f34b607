//! The agent of a place: what it tells of programs, and that nothing is left when its user is gone.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kvs_place::{Place, PlaceError, Process, SignalName, Spawn};
use rustix::process::Signal;

use crate::program::{PROGRAM, Running, awaited, on_runtime, signal, until};

/// How long a command of these tests may take.
const PATIENCE: Duration = Duration::from_secs(20);

fn place() -> Place {
    Place::start(Path::new(PROGRAM), &[]).unwrap()
}

fn shell(folder: &Path, script: &str) -> Spawn {
    Spawn {
        command: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        directory: folder.to_owned(),
        log: folder.join("log"),
        ..Spawn::default()
    }
}

/// How long a process sleeps: a number that no other process of this machine has, to know it by.
fn nap() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("86400.{}{next:03}", std::process::id())
}

/// The state of each process that sleeps that long, by the letter that the system has for it.
fn sleepers(nap: &str) -> String {
    let wanted = format!("sleep\0{nap}\0");
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|process| {
            std::fs::read_to_string(process.path().join("cmdline")).is_ok_and(|it| it == wanted)
        })
        .filter_map(|process| {
            let stat = std::fs::read_to_string(process.path().join("stat")).ok()?;
            stat.rsplit(") ").next()?.chars().next()
        })
        .filter(|state| *state != 'Z')
        .collect()
}

/// A script whose processes do all that makes them hard to end: one is a child, one has a session
/// of its own and has lost its parent, and none listens to SIGTERM.
fn stubborn(nap: &str) -> String {
    format!(
        "trap '' TERM; setsid sh -c 'sleep {nap} & exit' & sleep {nap} & wait; wait; sleep {nap}"
    )
}

async fn started_stubborn(place: &Place, folder: &Path, nap: &str) -> Process {
    let process = place.spawn(shell(folder, &stubborn(nap))).await.unwrap();
    awaited(|| sleepers(nap).len() == 2).await;
    process
}

#[test]
fn how_a_program_ends_is_told() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let place = place();
        let mut process = place.spawn(shell(folder.path(), "exit 3")).await.unwrap();
        assert_eq!(process.wait().await.status, "exit status: 3");
        let mut process = place
            .spawn(shell(folder.path(), "kill -9 $$"))
            .await
            .unwrap();
        assert_eq!(process.wait().await.status, "signal: 9 (SIGKILL)");
        assert!(process.ended().is_some());
    });
}

#[test]
fn a_program_that_is_not_there_is_missing_by_its_name() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let place = place();
        let command = vec!["no-such-program".to_owned()];
        let spawn = Spawn {
            command: command.clone(),
            ..shell(folder.path(), "")
        };
        let spawned = place.spawn(spawn).await.map(|process| process.pid());
        let none = std::collections::BTreeMap::new();
        let ran = place.run(&command, &none, None, PATIENCE).await;
        for error in [spawned.unwrap_err(), ran.unwrap_err()] {
            let is_missing =
                matches!(&error, PlaceError::Missing { program } if program == "no-such-program");
            assert!(is_missing, "{error}");
        }
    });
}

#[test]
fn a_program_counts_as_running_until_its_last_process_is_gone() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let (place, nap) = (place(), nap());
        let mut process = place
            .spawn(shell(folder.path(), &format!("setsid sleep {nap} &")))
            .await
            .unwrap();
        awaited(|| sleepers(&nap).len() == 1).await;
        assert!(process.ended().is_none());
        process.kill().await;
        assert_eq!(sleepers(&nap), "");
        assert!(process.ended().is_some());
    });
}

#[test]
fn a_place_that_is_dropped_leaves_no_process_however_it_forked() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let (place, nap) = (place(), nap());
        let process = started_stubborn(&place, folder.path(), &nap).await;
        process.signal(SignalName::Terminate).await.unwrap();
        drop((process, place));
        awaited(|| sleepers(&nap).is_empty()).await;
    });
}

#[test]
fn a_place_that_is_dropped_leaves_no_process_that_has_cleared_its_environment() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let (place, nap) = (place(), nap());
        let cleared = format!("env -i setsid sleep {nap} &");
        let process = place.spawn(shell(folder.path(), &cleared)).await.unwrap();
        awaited(|| sleepers(&nap).len() == 1).await;
        drop((process, place));
        awaited(|| sleepers(&nap).is_empty()).await;
    });
}

#[test]
fn a_killed_harness_leaves_no_process_of_a_store_however_it_forked() {
    let (folder, nap) = (tempfile::tempdir().unwrap(), nap());
    let file = folder.path().join("stubborn.toml");
    let script = stubborn(&nap);
    std::fs::write(
        &file,
        format!(
            "name = \"stubborn\"\npromise = \"linearizable\"\n[adapter]\nbuiltin = \"redis\"\n\
             [nodes]\nstart = [\"sh\", \"-c\", \"{script}\"]\nready = {{ tcp = \"client\" }}\n"
        ),
    )
    .unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .arg(format!("--store={}", file.display()))
        .arg(format!("--results={}", folder.path().display()));
    let running = Running::start(&mut command);
    until("its node runs", || sleepers(&nap).len() == 2);
    signal(running.pid(), Signal::KILL);
    until("nothing is left", || sleepers(&nap).is_empty());
}

#[test]
fn stop_and_continue_reach_what_a_program_has_forked() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let (place, nap) = (place(), nap());
        let process = started_stubborn(&place, folder.path(), &nap).await;
        assert!(!sleepers(&nap).contains('T'), "the control");
        process.signal(SignalName::Stop).await.unwrap();
        awaited(|| sleepers(&nap) == "TT").await;
        process.signal(SignalName::Continue).await.unwrap();
        awaited(|| sleepers(&nap) == "SS").await;
    });
}

#[test]
fn what_is_written_is_fetched_and_of_a_long_file_its_end() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let (place, path) = (place(), folder.path().join("made/for/it.txt"));
        place.write(&path, "grüße\nend").await.unwrap();
        let whole = place.fetch(&path, 100).await.unwrap();
        assert_eq!(String::from_utf8(whole).unwrap(), "grüße\nend");
        assert_eq!(place.fetch(&path, 3).await.unwrap(), b"end");
        let none = place.fetch(&folder.path().join("none"), 3).await;
        assert!(none.is_err(), "the control");
    });
}

#[test]
fn the_lines_of_an_attached_program_come_and_go_and_its_complaints_are_logged() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let place = place();
        let mut process = place
            .spawn(Spawn {
                attached: true,
                ..shell(
                    folder.path(),
                    "echo oops >&2; while read line; do echo \"<$line>\"; done",
                )
            })
            .await
            .unwrap();
        for line in ["one", "two"] {
            process.input(line).unwrap();
            assert_eq!(process.line().await, Some(format!("<{line}>")));
        }
        process.kill().await;
        assert_eq!(process.line().await, None);
        let log = place.fetch(&folder.path().join("log"), 100).await.unwrap();
        assert_eq!(log, b"oops\n");
    });
}
