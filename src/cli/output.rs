//! Prints to standard output, and says which program this is.

use std::io::{self, Write};

use anyhow::Context;

use crate::measure::Versions;

/// Prints to standard output. A reader who has seen enough, or whose terminal is gone, is no
/// failure.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let gone = Some(rustix::io::Errno::IO.raw_os_error());
    match writeln!(io::stdout().lock(), "{}", text.trim_end()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) if error.raw_os_error() == gone => Ok(()),
        outcome => outcome.context("cannot print the result"),
    }
}

/// Which program this is, as far as it was known when it was built.
pub(super) fn versions() -> Versions {
    Versions {
        kvs_zoo: env!("CARGO_PKG_VERSION").to_owned(),
        rustc: option_env!("KVS_ZOO_RUSTC").map(str::to_owned),
        commit: option_env!("KVS_ZOO_COMMIT").map(str::to_owned),
    }
}
