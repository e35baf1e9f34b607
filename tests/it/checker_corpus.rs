//! The corpora of good and bad histories.
