//! Anti-entropy: what an operation has left undone is repaired by comparing digests with one peer
//! after the other (Demers et al., 1987; Merkle, 1987).
//!
//! A replica asks a peer for the digests of its groups of buckets, then for those of the buckets of
//! a group that differs, then for the puts of the buckets that differ. It keeps what is later than
//! its own. The peer does the same in its turn. One message is under way at a time, and a
//! comparison pulls a bounded number of chunks.
//!
//! Messages get lost, so a replica asks again after one round of its timer, two, four and so on. It
//! gives up a comparison that has not moved for so many rounds, and begins the next. How long an
//! answer takes it does not know: it waits twice as long as the last answer took, and twice as long
//! again each time that none came.

use super::registers::{FANOUT, differing};
use super::{Chunk, Effects, Quorum};
use crate::protocol::{NodeId, Pull, QuorumWords};

/// The most rounds of the timer that a replica waits for an answer.
const PATIENCE_MAX: u16 = 64;

/// How many rounds of the timer a replica waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Patience(u16);

impl Default for Patience {
    fn default() -> Self {
        Self(1)
    }
}

/// A comparison under way, as the one who began it knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Repair {
    peer: NodeId,
    waits_for: Awaited,
    /// The groups that differ and were not looked at, one bit each.
    groups: u64,
    /// How many chunks may still come.
    chunks: u16,
    /// Rounds of the timer since it moved last.
    waited: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Awaited {
    Digests(Option<u8>),
    Chunk(Pull),
}

impl Quorum {
    /// The timer fires: a comparison that moves goes on, and otherwise the next begins.
    pub(super) fn repair_or_wait<E: Effects>(&mut self, peer: NodeId, out: &mut E) {
        if let Some(repair) = &mut self.repair {
            repair.waited += 1;
            if repair.waited <= self.patience.0 {
                if repair.waited.is_power_of_two() {
                    let (peer, waits_for) = (repair.peer, repair.waits_for.clone());
                    self.ask_in_repair(peer, waits_for, out);
                }
                return;
            }
            self.patience.0 = (2 * self.patience.0).min(PATIENCE_MAX);
        }
        self.begin_repair(peer, out);
    }

    fn begin_repair<E: Effects>(&mut self, peer: NodeId, out: &mut E) {
        self.repair = Some(Repair {
            peer,
            waits_for: Awaited::Digests(None),
            groups: 0,
            chunks: self.settings.chunks_max,
            waited: 0,
        });
        self.ask_to_compare(peer, None, out);
    }

    /// Answers with digests, and with none if there is no difference.
    pub(super) fn compare<E: Effects>(
        &mut self,
        from: NodeId,
        group: Option<u8>,
        digest: u64,
        out: &mut E,
    ) {
        let is_group = group.is_none_or(|group| u16::from(group) < FANOUT);
        if !is_group || self.recovery.is_some() {
            return;
        }
        let digests = if self.registers.digest(group) == digest {
            Vec::new()
        } else {
            self.registers.digests(group)
        };
        self.send(from, QuorumWords::Digests { group, digests }, out);
    }

    pub(super) fn take_digests<E: Effects>(
        &mut self,
        from: NodeId,
        group: Option<u8>,
        digests: &[u64],
        out: &mut E,
    ) {
        let parts = if digests.is_empty() {
            0
        } else {
            differing(&self.registers.digests(group), digests)
        };
        let Some(repair) = self.awaited(from, &Awaited::Digests(group)) else {
            return;
        };
        match group {
            None => {
                repair.groups = parts;
                self.compare_next_group(out);
            }
            // It came to be equal meanwhile.
            Some(_) if parts == 0 => self.compare_next_group(out),
            Some(group) => {
                let pull = Pull {
                    part: Some((group, parts)),
                    after: None,
                };
                repair.waits_for = Awaited::Chunk(pull.clone());
                self.send(from, QuorumWords::Pull(pull), out);
            }
        }
    }

    pub(super) fn send_chunk<E: Effects>(&mut self, to: NodeId, pull: Pull, out: &mut E) {
        let is_group = pull.part.is_none_or(|(group, _)| u16::from(group) < FANOUT);
        if !is_group {
            return;
        }
        let (updates, more) = self.registers.chunk(&pull);
        let words = QuorumWords::Chunk {
            pull,
            updates,
            more,
            whole: self.recovery.is_none(),
        };
        self.send(to, words, out);
    }

    /// Goes on after a chunk.
    pub(super) fn take_chunk_of_repair<E: Effects>(
        &mut self,
        from: NodeId,
        chunk: Chunk,
        out: &mut E,
    ) {
        let part = chunk.pull.part;
        let Some(repair) = self.awaited(from, &Awaited::Chunk(chunk.pull)) else {
            return;
        };
        repair.chunks = repair.chunks.saturating_sub(1);
        if repair.chunks == 0 {
            self.repair = None;
        } else if chunk.more && chunk.last.is_some() {
            let after = chunk.last;
            let pull = Pull { part, after };
            repair.waits_for = Awaited::Chunk(pull.clone());
            self.send(from, QuorumWords::Pull(pull), out);
        } else {
            self.compare_next_group(out);
        }
    }

    fn compare_next_group<E: Effects>(&mut self, out: &mut E) {
        let Some(repair) = &mut self.repair else {
            return;
        };
        if repair.groups == 0 {
            self.repair = None;
            return;
        }
        let group = u8::try_from(repair.groups.trailing_zeros()).expect("less than 64");
        repair.groups &= repair.groups - 1;
        repair.waits_for = Awaited::Digests(Some(group));
        let peer = repair.peer;
        self.ask_to_compare(peer, Some(group), out);
    }

    fn ask_in_repair<E: Effects>(&mut self, peer: NodeId, what: Awaited, out: &mut E) {
        match what {
            Awaited::Digests(group) => self.ask_to_compare(peer, group, out),
            Awaited::Chunk(pull) => self.send(peer, QuorumWords::Pull(pull), out),
        }
    }

    fn ask_to_compare<E: Effects>(&mut self, peer: NodeId, group: Option<u8>, out: &mut E) {
        let digest = self.registers.digest(group);
        self.send(peer, QuorumWords::Compare { group, digest }, out);
    }

    /// The comparison with this peer, if this is what it waits for: it moves now.
    fn awaited(&mut self, peer: NodeId, what: &Awaited) -> Option<&mut Repair> {
        let repair = self.repair.as_mut();
        let repair = repair.filter(|repair| repair.peer == peer && repair.waits_for == *what)?;
        let waited = std::mem::take(&mut repair.waited);
        self.patience.0 = (2 * waited + 1).min(PATIENCE_MAX);
        Some(repair)
    }
}
