//! What stands where no whole event stands: damage, or the torn end of the file.

use super::super::resync::last_content;
use super::super::{Ending, Halt, looks_interrupted};
use super::event::{EventHere, Guard, HEADER, LogEvent, SUM, computed, stands};
use super::walk::{WRITTEN_AFTER, Walker};
use crate::disk::zero_prefix;
use crate::model::{Damage, DamageKind, Facts, Look};

impl Walker<'_, '_> {
    /// No event stands where one was due. True when reading goes on, here or behind damage.
    pub(super) fn stop(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let stop = self.rereads.stop(&mut self.cursor, start);
        let found = self.next_event(start);
        let moved = match found {
            Some(_) => {
                self.rereads.hole_again(&stop, &mut self.cursor)?
                    && matches!(stands(&mut self.cursor, start, self.guard, self.counted), EventHere::LogEvent(_))
            }
            None => self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)?,
        };
        if moved {
            self.search.forget();
            return Ok(true);
        }
        let Some(next) = found else {
            self.end(start)?;
            return Ok(false);
        };
        let mut damage = self.diagnose(start, next, true);
        if damage.facts.look != Look::Refused {
            damage.facts.proof = Some(WRITTEN_AFTER);
        }
        self.hurt(damage, true)?;
        self.at = next;
        Ok(true)
    }

    /// Where the next whole event stands.
    fn next_event(&mut self, start: u64) -> Option<u64> {
        let head: Option<[u8; HEADER as usize]> = self.cursor.array(start);
        let claimed = head.map(|head| LogEvent::parse(&head, start)).filter(|_| self.guard != Guard::Sealed);
        if let Some(claimed) = claimed {
            // Where its length leads on, its content is not searched: rows can hold anything, other logs too. A changed length may leave
            // the position behind it as it was.
            let noted = u64::from(claimed.next);
            for place in [claimed.end(), if self.counted { noted } else { 0 }] {
                if place >= start + HEADER
                    && matches!(stands(&mut self.cursor, place, self.guard, self.counted), EventHere::LogEvent(_))
                {
                    return Some(place);
                }
            }
        }
        self.search.find(&mut self.cursor, start + 1, self.guard, self.counted)
    }

    /// No event follows in this file: a tail that is torn or rotten.
    fn end(&mut self, start: u64) -> Result<(), Halt> {
        let content = last_content(&mut self.cursor, start);
        // Of nothing but zeros all are behind the end.
        let end = if content == start { self.cursor.length().max(start) } else { content };
        let damage = self.diagnose(start, end, false);
        self.read_flag();
        (self.summary.end, self.summary.ending) = (start, Ending::Damage);
        self.warn_of_open();
        self.hurt(damage, false)
    }

    /// What stands in a bad region.
    fn diagnose(&mut self, start: u64, end: u64, followed: bool) -> Damage {
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end || *from <= start) {
            let words = format!("bytes {from} to {to}, which the system refuses to give");
            let mut damage = self.bad(DamageKind::ReadError, start, end.max(to), words);
            damage.facts = Facts::of(Look::Refused);
            return damage;
        }
        let length = self.cursor.length();
        let bytes = self.cursor.bytes(start, HEADER as usize);
        let (given, zeros) = (bytes.len(), zero_prefix(bytes));
        let head: Option<[u8; HEADER as usize]> = bytes.try_into().ok();
        let event = head.map(|head| LogEvent { summed: self.guard == Guard::Summed, ..LogEvent::parse(&head, start) });
        let least = HEADER + if self.guard == Guard::Summed { SUM } else { 0 };
        let (kind, look, found) = match event {
            _ if start == 0 && followed => {
                (DamageKind::BadHeader, Look::Wrong, "other bytes than fe 62 69 6e and a format description".to_owned())
            }
            _ if zeros == given && last_content(&mut self.cursor, start) == start => {
                let words = format!("{} zero bytes up to the end of the file, which no server writes", length - start);
                (DamageKind::Zeroed, Look::Interrupted, words)
            }
            None => {
                let words = format!("the end of the file after {given} of {HEADER} bytes of an event's header");
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            Some(event) if event.length == 0 => {
                let torn = looks_interrupted(&mut self.cursor, start, end);
                let look = if torn && !followed { Look::Interrupted } else { Look::Wrong };
                (DamageKind::Zeroed, look, "a length of 0".to_owned())
            }
            Some(event) if u64::from(event.length) < least => {
                (DamageKind::NotAFrame, Look::Wrong, format!("a length of {}, shorter than any event", event.length))
            }
            Some(event) if event.end() > length && followed => {
                let words = format!(
                    "a length of {} that leads behind the end of the file, and whole events in front of it",
                    event.length
                );
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            // It notes that it ends where the file does.
            Some(event)
                if event.end() > length && self.counted && u64::from(event.next) == length && self.guard != Guard::Sealed =>
            {
                let words = format!("a length of {}, although it notes that it ends at {}", event.length, event.next);
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
            Some(event) if event.end() > length => {
                let words = format!("the end of the file, {} bytes short of the event's end", event.end() - length);
                (DamageKind::CutShort, Look::Interrupted, words)
            }
            Some(event) => self.misfit(&event, followed),
        };
        let mut damage = self.bad(kind, start, end.max(start), found);
        damage.facts = Facts::of(look);
        damage
    }

    /// All of it is there, and it is no event.
    fn misfit(&mut self, event: &LogEvent, followed: bool) -> (DamageKind, Look, String) {
        let sums = if self.guard == Guard::Summed { computed(&mut self.cursor, event) } else { None };
        match sums {
            Some((stored, computed)) if stored != computed => {
                let torn = looks_interrupted(&mut self.cursor, event.at, event.end()) && !followed;
                let look = if torn { Look::Interrupted } else { Look::Wrong };
                (DamageKind::BadChecksum, look, format!("checksum {stored:08x} stored, {computed:08x} computed"))
            }
            _ => {
                let words =
                    format!("a type of {} and a length of {} that do not fit what stands around them", event.kind, event.length);
                (DamageKind::NotAFrame, Look::Wrong, words)
            }
        }
    }
}
