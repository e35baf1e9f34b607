//! The load driver: gives lanes the steps of a phase when they are due, over a [`Wire`] that
//! somebody else owns.
//!
//! It reads no clock: every input brings the time. One reading serves as the end of one operation
//! and the start of the next on its lane, which is right for both: it is not before the answer
//! was there, and not after the next request leaves.

mod settle;
mod shown;

use std::time::Duration;

use kvs_check::history::{ArrowFile, Evidence, RecordError};
use kvs_core::drive::{self, Hands, Pacer, Wire};
use kvs_core::protocol::{NodeId, Response};
use kvs_core::server::ServerPorts;
use kvs_core::session::Policy;
use kvs_load::workload::Generator;
use kvs_measure as measure;

use super::work::{Mark, Plan, Work};
use settle::{Book, Source};

/// What a driver is made of.
#[derive(Debug)]
pub struct DriverSettings {
    /// Which nodes serve which key.
    pub ports: ServerPorts,
    /// How sessions behave.
    pub policy: Policy,
    /// How long an answer may take, in nanoseconds.
    pub timeout_ns: u64,
    /// How long a node may be silent in the final reads before it is given up, in nanoseconds.
    pub silence_ns: u64,
    /// How many operations are under way at most, up to [`drive::LANES_MAX`].
    pub lanes: u32,
    /// Decides random routing.
    pub seed: u64,
    /// What the store's answers prove.
    pub evidence: Evidence,
}

/// How far a phase has got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Operations that ended with `ok` in this phase.
    pub ok: u64,
    /// Operations that ended otherwise in this phase.
    pub errors: u64,
}

/// Drives the load. See the module's documentation.
#[derive(Debug)]
pub struct Driver {
    /// How many lanes there are but for the final reads.
    lanes_wanted: u32,
    pacer: Pacer<Mark>,
    book: Book,
    source: Source,
}

impl Driver {
    /// A driver without work. Operations are recorded in `recorder`, if there is one.
    ///
    /// # Panics
    /// When there are no lanes or more than [`drive::LANES_MAX`].
    #[must_use]
    pub fn new(
        settings: DriverSettings,
        generator: Generator,
        recorder: Option<ArrowFile>,
    ) -> Self {
        let nodes = settings.ports.nodes().count() as u32;
        assert!(settings.lanes > 0, "a driver has lanes");
        Self {
            lanes_wanted: settings.lanes,
            book: Book::new(recorder, settings.evidence),
            source: Source::new(generator, settings.seed, settings.silence_ns),
            pacer: Pacer::new(drive::LaneSettings {
                ports: settings.ports,
                policy: settings.policy,
                timeout_ns: settings.timeout_ns,
                // The final reads have a lane for each node at least.
                lanes_max: settings.lanes.max(nodes),
                clients: 1,
            }),
        }
    }

    /// Begins a phase, with fresh sessions. Call [`Driver::tick`] next.
    ///
    /// # Panics
    /// When a phase is under way.
    pub fn begin(&mut self, plan: Plan) {
        let wanted = self.lanes_wanted as usize;
        let pins: Vec<Option<NodeId>> = match &plan {
            Plan::Load(_) | Plan::Run { .. } | Plan::Sweep { .. } => vec![None; wanted],
            Plan::Final { reads, .. } => {
                let nodes = reads.iter().map(|(node, _)| Some(*node)).cycle();
                nodes.take(wanted.max(reads.len())).collect()
            }
        };
        self.book.compares = matches!(plan, Plan::Final { compared: true, .. });
        self.pacer.renew(pins.into_iter());
        self.book.progress = Progress::default();
        self.book.mismatches = 0;
        self.source.last_ok_ns = 0;
        self.source.shown.expect(&plan);
        self.source.work = Work::begin(plan, self.pacer.lanes().timeout_ns());
    }

    /// Whether the phase is over: no step is left, and none is under way.
    #[must_use]
    pub fn is_done(&self, now_ns: u64) -> bool {
        self.book.failure.is_some() || self.pacer.is_idle() && self.source.work.is_done(now_ns)
    }

    /// How many lanes there are at most.
    #[must_use]
    pub const fn lanes_max(&self) -> usize {
        self.pacer.lanes().count_max()
    }

