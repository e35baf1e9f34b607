//! What a store is to be for one run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use kvs_check::checker::Model;
use kvs_core::protocol::{GroupId, NodeId};
use kvs_core::server::{Group, ServerPorts};
use kvs_load::nemesis::{FaultKind, PacketFault, Part};
use kvs_node::node::HostKind;
use kvs_target::{Evidence, Facts, FaultSupport, Operations};

use super::definition::{Definition, Wrong};
use super::{Credentials, builtin, primary_builtin};

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
    /// Whether the keys of the run are deleted in the end.
    pub clean: bool,
    /// Where nodes that this program starts run.
    pub host: HostKind,
    /// Where the files are looked for that its commands name by relative paths: beside its own
    /// file. Empty for a store of the catalogue.
    pub directory: PathBuf,
}

/// The directory that a store's file lies in, as a path from the root: its programs start
/// elsewhere.
fn directory_of(source: &str) -> PathBuf {
    let path = std::fs::canonicalize(source).unwrap_or_default();
    path.parent().map(Path::to_owned).unwrap_or_default()
}

/// The words of a command, with those that are files beside the store's own file named in full.
pub(in crate::targets) fn beside(command: &[String], directory: &Path) -> Vec<String> {
    let in_full = |word: &String| {
        let path = directory.join(word);
        let is_there = !directory.as_os_str().is_empty()
            && Path::new(word).is_relative()
            && !word.starts_with('-')
            && path.is_file();
        if is_there {
            path.display().to_string()
        } else {
            word.clone()
        }
    };
    command.iter().map(in_full).collect()
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
            directory: directory_of(&source),
            source,
            definition,
            endpoints: Vec::new(),
            clean: false,
            host: HostKind::default(),
        })
    }

    /// What may happen to packets where they run: what this kernel can do to a link.
    #[must_use]
    pub fn packets(&self) -> Vec<PacketFault> {
        match self.host {
            // They have no links of their own: see [`StoreConfig::support`].
            HostKind::Process => Vec::new(),
            HostKind::Netns if kvs_place::network::kernel_has_netem() => PacketFault::ALL.to_vec(),
            HostKind::Netns => vec![PacketFault::Loss, PacketFault::Rate],
        }
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

    /// Whether the environment has what its file wants of it.
    ///
    /// # Errors
    /// When a variable is not set.
    pub fn check(&self) -> Result<(), Wrong> {
        Credentials::of(&self.definition).map(|_| ())
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
                    delete: true,
                },
                Evidence::None,
            ),
        };
        let nodes = (0..self.count()).map(NodeId);
        let group = Group::new(GroupId(0), nodes.collect());
        let faults = FaultKind::ALL.map(|kind| (kind, self.support(kind)));
        Facts {
            name: self.definition.name.clone(),
            promise: self.promise,
            says: self.definition.says.clone(),
            evidence,
            ports: ServerPorts::of_group(group),
            operations,
            writes: self.definition.writes(),
            has_primary: self.definition.primary.is_some(),
            has_leader: self.definition.primary.is_some(),
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
        FaultSupport::of(kind, |part| match part {
            Part::Process => FaultSupport::Yes,
            Part::Network if self.host == HostKind::Process => needs(&format!(
                "its nodes in network namespaces: add --host netns, as root, such as `sudo \
                     kvs-bench --store {} --host netns --nemesis {}`",
                self.source,
                kind.name()
            )),
            Part::Network => FaultSupport::Yes,
            Part::Clock => needs(
                "a store of the zoo: nothing here turns the clock of a program that it did not write",
            ),
            Part::Disk => needs("a store of the zoo: nothing here stands below another's files"),
        })
    }
}
