//! Walking one file of a rivven log: its records, and what stands where a record was due.

use super::super::hunt::{Sums, find, last_content};
use super::super::{Ending, Format, Halt, Mark, Mend, Sink, Summary, Visit, Walk, looks_interrupted};
use super::cipher::{Envelope, Opener};
use super::host;
use super::log;
use super::record::{COMPRESSED, ENCRYPTED, HAS_CHECKSUM, HEADER, HELD, HELD_SEALED, Header, MAGIC};
use crate::disk::{Cursor, crc32, pieces};
use crate::model::{Damage, Facts, Field, Kind, Look, Lsn, LsnRange, Payload, Proof, Record, Result, Span, Value, Warning};

/// rivven.
pub const FORMAT: Format = Format {
    name: "rivven",
    title: "rivven-core group-commit log (0.0.13 to 0.0.22)",
    protects: "CRC-32 over the data; not over type, flags and length, and LSNs are not written at all",
    encrypted: true,
    sequence: log::sequence,
    recognise: log::recognise,
    ordered: false,
    walk,
    join: log::join,
    mend: Mend::Cut,
    drawing: &[("magic", 0, 4), ("crc", 4, 4), ("length", 8, 4), ("type", 12, 1), ("flags", 13, 1)],
};

/// What the join needs to know besides.
#[derive(Debug, Default)]
pub struct Own {
    /// Where the first encrypted record stands.
    pub encrypted: Option<u64>,
    /// How many records are thought to be lost in bad regions: an estimate, for numbers are counted and not written.
    pub lost: u64,
}

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;

struct State<'a, 's> {
    visit: &'a Visit<'a>,
    sink: &'a mut Sink<'s>,
    cursor: Cursor,
    summary: Summary,
    own: Own,
    at: u64,
    /// The LSN of the next record.
    due: u64,
    /// The number of records in a bad region was guessed: numbers behind it are uncertain.
    guessed: bool,
    sums: Option<Sums>,
    opener: Opener,
    /// A record in fragments is under way.
    in_fragments: bool,
    /// Names of warnings that were given: one of each is enough.
    told: Vec<&'static str>,
}

fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut state = State {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own::default(),
        at: 0,
        due: log::first_lsn(visit.segment.sequence),
        guessed: false,
        sums: None,
        opener: Opener::new(visit.keys),
        in_fragments: false,
        told: Vec::new(),
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.due) = (mark.offset, mark.due.0);
    }
    state.run()?;
    let State { mut summary, cursor, own, due, .. } = state;
    summary.length = cursor.length();
    if !summary.blank {
        summary.begins = Some(Lsn(log::first_lsn(visit.segment.sequence)));
        summary.due = Some(Lsn(due));
    }
    summary.own = Some(Box::new(own));
    Ok(summary)
}

/// What stands at an offset.
enum Found {
    Record(Header),
    /// Nothing more: the file ends, or only zeros follow.
    End(Ending),
    Bad,
}

/// Where the lengths of bad records lead.
#[derive(Clone, Copy)]
enum Chain {
    /// To a whole record.
    Record(u64),
    /// To the end of the data, from this last record.
    End(u64, Header),
    /// Nowhere.
    Broken,
}

