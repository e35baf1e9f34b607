//! What the faults of a simulated world are drawn from.

use kvs_load::nemesis::SimDraws;

use super::draw::Draw;
use super::node::either_way;
use super::plan::Plan;

/// The world of a plan, and the stream of one kind of fault.
pub(super) struct Dice<'a> {
    pub(super) plan: &'a Plan,
    pub(super) nodes: u16,
    pub(super) draw: &'a mut Draw,
}

impl SimDraws for Dice<'_> {
    fn nodes(&self) -> u16 {
        self.nodes
    }

    fn clients(&self) -> u16 {
        self.plan.clients
    }

    fn skew_ns(&mut self) -> i64 {
        either_way(self.draw, self.plan.clocks.skew_ns)
    }

    fn drift_ppm(&mut self) -> i64 {
        either_way(self.draw, self.plan.clocks.drift_ppm)
    }

    fn jump_ns(&mut self) -> i64 {
        either_way(self.draw, self.plan.clocks.jump_ns)
    }

    fn below(&mut self, n: usize) -> usize {
        self.draw.below(n)
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.draw.chance(probability)
    }
}
