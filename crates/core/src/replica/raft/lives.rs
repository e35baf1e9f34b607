//! Lives: a replica that came back without its state has forgotten its vote and its log.
//!
//! Such a replica votes for nobody, and what it appends does not count. The leader appends an entry
//! that names the new life. A majority commits it, among which the replica itself is not; from then
//! on it is a member again. So of a majority that elected another leader with the forgotten vote, or
//! that committed an entry with the forgotten log, one that has not forgotten has the new entry: it
//! votes only for those who have it, too. One such entry is under way at a time, and none before the
//! leader has committed an entry of its term (Ongaro, 2014, section 4.1, on changing one member).
//!
//! A replica that has applied the entry says in its messages that it is a member, so that a leader
//! which does not know yet that the entry is committed counts it.
//!
//! Where no majority is left that has not forgotten, nothing is committed any more.

use super::{Effects, Raft, Role};
use crate::protocol::{Command, NodeId, Origin};

impl Raft {
    /// A majority has made its life a member. It is one from now on, even before it finds out again
    /// after a crash what is committed.
    pub(super) fn become_member<E: Effects>(&mut self, out: &mut E) {
        self.is_member = true;
        self.persist_term(out);
    }

    /// The last life of a peer that is known.
    pub(super) fn life_of(&self, peer: NodeId) -> u16 {
        let member = self.machine.life(peer);
        match &self.role {
            Role::Leader(leader) => leader.life_of(peer).max(member),
            Role::Follower(_) | Role::Candidate(_) => member,
        }
    }

    /// Takes in which life of a peer a message is of.
    pub(super) fn learn_life<E: Effects>(
        &mut self,
        peer: NodeId,
        incarnation: u16,
        is_member: bool,
        out: &mut E,
    ) {
        let last = self.log.last_index();
        if let Role::Leader(leader) = &mut self.role
            && leader.learn_life(peer, incarnation, is_member, last)
        {
            self.propose_lives(out);
        } else if incarnation > self.machine.life(peer) {
            // Its vote comes from the life that is a member: it votes for nobody before.
            self.forget_vote(peer);
        }
    }

    /// Proposes the new life of one peer that has one.
    pub(super) fn propose_lives<E: Effects>(&mut self, out: &mut E) {
        let Role::Leader(leader) = &self.role else {
            return;
        };
        if !leader.may_change_members(self.commit) {
            return;
        }
        let machine = &self.machine;
        let newcomer = leader
            .newcomers()
            .find(|(peer, incarnation)| *incarnation > machine.life(*peer));
        let Some((peer, incarnation)) = newcomer else {
            return;
        };
        let index = self.append_own(Command::Life(Origin::new(peer, incarnation)), out);
        if let Role::Leader(leader) = &mut self.role {
            leader.changes_members_at(index);
        }
        self.replicate(out);
    }
}
