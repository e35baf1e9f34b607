//! How many bytes requests, responses and messages take on the wire, without encoding them. Hosts
//! that count bytes and have no wire use it. A test holds the encoders in `transport` to it.

use super::{Dot, Message, Operation, PutWitness, Request, Response, Sibling};

/// The length that stands before every frame.
const FRAME_PREFIX_BYTES: usize = 4;
/// What comes before the key of a request: id, kind and two lengths.
const REQUEST_HEADER_BYTES: usize = 9;
/// Id and kind of a response.
const RESPONSE_HEADER_BYTES: usize = 5;
/// The number of entries of a vector, or of siblings.
const COUNT_BYTES: usize = 2;
/// The length of a sibling's value, or of the value that a compare-and-set expects.
const VALUE_LENGTH_BYTES: usize = 4;

/// Whether something is there.
const PRESENCE_BYTES: usize = 1;
/// Which node leads.
const LEADER_BYTES: usize = PRESENCE_BYTES + 2;
/// Which operation of which session a request is.
const CALL_BYTES: usize = 4 + 4 + 8 + PRESENCE_BYTES;

/// Bytes of a request's frame.
#[must_use]
pub const fn request_bytes(request: &Request<'_>) -> usize {
    let value = match request.operation {
        Operation::Get => 0,
        Operation::Put { value } => value.len(),
        Operation::Cas { expected, value } => {
            let expected = match expected {
                Some(expected) => expected.len(),
                None => 0,
            };
            PRESENCE_BYTES + VALUE_LENGTH_BYTES + expected + value.len()
        }
    };
    let context = size_of_val(request.context);
    let call = match request.call {
        Some(_) => CALL_BYTES,
        None => 0,
    };
    FRAME_PREFIX_BYTES + REQUEST_HEADER_BYTES + call + request.key.len() + context + value
}

/// Bytes of a response's frame.
#[must_use]
pub fn response_bytes(response: &Response<'_>) -> usize {
    let body = match response {
        Response::Put(witness) => witness_bytes(witness),
        Response::Get { vector, siblings } => vector_bytes(vector) + siblings_bytes(siblings),
        Response::Refused(_) => 1,
        Response::Indefinite => 0,
        Response::NotLeader { .. } => LEADER_BYTES,
        Response::Mismatch { found } => PRESENCE_BYTES + found.map_or(0, siblings_bytes),
    };
    FRAME_PREFIX_BYTES + RESPONSE_HEADER_BYTES + body
}

/// Bytes of a message's frame.
///
/// # Panics
/// Never: counting bytes writes nowhere.
#[must_use]
pub fn message_bytes(message: &Message) -> usize {
    let counter = postcard::ser_flavors::Size::default();
    let body = postcard::serialize_with_flavor(message, counter).expect("counting cannot fail");
    FRAME_PREFIX_BYTES + body
}

fn siblings_bytes(siblings: &[Sibling<'_>]) -> usize {
    COUNT_BYTES + siblings.iter().map(sibling_bytes).sum::<usize>()
}

fn sibling_bytes(sibling: &Sibling<'_>) -> usize {
    VALUE_LENGTH_BYTES + witness_bytes(&sibling.witness) + sibling.value.len()
}

const fn vector_bytes(vector: &[Dot]) -> usize {
    COUNT_BYTES + size_of_val(vector)
}

/// A tag, and the dot with its vector or the version.
const fn witness_bytes(witness: &PutWitness<'_>) -> usize {
    match witness {
        PutWitness::None => 1,
        PutWitness::Causal { dot, vector } => 1 + size_of_val(dot) + vector_bytes(vector),
        PutWitness::Lww { version } => {
            1 + size_of_val(&version.time) + size_of_val(&version.origin)
        }
    }
}
