//! Each kind of fault by counting datagrams, between plain sockets of which one has the faults.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Runtime, TokioRuntime};

use super::socket::FaultySocket;
use super::{NetworkFaults, PacketFaults};

/// Datagrams that are sent in one test, each with its number in it.
const SENT: u32 = 2_000;
/// Bytes of each.
const BYTES: usize = 100;
/// Datagrams that one transmit holds, as segmentation offload has it.
const SEGMENTS: u32 = 10;
/// Datagrams that may be on their way, and not held back by a fault, before the next ones are sent:
/// no buffer of the system overflows with them, however long the receiver waits for a processor.
const UNDER_WAY_MAX: u64 = 100;
const DEADLINE: Duration = Duration::from_secs(20);
/// When nothing has arrived for so long, nothing more will.
const QUIET: Duration = Duration::from_millis(700);

/// What the other side got, in order: the number in each datagram, none where it is damaged.
struct Got {
    numbers: Vec<Option<u32>>,
    took: Duration,
}

impl Got {
    fn whole(&self) -> usize {
        self.numbers.iter().flatten().count()
    }

    fn in_order(&self) -> bool {
        self.numbers.is_sorted()
    }
}

fn datagram(number: u32) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().repeat(BYTES / 4);
    bytes.truncate(BYTES);
    bytes
}

fn number_of(bytes: &[u8]) -> Option<u32> {
    let number = u32::from_be_bytes(bytes.get(..4)?.try_into().ok()?);
    (bytes == datagram(number)).then_some(number)
}

/// Gathers what arrives until nothing has for a while, on a thread, and counts it.
fn gather(receiver: std::net::UdpSocket, arrived: Arc<AtomicU64>) -> std::thread::JoinHandle<Got> {
    receiver.set_read_timeout(Some(QUIET)).unwrap();
    // Before the thread runs: a busy machine may let the first datagrams leave before that.
    let began = Instant::now();
    std::thread::spawn(move || {
        let mut got = Got {
            numbers: Vec::new(),
            took: Duration::ZERO,
        };
        let mut buffer = [0; 2 * BYTES];
        while let Ok(len) = receiver.recv(&mut buffer) {
            got.numbers.push(number_of(&buffer[..len]));
            arrived.fetch_add(1, Ordering::Relaxed);
            got.took = began.elapsed();
            assert!(began.elapsed() < DEADLINE, "it ends");
        }
        got
    })
}

