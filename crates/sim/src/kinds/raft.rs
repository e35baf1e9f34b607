//! Replicas of Raft groups.

use kvs_core::protocol::NodeId;
use kvs_core::replica::RaftSettings;

use crate::disk::Disk;
use crate::draw::Draw;
use crate::plan::Plan;
use crate::world::{MS, World};

/// How many elections the least time-out has room for.
const TIMEOUT_ELECTIONS: u64 = 3;
/// How many go between two faults of a kind, at least.
const FAULT_ELECTIONS: u64 = 2;
/// How many mean syncs a tick has room for.
const SYNCS: u64 = 3;

/// Bounds are tiny in some seeds, so that what happens at them does happen.
pub(super) fn settings(draw: &mut Draw) -> RaftSettings {
    let default = RaftSettings::default();
    let mut tiny = |probability, from, to, otherwise| {
        let bound = draw.magnitude(from, to);
        if draw.chance(probability) {
            bound
        } else {
            otherwise
        }
    };
    let compact_entries = tiny(0.7, 2, 200, default.compact_entries);
    let entries_max = tiny(0.7, 1, 2, u64::from(default.entries_max)) as u32;
    let pending_max = tiny(0.1, 1, 4, u64::from(default.pending_max)) as u32;
    RaftSettings {
        tick_ms: draw.magnitude(1, 20),
        election_ticks: draw.between(2, 6) as u16,
        asks_first: draw.chance(0.7),
        in_flight_max: draw.between(1, 5) as u16,
        rounds_max: draw.between(1, 3) as u16,
        wait_ticks: draw.magnitude(4, 60) as u16,
        compact_entries,
        entries_max,
        pending_max,
        ..default
    }
}

/// No leader is elected where it takes longer to ask for votes than to lose patience, or where nodes
/// crash more often than that (Ongaro, Ousterhout, 2014, section 5.6). So a tick takes longer than a
/// message, its answer and a sync, and faults and time-outs leave room for elections.
pub(super) fn fit(plan: &mut Plan, round_trip_ns: u64) {
    let settings = &mut plan.settings.raft;
    let answer_ns = round_trip_ns + SYNCS * plan.syncs.lasts_ns;
    settings.tick_ms = settings.tick_ms.max(answer_ns.div_ceil(MS));
    let election_ns = settings.tick_ms * u64::from(settings.election_ticks) * MS;
    plan.timeout_ns = plan.timeout_ns.max(TIMEOUT_ELECTIONS * election_ns);
    for rate in plan.faults.values_mut() {
        rate.every_ns = rate.every_ns.max(FAULT_ELECTIONS * election_ns);
    }
}

/// Only while the others that are members make up a majority, with all that makes them so on their
/// disks: one that crashes would otherwise lose its state as well.
pub(super) fn may_forget(world: &World<'_>, node: usize) -> bool {
    let peers = &world.nodes[node].spec.peers;
    let is_whole = |peer: &&NodeId| {
        let peer = &world.nodes[usize::from(peer.0)];
        peer.disk.as_ref().is_none_or(Disk::is_durable) && peer.replica.status().is_whole()
    };
    let members = peers.len() + 1;
    let majority = members / 2 + 1;
    peers.iter().filter(is_whole).count() >= majority
}
