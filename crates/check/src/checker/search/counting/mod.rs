//! Specifications that a certificate turns into counting: an operation may come once so many
//! operations of certain kinds have been taken, and stays possible from then on.
//!
//! Last write wins: at an origin puts come in version order; on one replica's register of a key
//! operations come in version order, a put before the gets of its version; a get comes after its
//! put. Causal: an operation comes after every put that its vector covers. What the evidence of a
//! single operation says about itself is checked when the counters are laid out; an operation
//! whose evidence contradicts itself can never be taken.

mod causal;
mod lww;

use super::super::coverage::Coverage;
use super::super::index::{Index, Table};
use super::{Part, Specification, Step};

pub(super) use causal::{causal, is_affordable};
pub(super) use lww::lww;

/// A counter, and how much it has to show.
#[derive(Clone, Copy, Debug)]
struct Need {
    counter: u32,
    at_least: u32,
}

/// What one operation needs and counts as.
#[derive(Clone, Debug, Default)]
struct Rule {
    needs: Vec<Need>,
    counts: Vec<u32>,
    /// Its evidence contradicts itself.
    impossible: bool,
}

/// The rules of the operations of the only part, in its order.
pub(super) struct Counting {
    rules: Vec<Rule>,
    counters: usize,
}

impl Specification for Counting {
    type Memory = Vec<u32>;

    fn start(&self, _part: usize) -> Vec<u32> {
        vec![0; self.counters]
    }

    fn step(
        &self,
        _part: usize,
        memory: &Vec<u32>,
        op: usize,
        _first: Option<usize>,
        _deadline: u64,
    ) -> Step {
        let rule = &self.rules[op];
        let met = |need: &Need| memory[need.counter as usize] >= need.at_least;
        if !rule.impossible && rule.needs.iter().all(met) {
            Step::Now
        } else {
            Step::No
        }
    }

    fn take(&self, _part: usize, memory: &mut Vec<u32>, op: usize) {
        for counter in &self.rules[op].counts {
            memory[*counter as usize] += 1;
        }
    }
}

/// Rules by row, turned into the order of the part. Operations without evidence have no rule: they
/// may come at any place that time and their session allow.
fn finish(
    index: &Index<'_>,
    mut rules: Table<u32, Rule>,
    counters: usize,
    coverage: Coverage,
) -> Evident {
    let rows: Vec<u32> = (0..index.history.len() as u32)
        .filter(|row| index.is_known_get(*row as usize) || index.is_effective_put(*row as usize))
        .collect();
    let times = |row| (index.invoke(row), index.returned(row));
    let part = Part::new(index, &rows, times, true);
    // No order explains a get of what nobody put.
    let rule = |row: u32| {
        rules.remove(&row).unwrap_or_else(|| Rule {
            impossible: !index.counts(row as usize),
            ..Rule::default()
        })
    };
    let rules = part.ops.iter().map(|op| op.row).map(rule).collect();
    Evident {
        rules: Counting { rules, counters },
        parts: vec![part],
        coverage,
    }
}

/// What evidence makes of a history.
pub(super) struct Evident {
    pub(super) rules: Counting,
    pub(super) parts: Vec<Part>,
    /// An order proves the history consistent only where evidence covers all of it.
    pub(super) coverage: Coverage,
}
