//! The toy of a model: every get finds something. It shows what a check must bring.

use super::index::Index;
use super::property::{AnomalyKind, Property};
use super::table::{Ask, Checker, Cost};
use super::verdict::{Check, Findings};

/// The row of the table.
pub(super) struct ByLooking;

impl Checker for ByLooking {
    fn properties(&self) -> &'static [Property] {
        &[Property::Found]
    }

    fn cost(&self, _index: &Index<'_>) -> Cost {
        Cost::Pass
    }

    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check> {
        let index = ask.index;
        let mut findings = Findings::new(index.history, Property::Found);
        let rows = 0..index.history.len();
        for get in rows.clone().filter(|row| index.is_known_get(*row)) {
            if index.columns.read.at(get).is_empty() {
                findings.add(AnomalyKind::FoundNothing, &[get], || {
                    format!("{} found nothing", index.name(get))
                });
            }
        }
        vec![findings.check(rows.len() as u64)]
    }
}

mod tests {
    use super::super::tests::op;
    use super::super::{JudgedBy, Model, Options, Report, Standing, VerdictWord, check};
    use super::*;
    use crate::history::{Header, History, Kind, value_id};

    /// A session puts, and another gets twice: first this, and then what was put.
    fn judged(first: &[u64], judged_by: JudgedBy) -> Report {
        let put = [value_id(0, 0)];
        let rows = [
            op(0, 0, 0, 0, Kind::Put, &[]),
            op(1, 0, 0, 2, Kind::Get, first),
            op(1, 1, 0, 20, Kind::Get, &put),
        ];
        let header = Header {
            promise: Some(Model::Found),
            ..Header::default()
        };
        let options = Options {
            judged_by,
            ..Options::default()
        };
        check(&History::from_rows(header, rows), &options)
    }

    fn standing(report: &Report, model: Model) -> Standing {
        report.ladder[model as usize].standing
    }

    #[test]
    fn a_toy_is_judged_laddered_and_explained() {
        let toy = Model::from_name("found").expect("a name of the table");
        let by_promise = judged(&[], JudgedBy::Promise);
        let by_name = judged(&[], JudgedBy::Model(toy));
        for report in [by_promise, by_name] {
            assert_eq!(report.verdict(), VerdictWord::Invalid, "{report}");
            assert_eq!(standing(&report, toy), Standing::Broken, "{report}");
            let anomaly = report.anomalies().next().expect("an anomaly");
            assert_eq!(anomaly.kind, AnomalyKind::FoundNothing);
            assert_eq!(anomaly.operations.len(), 1, "{anomaly}");
            assert!(anomaly.sentence.ends_with("found nothing"), "{anomaly}");
            assert_eq!(anomaly.proof().len(), 2, "a picture and a line: {anomaly}");
        }
    }

    #[test]
    fn a_toy_that_is_broken_breaks_no_other_model() {
        let linearizable = JudgedBy::Model(Model::Linearizable);
        let report = judged(&[], linearizable);
        assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
        assert_eq!(standing(&report, Model::Found), Standing::Broken);
    }

    #[test]
    fn a_toy_is_held_where_nothing_breaks_it() {
        let first = [value_id(0, 0)];
        let report = judged(&first, JudgedBy::Promise);
        assert_eq!(report.verdict(), VerdictWord::Valid, "{report}");
        assert_eq!(standing(&report, Model::Found), Standing::Held);
        assert!(report.to_string().contains("* found"), "{report}");
    }
}
