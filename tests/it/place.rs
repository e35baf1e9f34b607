//! The agent of a place: what it tells of programs, and that nothing is left when its user is gone.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use kvs_place::channel::{INPUT_AHEAD_BYTES_MAX, OUTPUT_AHEAD_BYTES_MAX};
use kvs_place::{Place, PlaceError, Prefix, Process, SignalName, Spawn};
use rustix::process::Signal;

use crate::program::{PROGRAM, Running, awaited, on_runtime, parent_of, signal, until};

/// How long a command of these tests may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

fn place() -> Place {
    Place::start(Path::new(PROGRAM), &Prefix::none()).unwrap()
}

pub(crate) fn shell(folder: &Path, script: &str) -> Spawn {
    Spawn {
        command: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
        directory: folder.to_owned(),
        log: folder.join("log"),
        ..Spawn::default()
    }
}

/// How long a process sleeps: a number that no other process of this machine has, to know it by.
pub(crate) fn nap() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("86400.{}{next:03}", std::process::id())
}

/// The state of each process that sleeps that long, by the letter that the system has for it.
pub(crate) fn sleepers(nap: &str) -> String {
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

pub(crate) async fn started_stubborn(place: &Place, folder: &Path, nap: &str) -> Process {
    let process = place.spawn(shell(folder, &stubborn(nap))).await.unwrap();
    awaited(|| sleepers(nap).len() == 2).await;
    process
}

#[test]
fn how_a_program_ends_is_told() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let place = place();
        let process = place.spawn(shell(folder.path(), "exit 3")).await.unwrap();
        assert_eq!(process.wait().await.status, "exit status: 3");
        let process = place
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
fn of_a_file_longer_than_one_report_the_end_is_fetched_and_nothing_else() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let (place, path) = (place(), folder.path().join("long"));
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|i| (i % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        for bytes_max in [0, 1, 1_000_000, 2_999_999, 3_000_000, 4_000_000] {
            let end = &bytes[bytes.len().saturating_sub(bytes_max)..];
            let fetched = place.fetch(&path, bytes_max).await.unwrap();
            assert!(fetched == end, "{bytes_max}: {}", fetched.len());
        }
    });
}

#[test]
fn a_file_that_cannot_be_written_is_no_program_that_is_missing() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let spawn = Spawn {
            log: folder.path().join("no/such/folder/log"),
            ..shell(folder.path(), "exit 0")
        };
        let error = place().spawn(spawn).await.unwrap_err();
        assert!(matches!(error, PlaceError::Refused(_)), "{error}");
        assert!(error.to_string().contains("no/such/folder/log"), "{error}");
    });
}

fn attached(folder: &Path, script: &str) -> Spawn {
    Spawn {
        attached: true,
        ..shell(folder, script)
    }
}

#[test]
fn a_program_that_nobody_reads_waits_and_holds_up_nobody_else() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let place = place();
        let count = folder.path().join("count");
        let line = "x".repeat(1000);
        let script = format!(
            "while echo {line}; do i=$((i + 1)); echo $i > {}; done",
            count.display()
        );
        let mut unread = place.spawn(attached(folder.path(), &script)).await.unwrap();
        let printed = || std::fs::read_to_string(&count).unwrap_or_default();
        let printed = || printed().trim().parse::<u64>().unwrap_or(0);
        awaited(|| printed() * 1001 > OUTPUT_AHEAD_BYTES_MAX).await;

        // All that a place does, it does for others.
        let script = "read it; echo got $it; exit 7";
        let mut other = place.spawn(attached(folder.path(), script)).await.unwrap();
        other.input("one").unwrap();
        assert_eq!(other.line().await.unwrap(), "got one");
        assert_eq!(other.wait().await.status, "exit status: 7");
        let most = OUTPUT_AHEAD_BYTES_MAX + (1 << 18);
        assert!(printed() * 1001 < most, "{} lines", printed());

        // It goes on as soon as it is read, and ends when it is told to, read or not.
        for _ in 0..3000 {
            assert_eq!(unread.line().await.as_deref(), Some(line.as_str()));
        }
        unread.kill().await;
        assert_eq!(unread.ended().unwrap().status, "signal: 9 (SIGKILL)");
        while unread.line().await.is_some() {}
    });
}

#[test]
fn a_stopped_program_that_was_told_much_is_told_no_more_and_can_be_continued() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let place = place();
        let script = "cat > told; echo ended";
        let mut process = place.spawn(attached(folder.path(), script)).await.unwrap();
        process.signal(SignalName::Stop).await.unwrap();
        let line = "y".repeat(99_999);
        let mut told = 0;
        while process.input(&line).is_ok() {
            told += 1;
        }
        assert_eq!(told, INPUT_AHEAD_BYTES_MAX / 100_000, "in lines");
        let error = process.input(&line).unwrap_err();
        assert!(matches!(error, PlaceError::Unread), "{error}");
        process.signal(SignalName::Continue).await.unwrap();
        // There is room again as soon as it reads.
        awaited(|| process.input("last").is_ok()).await;
        let length = told * 100_000 + 5;
        let path = folder.path().join("told");
        awaited(|| std::fs::metadata(&path).is_ok_and(|file| file.len() == length)).await;
        process.kill().await;
    });
}

#[test]
fn a_program_dies_with_an_agent_that_is_killed_and_its_user_is_told() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let (place, nap) = (place(), nap());
        let spawn = Spawn {
            command: vec!["sleep".to_owned(), nap.clone()],
            ..shell(folder.path(), "")
        };
        let process = place.spawn(spawn).await.unwrap();
        awaited(|| sleepers(&nap) == "S").await;
        process.signal(SignalName::Stop).await.unwrap();
        signal(parent_of(process.pid()), Signal::KILL);
        assert_eq!(process.wait().await.status, "gone with its place");
        awaited(|| sleepers(&nap).is_empty()).await;
        let error = place.write(&folder.path().join("file"), "").await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("signal: 9 (SIGKILL)"), "{error}");
    });
}

/// A parent that dies before its child could ask to die with it is another one by then.
#[test]
fn a_program_whose_parent_is_not_the_one_that_started_it_is_not_run() {
    let run = |parent: u32| {
        let mut command = Command::new(PROGRAM);
        command.args(["place-exec", &parent.to_string(), "echo", "run"]);
        let output = command.output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    assert_eq!(run(1), (Some(1), String::new()));
    let own = run(std::process::id());
    assert_eq!(own, (Some(0), "run\n".to_owned()), "the control");
}

#[test]
fn the_lines_of_an_attached_program_come_and_go_and_its_complaints_are_logged() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let place = place();
        let mut process = place
            .spawn(attached(
                folder.path(),
                "echo oops >&2; while read line; do echo \"<$line>\"; done",
            ))
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
