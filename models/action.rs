//! What can happen next to a modelled cluster: one input of one replica or one client.

use std::fmt;

use kvs_core::protocol::NodeId;
use kvs_core::replica::Timer;

use crate::adapter::TICK_NS;
use crate::client::Late;
use crate::nodes::Packet;
use crate::shared::Shared;

/// What can happen next. Numbers beside clients are readings of the wall clock of whoever takes
/// their put, in ns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A client sends the next request of its script, which arrives and is answered unless the
    /// model takes these apart.
    Request(usize, u64),
    /// A client's request arrives.
    Arrive(usize, u64),
    /// A client's answer arrives.
    Answer(usize),
    /// A client waits no longer for its put, which may arrive later, or never.
    GiveUp(usize),
    /// A put that was given up arrives.
    ArriveLate(Late, u64),
    /// A message arrives. It stays in flight if messages may come again for ever.
    Deliver(Shared<Packet>),
    /// A message arrives and stays in flight.
    Repeat(Shared<Packet>),
    /// A timer fires, with the peers that were drawn.
    Fire(NodeId, Timer, Vec<NodeId>),
    /// A node's process ends and comes back with its state.
    Recover(NodeId),
    /// One more change on a node's disk is durable.
    Sync(NodeId),
    /// A node's process ends and comes back with so many of the changes that it had written.
    Crash(NodeId, usize),
    /// A node's process ends and comes back empty.
    Forget(NodeId),
}

impl fmt::Display for Action {
    /// In words: messages are long.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |wall: &u64| match wall {
            0 => String::new(),
            wall => format!(" at {}", wall / TICK_NS),
        };
        match self {
            Self::Request(client, wall) => write!(f, "client {client} asks{}", at(wall)),
            Self::Arrive(client, wall) => {
                write!(f, "client {client}'s request arrives{}", at(wall))
            }
            Self::Answer(client) => write!(f, "client {client} has its answer"),
            Self::GiveUp(client) => write!(f, "client {client} gives its put up"),
            Self::ArriveLate(late, wall) => {
                write!(
                    f,
                    "{} arrives late at {}{}",
                    late.value,
                    late.node,
                    at(wall)
                )
            }
            Self::Deliver(packet) => write!(f, "{}", **packet),
            Self::Repeat(packet) => write!(f, "{} again", **packet),
            Self::Fire(node, timer, peers) => {
                write!(f, "{node} {}", timer.action())?;
                match peers.as_slice() {
                    [peer] => write!(f, " to {peer}"),
                    _ => Ok(()),
                }
            }
            Self::Recover(node) => write!(f, "{node} restarts"),
            Self::Sync(node) => write!(f, "{node} syncs a change"),
            Self::Crash(node, left) => write!(f, "{node} restarts with {left} changes"),
            Self::Forget(node) => write!(f, "{node} restarts empty"),
        }
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.message.body.kind().name();
        write!(f, "{} -> {} {what}", self.from, self.to)
    }
}
