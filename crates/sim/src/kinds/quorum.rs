//! Replicas of quorums, strict and sloppy.

use kvs_core::protocol::NodeId;
use kvs_core::replica::{QuorumRule, QuorumSettings, Replica};

use crate::disk::Disk;
use crate::draw::Draw;
use crate::world::World;

/// Bounds are tiny in some seeds, so that what happens at them does happen.
pub(super) fn settings(draw: &mut Draw) -> QuorumSettings {
    let default = QuorumSettings::default();
    QuorumSettings {
        retry_ms: draw.magnitude(1, 40),
        looks_max: draw.magnitude(3, 60) as u16,
        anti_entropy_ms: draw.magnitude(4, 100),
        chunks_max: draw.magnitude(1, 16) as u16,
        pending_max: if draw.chance(0.1) {
            draw.magnitude(1, 4) as u32
        } else {
            default.pending_max
        },
        hints_max: if draw.chance(0.1) {
            draw.magnitude(1, 10) as u32
        } else {
            default.hints_max
        },
        ..default
    }
}

/// Only while so many others are whole as it takes to recover, with all that makes them so on their
/// disks: one that crashes would otherwise lose its state as well. Where a get may show what only one
/// replica has, some other has to have all of it.
pub(super) fn may_forget(world: &World<'_>, node: usize, rule: QuorumRule) -> bool {
    let spec = &world.nodes[node].spec;
    let replica = |node: NodeId| -> &Replica { &world.nodes[usize::from(node.0)].replica };
    let is_durable = |node: NodeId| {
        let disk = world.nodes[usize::from(node.0)].disk.as_ref();
        disk.is_none_or(Disk::is_durable)
    };
    if !rule.write_back
        && (!spec.others().all(is_durable)
            || replica(spec.node).has_alone(spec.others().map(replica)))
    {
        return false;
    }
    if spec.spares.contains(&spec.node) {
        return true;
    }
    let peers = &spec.peers;
    let is_whole = |peer: &&NodeId| is_durable(**peer) && replica(**peer).status().is_whole();
    let whole = peers.iter().filter(is_whole);
    let replicas = u16::try_from(peers.len() + 1).expect("bounded by REPLICAS_MAX");
    whole.count() >= usize::from(rule.recovers_from(replicas))
}
