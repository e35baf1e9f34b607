//! Deleting the keys of a run, by adapters that can.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use kvs_core::drive::key_name;

use super::connection::AdapterConnector;
use super::lines::{Answer, Ask, Meaning, append, parse};
use super::program::Program;
use crate::targets::store::{Speech, StoreConfig};
use crate::wording::one_line;

/// Keys that are deleted before the answers are read: their lines fit a pipe.
const AT_ONCE: u64 = 64;
/// How long an adapter may take for as many.
const PATIENCE: Duration = Duration::from_secs(10);

/// Deletes the keys from 0 to `keys_end`: what the adapter of one node refuses, that of the next is
/// asked.
pub(in crate::targets) async fn clean(
    config: &StoreConfig,
    program: &Path,
    speech: &Rc<Speech>,
    keys_end: u64,
) -> Result<u64, String> {
    let connector = AdapterConnector::new(config, program, speech);
    let (mut start, mut deleted, mut refused) = (0, 0, None);
    for (at, node) in speech.nodes.iter().enumerate() {
        let cleaned = async {
            let mut adapter = connector
                .start(at)
                .await
                .map_err(|error| one_line(&error))?;
            while start < keys_end {
                let end = keys_end.min(start + AT_ONCE);
                let batch = delete(&mut adapter, &speech.key_prefix, start..end);
                let silent = || "it does not answer".to_owned();
                let in_time = tokio::time::timeout(PATIENCE, batch).await;
                deleted += in_time.unwrap_or_else(|_| Err(silent()))?;
                start = end;
            }
            Ok::<(), String>(())
        };
        match cleaned.await {
            Ok(()) => return Ok(deleted),
            Err(why) => refused = Some(format!("the adapter of {}: {why}", node.name)),
        }
    }
    Err(refused.unwrap_or_default())
}

/// Deletes these keys, and says how many the adapter knew to be there.
async fn delete(
    adapter: &mut Program,
    prefix: &str,
    keys: std::ops::Range<u64>,
) -> Result<u64, String> {
    let mut lines = String::new();
    for (id, key) in (0..).zip(keys.clone()) {
        let name = key_name(key);
        let name = std::str::from_utf8(&name).expect("names of keys are ASCII");
        let key = &format!("{prefix}{name}");
        append(&mut lines, id, Ask::Delete { key });
    }
    let written = adapter.stdin.write_all(lines.as_bytes()).await;
    written.map_err(|_| "it no longer reads its standard input".to_owned())?;
    let mut deleted = 0;
    let mut line = Vec::new();
    for _ in keys {
        let read = adapter.read_line(&mut line).await;
        if !matches!(read, Ok(true)) {
            return Err("it ended by itself".to_owned());
        }
        match parse(&line)? {
            (_, Answer::Ok(_)) => deleted += 1,
            (_, Answer::Fail(Meaning::NoSuchKey)) => {}
            (id, Answer::Fail(_) | Answer::Info) => {
                return Err(format!("it could not delete a key (request {id})"));
            }
        }
        line.clear();
    }
    Ok(deleted)
}
