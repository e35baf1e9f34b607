//! The effects of a replica as a trace keeps them: a summary, and a digest of the whole.
//!
//! A replay makes the effects again, so a trace need not keep their values, vectors and updates.
//! What it keeps tells whether an effect is the same, and says in words what it was.

use std::fmt;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use twox_hash::XxHash64;

use crate::protocol::{
    BodyKind, Dot, Message, NodeId, PutWitness, Refusal, Response, Sibling, Version,
};
use crate::replica::{Persist, PersistKind, RequestId, Timer};

/// One effect in short. Two effects are the same when these are, but for a chance of 2^-64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// `Effects::reply`.
    Reply {
        /// The request that is answered.
        to: RequestId,
        /// With what.
        answer: Replied,
        /// XXH64 of the whole response in postcard's form.
        digest: u64,
    },
    /// `Effects::send`.
    Send {
        /// Whom to.
        to: NodeId,
        /// Which kind of message.
        kind: BodyKind,
        /// How many puts it carries.
        puts: u32,
        /// XXH64 of the whole message in postcard's form.
        digest: u64,
    },
    /// `Effects::set_timer`.
    Timer {
        /// Which one.
        timer: Timer,
        /// How long it takes, in ms.
        delay_ms: u64,
    },
    /// `Effects::persist`.
    Persist {
        /// Which kind of change.
        change: PersistKind,
        /// XXH64 of the whole change in postcard's form.
        digest: u64,
    },
}

/// A response in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replied {
    /// A put took effect.
    Put(PutId),
    /// A get found these puts.
    Get(SmallVec<[PutId; 2]>),
    /// Refused.
    Refused(Refusal),
    /// It is not known whether it took effect.
    Indefinite,
    /// Another node leads, perhaps this one.
    NotLeader(Option<NodeId>),
    /// A compare-and-set found these puts instead of what it expected.
    Mismatch(SmallVec<[PutId; 2]>),
}

/// Which put.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PutId {
    /// An unreplicated store does not say.
    None,
    /// Causal.
    Dot(Dot),
    /// Last write wins.
    Version(Version),
}

impl Effect {
    /// A reply in short. `scratch` is overwritten.
    pub(super) fn reply(to: RequestId, response: &Response<'_>, scratch: &mut Vec<u8>) -> Self {
        let answer = match response {
            Response::Put(witness) => Replied::Put(PutId::of(witness)),
            Response::Get { siblings, .. } => {
                Replied::Get(siblings.iter().map(PutId::of_sibling).collect())
            }
            Response::Refused(refusal) => Replied::Refused(*refusal),
            Response::Indefinite => Replied::Indefinite,
            Response::NotLeader { leader } => Replied::NotLeader(*leader),
            Response::Mismatch { found } => {
                let found = found.unwrap_or_default();
                Replied::Mismatch(found.iter().map(PutId::of_sibling).collect())
            }
        };
        let digest = digest(response, scratch);
        Self::Reply { to, answer, digest }
    }

    /// A message in short. `scratch` is overwritten.
    pub(super) fn send(to: NodeId, message: &Message, scratch: &mut Vec<u8>) -> Self {
        Self::Send {
            to,
            kind: message.body.kind(),
            puts: u32::try_from(message.body.puts()).unwrap_or(u32::MAX),
            digest: digest(message, scratch),
        }
    }

    /// A change to keep, in short. `scratch` is overwritten.
    pub(super) fn persist(change: &Persist<'_>, scratch: &mut Vec<u8>) -> Self {
        Self::Persist {
            change: change.kind(),
            digest: digest(change, scratch),
        }
    }
}

fn digest(value: &impl Serialize, scratch: &mut Vec<u8>) -> u64 {
    scratch.clear();
    postcard::to_io(value, &mut *scratch).expect("plain data goes into memory");
    XxHash64::oneshot(0, scratch)
}

impl PutId {
    const fn of_sibling(sibling: &Sibling<'_>) -> Self {
        Self::of(&sibling.witness)
    }

    const fn of(witness: &PutWitness<'_>) -> Self {
        match witness {
            PutWitness::None => Self::None,
            PutWitness::Causal { dot, .. } => Self::Dot(*dot),
            PutWitness::Lww { version } => Self::Version(*version),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply { to, answer, digest } => {
                write!(
                    f,
                    "answers request {}: {answer}, digest {digest:016x}",
                    to.0
                )
            }
            Self::Send {
                to,
                kind,
                puts,
                digest,
            } => {
                write!(
                    f,
                    "sends {to} {kind:?} ({puts} updates), digest {digest:016x}"
                )
            }
            Self::Timer { timer, delay_ms } => {
                write!(f, "sets the timer {timer:?} ({delay_ms} ms)")
            }
            Self::Persist { change, digest } => {
                write!(f, "persists {change:?}, digest {digest:016x}")
            }
        }
    }
}

impl fmt::Display for Replied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Put(identity) => write!(f, "put{identity}"),
            Self::Get(found) => {
                write!(f, "get finds {}", found.len())?;
                found.iter().try_for_each(|one| one.fmt(f))
            }
            Self::Refused(refusal) => write!(f, "refused ({refusal:?})"),
            Self::Indefinite => f.write_str("not known whether it took effect"),
            Self::NotLeader(Some(leader)) => write!(f, "{leader} leads"),
            Self::NotLeader(None) => f.write_str("another node leads"),
            Self::Mismatch(found) => {
                write!(f, "mismatch: cas finds {}", found.len())?;
                found.iter().try_for_each(|one| one.fmt(f))
            }
        }
    }
}

impl fmt::Display for PutId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Dot(dot) => write!(f, " {dot:?}"),
            Self::Version(Version { time, origin }) => write!(f, " version {time}/{origin}"),
        }
    }
}
