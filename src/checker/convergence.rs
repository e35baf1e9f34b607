//! Convergence: after the run, with faults healed and the cluster quiet, every replica of a group
//! answers every touched key with the same set of ids, and no acknowledged put has vanished.
//!
//! The evidence is the gets of the final phase. A replica that did not answer makes the verdict
//! unknown, never valid.

use super::index::{Index, NO_PUT, Table, is_whole};
use super::property::{AnomalyKind, Property};
use super::verdict::{Check, Findings, Verdict};
use crate::history::{Dominance, Evidence, Kind, Outcome, Phase, id_text};

/// What the final reads say about the keys.
pub(super) struct Final<'a, 'h> {
    index: &'a Index<'h>,
    /// Nodes of each group, in ascending order.
    nodes: Table<u16, Vec<u16>>,
}

impl<'a, 'h> Final<'a, 'h> {
    /// Reads the groups from the header, or, without one, from who was asked in the end.
    pub(super) fn new(index: &'a Index<'h>) -> Self {
        let mut nodes: Table<u16, Vec<u16>> = Table::default();
        for group in &index.history.header.groups {
            nodes.insert(group.id, group.nodes.clone());
        }
        if nodes.is_empty() {
            let columns = index.columns;
            for row in (0..columns.len()).filter(|row| columns.phase[*row] == Phase::Final) {
                let group = nodes.entry(columns.group[row]).or_default();
                if !group.contains(&columns.node[row]) {
                    group.push(columns.node[row]);
                }
            }
        }
        for group in nodes.values_mut() {
            group.sort_unstable();
        }
        Self { index, nodes }
    }

    /// For each node of the key's group its last final get, as far as there is one.
    fn reads(&self, key: usize) -> Vec<(u16, Option<usize>)> {
        let columns = self.index.columns;
        let rows = self.index.by_key.at(key);
        let group = columns.group[rows[0] as usize];
        let mut reads: Vec<_> = self
            .nodes
            .get(&group)
            .map(|nodes| nodes.iter().map(|node| (*node, None)).collect())
            .unwrap_or_default();
        for row in rows.iter().map(|row| *row as usize) {
            if columns.phase[row] != Phase::Final || !self.index.is_known_get(row) {
                continue;
            }
            for (node, get) in &mut reads {
                let later = get.is_none_or(|get: usize| columns.invoke[get] < columns.invoke[row]);
                if *node == columns.node[row] && later {
                    *get = Some(row);
                }
            }
        }
        reads
    }

    /// Whether a put may have changed the key, so that its final value is to be asked for.
    fn is_touched(&self, key: usize) -> bool {
        let columns = self.index.columns;
        let rows = self.index.by_key.at(key);
        is_whole(self.index.history, columns.key[rows[0] as usize])
            && rows.iter().any(|row| {
                let row = *row as usize;
                columns.kind[row] == Kind::Put && columns.outcome[row] != Outcome::Fail
            })
    }

    fn touched(&self) -> impl Iterator<Item = usize> {
        (0..self.index.by_key.len()).filter(|key| self.is_touched(*key))
    }
}

/// The ids of a get in ascending order.
fn sorted_ids(index: &Index<'_>, get: usize) -> Vec<u64> {
    let mut ids = index.columns.read.at(get).to_vec();
    ids.sort_unstable();
    ids
}

/// Whether all replicas answer alike. `checked` counts keys.
pub(super) fn check(last: &Final<'_, '_>) -> Check {
    let index = last.index;
    let mut findings = Findings::new(index.history, Property::Convergence);
    let mut checked = 0;
    let mut unasked = 0u64;
    let mut ticker = index
        .time
        .ticker(Property::Convergence.name(), index.by_key.len());
    for key in last.touched() {
        if ticker.is_over() {
            return findings.cut(checked);
        }
        let reads = last.reads(key);
        let gets: Vec<usize> = reads.iter().filter_map(|(_, get)| *get).collect();
        unasked += u64::from(gets.len() < reads.len() || reads.is_empty());
        checked += 1;
        let Some((first, others)) = gets.split_first() else {
            continue;
        };
        let expected = sorted_ids(index, *first);
        if let Some(other) = others
            .iter()
            .find(|get| sorted_ids(index, **get) != expected)
        {
            findings.add(AnomalyKind::Divergence, &[*first, *other], || {
                format!(
                    "after everything went quiet, nodes {} and {} answer {} differently",
                    index.columns.node[*first],
                    index.columns.node[*other],
                    index.key_name(*first)
                )
            });
        }
    }
    let all_alike = findings.is_empty();
    let mut check = findings.check(checked);
    if all_alike && unasked > 0 {
        check.verdict = Verdict::unknown(format!(
            "{unasked} of {checked} keys lack the final answer of a replica"
        ));
    }
    check
}

