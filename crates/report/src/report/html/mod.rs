//! Pages: one self-contained HTML file each, which opens from disk and loads nothing from the
//! network.
//!
//! A page is a template of `assets/`, filled with facts, and a description of its charts
//! (`Chart`), which `assets/charts.js` draws with uPlot.

mod anomaly;
mod chart;
mod facts;
mod run;
mod series;
mod spectrum;
mod topology;
mod usage;

use std::io;
use std::path::PathBuf;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use thiserror::Error;

use crate::report::glossary;

pub(super) use chart::{Axis, Chart, Curve, Shade, Variant};
pub use run::{RUN_PAGE, run_page};
pub(super) use series::overlaid_courses;
pub(super) use spectrum::overlaid_spectra;

/// Why there is no page.
#[derive(Debug, Error)]
pub enum PageError {
    /// A file of the run directory cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the run directory is not what it should be.
    #[error("{} is malformed: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
}

const TEMPLATES: [(&str, &str); 8] = [
    ("base.html", include_str!("assets/base.html")),
    ("files.html", include_str!("assets/files.html")),
    ("list.html", include_str!("assets/list.html")),
    ("parts.html", include_str!("assets/parts.html")),
    ("compare.html", include_str!("assets/compare.html")),
    ("run.html", include_str!("assets/run.html")),
    ("sweep.html", include_str!("assets/sweep.html")),
    ("topology.svg", include_str!("assets/topology.svg")),
];

/// What every page has beside its own facts.
#[derive(Serialize)]
struct Page<'a, F> {
    title: &'a str,
    uplot_css: &'static str,
    uplot_js: &'static str,
    page_css: &'static str,
    charts_js: &'static str,
    charts_json: String,
    glossary: Vec<[&'static str; 2]>,
    #[serde(flatten)]
    facts: F,
}

/// Everything that `charts.js` reads.
#[derive(Serialize)]
struct Drawn<'a> {
    charts: &'a [&'a Chart],
    shades: &'a [Shade],
}

/// A page without charts.
pub fn plain_page<F: Serialize>(template: &str, title: &str, facts: F) -> String {
    render(template, title, &[], &[], facts)
}

/// Fills a template.
pub(super) fn render<F: Serialize>(
    template: &str,
    title: &str,
    charts: &[&Chart],
    shades: &[Shade],
    facts: F,
) -> String {
    let mut environment = Environment::new();
    // What is not marked as safe is escaped, in every file.
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("word", word);
    for (name, source) in TEMPLATES {
        environment
            .add_template(name, source)
            .expect("the templates are well formed");
    }
    let template = environment
        .get_template(template)
        .expect("the template is one of ours");
    template
        .render(Serde(Page {
            title,
            uplot_css: include_str!("assets/uPlot.min.css"),
            uplot_js: include_str!("assets/uPlot.iife.min.js"),
            page_css: include_str!("assets/page.css"),
            charts_js: include_str!("assets/charts.js"),
            charts_json: script_json(&Drawn { charts, shades }),
            glossary: { glossary::terms().iter() }
                .map(|term| [term.name, &term.meaning])
                .collect(),
            facts,
        }))
        .expect("a template asks for nothing that its facts have not")
}

/// A word of the glossary as a link to what it means; any other text as it is.
fn word(text: &str) -> minijinja::Value {
    let Some(term) = glossary::known(text) else {
        return minijinja::Value::from(text);
    };
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;");
    let title = escaped(&term.meaning).replace('"', "&quot;");
    let (name, text) = (term.name.replace(' ', "-"), escaped(text));
    minijinja::Value::from_safe_string(format!(
        "<a class=\"word\" href=\"#word-{name}\" title=\"{title}\">{text}</a>"
    ))
}

/// JSON that can stand within a `<script>`: a text in it cannot end the script.
fn script_json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("plain data with text keys");
    // These can only occur in texts.
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_of_a_run_can_end_the_script_that_holds_it() {
        let json = script_json(&["</script><script>alert(1)</script>", "<!--", "a & b"]);
        assert!(!json.contains('<') && !json.contains('>'), "{json}");
        let back: Vec<String> = serde_json::from_str(&json).expect("still JSON");
        assert_eq!(back[0], "</script><script>alert(1)</script>");
    }
}
