//! Columns as Apache Arrow record batches and back: the schema of `history.arrows`.
//!
//! The names and types are in docs/reference/history-schema.md. Names of enumerations are
//! dictionaries, so that pandas, Polars and DuckDB show words.

mod decode;
mod possible;
mod stream;

use std::sync::{Arc, LazyLock};

use arrow_array::{
    ArrayRef, DictionaryArray, ListArray, RecordBatch, StringArray, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};

use crate::history::column::Lists;
use crate::history::columns::{Columns, Evidence, NEVER};
use decode::decode;
pub(super) use stream::read;

use crate::history::header::Header;
use crate::history::operation::{Dominance, ErrorKind, Kind, Outcome, Phase};

/// The key of the schema's metadata under which the header stands, as JSON.
const HEADER_METADATA: &str = "kvs-zoo.header";

/// The column of contexts, which only histories have that are judged by them.
const CONTEXT: &str = "context";

/// The schema of a batch, with the header, which is `json`, as its metadata.
pub(super) fn schema(header: &Header, json: &str) -> SchemaRef {
    let metadata = [(HEADER_METADATA.to_owned(), json.to_owned())];
    let mut fields = fields();
    if header.dominance == Some(Dominance::Context) {
        fields.push(Field::new(CONTEXT, DataType::List(item()), true));
    }
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

fn fields() -> Vec<Field> {
    let words = || DataType::Dictionary(Box::new(DataType::UInt8), Box::new(DataType::Utf8));
    let list = || DataType::List(item());
    vec![
        Field::new("session", DataType::UInt32, false),
        Field::new("index", DataType::UInt32, false),
        Field::new("kind", words(), false),
        Field::new("key", DataType::UInt64, false),
        Field::new("written", DataType::UInt64, true),
        Field::new("read", list(), false),
        Field::new("intended", DataType::UInt64, false),
        Field::new("invoke", DataType::UInt64, false),
        Field::new("return", DataType::UInt64, true),
        Field::new("outcome", words(), false),
        Field::new("error", words(), true),
        Field::new("node", DataType::UInt16, false),
        Field::new("incarnation", DataType::UInt16, false),
        Field::new("group", DataType::UInt16, false),
        Field::new("phase", words(), false),
        Field::new("evidence", words(), false),
        Field::new("dot", DataType::UInt64, false),
        Field::new("vector", list(), false),
        Field::new("sibling_dots", list(), false),
        Field::new("sibling_vectors", DataType::List(nested_item()), false),
        Field::new("version_time", DataType::UInt64, true),
        Field::new("version_origin", DataType::UInt32, false),
    ]
}

fn item() -> FieldRef {
    Arc::new(Field::new("item", DataType::UInt64, false))
}

fn nested_item() -> FieldRef {
    Arc::new(Field::new("item", DataType::List(item()), false))
}

/// The dictionaries. One allocation for the whole process: a stream repeats a dictionary only
/// when it changed.
struct Words {
    kind: ArrayRef,
    outcome: ArrayRef,
    error: ArrayRef,
    phase: ArrayRef,
    evidence: ArrayRef,
}

static WORDS: LazyLock<Words> = LazyLock::new(|| {
    fn words<'a>(names: impl Iterator<Item = &'a str>) -> ArrayRef {
        Arc::new(StringArray::from_iter_values(names))
    }
    Words {
        kind: words(Kind::ALL.iter().map(|v| v.name())),
        outcome: words(Outcome::ALL.iter().map(|v| v.name())),
        error: words(ErrorKind::ALL.iter().map(|v| v.name())),
        phase: words(Phase::ALL.iter().map(|v| v.name())),
        evidence: words(Evidence::ALL.iter().map(|v| v.name())),
    }
});

