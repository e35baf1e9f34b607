//! What a phase of a run asks of the store, and which step is due.

use std::collections::VecDeque;

use kvs_check::history::Phase;
use kvs_core::drive::Due;
use kvs_core::protocol::NodeId;
use kvs_load::workload::{Arrivals, Generator, LoadSteps, Step, StepKind};
use kvs_measure::{self as measure, OperationKind};

/// How late a step may start while a lane was free before the generator is blamed, in
/// nanoseconds.
pub const LATE_NS: u64 = 1_000_000;

/// What a phase asks for.
#[derive(Debug)]
pub enum Plan {
    /// Put each record once.
    Load(LoadSteps),
    /// Drive the workload.
    Run {
        /// When the phase is meant to start, in nanoseconds since the run began. Where it starts
        /// later, the arrivals until then are late; no fewer are offered.
        start_ns: u64,
        /// When steps are meant to start, in nanoseconds from `start_ns`; absent in a closed loop,
        /// where a lane starts its next step when its last one ends.
        arrivals: Option<Arrivals>,
        /// When the warm-up is over: steps meant to start from here on count. In nanoseconds since
        /// the run began.
        measured_from_ns: u64,
        /// When the last step may be meant to start, in nanoseconds since the run began;
        /// `u64::MAX` where only `operations` ends the phase.
        end_ns: u64,
        /// How many steps start after the warm-up; `u64::MAX` where only time ends the phase.
        operations: u64,
        /// Counts the steps that are measured, and how long they took.
        measured: Box<measure::Meter>,
    },
    /// Read each of these keys once, as the workload would. Once nobody has answered for the length
    /// of the time-out, the rest is given up.
    Sweep {
        /// The keys.
        keys: std::ops::Range<u64>,
    },
    /// Read keys from each of the nodes that serve them, one entry a node. A node that does not
    /// answer for the length of the time-out is given up, and is not asked for the rest.
    Final {
        /// What each node is to be asked for.
        reads: Vec<(NodeId, VecDeque<u64>)>,
        /// Whether what nodes show is kept, to be compared: see [`super::Driver::disputed`].
        compared: bool,
    },
}

impl Plan {
    /// The phase that the plan's operations belong to.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::Load(_) => Phase::Load,
            Self::Run { .. } | Self::Sweep { .. } => Phase::Run,
            Self::Final { compared, .. } => read_back_phase(*compared),
        }
    }
}

/// What the load attaches to a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) phase: Phase,
    /// Whether it counts: it was meant to start after the warm-up.
    pub(super) measured: bool,
}

impl Mark {
    const fn unmeasured(phase: Phase) -> Self {
        let measured = false;
        Self { phase, measured }
    }
}

impl From<Mark> for Phase {
    fn from(mark: Mark) -> Self {
        mark.phase
    }
}

/// What is left of a plan.
#[derive(Debug)]
pub(super) enum Work {
    Nothing,
    Load(LoadSteps),
    Run(Box<Run>),
    Sweep(ReadBack),
    /// What is left to read from each node, and which phase that is.
    Final(Vec<ReadBack>, Phase),
}

/// What is left to read in the end.
#[derive(Debug)]
pub(super) struct ReadBack {
    /// From which node; none where clients read as they did in the workload.
    node: Option<NodeId>,
    keys: VecDeque<u64>,
    /// Since when nobody who was asked for it has answered.
    silent_since_ns: Option<u64>,
}

impl ReadBack {
    const fn new(node: Option<NodeId>, keys: VecDeque<u64>) -> Self {
        let silent_since_ns = None;
        Self {
            node,
            keys,
            silent_since_ns,
        }
    }
}

/// What is left of [`Plan::Run`].
#[derive(Debug)]
pub(super) struct Run {
    arrivals: Option<(Arrivals, u64)>,
    start_ns: u64,
    measured_from_ns: u64,
    end_ns: u64,
    /// Until when steps that were meant to start before the end may still start.
    drain_until_ns: u64,
    operations_left: u64,
    measured: measure::Meter,
}

