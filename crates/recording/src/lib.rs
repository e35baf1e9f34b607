//! What an operation leaves in the history: its row, with the server's evidence. Here is also the
//! header of that history. The load generator and the simulator record sessions in the same way.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use kvs_check::history::{
    self, CORRUPT, Columns, ErrorKind, Evidence, Group, Header, Kind, Model, Phase, Row, Siblings,
    Version, Witness,
};
use kvs_core::drive::{Ask, EndedOperation, Ledger, payload};
use kvs_core::protocol::{Dot, Lattice, PutWitness, Refusal, Response, Sibling};
use kvs_core::server::{Architecture, Promise, ServerPorts, WitnessKind};
use kvs_core::session::{Outcome, Trouble};

/// Where rows are kept.
pub trait Rows {
    /// Keeps one more.
    fn keep(&mut self, row: &Row<'_>);
}

impl Rows for Columns {
    fn keep(&mut self, row: &Row<'_>) {
        self.push(row);
    }
}

/// Records what lanes have done: makes the row of each operation, and keeps it.
#[derive(Debug)]
pub struct Recording<R> {
    rows_of: RowMaker,
    /// What was recorded.
    pub rows: R,
}

impl<R> Recording<R> {
    /// Records for a store that gives this evidence.
    #[must_use]
    pub fn new(evidence: Evidence, rows: R) -> Self {
        Self {
            rows_of: RowMaker::new(evidence),
            rows,
        }
    }
}

impl<R: Rows, T: Copy + Into<Phase>> Ledger<T> for Recording<R> {
    fn operation(&mut self, ended: &EndedOperation<'_, T>) {
        self.rows.keep(&self.rows_of.row(ended));
    }
}

/// Makes rows. Buffers for the lists of one are used again for the next.
#[derive(Debug, Default)]
struct RowMaker {
    /// What the store's answers prove: that a replica has applied nothing yet, or that a key holds
    /// no version, looks the same as no evidence at all.
    evidence: Evidence,
    read: Vec<u64>,
    vector: Vec<u64>,
    dots: Vec<u64>,
    ends: Vec<u32>,
    vectors: Vec<u64>,
}

/// What the buffers hold.
enum Held {
    Nothing,
    Put { dot: u64 },
    Siblings,
    Version(Option<Version>),
}

impl RowMaker {
    /// The rows of a store that gives this evidence.
    fn new(evidence: Evidence) -> Self {
        Self {
            evidence,
            ..Self::default()
        }
    }

