//! Judges two stores that threads share: `cargo run -p kvs-check --example threads`.
//!
//! Prints both verdicts. Ends with 0 when the right store is valid and the wrong one is not.

use std::collections::HashMap;
use std::process::ExitCode;
use std::sync::{Mutex, RwLock};
use std::thread;

use kvs_check::{Get, Model, Put, Recorder, Report};

const THREADS: u32 = 4;
const PUTS: u32 = 50;
const KEYS: u32 = 3;

/// What is tested: each thread asks by its number.
trait Store: Sync {
    fn put(&self, thread: u32, key: u32, value: u32);
    fn get(&self, thread: u32, key: u32) -> Option<u32>;
}

/// A map behind a lock.
#[derive(Default)]
struct Locked(Mutex<HashMap<u32, u32>>);

impl Store for Locked {
    fn put(&self, _thread: u32, key: u32, value: u32) {
        self.0.lock().expect("no thread panics").insert(key, value);
    }

    fn get(&self, _thread: u32, key: u32) -> Option<u32> {
        let map = self.0.lock().expect("no thread panics");
        map.get(&key).copied()
    }
}

/// The same, and each thread keeps what it has seen in a cache that nobody invalidates.
#[derive(Default)]
struct Cached {
    store: Locked,
    caches: RwLock<HashMap<(u32, u32), u32>>,
}

impl Store for Cached {
    fn put(&self, thread: u32, key: u32, value: u32) {
        self.store.put(thread, key, value);
    }

    fn get(&self, thread: u32, key: u32) -> Option<u32> {
        let mut caches = self.caches.write().expect("no thread panics");
        let cached = caches.get(&(thread, key)).copied();
        let found = cached.or_else(|| self.store.get(thread, key))?;
        caches.insert((thread, key), found);
        Some(found)
    }
}

fn judged(store: &impl Store) -> Report {
    let recorder = Recorder::new();
    thread::scope(|scope| {
        for id in 0..THREADS {
            let process = recorder.process(format!("thread {id}"));
            scope.spawn(move || {
                for i in 0..PUTS {
                    // Each value is written once, so that the check needs no search.
                    let (key, value) = (i % KEYS, id * PUTS + i);
                    let call = process.invoke(Put(key, value));
                    store.put(id, key, value);
                    call.ok(());
                    let call = process.invoke(Get(key));
                    call.ok(store.get(id, key));
                }
            });
        }
    });
    recorder.finish().check(Model::Linearizable)
}

fn main() -> ExitCode {
    let (right, wrong) = (judged(&Locked::default()), judged(&Cached::default()));
    println!("A map behind a lock is {right}");
    println!("The same with caches is {}", wrong.explained());
    if right.is_valid() && wrong.is_invalid() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
