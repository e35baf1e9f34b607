//! Deleting the keys of a run.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::gateway::{self, Http};
use crate::targets::store::Speech;

/// How long a node may take to delete them all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Deletes every key of the run, at the first node that does so.
pub(super) async fn clean(speech: &Speech) -> Result<u64, String> {
    let mut refused = String::new();
    for node in &speech.nodes {
        let address = SocketAddr::new(node.host, node.ports[&speech.client_port]);
        let cleaned = tokio::time::timeout(PATIENCE, clean_at(speech, address)).await;
        let silent = || io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
        match cleaned.unwrap_or_else(|_| Err(silent())) {
            Ok(deleted) => return Ok(deleted),
            Err(error) => refused = format!("{address}: {error}"),
        }
    }
    Err(refused)
}

async fn clean_at(speech: &Speech, address: SocketAddr) -> io::Result<u64> {
    let mut http = Http::connect(address).await?;
    http.authenticate(&speech.credentials).await?;
    let body = gateway::delete_all(speech.key_prefix.as_bytes());
    let answer = http.post(gateway::DELETE, body).await?;
    if !answer.is_success {
        return Err(io::Error::other(gateway::error(&answer.body)));
    }
    gateway::deleted(&answer.body)
        .ok_or_else(|| io::Error::other("it does not say how many keys it deleted"))
}
