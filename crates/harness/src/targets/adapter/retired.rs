//! Adapters whose connections are closed: their input has ended, and they are to exit.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::io::BufReader;
use tokio::process::{Child, ChildStdout};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::program::{EXIT_TIMEOUT, Program};
use crate::targets::store::Speech;

/// Adapters that are waited for at the end of a run. Those beyond are killed at once.
const WAITED_FOR_MAX: usize = 1024;

/// Adapters whose input has ended. Dropping it kills those that run on.
#[derive(Default)]
pub(super) struct Retired(RefCell<Vec<Leaving>>);

/// An adapter that is to exit.
struct Leaving {
    /// The name of its node.
    node: String,
    child: Child,
    /// What it still says is read, so that it does not wait for a reader.
    stdout: BufReader<ChildStdout>,
}

impl Retired {
    /// Ends an adapter's input.
    pub(super) fn add(&self, node: &str, program: Program) {
        let Program { child, stdout, .. } = program;
        let mut leaving = self.0.borrow_mut();
        if leaving.len() < WAITED_FOR_MAX {
            leaving.push(Leaving {
                node: node.to_owned(),
                child,
                stdout,
            });
        }
    }

    /// Waits until all have exited, kills those that run on, and complains of them.
    pub(super) async fn end(&self, speech: &Rc<Speech>) {
        let deadline = Instant::now() + EXIT_TIMEOUT;
        let mut ending = JoinSet::new();
        for leaving in self.0.take() {
            ending.spawn_local(leaving.exit(deadline));
        }
        while let Some(ended) = ending.join_next().await {
            if let Ok(Err(node)) = ended {
                speech.complaints.add(format!(
                    "the adapter of {node}: it ran on when its input had ended, and was killed {} s \
                     later: it is to exit by itself",
                    EXIT_TIMEOUT.as_secs()
                ));
            }
        }
    }
}

impl Leaving {
    /// Waits for its exit; an error is the node of one that did not, and that is killed.
    async fn exit(mut self, deadline: Instant) -> Result<(), String> {
        let unheard = async {
            // Whatever becomes of what it says, its exit is what counts.
            let _ = tokio::io::copy_buf(&mut self.stdout, &mut tokio::io::sink()).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            _ = self.child.wait() => Ok(()),
            () = unheard => Ok(()),
            () = tokio::time::sleep_until(deadline) => Err(self.node),
        }
    }
}
