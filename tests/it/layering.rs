//! Who may use whom: the architecture as a table, and a scan of the sources that keeps it true.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module of the workspace, the modules of its own crate that it may use, and whether it does
/// I/O. Which crates it may use is in its crate's `Cargo.toml`, and held by the compiler.
struct Layer {
    /// The folder of its crate.
    krate: &'static str,
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

/// Crates that are one module: what is in their `src` belongs to it.
const OF_ONE_MODULE: &[&str] = &["recording", "measure", "sim", "campaign", "place", "target"];

/// What a crate may depend on of ours. `kvs-core` and `kvs-check` know nothing of each other.
const CRATES: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("check", &[]),
    ("load", &["core"]),
    ("recording", &["core", "check"]),
    ("measure", &["load"]),
    ("place", &[]),
    ("node", &["core", "place"]),
    ("target", &["core", "check", "load", "measure", "place"]),
    ("sim", &["core", "check", "load", "recording"]),
    (
        "harness",
        &[
            "core",
            "check",
            "load",
            "recording",
            "measure",
            "node",
            "place",
            "target",
        ],
    ),
    ("report", &["measure"]),
    (
        "campaign",
        &[
            "core",
            "check",
            "load",
            "recording",
            "measure",
            "node",
            "harness",
            "sim",
            "report",
        ],
    ),
];

/// What reads the words of a command line: for the command lines alone, which are no libraries.
const PARSERS: &[&str] = &["clap", "clap_complete"];

/// Crates that the core, or the checker, may never come to depend on.
const HEAVY: &[&str] = &["tokio", "quinn", "axum", "ratatui"];

