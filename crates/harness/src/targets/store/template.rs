//! Texts with holes: `{host}`, `{port.client}`, `{peers:{name}=http://{host}:{port.bus}:,}`.
//!
//! | hole | what it becomes |
//! |---|---|
//! | `{name}`, `{index}`, `{host}`, `{dir}` | of the node: its name, its number from 0, its address, its directory |
//! | `{port.NAME}` | the node's port of that name |
//! | `{option.NAME}` | the store's option of that name |
//! | `{node.0.HOLE}` | the hole of another node |
//! | `{peers:PATTERN:SEPARATOR}` | the pattern for each node, with the separator between |
//! | `{{`, `}}` | a brace |

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::definition::Wrong;

/// How deep patterns may stand in patterns.
const DEPTH_MAX: usize = 4;

/// A text with holes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template(pub String);

/// A node, for whoever fills in a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeWords {
    /// Its name.
    pub name: String,
    /// Its address.
    pub host: IpAddr,
    /// Its ports by their names.
    pub ports: BTreeMap<String, u16>,
    /// Its directory.
    pub directory: PathBuf,
}

/// What fills the holes.
#[derive(Clone, Copy, Debug)]
pub struct Words<'a> {
    /// Every node.
    pub nodes: &'a [NodeWords],
    /// The store's options.
    pub options: &'a BTreeMap<String, String>,
}

impl Template {
    /// The text for a node.
    ///
    /// # Errors
    /// When a hole is not closed, or nobody knows what it is.
    pub fn fill(&self, words: Words<'_>, node: usize) -> Result<String, Wrong> {
        fill(&self.0, words, node, DEPTH_MAX)
    }
}

/// Fills in every word of a command.
///
/// # Errors
/// As [`Template::fill`].
pub(super) fn fill_all(
    templates: &[Template],
    words: Words<'_>,
    node: usize,
) -> Result<Vec<String>, Wrong> {
    { templates.iter() }
        .map(|template| template.fill(words, node))
        .collect()
}

fn fill(text: &str, words: Words<'_>, node: usize, depth: usize) -> Result<String, Wrong> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        filled += &rest[..at];
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{") {
            filled.push('{');
            rest = after;
        } else if let Some(after) = rest.strip_prefix("}}") {
            filled.push('}');
            rest = after;
        } else if rest.starts_with('}') {
            return Err(Wrong(format!(
                "a }} without its {{ in {text:?}: a brace itself is }}}}"
            )));
        } else {
            let end = closing(rest).ok_or_else(|| {
                Wrong(format!(
                    "a {{ without its }} in {text:?}: a brace itself is {{{{"
                ))
            })?;
            filled += &hole(&rest[1..end], words, node, depth)?;
            rest = &rest[end + 1..];
        }
    }
    Ok(filled + rest)
}

/// Where the hole that begins here ends.
fn closing(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => open += 1,
            '}' => {
                open -= 1;
                if open == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

fn hole(name: &str, words: Words<'_>, node: usize, depth: usize) -> Result<String, Wrong> {
    let own = &words.nodes[node];
    let unknown = || {
        Err(Wrong(format!(
            "nobody knows {{{name}}}: there are {{name}}, {{index}}, {{host}}, {{dir}}, {{port.NAME}}, \
             {{option.NAME}}, {{node.0.NAME}} and {{peers:PATTERN:SEPARATOR}}"
        )))
    };
    if let Some(pattern) = name.strip_prefix("peers:") {
        let Some((pattern, separator)) = pattern.rsplit_once(':').filter(|_| depth > 0) else {
            return unknown();
        };
        let each: Result<Vec<String>, Wrong> = (0..words.nodes.len())
            .map(|peer| fill(&with_holes(pattern), words, peer, depth - 1))
            .collect();
        return Ok(each?.join(separator));
    }
    if let Some(port) = name.strip_prefix("port.") {
        return { own.ports.get(port) }.map_or_else(unknown, |port| Ok(port.to_string()));
    }
    if let Some(option) = name.strip_prefix("option.") {
        return { words.options.get(option) }.map_or_else(unknown, |value| Ok(value.clone()));
    }
    if let Some((number, rest)) = name.strip_prefix("node.").and_then(|it| it.split_once('.')) {
        let other = number.parse().ok().filter(|at| *at < words.nodes.len());
        return match other.filter(|_| depth > 0) {
            Some(other) => hole(rest, words, other, depth - 1),
            None => unknown(),
        };
    }
    match name {
        "name" => Ok(own.name.clone()),
        "index" => Ok(node.to_string()),
        "host" => Ok(own.host.to_string()),
        "dir" => Ok(own.directory.display().to_string()),
        _ => unknown(),
    }
}

/// A pattern whose first word may be a hole's name alone: `name=http://{host}` is
/// `{name}=http://{host}`.
fn with_holes(pattern: &str) -> String {
    let bare = |word: &&&str| pattern.starts_with(&format!("{word}="));
    match ["name", "host", "index"].iter().find(bare) {
        Some(word) => format!("{{{word}}}{}", &pattern[word.len()..]),
        None => pattern.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str, node: usize) -> Result<String, Wrong> {
        let nodes: Vec<NodeWords> = (0..3)
            .map(|at: u16| NodeWords {
                name: format!("n{at}"),
                host: format!("10.0.0.{}", at + 1).parse().expect("an address"),
                ports: BTreeMap::from([("client".to_owned(), 7000 + at), ("bus".to_owned(), 8000)]),
                directory: PathBuf::from(format!("/runs/n{at}")),
            })
            .collect();
        let options = BTreeMap::from([("wait".to_owned(), "2".to_owned())]);
        let words = Words {
            nodes: &nodes,
            options: &options,
        };
        Template(text.to_owned()).fill(words, node)
    }

    #[test]
    fn holes_are_filled_for_the_node() {
        let text =
            "--name {name} --at {host}:{port.client} --dir {dir} --wait {option.wait} {index}";
        assert_eq!(
            filled(text, 1).as_deref(),
            Ok("--name n1 --at 10.0.0.2:7001 --dir /runs/n1 --wait 2 1")
        );
        assert_eq!(
            filled("{{x}} {node.0.port.client}", 2).as_deref(),
            Ok("{x} 7000")
        );
    }

    #[test]
    fn peers_are_a_pattern_for_each_node_and_a_separator() {
        let expected = "n0=http://10.0.0.1:8000,n1=http://10.0.0.2:8000,n2=http://10.0.0.3:8000";
        let long = "{peers:{name}=http://{host}:{port.bus}:,}";
        assert_eq!(filled(long, 0).as_deref(), Ok(expected));
        let short = "{peers:name=http://{host}:{port.bus}:,}";
        assert_eq!(filled(short, 0).as_deref(), Ok(expected));
    }

    #[test]
    fn what_nobody_knows_is_told() {
        for text in [
            "{prot.client}",
            "{port.x}",
            "{option.x}",
            "{node.9.host}",
            "{peers:x}",
        ] {
            let wrong = filled(text, 0).expect_err(text);
            assert!(wrong.0.contains("nobody knows"), "{wrong}");
        }
        assert!(filled("{host", 0).is_err());
        assert!(filled("host}", 0).is_err());
    }
}
