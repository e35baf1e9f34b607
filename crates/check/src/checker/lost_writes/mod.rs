//! Lost writes: whether the final value of each key holds every put that took effect, or one that
//! supersedes it.
//!
//! Evidence (versions, vectors, contexts) says what supersedes what. Without evidence a put is lost
//! when no put of the final value can supersede it. What can depends on what the history is held
//! to: causal (`by_time.rs`), last write wins (`arbitration.rs`), or neither. With neither, a final
//! value that was over before the put began, in real time or in its session, cannot supersede it.

mod arbitration;
mod by_time;
mod witnesses;

use super::convergence::Final;
use super::index::Index;
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost};
use super::time::OVER;
use super::verdict::{Check, Findings, Verdict};
use crate::history::Model;
use arbitration::Arbitration;
use by_time::{Futures, Latest};
use witnesses::{Said, Value, Witnesses};

/// What may have superseded a put where no evidence says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Superseding {
    /// What was not over before the put began.
    InTime,
    /// The same, and nothing that it happened before was over by then.
    ByCause,
    /// What may have a larger version.
    ByVersions,
}

/// The row of the table.
pub(super) struct LostWrites;

impl Checker for LostWrites {
    fn properties(&self) -> &'static [Property] {
        &[Property::LostWrites]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Pass
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        vec![check(&Final::new(ask.index))]
    }
}

/// A put that is not in the final value which a get returned, and that evidence leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    get: u32,
    /// Whether every put of the final value may supersede it, or those without a vector only.
    by_any: bool,
    put: u32,
}

/// `checked` counts puts.
pub(super) fn check(last: &Final<'_, '_>) -> Check {
    let index = last.index;
    let evidence = Witnesses::new(index);
    let mut findings = Findings::new(index.history, Property::LostWrites);
    let (mut checked, mut open) = (0, Vec::new());
    let name = Property::LostWrites.name();
    let mut ticker = index.time.ticker(name, index.history.len());
    for key in last.touched() {
        let gets = last.values(key).into_iter();
        let values: Vec<Value<'_>> = gets.map(|get| evidence.value(get)).collect();
        let puts = index.by_key.at(key).iter().map(|row| *row as usize);
        for put in puts.filter(|put| !values.is_empty() && index.is_effective_put(*put)) {
            if ticker.is_over() {
                return findings.cut(checked);
            }
            checked += 1;
            let first = open.len();
            for value in &values {
                match evidence.says(value, put) {
                    Said::Kept => {}
                    Said::Lost => {
                        findings.add(AnomalyKind::LostWrite, &[put, value.get], || {
                            sentence(index, put)
                        });
                        open.truncate(first);
                        break;
                    }
                    Said::Open { by_any } => open.push(Question {
                        get: value.get as u32,
                        by_any,
                        put: put as u32,
                    }),
                }
            }
        }
    }
    open.sort_unstable();
    let undecided = answer(index, &evidence, &open, &mut findings).err();
    let none_lost = findings.is_empty();
    let mut check = findings.check(checked);
    if let (Some(reason), true) = (undecided, none_lost) {
        check.verdict = Verdict::unknown(reason);
    }
    check
}

fn sentence(index: &Index<'_>, put: usize) -> String {
    format!(
        "the put of {} to {} took effect, but the final value neither holds it nor one that \
         supersedes it",
        index.history.value_name(index.columns.written[put]),
        index.key_name(put)
    )
}

/// Answers sorted questions by what the history is held to; an error says what was left open.
fn answer(
    index: &Index<'_>,
    evidence: &Witnesses<'_, '_>,
    open: &[Question],
    findings: &mut Findings<'_>,
) -> Result<(), String> {
    if open.is_empty() {
        return Ok(());
    }
    let promise = index.promise.unwrap_or(Model::Eventual);
    let rule = match promise.row().superseding {
        Superseding::ByCause => Rule::Causal(Box::new(Futures::new(index)?)),
        Superseding::ByVersions => Rule::Lww(Box::new(Arbitration::new(index))),
        Superseding::InTime => Rule::RealTime,
    };
    let mut told: super::index::Table<u32, ()> = super::index::Table::default();
    let mut ticker = index.time.ticker(Property::LostWrites.name(), 0);
    for questions in open.chunk_by(|a, b| (a.get, a.by_any) == (b.get, b.by_any)) {
        if ticker.is_over() {
            return Err(OVER.to_owned());
        }
        let Question { get, by_any, .. } = questions[0];
        let finals = evidence.open_finals(get as usize, by_any);
        let puts: Vec<u32> = questions.iter().map(|question| question.put).collect();
        for (put, why) in rule.lost(index, &finals, &puts)? {
            if told.insert(put, ()).is_some() {
                continue;
            }
            let rows = [put, get].into_iter().chain(finals.iter().copied());
            let rows: Vec<usize> = rows.chain(why).map(|row| row as usize).collect();
            findings.add(AnomalyKind::LostWrite, &rows, || {
                sentence(index, put as usize)
            });
        }
    }
    Ok(())
}

/// When no final value can supersede a put.
enum Rule<'a, 'h> {
    /// Each of them, or something that it happened before, was over before the put began.
    Causal(Box<Futures<'a, 'h>>),
    /// Each of them has a smaller version, whatever the versions are.
    Lww(Box<Arbitration<'a, 'h>>),
    /// Each of them was over before the put began.
    RealTime,
}

impl Rule<'_, '_> {
    /// Of puts that `finals` do not hold those that are lost, each with operations that show it.
    fn lost(
        &self,
        index: &Index<'_>,
        finals: &[u32],
        puts: &[u32],
    ) -> Result<Vec<(u32, Vec<u32>)>, String> {
        match self {
            Self::Causal(futures) => futures.lost(finals, puts),
            Self::Lww(arbitration) => arbitration.lost(finals, puts),
            Self::RealTime => {
                let returned = |put: u32| index.returned(put as usize);
                let precedes = |a: u32, b: u32| index.precedes(a as usize, b as usize);
                let latest = Latest::new(finals, returned);
                let lost = puts.iter().copied().filter(|put| {
                    latest.are_before(index.invoke(*put as usize), |last| precedes(last, *put))
                });
                Ok(lost.map(|put| (put, Vec::new())).collect())
            }
        }
    }
}
