//! What is known of each planted bug: a table, one row a bug.

use crate::protocol::Lattice;

/// A fault that brings a bug out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// A message is lost.
    Loss,
    /// A message, or the update in it, arrives more than once.
    Repetition,
    /// A replica hears nothing for longer than requests may wait: a pause or a partition.
    Cut,
    /// A replica comes back without its state.
    CrashWithoutState,
    /// The nodes' clocks are apart.
    ClockSkew,
    /// A process ends before its disk has synced what it wrote.
    CrashBeforeSync,
}

impl Trigger {
    /// Its name, as tables print it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Repetition => "repetition",
            Self::Cut => "cut",
            Self::CrashWithoutState => "crash without state",
            Self::ClockSkew => "clock skew",
            Self::CrashBeforeSync => "crash before a sync",
        }
    }
}

/// What is known of a planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What `--bug` takes.
    pub name: &'static str,
    /// What the store does wrong, as one sentence.
    pub describe: &'static str,
    /// The promise that it breaks.
    pub promise: &'static str,
    /// The simplest store that shows it.
    pub store: Composition,
    /// The lattice that has it; none when any does.
    pub lattice: Option<Lattice>,
    /// What has to go wrong for it to show; none when puts and gets alone show it. Some of it
    /// happens without any fault: rumours miss a replica of a large group, updates are both pushed
    /// and pulled, a replica under load lags.
    pub provoked_by: Option<Trigger>,
    /// Whether a model must find it.
    pub model: bool,
    /// Whether the simulator must find it.
    pub sim: bool,
    /// Whether a real run must find it. It need not if real runs lack the fault that brings the bug
    /// out.
    pub real: bool,
}

/// A store as small as shows a bug, as `--arch` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Composition(pub &'static str);

/// One node.
const LOCAL: Composition = Composition("local");
/// Shards of one node.
const SHARDED: Composition = Composition("sharded");
/// As few replicas as gossip in more than one way.
const REPLICATED: Composition = Composition("replicated(3)");
/// As many as a rumour misses some of.
const LARGE: Composition = Composition("replicated(5)");
/// As few replicas as have a majority that is not all.
const QUORUM: Composition = Composition("quorum(3)");
/// The same, with one node that stands in for others.
const SLOPPY: Composition = Composition("sloppy(3, spares = 1)");

/// As few replicas as elect a leader without one of them.
const RAFT: Composition = Composition("raft(3)");

