//! Lines that never move: a vector in pieces.
//!
//! A vector of a gigabyte is copied when it grows, and takes its memory twice meanwhile. In pieces
//! it costs one more look at a short table instead.

use std::ops::{Index, IndexMut};

/// Bits of a place within its piece: 4 MiB of cache lines.
const PLACE_BITS: u32 = 16;
const PIECE: usize = 1 << PLACE_BITS;

/// Values by place, in pieces of [`PIECE`].
#[derive(Debug)]
pub(super) struct Lines<T> {
    /// All full but the last that is not empty.
    pieces: Vec<Vec<T>>,
    len: usize,
}

impl<T: Copy> Lines<T> {
    pub(super) const fn new() -> Self {
        Self {
            pieces: Vec::new(),
            len: 0,
        }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, line: T) {
        let piece = self.len >> PLACE_BITS;
        if piece == self.pieces.len() {
            self.pieces.push(Vec::with_capacity(PIECE));
        }
        self.pieces[piece].push(line);
        self.len += 1;
    }

    /// Forgets all lines from `len` on; their room is kept.
    pub(super) fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        for piece in (len >> PLACE_BITS)..=((self.len - 1) >> PLACE_BITS) {
            self.pieces[piece].truncate(len.saturating_sub(piece << PLACE_BITS));
        }
        self.len = len;
    }
}

impl<T> Lines<T> {
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pieces.iter_mut().flatten()
    }
}

impl<T> Index<usize> for Lines<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.pieces[place >> PLACE_BITS][place & (PIECE - 1)]
    }
}

impl<T> IndexMut<usize> for Lines<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.pieces[place >> PLACE_BITS][place & (PIECE - 1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_pieces_are_a_vector() {
        let (mut lines, mut plain) = (Lines::new(), Vec::new());
        for len in [3, PIECE, 2 * PIECE + 1, PIECE + 5, PIECE, 2 * PIECE, 0, 7] {
            while lines.len() < len {
                lines.push(plain.len());
                plain.push(plain.len());
            }
            lines.truncate(len);
            plain.truncate(len);
            if let Some(last) = len.checked_sub(1) {
                lines[last] += 1;
                plain[last] += 1;
            }
            assert_eq!(lines.len(), plain.len());
            assert!((0..len).all(|place| lines[place] == plain[place]));
            assert!(lines.iter_mut().map(|line| *line).eq(plain.iter().copied()));
        }
    }
}
