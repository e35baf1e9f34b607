//! The processes of a program: the first one and all that it has started, as far as the system says.
//!
//! All are descendants of the agent, which adopts those that lose their parent. Each program gets a
//! variable that names it, to tell its processes from another's then: a process inherits its
//! environment, and one that forked away from its parent still carries it. Processes that are gone but
//! for their entry in the system's table (zombies) do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use std::{fs, thread};

use rustix::process::{Pid, Signal, kill_process};

/// The variable by which the processes of a program are known.
pub(crate) const MARK: &str = "KVS_BENCH_PLACE";
/// How often processes are looked for again, at most. Each round finds what the last one's processes
/// started before they were killed, or left when they ended.
const ROUNDS_MAX: usize = 100;
/// How long a process is given to become another program before it is asked again.
const MOMENT: Duration = Duration::from_millis(1);
/// Where the end of its environment stands in a process's `stat`, after its name: see proc(5).
const ENVIRONMENT_END: usize = 48;

/// What the processes of an agent's program carry.
pub(crate) fn mark(own: u32, number: u64) -> String {
    format!("{own}.{number}")
}

/// Some of the descendants of an agent.
#[derive(Clone, Copy)]
pub(crate) enum Family<'a> {
    /// All of them.
    Whole,
    /// Those of one program: they carry its mark, or descend from its first process.
    Program { mark: &'a str, first: Option<u32> },
}

impl Family<'_> {
    /// Those that there are, as parents know their children.
    pub(crate) fn members(self, own: u32) -> Vec<u32> {
        self.among(&below(own))
    }

    /// Whether there is none. The system's list of a process's children may leave one out while
    /// another ends, so every process is looked at before nobody is said to be left.
    pub(crate) fn is_gone(self, own: u32) -> bool {
        self.members(own).is_empty() && self.among(&listed(own)).is_empty()
    }

    /// Kills them until there is none that was not killed. One that was can start no other.
    pub(crate) fn kill(self, own: u32) {
        let mut killed = BTreeSet::new();
        for _ in 0..ROUNDS_MAX {
            let mut left = self.members(own);
            left.retain(|pid| killed.insert(*pid));
            if left.is_empty() {
                // See [`Family::is_gone`].
                left = self.among(&listed(own));
                left.retain(|pid| killed.insert(*pid));
            }
            if left.is_empty() {
                return;
            }
            signal(left, Signal::KILL);
        }
    }

    fn among(self, processes: &BTreeMap<u32, u32>) -> Vec<u32> {
        let is_its = |pid: &u32| match self {
            Self::Whole => true,
            Self::Program { mark, first } => {
                first.is_some_and(|first| descends(processes, *pid, first)) || carries(*pid, mark)
            }
        };
        processes.keys().copied().filter(is_its).collect()
    }
}

/// Sends a signal to each of these processes. That one is gone is no error.
pub(crate) fn signal(pids: impl IntoIterator<Item = u32>, signal: Signal) {
    for pid in pids {
        if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
            // It may be gone by now.
            let _ = kill_process(pid, signal);
        }
    }
}

/// Every descendant of a process, and its parent.
fn below(own: u32) -> BTreeMap<u32, u32> {
    walk(own).unwrap_or_else(|| listed(own))
}

/// [`below`], by a look at every process of the system.
fn listed(own: u32) -> BTreeMap<u32, u32> {
    let mut processes = table();
    let is_below = |pid: u32| pid != own && descends(&processes, pid, own);
    let all: Vec<u32> = processes
        .keys()
        .copied()
        .filter(|pid| is_below(*pid))
        .collect();
    processes.retain(|pid, _| all.binary_search(pid).is_ok());
    processes
}

/// [`below`], from parents to children; none where the system does not list a process's children. It
/// takes a fraction of the time that looking at every process takes.
fn walk(own: u32) -> Option<BTreeMap<u32, u32>> {
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let mut next: Vec<(u32, u32)> = children(own)?.into_iter().map(|it| (it, own)).collect();
        let before = seen.len();
        while let Some((pid, parent)) = next.pop() {
            if seen.insert(pid) {
                let its = children(pid).unwrap_or_default();
                next.extend(its.into_iter().map(|it| (it, pid)));
                if self::parent(pid).is_some() {
                    found.insert(pid, parent);
                }
            }
        }
        // What lost its parent meanwhile was adopted, and shows in the next round.
        if seen.len() == before {
            break;
        }
    }
    Some(found)
}