impl Work {
    /// The work of `plan`. Steps that wait for a lane when the phase ends may
    /// start for `drain_ns` more.
    pub(super) fn begin(plan: Plan, drain_ns: u64) -> Self {
        match plan {
            Plan::Load(steps) => Self::Load(steps),
            Plan::Sweep { keys } => Self::Sweep(ReadBack::new(None, keys.collect())),
            Plan::Final { reads, compared } => {
                let read_back = |(node, keys)| ReadBack::new(Some(node), keys);
                let reads = reads.into_iter().map(read_back).collect();
                Self::Final(reads, read_back_phase(compared))
            }
            Plan::Run {
                start_ns,
                arrivals,
                measured_from_ns,
                end_ns,
                operations,
                mut measured,
            } => Self::Run(Box::new(Run {
                arrivals: arrivals.and_then(|mut arrivals| {
                    let schedule = arrivals.clone().map(move |offset| start_ns + offset);
                    measured.offers(schedule, operations);
                    measured.offers_until(end_ns);
                    let first = arrivals.next()?;
                    Some((arrivals, start_ns + first))
                }),
                start_ns,
                measured_from_ns,
                end_ns,
                drain_until_ns: end_ns.saturating_add(drain_ns),
                operations_left: operations,
                measured: *measured,
            })),
        }
    }

    /// The step that a lane, which reads from `node` if it is pinned, is to do at `now_ns`.
    pub(super) fn next(
        &mut self,
        node: Option<NodeId>,
        now_ns: u64,
        generator: &mut Generator,
    ) -> Option<Due<Mark>> {
        match self {
            Self::Nothing => None,
            Self::Load(steps) => Some(Due {
                step: steps.next()?,
                intended_ns: now_ns,
                mark: Mark::unmeasured(Phase::Load),
            }),
            Self::Run(run) => run.next(now_ns, generator),
            Self::Sweep(read_back) => Some(read(read_back.keys.pop_front()?, now_ns, Phase::Run)),
            Self::Final(_, phase) => {
                let phase = *phase;
                let node = node.expect("lanes of the final phase are pinned");
                let key = self.of_node(node)?.keys.pop_front()?;
                Some(read(key, now_ns, phase))
            }
        }
    }

    /// Whether no step is left at `now_ns`, due or yet to come.
    pub(super) fn is_done(&self, now_ns: u64) -> bool {
        match self {
            Self::Nothing => true,
            Self::Load(steps) => steps.size_hint().0 == 0,
            Self::Run(run) => run.is_done(now_ns),
            Self::Sweep(read_back) => read_back.keys.is_empty(),
            Self::Final(reads, _) => reads.iter().all(|read| read.keys.is_empty()),
        }
    }

    /// When the next step is due, if that is known now.
    pub(super) fn next_due_ns(&self) -> Option<u64> {
        match self {
            Self::Run(run) => {
                let (_, next_ns) = run.arrivals.as_ref()?;
                (*next_ns < run.end_ns).then_some(*next_ns)
            }
            Self::Nothing | Self::Load(_) | Self::Sweep(_) | Self::Final(..) => None,
        }
    }

    /// The node has answered a final read.
    pub(super) fn read_back(&mut self, node: NodeId) {
        if let Some(read) = self.of_node(node) {
            read.silent_since_ns = None;
        }
    }

    /// The node has not answered the final read of `key` that was begun at `invoke_ns`: it is asked
    /// again, or given up once it has been silent for `patience_ns`. Asking a dead node for each
    /// of its keys would take hours and tell nothing new.
    pub(super) fn not_read_back(
        &mut self,
        node: NodeId,
        key: u64,
        invoke_ns: u64,
        now_ns: u64,
        patience_ns: u64,
    ) {
        let Some(read) = self.of_node(node) else {
            return;
        };
        read.keys.push_front(key);
        let since_ns = *read.silent_since_ns.get_or_insert(invoke_ns);
        if now_ns - since_ns >= patience_ns {
            read.keys.clear();
        }
    }

    /// What is left to read from `node`, or from anybody, in the end.
    fn of_node(&mut self, node: NodeId) -> Option<&mut ReadBack> {
        match self {
            Self::Final(reads, _) => reads.iter_mut().find(|read| read.node == Some(node)),
            Self::Sweep(read_back) => Some(read_back),
            Self::Nothing | Self::Load(_) | Self::Run(_) => None,
        }
    }

    /// Begins no further step.
    pub(super) fn stop(&mut self, now_ns: u64, generator: &mut Generator) {
        match self {
            Self::Run(run) => run.stop(now_ns, generator),
            Self::Nothing | Self::Load(_) | Self::Sweep(_) | Self::Final(..) => {
                *self = Self::Nothing
            }
        }
    }

    /// What a run phase has measured.
    pub(super) fn end(self) -> Option<measure::Meter> {
        match self {
            Self::Run(run) => Some(run.measured),
            Self::Nothing | Self::Load(_) | Self::Sweep(_) | Self::Final(..) => None,
        }
    }

