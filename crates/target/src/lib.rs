//! A store as the harness sees it, whether of the zoo or foreign.
//!
//! A [`Target`] is a deployment: its [`Facts`] say what it promises and what can be asked of it; it
//! is started, connected to, looked at, broken and stopped. A [`Connection`] is the wire below the
//! sans-IO lanes of `kvs_core::drive`: requests go in by their numbers, answers come out by the
//! same, and it says when it broke. The harness knows these traits alone: the stores of the zoo are
//! one target among others.

mod connection;
mod facts;
mod packets;
mod target;

pub use connection::{Answers, Connection, Connector, NodeAddress, Outgoing, Refused};
pub use facts::{Facts, FaultSupport, Operations, Reads, Sessions, Writes};
pub use kvs_check::history::Evidence;
pub use packets::packet_faults;
pub use target::{Leadership, NodeNetwork, Quiet, Target};

use std::future::Future;
use std::pin::Pin;

/// A future of the thread that made it, so that traits with asynchronous methods can be objects.
pub type Local<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;
