//! Judges the history of a key-value store, whoever recorded it.
//!
//! Record what the threads or tasks of a test do to your store, and ask whether that satisfies a
//! model:
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
//!             for value in (id..40_000).step_by(4) {
//!                 let call = process.invoke(Put("x", value)); // before the store is asked
//!                 store.lock().unwrap().insert("x", value);
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
//! [`Recorder`] records. [`Model`] is what a history can be held to. The [`Report`] has the
//! verdict: `valid`, `invalid` with the operations that prove it, or `unknown` with what is
//! missing. Write each value once if you can: such histories need no search. Let each thread do
//! enough to meet the others: [`History::overlapping`] counts the operations that did.
//!
//! The operations are [`Put`], [`Get`], [`Cas`] and [`Append`]. [`history`] reads and writes
//! histories, also in the formats of other tools. [`checker`] has everything that you can choose
//! about a check. Nothing here knows the stores of the zoo.
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
