//! When: microseconds since the Unix epoch, printed and parsed as RFC 3339 in UTC.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub u64);

/// The first moment that four digits of a year cannot tell.
const YEAR_10000: u64 = 253_402_300_800_000_000;

impl Time {
    /// Now, by the system's clock.
    #[must_use]
    pub fn now() -> Time {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Time(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
    }

    /// Whether [`Time::rfc3339`] can tell it: until the end of the year 9999.
    #[must_use]
    pub fn has_date(self) -> bool {
        self.0 < YEAR_10000
    }

    /// This moment as `2026-11-20T15:32:46.338261Z`, 27 bytes. `None` from the year 10000 on.
    #[must_use]
    pub fn rfc3339(self) -> Option<[u8; 27]> {
        if !self.has_date() {
            return None;
        }
        let (seconds, micros) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let (days, of_day) = (seconds / 86_400, seconds % 86_400);
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        digits(&mut text[0..4], year);
        digits(&mut text[5..7], month);
        digits(&mut text[8..10], day);
        digits(&mut text[11..13], of_day / 3600);
        digits(&mut text[14..16], of_day / 60 % 60);
        digits(&mut text[17..19], of_day % 60);
        digits(&mut text[20..26], micros);
        Some(text)
    }

    /// Reads RFC 3339: date and time with `T` or a blank between, an optional fraction, `Z` or an offset; or a date alone,
    /// which is its midnight. `None` when it is something else or lies before 1970.
    #[must_use]
    pub fn parse(text: &str) -> Option<Time> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<u64> {
            let part = bytes.get(from..to)?;
            part.iter().try_fold(0u64, |n, b| b.is_ascii_digit().then(|| n * 10 + u64::from(b - b'0')))
        };
        let mark = |at: usize, of: &[u8]| bytes.get(at).is_some_and(|b| of.contains(b));
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        if !mark(4, b"-") || !mark(7, b"-") || !(1..=12).contains(&month) || day == 0 || day > month_days(year, month) {
            return None;
        }
        let days = days_from_civil(year, month, day)?;
        let midnight = days.checked_mul(86_400_000_000)?;
        if bytes.len() == 10 {
            return Some(Time(midnight));
        }
        let (hour, minute) = (number(11, 13)?, number(14, 16)?);
        if !mark(10, b"Tt ") || !mark(13, b":") || hour > 23 || minute > 59 {
            return None;
        }
        let (mut at, mut second, mut micros) = (16, 0, 0);
        if mark(16, b":") {
            second = number(17, 19)?;
            at = 19;
        }
        if second > 60 {
            return None;
        }
        if mark(at, b".") {
            at += 1;
            let mut scale = 100_000;
            let from = at;
            while let Some(digit) = bytes.get(at).filter(|b| b.is_ascii_digit()) {
                micros += u64::from(digit - b'0') * scale;
                scale /= 10;
                at += 1;
            }
            if at == from {
                return None;
            }
        }
        let local = midnight + (hour * 3600 + minute * 60 + second) * 1_000_000 + micros;
        match bytes.get(at) {
            Some(b'Z' | b'z') if at + 1 == bytes.len() => Some(Time(local)),
            Some(sign @ (b'+' | b'-')) if at + 6 == bytes.len() && mark(at + 3, b":") => {
                let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                let offset = (hours * 3600 + minutes * 60) * 1_000_000;
                let utc = if *sign == b'+' { local.checked_sub(offset) } else { local.checked_add(offset) };
                utc.map(Time)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rfc3339() {
            Some(text) => f.write_str(std::str::from_utf8(&text).expect("digits and marks are ASCII")),
            // A hostile or rotten time: say the number, do not invent a date.
            None => write!(f, "{} us", self.0),
        }
    }
}

fn digits(into: &mut [u8], mut number: u64) {
    for place in into.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).expect("a remainder of ten fits a byte");
        number /= 10;
    }
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days since 1970-01-01 to year, month, day, counted in eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let of_era = shifted % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let shifted = year.checked_sub(u64::from(month <= 2))?;
    let (era, year_of_era) = (shifted / 400, shifted % 400);
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * march_month + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    (era * 146_097 + of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_and_parse_back() {
        let table = [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_763_652_766_338_261, "2025-11-20T15:32:46.338261Z"),
            (YEAR_10000 - 1, "9999-12-31T23:59:59.999999Z"),
        ];
        for (micros, text) in table {
            assert_eq!(Time(micros).to_string(), text);
            assert_eq!(Time::parse(text), Some(Time(micros)), "{text}");
        }
        assert_eq!(Time(u64::MAX).to_string(), "18446744073709551615 us");
    }

    #[test]
    fn parsing_takes_offsets_fractions_and_dates_and_refuses_the_rest() {
        let at = Time::parse("2026-01-02T03:04:05Z");
        assert!(at.is_some());
        assert_eq!(Time::parse("2026-01-02T05:04:05+02:00"), at);
        assert_eq!(Time::parse("2026-01-02 03:04:05.000000999Z"), at);
        assert_eq!(Time::parse("2026-01-02"), Time::parse("2026-01-02T00:00Z"));
        assert_eq!(Time::parse("2016-12-31T23:59:60Z"), Time::parse("2017-01-01"), "a leap second");
        for wrong in [
            "2016-12-31T23:59:61Z",
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-01-02T25:00:00Z",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05.Z",
            "1969-12-31T23:59:59Z",
            "2026-01-02T03:04:05Zx",
            "é026-01-02",
        ] {
            assert_eq!(Time::parse(wrong), None, "{wrong}");
        }
    }
}
