//! `kvs-models`: the replicas of the zoo, explored exhaustively.

fn main() {}
