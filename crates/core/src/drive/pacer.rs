//! When lanes go on: at once or after a pause, with their next step or idle until there is one.

use std::collections::VecDeque;

use super::{Free, Hands, LaneSettings, Lanes, Ledger, PAUSE_NS, Supply, Wire};
use crate::protocol::{NodeId, Response};

/// A lane whose pause ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// Which lane.
    pub lane: u32,
    /// When it goes on.
    pub at_ns: u64,
}

/// Lanes, and which of them are idle or pause.
///
/// A lane that has ended its step gets the next one that is due, after the pause that its
/// [`Supply`] says. If none is due, it idles. A lane whose step could not be sent to any node
/// pauses for [`PAUSE_NS`] first.
#[derive(Debug)]
pub struct Pacer<T> {
    lanes: Lanes<T>,
    /// Lanes without a step, last in first out.
    idle: Vec<u32>,
    /// Lanes that pause, the first to go on first: at most one entry a lane.
    pausing: VecDeque<Wake>,
    lane_came_free: bool,
}

impl<T: Copy> Pacer<T> {
    /// No lane yet: see [`Pacer::renew`].
    ///
    /// # Panics
    /// When there may be no lane, or more than [`super::LANES_MAX`], or there is no client.
    #[must_use]
    pub fn new(settings: LaneSettings) -> Self {
        Self {
            lanes: Lanes::new(settings),
            idle: Vec::new(),
            pausing: VecDeque::new(),
            lane_came_free: false,
        }
    }

    /// Gives each of so many lanes a fresh session: see [`Lanes::renew`]. All of them idle.
    ///
    /// # Panics
    /// When a lane does not idle.
    pub fn renew(&mut self, pins: impl ExactSizeIterator<Item = Option<NodeId>>) {
        assert!(self.is_idle(), "one phase at a time");
        self.lanes.renew(pins);
        self.idle = (0..self.lanes.count() as u32).collect();
    }

    /// Has each lane that idles pause first, until the time that `until_ns` gives it.
    pub fn stagger(&mut self, mut until_ns: impl FnMut(u32) -> u64) {
        for lane in std::mem::take(&mut self.idle) {
            self.pause(lane, until_ns(lane));
        }
    }

    /// The lanes.
    #[must_use]
    pub const fn lanes(&self) -> &Lanes<T> {
        &self.lanes
    }

    /// The lanes, for a host that says itself when each of them begins a step.
    pub const fn lanes_mut(&mut self) -> &mut Lanes<T> {
        &mut self.lanes
    }

    /// How many lanes neither have a step under way nor pause.
    #[must_use]
    pub const fn idle(&self) -> usize {
        self.idle.len()
    }

    /// Whether no lane has a step under way or pauses.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        self.idle.len() == self.lanes.count()
    }

    /// Whether a lane has come to idle, where none did, since this was last asked.
    pub const fn take_lane_came_free(&mut self) -> bool {
        std::mem::replace(&mut self.lane_came_free, false)
    }

    /// The first lane whose pause ends by `until_ns`, if there is one: it is then the caller's to
    /// have it go on (see [`Pacer::proceed`]).
    pub fn wake(&mut self, until_ns: u64) -> Option<Wake> {
        self.pausing.pop_front_if(|wake| wake.at_ns <= until_ns)
    }

    /// Time has passed: steps whose answer is overdue end, pauses end, and lanes that idle begin
    /// what is due.
    pub fn tick<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let is_due = |at_ns| at_ns <= now_ns;
        while self.lanes.deadline_ns().is_some_and(is_due) {
            self.time_out(now_ns, hands);
        }
        while let Some(Wake { lane, .. }) = self.wake(now_ns) {
            self.proceed(lane, now_ns, hands);
        }
        for place in (0..self.idle.len()).rev() {
            let lane = self.idle[place];
            if self.begin(lane, true, now_ns, hands) {
                self.idle.remove(place);
            } else if self.lanes.pin(lane).is_none() {
                // Nor is a step due for any other lane.
                break;
            }
        }
    }

    /// An answer has arrived: see [`Lanes::handle_response`].
    pub fn handle_response<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        id: u32,
        response: &Response<'_>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let free = self.lanes.handle_response(id, response, now_ns, hands);
        self.go_on(free, now_ns, hands);
    }

    /// The connection broke that a request was sent on: see [`Lanes::handle_disconnect`].
    pub fn handle_disconnect<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        id: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let free = self.lanes.handle_disconnect(id, now_ns, hands);
        self.go_on(free, now_ns, hands);
    }

    /// The store does not know whether an operation took effect: see [`Lanes::handle_indefinite`].
    pub fn handle_indefinite<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        id: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let free = self.lanes.handle_indefinite(id, now_ns, hands);
        self.go_on(free, now_ns, hands);
    }

    /// The connection to `node` broke, of one lane or of all: whatever was sent on it will not be
    /// answered.
    pub fn handle_node_lost<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        node: NodeId,
        lane: Option<u32>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        self.lanes.suspect(node, now_ns);
        let count = self.lanes.count() as u32;
        for lane in lane.map_or(0..count, |lane| lane..count.min(lane + 1)) {
            if let Some(id) = self.lanes.asked(lane, node) {
                self.handle_disconnect(id, now_ns, hands);
            }
        }
    }

    /// The oldest request is overdue: see [`Lanes::time_out`].
    pub fn time_out<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let free = self.lanes.time_out(now_ns, hands);
        self.go_on(free, now_ns, hands);
    }

    /// Has a lane whose pause has ended begin the next step, or idle where none is due.
    pub fn proceed<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        lane: u32,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let others_idle = !self.idle.is_empty();
        if !self.begin(lane, others_idle, now_ns, hands) {
            self.lane_came_free |= !others_idle;
            self.idle.push(lane);
        }
    }

    /// Has a lane that has ended its step go on, at once or after a pause.
    fn go_on<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        free: Option<Free>,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) {
        let Some(Free { lane, pauses }) = free else {
            return;
        };
        let pause_ns = if pauses {
            PAUSE_NS
        } else {
            hands.steps.think_ns()
        };
        if pause_ns > 0 {
            self.pause(lane, now_ns + pause_ns);
        } else {
            self.proceed(lane, now_ns, hands);
        }
    }

    /// Has a lane begin the step that is due for it. Whether one was.
    fn begin<W: Wire, R: Ledger<T>, S: Supply<T>>(
        &mut self,
        lane: u32,
        lane_was_free: bool,
        now_ns: u64,
        hands: &mut Hands<'_, W, R, S>,
    ) -> bool {
        let pin = self.lanes.pin(lane);
        let Some(due) = hands.steps.next(pin, lane_was_free, now_ns) else {
            return false;
        };
        // A step that has just started ends at once only where nobody can be reached.
        if let Some(Free { lane, .. }) = self.lanes.start(lane, due, now_ns, hands) {
            self.pause(lane, now_ns + PAUSE_NS);
        }
        true
    }

    /// Has a lane pause. Of those that go on at the same time, the first to pause is the first.
    fn pause(&mut self, lane: u32, at_ns: u64) {
        let place = self.pausing.partition_point(|wake| wake.at_ns <= at_ns);
        self.pausing.insert(place, Wake { lane, at_ns });
    }
}
