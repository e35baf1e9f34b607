//! What a client of an adapter and the adapter say to each other, one JSON value a line.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use kvs_core::protocol::Refusal;

/// The version of the protocol that this program speaks.
pub(super) const PROTOCOL: u32 = 1;
/// The longest line that is accepted, in bytes.
pub(super) const LINE_BYTES_MAX: usize = 8 << 20;

/// The first line that an adapter reads.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Init<'a> {
    pub(super) protocol: u32,
    pub(super) node: NodeOf,
    pub(super) nodes: Vec<NodeOf>,
    pub(super) options: &'a std::collections::BTreeMap<String, String>,
}

/// A node, as an adapter hears of it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NodeOf {
    pub(super) name: String,
    pub(super) host: String,
    /// The port of clients.
    pub(super) port: u16,
    pub(super) ports: std::collections::BTreeMap<String, u16>,
}

/// The line that begins an adapter's life.
pub(super) fn init_line(init: &Init<'_>) -> Vec<u8> {
    let mut line = serde_json::to_vec(&serde_json::json!({ "init": init })).expect("plain data");
    line.push(b'\n');
    line
}

/// What is asked. Keys and values are printable and need no escapes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask<'a> {
    Read {
        key: &'a str,
    },
    Update {
        key: &'a str,
        value: &'a str,
    },
    Cas {
        key: &'a str,
        from: Option<&'a str>,
        to: &'a str,
    },
    Delete {
        key: &'a str,
    },
}

/// Appends a request.
pub(super) fn append(out: &mut String, id: u32, ask: Ask<'_>) {
    let quoted = |value: Option<&str>| match value {
        Some(value) => format!("\"{value}\""),
        None => "null".to_owned(),
    };
    let written = match ask {
        Ask::Read { key } => writeln!(out, r#"{{"id":{id},"op":"read","key":"{key}"}}"#),
        Ask::Update { key, value } => writeln!(
            out,
            r#"{{"id":{id},"op":"update","key":"{key}","value":"{value}"}}"#
        ),
        Ask::Cas { key, from, to } => writeln!(
            out,
            r#"{{"id":{id},"op":"cas","key":"{key}","from":{},"to":"{to}"}}"#,
            quoted(from)
        ),
        Ask::Delete { key } => writeln!(out, r#"{{"id":{id},"op":"delete","key":"{key}"}}"#),
    };
    written.expect("memory takes all");
}

/// A line of an adapter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said<'a> {
    #[serde(default)]
    pub(super) ready: Option<Ready>,
    #[serde(default)]
    pub(super) id: Option<u32>,
    #[serde(borrow, default)]
    pub(super) ok: Option<Ok<'a>>,
    #[serde(default)]
    pub(super) fail: Option<Trouble>,
    #[serde(default)]
    pub(super) info: Option<Trouble>,
}

/// An adapter can be asked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ready {
    pub(super) ops: Vec<String>,
}

/// An operation has been done.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ok<'a> {
    /// Of a read; null when the key is not there.
    #[serde(borrow, default)]
    pub(super) value: Option<Cow<'a, str>>,
    /// The version of the value, if the store has one: it orders the writes on a key.
    #[serde(default)]
    pub(super) version: Option<u64>,
}

/// An operation has not been done, or nobody knows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Trouble {
    pub(super) code: u32,
    #[serde(default)]
    pub(super) text: String,
}

/// What the answer to one request says.
#[derive(Debug)]
pub(super) enum Answer<'a> {
    Ok(Ok<'a>),
    /// It certainly had no effect.
    Fail(Meaning),
    /// Nobody knows.
    Info,
}

/// What a code of a failure means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The operation was refused.
    Refused(Refusal),
    /// The key is not there: of a read, that is an answer.
    NoSuchKey,
    /// A compare-and-set found something else.
    Mismatch,
    /// The adapter does not know the operation.
    NotSupported,
    /// The code says that nobody knows.
    Indefinite,
}

/// Maelstrom's table of errors (its documentation, doc/protocol.md), whole.
const CODES: &[(u32, &str, Meaning)] = &[
    (0, "timeout", Meaning::Indefinite),
    (1, "node-not-found", Meaning::Refused(Refusal::NotReady)),
    (10, "not-supported", Meaning::NotSupported),
    (
        11,
        "temporarily-unavailable",
        Meaning::Refused(Refusal::NotReady),
    ),
    (12, "malformed-request", Meaning::Refused(Refusal::Rejected)),
    (13, "crash", Meaning::Indefinite),
    (14, "abort", Meaning::Refused(Refusal::Rejected)),
    (20, "key-does-not-exist", Meaning::NoSuchKey),
    (
        21,
        "key-already-exists",
        Meaning::Refused(Refusal::Rejected),
    ),
    (22, "precondition-failed", Meaning::Mismatch),
    (30, "txn-conflict", Meaning::Refused(Refusal::Rejected)),
];

