//! Causal consistency of multi-value registers, judged by what clients saw and nothing else.
//!
//! Visibility has to contain happens-before (session order and reads-from). A get is refuted when
//! it returned a put that a later visible one on the key follows (`stale-read`), or when a visible
//! put is missing that no returned one can supersede (`missed-write`). A returned put `m` cannot
//! supersede `w` if `m` comes before `w`, or if somebody read `w` while `m` was visible to it.
//! Where only one can, it must: that edge joins visibility, and the whole is judged again, to the
//! fixed point (bad patterns and saturation after Bouajjani et al., *On verifying causal
//! consistency*, POPL 2017, carried over to multi-value registers). At the fixed point visibility
//! explains every get; where several puts could supersede one, the question is left open.
//! O(n·k) a round for k sessions that wrote.

mod rounds;
mod world;

use std::collections::BTreeSet;

use super::index::{Index, Table};
use super::property::{AnomalyKind, Property};
use super::verdict::{Check, Findings, Verdict};
use rounds::{Missing, Round};
use world::World;

/// Clock entries that are kept at most: 256 MiB of them, twice.
const ENTRIES_MAX: usize = 64 << 20;
/// Operations visited in all rounds together before saturation is given up.
const VISITS_MAX: usize = 3_000_000;

/// Checks each replica group on its own.
pub(super) fn check(index: &Index<'_>) -> Check {
    let mut findings = Findings::new(index.history, Property::CausalBlackBox);
    let groups: BTreeSet<u16> = index.columns.group.iter().copied().collect();
    let mut checked = 0;
    let mut open = None;
    for group in groups {
        let world = World::new(index, group);
        if world.entries() > ENTRIES_MAX {
            open = Some(format!(
                "{} puts by {} sessions are more than the black-box check affords",
                world.puts.len(),
                world.columns()
            ));
            continue;
        }
        checked += world.rows.len() as u64;
        if let Some(reason) = saturate(&world, &mut findings) {
            open = Some(reason);
        }
    }
    let refuted = !findings.is_empty();
    let mut check = findings.check(checked);
    if let (Some(reason), false) = (open, refuted) {
        check.verdict = Verdict::unknown(reason);
    }
    check
}

/// Runs rounds to the fixed point. Returns why the question is left open, if it is.
fn saturate(world: &World<'_, '_>, findings: &mut Findings<'_>) -> Option<String> {
    let mut forced: Table<u32, Vec<u32>> = Table::default();
    let mut visits = 0;
    loop {
        let mut round = Round::new(world, &forced);
        let complete = round.run(findings);
        visits += world.rows.len();
        if !complete || !findings.is_empty() {
            return None;
        }
        let mut undecided = 0u64;
        let mut edges = Vec::new();
        for missing in round.take_missing() {
            match round.superseders(&missing).as_slice() {
                [] => report_missed(world, &missing, findings),
                [only] => edges.push((*only, missing.put)),
                [_, _, ..] => undecided += 1,
            }
        }
        let mut news = 0u64;
        for (later, before) in edges {
            let known = forced.entry(later).or_default();
            if !known.contains(&before) {
                known.push(before);
                news += 1;
            }
        }
        if !findings.is_empty() {
            return None;
        }
        if news == 0 {
            return (undecided > 0).then(|| {
                format!("{undecided} reads leave it open which of several puts superseded another")
            });
        }
        if visits + world.rows.len() > VISITS_MAX {
            return Some(format!(
                "happens-before refutes nothing; saturation was given up with {news} new edges"
            ));
        }
    }
}

fn report_missed(world: &World<'_, '_>, missing: &Missing, findings: &mut Findings<'_>) {
    let (put, get) = (world.row_of(missing.put), missing.get as usize);
    let mut rows = vec![put];
    rows.extend(world.index.puts_read(get).iter().map(|row| *row as usize));
    rows.push(get);
    findings.add(AnomalyKind::MissedWrite, &rows, || {
        format!(
            "the put of {} happened before {}, which neither returned it nor anything that can \
             have superseded it",
            crate::history::id_text(world.index.columns.written[put]),
            world.index.name(get)
        )
    });
}
