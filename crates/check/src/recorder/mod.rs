//! Records what the threads or tasks of a test did to a store.
//!
//! Each thread has a [`Process`] of its own and writes to a log of its own, so that recording hides
//! few of the races that a test is after: processes share nothing but one atomic clock. `log.rs`
//! holds the logs, `naming.rs` makes a [`History`] of them, and `lists.rs` gives lists their texts.

mod lists;
mod log;
mod naming;
mod operation;
#[cfg(test)]
mod tests;

use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use crate::history::{History, Outcome};
use log::{Log, Ticks, locked};
use operation::Answered;
pub use operation::{Append, Ask, Cas, Get, Put};

/// Operations that a recorder takes. A history that would have had more is incomplete, and its
/// verdict is never `valid`.
pub const OPERATIONS_MAX: u64 = 1 << 30;

/// Records operations on a store whose keys are `K` and whose values are `V`, from any thread.
///
/// A clone records into the same history. An operation takes about 100 bytes, and what its key and
/// its values take, until [`finish`](Self::finish); [`OPERATIONS_MAX`] bounds them.
///
/// ```
/// use kvs_check::{Get, Model, Put, Recorder};
///
/// let recorder = Recorder::new();
/// let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
/// alice.invoke(Put("x", 1)).ok(());
/// bob.invoke(Get("x")).ok(Some(1));
/// assert!(recorder.finish().check(Model::Linearizable).is_valid());
/// ```
#[derive(Debug)]
pub struct Recorder<K, V> {
    shared: Arc<Shared<K, V>>,
}

impl<K, V> Clone for Recorder<K, V> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K, V> Default for Recorder<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Debug)]
struct Shared<K, V> {
    ticks: Ticks,
    roster: Mutex<Roster<K, V>>,
    /// What every key holds at first.
    initial: Option<V>,
    /// Operations that were invoked.
    operations: AtomicU64,
    operations_max: u64,
}

#[derive(Debug)]
struct Roster<K, V> {
    logs: Vec<Arc<Log<K, V>>>,
    is_finished: bool,
}

