//! Architectures as text: `sharded(4, replicated(5))`.

use std::str::FromStr;

use super::architecture::{DEFAULT_SIZE, DEPTH_MAX, ImpossibleSize};
use super::{Architecture, KindRow};

/// What takes an inner architecture.
const SHARDED: &str = "sharded";
/// The longest text that is looked at.
const TEXT_BYTES_MAX: usize = 256;
/// Names less alike than this are not suggested.
const ALIKE_MIN: f64 = 0.6;

/// A text that names no architecture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseArchitectureError {
    /// Not a name of the zoo; with the nearest one, if any is near.
    #[error(
        "unknown architecture `{name}`{}; there are {}, and nestings such as \
         sharded(4, replicated(5))",
        did_you_mean(*.nearest), listed(KindRow::names())
    )]
    Unknown {
        /// What was written.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// A server inside replicas.
    #[error(
        "{0}(..) takes no inner server: a shard cannot be inside a replica; turn the two \
         around, as in sharded(3, {0}({1}))"
    )]
    InsideReplica(&'static str, u16),
    /// Neither on nor off.
    #[error("`{0}` is neither on nor off")]
    NotASwitch(String),
    /// Another value than a parameter may have.
    #[error("`{name} = {given}`: give {known}")]
    NotOneOf {
        /// The parameter.
        name: &'static str,
        /// What it may be.
        known: &'static str,
        /// What was written.
        given: String,
    },
    /// A name that takes nothing was given something.
    #[error("`{0}` takes nothing in parentheses")]
    TakesNothing(&'static str),
    /// A parameter that the kind of store has not.
    #[error(
        "`{kind}` has no parameter `{name}`{}{}",
        did_you_mean(*.nearest),
        if .known.is_empty() { String::new() } else { format!("; it has {known}") }
    )]
    UnknownParameter {
        /// The kind of store.
        kind: &'static str,
        /// What was written.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
        /// The parameters that it has.
        known: String,
    },
    /// A parameter has two values.
    #[error("`{0}` is given twice: leave one out")]
    GivenTwice(&'static str),
    /// A number was expected.
    #[error("`{0}` is not a count from 1 to 65535")]
    NotACount(String),
    /// Parentheses or commas are wrong.
    #[error("expected {expected} at `{rest}`")]
    Syntax {
        /// What was expected.
        expected: &'static str,
        /// What was there instead.
        rest: String,
    },
    /// Too long to be looked at.
    #[error("architecture longer than {TEXT_BYTES_MAX} bytes")]
    TooLong,
    /// Well written, but it cannot be deployed.
    #[error(transparent)]
    Impossible(#[from] ImpossibleSize),
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |it| format!(": did you mean `{it}`?"))
}

fn listed(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The known name that is most like this one, if any is.
fn nearest(known: impl Iterator<Item = &'static str>, name: &str) -> Option<&'static str> {
    known
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(alike, _)| *alike >= ALIKE_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

impl FromStr for Architecture {
    type Err = ParseArchitectureError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(ParseArchitectureError::TooLong);
        }
        let mut parser = Parser { rest: text.trim() };
        let architecture = parser.architecture(0)?;
        if parser.rest.is_empty() {
            Ok(architecture)
        } else {
            Err(parser.expected("the end"))
        }
    }
}

struct Parser<'a> {
    rest: &'a str,
}

/// What is in parentheses behind the name of a kind of store: a count, then parameters by name, as
/// in `(5, first = 2, second = on)`.
pub(super) struct Arguments<'p, 'a> {
    parser: &'p mut Parser<'a>,
    kind: &'static str,
    /// Whether there are parentheses, which are to be closed.
    is_open: bool,
    /// Whether anything was read in them.
    is_begun: bool,
    after_comma: bool,
    /// The parameters by name that were read.
    given: Vec<&'static str>,
}

