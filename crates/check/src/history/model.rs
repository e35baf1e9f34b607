//! The consistency models: what a store may promise, and what a history can be held to.

use serde::{Deserialize, Serialize};

/// Declares an enum whose names in files are fixed, each with what it means. A value `if test` is
/// there for the tests of this crate alone.
macro_rules! kinds {
    ($(#[$meta:meta])* $name:ident {
        $($variant:ident $(if $cfg:ident)? = $text:literal: $doc:literal,)+
    }) => {
        crate::history::named! {
            $(#[$meta])*
            $name { $(#[doc = $doc] $variant $(if $cfg)? = $text,)+ }
        }

        impl $name {
            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self {
                    $($(#[cfg($cfg)])? Self::$variant => $doc,)+
                }
            }
        }
    };
}

pub(crate) use kinds;

kinds! {
    /// A consistency model. The derived order is that of the ladder, weakest first: a model never
    /// implies a later one, though not every model implies all earlier ones.
    Model {
        Found if test = "found":
            "The toy: every get finds something.",
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
        Regular = "regular":
            "Every get of a key returns a value that no put had certainly overwritten.",
        Linearizable = "linearizable":
            "One order of all operations, which keeps that of real time, explains every get.",
    }
}
