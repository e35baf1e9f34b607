//! What each error of etcd means for the operation that it answers.

use kvs_core::protocol::Refusal;

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The operation had no effect.
    Definite(Refusal),
    /// Whether it had an effect, nobody knows.
    Indefinite,
}

/// The errors by what their messages contain (etcd's `rpctypes`). Those that say so before a
/// request is proposed, or when it is applied without effect, are definite; all others are not.
const TABLE: &[(&str, Meaning)] = &[
    (
        "etcdserver: too many requests",
        Meaning::Definite(Refusal::Overloaded),
    ),
    (
        "etcdserver: mvcc: database space exceeded",
        Meaning::Definite(Refusal::Rejected),
    ),
    (
        "etcdserver: request is too large",
        Meaning::Definite(Refusal::Rejected),
    ),
    (
        "etcdserver: key is not provided",
        Meaning::Definite(Refusal::Rejected),
    ),
    (
        "etcdserver: permission denied",
        Meaning::Definite(Refusal::Rejected),
    ),
    (
        "etcdserver: invalid auth token",
        Meaning::Definite(Refusal::Rejected),
    ),
    (
        "etcdserver: revision of auth store is old",
        Meaning::Definite(Refusal::Rejected),
    ),
    (
        "etcdserver: user name is empty",
        Meaning::Definite(Refusal::Rejected),
    ),
    (
        "etcdserver: not capable",
        Meaning::Definite(Refusal::NotReady),
    ),
    ("etcdserver: request timed out", Meaning::Indefinite),
    ("etcdserver: leader changed", Meaning::Indefinite),
    ("etcdserver: no leader", Meaning::Indefinite),
    ("etcdserver: server stopped", Meaning::Indefinite),
];

/// What an error means. An unknown error leaves the outcome open.
pub(super) fn meaning(message: &str) -> Meaning {
    let known = TABLE.iter().find(|(known, _)| message.contains(known));
    known.map_or(Meaning::Indefinite, |(_, meaning)| *meaning)
}

/// Whether the node does not know, or no longer, who asks.
pub(super) fn is_stranger(message: &str) -> bool {
    const STRANGER: [&str; 4] = [
        "etcdserver: user name is empty",
        "etcdserver: permission denied",
        "etcdserver: invalid auth token",
        "etcdserver: revision of auth store is old",
    ];
    STRANGER.iter().any(|known| message.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_before_a_request_is_proposed_is_definite() {
        let definite = [
            ("etcdserver: too many requests", Refusal::Overloaded),
            (
                "etcdserver: mvcc: database space exceeded",
                Refusal::Rejected,
            ),
            ("etcdserver: request is too large", Refusal::Rejected),
        ];
        for (message, refusal) in definite {
            assert_eq!(meaning(message), Meaning::Definite(refusal), "{message}");
        }
    }

    #[test]
    fn a_time_out_a_change_of_leader_and_what_nobody_knows_leave_the_outcome_open() {
        for message in [
            "etcdserver: request timed out",
            "etcdserver: request timed out, possibly due to previous leader failure",
            "etcdserver: leader changed",
            "context deadline exceeded",
            "transport is closing",
            "",
        ] {
            assert_eq!(meaning(message), Meaning::Indefinite, "{message}");
        }
    }
}
