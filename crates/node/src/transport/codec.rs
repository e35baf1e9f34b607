//! Requests and responses as bytes, written by hand and decoded in place.
//!
//! All numbers are little-endian. A request is `id u32, kind u8, key length u16, context entries
//! u16, key, context, value`, the value being what remains. A compare-and-set has before its value
//! what it expects: `there u8, length u32` and so many bytes. Where the highest bit of the kind is
//! set, the request may be sent again, and has after its context which operation of which session it
//! is: `session u32, operation u32, previous u64, again u8`.
//!
//! A response is `id u32, kind u8` and then, by kind, a witness, a vector with siblings, a refusal,
//! which node leads (`known u8, node u16`), or whether a mismatch tells what was found, and the
//! siblings if it does. A vector is its entries as `u64`, after their number as `u16`. Decoding
//! trusts nothing and allocates nothing but the caller's scratch.

use smallvec::SmallVec;

use super::frame::{
    self, Malformed, REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, TooLong, VECTOR_DOTS_MAX,
};
use kvs_core::protocol::{
    Call, Dot, KEY_BYTES_MAX, NodeId, Operation, PutWitness, Refusal, Request, Response, Sibling,
    VALUE_BYTES_MAX, Version,
};

/// What comes before the key of a request.
const HEADER_BYTES: usize = 9;

const GET: u8 = 0;
const PUT: u8 = 1;
const CAS: u8 = 2;
/// Beside the kind: the request says which operation of which session it is.
const CALLS: u8 = 0x80;

const PUT_WITNESS: u8 = 0;
const SIBLINGS: u8 = 1;
const REFUSED: u8 = 2;
const MISMATCH: u8 = 3;
const INDEFINITE: u8 = 4;
const NOT_LEADER: u8 = 5;

const WITNESS_NONE: u8 = 0;
const WITNESS_CAUSAL: u8 = 1;
const WITNESS_LWW: u8 = 2;

/// The least that a sibling takes: its length and its witness's tag. Bounds how many a frame
/// can claim to have.
const SIBLING_BYTES_MIN: usize = 5;
/// Siblings that are decoded without an allocation.
const SIBLINGS_INLINE: usize = 4;

/// Appends `request` as a frame. `id` comes back with the response.
///
/// # Errors
/// When a part is longer than the protocol allows; `out` is then as it was.
pub fn append_request(out: &mut Vec<u8>, id: u32, request: &Request<'_>) -> Result<(), TooLong> {
    frame::append(out, REQUEST_BYTES_MAX, |out| {
        let key_length = u16::try_from(request.key.len()).map_err(|_| TooLong)?;
        let (kind, expected, value) = match request.operation {
            Operation::Get => (GET, None, &[][..]),
            Operation::Put { value } => (PUT, None, value),
            Operation::Cas { expected, value } => (CAS, expected, value),
        };
        let expected_length = expected.map_or(0, <[u8]>::len);
        if request.key.len() > KEY_BYTES_MAX || expected_length.max(value.len()) > VALUE_BYTES_MAX {
            return Err(TooLong);
        }
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&id.to_le_bytes());
        header[4] = kind | request.call.map_or(0, |_| CALLS);
        header[5..7].copy_from_slice(&key_length.to_le_bytes());
        header[7..].copy_from_slice(&entries(request.context)?.to_le_bytes());
        out.extend_from_slice(&header);
        out.extend_from_slice(request.key);
        extend_with_dots(out, request.context);
        if let Some(call) = &request.call {
            extend_with_call(out, call);
        }
        if kind == CAS {
            let length = u32::try_from(expected_length).map_err(|_| TooLong)?;
            out.push(u8::from(expected.is_some()));
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(expected.unwrap_or_default());
        }
        out.extend_from_slice(value);
        Ok(())
    })
}

/// The key of a request that has not been checked; `None` when it is clearly malformed.
#[must_use]
pub fn key_of_request(payload: &[u8]) -> Option<&[u8]> {
    let (header, rest) = payload.split_first_chunk::<HEADER_BYTES>()?;
    let key_length = usize::from(u16::from_le_bytes([header[5], header[6]]));
    rest.get(..key_length)
}

