//! Causal consistency as counting.

use super::{Evident, Need, Rule, finish};
use crate::checker::coverage::Coverage;
use crate::checker::index::{Index, NO_PUT, Table};
use crate::history::{Dominance, Evidence, Kind, dot_counter, dot_origin};

/// Pairs of puts that all gets together are held against at most.
const PAIRS_MAX: u64 = 200_000_000;

/// Whether laying the rules out takes no longer than the search affords: where contexts decide what
/// supersedes what, every get is held against all pairs of puts on its key.
pub(in super::super) fn is_affordable(index: &Index<'_>) -> bool {
    let pairs = |key: usize| {
        let rows = index.by_key.at(key).iter().map(|row| *row as usize);
        let (puts, gets): (Vec<usize>, Vec<usize>) =
            rows.partition(|row| index.columns.kind[*row] == Kind::Put);
        (puts.len() as u64).pow(2).saturating_mul(gets.len() as u64)
    };
    let pairs = (0..index.by_key.len()).map(pairs);
    index.dominance == Dominance::Applied || pairs.fold(0, u64::saturating_add) <= PAIRS_MAX
}

/// A put's evidence.
#[derive(Clone, Copy)]
struct Known<'h> {
    row: u32,
    dot: u64,
    vector: &'h [u64],
}

/// The specification of causal consistency.
///
/// # Errors
/// When no operation carries a vector.
pub(in super::super) fn causal(index: &Index<'_>) -> Result<Evident, String> {
    let columns = index.columns;
    let world = World::new(index);
    let carries = |row: usize| match columns.kind[row] {
        Kind::Get => tells(index, row),
        Kind::Put | Kind::Cas | Kind::Append => world.evident[row].is_some(),
    };
    let coverage = Coverage::of(index, carries);
    if coverage.known == 0 && coverage.all > 0 {
        return Err("no operation carries a vector".to_owned());
    }
    let mut rules: Table<u32, Rule> = Table::default();
    for session in 0..index.by_session.len() {
        // A session's contexts are per replica group.
        let mut seen: Table<u16, &[u64]> = Table::default();
        for row in index
            .by_session
            .at(session)
            .iter()
            .copied()
            .filter(|r| index.counts(*r as usize) && carries(*r as usize))
        {
            let vector = world.vector(row);
            let mut rule = world.rule(row, vector);
            if let Some(before) = seen.insert(columns.group[row as usize], vector) {
                rule.impossible |= !within(before, vector);
            }
            rules.insert(row, rule);
        }
    }
    Ok(finish(index, rules, world.origins.len(), coverage))
}

/// Whether a get carries a vector, and the evidence of all that it returned.
fn tells(index: &Index<'_>, get: usize) -> bool {
    let columns = index.columns;
    columns.evidence[get] == Evidence::Causal
        && columns.sibling_dots.at(get).len() == columns.read.at(get).len()
}

/// Whether every entry of `small` is covered by `large`.
fn within(small: &[u64], large: &[u64]) -> bool {
    small
        .iter()
        .all(|dot| dot_counter(*dot) == 0 || has(large, *dot))
}

fn has(vector: &[u64], dot: u64) -> bool {
    vector
        .iter()
        .any(|entry| dot_origin(*entry) == dot_origin(dot) && *entry >= dot)
}

/// The puts that are known, by origin in the order of their dots.
struct World<'a, 'h> {
    index: &'a Index<'h>,
    evident: Vec<Option<Known<'h>>>,
    /// Each origin's counter and puts.
    origins: Table<u32, (u32, Vec<Known<'h>>)>,
    /// Each key's puts by origin, for the gets.
    keys: Table<(u32, u32), Vec<Known<'h>>>,
}

impl<'a, 'h> World<'a, 'h> {
    fn new(index: &'a Index<'h>) -> Self {
        let columns = index.columns;
        let mut evident: Vec<Option<Known<'h>>> = vec![None; index.history.len()];
        let telling = |row: &usize| index.is_usable_get(*row) && tells(index, *row);
        for get in (0..index.history.len()).filter(telling) {
            for (place, put) in index.puts_read(get).iter().enumerate() {
                let dot = columns.sibling_dots.at(get)[place];
                let vector = columns.sibling_vector(get, place);
                evident[*put as usize].get_or_insert(Known {
                    row: *put,
                    dot,
                    vector,
                });
            }
        }
        for row in (0..index.history.len()).filter(|row| index.is_effective_put(*row)) {
            if columns.evidence[row] == Evidence::Causal {
                let (dot, vector) = (columns.dot[row], columns.vector.at(row));
                evident[row] = Some(Known {
                    row: row as u32,
                    dot,
                    vector,
                });
            }
        }
        let mut world = Self {
            index,
            evident,
            origins: Table::default(),
            keys: Table::default(),
        };
        let mut puts: Vec<Known<'h>> = world.evident.iter().flatten().copied().collect();
        puts.sort_unstable_by_key(|put| (put.dot, put.row));
        for put in puts {
            let origin = dot_origin(put.dot);
            let next = world.origins.len() as u32;
            world
                .origins
                .entry(origin)
                .or_insert((next, Vec::new()))
                .1
                .push(put);
            let key = index.key[put.row as usize];
            world.keys.entry((key, origin)).or_default().push(put);
        }
        world
    }

