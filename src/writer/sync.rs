//! How and when to sync: modes, windows, room ahead, and presets that name what they do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::model::Error;

/// What makes a group durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SyncMode {
    /// One fdatasync a group.
    #[default]
    Fdatasync,
    /// One fsync a group.
    Fsync,
    /// The file is opened with O_DSYNC: a write returns when it is durable.
    Dsync,
    /// Nothing: an acknowledgement promises nothing.
    None,
    /// A sync in the background each time this much has passed: an acknowledgement promises nothing about the last so long.
    Interval(Duration),
}

impl SyncMode {
    /// Whether an acknowledgement says that the record is durable.
    #[must_use]
    pub const fn promises(self) -> bool {
        matches!(self, SyncMode::Fdatasync | SyncMode::Fsync | SyncMode::Dsync)
    }

    /// What may be lost although it was acknowledged, in words; `None` when nothing.
    #[must_use]
    pub fn loss(self) -> Option<String> {
        match self {
            SyncMode::None => Some("nothing is synced before the end: a power failure may lose any of it".into()),
            SyncMode::Interval(every) => {
                Some(format!("synced every {}: a power failure may lose about that much and what a sync takes", Pause(every)))
            }
            _ => None,
        }
    }
}

impl FromStr for SyncMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<SyncMode, Error> {
        let wrong = || Error::Input {
            what: format!("{text:?} is no sync mode: fdatasync, fsync, dsync, none or interval=DURATION, such as interval=10ms"),
        };
        Ok(match text {
            "fdatasync" => SyncMode::Fdatasync,
            "fsync" => SyncMode::Fsync,
            "dsync" => SyncMode::Dsync,
            "none" => SyncMode::None,
            _ => {
                let every = text.strip_prefix("interval=").and_then(parse_duration).filter(|d| !d.is_zero());
                SyncMode::Interval(every.ok_or_else(wrong)?)
            }
        })
    }
}

impl fmt::Display for SyncMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SyncMode::Fdatasync => f.write_str("fdatasync"),
            SyncMode::Fsync => f.write_str("fsync"),
            SyncMode::Dsync => f.write_str("dsync"),
            SyncMode::None => f.write_str("none"),
            SyncMode::Interval(every) => write!(f, "interval={}", Pause(*every)),
        }
    }
}

/// How long a leader waits for company.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Window {
    /// It learns: never when alone, and otherwise until those are back whom it served last, for a small part of a sync.
    #[default]
    Auto,
    /// So long, counted from the group's first record; 0 waits for nothing.
    Fixed(Duration),
}

impl FromStr for Window {
    type Err = Error;

    fn from_str(text: &str) -> Result<Window, Error> {
        if text == "auto" {
            return Ok(Window::Auto);
        }
        parse_duration(text)
            .map(Window::Fixed)
            .ok_or_else(|| Error::Input { what: format!("{text:?} is no window: auto, 0, or a duration such as 200us") })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Auto => f.write_str("auto"),
            Window::Fixed(length) => Pause(*length).fmt(f),
        }
    }
}

/// How room is made for what is still to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preallocate {
    /// Not at all: the file grows with each write.
    None,
    /// The length is set and nothing reserved: a full disk is met at a write.
    Sparse,
    /// Blocks are reserved and not written.
    Fallocate,
    /// Blocks are written with zeros ahead of the records, so that a sync commits no metadata.
    #[default]
    Zero,
}

impl FromStr for Preallocate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Preallocate, Error> {
        Ok(match text {
            "none" => Preallocate::None,
            "sparse" => Preallocate::Sparse,
            "fallocate" => Preallocate::Fallocate,
            "zero" => Preallocate::Zero,
            _ => return Err(Error::Input { what: format!("{text:?} is no preallocation: none, sparse, fallocate or zero") }),
        })
    }
}

impl fmt::Display for Preallocate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Preallocate::None => "none",
            Preallocate::Sparse => "sparse",
            Preallocate::Fallocate => "fallocate",
            Preallocate::Zero => "zero",
        })
    }
}

/// Reads `250us`, `10ms`, `2s`, `1m`, `2h`, `7d`, or `0`.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let number: u64 = text.get(..digits)?.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).filter(|s| *s <= u64::from(u32::MAX)).map(Duration::from_secs);
    match &text[digits..] {
        "" if number == 0 => Some(Duration::ZERO),
        "ns" => Some(Duration::from_nanos(number)),
        "us" | "µs" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" | "min" => seconds(60),
        "h" => seconds(3600),
        "d" => seconds(86_400),
        _ => None,
    }
}

/// A duration as people write it and [`parse_duration`] reads it.
#[derive(Clone, Copy, Debug)]
pub struct Pause(pub Duration);

impl fmt::Display for Pause {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_and_windows_print_as_they_are_typed() {
        for text in ["fdatasync", "fsync", "dsync", "none", "interval=10ms", "interval=1500us", "interval=2m"] {
            assert_eq!(text.parse::<SyncMode>().expect("it is a mode").to_string(), text);
        }
        for text in ["auto", "0", "200us", "1h"] {
            assert_eq!(text.parse::<Window>().expect("it is a window").to_string(), text);
        }
        for text in ["none", "sparse", "fallocate", "zero"] {
            assert_eq!(text.parse::<Preallocate>().expect("it is one").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_mode_is_refused_with_those_that_are() {
        for text in ["", "sync", "interval", "interval=", "interval=0", "interval=5", "interval=-1s", "interval=1y"] {
            let refused = text.parse::<SyncMode>().expect_err("it is no mode").to_string();
            assert!(refused.contains("fdatasync") && refused.contains("interval"), "{refused}");
        }
        for text in ["", "1", "ms", "1.5ms", "99999999999999999999s", "9999999999999999h"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn only_real_syncs_promise() {
        assert!(SyncMode::Dsync.promises() && SyncMode::Dsync.loss().is_none());
        assert!(!SyncMode::None.promises() && SyncMode::None.loss().is_some());
        let interval = SyncMode::Interval(Duration::from_millis(10));
        assert!(!interval.promises() && interval.loss().is_some_and(|l| l.contains("10ms")));
    }

    #[test]
    fn each_unit_of_a_duration_prints_the_largest_number_that_is_exact() {
        for text in ["2d", "49h", "90m", "61s", "1500ms", "1001us", "1000001ns", "1d", "1h", "1m", "1s", "1ms", "1us", "1ns"] {
            assert_eq!(Pause(parse_duration(text).expect("it is one")).to_string(), text);
        }
        for (text, shorter) in
            [("48h", "2d"), ("120min", "2h"), ("60s", "1m"), ("1000ms", "1s"), ("3000us", "3ms"), ("1000ns", "1us")]
        {
            assert_eq!(Pause(parse_duration(text).expect("it is one")).to_string(), shorter);
        }
        assert_eq!(Pause(Duration::ZERO).to_string(), "0");
    }
}
