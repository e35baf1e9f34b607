//! The thread that folds finished intervals into totals, and writes the HDR interval log.
//!
//! Summarising and compressing an interval takes up to a millisecond, which would show in the
//! latencies if the load generator's thread did it.

use std::io::{self, BufWriter, Write};
use std::sync::mpsc::{Receiver, SyncSender};
use std::time::Duration;

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};

use super::histogram::{Histogram, LATENCY_NS_MAX, SIGNIFICANT_DIGITS, summarise};
use super::kind::OperationKind;
use super::meter::MeterSettings;
use super::series::{IntervalRow, IntervalSeries, KindRow, PlaceRow};

/// Finished intervals that may wait for the collecting thread. When all wait, the current interval
/// goes on until one is taken: its row says how long it was, and nothing is lost.
pub const INTERVALS_QUEUED_MAX: usize = 4;

/// A histogram of one interval: 32-bit counts halve the memory, and a second holds fewer.
pub(super) type Counts = hdrhistogram::Histogram<u32>;

/// The last interval of a run is a fragment when it is shorter than one in so many of the others:
/// the answers to what was under way come some microseconds after the end. It counts with the one
/// before.
const FRAGMENTS_PER_INTERVAL: u64 = 10;

/// The shortest length that the interval log states: its times have three digits after the point.
const LOGGED_LENGTH_MIN: Duration = Duration::from_millis(1);

/// Digits kept of what each node took: there are many nodes, and their latencies are drawn, not
/// quoted. 18 KiB a node.
const NODE_SIGNIFICANT_DIGITS: u8 = 2;

/// What one node did in an interval.
#[derive(Debug)]
pub(super) struct NodeCounts {
    pub(super) errors: u64,
    /// Response time in an open loop, service time in a closed one.
    pub(super) latency: Counts,
}

/// What one interval counted.
#[derive(Debug)]
pub(super) struct Interval {
    pub(super) start_ns: u64,
    pub(super) end_ns: u64,
    pub(super) offered: u64,
    pub(super) late: u64,
    pub(super) errors: [u64; OperationKind::COUNT],
    pub(super) service: [Counts; OperationKind::COUNT],
    /// Empty in a closed loop, where the response time is the service time.
    pub(super) response: [Counts; OperationKind::COUNT],
    /// By node; as many as the settings have groups for.
    pub(super) nodes: Vec<NodeCounts>,
}

fn counts(digits: u8) -> Counts {
    Counts::new_with_bounds(1, LATENCY_NS_MAX, digits).expect("the bounds are valid constants")
}

impl Interval {
    pub(super) fn starting_at(start_ns: u64, nodes: usize) -> Self {
        let empty = |_| NodeCounts {
            errors: 0,
            latency: counts(NODE_SIGNIFICANT_DIGITS),
        };
        Self {
            start_ns,
            end_ns: start_ns,
            offered: 0,
            late: 0,
            errors: [0; OperationKind::COUNT],
            service: std::array::from_fn(|_| counts(SIGNIFICANT_DIGITS)),
            response: std::array::from_fn(|_| counts(SIGNIFICANT_DIGITS)),
            nodes: (0..nodes).map(empty).collect(),
        }
    }

    const fn length_ns(&self) -> u64 {
        self.end_ns - self.start_ns
    }

    fn is_empty(&self) -> bool {
        let nothing_failed = self.errors == [0; OperationKind::COUNT];
        self.offered == 0 && nothing_failed && self.service.iter().all(Counts::is_empty)
    }

    /// Takes in the interval that comes after it.
    fn absorb(&mut self, next: &Self) {
        self.end_ns = next.end_ns;
        self.offered += next.offered;
        self.late += next.late;
        for (errors, more) in self.errors.iter_mut().zip(&next.errors) {
            *errors += more;
        }
        for (node, more) in self.nodes.iter_mut().zip(&next.nodes) {
            node.errors += more.errors;
        }
        let more = { next.service.iter() }
            .chain(&next.response)
            .chain(next.nodes.iter().map(|node| &node.latency));
        for (counts, more) in { self.service.iter_mut() }
            .chain(&mut self.response)
            .chain(self.nodes.iter_mut().map(|node| &mut node.latency))
            .zip(more)
        {
            let same_bounds = counts.add(more);
            same_bounds.expect("all intervals have the same bounds");
        }
    }

    /// Makes it fit for use again without a new allocation.
    fn clear(&mut self) {
        self.offered = 0;
        self.late = 0;
        self.errors = [0; OperationKind::COUNT];
        let nodes = self.nodes.iter_mut().map(|node| {
            node.errors = 0;
            &mut node.latency
        });
        for counts in { self.service.iter_mut() }
            .chain(&mut self.response)
            .chain(nodes)
        {
            if !counts.is_empty() {
                counts.reset();
            }
        }
    }
}

/// What the thread returns in the end.
#[derive(Debug)]
pub(super) struct Collected {
    pub(super) series: IntervalSeries,
    pub(super) service: [Histogram; OperationKind::COUNT],
    pub(super) response: [Histogram; OperationKind::COUNT],
}

