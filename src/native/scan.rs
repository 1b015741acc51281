//! From frame to frame to the end of a segment's data, for going on there, letting the segment go or counting it.
//!
//! Damage is not judged here: what is not as it should be is an error that names the place. What it means, `verify` tells.

use std::path::Path;

use super::decode::{Check, FrameReader, HeaderState};
use super::hole::{HoleFound, hole_at};
use super::layout::{FrameHeader, FrameKind, HEADER_BYTES, MORE, SegmentHeader};
use super::payload::plain_length;
use super::tally::Tally;
use crate::model::{Error, Lsn, Result};

/// How the frames of a segment go on to the end of its data.
#[derive(Debug)]
pub struct FrameScan {
    /// After the last frame.
    pub end: u64,
    /// The LSN that is due there.
    pub next: Lsn,
    /// What the frames hold.
    pub tally: Tally,
    /// The last frame.
    pub last: Option<FrameHeader>,
    /// The sum that a hole after the last record says the next segment goes on with.
    pub named_chain: Option<u32>,
    /// Where the record or batch began that the frames leave unfinished, and its LSN.
    pub unfinished: Option<(u64, Lsn)>,
}

impl FrameScan {
    /// Goes through a segment up to the first bytes that are no whole frame. `each` is shown every frame.
    pub fn of(
        reader: &mut FrameReader,
        header: &SegmentHeader,
        path: &Path,
        each: &mut dyn FnMut(FrameKind, &FrameHeader),
    ) -> Result<FrameScan> {
        let mut scan = FrameScan {
            end: HEADER_BYTES,
            next: header.first_lsn,
            tally: Tally::default(),
            last: None,
            named_chain: None,
            unfinished: None,
        };
        while let Check::Good(frame) = reader.check(scan.end) {
            if let Some(what) = frame.unknown() {
                return Err(Error::Unknown { path: path.to_owned(), offset: scan.end, what });
            }
            let kind = FrameKind::from_byte(frame.kind).expect("unknown kinds were met above");
            scan.step(reader, path, kind, frame)?;
            each(kind, &frame);
            if kind == FrameKind::Seal {
                break;
            }
        }
        Ok(scan)
    }

    fn step(&mut self, reader: &mut FrameReader, path: &Path, kind: FrameKind, frame: FrameHeader) -> Result<()> {
        let at = self.end;
        if let HoleFound::Hole(hole) = hole_at(&mut reader.cursor, at, &frame)
            && hole.lsns.first == self.next
        {
            (self.next, self.named_chain) = (frame.lsn, hole.chain);
        }
        if frame.lsn != self.next {
            let why = format!("corrupt: LSN {} stands at {at} where {} was due", frame.lsn, self.next);
            return Err(Error::Corrupt { path: path.to_owned(), why });
        }
        if kind.is_data() {
            let more = frame.flags & MORE != 0 || matches!(kind, FrameKind::First | FrameKind::Middle);
            self.unfinished = more.then(|| self.unfinished.unwrap_or((at, frame.lsn)));
            self.named_chain = None;
            self.next = frame.lsn.next();
        }
        self.tally.observe(&frame, at, plain_length(&mut reader.cursor, &frame, at));
        self.last = Some(frame);
        self.end = at + frame.span();
        Ok(())
    }

    /// Whether the last frame is of this kind.
    #[must_use]
    pub fn ends_with(&self, kind: FrameKind) -> bool {
        self.last.is_some_and(|last| last.kind == kind as u8)
    }

    /// The sum that the next segment goes on with: that of the last frame, or what the header chains to.
    #[must_use]
    pub fn sum(&self, header: &SegmentHeader) -> u32 {
        self.last.map_or(header.chain, |last| last.sum)
    }

    /// Whether bytes stand after the last frame that are not zeros.
    pub fn is_followed(&self, reader: &mut FrameReader) -> bool {
        // In a file that was used before, this is where its old bytes begin to count as zeros.
        if matches!(reader.check(self.end), Check::Good(_)) {
            return true;
        }
        let length = reader.cursor.length();
        reader.cursor.zeros_end(self.end.min(length)) < length
    }
}

impl HeaderState {
    /// The header of a segment whose name says that it begins with `first`; an error, where it is not whole or says otherwise.
    pub fn trusted(self, path: &Path, first: Lsn) -> Result<SegmentHeader> {
        let refused = |why: String| Err(Error::Corrupt { path: path.to_owned(), why });
        match self {
            HeaderState::Good(header) if header.first_lsn == first => Ok(header),
            HeaderState::Good(header) => {
                refused(format!("foreign: it says that it begins with LSN {}, not as its name does", header.first_lsn))
            }
            HeaderState::Unknown(what) => Err(Error::Unknown { path: path.to_owned(), offset: 0, what }),
            _ => refused("its header is damaged".into()),
        }
    }
}
