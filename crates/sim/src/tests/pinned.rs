//! A seed keeps its meaning: a command that somebody wrote down simulates the same history until
//! somebody decides otherwise.

use super::*;

const PINNED_SEEDS: std::ops::Range<u64> = 0..40;
const PINNED_STEPS: u64 = 150;

/// One number for the histories of the pinned seeds and for all that happened in them (FNV-1a).
fn fingerprint(architecture: &str, lattice: Lattice) -> u64 {
    let options = Options {
        steps: PINNED_STEPS,
        trace: true,
        ..Options::new(architecture.parse().expect("an architecture"), lattice)
    };
    let mut hash = 0xCBF2_9CE4_8422_2325;
    let mut add = |text: &str| {
        for byte in text.bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3);
        }
    };
    for seed in PINNED_SEEDS {
        let outcome = run(&Plan::draw(seed, &options));
        add(&lines(&outcome.history));
        add(outcome.trace.as_deref().expect("a trace was asked for"));
    }
    hash
}

/// When a commit must change what is drawn, it says why, and shows the same verdicts on a thousand
/// seeds of each store.
#[test]
fn a_seed_is_the_same_history_as_ever() {
    let stores = [
        ("local", Lattice::Causal, 0xB8F1_C2D3_DEF9_4565),
        ("replicated", Lattice::Causal, 0xD9C6_13A9_5670_2CCA),
        ("replicated", Lattice::Lww, 0x3883_2DFC_D8C0_5CB7),
        ("sharded", Lattice::Causal, 0x4E74_A1C2_55CC_9942),
        ("sharded_replicated", Lattice::Causal, 0x2E73_4D23_7010_3252),
        ("sharded_replicated", Lattice::Lww, 0x47E7_69C6_66F9_F7A8),
    ];
    let drawn = stores.map(|(store, lattice, _)| (store, lattice, fingerprint(store, lattice)));
    assert_eq!(drawn, stores);
}
