//! How a replica that came back without its state comes to answer again.
//!
//! It asks every other replica for all that it has. Whoever answers has first taken in that the new
//! life began (`lives`), and names it from then on. Let a write be acknowledged by `write`
//! replicas, this one in an earlier life among them. Of any n − write + 1 others, one is among the
//! writers. If that one took the write before it answered, its state has the put. If it took it
//! afterwards, its acknowledgement names the new life, and the coordinator takes back the vote of
//! the earlier one. The same holds for what is known of lives, if any two sets of replicas that
//! answer recoveries have a member in common: so it takes more than half of the others, too.
//!
//! The others must not be recovering themselves. If all others have answered and too few are whole,
//! nobody has more: the replica goes on with what they hold, and what was acknowledged may be lost.

use std::collections::BTreeMap;

use super::{Chunk, Effects, NOTE_LIVES, NOTE_WHOLE, Quorum};
use crate::protocol::{NodeId, Origin, Pull, QuorumBody, QuorumWords};

/// Bytes of a life in a note.
const LIFE_BYTES: usize = 4;

/// The states of others on their way in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Recovery(BTreeMap<NodeId, Transfer>);

/// A state on its way in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Transfer {
    /// Which life of its sender sends it.
    incarnation: u16,
    /// The last key that has come.
    after: Option<Box<[u8]>>,
    /// Whether the sender was whole when it sent the first of it.
    whole: bool,
    done: bool,
}

impl Quorum {
    /// Asks all others for what they have, if it came back without its own.
    pub(super) fn begin_recovery<E: Effects>(&mut self, out: &mut E) {
        if self.recovery.is_none() {
            return;
        }
        self.ask_for_states_again(out);
        self.set_retry_timer(out);
        self.end_recovery_if_enough(out);
    }

    /// Asks those whose state has not come, and those who were not whole when it came.
    pub(super) fn ask_for_states_again<E: Effects>(&mut self, out: &mut E) {
        let Some(recovery) = &self.recovery else {
            return;
        };
        let missing = |node: &NodeId| {
            let state = recovery.0.get(node);
            state.is_none_or(|state| !state.done || !state.whole)
        };
        let missing: Vec<NodeId> = self.peers.nodes().filter(missing).collect();
        for node in missing {
            self.ask_for_state(node, out);
        }
    }

    /// Goes on after a chunk.
    pub(super) fn take_chunk_of_recovery<E: Effects>(
        &mut self,
        from: NodeId,
        chunk: Chunk,
        out: &mut E,
    ) {
        let incarnation = self.lives.of(from);
        let Some(recovery) = &mut self.recovery else {
            return;
        };
        if !chunk.to_this_life {
            // It was sent to an earlier life: its sender may have taken writes since whose
            // acknowledgements that life's votes are part of.
            return;
        }
        let transfer = recovery.0.entry(from).or_default();
        let starts = chunk.pull.after.is_none();
        let came_to_be_whole = starts && transfer.done && !transfer.whole && chunk.whole;
        if transfer.incarnation != incarnation || came_to_be_whole {
            *transfer = Transfer {
                incarnation,
                ..Transfer::default()
            };
        }
        let continues = chunk.pull.part.is_none() && chunk.pull.after == transfer.after;
        if transfer.done || !continues {
            return;
        }
        if starts {
            transfer.whole = chunk.whole;
        }
        if chunk.more && chunk.last.is_some() {
            transfer.after = chunk.last;
            self.ask_for_state(from, out);
        } else {
            transfer.done = true;
            self.end_recovery_if_enough(out);
        }
    }

    /// Takes in what a message says of lives. Whoever began a new one has lost what the earlier one
    /// had: the votes of that no longer count.
    pub(super) fn learn_lives<E: Effects>(
        &mut self,
        from: NodeId,
        incarnation: u16,
        body: &QuorumBody,
        out: &mut E,
    ) {
        let mut news = false;
        let sender = Origin::new(from, incarnation);
        for life in body.lives.iter().copied().chain([sender]) {
            if !self.is_member(life.node()) || !self.lives.learn(life) {
                continue;
            }
            news = true;
            self.pending
                .forget_earlier_lives(life.node(), life.incarnation());
            if let Some(recovery) = &mut self.recovery {
                recovery.0.remove(&life.node());
            }
        }
        if news {
            let lives = self.lives.list();
            let bytes: Vec<u8> = lives
                .iter()
                .flat_map(|life| life.as_u32().to_le_bytes())
                .collect();
            Self::note(NOTE_LIVES, &bytes, out);
        }
    }

    pub(super) fn restore_lives(&mut self, note: &[u8]) {
        for life in note.chunks_exact(LIFE_BYTES) {
            let life = u32::from_le_bytes(life.try_into().expect("four bytes"));
            self.lives.learn(Origin::from_u32(life));
        }
    }

    fn ask_for_state<E: Effects>(&mut self, node: NodeId, out: &mut E) {
        let transfers = self.recovery.as_ref().map(|recovery| &recovery.0);
        let transfer = transfers.and_then(|transfers| transfers.get(&node));
        let pull = Pull {
            part: None,
            // From the start where all of it has come, and is wanted again.
            after: transfer
                .filter(|transfer| !transfer.done)
                .and_then(|transfer| transfer.after.clone()),
        };
        self.send(node, QuorumWords::Pull(pull), out);
    }

    fn end_recovery_if_enough<E: Effects>(&mut self, out: &mut E) {
        let Some(recovery) = &self.recovery else {
            return;
        };
        let done = recovery.0.values().filter(|state| state.done);
        let whole = done.clone().filter(|state| state.whole).count();
        let others = self.peers.len();
        let replicas = u16::try_from(others + 1).expect("bounded by REPLICAS_MAX");
        let needed = usize::from(self.rule.recovers_from(replicas));
        if whole >= needed || done.count() == others {
            self.recovery = None;
            self.counters.transfers += 1;
            Self::note(NOTE_WHOLE, &[], out);
        }
    }
}