/// Reads the contents of a request's frame. The context is decoded into `dots`, whose former
/// contents go.
///
/// # Errors
/// When the contents are not exactly one request.
pub fn decode_request<'a>(
    payload: &'a [u8],
    dots: &'a mut Vec<Dot>,
) -> Result<(u32, Request<'a>), Malformed> {
    dots.clear();
    let mut input = Input(payload);
    let id = input.u32("id")?;
    let kind = input.u8("kind")?;
    let key_length = usize::from(input.u16("key length")?);
    let context_entries = input.entries()?;
    if key_length == 0 || key_length > KEY_BYTES_MAX {
        return Err(Malformed::Length("key"));
    }
    let key = input.bytes(key_length, "key")?;
    input.dots(context_entries, dots)?;
    let call = if kind & CALLS == 0 {
        None
    } else {
        Some(input.call()?)
    };
    let operation = match kind & !CALLS {
        GET if input.0.is_empty() => Operation::Get,
        GET => return Err(Malformed::Trailing(input.0.len())),
        PUT if input.0.len() <= VALUE_BYTES_MAX => Operation::Put { value: input.0 },
        CAS => {
            let is_there = input.presence()?;
            let length = input.u32("value length")? as usize;
            if length.max(input.0.len().saturating_sub(length)) > VALUE_BYTES_MAX
                || (!is_there && length > 0)
            {
                return Err(Malformed::Length("value"));
            }
            let expected = input.bytes(length, "value")?;
            Operation::Cas {
                expected: is_there.then_some(expected),
                value: input.0,
            }
        }
        PUT => return Err(Malformed::Length("value")),
        _ => return Err(Malformed::Unknown("kind of request")),
    };
    let context = dots.as_slice();
    Ok((
        id,
        Request {
            key,
            operation,
            context,
            call,
        },
    ))
}

/// Appends `response` as a frame, answering the request of that `id`.
///
/// # Errors
/// When a part, or the whole, is longer than the protocol allows; `out` is then as it was.
pub fn append_response(out: &mut Vec<u8>, id: u32, response: &Response<'_>) -> Result<(), TooLong> {
    frame::append(out, RESPONSE_BYTES_MAX, |out| {
        out.extend_from_slice(&id.to_le_bytes());
        match response {
            Response::Put(witness) => {
                out.push(PUT_WITNESS);
                extend_with_witness(out, witness)
            }
            Response::Get { vector, siblings } => {
                out.push(SIBLINGS);
                extend_with_vector(out, vector)?;
                extend_with_siblings(out, siblings)
            }
            Response::Refused(refusal) => {
                out.push(REFUSED);
                out.push(refusal_as_byte(*refusal));
                Ok(())
            }
            Response::Indefinite => {
                out.push(INDEFINITE);
                Ok(())
            }
            Response::NotLeader { leader } => {
                out.push(NOT_LEADER);
                out.push(u8::from(leader.is_some()));
                out.extend_from_slice(&leader.unwrap_or_default().0.to_le_bytes());
                Ok(())
            }
            Response::Mismatch { found } => {
                out.push(MISMATCH);
                out.push(u8::from(found.is_some()));
                found.map_or(Ok(()), |found| extend_with_siblings(out, found))
            }
        }
    })
}

