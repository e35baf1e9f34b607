//! Carries a schedule of faults out on a running target, writes down what came of it, and undoes
//! everything at the end, whatever the end is.

mod hands;
mod log;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::future::Future;
use std::iter::Peekable;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use crate::client::{Load, RunClock};
use kvs_core::protocol::NodeId;
use kvs_load::nemesis::{Fault, FaultKind, Plan, Role, Schedule, ScheduledFault};
use kvs_measure::{FaultCoverage, FaultWindow, FaultsRecord};
use kvs_target::Target;

use super::directory::Directory;
use hands::Hands;
use log::{Action, Log};

/// How often a node is told of a clock that moves.
const CLOCK_TICK_NS: u64 = 10_000_000;
/// Faults at a time, with those that wait for a node to come back; while there are as many, no
/// further one comes.
const ACTIVE_MAX: usize = 32;

/// How often a fault that is meant for the primary or a leader asks again which node that is.
const ROLE_TICK_NS: u64 = 100_000_000;

/// Why a fault whose time has passed was not installed.
const NOBODY_UP: &str = "none of its nodes was running";
const NO_PRIMARY: &str = "nobody said which node is the primary";
const NO_LEADER: &str = "no node, or more than one, said that it leads the group";
const TOO_LATE: &str = "its time was over before it could be";

/// When faults may come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) clock: RunClock,
    /// The start of the measured part, in ns since the run began.
    pub(super) from_ns: u64,
}

/// What goes on, in a few words, for the progress line.
pub(super) type Present = Rc<RefCell<String>>;

/// A nemesis at work.
pub(super) struct Nemesis<'a> {
    hands: Hands<'a>,
    load: &'a Load,
    times: Times,
    schedule: Peekable<Schedule>,
    log: Log,
    record: FaultsRecord,
    active: Vec<Active>,
    /// Faults that are due, and none of whose nodes is running.
    waiting: Vec<ScheduledFault>,
    present: Present,
}

/// A fault that lasts.
struct Active {
    fault: Fault,
    /// Its place in the record.
    window: usize,
    until_ns: u64,
}

impl<'a> Nemesis<'a> {
    /// A nemesis that has done nothing yet. It will do what `schedule` says, which was drawn from
    /// `plan`.
    pub(super) fn new(
        target: &'a mut dyn Target,
        load: &'a Load,
        times: Times,
        (plan, schedule): (&Plan, Schedule),
        directory: &Directory,
        present: Present,
    ) -> anyhow::Result<Self> {
        Ok(Self {
            hands: Hands::new(
                target,
                Box::new(|address| load.node_moved(address)),
                times.clock,
            ),
            load,
            times,
            schedule: schedule.peekable(),
            log: Log::create(directory)?,
            record: FaultsRecord {
                coverage: asked_for(plan),
                left_out: left_out(plan),
                ..FaultsRecord::default()
            },
            active: Vec::new(),
            waiting: Vec::new(),
            present,
        })
    }

