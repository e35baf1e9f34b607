//! The connections of a load: one to each node, or one a lane, each made again when it breaks.

use std::cell::{Cell, RefCell, RefMut};
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;

use kvs_core::drive::{Order, Sent, Wire};
use kvs_core::protocol::{NodeId, Response};
use kvs_target::{Answers, Connection, Connector, NodeAddress, Outgoing};

use super::driver::Driver;
use super::load::RunClock;

/// How long after a broken connection the first attempt is made to connect again.
const REDIAL_FIRST: Duration = Duration::from_millis(20);
/// The longest pause between two attempts to connect again.
const REDIAL_MAX: Duration = Duration::from_millis(250);
/// How long one attempt may take: a handshake takes milliseconds, and a fresh attempt finds a node
/// sooner after a cut than the repetitions of an old one.
const REDIAL_TIMEOUT: Duration = Duration::from_millis(500);

/// The connections by their places, as far as there are any.
#[derive(Debug)]
pub(super) struct Links {
    /// How many connections each node has: one, or one a lane.
    per_node: usize,
    places: RefCell<Vec<Option<Connected>>>,
    /// Places that a lane has asked for and that are not connected: whoever keeps them connects.
    wanted: Vec<Notify>,
}

/// Where requests to a node go, and which of its lives takes them.
#[derive(Clone, Debug)]
pub(super) struct Connected {
    outgoing: Rc<dyn Outgoing>,
    incarnation: u16,
}

impl Links {
    /// Room for this many connections to each node.
    pub(super) fn new(nodes: usize, per_node: usize) -> Self {
        let places = nodes * per_node;
        Self {
            per_node,
            places: RefCell::new(vec![None; places]),
            wanted: (0..places).map(|_| Notify::new()).collect(),
        }
    }

    /// The place of the connection that a lane asks a node over.
    const fn place(&self, node: NodeId, lane: u32) -> usize {
        node.0 as usize * self.per_node + lane as usize % self.per_node
    }
}

impl Wire for &Links {
    fn send(&mut self, node: NodeId, id: u32, order: &Order<'_>) -> Sent {
        let place = self.place(node, order.lane);
        match &self.places.borrow()[place] {
            Some(Connected {
                outgoing,
                incarnation,
            }) if !outgoing.is_closed() => {
                outgoing.request(id, order);
                Sent::To {
                    incarnation: *incarnation,
                }
            }
            Some(_) => Sent::Nowhere,
            None => {
                self.wanted[place].notify_one();
                Sent::Nowhere
            }
        }
    }
}

/// Where a node is now, and word of when it has moved.
#[derive(Debug)]
pub(super) struct Whereabouts {
    pub(super) node: Cell<NodeAddress>,
    /// How often it has moved: word may come while nobody waits for it.
    pub(super) moves: Cell<u64>,
    pub(super) moved: Notify,
}

/// Keeps one place connected.
pub(super) struct Keeper {
    pub(super) connector: Rc<dyn Connector>,
    pub(super) here: Rc<Whereabouts>,
    /// The lane whose place it is, if it is one's own.
    pub(super) lane: Option<u32>,
    pub(super) driver: Rc<RefCell<Driver>>,
    pub(super) links: Rc<Links>,
    pub(super) lane_came_free: Rc<Notify>,
    pub(super) clock: RunClock,
}

impl Keeper {
    /// Has requests go over this connection.
    pub(super) fn attach(&self, connection: &dyn Connection, incarnation: u16) {
        let connected = Connected {
            outgoing: connection.outgoing(),
            incarnation,
        };
        *self.place() = Some(connected);
    }

    fn index(&self) -> usize {
        let node = self.here.node.get().node;
        self.links.place(node, self.lane.unwrap_or(0))
    }

    fn place(&self) -> RefMut<'_, Option<Connected>> {
        let index = self.index();
        RefMut::map(self.links.places.borrow_mut(), |places| &mut places[index])
    }

    /// Serves a connection, and those after it, for as long as the load lasts.
    pub(super) async fn keep(self, first: Option<Box<dyn Connection>>) {
        let mut next = first;
        loop {
            let connection = match next.take() {
                Some(connection) => connection,
                None => {
                    self.links.wanted[self.index()].notified().await;
                    self.dial(Duration::ZERO).await
                }
            };
            self.serve(connection).await;
            *self.place() = None;
            let now_ns = self.clock.now_ns();
            let mut wire = &*self.links;
            let node = self.here.node.get().node;
            self.driver
                .borrow_mut()
                .handle_disconnect(node, self.lane, now_ns, &mut wire);
            next = Some(self.dial(REDIAL_FIRST).await);
        }
    }

    /// Serves a connection to its end, or until its node has moved.
    async fn serve(&self, connection: Box<dyn Connection>) {
        let outgoing = connection.outgoing();
        let moves = self.here.moves.get();
        let mut answers = Deliver(self);
        let mut served = pin!(connection.run(&mut answers));
        loop {
            let moved = self.here.moved.notified();
            if self.here.moves.get() != moves {
                // Nobody is where the connection leads to.
                outgoing.close();
            }
            tokio::select! {
                () = &mut served => return,
                () = moved => {}
            }
        }
    }

    /// Connects to wherever the node is by then.
    async fn dial(&self, first: Duration) -> Box<dyn Connection> {
        let mut pause = first;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.here.moved.notified() => pause = REDIAL_FIRST,
            }
            let node = self.here.node.get();
            let dial = self.connector.connect(node);
            match tokio::time::timeout(REDIAL_TIMEOUT, dial).await {
                // It may have moved on in the meantime.
                Ok(Ok(connection)) if self.here.node.get().address == node.address => {
                    self.attach(&*connection, node.incarnation);
                    return connection;
                }
                // The node is down: its operations are failing meanwhile, and are counted.
                Ok(_) | Err(_) => pause = (pause * 2).clamp(REDIAL_FIRST, REDIAL_MAX),
            }
        }
    }
}

/// Hands answers to the driver.
struct Deliver<'a>(&'a Keeper);

impl Deliver<'_> {
    fn deliver(&self, hand: impl FnOnce(&mut Driver, u64, &mut &Links)) {
        let now_ns = self.0.clock.now_ns();
        let mut wire = &*self.0.links;
        let mut driver = self.0.driver.borrow_mut();
        hand(&mut driver, now_ns, &mut wire);
        if driver.take_lane_came_free() {
            self.0.lane_came_free.notify_one();
        }
    }
}

impl Answers for Deliver<'_> {
    fn answer(&mut self, id: u32, response: &Response<'_>) {
        self.deliver(|driver, now_ns, wire| driver.handle_response(id, response, now_ns, wire));
    }

    fn indefinite(&mut self, id: u32) {
        self.deliver(|driver, now_ns, wire| driver.handle_indefinite(id, now_ns, wire));
    }
}
