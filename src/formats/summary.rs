//! What a walk over one segment established, for the join with its neighbours.

use std::any::Any;

use super::capped::Capped;
use super::{Halt, Mark, Sink, Tally};
use crate::disk::Segment;
use crate::model::{Damage, Hole, Lsn, LsnRange, Span, Time, Warning};

/// Whether a segment is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing more is written to it.
    Sealed,
    /// It is the one that is written to, or was last.
    Active,
}

impl State {
    /// Its name in text and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Sealed => "sealed",
            State::Active => "active",
        }
    }
}

/// Why the data of a segment ends where it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The file ends at a frame.
    FileEnds,
    /// Only zeros follow.
    Zeros,
    /// The log was closed cleanly there.
    Closed,
    /// The segment was finished there.
    Sealed,
    /// Bad bytes stand at the end.
    Damage,
    /// What follows is of an older life of the file, which is written over and not cleared.
    Remains,
}

impl Ending {
    /// In words, as the end of a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Ending::FileEnds => "the file ends there, at the end of a frame",
            Ending::Zeros => "only zeros follow",
            Ending::Closed => "the log was closed cleanly there",
            Ending::Sealed => "the segment was sealed there",
            Ending::Damage => "damage begins there and no whole frame follows",
            Ending::Remains => "what follows remains from an older use of the file",
        }
    }
}

/// LSNs that are gone, as a frame of ours tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHole {
    /// The frame that says so.
    pub span: Span,
    /// Since when it is known.
    pub since: Time,
    /// What it says.
    pub hole: Hole,
}

/// What a walk over a segment established.
#[derive(Debug)]
pub struct Summary {
    /// How many whole records it holds.
    pub records: u64,
    /// How many valid frames.
    pub frames: u64,
    /// The first and the last LSN among its valid frames.
    pub lsns: Option<LsnRange>,
    /// The LSN that the next segment begins with, if numbers go on from segment to segment.
    pub due: Option<Lsn>,
    /// The first LSN that the segment should hold: from its header or name.
    pub begins: Option<Lsn>,
    /// How many bytes are accounted for: headers, frames and padding that are as they should be.
    pub valid_bytes: u64,
    /// Where the data ends: after the last valid frame.
    pub end: u64,
    /// How long the file was when it was read.
    pub length: u64,
    /// Why the data ends there.
    pub ending: Ending,
    /// Whether it is finished.
    pub state: State,
    /// It was walked from its start to its end; what joins it with its neighbours is known.
    pub whole: bool,
    /// It holds no record and no trace of one: empty, zeros, or a header alone.
    pub blank: bool,
    /// Bad regions in the order of their offsets. What proves them synced is complete only after the join.
    pub damage: Capped<Damage>,
    /// What is worth saying besides.
    pub warnings: Capped<Warning>,
    /// Encrypted payloads that should have been looked into, and for which there was no key.
    pub locked: u64,
    /// LSNs that are gone and known to be gone.
    pub holes: Capped<KnownHole>,
    /// What was counted, where that was wanted and the format counts by itself: then its records need not be counted again.
    pub tally: Option<Box<Tally>>,
    /// What the system itself would make of the log if it opened it now, where the format can tell. Of a log of several segments the
    /// last one says it.
    pub recovery: Option<String>,
    /// Where a later walk can go on with what was not there yet: if marks were wanted, this walk came to the end of the data, and nothing is
    /// under way there.
    pub resume: Option<Mark>,
    /// What the format's join needs besides.
    pub own: Option<Box<dyn Any + Send + Sync>>,
}

impl Summary {
    /// Of a segment in which nothing was found yet.
    #[must_use]
    pub fn new(segment: &Segment, length: u64) -> Summary {
        Summary {
            records: 0,
            frames: 0,
            lsns: None,
            due: None,
            begins: None,
            valid_bytes: 0,
            end: 0,
            length,
            ending: Ending::FileEnds,
            state: if segment.followed { State::Sealed } else { State::Active },
            whole: true,
            blank: true,
            damage: Capped::default(),
            warnings: Capped::default(),
            locked: 0,
            holes: Capped::default(),
            tally: None,
            recovery: None,
            resume: None,
            own: None,
        }
    }

    /// Tells of damage, and keeps it.
    pub fn hurt(&mut self, damage: Damage, sink: &mut Sink<'_>) -> Result<(), Halt> {
        self.blank = false;
        sink.damage(&damage)?;
        self.damage.push(damage);
        Ok(())
    }

    /// Whether `lsn` lies among the records that were seen.
    #[must_use]
    pub fn has(&self, lsn: Lsn) -> bool {
        self.lsns.is_some_and(|seen| seen.contains(lsn))
    }

    /// Counts the LSNs of a valid frame or record.
    #[inline]
    pub fn saw(&mut self, first: Lsn, last: Lsn) {
        self.lsns = Some(match self.lsns {
            None => LsnRange { first, last },
            Some(range) => LsnRange { first: range.first.min(first), last: range.last.max(last) },
        });
    }

    /// What the format left for its join, if it is of that type.
    #[must_use]
    pub fn own<T: 'static>(&self) -> Option<&T> {
        self.own.as_ref()?.downcast_ref()
    }
}
