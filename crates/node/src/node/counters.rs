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
    /// Connections of peers accepted.
    pub peers_accepted: u64,
    /// Connections refused for who they were: certificate missing, foreign or not allowed.
    pub connections_refused: u64,
    /// Connections lost before they were established.
    pub handshakes_lost: u64,
    /// Connections closed for a frame that did not decode.
    pub frames_malformed: u64,
    /// Messages sent, as far as into a peer's queue.
    pub messages_out: u64,
    /// Their bytes.
    pub message_bytes_out: u64,
    /// Messages received.
    pub messages_in: u64,
    /// Their bytes.
    pub message_bytes_in: u64,
    /// Messages dropped because a peer's queue was full, or the message too long.
    pub messages_dropped: u64,
    /// Bytes of messages lost in queues when a connection broke.
    pub message_bytes_lost: u64,
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
    /// The size of its files, in bytes.
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

/// Ticks a second in which Linux tells other processes' CPU time, on every architecture.
const USER_HZ: u64 = 100;

impl Usage {
    /// Of another process of this machine, up to now, in steps of 10 ms of CPU time; none when
    /// there is no such process.
    #[must_use]
    pub fn of(process: u32) -> Option<Self> {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).ok();
        let (stat, status) = (read("stat")?, read("status")?);
        Some(Self {
            cpu_ns: ticks(&stat)? * (1_000_000_000 / USER_HZ),
            resident_bytes: kibibytes(&status, "VmRSS:") << 10,
            resident_bytes_max: kibibytes(&status, "VmHWM:") << 10,
        })
    }
}

/// User and system time of a process, in ticks, from `/proc/<pid>/stat` (proc(5)): the 14th and the
/// 15th field. The second, its name in brackets, may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
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

    #[test]
    fn usage_of_another_process_is_read_whatever_its_name_is() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 7 5 0 0 20 0 1 0 100 1 2";
        assert_eq!(ticks(stat), Some(12));
        assert_eq!(ticks("42 (x) S 1"), None);
        let own = Usage::of(std::process::id()).expect("this process is there");
        assert!(own.resident_bytes > 1 << 20);
        assert_eq!(Usage::of(u32::MAX), None);
    }
}
