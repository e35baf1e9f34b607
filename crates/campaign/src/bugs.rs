//! The planted bugs, and whether the views catch them.

use kvs_core::bug::Bug;
use kvs_core::protocol::Lattice;
use kvs_core::server::Architecture;
use kvs_recording::lattice_name;

/// A store that does not have the part that a bug is in.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{architecture} cannot have the bug {:?}: try --arch {}{}", bug.name(), bug.facts().arch,
    bug.facts().lattice.map_or_else(String::new, |lattice| format!(" --lattice {lattice}")))]
pub struct Misfit {
    /// The bug.
    pub bug: Bug,
    /// The store that was asked for.
    pub architecture: Architecture,
}

/// Whether a store of this kind has the part that the bug is in.
///
/// # Errors
/// When it has not.
///
/// # Panics
/// Never: the tests hold that every bug names an architecture.
pub fn fits(bug: Bug, architecture: &Architecture, lattice: Lattice) -> Result<(), Misfit> {
    let facts = bug.facts();
    let wanted: Architecture = { facts.arch.parse() }.expect("a planted bug names an architecture");
    let composed = match wanted {
        Architecture::Local => !architecture.is_replicated(),
        Architecture::Replicated(_) => architecture.is_replicated(),
        Architecture::Sharded(..) => matches!(architecture, Architecture::Sharded(..)),
    };
    let is_it = |wanted| wanted == lattice_name(lattice);
    if composed && facts.lattice.is_none_or(is_it) {
        return Ok(());
    }
    Err(Misfit {
        bug,
        architecture: architecture.clone(),
    })
}
