//! What is not a register, by its name: histories of these are refused, since only registers are
//! judged.

/// What the histories are that have an operation of this name.
const OTHERS: [(&str, &[&str]); 9] = [
    ("list-append", &["append"]),
    ("a set or a counter", &["add", "remove"]),
    (
        "a counter",
        &["inc", "increment", "dec", "decrement", "sub", "add-and-get"],
    ),
    ("bank accounts", &["transfer", "deposit", "withdraw"]),
    (
        "a lock (mutex)",
        &["acquire", "release", "lock", "unlock", "try-acquire"],
    ),
    ("a queue", &["enqueue", "dequeue", "drain"]),
    (
        "a log (Kafka)",
        &["send", "poll", "subscribe", "assign", "crash"],
    ),
    (
        "rows of a database",
        &["insert", "delete", "upsert", "update", "select"],
    ),
    ("messages", &["broadcast", "echo", "generate", "publish"]),
];

/// Refuses an operation that no register has, given by its name without a colon.
pub(super) fn not_a_register(f: &str) -> String {
    let of = OTHERS.iter().find(|(_, names)| names.contains(&f));
    let what = match of {
        Some((what, _)) => format!(":{f} is an operation on {what}, not on a register"),
        None if matches!(f, "get" | "put") => {
            format!(":{f} is an operation of porcupine's logs (--format porcupine-kv, with a :key)")
        }
        None => format!(":{f} is no operation on a register"),
    };
    format!("{what}: only registers are judged, by :read, :write and :cas")
}

/// Refuses a transaction of so many operations.
pub(super) fn several(operations: usize) -> String {
    let what = match operations {
        0 => "a transaction without an operation".to_owned(),
        several => format!("a transaction of {several} operations"),
    };
    format!(
        "this is {what}: only registers are judged, by transactions of one [:r key value] or \
         [:w key value]"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_register_is_named() {
        for (f, name) in [
            ("append", "list-append"),
            ("add", "a set or a counter"),
            ("transfer", "bank accounts"),
            ("acquire", "a lock"),
            ("dequeue", "a queue"),
            ("poll", "a log"),
            ("frobnicate", ":frobnicate is no operation on a register"),
        ] {
            let said = not_a_register(f);
            assert!(
                said.contains(name) && said.contains("only registers"),
                "{said}"
            );
        }
    }
}
