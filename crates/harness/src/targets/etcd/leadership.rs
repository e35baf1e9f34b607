//! Which node leads.

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use kvs_core::protocol::NodeId;
use kvs_target::{Leadership, Local};

use super::gateway::{self, Http};
use crate::targets::store::Speech;

/// How long one node may take to say.
const PATIENCE: Duration = Duration::from_millis(500);

/// Asks each node.
pub(super) struct EtcdLeadership {
    speech: Rc<Speech>,
}

impl EtcdLeadership {
    pub(super) fn new(speech: &Rc<Speech>) -> Self {
        Self {
            speech: Rc::clone(speech),
        }
    }

    /// Whether a node says that it leads.
    async fn leads(&self, at: usize) -> Option<bool> {
        let node = &self.speech.nodes[at];
        let address = SocketAddr::new(node.host, node.ports[&self.speech.client_port]);
        let mut http = Http::connect(address).await.ok()?;
        let answer = http.post(gateway::STATUS, b"{}".to_vec()).await.ok()?;
        gateway::leads(&answer.body)
    }
}

impl Leadership for EtcdLeadership {
    fn primary(&self) -> Local<'_, Option<NodeId>> {
        Box::pin(async move {
            for at in 0..self.speech.nodes.len() {
                let says = tokio::time::timeout(PATIENCE, self.leads(at)).await;
                if says == Ok(Some(true)) {
                    return Some(NodeId(at as u16));
                }
            }
            None
        })
    }
}
