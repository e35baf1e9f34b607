//! What a chart shows, as data; `assets/charts.js` draws it.

use serde::{Serialize, Serializer};

/// Digits that are kept of a number that is drawn.
const DIGITS: i32 = 4;

/// A chart: curves over one axis, perhaps in several variants of which one is shown.
#[derive(Clone, Debug, Serialize)]
pub(in crate::report) struct Chart {
    /// The id of its figure.
    pub(in crate::report) id: String,
    pub(in crate::report) title: String,
    /// What one should know to read it.
    pub(in crate::report) note: String,
    pub(in crate::report) x: Axis,
    pub(in crate::report) x_label: &'static str,
    /// Whether equal ratios are equally long; odds always are.
    pub(in crate::report) x_log: bool,
    /// Charts of one group are zoomed together.
    pub(in crate::report) sync: Option<&'static str>,
    /// Whether faults are shaded.
    pub(in crate::report) shaded: bool,
    /// Whether each number is a point of its own.
    pub(in crate::report) points: bool,
    #[serde(serialize_with = "rounded_all")]
    pub(in crate::report) xs: Vec<f64>,
    pub(in crate::report) variants: Vec<Variant>,
}

/// What an axis measures, and so how its numbers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::report) enum Axis {
    /// Nanoseconds.
    Latency,
    /// Operations a second.
    Rate,
    /// How many.
    Count,
    /// Bytes.
    Bytes,
    /// Seconds since the run began.
    Seconds,
    /// A quantile q as 1 / (1 - q).
    Odds,
}

/// One choice of what a chart shows.
#[derive(Clone, Debug, Serialize)]
pub(in crate::report) struct Variant {
    pub(in crate::report) name: String,
    pub(in crate::report) y: Axis,
    /// Whether equal ratios are equally high.
    pub(in crate::report) log: bool,
    pub(in crate::report) series: Vec<Curve>,
}

/// One curve: a number, or none, for each place on the x axis.
#[derive(Clone, Debug, Serialize)]
pub(in crate::report) struct Curve {
    pub(in crate::report) name: String,
    #[serde(serialize_with = "rounded_options")]
    pub(in crate::report) values: Vec<Option<f64>>,
}

/// A stretch of time in another colour.
#[derive(Clone, Debug, Serialize)]
pub(in crate::report) struct Shade {
    /// In seconds.
    pub(in crate::report) from: f64,
    pub(in crate::report) to: f64,
    pub(in crate::report) colour: &'static str,
}

fn rounded_all<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| rounded(*value, DIGITS + 3)))
}

fn rounded_options<S: Serializer>(
    values: &[Option<f64>],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(
        values
            .iter()
            .map(|value| value.map(|it| rounded(it, DIGITS))),
    )
}

/// A number to so many significant digits, which keeps the page small. Whole numbers are written
/// without a point.
fn rounded(value: f64, digits: i32) -> Number {
    if value == 0.0 || !value.is_finite() {
        return Number::Whole(0);
    }
    let place = digits - 1 - value.abs().log10().floor() as i32;
    let rounded = if place >= 0 {
        let scale = 10_f64.powi(place.min(300));
        (value * scale).round() / scale
    } else {
        let scale = 10_f64.powi(-place);
        (value / scale).round() * scale
    };
    if rounded.fract() == 0.0 && rounded.abs() < 1e15 {
        Number::Whole(rounded as i64)
    } else {
        Number::Broken(rounded)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
enum Number {
    Whole(i64),
    Broken(f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_digits_and_are_never_nan() {
        assert_eq!(rounded(123_456.0, 4), Number::Whole(123_500));
        assert_eq!(rounded(0.001_234_56, 4), Number::Broken(0.001_235));
        assert_eq!(rounded(-99.996, 4), Number::Whole(-100));
        assert_eq!(rounded(f64::NAN, 4), Number::Whole(0));
        assert_eq!(rounded(0.0, 4), Number::Whole(0));
    }
}
