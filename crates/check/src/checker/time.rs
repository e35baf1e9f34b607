//! The time that a check has, and how far it has got.
//!
//! Every loop without a bound asks a [`Ticker`] whether the time is over. If it is, the loop ends
//! without an answer: [`OVER`]. The clock is the caller's ([`Options::clock`]); without one no time
//! is ever over.
//!
//! [`Options::clock`]: super::Options::clock

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::options::Clock;

/// Why a check has no answer whose time was over.
pub(super) const OVER: &str = "out of the check's budget";
/// Steps between two looks at the clock.
const STEPS_EACH: u32 = 256;
/// Time between two reports of how far a check has got.
const REPORT_EACH: Duration = Duration::from_millis(50);

/// How far the checking of a history has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being checked.
    pub what: &'static str,
    /// Steps of that which are done.
    pub done: u64,
    /// Steps that it has; 0 where that is not known.
    pub of: u64,
    /// Time since the checking began.
    pub spent: Duration,
    /// Time that it may take, if that is limited.
    pub budget: Option<Duration>,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)?;
        if let Some(percent) = percent(self.done, self.of) {
            write!(f, ", {percent} %")?;
        }
        write!(f, ", {} s", self.spent.as_secs())?;
        match self.budget {
            Some(budget) => write!(f, " of {} s", budget.as_secs()),
            None => Ok(()),
        }
    }
}

/// What share of something is done, rounded down; `None` where there is nothing of it.
pub(super) fn percent(done: u64, of: u64) -> Option<u64> {
    (u128::from(done) * 100)
        .checked_div(u128::from(of))
        .map(|percent| percent.min(100) as u64)
}

/// Where checks say how far they have got, now and then and from any thread.
///
/// ```
/// use kvs_check::{Options, checker::ProgressSink};
///
/// let progress = Some(ProgressSink::new(|progress| eprintln!("{progress}")));
/// let options = Options { progress, ..Options::default() };
/// # drop(options);
/// ```
#[derive(Clone)]
pub struct ProgressSink(Arc<dyn Fn(Progress) + Send + Sync>);

impl ProgressSink {
    /// A sink that hands each report to `tell`.
    pub fn new(tell: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }
}

impl fmt::Debug for ProgressSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgressSink")
    }
}

/// The time that a check has.
#[derive(Clone, Debug, Default)]
pub(super) struct Time {
    clock: Option<Clock>,
    start: Duration,
    budget: Option<Duration>,
    /// When it is over, by the clock.
    end: Option<Duration>,
    sink: Option<ProgressSink>,
}

impl Time {
    /// Begins now and is over after `budget`, which is never without a clock.
    pub(super) fn starting(
        clock: Option<Clock>,
        budget: Option<Duration>,
        sink: Option<ProgressSink>,
    ) -> Self {
        let start = clock.as_ref().map_or(Duration::ZERO, Clock::now);
        Self {
            end: budget.map(|budget| start.saturating_add(budget)),
            clock,
            start,
            budget,
            sink,
        }
    }

    /// The time since the beginning; zero without a clock.
    pub(super) fn spent(&self) -> Duration {
        let now = self.clock.as_ref().map(Clock::now);
        now.map_or(Duration::ZERO, |now| now.saturating_sub(self.start))
    }

    /// The same time, over after `most` from now on if it is not over before.
    pub(super) fn at_most(&self, most: Duration) -> Self {
        let now = self.clock.as_ref().map_or(Duration::ZERO, Clock::now);
        let end = now.saturating_add(most);
        Self {
            end: Some(self.end.map_or(end, |own| own.min(end))),
            ..self.clone()
        }
    }

    /// The time for what comes beside the budget: from now on `most`, whatever was spent.
    pub(super) fn anew(&self, most: Duration) -> Self {
        Self {
            end: None,
            ..self.clone()
        }
        .at_most(most)
    }

    /// What is left but for one part in `parts` of it; all of it where it is not limited.
    pub(super) fn leaving(&self, parts: u32) -> Self {
        match (&self.clock, self.end) {
            (Some(clock), Some(end)) => {
                let left = end.saturating_sub(clock.now());
                self.at_most(left - left / parts)
            }
            (None, _) | (_, None) => self.clone(),
        }
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        match (&self.clock, self.end) {
            (Some(clock), Some(end)) => clock.now() >= end,
            (None, _) | (_, None) => false,
        }
    }

    /// Follows a loop of `of` steps, 0 for a number that is not known.
    pub(super) fn ticker(&self, what: &'static str, of: usize) -> Ticker<'_> {
        Ticker {
            time: self,
            pace: Pace::new(what, of),
        }
    }

    fn report(&self, what: &'static str, done: u64, of: u64, spent: Duration) {
        if let Some(ProgressSink(tell)) = &self.sink {
            tell(Progress {
                what,
                done,
                of,
                spent,
                budget: self.budget,
            });
        }
    }
}

/// Follows one loop.
#[derive(Debug)]
pub(super) struct Ticker<'t> {
    time: &'t Time,
    pace: Pace,
}