/// One row a bug, in the order of `Bug::ALL`.
pub(super) const TABLE: [Facts; 31] = [
    Facts {
        name: "overwriting-merge",
        describe: "A replica takes whatever update arrives, even one that is older than \
                   what it has.",
        promise: "lww",
        store: REPLICATED,
        lattice: Some(Lattice::Lww),
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "delivery-before-dependencies",
        describe: "A replica applies an update before the updates that its put had seen.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "forgotten-context",
        describe: "A replica that has not caught up with the session answers it at once.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "stale-reads",
        describe: "Some gets are answered with the value before the last put.",
        promise: "linearizable",
        store: LOCAL,
        lattice: None,
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "foreign-keys",
        describe: "Shards accept keys that are not theirs, and some keys' puts and gets \
                   go to different shards.",
        promise: "linearizable",
        store: SHARDED,
        lattice: None,
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "missing-sibling",
        describe: "A get leaves out one of several concurrent values.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "lost-update-on-transfer",
        describe: "A state transfer replaces what the receiver has instead of merging \
                   with it.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "reused-dots",
        describe: "Some puts get the same dot as the put before them.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "unlogged-put",
        describe: "Some puts are acknowledged though they never reach the update log, so \
                   that no other replica gets them.",
        promise: "lww",
        store: REPLICATED,
        lattice: Some(Lattice::Lww),
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "restart-reuses-dots",
        describe: "A replica that comes back without its state starts as incarnation 0 \
                   again, and gives out dots that it has given out before.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: Some(Trigger::CrashWithoutState),
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "stale-after-pause",
        describe: "A request that has waited for the replica to catch up for longer than \
                   it may is answered with what there is.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: Some(Trigger::Cut),
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "resurrected-sibling",
        describe: "An update that is covered already, and arrives again, brings its \
                   superseded value back.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: Some(Trigger::Repetition),
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "arrival-order",
        describe: "The version of another replica's update is set anew when it arrives, \
                   so that the last to arrive wins.",
        promise: "lww",
        store: REPLICATED,
        lattice: Some(Lattice::Lww),
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "clock-not-carried",
        describe: "A replica's clock does not move past the versions that it sees, so \
                   that a put may lose to one that came before it.",
        promise: "lww",
        store: REPLICATED,
        lattice: Some(Lattice::Lww),
        provoked_by: Some(Trigger::ClockSkew),
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "no-repair",
        describe: "A digest is answered with nothing, so that a lost rumour is never \
                   repaired.",
        promise: "causal",
        store: LARGE,
        lattice: Some(Lattice::Causal),
        provoked_by: Some(Trigger::Loss),
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "forgotten-context-on-failover",
        describe: "A session that fails over to another replica asks it without its \
                   context.",
        promise: "causal",
        store: REPLICATED,
        lattice: Some(Lattice::Causal),
        provoked_by: Some(Trigger::Cut),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "ack-before-sync",
        describe: "A put is acknowledged before it is durable, so that a crash takes it back.",
        promise: "linearizable",
        store: LOCAL,
        lattice: None,
        provoked_by: Some(Trigger::CrashBeforeSync),
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "no-write-back",
        describe: "A get does not write back what it read, so that the next one may miss it.",
        promise: "linearizable",
        store: QUORUM,
        lattice: None,
        provoked_by: None,
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "shared-version",
        describe: "Two puts that a replica coordinates at once get the same version.",
        promise: "linearizable",
        store: QUORUM,
        lattice: None,
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "reused-version",
        describe: "A replica that comes back gives out versions again that it has given out before.",
        promise: "linearizable",
        store: QUORUM,
        lattice: None,
        provoked_by: Some(Trigger::CrashBeforeSync),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "empty-replica-votes",
        describe: "A replica that comes back without its state answers as if it had all.",
        promise: "linearizable",
        store: QUORUM,
        lattice: None,
        provoked_by: Some(Trigger::CrashWithoutState),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "first-answer",
        describe: "A get takes the first answer, and does not wait for others.",
        promise: "linearizable",
        store: QUORUM,
        lattice: None,
        provoked_by: None,
        model: true,
        sim: true,
        real: true,
    },
    Facts {
        name: "hint-expires",
        describe: "A spare forgets what it holds for another before it hands it over.",
        promise: "eventual",
        store: SLOPPY,
        lattice: None,
        provoked_by: Some(Trigger::CrashWithoutState),
        model: true,
        sim: false,
        real: true,
    },
    Facts {
        name: "vote-not-synced",
        describe: "A replica does not keep the term in which it votes, and votes in it again after a crash.",
        promise: "linearizable",
        store: RAFT,
        lattice: None,
        provoked_by: Some(Trigger::CrashBeforeSync),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "two-votes",
        describe: "A replica votes for everybody who asks in a term.",
        promise: "linearizable",
        store: RAFT,
        lattice: None,
        provoked_by: None,
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "counts-earlier-terms",
        describe: "A leader commits an entry of an earlier term once a majority has it.",
        promise: "linearizable",
        store: RAFT,
        lattice: None,
        provoked_by: Some(Trigger::Cut),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "reads-before-own-entry",
        describe: "A leader answers gets before it has committed an entry of its term.",
        promise: "linearizable",
        store: RAFT,
        lattice: None,
        provoked_by: Some(Trigger::Cut),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "old-heartbeat",
        describe: "A leader answers gets if a majority has ever followed it in its term.",
        promise: "linearizable",
        store: RAFT,
        lattice: None,
        provoked_by: Some(Trigger::Cut),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "wall-clock-lease",
        describe: "A leader answers gets while its wall clock says that nobody else can lead yet.",
        promise: "linearizable",
        store: RAFT,
        lattice: None,
        provoked_by: Some(Trigger::ClockSkew),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "snapshot-forgets-calls",
        describe: "The state that takes the place of entries lacks the sessions' last calls.",
        promise: "linearizable",
        store: RAFT,
        lattice: None,
        provoked_by: Some(Trigger::Cut),
        model: true,
        sim: true,
        real: false,
    },
    Facts {
        name: "truncates-committed",
        describe: "A replica cuts its log off behind the entries of a message that comes late.",
        promise: "linearizable",
        store: RAFT,
        lattice: None,
        provoked_by: Some(Trigger::Repetition),
        model: true,
        sim: true,
        real: false,
    },
];