impl<'a> Arguments<'_, 'a> {
    /// Nothing may be given.
    pub(super) fn none(&mut self) -> Result<(), ParseArchitectureError> {
        if self.parser.take('(') {
            return Err(ParseArchitectureError::TakesNothing(self.kind));
        }
        Ok(())
    }

    /// The count at the beginning, if there is one.
    pub(super) fn count(&mut self) -> Result<Option<u16>, ParseArchitectureError> {
        self.is_open = self.parser.take('(');
        if !self.is_open || self.starts_with_a_word() {
            return Ok(None);
        }
        self.is_begun = true;
        self.parser.count().map(Some)
    }

    /// The next parameter by name with its value, which has to be one of these; none when no
    /// parameter comes next.
    pub(super) fn named(
        &mut self,
        known: &'static [&'static str],
    ) -> Result<Option<(&'static str, &'a str)>, ParseArchitectureError> {
        if !self.is_open || (self.is_begun && !self.after_comma && !self.takes_comma()) {
            return Ok(None);
        }
        let mut ahead = Parser {
            rest: self.parser.rest,
        };
        let name = ahead.word(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if name.is_empty() || !ahead.take('=') {
            return Ok(None);
        }
        let plain = name.to_ascii_lowercase().replace('_', "-");
        let Some(name) = known.iter().find(|known| **known == plain) else {
            return Err(ParseArchitectureError::UnknownParameter {
                kind: self.kind,
                name: name.to_owned(),
                nearest: nearest(known.iter().copied(), &plain),
                known: listed(known.iter().copied()),
            });
        };
        if self.given.contains(name) {
            return Err(ParseArchitectureError::GivenTwice(name));
        }
        self.given.push(name);
        let value = ahead.word(|c| !matches!(c, ',' | ')' | '(')).trim();
        self.parser.rest = ahead.rest;
        (self.is_begun, self.after_comma) = (true, false);
        Ok(Some((name, value)))
    }

    /// Whether something comes that is no parameter.
    pub(super) fn has_more(&self) -> bool {
        self.is_open && (self.after_comma || self.starts_with_a_word())
    }

    fn takes_comma(&mut self) -> bool {
        self.after_comma = self.parser.take(',');
        self.after_comma
    }

    fn starts_with_a_word(&self) -> bool {
        self.parser
            .rest
            .starts_with(|c: char| c.is_ascii_alphabetic())
    }
}

impl<'a> Parser<'a> {
    fn architecture(&mut self, depth: usize) -> Result<Architecture, ParseArchitectureError> {
        if depth > DEPTH_MAX {
            return Err(ImpossibleSize::TooDeep.into());
        }
        let name = self.name()?;
        if name == SHARDED {
            return self.sharded(depth);
        }
        if let Some(row) = KindRow::named(name) {
            return self.group(row);
        }
        let row = KindRow::sharded_named(name).expect("names are of kinds or of their shards");
        if self.take('(') {
            return Err(ParseArchitectureError::TakesNothing(row.sharded));
        }
        Ok(Architecture::sharded(
            DEFAULT_SIZE,
            Architecture::Group(row.usual),
        )?)
    }

    /// The parameters of a kind of store.
    fn group(&mut self, row: &'static KindRow) -> Result<Architecture, ParseArchitectureError> {
        let mut arguments = Arguments {
            parser: self,
            kind: row.name,
            is_open: false,
            is_begun: false,
            after_comma: false,
            given: Vec::new(),
        };
        let kind = (row.parse)(&mut arguments)?;
        if arguments.is_open {
            self.close()?;
        }
        Ok(Architecture::Group(kind))
    }

