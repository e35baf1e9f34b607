//! What a replica does as one of a quorum that another coordinates.
//!
//! A replica that is recovering keeps what it is sent and answers nothing: an answer counts.

use super::Quorum;
use super::registers::version_of;
use crate::protocol::{Dot, NodeId, QuorumWords, Update};
use crate::replica::Effects;

impl Quorum {
    pub(super) fn answer_query<E: Effects>(
        &mut self,
        from: NodeId,
        operation: Dot,
        key: &[u8],
        above: Option<Dot>,
        out: &mut E,
    ) {
        if self.recovery.is_some() {
            return;
        }
        let put = self.registers.find(key);
        let version = put.map_or_else(Dot::default, |put| put.dot);
        let is_wanted = above.is_some_and(|above| version_of(version) > version_of(above));
        let words = QuorumWords::Answer {
            operation,
            version,
            update: put.filter(|_| is_wanted).map(|put| put.to_update()),
        };
        self.send(from, words, out);
    }

    pub(super) fn take_write<E: Effects>(
        &mut self,
        from: NodeId,
        operation: Dot,
        update: Update,
        out: &mut E,
    ) {
        self.keep(update, out);
        if self.recovery.is_none() {
            let home = self.origin.node();
            self.send(from, QuorumWords::Written { operation, home }, out);
        }
    }
}
