//! `kvs-bench list`: what there is to choose from.

use crate::nemesis::FAULTS;
use crate::server::KINDS;
use crate::targets::store::CATALOGUE;
use crate::workload;

use super::{ExitStatus, Failure};

/// What is no kind of its own.
const NESTING: (&str, &str) = ("sharded(4, replicated(5))", "any nesting, with any sizes");

const LATTICES: &[(&str, &str)] = &[
    (
        "causal",
        "concurrent puts are kept side by side; a session never sees less than before (default)",
    ),
    (
        "lww",
        "the put with the largest version stays; replicas agree in the end, and sessions may go back",
    ),
];

const ROUTINGS: &[(&str, &str)] = &[
    (
        "round-robin",
        "each operation goes to the next replica: this tests session guarantees (default)",
    ),
    (
        "sticky",
        "every operation goes to one replica, as long as it answers",
    ),
    ("random", "each operation goes to a replica drawn at random"),
];

pub(super) fn main() -> Result<ExitStatus, Failure> {
    let workloads = workload::catalogue().iter();
    let settings = workload::settings().iter();
    let sections = [
        section("Architectures (--arch)", architectures()),
        section(
            "Other stores (--store)",
            CATALOGUE.iter().map(|known| (known.name, known.about())),
        ),
        section("Lattices (--lattice)", LATTICES.iter().copied()),
        section(
            "Workloads (--workload)",
            workloads.map(|known| (known.name, known.about())),
        ),
        section("Routing (--routing)", ROUTINGS.iter().copied()),
        section(
            "Faults (--nemesis)",
            FAULTS.iter().map(|row| (row.name, row.help)),
        ),
        section(
            "Fields of a workload (--set FIELD=VALUE)",
            settings.map(|setting| (setting.field, setting.expects)),
        ),
        "Planted bugs (--bug): kvs-bench bugs".to_owned(),
    ];
    super::print(&sections.join("\n"))?;
    Ok(ExitStatus::Valid)
}

/// Each kind of store, and shards of each.
fn architectures() -> impl Iterator<Item = (&'static str, &'static str)> {
    let plain = KINDS.iter().map(|row| (row.name, row.help));
    let sharded = KINDS.iter().map(|row| (row.sharded, row.sharded_help));
    plain.chain(sharded).chain([NESTING])
}

fn section<'a>(title: &str, entries: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut text = format!("{title}\n");
    for (name, what) in entries {
        text += &format!("  {name:26} {what}\n");
    }
    text
}
