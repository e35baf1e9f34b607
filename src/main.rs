//! `kvs-bench`: runs, measures and verifies the stores of the zoo.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Nodes, and the agents of places, are this program run again.
    kvs_zoo::node::run_if_node();
    kvs_zoo::targets::adapter::run_if_null_adapter();
    ExitCode::from(kvs_zoo::cli::main() as u8)
}
