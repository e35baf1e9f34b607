//! Happens-before as clocks, one pass over the operations with causes first.
//!
//! A clock says for each session that wrote how many of its puts came before. A put's clock is
//! kept only while gets that read it are still to come, and a session's only until its last
//! operation, so that memory follows what is live and not the length of the history.

use super::graph::{Graph, NONE};

/// Clock entries that are live at most, 256 MiB of them; beyond it the question is left open.
const ENTRIES_MAX: usize = 64 << 20;

/// More clocks would have been live at once than [`ENTRIES_MAX`] affords.
#[derive(Debug)]
pub(in crate::checker) struct TooMany;

/// The clocks that are live.
pub(in crate::checker) struct Clocks<'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    slots: Vec<Vec<u32>>,
    free: Vec<u32>,
    /// Chain to the slot of its clock, and the operations that it has left.
    chains: Vec<(u32, u32)>,
    /// A put to the slot of its clock, and the gets that are still to come.
    puts: Vec<u32>,
    readers: Vec<u32>,
}

impl<'g, 'a, 'h> Clocks<'g, 'a, 'h> {
    pub(in crate::checker) fn new(graph: &'g Graph<'a, 'h>) -> Self {
        Self {
            graph,
            slots: Vec::new(),
            free: Vec::new(),
            chains: graph
                .chains
                .iter()
                .map(|chain| (NONE, chain.length))
                .collect(),
            puts: vec![NONE; graph.chain.len()],
            readers: graph.readers.clone(),
        }
    }

    /// Brings the row's session up to it, what it read or wrote included.
    pub(in crate::checker) fn enter(&mut self, row: u32) -> Result<(), TooMany> {
        let chain = self.graph.chain[row as usize] as usize;
        if self.chains[chain].0 == NONE {
            self.chains[chain].0 = self.slot()?;
        }
        let slot = self.chains[chain].0;
        for put in self.graph.sources(row) {
            let [to, from] = pair(&mut self.slots, slot, self.puts[*put as usize]);
            for (to, from) in to.iter_mut().zip(from.iter()) {
                *to = (*to).max(*from);
            }
        }
        if self.graph.is_put(row) {
            let column = self.graph.chains[chain].column as usize;
            self.slots[slot as usize][column] = self.graph.place[row as usize];
            if self.readers[row as usize] > 0 {
                let copy = self.slot()?;
                let [from, to] = pair(&mut self.slots, slot, copy);
                to.copy_from_slice(from);
                self.puts[row as usize] = copy;
            }
        }
        Ok(())
    }

    /// The clock of the row that was entered last.
    pub(in crate::checker) fn now(&self, row: u32) -> &[u32] {
        let chain = self.graph.chain[row as usize] as usize;
        &self.slots[self.chains[chain].0 as usize]
    }

    /// The clock of the put that the get which was entered last returned.
    pub(in crate::checker) fn of_put(&self, put: u32) -> &[u32] {
        &self.slots[self.puts[put as usize] as usize]
    }

    /// Lets go of what no later row needs.
    pub(in crate::checker) fn leave(&mut self, row: u32) {
        let chain = &mut self.chains[self.graph.chain[row as usize] as usize];
        chain.1 -= 1;
        if chain.1 == 0 {
            self.free.push(chain.0);
        }
        for put in self.graph.sources(row) {
            let readers = &mut self.readers[*put as usize];
            *readers -= 1;
            if *readers == 0 {
                self.free.push(self.puts[*put as usize]);
            }
        }
    }

    fn slot(&mut self) -> Result<u32, TooMany> {
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize].fill(0);
            return Ok(slot);
        }
        if (self.slots.len() + 1).saturating_mul(self.graph.width) > ENTRIES_MAX {
            return Err(TooMany);
        }
        self.slots.push(vec![0; self.graph.width]);
        Ok(self.slots.len() as u32 - 1)
    }
}

/// Two different slots.
fn pair(slots: &mut [Vec<u32>], a: u32, b: u32) -> [&mut Vec<u32>; 2] {
    let [a, b] = [a as usize, b as usize];
    let (low, high) = slots.split_at_mut(a.max(b));
    if a < b {
        [&mut low[a], &mut high[0]]
    } else {
        [&mut high[0], &mut low[b]]
    }
}
