//! Which rates are tried: steps of equal ratio up to the knee, a closer look at it, and a search
//! for the largest rate that meets the objectives.

use statrs::distribution::{Beta, ContinuousCDF};

use kvs_report::report::sweep::{Best, Try};

/// Halvings of the interval in which the knee lies, and of that in which the best rate lies.
const HALVINGS: u32 = 4;
/// A best rate that turned out to be too high is followed by one of this share of it, and that by
/// ever lower ones, down to the lowest of the range. A best rate is known as closely as this.
const RETREAT: f64 = 0.9;
/// How many tries at one rate may be void before the sweep goes no higher. They are void when the
/// load generator was late, perhaps because something else had its processor.
const VOID_TRIES_MAX: u32 = 3;
/// One minus the confidence in the share of runs that meet the objectives.
const DOUBT: f64 = 0.05;

/// The rates between which a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
    /// How many steps of equal ratio lead from one to the other, at least 2.
    pub steps: u32,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Found {
    /// Every try, in order.
    pub tries: Vec<Try>,
    /// The highest rate that the store kept up with.
    pub knee: Option<f64>,
    /// The least rate that it did not keep up with.
    pub beyond: Option<f64>,
    /// The least rate at which all tries were spoiled.
    pub void_from: Option<f64>,
    /// The largest rate that meets the objectives, where it was searched for and found.
    pub best: Option<Best>,
}

/// Sweeps; `attempt` runs once at a rate. With objectives, the best rate is confirmed by
/// `confirmations` tries.
///
/// # Errors
/// What `attempt` returns.
pub fn search<E>(
    range: Range,
    confirmations: Option<u32>,
    mut attempt: impl FnMut(f64) -> Result<Try, E>,
) -> Result<Found, E> {
    let mut found = Found::default();
    let ratio = (range.high / range.low).powf(1.0 / f64::from(range.steps - 1));
    for step in 0..range.steps {
        let rate = range.low * ratio.powi(step as i32);
        if !found.look(rate, &mut attempt)? {
            // What lies beyond is overload, of the store or of the generator.
            break;
        }
    }
    for _ in 0..HALVINGS {
        let ends = [found.beyond, found.void_from].into_iter().flatten();
        let (Some(low), Some(high)) = (found.knee, ends.reduce(f64::min)) else {
            break;
        };
        found.look((low * high).sqrt(), &mut attempt)?;
    }
    if let Some(confirmations) = confirmations {
        found.best = found.find_best(range.low, confirmations, &mut attempt)?;
    }
    Ok(found)
}

impl Found {
    /// Looks whether a rate is kept up with.
    fn look<E>(
        &mut self,
        rate: f64,
        attempt: &mut impl FnMut(f64) -> Result<Try, E>,
    ) -> Result<bool, E> {
        let one = self.attempt(rate, attempt)?;
        if one.kept_up {
            self.knee = Some(rate);
        } else if one.is_spoiled() {
            self.void_from = Some(rate);
        } else {
            self.beyond = Some(rate);
        }
        Ok(one.kept_up)
    }

    /// Tries a rate, again while a try says nothing of the store.
    fn attempt<E>(
        &mut self,
        rate: f64,
        attempt: &mut impl FnMut(f64) -> Result<Try, E>,
    ) -> Result<Try, E> {
        let mut one = attempt(rate)?;
        self.tries.push(one.clone());
        for _ in 1..VOID_TRIES_MAX {
            if !one.is_spoiled() {
                break;
            }
            one = attempt(rate)?;
            self.tries.push(one.clone());
        }
        Ok(one)
    }

    /// The largest rate that meets the objectives, from `lowest` on; none when that misses them
    /// too.
    fn find_best<E>(
        &mut self,
        lowest: f64,
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
        self.retreat(low, lowest, confirmations, attempt)
    }

    /// A rate that met the objectives once may have been lucky. So this goes down from `rate` until
    /// one is confirmed, and then closer to the last one that was not.
    fn retreat<E>(
        &mut self,
        mut rate: f64,
        lowest: f64,
        confirmations: u32,
        attempt: &mut impl FnMut(f64) -> Result<Try, E>,
    ) -> Result<Option<Best>, E> {
        let is_confirmed = |best: &Best| best.met * 2 > confirmations;
        let (mut share, mut too_high) = (RETREAT, None);
        let mut best = loop {
            let best = self.confirm(rate, confirmations, attempt)?;
            if is_confirmed(&best) {
                break best;
            }
            if rate <= lowest {
                return Ok(None);
            }
            too_high = Some(rate);
            rate = (rate * share).max(lowest);
            // 0.9, 0.81, 0.66: the lowest of any range is soon reached.
            share *= share;
        };
        let Some(mut too_high) = too_high else {
            return Ok(Some(best));
        };
        for _ in 0..HALVINGS {
            if best.rate >= too_high * RETREAT {
                break;
            }
            let rate = (best.rate * too_high).sqrt();
            let closer = self.confirm(rate, confirmations, attempt)?;
            if is_confirmed(&closer) {
                best = closer;
            } else {
                too_high = rate;
            }
        }
        Ok(Some(best))
    }

