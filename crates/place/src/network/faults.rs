//! What goes wrong with a link, or with a socket.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// What goes wrong with the link of a node. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LinkFaults {
    /// Nothing that comes from these addresses arrives.
    pub deaf_to: Vec<IpAddr>,
    /// Nothing that is sent to these addresses leaves.
    pub mute_to: Vec<IpAddr>,
    /// What becomes of all else that is sent.
    pub sent: PacketFaults,
}

/// What becomes of what is sent. Chances are from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PacketFaults {
    /// The chance that a datagram is lost.
    pub loss: f64,
    /// The chance that it arrives twice.
    pub duplicate: f64,
    /// The chance that a bit of it is flipped.
    pub corrupt: f64,
    /// The chance that it waits until later ones have overtaken it.
    pub reorder: f64,
    /// How much longer each takes, in ns.
    pub delay_ns: u64,
    /// How far that time varies either way, evenly, in ns; at most the delay.
    pub jitter_ns: u64,
    /// How many bytes get through in a second; 0 for as many as there are.
    pub bytes_per_s: u64,
}
