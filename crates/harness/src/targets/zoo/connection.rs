//! Connections to nodes of the zoo: one QUIC stream each.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use kvs_core::drive::Order;
use kvs_core::protocol::Response;
use kvs_node::transport::{CloseCode, Endpoint, Link, Outbox, link};
use kvs_target::{Answers, Connection, Connector, Local, NodeAddress, Outgoing, Refused};

/// Dials nodes of the zoo.
#[derive(Clone, Debug)]
pub struct QuicConnector {
    endpoint: Endpoint,
    /// How long an answer may take.
    patience: Duration,
}

impl QuicConnector {
    /// Dials from this endpoint. A connection over which nothing comes for `patience`, though
    /// something was asked, is given up.
    #[must_use]
    pub const fn new(endpoint: Endpoint, patience: Duration) -> Self {
        Self { endpoint, patience }
    }
}

impl Connector for QuicConnector {
    fn connect(&self, node: NodeAddress) -> Local<'_, Result<Box<dyn Connection>, Refused>> {
        Box::pin(async move {
            let link = Link::dial(&self.endpoint, node.address, node.node).await;
            let link = link.map_err(|error| Refused(error.to_string()))?;
            let outgoing = QuicOutgoing {
                outbox: link.outbox(),
                closing: Notify::new(),
                value: RefCell::default(),
            };
            Ok(Box::new(QuicConnection {
                link,
                outgoing: Rc::new(outgoing),
                patience: self.patience,
            }) as Box<dyn Connection>)
        })
    }
}

struct QuicConnection {
    link: Link,
    outgoing: Rc<QuicOutgoing>,
    patience: Duration,
}

#[derive(Debug)]
struct QuicOutgoing {
    outbox: Rc<Outbox>,
    closing: Notify,
    /// Where values are made, as large as the largest so far.
    value: RefCell<Vec<u8>>,
}

impl Connection for QuicConnection {
    fn outgoing(&self) -> Rc<dyn Outgoing> {
        Rc::<QuicOutgoing>::clone(&self.outgoing)
    }

    fn run<'a>(self: Box<Self>, answers: &'a mut dyn Answers) -> Local<'a, ()> {
        Box::pin(async move {
            let connection = self.link.connection().clone();
            let served = { self.link }.run(|id: u32, response: &Response<'_>| {
                answers.answer(id, response);
            });
            tokio::select! {
                _ = served => {}
                () = self.outgoing.closing.notified() => {
                    connection.close(CloseCode::Done.into(), b"given up");
                }
                // Every request that waits there has timed out.
                () = link::silence(&connection, self.patience) => {
                    connection.close(CloseCode::Done.into(), b"silence");
                }
            }
            self.outgoing.outbox.abandon();
        })
    }
}

impl Outgoing for QuicOutgoing {
    fn is_closed(&self) -> bool {
        self.outbox.is_closed()
    }

    fn request(&self, id: u32, order: &Order<'_>) {
        order
            .with(&mut self.value.borrow_mut(), |request| {
                self.outbox.request(id, request)
            })
            .expect("a workload's keys and values fit a frame");
    }

    fn close(&self) {
        self.closing.notify_one();
    }
}
