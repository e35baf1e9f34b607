//! Which server is the primary.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpStream;

use kvs_core::protocol::NodeId;
use kvs_target::{Leadership, Local};

use super::exchange::{authenticate, exchange};
use super::resp::Reply;
use crate::targets::store::Speech;

/// The name under which the Sentinels of the catalogue watch the primary.
const MASTER_NAME: &str = "kvs";
/// The port of a Sentinel.
const SENTINEL_PORT: &str = "sentinel";
/// How long one server may take to say.
const PATIENCE: Duration = Duration::from_millis(500);

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Each server, whether it is the primary.
    Server,
    /// Each node's Sentinel, which server it holds to be.
    Sentinel,
}

/// Asks servers or Sentinels.
pub(super) struct RedisLeadership {
    speech: Rc<Speech>,
    asked: Asked,
}

impl RedisLeadership {
    pub(super) fn new(speech: &Rc<Speech>, asked: Asked) -> Self {
        Self {
            speech: Rc::clone(speech),
            asked,
        }
    }

    /// What a node, or its Sentinel, says.
    async fn ask(&self, at: usize) -> io::Result<Option<usize>> {
        let node = &self.speech.nodes[at];
        match self.asked {
            Asked::Server => {
                let address = SocketAddr::new(node.host, node.ports[&self.speech.client_port]);
                let says = self.command(address, &[b"ROLE"]).await?;
                Ok((says.first().map(String::as_str) == Some("master")).then_some(at))
            }
            Asked::Sentinel => {
                let Some(port) = node.ports.get(SENTINEL_PORT) else {
                    return Ok(None);
                };
                let address = SocketAddr::new(node.host, *port);
                let question: [&[u8]; 3] = [
                    b"SENTINEL",
                    b"get-master-addr-by-name",
                    MASTER_NAME.as_bytes(),
                ];
                let says = self.command(address, &question).await?;
                let [host, port] = &says[..] else {
                    return Ok(None);
                };
                Ok(self.node_at(host.parse().ok(), port.parse().ok()))
            }
        }
    }

    fn node_at(&self, host: Option<IpAddr>, port: Option<u16>) -> Option<usize> {
        let (host, port) = (host?, port?);
        self.speech.nodes.iter().position(|node| {
            node.host == host && node.ports.get(&self.speech.client_port) == Some(&port)
        })
    }

    /// The texts at the first level of what a server replies.
    async fn command(&self, address: SocketAddr, words: &[&[u8]]) -> io::Result<Vec<String>> {
        let mut stream = TcpStream::connect(address).await?;
        if self.asked == Asked::Server {
            authenticate(&mut stream, &self.speech.credentials).await?;
        }
        exchange(&mut stream, words, texts).await
    }
}

fn texts(reply: &Reply<'_>) -> Vec<String> {
    let Reply::Array(Some(replies)) = reply else {
        return Vec::new();
    };
    let text = |reply: &Reply<'_>| match reply {
        Reply::Bulk(Some(bytes)) | Reply::Simple(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
        Reply::Bulk(None) | Reply::Error(_) | Reply::Integer(_) | Reply::Array(_) => None,
    };
    replies.iter().filter_map(text).collect()
}

impl Leadership for RedisLeadership {
    /// The server that most of those name who answer; the one that the first of them names where as
    /// many name another.
    fn primary(&self) -> Local<'_, Option<NodeId>> {
        Box::pin(async move {
            let mut named: Vec<usize> = Vec::new();
            for at in 0..self.speech.nodes.len() {
                // Who does not answer names nobody.
                let says = tokio::time::timeout(PATIENCE, self.ask(at)).await;
                named.extend(says.ok().and_then(Result::ok).flatten());
            }
            let votes = |at: usize| named.iter().filter(|other| **other == at).count();
            // The last of equals is taken, so they are looked through backwards.
            let most = named.iter().rev().max_by_key(|at| votes(**at))?;
            Some(NodeId(*most as u16))
        })
    }
}
