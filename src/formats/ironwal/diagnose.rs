//! What stands where no whole frame stands: where the next one is, and what the bytes between look like.

use super::super::again::Stop;
use super::super::resync::{Sums, find};
use super::super::{Ending, Halt, looks_interrupted};
use super::frame::{HEADER, Header, MAGIC};
use super::walk::Walker;
use crate::disk::{crc32, zero_prefix};
use crate::model::{DamageKind, Facts, Look, Lsn, LsnRange, Proof};

/// Where the lengths of bad frames lead.
enum FrameChain {
    /// To a whole frame.
    Frame(u64, Header),
    /// To the end of the file, from this last frame.
    End(u64, Header),
    /// Nowhere.
    Broken,
}

impl Walker<'_, '_> {
    /// No frame stands where one was due. Finds the next one and reports what lies between; false when there is none.
    pub(super) fn damage(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let stop = self.rereads.stop(&mut self.cursor, start);
        let header = self.cursor.array(start).map(|bytes| Header::parse(&bytes));
        let own_end = header.filter(|h| h.magic).map(|h| start + h.length());
        let due = self.due;
        let found = match self.chain(start) {
            FrameChain::Frame(at, next) => Some((at, next)),
            FrameChain::End(last, header) => self.search(last, Some(header)),
            FrameChain::Broken => self.search(start, None),
        };
        if self.written_meanwhile(&stop, start, found.is_some())? {
            return Ok(true);
        }
        let end = found.map_or_else(|| self.cursor.length().max(start), |(at, _)| at);
        let (kind, look, expected, words) = self.diagnose(start, end, header, found.is_some());
        let mut damage = self.bad(kind, start, end, expected, words);
        damage.facts = Facts::of(look);
        if let Some((_, next)) = found {
            damage.facts.proof = Some(Proof::LaterRecord { lsn: Lsn(next.start) });
            damage.doubt = next.start.checked_sub(1).and_then(|last| LsnRange::new(Lsn(due), Lsn(last)));
        }
        let salvaged = if self.visit.want.salvage { self.whole_inside(start, end, header) } else { None };
        let (kept, extended) = (self.visit.segment.followed, self.zero_extended(start, end, header, found.is_some()));
        self.hurt(damage)?;
        if let Some(header) = salvaged {
            // Not counted: to its own system it is lost.
            self.entries(&header)?;
        }
        if let Some((at, next)) = found {
            if let Some(zeros) = extended {
                self.warn(
                    "torn-frame-grown-with-zeros",
                    format!(
                        "the frame at {start} ends in {} zero bytes with whole frames behind it: if a crash tore it, that is what ironwal \
                         0.6.3 makes of a torn frame at its first write after the crash (0.6.9 cuts it off instead); if no crash came \
                         before, or 0.6.3 never wrote here, its bytes changed on the disk. Records from id {} on are whole, but ironwal \
                         stops reading before them: salvage the stream",
                        zeros,
                        next.start
                    ),
                );
            } else if !kept && (kind != DamageKind::BadChecksum || own_end != Some(at)) {
                self.warn(
                    "opening-would-cut",
                    format!(
                        "ironwal 0.6.9 would cut this segment at {start} as soon as it opens the stream, with all the whole frames from id \
                         {} on, and give their ids again: do not open the stream; copy it and salvage the copy",
                        next.start
                    ),
                );
            } else {
                self.warn(
                    "iteration-stops-here",
                    format!(
                        "ironwal stops iterating at {start} and never reaches the records from id {} on, nor any new ones, except by \
                         their ids: salvage the stream into a new log",
                        next.start
                    ),
                );
            }
            self.at = at;
            self.after_damage = true;
            return Ok(true);
        }
        self.summary.end = start;
        self.summary.ending = Ending::Damage;
        self.at = end;
        Ok(false)
    }

    /// Whether a writer was in the middle of this: the stop is read again before it means anything.
    fn written_meanwhile(&mut self, stop: &Stop, start: u64, followed: bool) -> Result<bool, Halt> {
        let moved = if followed {
            // What a later segment follows is finished but for its end, which may still be in its writer's memory.
            !self.visit.segment.followed && self.rereads.hole_again(stop, &mut self.cursor)? && self.whole_at(start).is_some()
        } else {
            self.rereads.tail_moves(stop, &mut self.cursor, self.visit.want.live)?
        };
        if moved {
            // Sums were taken over what has changed.
            self.sums = None;
        }
        Ok(moved)
    }

