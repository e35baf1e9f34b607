//! Architectures as text: `sharded(4, replicated(5))`.

use std::str::FromStr;

use super::Architecture;
use super::architecture::{DEFAULT_SIZE, DEPTH_MAX, ImpossibleSize};

/// The names that an architecture starts with.
const NAMES: [&str; 4] = ["local", "replicated", "sharded", "sharded_replicated"];
/// The longest text that is looked at.
const TEXT_BYTES_MAX: usize = 256;
/// Names less alike than this are not suggested.
const ALIKE_MIN: f64 = 0.6;

/// A text that names no architecture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseArchitectureError {
    /// Not a name of the zoo; with the nearest one, if any is near.
    #[error(
        "unknown architecture `{name}`{}; there are local, replicated, sharded, \
         sharded_replicated, and nestings such as sharded(4, replicated(5))",
        .nearest.map(|nearest| format!(": did you mean `{nearest}`?")).unwrap_or_default()
    )]
    Unknown {
        /// What was written.
        name: String,
        /// What may have been meant.
        nearest: Option<&'static str>,
    },
    /// A server inside replicas.
    #[error(
        "replicated(..) takes no inner server: a shard cannot be inside a replica; turn the two \
         around, as in sharded(3, replicated({0}))"
    )]
    InsideReplica(u16),
    /// A name that takes nothing was given something.
    #[error("`{0}` takes nothing in parentheses")]
    TakesNothing(&'static str),
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

impl Parser<'_> {
    fn architecture(&mut self, depth: usize) -> Result<Architecture, ParseArchitectureError> {
        if depth > DEPTH_MAX {
            return Err(ImpossibleSize::TooDeep.into());
        }
        match self.name()? {
            "local" => {
                if self.take('(') {
                    return Err(ParseArchitectureError::TakesNothing("local"));
                }
                Ok(Architecture::Local)
            }
            "replicated" => self.replicated(),
            "sharded" => self.sharded(depth),
            "sharded_replicated" => {
                if self.take('(') {
                    return Err(ParseArchitectureError::TakesNothing("sharded_replicated"));
                }
                let inner = Architecture::replicated(DEFAULT_SIZE)?;
                Ok(Architecture::sharded(DEFAULT_SIZE, inner)?)
            }
            name => unreachable!("`{name}` is not in NAMES"),
        }
    }

    fn replicated(&mut self) -> Result<Architecture, ParseArchitectureError> {
        let mut replicas = DEFAULT_SIZE;
        if self.take('(') {
            if self.rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                return Err(ParseArchitectureError::InsideReplica(replicas));
            }
            replicas = self.count()?;
            if self.take(',') {
                return Err(ParseArchitectureError::InsideReplica(replicas));
            }
            self.close()?;
        }
        Ok(Architecture::replicated(replicas)?)
    }

    fn sharded(&mut self, depth: usize) -> Result<Architecture, ParseArchitectureError> {
        let mut shards = DEFAULT_SIZE;
        let mut inner = Architecture::Local;
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
        if let Some(known) = NAMES.into_iter().find(|known| *known == plain) {
            return Ok(known);
        }
        let nearest = NAMES
            .into_iter()
            .map(|known| (strsim::jaro_winkler(known, &plain), known))
            .filter(|(alike, _)| *alike >= ALIKE_MIN)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        Err(ParseArchitectureError::Unknown {
            name: name.to_owned(),
            nearest: nearest.map(|(_, known)| known),
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
    fn word(&mut self, fits: impl Fn(char) -> bool) -> &str {
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
        use Architecture::Local;
        let cases = [
            ("local", Local, "local"),
            ("replicated", replicated(3), "replicated"),
            ("replicated(5)", replicated(5), "replicated(5)"),
            ("replicated( 1 )", replicated(1), "replicated(1)"),
            ("sharded", sharded(3, Local), "sharded"),
            ("Sharded(4)", sharded(4, Local), "sharded(4)"),
            ("sharded(local)", sharded(3, Local), "sharded"),
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
                sharded(2, sharded(2, Local)),
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
        assert!(refused("sharded(3, replicated, local)").contains("expected `)` at `, local)`"));
    }
}
