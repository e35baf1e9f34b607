//! EDN, Clojure's notation of data: values that are equal where Clojure's `=` says so, a reader,
//! and the one text in which each value is written.
//!
//! | file | what it holds |
//! |---|---|
//! | `value.rs` | [`Value`] and its text |
//! | `reader.rs` | text to values, one form after another |
//! | `token.rs` | what a single word is: a keyword, a symbol, a character, a number |
//! | `number.rs` | integers of any size and base, ratios, decimals, floats |
//! | `text.rs` | strings and their escapes |
//! | `tagged.rs` | instants and UUIDs, each in one spelling |
//!
//! The reader makes equal spellings the same value: `12N` and `0xC` are `12`, a list is a vector,
//! maps and sets are sorted. So derived equality, order and hash are those of the values.

mod number;
mod reader;
mod tagged;
mod text;
mod token;
mod value;

pub(super) use reader::Reader;
pub use reader::{EdnError, Fault};
pub use value::Value;

/// How deep forms may be nested: reading, comparing and writing them recurse.
pub const DEPTH_MAX: usize = 128;
