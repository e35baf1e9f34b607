//! The socket: quinn's own, with the faults around it.
//!
//! While nothing goes wrong it passes everything on, at the price of one load of a flag.

use std::collections::BinaryHeap;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use quinn::udp::{EcnCodepoint, RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::NetworkFaults;
use super::lottery::{Fate, Lottery};

/// How many bytes may wait to be sent later. At the bound datagrams are lost.
const DELAYED_BYTES_MAX: usize = 16 << 20;

/// Datagrams that met a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FaultCounts {
    /// Came in and were not heard.
    pub unheard: u64,
    /// Were to be sent and were lost: cut, by chance, or since too many waited.
    pub lost: u64,
    /// Were sent later than they would have been.
    pub delayed: u64,
    /// Were sent twice.
    pub duplicated: u64,
    /// Were sent with a bit flipped.
    pub corrupted: u64,
}

/// A socket whose datagrams may meet with faults.
#[derive(Debug)]
pub(crate) struct FaultySocket {
    inner: Arc<dyn AsyncUdpSocket>,
    /// Whether anything goes wrong, so that nothing need be locked while it does not.
    active: AtomicBool,
    shared: Arc<Shared>,
}

/// What the socket and the task that sends late share.
#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something waits to be sent later, or the socket is gone.
    changed: Notify,
    epoch: Instant,
}

#[derive(Debug)]
struct State {
    lottery: Lottery,
    counts: FaultCounts,
    delayed: BinaryHeap<Delayed>,
    delayed_bytes: usize,
    /// Keeps those of one time in order.
    sequence: u64,
    /// Whether the task that sends them was started.
    sends_late: bool,
    gone: bool,
}

/// A datagram that is sent later.
#[derive(Debug, PartialEq, Eq)]
struct Delayed {
    at_ns: u64,
    sequence: u64,
    to: SocketAddr,
    ecn: Option<EcnCodepoint>,
    src_ip: Option<std::net::IpAddr>,
    contents: Vec<u8>,
}

/// The largest is the earliest, as a heap has it.
impl Ord for Delayed {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (other.at_ns, other.sequence).cmp(&(self.at_ns, self.sequence))
    }
}

impl PartialOrd for Delayed {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl FaultySocket {
    /// A socket on which nothing goes wrong yet; `seed` decides what will.
    pub(crate) fn new(inner: Arc<dyn AsyncUdpSocket>, seed: u64) -> Self {
        Self {
            inner,
            active: AtomicBool::new(false),
            shared: Arc::new(Shared {
                state: Mutex::new(State {
                    lottery: Lottery::new(seed),
                    counts: FaultCounts::default(),
                    delayed: BinaryHeap::new(),
                    delayed_bytes: 0,
                    sequence: 0,
                    sends_late: false,
                    gone: false,
                }),
                changed: Notify::new(),
                epoch: Instant::now(),
            }),
        }
    }

    /// From now on these faults, and no others. Call it on a runtime.
    pub(crate) fn set(&self, faults: NetworkFaults) {
        let mut state = self.shared.lock();
        self.active.store(!faults.is_none(), Ordering::Release);
        state.lottery.faults = faults;
        if !state.sends_late {
            state.sends_late = true;
            let late = send_late(Arc::clone(&self.shared), Arc::clone(&self.inner));
            tokio::spawn(late);
        }
    }

    /// How many datagrams met a fault.
    pub(crate) fn counts(&self) -> FaultCounts {
        self.shared.lock().counts
    }

    /// Sends a datagram as its drawn fate says. To QUIC, what is lost here was lost on the way.
    fn send_one(&self, state: &mut State, transmit: &Transmit<'_>) {
        let now_ns = self.shared.now_ns();
        let fates = state
            .lottery
            .send(transmit.destination, transmit.contents.len(), now_ns);
        match fates.len() {
            0 => state.counts.lost += 1,
            1 => {}
            _ => state.counts.duplicated += 1,
        }
        for Fate { at_ns, flipped } in fates {
            state.counts.corrupted += u64::from(flipped.is_some());
            if at_ns <= now_ns && flipped.is_none() && self.inner.try_send(transmit).is_ok() {
                continue;
            }
            // What the system does not take at once is sent as soon as it does.
            state.counts.delayed += u64::from(at_ns > now_ns);
            state.delay(at_ns, flipped, transmit);
        }
    }
}

impl Drop for FaultySocket {
    fn drop(&mut self) {
        self.shared.lock().gone = true;
        self.shared.changed.notify_one();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody panics with the state")
    }

