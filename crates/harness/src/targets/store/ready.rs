//! Whether a program serves: tests what a client would see, and does not read its log.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use kvs_place::Place;

use super::definition::{Ready, Wrong};
use super::template::{NodeWords, Words, fill_all};

/// How long one look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// The most bytes of an answer that are looked at.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// What is sent where only an answer is expected.
const PING: &str = "PING";

/// Looks once whether a program of a node serves.
///
/// # Errors
/// When its file asks what cannot be asked.
pub(super) async fn is_ready(
    ready: &Ready,
    place: &Place,
    namespace: Option<&str>,
    words: Words<'_>,
    node: usize,
) -> Result<bool, Wrong> {
    let own = &words.nodes[node];
    let look = async {
        if let Some(port) = &ready.tcp {
            return Ok(answers(own, port, ready).await);
        }
        if let Some(port) = &ready.http {
            return Ok(serves(own, port, ready).await);
        }
        let command = fill_all(&ready.command, words, node)?;
        let none = std::collections::BTreeMap::new();
        let ran = place.run(&command, &none, namespace, LOOK_TIMEOUT).await;
        let ran =
            ran.map_err(|error| Wrong(format!("asking whether {} serves: {error}", own.name)))?;
        Ok(ran.succeeded && contains(ran.output.as_bytes(), ready.expect.as_deref()))
    };
    tokio::time::timeout(LOOK_TIMEOUT, look)
        .await
        .unwrap_or(Ok(false))
}

/// Whether a port takes a connection, and answers what is expected if anything is.
async fn answers(node: &NodeWords, port: &str, ready: &Ready) -> bool {
    let address = SocketAddr::new(node.host, node.ports[port]);
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    let Some(expected) = &ready.expect else {
        return true;
    };
    let send = format!("{}\r\n", ready.send.as_deref().unwrap_or(PING));
    if stream.write_all(send.as_bytes()).await.is_err() {
        return false;
    }
    read_until(&mut stream, |answer| contains(answer, Some(expected))).await
}

/// Whether a port answers an HTTP request with success and what is expected.
async fn serves(node: &NodeWords, port: &str, ready: &Ready) -> bool {
    let address = SocketAddr::new(node.host, node.ports[port]);
    let Ok(mut stream) = TcpStream::connect(address).await else {
        return false;
    };
    let path = ready.path.as_deref().unwrap_or("/");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        host(address)
    );
    if stream.write_all(request.as_bytes()).await.is_err() {
        return false;
    }
    read_until(&mut stream, |answer| {
        let is_success = answer.starts_with(b"HTTP/1.1 2") || answer.starts_with(b"HTTP/1.0 2");
        is_success && contains(answer, ready.expect.as_deref())
    })
    .await
}

fn host(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V4(_) => address.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]:{}", address.port()),
    }
}

/// Reads until what has come is enough; false at the end, or when too much has come.
async fn read_until(stream: &mut TcpStream, is_enough: impl Fn(&[u8]) -> bool) -> bool {
    let mut answer = Vec::new();
    while answer.len() < ANSWER_BYTES_MAX {
        match stream.read_buf(&mut answer).await {
            Ok(1..) if is_enough(&answer) => return true,
            Ok(1..) => {}
            Ok(0) | Err(_) => return false,
        }
    }
    false
}

fn contains(text: &[u8], expected: Option<&str>) -> bool {
    expected.is_none_or(|expected| {
        expected.is_empty()
            || text
                .windows(expected.len())
                .any(|window| window == expected.as_bytes())
    })
}
