//! The servers that a node is measured against: they answer with frames of the same sizes, and do
//! nothing else. Each is a process of its own, which prints its address and runs until its stdin
//! closes.

use std::io::Write as _;
use std::net::SocketAddr;

use bytes::Bytes;
use kvs_zoo::protocol::{Dot, PutWitness, Response, Sibling};
use kvs_zoo::transport::codec::append_response;
use kvs_zoo::transport::quic::Accepted;
use kvs_zoo::transport::{Endpoint, Identity, runtime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::VALUE_BYTES;

/// How many chunks one read may bring.
pub(super) const CHUNKS: usize = 64;
/// The kind of request is the fifth byte of its contents; after a prefix of four and an id of
/// four.
const KIND_AT: usize = 8;
const PUT: u8 = 1;

/// Serves QUIC: what [`numbers.md` section 1] calls one long-lived stream, tuned.
pub(crate) fn quic() {
    let identity: Identity = serde_json::from_str(&line()).expect("the driver's identity");
    runtime().expect("an event loop").block_on(async {
        let endpoint = Endpoint::node(&identity, ([127, 0, 0, 1], 0).into()).expect("a socket");
        announce(endpoint.local_addr().expect("an address"));
        exit_with_stdin();
        while let Some(arrival) = endpoint.arrival().await {
            tokio::spawn(async move {
                if let Ok(accepted) = arrival.accept().await {
                    echo_quic(accepted).await;
                }
            });
        }
    });
}

async fn echo_quic(mut accepted: Accepted) {
    let mut chunks: Vec<Bytes> = vec![Bytes::new(); CHUNKS];
    let mut canned = Canned::new();
    while let Ok(Some(read)) = accepted.recv.read_chunks(&mut chunks).await {
        canned.out.clear();
        for chunk in &chunks[..read] {
            canned.take(chunk);
        }
        if accepted.send.write_all(&canned.out).await.is_err() {
            return;
        }
    }
}

/// Serves TCP, with neither TLS nor anything else.
pub(crate) fn tcp() {
    runtime().expect("an event loop").block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        announce(listener.local_addr().expect("an address"));
        exit_with_stdin();
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(echo_tcp(stream));
        }
    });
}

async fn echo_tcp(mut stream: TcpStream) {
    stream.set_nodelay(true).expect("no delay");
    let mut read = vec![0; 64 << 10];
    let mut canned = Canned::new();
    while let Ok(bytes @ 1..) = stream.read(&mut read).await {
        canned.out.clear();
        canned.take(&read[..bytes]);
        if stream.write_all(&canned.out).await.is_err() {
            return;
        }
    }
}

/// Answers made once, in which only the id changes.
pub(super) struct Canned {
    rest: Vec<u8>,
    out: Vec<u8>,
    put: Vec<u8>,
    get: Vec<u8>,
}

impl Canned {
    pub(super) fn new() -> Self {
        let (mut put, mut get) = (Vec::new(), Vec::new());
        let siblings = [Sibling {
            value: &[7; VALUE_BYTES],
            witness: PutWitness::None,
        }];
        let vector: &[Dot] = &[];
        let response = Response::Get {
            vector,
            siblings: &siblings,
        };
        append_response(&mut put, 0, &Response::Put(PutWitness::None)).expect("short");
        append_response(&mut get, 0, &response).expect("short");
        Self {
            rest: Vec::new(),
            out: Vec::new(),
            put,
            get,
        }
    }

    /// Appends an answer to `out` for each whole request, keeping what is left over.
    fn take(&mut self, bytes: &[u8]) {
        if self.rest.is_empty() {
            let used = self.answer(bytes);
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            let mut joined = std::mem::take(&mut self.rest);
            joined.extend_from_slice(bytes);
            let used = self.answer(&joined);
            joined.drain(..used);
            self.rest = joined;
        }
    }

    fn answer(&mut self, bytes: &[u8]) -> usize {
        Self::frames(bytes, |id, is_put| self.append(id, is_put))
    }

    /// Appends the answer to the request of this id.
    pub(super) fn append(&mut self, id: u32, is_put: bool) {
        let canned = if is_put { &self.put } else { &self.get };
        let start = self.out.len();
        self.out.extend_from_slice(canned);
        self.out[start + 4..start + 8].copy_from_slice(&id.to_le_bytes());
    }

    /// What was appended since the last time.
    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Gives the id of each whole request and whether it is a put. How many bytes they have.
    pub(super) fn frames(bytes: &[u8], mut take: impl FnMut(u32, bool)) -> usize {
        let mut used = 0;
        while let Some(prefix) = bytes[used..].first_chunk() {
            let length = 4 + u32::from_le_bytes(*prefix) as usize;
            let Some(frame) = bytes[used..].get(..length) else {
                break;
            };
            let id = frame[4..8].try_into().expect("four bytes");
            take(u32::from_le_bytes(id), frame[KIND_AT] == PUT);
            used += length;
        }
        used
    }
}

/// The next line that the driver sends.
pub(super) fn line() -> String {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line);
    read.expect("the driver sends a line");
    line
}

pub(super) fn announce(addr: SocketAddr) {
    println!("{addr}");
    std::io::stdout().flush().expect("the driver listens");
}

/// The driver is gone when its end of stdin is.
pub(super) fn exit_with_stdin() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}
