//! Redis beside it, where it is installed: its own server and its own benchmark client, without
//! TLS, in the same placement.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::load::Sample;
use super::servers::cpu_ns;
use super::{Measured, RECORDS, VALUE_BYTES};

/// How long the server may take to answer its first ping.
const START_TIMEOUT: Duration = Duration::from_secs(5);
const PORT: &str = "16399";

pub(crate) struct Redis {
    server: Child,
}

impl Redis {
    /// A server, or a sentence on stderr why there is none.
    pub(crate) fn start() -> Option<Self> {
        let server = Command::new("redis-server")
            .args(["--port", PORT, "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn();
        let Ok(server) = server else {
            eprintln!("Redis is not installed: measuring without it");
            return None;
        };
        let redis = Self { server };
        let deadline = Instant::now() + START_TIMEOUT;
        while Instant::now() < deadline {
            let ping = Command::new("redis-cli")
                .args(["-p", PORT, "ping"])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            if ping.is_ok_and(|status| status.success()) {
                return Some(redis);
            }
        }
        eprintln!("Redis does not answer: measuring without it");
        None
    }

    /// Half gets, half sets, `outstanding` of them in a pipeline on one connection.
    pub(crate) fn measure(&self, outstanding: usize, time: Duration) -> Measured {
        let cpu = cpu_ns(self.server.id());
        let operations = operations(outstanding, time);
        let (mut per_second, mut p50_us) = (0.0, 0.0);
        for test in ["get", "set"] {
            let output = Command::new("redis-benchmark")
                .args(["-p", PORT, "-c", "1", "--csv", "-t", test])
                .args(["-P", &outstanding.to_string()])
                .args(["-n", &(operations / 2).to_string()])
                .args(["-r", &RECORDS.to_string()])
                .args(["-d", &VALUE_BYTES.to_string()])
                .output()
                .expect("redis-benchmark is installed with the server");
            let text = String::from_utf8_lossy(&output.stdout);
            let row = |line: &str| -> Option<Vec<f64>> {
                let fields = line.split(',').skip(1);
                let numbers = fields.map(|field| field.trim_matches('"').parse().ok());
                numbers
                    .collect::<Option<Vec<f64>>>()
                    .filter(|row| row.len() > 3)
            };
            // Now and then something else follows the row.
            let fields = text.lines().rev().find_map(row);
            let fields = fields.unwrap_or_else(|| panic!("redis-benchmark has no row: {text}"));
            // Harmonic: each half takes its own time.
            per_second += 0.5 / fields[0];
            p50_us += fields[3] * 1e3 / 2.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
        let server_cpu_us = (cpu_ns(self.server.id()) - cpu) as f64 / 1e3 / operations as f64;
        Measured {
            sample: Sample {
                per_second: 1.0 / per_second,
                p50_us,
                client_cpu_us: f64::NAN,
                operations,
            },
            server_cpu_us: Some(server_cpu_us),
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Its client counts operations and not time: as many as it does in about `time`.
fn operations(outstanding: usize, time: Duration) -> u64 {
    let per_second = match outstanding {
        1 => 25_000,
        2..=16 => 300_000,
        17..=64 => 700_000,
        _ => 1_000_000,
    };
    let operations = u128::from(per_second as u32) * time.as_millis() / 1000;
    u64::try_from(operations).expect("a short time").max(1000)
}
