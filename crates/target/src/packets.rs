//! How strong the faults of packets are, the same for every target.

use kvs_load::nemesis::PacketFault;
use kvs_place::network::PacketFaults;

/// The strength of packet faults: Jepsen's.
const CHANCE: f64 = 0.2;
const DELAY_NS: u64 = 50_000_000;
const JITTER_NS: u64 = 10_000_000;
const BYTES_PER_S: u64 = 125_000;

/// What becomes of packets under all of these faults at once.
#[must_use]
pub fn packet_faults(faults: &[PacketFault]) -> PacketFaults {
    let mut sent = PacketFaults::default();
    for fault in faults {
        match fault {
            PacketFault::Delay => (sent.delay_ns, sent.jitter_ns) = (DELAY_NS, JITTER_NS),
            PacketFault::Loss => sent.loss = CHANCE,
            PacketFault::Duplicate => sent.duplicate = CHANCE,
            PacketFault::Reorder => sent.reorder = CHANCE,
            PacketFault::Corrupt => sent.corrupt = CHANCE,
            PacketFault::Rate => sent.bytes_per_s = BYTES_PER_S,
        }
    }
    sent
}
