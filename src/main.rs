//! `kvs-bench`: runs, measures and verifies the stores of the zoo.

fn main() {}
