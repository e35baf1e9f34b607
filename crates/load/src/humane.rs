//! Durations and rates as people write them: `500ms`, `5s`, `2m`; `20k`, `1.5M`.

use std::time::Duration;

/// The units of a duration, in nanoseconds, largest first.
const DURATION_UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Reads a duration: a number and one of `h`, `m`, `s`, `ms`, `us` (or `µs`), `ns`.
///
/// `None` for anything else: a bare number has no unit, and none is guessed.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_')?;
    let (number, unit) = text.split_at(unit_at);
    let unit = match unit.trim() {
        "µs" | "μs" => "us",
        other => other,
    };
    let (_, scale) = DURATION_UNITS.iter().find(|(name, _)| *name == unit)?;
    let nanos = parse_number(number)? * *scale as f64;
    // Beyond 2^63 ns (292 years) the conversion would saturate silently.
    (nanos < 9.2e18).then(|| Duration::from_nanos(nanos.round() as u64))
}

/// Writes a duration in the largest unit in which it is whole; the inverse of [`parse_duration`].
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let (unit, scale) = DURATION_UNITS
        .iter()
        // Ninety seconds read better as 90s than the like of 1.5m; hours only when whole.
        .find(|(_, scale)| nanos.is_multiple_of(u128::from(*scale)))
        .expect("every number is a multiple of 1 ns");
    format!("{}{unit}", nanos / u128::from(*scale))
}

/// Reads a count or a rate: a number, optionally with `k` (10^3), `M` (10^6) or `G` (10^9).
#[must_use]
pub fn parse_count(text: &str) -> Option<f64> {
    let text = text.trim();
    let (number, scale) = match text.char_indices().last()? {
        (at, 'k' | 'K') => (&text[..at], 1e3),
        (at, 'M') => (&text[..at], 1e6),
        (at, 'G') => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    parse_number(number).map(|n| n * scale)
}

/// A non-negative finite number in plain decimal notation, `_` between digits allowed.
fn parse_number(text: &str) -> Option<f64> {
    let text = text.trim().replace('_', "");
    let plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.');
    if plain { text.parse().ok() } else { None }
}

/// For `#[serde(with)]`: an optional duration as a humane string.
pub mod optional_duration {
    use std::time::Duration;

    use serde::{Deserializer, Serialize, Serializer};

    /// Writes a duration as a humane string.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(super::format_duration).serialize(serializer)
    }

    /// Reads a duration from a humane string.
    ///
    /// # Errors
    /// When it is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::duration::deserialize(deserializer).map(Some)
    }
}

/// For `#[serde(with)]`: a duration as a humane string.
pub(crate) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        super::format_duration(*duration).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::parse_duration(&text).ok_or_else(|| {
            D::Error::custom(format!("`{text}` is not a duration: write it like \"5s\""))
        })
    }
}

/// For `#[serde(deserialize_with)]`: an optional rate as a number or as a string like `"20k"`.
pub fn deserialize_rate<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    deserializer.deserialize_any(CountVisitor).map(Some)
}

/// For `#[serde(deserialize_with)]`: an optional whole count, as a number or like `"20k"`.
pub fn deserialize_optional_count<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<u64>, D::Error> {
    deserialize_count(deserializer).map(Some)
}

/// For `#[serde(deserialize_with)]`: a whole count, as a number or like `"20k"`.
pub fn deserialize_count<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<u64, D::Error> {
    let count = deserializer.deserialize_any(CountVisitor)?;
    // Above 2^53 a double no longer holds every whole number.
    if count.fract() == 0.0 && count <= 9e15 {
        Ok(count as u64)
    } else {
        let message = format!("{count} is not a whole number in range");
        Err(serde::de::Error::custom(message))
    }
}

struct CountVisitor;

impl serde::de::Visitor<'_> for CountVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number of at least 0, or a string like \"20k\"")
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<f64, E> {
        self.visit_f64(n as f64)
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<f64, E> {
        self.visit_f64(n as f64)
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<f64, E> {
        if n.is_finite() && n >= 0.0 {
            Ok(n)
        } else {
            Err(E::custom(format!("{n} is not a number of at least 0")))
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<f64, E> {
        parse_count(text)
            .ok_or_else(|| E::custom(format!("`{text}` is not a number: write it like 20k")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_in_every_unit_and_written_back() {
        for (text, nanos) in [
            ("5s", 5_000_000_000),
            ("500ms", 500_000_000),
            ("0.5s", 500_000_000),
            ("90 s", 90_000_000_000),
            ("2m", 120_000_000_000),
            ("1h", 3_600_000_000_000),
            ("250us", 250_000),
            ("250µs", 250_000),
            ("7ns", 7),
            ("0s", 0),
        ] {
            let duration = parse_duration(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(duration, Duration::from_nanos(nanos), "{text}");
            assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
        assert_eq!(format_duration(Duration::from_millis(1500)), "1500ms");
    }

    #[test]
    fn a_duration_without_unit_or_sense_is_refused() {
        for text in [
            "5",
            "",
            "s",
            "-5s",
            "5 parsecs",
            "1e3s",
            "..s",
            "NaNs",
            "9999999999h",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn counts_take_a_suffix() {
        for (text, count) in [("20k", 2e4), ("1.5M", 1.5e6), ("2G", 2e9), ("10_000", 1e4)] {
            assert_eq!(parse_count(text), Some(count), "{text}");
        }
        for text in ["", "k", "-1", "inf", "NaN", "20q", "µ"] {
            assert_eq!(parse_count(text), None, "{text}");
        }
    }
}
