//! Which rates are tried: steps of equal ratio up to the knee, a closer look at it, and a search for
//! the largest rate that meets the objectives.

use statrs::distribution::{Beta, ContinuousCDF};

use crate::report::sweep::{Best, Try};

/// Halvings of the interval in which the knee lies, and of that in which the best rate lies.
const HALVINGS: u32 = 4;
/// Rates below a best one that turned out to be too high that are tried instead, each this much
/// lower.
const RETREATS_MAX: u32 = 4;
const RETREAT: f64 = 0.9;
/// Tries at one rate whose numbers may be void before it counts as not kept up with: the load
/// generator was late, perhaps because something else had its processor.
const VOID_TRIES_MAX: u32 = 3;
/// One minus the confidence in the share of runs that meet the objectives.
const DOUBT: f64 = 0.05;

/// The rates between which a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
    /// How many steps of equal ratio lead from one to the other, at least 2.
    pub(super) steps: u32,
}

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) tries: Vec<Try>,
    pub(super) knee: Option<f64>,
    pub(super) beyond: Option<f64>,
    pub(super) best: Option<Best>,
}

/// Sweeps; `attempt` runs once at a rate. With objectives, the best rate is confirmed by
/// `confirmations` tries.
///
/// # Errors
/// What `attempt` returns.
pub(super) fn sweep<E>(
    range: Range,
    confirmations: Option<u32>,
    mut attempt: impl FnMut(f64) -> Result<Try, E>,
) -> Result<Found, E> {
    let mut found = Found::default();
    let ratio = (range.high / range.low).powf(1.0 / f64::from(range.steps - 1));
    for step in 0..range.steps {
        let rate = range.low * ratio.powi(step as i32);
        if found.attempt(rate, &mut attempt)?.kept_up {
            found.knee = Some(rate);
        } else {
            // What lies beyond is overload.
            found.beyond = Some(rate);
            break;
        }
    }
    for _ in 0..HALVINGS {
        let (Some(low), Some(high)) = (found.knee, found.beyond) else {
            break;
        };
        let rate = (low * high).sqrt();
        if found.attempt(rate, &mut attempt)?.kept_up {
            found.knee = Some(rate);
        } else {
            found.beyond = Some(rate);
        }
    }
    if let Some(confirmations) = confirmations {
        found.best = found.find_best(confirmations, &mut attempt)?;
    }
    Ok(found)
}

impl Found {
    /// Tries a rate, again while the numbers are void.
    fn attempt<E>(
        &mut self,
        rate: f64,
        attempt: &mut impl FnMut(f64) -> Result<Try, E>,
    ) -> Result<Try, E> {
        let mut one = attempt(rate)?;
        self.tries.push(one.clone());
        for _ in 1..VOID_TRIES_MAX {
            if !one.void {
                break;
            }
            one = attempt(rate)?;
            self.tries.push(one.clone());
        }
        Ok(one)
    }

    fn find_best<E>(
        &mut self,
        confirmations: u32,
        attempt: &mut impl FnMut(f64) -> Result<Try, E>,
    ) -> Result<Option<Best>, E> {
        let met = |one: &&Try| one.met == Some(true);
        let highest = self.tries.iter().filter(met).map(|one| one.rate);
        let Some(mut low) = highest.reduce(f64::max) else {
            return Ok(None);
        };
        let above = self.tries.iter().map(|one| one.rate);
        if let Some(mut high) = above.filter(|rate| *rate > low).reduce(f64::min) {
            for _ in 0..HALVINGS {
                let rate = (low * high).sqrt();
                if self.attempt(rate, attempt)?.met == Some(true) {
                    low = rate;
                } else {
                    high = rate;
                }
            }
        }
        // A rate that met them once may have been lucky.
        for _ in 0..RETREATS_MAX {
            let best = self.confirm(low, confirmations, attempt)?;
            if best.met * 2 > confirmations {
                return Ok(Some(best));
            }
            low *= RETREAT;
        }
        Ok(None)
    }

    /// Tries a rate again and again, until half of the tries have missed.
    fn confirm<E>(
        &mut self,
        rate: f64,
        confirmations: u32,
        attempt: &mut impl FnMut(f64) -> Result<Try, E>,
    ) -> Result<Best, E> {
        let mut best = Best {
            rate,
            met: 0,
            tries: 0,
            share_at_least: 0.0,
        };
        while best.tries < confirmations && (best.tries - best.met) * 2 < confirmations {
            let one = self.attempt(rate, attempt)?;
            best.tries += 1;
            best.met += u32::from(one.met == Some(true));
        }
        best.share_at_least = share_at_least(best.met, best.tries);
        Ok(best)
    }
}

