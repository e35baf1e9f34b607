//! What a replica answers, owned: a response borrows from the replica, and a state outlives it.

use kvs_core::protocol::{Dot, NodeId, PutWitness, Refusal, Response, Sibling, Vector, Version};

/// What a client learns from a response.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reply {
    Put(Witness),
    /// The replica's vector, and the values.
    Get(Vector, Vec<Shown>),
    Refused(Refusal),
    Indefinite,
    NotLeader(Option<NodeId>),
}

/// One value that a get returned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Shown {
    pub(crate) value: String,
    pub(crate) evidence: Witness,
}

/// What a reply says about a put.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Witness {
    None,
    Causal(Dot, Vector),
    Lww(Version),
}

impl Witness {
    fn of(witness: &PutWitness<'_>) -> Self {
        match witness {
            PutWitness::None => Self::None,
            PutWitness::Causal { dot, vector } => Self::Causal(*dot, (*vector).into()),
            PutWitness::Lww { version } => Self::Lww(*version),
        }
    }

    /// What the put had covered, where that is known.
    pub(crate) const fn vector(&self) -> Option<&Vector> {
        match self {
            Self::Causal(_, vector) => Some(vector),
            Self::None | Self::Lww(_) => None,
        }
    }

    fn witness(&self) -> PutWitness<'_> {
        match self {
            Self::None => PutWitness::None,
            Self::Causal(dot, vector) => PutWitness::Causal { dot: *dot, vector },
            Self::Lww(version) => PutWitness::Lww { version: *version },
        }
    }
}

impl Reply {
    pub(crate) fn of(response: &Response<'_>) -> Self {
        match response {
            Response::Put(witness) => Self::Put(Witness::of(witness)),
            Response::Get { vector, siblings } => {
                let shown = siblings.iter().map(|sibling| Shown {
                    value: String::from_utf8_lossy(sibling.value).into_owned(),
                    evidence: Witness::of(&sibling.witness),
                });
                Self::Get((*vector).into(), shown.collect())
            }
            Response::Refused(refusal) => Self::Refused(*refusal),
            Response::Indefinite => Self::Indefinite,
            Response::NotLeader { leader } => Self::NotLeader(*leader),
            Response::Mismatch { .. } => unreachable!("the clients of models compare nothing"),
        }
    }

    /// As a session takes it.
    pub(crate) fn as_response<R>(&self, take: impl FnOnce(&Response<'_>) -> R) -> R {
        match self {
            Self::Put(evidence) => take(&Response::Put(evidence.witness())),
            Self::Get(vector, shown) => {
                let siblings = shown.iter().map(|shown| Sibling {
                    value: shown.value.as_bytes(),
                    witness: shown.evidence.witness(),
                });
                let siblings: Vec<_> = siblings.collect();
                take(&Response::Get {
                    vector,
                    siblings: &siblings,
                })
            }
            Self::Refused(refusal) => take(&Response::Refused(*refusal)),
            Self::Indefinite => take(&Response::Indefinite),
            Self::NotLeader(leader) => take(&Response::NotLeader { leader: *leader }),
        }
    }
}
