//! The models that a history can be held to, from the weakest to the strongest: the rungs of the
//! ladder.
//!
//! A model is a set of properties, each with one check. A store promises one model by name, and
//! some of these names promise weaker models too. Only this file says which.

use super::property::Property;
use crate::history::Dominance;
pub use crate::history::Model;

impl Model {
    /// Its properties. Two that ask one question, with evidence and without, stand next to each
    /// other.
    #[must_use]
    pub const fn properties(self) -> &'static [Property] {
        use Property as P;
        match self {
            Self::Eventual => &[P::Integrity, P::Convergence, P::LostWrites],
            Self::Lww => &[P::Integrity, P::Lww, P::LwwBlackBox],
            Self::ReadYourWrites => &[P::Integrity, P::ReadYourWrites],
            Self::MonotonicReads => &[P::Integrity, P::MonotonicReads],
            Self::MonotonicWrites => &[P::Integrity, P::MonotonicWrites],
            Self::WritesFollowReads => &[P::Integrity, P::WritesFollowReads],
            Self::CausalConsistency => &[P::Integrity, P::CausalConsistency],
            Self::CausalConvergence => &[P::Integrity, P::CausalConvergence],
            Self::Causal => &[P::Integrity, P::Causal, P::CausalBlackBox],
            Self::Sequential => &[P::Integrity, P::Sequential],
            Self::Linearizable => &[P::Integrity, P::Linearizable],
        }
    }

    /// The weakest model that a property belongs to, beside integrity.
    pub(super) fn of(property: Property) -> Self {
        let own = |model: &&Self| model.properties().iter().skip(1).any(|p| *p == property);
        Self::ALL
            .iter()
            .find(own)
            .copied()
            .unwrap_or(Self::Eventual)
    }

    /// The models that a promise names: all of them have to hold. The last is the one that gave
    /// the promise its name, and that the ladder marks.
    ///
    /// A last-write-wins store also has to converge. So has a causal one, which has to keep each
    /// session guarantee by its own evidence too. Every other promise is its own model alone.
    #[must_use]
    pub const fn of_promise(self) -> &'static [Self] {
        match self {
            Self::Lww => &[Self::Eventual, Self::Lww],
            Self::Causal => &[
                Self::Eventual,
                Self::ReadYourWrites,
                Self::MonotonicReads,
                Self::MonotonicWrites,
                Self::WritesFollowReads,
                Self::Causal,
            ],
            Self::Eventual => &[Self::Eventual],
            Self::ReadYourWrites => &[Self::ReadYourWrites],
            Self::MonotonicReads => &[Self::MonotonicReads],
            Self::MonotonicWrites => &[Self::MonotonicWrites],
            Self::WritesFollowReads => &[Self::WritesFollowReads],
            Self::CausalConsistency => &[Self::CausalConsistency],
            Self::CausalConvergence => &[Self::CausalConvergence],
            Self::Sequential => &[Self::Sequential],
            Self::Linearizable => &[Self::Linearizable],
        }
    }

    /// The models that hold whenever this one does, by definition and without a look at the
    /// history: those directly below it.
    ///
    /// Sequential consistency ignores real time and the visibility of the causal model does not, so
    /// it does not imply `causal`. No register model implies convergence, which asks replicas.
    ///
    /// A register overwrites whatever it held. If a put supersedes its context only, a register may
    /// lose a value that was in no context. So a register model then says nothing about the models
    /// of siblings.
    #[must_use]
    pub const fn implied(self, dominance: Dominance) -> &'static [Self] {
        let by_context = matches!(dominance, Dominance::Context);
        match self {
            Self::Linearizable if by_context => &[Self::Sequential],
            Self::CausalConsistency if by_context => &[],
            Self::Linearizable => &[Self::Sequential, Self::Causal],
            Self::Sequential => &[Self::CausalConvergence],
            Self::CausalConvergence => &[Self::CausalConsistency],
            Self::Causal | Self::CausalConsistency => &[
                Self::ReadYourWrites,
                Self::MonotonicReads,
                Self::MonotonicWrites,
                Self::WritesFollowReads,
            ],
            Self::Eventual
            | Self::Lww
            | Self::ReadYourWrites
            | Self::MonotonicReads
            | Self::MonotonicWrites
            | Self::WritesFollowReads => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