    fn vector(&self, row: u32) -> &'h [u64] {
        match &self.evident[row as usize] {
            Some(put) => put.vector,
            None => self.index.columns.vector.at(row as usize),
        }
    }

    fn rule(&self, row: u32, vector: &'h [u64]) -> Rule {
        let own = self.evident[row as usize].map(|put| put.dot);
        let mut rule = Rule::default();
        for dot in vector {
            let Some((counter, puts)) = self.origins.get(&dot_origin(*dot)) else {
                continue;
            };
            // At its own origin a put covers those before it, whatever its vector says.
            let own_here = own.filter(|own| dot_origin(*own) == dot_origin(*dot));
            let covered = puts.partition_point(|put| match own_here {
                Some(own) => put.dot < own,
                None => put.dot <= *dot,
            });
            rule.needs.push(Need {
                counter: *counter,
                at_least: covered as u32,
            });
            // Whoever covers a put covers all that it covers; of one origin the last speaks for
            // the others, which were its dependencies in turn.
            if let Some(last) = covered.checked_sub(1).map(|place| &puts[place]) {
                rule.impossible |= !within(last.vector, vector);
                rule.impossible |= own.is_some_and(|own| has(last.vector, own));
            }
        }
        if let Some(own) = own {
            self.put_rule(row, own, vector, &mut rule);
        } else {
            rule.impossible |= !self.answers(row as usize, vector);
        }
        rule
    }

    fn put_rule(&self, row: u32, own: u64, vector: &[u64], rule: &mut Rule) {
        // What its client had seen is visible to a put.
        let named = self.index.context_puts(row as usize).iter();
        let known = named.filter_map(|put| self.evident[*put as usize]);
        rule.impossible |= !known.into_iter().all(|put| has(vector, put.dot));
        rule.impossible |= dot_counter(own) == 0 || !vector.contains(&own);
        let twins = self.origins.get(&dot_origin(own)).map_or(0, |(_, puts)| {
            puts.iter()
                .skip(puts.partition_point(|p| p.dot < own))
                .take_while(|p| p.dot == own)
                .count()
        });
        rule.impossible |= twins != 1;
        rule.counts.extend(
            self.origins
                .get(&dot_origin(own))
                .map(|(counter, _)| *counter),
        );
    }

    /// What the contexts of what a get returned name, and the contexts of that, and so on.
    fn known_to(&self, get: usize) -> Table<u32, ()> {
        let contexts = |put: &u32| self.index.context_puts(*put as usize).iter().copied();
        let mut known: Table<u32, ()> = Table::default();
        let mut left: Vec<u32> = self
            .index
            .puts_read(get)
            .iter()
            .flat_map(contexts)
            .collect();
        while let Some(put) = left.pop() {
            if known.insert(put, ()).is_none() {
                left.extend(contexts(&put));
            }
        }
        known
    }

    /// Whether a get returned exactly the maxima of what its vector covers on its key, under the
    /// evidence of their puts.
    fn answers(&self, get: usize, vector: &[u64]) -> bool {
        let key = self.index.key[get];
        let by_context = self.index.dominance == Dominance::Context;
        let visible: Vec<Known<'_>> = vector
            .iter()
            .flat_map(|dot| {
                let puts = self.keys.get(&(key, dot_origin(*dot)));
                let puts = puts.map_or(&[][..], Vec::as_slice);
                let covered = puts.partition_point(|put| put.dot <= *dot);
                // Each of an origin's puts supersedes those before, unless contexts decide that.
                let first = if by_context {
                    0
                } else {
                    covered.saturating_sub(1)
                };
                puts[first..covered].iter().copied()
            })
            .collect();
        let supersedes = |other: &Known<'_>, put: &Known<'_>| {
            if by_context {
                self.index
                    .context_puts(other.row as usize)
                    .contains(&put.row)
            } else {
                other.row != put.row && has(other.vector, put.dot)
            }
        };
        // What stands between the two may have given no evidence.
        let known = self.known_to(get);
        let is_maximum = |put: &&Known<'_>| {
            !known.contains_key(&put.row) && visible.iter().all(|other| !supersedes(other, put))
        };
        let mut expected: Vec<u32> = visible.iter().filter(is_maximum).map(|p| p.row).collect();
        let mut returned = self.index.puts_read(get).to_vec();
        expected.sort_unstable();
        returned.sort_unstable();
        returned.dedup();
        let columns = self.index.columns;
        let same_evidence = self
            .index
            .puts_read(get)
            .iter()
            .enumerate()
            .all(|(place, put)| {
                *put != NO_PUT
                    && self.evident[*put as usize].is_some_and(|evident| {
                        evident.dot == columns.sibling_dots.at(get)[place]
                            && evident.vector == columns.sibling_vector(get, place)
                    })
            });
        expected == returned && same_evidence
    }
}
