//! EDN: which spellings are one value, which are not, and what is refused.
//!
//! Random values are compared by an equality of this file's own, which knows what a value means and
//! nothing of how the reader keeps it.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use kvs_zoo::history::edn::{DEPTH_MAX, Value};
use proptest::prelude::*;

fn read(text: &str) -> Value<'static> {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> String {
    let error = text.parse::<Value<'_>>().expect_err(text);
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    line
}

fn hash(value: &Value<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Spellings of one value each.
const ONE: &[&[&str]] = &[
    &["nil", " ,nil ; said", "#_ 1 nil", "#_#_ 1 2 nil"],
    &[
        "12", "12N", "+12", "0xC", "0Xc", "014", "2r1100", "36rC", "24/2",
    ],
    &["0", "-0", "0N", "+0", "0/5", "0x0"],
    &["-7", "-7N", "-0x7", "-14/2", "-2r111"],
    &[
        "9223372036854775808",
        "9223372036854775808N",
        "0x8000000000000000",
    ],
    &[
        "-9223372036854775808",
        "-0x8000000000000000",
        "-9223372036854775808N",
    ],
    &[
        "123456789012345678901234567890",
        "0x18EE90FF6C373E0EE4E3F0AD2",
    ],
    &["1/2", "2/4", "+50/100"],
    &["-1/2", "-2/4"],
    &["1.0", "1.", "1e0", "+1.00", "10e-1", "1E0", "1E+0"],
    &["0.0", "-0.0", "0e5", "0.000"],
    &["1e400", "##Inf"],
    &["##NaN", "##NaN"],
    &["1.5M", "1.50M", "15e-1M", "+01.5M", "0.15E1M"],
    &["0M", "0.00M", "-0M", "0e7M"],
    &["100M", "1e2M", "100.0M"],
    &["\"A\"", "\"\\u0041\"", "\"\\101\""],
    &["\"\u{1f600}\"", "\"\\uD83D\\uDE00\"", "\"\\ud83d\\ude00\""],
    &["\"a\\tb\\n\\\"\\\\\"", "\"a\tb\n\\\"\\\\\""],
    &["\\A", "\\u0041", "\\o101"],
    &["\\newline", "\\u000A", "\\o12"],
    &["\\,", "\\u002C"],
    &["\\(", "\\u0028"],
    &[
        "[1 2]",
        "(1 2)",
        "[1,2]",
        "( 1 , 2 #_3 )",
        "[1;x\n2]",
        "^:a [1 2]",
        "^{:b 1} (1 2)",
    ],
    &["[]", "()", "[#_1]"],
    &["{:a 1 :b 2}", "{:b 2, :a 1}", "{:a 1N :b 0x2}"],
    &["#{1 2 3}", "#{3 1 2}"],
    &["{[1] (2)}", "{(1) [2]}"],
    &["{:n/a 1, :n/b 2}", "#:n{:a 1 :b 2}", "#:n {:n/a 1 :b 2}"],
    &["{:a 1, :m/b 2, \"c\" 3}", "#:n{:_/a 1, :m/b 2, \"c\" 3}"],
    &[
        "#app/tag [1]",
        "#app/tag (1)",
        "#app/tag[1]",
        "#app/tag #_x [1]",
    ],
    &["#app.Pair{:a 1 :b 2}", "#app.Pair {:b 2 :a 1}"],
    &[
        "#inst \"2026-11-30T01:30:00.000-00:00\"",
        "#inst \"2026-11-30T01:30:00Z\"",
        "#inst \"2026-11-30T01:30\"",
        "#inst \"2026-11-30T03:00:00.0+01:30\"",
        "#inst \"2026-11-29T20:30-05:00\"",
    ],
    &[
        "#inst \"2027\"",
        "#inst \"2027-01\"",
        "#inst \"2027-01-01\"",
        "#inst \"2026-12-31T23-01:00\"",
    ],
    &[
        "#inst \"2024-02-29T23:30Z\"",
        "#inst \"2024-03-01T00:30+01:00\"",
    ],
    &[
        "#inst \"1969-12-31T23:59:59.5Z\"",
        "#inst \"1970-01-01T00:59:59.500+01:00\"",
    ],
    &[
        "#uuid \"F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6\"",
        "#uuid \"f81d4fae-7dec-11d0-a765-00a0c91e6bf6\"",
    ],
    &[
        "#uuid \"1-2-3-4-5\"",
        "#uuid \"00000001-0002-0003-0004-000000000005\"",
    ],
    &["true", "true"],
    &["a", "a"],
    &["-", "-"],
    &["+a", "+a"],
    &["a.B$fn__12/<init>", "a.B$fn__12/<init>"],
];

/// Values that look alike and are not.
const APART: &[&str] = &[
    "nil",
    "\"nil\"",
    ":nil",
    "false",
    "\"false\"",
    "0",
    "\"0\"",
    "0.0",
    "0M",
    "()",
    "#{}",
    "{}",
    "\"\"",
    "1",
    "1.0",
    "1M",
    "\"1\"",
    "[1]",
    "#{1}",
    "{1 1}",
    "\\1",
    "#t 1",
    "#u 1",
    "a",
    ":a",
    "\"a\"",
    "\":a\"",
    ":n/a",
    "n/a",
    "1/2",
    "0.5",
    "0.5M",
    "##Inf",
    "##-Inf",
    "##NaN",
    "NaN",
    "9223372036854775807",
    "9223372036854775808",
    "9.223372036854775807E18",
    "[1 2]",
    "[2 1]",
    "[1 2 nil]",
    "[[1 2]]",
    "{1 2}",
    "#{1 2}",
    "\"1 2\"",
    "{:a nil}",
    "{:a {}}",
    "{:b nil}",
    "#app.Pair{:a nil}",
    "\\a",
    "\\A",
    "\"A\"",
    "\"2026-11-30T01:30:00.000Z\"",
    "#inst \"2026-11-30T01:30Z\"",
    "#inst \"2026-11-30T01:30:00.001Z\"",
    "#inst \"2026-11-30T01:30:00.0001Z\"",
    "#uuid \"1-2-3-4-5\"",
    "\"00000001-0002-0003-0004-000000000005\"",
    "#uuid \"1-2-3-4-6\"",
    "0.1",
    "0.1M",
    "1/10",
    "0.10000000000000002",
];

#[test]
fn all_spellings_of_a_value_are_one_and_have_one_text() {
    for spellings in ONE {
        let first = read(spellings[0]);
        for text in *spellings {
            let value = read(text);
            assert_eq!(value, first, "{text}");
            assert_eq!(hash(&value), hash(&first), "{text}");
            assert_eq!(value.to_string(), first.to_string(), "{text}");
        }
        assert_eq!(read(&first.to_string()), first, "{first}");
    }
}

#[test]
fn values_that_look_alike_are_apart_and_so_are_their_texts() {
    for (i, a) in APART.iter().enumerate() {
        for b in &APART[i + 1..] {
            let (x, y) = (read(a), read(b));
            assert_ne!(x, y, "{a} and {b}");
            assert_ne!(x.to_string(), y.to_string(), "{a} and {b}");
        }
    }
}

#[test]
fn what_is_no_edn_is_refused_in_a_line_that_says_what_is_wrong() {
    for (text, reason) in [
        ("", "there is no value"),
        (" ; nothing", "there is no value"),
        ("1 2", "comes after the value"),
        ("[1", "ends within a value"),
        ("\"a", "ends within a value"),
        ("\"\\u00", "ends within a value"),
        ("#", "ends within a value"),
        ("#inst", "ends within a value"),
        ("^:a", "ends within a value"),
        ("[1}", "`}` stands where `]` should"),
        ("{:a}", "a map's last key has no value"),
        ("{:a 1 :a 2}", "a map has the key :a twice"),
        ("{1 1 1N 2}", "a map has the key 1 twice"),
        ("#{[1] (1)}", "a set holds [1] twice"),
        ("[#_]", "there is no value before `]`"),
        ("08", "`08` is no number"),
        ("0x", "`0x` is no number"),
        ("0xG", "`0xG` is no number"),
        ("37r1", "`37r1` is no number"),
        ("2r2", "`2r2` is no number"),
        ("1/0", "`1/0` is no number"),
        ("1/2N", "`1/2N` is no number"),
        ("1.5N", "`1.5N` is no number"),
        ("1e", "`1e` is no number"),
        ("1.2.3", "`1.2.3` is no number"),
        ("1a", "`1a` is no number"),
        ("##Nan", "`##Nan` is no number"),
        ("\"\\q\"", "`\\q` in a string means no character"),
        ("\"\\400\"", "in a string means no character"),
        ("\"\\ud83d\"", "in a string means no character"),
        ("\\ab", "`\\\\ab` is no character"),
        ("\\ud83d", "is no character"),
        (":", "`:` is no keyword"),
        ("::a", "`::a` is no keyword"),
        ("'a", "is no value"),
        ("a\u{1b}[2J", "`a\\u{1b}` is no value"),
        ("@a", "is no value"),
        ("#(inc %)", "`#(` begins nothing"),
        ("#<Object a>", "`#<` begins nothing"),
        ("#\"a+\"", "begins nothing"),
        ("#::a{}", "names no namespace"),
        ("#:a[]", "no map follows `#:a`"),
        ("#inst \"2026-13-01\"", "is no inst"),
        ("#inst \"2026-02-29\"", "is no inst"),
        ("#inst \"2026-01-01T24:00Z\"", "is no inst"),
        ("#inst \"2026-01-01T\"", "is no inst"),
        ("#inst \"yesterday\"", "is no inst"),
        ("#inst 5", "is no inst"),
        ("#uuid \"x\"", "is no uuid"),
        ("#uuid \"1-2-3-4\"", "is no uuid"),
    ] {
        let line = refused(text);
        assert!(line.contains(reason), "{text}: {line}");
    }
    let long = "7".repeat(5_000);
    assert!(refused(&long).len() < 100);
}

#[test]
fn forms_may_be_nested_deep_but_never_overflow_the_stack() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert_eq!(read(&nested(DEPTH_MAX)).to_string(), nested(DEPTH_MAX));
    for opening in [
        "[", "{", "#{", "(", "#_", "#a ", "^", "^:a ", "#:a{", "[#_", "{1 ",
    ] {
        let text = opening.repeat(500_000);
        let line = refused(&text);
        assert!(line.contains("nested deeper than"), "{opening}: {line}");
    }
}

