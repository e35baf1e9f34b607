//! Last write wins as counting.

use super::{Evident, Need, Rule, finish};
use crate::checker::index::{Index, Table};
use crate::checker::lww::{Item, Versions};
use crate::checker::one_value::siblings;

/// Numbers for counters, given out as they are asked for.
#[derive(Default)]
struct Counters {
    numbers: Table<LwwCounter, u32>,
}

impl Counters {
    fn of(&mut self, counter: LwwCounter) -> u32 {
        let next = self.numbers.len() as u32;
        *self.numbers.entry(counter).or_insert(next)
    }
}

/// What the operations of last write wins count for.
#[derive(PartialEq, Eq, Hash)]
enum LwwCounter {
    Origin(u32),
    Register(u32, u32),
}

/// The specification of last write wins.
///
/// # Errors
/// When no operation carries a version, or one returned several values.
pub(in super::super) fn lww(index: &Index<'_>) -> Result<Evident, String> {
    if let Some(reason) = siblings(index) {
        return Err(reason);
    }
    let versions = Versions::new(index);
    let coverage = versions.coverage();
    if coverage.known == 0 && coverage.all > 0 {
        return Err("no operation carries a version".to_owned());
    }
    let mut items = versions.items();
    items.sort_unstable_by_key(|item| (item.rank(), item.row));
    let mut counters = Counters::default();
    let mut rules = Table::default();
    let mut taken: Vec<u32> = Vec::new();
    // The counter and count at which each put has been taken.
    let mut put_at: Table<u32, Need> = Table::default();
    for group in items.chunk_by(|a, b| a.rank() == b.rank()) {
        // Operations of one rank need what came before the rank, not one another.
        let count = |counter: u32| taken.get(counter as usize).copied().unwrap_or(0);
        let mut counted: Vec<u32> = Vec::new();
        for item in group {
            let register = LwwCounter::Register(item.place, index.key[item.row as usize]);
            let register = counters.of(register);
            let mut rule = Rule {
                needs: vec![Need {
                    counter: register,
                    at_least: count(register),
                }],
                counts: vec![register],
                impossible: !item.is_get && group.len() > 1,
            };
            if item.is_get {
                read_needs(index, &versions, item, &put_at, &mut rule);
            } else {
                let origin = counters.of(LwwCounter::Origin(item.place));
                let at_least = count(origin);
                rule.needs.push(Need {
                    counter: origin,
                    at_least,
                });
                rule.counts.push(origin);
                put_at.insert(
                    item.row,
                    Need {
                        counter: origin,
                        at_least: at_least + 1,
                    },
                );
            }
            counted.extend(&rule.counts);
            rules.insert(item.row, rule);
        }
        taken.resize(counters.numbers.len(), 0);
        for counter in counted {
            taken[counter as usize] += 1;
        }
    }
    Ok(finish(index, rules, counters.numbers.len(), coverage))
}

/// A get comes after its put, and under its put's version.
fn read_needs(
    index: &Index<'_>,
    versions: &Versions<'_, '_>,
    item: &Item,
    put_at: &Table<u32, Need>,
    rule: &mut Rule,
) {
    if let [put] = index.puts_read(item.row as usize) {
        rule.impossible = versions.of_put(*put as usize) != item.version;
        match put_at.get(put) {
            Some(need) => rule.needs.push(*need),
            None => rule.impossible = true,
        }
    } else {
        rule.impossible = item.version.is_some();
    }
}
