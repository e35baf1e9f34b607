//! The processes of a program: the first one and all that it has started, as far as the system
//! tells.
//!
//! A process inherits its environment, so each program gets a variable that names it. A process
//! that forked away from its parent still carries it. Zombies, of which only the entry in the
//! system's table is left, do not count.

use std::collections::BTreeMap;
use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// The variable by which the processes of a program are known.
pub(crate) const MARK: &str = "KVS_BENCH_PLACE";
/// How often the table of processes is looked through for more to kill, at most: each round finds
/// what the last one's processes started while they were being killed.
const ROUNDS_MAX: usize = 100;

/// The processes that carry a mark, or descend from a process.
pub(crate) fn members(mark: &str, root: Option<u32>) -> Vec<u32> {
    let processes = table();
    let descends = |mut pid: u32| {
        // A chain of parents is as long as there are processes, at most.
        for _ in 0..processes.len() {
            if Some(pid) == root {
                return true;
            }
            match processes.get(&pid) {
                Some(&parent) if parent > 1 => pid = parent,
                Some(_) | None => return false,
            }
        }
        false
    };
    { processes.keys().copied() }
        .filter(|&pid| descends(pid) || carries(pid, mark))
        .collect()
}

/// Sends a signal to each of these processes. That one is gone is no error.
pub(crate) fn signal(pids: &[u32], signal: Signal) {
    for &pid in pids {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // It may be gone by now.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Kills what carries a mark, or descends from a process, until nothing does.
pub(crate) fn kill_all(mark: &str, root: Option<u32>, but: u32) {
    for _ in 0..ROUNDS_MAX {
        let mut left = members(mark, root);
        left.retain(|&pid| pid != but);
        if left.is_empty() {
            return;
        }
        signal(&left, Signal::KILL);
        std::thread::yield_now();
    }
}

/// Every process that is not a zombie, and its parent.
fn table() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, parent(pid)?))).collect()
}

/// The parent of a process that is not a zombie.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, parentheses too.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(parent)
}

/// Whether the environment of a process has the mark.
fn carries(pid: u32, mark: &str) -> bool {
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    let wanted = format!("{MARK}={mark}");
    { environment.split(|byte| *byte == 0) }.any(|variable| is_mark(variable, wanted.as_bytes()))
}

/// Whether a variable is this mark, or a part of what it stands for: the mark of an agent is the
/// beginning of the marks of its programs.
fn is_mark(variable: &[u8], wanted: &[u8]) -> bool {
    variable == wanted
        || variable
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_of_an_agent_is_the_beginning_of_the_marks_of_its_programs() {
        assert!(is_mark(b"M=12.3", b"M=12.3"));
        assert!(is_mark(b"M=12.3", b"M=12"));
        assert!(!is_mark(b"M=12.3", b"M=1"));
        assert!(!is_mark(b"M=12.31", b"M=12.3"));
    }

    #[test]
    fn this_process_is_in_the_table_under_its_parent() {
        let own = std::process::id();
        assert!(table().contains_key(&own));
        assert!(members("no such mark", Some(own)).contains(&own));
        assert!(members("no such mark", None).is_empty(), "the control");
    }
}
