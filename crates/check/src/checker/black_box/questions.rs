//! Which questions are open: which of several returned puts superseded one that a get saw and did
//! not return.

use super::super::index::Table;
use super::Extent;
use super::saturation::Saturation;
use super::world::World;

/// Reads whose question is kept open at most, for each operation and at least in total.
const OPEN_EACH_MAX: usize = 1;
const OPEN_MIN: usize = 100_000;
/// What the answering of open questions is called.
const QUESTIONS: &str = "causal-black-box, open questions";

/// A put (a node) that a get (a row) saw and did not return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) put: u32,
    pub(super) get: u32,
}

/// The questions that were kept open, in the order in which they came.
#[derive(Default)]
pub(super) struct Questions {
    open: Vec<Missing>,
    /// What is open already, by what is missing and what was returned.
    is_open: Table<(u32, Vec<u32>), ()>,
}

impl Questions {
    pub(super) const fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn at(&self, place: usize) -> &Missing {
        &self.open[place]
    }

    pub(super) fn get(&self, place: usize) -> Option<&Missing> {
        self.open.get(place)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Missing> {
        self.open.iter()
    }

    /// Keeps a question, unless the same is kept already. `returned` ascends.
    fn keep(&mut self, missing: Missing, returned: Vec<u32>) {
        if self.is_open.insert((missing.put, returned), ()).is_none() {
            self.open.push(missing);
        }
    }

    /// Takes back all but the first `len`.
    pub(super) fn undo(&mut self, len: usize, world: &World<'_, '_>) {
        for missing in self.open.drain(len..) {
            let mut returned: Vec<u32> = world.returned(missing.get).collect();
            returned.sort_unstable();
            self.is_open.remove(&(missing.put, returned));
        }
    }
}

impl Saturation<'_, '_> {
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
        } else {
            self.open.keep(missing, returned);
        }
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
}
