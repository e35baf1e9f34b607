//! The words of a report and what they mean, for the command line, the pages and the screen.
//!
//! docs/reference/glossary.md has them, and is part of the program.

use std::sync::LazyLock;

use super::layout::wrap;
use super::text::COLUMNS_MAX;

/// The page: an entry is a paragraph that begins with its word in bold, and a colon.
const PAGE: &str = include_str!("../../../../docs/reference/glossary.md");
/// Columns that a printed meaning is set in.
const INDENT: usize = 4;

/// A word and what it means, in a sentence or two.
#[derive(Debug)]
pub(crate) struct Term {
    pub name: &'static str,
    pub meaning: String,
}

/// Every word that a report uses in a sense of its own, in the order of the alphabet.
static TERMS: LazyLock<Vec<Term>> = LazyLock::new(|| PAGE.split("\n\n").filter_map(term).collect());

/// The entry that a paragraph of the page is.
fn term(paragraph: &'static str) -> Option<Term> {
    let (name, meaning) = paragraph.strip_prefix("**")?.split_once("**:")?;
    let words: Vec<&str> = meaning.split_whitespace().collect();
    let meaning = words.join(" ");
    Some(Term { name, meaning })
}

/// Every word of the reports.
pub(crate) fn terms() -> &'static [Term] {
    &TERMS
}

/// The word, if it is one of ours, at the start of a table's cell, as in `Δ, a read's age`.
pub(crate) fn known(cell: &str) -> Option<&'static Term> {
    let name = cell.split_once(", ").map_or(cell, |(name, _)| name);
    terms().iter().find(|term| term.name == name)
}

/// What a word of a report means, as lines for a terminal; without one, what each word means.
///
/// A word is found by its name in any case, or by a part of its name. None when no name contains
/// it.
#[must_use]
pub fn meanings(word: Option<&str>) -> Option<String> {
    let word = word.unwrap_or_default().to_lowercase();
    let is = |term: &&Term| term.name.to_lowercase() == word;
    let has = |term: &&Term| term.name.to_lowercase().contains(&word);
    let mut found: Vec<&Term> = terms().iter().filter(is).collect();
    if found.is_empty() {
        found = terms().iter().filter(has).collect();
    }
    let entries: Vec<String> = found.into_iter().map(entry).collect();
    (!entries.is_empty()).then(|| entries.concat())
}

/// An entry as lines for a terminal.
fn entry(term: &Term) -> String {
    let meaning = wrap(&term.meaning, INDENT, COLUMNS_MAX).join("\n");
    format!("{}\n{meaning}\n", term.name)
}

/// What the short names of models stand for, in a line of the screen.
pub(super) const MODELS_LEGEND: &str =
    "ryw, mr, mw, wfr: per session; cc, ccv: causal registers (kvs-bench glossary)";
/// What the numbers of staleness are, in a line of the screen.
pub(super) const STALENESS_LEGEND: &str =
    "Δ: time since the oldest missed put; k: puts missed; lag: until other replicas show it";
/// How values and puts are named in a proof, in a line of the screen.
pub(super) const PROOF_LEGEND: &str =
    "11:1: written by operation 1 of session 11; dot n2:29: the 29th put of node 2";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_the_order_of_the_alphabet_and_there_once() {
        let names: Vec<&str> = terms().iter().map(|term| term.name).collect();
        assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    }

    #[test]
    fn every_paragraph_of_the_page_but_its_head_is_a_word() {
        let others = PAGE.split("\n\n").filter(|text| term(text).is_none());
        assert_eq!(
            others.count(),
            2,
            "the heading and what it says of the list"
        );
        assert!(terms().len() > 30);
        assert!(terms().iter().all(|term| term.meaning.ends_with('.')));
    }

    #[test]
    fn a_cell_that_begins_with_a_word_and_a_comma_is_that_word() {
        assert_eq!(known("Δ, a read's age").map(|term| term.name), Some("Δ"));
        assert_eq!(known("ryw").map(|term| term.name), Some("ryw"));
        assert!(known("n0").is_none());
    }

    #[test]
    fn a_word_is_found_by_its_name_or_else_by_a_part_of_it() {
        let k = meanings(Some("K")).unwrap();
        assert!(
            k.starts_with("k\n    How many") && k.lines().count() < 4,
            "{k}"
        );
        let consistent = meanings(Some("write")).unwrap();
        assert!(consistent.starts_with("lost write\n"), "{consistent}");
        assert_eq!(meanings(Some("frobnicate")), None);
        let all = meanings(None).unwrap();
        assert!(terms().iter().all(|term| all.contains(&term.meaning[..20])));
        assert!(all.lines().all(|line| line.chars().count() <= COLUMNS_MAX));
    }
}
