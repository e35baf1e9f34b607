//! `kvs-bench`: runs, measures and verifies the stores of the zoo.

fn main() {
    kvs_zoo::node::run_if_node();
}
