//! The models that a history can be held to, from the weakest to the strongest: the rungs of the
//! ladder.
//!
//! A model is a set of properties, each with one check. A [`Promise`] is what an architecture
//! says of itself, and names several models at once; how the two relate is stated here and nowhere
//! else.

use serde::{Deserialize, Serialize};

use super::property::{Property, kinds};
use crate::history::{Dominance, Promise};

kinds! {
    /// A consistency model. The derived order is that of the ladder, weakest first: a model never
    /// implies a later one, though not every model implies all earlier ones.
    Model {
        Eventual = "eventual":
            "Replicas agree once writing has stopped, and no acknowledged put is gone.",
        Lww = "lww":
            "One order of the puts on a key explains what each replica showed of it, and when.",
        ReadYourWrites = "ryw":
            "A session sees what it wrote.",
        MonotonicReads = "mr":
            "A session never sees less than it saw.",
        MonotonicWrites = "mw":
            "Whoever sees a put sees its session's earlier puts.",
        WritesFollowReads = "wfr":
            "Whoever sees a put sees what its session had read before.",
        CausalConsistency = "cc":
            "Every get of a register returns a value that nothing it depends on has overwritten.",
        CausalConvergence = "ccv":
            "As cc, and all sessions agree on one order of the puts that are concurrent.",
        Causal = "causal":
            "Every get returns exactly the latest puts that it can see, and sees all that they saw.",
        Sequential = "sequential":
            "One order of all operations, which keeps that of each session, explains every get.",
        Linearizable = "linearizable":
            "One order of all operations, which keeps that of real time, explains every get.",
    }
}

impl Model {
    /// The properties that make it up. Where two of them ask one question, by evidence and
    /// without, they stand next to each other.
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
    /// A linearizable store needs no more than its own model. A replicated one also has to
    /// converge, and a causal one has to keep each session guarantee by its own evidence.
    #[must_use]
    pub const fn of_promise(promise: Promise) -> &'static [Self] {
        match promise {
            Promise::Linearizable => &[Self::Linearizable],
            Promise::Lww => &[Self::Eventual, Self::Lww],
            Promise::Causal => &[
                Self::Eventual,
                Self::ReadYourWrites,
                Self::MonotonicReads,
                Self::MonotonicWrites,
                Self::WritesFollowReads,
                Self::Causal,
            ],
        }
    }

    /// The model that a promise is named after.
    #[must_use]
    pub const fn promised(promise: Promise) -> Self {
        match promise {
            Promise::Linearizable => Self::Linearizable,
            Promise::Lww => Self::Lww,
            Promise::Causal => Self::Causal,
        }
    }

    /// The models that hold whenever this one does, by definition and without a look at the
    /// history: those directly below it.
    ///
    /// Sequential consistency knows no real time, which the visibility of the causal model does,
    /// so it does not imply that. No register model implies convergence, which asks replicas.
    ///
    /// A register overwrites whatever it held. Where a put supersedes its context only, a register
    /// that has lost a value without that says nothing of the models of siblings.
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
        for promise in Promise::ALL {
            let promised = Model::promised(*promise);
            assert_eq!(promised.name(), promise.name());
            assert_eq!(Model::of_promise(*promise).last(), Some(&promised));
        }
    }
}