impl Ticker<'_> {
    /// Takes one more step. Whether the time was over when the clock was last asked.
    pub(super) fn is_over(&mut self) -> bool {
        self.pace.is_over(self.time)
    }
}

/// A [`Ticker`] without its time, for what owns both.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    what: &'static str,
    done: u64,
    of: u64,
    /// Steps until the clock is asked again.
    left: u32,
    is_over: bool,
    reported: Option<Duration>,
}

impl Pace {
    pub(super) const fn new(what: &'static str, of: usize) -> Self {
        Self {
            what,
            done: 0,
            of: of as u64,
            left: 0,
            is_over: false,
            reported: None,
        }
    }

    /// Goes on with another loop.
    pub(super) const fn follow(&mut self, what: &'static str, of: usize) {
        (self.what, self.done, self.of, self.left) = (what, 0, of as u64, 0);
    }

    /// Says how far the loop has got, where that is not the number of its steps.
    pub(super) const fn at(&mut self, done: usize) {
        self.done = done as u64;
    }

    /// Takes one more step of the loop. Whether the time is over.
    pub(super) fn is_over(&mut self, time: &Time) -> bool {
        let over = self.pay(time, 1);
        self.done += 1;
        over
    }

    /// Pays for so many looks at something within one step. Whether the time is over.
    pub(super) fn pay(&mut self, time: &Time, looks: u32) -> bool {
        let Some(left) = self.left.checked_sub(looks) else {
            return self.ask(time);
        };
        self.left = left;
        self.is_over
    }

    fn ask(&mut self, time: &Time) -> bool {
        self.left = STEPS_EACH - 1;
        let Some(clock) = &time.clock else {
            return false;
        };
        let now = clock.now();
        self.is_over |= time.end.is_some_and(|end| now >= end);
        let is_due = |last: Duration| now >= last.saturating_add(REPORT_EACH);
        if time.sink.is_some() && self.reported.is_none_or(is_due) {
            self.reported = Some(now);
            let spent = now.saturating_sub(time.start);
            time.report(self.what, self.done, self.of, spent);
        }
        self.is_over
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// A clock that goes on by a millisecond each time that it is read.
    fn jumping() -> Clock {
        let reads = AtomicU64::new(0);
        Clock::new(move || Duration::from_millis(reads.fetch_add(1, Ordering::Relaxed)))
    }

    fn steps(time: &Time) -> usize {
        let mut ticker = time.ticker("test", 100_000);
        (0..100_000).take_while(|_| !ticker.is_over()).count()
    }

    #[test]
    fn a_loop_ends_when_its_time_is_over_and_never_without_a_clock() {
        let within = |budget| Time::starting(Some(jumping()), budget, None);
        assert_eq!(steps(&within(Some(Duration::ZERO))), 0);
        let one = steps(&within(Some(Duration::from_millis(3))));
        assert_eq!(one, 2 * STEPS_EACH as usize);
        assert_eq!(steps(&within(None)), 100_000);
        assert_eq!(
            steps(&Time::starting(None, Some(Duration::ZERO), None)),
            100_000
        );
    }

    #[test]
    fn a_part_of_the_time_is_over_no_later_than_the_whole() {
        let stopped = Clock::new(|| Duration::from_secs(7));
        let time = Time::starting(Some(stopped), Some(Duration::from_secs(4)), None);
        let end = |time: &Time| time.end.map(|end| end.as_secs());
        assert_eq!(end(&time), Some(11));
        assert_eq!(end(&time.at_most(Duration::from_secs(9))), Some(11));
        assert_eq!(end(&time.at_most(Duration::from_secs(1))), Some(8));
        assert_eq!(end(&time.leaving(4)), Some(10));
        assert_eq!(end(&time.anew(Duration::from_secs(9))), Some(16));
        assert!(time.at_most(Duration::ZERO).is_over());
    }

    #[test]
    fn what_is_checked_is_told_with_how_far_it_has_got() {
        let told: Arc<Mutex<Vec<Progress>>> = Arc::default();
        let sink = {
            let told = Arc::clone(&told);
            ProgressSink::new(move |progress| told.lock().unwrap().push(progress))
        };
        let time = Time::starting(Some(jumping()), Some(Duration::from_secs(20)), Some(sink));
        assert_eq!(steps(&time), 100_000);
        let told = told.lock().unwrap();
        let first = told.first().unwrap();
        assert_eq!((first.what, first.done, first.of), ("test", 0, 100_000));
        assert!(told.is_sorted_by_key(|progress| progress.done));
        let last = told.last().unwrap();
        assert!(last.done > 80_000, "{last}");
        assert_eq!(first.to_string(), "test, 0 %, 0 s of 20 s");
        assert!(told.len() < 10, "{} reports", told.len());
    }
}