impl State<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match self.look(self.at) {
                Found::Record(header) => self.record(header)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => {}
                Found::End(ending) => {
                    self.summary.end = self.at;
                    self.summary.ending = ending;
                    return Ok(());
                }
                Found::Bad => {
                    self.summary.blank = false;
                    if !self.damage()? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && !self.guessed {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(self.due) })?;
            }
        }
    }

    fn look(&mut self, at: u64) -> Found {
        if let Some(header) = self.whole_at(at) {
            return Found::Record(header);
        }
        match self.cursor.bytes(at, 1).first().copied() {
            None if self.cursor.refused_at(at).is_some() => Found::Bad,
            None => Found::End(Ending::FileEnds),
            Some(0) if self.only_zeros(at) => Found::End(Ending::Zeros),
            Some(_) => Found::Bad,
        }
    }

    fn only_zeros(&mut self, at: u64) -> bool {
        let end = self.cursor.zeros_end(at);
        end >= self.cursor.length()
    }

    /// The header of a whole record at an offset.
    fn whole_at(&mut self, at: u64) -> Option<Header> {
        let header = Header::parse(&self.cursor.array(at)?);
        if !header.plausible() {
            return None;
        }
        let length = header.data as usize;
        let data = if length <= HELD { self.cursor.bytes(at, HEADER + length).get(HEADER..) } else { None };
        let sum = match data {
            Some(data) if data.len() == length => crc32(0, data),
            _ => self.cursor.fold(at + HEADER as u64, u64::from(header.data), 0, crc32)?,
        };
        (sum == header.crc).then_some(header)
    }

    /// A whole record stands at the place that was reached.
    fn record(&mut self, header: Header) -> Result<(), Halt> {
        self.hints(&header);
        let lsn = Lsn(self.due);
        if header.flags & ENCRYPTED != 0 {
            self.own.encrypted.get_or_insert(self.at);
        }
        let want = self.visit.want;
        // Where nobody asks for records, ciphertext alone is looked into, to see whether the keys fit.
        let mut sealed = || header.flags & ENCRYPTED != 0 || self.cursor.bytes(self.at + HEADER as u64, 4) == b"RVEN";
        let skip = want.counts_only && !(want.deep && sealed());
        if !skip && want.lsns.is_none_or(|range| range.contains(lsn)) {
            self.deliver(&header, Some(lsn))?;
        }
        self.summary.records += 1;
        self.summary.frames += 1;
        self.summary.valid_bytes += header.length();
        self.summary.blank = false;
        self.summary.saw(lsn, lsn);
        self.due = self.due.saturating_add(1);
        self.at += header.length();
        Ok(())
    }

    fn deliver(&mut self, header: &Header, lsn: Option<Lsn>) -> Result<(), Halt> {
        let (visit, at) = (self.visit, self.at);
        let numbered = if self.guessed { "by position, uncertain behind damage" } else { "by position" };
        let mut fields = vec![Field { name: "numbered", value: Value::Text(numbered) }];
        let flagged = header.flags & ENCRYPTED != 0;
        let mut record = Record {
            span: Span::new(visit.segment.id, at, at + header.length()),
            lsn,
            last_lsn: None,
            kind: header.kind_name(),
            time: None,
            tag: None,
            fields: &[],
            payload: Payload::Whole(&[]),
            encrypted: flagged,
            physical: false,
        };
        let length = header.data as usize;
        let held = length <= if flagged && !visit.keys.is_empty() { HELD_SEALED } else { HELD };
        let data = self.cursor.bytes(at, if held { HEADER + length } else { 0 }).get(HEADER..);
        let Some(data) = data.filter(|d| d.len() == length) else {
            // Not through the cursor: that one is in use, and may go past the page cache.
            let file = visit.source.file(visit.segment)?;
            let (start, length) = (at + HEADER as u64, u64::from(header.data));
            let again = |take: &mut dyn FnMut(&[u8]) -> Result<()>| pieces(&*file, start, length, take);
            return self.sink.record(&Record { fields: &fields, payload: Payload::Long(length, &again), ..record });
        };
        let envelope = Envelope::parse(data);
        let plain = envelope.as_ref().filter(|_| visit.want.payloads || visit.want.deep).and_then(|e| self.opener.open(e));
        if let Some(envelope) = &envelope {
            fields.push(Field { name: "cipher", value: Value::Text(envelope.cipher_name()) });
            fields.push(Field { name: "key_version", value: Value::Number(u64::from(envelope.key_version)) });
            record.encrypted = plain.is_none();
        }
        let (sealed, opened) = (envelope.is_some(), plain.is_some());
        let content = plain.as_deref().unwrap_or(data);
        if !record.encrypted && (visit.want.payloads || visit.want.since.is_some()) {
            match header.kind {
                0..=3 => record.time = host::show_message(content, &mut fields),
                6 | 7 => host::show_transaction(content, &mut fields),
                _ => {}
            }
        }
        self.sink.record(&Record { fields: &fields, payload: Payload::Whole(content), ..record })?;
        if flagged != sealed {
            let is = if flagged {
                "is flagged as encrypted, and its data is no envelope"
            } else {
                "holds ciphertext and is not flagged so"
            };
            let text =
                format!("the record at {at} {is}: flags are outside the checksum and have changed on the way; check the disk");
            self.warn_once("header-field-mismatch", text);
        }
        if sealed && !opened && !visit.keys.is_empty() && (visit.want.payloads || visit.want.deep) {
            let text = format!(
                "no key of the key file opens the record at {at}, whose checksum is right: give the master key of that time (another scope \
                 than 'rivven' cannot be opened)"
            );
            self.warn_once("no-key-fits", text);
        }
        Ok(())
    }

    /// What a header says that no version would write, and what rivven itself makes of this record.
    fn hints(&mut self, header: &Header) {
        let at = self.at;
        if header.flags & !ENCRYPTED != HAS_CHECKSUM {
            let odd = if header.flags & COMPRESSED != 0 { " (compressed)" } else { "" };
            let text = format!(
                "the record at {at} has flags {:#04x}{odd}, which no version writes: flags are outside the checksum and have changed on the \
                 way; its data is whole, but check the disk",
                header.flags
            );
            self.warn_once("header-field-mismatch", text);
        }
        if !header.is_data() {
            return;
        }
        if header.data == 0 {
            let text = format!(
                "the record at {at} is empty: rivven-core 0.0.22 accepts and acknowledges it, and its replay stops there, so all later \
                 records of the file are never replayed; salvage the log, and keep the host from writing empty records"
            );
            self.warn_once("zero-length-data-record", text);
        }
        if matches!(header.kind, 2 | 3) != self.in_fragments {
            let text = format!(
                "the record at {at} is of type {} where no such fragment belongs: the type is outside the checksum and may have changed on \
                 the way, unless the host writes fragments by itself",
                header.kind_name()
            );
            self.warn_once("lone-fragment", text);
        }
        self.in_fragments = matches!(header.kind, 1 | 2);
    }

    fn warn_once(&mut self, name: &'static str, text: String) {
        if !self.told.contains(&name) {
            self.told.push(name);
            let span = Span::new(self.visit.segment.id, self.at, self.at);
            self.summary.warnings.push(Warning { name, span, text });
        }
    }

    /// No record stands where one was due. Finds the next one and reports what lies between; false when there is none.
    fn damage(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let header = self.cursor.array(start).map(|bytes| Header::parse(&bytes));
        let (chain, count) = self.chain(start);
        let found = match chain {
            Chain::Record(next) => Some(next),
            Chain::End(last, header) => self.search(last, Some(header)),
            Chain::Broken => self.search(start, None),
        };
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
        self.sink.hurt(&damage)?;
        self.summary.damage.push(damage);
        if self.visit.want.salvage && fits_one {
            self.salvage(start, end, header)?;
        }
        self.own.lost += lost;
        self.guessed |= matches!(chain, Chain::Broken) && lost > 0;
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

    /// Follows the lengths of bad records: payloads may hold whole records, and must not be searched while lengths lead on.
    /// Gives where they lead, and over how many records.
    fn chain(&mut self, start: u64) -> (Chain, u64) {
        let (mut at, mut count) = (start, 0);
        loop {
            let header = self.cursor.array(at).map(|bytes| Header::parse(&bytes));
            // Of the first one only magic and length are asked for; what leads on from there must be as writers make it.
            let leads = |h: &Header| h.magic && !h.begun() && (at == start || h.plausible() && h.flags & HAS_CHECKSUM != 0);
            let Some(header) = header.filter(leads) else { return (Chain::Broken, count) };
            let next = at + header.length();
            if next > self.cursor.length() {
                return (Chain::Broken, count);
            }
            count += 1;
            match self.look(next) {
                Found::Record(_) => return (Chain::Record(next), count),
                // A record that reaches into the zeros behind the data has no true length either: nothing says that it ends there.
                Found::End(_) if header.plausible() && self.ends_in_content(next) => return (Chain::End(at, header), count),
                Found::End(_) => return (Chain::Broken, count),
                Found::Bad => at = next,
            }
        }
    }

    fn ends_in_content(&mut self, end: u64) -> bool {
        self.cursor.bytes(end - 1, 1).first().is_some_and(|last| *last != 0)
    }

    /// The next whole record behind `start`, wherever it is. Where the length of a bad record leads to the end of the data, its payload may
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
                let sum = sums.crc32(cursor, 0, data, at.checked_sub(data).filter(|length| *length > 0)?)?;
                if sum != bad.crc {
                    return None;
                }
            }
            let sum = sums.crc32(cursor, 0, at + HEADER as u64, u64::from(header.data))?;
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
    fn diagnose(&mut self, start: u64, end: u64, header: Option<Header>, followed: bool) -> (Kind, Look, String) {
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end) {
            return (Kind::ReadError, Look::Refused, format!("bytes {from} to {to}, which the system refuses to give"));
        }
        let tail = |kind, words| (kind, if followed { Look::Wrong } else { Look::Interrupted }, words);
        let Some(header) = header else {
            let left = self.cursor.length().saturating_sub(start);
            return tail(Kind::CutShort, format!("the end of the file after {left} of {HEADER} bytes of a record's header"));
        };
        if self.cursor.zeros_end(start) >= end {
            return (Kind::Zeroed, Look::Interrupted, format!("{} zero bytes", end - start));
        }
        if !header.magic {
            return self.without_magic(start, end, header, followed);
        }
        if header.begun() {
            return tail(Kind::Zeroed, "the magic of a record and zeros for the rest of its header".to_owned());
        }
        if let Some(length) = self.right_length(start, end, &header) {
            let words = format!("a length of {} where {length} makes the checksum match", header.data);
            return (Kind::BadChecksum, Look::Wrong, words);
        }
        let record_end = start + header.length();
        let sum = self.cursor.fold(start + HEADER as u64, u64::from(header.data), 0, crc32);
        if header.kind > 7 {
            if sum == Some(header.crc) {
                return (
                    Kind::NotAFrame,
                    Look::Wrong,
                    format!("type {} of 0 to 7, and data whose checksum matches", header.kind),
                );
            }
            return tail(Kind::NotAFrame, format!("type {} of 0 to 7, and data whose checksum does not match", header.kind));
        }
        if followed && record_end > end {
            return (
                Kind::NotAFrame,
                Look::Wrong,
                format!("a length of {} that leads behind the next whole record", header.data),
            );
        }
        let Some(sum) = sum else {
            let short = record_end.saturating_sub(self.cursor.length());
            return tail(Kind::CutShort, format!("the end of the file, {short} bytes short of the record's end"));
        };
        if record_end > end {
            return tail(
                Kind::Zeroed,
                format!("a record of {} bytes with zeros from its byte {} on", header.length(), end - start),
            );
        }
        let look = if looks_interrupted(&mut self.cursor, start, record_end) { Look::Interrupted } else { Look::Wrong };
        (Kind::BadChecksum, look, format!("checksum {:08x} stored, {sum:08x} computed", header.crc))
    }

    fn without_magic(&mut self, start: u64, end: u64, header: Header, followed: bool) -> (Kind, Look, String) {
        let fits = header.kind <= 7 && header.flags & !3 == HAS_CHECKSUM && start + header.length() <= end;
        if fits && self.cursor.fold(start + HEADER as u64, u64::from(header.data), 0, crc32) == Some(header.crc) {
            return (Kind::NotAFrame, Look::Wrong, "all of a record but its magic, and its checksum matches".to_owned());
        }
        let count = end - start;
        if followed {
            return (Kind::NotAFrame, Look::Wrong, format!("{count} bytes that begin no record"));
        }
        let words =
            format!("{count} bytes that begin no record; rivven does not clear what it writes over, so they may be older");
        (Kind::NotAFrame, Look::Interrupted, words)
    }

    /// If only the length is wrong: the right one is the distance to what follows, and the checksum proves it.
    fn right_length(&mut self, start: u64, end: u64, header: &Header) -> Option<u32> {
        let distance = u32::try_from(end.checked_sub(start + HEADER as u64)?).ok().filter(|d| *d != header.data && *d > 0)?;
        let sum = self.cursor.fold(start + HEADER as u64, u64::from(distance), 0, crc32)?;
        (sum == header.crc && header.magic && header.kind <= 7).then_some(distance)
    }

    /// What rivven itself makes of records behind damage: which version does it, and what to do.
    fn explain(&mut self, start: u64, next: u64, header: Option<Header>) {
        let zeros_before = next - start >= 4 && self.cursor.bytes(next - 4, 4) == [0; 4];
        let header = header.filter(|h| h.magic);
        let own_end = header.map(|h| start + h.length());
        let (name, text) = if header.is_some_and(|h| h.begun() && h.crc == 0) && next == start + HEADER as u64 {
            let text = format!(
                "a torn header stands at {start} and records follow it: rivven-core 0.0.22 takes it for an empty record when it looks for \
                 the end, and writes on behind it; its replay stops before it, so those records are never replayed; salvage the log"
            );
            ("records-behind-torn-header", text)
        } else if own_end == Some(next) && zeros_before {
            let text = format!(
                "a torn record stands at {start}, filled up with zeros, and records follow it: rivven-core 0.0.13 takes it by its length \
                 alone, and writes on behind it; its replay stops before it, so those records are never replayed; salvage the log and \
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
