//! What stands where no whole record stands: damage, or the torn end of the block.

use super::super::resync::last_content;
use super::super::{Ending, Halt, looks_interrupted};
use super::record::{HEADER, Head, SUM};
use super::walk::Walker;
use crate::disk::zero_prefix;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange};

/// How much is searched at a time.
const PIECE: usize = 64 << 10;

impl Walker<'_, '_> {
    /// No record stands where one was due. `None` when reading goes on; else whether the block is done, or must be read anew.
    pub(super) fn stop(&mut self) -> Result<Option<bool>, Halt> {
        let start = self.at;
        let stop = self.rereads.stop(&mut self.cursor, start);
        let found = self.next_record(start);
        let moved = match found {
            Some(_) => self.rereads.hole_again(&stop, &mut self.cursor)? && self.whole_at(start).is_some(),
            None => self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            return Ok(None);
        }
        if self.replaced()? {
            return Ok(Some(false));
        }
        // Zeros to the end of the file belong to no record, and the server cuts them off.
        let end = found.map_or_else(|| self.cursor.length(), |next| next.at);
        let mut damage = self.diagnose(start, end, found.is_some());
        if let Some(next) = found {
            damage.doubt = LsnRange::new(Lsn(self.last.saturating_add(1)), Lsn(next.sequence.saturating_sub(1)));
            if damage.facts.look != Look::Refused {
                damage.facts = Facts::of(Look::Followed);
            }
            self.at = next.at;
            self.hurt(damage)?;
            return Ok(None);
        }
        self.own.torn_end = damage.facts.look == Look::Interrupted && self.own.first_bad.is_none();
        self.own.only_zeros = damage.kind == DamageKind::Zeroed;
        self.hurt(damage)?;
        (self.summary.end, self.summary.ending) = (start, Ending::Damage);
        Ok(Some(true))
    }

    /// The next whole record behind `start`. No byte marks one, so each is tried.
    fn next_record(&mut self, start: u64) -> Option<Head> {
        let last = self.last;
        let length = self.cursor.length();
        // Where its length leads on, what it holds is not searched: messages can hold anything.
        let claimed = self.cursor.array(start).and_then(|bytes| Head::parse(&bytes, start)).map(|head| head.end());
        if let Some(head) = claimed.filter(|end| *end < length).and_then(|end| self.usual_at(end, last)) {
            return Some(head);
        }
        let mut at = start + 1;
        loop {
            let piece = self.cursor.bytes(at, PIECE);
            let given = piece.len();
            if given < HEADER + SUM {
                at = self.cursor.refused_at(at.saturating_add(given as u64))?;
                continue;
            }
            if zero_prefix(piece) == given {
                let next = self.cursor.zeros_end(at).saturating_sub(HEADER as u64).max(at + (given - HEADER) as u64);
                at = next;
                continue;
            }
            let candidates: Vec<u64> = (0..=given - HEADER)
                .filter(|skip| {
                    let here = at + *skip as u64;
                    let head = piece[*skip..].first_chunk::<HEADER>().and_then(|bytes| Head::parse(bytes, here));
                    head.is_some_and(|head| head.usual(last) && head.end() <= length)
                })
                .map(|skip| at + skip as u64)
                .collect();
            for candidate in candidates {
                if let Some(head) = self.usual_at(candidate, last) {
                    return Some(head);
                }
            }
            at += (given - HEADER + 1) as u64;
        }
    }

    fn usual_at(&mut self, at: u64, last: u64) -> Option<Head> {
        self.whole_at(at).filter(|head| head.usual(last))
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, end: u64, followed: bool) -> Damage {
        let looking = |walker: &Self, kind, look, end, found| {
            let mut damage = walker.bad(kind, start, end, found);
            damage.facts = Facts::of(look);
            damage
        };
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end || *from <= start) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            return looking(self, DamageKind::ReadError, Look::Refused, end.max(to), words);
        }
        let length = self.cursor.length();
        let zeros = self.cursor.zeros_end(start) - start;
        if zeros > 0 && start + zeros >= end {
            let words = format!("{zeros} zero bytes");
            return looking(self, DamageKind::Zeroed, Look::Interrupted, end, words);
        }
        let bytes = self.cursor.bytes(start, HEADER);
        let given = bytes.len();
        if given < HEADER {
            let words = format!("the end of the file after {given} of {HEADER} bytes of its header");
            return looking(self, DamageKind::CutShort, Look::Interrupted, end, words);
        }
        let Some(head) = bytes.first_chunk().and_then(|bytes| Head::parse(bytes, start)) else {
            let content = last_content(&mut self.cursor, start).min(end);
            let torn = looks_interrupted(&mut self.cursor, start, end) || content < end;
            let words = "bytes that cannot be the header of a record".to_owned();
            return looking(self, DamageKind::NotAFrame, if torn { Look::Interrupted } else { Look::Wrong }, end, words);
        };
        if head.end() > length {
            if followed {
                let words = format!(
                    "a length of {} that leads behind the end of the file, and whole records in front of it",
                    head.length
                );
                return looking(self, DamageKind::NotAFrame, Look::Wrong, end, words);
            }
            let words = format!("the end of the file, {} bytes short of the record's end", head.end() - length);
            return looking(self, DamageKind::CutShort, Look::Interrupted, end, words);
        }
        let torn = looks_interrupted(&mut self.cursor, start, head.end());
        let words = format!("a record of sequence {}, and a sum that is not right", head.sequence);
        looking(self, DamageKind::BadChecksum, if torn { Look::Interrupted } else { Look::Wrong }, end, words)
    }
}