impl<K, V> Recorder<K, V> {
    /// A recorder for a store in which every key is absent at first.
    ///
    /// ```
    /// let recorder: kvs_check::Recorder<String, Vec<u8>> = kvs_check::Recorder::new();
    /// # drop(recorder);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::starting(None, OPERATIONS_MAX)
    }

    /// A recorder for a store in which every key holds `value` at first. Explanations call a value
    /// that nobody has written since then `nothing`.
    ///
    /// This is also how to record deletes: with `Option<V>` for values that start as `None`, a
    /// delete puts `None`, and a get is answered `Some` of what it found.
    ///
    /// ```
    /// use kvs_check::{Get, Model, Put, Recorder};
    ///
    /// let recorder = Recorder::with_initial(None);
    /// let alice = recorder.process("alice");
    /// alice.invoke(Put("x", Some(1))).ok(());
    /// alice.invoke(Put("x", None)).ok(()); // a delete
    /// alice.invoke(Get("x")).ok(Some(None));
    /// assert!(recorder.finish().check(Model::Linearizable).is_valid());
    /// ```
    #[must_use]
    pub fn with_initial(value: V) -> Self {
        Self::starting(Some(value), OPERATIONS_MAX)
    }

    fn starting(initial: Option<V>, operations_max: u64) -> Self {
        Self {
            shared: Arc::new(Shared {
                ticks: Ticks::new(),
                roster: Mutex::new(Roster {
                    logs: Vec::new(),
                    is_finished: false,
                }),
                initial,
                operations: AtomicU64::new(0),
                operations_max,
            }),
        }
    }

    /// A handle for one thread or task. Explanations call it by this name. A name that was given
    /// before gets a number.
    ///
    /// ```
    /// let recorder = kvs_check::Recorder::<u32, u32>::new();
    /// let workers = [0, 1, 2].map(|i| recorder.process(format!("worker {i}")));
    /// # drop(workers);
    /// ```
    #[must_use]
    pub fn process(&self, name: impl Into<String>) -> Process<K, V> {
        let mut roster = locked(&self.shared.roster);
        let log = Arc::new(Log::new(name.into(), roster.is_finished));
        if !roster.is_finished {
            roster.logs.push(Arc::clone(&log));
        }
        Process {
            log,
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<K: Eq + Hash + Debug, V: Eq + Hash + Debug> Recorder<K, V> {
    /// Ends the recording, of all clones, and gives its history.
    ///
    /// Operations that are under way are `info`: they may take effect at any time. The recorder
    /// ignores how they end, and all later operations. A second `finish` gives a history without
    /// operations, whose verdict is `unknown`.
    ///
    /// ```
    /// use kvs_check::{Put, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// let alice = recorder.process("alice");
    /// let call = alice.invoke(Put("x", 1));
    /// let history = recorder.finish();
    /// call.ok(()); // too late
    /// assert_eq!(history.row(0).outcome, kvs_check::Outcome::Info);
    /// ```
    #[must_use]
    pub fn finish(self) -> History {
        let logs = {
            let mut roster = locked(&self.shared.roster);
            roster.is_finished = true;
            std::mem::take(&mut roster.logs)
        };
        let operations = self.shared.operations.load(Ordering::Acquire);
        let max = self.shared.operations_max;
        let mut history = naming::history(&logs, self.shared.initial.as_ref());
        if operations > max {
            history.end = None;
            history.damage = Some(format!("the recorder takes {max} operations and no more"));
        }
        history
    }
}

/// One thread or task of a test: a single-threaded client of the store, which does one thing after
/// another.
///
/// After an operation that ended `info` it goes on as a new session of the same name, since the
/// lost operation may still take effect. It also goes on as a new session when it invokes an
/// operation while another one is under way.
///
/// ```
/// use kvs_check::{Get, Recorder};
///
/// let recorder: Recorder<&str, u32> = Recorder::new();
/// std::thread::scope(|scope| {
///     let alice = recorder.process("alice");
///     scope.spawn(move || alice.invoke(Get("x")).ok(None));
/// });
/// ```
#[derive(Debug)]
pub struct Process<K, V> {
    log: Arc<Log<K, V>>,
    shared: Arc<Shared<K, V>>,
}

impl<K, V> Process<K, V> {
    /// Notes that an operation begins now. Ask the store after this, and say with the returned call
    /// how the operation ended.
    ///
    /// ```
    /// use kvs_check::{Put, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// let alice = recorder.process("alice");
    /// let call = alice.invoke(Put("x", 1));
    /// // … the store is asked here …
    /// call.ok(());
    /// ```
    pub fn invoke<O: Ask<K, V>>(&self, operation: O) -> Call<K, V, O> {
        let operations = self.shared.operations.fetch_add(1, Ordering::AcqRel);
        let at = (operations < self.shared.operations_max)
            .then(|| self.log.begin(operation.asked(), &self.shared.ticks))
            .flatten();
        Call {
            log: Arc::clone(&self.log),
            shared: Arc::clone(&self.shared),
            at,
            operation: PhantomData,
        }
    }
}

/// An operation under way. Any thread may say how it ended; if nobody does, as when the task is
/// cancelled or the thread panics, it is `info`.
///
/// ```
/// use kvs_check::{Outcome, Put, Recorder};
///
/// let recorder = Recorder::new();
/// drop(recorder.process("alice").invoke(Put("x", 1)));
/// assert_eq!(recorder.finish().row(0).outcome, Outcome::Info);
/// ```
#[must_use = "a call that is dropped is recorded as info"]
#[derive(Debug)]
pub struct Call<K, V, O> {
    log: Arc<Log<K, V>>,
    shared: Arc<Shared<K, V>>,
    /// Where it is in the log; nowhere where it is not recorded, or its end is.
    at: Option<usize>,
    /// Tells the type of the answer, and holds nothing.
    operation: PhantomData<fn() -> O>,
}

impl<K, V, O: Ask<K, V>> Call<K, V, O> {
    /// The store answered: the operation took effect.
    ///
    /// ```
    /// use kvs_check::{Get, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// recorder.process("alice").invoke(Get("x")).ok(Some(1));
    /// # let _: kvs_check::History = recorder.finish();
    /// ```
    pub fn ok(mut self, answer: O::Answer) {
        let answered = O::answered(answer);
        let outcome = match answered {
            Answered::Done | Answered::Read(_) => Outcome::Ok,
            Answered::Mismatch => Outcome::Fail,
        };
        self.end(outcome, Some(answered));
    }

    /// The operation certainly had no effect, and never will have one. After a timeout or a broken
    /// connection nobody knows that: say [`info`](Self::info).
    ///
    /// ```
    /// use kvs_check::{Put, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// recorder.process("alice").invoke(Put("x", 1)).fail(); // refused
    /// # let _: kvs_check::History = recorder.finish();
    /// ```
    pub fn fail(mut self) {
        self.end(Outcome::Fail, None);
    }

    /// Nobody knows whether the operation took effect, takes effect later, or never does.
    ///
    /// ```
    /// use kvs_check::{Put, Recorder};
    ///
    /// let recorder = Recorder::new();
    /// recorder.process("alice").invoke(Put("x", 1)).info(); // timed out
    /// # let _: kvs_check::History = recorder.finish();
    /// ```
    pub fn info(mut self) {
        self.end(Outcome::Info, None);
    }
}

impl<K, V, O> Call<K, V, O> {
    fn end(&mut self, outcome: Outcome, answered: Option<Answered<V>>) {
        if let Some(at) = self.at.take() {
            self.log.end(at, outcome, answered, &self.shared.ticks);
        }
    }
}

impl<K, V, O> Drop for Call<K, V, O> {
    fn drop(&mut self) {
        self.end(Outcome::Info, None);
    }
}
