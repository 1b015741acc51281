//! Sizes, rates and spans of time, as people type and read them.

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

/// Reads bytes a second: a size with a unit, and `/s` behind it or not. A bare number is refused: who types 10 means ten of something
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

/// Reads a span of time: `250us`, `10ms`, `1.5s`, `2min`, `1h`, `7d`. A bare `0` needs no unit.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no span of time; write it like 250us, 10ms, 1.5s or 2min");
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..at], text[at..].trim());
    let nanos = match unit {
        "" if number.bytes().all(|b| b == b'0') && !number.is_empty() => 1,
        "ns" => 1,
        "us" | "µs" => 1000,
        "ms" => 1_000_000,
        "s" | "sec" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        "d" => 86_400_000_000_000,
        _ => return Err(wrong()),
    };
    scaled(number, nanos).map(Duration::from_nanos).ok_or_else(wrong)
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
pub fn show_bytes(bytes: u64) -> String {
    for (name, size) in &SIZES[..4] {
        if bytes >= *size {
            return format!("{:.1} {name}", bytes as f64 / *size as f64);
        }
    }
    format!("{bytes} B")
}

/// A span of time for people: `812 ns`, `45.1 us`, `3.90 ms`, `2.10 s`, `4 min 5 s`.
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
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        for wrong in ["5", "", "s", "1 fortnight", "-1s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
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
