//! Logic over [`Vector`]: which puts a replica or a session has seen.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::protocol::{Dot, Origin, Vector};

/// A version vector with dots for entries: for each origin, the last of its puts that was seen.
///
/// Partially ordered by what it covers; two clocks of which neither covers the other are
/// concurrent and compare as `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VectorClock(Vector);

impl VectorClock {
    /// A clock that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries, ascending, one an origin.
    #[must_use]
    pub fn as_slice(&self) -> &[Dot] {
        &self.0
    }

    /// The entries, ascending, one an origin.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Dot> + '_ {
        self.0.iter().copied()
    }

    /// Whether nothing was seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As plain data.
    #[must_use]
    pub fn to_vector(&self) -> Vector {
        self.0.clone()
    }

    /// The counter of the last put of `origin` that was seen; 0 when none was.
    #[inline]
    #[must_use]
    pub fn counter(&self, origin: Origin) -> u64 {
        self.0
            .iter()
            .find(|entry| entry.origin() == origin)
            .map_or(0, |entry| entry.counter())
    }

    /// Whether the put was seen. A dot of counter 0 always was.
    #[inline]
    #[must_use]
    pub fn covers(&self, dot: Dot) -> bool {
        dot.counter() <= self.counter(dot.origin())
    }

    /// Whether everything that `other` has seen was seen.
    #[must_use]
    pub fn covers_all(&self, other: &[Dot]) -> bool {
        self.first_missing(other.iter().copied()).is_none()
    }

    /// The first of these dots that was not seen.
    #[inline]
    #[must_use]
    pub fn first_missing(&self, other: impl IntoIterator<Item = Dot>) -> Option<Dot> {
        // Both are nearly always lists of the same origins in the same order, so each dot is
        // looked for from the place of the one before.
        let mut place = 0;
        other.into_iter().find(|dot| {
            while place < self.0.len() && self.0[place].origin() < dot.origin() {
                place += 1;
            }
            let seen = self
                .0
                .get(place)
                .filter(|entry| entry.origin() == dot.origin());
            dot.counter() > seen.map_or(0, |entry| entry.counter())
        })
    }

    /// Sees this put, and with it all earlier ones of its origin.
    #[inline]
    pub fn advance(&mut self, dot: Dot) {
        let place = self
            .0
            .partition_point(|entry| entry.origin() < dot.origin());
        match self.0.get_mut(place) {
            Some(entry) if entry.origin() == dot.origin() => *entry = (*entry).max(dot),
            Some(_) | None if dot.counter() > 0 => self.0.insert(place, dot),
            Some(_) | None => {}
        }
    }

    /// Sees all that `other` has seen: the least upper bound.
    pub fn merge(&mut self, other: &[Dot]) {
        for dot in other {
            self.advance(*dot);
        }
    }

    /// Whether neither has seen all that the other has.
    #[must_use]
    pub fn concurrent(&self, other: &Self) -> bool {
        self.partial_cmp(other).is_none()
    }
}

impl From<&[Dot]> for VectorClock {
    fn from(dots: &[Dot]) -> Self {
        let mut clock = Self::new();
        clock.merge(dots);
        clock
    }
}

impl PartialOrd for VectorClock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.covers_all(&other.0), other.covers_all(&self.0)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}
