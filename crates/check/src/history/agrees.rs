//! Whether rows and the end record agree with the header. The checkers cannot judge what the header
//! does not declare.

use std::collections::BTreeSet;

use super::header::{End, Header};
use super::operation::{CORRUPT, Kind};

impl Header {
    /// Whether the header says one thing only.
    ///
    /// # Errors
    /// When it does not: what contradicts what.
    pub(super) fn agrees(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        if let Some(key) = self.keys.iter().find(|key| !seen.insert(key.as_str())) {
            return Err(format!("its header names the key {key:?} twice"));
        }
        let mut seen = BTreeSet::new();
        if let Some(group) = self.groups.iter().find(|group| !seen.insert(group.id)) {
            return Err(format!("its header describes group {} twice", group.id));
        }
        if self.limit.is_some_and(|limit| limit.one_key_in == 0) {
            return Err("its header's limit samples one key in 0: it is at least 1".to_owned());
        }
        Ok(())
    }

    /// Whether the row after `before` others can stand in a history with this header.
    ///
    /// # Errors
    /// When it cannot, a sentence about the row.
    pub(super) fn takes(
        &self,
        before: usize,
        kind: Kind,
        key: u64,
        written: u64,
        read: &[u64],
    ) -> Result<(), String> {
        if let Some(limit) = self.limit
            && before as u64 >= limit.operations
            && !limit.samples(key)
        {
            return Err(format!(
                "it is beyond the header's limit of {} operations, and key {key} is not in the \
                 sample that goes on being recorded",
                limit.operations
            ));
        }
        let is_named = |names: &[String], id: u64| id < names.len() as u64 || names.is_empty();
        if !is_named(&self.keys, key) {
            return Err(format!("the header names no key {key}"));
        }
        let own = (kind != Kind::Get).then_some(&written);
        let mut values = own.into_iter().chain(read);
        match values.find(|id| **id != CORRUPT && !is_named(&self.values, **id)) {
            Some(id) => Err(format!("the header's `values` has no text {id}")),
            None => Ok(()),
        }
    }

    /// Whether a history of so many rows under this header can have that end record.
    ///
    /// # Errors
    /// When it cannot, a sentence about the end record.
    pub(super) fn ends_with(&self, end: End, rows: usize) -> Result<(), String> {
        let End {
            operations,
            left_out,
            interrupted: _,
        } = end;
        if operations != rows as u64 {
            return Err(format!(
                "the end record counts {operations} operations, the file holds {rows}"
            ));
        }
        let reached = self.limit.is_some_and(|it| operations >= it.operations);
        match (left_out, self.limit) {
            (0, _) => Ok(()),
            (_, None) => Err(format!(
                "the end record says that {left_out} operations were left out, but the header \
                 declares no `limit` that says which"
            )),
            (_, Some(_)) if reached => Ok(()),
            (_, Some(limit)) => Err(format!(
                "the end record says that {left_out} operations were left out beyond a limit of \
                 {} that {operations} do not reach",
                limit.operations
            )),
        }
    }
}
