//! How a process becomes a program that dies with whoever started it.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// The first argument of a program that is to become another one, and to die with its parent.
pub(super) const EXEC_ARGUMENT: &str = "place-exec";
/// The exit status of a program that could not become the one it was to be, as shells have it.
const NOT_FOUND: i32 = 127;
/// The exit status of one whose parent had died before it could ask to die with it.
const ORPHANED: i32 = 1;

/// The arguments by which a program that calls [`run_if_place`](super::run_if_place) becomes the
/// command that follows them. The command dies with the thread that starts it.
#[must_use]
pub fn exec_words() -> [String; 2] {
    [EXEC_ARGUMENT.to_owned(), std::process::id().to_string()]
}

/// Becomes the program that the arguments name, behind the id of the process that started this one.
pub(super) fn become_program(mut arguments: impl Iterator<Item = OsString>) -> ! {
    // From here on the process dies with its parent, whatever it becomes.
    let bound = set_parent_process_death_signal(Some(Signal::KILL));
    let wanted = arguments.next();
    let parent = getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
    if bound.is_err() || wanted != Some(parent.to_string().into()) {
        // It may have died just before.
        eprintln!("not started: the process that was to keep it is gone");
        std::process::exit(ORPHANED);
    }
    let program = arguments.next().unwrap_or_default();
    let error = Command::new(&program).args(arguments).exec();
    eprintln!("cannot run {}: {error}", program.display());
    std::process::exit(NOT_FOUND);
}
