//! Sizes, rates and durations, as people type and read them: one parser for the whole crate.

use std::fmt;
use std::time::Duration;

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];

/// Reads a number of bytes: `4096`, `64KiB`, `1.5GiB`, `10MB`. A bare `K`, `M`, `G` or `T` counts in 1024s.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size; write it like 4096, 64KiB or 1.5GiB");
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..at], text[at..].trim());
    let scale = match unit.to_ascii_lowercase().as_str() {
        "" => 1,
        "k" => 1 << 10,
        "m" => 1 << 20,
        "g" => 1 << 30,
        "t" => 1 << 40,
        lower => SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(lower)).ok_or_else(wrong)?.1,
    };
    scaled(number, scale).ok_or_else(wrong)
}

/// Reads bytes a second: a size with a unit, with or without `/s` after it. A bare number is refused: 10 is meant as ten of something
/// larger, and ten bytes a second look like a hang.
pub fn parse_rate(text: &str) -> Result<u64, String> {
    let size = text.trim().trim_end_matches("/s").trim_end();
    match parse_bytes(size) {
        Ok(0) => Err("a rate of 0 would never end".into()),
        Ok(_) if !size.ends_with(|c: char| c.is_ascii_alphabetic()) => {
            Err(format!("`{text}` has no unit; write it like {size}MiB/s"))
        }
        Ok(rate) => Ok(rate),
        Err(_) => Err(format!("`{text}` is no rate; write it like 100MiB/s")),
    }
}

/// Reads a duration: `250us`, `10ms`, `1.5s`, `2min`, `1h`, `7d`, `2 weeks`. A bare `0` needs no unit.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no duration; write it like 250us, 10ms, 1.5s or 2min");
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..at], text[at..].trim());
    let nanos = match unit {
        "" if number.bytes().all(|b| b == b'0') && !number.is_empty() => 1,
        unit => nanos_of(unit).ok_or_else(wrong)?,
    };
    scaled(number, nanos).map(Duration::from_nanos).ok_or_else(wrong)
}

/// How many nanoseconds a unit of time has.
#[must_use]
pub fn nanos_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" => 1000,
        "ms" => 1_000_000,
        "s" | "sec" | "secs" | "second" | "seconds" => 1_000_000_000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000_000_000,
        "h" | "hour" | "hours" => 3_600_000_000_000,
        "d" | "day" | "days" => 86_400_000_000_000,
        "w" | "week" | "weeks" => 604_800_000_000_000,
        _ => return None,
    })
}

/// A duration that prints as it is typed, exactly, in the largest unit that needs no fraction: `10ms`, `1500us`, `2d`.
#[derive(Clone, Copy, Debug)]
pub struct Typed(pub Duration);

impl fmt::Display for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (number, unit) = match nanos {
            0 => return f.write_str("0"),
            n if n % 86_400_000_000_000 == 0 => (n / 86_400_000_000_000, "d"),
            n if n % 3_600_000_000_000 == 0 => (n / 3_600_000_000_000, "h"),
            n if n % 60_000_000_000 == 0 => (n / 60_000_000_000, "m"),
            n if n % 1_000_000_000 == 0 => (n / 1_000_000_000, "s"),
            n if n % 1_000_000 == 0 => (n / 1_000_000, "ms"),
            n if n % 1000 == 0 => (n / 1000, "us"),
            n => (n, "ns"),
        };
        write!(f, "{number}{unit}")
    }
}

/// A decimal number times `scale`, exact, rounded down.
fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && part.is_empty() || part.len() > 18 {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let digits: u128 = if part.is_empty() { 0 } else { part.parse().ok()? };
    let fraction = digits * u128::from(scale) / 10u128.pow(u32::try_from(part.len()).ok()?);
    whole.checked_mul(scale)?.checked_add(u64::try_from(fraction).ok()?)
}

/// Bytes for people: `931 B`, `4.0 KiB`, `1.5 GiB`.
#[must_use]
pub fn show_bytes(bytes: u64) -> String {
    for (name, size) in &SIZES[..4] {
        if bytes >= *size {
            return format!("{:.1} {name}", bytes as f64 / *size as f64);
        }
    }
    format!("{bytes} B")
}

/// A duration for people: `812 ns`, `45.1 us`, `3.90 ms`, `2.10 s`, `4 min 5 s`.
#[must_use]
pub fn show_duration(span: Duration) -> String {
    let nanos = span.as_nanos();
    match nanos {
        0..1000 => format!("{nanos} ns"),
        1000..1_000_000 => format!("{:.1} us", nanos as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2} ms", nanos as f64 / 1e6),
        1_000_000_000..60_000_000_000 => format!("{:.2} s", nanos as f64 / 1e9),
        _ => {
            let seconds = span.as_secs();
            if seconds < 3600 {
                format!("{} min {} s", seconds / 60, seconds % 60)
            } else {
                format!("{} h {} min", seconds / 3600, seconds / 60 % 60)
            }
        }
    }
}

/// A number with its noun: `1 record`, `2 records`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Bytes as hex digits, two for each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_two_hex_digits_each() {
        let all: Vec<u8> = (0..=255).collect();
        let told: String = all.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex(&all), told);
        assert_eq!(hex(b""), "");
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let table = [
            ("0", 0),
            ("4096", 4096),
            ("64KiB", 65_536),
            ("64 kib", 65_536),
            ("1.5GiB", 3 << 29),
            ("10MB", 10_000_000),
            ("1k", 1024),
            (".5M", 1 << 19),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for wrong in ["", "x", "-1", "1.2.3", "99999999999999999999", "20000000TiB", "1XB", "."] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse_rate("100MiB/s"), Ok(100 << 20));
        assert_eq!(parse_rate("1.5 GB"), Ok(1_500_000_000));
        for wrong in ["0", "0MiB/s", "10", "10/s", "1048576", "fast"] {
            assert!(parse_rate(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn spans_of_time_need_a_unit_unless_they_are_zero() {
        assert_eq!(parse_duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2min"), Ok(Duration::from_secs(120)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
        assert_eq!(parse_duration("1.5 hours"), Ok(Duration::from_secs(5400)));
        for wrong in ["5", "", "s", "1 fortnight", "-1s", "1.2.3s", "99999999999999999999s", "9999999999999999h"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duration_prints_the_largest_number_that_is_exact() {
        let typed = |text: &str| Typed(parse_duration(text).expect("it is one")).to_string();
        for text in ["2d", "49h", "90m", "61s", "1500ms", "1001us", "1000001ns", "1d", "1h", "1m", "1s", "1ms", "1us", "1ns"] {
            assert_eq!(typed(text), text);
        }
        let table = [
            ("48h", "2d"),
            ("120min", "2h"),
            ("60s", "1m"),
            ("1000ms", "1s"),
            ("3000us", "3ms"),
            ("1000ns", "1us"),
            ("1.5ms", "1500us"),
        ];
        for (text, shorter) in table {
            assert_eq!(typed(text), shorter);
        }
        assert_eq!(Typed(Duration::ZERO).to_string(), "0");
    }

    #[test]
    fn quantities_are_shown_short() {
        assert_eq!(show_bytes(931), "931 B");
        assert_eq!(show_bytes(3 << 29), "1.5 GiB");
        assert_eq!(show_duration(Duration::from_micros(3900)), "3.90 ms");
        assert_eq!(show_duration(Duration::from_secs(245)), "4 min 5 s");
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(0, "record"), "0 records");
    }
}