/// Copies columns into a batch. The columns stay as they are, to be cleared and filled again.
pub(super) fn encode(columns: &Columns, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let written: UInt64Array = (0..columns.len())
        .map(|i| (columns.kind[i] != Kind::Get).then_some(columns.written[i]))
        .collect();
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(UInt32Array::from(columns.session.clone())),
        Arc::new(UInt32Array::from(columns.index.clone())),
        dictionary(columns.kind.iter().map(|v| *v as u8), &WORDS.kind)?,
        Arc::new(UInt64Array::from(columns.key.clone())),
        Arc::new(written),
        Arc::new(list(&columns.read)),
        Arc::new(UInt64Array::from(columns.intended.clone())),
        Arc::new(UInt64Array::from(columns.invoke.clone())),
        nullable(&columns.returned, NEVER),
        dictionary(columns.outcome.iter().map(|v| *v as u8), &WORDS.outcome)?,
        errors(&columns.error)?,
        Arc::new(UInt16Array::from(columns.node.clone())),
        Arc::new(UInt16Array::from(columns.incarnation.to_vec())),
        Arc::new(UInt16Array::from(columns.group.to_vec())),
        dictionary(columns.phase.iter().map(|v| *v as u8), &WORDS.phase)?,
        dictionary(columns.evidence.iter().map(|v| *v as u8), &WORDS.evidence)?,
        Arc::new(UInt64Array::from(columns.dot.to_vec())),
        Arc::new(list(&columns.vector)),
        Arc::new(list(&columns.sibling_dots)),
        sibling_vectors(columns),
        nullable(&columns.version_time.to_vec(), NEVER),
        Arc::new(UInt32Array::from(columns.version_origin.to_vec())),
    ];
    if schema.column_with_name(CONTEXT).is_some() {
        let said: Vec<bool> = columns.has_context.iter().copied().collect();
        let (field, offsets, values, _) = list(&columns.contexts).into_parts();
        let nulls = Some(NullBuffer::from(said));
        arrays.push(Arc::new(ListArray::try_new(field, offsets, values, nulls)?));
    }
    RecordBatch::try_new(Arc::clone(schema), arrays)
}

fn dictionary(codes: impl Iterator<Item = u8>, words: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let codes = UInt8Array::from_iter_values(codes);
    Ok(Arc::new(DictionaryArray::try_new(
        codes,
        Arc::clone(words),
    )?))
}

fn errors(errors: &[Option<ErrorKind>]) -> Result<ArrayRef, ArrowError> {
    let codes: UInt8Array = errors.iter().map(|e| e.map(|e| e as u8)).collect();
    Ok(Arc::new(DictionaryArray::try_new(
        codes,
        Arc::clone(&WORDS.error),
    )?))
}

/// A column in which `absent` becomes null.
fn nullable(values: &[u64], absent: u64) -> ArrayRef {
    if values.contains(&absent) {
        let array: UInt64Array = values.iter().map(|&v| (v != absent).then_some(v)).collect();
        Arc::new(array)
    } else {
        Arc::new(UInt64Array::from(values.to_vec()))
    }
}

/// Offsets of a batch's lists: a batch is far smaller than 2^31 entries.
fn offsets(lists: usize, ends: impl Iterator<Item = u32>) -> OffsetBuffer<i32> {
    let mut offsets = Vec::with_capacity(lists + 1);
    offsets.push(0);
    offsets.extend(ends.map(|end| i32::try_from(end).expect("batches are cut below 2^31 entries")));
    OffsetBuffer::new(ScalarBuffer::from(offsets))
}

fn list(lists: &Lists) -> ListArray {
    let values = Arc::new(UInt64Array::from(lists.values().to_vec()));
    ListArray::new(item(), offsets(lists.len(), lists.ends()), values, None)
}

fn sibling_vectors(columns: &Columns) -> ArrayRef {
    let inner = Arc::new(list(&columns.sibling_vectors));
    // One vector a sibling: the outer lists end where the lists of dots end.
    let outer = offsets(columns.sibling_dots.len(), columns.sibling_dots.ends());
    Arc::new(ListArray::new(nested_item(), outer, inner, None))
}
