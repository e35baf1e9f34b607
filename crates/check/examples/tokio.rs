//! Judges two stores that tasks of tokio share: `cargo run -p kvs-check --example tokio`.
//!
//! One task is cancelled while it waits for an answer. Its call is dropped with it and recorded as
//! `info`: nobody knows whether the operation took effect. Here it did, and the other tasks count
//! on from there. The verdict explains what they saw by the unknown operation.
//!
//! Prints both verdicts. Ends with 0 when the right store is valid, the wrong one is not, and each
//! history has its unknown operation.

use std::collections::HashMap;
use std::future;
use std::process::ExitCode;
use std::sync::Arc;

use kvs_check::{Cas, Get, Model, Process, Put, Recorder, Report};
use tokio::sync::{RwLock, oneshot};
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
        // Another task may count here.
        yield_now().await;
        let call = process.invoke(Cas(COUNTER, Some(found), found + 1));
        call.ok(store.compare_and_set(COUNTER, found, found + 1).await);
    }
}

/// Adds one to the first value, and says so. The answer never reaches the caller.
async fn count_unheard(
    store: Arc<Store>,
    process: Process<&'static str, u32>,
    stored: oneshot::Sender<bool>,
) {
    let call = process.invoke(Cas(COUNTER, Some(0), 1));
    let matched = store.compare_and_set(COUNTER, 0, 1).await;
    // The receiver waits for this, and is there.
    let _ = stored.send(matched);
    future::pending::<()>().await;
    call.ok(matched);
}

async fn judged(is_atomic: bool) -> Report {
    let recorder = Recorder::new();
    let map = RwLock::default();
    let store = Arc::new(Store { map, is_atomic });

    let first = recorder.process("main");
    let call = first.invoke(Put(COUNTER, 0));
    store.put(COUNTER, 0).await;
    call.ok(());

    let (stored, is_stored) = oneshot::channel();
    let unheard = recorder.process("cancelled");
    let unheard = tokio::spawn(count_unheard(Arc::clone(&store), unheard, stored));
    let mut tasks = JoinSet::new();
    for id in 0..TASKS {
        let process = recorder.process(format!("task {id}"));
        tasks.spawn(count(Arc::clone(&store), process));
    }
    assert_eq!(is_stored.await, Ok(true), "nobody counted before it");
    unheard.abort();
    while tasks.join_next().await.is_some() {}
    recorder.finish().check(Model::Linearizable)
}

// On one thread, where tasks take turns: there the wrong store goes wrong in every run.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (right, wrong) = (judged(true).await, judged(false).await);
    println!("A compare-and-set in one step is {right}");
    println!("The same in two steps is {}", wrong.explained());
    let are_unknown = [&right, &wrong].map(|report| report.totals.info) == [1, 1];
    if right.is_valid() && wrong.is_invalid() && are_unknown {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
