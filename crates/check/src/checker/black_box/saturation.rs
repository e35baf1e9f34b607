//! The least visibility that happens-before and the reads force.
//!
//! Operations are visited causes first. A visible put that a get did not return, and that only one
//! of the returned can have superseded, gives an edge that joins visibility at once; what had
//! already been visited is visited again where its clock grows, and nowhere else. Nothing is ever
//! taken back but by [`Saturation::undo`], which forgets an attempt (`attempt.rs`).

use super::super::index::Table;
use super::super::property::Property;
use super::super::time::{OVER, Pace};
use super::attempt::Grown;
use super::chains::Chains;
use super::clock::{Clock, Clocks, FROZEN, Width};
use super::contradiction::Contradiction;
use super::frontier::Frontier;
use super::on_key::OnKey;
use super::replicas::Replicas;
use super::sweep::Sweep;
use super::world::{NONE, World};
use super::{Extent, Limits};

/// Reads whose question is kept open at most, for each operation and at least in total.
const OPEN_EACH_MAX: usize = 1;
const OPEN_MIN: usize = 100_000;
/// What the answering of open questions is called.
const QUESTIONS: &str = "causal-black-box, open questions";
/// Contradictions that are counted at most.
const CONTRADICTIONS_MAX: usize = 10_000;

/// A put (a node) that a get (a row) saw and did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) put: u32,
    pub(super) get: u32,
}

/// A put that comes before another one because a get forces it. Nodes, and a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forced {
    pub(super) before: u32,
    pub(super) after: u32,
    pub(super) get: u32,
    pub(super) next: u32,
}

/// Where a session has got to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) clock: Clock,
    pub(super) latest: u32,
    pub(super) generation: u32,
    /// The next row to visit.
    pub(super) next: u32,
    /// Whose frontier the clock covers.
    pub(super) epoch: u32,
    /// The last round of the frontier in which the session was active.
    pub(super) active: u32,
}

/// Wide where some session puts more than narrow entries count.
fn width(world: &World<'_, '_>, limits: Limits) -> Width {
    let sessions = world
        .row
        .chunk_by(|a, b| world.session(*a) == world.session(*b));
    let longest = sessions.map(<[u32]>::len).max().unwrap_or(0);
    if longest > limits.narrow {
        Width::Wide
    } else {
        Width::Narrow
    }
}

/// Visibility so far.
pub(super) struct Saturation<'w, 'h> {
    pub(super) world: &'w World<'w, 'h>,
    pub(super) clocks: Clocks,
    /// Node to clock.
    pub(super) clock: Vec<Clock>,
    /// Node to one more than the place in the order of invokes of the latest put up to it.
    pub(super) latest: Vec<u32>,
    /// Node to epoch: the clock covers its frontier.
    pub(super) epoch: Vec<u32>,
    pub(super) frontier: Frontier,
    pub(super) chains: Chains,
    pub(super) on_key: OnKey,
    /// What replicas have shown, where that is presumed not to be forgotten.
    pub(super) replicas: Option<Replicas>,
    /// Node to the last forced edge from it, or [`NONE`].
    pub(super) forced_from: Vec<u32>,
    pub(super) forced: Vec<Forced>,
    pub(super) done: Vec<bool>,
    pub(super) heads: Vec<Head>,
    /// What has grown and is to be passed on.
    pub(super) sweep: Sweep,
    /// Nodes that there may be in it between two operations.
    grown_max: usize,
    /// Operations visited for the first time since what had grown was last passed on.
    since: usize,
    /// Visits that this took. Where they were many, what has grown is kept for as many operations:
    /// otherwise a put that is read long after it was put would be followed up to the present for
    /// each of its reads.
    pass_visits: usize,
    /// Operations from one epoch to the next, at least.
    pub(super) epoch_min: usize,
    /// Likely answers that are tried at once at first.
    pub(super) likely: usize,
    presumes: bool,
    /// Open questions from which on the likeliest answer is presumed right.
    guesses_from: usize,
    /// Whether there are edges that are only presumed: then a contradiction refutes nothing.
    pub(super) has_presumed: bool,
    pub(super) open: Vec<Missing>,
    /// What is open already, by what is missing and what was returned.
    pub(super) is_open: Table<(u32, Vec<u32>), ()>,
    /// What an attempt changed.
    pub(super) attempt: Option<Vec<Grown>>,
    pub(super) refuted: bool,
    pub(super) contradictions: Vec<Contradiction>,
    pub(super) told: Table<Contradiction, ()>,
    pub(super) visits: usize,
    /// Room for what [`Self::judge`] needs for a moment.
    pub(super) missing: Vec<u32>,
    pub(super) known: Vec<u32>,
    pub(super) seen: Vec<u32>,
    pub(super) seen_by: Vec<Clock>,
    /// Why the work was given up.
    pub(super) given_up: Option<String>,
    pace: Pace,
}

