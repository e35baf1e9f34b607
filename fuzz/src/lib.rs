//! What the fuzz targets do with bytes. The test `fuzz_corpus` includes this file too, so that the
//! seeds are replayed by exactly this code.

mod bytes;
mod judge;

use std::cell::OnceCell;
use std::path::Path;

use kvs_zoo::history::edn::Value;
use kvs_zoo::history::{Format, History, ImportOptions, ReadError, read_history, write_json_lines};
use kvs_zoo::protocol::Message;
use kvs_zoo::transport::codec;
use kvs_zoo::transport::frame::{PREFIX_BYTES, append_message, decode_message};

/// The longest input that is tried, in bytes: longer ones find nothing that short ones do not.
const INPUT_BYTES_MAX: usize = 1 << 16;

/// The formats of other tools, of which an import's first byte picks one; another bit picks JSON.
const IMPORTED: [Format; 4] = [
    Format::JepsenEdn,
    Format::JepsenLog,
    Format::PorcupineKv,
    Format::Plume,
];

/// Reads bytes as JSON lines. What was read whole and is written is read again as it was.
pub fn jsonl(data: &[u8]) {
    read_and_write(data, Format::JsonLines, &ImportOptions::default());
}

/// Reads bytes as an Arrow stream.
pub fn arrow(data: &[u8]) {
    read_and_write(data, Format::Arrow, &ImportOptions::default());
}

/// Reads bytes as a history of another tool.
pub fn imports(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let options = ImportOptions {
        initial: (first & 4 != 0).then_some(Value::Int(0)),
        nil_reads_match_anything: first & 8 != 0,
        failed_cas: None,
    };
    let format = if first & 16 != 0 {
        Format::JepsenJson
    } else {
        IMPORTED[usize::from(first & 3)]
    };
    read_and_write(rest, format, &options);
}

/// Makes a small history of bytes and judges it by every model.
pub fn checkers(data: &[u8]) {
    judge::by_every_model(&bytes::history(data));
}

/// Decodes bytes as each thing that crosses the wire. What decodes is encoded again, and decodes to
/// the same.
pub fn codec(data: &[u8]) {
    let (mut dots, mut again) = (Vec::new(), Vec::new());
    if let Ok((id, request)) = codec::decode_request(data, &mut dots) {
        let key = codec::key_of_request(data);
        assert_eq!(key, Some(request.key), "a key is found without decoding");
        let mut frame = Vec::new();
        codec::append_request(&mut frame, id, &request).expect("what was decoded is legal");
        let second = codec::decode_request(&frame[PREFIX_BYTES..], &mut again);
        assert_eq!(second, Ok((id, request)), "a request is what was encoded");
    }
    let mut frame = Vec::new();
    let decoded = codec::decode_response(data, &mut dots, |id, response| {
        codec::append_response(&mut frame, id, response).expect("what was decoded is legal");
        format!("{id} {response:?}")
    });
    if let Ok(first) = decoded {
        let second = codec::decode_response(&frame[PREFIX_BYTES..], &mut again, |id, response| {
            format!("{id} {response:?}")
        });
        assert_eq!(second, Ok(first), "a response is what was encoded");
    }
    if let Ok(message) = decode_message::<Message>(data) {
        let mut frame = Vec::new();
        append_message(&mut frame, &message).expect("what was decoded is legal");
        let second = decode_message::<Message>(&frame[PREFIX_BYTES..]);
        assert_eq!(second, Ok(message), "a message is what was encoded");
    }
}

fn read_and_write(data: &[u8], format: Format, options: &ImportOptions) {
    if data.len() > INPUT_BYTES_MAX {
        return;
    }
    let Ok(history) = read(data, Some(format), options) else {
        return;
    };
    // Names that a header gives to nothing are not written.
    let mut lines = Vec::new();
    write_json_lines(&history, &mut lines).expect("memory takes every line");
    let again = read(&lines, Some(Format::JsonLines), &ImportOptions::default());
    match again {
        Ok(again) => assert_eq!(again.len(), history.len(), "rows were lost in writing"),
        Err(ReadError::Empty { .. }) if history.is_empty() => {}
        Err(error) => panic!("what was written is not read: {error}"),
    }
}

/// Readers take files: each thread writes its own, again and again.
fn read(
    data: &[u8],
    format: Option<Format>,
    options: &ImportOptions,
) -> Result<History, ReadError> {
    thread_local! {
        static FILE: OnceCell<tempfile::TempPath> = const { OnceCell::new() };
    }
    FILE.with(|file| {
        let path: &Path = file.get_or_init(|| {
            let file = tempfile::NamedTempFile::new().expect("a temporary file");
            file.into_temp_path()
        });
        std::fs::write(path, data).expect("the temporary file is written");
        read_history(path, format, options)
    })
}
