//! Rows in groups: those of a key, or of a session.

/// Rows in groups: those of group `g` are one slice.
#[derive(Debug, Default)]
pub(in super::super) struct Groups {
    pub(super) starts: Vec<u32>,
    pub(super) rows: Vec<u32>,
}

impl Groups {
    /// Groups rows by `group[row]`, in the order of the rows.
    pub(super) fn new(group: &[u32], groups: usize) -> Self {
        let mut starts = vec![0u32; groups + 1];
        for g in group {
            starts[*g as usize + 1] += 1;
        }
        for g in 0..groups {
            starts[g + 1] += starts[g];
        }
        let mut next = starts.clone();
        let mut rows = vec![0u32; group.len()];
        for (row, g) in (0u32..).zip(group) {
            let slot = &mut next[*g as usize];
            rows[*slot as usize] = row;
            *slot += 1;
        }
        Self { starts, rows }
    }

    pub(in super::super) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(in super::super) fn at(&self, group: usize) -> &[u32] {
        &self.rows[self.starts[group] as usize..self.starts[group + 1] as usize]
    }
}
