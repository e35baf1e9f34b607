//! Waiting until the cluster is quiet: every replica of each group holds the same.

use std::time::{Duration, Instant};

use kvs_target::{Quiet, Target};

use super::Observer;
use super::interrupt::Interrupt;

/// How long replicas may take to converge once the load has ended.
pub const QUIESCE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often they are asked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Waits until the replicas of each group agree, up to [`QUIESCE_TIMEOUT`]. Nodes that cannot be
/// asked are not waited for.
pub(super) async fn quiesce(
    target: &mut dyn Target,
    interrupt: &Interrupt,
    observer: &mut dyn Observer,
) -> Quiet {
    let deadline = Instant::now() + QUIESCE_TIMEOUT;
    loop {
        let quiet = target.quiet().await;
        let is_over = quiet.converged || !quiet.is_known;
        if is_over || Instant::now() >= deadline || interrupt.is_asked() {
            return quiet;
        }
        observer.progress("waiting until the replicas agree".to_owned());
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
