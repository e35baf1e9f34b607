//! Judges the history of a key-value store, whoever recorded it.
//!
//! Record what the threads or tasks of a test do to your store, and hold it to a model:
//!
//! ```
//! use kvs_check::{Get, Model, Put, Recorder};
//! use std::{collections::HashMap, sync::Mutex, thread};
//!
//! let store = Mutex::new(HashMap::new()); // the store under test
//! let recorder = Recorder::new();
//! thread::scope(|scope| {
//!     for id in 0..4 {
//!         let (store, process) = (&store, recorder.process(format!("worker {id}")));
//!         scope.spawn(move || {
//!             for i in 0..100 {
//!                 let call = process.invoke(Put("x", id * 100 + i)); // before the store is asked
//!                 store.lock().unwrap().insert("x", id * 100 + i);
//!                 call.ok(()); // after it has answered
//!                 let call = process.invoke(Get("x"));
//!                 call.ok(store.lock().unwrap().get("x").copied());
//!             }
//!         });
//!     }
//! });
//! recorder.finish().check(Model::Linearizable).assert_valid();
//! ```
//!
//! [`Recorder`] records. [`Model`] is what a history can be held to. The [`Report`] has the verdict:
//! `valid`, `invalid` with the operations that prove it, or `unknown` with what is missing. A test
//! writes each value once if it can: such histories are judged without a search.
//!
//! [`history`] has what was recorded in memory, in files, and in the formats of other tools.
//! [`checker`] has all that one can choose about a check. Nothing here knows the stores of the zoo.
//!
//! Features, both on by default: `arrow` reads and writes histories as Arrow streams, `stateright`
//! is the second engine ([`Engine`]) and the testers for models.

pub mod checker;
pub mod history;
mod judge;
mod recorder;

pub use checker::{Anomaly, Engine, JudgedBy, Model, Options, Report, Standing, check};
pub use history::{History, Outcome, ReadError, Row, read_history};
pub use recorder::{Append, Ask, Call, Cas, Get, OPERATIONS_MAX, Process, Put, Recorder};
