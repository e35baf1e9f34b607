//! What each error of Redis means for the operation that it answers.

use kvs_core::protocol::Refusal;

/// What an error means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The command had no effect.
    Definite(Refusal),
    /// Whether it had an effect, nobody knows.
    Indefinite,
}

/// The errors by their first word. Redis refuses with these before it runs the command.
const TABLE: &[(&str, Meaning)] = &[
    ("READONLY", Meaning::Definite(Refusal::NotPrimary)),
    ("LOADING", Meaning::Definite(Refusal::NotReady)),
    ("MASTERDOWN", Meaning::Definite(Refusal::NotReady)),
    ("BUSY", Meaning::Definite(Refusal::NotReady)),
    ("CLUSTERDOWN", Meaning::Definite(Refusal::NotReady)),
    ("TRYAGAIN", Meaning::Definite(Refusal::NotReady)),
    ("NOREPLICAS", Meaning::Definite(Refusal::TooFewReplicas)),
    ("MOVED", Meaning::Definite(Refusal::WrongShard)),
    ("ASK", Meaning::Definite(Refusal::WrongShard)),
    ("MISCONF", Meaning::Definite(Refusal::Rejected)),
    ("OOM", Meaning::Definite(Refusal::Rejected)),
    ("NOAUTH", Meaning::Definite(Refusal::Rejected)),
    ("NOPERM", Meaning::Definite(Refusal::Rejected)),
    ("WRONGPASS", Meaning::Definite(Refusal::Rejected)),
    ("WRONGTYPE", Meaning::Definite(Refusal::Rejected)),
    ("ERR", Meaning::Definite(Refusal::Rejected)),
    // A WAIT that a change of role has ended: the write before it was done.
    ("UNBLOCKED", Meaning::Indefinite),
];

/// What an error means. An unknown error leaves the outcome open.
pub(super) fn meaning(error: &[u8]) -> Meaning {
    let word = error.split(|byte| *byte == b' ').next().unwrap_or_default();
    let known = TABLE.iter().find(|(known, _)| known.as_bytes() == word);
    known.map_or(Meaning::Indefinite, |(_, meaning)| *meaning)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_of_the_decisions_means_what_was_decided() {
        let cases = [
            (
                "READONLY You can't write against a read only replica.",
                Refusal::NotPrimary,
            ),
            (
                "LOADING Redis is loading the dataset in memory",
                Refusal::NotReady,
            ),
            (
                "NOREPLICAS Not enough good replicas to write.",
                Refusal::TooFewReplicas,
            ),
            (
                "MISCONF Errors writing to the AOF file: No space left",
                Refusal::Rejected,
            ),
        ];
        for (text, refusal) in cases {
            assert_eq!(
                meaning(text.as_bytes()),
                Meaning::Definite(refusal),
                "{text}"
            );
        }
    }

    #[test]
    fn an_error_that_nobody_knows_leaves_the_outcome_open() {
        assert_eq!(meaning(b"READONLYISH no"), Meaning::Indefinite);
        assert_eq!(meaning(b""), Meaning::Indefinite);
        let unblocked = b"UNBLOCKED force unblock from blocking operation";
        assert_eq!(meaning(unblocked), Meaning::Indefinite);
    }

    #[test]
    fn no_error_has_two_meanings() {
        for (at, (word, _)) in TABLE.iter().enumerate() {
            assert!(
                TABLE[at + 1..].iter().all(|(other, _)| other != word),
                "{word}"
            );
        }
    }
}
