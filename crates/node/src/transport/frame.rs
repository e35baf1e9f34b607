//! What travels on a stream: first a hello, then frames.
//!
//! A hello is four bytes: `"kz"`, the version, the role. The acceptor answers a good one with the
//! same four bytes. A frame is a little-endian `u32` length, then that many bytes.

use quinn::{Connection, RecvStream, SendStream, VarInt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::tls::Peer;
use kvs_core::protocol::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// The version of hello, frames and their contents.
pub const VERSION: u8 = 4;
/// The bytes of a length prefix.
pub const PREFIX_BYTES: usize = 4;
/// The longest vector that a frame carries, in entries: one for each node that could be.
pub const VECTOR_DOTS_MAX: usize = 4096;
/// The longest request, in bytes without its prefix: a compare-and-set has two values.
pub const REQUEST_BYTES_MAX: usize = 64 + KEY_BYTES_MAX + VECTOR_DOTS_MAX * 8 + 2 * VALUE_BYTES_MAX;
/// The longest response, in bytes without its prefix: room for a dozen siblings of full size.
pub const RESPONSE_BYTES_MAX: usize = 16 << 20;
/// The longest message of a replica, in bytes without its prefix.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;

const MAGIC: [u8; 2] = *b"kz";

/// What is wrong with input from outside. The sender's connection is closed with
/// [`CloseCode::Malformed`]; nothing else was touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A length prefix beyond what this stream may carry.
    #[error("a frame of {length} bytes where at most {max} are allowed")]
    TooLong {
        /// What the prefix said.
        length: usize,
        /// What is allowed.
        max: usize,
    },
    /// A frame ends before what it began.
    #[error("a frame that ends in its {0}")]
    Truncated(&'static str),
    /// A frame goes on after its end.
    #[error("a frame with {0} bytes too many")]
    Trailing(usize),
    /// A number that stands for nothing.
    #[error("a frame with an unknown {0}")]
    Unknown(&'static str),
    /// A part that is longer or shorter than it may be.
    #[error("a frame with a {0} of illegal length")]
    Length(&'static str),
    /// A request under the number of one that was not answered yet.
    #[error("a request numbered {0} while another of that number is unanswered")]
    RequestOpen(u32),
    /// A message of a replica that serde cannot read.
    #[error("a message of a replica that does not decode")]
    Message,
    /// A stream that is not of this protocol, or of another version of it.
    #[error("a hello of another protocol or version")]
    Hello,
    /// A peer that may not do what it asks for: nodes send messages, clients make requests.
    #[error("a role that its certificate does not allow")]
    Role,
    /// A stream or connection that broke before the hello was through.
    #[error("no hello")]
    NoHello,
}

/// What cannot be encoded, being longer than the receiver would accept. Nothing was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a frame with a part longer than the protocol allows")]
pub struct TooLong;

/// Why a connection is closed, as its application error code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCode {
    /// On purpose, in good order.
    Done = 0,
    /// The peer sent what cannot be decoded.
    Malformed = 1,
    /// The stream did not begin with a hello of this version.
    BadHello = 2,
    /// The peer's certificate does not allow what it asked for.
    NotAllowed = 3,
}

impl From<CloseCode> for VarInt {
    fn from(code: CloseCode) -> Self {
        Self::from_u32(code as u32)
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Requests one way, responses the other.
    Requests = 1,
    /// Messages of replicas, from the dialler to the acceptor.
    Messages = 2,
}

impl Role {
    fn hello(self) -> [u8; 4] {
        [MAGIC[0], MAGIC[1], VERSION, self as u8]
    }

    fn from_hello(hello: [u8; 4]) -> Option<Self> {
        [Self::Requests, Self::Messages]
            .into_iter()
            .find(|role| role.hello() == hello)
    }

    /// Clients make requests, and nodes send messages.
    fn is_allowed_to(self, peer: Peer) -> bool {
        match (self, peer) {
            (Self::Requests, Peer::Client) | (Self::Messages, Peer::Node(_)) => true,
            (Self::Requests, Peer::Node(_)) | (Self::Messages, Peer::Client) => false,
        }
    }
}

/// Opens the connection's stream and waits until the acceptor agrees to `role`.
pub(super) async fn offer(
    connection: &Connection,
    role: Role,
) -> Result<(SendStream, RecvStream), Malformed> {
    let (mut send, mut recv) = connection.open_bi().await.map_err(|_| Malformed::NoHello)?;
    let hello = role.hello();
    send.write_all(&hello)
        .await
        .map_err(|_| Malformed::NoHello)?;
    if read_hello(&mut recv).await? != hello {
        return Err(Malformed::Hello);
    }
    Ok((send, recv))
}

/// Waits for the connection's stream, hears what it is for, and agrees if `peer` may.
pub(super) async fn accept(
    connection: &Connection,
    peer: Peer,
) -> Result<(Role, SendStream, RecvStream), Malformed> {
    let (mut send, mut recv) = connection
        .accept_bi()
        .await
        .map_err(|_| Malformed::NoHello)?;
    let role = Role::from_hello(read_hello(&mut recv).await?).ok_or(Malformed::Hello)?;
    if !role.is_allowed_to(peer) {
        return Err(Malformed::Role);
    }
    send.write_all(&role.hello())
        .await
        .map_err(|_| Malformed::NoHello)?;
    Ok((role, send, recv))
}

async fn read_hello(recv: &mut RecvStream) -> Result<[u8; 4], Malformed> {
    let mut hello = [0; 4];
    recv.read_exact(&mut hello)
        .await
        .map_err(|_| Malformed::NoHello)?;
    Ok(hello)
}

/// Appends one frame whose contents `encode` writes. On an error, or when the contents are
/// longer than `max`, `out` is as it was.
pub(super) fn append(
    out: &mut Vec<u8>,
    max: usize,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<(), TooLong>,
) -> Result<(), TooLong> {
    let start = out.len();
    out.extend_from_slice(&[0; PREFIX_BYTES]);
    let encoded = encode(out);
    let length = out.len() - start - PREFIX_BYTES;
    match (encoded, u32::try_from(length)) {
        (Ok(()), Ok(prefix)) if length <= max => {
            out[start..start + PREFIX_BYTES].copy_from_slice(&prefix.to_le_bytes());
            Ok(())
        }
        _ => {
            out.truncate(start);
            Err(TooLong)
        }
    }
}

/// The length in a prefix.
///
/// # Errors
/// When it is beyond `max`: nothing of the frame has to be awaited to know that.
pub(super) fn length(prefix: [u8; PREFIX_BYTES], max: usize) -> Result<usize, Malformed> {
    let length = u32::from_le_bytes(prefix) as usize;
    if length > max {
        return Err(Malformed::TooLong { length, max });
    }
    Ok(length)
}

/// Appends one message of a replica as a frame.
///
/// # Errors
/// When it is longer than [`MESSAGE_BYTES_MAX`]; `out` is then as it was.
pub fn append_message<M: Serialize>(out: &mut Vec<u8>, message: &M) -> Result<(), TooLong> {
    append(out, MESSAGE_BYTES_MAX, |out| {
        postcard::to_io(message, out).map_err(|_| TooLong)?;
        Ok(())
    })
}

/// Reads the contents of a message's frame.
///
/// # Errors
/// When they are not exactly one message.
pub fn decode_message<M: DeserializeOwned>(payload: &[u8]) -> Result<M, Malformed> {
    match postcard::take_from_bytes(payload) {
        Ok((message, [])) => Ok(message),
        Ok((_, rest)) => Err(Malformed::Trailing(rest.len())),
        Err(_) => Err(Malformed::Message),
    }
}