    /// Follows the lengths of bad frames: payloads may hold whole frames, and must not be searched while lengths lead on.
    fn chain(&mut self, start: u64) -> FrameChain {
        let mut at = start;
        loop {
            let header = self.cursor.array(at).map(|bytes| Header::parse(&bytes));
            // Of the first one only magic and length are asked for.
            let Some(header) = header.filter(|h| h.magic && (at == start || h.plausible() && h.start >= self.due)) else {
                return FrameChain::Broken;
            };
            let next = at + header.length();
            if next > self.cursor.length() {
                return FrameChain::Broken;
            }
            if let Some(whole) = self.whole_at(next) {
                return if whole.start >= self.due { FrameChain::Frame(next, whole) } else { FrameChain::Broken };
            }
            if self.cursor.bytes(next, 1).is_empty() && self.cursor.refused_at(next).is_none() {
                return if header.plausible() { FrameChain::End(at, header) } else { FrameChain::Broken };
            }
            at = next;
        }
    }

    /// The next whole frame after `start`, wherever it is. Where the length of a bad frame leads to the end of the file, its payload may
    /// hold what looks like frames: one counts only if it proves that length wrong, since the distance to it makes the checksum match.
    fn search(&mut self, start: u64, leads_to_end: Option<Header>) -> Option<(u64, Header)> {
        let due = self.due;
        let mut sums = self.sums.take().unwrap_or_else(|| Sums::from(start));
        let found = find(&mut self.cursor, &MAGIC, start + 1, |cursor, at| {
            let header = Header::parse(&cursor.array(at)?);
            if !header.plausible() || header.start < due {
                return None;
            }
            if let Some(bad) = leads_to_end {
                let payload = start + HEADER as u64;
                let distance = u32::try_from(at.checked_sub(payload)?).ok()?;
                if sums.sum(cursor, bad.seed_with(distance), payload, u64::from(distance))? != bad.crc {
                    return None;
                }
            }
            let sum = sums.sum(cursor, header.seed, at + HEADER as u64, u64::from(header.stored))?;
            (sum == header.crc).then_some(header)
        });
        self.sums = Some(sums);
        found
    }

    /// How many zeros a full-length frame with a frame right after it ends in, where they are more than it may have ended in when it
    /// was whole: an LZ4 frame ends in a mark of four zeros, a small number or the end of a text in fewer.
    fn zero_extended(&mut self, start: u64, end: u64, header: Option<Header>, followed: bool) -> Option<u64> {
        let header = header.filter(Header::plausible).filter(|h| followed && h.stored > 0 && start + h.length() == end)?;
        let zeros = self.trailing_zeros(start + HEADER as u64, end);
        (zeros >= 4 + header.zeros_of_a_whole_one()).then_some(zeros)
    }

    fn trailing_zeros(&mut self, from: u64, to: u64) -> u64 {
        let mut zeros = 0;
        let _ = self.cursor.fold(from, to.saturating_sub(from), (), |(), piece| {
            let tail = piece.iter().rev().take_while(|b| **b == 0).count();
            zeros = if tail == piece.len() { zeros + tail as u64 } else { tail as u64 };
        });
        zeros
    }

