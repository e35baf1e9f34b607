//! Deleting the keys of a run.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use kvs_core::drive::key_name;

use super::exchange::authenticate;
use super::resp::{Reply, append_command, parse};
use crate::targets::store::Speech;

/// Keys that are deleted before their replies are read: their replies fit the buffers between.
const AT_ONCE: u64 = 1000;
/// How long a server may take for as many.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of deleting at one server.
#[derive(Debug, Default)]
struct Cleaned {
    /// Keys that it took the deletion of.
    taken: u64,
    /// Those of them that were there.
    deleted: u64,
    /// Why it did not take another, if it did not.
    refused: Option<String>,
}

/// Deletes the keys from 0 to `keys_end` at every server: replicas refuse, and a primary does it.
pub(super) async fn clean(speech: &Speech, keys_end: u64) -> Result<u64, String> {
    let (mut taken, mut deleted, mut refused) = (0, 0, None);
    for node in &speech.nodes {
        let address = SocketAddr::new(node.host, node.ports[&speech.client_port]);
        let at_node = match clean_at(speech, address, keys_end).await {
            Ok(at_node) => at_node,
            Err(error) => Cleaned {
                refused: Some(error.to_string()),
                ..Cleaned::default()
            },
        };
        taken += at_node.taken;
        deleted += at_node.deleted;
        refused = refused.or_else(|| Some(format!("{address}: {}", at_node.refused?)));
    }
    match refused {
        Some(why) if taken < keys_end => Err(why),
        Some(_) | None => Ok(deleted),
    }
}

async fn clean_at(speech: &Speech, address: SocketAddr, keys_end: u64) -> io::Result<Cleaned> {
    let mut stream = within(TcpStream::connect(address)).await?;
    within(authenticate(&mut stream, &speech.credentials)).await?;
    let mut cleaned = Cleaned::default();
    let mut start = 0;
    while start < keys_end {
        let end = keys_end.min(start + AT_ONCE);
        let mut bytes = Vec::new();
        for key in start..end {
            let key = [speech.key_prefix.as_bytes(), &key_name(key)].concat();
            append_command(&mut bytes, &[b"DEL", &key]);
        }
        within(stream.write_all(&bytes)).await?;
        within(replies(&mut stream, end - start, &mut cleaned)).await?;
        start = end;
    }
    Ok(cleaned)
}

/// Reads as many replies.
async fn replies(stream: &mut TcpStream, count: u64, cleaned: &mut Cleaned) -> io::Result<()> {
    let mut bytes = Vec::new();
    let mut left = count;
    while left > 0 {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut read = 0;
        let malformed = |malformed: super::resp::Malformed| io::Error::other(malformed.to_string());
        while let Some((reply, length)) = parse(&bytes[read..]).map_err(malformed)? {
            match reply {
                Reply::Integer(deleted) => {
                    cleaned.taken += 1;
                    cleaned.deleted += u64::from(deleted > 0);
                }
                Reply::Error(error) => {
                    let why = || String::from_utf8_lossy(error).into_owned();
                    cleaned.refused.get_or_insert_with(why);
                }
                Reply::Simple(_) | Reply::Bulk(_) | Reply::Array(_) => {
                    return Err(io::Error::other("the server answers another question"));
                }
            }
            read += length;
            left = left.saturating_sub(1);
        }
        bytes.drain(..read);
    }
    Ok(())
}

async fn within<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let silent = || io::Error::new(io::ErrorKind::TimedOut, "it does not answer");
    tokio::time::timeout(PATIENCE, step)
        .await
        .unwrap_or_else(|_| Err(silent()))
}
