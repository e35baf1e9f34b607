//! `quorum(n, r = …, w = …, write-back = on|off)`: replicas of every key, of which an operation waits
//! for some.

use super::{KindFacts, KindRow, Losses, Promise, StoreKind, WitnessKind};
use crate::protocol::Lattice;
use crate::replica::QuorumRule;
use crate::server::architecture::DEFAULT_SIZE;
use crate::server::parse::{Arguments, ParseArchitectureError};
use crate::server::{ImpossibleSize, REPLICAS_MAX, ReplicaKind};

pub(super) const READ: &str = "r";
pub(super) const WRITE: &str = "w";
const WRITE_BACK: &str = "write-back";

pub(super) static ROW: KindRow = KindRow {
    name: "quorum",
    help: "3 replicas, of which an operation waits for a majority; linearizable",
    sharded: "sharded_quorum",
    sharded_help: "3 shards of 3 replicas; each shard as quorum",
    usual: StoreKind::Quorum(QuorumStore {
        replicas: DEFAULT_SIZE,
        rule: QuorumRule::majorities(DEFAULT_SIZE),
    }),
    lattices: &[],
    parse,
};

/// This many replicas of every key, of which an operation waits for some.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct QuorumStore {
    replicas: u16,
    rule: QuorumRule,
}

impl QuorumStore {
    pub(in crate::server) const fn new(
        replicas: u16,
        rule: QuorumRule,
    ) -> Result<Self, ImpossibleSize> {
        match possible(ROW.name, replicas, rule) {
            Ok(()) => Ok(Self {
                replicas,
                rule: QuorumRule {
                    sloppy: false,
                    ..rule
                },
            }),
            Err(impossible) => Err(impossible),
        }
    }
}

/// Whether so many replicas can follow the rule.
pub(super) const fn possible(
    kind: &'static str,
    replicas: u16,
    rule: QuorumRule,
) -> Result<(), ImpossibleSize> {
    match replicas {
        0 => return Err(ImpossibleSize::Zero(kind)),
        1..=REPLICAS_MAX => {}
        _ => return Err(ImpossibleSize::TooManyReplicas(replicas)),
    }
    let (name, count) = if rule.read == 0 || rule.read > replicas {
        (READ, rule.read)
    } else {
        (WRITE, rule.write)
    };
    if count == 0 || count > replicas {
        return Err(ImpossibleSize::ImpossibleQuorum {
            name,
            count,
            replicas,
        });
    }
    Ok(())
}

fn parse(arguments: &mut Arguments<'_, '_>) -> Result<StoreKind, ParseArchitectureError> {
    let replicas = arguments.count()?.unwrap_or(DEFAULT_SIZE);
    let mut rule = QuorumRule::majorities(replicas);
    while let Some((name, value)) = arguments.named(&[READ, WRITE, WRITE_BACK])? {
        match name {
            READ => rule.read = count(value)?,
            WRITE => rule.write = count(value)?,
            _ => rule.write_back = is_on(value)?,
        }
    }
    if arguments.has_more() {
        return Err(ParseArchitectureError::InsideReplica("quorum", replicas));
    }
    Ok(StoreKind::Quorum(QuorumStore::new(replicas, rule)?))
}

pub(super) fn count(value: &str) -> Result<u16, ParseArchitectureError> {
    let parsed = value.parse();
    parsed.map_err(|_| ParseArchitectureError::NotACount(value.to_owned()))
}

fn is_on(value: &str) -> Result<bool, ParseArchitectureError> {
    match value {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(ParseArchitectureError::NotASwitch(value.to_owned())),
    }
}

