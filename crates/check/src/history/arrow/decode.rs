//! Record batches as columns, checked for what the readers of a history rely on.

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, DictionaryArray, ListArray, RecordBatch, UInt8Array,
    UInt64Array,
    cast::AsArray,
    types::{UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};

use super::CONTEXT;
use super::possible::rows_are_possible;
use crate::history::column::{Fill, Lists, TooLarge};
use crate::history::columns::{Columns, Evidence, NEVER};
use crate::history::operation::{ErrorKind, Kind, Outcome, Phase};

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
    /// A row that cannot have happened.
    #[error("its row {row}: {reason}")]
    Row {
        /// The row within its batch, from 1.
        row: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The siblings' dots, vectors and ids do not pair up.
    #[error("a get has {0} entries in sibling_dots that read and sibling_vectors do not have")]
    Siblings(usize),
    /// Too many entries.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Appends a batch's rows to `columns`.
pub(super) fn decode(batch: &RecordBatch, columns: &mut Columns) -> Result<(), DecodeError> {
    let rows = columns.len();
    numbers::<UInt32Type>(batch, "session", &mut columns.session)?;
    numbers::<UInt32Type>(batch, "index", &mut columns.index)?;
    words(batch, "kind", &mut columns.kind, Kind::from_name)?;
    numbers::<UInt64Type>(batch, "key", &mut columns.key)?;
    nullable_numbers(batch, "written", 0, &mut columns.written)?;
    lists(batch, "read", &mut columns.read)?;
    numbers::<UInt64Type>(batch, "intended", &mut columns.intended)?;
    numbers::<UInt64Type>(batch, "invoke", &mut columns.invoke)?;
    nullable_numbers(batch, "return", NEVER, &mut columns.returned)?;
    words(batch, "outcome", &mut columns.outcome, Outcome::from_name)?;
    decode_errors(batch, &mut columns.error)?;
    numbers::<UInt16Type>(batch, "node", &mut columns.node)?;
    numbers::<UInt16Type>(batch, "incarnation", &mut columns.incarnation)?;
    numbers::<UInt16Type>(batch, "group", &mut columns.group)?;
    words(batch, "phase", &mut columns.phase, Phase::from_name)?;
    words(batch, "evidence", &mut columns.evidence, |name| {
        Evidence::ALL.into_iter().find(|e| e.name() == name)
    })?;
    decode_contexts(batch, columns)?;
    numbers::<UInt64Type>(batch, "dot", &mut columns.dot)?;
    lists(batch, "vector", &mut columns.vector)?;
    lists(batch, "sibling_dots", &mut columns.sibling_dots)?;
    decode_sibling_vectors(batch, &mut columns.sibling_vectors)?;
    nullable_numbers(batch, "version_time", NEVER, &mut columns.version_time)?;
    numbers::<UInt32Type>(batch, "version_origin", &mut columns.version_origin)?;
    siblings_pair_up(columns, rows)?;
    rows_are_possible(columns, rows)
}

/// Checks that a row's siblings all have their evidence, since readers index by it.
fn siblings_pair_up(columns: &Columns, from: usize) -> Result<(), DecodeError> {
    let dots = &columns.sibling_dots;
    // Most batches have no siblings at all, which their first and last list show.
    if dots.start(from) < dots.values().len() {
        for i in from..columns.len() {
            let dots = dots.at(i).len();
            if dots != 0 && dots != columns.read.at(i).len() {
                return Err(DecodeError::Siblings(dots));
            }
        }
    }
    if columns.sibling_vectors.len() == dots.values().len() {
        Ok(())
    } else {
        Err(DecodeError::Siblings(columns.sibling_vectors.len()))
    }
}

fn column<'a>(batch: &'a RecordBatch, name: &'static str) -> Result<&'a ArrayRef, DecodeError> {
    batch.column_by_name(name).ok_or(DecodeError::Column(name))
}

/// Appends a column of numbers without nulls.
fn numbers<T: ArrowPrimitiveType>(
    batch: &RecordBatch,
    name: &'static str,
    into: &mut impl Fill<T::Native>,
) -> Result<(), DecodeError> {
    match column(batch, name)?.as_primitive_opt::<T>() {
        Some(array) if array.null_count() == 0 => {
            into.fill(array.values().iter().copied());
            Ok(())
        }
        Some(_) | None => Err(DecodeError::Column(name)),
    }
}

/// Appends a column of numbers in which `absent` stands for null.
fn nullable_numbers(
    batch: &RecordBatch,
    name: &'static str,
    absent: u64,
    into: &mut impl Fill<u64>,
) -> Result<(), DecodeError> {
    let array = column(batch, name)?.as_primitive_opt::<UInt64Type>();
    let array = array.ok_or(DecodeError::Column(name))?;
    match array.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => into.fill(array.values().iter().copied()),
        Some(nulls) if nulls.null_count() == array.len() => {
            into.fill(std::iter::repeat_n(absent, array.len()));
        }
        Some(nulls) => {
            let mut values = array.values().to_vec();
            for (value, is_valid) in values.iter_mut().zip(nulls.iter()) {
                *value = if is_valid { *value } else { absent };
            }
            into.fill(values.iter().copied());
        }
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
    let codes = array.keys();
    let largest = if codes.null_count() == 0 {
        codes.values().iter().copied().max()
    } else {
        codes.iter().flatten().max()
    };
    if largest.is_some_and(|code| usize::from(code) >= meanings.len()) {
        return Err(DecodeError::Column(name));
    }
    Ok((codes, meanings))
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
    into.extend(
        codes
            .values()
            .iter()
            .map(|code| meanings[usize::from(*code)]),
    );
    Ok(())
}

fn decode_errors(
    batch: &RecordBatch,
    into: &mut Vec<Option<ErrorKind>>,
) -> Result<(), DecodeError> {
    let (codes, meanings) = dictionary_of(batch, "error", ErrorKind::from_name)?;
    if codes.null_count() == codes.len() {
        into.extend(std::iter::repeat_n(None, codes.len()));
    } else {
        into.extend(
            codes
                .iter()
                .map(|code| code.map(|code| meanings[usize::from(code)])),
        );
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

/// A history that is not judged by contexts has no column for them.
fn decode_contexts(batch: &RecordBatch, columns: &mut Columns) -> Result<(), DecodeError> {
    let absent = || std::iter::repeat_n(false, batch.num_rows());
    let Some(array) = batch.column_by_name(CONTEXT) else {
        columns.has_context.fill(absent());
        for _ in absent() {
            columns.contexts.push(&[]);
        }
        return Ok(());
    };
    let list = array
        .as_list_opt::<i32>()
        .ok_or(DecodeError::Column(CONTEXT))?;
    append(list, CONTEXT, &mut columns.contexts)?;
    match list.nulls() {
        Some(nulls) => columns
            .has_context
            .fill(nulls.iter().collect::<Vec<_>>().into_iter()),
        None => columns.has_context.fill(absent().map(|_| true)),
    }
    Ok(())
}

fn decode_sibling_vectors(batch: &RecordBatch, into: &mut Lists) -> Result<(), DecodeError> {
    const NAME: &str = "sibling_vectors";
    let outer = list_column(column(batch, NAME)?, NAME)?;
    let range = outer.value_offsets();
    let (first, last) = (range[0] as usize, range[range.len() - 1] as usize);
    let inner = list_column(outer.values(), NAME)?.slice(first, last - first);
    append(&inner, NAME, into)
}
