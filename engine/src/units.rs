//! Sizes, durations, CPUs and amounts as people write them (`8 GiB`, `1h30m`, `4000m`, `20 USD`) <-> exact numbers.
//!
//! Knows nothing of what is measured. Whatever is shown reads back as the same value.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

/// A duration in thousandths of a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

/// A shortest and a longest duration, written `2s..2m`; the first is never the longer one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MillisRange {
    shortest: Millis,
    longest: Millis,
}

/// CPU slots in thousandths: a slot keeps one thread busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpu(pub u32);

/// US dollars in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(pub u64);

/// A size or duration that cannot be read. Its text says what was written and what is accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError(String);

impl fmt::Display for UnitError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for UnitError {}

/// A name of a unit and how much one of it is.
type Unit = (&'static str, u64);

// Bare letters (`8G`) are left out on purpose: to some they are 1000, to others 1024.
const SIZES: [Unit; 17] = [
    ("b", 1),
    ("kb", 1000),
    ("mb", 1000_u64.pow(2)),
    ("gb", 1000_u64.pow(3)),
    ("tb", 1000_u64.pow(4)),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
    ("ti", 1 << 40),
    ("pib", 1 << 50),
    ("pi", 1 << 50),
    ("pb", 1000_u64.pow(5)),
    ("bytes", 1),
];
const TIMES: [Unit; 8] =
    [("d", 86_400_000), ("h", HOUR), ("min", 60_000), ("m", 60_000), ("sec", 1000), ("s", 1000), ("ms", 1), ("", 1000)];
const HOUR: u64 = 3_600_000;
const SHOWN_SIZES: [Unit; 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1000),
    ("MB", 1000_u64.pow(2)),
    ("GB", 1000_u64.pow(3)),
    ("TB", 1000_u64.pow(4)),
];

impl FromStr for Bytes {
    type Err = UnitError;

    /// Reads `4096`, `512 MiB`, `16Gi`, `8GB` or `1.5 GiB`; upper and lower case are the same.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let read = || {
            let (amount, unit, rest) = split(text.trim())?;
            let unit = if unit.is_empty() { "b" } else { unit };
            (rest.is_empty()).then_some(Self(times(amount, scale(unit, &SIZES)?)?))
        };
        read().ok_or_else(|| {
            UnitError(format!(
                "`{text}` is not a size: write bytes, or a unit as in `512 MiB`, `16Gi`, `8 GB`, `1.5 GiB`"
            ))
        })
    }
}

impl FromStr for Millis {
    type Err = UnitError;

    /// Reads `500ms`, `2s`, `90m`, `7h`, `1d`, `1h30m` (units from long to short), or a bare number of seconds.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        read_millis(text).map(Self).ok_or_else(|| {
            UnitError(format!(
                "`{text}` is not a duration: write seconds, or units as in `500ms`, `2s`, `90m`, `7h`, `1h30m`, `2d`"
            ))
        })
    }
}

impl FromStr for Cpu {
    type Err = UnitError;

    /// Reads `2`, `0.5` or `4000m`; more than nothing and at most 1024.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let read = || {
            let (amount, unit, rest) = split(text.trim())?;
            let millis = times(amount, scale(unit, &[("", 1000), ("m", 1)])?)?;
            let cpu = u32::try_from(millis).ok().filter(|millis| (1..=1_024_000).contains(millis))?;
            rest.is_empty().then_some(Self(cpu))
        };
        read().ok_or_else(|| {
            UnitError(format!("`{text}` is not a number of CPUs: write `2`, `0.5` or `4000m`, at most 1024"))
        })
    }
}

impl Cpu {
    /// As whole slots, at least one.
    pub fn slots(self) -> u32 {
        self.0.div_ceil(1000).max(1)
    }
}

impl FromStr for Usd {
    type Err = UnitError;

