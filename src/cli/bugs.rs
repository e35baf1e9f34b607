//! `kvs-bench bugs`: the planted bugs, each with the command that must catch it.

use crate::bug::Bug;

use super::{ExitStatus, Failure};

pub(super) fn main() -> Result<ExitStatus, Failure> {
    println!("Planted bugs. Each command must end with exit status 1 and show the operations.\n");
    for bug in Bug::ALL {
        println!("{}: {}", bug.name(), bug.describe());
        println!("    breaks  {}", bug.promise());
        println!("    caught  {}\n", bug.command());
    }
    Ok(ExitStatus::Valid)
}
