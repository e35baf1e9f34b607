//! Counts how many operations succeeded in each tenth of a second. From that follow availability
//! and how soon a store recovers from a fault.

use super::fault::{FaultWindow, PeriodRecord};
use super::series::IntervalSeries;

/// The length of a tick, in ns.
pub(super) const TICK_NS: u64 = 100_000_000;
/// Stretches that are counted: ticks of a little more than a day, or somewhat fewer where faults
/// cut them. What comes later is in the series alone.
const STRETCHES_MAX: usize = 1 << 20;
/// A store has recovered when its ticks have this share of the successes that they have without
/// faults,
const RECOVERED: f64 = 0.8;
/// so many of them in a row taken together.
const RECOVERED_TICKS: usize = 5;

/// Successes and errors by stretch of time: ticks, cut where faults begin and end, so that what
/// happened during a fault is counted exactly, however short it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulse {
    start_ns: u64,
    /// In the order of their time, each up to the next one or the end of its tick.
    stretches: Vec<Stretch>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stretch {
    /// In ns since the start of the measured part.
    from_ns: u64,
    successes: u32,
    errors: u32,
}

impl Stretch {
    const fn tick(&self) -> u64 {
        self.from_ns / TICK_NS
    }
}

impl Pulse {
    pub(super) const fn starting_at(start_ns: u64) -> Self {
        Self {
            start_ns,
            stretches: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn success(&mut self, at_ns: u64) {
        if let Some(stretch) = self.at(at_ns) {
            stretch.successes += 1;
        }
    }

    pub(super) fn error(&mut self, at_ns: u64) {
        if let Some(stretch) = self.at(at_ns) {
            stretch.errors += 1;
        }
    }

    /// A fault begins or ends now: what follows is counted separately from what came before.
    pub(super) fn mark(&mut self, now_ns: u64) {
        let from_ns = now_ns.saturating_sub(self.start_ns);
        if now_ns < self.start_ns || self.stretches.len() >= STRETCHES_MAX {
            return;
        }
        let Some(last) = self.at(now_ns) else { return };
        // What has come so far lies before now.
        if last.from_ns < from_ns {
            self.stretches.push(Stretch {
                from_ns,
                ..Stretch::default()
            });
        }
    }

    #[inline]
    fn at(&mut self, at_ns: u64) -> Option<&mut Stretch> {
        let from_ns = at_ns.saturating_sub(self.start_ns);
        let tick = from_ns / TICK_NS;
        if { &self.stretches }
            .last()
            .is_none_or(|last| last.tick() < tick)
        {
            self.grow(tick)?;
        }
        if { &self.stretches }
            .last()
            .is_some_and(|last| last.from_ns <= from_ns)
        {
            return self.stretches.last_mut();
        }
        let after = { &self.stretches }.partition_point(|stretch| stretch.from_ns <= from_ns);
        self.stretches.get_mut(after.checked_sub(1)?)
    }

    /// Adds whole ticks up to this one.
    #[cold]
    fn grow(&mut self, tick: u64) -> Option<()> {
        if tick >= STRETCHES_MAX as u64 {
            return None;
        }
        let next = { &self.stretches }.last().map_or(0, |last| last.tick() + 1);
        self.stretches.extend((next..=tick).map(|tick| Stretch {
            from_ns: tick * TICK_NS,
            ..Stretch::default()
        }));
        Some(())
    }

    /// Says of each window what clients noticed before, during and after it, and how soon the store
    /// recovered. The measured part ends at `end_ns`.
    pub fn judge(&self, windows: &mut [FaultWindow], series: &IntervalSeries, end_ns: u64) {
        let spans: Vec<(u64, u64)> = { &*windows }
            .iter()
            .map(|window| (window.from_ns, window.to_ns.max(window.from_ns)))
            .collect();
        let ticks = self.ticks();
        let usual = self.usual(&ticks, &spans);
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
            let period =
                |from_ns, to_ns: u64| self.period(from_ns, to_ns.min(end_ns), series, end_ns);
            window.before = period(before_ns, from_ns);
            window.during = period(from_ns, to_ns);
            window.after = period(to_ns, after_ns);
            window.recovery_ns = self.recovery(&ticks, to_ns, after_ns, usual);
        }
    }

    /// The successes of each tick, whatever cut it.
    fn ticks(&self) -> Vec<u32> {
        let mut ticks: Vec<u32> = Vec::new();
        for stretch in &self.stretches {
            match ticks.get_mut(stretch.tick() as usize) {
                Some(tick) => *tick += stretch.successes,
                None => ticks.push(stretch.successes),
            }
        }
        ticks
    }

    /// The successes of a tick without faults: the median of those that no window touches.
    fn usual(&self, ticks: &[u32], spans: &[(u64, u64)]) -> u32 {
        let mut quiet: Vec<u32> = (0u64..)
            .zip(ticks)
            .filter(|(place, _)| {
                let start_ns = self.start_ns + place * TICK_NS;
                let touches = |span: &(u64, u64)| span.0 < start_ns + TICK_NS && start_ns < span.1;
                !spans.iter().any(touches)
            })
            .map(|(_, successes)| *successes)
            .collect();
        quiet.sort_unstable();
        quiet.get(quiet.len() / 2).copied().unwrap_or(0)
    }

    /// The whole stretches between two times; up to the end of the measured part, all that are
    /// left.
    fn between(&self, from_ns: u64, to_ns: u64, end_ns: u64) -> &[Stretch] {
        let to_ns = if to_ns < end_ns { to_ns } else { u64::MAX };
        let since_start = |ns: u64| ns.saturating_sub(self.start_ns);
        let (from_ns, to_ns) = (since_start(from_ns), since_start(to_ns));
        let begun = |before_ns| move |stretch: &Stretch| stretch.from_ns < before_ns;
        let first = self.stretches.partition_point(begun(from_ns));
        let mut last = self.stretches.partition_point(begun(to_ns));
        // One that goes on beyond is not whole.
        let ends_ns = match self.stretches.get(last) {
            Some(next) => next.from_ns,
            None => { &self.stretches }
                .last()
                .map_or(0, |last| (last.tick() + 1) * TICK_NS),
        };
        if ends_ns > to_ns {
            last = last.saturating_sub(1);
        }
        self.stretches.get(first..last).unwrap_or(&[])
    }

    fn period(
        &self,
        from_ns: u64,
        to_ns: u64,
        series: &IntervalSeries,
        end_ns: u64,
    ) -> PeriodRecord {
        let stretches = self.between(from_ns, to_ns, end_ns);
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
            operations: { stretches.iter() }
                .map(|stretch| u64::from(stretch.successes))
                .sum(),
            errors: { stretches.iter() }
                .map(|stretch| u64::from(stretch.errors))
                .sum(),
            p99_ns,
            max_ns,
        }
    }

