//! `sloppy(n, r = …, w = …, spares = …)`: replicas of every key, of which an operation waits for some,
//! and spares that stand in for those that cannot be reached.

use super::quorum::{READ, WRITE, count, possible};
use super::{KindFacts, KindRow, Losses, Promise, StoreKind, WitnessKind};
use crate::protocol::Lattice;
use crate::replica::QuorumRule;
use crate::server::architecture::DEFAULT_SIZE;
use crate::server::parse::{Arguments, ParseArchitectureError};
use crate::server::{ImpossibleSize, REPLICAS_MAX, ReplicaKind};

const SPARES: &str = "spares";
const SPARES_DEFAULT: u16 = 2;

pub(super) static ROW: KindRow = KindRow {
    name: "sloppy",
    help: "3 replicas and 2 spares that stand in for them; eventual",
    sharded: "sharded_sloppy",
    sharded_help: "3 shards of 3 replicas and 2 spares; each shard as sloppy",
    usual: StoreKind::Sloppy(SloppyStore {
        replicas: DEFAULT_SIZE,
        spares: SPARES_DEFAULT,
        rule: majorities(DEFAULT_SIZE),
    }),
    lattices: &[],
    parse,
};

/// This many replicas of every key, of which an operation waits for some, and spares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SloppyStore {
    replicas: u16,
    spares: u16,
    rule: QuorumRule,
}

/// Majorities that spares may be part of.
const fn majorities(replicas: u16) -> QuorumRule {
    QuorumRule {
        write_back: false,
        sloppy: true,
        ..QuorumRule::majorities(replicas)
    }
}

impl SloppyStore {
    pub(in crate::server) fn new(
        replicas: u16,
        spares: u16,
        rule: QuorumRule,
    ) -> Result<Self, ImpossibleSize> {
        possible(ROW.name, replicas, rule)?;
        let rule = QuorumRule {
            write_back: false,
            sloppy: true,
            ..rule
        };
        match spares {
            0 => Err(ImpossibleSize::NoSpares),
            1..=REPLICAS_MAX => Ok(Self {
                replicas,
                spares,
                rule,
            }),
            _ => Err(ImpossibleSize::TooManySpares(spares)),
        }
    }
}

fn parse(arguments: &mut Arguments<'_, '_>) -> Result<StoreKind, ParseArchitectureError> {
    let replicas = arguments.count()?.unwrap_or(DEFAULT_SIZE);
    let mut spares = SPARES_DEFAULT;
    let mut rule = majorities(replicas);
    while let Some((name, value)) = arguments.named(&[READ, WRITE, SPARES])? {
        match name {
            READ => rule.read = count(value)?,
            WRITE => rule.write = count(value)?,
            _ => spares = count(value)?,
        }
    }
    if arguments.has_more() {
        return Err(ParseArchitectureError::InsideReplica("sloppy", replicas));
    }
    Ok(StoreKind::Sloppy(SloppyStore::new(replicas, spares, rule)?))
}

impl KindFacts for SloppyStore {
    fn row(&self) -> &'static KindRow {
        &ROW
    }

    fn size(&self) -> u16 {
        self.replicas + self.spares
    }

    fn spares(&self) -> u16 {
        self.spares
    }

    fn parameters(&self) -> String {
        let usual = majorities(self.replicas);
        let mut parameters = Vec::new();
        if self.replicas != DEFAULT_SIZE || self.rule != usual || self.spares != SPARES_DEFAULT {
            parameters.push(self.replicas.to_string());
        }
        if self.rule != usual {
            parameters.push(format!("{READ} = {}", self.rule.read));
            parameters.push(format!("{WRITE} = {}", self.rule.write));
        }
        if self.spares != SPARES_DEFAULT {
            parameters.push(format!("{SPARES} = {}", self.spares));
        }
        parameters.join(", ")
    }

    /// Majorities stay majorities; numbers that were given, and spares, stay what they are.
    fn with_replicas(&self, replicas: u16) -> Result<StoreKind, ImpossibleSize> {
        let rule = self.rule.among(self.replicas, replicas);
        Ok(StoreKind::Sloppy(Self::new(replicas, self.spares, rule)?))
    }

    fn replica(&self, _: Lattice) -> ReplicaKind {
        ReplicaKind::Quorum(self.rule)
    }

    /// No setting makes it more: a put may be with spares that gets do not ask.
    fn promise(&self, _: Lattice) -> Promise {
        Promise::Eventual
    }

    fn witness(&self, _: Lattice) -> WitnessKind {
        WitnessKind::Versions
    }

    /// It takes consensus.
    fn compares_and_sets(&self) -> bool {
        false
    }

    /// Where more than one node has every put, and a replica can hear from enough others.
    fn has_copies(&self) -> bool {
        self.rule.write > 1 && self.rule.recovers_from(self.replicas) < self.replicas
    }

    /// Any put is with one node more.
    fn memories_to_spare(&self) -> u16 {
        if self.has_copies() {
            self.rule.write - 1
        } else {
            0
        }
    }

    /// What all nodes that a put counted on had in memory is lost with them.
    fn losses_of_memory(&self) -> Losses {
        Losses::MayLose
    }
}

#[cfg(test)]
mod tests {
    use crate::server::Architecture;

    #[test]
    fn what_it_waits_for_and_its_spares_are_read_and_printed_in_the_shortest_form() {
        for (text, printed) in [
            ("Sloppy( 5 )", "sloppy(5)"),
            ("sloppy(spares = 2, r = 2)", "sloppy"),
            ("sloppy(spares=1)", "sloppy(3, spares = 1)"),
            ("sloppy(3, w = 3, r = 1)", "sloppy(3, r = 1, w = 3)"),
            ("sharded(sloppy)", "sharded_sloppy"),
            (
                "sharded(2, sloppy(5, spares = 4))",
                "sharded(2, sloppy(5, spares = 4))",
            ),
        ] {
            let architecture: Architecture = text.parse().expect(text);
            assert_eq!(architecture.to_string(), printed);
            assert_eq!(printed.parse(), Ok(architecture));
        }
    }

    #[test]
    fn spares_are_nodes_that_no_client_asks() {
        let store: Architecture = "sharded(2, sloppy(3, spares = 1))".parse().expect("it");
        let ports = store.ports();
        assert_eq!(store.size(), 8);
        assert_eq!(ports.nodes().count(), 8);
        let [first, second] = ports.groups() else {
            panic!("{ports}");
        };
        assert_eq!((first.nodes.len(), first.spares.len()), (3, 1));
        assert!(!first.nodes.contains(&first.spares[0]));
        assert!(
            second
                .members()
                .all(|node| first.members().all(|other| node != other))
        );
    }

    #[test]
    fn one_that_cannot_be_is_refused_with_what_could_be_meant() {
        for (text, told) in [
            ("sloppy(0)", "sloppy of nothing"),
            ("sloppy(3, w = 4)", "w = 4 of 3 replicas: give 1 to 3"),
            ("sloppy(3, spares = 0)", "use quorum"),
            ("sloppy(3, spares = 9999)", "9999 spares"),
            (
                "sloppy(3, write-back = on)",
                "`sloppy` has no parameter `write-back`",
            ),
            ("sloppy(3, local)", "as in sharded(3, sloppy(3))"),
        ] {
            let refused = text.parse::<Architecture>().expect_err(text).to_string();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }
}
