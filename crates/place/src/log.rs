//! The end of a log, for whoever has to be told why a program is gone.

/// How many bytes of the end of a log are looked at.
pub const LOG_TAIL_BYTES: usize = 4096;
/// How many of its last lines are shown.
const LOG_TAIL_LINES: usize = 10;

/// The last lines of a log, of which the last [`LOG_TAIL_BYTES`] are enough. Empty lines are left out.
#[must_use]
pub fn log_tail(log: &[u8]) -> Vec<String> {
    let end = &log[log.len().saturating_sub(LOG_TAIL_BYTES)..];
    let text = String::from_utf8_lossy(end);
    let lines = text.lines().map(str::trim_end);
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LOG_TAIL_LINES)..];
    last.iter().map(|line| (*line).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_shown_and_empty_ones_are_not() {
        let numbers: Vec<String> = (0..2000).map(|number| number.to_string()).collect();
        let text = numbers.join("\n\n  \n");
        assert_eq!(log_tail(text.as_bytes()), numbers[1990..]);
        assert_eq!(log_tail(b"\n\n"), [""; 0]);
        assert_eq!(log_tail(b"\xffone"), ["\u{fffd}one"]);
    }

    #[test]
    fn no_more_than_the_last_bytes_are_looked_at() {
        let long = "x".repeat(2 * LOG_TAIL_BYTES);
        assert_eq!(log_tail(long.as_bytes()), [&long[..LOG_TAIL_BYTES]]);
    }
}
