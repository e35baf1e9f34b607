//! The load: a closed loop with a fixed number of requests outstanding, over any server here.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use kvs_zoo::protocol::{Dot, NodeId, Operation, PutWitness, Request, Response};
use kvs_zoo::replica::shard_of;
use kvs_zoo::transport::codec::{append_request, decode_response};
use kvs_zoo::transport::{Endpoint, Link, Outbox, ResponseHandler};
use rand::{RngExt, SeedableRng};
use rand_pcg::Pcg32;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::{RECORDS, VALUE_BYTES};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mix {
    /// Every other request is a get.
    Half,
    Gets,
    Puts,
}

/// Which of several nodes serves a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The owner of the key's shard.
    ByKey,
    /// Always the same one for the same place in the window, as a sticky session.
    ByPlace,
}

/// What one measurement found.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    /// CPU time of this process, per operation.
    pub(crate) client_cpu_us: f64,
    pub(crate) operations: u64,
}

/// One closed loop under way.
struct Load {
    outboxes: Vec<Rc<Outbox>>,
    route: Route,
    mix: Mix,
    random: Pcg32,
    places: Vec<Place>,
    until: Instant,
    /// Of the present batch.
    now: Instant,
    outstanding: usize,
    operations: u64,
    latency: Histogram<u32>,
    finished: Rc<Notify>,
    key: [u8; 16],
    load_next: Option<u64>,
}

/// One place in the window: what a session would be.
struct Place {
    since: Instant,
    context: Vec<Dot>,
}

/// A cluster to be loaded: connections that stay for all its measurements.
pub(crate) struct Cluster {
    load: Rc<RefCell<Option<Load>>>,
    outboxes: Vec<Rc<Outbox>>,
    route: Route,
}

struct Handler {
    load: Rc<RefCell<Option<Load>>>,
    /// Whether the next response is the first one of its batch.
    fresh: bool,
}

impl ResponseHandler for Handler {
    fn response(&mut self, id: u32, response: &Response<'_>) {
        if let Some(load) = &mut *self.load.borrow_mut() {
            if std::mem::take(&mut self.fresh) {
                load.now = Instant::now();
            }
            load.answered(id, response);
        }
    }

    fn batch_end(&mut self) {
        self.fresh = true;
    }
}

impl Cluster {
    pub(crate) async fn connect(
        endpoint: &Endpoint,
        nodes: &[(NodeId, SocketAddr)],
        route: Route,
    ) -> Self {
        let load = Rc::default();
        let mut outboxes = Vec::new();
        for (node, addr) in nodes {
            let link = Link::dial(endpoint, *addr, *node).await.expect("a node");
            outboxes.push(link.outbox());
            tokio::task::spawn_local(link.run(Handler {
                load: Rc::clone(&load),
                fresh: true,
            }));
        }
        Self {
            load,
            outboxes,
            route,
        }
    }

    /// Puts every record once.
    pub(crate) async fn fill(&self) {
        self.run(64, Mix::Puts, Duration::from_secs(60), true).await;
    }

    pub(crate) async fn measure(&self, outstanding: usize, mix: Mix, time: Duration) -> Sample {
        self.run(outstanding, mix, time, false).await
    }

    async fn run(&self, outstanding: usize, mix: Mix, time: Duration, fill: bool) -> Sample {
        let finished = Rc::new(Notify::new());
        let cpu = cpu_time();
        let start = Instant::now();
        let mut load = Load::new(
            self.outboxes.clone(),
            self.route,
            mix,
            time,
            Rc::clone(&finished),
        );
        load.load_next = fill.then_some(0);
        load.start(outstanding);
        *self.load.borrow_mut() = Some(load);
        finished.notified().await;
        let load = self.load.borrow_mut().take().expect("it was put there");
        sample(&load.latency, load.operations, start, cpu)
    }
}

impl Load {
    fn new(
        outboxes: Vec<Rc<Outbox>>,
        route: Route,
        mix: Mix,
        time: Duration,
        finished: Rc<Notify>,
    ) -> Self {
        let now = Instant::now();
        Self {
            outboxes,
            route,
            mix,
            random: Pcg32::seed_from_u64(1),
            places: Vec::new(),
            until: now + time,
            now,
            outstanding: 0,
            operations: 0,
            latency: histogram(),
            finished,
            key: *b"user000000000000",
            load_next: None,
        }
    }

    fn start(&mut self, outstanding: usize) {
        for place in 0..outstanding {
            self.places.push(Place {
                since: self.now,
                context: Vec::new(),
            });
            self.ask(place);
        }
    }

