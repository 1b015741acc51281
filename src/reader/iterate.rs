//! The iterators of a reader that are not plain: with damage, and without an end.

use std::time::Duration;

use super::{LogRecord, ReadItem, Reader};
use crate::model::Result;
use crate::ops::read::Follow;

/// Records and damage, in the order of the log: see [`Reader::with_damage`].
#[derive(Debug)]
pub struct ReadAll(pub(super) Reader);

impl Iterator for ReadAll {
    type Item = Result<ReadItem>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.0.pull();
        self.0.guard(next)
    }
}

/// Records as they come: see [`Reader::follow`].
#[derive(Debug)]
pub struct Follower {
    pub(super) reader: Reader,
    pub(super) interval: Duration,
}

impl Follower {
    /// How long it sleeps before it looks again, if a look found nothing: 20 ms unless said otherwise. While records come, it looks every
    /// 0.75 ms, or as often as this says if that is more often.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # walctl::Log::open(dir.path())?.append("x")?;
    /// let follower = walctl::Reader::open(dir.path())?.follow().every(std::time::Duration::from_millis(1));
    /// # let _ = follower;
    /// # Ok::<(), walctl::Error>(())
    /// ```
    #[must_use]
    pub fn every(mut self, interval: Duration) -> Follower {
        self.interval = interval;
        self
    }

    /// The next record if it is there already; never waits.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().expect("a temporary folder");
    /// # let log = walctl::Log::open(dir.path())?;
    /// let mut follower = walctl::Reader::open(dir.path())?.follow();
    /// assert!(follower.try_next()?.is_none());
    /// # Ok::<(), walctl::Error>(())
    /// ```
    pub fn try_next(&mut self) -> Result<Option<LogRecord<'static>>> {
        let next = self.reader.next_record();
        self.reader.guard(next).transpose()
    }
}

impl Follower {
    /// How long to wait before the next look.
    pub(super) fn pause(&self, found_nothing: bool) -> Duration {
        if found_nothing {
            return self.interval;
        }
        let looked = self.reader.at_end.filter(|_| self.reader.ready.is_empty());
        looked.map_or(Duration::ZERO, |looked| self.interval.min(Follow::PACE).saturating_sub(looked.elapsed()))
    }
}

impl Iterator for Follower {
    type Item = Result<LogRecord<'static>>;

    /// Waits for the next record. Ends only behind an error.
    fn next(&mut self) -> Option<Self::Item> {
        let mut found_nothing = false;
        loop {
            let pause = self.pause(found_nothing);
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
            match self.try_next().transpose() {
                None if self.reader.ended.is_none() => found_nothing = true,
                next => return next,
            }
        }
    }
}