/// Reads the contents of a response's frame and hands the response, borrowed, to `handle`.
/// Vectors are decoded into `dots`, whose former contents go.
///
/// # Errors
/// When the contents are not exactly one response; `handle` was then not called.
pub fn decode_response<T>(
    payload: &[u8],
    dots: &mut Vec<Dot>,
    handle: impl FnOnce(u32, &Response<'_>) -> T,
) -> Result<T, Malformed> {
    dots.clear();
    let mut input = Input(payload);
    let id = input.u32("id")?;
    match input.u8("kind")? {
        PUT_WITNESS => {
            let witness = input.witness(dots)?;
            input.end()?;
            Ok(handle(id, &Response::Put(witness.borrow(dots))))
        }
        SIBLINGS => {
            let vector_entries = input.entries()?;
            input.dots(vector_entries, dots)?;
            decode_siblings(input, dots, |dots, siblings| {
                let vector = &dots[..vector_entries];
                handle(id, &Response::Get { vector, siblings })
            })
        }
        MISMATCH => {
            if input.presence()? {
                return decode_siblings(input, dots, |_, found| {
                    handle(id, &Response::Mismatch { found: Some(found) })
                });
            }
            input.end()?;
            Ok(handle(id, &Response::Mismatch { found: None }))
        }
        REFUSED => {
            let refusal = refusal_from_byte(input.u8("refusal")?)?;
            input.end()?;
            Ok(handle(id, &Response::Refused(refusal)))
        }
        NOT_LEADER => {
            let is_known = input.presence()?;
            let leader = NodeId(input.u16("leader")?);
            input.end()?;
            let leader = is_known.then_some(leader);
            Ok(handle(id, &Response::NotLeader { leader }))
        }
        INDEFINITE => {
            input.end()?;
            Ok(handle(id, &Response::Indefinite))
        }
        _ => Err(Malformed::Unknown("kind of response")),
    }
}

/// Reads what remains as siblings, and hands them to `handle` with the scratch. The vectors of all
/// siblings go into that first, and only then are they borrowed.
fn decode_siblings<T>(
    mut input: Input<'_>,
    dots: &mut Vec<Dot>,
    handle: impl FnOnce(&[Dot], &[Sibling<'_>]) -> T,
) -> Result<T, Malformed> {
    let number = usize::from(input.u16("number of siblings")?);
    if number > input.0.len() / SIBLING_BYTES_MIN {
        return Err(Malformed::Truncated("siblings"));
    }
    let mut decoded = SmallVec::<[(&[u8], Witness); SIBLINGS_INLINE]>::new();
    for _ in 0..number {
        let length = input.u32("value length")? as usize;
        if length > VALUE_BYTES_MAX {
            return Err(Malformed::Length("value"));
        }
        let witness = input.witness(dots)?;
        decoded.push((input.bytes(length, "value")?, witness));
    }
    input.end()?;
    let siblings: SmallVec<[Sibling<'_>; SIBLINGS_INLINE]> = decoded
        .iter()
        .map(|(value, witness)| Sibling {
            value,
            witness: witness.borrow(dots),
        })
        .collect();
    Ok(handle(dots, &siblings))
}

/// A witness whose vector lies in the scratch, from where it is borrowed once that is complete.
#[derive(Clone, Copy)]
enum Witness {
    None,
    Causal { dot: Dot, start: usize, end: usize },
    Lww { version: Version },
}

impl Witness {
    fn borrow(self, dots: &[Dot]) -> PutWitness<'_> {
        match self {
            Self::None => PutWitness::None,
            Self::Causal { dot, start, end } => PutWitness::Causal {
                dot,
                vector: &dots[start..end],
            },
            Self::Lww { version } => PutWitness::Lww { version },
        }
    }
}

/// What of a frame is still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn bytes(&mut self, length: usize, part: &'static str) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Malformed::Truncated(part))?;
        self.0 = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], Malformed> {
        let (bytes, rest) = self
            .0
            .split_first_chunk()
            .ok_or(Malformed::Truncated(part))?;
        self.0 = rest;
        Ok(*bytes)
    }

    fn u8(&mut self, part: &'static str) -> Result<u8, Malformed> {
        self.array(part).map(u8::from_le_bytes)
    }

    fn u16(&mut self, part: &'static str) -> Result<u16, Malformed> {
        self.array(part).map(u16::from_le_bytes)
    }

    fn u32(&mut self, part: &'static str) -> Result<u32, Malformed> {
        self.array(part).map(u32::from_le_bytes)
    }

    fn u64(&mut self, part: &'static str) -> Result<u64, Malformed> {
        self.array(part).map(u64::from_le_bytes)
    }

    /// Whether something follows.
    fn presence(&mut self) -> Result<bool, Malformed> {
        match self.u8("presence")? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Unknown("presence")),
        }
    }

    fn call(&mut self) -> Result<Call, Malformed> {
        Ok(Call {
            session: self.u32("session")?,
            operation: self.u32("operation")?,
            previous: self.u64("previous index")?,
            again: self.presence()?,
        })
    }

    fn entries(&mut self) -> Result<usize, Malformed> {
        let entries = usize::from(self.u16("number of entries")?);
        if entries > VECTOR_DOTS_MAX {
            return Err(Malformed::Length("vector"));
        }
        Ok(entries)
    }

    fn dots(&mut self, entries: usize, dots: &mut Vec<Dot>) -> Result<(), Malformed> {
        let bytes = self.bytes(entries * size_of::<Dot>(), "vector")?;
        let (words, _) = bytes.as_chunks();
        dots.extend(words.iter().map(|word| Dot(u64::from_le_bytes(*word))));
        Ok(())
    }

    fn witness(&mut self, dots: &mut Vec<Dot>) -> Result<Witness, Malformed> {
        match self.u8("witness")? {
            WITNESS_NONE => Ok(Witness::None),
            WITNESS_CAUSAL => {
                let dot = Dot(self.u64("dot")?);
                let entries = self.entries()?;
                let start = dots.len();
                self.dots(entries, dots)?;
                let end = dots.len();
                Ok(Witness::Causal { dot, start, end })
            }
            WITNESS_LWW => {
                let time = self.u64("version")?;
                let origin = self.u32("version")?;
                let version = Version { time, origin };
                Ok(Witness::Lww { version })
            }
            _ => Err(Malformed::Unknown("kind of witness")),
        }
    }

    fn end(&self) -> Result<(), Malformed> {
        match self.0.len() {
            0 => Ok(()),
            rest => Err(Malformed::Trailing(rest)),
        }
    }
}

