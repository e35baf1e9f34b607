//! What a line of Jepsen's logs says. Three files have the same operations, with tabs or spaces
//! between:
//!
//! | file | line |
//! |---|---|
//! | `history.txt` | `0 :invoke :read nil` |
//! | the console | `INFO [2026-03-02 10:11:12,100] jepsen worker 0 - jepsen.util 0 :invoke :read nil`, before 2017 `INFO  jepsen.util - 0 :invoke :read nil` |
//! | `jepsen.log` | `2026-03-02 10:11:12,100{GMT} INFO [jepsen worker 0] jepsen.util: 0 :invoke :read nil` |
//!
//! An error may follow the value. Most lines of a log are no operations.

/// The logger that operations are written by.
const LOGGER: &str = "jepsen.util";
/// What Jepsen says as a test begins.
const BEGINNINGS: [&str; 2] = ["Running test", "Relative time begins now"];
/// The types of an operation.
const TYPES: [&str; 4] = [":invoke", ":ok", ":fail", ":info"];

/// An operation as a line has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Logged<'a> {
    /// The number of the process.
    pub(super) process: &'a str,
    /// The type, without its colon.
    pub(super) word: &'a str,
    /// The function, without its colon; empty where it is nil.
    pub(super) f: &'a str,
    /// The value as EDN, and the error after it.
    pub(super) rest: &'a str,
}

/// What a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// Something that a client did.
    Operation(Logged<'a>),
    /// Something that the nemesis did.
    Nemesis,
    /// Where a test begins.
    Beginning,
    /// Anything else.
    Other,
}

/// Reads a line.
///
/// # Errors
/// When it looks like an operation and is not one.
pub(super) fn read(line: &str) -> Result<Line<'_>, String> {
    let (message, is_of_logger) = match logged_by_util(line) {
        // An error at the end of a line of `history.txt` may name the logger.
        Some(message) if !TYPES.contains(&second(line)) => (message, true),
        Some(_) | None => (line.trim(), false),
    };
    let (process, rest) = word(message);
    let (kind, rest) = word(rest);
    let is_number = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
    if process.starts_with(':') && TYPES.contains(&kind) {
        return Ok(Line::Nemesis);
    }
    if !is_number {
        if is_of_logger && TYPES.contains(&kind) {
            return Err(format!("`{process}` is no number of a process"));
        }
        let begins = BEGINNINGS.iter().any(|words| line.contains(words));
        return Ok(if begins && line.contains("jepsen.core") {
            Line::Beginning
        } else {
            Line::Other
        });
    }
    if !TYPES.contains(&kind) {
        let is_broken = kind.starts_with(':') && (is_of_logger || message.contains("\t:"));
        return if is_broken || (is_of_logger && kind.is_empty()) {
            Err(format!(
                "it looks like an operation, and `{kind}` is none of {}",
                TYPES.join(", ")
            ))
        } else {
            Ok(Line::Other)
        };
    }
    let (f, rest) = word(rest);
    let f = match f.strip_prefix(':') {
        Some(f) if !f.is_empty() => f,
        None if f == "nil" => "",
        Some(_) | None => {
            return Err(
                "an operation is a process, a :type, an :f and a value, with tabs or spaces \
                 between"
                    .to_owned(),
            );
        }
    };
    Ok(Line::Operation(Logged {
        process,
        word: &kind[1..],
        f,
        rest,
    }))
}

/// Whether a line is one of a log of Jepsen, an operation or not.
pub(super) fn is_of_a_log(line: &str) -> bool {
    match read(line) {
        Ok(Line::Operation(_) | Line::Nemesis | Line::Beginning) | Err(_) => true,
        Ok(Line::Other) => false,
    }
}

/// What Jepsen's logger for operations says in a line: ` - jepsen.util `, `jepsen.util - ` or
/// `jepsen.util: ` comes before it.
fn logged_by_util(line: &str) -> Option<&str> {
    let (_, after) = line.split_once(LOGGER)?;
    let message = after
        .strip_prefix(':')
        .or_else(|| after.strip_prefix(" - "))
        .unwrap_or(after);
    (message.len() < after.len() || message.starts_with(char::is_whitespace))
        .then(|| message.trim())
}

/// The second word of a text.
fn second(text: &str) -> &str {
    word(word(text).1).0
}

/// The first word of a text, and what comes after it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_operation_is_read_the_same_from_every_kind_of_log() {
        let wanted = Line::Operation(Logged {
            process: "12",
            word: "ok",
            f: "cas",
            rest: "\t[3 6]\t:an error",
        });
        for before in [
            "",
            "  ",
            "INFO  jepsen.util - ",
            "INFO [2026-03-02 10:11:12,100] jepsen worker 0 - jepsen.util ",
            "2026-03-02 10:11:12,100{GMT}\tINFO\t[jepsen worker 0] jepsen.util: ",
            "control-1  | 2026-03-02 10:11:12,100{GMT} INFO [jepsen worker 0] jepsen.util:  ",
        ] {
            for between in ["\t", "  "] {
                let line = format!("{before}12{between}:ok{between}:cas\t[3 6]\t:an error");
                assert_eq!(read(&line), Ok(wanted), "{line}");
                assert_eq!(read(&format!("{line}\r")), Ok(wanted), "{line}");
            }
        }
    }

    #[test]
    fn an_error_that_names_the_logger_is_an_error() {
        let error = "\"jepsen.util: timed out\"";
        let line = format!("12\t:info\t:write\t3\t{error}");
        let Ok(Line::Operation(logged)) = read(&line) else {
            panic!("{line}");
        };
        assert_eq!(logged.rest, format!("\t3\t{error}"));
    }

    #[test]
    fn what_is_no_operation_is_passed_over() {
        for line in [
            "",
            "\tat jepsen.util$timeout.invoke(util.clj:12)",
            "java.lang.RuntimeException: 3 :ok",
            "INFO [2026-03-02 10:11:12,001] jepsen node n1 - jepsen.db setting up",
            "INFO  jepsen.util - 3 nodes are left",
            "  {:process 2, :type :ok, :f :read, :value 3}",
            "  7 :n1,",
        ] {
            assert_eq!(read(line), Ok(Line::Other), "{line}");
            assert!(!is_of_a_log(line), "{line}");
        }
        let line = "INFO [x] jepsen worker nemesis - jepsen.util :nemesis\t:info\t:start\tnil";
        assert_eq!(read(line), Ok(Line::Nemesis));
    }

    #[test]
    fn what_looks_like_an_operation_and_is_broken_is_refused() {
        for line in [
            "INFO  jepsen.util - 0\t:inv",
            "INFO  jepsen.util - 0",
            "0\t:inv",
            "0\t:invoke",
            "0\t:invoke\t:",
            "0\t:invoke\tread\tnil",
            "x jepsen.util: zero\t:invoke\t:read\tnil",
            "x jepsen.util: -1\t:invoke\t:read\tnil",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
