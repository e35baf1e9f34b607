//! What a simulation counts, for measurements and to notice a simulation that is too tame.

use std::collections::BTreeMap;

use serde::Serialize;

use kvs_core::replica;

use kvs_load::nemesis::SimFault;

/// What happened, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Operations in the history: those of the steps, and the final reads.
    pub operations: u64,
    /// Events of the simulated world.
    pub events: u64,
    /// How long it lasted in virtual time, in ns.
    pub virtual_ns: u64,
    /// How long the replicas took to agree once the last operation had ended, in virtual ns.
    pub converged_ns: u64,
    /// Messages that replicas sent, whether or not they arrived.
    pub messages: u64,
    /// Bytes of their frames.
    pub message_bytes: u64,
    /// Messages that a cut kept back.
    pub messages_cut: u64,
    /// Requests that clients sent.
    pub requests: u64,
    /// Bytes of their frames.
    pub request_bytes: u64,
    /// Responses that nodes sent.
    pub responses: u64,
    /// Bytes of their frames.
    pub response_bytes: u64,
    /// Faults by kind, in the order of [`SimFault::ALL`].
    pub faults: [u64; SimFault::COUNT],
    /// Gets that returned more than one value.
    pub sibling_reads: u64,
    /// Operations that were sent again, to another replica.
    pub retries: u64,
    /// Operations that ended without an answer in time.
    pub timeouts: u64,
    /// Operations that ended because a connection broke.
    pub disconnected: u64,
    /// Operations that no replica could be asked for.
    pub unreached: u64,
    /// Operations that ended because no replica had caught up with the session.
    pub unavailable: u64,
    /// Operations that ended because a queue was full.
    pub overloaded: u64,
    /// Operations that ended because what the session had seen is lost.
    pub context_lost: u64,
    /// Requests that arrived after their client had given up.
    pub late_requests: u64,
    /// Acknowledged puts that were lost together with the only state that had them.
    pub lost_puts: u64,
    /// Gets answered by replicas.
    pub gets: u64,
    /// Puts accepted by replicas.
    pub puts: u64,
    /// Requests that a replica deferred.
    pub deferrals: u64,
    /// Requests that a replica refused.
    pub refusals: u64,
    /// Updates of other replicas that were applied.
    pub applied: u64,
    /// Updates that arrived again.
    pub repeated: u64,
    /// Updates that arrived before what they depend on.
    pub held_back: u64,
    /// Updates dropped because a queue was full or because what they depend on is lost.
    pub dropped: u64,
    /// State transfers completed.
    pub transfers: u64,
    /// Syncs that made changes durable.
    pub syncs: u64,
    /// Changes that a crash took because they were not durable.
    pub changes_lost: u64,
    /// Changes that a crash left in part.
    pub changes_torn: u64,
}

impl Counters {
    pub(super) const fn fault(&mut self, fault: SimFault) {
        self.faults[fault.index()] += 1;
    }

    pub(super) const fn add_replica(&mut self, counters: &replica::Counters) {
        self.gets += counters.gets;
        self.puts += counters.puts;
        self.deferrals += counters.deferrals;
        self.refusals += counters.refused;
        self.applied += counters.applied;
        self.repeated += counters.repeated;
        self.held_back += counters.held_back;
        self.dropped += counters.dropped;
        self.transfers += counters.transfers;
    }

    /// Adds what another simulation counted.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in self.numbers_mut().into_iter().zip(other.numbers()) {
            *sum += more.1;
        }
        for (sum, more) in self.faults.iter_mut().zip(other.faults) {
            *sum += more;
        }
    }

    /// How often each kind of fault happened.
    #[must_use]
    pub fn by_fault(&self) -> BTreeMap<&'static str, u64> {
        let names = SimFault::ALL.iter().map(|fault| fault.name());
        names.zip(self.faults).collect()
    }

    /// What a run that is not too tame meets: each with how often it did.
    #[must_use]
    pub fn marks(&self) -> Vec<(&'static str, u64)> {
        let effort = [
            "operations",
            "events",
            "virtual ns",
            "converged ns",
            "messages",
            "message bytes",
            "requests",
            "request bytes",
            "responses",
            "response bytes",
            "gets",
            "puts",
        ];
        let numbers = self.numbers().into_iter();
        numbers.filter(|(name, _)| !effort.contains(name)).collect()
    }
}

/// Lists the counters once, for reading and for writing.
macro_rules! numbers {
    ($($name:literal = $field:ident,)+) => {
        impl Counters {
            /// Every number but the faults, with its name.
            fn numbers(&self) -> Vec<(&'static str, u64)> {
                vec![$(($name, self.$field),)+]
            }

            fn numbers_mut(&mut self) -> Vec<&mut u64> {
                vec![$(&mut self.$field,)+]
            }
        }
    };
}

numbers! {
    "operations" = operations,
    "events" = events,
    "virtual ns" = virtual_ns,
    "converged ns" = converged_ns,
    "messages" = messages,
    "message bytes" = message_bytes,
    "messages cut" = messages_cut,
    "requests" = requests,
    "request bytes" = request_bytes,
    "responses" = responses,
    "response bytes" = response_bytes,
    "gets" = gets,
    "puts" = puts,
    "sibling reads" = sibling_reads,
    "retries" = retries,
    "timeouts" = timeouts,
    "disconnected" = disconnected,
    "unreached" = unreached,
    "unavailable" = unavailable,
    "overloaded" = overloaded,
    "context lost" = context_lost,
    "late requests" = late_requests,
    "lost puts" = lost_puts,
    "deferrals" = deferrals,
    "refusals" = refusals,
    "applied" = applied,
    "repeated" = repeated,
    "held back" = held_back,
    "dropped" = dropped,
    "transfers" = transfers,
    "syncs" = syncs,
    "changes lost" = changes_lost,
    "changes torn" = changes_torn,
}
