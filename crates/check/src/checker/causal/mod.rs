//! Causal consistency of multi-value registers by the witness that the store gives.
//!
//! Visibility as the vectors claim it is verified against the axioms (A1 to A7) below: a
//! certificate that passes exhibits the order that the definition asks for (Burckhardt et al.,
//! *Replicated data types*, POPL 2014), whoever made it. O(n·r²) for n operations and r origins.
//!
//! - A1 dots are unique.
//! - A2 along a session vectors never decrease.
//! - A3 if an operation covers a put, it covers all that the put covers. It is enough to compare
//!   with the latest put of each origin; at a put's own origin with the one before it.
//! - A4 a get's siblings are the maxima of the covered puts on its key.
//! - A5 nothing is covered by what returned before it was invoked, or by what its own session
//!   issued before it.
//! - A6 no two puts cover each other, and a put's vector has its own counter at its own origin.
//! - A7 the evidence of one put is the same wherever it is given.
//!
//! Where a put supersedes its context only, the maxima of A4 are those that the contexts leave, and
//! - A8 a put covers what its context names.
//!
//! A certificate of a part of the history can be refuted and proves nothing: each axiom is asked of
//! the operations whose evidence is known. Missing evidence breaks none of them. For A4 that needs
//! an argument: a get covers a put and did not return it, and whatever superseded that put may have
//! given no evidence. But then a put that the get returned follows it, and the get gives the
//! evidence of that put.

mod siblings;

use super::certificate::{Certificate, coverage, entry, not_covered};
use super::coverage::Coverage;
use super::dominance::{self, Contexts};
use super::index::{Index, NO_PUT, Table};
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost};
use super::verdict::{Check, Findings, Verdict};
use crate::history::{Dominance, Evidence, Kind, dot_counter, dot_origin, dot_text};

/// Places of vectors for which a key remembers its own: those of a group's few replicas.
const NEAR: usize = 4;

/// The row of the table.
pub(super) struct ByCertificate;

impl Checker for ByCertificate {
    fn properties(&self) -> &'static [Property] {
        &[Property::Causal]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Basis
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check(ask.index)]
    }

    fn is_by_evidence(&self, _index: &Index<'_>) -> bool {
        true
    }

    fn coverage(&self, index: &Index<'_>) -> Option<(&'static str, Coverage)> {
        let has_any = index.columns.evidence.contains(&Evidence::Causal);
        has_any.then(|| ("certificate", coverage(index)))
    }
}

/// The check that a search for an order is compared with, which goes without evidence too.
pub(super) fn check_as_searched(index: &Index<'_>) -> Check {
    let check = check(index);
    match check.verdict {
        Verdict::NotApplicable { .. } => dominance::check(index),
        Verdict::Valid | Verdict::Invalid { .. } | Verdict::Unknown { .. } => check,
    }
}

/// Checks the certificate of every replica group at once: groups share neither keys nor origins.
pub(super) fn check(index: &Index<'_>) -> Check {
    let coverage = coverage(index);
    if coverage.known == 0 && coverage.all > 0 {
        return Check {
            property: Property::Causal,
            checked: 0,
            verdict: Verdict::not_applicable("no operation carries a vector"),
        };
    }
    let certificate = Certificate::new(index);
    let rows = certificate.rows_by_key();
    let contexts = (index.dominance == Dominance::Context).then(|| {
        let runs = (0..index.by_key.len() as u32).map(|key| {
            let runs = certificate.runs(key);
            runs.map(|(run, _)| &rows[run]).collect()
        });
        Contexts::new(index, runs)
    });
    let (contexts, open) = match contexts.transpose() {
        Ok(contexts) => (contexts, None),
        Err(reason) => (None, Some(reason)),
    };
    let mut judge = Axioms {
        findings: Findings::new(index.history, Property::Causal),
        certificate: &certificate,
        index,
        contexts,
        near: vec![[0; NEAR]; index.by_key.len()],
        open,
        is_cut: false,
    };
    judge.dots();
    let checked = judge.run();
    if judge.is_cut {
        return judge.findings.cut(checked);
    }
    let refuted = !judge.findings.is_empty();
    let mut check = judge.findings.check(checked);
    if let (Some(reason), false) = (judge.open, refuted) {
        check.verdict = Verdict::unknown(reason);
    } else if check.verdict.is_valid() && coverage.is_partial() {
        check.verdict = coverage.undecided("vector");
    }
    check
}

