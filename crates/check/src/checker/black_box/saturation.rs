//! The least visibility that happens-before and the reads force.
//!
//! Operations are visited with causes first. If a get did not return a visible put, and only one of
//! the returned puts can have superseded it, that edge joins visibility at once. An operation that
//! has already been visited is visited again only if its clock grows. Only [`Saturation::undo`]
//! takes edges back: it forgets an attempt (`attempt.rs`).

use super::super::index::Table;
use super::super::property::Property;
use super::super::time::{OVER, Pace};
use super::Limits;
use super::attempt::Grown;
use super::clock::{FROZEN, Stamp};
use super::contradiction::{Contradiction, Refuted};
use super::forced::ForcedEdges;
use super::frontier::Frontier;
use super::on_key::OnKey;
use super::questions::Questions;
use super::replicas::Replicas;
use super::sweep::Sweep;
use super::visibility::Visibility;
use super::world::{NONE, World};

/// Where a session has got to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) clock: Stamp,
    pub(super) latest: u32,
    pub(super) generation: u32,
    /// The next row to visit.
    pub(super) next: u32,
    /// Whose frontier the clock covers.
    pub(super) epoch: u32,
    /// The last round of the frontier in which the session was active.
    pub(super) active: u32,
}

/// Visibility so far.
pub(super) struct Saturation<'w, 'h> {
    pub(super) world: &'w World<'w, 'h>,
    pub(super) visible: Visibility,
    pub(super) frontier: Frontier,
    pub(super) on_key: OnKey,
    /// What replicas have shown, where that is presumed not to be forgotten.
    pub(super) replicas: Option<Replicas>,
    pub(super) forced: ForcedEdges,
    pub(super) done: Vec<bool>,
    pub(super) heads: Vec<Head>,
    /// What has grown and is to be passed on.
    pub(super) sweep: Sweep,
    /// Nodes that there may be in it between two operations.
    grown_max: usize,
    /// Operations visited for the first time since what had grown was last passed on.
    since: usize,
    /// How many visits this took. After many visits, grown nodes wait for as many operations before
    /// a sweep. Otherwise each read of an old put would be followed up to the present.
    pass_visits: usize,
    /// Operations from one epoch to the next, at least.
    pub(super) epoch_min: usize,
    /// Likely answers that are tried at once at first.
    pub(super) likely: usize,
    pub(super) presumes: bool,
    /// Open questions from which on the likeliest answer is presumed right.
    pub(super) guesses_from: usize,
    /// Whether there are edges that are only presumed: then a contradiction refutes nothing.
    pub(super) has_presumed: bool,
    pub(super) open: Questions,
    /// What an attempt changed.
    pub(super) attempt: Option<Vec<Grown>>,
    pub(super) refuted: Refuted,
    pub(super) visits: usize,
    /// Room for what [`Self::judge`] needs for a moment.
    pub(super) missing: Vec<u32>,
    pub(super) known: Vec<u32>,
    pub(super) seen: Vec<u32>,
    pub(super) seen_by: Vec<Stamp>,
    /// Why the work was given up.
    pub(super) given_up: Option<String>,
    pub(super) pace: Pace,
}

impl<'w, 'h> Saturation<'w, 'h> {
    pub(super) fn new(world: &'w World<'w, 'h>, limits: Limits) -> Self {
        let nodes = world.row.len();
        let heads = world.first.iter().map(|first| Head {
            clock: Stamp::EMPTY,
            latest: 0,
            generation: FROZEN,
            next: *first,
            epoch: 0,
            active: 0,
        });
        Self {
            world,
            visible: Visibility::new(world, limits),
            frontier: Frontier::default(),
            on_key: OnKey::new(world, limits.held_up),
            replicas: (limits.presumes && world.names_replicas()).then(Replicas::default),
            forced: ForcedEdges::new(nodes),
            done: vec![false; world.node.len()],
            heads: heads.collect(),
            sweep: Sweep::new(nodes, world.first.len()),
            grown_max: limits.grown,
            since: 0,
            pass_visits: 0,
            epoch_min: limits.epoch,
            likely: limits.likely,
            presumes: limits.presumes,
            guesses_from: limits.guesses_from,
            has_presumed: false,
            open: Questions::default(),
            attempt: None,
            refuted: Refuted::default(),
            visits: 0,
            missing: Vec::new(),
            known: Vec::new(),
            seen: Vec::new(),
            seen_by: Vec::new(),
            given_up: None,
            pace: Pace::new(Property::CausalBlackBox.name(), world.order.len()),
        }
    }

