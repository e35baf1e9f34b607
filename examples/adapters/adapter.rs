//! An adapter in Rust, for the key-value store over HTTP of `server.py`: docs/reference/adapters.md.
//!
//! ```text
//! python3 examples/adapters/server.py 8080 &
//! kvs-bench adapter check --endpoints 127.0.0.1:8080 -- target/release/examples/adapter
//! ```

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

/// One request on a connection of its own, and what became of it: a status and a body.
fn ask(
    address: &str,
    method: &str,
    key: &str,
    body: &str,
    old: Option<&str>,
) -> io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    let old = old.map_or_else(String::new, |old| format!("If-Match: {old}\r\n"));
    let length = body.len();
    write!(
        stream,
        "{method} /{key} HTTP/1.0\r\nContent-Length: {length}\r\n{old}\r\n{body}"
    )?;
    let mut answer = String::new();
    BufReader::new(stream).read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}

fn serve(address: &str, request: &Value) -> Value {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    let id = &request["id"];
    let done = match text("op") {
        "read" => ask(address, "GET", text("key"), "", None),
        "update" => ask(address, "PUT", text("key"), text("value"), None),
        "cas" => ask(address, "PUT", text("key"), text("to"), Some(text("from"))),
        _ => return json!({"id": id, "fail": {"code": 10, "text": "not supported"}}),
    };
    match done {
        Ok((200, value)) => json!({"id": id, "ok": {"value": value}}),
        Ok((204 | 404, _)) => json!({"id": id, "ok": {"value": null}}),
        Ok((412, _)) => json!({"id": id, "fail": {"code": 22, "text": "it holds another value"}}),
        Ok((status, _)) => json!({"id": id, "info": {"code": 0, "text": status.to_string()}}),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            json!({"id": id, "fail": {"code": 11, "text": error.to_string()}})
        }
        // It may have been done: whoever cannot tell says so.
        Err(error) => json!({"id": id, "info": {"code": 0, "text": error.to_string()}}),
    }
}

fn main() -> io::Result<()> {
    let mut lines = io::stdin().lock().lines();
    let init: Value = serde_json::from_str(&lines.next().expect("a first line")?)?;
    let node = &init["init"]["node"];
    let address = format!(
        "{}:{}",
        node["host"].as_str().unwrap_or("127.0.0.1"),
        node["port"]
    );
    println!("{}", json!({"ready": {"ops": ["read", "update", "cas"]}}));
    for line in lines {
        println!("{}", serve(&address, &serde_json::from_str(&line?)?));
    }
    Ok(())
}
