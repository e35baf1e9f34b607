//! What many seeds of one combination have in common, beside the theory.

use serde::Serialize;

use kvs_sim::{Repair, Rumour, Scale, Spread, Traffic, UpdateSpread};

/// Milliseconds in nanoseconds.
const MS: f64 = 1e6;

/// A line of the table. Times are medians over updates.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// How far apart nodes are.
    pub topology: &'static str,
    /// How many replicas there are in all.
    pub replicas: u32,
    /// Into how many groups of equal size they are parted.
    pub shards: u32,
    /// How many peers a rumour is pushed to.
    pub fanout: u16,
    /// The chance that a message between replicas is lost.
    pub loss: f64,
    /// How many sessions put.
    pub sessions: u32,
    /// The mean time between two puts.
    pub every_ms: f64,
    /// The time between two digests of one replica.
    pub anti_entropy_ms: u64,
    /// Bytes of each value.
    pub value_bytes: u32,
    /// How many seeds it was measured with.
    pub seeds: usize,
    /// How many updates these made.
    pub updates: usize,
    /// Updates that some replica of the group never applied.
    pub lost: usize,
    /// Until half of the other replicas have an update.
    pub half_ms: Option<f64>,
    /// Until 99 % of the other replicas have an update.
    pub p99_ms: Option<f64>,
    /// Until all of them have it.
    pub last_ms: Option<f64>,
    /// The slowest update.
    pub last_max_ms: Option<f64>,
    /// What theory says of `half_ms`.
    pub theory_half_ms: f64,
    /// What theory says of `last_ms`.
    pub theory_last_ms: f64,
    /// Rumours for each update.
    pub rumour_messages: f64,
    /// What theory says of `rumour_messages`.
    pub theory_rumour_messages: f64,
    /// Bytes of rumours for each update.
    pub rumour_bytes: f64,
    /// Repairs for each update.
    pub repair_messages: f64,
    /// Bytes of repairs for each update.
    pub repair_bytes: f64,
    /// Bytes of rumours and repairs for each update and replica that gets it.
    pub update_bytes_per_replica: f64,
    /// Bytes for each update in a rumour or repair.
    pub bytes_per_sent_update: f64,
    /// Entries of the sender's version vector, for each rumour or repair.
    pub vector_entries: f64,
    /// Digests for each node and second, whether or not there are updates.
    pub digest_messages_per_node_s: f64,
    /// Bytes of digests for each node and second.
    pub digest_bytes_per_node_s: f64,
    /// Bytes of all messages for each node and second.
    pub bytes_per_node_s: f64,
    /// The fraction of a group that has an update from rumours alone, with the replica of the put.
    pub reached: f64,
    /// What theory says of `reached`.
    pub theory_reached: f64,
    /// The fraction of updates that rumours alone bring to everybody.
    pub everybody: f64,
    /// What theory says of `everybody`.
    pub theory_everybody: f64,
    /// Updates that arrived again for each that arrived first.
    pub repeated: f64,
}