    /// Does what the schedule says until `stop` is ready, then undoes everything.
    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) -> FaultsRecord {
        let mut stop = pin!(stop);
        loop {
            let wait = self
                .next_ns()
                .map(|at_ns| Duration::from_nanos(at_ns.saturating_sub(self.times.clock.now_ns())));
            tokio::select! {
                biased;
                () = &mut stop => break,
                // For ever, when all is over.
                () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)) => self.act().await,
            }
        }
        for event in std::mem::take(&mut self.waiting) {
            self.miss(&event).await;
        }
        while let Some(active) = self.active.pop() {
            self.heal(active).await;
        }
        self.record
    }

    /// When there is something to do next; none when all is over.
    fn next_ns(&mut self) -> Option<u64> {
        let heal = self.active.iter().map(|active| active.until_ns).min();
        let tick =
            { self.hands.has_moving_clocks() }.then(|| self.times.clock.now_ns() + CLOCK_TICK_NS);
        let aims = { self.waiting.iter() }.any(|event| event.role.is_some());
        let ask = aims.then(|| self.times.clock.now_ns() + ROLE_TICK_NS);
        let given_up = self
            .waiting
            .iter()
            .map(|event| self.given_up_ns(event))
            .min();
        [self.next_event_ns(), heal, tick, ask, given_up]
            .into_iter()
            .flatten()
            .min()
    }

    /// When the next fault comes, if one does.
    fn next_event_ns(&mut self) -> Option<u64> {
        if self.active.len() + self.waiting.len() >= ACTIVE_MAX {
            return None;
        }
        let event = self.schedule.peek()?;
        Some(self.times.from_ns.saturating_add(event.at_ns))
    }

    /// From when on a fault that is due is left out.
    fn given_up_ns(&self, event: &ScheduledFault) -> u64 {
        self.times.from_ns.saturating_add(event.latest_ns)
    }

    async fn act(&mut self) {
        let now_ns = self.times.clock.now_ns();
        while let Some(over) = { &self.active }
            .iter()
            .position(|active| active.until_ns <= now_ns)
        {
            let over = self.active.swap_remove(over);
            self.heal(over).await;
        }
        // A node that was down may have come back.
        for event in std::mem::take(&mut self.waiting) {
            self.take_up(event, now_ns).await;
        }
        if self.next_event_ns().is_some_and(|at_ns| at_ns <= now_ns)
            && let Some(event) = self.schedule.next()
        {
            self.take_up(event, now_ns).await;
        }
        if let Err(reason) = self.hands.turn_clocks().await {
            self.fail(format!("could not turn a clock: {reason}"));
        }
    }

    /// Installs a fault that is due, or lets it wait until one of its nodes is running, and the node
    /// is known that it is meant for.
    async fn take_up(&mut self, event: ScheduledFault, now_ns: u64) {
        let aimed = self.aimed(&event).await;
        let is_running = |node: &NodeId| self.hands.is_running(*node);
        let comes = { aimed.iter() }.any(|event| event.fault.nodes().iter().any(is_running));
        match aimed {
            _ if self.given_up_ns(&event) < now_ns => self.miss(&event).await,
            Ok(aimed) if comes => self.install(aimed).await,
            _ => self.waiting.push(event),
        }
    }

    /// The fault with the nodes that it meets now; otherwise why nobody knows for whom it is meant.
    async fn aimed(&mut self, event: &ScheduledFault) -> Result<ScheduledFault, &'static str> {
        let node = match event.role {
            None => return Ok(event.clone()),
            Some(Role::Primary) => self.hands.primary().await.ok_or(NO_PRIMARY)?,
            Some(Role::LeaderOf(node)) => self.hands.leader(node).await.ok_or(NO_LEADER)?,
        };
        Ok(event.clone().aimed_at(node, &self.hands.groups()))
    }

    /// A fault could not come before its time was over.
    async fn miss(&mut self, event: &ScheduledFault) {
        let why = match self.aimed(event).await {
            Err(why) => why,
            Ok(aimed) => {
                let nodes = aimed.fault.nodes();
                let up = nodes.iter().any(|node| self.hands.is_running(*node));
                if up { TOO_LATE } else { NOBODY_UP }
            }
        };
        self.coverage(event.fault.kind()).missed = Some(why.to_owned());
        self.write(
            Action::Install,
            &event.fault,
            "missed",
            Some(&why.to_owned()),
        );
    }

    async fn install(&mut self, event: ScheduledFault) {
        let since_ns = self.times.clock.now_ns();
        let window = self.record.windows.len();
        self.record.windows.push(FaultWindow {
            kind: event.fault.kind().name().to_owned(),
            fault: event.fault.to_string(),
            nodes: numbers(&event.fault.nodes()).map(u32::from).collect(),
            from_ns: since_ns,
            under_way: Some(self.load.mark(since_ns)),
            ..FaultWindow::default()
        });
        let done = event.fault.install(&mut self.hands).await;
        self.active.push(Active {
            fault: event.fault.clone(),
            window,
            until_ns: since_ns.saturating_add(event.lasts_ns),
        });
        let coverage = self.coverage(event.fault.kind());
        match &done {
            Ok(()) => {
                coverage.installed += 1;
                coverage.written_installed += u64::from(event.is_written);
            }
            Err(reason) => coverage.missed = Some(reason.clone()),
        }
        self.note(Action::Install, &event.fault, done);
    }

    async fn heal(&mut self, over: Active) {
        let done = over.fault.heal(&mut self.hands).await;
        let now_ns = self.times.clock.now_ns();
        let under_way = self.load.mark(now_ns);
        let window = &mut self.record.windows[over.window];
        window.to_ns = now_ns;
        window.under_way = window.under_way.max(Some(under_way));
        self.note(Action::Heal, &over.fault, done);
    }

    /// Writes down what was done and what came of it.
    fn note(&mut self, action: Action, fault: &Fault, done: Result<(), String>) {
        let outcome = match &done {
            Ok(()) => action.done(),
            Err(_) => "failed",
        };
        self.write(action, fault, outcome, done.as_ref().err());
        if let Err(reason) = done {
            self.fail(format!("could not {} {fault}: {reason}", action.name()));
        }
        let present: Vec<String> = { &self.active }
            .iter()
            .map(|active| active.fault.to_string())
            .collect();
        *self.present.borrow_mut() = present.join("; ");
    }

    fn write(&mut self, action: Action, fault: &Fault, outcome: &str, detail: Option<&String>) {
        let now_ns = self.times.clock.now_ns();
        if let Err(failure) = self.log.write(now_ns, action, fault, outcome, detail) {
            self.fail(failure);
        }
    }

    fn fail(&mut self, failure: String) {
        self.record.failures.push(failure);
    }

    fn coverage(&mut self, kind: FaultKind) -> &mut FaultCoverage {
        { &mut self.record.coverage }
            .iter_mut()
            .find(|coverage| coverage.kind == kind.name())
            .expect("a schedule has the kinds of its plan")
    }
}

/// The kinds that this store cannot have, each with what it needs.
fn left_out(plan: &Plan) -> Vec<String> {
    let need = |(kind, need): &(FaultKind, String)| format!("{kind} needs {need}");
    plan.left_out.iter().map(need).collect()
}

/// What a plan asks for, kind by kind, of which nothing has come yet.
fn asked_for(plan: &Plan) -> Vec<FaultCoverage> {
    let asked = plan.every_kind().into_iter().map(|kind| FaultCoverage {
        kind: kind.name().to_owned(),
        at_random: plan.kinds.contains(&kind),
        written: { &plan.steps }
            .iter()
            .filter(|step| step.kind == kind)
            .count() as u64,
        ..FaultCoverage::default()
    });
    asked.collect()
}

fn numbers(nodes: &[NodeId]) -> impl Iterator<Item = u16> {
    nodes.iter().map(|node| node.0)
}
