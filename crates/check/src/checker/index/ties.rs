//! What the clock does not tell: operations of one session that follow each other at one instant.

use super::{Index, Table};
use crate::history::NEVER;

/// The row was invoked at the instant at which its session's last operation on the key returned.
const TIED_INVOKE: u8 = 1;
/// The row returned at the instant at which its session's next operation on the key was invoked.
const TIED_RETURN: u8 = 2;
/// Operations of one session at one instant that are looked through for the last on a key.
const TIED_MAX: usize = 64;
impl Index<'_> {
    /// Finds the operations of one session on one key that follow each other without a tick of the
    /// clock between them. For one such pair at an instant of a key, times can tell it from what
    /// was concurrent. Two pairs side by side are in no interval order (Fishburn 1970), so times
    /// cannot tell the others.
    pub(super) fn find_ties(&mut self) {
        let mut taken: Table<(u32, u64), ()> = Table::default();
        for session in 0..self.by_session.len() {
            let rows = self.by_session.at(session);
            for at in 1..rows.len() {
                let b = rows[at] as usize;
                let (key, instant) = (self.key[b], self.columns.invoke[b]);
                let tied = rows[..at].iter().rev().map(|row| *row as usize);
                let mut tied = tied.take_while(|row| self.ends_at(*row, instant));
                let on_key = |row: &usize| self.key[*row] == key && self.returned(*row) == instant;
                let Some(a) = tied.by_ref().take(TIED_MAX).find(on_key) else {
                    if tied.next().is_some() {
                        self.untold.insert(key, ());
                    }
                    continue;
                };
                if taken.insert((key, instant), ()).is_none() {
                    self.ties[a] |= TIED_RETURN;
                    self.ties[b] |= TIED_INVOKE;
                } else {
                    self.untold.insert(key, ());
                }
            }
        }
    }

    /// Whether the row ended at `instant`, or began there without an end.
    fn ends_at(&self, row: usize, instant: u64) -> bool {
        match self.columns.returned[row] {
            NEVER => self.columns.invoke[row] == instant,
            returned => returned == instant,
        }
    }

    /// Whether on some key the order of a session is in neither [`Self::fine_invoke`] nor
    /// [`Self::fine_return`].
    pub(in super::super) fn has_untold_ties(&self) -> bool {
        !self.untold.is_empty()
    }

    /// The dense keys on which that is so, in no order that matters.
    #[cfg(feature = "stateright")]
    pub(in super::super) fn untold_keys(&self) -> Vec<u32> {
        let mut keys: Vec<u32> = self.untold.keys().copied().collect();
        keys.sort_unstable();
        keys
    }

    /// Whether that is so on a dense key.
    pub(in super::super) fn has_untold_ties_on(&self, key: u32) -> bool {
        self.untold.contains_key(&key)
    }

    /// The invoke in quarters of a ns: what a session did next at the same instant comes after.
    pub(in super::super) fn fine_invoke(&self, row: usize) -> u64 {
        let tied = self.ties[row] & TIED_INVOKE != 0;
        (self.invoke(row) << 2) | if tied { 2 } else { 0 }
    }

    /// The return in quarters of a ns, after every invoke at the same instant but that of what its
    /// session did next.
    pub(in super::super) fn fine_return(&self, row: usize) -> u64 {
        match self.returned(row) {
            NEVER => NEVER,
            returned => {
                let tied = self.ties[row] & TIED_RETURN != 0;
                (returned << 2) | if tied { 1 } else { 3 }
            }
        }
    }
}
