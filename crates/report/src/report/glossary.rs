//! The words of a report and what they mean: one table for the screen, the pages and
//! docs/reference/glossary.md.

/// A word and what it means, in a sentence or two.
pub(crate) struct Term {
    pub name: &'static str,
    pub meaning: &'static str,
}

const fn term(name: &'static str, meaning: &'static str) -> Term {
    Term { name, meaning }
}

/// Every word that a report uses in a sense of its own, in the order of the alphabet.
pub(crate) const TERMS: [Term; 40] = [
    term(
        "11:1",
        "A value, named by the operation that wrote it: operation 1 of session 11.",
    ),
    term(
        "available",
        "The share of operations that succeeded while a fault was present.",
    ),
    term(
        "black box",
        "The checks that use only what clients saw: no dots, vectors or versions.",
    ),
    term(
        "broken",
        "The history does not satisfy the model, and some of its operations prove it.",
    ),
    term(
        "causal",
        "The model in which nobody sees an effect without its cause: a read that shows a put also \
         shows everything that this put's author had seen. Concurrent puts are kept side by side.",
    ),
    term(
        "cc",
        "Causal consistency of registers that hold one value: no read ignores a put that it \
         depends on.",
    ),
    term(
        "ccv",
        "Causal convergence: as cc, and all replicas order concurrent puts alike.",
    ),
    term(
        "certificate",
        "The evidence of all replies together (dots, vectors, versions). If it explains every \
         operation by the rules of a model, the history satisfies that model.",
    ),
    term(
        "clock inversions",
        "Puts that lost to an earlier one because a clock was behind: what clock skew costs where \
         the last write wins.",
    ),
    term(
        "direct",
        "The first of two engines: algorithms that judge the whole history by its own rules.",
    ),
    term(
        "dominance",
        "The rule that says which puts a put supersedes: all that its replica had applied \
         (applied), or only what its client had seen (context).",
    ),
    term(
        "dot",
        "The name of a put within its store, as in n2:29: the 29th put that node 2 accepted.",
    ),
    term(
        "eventual",
        "The model in which all replicas agree in the end, and no acknowledged put is gone.",
    ),
    term(
        "evidence",
        "What a reply says of the store's inside: a dot, a vector or a version.",
    ),
    term("fail", "The operation certainly had no effect."),
    term("held", "The history satisfies the model."),
    term(
        "held to",
        "The promise or the model that decides the verdict.",
    ),
    term(
        "info",
        "Nobody knows whether the operation had an effect: no answer came in time, or the \
         connection broke.",
    ),
    term(
        "k",
        "How many acknowledged puts a read missed that it would have shown in a linearizable \
         store.",
    ),
    term(
        "ladder",
        "All models from the weakest to the strongest, and how the history stands to each.",
    ),
    term(
        "linearizable",
        "The model in which every operation takes effect at one instant between its start and its \
         end.",
    ),
    term(
        "lost write",
        "An acknowledged put that is gone in the end, though nothing superseded it.",
    ),
    term(
        "lww",
        "Last write wins: of two puts the one with the larger version stays, on every replica.",
    ),
    term(
        "mr",
        "Monotonic reads, a session guarantee: a session never sees less than it saw before.",
    ),
    term(
        "mw",
        "Monotonic writes, a session guarantee: a session's puts take effect in its order.",
    ),
    term(
        "not applicable",
        "The model asks about something that this history does not have.",
    ),
    term("ok", "The operation took effect, and its answer was seen."),
    term(
        "promise",
        "The models that the store says it keeps. They decide the verdict.",
    ),
    term(
        "quiesce",
        "The phase after the load in which the run waits until all replicas of a group agree.",
    ),
    term(
        "ryw",
        "Read your writes, a session guarantee: a session sees what it wrote itself.",
    ),
    term(
        "sequential",
        "The model in which one order of all operations, which keeps the order of each session, \
         explains every read.",
    ),
    term(
        "sibling",
        "One of several concurrent puts that a store keeps side by side.",
    ),
    term(
        "stateright",
        "The second of two engines: a model checker that searches for an order of the operations. \
         It searches as much of the history as its budget allows.",
    ),
    term("unknown", "Nobody can tell, for the reason given."),
    term(
        "vector",
        "What a replica had applied, as a count for each node: n0:597 n1:591.",
    ),
    term(
        "visibility lag",
        "The time from a put's acknowledgement until another replica shows it.",
    ),
    term(
        "void",
        "The performance numbers must not be used, for the reason given. The verdict on the \
         history stands all the same.",
    ),
    term(
        "wfr",
        "Writes follow reads, a session guarantee: a put comes after what its session had read.",
    ),
    term("witness", "The evidence that one reply carries."),
    term(
        "Δ",
        "Staleness of a read: how long ago the oldest put that it missed had been acknowledged.",
    ),
];

/// The anchor of a word on a page, if it is one of ours: its name, or the name at the start of a
/// table's cell, as in `Δ, a read's age`.
pub(crate) fn known(cell: &str) -> Option<&'static Term> {
    let name = cell.split_once(", ").map_or(cell, |(name, _)| name);
    TERMS.iter().find(|term| term.name == name)
}

/// What the short names of models stand for, in a line of the screen.
pub(super) const MODELS_LEGEND: &str =
    "ryw, mr, mw, wfr: per session; cc, ccv: causal registers (docs/reference/glossary.md)";
/// What the numbers of staleness are, in a line of the screen.
pub(super) const STALENESS_LEGEND: &str =
    "Δ: how long a missed put was acknowledged; k: puts missed; lag: until seen elsewhere";
/// How values and puts are named in a proof, in a line of the screen.
pub(super) const PROOF_LEGEND: &str =
    "11:1: written by operation 1 of session 11; dot n2:29: the 29th put of node 2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_the_order_of_the_alphabet_and_there_once() {
        let names = TERMS.map(|term| term.name);
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn the_page_of_words_says_what_reports_say() {
        let page = include_str!("../../../../docs/reference/glossary.md");
        let entries = TERMS.map(|term| format!("**{}**: {}", term.name, term.meaning));
        let written: Vec<String> = { page.split("\n\n") }
            .filter(|paragraph| paragraph.starts_with("**"))
            .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(written, entries);
    }

    #[test]
    fn a_cell_that_begins_with_a_word_and_a_comma_is_that_word() {
        assert_eq!(known("Δ, a read's age").map(|term| term.name), Some("Δ"));
        assert_eq!(known("ryw").map(|term| term.name), Some("ryw"));
        assert!(known("n0").is_none());
    }
}
