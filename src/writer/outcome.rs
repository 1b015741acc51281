//! How a group ended, and the answer for each caller in it.

use crate::disk::Errno;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::model::{Error, Lsn};

/// What came of a group.
pub(super) type Outcome = Result<Written, Failure>;

/// A group that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub first: Lsn,
    /// The first LSN of its segment, which is the segment's name, and where in it the group begins.
    pub segment: Lsn,
    pub offset: u64,
    /// Its number among the groups of this writer, from 1 on.
    pub number: u64,
    pub records: usize,
    /// When its leader came.
    pub led: Instant,
    /// When the leader had waited for company.
    pub gathered: Instant,
    pub written: Instant,
    pub synced: Instant,
    /// It was durable before any caller got its answer.
    pub durable: bool,
}

/// Why a group was not written.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The writer is at its end.
    Poisoned { durable: Lsn, cause: String },
    /// This group alone failed, and left no trace.
    System { doing: &'static str, errno: Errno },
    /// What the caller wanted cannot be.
    Input(String),
    /// The log was closed before.
    Closed,
}

impl Failure {
    pub fn error(&self, dir: &Path) -> Error {
        match self {
            Failure::Poisoned { durable, cause } => {
                Error::Poisoned { path: dir.to_owned(), durable: *durable, cause: cause.clone() }
            }
            Failure::System { doing, errno } => Error::io(doing, dir)((*errno).into()),
            Failure::Input(what) => Error::Input { what: what.clone() },
            Failure::Closed => Error::Closed { path: dir.to_owned() },
        }
    }
}

impl Written {
    /// The acknowledgement of one record of the group.
    #[inline]
    pub fn ack(&self, part: GroupPart, came: Instant) -> Ack {
        let lsn = self.first.plus(u64::from(part.index));
        Ack {
            lsn,
            last_lsn: lsn.plus(u64::from(part.frames) - 1),
            segment: self.segment,
            offset: self.offset + part.offset,
            group: self.number,
            group_size: self.records,
            durable: self.durable,
            times: Times { came, written: *self, woken: None },
        }
    }
}

/// Where a record stands in its group.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupPart {
    /// Its first frame among those of the group, and how many it has.
    pub index: u32,
    pub frames: u32,
    /// The first frame's offset from the group's start.
    pub offset: u64,
}

/// The answer to a caller about its record.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Ack {
    /// Its number.
    pub lsn: Lsn,
    /// The number of its last frame; equal to `lsn` when it went into one.
    pub last_lsn: Lsn,
    /// The segment that it is in, by that segment's first LSN: [`segment_name`](crate::native::segment_name) makes it a file name.
    pub segment: Lsn,
    /// Where in that file its first frame begins.
    pub offset: u64,
    /// The number of its group among those of this writer, from 1 on.
    pub group: u64,
    /// How many records were in the group.
    pub group_size: usize,
    /// Whether it is durable; not so in the modes that promise nothing.
    pub durable: bool,
    /// Where the time went.
    pub times: Times,
}

/// Where the time of an append went.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    came: Instant,
    written: Written,
    pub(super) woken: Option<Instant>,
}

impl Times {
    /// Waiting for the groups before.
    #[must_use]
    pub fn queue(&self) -> Duration {
        self.written.led.saturating_duration_since(self.came)
    }

    /// Waiting for company.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.written.gathered.saturating_duration_since(self.came.max(self.written.led))
    }

    /// Numbering, checksumming and writing the group; a new segment before it, if one was due.
    #[must_use]
    pub fn write(&self) -> Duration {
        self.written.written.saturating_duration_since(self.written.gathered)
    }

    /// Syncing it.
    #[must_use]
    pub fn sync(&self) -> Duration {
        self.written.synced.saturating_duration_since(self.written.written)
    }

    /// Until the caller ran again. Zero for a ticket that was redeemed later: no caller was waiting.
    #[must_use]
    pub fn wake(&self) -> Duration {
        self.woken.map_or(Duration::ZERO, |woken| woken.saturating_duration_since(self.written.synced))
    }

    /// All but the sync: what the caller waited for others and for the writer itself.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.queue() + self.window() + self.write() + self.wake()
    }

    /// When the record was durable, or as durable as the mode makes it.
    #[must_use]
    pub fn done(&self) -> Instant {
        self.written.synced
    }

    /// When it was handed over.
    #[must_use]
    pub fn came(&self) -> Instant {
        self.came
    }
}