    /// The row of an operation that is over.
    fn row<T: Copy + Into<Phase>>(&mut self, ended: &EndedOperation<'_, T>) -> Row<'_> {
        let (session, operation) = (ended.session, ended.operation);
        let mismatch = match ended.response {
            Some(Response::Mismatch { found }) => Some(*found),
            _ => None,
        };
        let (outcome, error) = match ended.outcome {
            Outcome::Ok if mismatch == Some(None) => {
                (history::Outcome::Fail, Some(ErrorKind::Mismatch))
            }
            Outcome::Ok => (history::Outcome::Ok, None),
            Outcome::Fail(trouble) => (history::Outcome::Fail, Some(error_kind(trouble))),
            Outcome::Info(trouble) => (history::Outcome::Info, Some(error_kind(trouble))),
        };
        let kind = match operation.ask {
            // What was found instead was read.
            Ask::Cas { .. } if mismatch.flatten().is_none() => Kind::Cas,
            Ask::Get | Ask::Cas { .. } => Kind::Get,
            Ask::Put(_) => Kind::Put,
        };
        let written = match kind {
            Kind::Put | Kind::Cas => history::value_id(session, operation.index),
            Kind::Get | Kind::Append => 0,
        };
        let held = self.collect(ended.response);
        let held = self.expect(kind, operation.ask, held);
        Row {
            session,
            index: operation.index,
            kind,
            key: operation.key,
            written,
            read: &self.read,
            intended: operation.intended_ns,
            invoke: operation.invoke_ns,
            returned: match outcome {
                history::Outcome::Ok | history::Outcome::Fail => Some(ended.ended_ns),
                history::Outcome::Info => None,
            },
            outcome,
            error,
            node: operation.node.0,
            incarnation: operation.incarnation,
            group: operation.group.0,
            phase: ended.mark.into(),
            context: None,
            witness: match held {
                Held::Nothing => Witness::None,
                Held::Put { dot } => Witness::Put {
                    dot,
                    vector: &self.vector,
                },
                Held::Siblings => Witness::Get {
                    vector: &self.vector,
                    siblings: Siblings {
                        dots: &self.dots,
                        ends: &self.ends,
                        vectors: &self.vectors,
                        ..Siblings::default()
                    },
                },
                Held::Version(version) => Witness::Version(version),
            },
        }
    }

    /// A compare-and-set carries what it expected, and no evidence.
    fn expect(&mut self, kind: Kind, ask: Ask, held: Held) -> Held {
        match (kind, ask) {
            (Kind::Cas, Ask::Cas { expected, .. }) => {
                self.read.clear();
                self.read.extend(expected.map(|expected| expected.id));
                Held::Nothing
            }
            _ => held,
        }
    }

    fn collect(&mut self, response: Option<&Response<'_>>) -> Held {
        self.read.clear();
        match response {
            None
            | Some(
                Response::Refused(_)
                | Response::Indefinite
                | Response::NotLeader { .. }
                | Response::Put(PutWitness::None)
                | Response::Mismatch { found: None },
            ) => Held::Nothing,
            Some(Response::Mismatch { found: Some(found) }) => self.collect_get(&[], found),
            Some(Response::Put(PutWitness::Causal { dot, vector })) => {
                copy(vector, &mut self.vector);
                Held::Put { dot: dot.0 }
            }
            Some(Response::Put(PutWitness::Lww { version })) => {
                Held::Version(Some(history_version(*version)))
            }
            Some(Response::Get { vector, siblings }) => self.collect_get(vector, siblings),
        }
    }

    fn collect_get(&mut self, vector: &[Dot], siblings: &[Sibling<'_>]) -> Held {
        copy(vector, &mut self.vector);
        self.dots.clear();
        self.ends.clear();
        self.vectors.clear();
        // A store with evidence gives it even when the key holds nothing.
        let mut held = match self.evidence {
            Evidence::Causal => Held::Siblings,
            Evidence::Versions => Held::Version(None),
            Evidence::None => Held::Nothing,
        };
        for sibling in siblings {
            self.read
                .push(payload::id_of(sibling.value).unwrap_or(CORRUPT));
            match sibling.witness {
                PutWitness::None => {}
                PutWitness::Lww { version } => held = Held::Version(Some(history_version(version))),
                PutWitness::Causal { dot, vector } => {
                    self.dots.push(dot.0);
                    self.vectors.extend(vector.iter().map(|dot| dot.0));
                    self.ends.push(self.vectors.len() as u32);
                    held = Held::Siblings;
                }
            }
        }
        held
    }
}

fn copy(from: &[Dot], to: &mut Vec<u64>) {
    to.clear();
    to.extend(from.iter().map(|dot| dot.0));
}

const fn history_version(version: kvs_core::protocol::Version) -> Version {
    Version {
        time: version.time,
        origin: version.origin,
    }
}

/// The kind of error that histories and reports know a trouble by.
#[must_use]
pub const fn error_kind(trouble: Trouble) -> ErrorKind {
    match trouble {
        Trouble::Timeout => ErrorKind::Timeout,
        Trouble::Disconnected => ErrorKind::Disconnected,
        Trouble::NoConnection => ErrorKind::NoConnection,
        Trouble::Malformed => ErrorKind::Malformed,
        Trouble::Refused(Refusal::Unavailable) => ErrorKind::Unavailable,
        Trouble::Refused(Refusal::WrongShard) => ErrorKind::WrongShard,
        Trouble::Refused(Refusal::ContextLost) => ErrorKind::ContextLost,
        Trouble::Refused(Refusal::Overloaded) => ErrorKind::Overloaded,
        Trouble::Refused(Refusal::NotPrimary) => ErrorKind::NotPrimary,
        Trouble::Refused(Refusal::NotReady) => ErrorKind::NotReady,
        Trouble::Refused(Refusal::TooFewReplicas) => ErrorKind::TooFewReplicas,
        Trouble::Refused(Refusal::Rejected) => ErrorKind::Rejected,
        Trouble::Indefinite => ErrorKind::Indefinite,
    }
}

/// What an architecture promises under this lattice.
#[must_use]
pub fn promise(architecture: &Architecture, lattice: Lattice) -> Model {
    match architecture.kind().facts().promise(lattice) {
        Promise::Linearizable => Model::Linearizable,
        Promise::Regular => Model::Regular,
        Promise::Causal => Model::Causal,
        Promise::Lww => Model::Lww,
        Promise::Eventual => Model::Eventual,
    }
}

/// What the answers of an architecture prove under this lattice.
#[must_use]
pub fn evidence(architecture: &Architecture, lattice: Lattice) -> Evidence {
    match architecture.kind().facts().witness(lattice) {
        WitnessKind::None => Evidence::None,
        WitnessKind::Causal => Evidence::Causal,
        WitnessKind::Versions => Evidence::Versions,
    }
}

/// The lattice by name, where the architecture has one.
#[must_use]
pub fn lattice_of(architecture: &Architecture, lattice: Lattice) -> Option<String> {
    { architecture.has_lattice() }.then(|| lattice.name().to_owned())
}

/// What a history says about the deployment that made it.
#[must_use]
pub fn header(
    architecture: &Architecture,
    lattice: Lattice,
    ports: &ServerPorts,
    seed: u64,
) -> Header {
    let group = |group: &kvs_core::server::Group| Group {
        id: group.id.0,
        nodes: group.nodes.iter().map(|node| node.0).collect(),
    };
    Header {
        architecture: architecture.to_string(),
        lattice: lattice_of(architecture, lattice).unwrap_or_default(),
        promise: Some(promise(architecture, lattice)),
        groups: ports.groups().iter().map(group).collect(),
        seed,
        ..Header::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kvs_core::drive::{InFlight, NewValue};
    use kvs_core::protocol::{GroupId, NodeId};

    #[test]
    fn a_get_of_nothing_carries_the_evidence_of_its_store() {
        let operation = InFlight {
            ask: Ask::Get,
            key: 0,
            index: 0,
            intended_ns: 0,
            invoke_ns: 0,
            node: NodeId(0),
            incarnation: 0,
            group: GroupId(0),
            pauses: false,
        };
        let response = Response::Get {
            vector: &[],
            siblings: &[],
        };
        let witness_is = |evidence, witness: Witness<'_>| {
            let mut rows = RowMaker::new(evidence);
            let row = rows.row(&EndedOperation {
                session: 1,
                operation: &operation,
                mark: Phase::Run,
                outcome: Outcome::Ok,
                response: Some(&response),
                ended_ns: 5,
            });
            assert_eq!(row.witness, witness, "{evidence:?}");
        };
        let nothing = Witness::Get {
            vector: &[],
            siblings: Siblings::default(),
        };
        witness_is(Evidence::Causal, nothing);
        witness_is(Evidence::Versions, Witness::Version(None));
        witness_is(Evidence::None, Witness::None);
    }

    /// What the row of a compare-and-set of value 7 to a new one says, after this end.
    fn row_of_cas<T>(
        outcome: Outcome,
        response: Option<&Response<'_>>,
        look: impl FnOnce(&Row<'_>) -> T,
    ) -> T {
        let value = |id| NewValue { id, bytes: 16 };
        let operation = InFlight {
            ask: Ask::Cas {
                expected: Some(value(7)),
                new: value(history::value_id(1, 4)),
            },
            pauses: false,
            key: 0,
            index: 4,
            intended_ns: 0,
            invoke_ns: 0,
            node: NodeId(0),
            incarnation: 0,
            group: GroupId(0),
        };
        let mut rows = RowMaker::new(Evidence::None);
        look(&rows.row(&EndedOperation {
            session: 1,
            operation: &operation,
            mark: Phase::Run,
            outcome,
            response,
            ended_ns: 5,
        }))
    }

    #[test]
    fn a_compare_and_set_leaves_what_it_expected_and_wrote() {
        let version = kvs_core::protocol::Version { time: 9, origin: 0 };
        let done = Response::Put(PutWitness::Lww { version });
        let unknown = Outcome::Info(Trouble::Timeout);
        for (outcome, response, kept) in [
            (Outcome::Ok, Some(&done), history::Outcome::Ok),
            (unknown, None, history::Outcome::Info),
        ] {
            row_of_cas(outcome, response, |row| {
                assert_eq!(
                    (row.kind, row.outcome, row.read),
                    (Kind::Cas, kept, &[7][..])
                );
                assert_eq!(row.written, history::value_id(1, 4));
                assert_eq!(row.witness, Witness::None);
            });
        }
    }

    #[test]
    fn a_mismatch_that_tells_what_it_found_is_a_read_of_that() {
        let mut value = [0; 16];
        payload::fill(8, &mut value);
        let found = [Sibling {
            value: &value,
            witness: PutWitness::None,
        }];
        for (found, read) in [(&found[..], &[8][..]), (&[], &[])] {
            let response = Response::Mismatch { found: Some(found) };
            row_of_cas(Outcome::Ok, Some(&response), |row| {
                assert_eq!((row.kind, row.written, row.read), (Kind::Get, 0, read));
                assert_eq!((row.outcome, row.error), (history::Outcome::Ok, None));
            });
        }
    }

    #[test]
    fn a_mismatch_that_does_not_tell_is_a_compare_and_set_that_failed() {
        let response = Response::Mismatch { found: None };
        row_of_cas(Outcome::Ok, Some(&response), |row| {
            assert_eq!((row.kind, row.read), (Kind::Cas, &[7][..]));
            let expected = (history::Outcome::Fail, Some(ErrorKind::Mismatch));
            assert_eq!((row.outcome, row.error), expected);
        });
    }
}
