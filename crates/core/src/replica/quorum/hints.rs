//! Hinted hand-off (DeCandia and others, *Dynamo: Amazon's highly available key-value store*, 2007,
//! section 4.6): in a sloppy quorum a spare holds a put for a replica that does not answer, its
//! home, and hands it over when that can be reached.
//!
//! The spare counts as one of those who have the put. It answers no reads, so that what a put
//! counted on need not be what the next get asks.

use std::collections::BTreeMap;

use super::registers::version_of;
use super::{Quorum, kept};
use crate::bug::Bug;
use crate::protocol::{Dot, NodeId, PAYLOAD_BYTES_MAX, QuorumWords, Record, Update};
use crate::replica::{Effects, Persist};

/// Bytes of a home before a key that is kept.
const HOME_BYTES: usize = 2;

/// What a spare holds: of each home and key the put of the largest version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Hints {
    puts: BTreeMap<(NodeId, Box<[u8]>), Update>,
    /// Bytes of their records.
    bytes: u64,
    /// The home that it handed over to last.
    last: Option<NodeId>,
}

impl Hints {
    pub(super) fn len(&self) -> usize {
        self.puts.len()
    }

    pub(super) fn updates(&self) -> impl Iterator<Item = &Update> {
        self.puts.values()
    }

    /// The same in a process that has just started.
    pub(super) fn come_back(&mut self) {
        self.last = None;
    }

    /// Holds a put unless it holds a later one. Whether it holds it now.
    pub(super) fn hold(&mut self, home: NodeId, update: Update) -> bool {
        let key = (home, update.record.key().into());
        let before = self.puts.get(&key);
        if before.is_some_and(|before| version_of(before.dot) >= version_of(update.dot)) {
            return false;
        }
        self.bytes += update.record.packed_len() as u64;
        if let Some(before) = self.puts.insert(key, update) {
            self.bytes -= before.record.packed_len() as u64;
        }
        true
    }

    /// Lets a put go if it is of this version or an earlier one. Whether it did.
    fn release(&mut self, home: NodeId, key: &[u8], version: Dot) -> bool {
        let key = (home, key.into());
        let held = self.puts.get(&key);
        if held.is_none_or(|held| version_of(held.dot) > version_of(version)) {
            return false;
        }
        let gone = self.puts.remove(&key).expect("it is held");
        self.bytes -= gone.record.packed_len() as u64;
        true
    }

    /// Lets all go that it holds of a key for a home.
    fn forget(&mut self, home: NodeId, key: &[u8]) {
        if let Some(gone) = self.puts.remove(&(home, key.into())) {
            self.bytes -= gone.record.packed_len() as u64;
        }
    }

    /// The next home that it holds anything for, in turn.
    fn next_home(&self) -> Option<NodeId> {
        let from = |home: u16| self.puts.range((NodeId(home), Box::default())..).next();
        let after = self.last.map_or(0, |last| last.0 + 1);
        let next = from(after).or_else(|| from(0));
        next.map(|((home, _), _)| *home)
    }

    /// What it holds for a home: at most [`PAYLOAD_BYTES_MAX`], unless one alone is larger.
    fn chunk(&self, home: NodeId) -> Vec<Update> {
        let mut bytes = 0;
        let of_home = self.puts.range((home, Box::default())..);
        let of_home = of_home.take_while(|((other, _), _)| *other == home);
        let fits = |(place, (_, update)): (usize, (_, &Update))| {
            bytes += update.record.packed_len();
            (place == 0 || bytes <= PAYLOAD_BYTES_MAX).then(|| update.clone())
        };
        of_home.enumerate().map_while(fits).collect()
    }

    fn find(&self, home: NodeId, key: &[u8]) -> Option<&Update> {
        self.puts.get(&(home, key.into()))
    }
}

impl Quorum {
    /// Whether it only holds what is for others.
    pub(super) fn is_spare(&self) -> bool {
        self.spares.contains(&self.origin.node())
    }

    /// Asks spares to stand in for these replicas. Coordinators begin with different ones, and go on
    /// to the next each time: a spare may be gone as well.
    pub(super) fn ask_spares<E: Effects>(&mut self, name: u64, homes: &[NodeId], out: &mut E) {
        let pended = self.pending.get(name).expect("it is under way");
        let (Some(update), true) = (pended.written(), pended.is_put) else {
            return;
        };
        let operation = Dot::new(self.origin, name);
        let attempt = pended.looks.checked_ilog2().unwrap_or(0) as usize;
        let start = attempt + usize::from(self.origin.node().0);
        let mut hints = Vec::new();
        for (place, home) in self.peers.nodes().enumerate() {
            let spares = self.spares.len();
            let chosen = (place + start).checked_rem(spares).unwrap_or(0);
            let is_lacking = homes.contains(&home) && !pended.has_vote_for(home);
            let stands_in = |spare: &&NodeId| is_lacking && !pended.has_vote_of(**spare);
            if let Some(spare) = self.spares.get(chosen).filter(stands_in) {
                let update = update.clone();
                let words = QuorumWords::Hint {
                    operation,
                    home,
                    update,
                };
                hints.push((*spare, words));
            }
        }
        for (spare, words) in hints {
            self.send(spare, words, out);
        }
    }

