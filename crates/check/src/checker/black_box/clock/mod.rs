//! Vector clocks over chains of puts, kept as persistent trees.
//!
//! A clock says of each chain how many of its puts come before. Clocks share what they have in
//! common (Driscoll et al., *Making data structures persistent*, 1989): a chain that everybody has
//! seen to its end lies in a leaf that all later clocks share. So a clock costs as much as has
//! changed, and not as much as there is. Taking the larger of two clocks skips what they share.
//!
//! Clocks that grow leave lines behind that no clock refers to any more. When these outnumber the
//! lines in use, the lines in use move together ([`Clocks::collect`]).

mod collect;
mod leaves;
mod lines;

use collect::room;
use leaves::Leaves;
pub(super) use leaves::Width;
use lines::Lines;

/// Children of an inner node: one cache line.
const CHILDREN: usize = 16;
/// Bits of a reference that hold the height above the leaves.
const HEIGHT_BITS: u32 = 3;

/// Lines that there may be: 2 GiB of them, with their generations.
pub(super) const LINES_MAX: usize = (2 << 30) / (size_of::<Inner>() + size_of::<u32>());
/// What nobody may change any more.
pub(super) const FROZEN: u32 = 0;

/// A clock: the root of a tree, with its height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(u32);

impl Stamp {
    /// Nothing comes before.
    pub(super) const EMPTY: Self = Self(0);

    const fn new(place: u32, height: u32) -> Self {
        Self((place << HEIGHT_BITS) | height)
    }

    const fn place(self) -> usize {
        (self.0 >> HEIGHT_BITS) as usize
    }

    const fn height(self) -> u32 {
        self.0 & ((1 << HEIGHT_BITS) - 1)
    }
}

/// A line of references to what lies below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(align(64))]
struct Inner([Stamp; CHILDREN]);

/// All clocks. A clock's lines belong to the generation that made them, which alone may change
/// them in place.
#[derive(Debug)]
pub(super) struct Clocks {
    leaves: Leaves,
    inner: Lines<Inner>,
    inner_generation: Lines<u32>,
    generations: u32,
    /// Lines from which on those that are not in use are looked for.
    full: usize,
    /// Lines that there may be.
    lines_max: usize,
}

/// How much there was at an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    leaves: usize,
    inner: usize,
}

impl Clocks {
    /// The empty clock alone.
    pub(super) fn new(lines_max: usize, width: Width) -> Self {
        Self {
            leaves: Leaves::new(width),
            inner: Lines::new(),
            inner_generation: Lines::new(),
            generations: FROZEN,
            full: room(0),
            lines_max,
        }
    }

    /// The largest entry that there may be.
    pub(super) const fn entry_max(&self) -> u32 {
        self.leaves.entry_max()
    }

    /// Chains that a tree of some height has room for.
    const fn chains_below(&self, height: u32) -> usize {
        self.leaves.chains() << (height * CHILDREN.trailing_zeros())
    }

    /// A generation that has made nothing yet.
    pub(super) const fn generation(&mut self) -> u32 {
        self.generations += 1;
        self.generations
    }

    /// Lines there are, in use or not.
    const fn lines(&self) -> usize {
        self.leaves.len() + self.inner.len()
    }

    pub(super) const fn extent(&self) -> Extent {
        Extent {
            leaves: self.leaves.len(),
            inner: self.inner.len(),
        }
    }

    /// Forgets all that was made since `extent`. No clock made since may be used again.
    pub(super) fn truncate(&mut self, extent: Extent) {
        self.leaves.truncate(extent.leaves);
        self.inner.truncate(extent.inner);
        self.inner_generation.truncate(extent.inner);
    }

    /// How many puts of a chain come before.
    pub(super) fn get(&self, clock: Stamp, chain: u32) -> u32 {
        let (mut clock, mut chain) = (clock, chain as usize);
        loop {
            let height = clock.height();
            if chain >= self.chains_below(height) {
                return 0;
            }
            if height == 0 {
                return self.leaves.get(clock.place(), chain);
            }
            let below = self.chains_below(height - 1);
            clock = self.inner[clock.place()].0[chain / below];
            chain %= below;
        }
    }

    /// Raises the entries, one for each chain, to those of a clock.
    pub(super) fn spread(&self, clock: Stamp, entries: &mut [u32]) {
        if clock == Stamp::EMPTY {
            return;
        }
        if clock.height() == 0 {
            self.leaves.spread(clock.place(), entries);
            return;
        }
        let parts = entries.chunks_mut(self.chains_below(clock.height() - 1));
        for (child, part) in self.inner[clock.place()].0.iter().zip(parts) {
            self.spread(*child, part);
        }
    }

    /// The larger of two clocks in each entry. It is `a` itself if `b` adds nothing to it.
    pub(super) fn join(&mut self, a: Stamp, b: Stamp, generation: u32) -> Stamp {
        if a == b || b == Stamp::EMPTY {
            return a;
        }
        if a == Stamp::EMPTY {
            return b;
        }
        if a.height() == 0 && b.height() == 0 {
            let place = self.leaves.join(a.place(), b.place(), generation);
            return Stamp::new(place as u32, 0);
        }
        self.join_inner(a, b, generation)
    }

