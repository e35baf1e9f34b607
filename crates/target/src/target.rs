//! A deployment: started, looked at, broken, stopped.

use std::collections::BTreeMap;
use std::rc::Rc;

use kvs_core::protocol::NodeId;
use kvs_load::nemesis::{DiskFault, PacketFault};
use kvs_measure::NodeRecord;
use kvs_place::Processes;

use crate::{Connector, Facts, Local, NodeAddress};

/// A running deployment. Dropping it leaves nothing behind.
pub trait Target {
    /// What is known of it.
    fn facts(&self) -> &Facts;

    /// The version of the store, as it says itself, if it does.
    fn version(&self) -> Option<String> {
        None
    }

    /// What went wrong on the way to it, for the report: an adapter that broke the protocol, say.
    fn complaints(&self) -> Vec<String> {
        Vec::new()
    }

    /// Makes connections to its nodes.
    fn connector(&self) -> Rc<dyn Connector>;

    /// Where each node is, in the order of their ids.
    fn addresses(&self) -> Vec<NodeAddress>;

    /// The processes of its nodes on this machine, as they are now and from now on.
    fn processes(&self) -> Processes;

    /// Whom to ask which node takes writes; none where every node takes them.
    fn leadership(&self) -> Option<Rc<dyn Leadership>> {
        None
    }

    /// Those of these nodes that say that they lead their groups, each of which was running just now;
    /// where nobody asks them, the node that takes writes.
    fn leading(&mut self, nodes: Vec<NodeId>) -> Local<'_, Vec<NodeId>> {
        drop(nodes);
        let leadership = self.leadership();
        Box::pin(async move {
            match leadership {
                Some(leadership) => leadership.primary().await.into_iter().collect(),
                None => Vec::new(),
            }
        })
    }

    /// Whether its replicas agree and have nothing to tell each other, as far as they can be asked.
    fn quiet(&mut self) -> Local<'_, Quiet>;

    /// How each node is, in the order of their ids, or what became of it.
    fn observe(&mut self) -> Local<'_, Vec<(NodeId, Result<NodeRecord, String>)>>;

    /// Whether the process of a node is there, stopped or not.
    fn is_running(&self, node: NodeId) -> bool;

    /// The nodes that have exited without having been asked to since this was asked last, and how.
    fn exits(&mut self) -> BTreeMap<NodeId, String>;

    /// Kills a node at once. That it is gone already is no error.
    fn kill(&mut self, node: NodeId) -> Local<'_, ()>;

    /// Starts a node again, with what its disk has kept, and waits until it serves.
    fn revive(&mut self, node: NodeId) -> Local<'_, Result<(), String>>;

    /// Stops a node where it stands, and says whether it was there to be stopped.
    fn pause(&mut self, node: NodeId) -> Local<'_, Result<bool, String>>;

    /// Lets a node go on, and says whether it was there to go on.
    fn resume(&mut self, node: NodeId) -> Local<'_, Result<bool, String>>;

    /// Applies these faults, and no others, to what a node sends and receives. A node that is
    /// `paused` hears of it when it goes on.
    fn set_network<'a>(
        &'a mut self,
        node: NodeId,
        faults: &'a NodeNetwork,
        paused: bool,
    ) -> Local<'a, Result<(), String>>;

    /// Sets how much more than the machine's the clock of a node reads, in ns.
    fn set_clock(&mut self, node: NodeId, offset_ns: i64) -> Local<'_, Result<(), String>>;

    /// Makes the disk of a node fail in this way; none ends the fault. A node that is `paused`
    /// hears of it when it goes on. Says whether the node was there.
    fn set_disk(
        &mut self,
        node: NodeId,
        fault: Option<DiskFault>,
        paused: bool,
    ) -> Local<'_, Result<bool, String>>;

    /// Deletes the keys that clients wrote: at most those below `keys_end`, under this run's names and
    /// no others. Says how many were there. It is called once, when no connection is left.
    fn clean(&mut self, keys_end: u64) -> Local<'_, Result<u64, String>> {
        let _ = keys_end;
        let kept = "what it holds ends with it".to_owned();
        Box::pin(std::future::ready(Err(kept)))
    }

    /// Ends every node in good order, and returns those that had to be killed.
    fn stop(self: Box<Self>) -> Local<'static, Vec<NodeId>>;
}

/// Knows which node takes writes.
pub trait Leadership {
    /// The node that takes writes, as the store itself says now; none when nobody says.
    fn primary(&self) -> Local<'_, Option<NodeId>>;
}

/// Whether a deployment is quiet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quiet {
    /// Whether every replica of each group holds the same, and has nothing to tell, as far as they
    /// could be asked.
    pub converged: bool,
    /// Whether replicas can be asked at all. Where they cannot, nothing is waited for.
    pub is_known: bool,
    /// Whether anything that replicas hold, or hold back, has changed since this was asked last.
    pub moved: bool,
    /// Nodes that came back empty, and have not recovered what they had acknowledged.
    pub lacking: Vec<NodeId>,
    /// Nodes that could not be asked, and why.
    pub unreachable: BTreeMap<NodeId, String>,
}

/// The faults of a node's network. None by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeNetwork {
    /// Nothing that comes from these nodes arrives.
    pub deaf_to: Vec<NodeId>,
    /// It and the clients do not hear each other.
    pub cut_from_clients: bool,
    /// What becomes of all else that it sends.
    pub packets: Vec<PacketFault>,
}