    /// How long an answer may take.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_nanos(self.pacer.lanes().timeout_ns())
    }

    /// How far the phase has got.
    #[must_use]
    pub const fn progress(&self) -> Progress {
        self.book.progress
    }

    /// When the last measured step that succeeded had ended, in nanoseconds since the run began; 0
    /// while there is none. It can lie beyond the end of the phase's plan.
    #[must_use]
    pub const fn last_ok_ns(&self) -> u64 {
        self.source.last_ok_ns
    }

    /// When the next step is due that a lane is free for, in an open loop. A step that has to
    /// wait for a lane starts when one is free, without being asked.
    #[must_use]
    pub fn next_due_ns(&self) -> Option<u64> {
        if self.pacer.idle() == 0 {
            None
        } else {
            self.source.work.next_due_ns()
        }
    }

    /// Whether a lane has become free, when none was, since this was last asked.
    /// [`Driver::next_due_ns`] then has an answer that it did not have before.
    pub const fn take_lane_came_free(&mut self) -> bool {
        self.pacer.take_lane_came_free()
    }

    /// Begins no further step; those under way still end. Counts the arrivals that never started.
    pub fn stop(&mut self, now_ns: u64) {
        self.source.stop(now_ns);
    }

    /// Ends the phase, which must be done, and hands over what it measured.
    pub fn end(&mut self, now_ns: u64) -> Option<measure::Meter> {
        self.stop(now_ns);
        std::mem::replace(&mut self.source.work, Work::Nothing).end()
    }

    /// A fault begins or ends now, in a run phase: the meter counts what follows separately.
    /// Returns how many steps are under way.
    pub fn mark(&mut self, now_ns: u64) -> u64 {
        if let Some(measured) = self.source.work.measured() {
            measured.mark(now_ns);
        }
        (self.pacer.lanes().count() - self.pacer.idle()) as u64
    }

    /// Why the history cannot be recorded any further, once that has happened.
    pub const fn take_failure(&mut self) -> Option<RecordError> {
        self.book.failure.take()
    }

    /// Inserts that became updates, since too many were unanswered.
    #[must_use]
    pub const fn inserts_withheld(&self) -> u64 {
        self.source.inserts_withheld()
    }

    /// Keys that were to be read in the end, and that nobody answered for.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.source.shown.missing()
    }

    /// A number above every key that was put, whatever the outcome.
    #[must_use]
    pub const fn keys_end(&self) -> u64 {
        self.book.keys_end
    }

    /// Compare-and-sets of the phase that were measured, and found another value than they expected.
    #[must_use]
    pub const fn mismatches(&self) -> u64 {
        self.book.mismatches
    }

    /// The keys of which nodes showed different values when they were read back last.
    #[must_use]
    pub fn disputed(&self) -> Vec<u64> {
        self.book.disputed()
    }

    /// This node takes writes, or every node does: see
    /// [`Lanes::set_primary`](drive::Lanes::set_primary).
    pub const fn set_primary(&mut self, primary: Option<NodeId>) {
        self.pacer.lanes_mut().set_primary(primary);
    }

    /// Reads, too, go to the node that takes writes.
    pub const fn read_from_primary(&mut self) {
        self.pacer.lanes_mut().read_from_primary();
        self.book.reads_from_primary = true;
    }

    /// Whether something that the primary was asked has gone wrong since this was last asked: then
    /// another node may have become the primary.
    pub const fn take_primary_doubted(&mut self) -> bool {
        std::mem::replace(&mut self.book.primary_doubted, false)
    }

    /// What was recorded, once every phase is over.
    #[must_use]
    pub fn finish(self) -> Option<ArrowFile> {
        self.book.finish()
    }

    /// Time has passed: begins steps that are due, ends those whose answer is overdue. Call it
    /// when [`Driver::next_due_ns`] says, and every few milliseconds at least.
    pub fn tick(&mut self, now_ns: u64, wire: &mut impl Wire) {
        self.source.advance(now_ns);
        self.book.tick(now_ns);
        let (pacer, mut hands) = self.hands(wire);
        pacer.tick(now_ns, &mut hands);
    }

    /// An answer has arrived. Answers to requests that were given up are ignored.
    pub fn handle_response(
        &mut self,
        id: u32,
        response: &Response<'_>,
        now_ns: u64,
        wire: &mut impl Wire,
    ) {
        let (pacer, mut hands) = self.hands(wire);
        pacer.handle_response(id, response, now_ns, &mut hands);
    }

    /// The store answered that it does not know whether the operation took effect. Answers to
    /// requests that were given up are ignored.
    pub fn handle_indefinite(&mut self, id: u32, now_ns: u64, wire: &mut impl Wire) {
        let (pacer, mut hands) = self.hands(wire);
        pacer.handle_indefinite(id, now_ns, &mut hands);
    }

    /// The connection to `node` broke, of one lane or of all: what was sent over it will not be
    /// answered.
    pub fn handle_disconnect(
        &mut self,
        node: NodeId,
        lane: Option<u32>,
        now_ns: u64,
        wire: &mut impl Wire,
    ) {
        let (pacer, mut hands) = self.hands(wire);
        pacer.handle_node_lost(node, lane, now_ns, &mut hands);
    }

    fn hands<'a, W>(
        &'a mut self,
        wire: &'a mut W,
    ) -> (&'a mut Pacer<Mark>, Hands<'a, W, Book, Source>) {
        let hands = Hands {
            wire,
            record: &mut self.book,
            steps: &mut self.source,
        };
        (&mut self.pacer, hands)
    }
}
