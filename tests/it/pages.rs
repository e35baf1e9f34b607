//! The pages of the repository: every link leads somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing of ours.
const FOREIGN: [&str; 4] = [".git", "target", "corpus", "artifacts"];
/// The files that may name a page of `docs/`.
const NAMES_PAGES: [&str; 7] = ["rs", "md", "sh", "toml", "html", "snap", "yml"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files below a folder whose names end in one of `endings`. What runs leave in `results/` is
/// theirs.
fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let (path, name) = { entry.map(|e| (e.path(), e.file_name())) }.unwrap();
            let foreign = FOREIGN.iter().any(|foreign| name == *foreign);
            let of_a_run = path.parent().unwrap().ends_with("results") && path.is_dir();
            if path.is_dir() && !foreign && !of_a_run {
                folders.push(path);
            } else if path
                .extension()
                .is_some_and(|e| endings.iter().any(|ending| e == *ending))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The lines of a page that are prose: code that is fenced or set in is no place for links.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    page.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced && !line.starts_with("    ")
    })
}

/// The targets of a page's links, but for those to other places of the internet.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in prose(page) {
        for rest in line.split("](").skip(1) {
            let target = rest.split(')').next().unwrap_or_default();
            if !target.contains("://") {
                found.push(target.to_owned());
            }
        }
    }
    found
}

/// The anchor that GitHub gives a heading.
fn anchor(heading: &str) -> String {
    let heading = heading.trim().to_lowercase();
    { heading.chars() }
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn anchors(page: &str) -> BTreeSet<String> {
    { prose(page) }
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#')))
        .collect()
}

/// Those of a page's links that lead nowhere.
fn dangling(path: &Path, page: &str) -> Vec<String> {
    let leads = |link: &String| {
        let (file, heading) = link.split_once('#').unwrap_or((link, ""));
        let file = match file {
            "" => path.to_path_buf(),
            file => path.parent().unwrap().join(file),
        };
        if heading.is_empty() {
            return file.exists();
        }
        let linked = match file == path {
            true => Ok(page.to_owned()),
            false => fs::read_to_string(&file),
        };
        linked.is_ok_and(|linked| anchors(&linked).contains(heading))
    };
    links(page)
        .into_iter()
        .filter(|link| !leads(link))
        .collect()
}

/// The pages of `docs/` that a text names by their path from the root.
fn named(text: &str) -> BTreeSet<&str> {
    let of_a_path = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    { text.match_indices("docs/") }
        .filter(|(at, _)| !text[..*at].ends_with(of_a_path))
        .map(|(at, _)| {
            let rest = &text[at..];
            let end = rest.find(|c| !of_a_path(c)).unwrap_or(rest.len());
            rest[..end].trim_end_matches('.')
        })
        .filter(|name| name.ends_with(".md"))
        .collect()
}

#[test]
fn every_link_of_a_page_leads_to_a_file_and_every_anchor_to_a_heading() {
    let pages = files(root(), &["md"]);
    assert!(pages.len() > 30, "{pages:?}");
    let mut count = 0;
    for path in pages {
        let page = fs::read_to_string(&path).unwrap();
        count += links(&page).len();
        assert_eq!(dangling(&path, &page), [""; 0], "{}", path.display());
    }
    assert!(count > 60, "only {count} links were looked at");
}

#[test]
fn a_link_to_a_page_that_is_gone_or_a_heading_that_no_page_has_is_found() {
    let page = "# Two words, and `more`\n\n[a](gone.md), [b](README.md), [c](#two-words-and-more), \
                [d](#none),\n[e](README.md#none), [f](https://example.org/gone.md)\n\n    [g](h.md)\n";
    let found = dangling(&root().join("page.md"), page);
    assert_eq!(found, ["gone.md", "#none", "README.md#none"]);
}

#[test]
fn every_page_that_a_source_names_by_its_path_exists() {
    let mut count = 0;
    for path in files(root(), &NAMES_PAGES) {
        let text = fs::read_to_string(&path).unwrap();
        for name in named(&text) {
            count += 1;
            let is_there = root().join(name).exists() || path.ends_with("pages.rs");
            assert!(is_there, "{} names {name}", path.display());
        }
    }
    assert!(count > 20, "only {count} names were looked at");
    let names = named("(docs/a.md), ../docs/b.md and `docs/c/d.md`.");
    assert_eq!(names, BTreeSet::from(["docs/a.md", "docs/c/d.md"]));
}

#[test]
fn the_index_of_the_pages_has_a_line_for_each() {
    let docs = root().join("docs");
    let index = fs::read_to_string(docs.join("README.md")).unwrap();
    let links = links(&index);
    let listed: Vec<PathBuf> = { links.iter() }.map(|link| docs.join(link)).collect();
    for page in files(&docs, &["md"]) {
        let is_listed = listed.contains(&page) || page.ends_with("README.md");
        assert!(is_listed, "docs/README.md lacks {}", page.display());
    }
}