    fn now_ns(&self) -> u64 {
        self.epoch.elapsed().as_nanos() as u64
    }
}

impl State {
    fn delay(&mut self, at_ns: u64, flipped: Option<usize>, transmit: &Transmit<'_>) {
        let len = transmit.contents.len();
        if self.delayed_bytes + len > DELAYED_BYTES_MAX {
            self.counts.lost += 1;
            return;
        }
        let mut contents = transmit.contents.to_vec();
        if let Some(byte) = flipped.and_then(|bit| contents.get_mut(bit / 8)) {
            *byte ^= 1 << (flipped.unwrap_or_default() % 8);
        }
        self.delayed_bytes += len;
        self.sequence += 1;
        self.delayed.push(Delayed {
            at_ns,
            sequence: self.sequence,
            to: transmit.destination,
            ecn: transmit.ecn,
            src_ip: transmit.src_ip,
            contents,
        });
    }
}

/// Sends each delayed datagram when its time has come, until the socket is gone.
async fn send_late(shared: Arc<Shared>, inner: Arc<dyn AsyncUdpSocket>) {
    let mut poller = Arc::clone(&inner).create_io_poller();
    loop {
        let next = {
            let mut state = shared.lock();
            if state.gone {
                return;
            }
            let now_ns = shared.now_ns();
            match state.delayed.peek().map(|delayed| delayed.at_ns) {
                Some(at_ns) if at_ns <= now_ns => {
                    let due = state.delayed.pop().expect("one was seen");
                    state.delayed_bytes -= due.contents.len();
                    Ok(due)
                }
                Some(at_ns) => Err(Some(Duration::from_nanos(at_ns - now_ns))),
                None => Err(None),
            }
        };
        match next {
            Ok(due) => {
                let transmit = Transmit {
                    destination: due.to,
                    ecn: due.ecn,
                    contents: &due.contents,
                    segment_size: None,
                    src_ip: due.src_ip,
                };
                while let Err(error) = inner.try_send(&transmit) {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        // Lost on the way, as QUIC sees it.
                        break;
                    }
                    let writable = std::future::poll_fn(|cx| poller.as_mut().poll_writable(cx));
                    if writable.await.is_err() {
                        break;
                    }
                }
            }
            Err(Some(wait)) => {
                tokio::select! {
                    () = shared.changed.notified() => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
            Err(None) => shared.changed.notified().await,
        }
    }
}

impl AsyncUdpSocket for FaultySocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Arc::clone(&self.inner).create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if !self.active.load(Ordering::Acquire) {
            return self.inner.try_send(transmit);
        }
        let mut state = self.shared.lock();
        let segment = transmit
            .segment_size
            .unwrap_or(transmit.contents.len())
            .max(1);
        for contents in transmit.contents.chunks(segment) {
            let one = Transmit {
                destination: transmit.destination,
                ecn: transmit.ecn,
                contents,
                segment_size: None,
                src_ip: transmit.src_ip,
            };
            self.send_one(&mut state, &one);
        }
        if !state.delayed.is_empty() {
            self.shared.changed.notify_one();
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            let received = ready!(self.inner.poll_recv(cx, bufs, meta))?;
            if !self.active.load(Ordering::Acquire) {
                return Poll::Ready(Ok(received));
            }
            let mut state = self.shared.lock();
            let mut heard = 0;
            for at in 0..received {
                // All that one buffer holds is from one sender.
                if state.lottery.hears(meta[at].addr) {
                    bufs.swap(heard, at);
                    meta.swap(heard, at);
                    heard += 1;
                } else {
                    let stride = meta[at].stride.max(1);
                    state.counts.unheard += meta[at].len.div_ceil(stride) as u64;
                }
            }
            if heard > 0 {
                return Poll::Ready(Ok(heard));
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.inner.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.inner.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.inner.may_fragment()
    }
}
