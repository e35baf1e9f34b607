//! The driver's hands: a connection to each node, made again when it breaks, and a loop that
//! gives the driver the time.

use std::cell::{Cell, RefCell, RefMut};
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use kvs_check::history::RecordError;
use kvs_core::drive::{Order, Sent, Wire};
use kvs_core::protocol::{NodeId, Response};
use kvs_measure as measure;
use kvs_node::transport::{CloseCode, DialError, Endpoint, Link, Outbox, link};

use super::driver::{Driver, Progress};
use super::timer::Timer;
use super::work::Plan;

/// How often the driver gets the time when nothing else is due, in nanoseconds.
const TICK_NS: u64 = 5_000_000;
/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// How long after a broken connection the first attempt is made to connect again.
const REDIAL_FIRST: Duration = Duration::from_millis(20);
/// The longest pause between two attempts to connect again.
const REDIAL_MAX: Duration = Duration::from_millis(250);
/// How long one attempt may take: a handshake takes milliseconds, and a fresh attempt finds a node
/// sooner after a cut than the repetitions of an old one.
const REDIAL_TIMEOUT: Duration = Duration::from_millis(500);

/// The run's clock: nanoseconds since the run began, the same for every session.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Nanoseconds since the start.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

/// Where a node is to be found, and which life it leads.
#[derive(Clone, Copy, Debug)]
pub struct NodeAddress {
    /// The node.
    pub node: NodeId,
    /// Its socket.
    pub address: SocketAddr,
    /// Its incarnation.
    pub incarnation: u16,
}

