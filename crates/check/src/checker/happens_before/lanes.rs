//! Which entry of the clocks counts which session.
//!
//! A session has a lane from its first put on. A session is folded when it is over and all clocks
//! that know some of it know equally much of it. From then on clocks need no entry for it, only an
//! epoch. Epochs are counted for each replica group, and a clock with an epoch covers all sessions
//! that were folded up to it. So a session is folded only when the clocks that know it have the
//! latest epoch. What no clock knows any more, no clock will ever know. The lane goes to the next
//! session that writes.

use super::graph::{Graph, NONE};
use super::live_runs::LiveRuns;

/// How many sessions have to be over before an attempt to fold them; 0 to try whenever one is.
pub(in crate::checker) const PATIENCE: usize = 16;

/// A session that was folded: whoever has this epoch or a later one knows so many of its puts, and
/// nobody knows more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folded {
    pub(super) epoch: u32,
    pub(super) puts: u32,
}

impl Folded {
    /// Of a session that no clock can know but by its lane: no clock has that epoch.
    const NEVER: Self = Self {
        epoch: NONE,
        puts: 0,
    };
}

/// The lanes of one replica group.
#[derive(Clone, Debug, Default)]
struct Group {
    /// Lanes that there are.
    lanes: u32,
    free: Vec<u32>,
    /// How many sessions were folded.
    epoch: u32,
    /// Columns of sessions that are over and have a lane.
    ended: Vec<u32>,
    /// How many those have to be before the next attempt.
    due: usize,
}

#[derive(Debug)]
pub(super) struct Lanes {
    patience: usize,
    groups: Vec<Group>,
    /// Column to its lane, or [`NONE`].
    lane: Vec<u32>,
    folded: Vec<Folded>,
    pub(super) runs: LiveRuns,
}

impl Lanes {
    pub(super) fn new(graph: &Graph<'_, '_>) -> Self {
        let groups = graph.chains.iter().map(|chain| chain.group + 1).max();
        let group = Group {
            due: graph.patience,
            ..Group::default()
        };
        Self {
            patience: graph.patience,
            groups: vec![group; groups.unwrap_or(0) as usize],
            lane: vec![NONE; graph.columns.len()],
            folded: vec![Folded::NEVER; graph.columns.len()],
            runs: LiveRuns::new(graph),
        }
    }

    /// The lane of a column, [`NONE`] when it has none.
    pub(super) fn lane(&self, column: u32) -> u32 {
        self.lane[column as usize]
    }

    /// How a session is known that has no lane any more.
    pub(super) fn folded(&self, column: u32) -> Folded {
        self.folded[column as usize]
    }

    /// How many sessions of a group were folded.
    pub(super) fn epoch(&self, group: u32) -> u32 {
        self.groups[group as usize].epoch
    }

    /// The lane of the session that puts now.
    pub(super) fn of(&mut self, column: u32, graph: &Graph<'_, '_>) -> u32 {
        let lane = self.lane[column as usize];
        if lane != NONE {
            return lane;
        }
        let chain = graph.on_chain(column);
        let group = &mut self.groups[chain.group as usize];
        let lane = group.free.pop().unwrap_or_else(|| {
            group.lanes += 1;
            group.lanes - 1
        });
        self.lane[column as usize] = lane;
        self.runs.start(column, graph);
        lane
    }

    /// Notes that a session is over, and says whether it is time to fold.
    pub(super) fn end(&mut self, column: u32, group: u32) -> bool {
        let group = &mut self.groups[group as usize];
        group.ended.push(column);
        group.ended.len() >= group.due
    }

    /// Takes the sessions that are over, each to be folded, forgotten or kept.
    pub(super) fn ended(&mut self, group: u32) -> Vec<u32> {
        let group = &mut self.groups[group as usize];
        let ended = std::mem::take(&mut group.ended);
        let live = group.lanes as usize - group.free.len() - ended.len();
        group.due = self.patience + live.min(live * self.patience);
        ended
    }

    /// Leaves a session that is over as it is: twice as many have to be over before the next try.
    pub(super) fn keep(&mut self, column: u32, group: u32) {
        let group = &mut self.groups[group as usize];
        group.ended.push(column);
        group.due += self.patience.min(2);
    }

    /// Frees the lane of a session that no clock knows.
    pub(super) fn forget(&mut self, column: u32, group: u32, graph: &Graph<'_, '_>) {
        self.free(column, group);
        self.runs.stop(column, graph);
    }

    /// Frees the lane of a session, in exchange for a new epoch.
    pub(super) fn fold(&mut self, column: u32, group: u32, puts: u32, graph: &Graph<'_, '_>) {
        let epoch = self.epoch(group) + 1;
        self.groups[group as usize].epoch = epoch;
        self.folded[column as usize] = Folded { epoch, puts };
        self.free(column, group);
        self.runs.fold(column, graph);
    }

    fn free(&mut self, column: u32, group: u32) {
        let lane = std::mem::replace(&mut self.lane[column as usize], NONE);
        self.groups[group as usize].free.push(lane);
    }
}
