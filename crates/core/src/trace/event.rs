//! The inputs of a replica as they stand in a trace.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::protocol::{Call, Dot, Message, NodeId, Operation, Request};
use crate::replica::{Input, Persist, RequestId, Timer};

/// One input of a replica, or the end of the trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<'a> {
    /// `Replica::start`.
    Start,
    /// `Replica::recover`.
    Recover,
    /// `Replica::restore`.
    Restore(#[serde(borrow)] Persist<'a>),
    /// `Replica::handle_request`.
    Request {
        /// What the host called it.
        id: RequestId,
        /// The key.
        #[serde(borrow)]
        key: Bytes<'a>,
        /// The value of a put; none for a get.
        #[serde(borrow)]
        value: Option<Bytes<'a>>,
        /// What the session has seen.
        context: Cow<'a, [Dot]>,
        /// Which operation of which session it is.
        call: Option<Call>,
        /// What the host knew.
        given: Given<'a>,
    },
    /// `Replica::handle_message`.
    Message {
        /// Who sent it.
        from: NodeId,
        /// What it said.
        message: Cow<'a, Message>,
        /// What the host knew.
        given: Given<'a>,
    },
    /// `Replica::handle_timer`.
    Timer {
        /// Which one.
        timer: Timer,
        /// What the host knew.
        given: Given<'a>,
    },
    /// No input: the trace ends here, on purpose.
    End {
        /// How many inputs came before.
        events: u64,
        /// Why.
        ending: Ending,
    },
    /// `Replica::handle_request` with a compare-and-set.
    CompareAndSet {
        /// What the host called it.
        id: RequestId,
        /// The key.
        #[serde(borrow)]
        key: Bytes<'a>,
        /// What it must hold; none when it must not be there.
        #[serde(borrow)]
        expected: Option<Bytes<'a>>,
        /// The new value.
        #[serde(borrow)]
        value: Bytes<'a>,
        /// What the session has seen.
        context: Cow<'a, [Dot]>,
        /// Which operation of which session it is.
        call: Option<Call>,
        /// What the host knew.
        given: Given<'a>,
    },
}

/// An [`Input`] on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given<'a> {
    /// The node's wall clock, in ns since 1970.
    pub wall_ns: u64,
    /// The peers that were drawn.
    pub peers: Cow<'a, [NodeId]>,
    /// The random bits that were drawn; 0 where the kind of replica asks for none.
    pub random: u64,
}

/// How a trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The node ended in good order: all that it was given is there.
    Whole,
    /// It had become as large as it may.
    Limit,
    /// No end is recorded: the node was killed, crashed, or could not write.
    Cut,
}

/// Bytes that are borrowed from the record in which they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Event<'a> {
    /// A request.
    #[must_use]
    pub fn request(id: RequestId, request: &Request<'a>, input: &Input<'a>) -> Self {
        let (key, context, given) = (Bytes(request.key), request.context.into(), input.into());
        let call = request.call;
        let value = match request.operation {
            Operation::Get => None,
            Operation::Put { value } => Some(Bytes(value)),
            Operation::Cas { expected, value } => {
                return Self::CompareAndSet {
                    id,
                    key,
                    expected: expected.map(Bytes),
                    value: Bytes(value),
                    context,
                    call,
                    given,
                };
            }
        };
        Self::Request {
            id,
            key,
            value,
            context,
            call,
            given,
        }
    }

    /// A message.
    #[must_use]
    pub fn message(from: NodeId, message: &'a Message, input: &Input<'a>) -> Self {
        Self::Message {
            from,
            message: Cow::Borrowed(message),
            given: input.into(),
        }
    }

    /// A timer.
    #[must_use]
    pub fn timer(timer: Timer, input: &Input<'a>) -> Self {
        Self::Timer {
            timer,
            given: input.into(),
        }
    }
}

impl<'a> From<&Input<'a>> for Given<'a> {
    fn from(input: &Input<'a>) -> Self {
        Self {
            wall_ns: input.wall_ns,
            peers: input.peers.into(),
            random: input.random,
        }
    }
}

impl Given<'_> {
    /// What a replica takes.
    #[must_use]
    pub fn input(&self) -> Input<'_> {
        Input {
            wall_ns: self.wall_ns,
            peers: &self.peers,
            random: self.random,
        }
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'a, 'de: 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Self)
    }
}

impl fmt::Display for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Recover => f.write_str("recover"),
            Self::Restore(change) => {
                let change = super::clipped(format!("{change:?}"));
                write!(f, "restore {change}")
            }
            Self::Request {
                id,
                key,
                value,
                context,
                call,
                given,
            } => {
                let key = key.0.escape_ascii();
                match value {
                    None => write!(f, "request {}: get {key}", id.0)?,
                    Some(value) => {
                        let length = value.0.len();
                        write!(f, "request {}: put {key} ({length} bytes)", id.0)?;
                    }
                }
                write!(f, " after {context:?}{}, {given}", CallInWords(*call))
            }
            Self::Message {
                from,
                message,
                given,
            } => {
                let message = super::clipped(format!("{message:?}"));
                write!(f, "message of {from}, {given}: {message}")
            }
            Self::Timer { timer, given } => write!(f, "timer {timer:?}, {given}"),
            Self::End { events, .. } => write!(f, "end after {events} inputs"),
            Self::CompareAndSet {
                id,
                key,
                value,
                context,
                call,
                given,
                ..
            } => {
                let (key, length) = (key.0.escape_ascii(), value.0.len());
                write!(f, "request {}: cas {key} ({length} bytes)", id.0)?;
                write!(f, " after {context:?}{}, {given}", CallInWords(*call))
            }
        }
    }
}

/// A call as a part of a sentence; nothing when there is none.
struct CallInWords(Option<Call>);

impl fmt::Display for CallInWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(call) = self.0 else {
            return Ok(());
        };
        let again = if call.again { " again" } else { "" };
        write!(f, ", session {}:{}{again}", call.session, call.operation)
    }
}

impl fmt::Display for Given<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "clock {} ns", self.wall_ns)?;
        for (i, peer) in self.peers.iter().enumerate() {
            let lead = if i == 0 { ", peers drawn " } else { " " };
            write!(f, "{lead}{peer}")?;
        }
        if self.random != 0 {
            write!(f, ", random bits {:016x}", self.random)?;
        }
        Ok(())
    }
}
