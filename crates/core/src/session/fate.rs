//! What becomes of a request, and what that means for its client.

use super::{Next, Policy, Session, Suspicion, View};
use crate::protocol::{NodeId, Refusal, Response};
use crate::server::ServerPorts;

/// What has become of a request.
#[derive(Clone, Copy, Debug)]
pub enum Fate<'a> {
    /// The replica answered.
    Answered(&'a Response<'a>),
    /// There is no connection to the replica, so nothing was sent.
    Unsent,
    /// The connection broke after the request was sent.
    Disconnected,
    /// The store answered that it does not know whether the operation took effect.
    Indefinite,
    /// No answer came for a while, and there is time left.
    Silent,
    /// No answer came in time.
    TimedOut,
}

impl<'a> Fate<'a> {
    /// The answer, if there is one.
    #[must_use]
    pub const fn answer(self) -> Option<&'a Response<'a>> {
        match self {
            Self::Answered(response) => Some(response),
            Self::Unsent
            | Self::Disconnected
            | Self::Indefinite
            | Self::Silent
            | Self::TimedOut => None,
        }
    }
}

/// What all sessions of one client share, to learn from what becomes of their requests.
#[derive(Debug)]
pub struct ViewMut<'a> {
    /// Which nodes serve which key.
    pub ports: &'a ServerPorts,
    /// How sessions behave.
    pub policy: Policy,
    /// Which nodes are distrusted.
    pub suspicion: &'a mut Suspicion,
    /// The node that takes writes, as it was last asked for; none where every node takes them.
    pub primary: Option<NodeId>,
    /// Whether it answers reads, too, and no other node does.
    pub reads_from_primary: bool,
    /// The time, in nanoseconds since the run began.
    pub now_ns: u64,
}

impl ViewMut<'_> {
    /// What a session sees of it.
    #[must_use]
    pub const fn view(&self) -> View<'_> {
        View {
            ports: self.ports,
            policy: self.policy,
            suspicion: self.suspicion,
            primary: self.primary,
            reads_from_primary: self.reads_from_primary,
            now_ns: self.now_ns,
        }
    }

    /// Tells a session what has become of the request of its operation on `key`, and says what
    /// follows. The node that it asked is trusted if it has served, and suspected if it has not: one
    /// that says that it cannot serve now, or does not know, is not the one to ask next.
    pub fn tell(&mut self, session: &mut Session, key: &[u8], fate: Fate<'_>) -> Next {
        let node = session.pending().attempt.node;
        match fate {
            Fate::Answered(
                Response::Refused(Refusal::Unavailable | Refusal::NotReady) | Response::Indefinite,
            ) => self.suspicion.suspect(node, self.now_ns),
            Fate::Answered(_) => self.suspicion.trust(node),
            Fate::Unsent | Fate::Disconnected | Fate::Silent | Fate::TimedOut => {
                self.suspicion.suspect(node, self.now_ns);
            }
            Fate::Indefinite => {}
        }
        match fate {
            Fate::Answered(response) => session.handle_response(self.view(), key, response),
            Fate::Unsent => session.handle_unsent(self.view(), key),
            Fate::Disconnected => session.handle_disconnect(self.view(), key),
            Fate::Indefinite => session.handle_indefinite(self.view(), key),
            Fate::Silent => session.handle_silence(self.view(), key),
            Fate::TimedOut => session.handle_timeout(),
        }
    }
}