/// Whether the final value of each key holds every acknowledged put, or one that supersedes it.
/// `checked` counts puts.
pub(super) fn check_lost_writes(last: &Final<'_, '_>) -> Check {
    let index = last.index;
    let mut findings = Findings::new(index.history, Property::LostWrites);
    let (mut checked, mut undecided) = (0, 0u64);
    let mut ticker = index
        .time
        .ticker(Property::LostWrites.name(), index.history.len());
    for key in last.touched() {
        if ticker.is_over() {
            return findings.cut(checked);
        }
        let gets: Vec<usize> = last.reads(key).iter().filter_map(|(_, get)| *get).collect();
        let known: Vec<Option<Table<u32, ()>>> =
            gets.iter().map(|get| known_to(index, *get)).collect();
        for put in index.by_key.at(key).iter().map(|row| *row as usize) {
            if ticker.is_over() {
                return findings.cut(checked);
            }
            if !index.is_effective_put(put) || gets.is_empty() {
                continue;
            }
            checked += 1;
            for (get, known) in gets.iter().zip(&known) {
                let survives = match known {
                    Some(known) => Some(known.contains_key(&(put as u32))),
                    None => survives(index, put, *get),
                };
                match survives {
                    Some(true) => {}
                    Some(false) => {
                        findings.add(AnomalyKind::LostWrite, &[put, *get], || lost(index, put));
                        break;
                    }
                    None => {
                        undecided += 1;
                        break;
                    }
                }
            }
        }
    }
    let none_lost = findings.is_empty();
    let mut check = findings.check(checked);
    if none_lost && undecided > 0 {
        check.verdict = Verdict::not_applicable(format!(
            "without evidence nothing says what superseded {undecided} of the puts"
        ));
    }
    check
}

fn lost(index: &Index<'_>, put: usize) -> String {
    format!(
        "the put of {} to {} took effect, but the final value neither holds it nor one that \
         supersedes it",
        id_text(index.columns.written[put]),
        index.key_name(put)
    )
}

/// What a get returned and all that this supersedes, where contexts say that.
fn known_to(index: &Index<'_>, get: usize) -> Option<Table<u32, ()>> {
    if index.dominance != Dominance::Context {
        return None;
    }
    let mut known: Table<u32, ()> = Table::default();
    let mut left = index.puts_read(get).to_vec();
    while let Some(put) = left.pop() {
        if put != NO_PUT && known.insert(put, ()).is_none() {
            left.extend(index.context_puts(put as usize));
        }
    }
    Some(known)
}

/// Whether a final get shows `put` or what supersedes it; `None` when the evidence does not say.
fn survives(index: &Index<'_>, put: usize, get: usize) -> Option<bool> {
    let columns = index.columns;
    if columns.read.at(get).contains(&columns.written[put]) {
        return Some(true);
    }
    if columns.read.at(get).is_empty() {
        return Some(false);
    }
    match (columns.evidence[put], columns.evidence[get]) {
        (Evidence::Causal, Evidence::Causal) => {
            let siblings = columns.sibling_dots.at(get).len();
            let dot = columns.dot[put];
            Some((0..siblings).any(|j| covers(columns.sibling_vector(get, j), dot)))
        }
        (_, Evidence::Lww) => {
            let version = super::lww::put_version(index, put)?;
            Some(columns.version(get)? > version)
        }
        // An unknown put has no evidence of its own; whoever read it knew its dot.
        (Evidence::None | Evidence::Lww, Evidence::Causal) => {
            let dot = super::causal::dot_of_unknown(index, put)?;
            let siblings = columns.sibling_dots.at(get).len();
            Some((0..siblings).any(|j| covers(columns.sibling_vector(get, j), dot)))
        }
        (_, Evidence::None) => None,
    }
}

/// Whether a vector covers a dot.
pub(super) fn covers(vector: &[u64], dot: u64) -> bool {
    use crate::history::dot_origin;
    vector
        .iter()
        .any(|entry| dot_origin(*entry) == dot_origin(dot) && *entry >= dot)
}
