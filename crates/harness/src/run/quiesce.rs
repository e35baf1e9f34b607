//! Waiting until the cluster is quiet: every replica of each group holds the same.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use kvs_core::protocol::NodeId;

use super::Observer;
use super::cluster::Cluster;
use super::interrupt::Interrupt;

/// How long replicas may take to converge once the load has ended.
pub const QUIESCE_TIMEOUT: Duration = Duration::from_secs(10);
/// How often they are asked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// What came of the wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quiescence {
    /// Whether every replica of each group held the same in the end.
    pub converged: bool,
    /// Nodes that could not be asked, and why.
    pub unreachable: BTreeMap<NodeId, String>,
}

/// Waits until the replicas of each group agree, up to [`QUIESCE_TIMEOUT`]. Nodes that cannot be
/// asked are not waited for.
pub(super) async fn quiesce(
    cluster: &Cluster,
    interrupt: &Interrupt,
    observer: &mut dyn Observer,
) -> Quiescence {
    let deadline = Instant::now() + QUIESCE_TIMEOUT;
    loop {
        let quiescence = look(cluster).await;
        if quiescence.converged || Instant::now() >= deadline || interrupt.is_asked() {
            return quiescence;
        }
        observer.progress("waiting until the replicas agree".to_owned());
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn look(cluster: &Cluster) -> Quiescence {
    let mut statuses = BTreeMap::new();
    let mut unreachable = BTreeMap::new();
    for (node, status) in cluster.statuses().await {
        match status {
            Ok(status) => drop(statuses.insert(node, status.replica)),
            Err(reason) => drop(unreachable.insert(node, reason)),
        }
    }
    let converged = cluster.ports().groups().iter().all(|group| {
        let mut replicas = group.nodes.iter().filter_map(|node| statuses.get(node));
        let first = replicas.clone().next();
        replicas.all(|replica| {
            replica.is_quiet() && first.is_some_and(|first| first.agrees_with(replica))
        })
    });
    Quiescence {
        converged,
        unreachable,
    }
}
