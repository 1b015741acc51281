//! What stands where no whole frame stands: damage, or the torn end of the segment.

use super::super::resync::last_content;
use super::super::{Ending, Halt, looks_interrupted};
use super::frame::{FRAME_HEADER, OnPage, PAGE, PageFrame, PieceOf, left_on_page, parse_header, stands};
use super::walk::{WRITTEN_AFTER, Walker};
use crate::disk::{crc32c, zero_prefix};
use crate::model::{Damage, DamageKind, Facts, Look, Proof};

const CONTENT_BEHIND: Proof = Proof::Told { by: "what stands behind it", words: "was written after it, for padding is zeros" };

impl Walker<'_, '_> {
    /// No frame stands where one was due. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let stop = self.rereads.stop(&mut self.cursor, start);
        let found = self.next_frame(start);
        let moved = match found {
            Some(_) => {
                self.rereads.hole_again(&stop, &mut self.cursor)? && matches!(stands(&mut self.cursor, start), OnPage::Frame(_))
            }
            None => self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            self.search.forget();
            return Ok(true);
        }
        let begun = self.begun.take();
        let Some(frame) = found else {
            if let Some(begun) = begun {
                self.unfinished(begun, None, "damage")?;
            }
            self.end(start, begun.map_or(start, |begun| begun.start))?;
            return Ok(false);
        };
        if let Some(begun) = begun {
            self.unfinished(begun, Some(WRITTEN_AFTER), "damage")?;
        }
        // A whole piece of the record that the damage took is no use without the rest.
        let end = if matches!(frame.piece, PieceOf::Middle | PieceOf::Last) { self.behind_pieces(frame) } else { frame.at };
        let mut damage = self.diagnose(start, frame.at, true);
        if damage.facts.look != Look::Refused {
            damage.span.length = end - start;
            damage.facts.proof = Some(WRITTEN_AFTER);
        }
        self.at = end;
        self.hurt(damage)?;
        Ok(true)
    }

    /// The next whole frame behind `start`.
    fn next_frame(&mut self, start: u64) -> Option<PageFrame> {
        let left = left_on_page(start);
        let claimed = parse_header(self.cursor.bytes(start, left), start, left).map(|(frame, _)| frame);
        if let Some(bad) = claimed {
            // Where its length leads on, its fragment is not searched: labels can hold anything.
            let next = if left_on_page(bad.end()) < FRAME_HEADER { bad.end().next_multiple_of(PAGE) } else { bad.end() };
            if let Some(frame) = self.search.whole_at(&mut self.cursor, next) {
                return Some(frame);
            }
        }
        self.search.find(&mut self.cursor, start + 1)
    }

    /// No frame follows in this segment: a tail that is torn or rotten.
    fn end(&mut self, start: u64, data_end: u64) -> Result<(), Halt> {
        let end = last_content(&mut self.cursor, start);
        let zero_kind = matches!(stands(&mut self.cursor, start), OnPage::ZeroKind);
        let mut damage = self.diagnose(start, end, false);
        if zero_kind && damage.facts.look != Look::Refused {
            damage.facts.proof = Some(CONTENT_BEHIND);
        }
        self.hurt(damage)?;
        (self.summary.end, self.summary.ending) = (data_end, Ending::Damage);
        Ok(())
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, end: u64, followed: bool) -> Damage {
        let left = left_on_page(start);
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end || *from <= start) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, start, end.max(to), words);
            damage.facts = Facts::of(Look::Refused);
            return damage;
        }
        let length = self.cursor.length();
        let bytes = self.cursor.bytes(start, left);
        let (given, zeros) = (bytes.len(), zero_prefix(bytes));
        let parsed = parse_header(bytes, start, left);
        let covered = parsed.and_then(|(frame, _)| bytes.get(FRAME_HEADER..FRAME_HEADER + usize::from(frame.length)));
        let sum = covered.map(|covered| crc32c(0, covered));
        let (kind, look, found) = match (parsed, sum) {
            _ if bytes.first() == Some(&0) => {
                (DamageKind::Zeroed, Look::Wrong, format!("{zeros} zero bytes, and more behind them on the same page"))
            }
            _ if given < FRAME_HEADER && left >= FRAME_HEADER => {
                let words = format!("the end of the file after {given} of {FRAME_HEADER} bytes of a frame's header");
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            (Some((frame, _)), None) if followed => {
                let words = format!(
                    "a length of {} that leads behind the end of the file, and whole frames in front of it",
                    frame.length
                );
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            (Some((frame, _)), None) => {
                let words = format!("the end of the file, {} bytes short of the frame's end", frame.end().saturating_sub(length));
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            (Some((frame, stored)), Some(sum)) => {
                let torn = looks_interrupted(&mut self.cursor, start, frame.end());
                let look = if torn { Look::Interrupted } else { Look::Wrong };
                (DamageKind::BadChecksum, look, format!("checksum {stored:08x} stored, {sum:08x} computed"))
            }
            (None, _) => {
                let head = bytes.first().copied().unwrap_or(0);
                let words = format!("a byte {head:#04x} where a frame of a kind and length that fits its page begins");
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
        };
        let mut damage = self.bad(kind, start, end.max(start), found);
        damage.facts = Facts::of(look);
        damage
    }
}
