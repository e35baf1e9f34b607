//! Who may use whom: the architecture as a table, and a scan of the sources that keeps it true.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module of the library, the modules of ours that it may use, and whether it does I/O.
struct Layer {
    module: &'static str,
    may_use: &'static [&'static str],
    io: Io,
}

#[derive(Clone, Copy, PartialEq)]
enum Io {
    /// Touches no socket, clock, process or random source of its own.
    Never,
    /// Reads and writes files; no sockets and no asynchronous runtime.
    Files,
    /// Anything.
    Any,
}

const LAYERS: &[Layer] = &[
    Layer {
        module: "protocol",
        may_use: &[],
        io: Io::Never,
    },
    Layer {
        module: "bug",
        may_use: &["protocol"],
        io: Io::Never,
    },
    Layer {
        module: "values",
        may_use: &["protocol"],
        io: Io::Never,
    },
    Layer {
        module: "replica",
        may_use: &["protocol", "values", "bug"],
        io: Io::Never,
    },
    Layer {
        module: "trace",
        may_use: &["protocol", "replica"],
        io: Io::Never,
    },
    Layer {
        module: "server",
        may_use: &["protocol", "replica", "values", "bug"],
        io: Io::Never,
    },
    Layer {
        module: "session",
        may_use: &["protocol", "server", "values"],
        io: Io::Never,
    },
    Layer {
        module: "nemesis",
        may_use: &["protocol"],
        io: Io::Never,
    },
    Layer {
        module: "workload",
        may_use: &["protocol", "nemesis"],
        io: Io::Files,
    },
    Layer {
        module: "history",
        may_use: &[],
        io: Io::Files,
    },
    Layer {
        module: "checker",
        may_use: &["history"],
        io: Io::Never,
    },
    Layer {
        module: "evidence",
        may_use: &["protocol", "server", "session", "workload", "history"],
        io: Io::Never,
    },
    Layer {
        module: "sim",
        may_use: &[
            "protocol", "bug", "values", "replica", "server", "session", "workload", "history",
            "evidence", "checker",
        ],
        io: Io::Never,
    },
    Layer {
        module: "transport",
        may_use: &["protocol"],
        io: Io::Any,
    },
    Layer {
        module: "storage",
        may_use: &["protocol", "replica", "values"],
        io: Io::Any,
    },
    Layer {
        module: "node",
        may_use: &[
            "storage",
            "replica",
            "trace",
            "server",
            "transport",
            "protocol",
            "values",
            "bug",
        ],
        io: Io::Any,
    },
    Layer {
        module: "client",
        may_use: &[
            "session",
            "protocol",
            "transport",
            "history",
            "evidence",
            "workload",
            "measure",
            "server",
        ],
        io: Io::Any,
    },
    Layer {
        module: "measure",
        may_use: &["history", "workload"],
        io: Io::Files,
    },
    Layer {
        module: "report",
        may_use: &["history", "checker", "measure"],
        io: Io::Files,
    },
    Layer {
        module: "serve",
        may_use: &["measure", "report"],
        io: Io::Any,
    },
    Layer {
        module: "run",
        may_use: &[
            "workload",
            "nemesis",
            "protocol",
            "bug",
            "values",
            "replica",
            "server",
            "session",
            "transport",
            "storage",
            "node",
            "client",
            "history",
            "evidence",
            "checker",
            "measure",
        ],
        io: Io::Any,
    },
    Layer {
        module: "cli",
        may_use: &[
            "workload",
            "nemesis",
            "protocol",
            "bug",
            "values",
            "replica",
            "trace",
            "server",
            "session",
            "transport",
            "node",
            "client",
            "run",
            "sim",
            "history",
            "evidence",
            "checker",
            "measure",
            "report",
            "serve",
        ],
        io: Io::Any,
    },
];