/// Sends [`SENT`] datagrams through a socket with these faults, to a plain one.
async fn send(faults: NetworkFaults) -> (Got, super::FaultCounts) {
    let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap();
    let arrived = Arc::new(AtomicU64::new(0));
    let got = gather(receiver, Arc::clone(&arrived));
    let faults = NetworkFaults {
        mute_to: faults.mute_to.iter().map(|_| to).collect(),
        ..faults
    };
    let plain = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    plain.set_nonblocking(true).unwrap();
    let inner = TokioRuntime.wrap_udp_socket(plain).unwrap();
    let socket = Arc::new(FaultySocket::new(inner, 7));
    socket.set(faults);
    for first in (0..SENT).step_by(SEGMENTS as usize) {
        let contents: Vec<u8> = (first..first + SEGMENTS).flat_map(datagram).collect();
        let transmit = Transmit {
            destination: to,
            ecn: None,
            contents: &contents,
            segment_size: Some(BYTES),
            src_ip: None,
        };
        let mut poller = Arc::clone(&socket).create_io_poller();
        while socket.try_send(&transmit).is_err() {
            std::future::poll_fn(|cx| poller.as_mut().poll_writable(cx))
                .await
                .unwrap();
        }
        let left = u64::from(first + SEGMENTS);
        let under_way = || {
            let counts = socket.counts();
            let gone = counts.lost + counts.delayed + arrived.load(Ordering::Relaxed);
            (left + counts.duplicated).saturating_sub(gone)
        };
        // Late ones must not all come at once either.
        tokio::time::sleep(Duration::from_micros(100)).await;
        while under_way() > UNDER_WAY_MAX && !got.is_finished() {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }
    // Late ones are sent by a task of this runtime.
    while !got.is_finished() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (got.join().unwrap(), socket.counts())
}

fn run(faults: NetworkFaults) -> (Got, super::FaultCounts) {
    crate::transport::runtime().unwrap().block_on(send(faults))
}

fn sent(sent: PacketFaults) -> NetworkFaults {
    NetworkFaults {
        sent,
        ..NetworkFaults::default()
    }
}

/// Whether a count is what a chance of a fifth gives, within five standard deviations.
#[track_caller]
fn is_a_fifth(count: usize) {
    let mean = f64::from(SENT) * 0.2;
    let deviation = (f64::from(SENT) * 0.2 * 0.8).sqrt();
    let off = (count as f64 - mean).abs();
    assert!(off < 5.0 * deviation, "{count} is not about {mean}");
}

#[test]
fn without_a_fault_every_datagram_arrives_once_and_in_order() {
    let (got, counts) = run(NetworkFaults::default());
    assert_eq!(got.whole(), SENT as usize);
    assert!(got.in_order());
    assert_eq!(counts, super::FaultCounts::default());
}

#[test]
fn a_fifth_of_the_datagrams_is_lost() {
    let (got, counts) = run(sent(PacketFaults {
        loss: 0.2,
        ..PacketFaults::default()
    }));
    is_a_fifth(SENT as usize - got.whole());
    assert_eq!(counts.lost as usize, SENT as usize - got.whole());
}

#[test]
fn a_fifth_of_the_datagrams_arrives_twice() {
    let (got, counts) = run(sent(PacketFaults {
        duplicate: 0.2,
        ..PacketFaults::default()
    }));
    is_a_fifth(got.whole() - SENT as usize);
    assert_eq!(counts.duplicated as usize, got.whole() - SENT as usize);
}

#[test]
fn a_fifth_of_the_datagrams_is_damaged() {
    let (got, counts) = run(sent(PacketFaults {
        corrupt: 0.2,
        ..PacketFaults::default()
    }));
    assert_eq!(got.numbers.len(), SENT as usize, "all arrive");
    let damaged = got.numbers.len() - got.whole();
    is_a_fifth(damaged);
    assert_eq!(counts.corrupted as usize, damaged);
}

#[test]
fn a_fifth_of_the_datagrams_is_overtaken() {
    let (got, counts) = run(sent(PacketFaults {
        reorder: 0.2,
        ..PacketFaults::default()
    }));
    assert_eq!(got.whole(), SENT as usize, "all arrive");
    assert!(!got.in_order());
    is_a_fifth(counts.delayed as usize);
}

#[test]
fn every_datagram_is_delayed_by_as_much_as_was_asked() {
    let (got, counts) = run(sent(PacketFaults {
        delay_ns: 50_000_000,
        jitter_ns: 10_000_000,
        ..PacketFaults::default()
    }));
    assert_eq!(got.whole(), SENT as usize, "all arrive");
    assert_eq!(counts.delayed, u64::from(SENT));
    assert!(got.took >= Duration::from_millis(40), "{:?}", got.took);
    assert!(!got.in_order(), "the jitter reorders");
}

#[test]
fn a_rate_lets_no_more_through_and_loses_what_would_wait_too_long() {
    // 200 kB at 100 kB/s: what waits longer than the queue of 0.4 s is lost.
    let (got, counts) = run(sent(PacketFaults {
        bytes_per_s: 100_000,
        ..PacketFaults::default()
    }));
    let through = (got.whole() * BYTES) as f64;
    let allowed = 100_000.0 * got.took.as_secs_f64() + BYTES as f64;
    assert!(through <= allowed, "{through} bytes of {allowed}");
    assert!(through >= 0.7 * allowed, "{through} bytes of {allowed}");
    assert!(counts.lost > 0, "too many waited");
    assert!(got.in_order(), "they wait in order");
    assert!(got.took >= Duration::from_millis(300), "{:?}", got.took);
    assert_eq!(counts.lost as usize, SENT as usize - got.whole());
}

#[test]
fn nothing_leaves_towards_whom_the_socket_is_mute() {
    let nowhere = "127.0.0.1:9".parse().unwrap();
    let (got, counts) = run(NetworkFaults {
        mute_to: vec![nowhere],
        ..NetworkFaults::default()
    });
    assert_eq!(got.numbers.len(), 0);
    assert_eq!(counts.lost, u64::from(SENT));
}

/// Has two plain sockets send to one that is deaf to the first, and counts what it hears of each.
async fn hear() -> ([u32; 2], u64) {
    let plain = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    plain.set_nonblocking(true).unwrap();
    let to = plain.local_addr().unwrap();
    let socket = FaultySocket::new(TokioRuntime.wrap_udp_socket(plain).unwrap(), 7);
    let senders = [
        tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap(),
    ];
    let addresses = senders
        .each_ref()
        .map(|sender| sender.local_addr().unwrap());
    socket.set(NetworkFaults {
        deaf_to: vec![addresses[0]],
        ..NetworkFaults::default()
    });
    let mut heard = [0, 0];
    let mut buffers = [[0; 2 * BYTES]; 4];
    for number in 0..100 {
        for sender in &senders {
            sender.send_to(&datagram(number), to).await.unwrap();
        }
        // Waits for the one that is heard; the other one came before it.
        let mut slices = buffers
            .each_mut()
            .map(|buffer| std::io::IoSliceMut::new(buffer));
        let mut meta = [RecvMeta::default(); 4];
        let received =
            std::future::poll_fn(|cx| socket.poll_recv(cx, &mut slices, &mut meta)).await;
        for (meta, bytes) in meta.iter().zip(&slices).take(received.unwrap()) {
            let of = addresses.iter().position(|from| *from == meta.addr);
            heard[of.unwrap()] += 1;
            assert_eq!(number_of(&bytes[..meta.len]), Some(number), "its own bytes");
        }
    }
    (heard, socket.counts().unheard)
}

#[test]
fn nothing_arrives_from_whom_the_socket_is_deaf_to_and_all_from_others() {
    let ([deaf_to, other], unheard) = crate::transport::runtime()
        .unwrap()
        .block_on(async { tokio::time::timeout(DEADLINE, hear()).await })
        .expect("it ends");
    assert_eq!((deaf_to, other), (0, 100));
    assert_eq!(unheard, 100);
}

#[test]
fn two_sockets_of_one_seed_lose_the_same_datagrams() {
    let faults = || {
        sent(PacketFaults {
            loss: 0.2,
            ..PacketFaults::default()
        })
    };
    assert_eq!(run(faults()).0.numbers, run(faults()).0.numbers);
}
