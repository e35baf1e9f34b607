//! Lanes with a wire of paper and times made by hand.

mod lanes;
mod pacer;

use std::collections::VecDeque;

use super::*;
use crate::protocol::{Dot, Lattice, PutWitness, Refusal};
use crate::server::{Architecture, Paper};
use crate::session::{Policy, Trouble};

const MS: u64 = 1_000_000;
const TIMEOUT_NS: u64 = 100 * MS;

/// A request as the wire saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked {
    node: NodeId,
    id: u32,
    client: u16,
    key: u64,
    ask: Ask,
    context: Vec<Dot>,
}

/// Keeps what is sent, but for what is meant for nodes that are down.
#[derive(Debug, Default)]
struct PaperWire {
    sent: VecDeque<Asked>,
    down: Vec<NodeId>,
}

impl Wire for PaperWire {
    fn send(&mut self, node: NodeId, id: u32, order: &Order<'_>) -> Sent {
        if self.down.contains(&node) {
            return Sent::Nowhere;
        }
        self.sent.push_back(Asked {
            node,
            id,
            client: order.client,
            key: order.key,
            ask: order.ask,
            context: order.context.to_vec(),
        });
        Sent::To {
            incarnation: 10 + node.0,
        }
    }
}

/// An operation that has ended, as it was recorded.
#[derive(Clone, Copy, Debug)]
struct Recorded {
    session: u32,
    operation: InFlight,
    mark: char,
    outcome: Outcome,
    answered: bool,
    ended_ns: u64,
}

#[derive(Debug, Default)]
struct PaperRecord {
    ended: Vec<Recorded>,
    retries: u32,
}

impl Ledger<char> for PaperRecord {
    fn operation(&mut self, ended: &EndedOperation<'_, char>) {
        self.ended.push(Recorded {
            session: ended.session,
            operation: *ended.operation,
            mark: ended.mark,
            outcome: ended.outcome,
            answered: ended.response.is_some(),
            ended_ns: ended.ended_ns,
        });
    }

    fn retried(&mut self) {
        self.retries += 1;
    }
}

/// Steps that a test lays out, and those that have ended.
#[derive(Debug, Default)]
struct PaperSteps {
    laid_out: VecDeque<Due<char>>,
    ended: Vec<EndedStep<char>>,
    think_ns: u64,
    /// Whether a lane had been free for each step that was given out.
    was_free: Vec<bool>,
}

impl Steps<char> for PaperSteps {
    fn draw(&mut self) -> u32 {
        0
    }

    fn value_id(&self, session: u32, index: u32) -> u64 {
        u64::from(session) * 100 + u64::from(index)
    }

    fn step(&mut self, ended: &EndedStep<char>) {
        self.ended.push(*ended);
    }
}

impl Supply<char> for PaperSteps {
    /// What is laid out for a node is given to lanes that are pinned to it: its key is the node's.
    fn next(&mut self, pin: Option<NodeId>, lane_was_free: bool, now_ns: u64) -> Option<Due<char>> {
        let is_due = |due: &Due<char>| {
            due.intended_ns <= now_ns && pin.is_none_or(|node| due.step.key == u64::from(node.0))
        };
        let place = self.laid_out.iter().position(is_due)?;
        self.was_free.push(lane_was_free);
        self.laid_out.remove(place)
    }

    fn think_ns(&mut self) -> u64 {
        self.think_ns
    }
}

/// What lanes of `clients` clients are made of.
fn settings(architecture: &str, lanes: u32, clients: u16) -> LaneSettings {
    let architecture: Architecture = architecture.parse().expect("an architecture");
    LaneSettings {
        ports: architecture.deploy(&mut Paper::default(), Lattice::Causal),
        policy: Policy::default(),
        timeout_ns: TIMEOUT_NS,
        lanes_max: lanes,
        clients,
    }
}

/// A step that is to start at `intended_ns`.
const fn due(kind: StepKind, key: u64, intended_ns: u64) -> Due<char> {
    Due {
        step: Step {
            kind,
            key,
            value_bytes: 16,
        },
        intended_ns,
        mark: 'm',
    }
}

/// The answer to a get that finds nothing at a replica that has applied `vector`.
const fn nothing(vector: &[Dot]) -> Response<'_> {
    Response::Get {
        vector,
        siblings: &[],
    }
}

const TAKEN: Response<'static> = Response::Put(PutWitness::None);
const OVERLOADED: Response<'static> = Response::Refused(Refusal::Overloaded);