impl<'w, 'h> Saturation<'w, 'h> {
    pub(super) fn new(world: &'w World<'w, 'h>, limits: Limits) -> Self {
        let nodes = world.row.len();
        let heads = world.first.iter().map(|first| Head {
            clock: Clock::EMPTY,
            latest: 0,
            generation: FROZEN,
            next: *first,
            epoch: 0,
            active: 0,
        });
        let mut saturation = Self {
            world,
            clocks: Clocks::new(limits.clock_lines, width(world, limits)),
            clock: vec![Clock::EMPTY; nodes],
            latest: vec![0; nodes],
            epoch: vec![0; nodes],
            frontier: Frontier::default(),
            chains: Chains::new(nodes, world.first.len()),
            on_key: OnKey::new(world, limits.held_up),
            replicas: (limits.presumes && world.names_replicas()).then(Replicas::default),
            forced_from: vec![NONE; nodes],
            forced: Vec::new(),
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
            open: Vec::new(),
            is_open: Table::default(),
            attempt: None,
            refuted: false,
            contradictions: Vec::new(),
            told: Table::default(),
            visits: 0,
            missing: Vec::new(),
            known: Vec::new(),
            seen: Vec::new(),
            seen_by: Vec::new(),
            given_up: None,
            pace: Pace::new(Property::CausalBlackBox.name(), world.order.len()),
        };
        for (place, row) in (1u32..).zip(&world.order) {
            if world.is_put(*row) {
                saturation.latest[world.node[*row as usize] as usize] = place;
            }
        }
        saturation
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
            if self.given_up.is_some() || (self.has_presumed && self.refuted) {
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

    /// Says that open questions are being answered, and how many are by now.
    pub(super) fn answering(&mut self) {
        let Extent {
            questions,
            answered,
            ..
        } = self.extent();
        self.pace.follow(QUESTIONS, questions as usize);
        self.pace.at(answered as usize);
    }

    /// How far this has got.
    pub(super) fn extent(&self) -> Extent {
        let is_answered = |missing: &&Missing| !self.is_still_open(missing);
        Extent {
            placed: self
                .world
                .order
                .iter()
                .filter(|row| self.is_done(**row))
                .count() as u64,
            questions: self.open.len() as u64,
            answered: self.open.iter().filter(is_answered).count() as u64,
        }
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
            head.generation = self.clocks.generation();
        }
        let node = world.node[row as usize];
        if world.is_put(row) {
            if !world.is_silent(node) {
                self.follow_replica(row, &mut head);
                if let Some(before) = self.add_to_chain(row, &head) {
                    self.add_forced(before, node, row);
                    let other = self.clock[before as usize];
                    head.clock = self.clocks.join(head.clock, other, head.generation);
                    head.latest = head.latest.max(self.latest[before as usize]);
                    head.epoch = head.epoch.max(self.epoch[before as usize]);
                    self.has_presumed = true;
                }
                let (chain, place) = self.position(node);
                head.clock = self.clocks.set(head.clock, chain, place, head.generation);
                let key = world.index.key[row as usize];
                self.on_key.add(key, node, chain, place);
            }
            head.latest = head.latest.max(self.latest[node as usize]);
        } else {
            for put in world.returned(row) {
                let other = self.clock[put as usize];
                head.clock = self.clocks.join(head.clock, other, head.generation);
                head.latest = head.latest.max(self.latest[put as usize]);
                head.epoch = head.epoch.max(self.epoch[put as usize]);
            }
        }
        if world.is_node(row) {
            self.epoch[node as usize] = head.epoch;
            self.clock[node as usize] = head.clock;
            self.latest[node as usize] = head.latest;
            head.generation = self.clocks.generation();
        }
        head.next = world.next[row as usize];
        if head.next == NONE {
            self.chains.end(session, &self.clocks);
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
        self.chains
            .add(node, session, &self.clocks, head.clock, may_follow)
    }

    /// Forgets the clocks that nothing has any more, and gives up when the others are too many.
    /// Only between operations; during an attempt, which goes back to clocks of before, nothing is
    /// forgotten.
    pub(super) fn collect(&mut self) {
        if !self.clocks.is_full() {
            return;
        }
        if self.attempt.is_none() {
            let (clock, heads) = (&mut self.clock, &mut self.heads);
            self.clocks.collect(|visit| {
                clock.iter_mut().for_each(&mut *visit);
                heads.iter_mut().for_each(|head| visit(&mut head.clock));
            });
        }
        if self.clocks.is_spent() {
            self.given_up = Some("the clocks need more memory than the check affords".to_owned());
        }
    }

    pub(super) fn position(&self, put: u32) -> (u32, u32) {
        let put = put as usize;
        (self.chains.chain[put], self.chains.place[put])
    }

    /// Whether a put is visible to whoever has the clock.
    pub(super) fn is_in(&self, put: u32, clock: Clock) -> bool {
        let (chain, place) = self.position(put);
        self.clocks.get(clock, chain) >= place
    }

    /// Whether one put comes before another one.
    pub(super) fn precedes(&self, before: u32, after: u32) -> bool {
        before != after && self.is_in(before, self.clock[after as usize])
    }

    pub(super) fn contradict(&mut self, contradiction: Contradiction) {
        self.refuted = true;
        if self.attempt.is_none()
            && self.contradictions.len() < CONTRADICTIONS_MAX
            && self.told.insert(contradiction.clone(), ()).is_none()
        {
            self.contradictions.push(contradiction);
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

    /// Keeps a question open, unless it is already, or takes the likeliest answer where many are
    /// open.
    pub(super) fn keep_open(&mut self, missing: Missing, mut returned: Vec<u32>, likeliest: u32) {
        let max = OPEN_MIN.max(self.world.order.len() * OPEN_EACH_MAX);
        if self.presumes && self.open.len() >= self.guesses_from {
            self.has_presumed = true;
            self.force(missing.put, likeliest, missing.get);
            return;
        }
        returned.sort_unstable();
        if self.open.len() >= max {
            self.given_up = Some(format!(
                "more than {max} reads leave it open which of several puts superseded another"
            ));
        } else if self.is_open.insert((missing.put, returned), ()).is_none() {
            self.open.push(missing);
        }
    }

    /// Makes `after` supersede `before`.
    pub(super) fn force(&mut self, before: u32, after: u32, get: u32) {
        self.add_forced(before, after, get);
        let before = before as usize;
        self.raise(after, self.clock[before], self.latest[before]);
    }

    /// Adds the edge and does not raise `after`.
    pub(super) fn add_forced(&mut self, before: u32, after: u32, get: u32) {
        self.forced.push(Forced {
            before,
            after,
            get,
            next: self.forced_from[before as usize],
        });
        self.forced_from[before as usize] = self.forced.len() as u32 - 1;
    }

    pub(super) fn raise(&mut self, node: u32, clock: Clock, latest: u32) {
        let clock = self.clocks.join(self.clock[node as usize], clock, FROZEN);
        self.grow(node, clock, latest);
    }

    /// Gives a node a clock that covers its own.
    pub(super) fn grow(&mut self, node: u32, clock: Clock, latest: u32) {
        let at = node as usize;
        let old = Grown {
            node,
            clock: self.clock[at],
            latest: self.latest[at],
        };
        if clock == old.clock && latest <= old.latest {
            return;
        }
        if let Some(attempt) = &mut self.attempt {
            attempt.push(old);
        }
        self.clock[at] = clock;
        self.latest[at] = old.latest.max(latest);
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
                if self.given_up.is_some() || (self.refuted && self.attempt.is_some()) {
                    break;
                }
            }
            if self.forced.len() == before || self.given_up.is_some() || self.refuted {
                break;
            }
        }
        self.pass_on();
        for edge in edges..self.forced.len() {
            let forced = self.forced[edge];
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

    /// The puts that come after a node's because a get forces it.
    pub(super) fn forced_after(&self, node: u32) -> impl Iterator<Item = u32> {
        let mut edge = self.forced_from[node as usize];
        std::iter::from_fn(move || {
            let forced = self.forced.get(edge as usize)?;
            edge = forced.next;
            Some(forced.after)
        })
    }

    /// The get that forced one put before the other, if one did.
    pub(super) fn forced_by(&self, before: u32, after: u32) -> Option<u32> {
        let forced = self.forced.iter();
        let edge = forced
            .rev()
            .find(|f| f.before == before && f.after == after);
        edge.map(|forced| forced.get)
    }

    pub(super) fn is_done(&self, row: u32) -> bool {
        self.done[row as usize]
    }
}
