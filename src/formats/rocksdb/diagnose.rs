//! What stands where no frame of this log stands: the end of its data, or damage.

use super::super::blocks::{BLOCK, Frame, HEADER, Part, Stands, left_in_block, parse};
use super::super::resync::last_content;
use super::super::{Ending, Halt, looks_interrupted};
use super::frame::types;
use super::walk::Walker;
use crate::disk::zero_prefix;
use crate::model::{Damage, DamageKind, Facts, Look, Proof};

const WRITTEN_AFTER: Proof = Proof::Told { by: "a whole frame", words: "stands behind it and was written after it" };
const SAME_NUMBER: Proof =
    Proof::Told { by: "a whole frame with this log's number", words: "stands behind it, so the log does not end here" };

impl Walker<'_, '_> {
    /// No frame of this log stands where one was due. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let stop = self.rereads.stop(&mut self.cursor, start);
        let found = self.next_frame(start);
        let moved = match found {
            Some(_) => self.rereads.hole_again(&stop, &mut self.cursor)? && self.reads(start),
            None => self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            self.search.forget();
            return Ok(true);
        }
        let Some(frame) = found else {
            self.end(start)?;
            return Ok(false);
        };
        let proof = if frame.number.is_some() { SAME_NUMBER } else { WRITTEN_AFTER };
        if let Some(pending) = self.pending.filter(|pending| pending.bytes > 0) {
            self.unfinished(pending, Some(proof), "damage")?;
        }
        self.pending = None;
        // A whole piece of the record that the damage took is no use without the rest.
        let end = if matches!(frame.part, Part::Middle | Part::Last) { self.behind_pieces(frame) } else { frame.at };
        let mut damage = self.diagnose(start, frame.at, true);
        damage.span.length = end - start;
        damage.facts.proof = Some(proof);
        self.at = end;
        self.hurt(damage)?;
        Ok(true)
    }

    /// Whether a frame of this log stands there now.
    fn reads(&mut self, at: u64) -> bool {
        // Sums that the search took may be those of other bytes.
        self.search.forget();
        matches!(self.stands(at), Stands::Frame(frame) if self.belongs(&frame))
    }

    /// The next whole frame of this log behind `start`.
    fn next_frame(&mut self, start: u64) -> Option<Frame> {
        let (number, recycled, classic) = (self.number, self.own.recycled, self.classic);
        let ours = move |frame: &Frame| match frame.number {
            Some(found) => !classic && number.is_none_or(|own| own == found),
            None => !recycled,
        };
        // Payloads can hold whole frames of another log: where the length of the bad frame leads on, they are not searched.
        let left = left_in_block(start);
        let claimed = parse(types, self.cursor.bytes(start, left), start, left).map(|(frame, _)| frame);
        let mut whole = start;
        if let Some(bad) = claimed {
            let end = bad.end();
            let next = if left_in_block(end) < bad.header() { end + left_in_block(end) as u64 } else { end };
            if let Some(frame) = self.search.whole_at(&mut self.cursor, next).filter(ours) {
                return Some(frame);
            }
            if matches!(self.stands(next), Stands::FileEnds | Stands::Zeros) {
                // The last frame of the file. One in its payload counts only if it proves that the length is wrong.
                whole = end;
            }
        }
        let found = self.search.find(&mut self.cursor, start + 1, ours)?;
        if found.at < whole && !self.search.fits(&mut self.cursor, start, found.at) {
            return self.search.find(&mut self.cursor, whole, ours);
        }
        Some(found)
    }

    /// No frame of this log follows: the end of its data, or a tail that is torn or rotten.
    fn end(&mut self, start: u64) -> Result<(), Halt> {
        let pending = self.pending.filter(|pending| pending.bytes > 0);
        (self.summary.end, self.summary.ending) = (start, Ending::Remains);
        if self.older_life(start) {
            if let Some(pending) = pending {
                self.unfinished(pending, None, "what remains from an older log")?;
            }
            self.only_remains(start);
            return Ok(());
        }
        if let Some(pending) = pending {
            self.unfinished(pending, None, "damage")?;
        }
        let end = last_content(&mut self.cursor, start);
        let damage = self.diagnose(start, end, false);
        self.hurt(damage)?;
        (self.summary.end, self.summary.ending) = (pending.map_or(start, |pending| pending.start), Ending::Damage);
        Ok(())
    }

    /// Whether what stands at the end of a recycled log is left from the file's older life, and no write of this log that went wrong.
    fn older_life(&mut self, start: u64) -> bool {
        if self.classic || self.cursor.next_refused(start).is_some() {
            return false;
        }
        if !self.own.recycled {
            // Nothing of this log stands before it: frames of another number say that the file was just given a new name.
            let (at, own) = (start, self.number);
            let Some(own) = own.filter(|_| self.summary.frames == 0) else { return false };
            return self.search.find(&mut self.cursor, at, |frame| frame.number.is_some_and(|number| number != own)).is_some();
        }
        let left = left_in_block(start);
        let begun = parse(types, self.cursor.bytes(start, left), start, left);
        // A header with this log's number is a frame that was begun here.
        !begun.is_some_and(|(frame, _)| frame.number.is_some() && frame.number == self.number)
    }

    /// A file in which nothing but another log's frames stand was just recycled, or it was given a wrong name.
    fn only_remains(&mut self, start: u64) {
        let Some(own) = self.number.filter(|_| start == 0 && self.summary.frames == 0) else { return };
        let text = format!(
            "no frame here bears the number {own} of this log: the file was used by another log before and nothing was written to it yet, or \
             it was renamed; if it was copied under another name, give it back its own"
        );
        self.warn_once("another-logs-frames", text);
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, end: u64, followed: bool) -> Damage {
        let left = left_in_block(start);
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end || *from <= start) {
            let mut damage = self.bad(
                DamageKind::ReadError,
                start,
                end.max(to),
                format!("bytes {from} to {to}, which the system refuses to give"),
            );
            damage.facts = Facts::of(Look::Refused);
            return damage;
        }
        let bytes = self.cursor.bytes(start, left);
        let (given, zeros, kind) = (bytes.len(), zero_prefix(bytes), bytes.get(6).copied().unwrap_or(0));
        let parsed = parse(types, bytes, start, left);
        let sum = parsed.and_then(|(frame, _)| self.search.sum_of(&mut self.cursor, &frame));
        let (kind, look, found) = match (parsed, sum) {
            // The type, if it is there, tells how long the header is.
            _ if given < left && given < types(kind).map_or(HEADER, |(_, form)| form.header()) => {
                let words = format!("the end of the file after {given} bytes of a frame's header");
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            _ if zeros >= HEADER.min(given) => {
                let interrupted = looks_interrupted(&mut self.cursor, start, end);
                let look = if interrupted && !followed { Look::Interrupted } else { Look::Wrong };
                (DamageKind::Zeroed, look, format!("{zeros} zero bytes, and more behind them"))
            }
            (Some((frame, _)), None) if followed => {
                let words = format!("a length of {} that leads behind the next whole frame", frame.length);
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            (Some((frame, _)), None) => {
                let short = frame.end().saturating_sub(self.cursor.length());
                (DamageKind::CutShort, Look::Interrupted, format!("the end of the file, {short} bytes short of the frame's end"))
            }
            (Some((frame, stored)), Some(sum)) if sum != stored => {
                let interrupted = looks_interrupted(&mut self.cursor, start, frame.end());
                let look = if interrupted { Look::Interrupted } else { Look::Wrong };
                (DamageKind::BadChecksum, look, format!("checksum {stored:08x} stored, {sum:08x} computed"))
            }
            (Some((frame, _)), _) => {
                let words = match frame.number {
                    Some(number) => format!("a frame with the number {number} in a log whose frames bear none"),
                    None => "a frame without a number in a log whose frames bear one".to_owned(),
                };
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            (None, _) => (DamageKind::NotAFrame, Look::Wrong, self.no_header(start, kind)),
        };
        let mut damage = self.bad(kind, start, end, found);
        damage.facts = Facts::of(look);
        damage
    }

    /// Why a header is none.
    fn no_header(&mut self, start: u64, kind: u8) -> String {
        let length = self.cursor.array(start + 4).map_or(0, u16::from_le_bytes);
        let left = left_in_block(start);
        match kind {
            1..=11 | 0x80.. => format!("a length of {length} where {left} bytes are left in the block of {BLOCK}"),
            _ => format!("a frame of type {kind}, which nothing writes"),
        }
    }
}
