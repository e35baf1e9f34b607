//! Which processes run, for whoever looks at them from outside.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The nodes' processes, by the nodes' numbers, for whoever looks at them from outside while
/// whoever starts them is busy.
#[derive(Clone, Debug, Default)]
pub struct Processes(Rc<RefCell<BTreeMap<u16, u32>>>);

impl Processes {
    /// Each node that runs, and the id of its process.
    #[must_use]
    pub fn all(&self) -> Vec<(u16, u32)> {
        let processes = self.0.borrow();
        processes.iter().map(|(node, id)| (*node, *id)).collect()
    }

    /// Replaces what is known of them: these nodes run now, in these processes.
    pub fn set(&self, processes: impl IntoIterator<Item = (u16, u32)>) {
        *self.0.borrow_mut() = processes.into_iter().collect();
    }
}
