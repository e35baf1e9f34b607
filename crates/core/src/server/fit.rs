//! Which store can have which bug.

use crate::bug::Bug;
use crate::protocol::Lattice;

use super::Architecture;

/// A store that does not have the part that a bug is in.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{architecture} cannot have the bug {:?}: try --arch {}{}", bug.name(), Architecture::from(bug.facts().store),
    bug.facts().lattice.map_or_else(String::new, |it| format!(" --lattice {}", it.name())))]
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
pub fn fits(bug: Bug, architecture: &Architecture, lattice: Lattice) -> Result<(), Misfit> {
    let facts = bug.facts();
    let wanted = Architecture::from(facts.store);
    let composed = match &wanted {
        Architecture::Group(kind) => std::ptr::eq(kind.row(), architecture.kind().row()),
        Architecture::Sharded(..) => matches!(architecture, Architecture::Sharded(..)),
    };
    let is_it = |wanted| wanted == lattice;
    if composed && facts.lattice.is_none_or(is_it) {
        return Ok(());
    }
    Err(Misfit {
        bug,
        architecture: architecture.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_that_shows_a_bug_can_have_it() {
        for bug in Bug::ALL {
            let facts = bug.facts();
            let store = facts.store.into();
            let fit = fits(bug, &store, facts.lattice.unwrap_or_default());
            assert!(fit.is_ok(), "{bug}");
        }
    }

    #[test]
    fn a_store_without_the_part_is_refused_with_the_one_that_has_it() {
        let misfit = fits(Bug::OverwritingMerge, &Architecture::local(), Lattice::Lww);
        let told = misfit.expect_err("nothing is merged there").to_string();
        assert!(told.contains("local cannot have"), "{told}");
        assert!(told.contains("--arch replicated --lattice lww"), "{told}");
    }
}
