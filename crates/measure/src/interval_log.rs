//! Reading the HDR interval log again.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use thiserror::Error;

use super::histogram::Histogram;

/// Why a file is no interval log of ours.
#[derive(Debug, Error)]
pub enum IntervalLogError {
    /// A line is no entry.
    #[error("entry {0} does not follow format 1.3 of the interval log")]
    Malformed(usize),
    /// A histogram cannot be decoded, or has other bounds.
    #[error("the histogram of entry {0} cannot be decoded")]
    Histogram(usize),
    /// No entry has that tag.
    #[error("no entry is tagged {tag:?}; there are: {}", tags.join(", "))]
    NoSuchTag {
        /// The tag that was asked for.
        tag: String,
        /// Those that there are.
        tags: Vec<String>,
    },
}

/// All intervals of an interval log with this tag taken together, such as `read.service`; without a
/// tag, of all that have the time that clients waited: `response` where there is one, else
/// `service`.
///
/// # Errors
/// When the log is malformed or has no such tag.
pub fn merge_interval_log(log: &[u8], tag: Option<&str>) -> Result<Histogram, IntervalLogError> {
    let mut tags: Vec<(String, Histogram)> = Vec::new();
    let mut deserializer = Deserializer::new();
    for (at, entry) in IntervalLogIterator::new(log).enumerate() {
        let LogEntry::Interval(interval) =
            entry.map_err(|_| IntervalLogError::Malformed(at + 1))?
        else {
            continue;
        };
        let undecoded = || IntervalLogError::Histogram(at + 1);
        let bytes = BASE64_STANDARD
            .decode(interval.encoded_histogram())
            .map_err(|_| undecoded())?;
        let counts: hdrhistogram::Histogram<u64> = deserializer
            .deserialize(&mut &bytes[..])
            .map_err(|_| undecoded())?;
        let tag = interval.tag().map_or("", |tag| tag.as_str());
        let place = match tags.iter().position(|(known, _)| known == tag) {
            Some(place) => place,
            None => {
                tags.push((tag.to_owned(), Histogram::new()));
                tags.len() - 1
            }
        };
        tags[place].1.add_all(&counts).ok_or_else(undecoded)?;
    }
    let has_response = tags.iter().any(|(tag, _)| tag.ends_with(".response"));
    let time = if has_response {
        ".response"
    } else {
        ".service"
    };
    let mut merged = Histogram::new();
    let mut found = tag.is_none();
    for (of, histogram) in &tags {
        if tag.map_or_else(|| of.ends_with(time), |tag| tag == of) {
            merged.add(histogram);
            found = true;
        }
    }
    match tag {
        Some(tag) if !found => Err(IntervalLogError::NoSuchTag {
            tag: tag.to_owned(),
            tags: tags.into_iter().map(|(tag, _)| tag).collect(),
        }),
        _ => Ok(merged),
    }
}
