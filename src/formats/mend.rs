//! What a format says about mending its logs: whether a cut is safe, and what copies give back.

use super::Summary;
use crate::disk::{Segment, Source};
use crate::model::{Damage, Error, LsnRange, Place};

/// Who knows whether `repair` may cut a log of a format.
#[derive(Clone, Copy, Debug)]
pub enum Mending {
    /// No log of this format is ever cut.
    Never {
        /// Why.
        why: &'static str,
        /// What is done about a torn end then, in words that follow "next:".
        torn_end: &'static str,
    },
    /// It depends on what the walks found, and on the place of the cut.
    Asked(fn(&Source, &[Summary], Place) -> Mend),
}

impl Mending {
    /// Why no log of this format is ever cut, where that is so.
    #[must_use]
    pub const fn never(self) -> Option<&'static str> {
        match self {
            Mending::Never { why, .. } => Some(why),
            Mending::Asked(_) => None,
        }
    }

    /// What is done about a torn end where no log is ever cut.
    #[must_use]
    pub const fn torn_end(self) -> Option<&'static str> {
        match self {
            Mending::Never { torn_end, .. } => Some(torn_end),
            Mending::Asked(_) => None,
        }
    }
}

/// Whether `repair` may cut a log at a place.
#[derive(Clone, Copy, Debug)]
pub enum Mend {
    /// Its own recovery would drop the same bytes.
    Cut,
    /// The same of any damaged segment, whatever was promised: its own recovery would drop these bytes, and whole segments behind them.
    CutEach,
    /// The same from an earlier place on: what stands between is whole, and belongs to a batch that the damage leaves without an end.
    CutBack(u64),
    /// The same as a cut, and what the function gives must be written at the cut: without it the system would drop whole records too.
    CutAndFill(fn(&Source, &Segment, u64) -> Result<Vec<u8>, Error>),
    /// It must not, and why.
    Refuse(&'static str),
}

/// Looks for copies of what was torn at the end of a segment; `None` when there are none that fit.
pub type Restorer = fn(&Source, &Segment, &[Damage]) -> Result<Option<Restored>, Error>;

/// Whole records that replace the bytes from the first damage of a segment to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The name of the file that holds the copies.
    pub copy: String,
    /// Where in the segment they begin.
    pub offset: u64,
    /// Their LSNs.
    pub lsns: LsnRange,
    /// The records, as they should stand there.
    pub bytes: Vec<u8>,
    /// What must stand after them.
    pub fill: Vec<u8>,
}
