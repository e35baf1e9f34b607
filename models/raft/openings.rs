//! How models of Raft begin, in the words of their actions: what a fixed schedule has brought about
//! already need not be explored again.

use crate::adapter::ALL_IS_LOST;

/// The first node leads, and all have its first entry.
pub(super) const LED: &[&str] = &[
    "n0 ticks",
    "n0 -> n1 ask for a vote",
    "n1 -> n0 vote",
    "n0 -> n1 append",
    "n0 -> n2 append",
    "n1 -> n0 appended",
    "n2 -> n0 appended",
    ALL_IS_LOST,
];
/// The first node leads, and the third has heard nothing of it.
pub(super) const LED_BY_TWO: &[&str] = &[
    "n0 ticks",
    "n0 -> n1 ask for a vote",
    "n1 -> n0 vote",
    "n0 -> n1 append",
    "n1 -> n0 appended",
    ALL_IS_LOST,
];
/// The first node leads nodes with disks, and all have its first entry there.
pub(super) const LED_ON_DISKS: &[&str] = &[
    "n0 syncs a change",
    "n1 syncs a change",
    "n2 syncs a change",
    "n0 ticks",
    "n0 syncs a change",
    "n0 -> n1 ask for a vote",
    "n1 syncs a change",
    "n1 syncs a change",
    "n1 -> n0 vote",
    "n0 syncs a change",
    "n0 -> n1 append",
    "n1 syncs a change",
    "n0 -> n2 append",
    "n2 syncs a change",
    "n2 syncs a change",
    "n1 -> n0 appended",
    "n2 -> n0 appended",
    ALL_IS_LOST,
];
/// The second node has voted for the first, and neither its term nor its vote is durable.
pub(super) const VOTED: &[&str] = &[
    "n0 syncs a change",
    "n1 syncs a change",
    "n2 syncs a change",
    "n0 ticks",
    "n0 syncs a change",
    "n0 -> n1 ask for a vote",
    ALL_IS_LOST,
];
/// The second node has voted for the first, and the third will be asked.
pub(super) const ASKED: &[&str] = &[
    "n0 syncs a change",
    "n1 syncs a change",
    "n2 syncs a change",
    "n0 ticks",
    "n0 syncs a change",
    "n0 -> n1 ask for a vote",
];
/// After that the first client's put is committed with the second node's help.
pub(super) const PUT: &[&str] = &[
    "client 0 asks",
    "n0 -> n1 append",
    "n1 -> n0 appended",
    ALL_IS_LOST,
];
/// After that the first client's get is answered, when the clock reads 1.
pub(super) const GOT: &[&str] = &[
    "client 0 asks at 1",
    "n0 -> n1 append",
    "n1 -> n0 appended",
    ALL_IS_LOST,
];
/// After that the third node votes for the second, which does not know yet.
pub(super) const TURN: &[&str] = &["n1 ticks", "n1 -> n2 ask for a vote"];
/// After that the second leads and has committed its first entry. The first has heard nothing.
pub(super) const TURNED: &[&str] = &[
    "n2 -> n1 vote",
    "n1 -> n2 append",
    "n2 -> n1 appended",
    ALL_IS_LOST,
];
/// The first node has led in term 1 and the third in term 2, and each has an entry that nobody else
/// has. Now the first leads again (Ongaro, Ousterhout, 2014, figure 8).
pub(super) const FIGURE_8: &[&str] = &[
    "n0 ticks",
    "n0 -> n1 ask for a vote",
    "n1 -> n0 vote",
    "n0 -> n2 ask for a vote",
    "n2 ticks",
    "n2 -> n1 ask for a vote",
    "n1 -> n2 vote",
    "n2 -> n0 ask for a vote",
    "n0 ticks",
    "n0 -> n1 ask for a vote",
    "n1 -> n0 vote",
    "n0 -> n2 ask for a vote",
    ALL_IS_LOST,
];