impl Point {
    /// Of the seeds of one combination.
    #[must_use]
    pub fn new(scale: &Scale, seeds: &[Spread]) -> Self {
        let updates: Vec<&UpdateSpread> = seeds.iter().flat_map(|seed| &seed.updates).collect();
        let count = updates.len() as f64;
        let (nodes, groups) = scale.groups();
        let group = nodes / groups;
        let sum = |of: fn(&Spread) -> Traffic| seeds.iter().map(of).fold(Traffic::default(), add);
        let rumours = sum(|seed| seed.rumours);
        let repairs = sum(|seed| seed.repairs);
        let digests = sum(|seed| seed.digests);
        let transfers = sum(|seed| seed.transfers);
        let sent = add(rumours, repairs);
        let lasted_s: f64 = seeds.iter().map(|seed| seed.lasted_ns as f64 / 1e9).sum();
        let node_seconds = lasted_s * f64::from(nodes);
        let by_rumour = updates
            .iter()
            .map(|update| f64::from(update.by_rumour + 1) / f64::from(update.replicas));
        let told = |update: &&&UpdateSpread| update.by_rumour + 1 == update.replicas;
        let arrived: u64 = seeds.iter().map(|seed| seed.arrived).sum();
        let applied: u64 = seeds.iter().map(|seed| seed.applied).sum();
        let theory = Theory::new(scale, group);
        Self {
            topology: scale.topology.name(),
            replicas: nodes,
            shards: groups,
            fanout: scale.fanout,
            loss: scale.loss,
            sessions: scale.sessions,
            every_ms: scale.every_ms,
            anti_entropy_ms: scale.anti_entropy_ms,
            value_bytes: scale.value_bytes,
            seeds: seeds.len(),
            updates: updates.len(),
            lost: updates.iter().filter(|one| !one.is_everywhere()).count(),
            half_ms: median_ms(&updates, 0.5),
            p99_ms: median_ms(&updates, 0.99),
            last_ms: median_ms(&updates, 1.0),
            last_max_ms: delays_ms(&updates, 1.0).and_then(|delays| delays.last().copied()),
            theory_half_ms: theory.half_ms,
            theory_last_ms: theory.last_ms,
            rumour_messages: rumours.messages as f64 / count,
            theory_rumour_messages: theory.rumour.messages,
            rumour_bytes: rumours.bytes as f64 / count,
            repair_messages: repairs.messages as f64 / count,
            repair_bytes: repairs.bytes as f64 / count,
            update_bytes_per_replica: sent.bytes as f64 / count / f64::from(group),
            bytes_per_sent_update: sent.bytes as f64 / sent.updates.max(1) as f64,
            vector_entries: sent.vector_entries as f64 / sent.messages.max(1) as f64,
            digest_messages_per_node_s: digests.messages as f64 / node_seconds,
            digest_bytes_per_node_s: digests.bytes as f64 / node_seconds,
            bytes_per_node_s: add(add(sent, digests), transfers).bytes as f64 / node_seconds,
            reached: by_rumour.sum::<f64>() / count,
            theory_reached: theory.rumour.reached,
            everybody: updates.iter().filter(told).count() as f64 / count,
            theory_everybody: theory.rumour.everybody,
            repeated: (arrived - applied) as f64 / applied.max(1) as f64,
        }
    }

    /// Whether every update came to be everywhere.
    #[must_use]
    pub const fn converged(&self) -> bool {
        self.lost == 0
    }
}

/// What the theory says of a combination.
struct Theory {
    rumour: Rumour,
    half_ms: f64,
    last_ms: f64,
}

impl Theory {
    /// A rumour takes a hop a round. What it does not reach waits half an interval for the first
    /// digests and one for each further exchange; an exchange takes two hops.
    fn new(scale: &Scale, group: u32) -> Self {
        let rumour = Rumour::new(group, u32::from(scale.fanout), scale.loss);
        let repair = |missing: f64| Repair::new(group, missing, scale.loss).intervals;
        let hop_ms = scale.hop_ms();
        let interval_ms = scale.anti_entropy_ms as f64;
        let repaired_ms = |intervals: f64| (intervals - 0.5) * interval_ms + 2.0 * hop_ms;
        let size = f64::from(group);
        let missing = size * (1.0 - rumour.reached);
        let rumour_ms = rumour.rounds_last * hop_ms;
        let last = repair(missing);
        let last_ms = if last > 0.0 {
            rumour_ms.max(repaired_ms(last))
        } else {
            rumour_ms
        };
        let half_ms = if rumour.reached >= 0.5 {
            rumour.rounds_half * hop_ms
        } else {
            // The intervals until half of them have it: those that the rest takes are left out.
            let rest = repair(size / 2.0);
            repaired_ms((last - rest).max(1.0))
        };
        Self {
            rumour,
            half_ms,
            last_ms,
        }
    }
}

fn add(one: Traffic, other: Traffic) -> Traffic {
    Traffic {
        messages: one.messages + other.messages,
        bytes: one.bytes + other.bytes,
        updates: one.updates + other.updates,
        vector_entries: one.vector_entries + other.vector_entries,
    }
}

/// How long each update took to this part of the other replicas, ascending, in ms; none when one
/// never did.
fn delays_ms(updates: &[&UpdateSpread], part: f64) -> Option<Vec<f64>> {
    let delays: Option<Vec<u64>> = updates.iter().map(|one| one.delay_ns(part)).collect();
    let mut delays = delays?;
    delays.sort_unstable();
    Some(delays.into_iter().map(|ns| ns as f64 / MS).collect())
}

fn median_ms(updates: &[&UpdateSpread], part: f64) -> Option<f64> {
    let delays = delays_ms(updates, part)?;
    delays.get(delays.len() / 2).copied()
}
