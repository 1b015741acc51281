//! What stands where no whole record stands: the end of the log, a write that was interrupted, or damage.
//!
//! The server has no mark for the end: it stops at the first record that is not valid, whatever the cause. What stands behind the stop
//! tells: a page that bears the position at which it stands was written when the log had gone on.

use super::super::again::Stop;
use super::super::{Ending, Halt, looks_interrupted};
use super::log::{MADE_IN_FULL, WENT_ON, WRITTEN_AFTER};
use super::page::{ALIGN, PAGE, RECORD_HEADER};
use super::pages::{NoRecord, PageStanding, PrevDue, index_of};
use super::walk::Walker;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Proof, Result};

/// What stands behind a stop, in the same segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    /// The next whole record.
    Record(u64),
    /// Pages in their places, and no whole record that begins in them.
    Pages,
    /// Nothing of this log.
    Nothing {
        /// But pages of an older use of the file.
        old: bool,
    },
}

impl Walker<'_, '_> {
    /// No whole record stands at the place that was reached. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self, stop: NoRecord) -> Result<bool, Halt> {
        let start = self.at;
        if let NoRecord::Page(index, PageStanding::NoSegment) = stop {
            return self.goes_on_elsewhere(index);
        }
        let seen = self.rereads.stop(&mut self.pages.cursor, start);
        let behind = self.search(start)?;
        let again = match behind {
            Behind::Nothing { .. } if self.is_end(stop, start)? => false,
            Behind::Nothing { .. } => self.rereads.tail_moves(&seen, &mut self.pages.cursor, self.visit.want.live)?,
            Behind::Record(_) | Behind::Pages => self.changed_meanwhile(&seen, start)?,
        };
        if again {
            self.pages.forget();
            return Ok(true);
        }
        match behind {
            Behind::Record(next) => {
                self.report(stop, start, next, Some(WRITTEN_AFTER))?;
                (self.at, self.due) = (next, PrevDue::From(0));
                Ok(true)
            }
            Behind::Pages => {
                self.own.current = true;
                self.report(stop, start, self.pages.size, Some(WENT_ON))?;
                (self.summary.end, self.summary.ending) = (start, Ending::Damage);
                Ok(false)
            }
            Behind::Nothing { old } => {
                // The rest of a record that goes on no further is no sign that the log did.
                self.own.current &= start > 0;
                self.summary.end = start;
                self.summary.ending = if old { Ending::Remains } else { Ending::Zeros };
                // The server writes whole pages: behind what it had to write may stand the beginning of a record that nobody waits for yet,
                // for as long as nobody does.
                if !self.is_end(stop, start)? && !self.visit.want.live {
                    let end = self.begun_until(stop, start)?;
                    self.report(stop, start, end, None)?;
                    self.summary.ending = Ending::Damage;
                }
                Ok(false)
            }
        }
    }

    /// Whether a server wrote on here since it was read.
    fn changed_meanwhile(&mut self, stop: &Stop, start: u64) -> Result<bool, Halt> {
        if !self.rereads.hole_again(stop, &mut self.pages.cursor)? {
            return Ok(false);
        }
        self.pages.forget();
        if start.is_multiple_of(PAGE) {
            return Ok(self.pages.page(index_of(start))?.stands == PageStanding::Current);
        }
        Ok(!matches!(self.pages.record(start, self.due)?, Err(stop) if !matches!(stop, NoRecord::Void(_))))
    }

    /// The last record goes on in a segment that is not here. In an archive and in a segment that was named alone that is as it should be.
    fn goes_on_elsewhere(&mut self, index: usize) -> Result<bool, Halt> {
        self.own.unfollowed = true;
        let number = self.pages.base / self.pages.size + (index / self.pages.count()) as u64;
        let low = super::log::parts_of(number, self.pages.size);
        let text = format!(
            "the last record, at byte {} of {}, goes on in the segment {:08X}{:08X}, which is not here: it is not counted; read both together",
            self.at,
            self.visit.segment.name,
            low >> 32,
            low & 0xFFFF_FFFF
        );
        self.warn("goes-on-elsewhere", text);
        self.at = self.pages.size;
        Ok(true)
    }

    /// What stands behind `start`, up to the end of the segment.
    fn search(&mut self, start: u64) -> Result<Behind> {
        let (own, mut pages, mut old) = (index_of(start), false, false);
        // What remains from an older use of the file follows older records.
        let least = match self.due {
            PrevDue::At(last) => last,
            PrevDue::From(_) => self.pages.base.saturating_sub(self.pages.size),
        };
        let ends = self.pages.claimed_end(start)?;
        for index in own..self.pages.count() {
            let page = self.pages.page(index)?;
            let elsewhere = index > own || start.is_multiple_of(PAGE);
            match page.stands {
                PageStanding::Zeros | PageStanding::Absent | PageStanding::NoSegment => continue,
                PageStanding::Old | PageStanding::Other => old |= elsewhere,
                // The pages that the unfinished record goes on in were written with it, and prove nothing.
                PageStanding::Current => pages |= elsewhere && !(page.header.continues() && Some(page.ends) == ends),
            }
            let first = index as u64 * PAGE + page.header.length() as u64;
            // How much of the record before is still to come is not protected, so it is no reason to pass over anything.
            let from = if index == own && start >= first { start + ALIGN } else { first };
            let end = (index as u64 + 1) * PAGE;
            if from >= end || !self.page_has_content(index, from)? {
                continue;
            }
            self.pages.try_every_place(index)?;
            for at in (from..end).step_by(ALIGN as usize) {
                if self.pages.record(at, PrevDue::From(least))?.is_ok() {
                    self.tolerated = Some(index);
                    return Ok(Behind::Record(at));
                }
            }
        }
        Ok(if pages { Behind::Pages } else { Behind::Nothing { old } })
    }

    fn page_has_content(&mut self, index: usize, from: u64) -> Result<bool> {
        let skip = usize::try_from(from % PAGE).expect("less than a page");
        let bytes = self.pages.bytes(index)?.unwrap_or_default().get(skip..).unwrap_or_default();
        Ok(crate::disk::zero_prefix(bytes) < bytes.len())
    }

    fn rest_of_page_is_zero(&mut self, start: u64) -> Result<bool> {
        Ok(!self.page_has_content(index_of(start), start)?)
    }

    /// Whether the log simply ends here.
    fn is_end(&mut self, stop: NoRecord, start: u64) -> Result<bool> {
        Ok(match stop {
            NoRecord::Zero => self.rest_of_page_is_zero(start)?,
            // The page before was filled to its end.
            NoRecord::Page(index, standing) => {
                let before = matches!(standing, PageStanding::Zeros | PageStanding::Old);
                index == index_of(start) && start.is_multiple_of(PAGE) && before
            }
            _ => false,
        })
    }

    /// Where the bytes of a record that was begun and not finished end.
    fn begun_until(&mut self, stop: NoRecord, start: u64) -> Result<u64> {
        let page_end = (start / PAGE + 1) * PAGE;
        let claimed = self.pages.cursor.array(start).map_or(0, u32::from_le_bytes);
        let end = match stop {
            NoRecord::Page(index, _) | NoRecord::Rest(index, ..) => index as u64 * PAGE,
            _ if claimed as usize >= RECORD_HEADER => (start + u64::from(claimed)).min(page_end),
            _ => page_end,
        };
        Ok(end.max(start + 1).min(self.pages.cursor.length().max(start)).min(self.pages.size.max(start)))
    }

    fn report(&mut self, stop: NoRecord, start: u64, end: u64, proof: Option<Proof>) -> Result<(), Halt> {
        let refused = self.pages.cursor.next_refused(start).filter(|(from, _)| *from < end.max(start + 1));
        if let Some((from, to)) = refused {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, start, end.max(to), words);
            damage.facts = Facts::of(Look::Refused);
            return self.hurt(damage);
        }
        let length = self.pages.cursor.length();
        if matches!(stop, NoRecord::Page(index, PageStanding::Absent) if index < self.pages.count()) && length < self.pages.size {
            return self.short(start, length);
        }
        let mut damage = self.diagnose(stop, start, end);
        damage.facts.proof = proof;
        if proof.is_some() {
            let (first, last) = (self.pages.base.saturating_add(start), self.pages.base.saturating_add(end));
            damage.doubt = LsnRange::new(Lsn(first), Lsn(last.saturating_sub(1)));
        }
        self.hurt(damage)
    }

    /// The file is shorter than segments are, which no crash makes it.
    fn short(&mut self, start: u64, length: u64) -> Result<(), Halt> {
        if start < length {
            let words = format!("the beginning of one, and the end of the file after {} bytes", length - start);
            let mut damage = self.bad(DamageKind::BrokenRecord, start, length, words);
            damage.facts = Facts { proof: Some(MADE_IN_FULL), ..Facts::of(Look::Interrupted) };
            self.hurt(damage)?;
        }
        let words = format!("a file of {length} bytes where segments have {}", self.pages.size);
        let mut damage = self.bad(DamageKind::CutShort, length, length, words);
        damage.facts = Facts { proof: Some(MADE_IN_FULL), ..Facts::of(Look::Interrupted) };
        self.hurt(damage)
    }

    fn diagnose(&mut self, stop: NoRecord, start: u64, end: u64) -> Damage {
        let standing = |standing| match standing {
            PageStanding::Zeros => "a page of zeros",
            PageStanding::Old => "a page of an earlier position",
            PageStanding::Absent | PageStanding::NoSegment => "nothing",
            PageStanding::Other | PageStanding::Current => "a page whose header is none of this log's",
        };
        let page = |index: usize| format!("page {} of the segment", index);
        let interrupted = |walker: &mut Self| {
            let end = end.min(start + PAGE);
            if looks_interrupted(&mut walker.pages.cursor, start, end) { Look::Interrupted } else { Look::Wrong }
        };
        let (kind, look, found) = match stop {
            NoRecord::Zero => (DamageKind::Zeroed, Look::Interrupted, "zeros, and something behind them".to_owned()),
            NoRecord::Length(length) => {
                (DamageKind::NotAFrame, interrupted(self), format!("a length of {length}, which no record has"))
            }
            NoRecord::Prev(prev) => {
                (DamageKind::NotAFrame, interrupted(self), format!("one that follows {}", super::page::show(prev)))
            }
            NoRecord::Sum(stored, computed) => {
                let words = format!("checksum {stored:08x} stored, {computed:08x} computed");
                (DamageKind::BadChecksum, interrupted(self), words)
            }
            NoRecord::Page(index, stands) if start.is_multiple_of(PAGE) && index == index_of(start) => {
                (DamageKind::NotAFrame, Look::Wrong, format!("{} as {}", standing(stands), page(index)))
            }
            NoRecord::Page(index, stands) => {
                // What a crash leaves of a record that was being written: later pages are as they were before.
                let look = if stands == PageStanding::Other { Look::Wrong } else { Look::Interrupted };
                let words = format!("the beginning of one, and {} as {}", standing(stands), page(index));
                (DamageKind::BrokenRecord, look, words)
            }
            NoRecord::Rest(index, rest, due) => {
                let words =
                    format!("{} says that {rest} bytes of a record are missing there, where {due} should be", page(index));
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            NoRecord::Void(index) => (DamageKind::BrokenRecord, Look::Wrong, format!("{} declares it void", page(index))),
        };
        let mut damage = self.bad(kind, start, end, found);
        damage.facts = Facts::of(look);
        damage
    }
}
