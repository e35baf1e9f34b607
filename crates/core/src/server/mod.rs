//! Compositions of nodes: how replicas and shards make a store, as data that a host interprets.
//!
//! The types ([`LocalKVSServer`], [`ReplicatedKVSServer`], [`QuorumKVSServer`], [`ShardedKVSServer`])
//! and the strings that `--arch` takes yield the same [`Architecture`]. [`Architecture::deploy`] has a [`Host`] run
//! it: processes, a simulator or a model. Nothing here knows which.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod architecture;
mod deployment;
mod fit;
mod kinds;
mod paper;
mod parse;
mod ports;
mod types;

pub use crate::replica::{
    QuorumRule, RaftRule, ReplicaKind, ReplicaSpec, Settings, ShardStep, shard_of,
};
pub use architecture::{
    Architecture, DEFAULT_SIZE, DEPTH_MAX, ImpossibleSize, NODES_MAX, REPLICAS_MAX,
};
pub use deployment::{Deployment, Host};
pub use fit::{Misfit, fits};
pub use kinds::{
    KINDS, KindFacts, KindRow, LocalStore, Losses, Promise, QuorumStore, RaftStore,
    ReplicatedStore, SloppyStore, StoreKind, WitnessKind,
};
pub use paper::Paper;
pub use parse::ParseArchitectureError;
pub use ports::{Group, Route, ServerPorts};
pub use types::{
    KVSServer, LocalKVSServer, QuorumKVSServer, RaftKVSServer, ReplicatedKVSServer,
    ShardedKVSServer, SloppyKVSServer,
};