/// What a code means. An unknown code leaves the outcome open.
pub(super) fn meaning(code: u32) -> Meaning {
    let known = CODES.iter().find(|(known, _, _)| *known == code);
    known.map_or(Meaning::Indefinite, |(_, _, meaning)| *meaning)
}

/// Reads the answer to one request.
///
/// # Errors
/// What is wrong with the line.
pub(super) fn parse(line: &[u8]) -> Result<(u32, Answer<'_>), String> {
    let said = said(line)?;
    let Some(id) = said.id else {
        return Err(format!(
            "an answer needs the id of its request: {}",
            shown(line)
        ));
    };
    let answer = match (said.ok, said.fail, said.info) {
        (Some(ok), None, None) => Answer::Ok(ok),
        (None, Some(trouble), None) => match meaning(trouble.code) {
            Meaning::Indefinite => {
                return Err(format!(
                    "`fail` says that nothing was done, and code {} that nobody knows: answer with \
                     `info` ({})",
                    trouble.code, trouble.text
                ));
            }
            meaning @ (Meaning::Refused(_)
            | Meaning::NoSuchKey
            | Meaning::Mismatch
            | Meaning::NotSupported) => Answer::Fail(meaning),
        },
        (None, None, Some(_)) => Answer::Info,
        _ => {
            return Err(format!(
                "an answer has one of `ok`, `fail` and `info`: {}",
                shown(line)
            ));
        }
    };
    Ok((id, answer))
}

/// Reads any line.
///
/// # Errors
/// What is wrong with it.
pub(super) fn said(line: &[u8]) -> Result<Said<'_>, String> {
    serde_json::from_slice(line).map_err(|error| format!("{error}: {}", shown(line)))
}

/// How many letters of a line are shown.
const SHOWN_MAX: usize = 200;

/// The beginning of a line, to be shown.
pub(super) fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end();
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_one_line_of_json() {
        let mut out = String::new();
        append(&mut out, 7, Ask::Read { key: "user17" });
        append(
            &mut out,
            8,
            Ask::Update {
                key: "user17",
                value: "v",
            },
        );
        append(
            &mut out,
            9,
            Ask::Cas {
                key: "user17",
                from: None,
                to: "v",
            },
        );
        assert_eq!(
            out,
            "{\"id\":7,\"op\":\"read\",\"key\":\"user17\"}\n\
             {\"id\":8,\"op\":\"update\",\"key\":\"user17\",\"value\":\"v\"}\n\
             {\"id\":9,\"op\":\"cas\",\"key\":\"user17\",\"from\":null,\"to\":\"v\"}\n"
        );
        for line in out.lines() {
            serde_json::from_str::<serde_json::Value>(line).expect("JSON");
        }
    }

    #[test]
    fn each_form_of_an_answer_is_read() {
        let (id, answer) = parse(br#"{"id": 7, "ok": {"value": "a\"b", "version": 41}}"#).unwrap();
        let Answer::Ok(ok) = answer else {
            panic!("{answer:?}")
        };
        assert_eq!(
            (id, ok.value.as_deref(), ok.version),
            (7, Some("a\"b"), Some(41))
        );
        let (_, answer) = parse(br#"{"id": 7, "ok": {"value": null}}"#).unwrap();
        assert!(matches!(
            answer,
            Answer::Ok(Ok {
                value: None,
                version: None
            })
        ));
        let (_, answer) = parse(br#"{"id":9,"fail":{"code":22,"text":"no"}}"#).unwrap();
        assert!(matches!(answer, Answer::Fail(Meaning::Mismatch)));
        let (_, answer) = parse(br#"{"id":8,"info":{"code":0,"text":"timeout"}}"#).unwrap();
        assert!(matches!(answer, Answer::Info));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        let wrong = [
            (&br#"{"id": 7}"#[..], "one of `ok`"),
            (br#"{"ok": {}}"#, "needs the id"),
            (br#"{"id": 7, "fail": {"code": 0}}"#, "answer with `info`"),
            (
                br#"{"id": 7, "fail": {"code": 1234}}"#,
                "answer with `info`",
            ),
            (
                br#"{"id": 7, "ok": {}, "info": {"code": 0}}"#,
                "one of `ok`",
            ),
            (br#"{"id": 7, "okay": {}}"#, "okay"),
            (b"Traceback (most recent call last):", "Traceback"),
        ];
        for (line, told) in wrong {
            let reason = parse(line).expect_err("no answer");
            assert!(reason.contains(told), "{reason}");
        }
    }

    #[test]
    fn the_table_of_codes_is_maelstroms() {
        let definite = |code| meaning(code) != Meaning::Indefinite;
        for (code, is_definite) in [(0, false), (13, false), (1, true), (10, true), (11, true)] {
            assert_eq!(definite(code), is_definite, "{code}");
        }
        for code in [12, 14, 20, 21, 22, 30] {
            assert!(definite(code), "{code}");
        }
    }
}
