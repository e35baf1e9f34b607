//! What puts supersede by their contexts, laid out for asking what a get had to return.
//!
//! The puts on a key stand in runs: those of one session, or of one origin, in an order in which
//! whoever saw one saw all before it. A seen put is superseded when a put that has it in its
//! context was seen too. The check need not follow contexts of contexts, since what they name was
//! seen as well.

use super::super::index::{Index, Table};

/// Entries of all puts' knowledge together at most, 256 MiB of them.
const ENTRIES_MAX: usize = 64 << 20;
/// Puts that are looked at for all gets at most.
const LOOKS_MAX: u64 = 4 << 30;
/// What a step from a put to what supersedes it counts for.
const STEP_LOOKS: u64 = 16;

/// What is wrong with a get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::checker) enum Wrong {
    /// It returned a put that another one which it had seen supersedes.
    Superseded { put: u32, by: u32 },
    /// It had seen a put that nothing it had seen supersedes, and did not return it.
    Missing { put: u32 },
}

/// A put as its key's runs have it.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    run: u32,
    /// From 1; 0 for what is in no run.
    place: u32,
    /// Where what it knew starts in `known`.
    known: usize,
}

/// The contexts of all puts.
#[derive(Debug)]
pub(in crate::checker) struct Contexts<'r> {
    /// Each key's runs, by rows.
    runs: Vec<Vec<&'r [u32]>>,
    places: Vec<Place>,
    /// For each put and each run of its key the number of puts that the put knew: all up to there
    /// are in its context, or are superseded by puts that are.
    known: Vec<u32>,
    /// Pairs of a put and one that has it in its context: the first of each run.
    superseded: Vec<(u32, u32)>,
    looks: u64,
}

impl<'r> Contexts<'r> {
    /// Lays out the puts of each key, given by their runs.
    ///
    /// # Errors
    /// When that takes more memory than the check affords.
    pub(in crate::checker) fn new(
        index: &Index<'_>,
        runs: impl Iterator<Item = Vec<&'r [u32]>>,
    ) -> Result<Self, String> {
        let mut contexts = Self {
            runs: runs.collect(),
            places: vec![Place::default(); index.history.len()],
            known: Vec::new(),
            superseded: Vec::new(),
            looks: 0,
        };
        let mut entries = 0;
        for runs in &contexts.runs {
            for (run, puts) in (0..).zip(runs) {
                for (place, put) in (1..).zip(*puts) {
                    contexts.places[*put as usize] = Place {
                        run,
                        place,
                        known: entries,
                    };
                    entries += runs.len();
                }
            }
        }
        if entries > ENTRIES_MAX {
            return Err(format!(
                "what each put knew takes {entries} entries, more than the check affords"
            ));
        }
        contexts.known = vec![0; entries];
        contexts.find_known(index);
        contexts.find_superseded(index);
        Ok(contexts)
    }

    fn is_placed(&self, put: u32) -> bool {
        self.places[put as usize].place > 0
    }

