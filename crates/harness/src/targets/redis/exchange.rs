//! One command at a time: what is said before a pipeline begins, and to whoever is asked one thing.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::resp::{Reply, append_command, parse};
use crate::targets::store::Credentials;

/// How the error begins of a server that wants to know who asks.
const NO_AUTH: &[u8] = b"NOAUTH";

/// Says who this client is, or finds out that the server does not want to know.
pub(super) async fn authenticate(
    stream: &mut TcpStream,
    credentials: &Credentials,
) -> io::Result<()> {
    let mut words: Vec<&[u8]> = Vec::new();
    match &credentials.password {
        Some(password) => {
            words.push(b"AUTH");
            words.extend(credentials.user.as_ref().map(String::as_bytes));
            words.push(password.as_bytes());
        }
        None => words.push(b"PING"),
    }
    let is_told = credentials.password.is_some();
    let refused = exchange(stream, &words, |reply| match reply {
        // A server may have other reasons not to answer a PING yet.
        Reply::Error(error) if is_told || error.starts_with(NO_AUTH) => {
            Some(credentials.refused(&String::from_utf8_lossy(error)))
        }
        Reply::Error(_)
        | Reply::Simple(_)
        | Reply::Integer(_)
        | Reply::Bulk(_)
        | Reply::Array(_) => None,
    });
    match refused.await? {
        Some(why) => Err(io::Error::new(io::ErrorKind::PermissionDenied, why)),
        None => Ok(()),
    }
}

/// Sends one command, and has its reply looked at.
pub(super) async fn exchange<T>(
    stream: &mut TcpStream,
    words: &[&[u8]],
    look: impl FnOnce(&Reply<'_>) -> T,
) -> io::Result<T> {
    let mut bytes = Vec::new();
    append_command(&mut bytes, words);
    stream.write_all(&bytes).await?;
    bytes.clear();
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match parse(&bytes) {
            Ok(Some((reply, _))) => return Ok(look(&reply)),
            Ok(None) => {}
            Err(malformed) => return Err(io::Error::other(malformed.to_string())),
        }
    }
}
