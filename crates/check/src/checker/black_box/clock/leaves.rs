//! The leaves of clocks: a cache line of entries each.
//!
//! With entries of 16 bits a line holds 32 chains, which many sessions need. A chain then counts to
//! 65,535, after which its session begins another one. If a session puts more than that, entries
//! have 32 bits: further chains would make clocks higher, which costs more than lines that hold
//! half as many.

use std::ops::{BitOr, BitXor};

use super::FROZEN;
use super::collect::Marks;
use super::lines::Lines;

/// How many puts of a chain come before.
pub(super) trait Entry:
    Copy + Ord + Default + BitXor<Output = Self> + BitOr<Output = Self> + Into<u32> + TryFrom<u32>
{
}

impl Entry for u16 {}
impl Entry for u32 {}

/// Bits of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checker::black_box) enum Width {
    /// 16.
    Narrow,
    /// 32.
    Wide,
}

/// A line of entries.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Leaf<E, const CHAINS: usize>([E; CHAINS]);

/// Leaves, and which generation may change each in place.
#[derive(Debug)]
pub(super) struct Pool<E, const CHAINS: usize> {
    leaves: Lines<Leaf<E, CHAINS>>,
    generation: Lines<u32>,
}

impl<E: Entry, const CHAINS: usize> Pool<E, CHAINS> {
    /// The empty leaf alone.
    fn new() -> Self {
        let mut pool = Self {
            leaves: Lines::new(),
            generation: Lines::new(),
        };
        pool.add(Leaf([E::default(); CHAINS]), FROZEN);
        pool
    }

    fn add(&mut self, leaf: Leaf<E, CHAINS>, generation: u32) -> usize {
        self.leaves.push(leaf);
        self.generation.push(generation);
        self.leaves.len() - 1
    }

    fn get(&self, place: usize, chain: usize) -> u32 {
        self.leaves[place].0[chain].into()
    }

    fn spread(&self, place: usize, entries: &mut [u32]) {
        for (entry, own) in entries.iter_mut().zip(self.leaves[place].0) {
            *entry = own.into().max(*entry);
        }
    }

    fn join(&mut self, a: usize, b: usize, generation: u32) -> usize {
        let (x, y) = (self.leaves[a].0, self.leaves[b].0);
        let mut larger = [E::default(); CHAINS];
        let (mut over_x, mut over_y) = (E::default(), E::default());
        for (larger, (x, y)) in larger.iter_mut().zip(x.iter().zip(&y)) {
            *larger = *x.max(y);
            over_x = over_x | (*larger ^ *x);
            over_y = over_y | (*larger ^ *y);
        }
        if over_x == E::default() {
            a
        } else if over_y == E::default() {
            b
        } else if self.owns(a, generation) {
            self.leaves[a].0 = larger;
            a
        } else {
            self.add(Leaf(larger), generation)
        }
    }

    fn set(&mut self, place: usize, chain: usize, entry: u32, generation: u32) -> usize {
        let entry = E::try_from(entry).ok().expect("chains end before that");
        if self.owns(place, generation) {
            self.leaves[place].0[chain] = entry;
            return place;
        }
        let mut leaf = self.leaves[place];
        leaf.0[chain] = entry;
        self.add(leaf, generation)
    }

    fn owns(&self, place: usize, generation: u32) -> bool {
        generation != FROZEN && self.generation[place] == generation
    }

    fn truncate(&mut self, len: usize) {
        self.leaves.truncate(len);
        self.generation.truncate(len);
    }

    fn compact(&mut self, marks: &Marks) {
        marks.compact(&mut self.leaves);
        marks.compact(&mut self.generation);
    }
}

/// All leaves, of one width.
#[derive(Debug)]
pub(super) enum Leaves {
    Narrow(Pool<u16, 32>),
    Wide(Pool<u32, 16>),
}

/// Calls a method of the pool, whichever it is.
macro_rules! either {
    ($leaves:ident, $method:ident($($argument:expr),*)) => {
        match $leaves {
            Leaves::Narrow(pool) => pool.$method($($argument),*),
            Leaves::Wide(pool) => pool.$method($($argument),*),
        }
    };
}

impl Leaves {
    /// The empty leaf alone, at place 0.
    pub(super) fn new(width: Width) -> Self {
        match width {
            Width::Narrow => Self::Narrow(Pool::new()),
            Width::Wide => Self::Wide(Pool::new()),
        }
    }

    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Narrow(pool) => pool.leaves.len(),
            Self::Wide(pool) => pool.leaves.len(),
        }
    }

    /// Chains in a leaf.
    pub(super) const fn chains(&self) -> usize {
        match self {
            Self::Narrow(_) => 32,
            Self::Wide(_) => 16,
        }
    }

    /// The largest entry that there may be.
    pub(super) const fn entry_max(&self) -> u32 {
        match self {
            Self::Narrow(_) => u16::MAX as u32,
            Self::Wide(_) => u32::MAX,
        }
    }

    pub(super) fn get(&self, place: usize, chain: usize) -> u32 {
        either!(self, get(place, chain))
    }

    /// Raises entries to those of a leaf.
    pub(super) fn spread(&self, place: usize, entries: &mut [u32]) {
        either!(self, spread(place, entries));
    }

    /// Where the larger of each entry is: at `a` or `b` if that has it already, or if the
    /// generation owns `a`.
    pub(super) fn join(&mut self, a: usize, b: usize, generation: u32) -> usize {
        either!(self, join(a, b, generation))
    }

    /// Where the leaf with another entry for one chain is.
    pub(super) fn set(&mut self, place: usize, chain: usize, entry: u32, generation: u32) -> usize {
        either!(self, set(place, chain, entry, generation))
    }

    /// Forgets all from `len` on.
    pub(super) fn truncate(&mut self, len: usize) {
        either!(self, truncate(len));
    }

    /// Moves the marked ones together, and forgets the others.
    pub(super) fn compact(&mut self, marks: &Marks) {
        either!(self, compact(marks));
    }
}