impl KindFacts for QuorumStore {
    fn row(&self) -> &'static KindRow {
        &ROW
    }

    fn size(&self) -> u16 {
        self.replicas
    }

    fn parameters(&self) -> String {
        let usual = QuorumRule::majorities(self.replicas);
        let mut parameters = Vec::new();
        if self.replicas != DEFAULT_SIZE || self.rule != usual {
            parameters.push(self.replicas.to_string());
        }
        if (self.rule.read, self.rule.write) != (usual.read, usual.write) {
            parameters.push(format!("{READ} = {}", self.rule.read));
            parameters.push(format!("{WRITE} = {}", self.rule.write));
        }
        if !self.rule.write_back {
            parameters.push(format!("{WRITE_BACK} = off"));
        }
        parameters.join(", ")
    }

    /// Majorities stay majorities, and numbers that were given stay what they are.
    fn with_replicas(&self, replicas: u16) -> Result<StoreKind, ImpossibleSize> {
        let rule = self.rule.among(self.replicas, replicas);
        Ok(StoreKind::Quorum(Self::new(replicas, rule)?))
    }

    fn replica(&self, _: Lattice) -> ReplicaKind {
        ReplicaKind::Quorum(self.rule)
    }

    fn promise(&self, _: Lattice) -> Promise {
        match (self.rule.meets(self.replicas), self.rule.write_back) {
            (true, true) => Promise::Linearizable,
            (true, false) => Promise::Regular,
            (false, _) => Promise::Eventual,
        }
    }

    fn witness(&self, _: Lattice) -> WitnessKind {
        WitnessKind::Versions
    }

    /// It takes consensus.
    fn compares_and_sets(&self) -> bool {
        false
    }

    /// Not where it takes more others than there are to know of every put: one writes where another
    /// reads.
    fn has_copies(&self) -> bool {
        self.rule.recovers_from(self.replicas) < self.replicas
    }

    /// Any put is with one node more.
    fn memories_to_spare(&self) -> u16 {
        if self.has_copies() {
            self.rule.write - 1
        } else {
            0
        }
    }

    /// What a majority of memories had may be lost with them.
    fn losses_of_memory(&self) -> Losses {
        Losses::MayLose
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Architecture;

    #[track_caller]
    fn promise(text: &str) -> Promise {
        let architecture: Architecture = text.parse().expect(text);
        let kind = architecture.kind();
        kind.facts().promise(Lattice::default())
    }

    #[test]
    fn what_it_waits_for_is_read_and_printed_in_the_shortest_form() {
        for (text, printed) in [
            ("Quorum( 5 )", "quorum(5)"),
            ("quorum(r = 2)", "quorum"),
            ("quorum(3, w=1, r =1)", "quorum(3, r = 1, w = 1)"),
            ("quorum(5, write_back = off)", "quorum(5, write-back = off)"),
            ("sharded(2, quorum(5))", "sharded(2, quorum(5))"),
            ("sharded(quorum)", "sharded_quorum"),
        ] {
            let architecture: Architecture = text.parse().expect(text);
            assert_eq!(architecture.to_string(), printed);
            assert_eq!(printed.parse(), Ok(architecture));
        }
    }

    #[test]
    fn one_that_came_back_empty_recovers_where_others_know_of_every_put() {
        for (text, recovers) in [
            ("quorum", true),
            ("quorum(3, r = 1, w = 3)", true),
            ("quorum(3, r = 1, w = 1)", false),
            ("quorum(2, r = 2, w = 1)", false),
            ("quorum(1)", false),
        ] {
            let architecture: Architecture = text.parse().expect(text);
            assert_eq!(architecture.kind().facts().has_copies(), recovers, "{text}");
        }
    }

    #[test]
    fn with_more_replicas_it_waits_as_it_was_told() {
        for (text, grown) in [
            ("quorum", "quorum(5)"),
            ("quorum(write-back = off)", "quorum(5, write-back = off)"),
            ("quorum(r = 1, w = 1)", "quorum(5, r = 1, w = 1)"),
        ] {
            let architecture: Architecture = text.parse().expect(text);
            let grown: Architecture = grown.parse().expect(grown);
            assert_eq!(architecture.with_replicas(5), Ok(grown));
        }
        let all: Architecture = "quorum(r = 3, w = 3)".parse().expect("it");
        assert!(all.with_replicas(2).is_err(), "three of two");
    }

    #[test]
    fn what_it_waits_for_decides_what_it_promises() {
        assert_eq!(promise("quorum"), Promise::Linearizable);
        assert_eq!(promise("quorum(5, r = 2, w = 4)"), Promise::Linearizable);
        assert_eq!(promise("quorum(5, r = 2, w = 3)"), Promise::Eventual);
        assert_eq!(promise("quorum(write-back = off)"), Promise::Regular);
        assert_eq!(promise("quorum(r = 1, w = 1)"), Promise::Eventual);
    }

    #[test]
    fn a_quorum_that_cannot_be_is_refused_with_what_could_be_meant() {
        for (text, told) in [
            ("quorum(0)", "quorum of nothing"),
            ("quorum(3, r = 4)", "r = 4 of 3 replicas: give 1 to 3"),
            ("quorum(3, w = 0)", "w = 0 of 3 replicas: give 1 to 3"),
            ("quorum(3, n = 4)", "`quorum` has no parameter `n`"),
            ("quorum(3, r = 1, r = 2)", "`r` is given twice"),
            ("quorum(3, r = two)", "`two` is not a count"),
            ("quorum(3, write-back = no)", "`no` is neither on nor off"),
            ("quorum(5, local)", "as in sharded(3, quorum(5))"),
        ] {
            let refused = text.parse::<Architecture>().expect_err(text).to_string();
            assert!(refused.contains(told), "{text}: {refused}");
        }
    }
}
