//! How updates spread, beside what the theory says.

use super::*;

fn scale(replicas: u16, fanout: u16) -> Scale {
    Scale {
        architecture: Architecture::replicated(replicas).expect("a size"),
        lattice: Lattice::Causal,
        bug: None,
        fanout,
        anti_entropy_ms: 50,
        topology: Topology::Lan,
        loss: 0.0,
        sessions: 4,
        updates: 5,
        every_ms: 2_000.0,
        value_bytes: 100,
    }
}

/// Every update of some seeds.
fn updates(scale: &Scale) -> Vec<UpdateSpread> {
    let run = |seed| scale.run(seed).expect("no panic").updates;
    (0..6).flat_map(run).collect()
}

fn mean_reached(updates: &[UpdateSpread]) -> f64 {
    let reached = updates.iter().map(|one| f64::from(one.by_rumour + 1));
    reached.sum::<f64>() / f64::from(updates[0].replicas) / updates.len() as f64
}

#[test]
fn the_same_seed_spreads_the_same_and_another_does_not() {
    let lossy = Scale {
        loss: 0.05,
        ..scale(20, 3)
    };
    let first = lossy.run(1).expect("no panic");
    assert_eq!(first, lossy.run(1).expect("no panic"));
    assert_ne!(first, lossy.run(2).expect("no panic"));
    assert_eq!(first.updates.len(), 5);
}

#[test]
fn rumours_alone_reach_as_many_of_200_as_the_theory_says() {
    for (fanout, loss) in [(1, 0.0), (2, 0.0), (3, 0.0), (3, 0.2), (5, 0.0)] {
        let scale = Scale {
            loss,
            ..scale(200, fanout)
        };
        let theory = Rumour::new(200, u32::from(fanout), loss).reached;
        let measured = mean_reached(&updates(&scale));
        assert!(
            (measured - theory).abs() < 0.06,
            "fanout {fanout}, loss {loss}: {measured} is not {theory}"
        );
    }
    // The theory tells these apart by far more than that, and so it is told when it is wrong.
    assert!(Rumour::new(200, 1, 0.0).reached < 0.2);
    assert!(Rumour::new(200, 2, 0.0).reached > 0.7);
}

#[test]
fn anti_entropy_brings_to_everybody_what_rumours_did_not_and_nothing_does_without_it() {
    let whole = updates(&scale(200, 3));
    assert!(whole.iter().all(UpdateSpread::is_everywhere));
    assert!(mean_reached(&whole) < 1.0, "rumours alone do not reach all");
    let unrepaired = updates(&Scale {
        bug: Some(Bug::NoRepair),
        ..scale(200, 3)
    });
    assert!(!unrepaired.iter().any(UpdateSpread::is_everywhere));
}

#[test]
fn messages_are_counted_by_what_they_are_for() {
    let spread = scale(4, 3).run(0).expect("no panic");
    // Three others are told of each update, and nobody passes it on.
    assert_eq!((spread.rumours.messages, spread.rumours.updates), (15, 15));
    assert_eq!((spread.arrived, spread.applied), (15, 15));
    assert_eq!(spread.repairs, Traffic::default());
    assert!(spread.digests.messages > 0 && spread.digests.updates == 0);
    assert!(
        spread.rumours.bytes > 15 * 100,
        "the values alone are as much"
    );
}

#[test]
fn a_shard_has_its_updates_and_its_vectors_to_itself() {
    let architecture: Architecture = "sharded(5, replicated(4))".parse().expect("it is one");
    let sharded = Scale {
        architecture,
        sessions: 20,
        updates: 40,
        ..scale(20, 3)
    };
    let whole = Scale {
        architecture: Architecture::replicated(20).expect("a size"),
        ..sharded.clone()
    };
    assert_eq!((sharded.groups(), whole.groups()), ((20, 5), (20, 1)));
    let (sharded, whole) = (
        sharded.run(0).expect("no panic"),
        whole.run(0).expect("no panic"),
    );
    assert!(sharded.updates.iter().all(|update| update.replicas == 4));
    assert!(whole.updates.iter().all(|update| update.replicas == 20));
    assert_eq!(sharded.rumours.messages, 3 * 40);
    assert!(whole.rumours.bytes > 10 * sharded.rumours.bytes);
    assert!(sharded.rumours.vector_entries <= 4 * sharded.rumours.messages);
}
