//! Histories that the algorithms for unique values cannot judge: values repeat, or there are other
//! operations than puts and gets. Both engines search for an order, each in its own way, and their
//! answers are compared.

use std::time::Duration;

use super::options::{Budget, Clock, Engine, Options};
use super::ordering::Limits;
use super::prefix;
use super::property::Property;
use super::report::{Agreement, Report, VerdictWord};
use super::searched::{Found, Repeats, Search};
use super::second_opinion::{PREFIX_SHRINK, PREFIXES_MAX, compare, limit};
use super::table::Checkers;
use super::time::Time;
use super::verdict::{Check, Verdict};
use super::{asked, compare_and_set, cut, direct, guarded, held_to, judge};
use crate::history::History;

/// What judges and is judged.
pub(super) struct Refused<'a> {
    pub(super) checkers: Checkers,
    /// The history as it was read.
    pub(super) history: &'a History,
    /// The same with the puts that are missing of it.
    pub(super) open: &'a History,
    /// Why it was refused.
    pub(super) reason: &'a str,
    pub(super) options: &'a Options,
    pub(super) time: &'a Time,
}

impl Refused<'_> {
    /// Judges the history, and says so in the report.
    pub(super) fn judge(&self, report: &mut Report, has_open: bool) {
        let options = self.options;
        if options.engine != Engine::Stateright {
            let asked = asked(report.promise, options.judged_by);
            report.checks =
                direct::searches(self.checkers, self.open, &asked, self.reason, self.time);
            let promise = held_to(report.promise, options.judged_by);
            let checks = &mut report.checks;
            compare_and_set::judge(self.checkers, self.open, promise, self.time, checks);
        }
        report.elapsed.direct = self.time.spent();
        report.unexplained = unexplained(&report.checks);
        judge(self.checkers, report, options.judged_by, &[]);
        if options.engine != Engine::Direct {
            self.second_opinion(report);
            cut::withdraw_searched(&mut report.search, self.history);
            report.elapsed.search = self.time.spent().saturating_sub(report.elapsed.direct);
        }
        cut::withdraw(&mut report.checks, self.history, has_open, None);
        judge(self.checkers, report, options.judged_by, &[]);
        let by_search = matches!(report.verdict(), VerdictWord::Valid | VerdictWord::Invalid)
            && report.direct_verdict() == VerdictWord::Unknown
            && !matches!(report.agreement, Agreement::Disagree { .. });
        if by_search && options.engine == Engine::Both {
            let remark = "decided by stateright, which judged all of it";
            report.remarks.push(remark.to_owned());
        }
    }

    /// Lets stateright judge as much as its budget allows, and compares.
    fn second_opinion(&self, report: &mut Report) {
        let searched = searched_model(report);
        let answer = searched.and_then(|(repeats, property)| {
            if !direct::is_searched(self.open) {
                return Err(self.reason.to_owned());
            }
            let whole = report.check(property).map(|check| check.verdict.clone());
            guarded(|| self.search(repeats, property, whole.as_ref()))
        });
        match answer {
            Ok((search, direct)) => {
                report.agreement = compare(&search, direct);
                report.search = Some(search);
            }
            Err(reason) => {
                report.agreement = Agreement::NotCompared {
                    reason: reason.clone(),
                };
                let of = self.open.len() as u64;
                let search = Search::of(Found::NotApplicable { reason });
                report.search = Some(Search { of, ..search });
            }
        }
    }

    /// The search on the longest prefix that fits, and what the direct engine says of that; `whole`
    /// is what it said of the whole history.
    fn search(
        &self,
        repeats: Repeats,
        property: Property,
        whole: Option<&Verdict>,
    ) -> (Search, Option<bool>) {
        let Options { budget, clock, .. } = self.options;
        let of = self.open.len() as u64;
        let start = clock.as_ref().map(Clock::now);
        // Alone it is the whole check; beside the direct engine its budget stands beside that
        // one's.
        let alone = self.options.check_budget;
        let alone = alone.filter(|_| self.options.engine == Engine::Stateright);
        let time = alone.map_or(budget.time, |own| own.min(budget.time));
        // A part by time is no part of an order that keeps sessions alone.
        let has_parts = repeats.has_parts;
        let mut operations = budget.operations.max(1);
        if alone == Some(Duration::ZERO) || (!has_parts && self.open.len() > operations) {
            return (unsearched(of, *budget), None);
        }
        for attempt in 1.. {
            let part = prefix::prefix(self.open, operations);
            let judged = part.as_ref().unwrap_or(self.open);
            // Each attempt may use half of what is left, so that a shorter one still has time.
            let share = match has_parts {
                true => time - time / 2u32.saturating_pow(attempt),
                false => time,
            };
            let deadline = start.map(|start| start + share.max(Duration::from_millis(1)));
            let clock = clock.clone().zip(deadline);
            let mut search = (repeats.search)(judged, budget.states, clock);
            search.of = of;
            search.limit = (search.operations < of).then(|| limit(*budget, attempt));
            if search.found != Found::Budget || attempt > PREFIXES_MAX || !has_parts {
                let direct = match (part, whole) {
                    (None, whole) => whole.and_then(decided),
                    // What has an order has one in each part by time.
                    (Some(_), Some(Verdict::Valid)) => Some(true),
                    (Some(_), None) => None,
                    (
                        Some(part),
                        Some(
                            Verdict::Invalid { .. }
                            | Verdict::Unknown { .. }
                            | Verdict::NotApplicable { .. },
                        ),
                    ) => self.direct(&part, property, time),
                };
                return (search, direct);
            }
            operations = operations.min(self.open.len()) / PREFIX_SHRINK + 1;
        }
        (unsearched(of, *budget), None)
    }

    /// The direct engine's answer on a part.
    fn direct(&self, part: &History, property: Property, time: Duration) -> Option<bool> {
        let searched = self.checkers.of(property)?.search()?;
        let comparing = self.time.anew(time.saturating_mul(2));
        decided(&(searched.run)(part, Limits::within(&comparing)).verdict)
    }
}

