//! What the checks by what clients saw found about the four guarantees.

use super::super::happens_before::Graph;
use super::super::property::AnomalyKind;
use super::super::verdict::{Check, Findings, Verdict};
use super::PROPERTIES;

/// The guarantees by their places in [`PROPERTIES`].
pub(super) const RYW: usize = 0;
pub(super) const MR: usize = 1;
pub(super) const MW: usize = 2;
pub(super) const WFR: usize = 3;

const KINDS: [AnomalyKind; 4] = [
    AnomalyKind::ReadOwnWriteMissed,
    AnomalyKind::NonMonotonicRead,
    AnomalyKind::NonMonotonicWrite,
    AnomalyKind::WriteBeforeRead,
];

pub(super) struct Found<'g, 'a, 'h> {
    graph: &'g Graph<'a, 'h>,
    findings: [Findings<'h>; 4],
    /// Why a guarantee is left open.
    pub(super) open: [Option<String>; 4],
}

impl<'g, 'a, 'h> Found<'g, 'a, 'h> {
    pub(super) fn new(graph: &'g Graph<'a, 'h>) -> Self {
        Self {
            graph,
            findings: PROPERTIES.map(|property| Findings::new(graph.index.history, property)),
            open: [const { None }; 4],
        }
    }

    /// Reports a get that does not show what it has to; `shown` says what it shows, `why` why that
    /// breaks the guarantee.
    pub(super) fn add(&mut self, guarantee: usize, missing: u32, get: u32, shown: &str, why: &str) {
        let returned = self.graph.sources(get).iter().copied();
        let others = returned.filter(|put| *put != missing);
        let rows: Vec<usize> = std::iter::once(missing)
            .chain(others)
            .chain([get])
            .map(|row| row as usize)
            .collect();
        self.findings[guarantee].add(KINDS[guarantee], &rows, || {
            format!("the get shows {shown}, although {why}")
        });
    }

    /// Leaves every guarantee open that is not refuted.
    pub(super) fn leave_open(&mut self, reason: &str) {
        self.open = [const { None }; 4].map(|_: Option<String>| Some(reason.to_owned()));
    }

    pub(super) fn checks(self) -> [Check; 4] {
        let checked = self.graph.rows.len() as u64;
        let mut open = self.open.into_iter();
        self.findings.map(|findings| {
            let open = open.next().flatten();
            let refuted = !findings.is_empty();
            let mut check = findings.check(checked);
            if let (Some(reason), false) = (open, refuted) {
                check.verdict = Verdict::unknown(reason);
            }
            check
        })
    }
}
