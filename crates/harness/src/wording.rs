//! Errors in one line of words.

/// An error and its causes on one line. A cause that the text before it tells already is not told
/// again, and line breaks (the end of a node's log) become spaces.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text += ": ";
            text += &cause;
        }
    }
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;
    use std::io;

    #[test]
    fn an_error_is_one_line_that_tells_each_cause_once() {
        let io = io::Error::other("disk on fire");
        let told = anyhow!("cannot read x: {io}");
        assert_eq!(
            one_line(&anyhow::Error::new(io).context("cannot read x: disk on fire")),
            "cannot read x: disk on fire",
        );
        assert_eq!(
            one_line(&told.context("the run has no result")),
            "the run has no result: cannot read x: disk on fire",
        );
        assert_eq!(
            one_line(&anyhow!("node n0 exited; its log:\n  one\n  two")),
            "node n0 exited; its log: one two",
        );
    }
}
