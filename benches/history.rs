//! What recording, reading and judging a history cost: `cargo bench --bench history [OPERATIONS]`.
//!
//! Prints ns an operation for each. Recording is timed on the caller's thread, flat out and as
//! CPU time of the whole process, so that the writer's share is seen too.

use std::hint::black_box;
use std::time::{Duration, Instant};

use kvs_zoo::checker::{Clock, Engine, Options, check};
use kvs_zoo::history::{
    ArrowFile, Evidence, Header, History, Kind, Model, Row, Siblings, Staleness, Version, Witness,
    dot, staleness, value_id,
};
use rustix::time::{ClockId, clock_gettime};

const OPERATIONS: u32 = 1_000_000;
const SESSIONS: u32 = 16;
const KEYS: u64 = 10_000;
const NODES: usize = 3;
/// One operation starts every this many ns.
const SPACING: u64 = 1_000;
/// How long each takes.
const DURATION: u64 = 10_000;
/// Operations after which replicas exchange all they have.
const GOSSIP_EVERY: u32 = 50;

fn main() {
    // Cargo passes `--bench`.
    let operations = std::env::args()
        .skip(1)
        .find_map(|a| a.parse().ok())
        .unwrap_or(OPERATIONS);
    for (promise, evidence) in [
        (Model::Linearizable, Evidence::None),
        (Model::Lww, Evidence::Versions),
        (Model::Causal, Evidence::Causal),
    ] {
        measure(promise, evidence, operations);
    }
}

