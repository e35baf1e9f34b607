//! The names of what a history is held to, and of what can be wrong with it.

use serde::{Deserialize, Serialize};

use crate::history::kinds;

kinds! {
    /// What a history is held to, one check each.
    Property {
        Found if test = "found": "The toy: every get finds something.",
        Integrity = "integrity": "Every value read was written to that key, and before.",
        Convergence = "convergence": "After the run every replica answers every key alike.",
        LostWrites = "lost-writes": "No acknowledged put has vanished.",
        Lww = "lww": "Last write wins by the versions that the store gives.",
        LwwBlackBox = "lww-black-box": "Some order of a key's puts explains what replicas showed.",
        ReadYourWrites = "read-your-writes": "A session sees what it wrote.",
        MonotonicReads = "monotonic-reads": "A session never sees less than it saw.",
        MonotonicWrites = "monotonic-writes": "A session's puts are applied in its order.",
        WritesFollowReads = "writes-follow-reads": "A put comes after what its session had read.",
        CausalConsistency = "cc": "No get of a register ignores a put that it depends on.",
        CausalConvergence = "ccv": "As cc, with one order of the puts that are concurrent.",
        Causal = "causal": "The store's dots and vectors explain every read.",
        CausalBlackBox = "causal-black-box": "Some causal order explains every read.",
        Sequential = "sequential": "One order that keeps each session's explains every get.",
        Regular = "regular": "No get returns a value that had certainly been overwritten.",
        Linearizable = "linearizable": "Every key is an atomic register.",
    }
}

kinds! {
    /// What is wrong with a history.
    AnomalyKind {
        CorruptRead = "corrupt-read": "A payload that its own id does not derive.",
        ThinAirRead = "thin-air-read": "A value that nobody wrote to that key.",
        AbortedRead = "aborted-read": "The value of a put that failed.",
        FutureRead = "future-read": "A value that was read before its put was invoked.",
        FoundNothing if test = "found-nothing": "A get that found nothing.",
        Divergence = "divergence": "Replicas that answer one key differently in the end.",
        LostWrite = "lost-write": "An acknowledged put that is gone in the end.",
        DuplicateVersion = "duplicate-version": "Two puts under one version.",
        VersionMismatch = "version-mismatch": "A value read under another version than its put's.",
        OriginOrder = "origin-order": "A later put of one origin under a smaller version.",
        Regression = "regression": "A replica that went back to an older version of a key.",
        ClockNotMerged = "clock-not-merged": "A put whose version is below what its node had shown.",
        CyclicArbitration = "cyclic-arbitration": "Replicas that showed values in contrary orders.",
        ReadOwnWriteMissed = "read-own-write-missed": "A session's own put that it no longer saw.",
        NonMonotonicRead = "non-monotonic-read": "A session that saw less than before.",
        NonMonotonicWrite = "non-monotonic-write": "A put applied without its session's earlier one.",
        WriteBeforeRead = "write-before-read": "A put applied without what its session had read.",
        DuplicateDot = "duplicate-dot": "Two puts under one dot.",
        VectorRegression = "vector-regression": "A session whose vector went back.",
        MissingDependency = "missing-dependency": "A put shown without all that it depends on.",
        MissingSibling = "missing-sibling": "A visible value that nothing supersedes was left out.",
        SupersededSibling = "superseded-sibling": "A value returned beside one that supersedes it.",
        UncoveredSibling = "uncovered-sibling": "A value returned that the vector does not cover.",
        FutureDependency = "future-dependency": "A vector that covers a put not yet invoked.",
        MutualCover = "mutual-cover": "Two puts that each claim to come after the other.",
        BadDot = "bad-dot": "A put whose vector disagrees with its own dot.",
        EvidenceMismatch = "evidence-mismatch": "Evidence of one put that differs between replies.",
        CyclicHb = "cyclic-hb": "Causes and effects that form a circle.",
        CyclicVisibility = "cyclic-visibility": "An order that reads force, and that contradicts itself.",
        StaleRead = "stale-read": "A value read although a later one was known to the session.",
        MissedWrite = "missed-write": "A known put that is missing, and that nothing replaces.",
        CyclicCo = "cyclic-co": "Registers whose causes and effects form a circle.",
        WriteCoInitRead = "write-co-init-read": "The initial value, after a put that came before.",
        WriteCoRead = "write-co-read": "A value read although it was known to be overwritten.",
        CyclicCf = "cyclic-cf": "Sessions that put concurrent puts in contrary orders.",
        NotSequential = "not-sequential": "Sessions that no single order can bring together.",
        NotRegular = "not-regular": "A value read after it had certainly been overwritten.",
        NotLinearizable = "not-linearizable": "Operations on a key that no order in time explains.",
    }
}
