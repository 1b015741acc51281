//! How and when to sync: modes, windows, room ahead, and presets that name what they do.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::model::Error;
use crate::model::units::{Typed, parse_duration};

/// What makes a group durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
    /// A sync in the background, this often: an acknowledgement promises nothing about the records since the last one.
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
                Some(format!("synced every {}: a power failure may lose about that much and what a sync takes", Typed(every)))
            }
            _ => None,
        }
    }
}

impl FromStr for SyncMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<SyncMode, Error> {
        let wrong = || Error::Input {
            what: format!("`{text}` is no sync mode: fdatasync, fsync, dsync, none or interval=SPAN, such as interval=10ms"),
        };
        Ok(match text {
            "fdatasync" => SyncMode::Fdatasync,
            "fsync" => SyncMode::Fsync,
            "dsync" => SyncMode::Dsync,
            "none" => SyncMode::None,
            _ => {
                let every = text.strip_prefix("interval=").and_then(|every| parse_duration(every).ok()).filter(|d| !d.is_zero());
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
            SyncMode::Interval(every) => write!(f, "interval={}", Typed(*every)),
        }
    }
}

/// Commit window: how long a leader waits for more records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Window {
    /// It learns: never when alone, and otherwise until the callers that it served last are back; at most one and a half times what a write and a sync take, and 2 ms.
    #[default]
    Auto,
    /// This long, counted from the group's first record; 0 waits for nothing.
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
            .map_err(|_| Error::Input { what: format!("`{text}` is no window: auto, 0, or a duration such as 200us") })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Window::Auto => f.write_str("auto"),
            Window::Fixed(length) => Typed(*length).fmt(f),
        }
    }
}

/// How space is reserved ahead of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
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
    /// Like [`Preallocate::Zero`], but where retention lets a segment go, its file becomes the next one's: nothing is written twice.
    /// Up to four such files are kept beside the log.
    Recycle,
}

impl Preallocate {
    /// Whether room is written before the records come.
    pub(crate) const fn is_written(self) -> bool {
        matches!(self, Preallocate::Zero | Preallocate::Recycle)
    }
}

impl FromStr for Preallocate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Preallocate, Error> {
        Ok(match text {
            "none" => Preallocate::None,
            "sparse" => Preallocate::Sparse,
            "fallocate" => Preallocate::Fallocate,
            "zero" => Preallocate::Zero,
            "recycle" => Preallocate::Recycle,
            _ => {
                let what = format!("`{text}` is no preallocation: none, sparse, fallocate, zero or recycle");
                return Err(Error::Input { what });
            }
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
            Preallocate::Recycle => "recycle",
        })
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
        for text in ["none", "sparse", "fallocate", "zero", "recycle"] {
            assert_eq!(text.parse::<Preallocate>().expect("it is one").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_mode_is_refused_with_those_that_are() {
        for text in ["", "sync", "interval", "interval=", "interval=0", "interval=5", "interval=-1s", "interval=1y"] {
            let refused = text.parse::<SyncMode>().expect_err("it is no mode").to_string();
            assert!(refused.contains("fdatasync") && refused.contains("interval"), "{refused}");
        }
        assert_eq!("1.5ms".parse::<Window>().expect("it is a window"), Window::Fixed(Duration::from_micros(1500)));
    }

    #[test]
    fn only_real_syncs_promise() {
        assert!(SyncMode::Dsync.promises() && SyncMode::Dsync.loss().is_none());
        assert!(!SyncMode::None.promises() && SyncMode::None.loss().is_some());
        let interval = SyncMode::Interval(Duration::from_millis(10));
        assert!(!interval.promises() && interval.loss().is_some_and(|l| l.contains("10ms")));
    }
}