fn measure(promise: Model, evidence: Evidence, operations: u32) {
    let history = generate(promise, evidence, operations);
    let count = f64::from(operations);
    let each = |time: Duration| time.as_nanos() as f64 / count;
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("history.arrows");

    let (start, cpu) = (Instant::now(), cpu_time());
    let mut recorder = ArrowFile::create(&path, &history.header).expect("a new file");
    for i in 0..history.len() {
        recorder.push(&history.row(i)).expect("room on the disk");
    }
    let pushed = start.elapsed();
    recorder.finish().expect("room on the disk");
    let cpu = cpu_time() - cpu;
    let bytes = std::fs::metadata(&path).expect("the file").len() as f64 / count;

    let start = Instant::now();
    let read = History::read(&path).expect("what was written");
    let reading = start.elapsed();
    assert!(
        read.columns == history.columns,
        "what was written is what is read"
    );

    let start = Instant::now();
    let options = Options {
        engine: Engine::Direct,
        ..Options::default()
    };
    let report = black_box(check(&read, &options));
    let direct = start.elapsed();
    drop(report);
    let began = Instant::now();
    let clock = Some(Clock::new(move || began.elapsed()));
    let both = check(
        &read,
        &Options {
            clock,
            ..Options::default()
        },
    );
    let search = began.elapsed().saturating_sub(direct);

    let start = Instant::now();
    staleness(&read, |kind: Staleness, value| {
        black_box((kind, value));
    });
    let stale = start.elapsed();

    println!(
        "{promise:>12}: push {:.0} (all threads {:.0}), {bytes:.0} B; read {:.0}; direct {:.0}; \
         staleness {:.0}; search {:.2} s",
        each(pushed),
        each(cpu),
        each(reading),
        each(direct),
        each(stale),
        search.as_secs_f64()
    );
    for line in both.to_string().lines().take(24) {
        println!("              {line}");
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[derive(Clone, Default)]
struct Put {
    id: u64,
    dot: u64,
    vector: Vec<u64>,
    version: Version,
}

/// Three replicas that exchange what they have now and then, as counters of each origin's puts.
struct Cluster {
    applied: [[u64; NODES]; NODES],
    contexts: Vec<[u64; NODES]>,
    puts: Vec<Vec<Put>>,
}

fn vector(applied: [u64; NODES]) -> Vec<u64> {
    let entries = (0u16..).zip(applied).filter(|(_, counter)| *counter > 0);
    entries
        .map(|(node, counter)| dot(node, 0, counter))
        .collect()
}

fn join(into: &mut [u64; NODES], from: [u64; NODES]) {
    for (into, from) in into.iter_mut().zip(from) {
        *into = (*into).max(from);
    }
}

fn covers(vector: &[u64], dot: u64) -> bool {
    vector
        .iter()
        .any(|entry| entry >> 40 == dot >> 40 && *entry >= dot)
}

impl Cluster {
    /// The maxima of what a vector covers on a key. Older puts than the last few have been
    /// superseded everywhere, since replicas meet more often than that.
    fn visible(&self, key: usize, vector: &[u64]) -> Vec<&Put> {
        let mut maxima: Vec<&Put> = Vec::new();
        let recent = self.puts[key]
            .iter()
            .rev()
            .take(2 * GOSSIP_EVERY as usize + 2);
        for put in recent.filter(|put| covers(vector, put.dot)) {
            if maxima.iter().all(|other| !covers(&other.vector, put.dot)) {
                maxima.push(put);
            }
        }
        maxima.sort_unstable_by_key(|put| put.dot);
        maxima
    }
}

/// A valid history: operations start one after another and overlap with the next few.
fn generate(promise: Model, evidence: Evidence, operations: u32) -> History {
    let mut cluster = Cluster {
        applied: [[0; NODES]; NODES],
        contexts: vec![[0; NODES]; SESSIONS as usize],
        puts: vec![Vec::new(); KEYS as usize],
    };
    let header = Header {
        promise: Some(promise),
        ..Header::default()
    };
    let mut history = History::from_rows(header, []);
    let mut random = 1u64;
    for i in 0..operations {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        // Squared, so that some keys are hot.
        let draw = (random >> 33) % KEYS;
        let key = draw * ((random >> 20) % KEYS) / KEYS;
        let is_put = (random >> 60) & 1 == 0;
        let node = if evidence == Evidence::Causal {
            (random >> 40) as usize % NODES
        } else {
            0
        };
        if i % GOSSIP_EVERY == 0 {
            let all = cluster
                .applied
                .into_iter()
                .fold([0; NODES], |mut all, one| {
                    join(&mut all, one);
                    all
                });
            cluster.applied = [all; NODES];
        }
        step(&mut history, &mut cluster, evidence, (i, key, is_put, node));
    }
    history.end = Some(kvs_zoo::history::End {
        operations: history.len() as u64,
        left_out: 0,
        interrupted: false,
    });
    history
}

fn step(
    history: &mut History,
    cluster: &mut Cluster,
    evidence: Evidence,
    (i, key, is_put, node): (u32, u64, bool, usize),
) {
    let session = i % SESSIONS;
    let invoke = u64::from(i) * SPACING;
    let context = cluster.contexts[session as usize];
    join(&mut cluster.applied[node], context);
    let base = Row {
        session,
        index: i / SESSIONS,
        key,
        intended: invoke,
        invoke,
        returned: Some(invoke + DURATION),
        node: node as u16,
        ..Row::EMPTY
    };
    if is_put {
        cluster.applied[node][node] += 1;
        let put = Put {
            id: value_id(session, i / SESSIONS),
            dot: dot(node as u16, 0, cluster.applied[node][node]),
            vector: vector(cluster.applied[node]),
            version: Version {
                time: u64::from(i),
                origin: 0,
            },
        };
        let witness = match evidence {
            Evidence::None => Witness::None,
            Evidence::Causal => Witness::Put {
                dot: put.dot,
                vector: &put.vector,
            },
            Evidence::Versions => Witness::Version(Some(put.version)),
        };
        history.columns.push(&Row {
            kind: Kind::Put,
            written: put.id,
            witness,
            ..base
        });
        cluster.puts[key as usize].push(put);
    } else {
        let vector = vector(cluster.applied[node]);
        let visible = cluster.visible(key as usize, &vector);
        let read: Vec<u64> = visible.iter().map(|put| put.id).collect();
        let dots: Vec<u64> = visible.iter().map(|put| put.dot).collect();
        let vectors: Vec<u64> = visible.iter().flat_map(|put| put.vector.clone()).collect();
        let mut end = 0;
        let ends: Vec<u32> = visible
            .iter()
            .map(|put| {
                end += put.vector.len() as u32;
                end
            })
            .collect();
        let siblings = Siblings {
            dots: &dots,
            ends: &ends,
            vectors: &vectors,
            base: 0,
        };
        let witness = match evidence {
            Evidence::None => Witness::None,
            Evidence::Causal => Witness::Get {
                vector: &vector,
                siblings,
            },
            Evidence::Versions => Witness::Version(visible.first().map(|put| put.version)),
        };
        history.columns.push(&Row {
            read: &read,
            witness,
            ..base
        });
    }
    cluster.contexts[session as usize] = cluster.applied[node];
}
