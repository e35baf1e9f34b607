//! Labels, wrapping and tables without lines: what keeps the screen aligned.

use comfy_table::{CellAlignment, Table, presets};

use super::number;
use super::text::COLUMNS_MAX;

/// Where the text after a label begins.
const LABEL_COLUMNS: usize = 12;

/// A table as lines of text, indented by two columns.
pub fn table(header: &[String], rows: Vec<Vec<String>>) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header);
    table.add_rows(rows);
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((if at == 0 { 2 } else { 1 }, 1));
        if at > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect()
}

/// A count with its noun.
pub(super) fn plural(n: u64, noun: &str) -> String {
    let ending = if n == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", number::count(n))
}

/// A list, with commas.
pub(super) fn join(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<_>>().join(", ")
}

/// A label, as wide as all labels.
pub(super) fn label(name: &str) -> String {
    format!("{name:<LABEL_COLUMNS$}")
}

/// A label, and beside it the text, wrapped.
pub(super) fn labelled(name: &str, text: &str) -> Vec<String> {
    let mut lines = wrap(text, LABEL_COLUMNS, COLUMNS_MAX);
    lines[0].replace_range(..LABEL_COLUMNS, &label(name));
    lines
}

/// Breaks a text between words, each line indented. Never empty.
pub(super) fn wrap(text: &str, indent: usize, columns: usize) -> Vec<String> {
    let margin = " ".repeat(indent);
    let mut lines = Vec::new();
    let mut line = margin.clone();
    let mut room = columns - indent;
    // Splitting at each blank keeps runs of blanks, which align what follows.
    for word in text.split(' ') {
        let length = word.chars().count();
        if length > room && line.len() > indent {
            lines.push(line.trim_end().to_owned());
            line.clone_from(&margin);
            room = columns - indent;
        }
        line.push_str(word);
        line.push(' ');
        room = room.saturating_sub(length + 1);
    }
    // The margin stays: a label may be written over it.
    let end = line.trim_end().len().max(indent);
    line.truncate(end);
    lines.push(line);
    lines
}