    fn answered(&mut self, id: u32, response: &Response<'_>) {
        self.outstanding -= 1;
        self.operations += 1;
        let place = &mut self.places[id as usize];
        let waited = self.now.saturating_duration_since(place.since);
        let waited_ns = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
        self.latency.saturating_record(waited_ns);
        match response {
            Response::Get { vector, .. } | Response::Put(PutWitness::Causal { vector, .. }) => {
                // The session stays with one replica, whose vector only grows.
                place.context.clear();
                place.context.extend_from_slice(vector);
            }
            Response::Put(PutWitness::None | PutWitness::Lww { .. }) => {}
            Response::Refused(refusal) => panic!("a node refused: {refusal:?}"),
            Response::Indefinite => panic!("a node does not know"),
            Response::NotLeader { .. } => panic!("a node does not lead"),
            Response::Mismatch { .. } => panic!("nothing was compared"),
        }
        let filled = self.load_next == Some(RECORDS);
        if !filled && self.now < self.until {
            self.ask(id as usize);
        } else if self.outstanding == 0 {
            self.finished.notify_one();
        }
    }

    fn ask(&mut self, place: usize) {
        let record = match &mut self.load_next {
            Some(next) => {
                *next += 1;
                *next - 1
            }
            None => self.random.random_range(0..RECORDS),
        };
        set_key(&mut self.key, record);
        let node = match self.route {
            Route::ByPlace => place % self.outboxes.len(),
            Route::ByKey => {
                let nodes = u16::try_from(self.outboxes.len()).expect("few nodes");
                usize::from(shard_of(&self.key, 0, nodes))
            }
        };
        let request = Request {
            key: &self.key,
            operation: operation(self.mix, &mut self.random),
            context: &self.places[place].context,
            call: None,
        };
        let id = u32::try_from(place).expect("a small window");
        self.outboxes[node].request(id, &request).expect("short");
        self.places[place].since = self.now;
        self.outstanding += 1;
    }
}

/// The same load over TCP.
pub(crate) async fn measure_tcp(
    stream: &mut TcpStream,
    outstanding: usize,
    mix: Mix,
    time: Duration,
) -> Sample {
    let cpu = cpu_time();
    let start = Instant::now();
    let mut now;
    let mut random = Pcg32::seed_from_u64(1);
    let mut key = *b"user000000000000";
    let mut since = vec![start; outstanding];
    let (mut out, mut inbox, mut dots) = (Vec::new(), Vec::new(), Vec::new());
    let mut latency = histogram();
    let (mut waiting, mut operations) = (0_usize, 0);
    let mut ask = |out: &mut Vec<u8>, place: usize| {
        set_key(&mut key, random.random_range(0..RECORDS));
        let request = Request {
            key: &key,
            operation: operation(mix, &mut random),
            context: &[],
            call: None,
        };
        let id = u32::try_from(place).expect("a small window");
        append_request(out, id, &request).expect("short");
    };
    for place in 0..outstanding {
        ask(&mut out, place);
        waiting += 1;
    }
    let mut read = vec![0; 64 << 10];
    while waiting > 0 {
        stream.write_all(&out).await.expect("the server lives");
        out.clear();
        let bytes = stream.read(&mut read).await.expect("the server lives");
        inbox.extend_from_slice(&read[..bytes]);
        now = Instant::now();
        let mut used = 0;
        while let Some(prefix) = inbox[used..].first_chunk() {
            let length = 4 + u32::from_le_bytes(*prefix) as usize;
            let Some(frame) = inbox[used..].get(4..length) else {
                break;
            };
            let place = decode_response(frame, &mut dots, |id, _| id as usize).expect("ours");
            let waited_ns = u64::try_from((now - since[place]).as_nanos()).unwrap_or(u64::MAX);
            latency.saturating_record(waited_ns);
            operations += 1;
            waiting -= 1;
            if now - start < time {
                ask(&mut out, place);
                since[place] = now;
                waiting += 1;
            }
            used += length;
        }
        inbox.drain(..used);
    }
    sample(&latency, operations, start, cpu)
}

fn operation<'a>(mix: Mix, random: &mut Pcg32) -> Operation<'a> {
    let put = match mix {
        Mix::Half => random.random::<bool>(),
        Mix::Gets => false,
        Mix::Puts => true,
    };
    if put {
        Operation::Put {
            value: &[7; VALUE_BYTES],
        }
    } else {
        Operation::Get
    }
}

fn set_key(key: &mut [u8; 16], record: u64) {
    let mut rest = record;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).expect("a digit");
        rest /= 10;
    }
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("legal bounds")
}

fn sample(latency: &Histogram<u32>, operations: u64, start: Instant, cpu: Duration) -> Sample {
    let elapsed = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
    let (count, p50_ns) = (operations as f64, latency.value_at_quantile(0.5) as f64);
    Sample {
        per_second: count / elapsed,
        p50_us: p50_ns / 1e3,
        client_cpu_us: (cpu_time() - cpu).as_secs_f64() * 1e6 / count,
        operations,
    }
}

/// CPU time of this process.
fn cpu_time() -> Duration {
    Duration::from_nanos(kvs_zoo::node::Usage::now().cpu_ns)
}
