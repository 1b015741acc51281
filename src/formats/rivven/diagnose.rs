//! What stands where no whole record stands: where the next one is, and what the bytes between look like.

use super::super::again::Stop;
use super::super::resync::{Sums, find, last_content};
use super::super::{Ending, Halt, looks_interrupted};
use super::record::{HAS_CHECKSUM, HEADER, Header, MAGIC};
use super::walk::{AtOffset, Walker};
use crate::disk::crc32;
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, LsnRange, Proof, Span};

/// Where the lengths of bad records lead.
#[derive(Clone, Copy)]
enum RecordChain {
    /// To a whole record.
    Record(u64),
    /// To the end of the data, from this last record.
    End(u64, Header),
    /// Nowhere.
    Broken,
}

impl Walker<'_, '_> {
    /// No record stands where one was due. Finds the next one and reports what lies between; false when there is none.
    pub(super) fn damage(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let stop = self.rereads.stop(&mut self.cursor, start);
        let header = self.cursor.array(start).map(|bytes| Header::parse(&bytes));
        let (chain, count) = self.chain(start);
        let found = match chain {
            RecordChain::Record(next) => Some(next),
            RecordChain::End(last, header) => self.search(last, Some(header)),
            RecordChain::Broken => self.search(start, None),
        };
        if self.written_meanwhile(&stop, start, found.is_some())? {
            return Ok(true);
        }
        let end = found.unwrap_or_else(|| last_content(&mut self.cursor, start));
        // A record has at least a header; how many stood there is not written anywhere.
        let fits_one = end - start >= HEADER as u64;
        let lost = if found.is_some() && fits_one { count.max(1) } else { 0 };
        let (kind, look, words) = self.diagnose(start, end, header, found.is_some());
        let mut damage = Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: Some(Lsn(self.due)),
            doubt: None,
            expected: format!("a record, LSN {}", self.due),
            found: words,
            facts: Facts::of(look),
        };
        if found.is_some() {
            let next = Lsn(self.due.saturating_add(lost));
            damage.facts.proof = Some(Proof::LaterRecord { lsn: next });
            damage.doubt = next.before().and_then(|last| LsnRange::new(Lsn(self.due), last));
        }
        self.sink.damage(&damage)?;
        self.summary.damage.push(damage);
        if self.visit.want.salvage && fits_one {
            self.salvage(start, end, header)?;
        }
        self.own.lost += lost;
        self.guessed |= matches!(chain, RecordChain::Broken) && lost > 0;
        self.due = self.due.saturating_add(lost);
        self.in_fragments = false;
        let Some(next) = found else {
            self.summary.end = start;
            self.summary.ending = Ending::Damage;
            return Ok(false);
        };
        self.explain(start, next, header);
        self.at = next;
        Ok(true)
    }

    /// Whether a writer was in the middle of this: the stop is read again before it means anything.
    fn written_meanwhile(&mut self, stop: &Stop, start: u64, followed: bool) -> Result<bool, Halt> {
        let moved = if followed {
            self.rereads.hole_again(stop, &mut self.cursor)? && matches!(self.at_offset(start), AtOffset::Record(_))
        } else {
            self.rereads.tail_moves(stop, &mut self.cursor, self.visit.want.live)?
        };
        if moved {
            // Sums were taken over what has changed.
            self.sums = None;
        }
        Ok(moved)
    }

    /// Follows the lengths of bad records: payloads may hold whole records, and must not be searched while lengths lead on.
    /// Gives where they lead, and over how many records.
    fn chain(&mut self, start: u64) -> (RecordChain, u64) {
        let (mut at, mut count) = (start, 0);
        loop {
            let header = self.cursor.array(at).map(|bytes| Header::parse(&bytes));
            // Of the first one only magic and length are asked for; what leads on from there must be as writers make it.
            let leads = |h: &Header| h.magic && !h.begun() && (at == start || h.plausible() && h.flags & HAS_CHECKSUM != 0);
            let Some(header) = header.filter(leads) else { return (RecordChain::Broken, count) };
            let next = at + header.length();
            if next > self.cursor.length() {
                return (RecordChain::Broken, count);
            }
            count += 1;
            match self.at_offset(next) {
                AtOffset::Record(_) => return (RecordChain::Record(next), count),
                // A record that reaches into the zeros after the data has no true length either: nothing says that it ends there.
                AtOffset::End(_) if header.plausible() && self.ends_in_content(next) => {
                    return (RecordChain::End(at, header), count);
                }
                AtOffset::End(_) => return (RecordChain::Broken, count),
                AtOffset::Bad => at = next,
            }
        }
    }

    fn ends_in_content(&mut self, end: u64) -> bool {
        self.cursor.bytes(end - 1, 1).first().is_some_and(|last| *last != 0)
    }

    /// The next whole record after `start`, wherever it is. Where the length of a bad record leads to the end of the data, its payload may
    /// hold what looks like records: one counts only if it proves that length wrong, since the distance to it makes the checksum match.
    fn search(&mut self, start: u64, leads_to_end: Option<Header>) -> Option<u64> {
        let mut sums = self.sums.take().unwrap_or_else(|| Sums::from(start));
        let found = find(&mut self.cursor, &MAGIC, start + 1, |cursor, at| {
            let header = Header::parse(&cursor.array(at)?);
            if !header.plausible() {
                return None;
            }
            if let Some(bad) = leads_to_end {
                let data = start + HEADER as u64;
                let sum = sums.sum(cursor, 0, data, at.checked_sub(data).filter(|length| *length > 0)?)?;
                if sum != bad.crc {
                    return None;
                }
            }
            let sum = sums.sum(cursor, 0, at + HEADER as u64, u64::from(header.data))?;
            (sum == header.crc).then_some(())
        });
        self.sums = Some(sums);
        found.map(|(at, ())| at)
    }

    /// A record whose magic, type or length alone is wrong still has its data, and the checksum says so.
    fn salvage(&mut self, start: u64, end: u64, header: Option<Header>) -> Result<(), Halt> {
        let Some(header) = header.filter(|h| !h.begun()) else { return Ok(()) };
        let data = match self.right_length(start, end, &header) {
            Some(length) => length,
            None if start + header.length() <= end => header.data,
            None => return Ok(()),
        };
        let sum = self.cursor.fold(start + HEADER as u64, u64::from(data), 0, crc32);
        if sum == Some(header.crc) && data > 0 {
            self.deliver(&Header { data, ..header }, Some(Lsn(self.due)))?;
        }
        Ok(())
    }

    /// What stands in a bad region: its kind, how it looks, what it is in words.
    fn diagnose(&mut self, start: u64, end: u64, header: Option<Header>, followed: bool) -> (DamageKind, Look, String) {
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end) {
            return (DamageKind::ReadError, Look::Refused, format!("bytes {from} to {to}, which the system cannot read"));
        }
        let tail = |kind, words| (kind, if followed { Look::Wrong } else { Look::Interrupted }, words);
        let Some(header) = header else {
            let left = self.cursor.length().saturating_sub(start);
            return tail(
                DamageKind::CutShort,
                format!("the end of the file after {left} of {HEADER} bytes of a record's header"),
            );
        };
        if self.cursor.zeros_end(start) >= end {
            return (DamageKind::Zeroed, Look::Interrupted, format!("{} zero bytes", end - start));
        }
        if !header.magic {
            return self.without_magic(start, end, header, followed);
        }
        if header.begun() {
            return tail(DamageKind::Zeroed, "the magic of a record and zeros for the rest of its header".to_owned());
        }
        if let Some(length) = self.right_length(start, end, &header) {
            let words = format!("a length of {} where {length} makes the checksum match", header.data);
            return (DamageKind::BadChecksum, Look::Wrong, words);
        }
        let record_end = start + header.length();
        let sum = self.cursor.fold(start + HEADER as u64, u64::from(header.data), 0, crc32);
        if header.kind > 7 {
            if sum == Some(header.crc) {
                return (
                    DamageKind::NotAFrame,
                    Look::Wrong,
                    format!("type {} of 0 to 7, and data whose checksum matches", header.kind),
                );
            }
            return tail(
                DamageKind::NotAFrame,
                format!("type {} of 0 to 7, and data whose checksum does not match", header.kind),
            );
        }
        if followed && record_end > end {
            return (
                DamageKind::NotAFrame,
                Look::Wrong,
                format!("a length of {} that leads behind the next whole record", header.data),
            );
        }
        let Some(sum) = sum else {
            let short = record_end.saturating_sub(self.cursor.length());
            return tail(DamageKind::CutShort, format!("the end of the file, {short} bytes short of the record's end"));
        };
        if record_end > end {
            return tail(
                DamageKind::Zeroed,
                format!("a record of {} bytes with zeros from its byte {} on", header.length(), end - start),
            );
        }
        let look = if looks_interrupted(&mut self.cursor, start, record_end) { Look::Interrupted } else { Look::Wrong };
        (DamageKind::BadChecksum, look, format!("checksum {:08x} stored, {sum:08x} computed", header.crc))
    }

    fn without_magic(&mut self, start: u64, end: u64, header: Header, followed: bool) -> (DamageKind, Look, String) {
        let fits = header.kind <= 7 && header.flags & !3 == HAS_CHECKSUM && start + header.length() <= end;
        if fits && self.cursor.fold(start + HEADER as u64, u64::from(header.data), 0, crc32) == Some(header.crc) {
            return (DamageKind::NotAFrame, Look::Wrong, "all of a record but its magic, and its checksum matches".to_owned());
        }
        let count = end - start;
        if followed {
            return (DamageKind::NotAFrame, Look::Wrong, format!("{count} bytes that begin no record"));
        }
        let words =
            format!("{count} bytes that begin no record; rivven does not clear what it writes over, so they may be older");
        (DamageKind::NotAFrame, Look::Interrupted, words)
    }

    /// If only the length is wrong: the right one is the distance to what follows, and the checksum proves it.
    fn right_length(&mut self, start: u64, end: u64, header: &Header) -> Option<u32> {
        let distance = u32::try_from(end.checked_sub(start + HEADER as u64)?).ok().filter(|d| *d != header.data && *d > 0)?;
        let sum = self.cursor.fold(start + HEADER as u64, u64::from(distance), 0, crc32)?;
        (sum == header.crc && header.magic && header.kind <= 7).then_some(distance)
    }

    /// What rivven itself makes of records after damage: which version does it, and what to do.
    fn explain(&mut self, start: u64, next: u64, header: Option<Header>) {
        let zeros_before = next - start >= 4 && self.cursor.bytes(next - 4, 4) == [0; 4];
        let header = header.filter(|h| h.magic);
        let own_end = header.map(|h| start + h.length());
        let (name, text) = if header.is_some_and(|h| h.begun() && h.crc == 0) && next == start + HEADER as u64 {
            let text = format!(
                "what looks like a torn header stands at {start} and records follow it: rivven-core 0.0.22 takes such a one for an empty \
                 record when it looks for the end, and writes on behind it; its replay stops before it, so those records are never \
                 replayed; salvage the log"
            );
            ("records-behind-torn-header", text)
        } else if own_end == Some(next) && zeros_before {
            let text = format!(
                "what looks like a torn record stands at {start}, filled up with zeros, and records follow it: rivven-core 0.0.13 takes such \
                 a one by its length alone, and writes on behind it; its replay stops before it, so those records are never replayed; salvage the log and \
                 upgrade"
            );
            ("records-behind-torn-record", text)
        } else if self.visit.segment.followed {
            let text = format!(
                "rivven reads this file up to {start} and goes on with the next file: the whole records from {next} on are never replayed, \
                 and nothing is said about it; salvage the log"
            );
            ("replay-passes-over", text)
        } else if own_end == Some(next) && header.is_some_and(|h| h.kind > 7) {
            let text = format!(
                "rivven-core 0.0.22 counts the record of unknown type at {start}, and its replay stops before it: the records from {next} \
                 on, and all new ones, are never replayed; salvage the log"
            );
            ("replay-passes-over", text)
        } else {
            let text = format!(
                "rivven-core 0.0.22 would write on at {start} as soon as it opens the log, over the whole records from {next} on, and give \
                 their LSNs again: do not start it; copy the log and salvage the copy"
            );
            ("opening-would-overwrite", text)
        };
        self.warn_once(name, text);
    }
}