    /// `now_ns`, or the last moment of the run phase if that is over: waiting in vain afterwards
    /// does not lengthen the phase.
    pub(super) fn within_plan(&self, now_ns: u64) -> u64 {
        match self {
            Self::Run(run) => run.within_plan(now_ns),
            Self::Nothing | Self::Load(_) | Self::Sweep(_) | Self::Final(..) => now_ns,
        }
    }

    /// What counts the steps that are measured, in the run phase.
    pub(super) fn measured(&mut self) -> Option<&mut measure::Meter> {
        match self {
            Self::Run(run) => Some(&mut run.measured),
            Self::Nothing | Self::Load(_) | Self::Sweep(_) | Self::Final(..) => None,
        }
    }
}

impl Run {
    const fn within_plan(&self, now_ns: u64) -> u64 {
        if now_ns < self.end_ns {
            now_ns
        } else {
            self.end_ns.saturating_sub(1)
        }
    }

    fn next(&mut self, now_ns: u64, generator: &mut Generator) -> Option<Due<Mark>> {
        if self.operations_left == 0 {
            return None;
        }
        let intended_ns = match &mut self.arrivals {
            None if now_ns < self.end_ns => now_ns,
            None => return None,
            Some((arrivals, next_ns)) => {
                let due = *next_ns <= now_ns && *next_ns < self.end_ns;
                if !due || now_ns >= self.drain_until_ns {
                    return None;
                }
                let intended_ns = *next_ns;
                *next_ns = arrivals
                    .next()
                    .map_or(u64::MAX, |offset| self.start_ns + offset);
                intended_ns
            }
        };
        let measured = intended_ns >= self.measured_from_ns;
        self.operations_left -= u64::from(measured);
        if let Some((_, next_ns)) = &self.arrivals
            && self.operations_left == 0
        {
            // Nothing more is asked of the store.
            self.measured.offers_until(*next_ns);
        }
        Some(Due {
            step: generator.next(),
            intended_ns,
            mark: Mark {
                phase: Phase::Run,
                measured,
            },
        })
    }

    fn is_done(&self, now_ns: u64) -> bool {
        self.operations_left == 0
            || match &self.arrivals {
                None => now_ns >= self.end_ns,
                Some((_, next_ns)) => {
                    *next_ns >= self.end_ns && now_ns >= self.end_ns
                        || now_ns >= self.drain_until_ns
                }
            }
    }

    /// Begins no further step. Those that were meant to start by `now_ns` and never did are
    /// counted: they are the load that the store could not take.
    fn stop(&mut self, now_ns: u64, generator: &mut Generator) {
        let at_ns = self.within_plan(now_ns);
        while let Some((arrivals, next_ns)) = &mut self.arrivals
            && *next_ns < self.end_ns.min(now_ns)
            && self.operations_left > 0
        {
            if *next_ns >= self.measured_from_ns {
                let step = generator.next();
                if step.kind == StepKind::Insert {
                    generator.insert_failed(step.key);
                }
                let waited_ns = now_ns - *next_ns;
                self.measured
                    .never_started(at_ns, kind(step.kind), waited_ns);
                self.operations_left -= 1;
            }
            *next_ns = arrivals
                .next()
                .map_or(u64::MAX, |offset| self.start_ns + offset);
        }
        self.operations_left = 0;
        self.measured.offers_until(now_ns);
    }
}

/// The phase of reads at each node: where replicas cannot be asked whether they agree, such a read
/// is one at a node by itself, and says nothing of what clients are promised.
const fn read_back_phase(compared: bool) -> Phase {
    if compared { Phase::Local } else { Phase::Final }
}

/// A read that nobody measures.
const fn read(key: u64, now_ns: u64, phase: Phase) -> Due<Mark> {
    Due {
        step: Step {
            kind: StepKind::Read,
            key,
            value_bytes: 0,
        },
        intended_ns: now_ns,
        mark: Mark::unmeasured(phase),
    }
}

/// The kind that a step is measured as.
pub(super) const fn kind(step: StepKind) -> OperationKind {
    match step {
        StepKind::Read => OperationKind::Read,
        StepKind::Update => OperationKind::Update,
        StepKind::Insert => OperationKind::Insert,
        StepKind::ReadModifyWrite => OperationKind::ReadModifyWrite,
        StepKind::CompareAndSet => OperationKind::CompareAndSet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_at_nodes_that_nobody_can_ask_say_nothing_of_what_clients_are_promised() {
        let phase = |compared| {
            let reads = Vec::new();
            Plan::Final { reads, compared }.phase()
        };
        assert_eq!(phase(true), Phase::Local);
        assert_eq!(phase(false), Phase::Final, "a store of the zoo is quiet");
    }
}