fn entries(vector: &[Dot]) -> Result<u16, TooLong> {
    if vector.len() > VECTOR_DOTS_MAX {
        return Err(TooLong);
    }
    u16::try_from(vector.len()).map_err(|_| TooLong)
}

fn extend_with_dots(out: &mut Vec<u8>, vector: &[Dot]) {
    for dot in vector {
        out.extend_from_slice(&dot.0.to_le_bytes());
    }
}

fn extend_with_call(out: &mut Vec<u8>, call: &Call) {
    out.extend_from_slice(&call.session.to_le_bytes());
    out.extend_from_slice(&call.operation.to_le_bytes());
    out.extend_from_slice(&call.previous.to_le_bytes());
    out.push(u8::from(call.again));
}

fn extend_with_vector(out: &mut Vec<u8>, vector: &[Dot]) -> Result<(), TooLong> {
    out.extend_from_slice(&entries(vector)?.to_le_bytes());
    extend_with_dots(out, vector);
    Ok(())
}

fn extend_with_witness(out: &mut Vec<u8>, witness: &PutWitness<'_>) -> Result<(), TooLong> {
    match witness {
        PutWitness::None => out.push(WITNESS_NONE),
        PutWitness::Causal { dot, vector } => {
            out.push(WITNESS_CAUSAL);
            out.extend_from_slice(&dot.0.to_le_bytes());
            extend_with_vector(out, vector)?;
        }
        PutWitness::Lww { version } => {
            out.push(WITNESS_LWW);
            out.extend_from_slice(&version.time.to_le_bytes());
            out.extend_from_slice(&version.origin.to_le_bytes());
        }
    }
    Ok(())
}

fn extend_with_siblings(out: &mut Vec<u8>, siblings: &[Sibling<'_>]) -> Result<(), TooLong> {
    let number = u16::try_from(siblings.len()).map_err(|_| TooLong)?;
    out.extend_from_slice(&number.to_le_bytes());
    siblings
        .iter()
        .try_for_each(|sibling| extend_with_sibling(out, sibling))
}

fn extend_with_sibling(out: &mut Vec<u8>, sibling: &Sibling<'_>) -> Result<(), TooLong> {
    if sibling.value.len() > VALUE_BYTES_MAX {
        return Err(TooLong);
    }
    let length = u32::try_from(sibling.value.len()).map_err(|_| TooLong)?;
    out.extend_from_slice(&length.to_le_bytes());
    extend_with_witness(out, &sibling.witness)?;
    out.extend_from_slice(sibling.value);
    Ok(())
}

fn refusal_as_byte(refusal: Refusal) -> u8 {
    match refusal {
        Refusal::Unavailable => 0,
        Refusal::WrongShard => 1,
        Refusal::ContextLost => 2,
        Refusal::Overloaded => 3,
        Refusal::NotPrimary => 4,
        Refusal::NotReady => 5,
        Refusal::TooFewReplicas => 6,
        Refusal::Rejected => 7,
    }
}

fn refusal_from_byte(byte: u8) -> Result<Refusal, Malformed> {
    match byte {
        0 => Ok(Refusal::Unavailable),
        1 => Ok(Refusal::WrongShard),
        2 => Ok(Refusal::ContextLost),
        3 => Ok(Refusal::Overloaded),
        4 => Ok(Refusal::NotPrimary),
        5 => Ok(Refusal::NotReady),
        6 => Ok(Refusal::TooFewReplicas),
        7 => Ok(Refusal::Rejected),
        _ => Err(Malformed::Unknown("refusal")),
    }
}

#[cfg(test)]
mod tests;
