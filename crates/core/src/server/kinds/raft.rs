//! `raft(n, reads = index|log)`: replicas of every key, which agree on a log.

use super::{KindFacts, KindRow, Losses, Promise, StoreKind, WitnessKind};
use crate::protocol::Lattice;
use crate::replica::{RaftRule, Reads};
use crate::server::architecture::DEFAULT_SIZE;
use crate::server::parse::{Arguments, ParseArchitectureError};
use crate::server::{ImpossibleSize, REPLICAS_MAX, ReplicaKind};

const READS: &str = "reads";

pub(super) static ROW: KindRow = KindRow {
    name: "raft",
    help: "3 replicas that agree on a log, of which one leads; linearizable",
    sharded: "sharded_raft",
    sharded_help: "3 shards of 3 replicas; each shard as raft",
    usual: StoreKind::Raft(RaftStore {
        replicas: DEFAULT_SIZE,
        rule: RaftRule {
            reads: Reads::Index,
        },
    }),
    lattices: &[],
    parse,
};

/// This many replicas of every key, which agree on a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RaftStore {
    replicas: u16,
    rule: RaftRule,
}

impl RaftStore {
    pub(in crate::server) const fn new(
        replicas: u16,
        rule: RaftRule,
    ) -> Result<Self, ImpossibleSize> {
        match replicas {
            0 => Err(ImpossibleSize::Zero(ROW.name)),
            1..=REPLICAS_MAX => Ok(Self { replicas, rule }),
            _ => Err(ImpossibleSize::TooManyReplicas(replicas)),
        }
    }

    /// How many of them can fail without an end to all writes.
    const fn spare(&self) -> u16 {
        (self.replicas - 1) / 2
    }
}

fn parse(arguments: &mut Arguments<'_, '_>) -> Result<StoreKind, ParseArchitectureError> {
    let replicas = arguments.count()?.unwrap_or(DEFAULT_SIZE);
    let mut rule = RaftRule::default();
    while let Some((_, value)) = arguments.named(&[READS])? {
        rule.reads = match value {
            "index" => Reads::Index,
            "log" => Reads::Log,
            _ => {
                return Err(ParseArchitectureError::NotOneOf {
                    name: READS,
                    known: "index or log",
                    given: value.to_owned(),
                });
            }
        };
    }
    if arguments.has_more() {
        return Err(ParseArchitectureError::InsideReplica("raft", replicas));
    }
    Ok(StoreKind::Raft(RaftStore::new(replicas, rule)?))
}

impl KindFacts for RaftStore {
    fn row(&self) -> &'static KindRow {
        &ROW
    }

    fn size(&self) -> u16 {
        self.replicas
    }

    fn parameters(&self) -> String {
        let mut parameters = Vec::new();
        if self.replicas != DEFAULT_SIZE {
            parameters.push(self.replicas.to_string());
        }
        if self.rule.reads != Reads::default() {
            parameters.push(format!("{READS} = {}", self.rule.reads));
        }
        parameters.join(", ")
    }

    fn with_replicas(&self, replicas: u16) -> Result<StoreKind, ImpossibleSize> {
        Ok(StoreKind::Raft(Self::new(replicas, self.rule)?))
    }

    fn has_leader(&self) -> bool {
        true
    }

    fn replica(&self, _: Lattice) -> ReplicaKind {
        ReplicaKind::Raft(self.rule)
    }

    fn promise(&self, _: Lattice) -> Promise {
        Promise::Linearizable
    }

    /// The index of a put's entry.
    fn witness(&self, _: Lattice) -> WitnessKind {
        WitnessKind::Versions
    }

    fn compares_and_sets(&self) -> bool {
        true
    }

    /// Where the others are a majority: only that makes one that came back empty a member again.
    fn has_copies(&self) -> bool {
        self.spare() > 0
    }

    fn memories_to_spare(&self) -> u16 {
        self.spare()
    }

    /// What a majority of memories had is lost with them: nothing is committed any more.
    fn losses_of_memory(&self) -> Losses {
        Losses::MayLose
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Architecture;

    #[test]
    fn its_parameters_are_printed_as_they_are_read_and_left_out_when_they_are_usual() {
        for (text, printed) in [
            ("raft", "raft"),
            ("raft(3)", "raft"),
            ("raft(3, reads = index)", "raft"),
            ("raft(reads = log)", "raft(reads = log)"),
            ("raft(5, reads = log)", "raft(5, reads = log)"),
            ("sharded(3, raft(3))", "sharded_raft"),
        ] {
            let architecture: Architecture = text.parse().expect(text);
            assert_eq!(architecture.to_string(), printed);
            assert_eq!(printed.parse(), Ok(architecture));
        }
    }

    #[test]
    fn one_that_came_back_empty_becomes_a_member_where_the_others_are_a_majority() {
        for (replicas, spare) in [(1, 0), (2, 0), (3, 1), (4, 1), (5, 2)] {
            let store = RaftStore::new(replicas, RaftRule::default()).expect("a size");
            assert_eq!(store.memories_to_spare(), spare, "of {replicas}");
            assert_eq!(store.has_copies(), spare > 0, "of {replicas}");
        }
    }

    #[test]
    fn a_group_that_cannot_be_is_refused_with_what_could_be_meant() {
        for (text, told) in [
            ("raft(0)", "raft of nothing"),
            ("raft(reads = lease)", "`reads = lease`: give index or log"),
            ("raft(3, r = 2)", "`raft` has no parameter `r`"),
            ("raft(5, local)", "as in sharded(3, raft(5))"),
        ] {
            let refused = text.parse::<Architecture>().expect_err(text).to_string();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }
}
