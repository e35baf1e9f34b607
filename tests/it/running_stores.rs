//! Stores that run already: what a run leaves there, and how it proves itself. Tests that need Redis or
//! Python say so where these are missing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use kvs_zoo::measure::RunRecord;

use crate::program::{Ended, PROGRAM, Running, bench, run_directory, signal, until};
use crate::stores::is_installed;

/// A name that looks like those of runs, and is somebody else's.
const ANOTHERS: &str = "kvs:somebody-else:user000000000001";
const SHORT: &[&str] = &[
    "--records=20",
    "--sessions=4",
    "--warmup=0s",
    "--duration=300ms",
];

/// The load, unless a test says another.
const USUALLY: &[&str] = &["--workload=contended"];

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
    let is_told = more.iter().any(|word| word.starts_with("--workload="));
    let workload = if is_told { &[][..] } else { USUALLY };
    let ended = bench(&[&[&store[..], &to, endpoint], SHORT, workload, more].concat());
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

/// What nobody may read in anything that a run leaves.
const PASSWORD: &str = "correct-horse-battery";
const PASSWORD_VARIABLE: &str = "KVS_TEST_PASSWORD";
const USER_VARIABLE: &str = "KVS_TEST_USER";

/// A run of the store of a file, in an environment with these variables.
fn run_as(store: &str, endpoint: &str, variables: &[(&str, &str)]) -> (Ended, TempDir) {
    let results = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .env_remove(PASSWORD_VARIABLE)
        .env_remove(USER_VARIABLE)
        .envs(variables.iter().copied())
        .arg(format!("--store={store}"))
        .arg(format!("--results={}", results.path().display()))
        .args([endpoint, "--clean"])
        .args(SHORT)
        .args(USUALLY);
    (Running::start(&mut command).wait(), results)
}

/// That a run is refused in a line with these words, and without the password.
#[track_caller]
fn is_let_in_by_nobody((ended, _results): &(Ended, TempDir), words: &[&str]) {
    assert_eq!(ended.code(), 255, "{}{}", ended.stdout, ended.stderr);
    let line = ended.error_line();
    for word in words {
        assert!(line.contains(word), "{word:?} in {line}");
    }
    assert!(!line.contains(PASSWORD), "{line}");
}

/// That a run was let in, and that nothing that it left says the password.
#[track_caller]
fn is_let_in((ended, results): &(Ended, TempDir)) {
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains("20 keys deleted in the end"),
        "{}",
        ended.stdout
    );
    let directory = run_directory(results.path()).unwrap();
    let mut left = vec![directory];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            left.extend(entries.map(|entry| entry.unwrap().path()));
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let told = bytes
            .windows(PASSWORD.len())
            .any(|it| it == PASSWORD.as_bytes());
        assert!(!told, "{} says the password", path.display());
    }
}

/// The file of a store that a builtin speaks to, which names the variables.
fn file_with_auth(builtin: &str, user: bool) -> (TempDir, String) {
    let user = if user {
        format!("user = \"{USER_VARIABLE}\"\n")
    } else {
        String::new()
    };
    file(&format!(
        "[adapter]\nbuiltin = \"{builtin}\"\n[auth]\n{user}password = \"{PASSWORD_VARIABLE}\""
    ))
}

#[test]
fn a_redis_that_wants_a_password_is_driven_with_the_one_in_the_environment() {
    let Some(redis) = Redis::start(PASSWORD, &[]) else {
        return;
    };
    let (_folder, store) = file_with_auth("redis", false);
    let right = run_as(&store, &redis.endpoint(), &[(PASSWORD_VARIABLE, PASSWORD)]);
    is_let_in(&right);
    let wrong = run_as(&store, &redis.endpoint(), &[(PASSWORD_VARIABLE, "wrong")]);
    let told = "does not take the password of KVS_TEST_PASSWORD (WRONGPASS";
    is_let_in_by_nobody(&wrong, &[told, "set this variable"]);
    let (unset, _results) = run_as(&store, &redis.endpoint(), &[]);
    assert_eq!(unset.code(), 254, "{}", unset.stderr);
    let line = unset.error_line();
    assert!(
        line.contains("variable KVS_TEST_PASSWORD is not set"),
        "{line}"
    );
    let nobody = run_as("redis", &redis.endpoint(), &[]);
    let told = [
        "it wants to know who asks (NOAUTH",
        "under [auth] in the store's file",
    ];
    is_let_in_by_nobody(&nobody, &told);
}

#[test]
fn a_user_of_redis_is_let_in_and_told_what_it_may_not_do() {
    let Some(redis) = Redis::start(PASSWORD, &[]) else {
        return;
    };
    redis.says(&[
        &format!("ACL SETUSER ada on >{PASSWORD} ~kvs:* +@read +@write +@scripting +auth +ping"),
        &format!("ACL SETUSER eve on >{PASSWORD} ~kvs:* +@read +set +auth +ping"),
    ]);
    let (_folder, store) = file_with_auth("redis", true);
    let as_user = |user, password| {
        let variables = [(USER_VARIABLE, user), (PASSWORD_VARIABLE, password)];
        run_as(&store, &redis.endpoint(), &variables)
    };
    is_let_in(&as_user("ada", PASSWORD));
    let told = "the user and the password of KVS_TEST_USER and KVS_TEST_PASSWORD (WRONGPASS";
    is_let_in_by_nobody(&as_user("ada", "wrong"), &[told, "set these variables"]);
    is_let_in_by_nobody(&as_user("bob", PASSWORD), &[told]);
    let (ended, _results) = as_user("eve", PASSWORD);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    let screen = screen(&ended);
    assert!(
        screen.contains("keys of this run are still there (--clean)"),
        "{screen}"
    );
    assert!(screen.contains("NOPERM"), "{screen}");
}

