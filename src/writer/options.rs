//! What a writer can be told, and the presets.

use std::time::Duration;

use super::clock::Clock;
use super::retention::Retain;
use super::sync::{Preallocate, SyncMode, Window};
use crate::model::{Error, Keys, Result};
use crate::native::FRAME_LIMIT;

/// How to write.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What makes a group durable.
    pub sync: SyncMode,
    /// How long a leader waits for company.
    pub window: Window,
    /// Past the page cache, in whole blocks that are never written twice.
    pub direct: bool,
    /// Everything through the page cache. Otherwise groups go past it where room is ready for them, which looks the same on the disk;
    /// then who reads the log while it grows reads from the disk.
    pub buffered: bool,
    /// How room is made ahead.
    pub preallocate: Preallocate,
    /// A segment is sealed before it would grow beyond this.
    pub segment_bytes: u64,
    /// A segment is sealed at this many records.
    pub segment_records: Option<u64>,
    /// A segment is sealed when its first record is this old, even without further appends.
    pub segment_age: Option<Duration>,
    /// A group takes no more records at this many bytes.
    pub group_bytes: usize,
    /// A group takes no more than this many records.
    pub group_records: usize,
    /// Callers wait while more bytes than this are queued.
    pub queue_bytes: usize,
    /// A longer payload is written in fragments.
    pub frame_limit: usize,
    /// Payloads of at least this length are compressed; `None` for never.
    pub compress_min: Option<usize>,
    /// Payloads are encrypted with the newest of these keys.
    pub keys: Keys,
    /// The newest of the keys begins though the log's newest one is not among them. Otherwise that is an error.
    pub new_key: bool,
    /// The log is made when it does not exist.
    pub create: bool,
    /// A group for which there is no room ends the writer, as a failed sync does: for a stream in which nothing may come after
    /// something that is lost.
    pub end_at_failure: bool,
    /// The writing program, in words, for the lock.
    pub who: String,
    /// A thread makes room ahead. Without it the writer does that itself, between two groups.
    pub background: bool,
    /// How much room is made ahead at most.
    pub ahead_bytes: u64,
    /// Which segments stay while the log is written.
    pub retain: Retain,
    /// What gives records and segment headers their times.
    pub clock: Clock,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sync: SyncMode::Fdatasync,
            window: Window::Auto,
            direct: false,
            buffered: false,
            preallocate: Preallocate::Zero,
            segment_bytes: 64 << 20,
            segment_records: None,
            segment_age: None,
            group_bytes: 4 << 20,
            group_records: 65_536,
            queue_bytes: 16 << 20,
            frame_limit: FRAME_LIMIT,
            compress_min: None,
            keys: Keys::default(),
            new_key: false,
            create: true,
            end_at_failure: false,
            who: "a program that uses the library".into(),
            background: true,
            ahead_bytes: 64 << 20,
            retain: Retain::default(),
            clock: Clock::default(),
        }
    }
}

/// The smallest segment that can be asked for: a header and some frames.
pub const SEGMENT_LEAST: u64 = 8192;
/// The longest payload of one record.
pub const RECORD_LIMIT: usize = 1 << 30;

impl Settings {
    /// Whether these can be used at all.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Input { what });
        if self.segment_bytes < SEGMENT_LEAST {
            return wrong(format!("a segment of {} bytes is too small: {SEGMENT_LEAST} at least", self.segment_bytes));
        }
        if self.frame_limit == 0 || self.frame_limit > 16 << 20 {
            return wrong(format!("a frame limit of {} bytes is not between 1 and 16 MiB", self.frame_limit));
        }
        if self.group_bytes == 0 || self.group_records == 0 || self.queue_bytes == 0 {
            return wrong("a limit of 0 lets nothing through".into());
        }
        if self.segment_records == Some(0) || self.segment_age == Some(Duration::ZERO) {
            return wrong("a segment that is full from the start holds nothing".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_that_let_nothing_through_are_refused() {
        let good = Settings::default();
        assert!(good.check().is_ok());
        let wrong = [
            Settings { segment_bytes: 100, ..good.clone() },
            Settings { frame_limit: 0, ..good.clone() },
            Settings { group_records: 0, ..good.clone() },
            Settings { queue_bytes: 0, ..good.clone() },
            Settings { segment_records: Some(0), ..good.clone() },
        ];
        for options in wrong {
            assert!(matches!(options.check(), Err(Error::Input { .. })), "{options:?}");
        }
    }
}
