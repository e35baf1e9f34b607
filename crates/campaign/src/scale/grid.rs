//! The combinations of parameters that are measured.

use anyhow::anyhow;
use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::server::{Architecture, fits};
use kvs_sim::{Scale, Topology};

/// Time between two digests within a LAN and between regions, in ms, unless told otherwise: some
/// round trips, so that an exchange has ended when the next begins.
const ANTI_ENTROPY_MS: (u64, u64) = (50, 500);
/// How many rounds of anti-entropy lie between two puts, unless told otherwise: most updates are
/// everywhere by then.
const EVERY_ROUNDS: u64 = 10;
/// What the version vectors that replicas keep of their peers may take in memory, in bytes.
const VECTORS_BYTES_MAX: u64 = 2 << 30;

/// What is measured: every combination of what has several values.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// How many replicas there are in all.
    pub replicas: Vec<u16>,
    /// How many peers a rumour is pushed to.
    pub fanout: Vec<u16>,
    /// The chance that a message between replicas is lost, from 0 to below 1.
    pub loss: Vec<f64>,
    /// Into how many shards of equal size the replicas are parted.
    pub shards: Vec<u16>,
    /// How many sessions put.
    pub sessions: Vec<u32>,
    /// The mean time between two puts, in ms; ten rounds of anti-entropy when empty.
    pub every_ms: Vec<f64>,
    /// How far apart nodes are.
    pub topology: Topology,
    /// The time between two digests of one replica, in ms; what suits the topology when none.
    pub anti_entropy_ms: Option<u64>,
    /// How many puts there are in each seed.
    pub updates: u64,
    /// Bytes of each value.
    pub value_bytes: u32,
    /// What replicas promise for concurrent puts.
    pub lattice: Lattice,
    /// A known mistake to build the store with.
    pub bug: Option<Bug>,
}

impl Grid {
    /// Every combination, loss by loss and replicas last.
    ///
    /// # Errors
    /// The first combination that cannot be simulated, and why.
    pub fn scales(&self) -> anyhow::Result<Vec<Scale>> {
        let mut scales = Vec::new();
        for loss in &self.loss {
            for every_ms in self.every_ms() {
                for sessions in &self.sessions {
                    for shards in &self.shards {
                        for fanout in &self.fanout {
                            for replicas in &self.replicas {
                                let scale = Scale {
                                    fanout: *fanout,
                                    loss: *loss,
                                    sessions: *sessions,
                                    every_ms,
                                    ..self.scale(*replicas, *shards)?
                                };
                                scales.push(scale);
                            }
                        }
                    }
                }
            }
        }
        scales.iter().try_for_each(possible)?;
        Ok(scales)
    }

    /// What does not differ between combinations of one architecture.
    fn scale(&self, replicas: u16, shards: u16) -> anyhow::Result<Scale> {
        let architecture = architecture(replicas, shards)?;
        if let Some(bug) = self.bug {
            fits(bug, &architecture, self.lattice)?;
        }
        Ok(Scale {
            architecture,
            lattice: self.lattice,
            bug: self.bug,
            fanout: 0,
            anti_entropy_ms: self.anti_entropy_ms(),
            topology: self.topology,
            loss: 0.0,
            sessions: 0,
            updates: self.updates,
            every_ms: 0.0,
            value_bytes: self.value_bytes,
        })
    }

    fn anti_entropy_ms(&self) -> u64 {
        self.anti_entropy_ms.unwrap_or(match self.topology {
            Topology::Lan => ANTI_ENTROPY_MS.0,
            Topology::Wan => ANTI_ENTROPY_MS.1,
        })
    }

    fn every_ms(&self) -> Vec<f64> {
        if self.every_ms.is_empty() {
            return vec![(EVERY_ROUNDS * self.anti_entropy_ms()) as f64];
        }
        self.every_ms.clone()
    }
}

/// `shards` groups of equal size that have `replicas` nodes together.
fn architecture(replicas: u16, shards: u16) -> anyhow::Result<Architecture> {
    if !replicas.is_multiple_of(shards) || replicas / shards < 2 {
        return Err(anyhow!(
            "{replicas} replicas cannot be divided into {shards} shards: --shards takes divisors of \
             --replicas that leave each shard at least 2"
        ));
    }
    let group = Architecture::replicated(replicas / shards)?;
    Ok(if shards == 1 {
        group
    } else {
        Architecture::sharded(shards, group)?
    })
}

/// Whether a combination can be simulated.
fn possible(scale: &Scale) -> anyhow::Result<()> {
    if !(0.0..1.0).contains(&scale.loss) {
        return Err(anyhow!("--loss takes chances from 0 to below 1"));
    }
    if !(scale.every_ms >= 0.001 && scale.every_ms <= 1e6) {
        return Err(anyhow!("--every takes times from 0.001 to 1000000 ms"));
    }
    let (nodes, groups) = scale.groups();
    let group = nodes / groups;
    let entries = u64::from(group.min(scale.sessions));
    let bytes = u64::from(nodes) * u64::from(group) * entries * size_of::<u64>() as u64;
    if bytes > VECTORS_BYTES_MAX {
        return Err(anyhow!(
            "{group} replicas of a group that {} sessions put to would keep {} MiB of version \
             vectors: take fewer --replicas or fewer --sessions",
            scale.sessions,
            bytes >> 20
        ));
    }
    Ok(())
}