    /// Reads `20`, `0.5`, `20 USD` or `$20`.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let plain = text.trim();
        let read = || {
            let (amount, unit, rest) = split(plain.strip_prefix('$').unwrap_or(plain))?;
            rest.is_empty().then_some(Self(times(amount, scale(unit, &[("", 1_000_000), ("usd", 1_000_000)])?)?))
        };
        read()
            .ok_or_else(|| UnitError(format!("`{text}` is not an amount: write US dollars, as in `20` or `12.50 USD`")))
    }
}

impl FromStr for MillisRange {
    type Err = UnitError;

    /// Reads `2s..2m`; a single duration is a range of that one.
    fn from_str(text: &str) -> Result<Self, UnitError> {
        let (shortest, longest) = text.split_once("..").unwrap_or((text, text));
        Self::new(shortest.parse()?, longest.parse()?)
    }
}

impl MillisRange {
    /// A range whose ends are in order.
    ///
    /// # Errors
    /// When `shortest` is longer than `longest`.
    pub fn new(shortest: Millis, longest: Millis) -> Result<Self, UnitError> {
        if shortest > longest {
            return Err(UnitError(format!("`{shortest}..{longest}` runs backwards: write the shorter duration first")));
        }
        Ok(Self { shortest, longest })
    }

    /// The shorter end.
    pub fn shortest(self) -> Millis {
        self.shortest
    }

    /// The longer end.
    pub fn longest(self) -> Millis {
        self.longest
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0)
    }
}

fn read_millis(text: &str) -> Option<u64> {
    let (mut rest, mut total, mut last) = (text.trim(), 0_u64, u64::MAX);
    loop {
        let (amount, unit, after) = split(rest)?;
        let one = scale(unit, &TIMES)?;
        // Units go from long to short, each once; a bare number stands alone.
        let whole = after.is_empty() && last == u64::MAX;
        if one >= last || (unit.is_empty() && !whole) {
            return None;
        }
        total = total.checked_add(times(amount, one)?)?;
        if after.is_empty() {
            return Some(total);
        }
        (rest, last) = (after, one);
    }
}

/// "1.5 h30m" -> ("1.5", "h", "30m"). `None` when it does not begin with a digit.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (amount, rest) = text.split_at(digits);
    let rest = rest.trim_start();
    let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(letters);
    amount.starts_with(|c: char| c.is_ascii_digit()).then_some((amount, unit, rest.trim_start()))
}

fn scale(unit: &str, units: &[Unit]) -> Option<u64> {
    units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, one)| *one)
}

/// `amount` (digits, perhaps with a fraction) times `one`; `None` when it is no whole number or does not fit.
fn times(amount: &str, one: u64) -> Option<u64> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let tenths = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let parts = fraction.parse::<u128>().ok()? * u128::from(one);
    let rest = (parts % tenths == 0).then_some(parts / tenths)?;
    let total = u128::from(whole.parse::<u64>().ok()?) * u128::from(one) + rest;
    u64::try_from(total).ok()
}

impl fmt::Display for Bytes {
    /// The unit that makes the number smallest without a fraction: `8 GiB`, `8 GB`, `4097 B`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fitting = SHOWN_SIZES.iter().filter(|(_, one)| self.0.is_multiple_of(*one));
        let (name, one) = fitting.min_by_key(|(_, one)| self.0 / one).expect("one byte divides every size");
        write!(out, "{} {name}", self.0 / one)
    }
}

impl fmt::Display for Millis {
    /// Hours, minutes, seconds and milliseconds, those that are not zero: `1h30m`, `500ms`, `0s`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        for (name, one) in [("h", HOUR), ("m", 60_000), ("s", 1000), ("ms", 1)] {
            if rest >= one {
                write!(out, "{}{name}", rest / one)?;
            }
            rest %= one;
        }
        if self.0 == 0 { out.write_str("0s") } else { Ok(()) }
    }
}

