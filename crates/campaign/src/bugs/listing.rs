//! Which views must catch which bug, and the commands that make them look.

use kvs_core::bug::Bug;
use kvs_core::server::Architecture;
use kvs_report::report;

use super::View;
use super::target::Target;

/// The table, and the commands bug by bug.
#[must_use]
pub fn text() -> String {
    let header = [
        "bug",
        "breaks",
        "store",
        "provoked by",
        "model",
        "sim",
        "real",
    ];
    let rows = Bug::ALL.iter().map(|bug| row(*bug)).collect();
    let mut text = "Planted bugs, and the views that must catch each.\n\n".to_owned();
    text += &report::table(&header.map(str::to_owned), rows).join("\n");
    text += "\n\n`kvs-bench bugs run NAME` asks every view that can. One by one, each of these ends \
             with exit\nstatus 1:\n";
    for bug in Bug::ALL {
        text += &format!("\n{bug}: {}\n", bug.facts().describe);
        for view in View::ALL {
            if let Some(target) = Target::new(view, bug) {
                text += &format!("    {:6} {}\n", view.name(), target.command());
            }
        }
    }
    text
}

fn row(bug: Bug) -> Vec<String> {
    let facts = bug.facts();
    let lattice = facts
        .lattice
        .map_or_else(String::new, |it| format!(" {}", it.name()));
    let fault = facts.provoked_by.map_or("-", |fault| fault.name());
    let mut cells = vec![
        facts.name.to_owned(),
        facts.promise.to_owned(),
        format!("{}{lattice}", Architecture::from(facts.store)),
        fault.to_owned(),
    ];
    for view in View::ALL {
        let mark = if view.must_catch(facts) { "yes" } else { "-" };
        cells.push(mark.to_owned());
    }
    cells
}