struct Axioms<'a, 'h> {
    index: &'a Index<'h>,
    certificate: &'a Certificate<'a, 'h>,
    findings: Findings<'h>,
    /// What supersedes what, where contexts say that.
    contexts: Option<Contexts<'a>>,
    /// For each key, and by place in a vector, where the search for what a get saw ended last.
    near: Vec<[u32; NEAR]>,
    /// What could not be decided.
    open: Option<String>,
    /// Whether the time was over before all was judged.
    is_cut: bool,
}

/// What the last operation of a session in one group was.
#[derive(Clone, Copy)]
struct Previous<'h> {
    row: usize,
    vector: &'h [u64],
}

/// The last operation of each session in each group.
type Past<'h> = Table<(u32, u16), Previous<'h>>;

impl<'h> Axioms<'_, 'h> {
    /// A1, and A6 as far as one put shows it.
    fn dots(&mut self) {
        for (a, b) in self.certificate.same_dots() {
            let (a, b) = (self.certificate.row(a), self.certificate.row(b));
            self.findings.add(AnomalyKind::DuplicateDot, &[a, b], || {
                "both puts were given the same dot, so one of them can be lost".to_owned()
            });
        }
        for number in 0..self.certificate.puts.len() as u32 {
            let dot = self.certificate.dot(number);
            let own = entry(self.certificate.vector(number), dot_origin(dot));
            if own != dot || dot_counter(dot) == 0 {
                let row = self.certificate.row(number);
                self.findings.add(AnomalyKind::BadDot, &[row], || {
                    format!(
                        "the put's dot is {}, its vector has {}",
                        dot_text(dot),
                        dot_text(own)
                    )
                });
            }
        }
    }

    /// Judges every operation, those of each session in its order, and returns how many there were.
    ///
    /// Where the rows are in that order anyway they are taken as they are: what they cover is then
    /// near what the rows before covered.
    fn run(&mut self) -> u64 {
        let sessions = &self.index.by_session;
        let mut past: Past<'h> = Table::default();
        let all = 0..sessions.len();
        let time = &self.index.time;
        let mut ticker = time.ticker("certificate", self.index.history.len());
        if all.clone().all(|session| sessions.at(session).is_sorted()) {
            let mut checked = 0;
            for row in 0..self.index.history.len() {
                self.is_cut = ticker.is_over();
                if self.is_cut {
                    break;
                }
                checked += self.operation(row, &mut past);
            }
            return checked;
        }
        let mut checked = 0;
        for session in all {
            past.clear();
            for row in sessions.at(session) {
                self.is_cut = ticker.is_over();
                if self.is_cut {
                    return checked;
                }
                checked += self.operation(*row as usize, &mut past);
            }
        }
        checked
    }

    /// Judges an operation; 0 if there is nothing to judge.
    fn operation(&mut self, row: usize, past: &mut Past<'h>) -> u64 {
        let index = self.index;
        let number = self.certificate.number[row];
        let is_put = index.columns.kind[row] == Kind::Put;
        if !self.certificate.covers(row) {
            return 0;
        }
        let vector = if is_put {
            self.certificate.vector(number)
        } else {
            index.columns.vector.at(row)
        };
        let context = (index.session[row], index.columns.group[row]);
        if let Some(previous) = past.insert(context, Previous { row, vector }) {
            self.order(&previous, row, vector, number);
        }
        self.dependencies(row, vector, number);
        self.real_time(row, vector);
        if is_put {
            self.mutual_cover(number, vector);
            self.context(row, vector);
        } else {
            self.evidence(row);
            match self.index.dominance {
                Dominance::Applied => self.siblings(row, vector),
                Dominance::Context => self.siblings_by_contexts(row, vector),
            }
        }
        1
    }

    /// A2, and A5 within the session.
    fn order(&mut self, previous: &Previous<'h>, row: usize, vector: &[u64], number: u32) {
        if let Some(lost) = not_covered(previous.vector, vector) {
            let session = self.index.columns.session[row];
            self.findings
                .add(AnomalyKind::VectorRegression, &[previous.row, row], || {
                    format!(
                        "session {session} had seen {}, and its next operation was answered from a \
                     state without it",
                        dot_text(lost)
                    )
                });
        }
        if number != NO_PUT {
            let dot = self.certificate.dot(number);
            if entry(previous.vector, dot_origin(dot)) >= dot {
                self.findings
                    .add(AnomalyKind::FutureDependency, &[previous.row, row], || {
                        format!(
                            "{} covers {}, which its session put only later",
                            self.index.name(previous.row),
                            dot_text(dot)
                        )
                    });
            }
        }
    }

    /// A3.
    fn dependencies(&mut self, row: usize, vector: &[u64], number: u32) {
        for (place, dot) in vector.iter().enumerate() {
            let Some(origin) = self.certificate.origin(*dot, place) else {
                continue;
            };
            let own =
                number != NO_PUT && dot_origin(self.certificate.dot(number)) == dot_origin(*dot);
            let counter = if own {
                dot_counter(self.certificate.dot(number)).saturating_sub(1)
            } else {
                dot_counter(*dot)
            };
            let Some(covered) = origin.latest(counter) else {
                continue;
            };
            if let Some(lost) = not_covered(self.certificate.vector(covered), vector) {
                let rows = self.explain_dependency(lost, covered, row);
                let covered = self.certificate.dot(covered);
                self.findings
                    .add(AnomalyKind::MissingDependency, &rows, || {
                        format!(
                            "{} covers {}, which depends on {}, but not {} itself",
                            self.index.name(row),
                            dot_text(covered),
                            dot_text(lost),
                            dot_text(lost)
                        )
                    });
            }
        }
    }

    /// The put that is missing where it is known, the put that depends on it, and who saw that.
    fn explain_dependency(&self, lost: u64, covered: u32, row: usize) -> Vec<usize> {
        let origin = self.certificate.origin(lost, 0);
        let missing = origin
            .and_then(|origin| origin.latest(dot_counter(lost)))
            .filter(|put| self.certificate.dot(*put) == lost)
            .map(|put| self.certificate.row(put));
        missing
            .into_iter()
            .chain([self.certificate.row(covered), row])
            .collect()
    }

    /// A5 in real time.
    fn real_time(&mut self, row: usize, vector: &[u64]) {
        let returned = self.index.returned(row);
        for (place, dot) in vector.iter().enumerate() {
            let origin = self.certificate.origin(*dot, place);
            if let Some((invoke, put)) = origin.and_then(|o| o.latest_invoke(dot_counter(*dot)))
                && invoke > returned
            {
                let rows = [row, self.certificate.row(put)];
                let dot = self.certificate.dot(put);
                self.findings.add(AnomalyKind::FutureDependency, &rows, || {
                    format!(
                        "{} covers {}, and returned before that put was invoked",
                        self.index.name(row),
                        dot_text(dot)
                    )
                });
            }
        }
    }

    /// A6 between two puts.
    fn mutual_cover(&mut self, number: u32, vector: &[u64]) {
        let dot = self.certificate.dot(number);
        let others = |(_, other): &(usize, &u64)| dot_origin(**other) != dot_origin(dot);
        for (place, entry_dot) in vector.iter().enumerate().filter(others) {
            let origin = self.certificate.origin(*entry_dot, place);
            let Some(other) = origin.and_then(|o| o.latest(dot_counter(*entry_dot))) else {
                continue;
            };
            if entry(self.certificate.vector(other), dot_origin(dot)) >= dot {
                let rows = [self.certificate.row(other), self.certificate.row(number)];
                self.findings.add(AnomalyKind::MutualCover, &rows, || {
                    "each of the two puts claims to have been applied after the other".to_owned()
                });
            }
        }
    }

    /// A8.
    fn context(&mut self, put: usize, vector: &[u64]) {
        for named in self.index.context_puts(put) {
            let number = self.certificate.number[*named as usize];
            if number == NO_PUT {
                continue;
            }
            let dot = self.certificate.dot(number);
            if entry(vector, dot_origin(dot)) < dot {
                let rows = [*named as usize, put];
                self.findings
                    .add(AnomalyKind::MissingDependency, &rows, || {
                        format!(
                            "the context of {} has {}, which its own vector lacks",
                            self.index.name(put),
                            dot_text(dot)
                        )
                    });
            }
        }
    }

    /// A7.
    fn evidence(&mut self, get: usize) {
        let columns = self.index.columns;
        for (place, put) in self.index.puts_read(get).iter().enumerate() {
            let number = self.certificate.number[*put as usize];
            let dot = columns.sibling_dots.at(get)[place];
            if dot != self.certificate.dot(number)
                || columns.sibling_vector(get, place) != self.certificate.vector(number)
            {
                self.findings
                    .add(AnomalyKind::EvidenceMismatch, &[*put as usize, get], || {
                        format!(
                            "what {} says of {} is not what was said of that put elsewhere",
                            self.index.name(get),
                            self.index
                                .history
                                .value_name(columns.written[*put as usize])
                        )
                    });
            }
        }
    }
}
