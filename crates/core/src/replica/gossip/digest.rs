//! Anti-entropy: replicas compare what they have applied, and send what the other lacks.

use super::Gossip;
use super::apply::{in_messages, message_bytes};
use super::log::TooFarBehind;
use crate::bug::Bug;
use crate::protocol::{GossipBody, NodeId, Update};
use crate::replica::Effects;
use crate::values::{Value, VectorClock};

/// How many bytes of updates answer one digest; what is beyond comes with the next.
const ANSWER_BYTES_MAX: usize = 1 << 20;

impl<V: Value> Gossip<V> {
    pub(super) fn send_digest<E: Effects>(&mut self, to: NodeId, ask: bool, out: &mut E) {
        let body = GossipBody::Digest {
            vector: self.applied.to_vector(),
            ends: self.ends.values().cloned().collect(),
            ask,
        };
        self.send(to, body, out);
    }

    /// Sends the peer what it lacks, and this replica's digest if it asked: it answers in turn.
    pub(super) fn answer_digest<E: Effects>(
        &mut self,
        from: NodeId,
        has: &VectorClock,
        ask: bool,
        out: &mut E,
    ) {
        self.end_transfer_when_received(from, has);
        match self.missing(has) {
            _ if self.bug == Some(Bug::NoRepair) => {}
            Ok(updates) => {
                for message in in_messages(updates) {
                    self.send_updates(from, false, message, out);
                }
            }
            Err(TooFarBehind) => self.offer_state(from, out),
        }
        if ask {
            self.send_digest(from, false, out);
        }
    }

    fn missing(&self, has: &VectorClock) -> Result<Vec<Update>, TooFarBehind> {
        let mut bytes = 0;
        let updates = self.log.missing(&self.applied, has)?.take_while(|update| {
            let fits = bytes < ANSWER_BYTES_MAX;
            bytes += message_bytes(update);
            fits
        });
        Ok(updates.cloned().collect())
    }
}