/// Why the anomalies may show more operations than they need.
fn unexplained(checks: &[Check]) -> Option<String> {
    let mut found = checks.iter().flat_map(|check| check.verdict.anomalies());
    let is_cut = found.any(|anomaly| anomaly.is_cut);
    is_cut.then(|| "looking for fewer took as long as judging had".to_owned())
}

fn unsearched(of: u64, budget: Budget) -> Search {
    Search {
        of,
        limit: Some(limit(budget, 1)),
        ..Search::of(Found::Budget)
    }
}

const fn decided(verdict: &Verdict) -> Option<bool> {
    match verdict {
        Verdict::Valid => Some(true),
        Verdict::Invalid { .. } => Some(false),
        Verdict::Unknown { .. } | Verdict::NotApplicable { .. } => None,
    }
}

/// What the verdict rests on, where stateright searches for it though values repeat.
fn searched_model(report: &Report) -> Result<(Repeats, Property), String> {
    let model = report.model.or(report.promise);
    let model = model.ok_or("the history promises nothing")?;
    let own = model.properties().last().copied();
    model
        .row()
        .repeats
        .zip(own)
        .ok_or_else(|| format!("stateright has no specification of {model} for values that repeat"))
}

#[cfg(all(test, feature = "stateright"))]
mod tests {
    use super::*;
    use crate::checker::property::AnomalyKind;
    use crate::checker::table::CHECKERS;
    use crate::checker::tests::op;
    use crate::checker::verdict::Findings;
    use crate::checker::{JudgedBy, Model};
    use crate::history::{Header, Kind, Row};

    /// A compare-and-set of what a put wrote, then a get of `read`.
    fn history(read: &[u64]) -> History {
        let put = op(0, 0, 0, 0, Kind::Put, &[]);
        let first = [put.written];
        let cas = op(0, 1, 0, 10, Kind::Cas, &first);
        let get: Row<'_> = op(1, 0, 0, 20, Kind::Get, read);
        let header = Header {
            promise: Some(Model::Linearizable),
            ..Header::default()
        };
        History::from_rows(header, [put, cas, get])
    }

    fn report(history: &History, engine: Engine, model: Option<Model>) -> Report {
        let options = Options {
            engine,
            judged_by: model.map_or(JudgedBy::Promise, JudgedBy::Model),
            ..Options::default()
        };
        super::super::check(history, &options)
    }

    const NEW: u64 = crate::history::value_id(0, 1);
    const OLD: u64 = crate::history::value_id(0, 0);

