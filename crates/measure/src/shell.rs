//! Writes commands so that a shell takes them.

/// A word as a shell takes it.
#[must_use]
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// The command of a program with these arguments.
#[must_use]
pub fn command<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> String {
    let mut command = quoted(program);
    for word in arguments {
        command.push(' ');
        command += &quoted(word);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_a_shell_would_change_are_quoted() {
        assert_eq!(quoted("--arch"), "--arch");
        assert_eq!(quoted("sharded(2, local)"), "'sharded(2, local)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
        let command = command("kvs-bench", ["--slo", "p99<5ms"]);
        assert_eq!(command, "kvs-bench --slo 'p99<5ms'");
    }
}