    /// Visits every operation, and again what that changes, to the fixed point.
    pub(super) fn run(&mut self) {
        let mut stack = Vec::new();
        let mut entered: Table<u32, ()> = Table::default();
        let mut placed = 0;
        for row in self.world.order.iter().copied() {
            placed += 1;
            self.pace.at(placed);
            if self.done[row as usize] {
                continue;
            }
            stack.push(row);
            while let Some(row) = stack.last().copied() {
                if self.done[row as usize] {
                    stack.pop();
                    continue;
                }
                match self.unvisited_cause(row) {
                    None => {
                        stack.pop();
                        entered.remove(&row);
                        self.visit(row);
                        if self.is_over() {
                            return;
                        }
                    }
                    Some(cause) if entered.contains_key(&cause) || cause == row => {
                        let start = stack.iter().rposition(|row| *row == cause).unwrap_or(0);
                        self.contradict(Contradiction::CyclicHb(stack[start..].to_vec()));
                        return;
                    }
                    Some(cause) => {
                        entered.insert(row, ());
                        stack.push(cause);
                    }
                }
            }
            if self.given_up.is_some() || (self.has_presumed && self.refuted.is_so) {
                return;
            }
        }
        self.settle(0);
    }

    /// Looks at the clock now and then, and gives up when the time is over.
    pub(super) fn is_over(&mut self) -> bool {
        self.pay(1)
    }

    /// The same, after so many looks at something.
    pub(super) fn pay(&mut self, looks: usize) -> bool {
        let looks = u32::try_from(looks).unwrap_or(u32::MAX);
        let is_over = self.pace.pay(self.world.time, looks);
        if is_over && self.given_up.is_none() {
            self.given_up = Some(OVER.to_owned());
        }
        is_over
    }

    fn unvisited_cause(&self, row: u32) -> Option<u32> {
        let earlier = self.heads[self.world.session(row)].next;
        if earlier != row {
            return Some(earlier);
        }
        if self.world.is_put(row) {
            return None;
        }
        let puts = self.world.index.puts_read(row as usize);
        puts.iter().copied().find(|put| !self.done[*put as usize])
    }

    fn visit(&mut self, row: u32) {
        let world = self.world;
        let session = world.session(row);
        let mut head = self.heads[session];
        if head.generation == FROZEN {
            head.generation = self.visible.clocks.generation();
        }
        let node = world.node[row as usize];
        if world.is_put(row) {
            if !world.is_silent(node) {
                self.follow_replica(row, &mut head);
                if let Some(before) = self.add_to_chain(row, &head) {
                    self.forced.add(before, node, row);
                    let other = self.visible.clock[before as usize];
                    head.clock = self.visible.clocks.join(head.clock, other, head.generation);
                    head.latest = head.latest.max(self.visible.latest[before as usize]);
                    head.epoch = head.epoch.max(self.visible.epoch[before as usize]);
                    self.has_presumed = true;
                }
                let (chain, place) = self.position(node);
                head.clock = self
                    .visible
                    .clocks
                    .set(head.clock, chain, place, head.generation);
                let key = world.index.key[row as usize];
                self.on_key.add(key, node, chain, place);
            }
            head.latest = head.latest.max(self.visible.latest[node as usize]);
        } else {
            for put in world.returned(row) {
                let other = self.visible.clock[put as usize];
                head.clock = self.visible.clocks.join(head.clock, other, head.generation);
                head.latest = head.latest.max(self.visible.latest[put as usize]);
                head.epoch = head.epoch.max(self.visible.epoch[put as usize]);
            }
        }
        if world.is_node(row) {
            self.visible.epoch[node as usize] = head.epoch;
            self.visible.clock[node as usize] = head.clock;
            self.visible.latest[node as usize] = head.latest;
            head.generation = self.visible.clocks.generation();
        }
        head.next = world.next[row as usize];
        if head.next == NONE {
            self.visible.chains.end(session, &self.visible.clocks);
        }
        self.frontier.note(session, &mut head);
        self.heads[session] = head;
        self.done[row as usize] = true;
        self.note_shown(row);
        self.real_time(row, head.latest);
        if !world.is_put(row) {
            self.judge(row, &[head.clock]);
        }
        self.since += 1;
        if self.sweep.len() > self.grown_max && self.since >= self.pass_visits {
            let before = self.visits;
            self.pass_on();
            (self.since, self.pass_visits) = (0, self.visits - before);
        }
        self.collect();
        self.advance();
    }

