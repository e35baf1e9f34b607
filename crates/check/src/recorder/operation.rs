//! What a process asks of a store, and what it can be answered.

use crate::history::Kind;

/// Reads a key. Its answer is the value, or `None` where the key is absent.
///
/// ```
/// use kvs_check::{Get, Recorder};
///
/// let recorder: Recorder<&str, u32> = Recorder::new();
/// let alice = recorder.process("alice");
/// alice.invoke(Get("x")).ok(None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Get<K>(
    /// The key.
    pub K,
);

/// Writes a value to a key. Its answer is `()`.
///
/// ```
/// use kvs_check::{Put, Recorder};
///
/// let recorder: Recorder<&str, u32> = Recorder::new();
/// let alice = recorder.process("alice");
/// alice.invoke(Put("x", 7)).ok(());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Put<K, V>(
    /// The key.
    pub K,
    /// The value.
    pub V,
);

/// Writes a value to a key that holds the expected one; `None` expects an absent key. Its answer is
/// whether the key held that: `true` if the value was written, `false` if nothing was.
///
/// ```
/// use kvs_check::{Cas, Recorder};
///
/// let recorder: Recorder<&str, u32> = Recorder::new();
/// let alice = recorder.process("alice");
/// alice.invoke(Cas("x", None, 7)).ok(true);
/// alice.invoke(Cas("x", Some(6), 8)).ok(false);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cas<K, V>(
    /// The key.
    pub K,
    /// The value that is expected.
    pub Option<V>,
    /// The value that is written.
    pub V,
);

/// Adds one element to the end of a key's list. Its answer is `()`.
///
/// The recorder's values are lists then: a [`Get`] is answered with the whole list, and a [`Put`]
/// replaces it. An absent key and an empty list are the same.
///
/// Only a search judges such a history, under [`Model::Linearizable`](crate::Model::Linearizable)
/// or [`Model::Sequential`](crate::Model::Sequential). Explanations end each element with a
/// semicolon, as in `1;2;`.
///
/// ```
/// use kvs_check::{Append, Get, Model, Recorder};
///
/// let recorder = Recorder::new();
/// let (alice, bob) = (recorder.process("alice"), recorder.process("bob"));
/// alice.invoke(Append("x", 1)).ok(());
/// bob.invoke(Append("x", 2)).ok(());
/// alice.invoke(Get("x")).ok(Some(vec![2])); // the 1 is lost
/// assert!(recorder.finish().check(Model::Linearizable).is_invalid());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Append<K, E>(
    /// The key.
    pub K,
    /// The element.
    pub E,
);

/// Takes a list apart: each of its elements as a list of one.
pub(super) type Split<V> = fn(&V) -> Vec<V>;

/// An operation as it was asked.
#[derive(Debug)]
pub struct Asked<K, V> {
    pub(super) kind: Kind,
    pub(super) key: K,
    pub(super) written: Option<V>,
    pub(super) expected: Option<V>,
    /// How values come apart; only an append knows that they are lists.
    pub(super) split: Option<Split<V>>,
}

/// What an answer says.
#[derive(Debug)]
pub enum Answered<V> {
    /// The operation took effect; nothing was read.
    Done,
    /// It took effect and read this.
    Read(Option<V>),
    /// The key did not hold what was expected.
    Mismatch,
}

mod sealed {
    /// Keeps [`super::Ask`] to the operations that the checkers know.
    pub trait Sealed {}

    impl<K> Sealed for super::Get<K> {}
    impl<K, V> Sealed for super::Put<K, V> {}
    impl<K, V> Sealed for super::Cas<K, V> {}
    impl<K, E> Sealed for super::Append<K, E> {}
}

/// An operation that can be recorded: [`Get`], [`Put`], [`Cas`] or [`Append`].
///
/// ```
/// use kvs_check::{Ask, Process, Put};
///
/// // Whatever is asked: nobody knows what became of it.
/// fn lose(process: &Process<u32, u32>, operation: impl Ask<u32, u32>) {
///     process.invoke(operation).info();
/// }
/// let recorder = kvs_check::Recorder::new();
/// lose(&recorder.process("alice"), Put(1, 2));
/// ```
pub trait Ask<K, V>: sealed::Sealed {
    /// What [`Call::ok`](super::Call::ok) is told.
    type Answer;

    #[doc(hidden)]
    fn asked(self) -> Asked<K, V>;

    #[doc(hidden)]
    fn answered(answer: Self::Answer) -> Answered<V>;
}

impl<K, V> Ask<K, V> for Get<K> {
    type Answer = Option<V>;

    fn asked(self) -> Asked<K, V> {
        Asked {
            kind: Kind::Get,
            key: self.0,
            written: None,
            expected: None,
            split: None,
        }
    }

    fn answered(answer: Option<V>) -> Answered<V> {
        Answered::Read(answer)
    }
}

impl<K, V> Ask<K, V> for Put<K, V> {
    type Answer = ();

    fn asked(self) -> Asked<K, V> {
        Asked {
            kind: Kind::Put,
            key: self.0,
            written: Some(self.1),
            expected: None,
            split: None,
        }
    }

    fn answered((): ()) -> Answered<V> {
        Answered::Done
    }
}

impl<K, V> Ask<K, V> for Cas<K, V> {
    type Answer = bool;

    fn asked(self) -> Asked<K, V> {
        Asked {
            kind: Kind::Cas,
            key: self.0,
            written: Some(self.2),
            expected: self.1,
            split: None,
        }
    }

    fn answered(matched: bool) -> Answered<V> {
        if matched {
            Answered::Done
        } else {
            Answered::Mismatch
        }
    }
}

impl<K, E: Clone> Ask<K, Vec<E>> for Append<K, E> {
    type Answer = ();

    fn asked(self) -> Asked<K, Vec<E>> {
        Asked {
            kind: Kind::Append,
            key: self.0,
            written: Some(vec![self.1]),
            expected: None,
            split: Some(|list| list.iter().map(|element| vec![element.clone()]).collect()),
        }
    }

    fn answered((): ()) -> Answered<Vec<E>> {
        Answered::Done
    }
}
