//! The models that a history can be held to, from the weakest to the strongest: the rungs of the
//! ladder, each a row of [`MODELS`].
//!
//! A model is a set of properties, each with one check. What else the ladder, the reports, the
//! second engine and lost writes need to know of a model stands in its row, and nothing else tells
//! models apart. Their names and meanings come with their ids (`history/model.rs`), since headers
//! name them.

use super::lost_writes::Superseding;
use super::property::Property;
use super::searched::{Repeats, Searchable};
use super::{causal, linearizable, lww, regular, search};
use crate::history::Dominance;
pub use crate::history::Model;

/// What is known of a model.
pub(super) struct Row {
    /// Which it is.
    model: Model,
    /// What makes it up, after integrity, which every model contains. Where two of them ask one
    /// question, by evidence and without, they stand next to each other.
    properties: &'static [Property],
    /// What a store that promises it promises: the last is the model itself.
    promise: &'static [Model],
    /// The models directly below that hold whenever it does, by definition.
    implies: &'static [Model],
    /// The same where a put supersedes its context only, if that is less.
    implies_by_context: Option<&'static [Model]>,
    /// What is shown where the verdict rests on it, though it is no property of its own: it breaks
    /// the model too, and says more plainly what happened.
    pub(super) shows_too: &'static [Property],
    /// Whether a history that is held to it is taken for one of a store that promises it.
    pub(super) stands_for_store: bool,
    /// What may have superseded a put where no evidence says it.
    pub(super) superseding: Superseding,
    /// Whether a store's versions say which of two puts came first: those of a last-write-wins
    /// store say which of them stays, and a clock that is behind may turn that around.
    pub(super) orders_by_versions: bool,
    /// Whether puts that lost to earlier ones are counted.
    pub(super) counts_inversions: bool,
    /// What stateright searches for where values are unique.
    pub(super) searchable: Option<Searchable>,
    /// What it searches for where they repeat, or where there is more than puts and gets.
    pub(super) repeats: Option<Repeats>,
}

/// A model of its own, which implies no other and has nothing to itself.
const PLAIN: Row = Row {
    model: Model::Eventual,
    properties: &[],
    promise: &[],
    implies: &[],
    implies_by_context: None,
    shows_too: &[],
    stands_for_store: false,
    superseding: Superseding::InTime,
    orders_by_versions: false,
    counts_inversions: false,
    searchable: None,
    repeats: None,
};

/// What a session is owed.
const GUARANTEES: &[Model] = &[
    Model::ReadYourWrites,
    Model::MonotonicReads,
    Model::MonotonicWrites,
    Model::WritesFollowReads,
];

/// Every model, weakest first.
///
/// A last-write-wins store also has to converge, and so has a regular one. A causal store has to
/// converge, too, and to keep each session guarantee by its own evidence.
///
/// Sequential consistency knows no real time, which the visibility of the causal model does, so it
/// does not imply that. A regular register owes sessions nothing: of two puts at once each get may
/// prefer another. No register model implies convergence, which asks replicas. A register
/// overwrites whatever it held: where a put supersedes its context only, one that has lost a value
/// without that says nothing of the models of siblings.
static MODELS: &[Row] = &[
    #[cfg(test)]
    Row {
        model: Model::Found,
        properties: &[Property::Integrity, Property::Found],
        promise: &[Model::Found],
        ..PLAIN
    },
    Row {
        model: Model::Eventual,
        properties: &[
            Property::Integrity,
            Property::Convergence,
            Property::LostWrites,
        ],
        promise: &[Model::Eventual],
        ..PLAIN
    },
    Row {
        model: Model::Lww,
        properties: &[Property::Integrity, Property::Lww, Property::LwwBlackBox],
        promise: &[Model::Eventual, Model::Lww],
        stands_for_store: true,
        superseding: Superseding::ByVersions,
        counts_inversions: true,
        searchable: Some(Searchable {
            search: search::lww,
            direct: lww::check_as_searched,
            needs_real_time: false,
        }),
        ..PLAIN
    },
    Row {
        model: Model::ReadYourWrites,
        properties: &[Property::Integrity, Property::ReadYourWrites],
        promise: &[Model::ReadYourWrites],
        ..PLAIN
    },
    Row {
        model: Model::MonotonicReads,
        properties: &[Property::Integrity, Property::MonotonicReads],
        promise: &[Model::MonotonicReads],
        ..PLAIN
    },
    Row {
        model: Model::MonotonicWrites,
        properties: &[Property::Integrity, Property::MonotonicWrites],
        promise: &[Model::MonotonicWrites],
        ..PLAIN
    },
    Row {
        model: Model::WritesFollowReads,
        properties: &[Property::Integrity, Property::WritesFollowReads],
        promise: &[Model::WritesFollowReads],
        ..PLAIN
    },
    Row {
        model: Model::CausalConsistency,
        properties: &[Property::Integrity, Property::CausalConsistency],
        promise: &[Model::CausalConsistency],
        implies: GUARANTEES,
        implies_by_context: Some(&[]),
        ..PLAIN
    },
    Row {
        model: Model::CausalConvergence,
        properties: &[Property::Integrity, Property::CausalConvergence],
        promise: &[Model::CausalConvergence],
        implies: &[Model::CausalConsistency],
        ..PLAIN
    },
    Row {
        model: Model::Causal,
        properties: &[
            Property::Integrity,
            Property::Causal,
            Property::CausalBlackBox,
        ],
        promise: &[
            Model::Eventual,
            Model::ReadYourWrites,
            Model::MonotonicReads,
            Model::MonotonicWrites,
            Model::WritesFollowReads,
            Model::Causal,
        ],
        implies: GUARANTEES,
        stands_for_store: true,
        superseding: Superseding::ByCause,
        searchable: Some(Searchable {
            search: search::causal,
            direct: causal::check_as_searched,
            needs_real_time: false,
        }),
        ..PLAIN
    },
    Row {
        model: Model::Sequential,
        properties: &[Property::Integrity, Property::Sequential],
        promise: &[Model::Sequential],
        implies: &[Model::CausalConvergence],
        repeats: Some(Repeats {
            search: search::values::sequential,
            has_parts: false,
        }),
        ..PLAIN
    },
    Row {
        model: Model::Regular,
        properties: &[Property::Integrity, Property::Regular],
        promise: &[Model::Eventual, Model::Regular],
        stands_for_store: true,
        searchable: Some(Searchable {
            search: search::regular,
            direct: regular::check,
            needs_real_time: true,
        }),
        repeats: Some(Repeats {
            search: search::values::regular,
            has_parts: true,
        }),
        ..PLAIN
    },
    Row {
        model: Model::Linearizable,
        properties: &[Property::Integrity, Property::Linearizable],
        promise: &[Model::Linearizable],
        implies: &[Model::Sequential, Model::Causal, Model::Regular],
        implies_by_context: Some(&[Model::Sequential, Model::Regular]),
        shows_too: &[Property::LostWrites],
        stands_for_store: true,
        orders_by_versions: true,
        searchable: Some(Searchable {
            search: search::linearizable,
            direct: linearizable::check_by_times,
            needs_real_time: true,
        }),
        repeats: Some(Repeats {
            search: search::values::linearizable,
            has_parts: true,
        }),
        ..PLAIN
    },
];

