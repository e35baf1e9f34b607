//! What a store is to be for one run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use kvs_check::checker::Model;
use kvs_core::protocol::{GroupId, NodeId};
use kvs_core::server::{Group, ServerPorts};
use kvs_load::nemesis::FaultKind;
use kvs_node::node::HostKind;
use kvs_target::{Evidence, Facts, FaultSupport, Operations, Payload};

use super::definition::{Definition, Wrong};
use super::{builtin, primary_builtin};

/// What a store is to be for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// What its file says.
    pub definition: Definition,
    /// Its name in the catalogue, or the path of its file: what names it on the command line.
    pub source: String,
    /// Its options, each set.
    pub options: BTreeMap<String, String>,
    /// What the verdict holds it to.
    pub promise: Model,
    /// Where its nodes run already; this program starts them when empty.
    pub endpoints: Vec<String>,
    /// Whether keys that were written to a store that runs already are deleted in the end.
    pub cleans: bool,
    /// Where nodes that this program starts run.
    pub host: HostKind,
    /// Where a command of the file that is a relative path is looked for.
    pub directory: PathBuf,
}

impl StoreConfig {
    /// A store with these options set, and started here.
    ///
    /// # Errors
    /// When the file names what there is not, or it has no such option.
    pub fn new(
        definition: Definition,
        source: String,
        given: &[(String, String)],
    ) -> Result<Self, Wrong> {
        if let Some(name) = &definition.adapter.builtin {
            builtin(name)?;
        }
        if let Some(name) = definition
            .primary
            .as_ref()
            .and_then(|it| it.builtin.as_ref())
        {
            primary_builtin(name)?;
        }
        let options = definition.options_with(given)?;
        Ok(Self {
            promise: definition.promise_with(&options),
            options,
            source,
            definition,
            endpoints: Vec::new(),
            cleans: false,
            host: HostKind::default(),
            directory: PathBuf::new(),
        })
    }

    /// How many nodes there are.
    #[must_use]
    pub fn count(&self) -> u16 {
        if self.endpoints.is_empty() {
            self.definition.count()
        } else {
            u16::try_from(self.endpoints.len()).unwrap_or(u16::MAX)
        }
    }

    /// Whether this program starts it.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.endpoints.is_empty() && self.definition.is_started()
    }

    /// What is known of it before it is started.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let (operations, evidence) = match &self.definition.adapter.builtin {
            Some(name) => builtin(name).map_or_else(
                |_| (Operations::default(), Evidence::None),
                |known| (known.operations, (known.evidence)(&self.options)),
            ),
            // Its adapter says what it can when it is started.
            None => (
                Operations {
                    compare_and_set: true,
                },
                Evidence::None,
            ),
        };
        let group = Group {
            id: GroupId(0),
            nodes: (0..self.count()).map(NodeId).collect(),
        };
        let faults = FaultKind::ALL.map(|kind| (kind, self.support(kind)));
        Facts {
            name: self.definition.name.clone(),
            promise: self.promise,
            says: self.definition.says.clone(),
            evidence,
            ports: ServerPorts::of_group(group),
            operations,
            payload: Payload::Text,
            writes: self.definition.writes(),
            reads: self.definition.reads(),
            sessions: self.definition.sessions(),
            faults: faults.to_vec(),
        }
    }

    /// Whether it can have a kind of fault, and what it lacks.
    #[must_use]
    pub fn support(&self, kind: FaultKind) -> FaultSupport {
        let needs = |what: &str| FaultSupport::Needs(what.to_owned());
        if !self.endpoints.is_empty() {
            return needs("a store that kvs-bench starts itself (leave --endpoints out)");
        }
        if !self.is_started() {
            return needs("a store that kvs-bench starts itself (`start` in its file)");
        }
        if self.definition.faults.get(&kind) == Some(&false) {
            return needs("a file that allows it (`[faults]`)");
        }
        match kind {
            FaultKind::Kill | FaultKind::Pause => FaultSupport::Yes,
            FaultKind::Partition | FaultKind::Packet if self.host == HostKind::Process => {
                needs("--host netns, which needs root")
            }
            FaultKind::Partition | FaultKind::Packet => FaultSupport::Yes,
            FaultKind::Clock => needs(
                "a store of the zoo: nothing here turns the clock of a program that it did not write",
            ),
            FaultKind::Disk => {
                needs("a store of the zoo: nothing here stands below another's files")
            }
        }
    }
}
