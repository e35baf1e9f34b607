//! How numbers are written, in one place: human units, and few enough digits to compare by eye.

/// The unit of a column of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
}

impl Unit {
    /// The largest in which `ns` is at least one.
    pub(super) const fn fitting(ns: u64) -> Self {
        match ns {
            0..1_000 => Self::Nanoseconds,
            1_000..1_000_000 => Self::Microseconds,
            1_000_000..1_000_000_000 => Self::Milliseconds,
            1_000_000_000.. => Self::Seconds,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
        }
    }

    const fn ns(self) -> f64 {
        match self {
            Self::Nanoseconds => 1.0,
            Self::Microseconds => 1e3,
            Self::Milliseconds => 1e6,
            Self::Seconds => 1e9,
        }
    }

    /// A time in this unit, without its name.
    pub(super) fn of(self, ns: u64) -> String {
        significant(ns as f64 / self.ns())
    }
}

/// A time with the unit that fits.
pub fn time(ns: u64) -> String {
    let unit = Unit::fitting(ns);
    format!("{} {}", unit.of(ns), unit.name())
}

/// A length of time that is known in seconds.
pub(super) fn seconds(seconds: f64) -> String {
    time((seconds * 1e9).round() as u64)
}

/// A whole number, in groups of three digits.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A rate, with k or M.
pub fn rate(per_second: f64) -> String {
    scaled(per_second, 1000.0, &["", "k", "M", "G"])
}

/// A number of bytes, with its binary unit.
pub(super) fn bytes(bytes: u64) -> String {
    scaled(
        bytes as f64,
        1024.0,
        &[" B", " KiB", " MiB", " GiB", " TiB"],
    )
}

/// A share, in percent.
pub(super) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return absent();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    // "0.00 %" would hide that there was one.
    if part > 0 && percent < 0.01 {
        return "< 0.01 %".to_owned();
    }
    format!("{} %", significant(percent))
}

/// What stands for a number that does not exist.
fn absent() -> String {
    "-".to_owned()
}

pub(super) fn optional<T>(value: Option<T>, format: impl FnOnce(T) -> String) -> String {
    value.map_or_else(absent, format)
}

fn scaled(value: f64, base: f64, units: &[&str]) -> String {
    let (mut value, mut at) = (value, 0);
    // 999.5 would be written as 1000 of the smaller unit.
    while value >= base * 0.9995 && at + 1 < units.len() {
        value /= base;
        at += 1;
    }
    format!("{}{}", significant(value), units[at])
}

/// Three significant digits below a thousand, whole numbers above.
fn significant(value: f64) -> String {
    match value {
        v if v >= 999.5 => count(v.round() as u64),
        v if v >= 99.95 || v == 0.0 => format!("{v:.0}"),
        v if v >= 9.995 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_digits_and_a_fitting_unit() {
        for (ns, text) in [
            (0, "0 ns"),
            (7, "7.00 ns"),
            (999, "999 ns"),
            (85_310, "85.3 µs"),
            (1_234_567, "1.23 ms"),
            (2_001_000_000, "2.00 s"),
            (99_960_000, "100 ms"),
        ] {
            assert_eq!(time(ns), text);
        }
        assert_eq!(Unit::Microseconds.of(2_001_000_000), "2,001,000");
        assert_eq!(seconds(0.35), "350 ms");
    }

    #[test]
    fn counts_rates_and_bytes_are_easy_on_the_eye() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!(rate(0.0), "0");
        assert_eq!(rate(999.7), "1.00k");
        assert_eq!(rate(23_456.0), "23.5k");
        assert_eq!(rate(1.5e6), "1.50M");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(43_000_000), "41.0 MiB");
        assert_eq!(percent(1, 1_000_000), "< 0.01 %");
        assert_eq!(percent(1, 4), "25.0 %");
        assert_eq!(percent(0, 0), "-");
    }
}
