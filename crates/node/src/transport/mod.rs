//! QUIC between clients and nodes, and between nodes: identities, endpoints, frames, streams.
//!
//! What it must not do: know what a replica is. It carries `protocol` data, and for messages any
//! message that serde can write. Malformed input dies in [`codec`] and [`frame`], and takes only
//! its own connection with it. Neighbours: `node` serves with it, `client` drives load with it.
//!
//! Everything here runs on one single-threaded runtime a process ([`runtime`]) and is shared by
//! `Rc`: a batch of requests is handled between two system calls, without a lock of ours.
//!
//! The shape follows measurements: one long-lived bidirectional stream a connection, every frame
//! that a read brought handled at once, and one write for all the replies.

pub mod codec;
pub mod faults;
pub mod frame;
pub mod link;
pub mod outbox;
pub mod pump;
pub mod quic;
pub mod tls;

mod caller;

pub use caller::{CallError, Caller, OwnedResponse, OwnedSibling, OwnedWitness};
pub use frame::{CloseCode, Malformed, Role};
pub use link::{Link, LinkEnd, ResponseHandler};
pub use outbox::Outbox;
pub use quic::{DialError, Endpoint, EndpointError};
pub use tls::{CertificateAuthority, Identity, Peer, TlsError};

/// The runtime of a node or a client: one thread, on which tasks may share `Rc`s.
///
/// # Errors
/// When the operating system refuses an event queue.
pub fn runtime() -> std::io::Result<tokio::runtime::LocalRuntime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
}
