//! The machine that the run ran on.

use std::fs;

use super::record::Machine;

impl Machine {
    /// This machine, as the kernel describes it. What cannot be found out is absent.
    #[must_use]
    pub fn probe() -> Self {
        let line = |path: &str, field: &str| value_of(&fs::read_to_string(path).ok()?, field);
        Self {
            cores: std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
            cpu: line("/proc/cpuinfo", "model name"),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .ok()
                .map(|release| format!("{} {}", std::env::consts::OS, release.trim())),
            memory_bytes: line("/proc/meminfo", "MemTotal").and_then(|text| kib(&text)),
        }
    }

    /// Memory that programs could still take, in bytes, if the kernel says so.
    #[must_use]
    pub fn memory_available_bytes() -> Option<u64> {
        let described = fs::read_to_string("/proc/meminfo").ok()?;
        kib(&value_of(&described, "MemAvailable")?)
    }
}

/// The value of the first `field : value` line.
fn value_of(text: &str, field: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == field).then(|| value.trim().to_owned())
    })
}

/// Bytes of a number like `16384 kB`.
fn kib(text: &str) -> Option<u64> {
    let number: u64 = text.strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc_files_are_found() {
        let text = "processor\t: 0\nmodel name\t: Some CPU: fast\nmodel name\t: Other\n";
        assert_eq!(
            value_of(text, "model name").as_deref(),
            Some("Some CPU: fast")
        );
        assert_eq!(value_of(text, "model"), None);
        assert_eq!(kib("16384 kB"), Some(16_777_216));
        assert_eq!(kib("16384"), None);
    }
}
