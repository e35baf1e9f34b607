//! How many operations succeeded in each tenth of a second: what was available, and how soon a store
//! recovers from a fault.

use super::fault::{FaultWindow, PeriodRecord};
use super::series::IntervalSeries;

/// The length of a tick, in ns.
pub(super) const TICK_NS: u64 = 100_000_000;
/// Ticks that are counted: a little more than a day. What comes later is in the series alone.
const TICKS_MAX: usize = 1 << 20;
/// A store has recovered when its ticks have this share of the successes that they have without
/// faults,
const RECOVERED: f64 = 0.8;
/// so many of them in a row taken together.
const RECOVERED_TICKS: usize = 5;

/// Successes and errors by tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    start_ns: u64,
    ticks: Vec<Tick>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tick {
    successes: u32,
    errors: u32,
}

impl Pulse {
    pub(super) const fn starting_at(start_ns: u64) -> Self {
        Self {
            start_ns,
            ticks: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn success(&mut self, at_ns: u64) {
        if let Some(tick) = self.at(at_ns) {
            tick.successes += 1;
        }
    }

    pub(super) fn error(&mut self, at_ns: u64) {
        if let Some(tick) = self.at(at_ns) {
            tick.errors += 1;
        }
    }

    #[inline]
    fn at(&mut self, at_ns: u64) -> Option<&mut Tick> {
        let place = usize::try_from(at_ns.saturating_sub(self.start_ns) / TICK_NS).ok()?;
        if place >= self.ticks.len() {
            self.grow(place)?;
        }
        self.ticks.get_mut(place)
    }

    #[cold]
    fn grow(&mut self, place: usize) -> Option<()> {
        (place < TICKS_MAX).then(|| self.ticks.resize(place + 1, Tick::default()))
    }

    /// Says of each window what clients noticed before, during and after it, and how soon the store
    /// recovered. The measured part ends at `end_ns`.
    pub fn judge(&self, windows: &mut [FaultWindow], series: &IntervalSeries, end_ns: u64) {
        let spans: Vec<(u64, u64)> = { &*windows }
            .iter()
            .map(|window| (window.from_ns, window.to_ns.max(window.from_ns)))
            .collect();
        let usual = self.usual(&spans);
        for (at, window) in windows.iter_mut().enumerate() {
            let (from_ns, to_ns) = spans[at];
            let others = || {
                { &spans }
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != at)
            };
            // Back to the end of whatever was before it.
            let earlier = others()
                .filter(|(_, span)| span.0 <= from_ns)
                .map(|(_, span)| span.1)
                .max();
            let later = others()
                .filter(|(_, span)| span.1 > to_ns)
                .map(|(_, span)| span.0)
                .min();
            let before_ns = earlier.unwrap_or(self.start_ns).max(self.start_ns);
            let after_ns = later.unwrap_or(end_ns).min(end_ns);
            window.before = self.period(before_ns, from_ns, series);
            window.during = self.period(from_ns, to_ns.min(end_ns), series);
            window.after = self.period(to_ns, after_ns, series);
            window.recovery_ns = self.recovery(to_ns, after_ns, usual);
        }
    }

    /// The successes of a tick without faults: the median of those that no window touches.
    fn usual(&self, spans: &[(u64, u64)]) -> u32 {
        let mut quiet: Vec<u32> = (0u64..)
            .zip(&self.ticks)
            .filter(|(place, _)| {
                let start_ns = self.start_ns + place * TICK_NS;
                let touches = |span: &(u64, u64)| span.0 < start_ns + TICK_NS && start_ns < span.1;
                !spans.iter().any(touches)
            })
            .map(|(_, tick)| tick.successes)
            .collect();
        quiet.sort_unstable();
        quiet.get(quiet.len() / 2).copied().unwrap_or(0)
    }

    /// The whole ticks between two times.
    fn between(&self, from_ns: u64, to_ns: u64) -> (usize, &[Tick]) {
        let place = |ns: u64| ns.saturating_sub(self.start_ns);
        let first = place(from_ns).div_ceil(TICK_NS) as usize;
        let last = (place(to_ns) / TICK_NS) as usize;
        let last = last.min(self.ticks.len());
        (first, self.ticks.get(first..last).unwrap_or(&[]))
    }

    fn period(&self, from_ns: u64, to_ns: u64, series: &IntervalSeries) -> PeriodRecord {
        let (_, ticks) = self.between(from_ns, to_ns);
        let touched = { &series.rows }
            .iter()
            .filter(|row| row.start_ns < to_ns && row.end_ns > from_ns)
            .map(|row| row.all.response.unwrap_or(row.all.service));
        let (p99_ns, max_ns) = touched
            .filter(|_| from_ns < to_ns)
            .fold((None, None), |(p99, max), latency| {
                (latency.p99.max(p99), latency.max.max(max))
            });
        PeriodRecord {
            seconds: to_ns.saturating_sub(from_ns) as f64 / 1e9,
            operations: ticks.iter().map(|tick| u64::from(tick.successes)).sum(),
            errors: ticks.iter().map(|tick| u64::from(tick.errors)).sum(),
            p99_ns,
            max_ns,
        }
    }

    /// From the end of a fault until the store has recovered.
    fn recovery(&self, healed_ns: u64, until_ns: u64, usual: u32) -> Option<u64> {
        let (first, ticks) = self.between(healed_ns, until_ns);
        let enough = f64::from(usual) * RECOVERED * RECOVERED_TICKS as f64;
        let well = |ticks: &[Tick]| {
            let successes: f64 = ticks.iter().map(|tick| f64::from(tick.successes)).sum();
            successes >= enough && f64::from(ticks[0].successes) >= f64::from(usual) * 0.5
        };
        let place = ticks.windows(RECOVERED_TICKS).position(well)?;
        let start_ns = self.start_ns + (first + place) as u64 * TICK_NS;
        // A store that was well all the time recovers in the tick in which the fault ends.
        Some(if place == 0 { 0 } else { start_ns - healed_ns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn window(from_ns: u64, to_ns: u64) -> FaultWindow {
        FaultWindow {
            from_ns,
            to_ns,
            ..FaultWindow::default()
        }
    }

    /// Ten operations a tick for 20 s from the second on, but for those that `fail`.
    fn pulse(fail: impl Fn(u64) -> bool) -> Pulse {
        let mut pulse = Pulse::starting_at(SECOND);
        for n in 0..2_000 {
            let at_ns = SECOND + n * TICK_NS / 10;
            if fail(at_ns) {
                pulse.error(at_ns);
            } else {
                pulse.success(at_ns);
            }
        }
        pulse
    }

    fn judged(pulse: &Pulse, windows: &[(u64, u64)]) -> Vec<FaultWindow> {
        let mut windows: Vec<FaultWindow> = { windows.iter() }
            .map(|(from_ns, to_ns)| window(*from_ns, *to_ns))
            .collect();
        pulse.judge(&mut windows, &IntervalSeries::default(), 21 * SECOND);
        windows
    }

    #[test]
    fn errors_during_a_fault_are_seen_during_it_and_at_no_other_time() {
        let pulse = pulse(|ns| (5 * SECOND..7 * SECOND).contains(&ns));
        let judged = judged(&pulse, &[(5 * SECOND, 7 * SECOND)]);
        let [window] = &judged[..] else { panic!() };
        let counts = |period: &PeriodRecord| (period.operations, period.errors);
        assert_eq!(counts(&window.before), (400, 0));
        assert_eq!(counts(&window.during), (0, 200));
        assert_eq!(counts(&window.after), (1_400, 0));
        assert_eq!(window.recovery_ns, Some(0));
        assert!((window.during.seconds - 2.0).abs() < 1e-9);
    }

    #[test]
    fn recovery_lasts_from_the_end_of_a_fault_until_operations_succeed_as_before() {
        let pulse = pulse(|ns| (5 * SECOND..9 * SECOND).contains(&ns));
        let judged = judged(&pulse, &[(5 * SECOND, 7 * SECOND)]);
        assert_eq!(judged[0].recovery_ns, Some(2 * SECOND));
    }

    #[test]
    fn a_store_that_has_not_recovered_before_the_next_fault_has_no_time_to_recovery() {
        let pulse = pulse(|ns| (5 * SECOND..9 * SECOND).contains(&ns));
        let judged = judged(
            &pulse,
            &[(5 * SECOND, 7 * SECOND), (8 * SECOND, 9 * SECOND)],
        );
        assert_eq!(judged[0].recovery_ns, None);
        assert_eq!(judged[1].recovery_ns, Some(0));
        assert!((judged[0].after.seconds - 1.0).abs() < 1e-9);
        assert!((judged[1].before.seconds - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_fault_within_another_has_nothing_before_it_and_nothing_after() {
        let pulse = pulse(|_| false);
        let judged = judged(
            &pulse,
            &[(5 * SECOND, 9 * SECOND), (6 * SECOND, 7 * SECOND)],
        );
        assert_eq!(judged[1].before.operations, 0);
        assert_eq!(judged[1].after.operations, 0);
        assert_eq!(judged[1].during.operations, 100);
    }
}
