//! `kvs-bench`: runs, measures and verifies the stores of the zoo.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The launcher starts nodes by running this program again.
    kvs_zoo::node::run_if_node();
    ExitCode::from(kvs_zoo::cli::main() as u8)
}
