//! For tests of connections: one is driven by hand, against a server that the test plays.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use kvs_core::drive::{Ask, NewValue, Order};
use kvs_core::protocol::{NodeId, Refusal, Response, Sibling};
use kvs_target::{Answers, Connector, NodeAddress, Outgoing};

use super::store::{Complaints, Credentials, NodeWords, Speech};

/// How long a test waits for what has to come.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long a client of these tests waits for an answer, unless a test is about that.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// What stands before the keys of these tests.
pub(super) const PREFIX: &str = "kvs:test:";
const CLIENT_PORT: &str = "client";

/// What a client is told of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Found(Option<String>),
    Written,
    /// What was found instead.
    Mismatch(Option<String>),
    Refused(Refusal),
    Indefinite,
}

/// A connection under way.
pub(super) struct Driven {
    outgoing: Rc<dyn Outgoing>,
    told: Rc<Ledger>,
    running: JoinHandle<()>,
}

/// What was told, in its order.
#[derive(Default)]
struct Ledger {
    told: RefCell<Vec<(u32, Told)>>,
    more: Notify,
}

impl Ledger {
    fn add(&self, id: u32, told: Told) {
        self.told.borrow_mut().push((id, told));
        self.more.notify_one();
    }
}

/// Hands answers to a ledger.
struct Listen(Rc<Ledger>);

impl Answers for Listen {
    fn answer(&mut self, id: u32, response: &Response<'_>) {
        let value = |siblings: &[Sibling<'_>]| {
            let first = siblings.first();
            first.map(|sibling| String::from_utf8_lossy(sibling.value).into_owned())
        };
        let told = match response {
            Response::Put(_) => Told::Written,
            Response::Get { siblings, .. } => Told::Found(value(siblings)),
            Response::Refused(refusal) => Told::Refused(*refusal),
            Response::Indefinite => Told::Indefinite,
            Response::NotLeader { .. } => Told::Refused(Refusal::NotPrimary),
            Response::Mismatch { found } => Told::Mismatch(found.and_then(value)),
        };
        self.0.add(id, told);
    }

    fn indefinite(&mut self, id: u32) {
        self.0.add(id, Told::Indefinite);
    }
}

impl Driven {
    /// Connects by this connector, and runs the connection.
    pub(super) async fn connect(connector: &dyn Connector, address: SocketAddr) -> Self {
        let node = NodeAddress {
            node: NodeId(0),
            address,
            incarnation: 0,
        };
        let connected = tokio::time::timeout(DEADLINE, connector.connect(node)).await;
        let connection = connected.expect("in time").expect("a connection");
        let told: Rc<Ledger> = Rc::default();
        let outgoing = connection.outgoing();
        let mut listen = Listen(Rc::clone(&told));
        let running = tokio::task::spawn_local(async move { connection.run(&mut listen).await });
        Self {
            outgoing,
            told,
            running,
        }
    }

    pub(super) fn ask(&self, id: u32, ask: Ask) {
        let order = Order {
            client: 0,
            lane: 0,
            key: u64::from(id),
            ask,
            context: &[],
            call: None,
        };
        self.outgoing.request(id, &order);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.outgoing.is_closed()
    }

    /// What has been told by now.
    pub(super) fn told(&self) -> Vec<(u32, Told)> {
        self.told.told.borrow().clone()
    }

    /// Waits until so much has been told, and says what.
    pub(super) async fn told_of(&self, count: usize) -> Vec<(u32, Told)> {
        let enough = async {
            while self.told.told.borrow().len() < count {
                self.told.more.notified().await;
            }
        };
        let in_time = tokio::time::timeout(DEADLINE, enough).await;
        in_time.unwrap_or_else(|_| panic!("only {:?} of {count} was told", self.told()));
        self.told()
    }

    /// Waits until the connection has ended.
    pub(super) async fn ended(self) -> Vec<(u32, Told)> {
        let ended = tokio::time::timeout(DEADLINE, self.running).await;
        ended.expect("in time").expect("no panic");
        assert!(self.outgoing.is_closed());
        self.told.told.take()
    }
}

/// The put of a value that is as long as values are at least.
pub(super) const fn put(id: u64) -> Ask {
    Ask::Put(NewValue { id, bytes: 16 })
}

/// A port of this machine that a test serves.
pub(super) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// What a client knows of a store of one node there.
pub(super) fn speech(address: SocketAddr, options: &[(&str, &str)], patience: Duration) -> Speech {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    Speech {
        nodes: vec![NodeWords {
            name: "n0".to_owned(),
            host: address.ip(),
            ports: BTreeMap::from([(CLIENT_PORT.to_owned(), address.port())]),
            directory: PathBuf::new(),
        }],
        client_port: CLIENT_PORT.to_owned(),
        options: options.iter().map(owned).collect(),
        key_prefix: PREFIX.to_owned(),
        patience,
        credentials: Credentials::default(),
        logs: PathBuf::new(),
        complaints: Complaints::default(),
    }
}

/// Runs a test where connections run.
pub(super) fn on_runtime(test: impl Future<Output = ()>) {
    let runtime = kvs_node::transport::runtime().expect("a runtime");
    runtime.block_on(test);
}
