//! What the nodes' processes use of the machine while the load is driven, second by second.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::client::RunClock;
use kvs_measure::Measured;
use kvs_node::node::Usage;
use kvs_place::Processes;

/// How often the processes are looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks at the processes, and writes `usage.csv`.
pub(super) struct Sampler {
    processes: Processes,
    clock: RunClock,
    file: File,
    /// What each node's process had used when it was looked at last.
    last: BTreeMap<u16, Reading>,
    /// The first failure to write; nothing is written after it.
    failed: Option<io::Error>,
}

/// A look at a process.
#[derive(Clone, Copy)]
struct Reading {
    process: u32,
    at_ns: u64,
    cpu_ns: u64,
}

impl Sampler {
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn new(processes: Processes, clock: RunClock, directory: &Path) -> io::Result<Self> {
        let mut file = File::create(directory.join(Measured::USAGE_FILE_NAME))?;
        file.write_all(b"start_s,end_s,node,cpu_cores,resident_bytes\n")?;
        Ok(Self {
            processes,
            clock,
            file,
            last: BTreeMap::new(),
            failed: None,
        })
    }

    /// Looks at the processes until the caller has enough of it.
    pub(super) async fn run(&mut self) -> Infallible {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            ticks.tick().await;
            self.look();
        }
    }

    /// The rest since the last look is left out: over a few milliseconds it would say nothing.
    ///
    /// # Errors
    /// When something could not be written.
    pub(super) fn finish(self) -> io::Result<()> {
        self.failed.map_or(Ok(()), Err)
    }

    fn look(&mut self) {
        let at_ns = self.clock.now_ns();
        let mut lines = String::new();
        for (node, process) in self.processes.all() {
            // One that has just ended has no usage any more.
            let Some(usage) = Usage::of(process) else {
                continue;
            };
            let reading = Reading {
                process,
                at_ns,
                cpu_ns: usage.cpu_ns,
            };
            let before = self.last.insert(node, reading);
            if let Some(before) = before.filter(|before| before.process == process) {
                lines += &line(node, before, reading, usage.resident_bytes);
            }
        }
        if self.failed.is_none() {
            self.failed = self.file.write_all(lines.as_bytes()).err();
        }
    }
}

fn line(node: u16, before: Reading, now: Reading, resident_bytes: u64) -> String {
    let passed_ns = now.at_ns.saturating_sub(before.at_ns).max(1);
    let cores = now.cpu_ns.saturating_sub(before.cpu_ns) as f64 / passed_ns as f64;
    let (start, end) = (before.at_ns as f64 / 1e9, now.at_ns as f64 / 1e9);
    format!("{start:.3},{end:.3},{},{cores:.3},{resident_bytes}\n", node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_was_busy_all_the_time_used_one_core() {
        let reading = |at_ns: u64, cpu_ns: u64| Reading {
            process: 7,
            at_ns,
            cpu_ns,
        };
        let second = 1_000_000_000;
        let before = reading(2 * second, 5 * second);
        assert_eq!(
            line(3, before, reading(3 * second, 6 * second), 4096),
            "2.000,3.000,3,1.000,4096\n"
        );
        assert_eq!(line(3, before, before, 0), "2.000,2.000,3,0.000,0\n");
    }

    #[test]
    fn only_a_process_that_was_looked_at_before_has_a_line() {
        let directory = tempfile::tempdir().expect("a directory");
        let processes = Processes::default();
        let clock = RunClock::start();
        let mut sampler = Sampler::new(processes.clone(), clock, directory.path()).expect("a file");
        let own = std::process::id();
        processes.set([(0, own), (1, u32::MAX)]);
        sampler.look();
        sampler.look();
        sampler.finish().expect("written");
        let text = std::fs::read_to_string(directory.path().join(Measured::USAGE_FILE_NAME));
        let text = text.expect("a file");
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(rows.len(), 1, "{text}");
        assert_eq!(rows[0].split(',').nth(2), Some("0"));
    }
}