    /// From the end of a fault until the store has recovered.
    fn recovery(&self, ticks: &[u32], healed_ns: u64, until_ns: u64, usual: u32) -> Option<u64> {
        let place = |ns: u64| ns.saturating_sub(self.start_ns);
        let first = place(healed_ns).div_ceil(TICK_NS) as usize;
        let last = (place(until_ns) / TICK_NS) as usize;
        let ticks = ticks.get(first..last.min(ticks.len()))?;
        let enough = f64::from(usual) * RECOVERED * RECOVERED_TICKS as f64;
        let well = |ticks: &[u32]| {
            let successes: f64 = ticks.iter().map(|tick| f64::from(*tick)).sum();
            successes >= enough && f64::from(ticks[0]) >= f64::from(usual) * 0.5
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
    fn what_happens_during_a_fault_is_counted_exactly_however_short_it_was() {
        // Less than a tick, and across the end of one.
        let (from_ns, to_ns) = (5 * SECOND + 30_000_000, 5 * SECOND + 90_000_000);
        let (later_ns, end_ns) = (7 * SECOND + 95_000_000, 7 * SECOND + 105_000_000);
        let marks = [from_ns, to_ns, later_ns, end_ns];
        let mut pulse = Pulse::starting_at(SECOND);
        let mut left = &marks[..];
        for n in 0..2_000 {
            let at_ns = SECOND + n * TICK_NS / 10;
            while let [mark, rest @ ..] = left
                && *mark <= at_ns
            {
                pulse.mark(*mark);
                left = rest;
            }
            if (from_ns..to_ns).contains(&at_ns) {
                pulse.error(at_ns);
            } else {
                pulse.success(at_ns);
            }
            // What ended before the mark may be counted after it.
            if at_ns == to_ns + 10_000_000 {
                pulse.success(to_ns - 1);
            }
        }
        let judged = judged(&pulse, &[(from_ns, to_ns), (later_ns, end_ns)]);
        let counts = |period: &PeriodRecord| (period.operations, period.errors);
        assert_eq!(counts(&judged[0].before), (403, 0));
        assert_eq!(counts(&judged[0].during), (1, 6));
        assert_eq!(counts(&judged[0].after), (201, 0));
        assert_eq!(counts(&judged[1].during), (1, 0));
        assert_eq!(counts(&judged[1].after), (1_389, 0));
        assert_eq!(judged[0].recovery_ns, Some(0), "ticks are whole again");
        let without = Pulse {
            stretches: Vec::new(),
            ..pulse
        };
        let nothing = self::judged(&without, &[(from_ns, to_ns)]);
        assert!(nothing[0].is_empty(), "the control");
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
