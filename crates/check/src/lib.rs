//! Judges the history of a key-value store, whoever recorded it.
//!
//! [`history`] is what was recorded, in memory and in the formats of this and other tools;
//! [`checker`] says whether a store that promised a [`checker::Model`] can have given it. Nothing
//! here knows the stores of the zoo.

pub mod checker;
pub mod history;
