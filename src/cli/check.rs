//! x
use super::*;
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {}
pub(super) fn main(_: &CheckArgs) -> Result<ExitStatus, Failure> {
    Ok(ExitStatus::Valid)
}