impl fmt::Display for Cpu {
    /// `2`, or `1500m` when it is no whole number.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1000) { write!(out, "{}", self.0 / 1000) } else { write!(out, "{}m", self.0) }
    }
}

impl fmt::Display for Usd {
    /// Cents, and more digits only where they are needed: `12.50 USD`, `0.0042 USD`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:06}", self.0 % 1_000_000);
        let kept = digits.trim_end_matches('0').len().max(2);
        write!(out, "{}.{} USD", self.0 / 1_000_000, &digits[..kept])
    }
}

impl fmt::Display for MillisRange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}..{}", self.shortest, self.longest)
    }
}

/// Reads a unit from a text, or from a number that means the same as that number written as text.
struct Reader<T> {
    expected: &'static str,
    read: fn(&str) -> Result<T, UnitError>,
}

impl<T> de::Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.read)(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        self.visit_str(&number.to_string())
    }
}

macro_rules! text_in_files {
    ($type:ident, $name:literal, $format:literal, $expected:literal, $pattern:expr, $least:expr, $examples:expr) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Reader { expected: $expected, read: str::parse })
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": ["string", "number"],
                    "format": $format,
                    "minimum": $least,
                    "pattern": format!("^\\s*{}\\s*$", $pattern),
                    "description": $expected,
                    "examples": $examples,
                })
            }
        }
    };
}

/// What an editor takes for a size, in the part of regular expressions that all of them know. Readers are stricter: they
/// also know what is too much.
const SIZE: &str = r"[0-9]+(\.[0-9]+)?\s*([KkMmGgTtPp]([Ii]?[Bb]|[Ii])|[Bb]|[Bb][Yy][Tt][Ee][Ss])?";
/// As [`SIZE`], for a duration. Readers also know the order of its units.
const TIME: &str = r"([0-9]+(\.[0-9]+)?\s*([Dd]|[Hh]|[Mm]([Ii][Nn]|[Ss])?|[Ss]([Ee][Cc])?)?\s*)+";