/// What a value means.
#[derive(Clone, Debug)]
enum Data {
    Nil,
    Bool(bool),
    /// Over a number above zero.
    Ratio(i64, i64),
    /// Times ten to the power.
    Decimal(i64, i8),
    Float(f64),
    Char(char),
    Text(String),
    Keyword(String),
    Symbol(String),
    Items(Vec<Self>),
    Set(Vec<Self>),
    Map(Vec<(Self, Self)>),
    /// Milliseconds since 1970.
    Instant(i64),
    Uuid(u128),
    Tagged(String, Box<Self>),
}

/// Clojure's `=`, said by what values mean.
fn equal(a: &Data, b: &Data) -> bool {
    let holds = |all: &[Data], one: &Data| all.iter().any(|other| equal(other, one));
    match (a, b) {
        (Data::Nil, Data::Nil) => true,
        (Data::Bool(a), Data::Bool(b)) => a == b,
        (Data::Ratio(a, c), Data::Ratio(b, d)) => {
            i128::from(*a) * i128::from(*d) == i128::from(*b) * i128::from(*c)
        }
        (Data::Decimal(a, m), Data::Decimal(b, n)) => {
            let least = *m.min(n);
            let scaled = |n: i64, e: i8| i128::from(n) * 10i128.pow((e - least) as u32);
            scaled(*a, *m) == scaled(*b, *n)
        }
        (Data::Float(a), Data::Float(b)) => a == b || (a.is_nan() && b.is_nan()),
        (Data::Char(a), Data::Char(b)) => a == b,
        (Data::Text(a), Data::Text(b))
        | (Data::Keyword(a), Data::Keyword(b))
        | (Data::Symbol(a), Data::Symbol(b)) => a == b,
        (Data::Items(a), Data::Items(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Data::Set(a), Data::Set(b)) => a.len() == b.len() && a.iter().all(|one| holds(b, one)),
        (Data::Map(a), Data::Map(b)) => {
            let has =
                |key: &Data, value: &Data| b.iter().any(|(k, v)| equal(k, key) && equal(v, value));
            a.len() == b.len() && a.iter().all(|(key, value)| has(key, value))
        }
        (Data::Instant(a), Data::Instant(b)) => a == b,
        (Data::Uuid(a), Data::Uuid(b)) => a == b,
        (Data::Tagged(s, a), Data::Tagged(t, b)) => s == t && equal(a, b),
        _ => false,
    }
}

/// Random choices.
struct Choices(u64);

impl Choices {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }

    fn of(&mut self, texts: &[&'static str]) -> &'static str {
        texts[self.below(texts.len() as u64) as usize]
    }

    fn gap(&mut self) -> &'static str {
        self.of(&[" ", ", ", "\n", " ; x]\n", " #_ [a #_b] ", ",,", "\t"])
    }
}

/// One of the spellings of a value.
fn spelled(data: &Data, choices: &mut Choices) -> String {
    match data {
        Data::Nil => "nil".to_owned(),
        Data::Bool(bool) => bool.to_string(),
        Data::Ratio(above, 1) => spelled_integer(*above, choices),
        Data::Ratio(above, below) => {
            let times = 1 + choices.below(5) as i64;
            format!("{}/{}", above * times, below * times)
        }
        Data::Decimal(number, exponent) => {
            let zeros = choices.below(3) as usize;
            let more = exponent - zeros as i8;
            format!(
                "{number}{}{}{more}M",
                "0".repeat(zeros),
                choices.of(&["e", "E"])
            )
        }
        Data::Float(float) if float.is_nan() => "##NaN".to_owned(),
        Data::Float(float) if float.is_infinite() => {
            (if *float > 0.0 { "##Inf" } else { "##-Inf" }).to_owned()
        }
        Data::Float(float) if choices.below(2) == 0 => format!("{float:e}"),
        Data::Float(float) => format!("{float:?}"),
        Data::Char(c) if choices.below(2) == 0 => format!("\\u{:04x}", u32::from(*c)),
        Data::Char(' ') => "\\space".to_owned(),
        Data::Char(c) => format!("\\{c}"),
        Data::Text(text) => spelled_text(text, choices),
        Data::Keyword(name) => format!(":{name}"),
        Data::Symbol(name) => name.clone(),
        Data::Items(items) => {
            let (open, close) = if choices.below(2) == 0 {
                ("[", "]")
            } else {
                ("(", ")")
            };
            spelled_all(open, items, close, choices)
        }
        Data::Set(items) => spelled_all("#{", &rotated(items, choices), "}", choices),
        Data::Map(entries) => {
            let entries = rotated(entries, choices);
            let flat: Vec<Data> = entries.into_iter().flat_map(|(k, v)| [k, v]).collect();
            spelled_all("{", &flat, "}", choices)
        }
        Data::Instant(ms) => spelled_instant(*ms, choices),
        Data::Uuid(uuid) => {
            let digits = format!("{uuid:032x}");
            let parts = [
                &digits[..8],
                &digits[8..12],
                &digits[12..16],
                &digits[16..20],
                &digits[20..],
            ];
            let text = parts.join("-");
            let large = choices.below(2) == 0;
            format!(
                "#uuid \"{}\"",
                if large { text.to_uppercase() } else { text }
            )
        }
        Data::Tagged(tag, inner) => format!("#{tag}{}{}", choices.gap(), spelled(inner, choices)),
    }
}

fn rotated<T: Clone>(items: &[T], choices: &mut Choices) -> Vec<T> {
    let mut items = items.to_vec();
    if !items.is_empty() {
        let by = choices.below(items.len() as u64) as usize;
        items.rotate_left(by);
    }
    items
}

fn spelled_all(open: &str, items: &[Data], close: &str, choices: &mut Choices) -> String {
    let mut text = choices.of(&["", "", "^:m ", "^{:a [1]} "]).to_owned() + open;
    for item in items {
        text += choices.gap();
        text += &spelled(item, choices);
        text += choices.gap();
    }
    text + close
}

fn spelled_integer(number: i64, choices: &mut Choices) -> String {
    let sign = if number < 0 {
        "-"
    } else {
        choices.of(&["", "+"])
    };
    let size = number.unsigned_abs();
    match choices.below(5) {
        0 => format!("{sign}0x{size:X}"),
        1 => format!("{sign}0{size:o}"),
        2 => format!("{sign}2r{size:b}"),
        3 => format!("{sign}{size}N"),
        _ => format!("{sign}{size}"),
    }
}

fn spelled_text(text: &str, choices: &mut Choices) -> String {
    let mut spelled = "\"".to_owned();
    for c in text.chars() {
        match choices.below(3) {
            0 => {
                let mut halves = [0; 2];
                for half in c.encode_utf16(&mut halves) {
                    spelled += &format!("\\u{half:04X}");
                }
            }
            1 if u32::from(c) <= 0o377 => spelled += &format!("\\{:03o}", u32::from(c)),
            _ if c == '"' || c == '\\' => spelled.extend(['\\', c]),
            _ => spelled.push(c),
        }
    }
    spelled + "\""
}

fn spelled_instant(ms: i64, choices: &mut Choices) -> String {
    let minutes = choices.below(24 * 60) as i32 - 12 * 60;
    let zone = TimeZone::fixed(Offset::from_seconds(minutes * 60).unwrap());
    let there = Timestamp::from_millisecond(ms).unwrap().to_zoned(zone);
    let clock = there.strftime("%Y-%m-%dT%H:%M:%S");
    let fraction = match ms.rem_euclid(1000) {
        0 => choices.of(&["", ".0", ".000"]).to_owned(),
        ms => format!(".{ms:03}"),
    };
    let sign = if minutes < 0 { "-" } else { "+" };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    format!("#inst \"{clock}{fraction}{sign}{hours:02}:{minutes:02}\"")
}

/// Few values of each kind, so that equal ones meet.
fn data() -> impl Strategy<Value = Data> {
    let word = prop::sample::select(vec!["a", "b", "n/a", "nil?", "x.y/z", "a-1"]);
    let leaf = prop_oneof![
        Just(Data::Nil),
        any::<bool>().prop_map(Data::Bool),
        (-3i64..4).prop_map(|n| Data::Ratio(n, 1)),
        any::<i64>().prop_map(|n| Data::Ratio(n, 1)),
        (-4i64..5, 1i64..4).prop_map(|(above, below)| Data::Ratio(above, below)),
        (-200i64..201, -3i8..3).prop_map(|(number, exponent)| Data::Decimal(number, exponent)),
        (-2i64..3).prop_map(|n| Data::Float(n as f64 / 2.0)),
        any::<f64>().prop_map(Data::Float),
        prop::char::range(' ', '~').prop_map(Data::Char),
        "[ -~é\u{1f600}\n]{0,3}".prop_map(Data::Text),
        word.clone().prop_map(|name| Data::Keyword(name.to_owned())),
        word.prop_map(|name| Data::Symbol(name.to_owned())),
        (-2_000_000_000_000i64..4_000_000_000_000).prop_map(Data::Instant),
        (0i64..2).prop_map(|n| Data::Instant(n * 500)),
        any::<u128>().prop_map(Data::Uuid),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let items = prop::collection::vec(inner.clone(), 0..4);
        let entries = prop::collection::vec((inner.clone(), inner.clone()), 0..3);
        prop_oneof![
            items.clone().prop_map(Data::Items),
            items.prop_map(|items| Data::Set(distinct(items, equal))),
            entries.prop_map(|entries| Data::Map(distinct(entries, |a, b| equal(&a.0, &b.0)))),
            inner.prop_map(|inner| Data::Tagged("app/t".to_owned(), Box::new(inner))),
        ]
    })
}

