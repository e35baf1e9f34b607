//! Which nodes a fault of processes, packets, clocks or disks acts on.

use rand::RngExt;
use rand::seq::SliceRandom;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

use kvs_core::protocol::NodeId;

/// How many nodes of each group a fault acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// One node of one group.
    One,
    /// Fewer than half of the nodes of each group, at least one of the deployment.
    Minority,
    /// More than half of the nodes of each group.
    Majority,
    /// Every node.
    All,
    /// The node that takes the writes when the fault comes.
    Primary,
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 5] = [
        Self::One,
        Self::Minority,
        Self::Majority,
        Self::All,
        Self::Primary,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Minority => "minority",
            Self::Majority => "majority",
            Self::All => "all",
            Self::Primary => "primary",
        }
    }

    /// The nodes, in ascending order.
    pub(super) fn draw(self, groups: &[Vec<NodeId>], random: &mut Pcg64) -> Vec<NodeId> {
        let one = |random: &mut Pcg64| {
            let group = &groups[random.random_range(0..groups.len())];
            vec![group[random.random_range(0..group.len())]]
        };
        let some = |count: fn(usize) -> usize, random: &mut Pcg64| {
            let mut chosen = Vec::new();
            for group in groups {
                let mut nodes = group.clone();
                nodes.shuffle(random);
                chosen.extend_from_slice(&nodes[..count(nodes.len())]);
            }
            chosen
        };
        let mut chosen = match self {
            Self::One => one(random),
            Self::Minority => some(|nodes| (nodes - 1) / 2, random),
            Self::Majority => some(|nodes| nodes / 2 + 1, random),
            Self::All => groups.concat(),
            // Whoever installs the fault finds out which it is.
            Self::Primary => vec![groups[0][0]],
        };
        if chosen.is_empty() {
            chosen = one(random);
        }
        chosen.sort_unstable();
        chosen
    }
}