    /// What stands in a bad region: its kind, how it looks, what should be there, what is.
    fn diagnose(&mut self, start: u64, end: u64, header: Option<Header>, followed: bool) -> (DamageKind, Look, String, String) {
        let frame = format!("a frame of id {}", self.due);
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end) {
            return (DamageKind::ReadError, Look::Refused, frame, format!("bytes {from} to {to}, which the system cannot read"));
        }
        let Some(header) = header else {
            let left = end - start;
            let zeros = zero_prefix(self.cursor.bytes(start, HEADER)) as u64 == left;
            let kind = if zeros { DamageKind::Zeroed } else { DamageKind::CutShort };
            return (kind, Look::Interrupted, frame, format!("the end of the file after {left} of {HEADER} bytes of its header"));
        };
        if self.cursor.zeros_end(start) >= end {
            return (DamageKind::Zeroed, Look::Interrupted, frame, format!("{} zero bytes", end - start));
        }
        if !header.magic {
            return self.without_magic(start, end, header, frame, followed);
        }
        if let Some(length) = self.right_length(start, end, header) {
            let found = format!("a length of {} where {length} makes the checksum match", header.stored);
            return (DamageKind::BadChecksum, Look::Wrong, frame, found);
        }
        if !header.plausible() {
            let found = format!("a header of type {} with {} entries in {} bytes", header.kind, header.entries, header.stored);
            let look = if followed { Look::Wrong } else { Look::Interrupted };
            return (DamageKind::NotAFrame, look, frame, found);
        }
        if start + header.length() > end {
            let found = if followed {
                format!("a length of {} that leads behind the next whole frame", header.stored)
            } else {
                format!("the end of the file, {} bytes short of the frame's end", start + header.length() - end)
            };
            let (kind, look) =
                if followed { (DamageKind::NotAFrame, Look::Wrong) } else { (DamageKind::CutShort, Look::Interrupted) };
            return (kind, look, frame, found);
        }
        let payload = start + HEADER as u64;
        let frame_end = start + header.length();
        if self.cursor.zeros_end(payload) >= frame_end && header.stored > 0 {
            return (
                DamageKind::Zeroed,
                Look::Interrupted,
                frame,
                format!("a header, and {} zero bytes for its payload", header.stored),
            );
        }
        let sum = self.cursor.fold(payload, u64::from(header.stored), header.seed, crc32).unwrap_or_default();
        let sums = format!("checksum {:08x} stored, {sum:08x} computed", header.crc);
        let zeros = self.trailing_zeros(payload, frame_end);
        if zeros >= 16 + header.zeros_of_a_whole_one() {
            return (DamageKind::Zeroed, Look::Interrupted, frame, format!("zeros for its last {zeros} bytes ({sums})"));
        }
        let look = if looks_interrupted(&mut self.cursor, payload, frame_end) { Look::Interrupted } else { Look::Wrong };
        (DamageKind::BadChecksum, look, frame, sums)
    }

    fn without_magic(
        &mut self,
        start: u64,
        end: u64,
        header: Header,
        frame: String,
        followed: bool,
    ) -> (DamageKind, Look, String, String) {
        let fits = Header { magic: true, ..header }.plausible() && start + header.length() <= end;
        if fits && self.cursor.fold(start + HEADER as u64, u64::from(header.stored), header.seed, crc32) == Some(header.crc) {
            let found = format!("all of the frame of id {} but its magic, and its checksum matches", header.start);
            return (DamageKind::NotAFrame, Look::Wrong, frame, found);
        }
        let look = if followed { Look::Wrong } else { Look::Interrupted };
        (DamageKind::NotAFrame, look, frame, format!("{} bytes that begin no frame", end - start))
    }

    /// A frame whose magic or length alone is wrong: its checksum proves the rest.
    fn whole_inside(&mut self, start: u64, end: u64, header: Option<Header>) -> Option<Header> {
        let header = header?;
        let stored = if header.magic { self.right_length(start, end, header)? } else { header.stored };
        let mended = Header { magic: true, stored, seed: header.seed_with(stored), ..header };
        let fits = mended.plausible() && start + mended.length() <= end;
        let sum = self.cursor.fold(start + HEADER as u64, u64::from(stored), mended.seed, crc32)?;
        (fits && sum == header.crc).then_some(mended)
    }

    /// If only the length is wrong: the right one is the distance to what follows, and the checksum proves it.
    fn right_length(&mut self, start: u64, end: u64, header: Header) -> Option<u32> {
        let distance = u32::try_from(end.checked_sub(start + HEADER as u64)?).ok().filter(|d| *d != header.stored)?;
        let seed = header.seed_with(distance);
        let sum = self.cursor.fold(start + HEADER as u64, u64::from(distance), seed, crc32)?;
        (sum == header.crc).then_some(distance)
    }
}