    /// What lies below the root, were the tree `height` high: a lower one is its first child.
    fn children(&self, clock: Stamp, height: u32) -> [Stamp; CHILDREN] {
        if clock.height() == height {
            return self.inner[clock.place()].0;
        }
        let mut children = [Stamp::EMPTY; CHILDREN];
        children[0] = clock;
        children
    }

    fn join_inner(&mut self, a: Stamp, b: Stamp, generation: u32) -> Stamp {
        let height = a.height().max(b.height());
        let (x, y) = (self.children(a, height), self.children(b, height));
        let mut larger = [Stamp::EMPTY; CHILDREN];
        for (larger, (x, y)) in larger.iter_mut().zip(x.iter().zip(&y)) {
            *larger = self.join(*x, *y, generation);
        }
        if larger == x && a.height() == height {
            a
        } else if larger == y && b.height() == height {
            b
        } else {
            self.put_inner(a, larger, height, generation)
        }
    }

    /// An inner node in the place of `clock`, if the generation owns that.
    fn put_inner(
        &mut self,
        clock: Stamp,
        children: [Stamp; CHILDREN],
        height: u32,
        generation: u32,
    ) -> Stamp {
        if clock.height() == height
            && generation != FROZEN
            && self.inner_generation[clock.place()] == generation
        {
            self.inner[clock.place()].0 = children;
            return clock;
        }
        self.inner.push(Inner(children));
        self.inner_generation.push(generation);
        Stamp::new(self.inner.len() as u32 - 1, height)
    }

    /// The clock with another entry for one chain.
    pub(super) fn set(&mut self, clock: Stamp, chain: u32, entry: u32, generation: u32) -> Stamp {
        let mut height = clock.height();
        while chain as usize >= self.chains_below(height) {
            height += 1;
        }
        self.set_at(clock, chain as usize, entry, height, generation)
    }

    fn set_at(
        &mut self,
        clock: Stamp,
        chain: usize,
        entry: u32,
        height: u32,
        generation: u32,
    ) -> Stamp {
        if height == 0 {
            let place = self.leaves.set(clock.place(), chain, entry, generation);
            return Stamp::new(place as u32, 0);
        }
        let mut children = self.children(clock, height);
        let below = self.chains_below(height - 1);
        let slot = chain / below;
        children[slot] = self.set_at(children[slot], chain % below, entry, height - 1, generation);
        self.put_inner(clock, children, height, generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_vectors_whose_entries_only_their_owner_sees_change() {
        for width in [Width::Narrow, Width::Wide] {
            clocks_are_vectors(width);
        }
    }

    /// The same sets and joins on plain vectors.
    fn clocks_are_vectors(width: Width) {
        let mut state = 1u64;
        let mut random = move |bound: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % bound
        };
        let mut clocks = Clocks::new(LINES_MAX, width);
        let chains = 9_000usize;
        let mut all: Vec<(Stamp, Vec<u32>)> = vec![(Stamp::EMPTY, vec![0; chains])];
        let mut head = (Stamp::EMPTY, vec![0u32; chains]);
        let mut generation = clocks.generation();
        for step in 0..2_000u64 {
            let bound = [20, 40, 600, chains as u64][(step / 500) as usize];
            let chain = random(bound) as usize;
            if random(2) == 0 {
                head.1[chain] += 1 + random(6) as u32;
                head.0 = clocks.set(head.0, chain as u32, head.1[chain], generation);
            } else {
                let other = &all[random(all.len() as u64) as usize];
                head.0 = clocks.join(head.0, other.0, generation);
                for (entry, other) in head.1.iter_mut().zip(&other.1) {
                    *entry = (*entry).max(*other);
                }
            }
            if random(3) == 0 {
                all.push(head.clone());
                generation = clocks.generation();
                head = all[random(all.len() as u64) as usize].clone();
            }
            if step % 300 == 299 {
                let (before, forgotten) = (clocks.lines(), all.len() / 3);
                all.drain(..forgotten);
                clocks.collect(|visit| {
                    all.iter_mut().for_each(|(clock, _)| visit(clock));
                    visit(&mut head.0);
                });
                assert!(clocks.lines() < before, "what was forgotten takes no room");
            }
        }
        for (clock, entries) in &all {
            let mut spread = vec![0; chains];
            clocks.spread(*clock, &mut spread);
            assert_eq!(spread, *entries);
            for (chain, entry) in entries.iter().enumerate() {
                assert_eq!(clocks.get(*clock, chain as u32), *entry);
            }
        }
        for (clock, _) in &all {
            assert_eq!(clocks.join(*clock, *clock, FROZEN), *clock);
            assert_eq!(clocks.join(*clock, Stamp::EMPTY, FROZEN), *clock);
        }
    }
}
