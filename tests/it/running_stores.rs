//! Stores that run already: what a run leaves there. Tests that need Redis or
//! Python say so where these are missing.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::program::{Ended, PROGRAM, Running, bench, run_directory, signal, until};
use crate::stores::is_installed;

/// A name that looks like those of runs, and is somebody else's.
const ANOTHERS: &str = "kvs:somebody-else:user000000000001";
const SHORT: &[&str] = &[
    "--records=20",
    "--sessions=4",
    "--warmup=0s",
    "--duration=300ms",
    "--workload=contended",
];

/// A Redis that this program did not start.
struct Redis {
    _server: Running,
    port: u16,
    _folder: TempDir,
    password: &'static str,
}

impl Redis {
    /// None where it is not installed.
    fn start(password: &'static str, more: &[&str]) -> Option<Self> {
        if !is_installed("redis-server") {
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let mut command = Command::new("redis-server");
        command
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .args(more)
            .current_dir(&folder);
        if !password.is_empty() {
            command.args(["--requirepass", password]);
        }
        let server = Running::start(&mut command);
        until("Redis serves", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Some(Self {
            _server: server,
            port,
            _folder: folder,
            password,
        })
    }

    fn endpoint(&self) -> String {
        format!("--endpoints=127.0.0.1:{}", self.port)
    }

    /// The lines that it replies to commands of one line each.
    fn says(&self, commands: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        if !self.password.is_empty() {
            write!(stream, "AUTH {}\r\n", self.password).unwrap();
        }
        for command in commands {
            write!(stream, "{command}\r\n").unwrap();
        }
        write!(stream, "QUIT\r\n").unwrap();
        let lines = BufReader::new(stream).lines().map(Result::unwrap);
        lines.collect()
    }

    /// Its keys, with the lengths between them left out.
    fn keys(&self) -> Vec<String> {
        let lines = self.says(&["KEYS *"]);
        { lines.into_iter() }
            .filter(|line| !line.starts_with(['*', '$', '+']))
            .collect()
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// A run of `store` against nodes that run already.
fn run(store: &str, endpoint: &str, more: &[&str]) -> (Ended, TempDir) {
    let results = tempfile::tempdir().unwrap();
    let (store, to) = (
        format!("--store={store}"),
        format!("--results={}", results.path().display()),
    );
    let ended = bench(&[&[&store[..], &to, endpoint], SHORT, more].concat());
    (ended, results)
}

/// What the screen says, on one line.
fn screen(ended: &Ended) -> String {
    let words: Vec<&str> = ended.stdout.split_whitespace().collect();
    words.join(" ")
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("examples/adapters")
        .join(name)
}

/// A file that has `adapter` speak to a store, and the folder that it lies in.
fn file(adapter: &str) -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("store.toml");
    let text = format!("name = \"mine\"\npromise = \"linearizable\"\n{adapter}\n");
    std::fs::write(&file, text).unwrap();
    (folder, file.display().to_string())
}

#[test]
fn a_run_leaves_its_keys_in_a_store_that_runs_already_unless_it_is_to_delete_them() {
    let Some(redis) = Redis::start("", &[]) else {
        return;
    };
    redis.says(&[&format!("SET {ANOTHERS} theirs")]);
    let (ended, _results) = run("redis", &redis.endpoint(), &["--clean"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(redis.keys(), [ANOTHERS], "only its own are deleted");
    let screen = screen(&ended);
    assert!(screen.contains("20 keys deleted in the end"), "{screen}");
    let (ended, _results) = run("redis", &redis.endpoint(), &[]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(redis.keys().len(), 21, "the control");
}

#[test]
fn an_interrupted_run_deletes_its_keys_as_well() {
    let Some(redis) = Redis::start("", &[]) else {
        return;
    };
    let results = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .args(["--store=redis", "--clean", "--workload=contended"])
        .args(["--duration=1h", &redis.endpoint()])
        .arg(format!("--results={}", results.path().display()));
    let running = Running::start(&mut command);
    until("it has written", || !redis.keys().is_empty());
    signal(running.pid(), rustix::process::Signal::INT);
    let ended = running.wait();
    assert_eq!(ended.code(), 130, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(redis.keys(), [""; 0]);
}

#[test]
fn keys_that_cannot_be_deleted_are_told_of() {
    let Some(redis) = Redis::start("", &["--rename-command", "DEL", ""]) else {
        return;
    };
    let (ended, _results) = run("redis", &redis.endpoint(), &["--clean"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    let screen = screen(&ended);
    let told = "Warning keys of this run are still there (--clean): 127.0.0.1:";
    assert!(screen.contains(told), "{screen}");
    assert!(screen.contains("unknown command"), "{screen}");
    assert_eq!(redis.keys().len(), 20);
}

#[test]
fn an_adapter_deletes_the_keys_if_it_knows_how() {
    let Some(redis) = Redis::start("", &[]) else {
        return;
    };
    if !is_installed("python3") {
        return;
    }
    let adapter = |name: &str| {
        let path = example(name);
        format!("[adapter]\ncommand = [\"python3\", \"{}\"]", path.display())
    };
    redis.says(&[&format!("SET {ANOTHERS} theirs")]);
    let (_folder, store) = file(&adapter("redis_adapter.py"));
    let (ended, _results) = run(&store, &redis.endpoint(), &["--clean"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    assert_eq!(redis.keys(), [ANOTHERS]);
    let (_folder, store) = file(&adapter("http_adapter.py"));
    let (ended, results) = run(&store, &redis.endpoint(), &["--clean"]);
    let line = ended.error_line();
    assert!(
        line.contains("does not name `delete` among its ops"),
        "{line}"
    );
    let directory = run_directory(results.path()).unwrap();
    assert!(!directory.join("run.json").exists(), "nothing was run");
}

#[test]
fn what_a_run_leaves_in_nodes_that_end_with_it_needs_no_deleting() {
    for store in [&["--store=redis"][..], &[]] {
        let ended = bench(&[store, &["--clean"]].concat());
        assert_eq!(ended.code(), 254, "{}", ended.stderr);
        let line = ended.error_line();
        assert!(
            line.contains("add --endpoints, or leave --clean out"),
            "{line}"
        );
    }
}
