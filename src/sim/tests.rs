//! Simulations of whole plans.

use super::*;
use crate::protocol::Lattice;
use crate::server::Architecture;

#[test]
fn the_unbroken_store_keeps_its_promise() {
    for seed in 0..20 {
        let architecture = Architecture::replicated(3).expect("a size");
        let options = Options::new(architecture, Lattice::Causal);
        let outcome = run(&Plan::draw(seed, &options));
        assert_eq!(outcome.verdict, Verdict::Valid, "seed {seed}");
    }
}