    /// Returns the put after which this one is presumed to come, if it is.
    fn add_to_chain(&mut self, put: u32, head: &Head) -> Option<u32> {
        let (world, presumes) = (self.world, self.presumes);
        let may_follow = |before: u32| presumes && world.had_applied(put, before);
        let (node, session) = (world.node[put as usize], world.session(put));
        self.visible
            .chains
            .add(node, session, &self.visible.clocks, head.clock, may_follow)
    }

    /// Forgets the clocks that are no longer in use, and gives up when the others are too many.
    /// Only between operations: an attempt goes back to earlier clocks, so nothing is forgotten
    /// meanwhile.
    pub(super) fn collect(&mut self) {
        if !self.visible.clocks.is_full() {
            return;
        }
        if self.attempt.is_none() {
            self.visible.collect(&mut self.heads);
        }
        if self.visible.clocks.is_spent() {
            self.given_up = Some("the clocks need more memory than the check affords".to_owned());
        }
    }

    /// Nothing is visible to what had returned before it was invoked.
    pub(super) fn real_time(&mut self, row: u32, latest: u32) {
        let Some(place) = latest.checked_sub(1) else {
            return;
        };
        let (index, put) = (self.world.index, self.world.order[place as usize]);
        if put != row && index.invoke(put as usize) > index.returned(row as usize) {
            self.contradict(Contradiction::Future { put, row });
        }
    }

    /// Makes `after` supersede `before`.
    pub(super) fn force(&mut self, before: u32, after: u32, get: u32) {
        self.forced.add(before, after, get);
        let before = before as usize;
        self.raise(
            after,
            self.visible.clock[before],
            self.visible.latest[before],
        );
    }

    pub(super) fn raise(&mut self, node: u32, clock: Stamp, latest: u32) {
        let clock = self
            .visible
            .clocks
            .join(self.visible.clock[node as usize], clock, FROZEN);
        self.grow(node, clock, latest);
    }

    /// Gives a node a clock that covers its own.
    pub(super) fn grow(&mut self, node: u32, clock: Stamp, latest: u32) {
        let at = node as usize;
        let old = Grown {
            node,
            clock: self.visible.clock[at],
            latest: self.visible.latest[at],
        };
        if clock == old.clock && latest <= old.latest {
            return;
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.push(old);
        }
        self.visible.clock[at] = clock;
        self.visible.latest[at] = old.latest.max(latest);
        self.sweep
            .note(node, self.world.rank[at], |due| due.grown = true);
    }

    /// Passes on what has grown and answers open questions that have one answer left, until
    /// nothing changes. Edges from `edges` on are checked for circles.
    pub(super) fn settle(&mut self, edges: usize) {
        loop {
            self.pass_on();
            let before = self.forced.len();
            let mut place = 0;
            while let Some(missing) = self.open.get(place).cloned() {
                self.is_over();
                self.answer(&missing);
                place += 1;
                if self.given_up.is_some() || (self.refuted.is_so && self.attempt.is_some()) {
                    break;
                }
            }
            if self.forced.len() == before || self.given_up.is_some() || self.refuted.is_so {
                break;
            }
        }
        self.pass_on();
        for edge in edges..self.forced.len() {
            let Some(forced) = self.forced.at(edge as u32) else {
                break;
            };
            if self.precedes(forced.after, forced.before) {
                let row = |node: u32| self.world.row[node as usize];
                self.contradict(Contradiction::Cyclic {
                    before: row(forced.before),
                    after: row(forced.after),
                    get: forced.get,
                });
            }
        }
    }

    pub(super) fn is_done(&self, row: u32) -> bool {
        self.done[row as usize]
    }
}
