//! A comparison as Markdown, for the summary of a CI job: the answer first, details folded.

use std::fmt::Write;

use super::text::{HEADER, method, row, title};
use super::{Answer, Comparison, Finding};
use kvs_measure::VerdictWord;

/// Gaps, and notes, that are listed one by one.
const LISTED_MAX: usize = 50;

/// A job summary is at most this long; GitHub takes 1 MiB a step.
const BYTES_MAX: usize = 1_000_000;

/// The comparison as Markdown.
#[must_use]
pub fn markdown(comparison: &Comparison) -> String {
    let (mark, advice) = match comparison.answer() {
        Answer::Green => ("✅", "Nothing here speaks against merging."),
        Answer::Refused => ("❌", "Do not merge before this is understood."),
        Answer::Undecided => (
            "❔",
            "This says nothing for or against merging: what is missing was not decided.",
        ),
    };
    let mut text = format!("## {mark} {}\n\n", escaped(&comparison.headline()));
    text += &format!("{advice} A is the base, B the head.\n\n");
    for broken in &comparison.broken {
        let line = format!(
            "- **{}** broke its promise, {}: {}",
            broken.cell,
            broken.promise,
            broken.reason.lines().next().unwrap_or_default()
        );
        text += &(escaped(&line) + "\n");
    }
    for gap in comparison.gaps.iter().take(LISTED_MAX) {
        text += &format!("- Missing: {}\n", escaped(&gap.sentence()));
    }
    if comparison.gaps.len() > LISTED_MAX {
        let more = comparison.gaps.len() - LISTED_MAX;
        text += &format!("- Missing: {more} more things, which `kvs-bench compare` prints\n");
    }
    let notable: Vec<Vec<String>> = { comparison.cells.iter() }
        .flat_map(|cell| {
            let notable = { cell.metrics.iter() }.filter(|metric| {
                metric.finding.is_decided() && metric.finding != Finding::NoChange
            });
            notable.map(|metric| {
                let mut row = row(metric);
                row[0] = format!("{}: {}", cell.name, row[0]);
                row
            })
        })
        .collect();
    if !notable.is_empty() {
        text += "\n";
        push_table(&mut text, &notable);
    }
    for cell in &comparison.cells {
        let title = escaped(&title(cell));
        let _ = write!(text, "\n<details><summary>{title}</summary>\n\n");
        push_table(&mut text, &cell.metrics.iter().map(row).collect::<Vec<_>>());
        text += "\n</details>\n";
        if text.len() > BYTES_MAX {
            let rest = "\nThe rest does not fit; `kvs-bench compare` prints it.\n";
            text.truncate(text.floor_char_boundary(BYTES_MAX - rest.len()));
            return text + rest;
        }
    }
    let verdicts = comparison.verdicts.iter();
    let unknown = verdicts
        .filter(|one| one.verdict == VerdictWord::Unknown)
        .count();
    let kept = comparison.verdicts.len() - comparison.broken.len() - unknown;
    let _ = write!(
        text,
        "\n{kept} of {} runs of B kept their promise, of {unknown} nobody can tell. Method: {}.\n",
        comparison.verdicts.len(),
        escaped(&method(comparison))
    );
    for note in comparison.notes.iter().take(LISTED_MAX) {
        text += &format!("\n- {}", escaped(note));
    }
    text.truncate(text.floor_char_boundary(BYTES_MAX));
    text.trim_end().to_owned() + "\n"
}

fn push_table(text: &mut String, rows: &[Vec<String>]) {
    *text += &format!("| {} |\n", HEADER.join(" | "));
    *text += &format!("|---|{}\n", "---:|".repeat(HEADER.len() - 1));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        *text += &format!("| {} |\n", cells.join(" | "));
    }
}

/// Text that Markdown and HTML take as it is.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('|', "\\|")
        .replace('\n', " ")
}