/// What the threads of a process have started or adopted.
fn children(pid: u32) -> Option<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(text) => children.extend(
                text.split_whitespace()
                    .filter_map(|it| it.parse::<u32>().ok()),
            ),
            // The thread may have ended.
            Err(_) if !thread.path().exists() => {}
            Err(_) => return None,
        }
    }
    Some(children)
}

/// Whether a process is another, or descends from it.
fn descends(processes: &BTreeMap<u32, u32>, mut pid: u32, from: u32) -> bool {
    // A chain of parents is as long as there are processes, at most.
    for _ in 0..processes.len() {
        if pid == from {
            return true;
        }
        match processes.get(&pid) {
            Some(&parent) if parent > 0 => pid = parent,
            Some(_) | None => return false,
        }
    }
    false
}

/// Every process of the system that is not a zombie, and its parent.
fn table() -> BTreeMap<u32, u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let mut processes: BTreeMap<u32, u32> =
        pids.filter_map(|pid| Some((pid, parent(pid)?))).collect();
    // Those whose parents have ended meanwhile have been adopted since they were looked at.
    let is_orphan = |(_, parent): &(u32, u32)| *parent > 0 && !processes.contains_key(parent);
    let all = processes.iter().map(|(pid, parent)| (*pid, *parent));
    let orphans: Vec<(u32, u32)> = all.filter(is_orphan).collect();
    for (pid, _) in orphans {
        match parent(pid) {
            Some(adopted_by) => processes.insert(pid, adopted_by),
            None => processes.remove(&pid),
        };
    }
    processes
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

/// Whether the environment of a process has the mark. A process that is just becoming another program
/// has none for a moment, and is asked again.
fn carries(pid: u32, mark: &str) -> bool {
    let wanted = format!("{MARK}={mark}");
    for _ in 0..ROUNDS_MAX {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            return false;
        };
        if !environment.is_empty() || parent(pid).is_none() || !is_becoming(pid) {
            return { environment.split(|byte| *byte == 0) }
                .any(|variable| variable == wanted.as_bytes());
        }
        thread::sleep(MOMENT);
    }
    false
}

/// Whether a process is just becoming another program, and has no environment yet. One that has
/// cleared its environment still has a place for it.
fn is_becoming(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest);
    let end = fields.and_then(|rest| rest.split_whitespace().nth(ENVIRONMENT_END));
    end == Some("0")
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// A process that ends when its input closes, which is when it is dropped.
    fn child(mark: &str) -> std::process::Child {
        let mut command = Command::new("cat");
        command.env(MARK, mark).stdin(Stdio::piped());
        command.spawn().expect("cat is everywhere")
    }

    #[test]
    fn the_processes_of_a_program_are_its_first_and_those_that_carry_its_mark() {
        let own = std::process::id();
        let mut children = [child("5.1"), child("5.1"), child("5.12"), child("5")];
        let pids = children.each_ref().map(std::process::Child::id);
        let mut expected = vec![pids[0], pids[1], pids[3]];
        expected.sort_unstable();
        let first = Some(pids[3]);
        let family = Family::Program { mark: "5.1", first };
        // A child has its environment once it has become its program.
        while family.members(own) != expected {
            thread::yield_now();
        }
        assert!(!family.is_gone(own));
        let (mark, first) = ("no such mark", None);
        assert!(Family::Program { mark, first }.is_gone(own), "the control");
        let strangers = Family::Program {
            mark: "5.1",
            first: Some(pids[0]),
        };
        assert_eq!(strangers.members(pids[0]), [0_u32; 0], "nobody descends");
        for child in &mut children {
            child.kill().expect("it runs");
            child.wait().expect("it is a child");
        }
    }
}