/// Runs until the sending side is dropped. Cleared intervals go back through `recycled`.
pub(super) fn collect(
    finished: &Receiver<Box<Interval>>,
    recycled: &SyncSender<Box<Interval>>,
    settings: &MeterSettings,
    log: Box<dyn Write + Send>,
) -> io::Result<Collected> {
    let MeterSettings {
        open_loop,
        interval_ns,
        began_at,
        ref groups,
        ref live,
        ..
    } = *settings;
    let mut writer = BufWriter::new(log);
    let mut serializer = V2DeflateSerializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("[Histogram log format version 1.3]")
        .add_comment("Latencies in ns; tags are the kind of operation and response or service.")
        .with_start_time(began_at)
        .with_base_time(began_at)
        .with_max_value_divisor(1e6)
        .begin_log_with(&mut writer, &mut serializer)?;
    let mut collected = Collected {
        series: IntervalSeries::default(),
        service: std::array::from_fn(|_| Histogram::new()),
        response: std::array::from_fn(|_| Histogram::new()),
    };
    let recycle = |mut interval: Box<Interval>| {
        interval.clear();
        // Nobody takes it back after the last interval.
        drop(recycled.try_send(interval));
    };
    // An interval is not over before it is known that what follows is no fragment of it.
    let mut held: Option<(Box<Interval>, IntervalRow)> = None;
    while let Ok(interval) = finished.recv() {
        let is_fragment = interval.length_ns() < interval_ns / FRAGMENTS_PER_INTERVAL;
        if is_fragment && let Some((before, row)) = &mut held {
            before.absorb(&interval);
            *row = row_of(before, open_loop, groups);
            recycle(interval);
            continue;
        }
        if let Some((before, row)) = held.take() {
            collected.take(&before, row, &mut log)?;
            recycle(before);
        }
        let row = row_of(&interval, open_loop, groups);
        if let Some(live) = live {
            // Whoever looks on does not hold up what is looked at.
            let _ = live.try_send(row.clone());
        }
        held = Some((interval, row));
    }
    if let Some((last, row)) = held
        && !(last.length_ns() == 0 && last.is_empty())
    {
        collected.take(&last, row, &mut log)?;
    }
    writer.flush()?;
    Ok(collected)
}

impl Collected {
    /// Takes in an interval that is over.
    fn take<W: Write>(
        &mut self,
        interval: &Interval,
        row: IntervalRow,
        log: &mut IntervalLogWriter<'_, '_, W, V2DeflateSerializer>,
    ) -> io::Result<()> {
        self.fold(interval);
        self.series.rows.push(row);
        write_log(log, interval)
    }

    fn fold(&mut self, interval: &Interval) {
        for (total, counts) in self.service.iter_mut().zip(&interval.service) {
            total.add_counts(counts);
        }
        for (total, counts) in self.response.iter_mut().zip(&interval.response) {
            total.add_counts(counts);
        }
    }
}

fn row_of(interval: &Interval, open_loop: bool, groups: &[u32]) -> IntervalRow {
    let row = |response: &Counts, service: &Counts, errors| KindRow {
        response: open_loop.then(|| summarise(response)),
        service: summarise(service),
        errors,
    };
    let together = |all: &[Counts; OperationKind::COUNT]| {
        let mut sum = all[0].clone();
        for counts in &all[1..] {
            sum.add(counts)
                .expect("all histograms have the same bounds");
        }
        sum
    };
    IntervalRow {
        start_ns: interval.start_ns,
        end_ns: interval.end_ns,
        offered: open_loop.then_some(interval.offered),
        late: interval.late,
        all: row(
            &together(&interval.response),
            &together(&interval.service),
            interval.errors.iter().sum(),
        ),
        kinds: std::array::from_fn(|kind| {
            row(
                &interval.response[kind],
                &interval.service[kind],
                interval.errors[kind],
            )
        }),
        nodes: interval.nodes.iter().map(place_row).collect(),
        groups: group_rows(&interval.nodes, groups),
    }
}

fn place_row(counts: &NodeCounts) -> PlaceRow {
    PlaceRow {
        latency: summarise(&counts.latency),
        errors: counts.errors,
    }
}

/// The nodes of each group taken together.
fn group_rows(nodes: &[NodeCounts], groups: &[u32]) -> Vec<PlaceRow> {
    let count = groups.iter().max().map_or(0, |last| *last as usize + 1);
    (0..count as u32)
        .map(|group| {
            let mut sum = NodeCounts {
                errors: 0,
                latency: counts(NODE_SIGNIFICANT_DIGITS),
            };
            for (node, _) in nodes.iter().zip(groups).filter(|(_, of)| **of == group) {
                sum.errors += node.errors;
                let same_bounds = sum.latency.add(&node.latency);
                same_bounds.expect("all nodes' histograms have the same bounds");
            }
            place_row(&sum)
        })
        .collect()
}

fn write_log<W: Write>(
    log: &mut IntervalLogWriter<'_, '_, W, V2DeflateSerializer>,
    interval: &Interval,
) -> io::Result<()> {
    let start = Duration::from_nanos(interval.start_ns);
    let length = Duration::from_nanos(interval.length_ns()).max(LOGGED_LENGTH_MIN);
    for (times, all) in [
        ("response", &interval.response),
        ("service", &interval.service),
    ] {
        for (kind, counts) in OperationKind::ALL.iter().zip(all) {
            if counts.is_empty() {
                continue;
            }
            let tag = format!("{kind}.{times}");
            let tag = Tag::new(&tag).expect("tags hold no comma and no white space");
            log.write_histogram(counts, start, length, Some(tag))
                .map_err(|error| match error {
                    IntervalLogWriterError::IoError(error) => error,
                    IntervalLogWriterError::SerializeError(error) => {
                        io::Error::other(format!("cannot encode a histogram: {error:?}"))
                    }
                })?;
        }
    }
    Ok(())
}
