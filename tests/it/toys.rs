//! Nothing knows a kind of store, a fault or a model but its own files, the tables, and the enums
//! whose matches the compiler holds together: ARCHITECTURE.md says so of all, and the toys show it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Something that is there for tests alone, as ARCHITECTURE.md says to add such a thing.
struct Toy {
    name: &'static str,
    /// The words that code knows it by.
    words: &'static [&'static str],
    /// Where they stand, beside a row of a table that names the module alone.
    files: &'static [&'static str],
}

const TOYS: &[Toy] = &[
    Toy {
        name: "echo",
        words: &["Echo"],
        files: &[
            "crates/core/src/replica/mod.rs",
            "crates/core/src/replica/spec.rs",
            "crates/core/src/replica/toy.rs",
            "crates/core/src/server/kinds/mod.rs",
            "crates/core/src/server/kinds/toy.rs",
        ],
    },
    Toy {
        name: "found",
        words: &[
            "Found if test",
            "Model::Found",
            "Property::Found",
            "ByLooking",
        ],
        files: &[
            "crates/check/src/checker/model.rs",
            "crates/check/src/checker/property.rs",
            "crates/check/src/checker/table.rs",
            "crates/check/src/checker/toy.rs",
            "crates/check/src/history/model.rs",
        ],
    },
    Toy {
        name: "fog",
        words: &["FOG", "\"fog\""],
        files: &["crates/load/src/nemesis/faults/toy.rs"],
    },
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The source files below a folder, but for tests, which may know what they like.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let is_of_tests = path.file_stem().is_some_and(|stem| stem == "tests");
        if path.is_dir() && !is_of_tests {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !is_of_tests {
            found.push(path);
        }
    }
}

/// The files of the program that have one of these words.
fn knowing(words: &[&str]) -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["crates", "src", "models"] {
        sources(&root().join(folder), &mut files);
    }
    let knows = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a readable source");
        words.iter().any(|word| text.contains(word))
    };
    let shown = |path: PathBuf| {
        let path = path.strip_prefix(root()).expect("it is below the root");
        path.display().to_string()
    };
    files.into_iter().filter(knows).map(shown).collect()
}

#[test]
fn a_toy_is_known_where_the_architecture_has_it_added_and_nowhere_else() {
    let page = fs::read_to_string(root().join("ARCHITECTURE.md")).expect("a readable page");
    for toy in TOYS {
        let files = toy.files.iter().map(|file| (*file).to_owned());
        assert_eq!(knowing(toy.words), files.collect(), "{}", toy.name);
        let named = format!("The toy is `{}`", toy.name);
        assert!(
            page.contains(&named),
            "ARCHITECTURE.md says nothing of it: {named}"
        );
    }
    let everywhere = knowing(&["ReplicaKind::Local"]);
    assert!(
        everywhere.contains("crates/core/src/replica/spec.rs"),
        "the control"
    );
}
