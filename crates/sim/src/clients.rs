//! The clients of a simulated world: what they do next, await and have recorded.

use kvs_check::history::{self, Columns, Phase};
use kvs_core::drive::{
    Ask, Due, EndedOperation, EndedStep, LaneSettings, Ledger, Order, Pacer, StepKind, Steps,
    Supply,
};
use kvs_core::protocol::{Call, NodeId, Refusal, Request, Response, Vector};
use kvs_core::server::ServerPorts;
use kvs_core::session::{Outcome, Trouble};
use kvs_load::workload::{Generator, LoadSteps};
use kvs_recording::Recording;

use super::counters::Counters;
use super::draw::{Draw, Purpose};
use super::plan::Plan;

/// A request on its way to a node, or waiting there.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Which request it is, as lanes name them.
    pub(super) id: u32,
    pub(super) client: u16,
    pub(super) node: usize,
    /// The process that it was sent to.
    pub(super) life: u32,
    /// Whether it waits at the node for its answer.
    pub(super) waits: bool,
    pub(super) key: u64,
    /// What is asked.
    pub(super) ask: Ask,
    pub(super) context: Vector,
    pub(super) call: Option<Call>,
}

impl Sent {
    /// Hands the request to `handle`; the value is made in `value`.
    pub(super) fn with<T>(&self, value: &mut Vec<u8>, handle: impl FnOnce(&Request<'_>) -> T) -> T {
        let order = Order {
            client: self.client,
            // What is sent does not depend on it.
            lane: 0,
            key: self.key,
            ask: self.ask,
            context: &self.context,
            call: self.call,
        };
        order.with(value, handle)
    }
}

/// Every client.
#[derive(Debug)]
pub(super) struct Clients {
    pub(super) pacer: Pacer<Phase>,
    pub(super) source: Source,
    pub(super) book: Book,
}

impl Clients {
    pub(super) fn new(plan: &Plan, ports: &ServerPorts) -> Self {
        let sessions = plan.workload.sessions;
        let mut pacer = Pacer::new(LaneSettings {
            ports: ports.clone(),
            policy: plan.policy,
            timeout_ns: plan.timeout_ns,
            // The final reads have a lane for each node.
            lanes_max: sessions.max(ports.nodes().count() as u32),
            clients: plan.clients,
        });
        pacer.renew(vec![None; sessions as usize].into_iter());
        let evidence = kvs_recording::evidence(&plan.architecture, plan.lattice);
        let rows = Columns::with_capacity(plan.steps as usize);
        Self {
            pacer,
            source: Source::new(plan),
            book: Book {
                recording: Recording::new(evidence, rows),
                counters: Counters::default(),
            },
        }
    }

    /// Has every lane begin its first step soon: after a pause, where it is watched how updates
    /// spread.
    pub(super) fn unleash(&mut self, plan: &Plan) {
        let source = &mut self.source;
        self.pacer.stagger(|lane| {
            let pause_ns = if plan.watched {
                source.draw.exponential(plan.think_ns)
            } else {
                0
            };
            u64::from(lane) + pause_ns
        });
    }

    /// The lanes that wait for an answer of this node: their requests, and their clients.
    pub(super) fn waiting_for(&self, node: NodeId) -> Vec<(u32, u16)> {
        let lanes = self.pacer.lanes();
        let waits = |lane| Some((lanes.asked(lane, node)?, lanes.client(lane)));
        (0..lanes.count() as u32).filter_map(waits).collect()
    }
}

/// Where steps come from.
#[derive(Debug)]
pub(super) struct Source {
    load: LoadSteps,
    generator: Generator,
    draw: Draw,
    steps_left: u64,
    /// How long a lane thinks between two steps on average.
    think_ns: u64,
    /// Above every key that was put or asked for.
    pub(super) keys_end: u64,
}

impl Source {
    fn new(plan: &Plan) -> Self {
        let mut load = LoadSteps::new(&plan.workload, plan.seed);
        if !plan.preload {
            load.by_ref().for_each(drop);
        }
        Self {
            load,
            generator: Generator::new(&plan.workload, plan.seed),
            draw: Draw::new(plan.seed, Purpose::Clients),
            steps_left: plan.steps,
            think_ns: plan.think_ns,
            keys_end: 0,
        }
    }
}

impl Supply<Phase> for Source {
    fn next(&mut self, _: Option<NodeId>, _: bool, now_ns: u64) -> Option<Due<Phase>> {
        self.steps_left = self.steps_left.checked_sub(1)?;
        let (step, mark) = match self.load.next() {
            Some(step) => (step, Phase::Load),
            None => (self.generator.next(), Phase::Run),
        };
        self.keys_end = self.keys_end.max(step.key + 1);
        let intended_ns = now_ns;
        Some(Due {
            step,
            intended_ns,
            mark,
        })
    }

    /// Not at once even without a pause: an operation begins after the one before has ended.
    fn think_ns(&mut self) -> u64 {
        self.draw.exponential(self.think_ns).max(1)
    }
}

impl Steps<Phase> for Source {
    fn draw(&mut self) -> u32 {
        self.draw.bits() as u32
    }

    fn value_id(&self, session: u32, index: u32) -> u64 {
        history::value_id(session, index)
    }

    /// Tells the generator what became of an insert.
    fn step(&mut self, ended: &EndedStep<Phase>) {
        let step = ended.due.step;
        if step.kind == StepKind::Insert && ended.due.mark == Phase::Run {
            match ended.outcome {
                Outcome::Ok => self.generator.insert_acknowledged(step.key),
                Outcome::Fail(_) | Outcome::Info(_) => self.generator.insert_failed(step.key),
            }
        }
    }
}

/// Where operations are recorded, and counted.
#[derive(Debug)]
pub(super) struct Book {
    pub(super) recording: Recording<Columns>,
    pub(super) counters: Counters,
}

impl Ledger<Phase> for Book {
    fn operation(&mut self, ended: &EndedOperation<'_, Phase>) {
        self.recording.operation(ended);
        count(&mut self.counters, ended.outcome, ended.response);
    }

    fn retried(&mut self) {
        self.counters.retries += 1;
    }
}

fn count(counters: &mut Counters, outcome: Outcome, response: Option<&Response<'_>>) {
    counters.operations += 1;
    if let Some(Response::Get { siblings, .. }) = response {
        counters.sibling_reads += u64::from(siblings.len() > 1);
    }
    let (Outcome::Fail(trouble) | Outcome::Info(trouble)) = outcome else {
        return;
    };
    match trouble {
        Trouble::Timeout => counters.timeouts += 1,
        Trouble::Disconnected => counters.disconnected += 1,
        Trouble::NoConnection => counters.unreached += 1,
        Trouble::Refused(Refusal::Unavailable) => counters.unavailable += 1,
        Trouble::Refused(Refusal::Overloaded) => counters.overloaded += 1,
        Trouble::Refused(Refusal::ContextLost) => counters.context_lost += 1,
        Trouble::Malformed
        | Trouble::Indefinite
        | Trouble::Refused(Refusal::WrongShard | Refusal::Rejected | Refusal::NotReady) => {}
        Trouble::Refused(Refusal::NotPrimary | Refusal::TooFewReplicas) => {
            unreachable!("no store of the zoo says so")
        }
    }
}