    #[test]
    fn an_explanation_that_was_cut_short_is_said_and_a_whole_one_is_not() {
        let history = history(&[OLD]);
        let told = |is_cut| {
            let mut findings = Findings::new(&history, Property::Linearizable);
            let kind = AnomalyKind::NotLinearizable;
            findings.add_found(kind, &[0, 1], is_cut, || "no order".to_owned());
            unexplained(&[findings.check(3)]).is_some()
        };
        assert_eq!([true, false].map(told), [true, false]);
    }

    #[test]
    fn stateright_alone_judges_histories_with_compare_and_set() {
        for model in [None, Some(Model::Linearizable)] {
            let good = report(&history(&[NEW]), Engine::Stateright, model);
            assert_eq!(good.verdict(), VerdictWord::Valid, "{good}");
            assert!(good.checks.is_empty(), "{good}");
            let stale = report(&history(&[OLD]), Engine::Stateright, model);
            assert_eq!(stale.verdict(), VerdictWord::Invalid, "{stale}");
        }
        let model = Some(Model::Sequential);
        let good = report(&history(&[OLD]), Engine::Stateright, model);
        assert_eq!(good.verdict(), VerdictWord::Valid, "{good}");
        let thin = report(&history(&[77]), Engine::Stateright, model);
        assert_eq!(thin.verdict(), VerdictWord::Invalid, "{thin}");
    }

    #[test]
    fn both_engines_say_what_they_covered_of_a_history_with_compare_and_set() {
        for (read, expected) in [(NEW, VerdictWord::Valid), (OLD, VerdictWord::Invalid)] {
            for model in [None, Some(Model::Sequential)] {
                let both = report(&history(&[read]), Engine::Both, model);
                assert_eq!(both.agreement, Agreement::Agree, "{both}");
                let search = both.search.as_ref().unwrap();
                assert_eq!((search.operations, search.of), (3, 3), "{both}");
                let expected = if model.is_some() {
                    VerdictWord::Valid
                } else {
                    expected
                };
                assert_eq!(both.verdict(), expected, "{both}");
            }
        }
    }

    #[test]
    fn a_wrong_answer_of_either_engine_is_a_disagreement() {
        let good = history(&[NEW]);
        let options = Options::default();
        let time = Time::default();
        let refused = Refused {
            checkers: CHECKERS,
            history: &good,
            open: &good,
            reason: "planted",
            options: &options,
            time: &time,
        };
        let planted = Verdict::Invalid {
            found: std::collections::BTreeMap::default(),
            anomalies: Vec::new(),
        };
        let (search, direct) = refused.search(
            Model::Linearizable.row().repeats.unwrap(),
            Property::Linearizable,
            Some(&planted),
        );
        assert!(matches!(
            compare(&search, direct),
            Agreement::Disagree { .. }
        ));
        let mut wrong = report(&good, Engine::Both, None);
        wrong.agreement = compare(&search, direct);
        assert_eq!(wrong.verdict(), VerdictWord::Invalid);
    }

    #[test]
    fn a_part_that_was_searched_proves_nothing_of_the_whole() {
        let options = Options {
            engine: Engine::Stateright,
            budget: Budget {
                operations: 2,
                ..Budget::default()
            },
            ..Options::default()
        };
        let report = super::super::check(&history(&[NEW]), &options);
        assert_eq!(report.verdict(), VerdictWord::Unknown, "{report}");
        let text = report.to_string();
        assert!(text.contains("the first 2 of 3 operations"), "{text}");
    }

    #[test]
    fn what_stateright_decides_alone_is_the_verdict_and_says_so() {
        let stopped = Clock::new(|| Duration::ZERO);
        let options = Options {
            check_budget: Some(Duration::ZERO),
            clock: Some(stopped),
            ..Options::default()
        };
        for (read, expected) in [(NEW, VerdictWord::Valid), (OLD, VerdictWord::Invalid)] {
            let report = super::super::check(&history(&[read]), &options);
            assert_eq!(report.direct_verdict(), VerdictWord::Unknown, "{report}");
            assert_eq!(report.verdict(), expected, "{report}");
            assert!(
                report.to_string().contains("decided by stateright"),
                "{report}"
            );
        }
    }
}
