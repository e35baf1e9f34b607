//! Waiting until the cluster is quiet: every replica of each group holds the same.

use std::time::{Duration, Instant};

use kvs_target::{Quiet, Target};

use super::Observer;
use super::interrupt::Interrupt;

/// How long nothing may change at replicas that do not agree, before they are taken for replicas
/// that never will.
pub const QUIESCE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long they may take altogether, while something changes.
pub const QUIESCE_MAX: Duration = Duration::from_secs(120);
/// How often they are asked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until the replicas of each group agree, or nothing has changed for [`QUIESCE_TIMEOUT`], up
/// to [`QUIESCE_MAX`]. Nodes that cannot be asked are not waited for.
pub(super) async fn quiesce(
    target: &mut dyn Target,
    interrupt: &Interrupt,
    observer: &mut dyn Observer,
) -> Quiet {
    let began = Instant::now();
    let mut moved_at = began;
    loop {
        let quiet = target.quiet().await;
        if quiet.moved {
            moved_at = Instant::now();
        }
        let is_over = quiet.converged || !quiet.is_known;
        let (rested, waited) = (moved_at.elapsed(), began.elapsed());
        if is_over || rested >= QUIESCE_TIMEOUT || waited >= QUIESCE_MAX || interrupt.is_asked() {
            // Whether they are still at it, not whether they were within the last moment.
            let moved = !is_over && rested < QUIESCE_TIMEOUT && !interrupt.is_asked();
            return Quiet { moved, ..quiet };
        }
        observer.progress("waiting until the replicas agree".to_owned());
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