/// What etcd's gateway answers to a request, by a connection of its own; nothing while it is not there.
fn etcd_says(port: u16, path: &str, body: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    let length = body.len();
    let request = format!(
        "POST /v3/{path} HTTP/1.1\r\nHost: etcd\r\nContent-Length: {length}\r\nConnection: close\r\n\
         \r\n{body}"
    );
    let mut answer = String::new();
    // It may still be starting.
    let asked = stream.write_all(request.as_bytes());
    let _ = asked.and_then(|()| stream.read_to_string(&mut answer));
    answer
}

#[test]
fn an_etcd_with_users_is_driven_as_one_of_them() {
    if !is_installed("etcd") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (port, peer) = (free_port(), free_port());
    let (client, peer) = (
        format!("http://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{peer}"),
    );
    let mut command = Command::new("etcd");
    command
        .args(["--data-dir", "data", "--unsafe-no-fsync"])
        .args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ])
        .args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ])
        .args(["--initial-cluster", &format!("default={peer}")])
        .current_dir(&folder);
    let _etcd = Running::start(&mut command);
    until("etcd serves", || {
        etcd_says(port, "kv/range", "{\"key\":\"YQ==\"}").starts_with("HTTP/1.1 200")
    });
    for (path, body) in [
        (
            "auth/user/add",
            format!("{{\"name\":\"root\",\"password\":\"{PASSWORD}\"}}"),
        ),
        ("auth/role/add", "{\"name\":\"root\"}".to_owned()),
        (
            "auth/user/grant",
            "{\"user\":\"root\",\"role\":\"root\"}".to_owned(),
        ),
        ("auth/enable", "{}".to_owned()),
    ] {
        let said = etcd_says(port, path, &body);
        assert!(said.starts_with("HTTP/1.1 200"), "{path}: {said}");
    }
    let endpoint = format!("--endpoints=127.0.0.1:{port}");
    let (_folder, store) = file_with_auth("etcd", true);
    let with = |password| {
        run_as(
            &store,
            &endpoint,
            &[(USER_VARIABLE, "root"), (PASSWORD_VARIABLE, password)],
        )
    };
    is_let_in(&with(PASSWORD));
    let told = [
        "authentication failed, invalid user ID or password",
        "set these variables",
    ];
    is_let_in_by_nobody(&with("wrong"), &told);
    let nobody = run_as("etcd", &endpoint, &[]);
    let told = [
        "it wants to know who asks (etcdserver: user name is empty",
        "under [auth]",
    ];
    is_let_in_by_nobody(&nobody, &told);
}

#[test]
fn compare_and_set_on_a_store_that_promises_eventual_ends_with_an_answer() {
    let Some(redis) = Redis::start("", &[]) else {
        return;
    };
    let workload = ["--workload=cas-register", "--promise=eventual"];
    let (ended, results) = run("redis", &redis.endpoint(), &workload);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout, ended.stderr);
    let screen = screen(&ended);
    assert!(
        screen.contains("VALID: the store kept its promise, eventual"),
        "{screen}"
    );
    assert!(!screen.contains("only a search judges"), "{screen}");
    assert!(
        screen.contains("compare-and-sets found another value"),
        "{screen}"
    );
    let record = RunRecord::load(&run_directory(results.path()).unwrap()).unwrap();
    assert!(
        record.statistics.mismatches.is_some_and(|count| count > 0),
        "{screen}"
    );
}

#[test]
fn a_run_that_could_write_and_read_nothing_is_not_called_valid() {
    let Some(redis) = Redis::start(PASSWORD, &[]) else {
        return;
    };
    // It may load the store, and no more.
    redis.says(&[&format!(
        "ACL SETUSER ada on >{PASSWORD} ~kvs:* +set +del +auth +ping"
    )]);
    let (_folder, store) = file_with_auth("redis", true);
    let results = tempfile::tempdir().unwrap();
    let mut command = Command::new(PROGRAM);
    command
        .env(USER_VARIABLE, "ada")
        .env(PASSWORD_VARIABLE, PASSWORD)
        .args([&format!("--store={store}"), &redis.endpoint()])
        .arg(format!("--results={}", results.path().display()))
        .args([
            "--workload=ycsb-c",
            "--records=20",
            "--warmup=0s",
            "--duration=300ms",
        ]);
    let ended = Running::start(&mut command).wait();
    assert_eq!(ended.code(), 2, "{}{}", ended.stdout, ended.stderr);
    let screen = screen(&ended);
    assert!(!screen.contains(" VALID"), "{screen}");
    assert!(
        screen.contains("of the measured part succeeded"),
        "{screen}"
    );
    let directory = run_directory(results.path()).unwrap();
    let again = bench(&["check", directory.to_str().unwrap()]);
    assert_eq!(again.code(), 2, "{}", again.stdout);
}