/// Words that only a module with [`Io::Any`] may use.
const SOCKETS: &[&str] = &["tokio::", "quinn::", "std::net", "std::process", "rustix::"];
/// Words that a module with [`Io::Never`] may not use either.
const CLOCKS_AND_FILES: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "std::fs",
    "std::thread",
    "rand::rng(",
    "std::env",
];

fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("a readable source folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The module of the library that a source file belongs to; none for `lib.rs` and `main.rs`.
fn module_of(path: &Path, root: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).expect("a path below the root");
    let first = relative.components().next().expect("a file name");
    let name = first
        .as_os_str()
        .to_str()
        .expect("a UTF-8 name")
        .trim_end_matches(".rs");
    (name != "lib" && name != "main").then(|| name.to_owned())
}

/// The code before a file's own tests, without comments: tests may use what they like.
fn production_code(text: &str) -> String {
    let code = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .expect("a first part");
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The modules of ours that a text names as `crate::module`, also inside `crate::{…}`.
fn used_modules(code: &str) -> Vec<String> {
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut name = String::new();
            for letter in list.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => used.push(std::mem::take(&mut name)),
                    letter if depth == 0 => name.push(letter),
                    _ => {}
                }
            }
            used.push(name);
        } else {
            used.push(rest.to_owned());
        }
    }
    used.iter()
        .map(|path| {
            let path = path.trim();
            path.chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

fn violations(module: &str, text: &str) -> Vec<String> {
    let Some(layer) = LAYERS.iter().find(|layer| layer.module == module) else {
        return vec![format!("{module}: no row in the table of layers")];
    };
    let code = production_code(text);
    let mut found: Vec<String> = used_modules(&code)
        .into_iter()
        .filter(|used| used != module && !layer.may_use.contains(&used.as_str()))
        .filter(|used| LAYERS.iter().any(|layer| layer.module == used))
        .map(|used| format!("{module} -> {used}"))
        .collect();
    let forbidden: &[&[&str]] = match layer.io {
        Io::Never => &[SOCKETS, CLOCKS_AND_FILES],
        Io::Files => &[SOCKETS],
        Io::Any => &[],
    };
    // The checker's threads end before its function returns, so nothing outside can tell.
    let code = match module {
        "checker" => code
            .replace("std::thread::scope(", "")
            .replace("std::thread::Builder::new()", ""),
        _ => code,
    };
    if module == "checker" && code.contains(".spawn(") {
        found.push("checker uses a thread that may outlive it".to_owned());
    }
    for word in forbidden.iter().copied().flatten() {
        if code.contains(word) {
            found.push(format!("{module} uses {word}"));
        }
    }
    found
}

#[test]
fn every_module_uses_only_the_layers_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources(&root) {
        let Some(module) = module_of(&path, &root) else {
            continue;
        };
        if path.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable source file");
        let wrong = violations(&module, &text);
        if !wrong.is_empty() {
            found.insert(path.display().to_string(), wrong);
        }
    }
    assert!(found.is_empty(), "layers are crossed: {found:#?}");
}

#[test]
fn a_module_that_reaches_past_its_neighbour_is_found() {
    assert_eq!(
        violations("replica", "use crate::server::Host;"),
        ["replica -> server"]
    );
    assert_eq!(
        violations(
            "checker",
            "use crate::{history::Row, values::{A, B}, protocol};"
        ),
        ["checker -> values", "checker -> protocol"]
    );
    assert_eq!(
        violations("checker", "std::thread::spawn(run); scope.spawn(run)"),
        [
            "checker uses a thread that may outlive it",
            "checker uses std::thread"
        ]
    );
    assert_eq!(
        violations("session", "let now = Instant::now();"),
        ["session uses Instant::now"]
    );
    assert_eq!(
        violations("workload", "use tokio::net;"),
        ["workload uses tokio::"]
    );
    assert_eq!(
        violations("helpers", ""),
        ["helpers: no row in the table of layers"]
    );
    assert!(
        violations(
            "replica",
            "// crate::server is not used\nuse crate::values;"
        )
        .is_empty()
    );
}
