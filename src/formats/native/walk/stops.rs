//! Where a walk over our own frames stops: bytes that are no frame, frames that do not follow, and a tail that may be on its way.

use std::time::Duration;

use super::super::beside::resumes_with;
use super::super::classify::{classify, follower};
use super::super::found;
use super::{LIVE_WAITS, MOVES, REREADS, Walker};
use crate::disk::zero_prefix;
use crate::formats::{Ending, Halt, Sink};
use crate::model::{Damage, DamageKind, Facts, Look, LsnRange, Proof, Span, Warning};
use crate::native::{Check, FrameHeader, FrameKind, MORE};

/// How far behind the data zeros are looked for where all of them were seen a moment ago.
const NEAR: u64 = 16 << 10;

impl Walker<'_> {
    pub(super) fn check_seal(&mut self, sink: &mut Sink<'_>) -> Result<(), Halt> {
        let Some(seal) = self.seal.as_ref().filter(|s| s.offset == self.offset) else { return Ok(()) };
        let Some(tally) = &seal.tally else { return Ok(()) };
        // Where damage was found the numbers differ of necessity.
        if self.partial || !self.wounds.is_empty() {
            return Ok(());
        }
        let counted: u64 = tally.frames.iter().sum();
        let last = self.summary.lsns.map_or(0, |range| range.last.0);
        if (counted, tally.last_lsn, tally.digest) == (self.data_frames, last, self.digest) {
            return Ok(());
        }
        let damage = Damage {
            kind: DamageKind::BadSeal,
            span: Span::new(self.visit.segment.id, self.offset, self.offset + seal.header.span()),
            lsn: Some(self.due),
            doubt: None,
            expected: format!("{counted} data frames up to LSN {}, digest {:016x}", tally.last_lsn, tally.digest),
            found: format!("{} up to LSN {last}, digest {:016x}", self.data_frames, self.digest),
            facts: Facts { proof: Some(Proof::Seal), ..Facts::of(Look::Wrong) },
        };
        self.hurt(damage, sink)
    }

    /// A frame with another LSN than was due, and no bytes between to blame.
    pub(super) fn lsn_differs(&mut self, header: &FrameHeader, sink: &mut Sink<'_>) -> Result<(), Halt> {
        let (due, lsn) = (self.due, header.lsn);
        self.end_unit(Look::Wrong, sink)?;
        let damage = found::jump(self.visit.segment.id, self.offset, due, header);
        self.due = lsn;
        self.hurt(damage, sink)
    }

    pub(super) fn hurt(&mut self, damage: Damage, sink: &mut Sink<'_>) -> Result<(), Halt> {
        sink.damage(&damage)?;
        self.wounds.push(damage);
        Ok(())
    }

    /// Gives up the batch or record that is under way: it lacks its end.
    pub(super) fn end_unit(&mut self, look: Look, sink: &mut Sink<'_>) -> Result<(), Halt> {
        let Some(unit) = self.unit.take() else { return Ok(()) };
        let damage = found::unfinished(self.visit.segment.id, self.offset, &unit, look);
        self.last_look = look;
        self.hurt(damage, sink)
    }

    /// A fragment whose record did not begin.
    pub(super) fn orphan(&mut self, header: &FrameHeader, sink: &mut Sink<'_>) -> Result<(), Halt> {
        let look = if self.wounds.is_empty() { Look::Wrong } else { self.last_look };
        let damage = found::withheld(self.visit.segment.id, self.offset, DamageKind::BrokenRecord, header, look);
        // Neighbouring orphans of one record are one piece of damage.
        if let Some(last) = self.wounds.last_mut()
            && last.kind == DamageKind::BrokenRecord
            && last.span.end() == damage.span.start()
            && last.facts.proof.is_none()
        {
            last.span.length += damage.span.length;
            last.doubt = last.doubt.map(|d| LsnRange { last: header.lsn, ..d });
            last.found = format!("{} fragments without it", last.doubt.map_or(1, |d| d.count()));
            return Ok(());
        }
        self.hurt(damage, sink)
    }

    /// Whether the data ends here: at the end of the file, or where only zeros follow.
    pub(super) fn data_ends(&mut self, check: Check) -> Option<Ending> {
        if !matches!(check, Check::NoMagic | Check::ShortHeader) {
            return None;
        }
        let length = self.reader.cursor.length();
        let near = self.offset.saturating_add(NEAR);
        if self.visit.want.zeros_seen && !self.finished() && near < length {
            let behind = self.reader.cursor.bytes(self.offset, NEAR as usize);
            if behind.len() < NEAR as usize || zero_prefix(behind) < behind.len() {
                return None;
            }
        } else if self.reader.cursor.zeros_end(self.offset) < length {
            return None;
        }
        Some(match self.last_kind {
            Some(FrameKind::Close) => Ending::Closed,
            Some(FrameKind::Seal) => Ending::Sealed,
            _ if self.offset < length => Ending::Zeros,
            _ => Ending::FileEnds,
        })
    }

    /// A writer may be in the middle of this tail: wait, look again, and say whether it moved.
    pub(super) fn tail_moves(&mut self) -> Result<bool, Halt> {
        self.moves += 1;
        if self.finished() || self.reader.cursor.is_mapped() || self.moves > MOVES {
            return Ok(false);
        }
        // No process holds the log's lock, and the bytes were already read twice: they stay as they are.
        while self.visit.want.live && self.waits < LIVE_WAITS {
            let wait = Duration::from_millis(2 << self.waits.min(9));
            self.waits += 1;
            if self.reader.cursor.look_again(self.offset, wait)? {
                self.reader.refresh(true)?;
                self.waits = 0;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// A hole with a whole frame after it may only have been read while it was written: a piece is read from front to back, and a
    /// writer that overtakes the reader fills the front too late and the back in time. What lies before a frame that was seen is
    /// there by now, or it is not coming; only direct writes may arrive in another order.
    pub(super) fn hole_fills(&mut self) -> Result<bool, Halt> {
        if self.finished() || self.reader.cursor.is_mapped() || self.rereads >= REREADS {
            return Ok(false);
        }
        self.rereads += 1;
        loop {
            self.reader.refresh(self.visit.want.live)?;
            if matches!(self.reader.check(self.offset), Check::Good(_)) {
                return Ok(true);
            }
            if !self.visit.want.live || self.waits >= LIVE_WAITS {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(2 << self.waits.min(9)));
            self.waits += 1;
        }
    }

    /// What a writer writes at `start` is not whole yet.
    pub(super) fn unfinished_write(&mut self, start: u64, end: u64) -> Ending {
        let unit = self.unit.take();
        self.left_out |= unit.is_some();
        let from = unit.map_or(start, |unit| unit.start);
        let text = format!("a writer is running: what it is writing at {from} is not whole yet and was left out");
        let span = Span::new(self.visit.segment.id, from, end.max(from));
        self.summary.warnings.push(Warning { name: "unfinished-write", span, text });
        Ending::Zeros
    }

    /// Bad bytes at the offset: says what they are, and goes on after them. The ending, if nothing valid follows.
    pub(super) fn bad(&mut self, check: Check, sink: &mut Sink<'_>) -> Result<Option<Ending>, Halt> {
        let start = self.offset;
        let jump = follower(&mut self.reader, check, start, self.due);
        let found = match jump {
            Some(frame) => crate::native::Found { frame: Some(frame), content_end: frame.0 },
            None => self.reader.search(start + 8, self.due),
        };
        if self.reader.cursor.unmap_if_faulty() {
            return Ok(None);
        }
        if found.frame.is_some() && self.hole_fills()? {
            return Ok(None);
        }
        if found.frame.is_none() {
            if self.tail_moves()? {
                return Ok(None);
            }
            if self.visit.want.live && !self.finished() && self.wounds.is_empty() {
                return Ok(Some(self.unfinished_write(start, found.content_end)));
            }
        }
        let region = classify(&mut self.reader, check, (start, self.due), found.frame.map(|f| f.0), found.content_end);
        self.end_unit(region.look, sink)?;
        let next = found.frame.map(|frame| resumes_with(&mut self.reader, self.due, frame));
        let doubt = match (next, &region.legible) {
            (Some(next), _) => next.before().and_then(|last| LsnRange::new(self.due, last)),
            (None, Some(header)) if header.lsn == self.due => LsnRange::new(self.due, self.due),
            _ => None,
        };
        let damage = Damage {
            kind: region.kind,
            span: Span::new(self.visit.segment.id, start, region.end),
            lsn: Some(self.due),
            doubt,
            expected: region.expected,
            found: region.found,
            facts: Facts::of(region.look),
        };
        self.last_look = region.look;
        self.broken_batch = region.legible.filter(|h| h.flags & MORE != 0).map(|_| region.look);
        self.joint.last_sum = None;
        self.hurt(damage, sink)?;
        match (next, region.legible) {
            (Some(next), _) => {
                self.due = next;
                self.offset = region.end;
                Ok(None)
            }
            // The frame is whole but for one bit, so its end is known, and the log may go on or end there.
            (None, Some(header)) if region.end > start && region.end < self.reader.cursor.length() && header.lsn == self.due => {
                self.due = header.due_behind();
                self.offset = region.end;
                Ok(None)
            }
            _ => Ok(Some(Ending::Damage)),
        }
    }
}
