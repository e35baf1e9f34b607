//! What went wrong with the programs that speak to a store, for the report.

use std::cell::RefCell;
use std::rc::Rc;

/// How many complaints are kept.
const KEPT_MAX: usize = 10;

/// What went wrong, each once, as long as there are few.
#[derive(Clone, Debug, Default)]
pub(in crate::targets) struct Complaints(Rc<RefCell<Vec<(String, u64)>>>);

impl Complaints {
    /// Something went wrong.
    pub(in crate::targets) fn add(&self, what: String) {
        let mut kept = self.0.borrow_mut();
        if let Some((_, times)) = kept.iter_mut().find(|(known, _)| *known == what) {
            *times += 1;
        } else if kept.len() < KEPT_MAX {
            kept.push((what, 1));
        }
    }

    /// All of it, in words.
    pub(super) fn all(&self) -> Vec<String> {
        let words = |(what, times): &(String, u64)| match times {
            1 => what.clone(),
            times => format!("{what} ({times} times)"),
        };
        self.0.borrow().iter().map(words).collect()
    }
}