fn distinct<T>(items: Vec<T>, equal: impl Fn(&T, &T) -> bool) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for item in items {
        if !kept.iter().any(|other| equal(other, &item)) {
            kept.push(item);
        }
    }
    kept
}

proptest! {
    #[test]
    fn any_two_spellings_of_a_random_value_are_one_value_of_one_text(
        data in data(), first in 1u64.., second in 1u64..
    ) {
        let texts = [first, second].map(|seed| spelled(&data, &mut Choices(seed)));
        let values = [read(&texts[0]), read(&texts[1])];
        prop_assert_eq!(&values[0], &values[1], "{:?}", texts);
        prop_assert_eq!(hash(&values[0]), hash(&values[1]));
        prop_assert_eq!(values[0].to_string(), values[1].to_string());
        prop_assert_eq!(&read(&values[0].to_string()), &values[0]);
    }

    #[test]
    fn random_values_are_equal_exactly_where_their_meanings_are(
        all in prop::collection::vec(data(), 2..12), seed in 1u64..
    ) {
        let mut choices = Choices(seed);
        let values: Vec<_> = all.iter().map(|data| read(&spelled(data, &mut choices))).collect();
        for (a, x) in all.iter().zip(&values) {
            for (b, y) in all.iter().zip(&values) {
                prop_assert_eq!(x == y, equal(a, b), "{} and {}", x, y);
                prop_assert_eq!(x.to_string() == y.to_string(), equal(a, b), "{} and {}", x, y);
            }
        }
    }

    #[test]
    fn random_text_is_read_or_refused_and_what_is_read_is_written_and_read_again(
        text in "[\\[\\](){}#_^:;\"\\\\a-c0-9NMruxe/+. ,\n-]{0,24}"
    ) {
        if let Ok(value) = text.parse::<Value<'static>>() {
            prop_assert_eq!(read(&value.to_string()), value);
        }
    }
}