const LAYERS: &[Layer] = &[
    Layer {
        krate: "crates/core",
        module: "protocol",
        may_use: &[],
        io: Io::Never,
    },
    Layer {
        krate: "crates/core",
        module: "bug",
        may_use: &["protocol"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/core",
        module: "barrier",
        may_use: &["bug"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/core",
        module: "values",
        may_use: &["protocol"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/core",
        module: "replica",
        may_use: &["protocol", "values", "bug"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/core",
        module: "trace",
        may_use: &["protocol", "replica"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/core",
        module: "server",
        may_use: &["protocol", "replica", "values", "bug"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/core",
        module: "session",
        may_use: &["protocol", "server", "values"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/core",
        module: "drive",
        may_use: &["protocol", "server", "session"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/load",
        module: "humane",
        may_use: &[],
        io: Io::Never,
    },
    Layer {
        krate: "crates/load",
        module: "nemesis",
        may_use: &["humane"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/load",
        module: "workload",
        may_use: &["humane", "nemesis"],
        io: Io::Files,
    },
    Layer {
        krate: "crates/check",
        module: "history",
        may_use: &[],
        io: Io::Files,
    },
    Layer {
        krate: "crates/check",
        module: "checker",
        may_use: &["history"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/check",
        module: "recorder",
        may_use: &["history"],
        io: Io::Any,
    },
    Layer {
        krate: "crates/check",
        module: "judge",
        may_use: &["history", "checker"],
        io: Io::Never,
    },
    Layer {
        krate: "crates/recording",
        module: "recording",
        may_use: &[],
        io: Io::Never,
    },
    Layer {
        krate: "crates/sim",
        module: "sim",
        may_use: &[],
        io: Io::Never,
    },
    Layer {
        krate: "crates/node",
        module: "transport",
        may_use: &[],
        io: Io::Any,
    },
    Layer {
        krate: "crates/node",
        module: "storage",
        may_use: &[],
        io: Io::Any,
    },
    Layer {
        krate: "crates/node",
        module: "node",
        may_use: &["storage", "transport"],
        io: Io::Any,
    },
    Layer {
        krate: "crates/place",
        module: "place",
        may_use: &[],
        io: Io::Any,
    },
    Layer {
        krate: "crates/target",
        module: "target",
        may_use: &[],
        io: Io::Any,
    },
    Layer {
        krate: "crates/measure",
        module: "measure",
        may_use: &[],
        io: Io::Files,
    },
    Layer {
        krate: "crates/harness",
        module: "client",
        may_use: &[],
        io: Io::Any,
    },
    Layer {
        krate: "crates/harness",
        module: "targets",
        may_use: &["client", "wording"],
        io: Io::Any,
    },
    Layer {
        krate: "crates/harness",
        module: "run",
        may_use: &["client", "targets", "wording"],
        io: Io::Any,
    },
    Layer {
        krate: "crates/harness",
        module: "wording",
        may_use: &[],
        io: Io::Never,
    },
    Layer {
        krate: "crates/report",
        module: "report",
        may_use: &[],
        io: Io::Files,
    },
    Layer {
        krate: "crates/report",
        module: "web",
        may_use: &["report"],
        io: Io::Any,
    },
    Layer {
        krate: "crates/campaign",
        module: "campaign",
        may_use: &[],
        io: Io::Any,
    },
    Layer {
        krate: ".",
        module: "cli",
        may_use: &[
            "protocol",
            "bug",
            "values",
            "replica",
            "trace",
            "server",
            "session",
            "nemesis",
            "workload",
            "history",
            "checker",
            "recording",
            "sim",
            "transport",
            "node",
            "measure",
            "client",
            "run",
            "target",
            "targets",
            "report",
            "web",
            "campaign",
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

/// The source files below a folder, but for folders of tests, which may use what they like.
fn sources(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("a readable source folder") {
        let path = entry.expect("a readable entry").path();
        if path.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
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

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of a module.
fn files_of(layer: &Layer) -> Vec<PathBuf> {
    let source = root().join(layer.krate).join("src");
    let folder = match OF_ONE_MODULE.contains(&layer.module) {
        true => source,
        false => source.join(layer.module),
    };
    let mut files = match folder.is_dir() {
        true => sources(&folder),
        false => Vec::new(),
    };
    let file = folder.with_extension("rs");
    if file.is_file() {
        files.push(file);
    }
    files.retain(|path| path.file_name().is_some_and(|name| name != "tests.rs"));
    files
}

#[test]
fn every_module_uses_only_the_layers_below_it() {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for layer in LAYERS {
        let files = files_of(layer);
        assert!(!files.is_empty(), "no module {} is there", layer.module);
        for path in files {
            let text = fs::read_to_string(&path).expect("a readable source file");
            let wrong = violations(layer.module, &text);
            if !wrong.is_empty() {
                found.insert(path.display().to_string(), wrong);
            }
        }
    }
    assert!(found.is_empty(), "layers are crossed: {found:#?}");
}

/// The modules that a crate's `lib.rs` declares.
fn declared(library: &str) -> Vec<&str> {
    library
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod "))
        .map(|rest| rest.trim_end_matches(';'))
        .collect()
}

#[test]
fn every_module_of_every_crate_has_a_row_in_the_table_of_layers() {
    for (name, _) in CRATES {
        if OF_ONE_MODULE.contains(name) {
            continue;
        }
        let library = root().join(format!("crates/{name}/src/lib.rs"));
        let text = fs::read_to_string(library).expect("a library");
        for module in declared(&text) {
            let known = LAYERS.iter().any(|layer| layer.module == module);
            assert!(known, "{module}: no row in the table of layers");
        }
    }
}

/// The dependencies that a `Cargo.toml` names, those of tests left out.
fn dependencies(manifest: &str) -> Vec<&str> {
    let after = manifest.split("[dependencies]\n").nth(1).unwrap_or("");
    let part = after.split("\n[").next().unwrap_or("");
    part.lines()
        .filter_map(|line| line.split(['.', ' ']).next())
        .filter(|name| !name.is_empty() && !name.starts_with('#'))
        .collect()
}

fn undue(name: &str, manifest: &str) -> Vec<String> {
    let row = CRATES.iter().find(|(known, _)| *known == name);
    let Some((_, may_use)) = row else {
        return vec![format!("{name}: no row in the table of crates")];
    };
    let light = matches!(name, "core" | "check");
    dependencies(manifest)
        .into_iter()
        .filter(|used| match used.strip_prefix("kvs-") {
            Some(ours) => !may_use.contains(&ours),
            None => PARSERS.contains(used) || (light && HEAVY.contains(used)),
        })
        .map(|used| format!("{name} depends on {used}"))
        .collect()
}

#[test]
fn no_crate_depends_on_one_that_it_must_not_know() {
    for entry in fs::read_dir(root().join("crates")).expect("the crates") {
        let path = entry.expect("a crate").path();
        let name = path.file_name().expect("a name").to_string_lossy();
        let manifest = fs::read_to_string(path.join("Cargo.toml")).expect("a manifest");
        let found = undue(&name, &manifest);
        assert!(found.is_empty(), "{found:?}");
    }
    let planted = "[dependencies]\nkvs-core.workspace = true\ntokio = \"1\"\n";
    assert_eq!(
        undue("check", planted),
        ["check depends on kvs-core", "check depends on tokio"]
    );
    assert_eq!(
        undue("campaign", "[dependencies]\nclap.workspace = true\n"),
        ["campaign depends on clap"]
    );
    assert_eq!(
        undue("helpers", ""),
        ["helpers: no row in the table of crates"]
    );
}

#[test]
fn a_module_that_reaches_past_its_neighbour_is_found() {
    assert_eq!(
        violations("replica", "use crate::server::Host;"),
        ["replica -> server"]
    );
    assert_eq!(
        violations(
            "node",
            "use crate::{storage::Storage, trace::{A, B}, server};"
        ),
        ["node -> trace", "node -> server"]
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
