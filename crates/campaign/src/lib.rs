//! Many runs with one question.
//!
//! A campaign takes typed values, does its runs, and returns what it found. It reads no command
//! line and prints nothing: an [`Observer`] is told how far it has got. Neighbours: `cli` asks for
//! it, `run` and `sim` do the work.

pub mod bugs;
mod error;
pub mod matrix;
pub mod parallel;
mod recorded;
pub mod scale;
pub mod seeds;
pub mod sweep;

use kvs_harness::run;

pub use error::Error;

/// Is told what a campaign is doing.
pub trait Observer {
    /// So many simulations are about to begin.
    fn begin(&mut self, all: u64);
    /// One of them is done; `message` says how they stand.
    fn advance(&mut self, message: &str);
    /// All of them are done.
    fn end(&mut self);
    /// A run of processes is about to begin: whom it is to tell what it does.
    fn run(&mut self) -> Box<dyn run::Observer + '_>;
    /// A part of the campaign is done, which may go on for long: what came of it, in a line.
    fn found(&mut self, line: &str);
}
