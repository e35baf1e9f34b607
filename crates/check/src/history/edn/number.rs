//! Numbers in the one spelling that each has.
//!
//! As in Clojure, integers, ratios, decimals and floats are kinds apart: `1`, `1M` and `1.0` are
//! three numbers. Within a kind the value alone counts: `1N` is `1`, `2/4` is `1/2`, `1.50M` is
//! `1.5M`, and `-0.0` is `0.0`.

use std::borrow::Cow;

use super::value::Value;

/// The longest number that is read, in bytes: a change of base is quadratic.
const NUMBER_BYTES_MAX: usize = 4096;
/// Decimals with so many digits and zeros are written without an exponent.
const PLAIN_DIGITS_MAX: i64 = 40;
/// What fits one limb of an integer of any size.
const LIMB: u64 = 1_000_000_000;

/// The number that a word is, which begins with a digit, or with a sign before one.
pub(super) fn value(word: &str) -> Option<Value<'_>> {
    if word.len() > NUMBER_BYTES_MAX {
        return None;
    }
    let (negative, digits) = match word.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, word.strip_prefix('+').unwrap_or(word)),
    };
    if let Some((above, below)) = digits.split_once('/') {
        return ratio(negative, above, below);
    }
    if let Some(magnitude) = integer(digits) {
        return Some(signed(negative, &magnitude));
    }
    if let Some(decimal) = digits.strip_suffix('M') {
        return decimal_text(negative, decimal).map(|text| Value::Number(Cow::Owned(text)));
    }
    let is_float = !digits.starts_with('.') && digits.bytes().all(is_of_float);
    let value: f64 = is_float.then(|| word.parse().ok()).flatten()?;
    // A whole number without point and exponent is an integer, or was none.
    digits
        .contains(['.', 'e', 'E'])
        .then(|| Value::float(value))
}

const fn is_of_float(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
}

/// The one spelling of a float.
pub(super) fn float_text(value: f64) -> String {
    if value.is_nan() {
        "##NaN".to_owned()
    } else if value.is_infinite() {
        let sign = if value < 0.0 { "-" } else { "" };
        format!("##{sign}Inf")
    } else {
        // The addition takes the sign from a zero.
        format!("{:?}", value + 0.0)
    }
}

/// The decimal digits of an integer without its sign, whatever base it is in.
fn integer(text: &str) -> Option<String> {
    if let Some((base, digits)) = text.split_once(['r', 'R']) {
        let base: u32 = base.parse().ok()?;
        return (2..=36).contains(&base).then(|| in_tens(digits, base))?;
    }
    let text = text.strip_suffix('N').unwrap_or(text);
    if let Some(digits) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        return in_tens(digits, 16);
    }
    match text.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => in_tens(octal, 8),
        Some(_) | None => in_tens(text, 10),
    }
}

/// Digits of a base as decimal digits without leading zeros.
fn in_tens(digits: &str, base: u32) -> Option<String> {
    let are_digits = !digits.is_empty() && digits.chars().all(|c| c.is_digit(base));
    if !are_digits {
        return None;
    }
    if base == 10 {
        return Some(digits.to_owned());
    }
    let mut limbs = vec![0u64];
    for digit in digits.chars().filter_map(|c| c.to_digit(base)) {
        let mut carry = u64::from(digit);
        for limb in &mut limbs {
            carry += *limb * u64::from(base);
            *limb = carry % LIMB;
            carry /= LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let (first, rest) = limbs.split_last()?;
    let mut text = first.to_string();
    for limb in rest.iter().rev() {
        text += &format!("{limb:09}");
    }
    Some(text)
}

fn signed(negative: bool, magnitude: &str) -> Value<'static> {
    let text = signed_text(negative, magnitude);
    text.parse()
        .map_or_else(|_| Value::Number(Cow::Owned(text)), Value::Int)
}

fn signed_text(negative: bool, magnitude: &str) -> String {
    let digits = magnitude.trim_start_matches('0');
    match (digits, negative) {
        ("", _) => "0".to_owned(),
        (digits, true) => format!("-{digits}"),
        (digits, false) => digits.to_owned(),
    }
}

/// A ratio in lowest terms. Parts beyond 128 bits are not read.
fn ratio(negative: bool, above: &str, below: &str) -> Option<Value<'static>> {
    let number = |text: &str| -> Option<u128> {
        let are_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        are_digits.then(|| text.parse().ok()).flatten()
    };
    let (above, below) = (number(above)?, number(below)?);
    let (mut a, mut b) = (above, below);
    while b > 0 {
        (a, b) = (b, a % b);
    }
    // What is over zero is no number.
    let (above, below) = (above.checked_div(a)?, (below > 0).then(|| below / a)?);
    let whole = signed_text(negative, &above.to_string());
    Some(if below == 1 {
        signed(negative, &above.to_string())
    } else {
        Value::Number(Cow::Owned(format!("{whole}/{below}")))
    })
}

/// The one spelling of a decimal: no zeros at its ends.
fn decimal_text(negative: bool, text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let kept = digits.trim_end_matches('0');
    let dropped = digits.len() - kept.len();
    let kept = kept.trim_start_matches('0');
    if kept.is_empty() {
        return Some("0M".to_owned());
    }
    let exponent = i64::from(exponent) - fraction.len() as i64 + dropped as i64;
    let sign = if negative { "-" } else { "" };
    let length = kept.len() as i64;
    let text = if exponent >= 0 && length + exponent <= PLAIN_DIGITS_MAX {
        format!("{kept}{}", "0".repeat(exponent as usize))
    } else if exponent < 0 && -exponent <= PLAIN_DIGITS_MAX && length <= PLAIN_DIGITS_MAX {
        let padded = format!("{kept:0>width$}", width = (1 - exponent) as usize);
        let (whole, fraction) = padded.split_at(padded.len() - (-exponent) as usize);
        format!("{whole}.{fraction}")
    } else {
        format!("{kept}E{exponent}")
    };
    Some(format!("{sign}{text}M"))
}
