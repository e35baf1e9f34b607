//! The table of checkers: all that the engine, the ladder and the explanations know of a check.
//!
//! A check is a [`Checker`], and a row of [`CHECKERS`]. What a model is made of stands in
//! `model.rs`; what a property is called and means stands in `property.rs`. Nothing else names the
//! checks one by one.

use super::coverage::Coverage;
use super::index::Index;
use super::ordering::Limits;
use super::property::Property;
use super::time::Time;
#[cfg(test)]
use super::toy;
use super::verdict::Check;
use super::{
    bad_patterns, causal, convergence, dominance, integrity, linearizable, lost_writes, lww,
    lww_black_box, regular, sequential, session,
};
use crate::history::History;

/// Every check. Of those that cost alike the first is made first, so that one stands behind those
/// that can settle it.
pub(super) const CHECKERS: Checkers = Checkers(&[
    &integrity::Integrity,
    &causal::ByCertificate,
    &convergence::Convergence,
    &lost_writes::LostWrites,
    &lww::ByVersions,
    &linearizable::ByZones,
    &regular::ByOverwrites,
    &lww_black_box::ByExposures,
    &bad_patterns::ByBadPatterns,
    &dominance::ByVisibility,
    &session::Guarantees,
    &sequential::BySearch,
    #[cfg(test)]
    &toy::ByLooking,
]);

/// What a checker is asked.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a, 'h> {
    /// The history.
    pub(super) index: &'a Index<'h>,
    /// Whether the verdict rests on the answer; otherwise it is one of many on the ladder.
    pub(super) is_asked: bool,
    /// The time for it. It is that of the index, unless the check is dear.
    pub(super) time: &'a Time,
}

/// When a check has its turn: the most certain and cheapest come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// What the others rest on, or the proof that the store gives itself.
    Basis,
    /// A pass over the history.
    Pass,
    /// More than that.
    Search {
        /// Operations up to which it is made though the verdict does not ask for it.
        unasked_max: usize,
        /// Whether it is worth a thread where the verdict does ask for it.
        is_dear: bool,
    },
}

/// What of a read may be left out while an anomaly is made small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reduction {
    /// Nothing: wherever one value supersedes another, what is left out may be what superseded. A
    /// get stays with the puts of all that it returned.
    WholeReads,
    /// A value together with its put.
    SingleValues,
}

/// A search that judges histories whose values repeat, or that hold more than puts and gets.
pub(super) struct Searched {
    /// Operations up to which it is made though the verdict does not ask for it.
    pub(super) unasked_max: usize,
    /// Judges the history within limits.
    pub(super) run: fn(&History, Limits) -> Check,
}

/// Judges, and gives the answers in the order of the checker's properties.
pub(super) type Run = fn(&Ask<'_, '_>) -> Vec<Check>;

/// A check that histories are judged by.
pub(super) trait Checker: Sync {
    /// What it judges. One pass may judge several properties.
    fn properties(&self) -> &'static [Property];

    /// What it costs on this history.
    fn cost(&self, index: &Index<'_>) -> Cost;

    /// Judges the history, and gives the answers in the order of the properties.
    fn run(&self, ask: &Ask<'_, '_>) -> Vec<Check>;

    /// Why the question makes no sense, where that is known before it is asked.
    fn obstacle(&self, _ask: &Ask<'_, '_>) -> Option<String> {
        None
    }

    /// The properties any of which makes this check needless where it holds.
    fn settled_by(&self, _ask: &Ask<'_, '_>) -> &'static [Property] {
        &[]
    }

    /// What is still judged once another check has settled it.
    fn once_settled(&self, _ask: &Ask<'_, '_>) -> Option<Run> {
        None
    }

    /// The property that proves by evidence what this one judges without.
    fn proved_by(&self) -> Option<Property> {
        None
    }

    /// Whether this check cannot rightly refute a history that has that proof.
    fn is_bound_by_proof(&self, _index: &Index<'_>) -> bool {
        true
    }

    /// Whether what breaks the property may be evidence. That says nothing of a stronger model
    /// which is judged by what clients saw.
    fn is_by_evidence(&self, _index: &Index<'_>) -> bool {
        false
    }

    /// How much of the history its evidence covers, and what that is called; none without any.
    fn coverage(&self, _index: &Index<'_>) -> Option<(&'static str, Coverage)> {
        None
    }

    /// How it judges where values repeat, if it can.
    fn search(&self) -> Option<Searched> {
        None
    }

    /// How its anomalies are made small.
    fn reduction(&self) -> Reduction {
        Reduction::WholeReads
    }
}

/// A table of checkers.
#[derive(Clone, Copy)]
pub(super) struct Checkers(pub(super) &'static [&'static dyn Checker]);

impl Checkers {
    /// The rows in their order.
    pub(super) fn iter(self) -> impl Iterator<Item = &'static dyn Checker> {
        self.0.iter().copied()
    }

    /// The checker of a property.
    pub(super) fn of(self, property: Property) -> Option<&'static dyn Checker> {
        self.iter()
            .find(|checker| checker.properties().contains(&property))
    }

    /// The answer on one property, as if the verdict rested on it.
    pub(super) fn judge(self, property: Property, index: &Index<'_>) -> Option<Check> {
        let ask = Ask {
            index,
            is_asked: true,
            time: &index.time,
        };
        let checks = self.of(property)?.run(&ask);
        checks.into_iter().find(|check| check.property == property)
    }

    /// The properties that evidence of the history may refute.
    pub(super) fn by_evidence(self, index: &Index<'_>) -> Vec<Property> {
        self.iter()
            .filter(|checker| checker.is_by_evidence(index))
            .flat_map(|checker| checker.properties().iter().copied())
            .collect()
    }

    /// How its anomalies are made small.
    pub(super) fn reduction(self, property: Property) -> Reduction {
        self.of(property)
            .map_or(Reduction::WholeReads, Checker::reduction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_one_checker() {
        for property in Property::ALL {
            let own = |checker: &&dyn Checker| checker.properties().contains(property);
            assert_eq!(CHECKERS.iter().filter(own).count(), 1, "{property}");
        }
    }
}
