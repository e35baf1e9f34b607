//! What a place's agent and its user say to each other: one JSON value a line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The first argument of a program that is to be a place's agent.
pub const PLACE_ARGUMENT: &str = "place";
/// The longest line either side accepts, in bytes: that of a program, each byte of which JSON may
/// make six, fits with what stands around it.
pub const LINE_BYTES_MAX: usize = 32 << 20;
/// The longest line of an attached program, in bytes. What it prints beyond comes as another line.
pub const PROGRAM_LINE_BYTES_MAX: usize = 4 << 20;
/// How many bytes of what an attached program is told may wait for it to read: two of the longest
/// lines. Its user keeps what comes beyond to itself.
pub const INPUT_AHEAD_BYTES_MAX: u64 = 8 << 20;
/// How many bytes of what an attached program prints may wait for its user to read, but for the end
/// of the line that reaches so far. What comes beyond waits in the program's pipe, and then the
/// program does.
pub const OUTPUT_AHEAD_BYTES_MAX: u64 = 1 << 20;
/// The most bytes of a file that one [`Order::Fetch`] brings.
pub const FETCH_BYTES_MAX: u64 = 1 << 20;
/// The most bytes of what a command prints that are kept, of either stream.
pub const PRINTED_BYTES_MAX: u64 = 1 << 20;

/// A program to start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spawn {
    /// The program and its arguments; at least the program.
    pub command: Vec<String>,
    /// The directory that it starts in; it is made when missing.
    pub directory: PathBuf,
    /// The file that what it prints is appended to.
    pub log: PathBuf,
    /// Variables of its environment, beside those of the agent.
    pub environment: BTreeMap<String, String>,
    /// The network namespace that it runs in, if not the agent's own.
    pub namespace: Option<String>,
    /// Whether its standard input and output are its user's, line by line. Then only its standard
    /// error goes to the log.
    pub attached: bool,
}

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignalName {
    /// SIGKILL.
    Kill,
    /// SIGSTOP.
    Stop,
    /// SIGCONT.
    Continue,
    /// SIGTERM.
    Terminate,
}

/// What a user asks of the agent. Each order carries a number of its user's; its answer carries the
/// same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Start a program. Answered by [`Report::Spawned`] or [`Report::Refused`], and later by
    /// [`Report::Exited`] under the same number.
    Spawn(Spawn),
    /// Send a signal to all processes of the program with this number.
    Signal {
        /// The number of its [`Order::Spawn`].
        process: u64,
        /// Which.
        signal: SignalName,
    },
    /// Write a line to the standard input of an attached program. It has no answer;
    /// [`Report::Taken`] says when the program's pipe has taken it.
    Input {
        /// The number of its [`Order::Spawn`].
        process: u64,
        /// The line, without its end.
        line: String,
    },
    /// The user has read this much of what an attached program printed. It has no answer.
    Taken {
        /// The number of its [`Order::Spawn`].
        process: u64,
        /// In bytes, the ends of lines counted.
        bytes: u64,
    },
    /// Run a command to its end. Answered by [`Report::Ran`].
    Run {
        /// The program and its arguments.
        command: Vec<String>,
        /// Variables of its environment, beside those of the agent.
        environment: BTreeMap<String, String>,
        /// The network namespace that it runs in, if not the agent's own.
        namespace: Option<String>,
        /// After how many milliseconds it is killed.
        patience_ms: u64,
    },
    /// Write a file; its directory is made when missing.
    Write {
        /// Where.
        path: PathBuf,
        /// What.
        text: String,
    },
    /// Bring a part of a file. Answered by [`Report::Fetched`].
    Fetch {
        /// Which.
        path: PathBuf,
        /// The first byte; beyond the end of the file, none is brought.
        offset: u64,
    },
}

/// What the agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Report {
    /// The program runs.
    Spawned {
        /// The id of its first process.
        pid: u32,
    },
    /// The order was carried out.
    Done,
    /// The order could not be carried out.
    Refused {
        /// Why.
        reason: String,
        /// Whether the program that was asked for is not there.
        missing: bool,
    },
    /// All processes of the program are gone.
    Exited {
        /// How its first process ended.
        status: String,
    },
    /// A line that an attached program printed, without its end.
    Output(String),
    /// The pipe of an attached program has taken this much of its input.
    Taken {
        /// In bytes, the ends of lines counted.
        bytes: u64,
    },
    /// A command has run.
    Ran(Ran),
    /// A part of a file.
    Fetched {
        /// Its bytes in base64; at most [`FETCH_BYTES_MAX`] of them, none at the end of the file.
        bytes: String,
        /// How long the file is, in bytes.
        length: u64,
    },
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Whether it ended with status 0, in time.
    pub succeeded: bool,
    /// How it ended.
    pub status: String,
    /// What it printed; at most [`PRINTED_BYTES_MAX`].
    pub output: String,
    /// What it complained of; at most [`PRINTED_BYTES_MAX`].
    pub errors: String,
}

/// How much of an attached program's input or output a line counts for, in bytes: its end included.
#[must_use]
pub const fn weight(line: &str) -> u64 {
    line.len() as u64 + 1
}

/// One line of either direction: the order's number, and the order or what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line<T> {
    /// The number of the order.
    pub number: u64,
    /// What is said.
    pub said: T,
}