impl Model {
    /// All that is known of it.
    pub(super) const fn row(self) -> &'static Row {
        &MODELS[self as usize]
    }

    /// The properties that make it up. Where two of them ask one question, by evidence and
    /// without, they stand next to each other.
    #[must_use]
    pub const fn properties(self) -> &'static [Property] {
        self.row().properties
    }

    /// The weakest model that a property belongs to, beside integrity.
    pub(super) fn of(property: Property) -> Self {
        let own = |row: &&Row| row.properties.iter().skip(1).any(|p| *p == property);
        MODELS
            .iter()
            .find(own)
            .map_or(Self::Eventual, |row| row.model)
    }

    /// The models that a promise names: all of them have to hold. The last is the one that gave
    /// the promise its name, and that the ladder marks.
    #[must_use]
    pub const fn of_promise(self) -> &'static [Self] {
        self.row().promise
    }

    /// The models that hold whenever this one does, by definition and without a look at the
    /// history: those directly below it.
    #[must_use]
    pub const fn implied(self, dominance: Dominance) -> &'static [Self] {
        let row = self.row();
        match (dominance, row.implies_by_context) {
            (Dominance::Context, Some(fewer)) => fewer,
            (Dominance::Context, None) | (Dominance::Applied, _) => row.implies,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_has_the_row_at_its_place() {
        assert_eq!(MODELS.len(), Model::ALL.len());
        for model in Model::ALL {
            assert_eq!(model.row().model, *model);
        }
    }

    #[test]
    fn a_model_is_found_by_its_name_and_no_two_share_one() {
        for model in Model::ALL {
            assert_eq!(Model::from_name(model.name()), Some(*model));
            assert!(model.meaning().ends_with('.'), "{model}");
        }
        assert_eq!(Model::from_name("strong"), None);
    }

    #[test]
    fn what_a_model_implies_stands_below_it_on_the_ladder() {
        for model in Model::ALL {
            for implied in model.implied(Dominance::Applied) {
                assert!(implied < model, "{model} implies {implied}");
            }
            for implied in model.implied(Dominance::Context) {
                assert!(model.implied(Dominance::Applied).contains(implied));
            }
        }
    }

    #[test]
    fn every_property_belongs_to_a_model_and_every_model_contains_integrity() {
        for property in Property::ALL {
            assert!(
                Model::ALL
                    .iter()
                    .any(|model| model.properties().contains(property)),
                "{property}"
            );
        }
        for model in Model::ALL {
            assert_eq!(model.properties()[0], Property::Integrity, "{model}");
        }
    }

    #[test]
    fn a_promise_ends_with_the_model_that_it_is_named_after() {
        for promise in Model::ALL {
            assert_eq!(promise.of_promise().last(), Some(promise));
        }
    }
}