text_in_files!(Bytes, "Bytes", "bytes", "a size such as `8 GiB`, or a number of bytes", SIZE, 0, ["8 GiB", "512 MiB"]);
text_in_files!(
    Millis,
    "Duration",
    "duration",
    "a duration such as `1h30m`, or a number of seconds",
    TIME,
    0,
    ["90m", "7h"]
);
text_in_files!(
    Cpu,
    "Cpu",
    "cpu",
    "a number of CPUs such as `2` or `4000m`",
    r"[0-9]+(\.[0-9]+)?\s*[Mm]?",
    0.001,
    ["2", "4000m"]
);
text_in_files!(
    Usd,
    "Usd",
    "usd",
    "an amount of US dollars such as `20` or `12.50 USD`",
    r"\$?[0-9]+(\.[0-9]+)?\s*([Uu][Ss][Dd])?",
    0,
    ["20 USD", "12.50 USD"]
);
text_in_files!(
    MillisRange,
    "DurationRange",
    "duration-range",
    "a range of durations such as `2s..2m`",
    format!(r"{TIME}(\.\.\s*{TIME})?"),
    0,
    ["2s..2m", "500ms..1m"]
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cpus_are_read_as_people_write_them() {
        for (text, millis, slots) in [("2", 2000, 2), ("4000m", 4000, 4), ("0.5", 500, 1), ("1500m", 1500, 2)] {
            let cpu: Cpu = text.parse().unwrap();
            assert_eq!((cpu.0, cpu.slots()), (millis, slots), "{text}");
            assert_eq!(cpu.to_string().parse::<Cpu>().unwrap(), cpu);
        }
        for text in ["0", "-1", "m", "2 cores", "1025", ""] {
            assert!(text.parse::<Cpu>().is_err(), "{text}");
        }
    }

    #[test]
    fn amounts_are_read_and_shown_in_dollars() {
        for (text, micros, shown) in
            [("20", 20_000_000, "20.00 USD"), ("$12.5", 12_500_000, "12.50 USD"), ("0.0042 USD", 4200, "0.0042 USD")]
        {
            let amount: Usd = text.parse().unwrap();
            assert_eq!((amount.0, amount.to_string().as_str()), (micros, shown));
            assert_eq!(shown.parse::<Usd>().unwrap(), amount);
        }
        for text in ["20 EUR", "", "free", "-3"] {
            assert!(text.parse::<Usd>().is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, expected) in [
            ("8 GiB", 8_589_934_592),
            ("16Gi", 17_179_869_184),
            ("8GB", 8_000_000_000),
            ("512 MiB", 536_870_912),
            ("1.5 gib", 1_610_612_736),
            ("4096", 4096),
            ("0", 0),
            ("1 kB", 1000),
        ] {
            assert_eq!(text.parse(), Ok(Bytes(expected)), "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        for (text, expected) in [
            ("90m", 5_400_000),
            ("30 min", 1_800_000),
            ("7h", 25_200_000),
            ("1h30m", 5_400_000),
            ("1h 30m", 5_400_000),
            ("500ms", 500),
            ("2s", 2000),
            ("2d", 172_800_000),
            ("3600", 3_600_000),
            ("0.5", 500),
            ("1.5h", 5_400_000),
        ] {
            assert_eq!(text.parse(), Ok(Millis(expected)), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_answered_with_what_can() {
        for text in ["", "GiB", "8 G", "-1", "8 GiB x", "1e9", "99999999999 TiB", "0.3 B", "1.", "8 8"] {
            let message = text.parse::<Bytes>().unwrap_err().to_string();
            assert!(message.contains(&format!("`{text}`")) && message.contains("512 MiB"), "{message}");
        }
        for text in ["", "m", "-1s", "30m1h", "1m1m", "1h30", "5 parsecs", "0.5ms", "99999999999999d"] {
            let message = text.parse::<Millis>().unwrap_err().to_string();
            assert!(message.contains(&format!("`{text}`")) && message.contains("1h30m"), "{message}");
        }
        assert!("2m..2s".parse::<MillisRange>().unwrap_err().to_string().contains("backwards"));
    }

    #[test]
    fn values_are_shown_in_the_unit_that_fits() {
        let shown = [8 << 30, 8_000_000_000, 4097, 0].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(shown, ["8 GiB", "8 GB", "4097 B", "0 B"]);
        assert_eq!(
            [5_400_000, 500, 0, 90_061_001].map(|ms| Millis(ms).to_string()),
            ["1h30m", "500ms", "0s", "25h1m1s1ms"]
        );
        assert_eq!("2s..120".parse::<MillisRange>().unwrap().to_string(), "2s..2m");
    }

    #[test]
    fn files_may_hold_texts_or_numbers() {
        let read: (Bytes, Bytes, Millis, Millis, MillisRange) =
            serde_json::from_str(r#"["8 GiB", 4096, "30m", 0.5, "2s..2m"]"#).unwrap();
        assert_eq!((read.0, read.1, read.2, read.3), (Bytes(8 << 30), Bytes(4096), Millis(1_800_000), Millis(500)));
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"["8 GiB","4 KiB","30m","500ms","2s..2m"]"#);
        assert!(serde_json::from_str::<Millis>("-1").is_err());
    }

    proptest! {
        #[test]
        fn what_is_shown_reads_back_as_the_same(bytes: u64, millis: u64) {
            prop_assert_eq!(Bytes(bytes).to_string().parse(), Ok(Bytes(bytes)));
            prop_assert_eq!(Millis(millis).to_string().parse(), Ok(Millis(millis)));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "(?s).{0,20}|[0-9.]{0,12}[a-zA-Z ]{0,4}[0-9.]{0,24}") {
            let _ = (text.parse::<Bytes>(), text.parse::<Millis>(), text.parse::<MillisRange>());
        }
    }
}
