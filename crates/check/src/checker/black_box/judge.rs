//! What one get says of visibility.

use super::clock::Stamp;
use super::contradiction::Contradiction;
use super::questions::Missing;
use super::saturation::Saturation;
use super::world::NONE;

/// Gets that returned a missing put and are asked what they saw, at most.
const READERS_ASKED: usize = 32;
/// Entries of clocks are looked up one by one where a key has fewer lasts than one in this many
/// chains.
const SPREAD_FROM: usize = 16;

impl Saturation<'_, '_> {
    /// Judges a get that saw what any of some clocks covers, beside what it returned: nothing that
    /// it returned follows another one, and what it saw and did not return has been superseded.
    pub(super) fn judge(&mut self, get: u32, seen: &[Stamp]) {
        let world = self.world;
        if let [put] = world.index.puts_read(get as usize) {
            let own = self.visible.clock[world.node[*put as usize] as usize];
            // What the get saw is what the put that it returned comes after.
            if seen.iter().any(|clock| *clock != own) {
                self.judge_seen(get, seen, &[own]);
            }
            return;
        }
        let returned: Vec<u32> = world.returned(get).collect();
        for a in &returned {
            if let Some(b) = returned.iter().find(|b| self.precedes(*a, **b)) {
                let put = world.row[*a as usize];
                // If this get is the reason why the only candidate cannot have superseded the put,
                // then the get that asked missed the put.
                let contradiction = self.forced.by(*a, *b).map_or(
                    Contradiction::Stale {
                        put,
                        later: world.row[*b as usize],
                        get,
                    },
                    |get| Contradiction::Missed { put, get },
                );
                self.contradict(contradiction);
            }
        }
        let clocks: Vec<Stamp> = returned
            .iter()
            .map(|m| self.visible.clock[*m as usize])
            .collect();
        self.judge_seen(get, seen, &clocks);
    }

    /// Looks for what a get saw on its key, and no returned put comes after. Of each chain the
    /// last such put speaks for those before it.
    fn judge_seen(&mut self, get: u32, seen: &[Stamp], returned: &[Stamp]) {
        let mut missing = std::mem::take(&mut self.missing);
        self.find_missing(get, seen, returned, &mut missing);
        match self.world.index.puts_read(get as usize) {
            [put] if missing.len() > 1 => {
                self.answer_alone(get, self.world.node[*put as usize], &missing);
            }
            _ => {
                for put in &missing {
                    self.answer(&Missing { put: *put, get });
                }
            }
        }
        missing.clear();
        self.missing = missing;
    }

    fn find_missing(&mut self, get: u32, seen: &[Stamp], returned: &[Stamp], found: &mut Vec<u32>) {
        let world = self.world;
        let key = world.index.key[get as usize];
        let epochs = world
            .returned(get)
            .map(|put| self.visible.epoch[put as usize]);
        let epoch = epochs.max().unwrap_or(0);
        let end = world.index.returned(get as usize);
        let Some(recent) = self.on_key.recent(key, epoch, end) else {
            self.find_missing_by_chain(key, seen, returned, found);
            return;
        };
        let clocks = &self.visible.clocks;
        for put in recent {
            let (chain, place) = self.position(put);
            let known = |clock: &Stamp| clocks.get(*clock, chain) >= place;
            if chain == NONE || returned.iter().any(known) || !seen.iter().any(known) {
                continue;
            }
            // The last of a chain speaks for those before it.
            let is_later = |found: &u32| self.position(*found).0 == chain;
            if !found.iter().any(is_later) {
                found.push(put);
            }
        }
    }

    /// The same, for each chain from its last put on the key back.
    fn find_missing_by_chain(
        &mut self,
        key: u32,
        seen: &[Stamp],
        returned: &[Stamp],
        found: &mut Vec<u32>,
    ) {
        let (lasts, puts) = self.on_key.lasts(key);
        let chains = self.visible.chains.count();
        let is_spread = lasts.len() * SPREAD_FROM > chains;
        if is_spread {
            for entries in [&mut self.known, &mut self.seen] {
                entries.clear();
                entries.resize(chains, 0);
            }
            for clock in returned {
                self.visible.clocks.spread(*clock, &mut self.known);
            }
            for clock in seen {
                self.visible.clocks.spread(*clock, &mut self.seen);
            }
        }
        let (clocks, chain_place) = (&self.visible.clocks, &self.visible.chains.place);
        for (last, put) in lasts.iter().zip(puts) {
            let (known, seen) = if is_spread {
                let chain = last.chain as usize;
                (self.known[chain], self.seen[chain])
            } else {
                let most = |of: &[Stamp]| {
                    let entries = of.iter().map(|clock| clocks.get(*clock, last.chain));
                    entries.max().unwrap_or(0)
                };
                (most(returned), most(seen))
            };
            // Both at once: nothing foretells which of the two fails.
            if (known >= last.place) | (seen <= known) {
                continue;
            }
            let place = |put: u32| chain_place[put as usize];
            let put = self.on_key.back(*put, |put| place(put) > seen);
            found.extend(put.filter(|put| known < place(*put)));
        }
    }

