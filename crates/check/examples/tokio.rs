//! Judges two stores that tasks of tokio share: `cargo run -p kvs-check --example tokio`.
//!
//! A task may be cancelled while it waits for its answer. Its call is dropped then, and recorded as
//! `info`: the put may have taken effect or not. Prints both verdicts. Ends with 0 when the right
//! store is valid and the wrong one is not.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::Arc;

use kvs_check::{Cas, Get, Model, Process, Put, Recorder, Report};
use tokio::sync::RwLock;
use tokio::task::{JoinSet, yield_now};

const TASKS: u32 = 4;
const INCREMENTS: u32 = 25;
const COUNTER: &str = "counter";

/// A map that compares and sets, under one lock or under two.
struct Store {
    map: RwLock<HashMap<&'static str, u32>>,
    /// Whether the comparison and the write are one step.
    is_atomic: bool,
}

impl Store {
    async fn get(&self, key: &'static str) -> Option<u32> {
        self.map.read().await.get(key).copied()
    }

    async fn put(&self, key: &'static str, value: u32) {
        self.map.write().await.insert(key, value);
    }

    async fn compare_and_set(&self, key: &'static str, expected: u32, value: u32) -> bool {
        if self.is_atomic {
            let mut map = self.map.write().await;
            let matches = map.get(key) == Some(&expected);
            if matches {
                map.insert(key, value);
            }
            return matches;
        }
        let matches = self.get(key).await == Some(expected);
        // Another task may write here.
        yield_now().await;
        if matches {
            self.put(key, value).await;
        }
        matches
    }
}

/// Adds one again and again, as the store allows.
async fn count(store: Arc<Store>, process: Process<&'static str, u32>) {
    for _ in 0..INCREMENTS {
        let call = process.invoke(Get(COUNTER));
        let found = store.get(COUNTER).await;
        call.ok(found);
        let Some(found) = found else { continue };
        let call = process.invoke(Cas(COUNTER, Some(found), found + 1));
        call.ok(store.compare_and_set(COUNTER, found, found + 1).await);
    }
}

async fn judged(is_atomic: bool) -> Report {
    let recorder = Recorder::new();
    let map = RwLock::default();
    let store = Arc::new(Store { map, is_atomic });

    let first = recorder.process("main");
    let call = first.invoke(Put(COUNTER, 0));
    store.put(COUNTER, 0).await;
    call.ok(());

    let mut tasks = JoinSet::new();
    for id in 0..TASKS {
        let process = recorder.process(format!("task {id}"));
        tasks.spawn(count(Arc::clone(&store), process));
    }
    // One more is cancelled wherever it is.
    let lost = tokio::spawn(count(store, recorder.process("cancelled")));
    yield_now().await;
    lost.abort();
    while tasks.join_next().await.is_some() {}
    recorder.finish().check(Model::Linearizable)
}

// On one thread, where tasks take turns: there the wrong store goes wrong in every run.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (right, wrong) = (judged(true).await, judged(false).await);
    println!("A compare-and-set in one step is {right}");
    println!("The same in two steps is {}", wrong.explained());
    if right.is_valid() && wrong.is_invalid() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
