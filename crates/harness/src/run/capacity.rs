//! Whether this machine can hold a deployment: answered before anything starts, from what the
//! system can tell at once.

use rustix::process::{Resource, getrlimit};

use kvs_core::server::Architecture;
use kvs_measure::Machine;

/// The memory of a node that holds next to nothing, in bytes: 12 MiB when it was measured.
const NODE_BYTES: u64 = 12 << 20;
/// What each connection to a peer adds, in bytes: 0.2 to 0.4 MiB when it was measured.
const PEER_BYTES: u64 = 300 << 10;
/// Files that this program has open for each node: its pipes, its process, its log.
const FILES_A_NODE: u64 = 4;
/// And for itself.
const FILES_OF_ITS_OWN: u64 = 64;
/// Nodes that a core starts in time.
const NODES_A_CORE: u64 = 100;
/// Connections between nodes that a core makes in time, each with a handshake at both ends: where
/// there are many more, those that wait are given up and begun anew.
const CONNECTIONS_A_CORE: u64 = 500;

/// What a machine can hold. What could not be found out bounds nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    cores: u64,
    memory_bytes: Option<u64>,
    files: Option<u64>,
    processes: Option<u64>,
}

/// What a deployment takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Burden {
    nodes: u64,
    /// Each node dials each other of its group.
    connections: u64,
}

/// Whether a machine holds a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Capacity {
    /// As far as can be told.
    Enough,
    /// It may not start in time, for this reason.
    Strained(String),
    /// It cannot, for this reason.
    Short(String),
}

impl Capacity {
    /// Whether this machine holds `architecture`.
    #[must_use]
    pub fn of(architecture: &Architecture) -> Self {
        Self::judge(architecture, burden(architecture), Room::probe())
    }

    fn judge(architecture: &Architecture, burden: Burden, room: Room) -> Self {
        let Burden { nodes, connections } = burden;
        let simulated = "`kvs-bench sim` and `kvs-bench scale` simulate that many";
        let short = |what: &str, takes: String, there_is: String| {
            Self::Short(format!(
                "{architecture} is too large for this machine: its {nodes} nodes take about {takes} \
                 of {what}, and there are {there_is}; {simulated}"
            ))
        };
        let bytes = nodes * NODE_BYTES + connections * PEER_BYTES;
        if let Some(available) = room.memory_bytes
            && bytes > available
        {
            return short("memory", mebibytes(bytes), mebibytes(available));
        }
        let files = nodes * FILES_A_NODE + FILES_OF_ITS_OWN;
        if let Some(limit) = room.files
            && files > limit
        {
            return short(
                "open files",
                files.to_string(),
                format!("{limit} (ulimit -n)"),
            );
        }
        if let Some(limit) = room.processes
            && nodes > limit
        {
            return short(
                "processes",
                nodes.to_string(),
                format!("{limit} (ulimit -u)"),
            );
        }
        if nodes > room.cores * NODES_A_CORE || connections > room.cores * CONNECTIONS_A_CORE {
            return Self::Strained(format!(
                "{architecture} has {nodes} nodes with {connections} connections between them, and {} \
                 cores start about {} and {} in time: some may not answer; {simulated}",
                room.cores,
                room.cores * NODES_A_CORE,
                room.cores * CONNECTIONS_A_CORE
            ));
        }
        Self::Enough
    }
}

impl Room {
    fn probe() -> Self {
        let limit = |resource| getrlimit(resource).current;
        Self {
            cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
            memory_bytes: Machine::memory_available_bytes(),
            files: limit(Resource::Nofile),
            processes: limit(Resource::Nproc),
        }
    }
}

fn burden(architecture: &Architecture) -> Burden {
    let groups = architecture.groups();
    let sizes = || groups.iter().map(|group| group.len() as u64);
    Burden {
        nodes: sizes().sum(),
        connections: sizes().map(|nodes| nodes * (nodes - 1)).sum(),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room {
        cores: 2,
        memory_bytes: Some(24 << 30),
        files: Some(20_000),
        processes: Some(90_000),
    };

    fn judged(architecture: &str, room: Room) -> Capacity {
        let architecture: Architecture = architecture.parse().expect("an architecture");
        Capacity::judge(&architecture, burden(&architecture), room)
    }

    #[track_caller]
    fn short(architecture: &str, room: Room, told: &str) {
        let Capacity::Short(why) = judged(architecture, room) else {
            panic!("{architecture} fits {room:?}")
        };
        assert!(why.contains(told) && why.contains("kvs-bench sim"), "{why}");
    }

    #[test]
    fn what_a_machine_cannot_hold_is_told_with_what_it_holds() {
        short(
            "replicated(1000)",
            ROOM,
            "of memory, and there are 24576 MiB",
        );
        let few_files = Room {
            files: Some(256),
            ..ROOM
        };
        short("sharded(64)", few_files, "256 (ulimit -n)");
        let few_processes = Room {
            processes: Some(50),
            ..ROOM
        };
        short("sharded(64)", few_processes, "50 (ulimit -u)");
        assert_eq!(judged("sharded(64)", ROOM), Capacity::Enough, "the control");
    }

    #[test]
    fn more_connections_than_cores_make_in_time_are_warned_of() {
        let Capacity::Strained(why) = judged("replicated(64)", ROOM) else {
            panic!("two cores are few")
        };
        assert!(why.contains("4032 connections"), "{why}");
        let many_cores = Room { cores: 64, ..ROOM };
        assert_eq!(judged("replicated(64)", many_cores), Capacity::Enough);
        for usual in ["local", "sharded", "sharded_replicated", "replicated(24)"] {
            assert_eq!(judged(usual, ROOM), Capacity::Enough, "{usual}");
        }
    }

    #[test]
    fn what_is_not_known_bounds_nothing() {
        let unknown = Room {
            memory_bytes: None,
            files: None,
            processes: None,
            ..ROOM
        };
        let judged = judged("replicated(1000)", unknown);
        assert!(matches!(judged, Capacity::Strained(_)), "{judged:?}");
    }
}
