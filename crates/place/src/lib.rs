//! Where processes live.
//!
//! A place is an agent: a process of this program (`kvs-bench place`) that starts programs, signals
//! them, says when they end, writes and fetches files, and runs commands to their end. Whoever uses
//! a place talks to its agent over the agent's standard input and output, one JSON value a line
//! ([`channel`]). When that channel closes, for whatever reason, the agent kills all that it has
//! started, programs that forked away included, and exits. So a harness that is killed leaves
//! nothing behind.
//!
//! Every target's processes run at a place: the nodes of the zoo, and the programs of foreign
//! stores. The agent knows nothing of either. A command in front of it puts it elsewhere
//! ([`Prefix`]).

mod agent;
pub mod channel;
mod family;
mod log;
pub mod network;
mod place;
mod processes;

pub use agent::{exec_words, is_installed, run_if_place};
pub use channel::{Ran, SignalName, Spawn};
pub use log::{LOG_TAIL_BYTES, log_tail};
pub use place::{Ended, Lines, Place, PlaceError, Prefix, Process};
pub use processes::Processes;
