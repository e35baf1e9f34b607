//! Replicas that gossip.

use kvs_core::protocol::Origin;
use kvs_core::replica::GossipSettings;
use kvs_core::values::VectorClock;

use crate::disk::Disk;
use crate::draw::Draw;
use crate::world::World;

/// Bounds are tiny in some seeds, so that what happens at them does happen.
pub(super) fn settings(draw: &mut Draw) -> GossipSettings {
    let default = GossipSettings::default();
    let mut tiny = |probability, from, to, otherwise| {
        let bound = draw.magnitude(from, to);
        if draw.chance(probability) {
            bound
        } else {
            otherwise
        }
    };
    let log_updates_max = tiny(0.4, 4, 64, u64::from(default.log_updates_max)) as u32;
    let deferred_max = tiny(0.2, 1, 4, u64::from(default.deferred_max)) as u32;
    let held_back_max = tiny(0.2, 1, 20, u64::from(default.held_back_max)) as u32;
    let held_back_bytes_max = tiny(0.1, 200, 4_000, default.held_back_bytes_max);
    let log_bytes_max = tiny(0.1, 500, 8_000, default.log_bytes_max);
    GossipSettings {
        fanout: draw.between(1, 4) as u16,
        anti_entropy_ms: draw.magnitude(2, 80),
        deferral_ms: draw.magnitude(4, 200),
        log_updates_max,
        deferred_max,
        held_back_max,
        held_back_bytes_max,
        log_bytes_max,
        ..default
    }
}

/// Only while every put that the node has is held by a replica that keeps its own, unless the plan
/// says that puts may get lost.
pub(super) fn may_forget(world: &mut World<'_>, node: usize) -> bool {
    let forgetful = &world.nodes[node];
    let mut held = VectorClock::new();
    for peer in &forgetful.spec.peers {
        let peer = &world.nodes[usize::from(peer.0)];
        if !peer.disk.as_ref().is_none_or(Disk::is_durable) {
            return false;
        }
        held.merge(peer.replica.status().applied());
    }
    let status = forgetful.replica.status();
    let lost = status.applied().iter().filter(|dot| !held.covers(**dot));
    let lost: Vec<(Origin, u64, u64)> = lost
        .map(|dot| {
            let origin = dot.origin();
            (origin, held.counter(origin) + 1, dot.counter())
        })
        .collect();
    let may = lost.is_empty() || world.plan.loses_puts;
    if may {
        world.nemesis.lost.extend(lost);
    }
    may
}
