//! What came of a group, and the ticket that leads to it.

use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::futex;

use crate::model::{Error, Lsn};

/// The group is written, or has failed. Below it nudges are counted.
const DONE: u32 = 1 << 31;

/// A group that many callers wait for. One word wakes them all, and none of them takes a lock on its way out.
#[derive(Debug, Default)]
pub(super) struct Group {
    word: AtomicU32,
    outcome: OnceLock<Outcome>,
}

/// What came of a group.
pub(super) type Outcome = Result<Written, Failure>;

/// A group that was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub first: Lsn,
    /// Its number among the groups of this writer, from 1 on.
    pub number: u64,
    pub records: usize,
    /// When its leader came.
    pub led: Instant,
    /// When the leader had waited for company.
    pub gathered: Instant,
    pub written: Instant,
    pub synced: Instant,
    /// It was durable before anybody was told.
    pub durable: bool,
}

/// Why a group was not written.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The writer is at its end.
    Poisoned { durable: Lsn, cause: String },
    /// This group alone failed, and left no trace.
    System { doing: &'static str, errno: i32 },
    /// What the caller wanted cannot be.
    Input(String),
}

impl Failure {
    pub fn error(&self, dir: &Path) -> Error {
        match self {
            Failure::Poisoned { durable, cause } => {
                Error::Poisoned { path: dir.to_owned(), durable: *durable, cause: cause.clone() }
            }
            Failure::System { doing, errno } => Error::io(doing, dir)(std::io::Error::from_raw_os_error(*errno)),
            Failure::Input(what) => Error::Input { what: what.clone() },
        }
    }
}

impl Group {
    /// What came of it, if it is over.
    #[inline]
    pub fn outcome(&self) -> Option<&Outcome> {
        if self.word.load(Ordering::Acquire) & DONE == 0 {
            return None;
        }
        self.outcome.get()
    }

    /// To be called before looking whether somebody leads: a nudge after it is not missed by [`Group::sleep`].
    #[inline]
    pub fn seen(&self) -> u32 {
        self.word.load(Ordering::Acquire)
    }

    /// Waits until the group is over, or somebody is nudged to lead, or no reason at all.
    pub fn sleep(&self, seen: u32) {
        if seen & DONE == 0 {
            // A signal or a word that changed meanwhile: the caller looks again anyway.
            let _ = futex::wait(&self.word, futex::Flags::PRIVATE, seen, None);
        }
    }

    /// Wakes one that waits, so that it leads. True if there was one.
    pub fn nudge(&self) -> bool {
        self.word.fetch_add(1, Ordering::Release);
        futex::wake(&self.word, futex::Flags::PRIVATE, 1).is_ok_and(|woken| woken > 0)
    }

    /// Says what came of it. `crowd` tells whether anybody but the caller may wait.
    pub fn finish(&self, outcome: Outcome, crowd: bool) {
        // Only the one leader of this group comes here, once.
        let _ = self.outcome.set(outcome);
        self.word.fetch_or(DONE, Ordering::Release);
        if crowd {
            let _ = futex::wake(&self.word, futex::Flags::PRIVATE, i32::MAX as u32);
        }
    }
}

/// A record on its way. [`super::GroupCommit::wait`] redeems it; one that is dropped loses nothing but the answer.
#[derive(Clone, Debug)]
#[must_use]
pub struct Ticket {
    pub(super) group: std::sync::Arc<Group>,
    /// Its first frame among those of the group, and how many it has.
    pub(super) index: u32,
    pub(super) frames: u32,
    pub(super) came: Instant,
}

impl Ticket {
    /// Whether waiting for it would return at once.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.group.outcome().is_some()
    }

    pub(super) fn redeem(&self, outcome: &Outcome, dir: &Path) -> Result<Ack, Error> {
        match outcome {
            Ok(written) => Ok(self.ack(written)),
            Err(failure) => Err(failure.error(dir)),
        }
    }

    #[inline]
    fn ack(&self, written: &Written) -> Ack {
        let lsn = written.first.plus(u64::from(self.index));
        Ack {
            lsn,
            last_lsn: lsn.plus(u64::from(self.frames) - 1),
            group: written.number,
            group_size: written.records,
            durable: written.durable,
            times: Times { came: self.came, written: *written, woken: None },
        }
    }
}

/// What a caller is told about its record.
#[derive(Clone, Copy, Debug)]
pub struct Ack {
    /// Its number.
    pub lsn: Lsn,
    /// The number of its last frame; equal to `lsn` when it went into one.
    pub last_lsn: Lsn,
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

    /// Until the caller ran again. Zero for a ticket that was redeemed later: nobody was waiting.
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
