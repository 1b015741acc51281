//! What stands where no whole batch stands, and where the next one begins.

use super::super::resync::{Sums, last_content};
use super::super::{Ending, Halt, looks_interrupted};
use super::batch::{BatchHeader, COVERED, HEADER};
use super::walk::Walker;
use crate::disk::zero_prefix;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange};

/// How much is searched at a time.
const PIECE: usize = 64 << 10;

/// What a look becomes where more stands behind: that was written later, which does not say that this had been synced.
pub(super) fn followed(look: Look) -> Look {
    match look {
        Look::Interrupted | Look::Wrong => Look::Followed,
        other => other,
    }
}

impl Walker<'_, '_> {
    /// No whole batch stands at the place that was reached. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let seen = self.rereads.stop(&mut self.cursor, start);
        let header = self.cursor.array(start).map(|bytes| BatchHeader::parse(&bytes));
        let next = self.next_batch(start, header);
        let moved = match next {
            Some(_) => {
                self.rereads.hole_again(&seen, &mut self.cursor)? && (self.whole_at(start).is_some() || self.ends().is_some())
            }
            None => self.rereads.tail_moves(&seen, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            // Sums were taken over what has changed.
            self.sums = None;
            return Ok(true);
        }
        let Some((at, behind)) = next else {
            self.end(start, header)?;
            return Ok(false);
        };
        let mut damage = self.diagnose(start, at, header);
        damage.facts.look = followed(damage.facts.look);
        damage.doubt = self.due.zip(behind.base.checked_sub(1)).and_then(|(due, last)| LsnRange::new(Lsn(due), Lsn(last)));
        self.hurt(damage)?;
        if let Some(index) = &mut self.index {
            index.pass(at);
        }
        (self.at, self.after_damage) = (at, true);
        Ok(true)
    }

    /// The next whole batch behind a bad place. Where the length of a bad one leads to a whole one, its own records are not searched: they
    /// may hold such a log.
    fn next_batch(&mut self, start: u64, header: Option<BatchHeader>) -> Option<(u64, BatchHeader)> {
        if let Some(end) = header.filter(BatchHeader::plausible).map(|header| start + header.length())
            && let Some(behind) = self.whole_at(end)
        {
            return Some((end, behind));
        }
        self.search(start + 1)
    }

    /// The first place at or behind `from` where a whole batch stands that does not go back.
    fn search(&mut self, from: u64) -> Option<(u64, BatchHeader)> {
        let mut at = from;
        let due = self.due.unwrap_or(0);
        loop {
            let piece = self.cursor.bytes(at, PIECE);
            let given = piece.len();
            if given < HEADER {
                at = self.cursor.refused_at(at.saturating_add(given as u64))?;
                continue;
            }
            if zero_prefix(piece) == given {
                // The last zeros may be the base offset of a batch.
                let behind = at + (given - HEADER) as u64 + 1;
                at = self.cursor.zeros_end(at).saturating_sub(HEADER as u64).max(behind);
                continue;
            }
            let tried: Vec<(u64, BatchHeader)> = piece
                .windows(HEADER)
                .enumerate()
                .filter(|(_, window)| window[16] == 2 && window[0] < 0x80 && window[8] < 0x80)
                .filter_map(|(skip, window)| Some((at + skip as u64, BatchHeader::parse(window.first_chunk()?))))
                .filter(|(_, header)| header.plausible() && header.base >= due)
                .collect();
            // Many claims over the same bytes add up: their sums share one pass.
            let mut sums = self.sums.take().unwrap_or_else(|| Sums::castagnoli_from(from));
            let found = tried.into_iter().find(|(place, header)| {
                let covered = header.length() - COVERED as u64;
                sums.sum(&mut self.cursor, 0, place + COVERED as u64, covered) == Some(header.crc)
            });
            self.sums = Some(sums);
            if found.is_some() {
                return found;
            }
            at += (given - HEADER) as u64 + 1;
        }
    }

    /// Nothing whole follows.
    fn end(&mut self, start: u64, header: Option<BatchHeader>) -> Result<(), Halt> {
        let content = last_content(&mut self.cursor, start).max(start);
        let length = self.cursor.length();
        let end = match header.filter(BatchHeader::plausible).map(|header| start + header.length()) {
            Some(end) if end <= length => end.max(content),
            // The file ends inside a batch: all that is left of it is in doubt.
            _ => length.max(start),
        };
        let damage = self.diagnose(start, end, header);
        self.hurt(damage)?;
        (self.summary.end, self.summary.ending) = (start, Ending::Damage);
        Ok(())
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, end: u64, header: Option<BatchHeader>) -> Damage {
        let length = self.cursor.length();
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end.max(start + 1)) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, start, end.max(to), words);
            damage.facts = Facts::of(Look::Refused);
            return damage;
        }
        let torn = looks_interrupted(&mut self.cursor, start, end);
        let look = if torn { Look::Interrupted } else { Look::Wrong };
        let (kind, look, found) = match header {
            None => {
                let words = format!("the end of the file after {} of {HEADER} bytes of a header", length.saturating_sub(start));
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            Some(header) if header.plausible() && start + header.length() > length => {
                let short = start + header.length() - length;
                let words = format!("a length of {}, {short} bytes more than the file has left", header.counted);
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            Some(header) if header.plausible() => match self.sum(start, &header) {
                Some(sum) => (DamageKind::BadChecksum, look, format!("sum {:08x} stored, {sum:08x} computed", header.crc)),
                None => (DamageKind::NotAFrame, look, "a batch that cannot be read to its end".to_owned()),
            },
            Some(_) if zero_prefix(self.cursor.bytes(start, HEADER)) == HEADER => {
                (DamageKind::Zeroed, look, "zeros, and more behind them".to_owned())
            }
            Some(header) if header.magic != 2 => (DamageKind::NotAFrame, look, format!("magic {} where 2 was due", header.magic)),
            Some(header) => {
                let words = format!("a header with length {} and {} records", header.counted, header.count);
                (DamageKind::NotAFrame, look, words)
            }
        };
        let mut damage = self.bad(kind, start, end, found);
        damage.facts = Facts::of(look);
        damage
    }
}
