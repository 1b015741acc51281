//! What the ends of a segment tell without a walk, and what only logs have that walctl writes itself.

use crate::disk::{Segment, Source};
use crate::model::{Hole, Keys, Lsn, Result, Time};

use super::Summary;

/// Reads the header of a segment; `None` where it cannot be read or tells nothing.
pub type ReadHeader = fn(&Source, &Segment, &Keys) -> Option<HeaderFacts>;

/// Reads the end of a finished segment, which may answer for all of it: with [`Summary::tally`], and for what was counted only. `None`
/// where only a walk tells.
pub type ReadTrailer = fn(&Source, &Segment) -> Result<Option<Summary>>;

/// Reads both ends of a segment. The summary says of itself that the segment was not walked ([`Summary::whole`]).
pub type ReadEnds = fn(&Source, &Segment) -> Result<Summary>;

/// Makes the hole as it is written down, and its bytes.
pub type WriteHole = fn(&HoleSite<'_>, Hole, Time) -> Result<(Hole, Vec<u8>), String>;

/// What the header of a segment tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderFacts {
    /// The LSN that the segment begins with.
    pub first_lsn: Lsn,
    /// Which log it belongs to.
    pub log_id: [u8; 16],
    /// Whether one of the keys is the segment's own; `None` where it is not encrypted.
    pub opens: Option<bool>,
}

/// What only logs have that walctl writes itself. There is one such format.
#[derive(Debug)]
pub struct Ours {
    /// How long the header of a segment is.
    pub segment_header: u64,
    /// How long the header of a frame is.
    pub frame_header: u64,
    /// Whether a file beside the segments is left by such a log alone, even when no segment is left.
    pub leaves: fn(&str) -> bool,
    /// The name of the segment that begins with an LSN.
    pub name: fn(Lsn) -> String,
    /// What writes down that LSNs between two segments are gone. An error says why that cannot be done.
    pub hole: WriteHole,
}

/// Where a hole is written down.
#[derive(Clone, Copy, Debug)]
pub struct HoleSite<'a> {
    /// The segment before it, and what its walk found.
    pub before: (&'a Segment, &'a Summary),
    /// The segment after it.
    pub behind: (&'a Segment, &'a Summary),
    /// It is appended to the segment before it, at this offset; otherwise it gets a segment of its own.
    pub append_at: Option<u64>,
}
