//! Tagged values whose spellings differ: instants and UUIDs.

use std::borrow::Cow;

use super::token::shown;
use super::value::Value;

/// The longest text that a message shows, in characters.
const SHOWN_CHARS_MAX: usize = 40;
/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// Digits of a second's fraction: nanoseconds.
const FRACTION_DIGITS: usize = 9;
/// Bytes of an offset from UTC, such as `-07:00`.
const OFFSET_BYTES: usize = 6;
/// Digits of the five parts of a UUID.
const UUID_DIGITS: [usize; 5] = [8, 4, 4, 4, 12];

/// A value with its tag.
///
/// # Errors
/// When an instant or a UUID is none.
pub(super) fn value<'t>(tag: &'t str, inner: Value<'t>) -> Result<Value<'t>, String> {
    let one: fn(&str) -> Option<String> = match tag {
        "inst" => instant,
        "uuid" => uuid,
        _ => return Ok(Value::Tagged(Cow::Borrowed(tag), Box::new(inner))),
    };
    let text = inner.text().and_then(one);
    let text = text.ok_or_else(|| {
        let text = shown(&inner.to_string(), SHOWN_CHARS_MAX);
        format!("`#{tag} {text}` is no {tag}")
    })?;
    let text = Value::Text(Cow::Owned(text));
    Ok(Value::Tagged(Cow::Borrowed(tag), Box::new(text)))
}

/// A UUID in small letters, with all its digits.
fn uuid(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let mut whole = Vec::with_capacity(UUID_DIGITS.len());
    for digits in UUID_DIGITS {
        let part = parts.next()?;
        let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if part.is_empty() || part.len() > digits || !is_hex {
            return None;
        }
        whole.push(format!("{:0>digits$}", part.to_ascii_lowercase()));
    }
    parts.next().is_none().then(|| whole.join("-"))
}

/// An instant in UTC: `2026-11-30T01:02:03.000Z`, with as many digits of the second's fraction as
/// it needs, and no fewer than three. What is left out at the end of a date is its start.
fn instant(text: &str) -> Option<String> {
    let (clock, offset_s) = without_offset(text)?;
    let (date, time) = clock.split_once('T').unwrap_or((clock, ""));
    let mut dates = date.splitn(3, '-');
    let year = number(dates.next()?, 4)?;
    let month = dates.next().map_or(Some(1), |month| number(month, 2))?;
    let day = dates.next().map_or(Some(1), |day| number(day, 2))?;
    if !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let are_digits = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits || fraction.len() > FRACTION_DIGITS || clock.ends_with('T') {
        return None;
    }
    let mut parts = [0; 3];
    let mut times = time.split(':').filter(|_| !time.is_empty());
    for (part, largest) in parts.iter_mut().zip([23, 59, 60]) {
        if let Some(text) = times.next() {
            *part = number(text, 2).filter(|value| *value <= largest)?;
        }
    }
    if times.next().is_some() || (fraction != "0" && time.len() < "00:00:00".len()) {
        return None;
    }
    let [hour, minute, second] = parts;
    let day = days_since_epoch(year, month, day);
    let second_of_epoch = day * DAY_S + hour * 3600 + minute * 60 + second - offset_s;
    Some(written(second_of_epoch, fraction))
}

fn written(second: i64, fraction: &str) -> String {
    let (year, month, day) = date_of(second.div_euclid(DAY_S));
    let of_day = second.rem_euclid(DAY_S);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let fraction = format!("{:0<3}", fraction.trim_end_matches('0'));
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction}Z")
}

/// A date with its time, and its offset from UTC in seconds.
fn without_offset(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let offset = text
        .len()
        .checked_sub(OFFSET_BYTES)
        .and_then(|start| text.split_at_checked(start))
        .filter(|(_, offset)| offset.starts_with(['+', '-']) && offset[1..].contains(':'));
    let Some((clock, offset)) = offset else {
        return Some((text, 0));
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = hours * 3600 + minutes * 60;
    let is_before = offset.starts_with('-');
    Some((clock, if is_before { -seconds } else { seconds }))
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let are_digits = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    are_digits.then(|| text.parse().ok()).flatten()
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first day of a year.
const fn days_to_year(year: i64) -> i64 {
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    year * 365 + leap_days - (1970 * 365 + 1969 / 4 - 1969 / 100 + 1969 / 400)
}

fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let months: i64 = (1..month).map(|month| days_of(year, month)).sum();
    days_to_year(year) + months + day - 1
}

/// The year, month and day of a day since 1970-01-01.
fn date_of(day: i64) -> (i64, i64, i64) {
    // At most the right year, so that counting up finds it.
    let mut year = 1970 + day.div_euclid(if day < 0 { 365 } else { 366 });
    while days_to_year(year + 1) <= day {
        year += 1;
    }
    let mut left = day - days_to_year(year);
    let mut month = 1;
    while left >= days_of(year, month) {
        left -= days_of(year, month);
        month += 1;
    }
    (year, month, left + 1)
}
