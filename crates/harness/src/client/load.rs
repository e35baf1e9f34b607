//! The I/O around the driver: a connection to each node, made again when it breaks, and a loop that
//! gives the driver the time.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use kvs_check::history::RecordError;
use kvs_measure as measure;
use kvs_target::{Connector, Leadership, NodeAddress, Reads, Refused, Sessions};

use super::driver::{Driver, Progress};
use super::keeper::{Keeper, Links, Whereabouts};
use super::timer::Timer;
use super::work::Plan;

/// How often the driver gets the time when nothing else is due, in nanoseconds.
const TICK_NS: u64 = 5_000_000;
/// How often progress is told.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);
/// The time from asking which node takes writes to asking again, at least.
const PRIMARY_INTERVAL: Duration = Duration::from_millis(100);

/// The run's clock: nanoseconds since the run began, the same for every session.
#[derive(Clone, Copy, Debug)]
pub struct RunClock {
    start: Instant,
}

impl RunClock {
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

/// A driver with its connections. Dropping it closes them.
#[derive(Debug)]
pub struct Load {
    driver: Rc<RefCell<Driver>>,
    links: Rc<Links>,
    whereabouts: Vec<Rc<Whereabouts>>,
    clock: RunClock,
    timer: Timer,
    lane_came_free: Rc<Notify>,
    /// Has it asked which node takes writes.
    primary_doubted: Rc<Notify>,
    connections: JoinSet<()>,
}

impl Load {
    /// Connects to each of `nodes`, whose ids must be 0 to their number: once, or once a lane.
    ///
    /// # Errors
    /// When a node refuses or does not answer.
    pub async fn connect(
        connector: Rc<dyn Connector>,
        nodes: &[NodeAddress],
        sessions: Sessions,
        driver: Driver,
        clock: RunClock,
    ) -> Result<Self, ConnectError> {
        let timer = Timer::new().map_err(ConnectError::Timer)?;
        let per_node = match sessions {
            Sessions::Shared => 1,
            Sessions::Own => driver.lanes_max(),
        };
        let links = Rc::new(Links::new(nodes.len(), per_node));
        let driver = Rc::new(RefCell::new(driver));
        let lane_came_free = Rc::new(Notify::new());
        let mut connections = JoinSet::new();
        let mut whereabouts = Vec::with_capacity(nodes.len());
        for &node in nodes {
            let here = Rc::new(Whereabouts {
                node: Cell::new(node),
                moves: Cell::new(0),
                moved: Notify::new(),
            });
            whereabouts.push(Rc::clone(&here));
            for at in 0..per_node {
                let keeper = Keeper {
                    connector: Rc::clone(&connector),
                    here: Rc::clone(&here),
                    lane: (sessions == Sessions::Own).then_some(at as u32),
                    driver: Rc::clone(&driver),
                    links: Rc::clone(&links),
                    lane_came_free: Rc::clone(&lane_came_free),
                    clock,
                };
                // A lane asks the node of its number first; what it does not ask costs nothing.
                let first = if at % nodes.len() == usize::from(node.node.0) || per_node == 1 {
                    let connection = connector
                        .connect(node)
                        .await
                        .map_err(ConnectError::Refused)?;
                    keeper.attach(&*connection, node.incarnation);
                    Some(connection)
                } else {
                    None
                };
                connections.spawn_local(keeper.keep(first));
            }
        }
        Ok(Self {
            driver,
            links,
            whereabouts,
            clock,
            timer,
            lane_came_free,
            primary_doubted: Rc::new(Notify::new()),
            connections,
        })
    }

    /// Sends writes to the node that takes them, and reads too if `reads` says so. It asks which
    /// node that is, and asks again when a request to it has gone wrong, as long as the load lasts.
    pub async fn follow(&mut self, leadership: Rc<dyn Leadership>, reads: Reads) {
        let primary = leadership.primary().await;
        {
            let mut driver = self.driver.borrow_mut();
            driver.set_primary(primary);
            if reads == Reads::Primary {
                driver.read_from_primary();
            }
        }
        let driver = Rc::clone(&self.driver);
        let doubted = Rc::clone(&self.primary_doubted);
        self.connections.spawn_local(async move {
            loop {
                doubted.notified().await;
                // A node that is asked in the middle of a change may not know yet: the latest
                // answer counts.
                let primary = leadership.primary().await;
                if primary.is_some() {
                    driver.borrow_mut().set_primary(primary);
                }
                tokio::time::sleep(PRIMARY_INTERVAL).await;
            }
        });
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
    ) -> Result<Option<measure::Meter>, LoadError> {
        let mut stop = pin!(stop);
        let mut stopped = false;
        let mut told = Instant::now();
        self.driver.borrow_mut().begin(plan);
        loop {
            let now_ns = self.clock.now_ns();
            let wait_ns = {
                let mut driver = self.driver.borrow_mut();
                driver.tick(now_ns, &mut &*self.links);
                if driver.take_primary_doubted() {
                    self.primary_doubted.notify_one();
                }
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
        here.moves.set(here.moves.get() + 1);
        here.moved.notify_waiters();
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
    Refused(Refused),
    /// The system has no timer to pace the load with.
    #[error("the system has no timer to pace the load with")]
    Timer(#[source] std::io::Error),
}
