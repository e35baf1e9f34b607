//! Servers that exchange the messages of a quorum of three, and do nothing else: what quorums are
//! measured against.
//!
//! Each asks one of the other two for what it has, has something written there, and answers then:
//! two round trips to two of three, itself among them. Frames are as large as those of a store.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::Bytes;
use kvs_zoo::protocol::{NodeId, Operation, Request, Response};
use kvs_zoo::transport::quic::Accepted;
use kvs_zoo::transport::{Endpoint, Identity, Link, Outbox, ResponseHandler, runtime};
use tokio::sync::Notify;

use super::VALUE_BYTES;
use super::echo::{CHUNKS, Canned, announce, exit_with_stdin, line};

/// Set in the ids of what relays ask each other, which is answered at once.
const OF_RELAY: u32 = 1 << 31;
const KEY: [u8; 16] = [b'k'; 16];

/// Serves clients and the other two. The second line of its stdin has their addresses, and the
/// identity under which it asks them: as a client, which nodes may not.
pub(crate) fn relay() {
    let identity: Identity = serde_json::from_str(&line()).expect("the driver's identity");
    runtime().expect("an event loop").block_on(async {
        let endpoint = Endpoint::node(&identity, ([127, 0, 0, 1], 0).into()).expect("a socket");
        announce(endpoint.local_addr().expect("an address"));
        let relay = Rc::new(Relay::default());
        tokio::task::spawn_local(accept(endpoint, Rc::clone(&relay)));
        let others = tokio::task::spawn_blocking(line).await.expect("no panic");
        exit_with_stdin();
        let (client, others): (Identity, Vec<(NodeId, SocketAddr)>) =
            serde_json::from_str(&others).expect("an identity and the driver's addresses");
        let client = Endpoint::client(&client).expect("a socket");
        for (node, addr) in others {
            let link = Link::dial(&client, addr, node).await.expect("a relay");
            relay.others.borrow_mut().push(link.outbox());
            tokio::task::spawn_local(link.run(Answers(Rc::clone(&relay))));
        }
        std::future::pending::<()>().await;
    });
}

async fn accept(endpoint: Endpoint, relay: Rc<Relay>) {
    while let Some(arrival) = endpoint.arrival().await {
        let relay = Rc::clone(&relay);
        tokio::task::spawn_local(async move {
            if let Ok(accepted) = arrival.accept().await {
                serve(accepted, &relay).await;
            }
        });
    }
}

async fn serve(accepted: Accepted, relay: &Rc<Relay>) {
    let Accepted {
        mut recv, mut send, ..
    } = accepted;
    let client = Rc::new(Client::default());
    let writer = Rc::clone(&client);
    tokio::task::spawn_local(async move {
        loop {
            writer.wake.notified().await;
            let out = writer.canned.borrow_mut().take_out();
            if send.write_all(&out).await.is_err() {
                return;
            }
        }
    });
    let mut chunks: Vec<Bytes> = vec![Bytes::new(); CHUNKS];
    let mut rest = Vec::new();
    while let Ok(Some(read)) = recv.read_chunks(&mut chunks).await {
        for chunk in &chunks[..read] {
            rest.extend_from_slice(chunk);
        }
        let used = Canned::frames(&rest, |id, is_put| relay.asked(&client, id, is_put));
        rest.drain(..used);
    }
}

/// Where answers to one connection go.
struct Client {
    canned: RefCell<Canned>,
    wake: Notify,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            canned: RefCell::new(Canned::new()),
            wake: Notify::new(),
        }
    }
}

impl Client {
    fn answer(&self, id: u32, is_put: bool) {
        self.canned.borrow_mut().append(id, is_put);
        self.wake.notify_one();
    }
}

#[derive(Default)]
struct Relay {
    others: RefCell<Vec<Rc<Outbox>>>,
    /// By their numbers; free places are none.
    under_way: RefCell<Vec<Option<UnderWay>>>,
    free: RefCell<Vec<u32>>,
    next: Cell<usize>,
}

struct UnderWay {
    client: Rc<Client>,
    id: u32,
    is_put: bool,
    other: Rc<Outbox>,
    /// Whether the first round trip is over.
    writes: bool,
}

impl Relay {
    fn asked(&self, client: &Rc<Client>, id: u32, is_put: bool) {
        if id & OF_RELAY != 0 {
            return client.answer(id, is_put);
        }
        let others = self.others.borrow();
        let next = self.next.replace((self.next.get() + 1) % others.len());
        let other = Rc::clone(&others[next]);
        // A put asks for a version, which is answered with as little as a put is.
        let operation = if is_put {
            Operation::Put { value: &[] }
        } else {
            Operation::Get
        };
        let mut under_way = self.under_way.borrow_mut();
        let number = self.free.borrow_mut().pop().unwrap_or_else(|| {
            under_way.push(None);
            u32::try_from(under_way.len() - 1).expect("few")
        });
        ask(&other, number, operation);
        under_way[number as usize] = Some(UnderWay {
            client: Rc::clone(client),
            id,
            is_put,
            other,
            writes: false,
        });
    }

    fn answered(&self, number: u32) {
        let mut all = self.under_way.borrow_mut();
        let place = &mut all[number as usize];
        let under_way = place.as_mut().expect("it was asked");
        if !under_way.writes {
            under_way.writes = true;
            let value = &[7; VALUE_BYTES];
            return ask(&under_way.other, number, Operation::Put { value });
        }
        under_way.client.answer(under_way.id, under_way.is_put);
        *place = None;
        self.free.borrow_mut().push(number);
    }
}

fn ask(other: &Outbox, number: u32, operation: Operation<'_>) {
    let request = Request {
        key: &KEY,
        operation,
        context: &[],
        call: None,
    };
    other.request(number | OF_RELAY, &request).expect("short");
}

struct Answers(Rc<Relay>);

impl ResponseHandler for Answers {
    fn response(&mut self, id: u32, _: &Response<'_>) {
        self.0.answered(id & !OF_RELAY);
    }
}