    /// Answers what a get missed that returned `only`: as [`Self::answer`] does one after another,
    /// but `only` grows once.
    fn answer_alone(&mut self, get: u32, only: u32, missing: &[u32]) {
        let generation = self.visible.clocks.generation();
        let mut clock = self.visible.clock[only as usize];
        let mut latest = self.visible.latest[only as usize];
        for put in missing.iter().copied() {
            if self.is_in(put, clock) {
                continue;
            }
            if self.precedes(only, put) {
                self.answer(&Missing { put, get });
                continue;
            }
            self.forced.add(put, only, get);
            clock = self
                .visible
                .clocks
                .join(clock, self.visible.clock[put as usize], generation);
            latest = latest.max(self.visible.latest[put as usize]);
        }
        self.grow(only, clock, latest);
    }

    /// Whether a put that was seen was returned, or one that supersedes it.
    fn is_explained(&self, put: u32, returned: &[u32]) -> bool {
        returned
            .iter()
            .any(|by| *by == put || self.precedes(put, *by))
    }

    /// Whether the question is still open.
    pub(super) fn is_still_open(&self, missing: &Missing) -> bool {
        let returned: Vec<u32> = self.world.returned(missing.get).collect();
        !self.is_explained(missing.put, &returned)
    }

    /// Says what superseded a put that a get saw and did not return, if there is only one
    /// candidate.
    pub(super) fn answer(&mut self, missing: &Missing) {
        let returned: Vec<u32> = self.world.returned(missing.get).collect();
        if self.is_explained(missing.put, &returned) {
            return;
        }
        let candidates = self.candidates(missing, &returned);
        match candidates.as_slice() {
            [] => {
                let put = self.world.row[missing.put as usize];
                let get = missing.get;
                let follows = returned.iter().find(|m| self.precedes(**m, missing.put));
                self.contradict(match follows {
                    // A value that only another get's answer puts behind is no stale one.
                    Some(m) if returned.len() == 1 && self.forced.by(*m, missing.put).is_none() => {
                        Contradiction::Stale {
                            put: self.world.row[*m as usize],
                            later: put,
                            get,
                        }
                    }
                    _ => Contradiction::Missed { put, get },
                });
            }
            [only] => self.force(missing.put, *only, missing.get),
            [likeliest, _, ..] => self.keep_open(missing.clone(), returned, *likeliest),
        }
    }

    /// The returned puts that can have superseded what is missing, the likeliest first.
    pub(super) fn candidates(&mut self, missing: &Missing, returned: &[u32]) -> Vec<u32> {
        let before = |m: &&u32| !self.precedes(**m, missing.put);
        let mut candidates: Vec<u32> = returned.iter().filter(before).copied().collect();
        candidates.sort_unstable();
        candidates.dedup();
        if candidates.len() > 1 {
            self.ask_readers(missing.put, &mut candidates);
            let index = self.world.index;
            let put = self.world.row[missing.put as usize] as usize;
            candidates.sort_by_key(|candidate| {
                let row = self.world.row[*candidate as usize] as usize;
                // A replica supersedes what it has applied: what it put itself, and what is old.
                let elsewhere = index.columns.node[row] != index.columns.node[put];
                let overlaps = index.returned(put) > index.invoke(row);
                (overlaps, elsewhere, std::cmp::Reverse(index.invoke(row)))
            });
        }
        candidates
    }

    /// Removes what was visible to somebody who returned the put all the same.
    fn ask_readers(&mut self, put: u32, candidates: &mut Vec<u32>) {
        for get in self.world.readers(put).iter().take(READERS_ASKED) {
            if !self.is_done(*get) {
                continue;
            }
            let seen = self.clocks_of_get(*get);
            let is_seen = |put: u32| seen.iter().any(|clock| self.is_in(put, *clock));
            candidates.retain(|candidate| !is_seen(*candidate));
        }
    }
}
