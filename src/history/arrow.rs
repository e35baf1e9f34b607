//! Columns as Apache Arrow record batches and back: the schema of `history.arrows`.
//!
//! The names and types are in docs/history-schema.md. Names of enumerations are dictionaries, so
//! that pandas, Polars and DuckDB show words.

use std::sync::{Arc, LazyLock};

use arrow_array::{
    Array, ArrayRef, DictionaryArray, ListArray, RecordBatch, StringArray, UInt8Array, UInt16Array,
    UInt32Array, UInt64Array, cast::AsArray, types::UInt8Type,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Schema, SchemaRef};

use super::columns::{Columns, Evidence, Lists, NEVER};
use super::operation::{ErrorKind, Kind, Outcome, Phase};

/// The key of the schema's metadata under which the header stands, as JSON.
pub(super) const HEADER_METADATA: &str = "kvs-zoo.header";

/// The schema of a batch, with the header as its metadata.
pub(super) fn schema(header: &str) -> SchemaRef {
    let metadata = [(HEADER_METADATA.to_owned(), header.to_owned())];
    Arc::new(Schema::new_with_metadata(fields(), metadata))
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
    let arrays: Vec<ArrayRef> = vec![
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
        Arc::new(UInt16Array::from(columns.incarnation.clone())),
        Arc::new(UInt16Array::from(columns.group.clone())),
        dictionary(columns.phase.iter().map(|v| *v as u8), &WORDS.phase)?,
        dictionary(columns.evidence.iter().map(|v| *v as u8), &WORDS.evidence)?,
        Arc::new(UInt64Array::from(columns.dot.clone())),
        Arc::new(list(&columns.vector)),
        Arc::new(list(&columns.sibling_dots)),
        sibling_vectors(columns),
        nullable(&columns.version_time, NEVER),
        Arc::new(UInt32Array::from(columns.version_origin.clone())),
    ];
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
fn offsets(ends: impl ExactSizeIterator<Item = u32>) -> OffsetBuffer<i32> {
    let mut offsets = Vec::with_capacity(ends.len() + 1);
    offsets.push(0);
    offsets.extend(ends.map(|end| i32::try_from(end).expect("batches are cut below 2^31 entries")));
    OffsetBuffer::new(ScalarBuffer::from(offsets))
}

fn list(lists: &Lists) -> ListArray {
    let values = Arc::new(UInt64Array::from(lists.values().to_vec()));
    ListArray::new(item(), offsets(lists.ends().iter().copied()), values, None)
}

fn sibling_vectors(columns: &Columns) -> ArrayRef {
    let inner = Arc::new(list(&columns.sibling_vectors));
    // One vector a sibling: the outer lists end where the lists of dots end.
    let outer = offsets(columns.sibling_dots.ends().iter().copied());
    Arc::new(ListArray::new(nested_item(), outer, inner, None))
}

/// Why a batch could not be understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    /// A column is missing or has another type.
    #[error("column `{0}` is missing, has another type or holds nulls")]
    Column(&'static str),
    /// A dictionary has a word that nobody knows.
    #[error("column `{column}` has the unknown value `{value}`")]
    Word {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// The siblings' dots, vectors and ids do not pair up.
    #[error("a get has {0} entries in sibling_dots that read and sibling_vectors do not have")]
    Siblings(usize),
    /// Too many entries.
    #[error(transparent)]
    TooLarge(#[from] super::columns::TooLarge),
}

/// Appends a batch's rows to `columns`.
pub(super) fn decode(batch: &RecordBatch, columns: &mut Columns) -> Result<(), DecodeError> {
    let rows = columns.len();
    u32s(batch, "session", &mut columns.session)?;
    u32s(batch, "index", &mut columns.index)?;
    words(batch, "kind", &mut columns.kind, Kind::from_name)?;
    u64s(batch, "key", &mut columns.key, None)?;
    u64s(batch, "written", &mut columns.written, Some(0))?;
    lists(batch, "read", &mut columns.read)?;
    u64s(batch, "intended", &mut columns.intended, None)?;
    u64s(batch, "invoke", &mut columns.invoke, None)?;
    u64s(batch, "return", &mut columns.returned, Some(NEVER))?;
    words(batch, "outcome", &mut columns.outcome, Outcome::from_name)?;
    decode_errors(batch, &mut columns.error)?;
    u16s(batch, "node", &mut columns.node)?;
    u16s(batch, "incarnation", &mut columns.incarnation)?;
    u16s(batch, "group", &mut columns.group)?;
    words(batch, "phase", &mut columns.phase, Phase::from_name)?;
    words(batch, "evidence", &mut columns.evidence, |name| {
        Evidence::ALL.into_iter().find(|e| e.name() == name)
    })?;
    u64s(batch, "dot", &mut columns.dot, None)?;
    lists(batch, "vector", &mut columns.vector)?;
    lists(batch, "sibling_dots", &mut columns.sibling_dots)?;
    decode_sibling_vectors(batch, &mut columns.sibling_vectors)?;
    u64s(
        batch,
        "version_time",
        &mut columns.version_time,
        Some(NEVER),
    )?;
    u32s(batch, "version_origin", &mut columns.version_origin)?;
    siblings_pair_up(columns, rows)
}

/// Checks that a row's siblings all have their evidence, since readers index by it.
fn siblings_pair_up(columns: &Columns, from: usize) -> Result<(), DecodeError> {
    for i in from..columns.len() {
        let dots = columns.sibling_dots.at(i).len();
        if dots != 0 && dots != columns.read.at(i).len() {
            return Err(DecodeError::Siblings(dots));
        }
    }
    if columns.sibling_vectors.len() == columns.sibling_dots.values().len() {
        Ok(())
    } else {
        Err(DecodeError::Siblings(columns.sibling_vectors.len()))
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a ArrayRef, DecodeError> {
    batch.column_by_name(name).ok_or(DecodeError::Column(name))
}

/// Declares a reader of one width of unsigned column without nulls.
macro_rules! plain {
    ($name:ident, $array:ty, $number:ty) => {
        fn $name(
            batch: &RecordBatch,
            name: &'static str,
            into: &mut Vec<$number>,
        ) -> Result<(), DecodeError> {
            let array = column(batch, name)?.as_any().downcast_ref::<$array>();
            match array {
                Some(array) if array.null_count() == 0 => {
                    into.extend_from_slice(array.values());
                    Ok(())
                }
                Some(_) | None => Err(DecodeError::Column(name)),
            }
        }
    };
}

plain!(u16s, UInt16Array, u16);
plain!(u32s, UInt32Array, u32);

fn u64s(
    batch: &RecordBatch,
    name: &'static str,
    into: &mut Vec<u64>,
    null: Option<u64>,
) -> Result<(), DecodeError> {
    let array = column(batch, name)?.as_any().downcast_ref::<UInt64Array>();
    match (array, null) {
        (Some(array), _) if array.null_count() == 0 => into.extend_from_slice(array.values()),
        (Some(array), Some(null)) => into.extend(array.iter().map(|v| v.unwrap_or(null))),
        (Some(_) | None, _) => return Err(DecodeError::Column(name)),
    }
    Ok(())
}

/// The codes of a dictionary column and what its words mean.
fn dictionary_of<'a, T>(
    batch: &'a RecordBatch,
    name: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<(&'a UInt8Array, Vec<T>), DecodeError> {
    let array = column(batch, name)?
        .as_any()
        .downcast_ref::<DictionaryArray<UInt8Type>>();
    let array = array.ok_or(DecodeError::Column(name))?;
    let words = array
        .values()
        .as_string_opt::<i32>()
        .ok_or(DecodeError::Column(name))?;
    let mut meanings = Vec::with_capacity(words.len());
    for word in words.iter().map(Option::unwrap_or_default) {
        meanings.push(parse(word).ok_or_else(|| DecodeError::Word {
            column: name,
            value: word.to_owned(),
        })?);
    }
    Ok((array.keys(), meanings))
}

fn words<T: Copy>(
    batch: &RecordBatch,
    name: &'static str,
    into: &mut Vec<T>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<(), DecodeError> {
    let (codes, meanings) = dictionary_of(batch, name, parse)?;
    if codes.null_count() > 0 {
        return Err(DecodeError::Column(name));
    }
    into.reserve(codes.len());
    for code in codes.values() {
        into.push(
            *meanings
                .get(usize::from(*code))
                .ok_or(DecodeError::Column(name))?,
        );
    }
    Ok(())
}

fn decode_errors(
    batch: &RecordBatch,
    into: &mut Vec<Option<ErrorKind>>,
) -> Result<(), DecodeError> {
    let (codes, meanings) = dictionary_of(batch, "error", ErrorKind::from_name)?;
    for code in codes {
        let error = match code {
            None => None,
            Some(code) => Some(
                *meanings
                    .get(usize::from(code))
                    .ok_or(DecodeError::Column("error"))?,
            ),
        };
        into.push(error);
    }
    Ok(())
}

fn list_column<'a>(array: &'a dyn Array, name: &'static str) -> Result<&'a ListArray, DecodeError> {
    match array.as_list_opt::<i32>() {
        Some(list) if list.null_count() == 0 => Ok(list),
        Some(_) | None => Err(DecodeError::Column(name)),
    }
}

fn append(array: &ListArray, name: &'static str, into: &mut Lists) -> Result<(), DecodeError> {
    let values = array.values().as_any().downcast_ref::<UInt64Array>();
    let values = values
        .filter(|v| v.null_count() == 0)
        .ok_or(DecodeError::Column(name))?;
    into.append(array.value_offsets(), values.values())?;
    Ok(())
}

fn lists(batch: &RecordBatch, name: &'static str, into: &mut Lists) -> Result<(), DecodeError> {
    append(list_column(column(batch, name)?, name)?, name, into)
}

fn decode_sibling_vectors(batch: &RecordBatch, into: &mut Lists) -> Result<(), DecodeError> {
    const NAME: &str = "sibling_vectors";
    let outer = list_column(column(batch, NAME)?, NAME)?;
    let range = outer.value_offsets();
    let (first, last) = (range[0] as usize, range[range.len() - 1] as usize);
    let inner = list_column(outer.values(), NAME)?.slice(first, last - first);
    append(&inner, NAME, into)
}
