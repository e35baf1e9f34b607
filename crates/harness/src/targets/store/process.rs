//! The programs of one node: started, signalled, watched.

use std::path::PathBuf;

use kvs_place::{PlaceError, Process, SignalName};

/// A program of a node.
pub(super) struct Program {
    /// Its name, for messages.
    pub(super) name: String,
    /// Where it logs to.
    pub(super) log: PathBuf,
    pub(super) process: Process,
}

/// What runs on a node.
#[derive(Default)]
pub(super) struct NodePrograms {
    pub(super) programs: Vec<Program>,
    /// Whether its end, when it comes, was asked for.
    pub(super) end_wanted: bool,
    /// Whether its end has been told.
    pub(super) end_told: bool,
}

impl NodePrograms {
    /// Whether all its programs run.
    pub(super) fn is_running(&self) -> bool {
        !self.programs.is_empty() && { self.programs.iter() }.all(|it| it.process.ended().is_none())
    }

    /// How the first of its programs ended that has, if one has.
    pub(super) fn ended(&self) -> Option<(&Program, String)> {
        { self.programs.iter() }
            .find_map(|program| Some((program, program.process.ended()?.status)))
    }

    /// Kills all of them, and waits until they are gone.
    pub(super) async fn kill(&mut self) {
        self.end_wanted = true;
        for program in &mut self.programs {
            program.process.kill().await;
        }
        self.programs.clear();
    }

    /// Signals all of them, and says whether they were there.
    pub(super) async fn signal(&self, signal: SignalName) -> Result<bool, PlaceError> {
        let is_running = self.is_running();
        for program in &self.programs {
            program.process.signal(signal).await?;
        }
        Ok(is_running)
    }
}
