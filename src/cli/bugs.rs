//! `kvs-bench bugs`: the planted bugs, each with the command that must catch it.

use crate::bug::Bug;

use super::{ExitStatus, Failure};

pub(super) fn main() -> Result<ExitStatus, Failure> {
    let mut text =
        "Planted bugs. Each command must end with exit status 1 and show the operations.\n"
            .to_owned();
    for bug in Bug::ALL {
        text += &format!("\n{}: {}\n", bug.name(), bug.describe());
        text += &format!("    breaks  {}\n", bug.promise());
        text += &format!("    caught  {}\n", bug.command());
    }
    super::print(&text)?;
    Ok(ExitStatus::Valid)
}