    /// Tries a rate again and again, until half of the tries have not met the objectives.
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
            undecided: 0,
            share_at_least: 0.0,
        };
        let mut made = 0;
        while made < confirmations && (made - best.met) * 2 < confirmations {
            made += 1;
            match self.attempt(rate, attempt)?.met {
                Some(met) => {
                    best.tries += 1;
                    best.met += u32::from(met);
                }
                None => best.undecided += 1,
            }
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
    use kvs_measure::VerdictWord;

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
                p95_ns: None,
                p99_ns: Some(p99 as u64),
                p999_ns: None,
                kept_up: achieved >= rate * 0.95,
                void: false,
                void_reason: None,
                overloaded: false,
                not_started_share: 0.0,
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
        let found = search(RANGE, Some(5), store(50_000.0)).expect("it never fails");
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
        let found = search(RANGE, Some(3), store(1e9)).expect("it never fails");
        assert_eq!(found.knee.map(f64::round), Some(200_000.0));
        assert_eq!(found.beyond, None);
        assert_eq!(found.best.expect("a best rate").rate.round(), 200_000.0);
    }

    #[test]
    fn a_store_that_never_meets_the_objective_has_no_best_rate() {
        let found = search(RANGE, Some(3), store(900.0)).expect("it never fails");
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
        let found = search(RANGE, None, spoiled).expect("it never fails");
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
        let found = search(RANGE, Some(5), lucky).expect("it never fails");
        let best = found.best.expect("a best rate");
        assert!(best.rate < 40_500.0, "{best:?}");
    }

    /// A store that meets the objectives whenever it is looked for, and in confirmations, of which
    /// there are several at a rate, only below this rate.
    fn hopeful(limit: f64) -> impl FnMut(f64) -> Result<Try, ()> {
        let (mut seen, mut inner) = (std::collections::BTreeSet::new(), store(1e9));
        move |rate| {
            let mut one = inner(rate)?;
            let is_first = seen.insert(rate.to_bits());
            one.met = Some((is_first && rate > 100_000.0) || rate < limit);
            Ok(one)
        }
    }

    #[test]
    fn a_rate_that_is_not_confirmed_is_followed_by_lower_ones_until_one_is() {
        for limit in [150_000.0, 50_000.0, 2_000.0, 1_001.0] {
            let found = search(RANGE, Some(5), hopeful(limit)).expect("it never fails");
            let best = found.best.expect("a best rate");
            assert!(
                best.rate < limit && best.rate > limit * 0.85,
                "{limit}: {best:?}"
            );
            assert_eq!((best.met, best.tries), (5, 5));
        }
    }

    #[test]
    fn objectives_that_even_the_lowest_rate_misses_have_no_answer_after_it_was_tried() {
        let found = search(RANGE, Some(5), hopeful(1_000.0)).expect("it never fails");
        assert_eq!(found.best, None);
        let lowest = found.tries.iter().filter(|one| one.rate <= RANGE.low);
        let missed = lowest.filter(|one| one.met == Some(false)).count();
        assert!(missed >= 3, "{missed}");
    }

    #[test]
    fn a_try_of_which_nobody_can_tell_confirms_nothing_and_is_no_miss() {
        let mut inner = store(1e9);
        let open = |rate: f64| {
            let mut one = inner(rate)?;
            one.met = (rate < 50_000.0).then_some(true);
            Ok::<_, ()>(one)
        };
        let found = search(RANGE, Some(5), open).expect("it never fails");
        let best = found.best.expect("a best rate");
        assert!(best.rate < 50_000.0 && best.rate > 40_000.0, "{best:?}");
        assert!(!found.tries.iter().any(|one| one.met == Some(false)));
    }

    #[test]
    fn a_sweep_whose_every_try_is_void_knows_no_rate_that_was_not_kept_up_with() {
        let mut inner = store(50_000.0);
        let void = |rate: f64| {
            let mut one = inner(rate)?;
            (one.void, one.kept_up, one.met) = (true, false, None);
            Ok::<_, ()>(one)
        };
        let found = search(RANGE, Some(5), void).expect("it never fails");
        assert_eq!((found.knee, found.beyond, found.best), (None, None, None));
        assert_eq!(found.void_from, Some(RANGE.low));
        assert_eq!(found.tries.len(), VOID_TRIES_MAX as usize);
    }

    #[test]
    fn a_rate_at_which_most_arrivals_never_start_is_not_kept_up_with_and_tried_once() {
        let mut inner = store(20_000.0);
        let overloaded = |rate: f64| {
            let mut one = inner(rate)?;
            if rate > 40_000.0 {
                (one.void, one.overloaded, one.met) = (true, true, None);
            }
            Ok::<_, ()>(one)
        };
        let found = search(RANGE, None, overloaded).expect("it never fails");
        assert!(found.beyond.is_some() && found.void_from.is_none());
        let spoiled = found.tries.iter().filter(|one| one.void).count();
        assert!(spoiled <= 1, "{spoiled}");
    }
}
