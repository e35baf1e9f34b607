//! Linearizable registers as a specification: one part a key, since operations touch one key.
//!
//! Values are unique, so a put may only come once every get of the current value has been taken. A
//! put is taken at once when it and all the gets that read it may come now: the whole block moves
//! forward past nothing that had to precede it. Otherwise the next put is the one whose value the
//! earliest return waits for: any other would have had to be finished before that return, and would
//! have been taken already.

use super::super::index::Index;
use super::{Part, Specification, Step};
use crate::history::Kind;

/// The cluster of the initial value.
const INITIAL: u32 = 0;

/// A value: its put and the gets that read it.
#[derive(Clone, Copy, Debug, Default)]
struct Cluster {
    latest_invoke: u64,
    gets: u32,
}

#[derive(Debug, Default)]
struct Register {
    /// Each operation's cluster, and whether it is a put.
    ops: Vec<(u32, bool)>,
    clusters: Vec<Cluster>,
}

/// The registers of all keys.
pub(super) struct Registers {
    keys: Vec<Register>,
}

/// The value that is current, and how many gets of it are still to be taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Current {
    cluster: u32,
    gets: u32,
}

/// What an order of a key has to explain.
pub(super) fn rows(index: &Index<'_>, key: u32) -> Vec<u32> {
    let rows = index.by_key.at(key as usize).iter().copied();
    rows.filter(|row| index.is_known_get(*row as usize) || index.is_effective_put(*row as usize))
        .collect()
}

/// Splits a history by keys, of which those are left out where times do not give the order of a
/// session.
///
/// # Errors
/// When a get returned several values.
pub(super) fn build(index: &Index<'_>) -> Result<(Registers, Vec<Part>), String> {
    let (mut keys, mut parts) = (Vec::new(), Vec::new());
    for key in 0..index.by_key.len() as u32 {
        let rows = rows(index, key);
        if let Some(row) = rows
            .iter()
            .find(|row| index.columns.read.at(**row as usize).len() > 1)
        {
            return Err(format!(
                "{} returned several values, a register holds one",
                index.name(*row as usize)
            ));
        }
        if index.has_untold_ties_on(key) {
            continue;
        }
        let times = |row| (index.fine_invoke(row), index.fine_return(row));
        let part = Part::new(index, &rows, times, false);
        keys.push(register(index, &part));
        parts.push(part);
    }
    Ok((Registers { keys }, parts))
}

fn register(index: &Index<'_>, part: &Part) -> Register {
    let mut register = Register {
        ops: Vec::new(),
        clusters: vec![Cluster::default()],
    };
    let mut puts = Vec::new();
    for op in &part.ops {
        if index.columns.kind[op.row as usize] == Kind::Put {
            puts.push((op.row, register.clusters.len() as u32));
            register.clusters.push(Cluster {
                latest_invoke: op.invoke,
                gets: 0,
            });
        }
    }
    puts.sort_unstable();
    let cluster_of = |put: u32| {
        puts.binary_search_by_key(&put, |(row, _)| *row)
            .ok()
            .map(|place| puts[place].1)
    };
    for op in &part.ops {
        let row = op.row as usize;
        if let Some(cluster) = cluster_of(op.row) {
            register.ops.push((cluster, true));
            continue;
        }
        // A get of what nobody put has a cluster that is never current.
        let cluster = match index.puts_read(row) {
            [] => INITIAL,
            [put, ..] => cluster_of(*put).unwrap_or(u32::MAX),
        };
        if let Some(cluster) = register.clusters.get_mut(cluster as usize) {
            cluster.gets += 1;
            cluster.latest_invoke = cluster.latest_invoke.max(op.invoke);
        }
        register.ops.push((cluster, false));
    }
    register
}

impl Specification for Registers {
    type Memory = Current;

    fn start(&self, part: usize) -> Current {
        let initial = self
            .keys
            .get(part)
            .map(|register| register.clusters[INITIAL as usize]);
        Current {
            cluster: INITIAL,
            gets: initial.unwrap_or_default().gets,
        }
    }

    fn step(
        &self,
        part: usize,
        memory: &Current,
        op: usize,
        first: Option<usize>,
        deadline: u64,
    ) -> Step {
        let register = &self.keys[part];
        let (cluster, is_put) = register.ops[op];
        if !is_put {
            return if cluster == memory.cluster {
                Step::Now
            } else {
                Step::No
            };
        }
        if memory.gets > 0 {
            return Step::No;
        }
        let waited_for = first.is_some_and(|first| register.ops[first].0 == cluster);
        if register.clusters[cluster as usize].latest_invoke <= deadline {
            Step::Now
        } else if waited_for {
            Step::Last
        } else {
            Step::No
        }
    }

    fn take(&self, part: usize, memory: &mut Current, op: usize) {
        let register = &self.keys[part];
        let (cluster, is_put) = register.ops[op];
        if is_put {
            *memory = Current {
                cluster,
                gets: register.clusters[cluster as usize].gets,
            };
        } else {
            memory.gets -= 1;
        }
    }
}
