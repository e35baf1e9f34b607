//! Convergence: after the run, with faults healed and the cluster quiet, every replica of a group
//! answers every touched key with the same set of ids. Whether an acknowledged put has vanished is
//! another question (`lost_writes/`).
//!
//! The evidence is the gets of the final phase and the local ones. Every node that acknowledged
//! anything is a replica. One that did not answer makes the verdict unknown, never valid.

use super::index::{Index, Table, is_whole};
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost, Reduction};
use super::verdict::{Check, Findings, Verdict};
use crate::history::{Evidence, Kind, Outcome};

/// The row of the table.
pub(super) struct Convergence;

impl Checker for Convergence {
    fn properties(&self) -> &'static [Property] {
        &[Property::Convergence]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Pass
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check(&Final::new(ask.index))]
    }

    /// It compares sets, from which the same id can be taken away everywhere.
    fn reduction(&self) -> Reduction {
        Reduction::SingleValues
    }
}

/// What the final reads say about the keys.
pub(super) struct Final<'a, 'h> {
    pub(super) index: &'a Index<'h>,
    /// Nodes of each group, in ascending order.
    nodes: &'a Table<u16, Vec<u16>>,
}

impl<'a, 'h> Final<'a, 'h> {
    /// Looks at the gets of the final phase.
    pub(super) fn new(index: &'a Index<'h>) -> Self {
        let nodes = index.nodes.get_or_init(|| Self::nodes(index));
        Self { index, nodes }
    }

    /// The nodes of each group: those that the header lists, those that were asked in the end, and
    /// those that acknowledged anything at all.
    fn nodes(index: &Index<'_>) -> Table<u16, Vec<u16>> {
        let columns = index.columns;
        let mut nodes: Table<u16, Vec<u16>> = Table::default();
        for group in &index.history.header.groups {
            nodes.entry(group.id).or_default().extend(&group.nodes);
        }
        let answered = |row: &usize| {
            columns.phase[*row].is_after_run() || columns.outcome[*row] == Outcome::Ok
        };
        for row in (0..columns.len()).filter(answered) {
            let group = nodes.entry(columns.group[row]).or_default();
            if !group.contains(&columns.node[row]) {
                group.push(columns.node[row]);
            }
        }
        for group in nodes.values_mut() {
            group.sort_unstable();
            group.dedup();
        }
        nodes
    }

    /// For each node of the key's group its last final or local get, as far as there is one.
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
            if !self.index.is_final_get(row) {
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

    /// The last final gets of a key's nodes. Of those that carry no evidence one speaks for all
    /// that returned the same.
    pub(super) fn values(&self, key: usize) -> Vec<usize> {
        let columns = self.index.columns;
        let gets = self.reads(key).into_iter().filter_map(|(_, get)| get);
        let mut values: Vec<(Vec<u64>, usize)> = Vec::new();
        for get in gets {
            let ids = sorted_ids(self.index, get);
            let is_silent = |get: usize| columns.evidence[get] == Evidence::None;
            let mut silent = values.iter().filter(|(_, known)| is_silent(*known));
            if !is_silent(get) || silent.all(|(known, _)| *known != ids) {
                values.push((ids, get));
            }
        }
        values.into_iter().map(|(_, get)| get).collect()
    }

    pub(super) fn touched(&self) -> impl Iterator<Item = usize> {
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

/// Whether a vector covers a dot.
pub(super) fn covers(vector: &[u64], dot: u64) -> bool {
    use crate::history::dot_origin;
    vector
        .iter()
        .any(|entry| dot_origin(*entry) == dot_origin(dot) && *entry >= dot)
}
