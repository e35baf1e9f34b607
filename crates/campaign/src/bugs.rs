//! Looks for the planted bugs through every view, and says whether the views catch them.

mod listing;
mod model;
mod outcome;
mod real;
mod sign;
mod target;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;

use kvs_core::bug::{Bug, Facts};
use kvs_measure::Versions;
use kvs_sim::SimFault;

use crate::Observer;

pub use listing::text;
pub use outcome::{End, Finding, Hunt, Look};

use target::Target;

/// A way to look at the same code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum View {
    /// Every interleaving of a small cluster, by kvs-models.
    Model,
    /// Clusters in virtual time, under faults, seed after seed.
    Sim,
    /// Processes on this machine, as `kvs-bench run` starts them.
    Real,
}

impl View {
    /// Every view.
    pub const ALL: [Self; 3] = [Self::Model, Self::Sim, Self::Real];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Sim => "sim",
            Self::Real => "real",
        }
    }

    /// Whether it must catch a bug of which this is known.
    #[must_use]
    pub const fn must_catch(self, facts: &Facts) -> bool {
        match self {
            Self::Model => facts.model,
            Self::Sim => facts.sim,
            Self::Real => facts.real,
        }
    }
}

/// How far views go.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How many seeds are simulated at most.
    pub seeds: u64,
    /// Faults that are not simulated.
    pub without: BTreeSet<SimFault>,
    /// Where real runs leave their directories.
    pub results: PathBuf,
    /// Which program runs them.
    pub versions: Versions,
}

/// Looks for every bug through every view, and with `unbroken` at the same stores without a bug.
/// When it was interrupted, what was found until then is returned.
///
/// View after view, and real runs last: they listen to Ctrl-C in their own way, and from the first
/// of them on nothing else does. Before that it ends the program at once.
pub fn hunt(
    bugs: &[Bug],
    views: &BTreeSet<View>,
    unbroken: bool,
    limits: &Limits,
    observer: &mut dyn Observer,
) -> Hunt {
    let mut hunt = Hunt::new(bugs, views);
    for view in views {
        for (bug, target) in targets(bugs, *view, unbroken) {
            let began = Instant::now();
            let target = target.within(limits);
            let Some(finding) = target.look(limits, observer) else {
                return hunt;
            };
            let look = Look::new(*view, bug, target.command(), finding, began.elapsed());
            observer.found(&look.to_string());
            hunt.looks.push(look);
        }
    }
    hunt.complete = true;
    hunt
}

/// What a view looks at: the store of each bug, and with `unbroken` each of these stores once
/// without a bug.
fn targets(bugs: &[Bug], view: View, unbroken: bool) -> Vec<(Option<Bug>, Target)> {
    let broken = |bug: &Bug| Some((Some(*bug), Target::new(view, *bug)?));
    let mut targets: Vec<(Option<Bug>, Target)> = bugs.iter().filter_map(broken).collect();
    let stores = bugs.iter().filter(|_| unbroken);
    for target in stores.filter_map(|bug| Target::unbroken(view, *bug)) {
        let control = (None, target);
        if !targets.contains(&control) {
            targets.push(control);
        }
    }
    targets
}