    fn sharded(&mut self, depth: usize) -> Result<Architecture, ParseArchitectureError> {
        let mut shards = DEFAULT_SIZE;
        let mut inner = Architecture::local();
        if self.take('(') {
            if self.rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                inner = self.architecture(depth + 1)?;
            } else {
                shards = self.count()?;
                if self.take(',') {
                    inner = self.architecture(depth + 1)?;
                }
            }
            self.close()?;
        }
        Ok(Architecture::sharded(shards, inner)?)
    }

    fn name(&mut self) -> Result<&'static str, ParseArchitectureError> {
        let name = self.word(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if name.is_empty() {
            return Err(self.expected("an architecture"));
        }
        let plain = name.to_ascii_lowercase().replace('-', "_");
        KindRow::names()
            .find(|known| *known == plain)
            .ok_or_else(|| ParseArchitectureError::Unknown {
                name: name.to_owned(),
                nearest: nearest(KindRow::names(), &plain),
            })
    }

    fn count(&mut self) -> Result<u16, ParseArchitectureError> {
        let word = self.word(|c| !matches!(c, ',' | ')' | '('));
        let word = word.trim();
        word.parse()
            .map_err(|_| ParseArchitectureError::NotACount(word.to_owned()))
    }

    fn close(&mut self) -> Result<(), ParseArchitectureError> {
        if self.take(')') {
            Ok(())
        } else {
            Err(self.expected("`)`"))
        }
    }

    /// Takes characters while they fit, and the white space after them.
    fn word(&mut self, fits: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !fits(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        word
    }

    fn take(&mut self, wanted: char) -> bool {
        let taken = self.rest.strip_prefix(wanted);
        if let Some(rest) = taken {
            self.rest = rest.trim_start();
        }
        taken.is_some()
    }

    fn expected(&self, expected: &'static str) -> ParseArchitectureError {
        ParseArchitectureError::Syntax {
            expected,
            rest: self.rest.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{NODES_MAX, REPLICAS_MAX};

    fn replicated(n: u16) -> Architecture {
        Architecture::replicated(n).expect("possible")
    }

    fn sharded(n: u16, inner: Architecture) -> Architecture {
        Architecture::sharded(n, inner).expect("possible")
    }

    #[track_caller]
    fn refused(text: &str) -> String {
        let parsed: Result<Architecture, _> = text.parse();
        parsed.expect_err("not an architecture").to_string()
    }

    #[test]
    fn every_spelling_is_read_and_printed_so_that_it_is_read_again() {
        let local = Architecture::local;
        let cases = [
            ("local", local(), "local"),
            ("replicated", replicated(3), "replicated"),
            ("replicated(5)", replicated(5), "replicated(5)"),
            ("replicated( 1 )", replicated(1), "replicated(1)"),
            ("sharded", sharded(3, local()), "sharded"),
            ("Sharded(4)", sharded(4, local()), "sharded(4)"),
            ("sharded(local)", sharded(3, local()), "sharded"),
            (
                "sharded_replicated",
                sharded(3, replicated(3)),
                "sharded_replicated",
            ),
            (
                "sharded-replicated",
                sharded(3, replicated(3)),
                "sharded_replicated",
            ),
            (
                "sharded(replicated)",
                sharded(3, replicated(3)),
                "sharded_replicated",
            ),
            (
                " sharded(4,replicated(5)) ",
                sharded(4, replicated(5)),
                "sharded(4, replicated(5))",
            ),
            (
                "sharded(2, sharded(2, local))",
                sharded(2, sharded(2, local())),
                "sharded(2, sharded(2))",
            ),
            (
                "sharded(2, sharded-replicated)",
                sharded(2, sharded(3, replicated(3))),
                "sharded(2, sharded_replicated)",
            ),
        ];
        for (text, tree, printed) in cases {
            let parsed: Architecture = text.parse().expect(text);
            assert_eq!(parsed, tree, "{text}");
            assert_eq!(parsed.to_string(), printed);
            assert_eq!(printed.parse(), Ok(parsed.clone()));
            let json = serde_json::to_string(&parsed).expect("a string");
            assert_eq!(json, format!("\"{printed}\""));
            assert_eq!(
                serde_json::from_str::<Architecture>(&json).expect("it was printed"),
                parsed
            );
        }
    }

    #[test]
    fn a_shard_inside_a_replica_is_refused_with_the_two_turned_around() {
        for text in [
            "replicated(5, sharded(2))",
            "replicated(sharded)",
            "replicated(5, local)",
        ] {
            assert!(refused(text).contains("turn the two around"), "{text}");
        }
        assert!(refused("replicated(5, sharded)").contains("sharded(3, replicated(5))"));
        assert!("sharded(3, replicated(5))".parse::<Architecture>().is_ok());
    }

    #[test]
    fn parameters_are_read_by_name_in_any_order_and_unknown_ones_are_answered_with_the_nearest() {
        fn read(text: &str) -> Result<(Option<u16>, String), ParseArchitectureError> {
            let parser = &mut Parser { rest: text };
            let mut arguments = Arguments {
                parser,
                kind: "kind",
                is_open: false,
                is_begun: false,
                after_comma: false,
                given: Vec::new(),
            };
            let count = arguments.count()?;
            let mut named = String::new();
            while let Some((name, value)) = arguments.named(&["reads", "write-back"])? {
                named += &format!("{name} is {value}. ");
            }
            assert!(!arguments.has_more(), "{text}");
            Ok((count, named))
        }
        let all = "reads is 2. write-back is off. ".to_owned();
        let some = "write-back is on. ".to_owned();
        for (text, expected) in [
            ("", (None, String::new())),
            ("(4)", (Some(4), String::new())),
            ("(5, reads = 2, write-back = off)", (Some(5), all.clone())),
            ("(reads=2,WRITE_BACK=off)", (None, all)),
            ("(3, write-back = on)", (Some(3), some)),
        ] {
            assert_eq!(read(text), Ok(expected), "{text}");
        }
        let refused = |text| read(text).expect_err("a parameter is unknown").to_string();
        let told = refused("(3, read = 2)");
        assert_eq!(
            told,
            "`kind` has no parameter `read`: did you mean `reads`?; it has reads, write-back"
        );
        assert!(!refused("(xyzzy = 2)").contains("did you mean"));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        assert!(refused("replicatd").contains("did you mean `replicated`?"));
        assert!(refused("sharded(2, lcal)").contains("did you mean `local`?"));
        assert!(refused("shard-replicated").contains("did you mean `sharded_replicated`?"));
        assert!(!refused("xyzzy").contains("did you mean"));
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert!(refused("replicated(0)").contains("at least 1"));
        assert!(refused("sharded(0)").contains("at least 1"));
        assert!(refused(&format!("replicated({})", REPLICAS_MAX + 1)).contains("at most"));
        assert!(refused("sharded(70000)").contains("not a count"));
        assert!(refused("sharded(-1)").contains("not a count"));
        assert!(refused("sharded(2, sharded(3000))").contains("6000 nodes"));
        let most: Architecture = format!("sharded({NODES_MAX})")
            .parse()
            .expect("all that fit");
        assert_eq!(most.size(), NODES_MAX);
        let deep = "sharded(1, ".repeat(DEPTH_MAX + 1) + "local" + &")".repeat(DEPTH_MAX + 1);
        assert!(refused(&deep).contains("deep"));
        assert!(refused(&"s".repeat(TEXT_BYTES_MAX + 1)).contains("longer"));
    }

    #[test]
    fn wrong_syntax_is_refused_with_the_place() {
        assert!(refused("").contains("expected an architecture"));
        assert!(refused("sharded(3").contains("expected `)`"));
        assert!(refused("local)").contains("expected the end at `)`"));
        assert!(refused("local(3)").contains("takes nothing"));
        assert!(refused("sharded_replicated(3)").contains("takes nothing"));
        assert!(refused("replicated(3, r = 2)").contains("`replicated` has no parameter `r`"));
        assert!(refused("sharded(3, replicated, local)").contains("expected `)` at `, local)`"));
    }
}
