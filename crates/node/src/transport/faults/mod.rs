//! Faults of the network, in a node's UDP socket below QUIC. They need no root, and QUIC sees what
//! it would see on a bad network.
//!
//! [`NetworkFaults`] says what goes wrong. The socket only cuts what comes in. Everything else
//! happens to what goes out, so a delay or a loss between two nodes is the sender's.

mod lottery;
mod socket;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

pub use kvs_place::network::PacketFaults;
pub use socket::FaultCounts;
pub(super) use socket::FaultySocket;

/// What goes wrong with the datagrams of one socket. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkFaults {
    /// Nothing that comes from these sockets arrives.
    pub deaf_to: Vec<SocketAddr>,
    /// Nothing that is sent to these sockets leaves.
    pub mute_to: Vec<SocketAddr>,
    /// What becomes of all else that is sent.
    pub sent: PacketFaults,
}

impl NetworkFaults {
    /// Whether nothing goes wrong.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
