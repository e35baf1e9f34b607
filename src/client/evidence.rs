//! What an operation leaves in the history: its row, with the server's evidence.

use crate::history::{self, CORRUPT, ErrorKind, Kind, Phase, Row, Siblings, Version, Witness};
use crate::protocol::{Dot, PutWitness, Refusal, Response, Sibling};
use crate::session::{Outcome, Trouble};
use crate::workload::payload;

use super::lane::Task;

/// Buffers for the lists of one row, used again for the next.
#[derive(Debug, Default)]
pub(super) struct Evidence {
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

impl Evidence {
    /// The row of an operation that has ended at `now_ns`.
    pub(super) fn row(
        &mut self,
        session: u32,
        task: &Task,
        phase: Phase,
        outcome: Outcome,
        response: Option<&Response<'_>>,
        now_ns: u64,
    ) -> Row<'_> {
        let operation = task.operation;
        let (outcome, error) = match outcome {
            Outcome::Ok => (history::Outcome::Ok, None),
            Outcome::Fail(trouble) => (history::Outcome::Fail, Some(error_kind(trouble))),
            Outcome::Info(trouble) => (history::Outcome::Info, Some(error_kind(trouble))),
        };
        let written = if operation.put {
            history::value_id(session, operation.index)
        } else {
            0
        };
        let held = self.collect(response);
        Row {
            session,
            index: operation.index,
            kind: if operation.put { Kind::Put } else { Kind::Get },
            key: task.due.step.key,
            written,
            read: &self.read,
            intended: operation.intended_ns,
            invoke: operation.invoke_ns,
            returned: match outcome {
                history::Outcome::Ok | history::Outcome::Fail => Some(now_ns),
                history::Outcome::Info => None,
            },
            outcome,
            error,
            node: operation.node.0,
            incarnation: operation.incarnation,
            group: operation.group.0,
            phase,
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

    fn collect(&mut self, response: Option<&Response<'_>>) -> Held {
        self.read.clear();
        match response {
            None | Some(Response::Refused(_) | Response::Put(PutWitness::None)) => Held::Nothing,
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
        // A store with evidence sends its vector or a version even when the key holds nothing.
        let mut held = if vector.is_empty() {
            Held::Nothing
        } else {
            Held::Siblings
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

const fn history_version(version: crate::protocol::Version) -> Version {
    Version {
        time: version.time,
        origin: version.origin,
    }
}

/// The kind of error that histories and reports know a trouble by.
pub(super) const fn error_kind(trouble: Trouble) -> ErrorKind {
    match trouble {
        Trouble::Timeout => ErrorKind::Timeout,
        Trouble::Disconnected => ErrorKind::Disconnected,
        Trouble::NoConnection => ErrorKind::NoConnection,
        Trouble::Malformed => ErrorKind::Malformed,
        Trouble::Refused(Refusal::Unavailable) => ErrorKind::Unavailable,
        Trouble::Refused(Refusal::WrongShard) => ErrorKind::WrongShard,
        Trouble::Refused(Refusal::ContextLost) => ErrorKind::ContextLost,
        Trouble::Refused(Refusal::Overloaded) => ErrorKind::Overloaded,
    }
}
