//! What a node counts, and what it uses of the machine.

use serde::{Deserialize, Serialize};

/// Counted since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Requests decoded.
    pub requests: u64,
    /// Responses given, late and immediate, refusals included.
    pub responses: u64,
    /// Responses whose connection had gone.
    pub responses_undeliverable: u64,
    /// Responses that were longer than a frame may be, and were answered as refused instead.
    pub responses_too_long: u64,
    /// Client connections accepted.
    pub clients_accepted: u64,
    /// Gossip connections accepted.
    pub peers_accepted: u64,
    /// Connections refused for who they were: certificate missing, foreign or not allowed.
    pub connections_refused: u64,
    /// Connections lost before they were established.
    pub handshakes_lost: u64,
    /// Connections closed for a frame that did not decode.
    pub frames_malformed: u64,
    /// Gossip messages sent, as far as into a peer's queue.
    pub gossip_out: u64,
    /// Their bytes.
    pub gossip_out_bytes: u64,
    /// Gossip messages received.
    pub gossip_in: u64,
    /// Their bytes.
    pub gossip_in_bytes: u64,
    /// Gossip messages dropped because a peer's queue was full, or the message too long.
    pub gossip_dropped: u64,
    /// Bytes of gossip lost in queues when a connection broke.
    pub gossip_lost_bytes: u64,
    /// Times that a connection to a peer was established.
    pub peers_dialled: u64,
    /// Times that dialling a peer failed.
    pub dials_failed: u64,
}

/// What a node's disk did since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUsage {
    /// Batches that were made durable.
    pub commits: u64,
    /// Changes that they held.
    pub changes: u64,
    /// How long half of the commits took at most, in ns.
    pub commit_ns_p50: u64,
    /// How long 99 in 100 of them took at most, in ns.
    pub commit_ns_p99: u64,
    /// The size of the file, in bytes.
    pub file_bytes: u64,
    /// Keys that were found again when the node started.
    pub keys_restored: u64,
    /// How long that took, in ns.
    pub restore_ns: u64,
}

/// What a node has used of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time of all its threads, in ns.
    pub cpu_ns: u64,
    /// Memory resident now, in bytes; 0 where the system does not say.
    pub resident_bytes: u64,
    /// The most that was resident at once, in bytes; 0 where the system does not say.
    pub resident_bytes_max: u64,
}

impl Usage {
    /// Of this process, up to now.
    #[must_use]
    pub fn now() -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Self {
            cpu_ns: nanoseconds(cpu.tv_sec, cpu.tv_nsec),
            resident_bytes: kibibytes(&status, "VmRSS:") << 10,
            resident_bytes_max: kibibytes(&status, "VmHWM:") << 10,
        }
    }
}

fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    u64::try_from(total).unwrap_or_default()
}

fn kibibytes(status: &str, field: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_from_what_the_system_says() {
        let status = "Name:\tx\nVmHWM:\t   2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), 1024);
        assert_eq!(kibibytes(status, "VmHWM:"), 2048);
        assert_eq!(kibibytes(status, "VmSwap:"), 0);
        let usage = Usage::now();
        assert!(usage.cpu_ns > 0);
        assert!(usage.resident_bytes > 1 << 20);
        assert!(usage.resident_bytes_max >= usage.resident_bytes);
    }
}
