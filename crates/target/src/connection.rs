//! The wire below the lanes.

use std::fmt;
use std::net::SocketAddr;
use std::rc::Rc;

use kvs_core::drive::Order;
use kvs_core::protocol::{NodeId, Response};

use crate::Local;

/// Where a node is to be found, and which life it leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeAddress {
    /// The node.
    pub node: NodeId,
    /// Where it serves its clients.
    pub address: SocketAddr,
    /// Its incarnation: 0, and one more for each life that began without what the last one had.
    pub incarnation: u16,
}

/// Makes connections to the nodes of one target.
pub trait Connector {
    /// Connects to a node.
    fn connect(&self, node: NodeAddress) -> Local<'_, Result<Box<dyn Connection>, Refused>>;

    /// The last connection is closed: ends what served them. It is called once.
    fn release(&self) -> Local<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// A connection to one node, before it runs.
pub trait Connection {
    /// Where requests go, before and while it runs, from anywhere on the thread.
    fn outgoing(&self) -> Rc<dyn Outgoing>;

    /// Moves requests and answers until the connection ends: of what was under way then, nobody
    /// knows the outcome. It ends by itself when nothing comes for as long as an answer may take,
    /// though something was asked, where it can tell.
    fn run<'a>(self: Box<Self>, answers: &'a mut dyn Answers) -> Local<'a, ()>;
}

/// What becomes of the answers.
pub trait Answers {
    /// The answer to the request of that number.
    fn answer(&mut self, id: u32, response: &Response<'_>);

    /// The store answered the request of that number, and said that it does not know whether the
    /// operation took effect.
    fn indefinite(&mut self, id: u32);
}

/// Where requests go.
pub trait Outgoing: fmt::Debug {
    /// Whether the connection has ended.
    fn is_closed(&self) -> bool;

    /// Queues a request; its answer will carry `id`. On a connection that has ended it is
    /// discarded. Whoever asks bounds how much: what the lanes have outstanding is what can wait
    /// there.
    fn request(&self, id: u32, order: &Order<'_>);

    /// Ends the connection, without waiting for what is under way.
    fn close(&self);
}