    /// A spare: holds a put for another. It does not answer for what it has no room for.
    pub(super) fn take_hint<E: Effects>(
        &mut self,
        from: NodeId,
        operation: Dot,
        home: NodeId,
        update: Update,
        out: &mut E,
    ) {
        let held = self.hints.find(home, update.record.key());
        let bytes_held = held.map_or(0, |held| held.record.packed_len() as u64);
        let bytes = self.hints.bytes - bytes_held + update.record.packed_len() as u64;
        let has_room = bytes <= self.settings.hint_bytes_max
            && (held.is_some() || self.hints.len() < self.settings.hints_max as usize);
        if !self.is_spare() || !self.peers.contains(home) || !has_room {
            return self.ignore_message();
        }
        let change = kept(update.dot, &update.record);
        let key = name_of(home, update.record.key());
        if self.hints.hold(home, update) {
            Self::record(key, change, out);
        }
        self.send(from, QuorumWords::Written { operation, home }, out);
    }

    /// A spare's timer: tells the next home what is held for it.
    pub(super) fn hand_over<E: Effects>(&mut self, out: &mut E) {
        if let Some(home) = self.hints.next_home() {
            self.hints.last = Some(home);
            self.hand_over_to(home, out);
        }
    }

    fn hand_over_to<E: Effects>(&mut self, home: NodeId, out: &mut E) {
        let updates = self.hints.chunk(home);
        if updates.is_empty() {
            return;
        }
        if self.bug == Some(Bug::HintExpires) {
            for update in &updates {
                self.hints.forget(home, update.record.key());
                Self::record(name_of(home, update.record.key()), Vec::new(), out);
            }
            return;
        }
        self.send(home, QuorumWords::HandOver { updates }, out);
    }

    /// A home: takes what was held for it.
    pub(super) fn take_hand_over<E: Effects>(
        &mut self,
        from: NodeId,
        updates: Vec<Update>,
        out: &mut E,
    ) {
        let mut puts = Vec::with_capacity(updates.len());
        for update in updates {
            puts.push((update.record.key().into(), update.dot));
            self.keep(update, out);
        }
        self.send(from, QuorumWords::HandedOver { puts }, out);
    }

    /// A spare: lets go what its home has, and goes on with what is left.
    pub(super) fn take_handed_over<E: Effects>(
        &mut self,
        home: NodeId,
        puts: &[(Box<[u8]>, Dot)],
        out: &mut E,
    ) {
        let mut any = false;
        for (key, version) in puts {
            if self.hints.release(home, key, *version) {
                any = true;
                Self::record(name_of(home, key), Vec::new(), out);
            }
        }
        if any {
            self.hand_over_to(home, out);
        }
    }

    /// Whether it holds this put, or a later one of its key, for anybody.
    pub(super) fn holds_hint(&self, key: &[u8], version: Dot) -> bool {
        let mut held = self
            .peers
            .nodes()
            .filter_map(|home| self.hints.find(home, key));
        held.any(|held| version_of(held.dot) >= version_of(version))
    }

    /// What a spare has kept under this name.
    pub(super) fn kept_hint(&self, name: &[u8]) -> Option<Vec<u8>> {
        let (home, key) = home_and_key(name)?;
        let update = self.hints.find(home, key)?;
        Some(kept(update.dot, &update.record))
    }

    /// Takes back what a spare has kept; nothing when it let it go.
    pub(super) fn restore_hint(&mut self, name: &[u8], put: Option<(Dot, &[u8])>) {
        let (home, key) = home_and_key(name).expect("it was kept under such a name");
        let Some((dot, value)) = put else {
            return self.hints.forget(home, key);
        };
        let update = Update {
            dot,
            time: dot.counter(),
            record: Record::new(key, dot.origin(), &[], value),
        };
        self.hints.hold(home, update);
    }

    fn record<E: Effects>(key: Vec<u8>, value: Vec<u8>, out: &mut E) {
        out.persist(&Persist::Record {
            key: key.into(),
            value: value.into(),
        });
    }
}

fn name_of(home: NodeId, key: &[u8]) -> Vec<u8> {
    [&home.0.to_be_bytes()[..], key].concat()
}

fn home_and_key(name: &[u8]) -> Option<(NodeId, &[u8])> {
    let (home, key) = name.split_first_chunk::<HOME_BYTES>()?;
    Some((NodeId(u16::from_be_bytes(*home)), key))
}
