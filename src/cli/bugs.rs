//! `kvs-bench bugs`: the planted bugs, each with the command that must catch it.

use crate::bug::Bug;

use super::{ExitStatus, Failure};

pub(super) fn main() -> Result<ExitStatus, Failure> {
    let mut text =
        "Planted bugs. Each command must end with exit status 1 and show the operations.\n"
            .to_owned();
    for bug in Bug::ALL {
        let facts = bug.facts();
        text += &format!("\n{}: {}\n", facts.name, facts.describe);
        text += &format!("    breaks  {}\n", facts.promise);
        if let Some(command) = bug.command() {
            text += &format!("    caught  {command}\n");
        }
    }
    super::print(&text)?;
    Ok(ExitStatus::Valid)
}
