//! The library's choices as words of the command line. The library knows their names, and this file
//! has what `--help` says of each.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};

use crate::campaign::bugs::View;
use crate::checker::{Engine, Model};
use crate::nemesis::{PartitionShape, Target};
use crate::node::{Durability, HostKind};
use crate::protocol::Lattice;
use crate::run::engine_name;
use crate::server::KindRow;
use crate::session::Routing;
use crate::sim::Topology;

/// Something that is chosen by its name.
pub(super) trait Choice: Copy + Send + Sync + 'static {
    /// Every choice.
    const ALL: &'static [Self];

    /// What it is called.
    fn word(self) -> &'static str;

    /// What `--help` says of it.
    fn help(self) -> &'static str;
}

/// Reads a choice by its name.
pub(super) fn choice<T: Choice>() -> impl TypedValueParser<Value = T> {
    let words =
        { T::ALL.iter() }.map(|choice| PossibleValue::new(choice.word()).help(choice.help()));
    PossibleValuesParser::new(words).map(|word| {
        let named = T::ALL.iter().find(|choice| choice.word() == word);
        *named.expect("clap lets known words pass alone")
    })
}

/// What `--help` says of an option that takes an architecture.
pub(super) fn architectures(what: &str, nesting: &str) -> String {
    let names: Vec<&str> = KindRow::names().collect();
    format!("{what}: {}, or a nesting{nesting}", names.join(", "))
}

/// The model of this name.
pub(super) fn model(name: &str) -> Result<Model, String> {
    Model::from_name(name).ok_or_else(|| format!("choose one of {}", known_models()))
}

/// The names of all models.
pub(super) fn known_models() -> String {
    let names: Vec<&str> = Model::ALL.iter().map(|model| model.name()).collect();
    names.join(", ")
}

impl Choice for Lattice {
    const ALL: &'static [Self] = &[Self::Causal, Self::Lww];

    fn word(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Causal => {
                "Concurrent puts are kept side by side. A session never sees less than it saw before"
            }
            Self::Lww => "Last write wins: the put with the largest version stays",
        }
    }
}

impl Choice for Engine {
    const ALL: &'static [Self] = &[Self::Direct, Self::Stateright, Self::Both];

    fn word(self) -> &'static str {
        engine_name(self)
    }

    fn help(self) -> &'static str {
        match self {
            Self::Direct => "The direct algorithms",
            Self::Stateright => "A search by stateright",
            Self::Both => "Both engines. They have to agree",
        }
    }
}

impl Choice for View {
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Model => "Every interleaving of a small cluster, by kvs-models",
            Self::Sim => "Clusters in virtual time, under faults, seed after seed",
            Self::Real => "Processes on this machine, as `kvs-bench run` starts them",
        }
    }
}

impl Choice for Routing {
    const ALL: &'static [Self] = &[Self::RoundRobin, Self::Sticky, Self::Random];

    fn word(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        match self {
            Self::RoundRobin => {
                "Each operation goes to the next replica. This tests session guarantees"
            }
            Self::Sticky => "Every operation goes to one replica, as long as it answers",
            Self::Random => "Each operation goes to a replica drawn at random",
        }
    }
}

impl Choice for Durability {
    const ALL: &'static [Self] = &[Self::Memory, Self::Disk];

    fn word(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Memory => "Once it is in memory: a killed node comes back empty",
            Self::Disk => "Once it is synced to disk: a killed node comes back with it",
        }
    }
}

impl Choice for HostKind {
    const ALL: &'static [Self] = &[Self::Process, Self::Netns];

    fn word(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Process => "Processes of this machine that share its loopback interface",
            Self::Netns => {
                "Processes that each have a network namespace of their own: an address, a link and a firewall. Needs root"
            }
        }
    }
}

impl Choice for PartitionShape {
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        match self {
            Self::One => "One node alone",
            Self::Majority => "A majority on one side",
            Self::MajoritiesRing => "Every node hears a majority, and no two the same",
            Self::MinorityThird => {
                "A third of the nodes, and always less than half of them, apart from the others"
            }
            Self::Bridge => "Two halves, and one node that both halves hear and that hears both",
            Self::Asymmetric => "Two halves, one of which hears the other and is not heard",
            Self::Clients => "Clients and some nodes do not hear each other",
        }
    }
}

impl Choice for Target {
    const ALL: &'static [Self] = &Self::ALL;

    fn word(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        match self {
            Self::One => "One node of one group",
            Self::Minority => {
                "Fewer than half of the nodes of each group, and at least one node in all"
            }
            Self::Majority => "More than half of the nodes of each group",
            Self::All => "Every node",
            Self::Primary => "The node that takes the writes when the fault comes",
            Self::Leader => "The node of one group that leads it when the fault comes",
        }
    }
}

impl Choice for Topology {
    const ALL: &'static [Self] = &[Self::Lan, Self::Wan];

    fn word(self) -> &'static str {
        self.name()
    }

    fn help(self) -> &'static str {
        match self {
            Self::Lan => "In one place: the seed draws how long a message takes",
            Self::Wan => "Spread in turn over six regions of the world",
        }
    }
}