/// Why a phase ended before its plan did.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An operation could not be recorded.
    #[error(transparent)]
    History(#[from] RecordError),
    /// The system's timer failed.
    #[error("the timer that paces the load failed")]
    Timer(#[source] std::io::Error),
}

/// The nodes by their ids, as far as they are connected.
#[derive(Debug)]
struct Links {
    nodes: RefCell<Vec<Option<Connected>>>,
    /// Where values are made, as large as the largest so far.
    value: RefCell<Vec<u8>>,
}

/// Where requests to a node go, and which of its lives takes them.
#[derive(Clone, Debug)]
struct Connected {
    outbox: Rc<Outbox>,
    incarnation: u16,
}

impl Wire for &Links {
    fn send(&mut self, node: NodeId, id: u32, order: &Order<'_>) -> Sent {
        match &self.nodes.borrow()[usize::from(node.0)] {
            Some(Connected {
                outbox,
                incarnation,
            }) if !outbox.is_closed() => {
                order
                    .with(&mut self.value.borrow_mut(), |request| {
                        outbox.request(id, request)
                    })
                    .expect("a workload's keys and values fit a frame");
                Sent::To {
                    incarnation: *incarnation,
                }
            }
            Some(_) | None => Sent::Nowhere,
        }
    }
}

/// Where a node is now, and word of when it has moved.
#[derive(Debug)]
struct Whereabouts {
    node: Cell<NodeAddress>,
    moved: Notify,
}

/// A driver with its connections. Dropping it closes them.
#[derive(Debug)]
pub struct Load {
    driver: Rc<RefCell<Driver>>,
    links: Rc<Links>,
    whereabouts: Vec<Rc<Whereabouts>>,
    clock: Clock,
    timer: Timer,
    lane_came_free: Rc<Notify>,
    connections: JoinSet<()>,
}

impl Load {
    /// Connects to each of `nodes`, whose ids must be 0 to their number.
    ///
    /// # Errors
    /// When a node refuses or does not answer.
    pub async fn connect(
        endpoint: &Endpoint,
        nodes: &[NodeAddress],
        driver: Driver,
        clock: Clock,
    ) -> Result<Self, ConnectError> {
        let timer = Timer::new().map_err(ConnectError::Timer)?;
        let links = Rc::new(Links {
            nodes: RefCell::new(vec![None; nodes.len()]),
            value: RefCell::default(),
        });
        let driver = Rc::new(RefCell::new(driver));
        let lane_came_free = Rc::new(Notify::new());
        let mut connections = JoinSet::new();
        let mut whereabouts = Vec::with_capacity(nodes.len());
        for &node in nodes {
            let link = Link::dial(endpoint, node.address, node.node).await?;
            let here = Rc::new(Whereabouts {
                node: Cell::new(node),
                moved: Notify::new(),
            });
            whereabouts.push(Rc::clone(&here));
            let keeper = Keeper {
                endpoint: endpoint.clone(),
                here,
                driver: Rc::clone(&driver),
                links: Rc::clone(&links),
                lane_came_free: Rc::clone(&lane_came_free),
                clock,
                patience: driver.borrow().timeout(),
            };
            keeper.attach(&link, node.incarnation);
            connections.spawn_local(keeper.keep(link));
        }
        Ok(Self {
            driver,
            links,
            whereabouts,
            clock,
            timer,
            lane_came_free,
            connections,
        })
    }

    /// Drives one phase to its end, or until `stop` is ready: then no further step begins, and
    /// those under way end. Returns what a run phase has measured.
    ///
    /// # Errors
    /// When the history cannot be recorded any further, or the timer fails.
    pub async fn drive(
        &self,
        plan: Plan,
        stop: impl Future<Output = ()>,
        mut progress: impl FnMut(Progress),
    ) -> Result<Option<measure::Recorder>, LoadError> {
        let mut stop = pin!(stop);
        let mut stopped = false;
        let mut told = Instant::now();
        self.driver.borrow_mut().begin(plan);
        loop {
            let now_ns = self.clock.now_ns();
            let wait_ns = {
                let mut driver = self.driver.borrow_mut();
                driver.tick(now_ns, &mut &*self.links);
                if driver.is_done(now_ns) {
                    break;
                }
                let due_ns = driver.next_due_ns().unwrap_or(u64::MAX);
                due_ns.saturating_sub(now_ns).min(TICK_NS)
            };
            if told.elapsed() >= PROGRESS_INTERVAL {
                told = Instant::now();
                progress(self.driver.borrow().progress());
            }
            tokio::select! {
                () = &mut stop, if !stopped => {
                    stopped = true;
                    self.driver.borrow_mut().stop(self.clock.now_ns());
                }
                // The wait may have been chosen while no lane was free for what is due next.
                () = self.lane_came_free.notified() => {}
                outcome = self.timer.sleep(wait_ns) => outcome.map_err(LoadError::Timer)?,
            }
        }
        let mut driver = self.driver.borrow_mut();
        let measured = driver.end(self.clock.now_ns());
        progress(driver.progress());
        driver
            .take_failure()
            .map_or(Ok(measured), |failure| Err(failure.into()))
    }

    /// A node has another life, or another place: whatever was asked of the former one will not be
    /// answered, and the connection is made anew.
    ///
    /// # Panics
    /// When it was not connected to in the beginning.
    pub fn node_moved(&self, node: NodeAddress) {
        let here = &self.whereabouts[usize::from(node.node.0)];
        here.node.set(node);
        here.moved.notify_one();
    }

    /// A fault begins or ends at `now_ns`: see [`Driver::mark`].
    pub fn mark(&self, now_ns: u64) -> u64 {
        self.driver.borrow_mut().mark(now_ns)
    }

    /// Looks at the driver between two phases.
    pub fn with_driver<T>(&self, look: impl FnOnce(&Driver) -> T) -> T {
        look(&self.driver.borrow())
    }

    /// Closes the connections and hands the driver back.
    pub async fn close(mut self) -> Driver {
        self.connections.shutdown().await;
        let Self { driver, .. } = self;
        Rc::into_inner(driver)
            .expect("the connections have let go of the driver")
            .into_inner()
    }
}

/// Why the load could not connect.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A node refused or did not answer.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The system has no timer to pace the load with.
    #[error("no timer to pace the load with")]
    Timer(#[source] std::io::Error),
}

/// Keeps one node connected.
struct Keeper {
    endpoint: Endpoint,
    here: Rc<Whereabouts>,
    driver: Rc<RefCell<Driver>>,
    links: Rc<Links>,
    lane_came_free: Rc<Notify>,
    clock: Clock,
    /// How long an answer may take.
    patience: Duration,
}

impl Keeper {
    fn attach(&self, link: &Link, incarnation: u16) {
        let connected = Connected {
            outbox: link.outbox(),
            incarnation,
        };
        *self.place() = Some(connected);
    }

    fn place(&self) -> RefMut<'_, Option<Connected>> {
        let node = self.here.node.get().node;
        RefMut::map(self.links.nodes.borrow_mut(), |nodes| {
            &mut nodes[usize::from(node.0)]
        })
    }

    /// Serves `link`, and the links after it, for as long as the load lasts.
    async fn keep(self, mut link: Link) {
        loop {
            let (connection, outbox) = (link.connection().clone(), link.outbox());
            let served = link.run(|id: u32, response: &Response<'_>| {
                let now_ns = self.clock.now_ns();
                let mut wire = &*self.links;
                let mut driver = self.driver.borrow_mut();
                driver.handle_response(id, response, now_ns, &mut wire);
                if driver.take_lane_came_free() {
                    self.lane_came_free.notify_one();
                }
            });
            tokio::select! {
                _ = served => {}
                // Nobody is where the connection leads to.
                () = self.here.moved.notified() => {
                    connection.close(CloseCode::Done.into(), b"you have moved");
                }
                // Every request that waits there has timed out.
                () = link::silence(&connection, self.patience) => {
                    connection.close(CloseCode::Done.into(), b"silence");
                }
            }
            outbox.abandon();
            *self.place() = None;
            let now_ns = self.clock.now_ns();
            let mut wire = &*self.links;
            let node = self.here.node.get().node;
            self.driver
                .borrow_mut()
                .handle_disconnect(node, now_ns, &mut wire);
            link = self.redial().await;
        }
    }

    /// Connects to wherever the node is by then.
    async fn redial(&self) -> Link {
        let mut pause = REDIAL_FIRST;
        loop {
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.here.moved.notified() => pause = REDIAL_FIRST,
            }
            let node = self.here.node.get();
            let dial = Link::dial(&self.endpoint, node.address, node.node);
            match tokio::time::timeout(REDIAL_TIMEOUT, dial).await {
                // It may have moved on in the meantime.
                Ok(Ok(link)) if self.here.node.get().address == node.address => {
                    self.attach(&link, node.incarnation);
                    return link;
                }
                // The node is down: its operations are failing meanwhile, and are counted.
                Ok(_) | Err(_) => pause = (pause * 2).min(REDIAL_MAX),
            }
        }
    }
}
