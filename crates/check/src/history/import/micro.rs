//! Elle's transactions: `[[:w :x 1]]`, `[[:r :x nil]]`. One operation of a transaction is an
//! operation on a register; several, and appends to lists, are not judged.

use std::borrow::Cow;

use super::super::edn::Value;
use super::jepsen::Line;
use super::others;

/// What a transaction is called.
const TRANSACTION: &str = "txn";
/// What a line calls its operation where its value may be a transaction all the same.
const LIKEWISE: [&str; 3] = ["", "read", "write"];
/// What operations of transactions are called.
const PARTS: [&str; 3] = ["r", "w", "append"];

/// The line of a transaction as that of its one operation; other lines as they are.
///
/// # Errors
/// When the transaction is not one operation on a register.
pub(super) fn single(line: Line<'_>) -> Result<Line<'_>, String> {
    let is_told = line.f == TRANSACTION;
    if !is_told && !LIKEWISE.contains(&line.f.as_ref()) {
        return Ok(line);
    }
    let operations = match &line.value {
        Some(Value::Sequence(operations)) => operations.as_slice(),
        Some(_) | None => &[],
    };
    let are_parts = !operations.is_empty()
        && operations
            .iter()
            .all(|operation| part(operation).is_some_and(|(f, ..)| PARTS.contains(&f)));
    if !is_told && !are_parts {
        return Ok(line);
    }
    // An append says most of what the history is.
    let mut functions = operations.iter().filter_map(part).map(|(f, ..)| f);
    if let Some(append) = functions.find(|f| *f == "append") {
        return Err(others::not_a_register(append));
    }
    let [operation] = operations else {
        return Err(others::several(operations.len()));
    };
    let Some((f, key, value)) = part(operation) else {
        return Err(format!(
            "{operation} is no operation of a transaction: [:r key value]"
        ));
    };
    let f = match f {
        "r" => "read",
        "w" => "write",
        other => return Err(others::not_a_register(other)),
    };
    Ok(Line {
        f: Cow::Borrowed(f),
        value: Some(Value::Sequence(vec![key.clone(), value.clone()])),
        ..line
    })
}

/// What an operation of a transaction does, to which key, with which value.
fn part<'v, 't>(operation: &'v Value<'t>) -> Option<(&'v str, &'v Value<'t>, &'v Value<'t>)> {
    let Value::Sequence(items) = operation else {
        return None;
    };
    let [f, key, value] = items.as_slice() else {
        return None;
    };
    Some((f.keyword().or_else(|| f.text())?, key, value))
}
