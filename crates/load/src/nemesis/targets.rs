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
    /// The node of one group that leads it when the fault comes.
    Leader,
}

/// Which node a fault is meant for that somebody has to find when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The node that takes the writes.
    Primary,
    /// The node that leads the group of this one.
    LeaderOf(NodeId),
}

impl Role {
    /// Who leads a group of whose nodes these say that they do. None where several say so: all but
    /// one of them have yet to hear that another was chosen.
    pub fn leader(leading: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
        let mut leading = leading.into_iter();
        let first = leading.next()?;
        leading.next().is_none().then_some(first)
    }
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 6] = [
        Self::One,
        Self::Minority,
        Self::Majority,
        Self::All,
        Self::Primary,
        Self::Leader,
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
            Self::Leader => "leader",
        }
    }

    /// Whom it means of a group of whose nodes this is one, where that has to be found when the
    /// fault comes.
    pub(super) const fn role(self, node: NodeId) -> Option<Role> {
        match self {
            Self::One | Self::Minority | Self::Majority | Self::All => None,
            Self::Primary => Some(Role::Primary),
            Self::Leader => Some(Role::LeaderOf(node)),
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
            Self::One | Self::Leader => one(random),
            Self::Minority => some(|nodes| (nodes - 1) / 2, random),
            Self::Majority => some(|nodes| nodes / 2 + 1, random),
            Self::All => groups.concat(),
            // Whoever installs the fault finds out which it is, as for a leader.
            Self::Primary => vec![groups[0][0]],
        };
        if chosen.is_empty() {
            chosen = one(random);
        }
        chosen.sort_unstable();
        chosen
    }
}
