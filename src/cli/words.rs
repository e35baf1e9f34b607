//! The words of the command line: numbers in them, and the command that they make.

use crate::measure::shell;
use crate::workload::humane;

/// A whole number on the command line.
pub(super) fn whole(text: &str) -> Result<u64, String> {
    let whole = humane::parse_count(text);
    let whole = whole.filter(|number| number.fract() == 0.0 && *number <= WHOLE_MAX);
    // Above that a double has gaps.
    let exact = text.parse().ok();
    let exact = exact.or_else(|| whole.map(|number| number as u64));
    exact.ok_or_else(|| "it takes a whole number, such as 1000 or 1k".to_owned())
}

/// The largest whole number that is read with a suffix: up to there a double has no gaps.
const WHOLE_MAX: f64 = 9e15;

/// The command that runs this again, quoted for a shell.
pub(super) fn command_line() -> String {
    command_of(std::env::args_os().skip(1))
}

/// The command of these arguments, quoted for a shell.
pub(super) fn command_of(arguments: impl Iterator<Item = std::ffi::OsString>) -> String {
    let words: Vec<String> = arguments
        .map(|it| it.to_string_lossy().into_owned())
        .collect();
    shell::command("kvs-bench", words.iter().map(String::as_str))
}

/// The complaint about a negative number after an option that takes none: the parser takes the
/// number for an option.
pub(super) fn negative(words: impl Iterator<Item = String>) -> Option<String> {
    let words: Vec<String> = words.collect();
    words.windows(2).find_map(|pair| {
        let [option, value] = pair else { return None };
        let number = value.strip_prefix('-')?;
        let is_number = number.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let is_option = option.starts_with('-') && !option.contains('=');
        (is_option && is_number)
            .then(|| format!("{option} takes nothing below 0, and {value} is: leave the sign out"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_number_after_an_option_is_told_as_one() {
        let told = |words: &[&str]| negative(words.iter().map(|word| (*word).to_owned()));
        let rate = told(&["kvs-bench", "--rate", "-5"]).expect("a complaint");
        assert!(rate.contains("--rate") && rate.contains("-5"), "{rate}");
        assert!(told(&["kvs-bench", "matrix", "-d", "-1s"]).is_some());
        assert!(told(&["kvs-bench", "--warmup", "-.5s"]).is_some());
        assert_eq!(told(&["kvs-bench", "--rate", "--frobnicate"]), None);
        assert_eq!(told(&["kvs-bench", "--rate=5", "-3"]), None);
        assert_eq!(told(&["kvs-bench", "-x"]), None);
    }
}