/// The lower end of the one-sided interval of Clopper and Pearson for `met` of `tries`.
fn share_at_least(met: u32, tries: u32) -> f64 {
    if met == 0 {
        return 0.0;
    }
    Beta::new(f64::from(met), f64::from(tries - met + 1))
        .map_or(0.0, |beta| beta.inverse_cdf(DOUBT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::VerdictWord;

    /// A store that serves so many a second, whose latency grows as a queue's does, and which must
    /// answer within 5 ms.
    fn store(capacity: f64) -> impl FnMut(f64) -> Result<Try, ()> {
        move |rate| {
            let achieved = rate.min(capacity);
            let load = rate / capacity;
            let p99 = if load < 1.0 { 1e6 / (1.0 - load) } else { 1e9 };
            Ok(Try {
                rate,
                achieved_per_s: achieved,
                p50_ns: None,
                p99_ns: Some(p99 as u64),
                p999_ns: None,
                kept_up: achieved >= rate * 0.95,
                void: false,
                met: Some(p99 < 5e6),
                verdict: VerdictWord::Valid,
                directory: String::new(),
            })
        }
    }

    const RANGE: Range = Range {
        low: 1_000.0,
        high: 200_000.0,
        steps: 8,
    };

    #[test]
    fn the_knee_and_the_largest_rate_within_the_objective_are_found_closely() {
        let found = sweep(RANGE, Some(5), store(50_000.0)).expect("it never fails");
        let knee = found.knee.expect("a knee");
        // At 95 % of what is offered it counts as keeping up.
        assert!((50_000.0 * 0.94..50_000.0 / 0.94).contains(&knee), "{knee}");
        assert!(found.beyond.expect("it has an end") / knee < 1.1);
        let best = found.best.expect("a best rate");
        // 1 / (1 - load) = 5 at a load of 0.8.
        assert!((best.rate / 40_000.0 - 1.0).abs() < 0.06, "{best:?}");
        assert_eq!((best.met, best.tries), (5, 5));
        assert!(
            (best.share_at_least - 0.05_f64.powf(0.2)).abs() < 1e-6,
            "{best:?}"
        );
    }

    #[test]
    fn a_store_that_keeps_up_with_everything_has_no_end() {
        let found = sweep(RANGE, Some(3), store(1e9)).expect("it never fails");
        assert_eq!(found.knee.map(f64::round), Some(200_000.0));
        assert_eq!(found.beyond, None);
        assert_eq!(found.best.expect("a best rate").rate.round(), 200_000.0);
    }

    #[test]
    fn a_store_that_never_meets_the_objective_has_no_best_rate() {
        let found = sweep(RANGE, Some(3), store(900.0)).expect("it never fails");
        assert_eq!(found.best, None);
        assert_eq!(found.knee, None);
        assert_eq!(found.tries.len(), 1, "one try beyond the knee is enough");
    }

    #[test]
    fn a_try_that_the_generator_spoiled_is_made_again() {
        let (mut calls, mut inner) = (0, store(50_000.0));
        let spoiled = |rate: f64| {
            calls += 1;
            let mut one = inner(rate)?;
            if calls % 3 == 1 {
                (one.void, one.kept_up, one.met) = (true, false, None);
            }
            Ok::<_, ()>(one)
        };
        let found = sweep(RANGE, None, spoiled).expect("it never fails");
        let knee = found.knee.expect("a knee");
        assert!((50_000.0 * 0.94..50_000.0 / 0.94).contains(&knee), "{knee}");
        let void = found.tries.iter().filter(|one| one.void).count();
        assert!(void >= 4, "spoiled tries are on record too");
    }

    #[test]
    fn a_rate_that_met_the_objective_by_luck_is_not_taken() {
        let (mut calls, mut inner) = (0, store(50_000.0));
        let lucky = |rate: f64| {
            calls += 1;
            let mut one = inner(rate)?;
            // Lucky while it searches, honest when it is confirmed.
            if calls <= 17 && rate < 48_000.0 {
                one.met = Some(true);
            }
            Ok::<_, ()>(one)
        };
        let found = sweep(RANGE, Some(5), lucky).expect("it never fails");
        let best = found.best.expect("a best rate");
        assert!(best.rate < 40_500.0, "{best:?}");
    }
}