    /// The puts of a context that are in a run.
    fn context<'i>(&self, index: &'i Index<'_>, put: u32) -> Vec<u32> {
        let named: &'i [u32] = index.context_puts(put as usize);
        let placed = named.iter().copied().filter(|named| self.is_placed(*named));
        placed.collect()
    }

    /// Puts after those of their contexts; one that knew itself is refuted elsewhere.
    fn find_known(&mut self, index: &Index<'_>) {
        let all: Vec<u32> = self
            .runs
            .iter()
            .flatten()
            .copied()
            .flatten()
            .copied()
            .collect();
        let mut entered = vec![false; self.places.len()];
        let mut stack: Vec<(u32, bool)> = Vec::new();
        for root in all {
            stack.push((root, false));
            while let Some((put, is_ready)) = stack.pop() {
                if is_ready {
                    let named = self.context(index, put);
                    let known = self.known_to(index.key[put as usize], &named);
                    let start = self.places[put as usize].known;
                    self.known[start..start + known.len()].copy_from_slice(&known);
                } else if !std::mem::replace(&mut entered[put as usize], true) {
                    stack.push((put, true));
                    let named = self.context(index, put).into_iter();
                    stack.extend(named.map(|named| (named, false)));
                }
            }
        }
    }

    /// Up to where in each run all puts are among `named` or known to those.
    fn known_to(&self, key: u32, named: &[u32]) -> Vec<u32> {
        let mut known = vec![0; self.runs[key as usize].len()];
        let mut places: Vec<Place> = named.iter().map(|put| self.places[*put as usize]).collect();
        for place in &places {
            let own = &self.known[place.known..place.known + known.len()];
            for (known, own) in known.iter_mut().zip(own) {
                *known = (*known).max(*own);
            }
        }
        places.sort_unstable_by_key(|place| (place.run, place.place));
        for place in places {
            let known = &mut known[place.run as usize];
            *known += u32::from(*known + 1 == place.place);
        }
        known
    }

    fn find_superseded(&mut self, index: &Index<'_>) {
        for put in self.runs.iter().flatten().copied().flatten() {
            let named = self.context(index, *put).into_iter();
            self.superseded.extend(named.map(|named| (named, *put)));
        }
        let places = &self.places;
        self.superseded.sort_unstable_by_key(|(put, by)| {
            let by = places[*by as usize];
            (*put, by.run, by.place)
        });
        let run = |(put, by): &(u32, u32)| (*put, places[*by as usize].run);
        self.superseded.dedup_by_key(|pair| run(pair));
    }

    /// A put that supersedes `put`, among the first `seen` of each run.
    fn superseded_by(&self, put: u32, seen: &[u32]) -> Option<u32> {
        let start = self.superseded.partition_point(|pair| pair.0 < put);
        let own = self.superseded[start..].iter().take_while(|p| p.0 == put);
        own.map(|pair| pair.1).find(|by| {
            let by = self.places[*by as usize];
            by.place <= seen[by.run as usize]
        })
    }

    /// What the contexts of some puts name, the contexts of that, and so on: through puts that are
    /// in no run, too, because nobody gave their evidence.
    fn known_through_contexts(
        &mut self,
        index: &Index<'_>,
        puts: &[u32],
    ) -> Result<Table<u32, ()>, String> {
        let mut known: Table<u32, ()> = Table::default();
        let mut left = puts.to_vec();
        while let Some(put) = left.pop() {
            let named = index.context_puts(put as usize).iter();
            left.extend(named.filter(|named| known.insert(**named, ()).is_none()));
        }
        self.look(STEP_LOOKS * known.len() as u64)?;
        Ok(known)
    }

    /// What is wrong with a get of `key` that had seen the first `seen` puts of each run.
    ///
    /// # Errors
    /// When all gets together are more work than the check affords.
    pub(in crate::checker) fn judge(
        &mut self,
        index: &Index<'_>,
        key: u32,
        seen: &[u32],
        returned: &[u32],
    ) -> Result<Vec<Wrong>, String> {
        let mut wrong = Vec::new();
        for put in returned {
            if let Some(by) = self.superseded_by(*put, seen) {
                wrong.push(Wrong::Superseded { put: *put, by });
            }
        }
        let placed: Vec<u32> = returned
            .iter()
            .copied()
            .filter(|p| self.is_placed(*p))
            .collect();
        let known = self.known_to(key, &placed);
        let mut looks = 0;
        for (run, puts) in self.runs[key as usize].iter().enumerate() {
            let (from, to) = (known[run].min(seen[run]), seen[run]);
            looks += 1 + u64::from(to - from);
            for put in &puts[from as usize..to as usize] {
                if !returned.contains(put) && self.superseded_by(*put, seen).is_none() {
                    wrong.push(Wrong::Missing { put: *put });
                }
            }
        }
        self.look(looks)?;
        if wrong
            .iter()
            .any(|wrong| matches!(wrong, Wrong::Missing { .. }))
        {
            let known = self.known_through_contexts(index, returned)?;
            wrong.retain(|wrong| match wrong {
                Wrong::Missing { put } => !known.contains_key(put),
                Wrong::Superseded { .. } => true,
            });
        }
        Ok(wrong)
    }

    /// The puts of `key` for which a get does not stand that had seen the first `seen` of each run:
    /// it did not return them, no context of what it returned names them, no context of what those
    /// name, and so on. `readers` gives the puts whose contexts name a put, and maybe gets.
    ///
    /// # Errors
    /// When all gets together are more work than the check affords.
    pub(in crate::checker) fn not_stood_for<'i>(
        &mut self,
        seen: &[u32],
        returned: &[u32],
        key: u32,
        readers: impl Fn(u32) -> &'i [u32],
    ) -> Result<Vec<u32>, String> {
        let placed = returned.iter().copied().filter(|p| self.is_placed(*p));
        let known = self.known_to(key, &placed.collect::<Vec<u32>>());
        let mut missing = Vec::new();
        let mut looks = 0;
        for (run, puts) in self.runs[key as usize].iter().enumerate() {
            let (from, to) = (known[run].min(seen[run]), seen[run]);
            looks += 1 + u64::from(to - from);
            for put in &puts[from as usize..to as usize] {
                // From the put to those that supersede it, as far as the get had seen them.
                let mut entered: Table<u32, ()> = Table::default();
                let mut left = vec![*put];
                let mut is_stood_for = false;
                while let Some(put) = left.pop().filter(|_| !is_stood_for) {
                    let place = self.places[put as usize];
                    is_stood_for =
                        returned.contains(&put) || place.place <= known[place.run as usize];
                    let readers = readers(put);
                    looks += STEP_LOOKS + readers.len() as u64;
                    for by in readers {
                        let place = self.places[*by as usize];
                        let was_seen = place.place > 0 && place.place <= seen[place.run as usize];
                        if was_seen && entered.insert(*by, ()).is_none() {
                            left.push(*by);
                        }
                    }
                }
                if !is_stood_for {
                    missing.push(*put);
                }
            }
        }
        self.look(looks)?;
        Ok(missing)
    }

    fn look(&mut self, looks: u64) -> Result<(), String> {
        self.looks += looks;
        if self.looks > LOOKS_MAX {
            return Err(
                "gets lack so many puts that looking for what superseded each of them \
                        would take too long"
                    .to_owned(),
            );
        }
        Ok(())
    }
}
