//! Walking one segment of an ironwal stream: its frames, and what stands where a frame was due.

use std::io::{BufReader, Read};
use std::sync::Arc;

use lz4_flex::frame::FrameDecoder;

use super::super::hunt::{Sums, find};
use super::super::{Ending, Format, Halt, Mark, Mend, Sink, Summary, Visit, Walk, looks_interrupted};
use super::frame::{HEADER, HELD, Header, MAGIC, decompress, entries, is_batch, pass, scan};
use super::log;
use crate::disk::{Cursor, File, crc32, pieces, zero_prefix};
use crate::model::{Damage, Facts, Field, Kind, Look, Lsn, LsnRange, Payload, Proof, Record, Span, Value, Warning};

/// ironwal.
pub const FORMAT: Format = Format {
    name: "ironwal",
    title: "ironwal stream (0.6)",
    protects: "CRC-32 over ids, entry count, type, length and payload; not over the magic and the uncompressed size",
    encrypted: false,
    sequence: log::sequence,
    recognise: log::recognise,
    ordered: false,
    walk,
    join: log::join,
    mend: Mend::Cut,
    drawing: &[
        ("magic", 0, 4),
        ("crc", 4, 4),
        ("start id", 8, 8),
        ("entries", 16, 4),
        ("type", 20, 1),
        ("disk size", 21, 4),
        ("uncompressed size", 25, 4),
        ("reserved", 29, 3),
    ],
};

/// What the join needs to know besides.
#[derive(Debug, Default)]
pub struct Own {
    /// The start id of a whole frame at the very start.
    pub first: Option<u64>,
}

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;

/// Where the lengths of bad frames lead.
enum Chain {
    /// To a whole frame.
    Frame(u64, Header),
    /// To the end of the file, from this last frame.
    End(u64, Header),
    /// Nowhere.
    Broken,
}

struct State<'a, 's> {
    visit: &'a Visit<'a>,
    sink: &'a mut Sink<'s>,
    cursor: Cursor,
    summary: Summary,
    own: Own,
    at: u64,
    /// The id that the next frame should begin with.
    due: u64,
    /// The id behind the highest one seen.
    high: u64,
    /// A bad region ends here: a jump in ids is its doing.
    after_damage: bool,
    sums: Option<Sums>,
    batch: Vec<u8>,
    /// Whether the first misfit of an unprotected field was told.
    misfit_told: bool,
}

fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let summary = Summary::new(visit.segment, cursor.length());
    let named = log::sequence(&visit.segment.name).is_some();
    let mut state = State {
        visit,
        sink,
        cursor,
        summary,
        own: Own::default(),
        at: 0,
        due: visit.segment.sequence,
        high: visit.segment.sequence,
        // A stream has no name that would tell its first id.
        after_damage: !named,
        sums: None,
        batch: Vec::new(),
        misfit_told: false,
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.due, state.high) = (mark.offset, mark.due.0, mark.due.0);
    }
    state.summary.begins = named.then_some(Lsn(visit.segment.sequence));
    state.run()?;
    let State { mut summary, cursor, own, due, high, .. } = state;
    summary.length = cursor.length();
    summary.blank = summary.length == 0;
    summary.due = Some(Lsn(due.max(high)));
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl State<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            if self.at >= self.cursor.length() || self.cursor.bytes(self.at, 1).is_empty() && self.ends() {
                self.summary.end = self.at;
                self.summary.ending = Ending::FileEnds;
                return Ok(());
            }
            match self.whole_at(self.at) {
                Some(header) => self.frame(header)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                None if self.cursor.unmap_if_faulty() => {}
                None if !self.damage()? => return Ok(()),
                None => {}
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && self.due == self.high {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(self.due) })?;
            }
        }
    }

    /// No byte can be had here: because the file ends, and not because the system refuses?
    fn ends(&self) -> bool {
        self.cursor.refused_at(self.at).is_none()
    }

    /// The header of a whole frame at an offset.
    fn whole_at(&mut self, at: u64) -> Option<Header> {
        let header = Header::parse(&self.cursor.array(at)?);
        if !header.plausible() {
            return None;
        }
        let stored = header.stored as usize;
        let payload = if stored <= HELD { self.cursor.bytes(at, HEADER + stored).get(HEADER..) } else { None };
        let sum = match payload {
            Some(payload) if payload.len() == stored => crc32(header.seed, payload),
            _ => self.cursor.fold(at + HEADER as u64, u64::from(header.stored), header.seed, crc32)?,
        };
        (sum == header.crc).then_some(header)
    }

    /// A whole frame stands at the place that was reached.
    fn frame(&mut self, header: Header) -> Result<(), Halt> {
        let (start, end) = (self.at, self.at + header.length());
        if start == 0 {
            self.own.first = Some(header.start);
        }
        self.order(&header)?;
        if !self.entries(&header)? {
            let found = "the sum is right, and the payload is not a batch of that many entries".to_owned();
            let damage = self.bad(Kind::BadPayload, start, end, format!("a batch of {} entries", header.entries), found);
            self.hurt(damage)?;
            // The sum was right, so the ids that it covers were given.
        } else {
            self.summary.records += u64::from(header.entries);
            self.summary.valid_bytes += header.length();
        }
        self.summary.frames += 1;
        self.summary.blank = false;
        self.summary.saw(Lsn(header.start), Lsn(header.next() - 1));
        self.due = header.next();
        self.high = self.high.max(self.due);
        self.after_damage = false;
        self.at = end;
        Ok(())
    }

    /// Compares the ids of a frame with those that were due.
    fn order(&mut self, header: &Header) -> Result<(), Halt> {
        let due = self.due;
        if header.start == due || self.after_damage && header.start > due {
            return Ok(());
        }
        let (kind, look, doubt) = if header.start > due {
            (Kind::LsnGap, Look::Absent, LsnRange::new(Lsn(due), Lsn(header.start - 1)))
        } else {
            let text = format!(
                "ids {} and up stand in the log twice: ironwal counts entries when it opens a stream and never compares ids, so after \
                     a lost or cut-out frame it gives ids again; treat the later ones as new records and salvage into a new log",
                header.start
            );
            // At the start of a segment it may be the name that is wrong.
            if self.at > 0 {
                self.warn("ids-given-twice", text);
            }
            (Kind::LsnBack, Look::Mixed, None)
        };
        let mut damage = self.bad(kind, self.at, self.at, format!("id {due} next"), format!("id {}", header.start));
        damage.facts = Facts::of(look);
        damage.doubt = doubt;
        self.hurt(damage)
    }

    /// Delivers the entries of a frame; false when its payload is no such batch.
    fn entries(&mut self, header: &Header) -> Result<bool, Halt> {
        let (at, want) = (self.at, self.visit.want);
        let outside = want.counts_only || want.lsns.is_some_and(|r| header.next() <= r.first.0 || header.start > r.last.0);
        let stored = header.stored as usize;
        let held = stored <= HELD && self.cursor.bytes(at, HEADER + stored).len() == HEADER + stored;
        if header.kind == 0 {
            self.compare_sizes(header, u64::from(header.stored));
            if !held {
                return self.entries_of_a_giant(header, outside);
            }
            let bytes = self.cursor.bytes(at, HEADER + stored);
            return deliver(self.sink, self.visit, at, header, &bytes[HEADER..], outside);
        }
        if outside && !want.deep {
            return Ok(true);
        }
        if !(want.payloads || want.deep) && held {
            // Nobody asks what is in it: the first entry stands for the stored bytes of all.
            let bytes = self.cursor.bytes(at, HEADER + stored);
            for index in 0..header.entries {
                let payload = if index == 0 { &bytes[HEADER..] } else { &[] };
                give(self.sink, self.visit, at, header, index, Payload::Whole(payload))?;
            }
            return Ok(true);
        }
        if !held {
            return self.entries_of_a_giant(header, outside);
        }
        let mut batch = std::mem::take(&mut self.batch);
        let opened = decompress(&self.cursor.bytes(at, HEADER + stored)[HEADER..], &mut batch);
        let done = match opened {
            Err(_) => Ok(false),
            Ok(None) => self.entries_of_a_giant(header, outside),
            Ok(Some(())) => {
                self.compare_sizes(header, batch.len() as u64);
                deliver(self.sink, self.visit, at, header, &batch, outside)
            }
        };
        batch.truncate(HELD >> 4);
        batch.shrink_to(HELD >> 4);
        self.batch = batch;
        done
    }

    /// The same for a batch that is longer than what is held: read twice, once to see that it is one, once to give it out.
    fn entries_of_a_giant(&mut self, header: &Header, outside: bool) -> Result<bool, Halt> {
        // Not the cursor's file: that one may go past the page cache, and then takes aligned reads only.
        let (file, start) = (self.visit.source.file(self.visit.segment)?, self.at + HEADER as u64);
        let open = || -> Box<dyn Read> {
            let stored = Stored { file: file.clone(), at: start, end: start + u64::from(header.stored) };
            if header.kind == 0 { Box::new(BufReader::new(stored)) } else { Box::new(FrameDecoder::new(BufReader::new(stored))) }
        };
        let mut total = 0;
        if scan(&mut open(), header.entries, |_, at, length| total = at + u64::from(length)).is_err() {
            return Ok(false);
        }
        self.compare_sizes(header, total);
        if outside {
            return Ok(true);
        }
        let mut batch = open();
        let mut at = 0u64;
        for index in 0..header.entries {
            let mut length = [0; 4];
            let mut read = batch.read_exact(&mut length);
            let length = u32::from_le_bytes(length);
            at += 4;
            if length as usize <= HELD {
                let mut entry = vec![0; length as usize];
                read = read.and_then(|()| batch.read_exact(&mut entry));
                if read.is_ok() {
                    give(self.sink, self.visit, self.at, header, index, Payload::Whole(&entry))?;
                }
            } else if header.kind == 0 {
                let again =
                    |take: &mut dyn FnMut(&[u8]) -> crate::model::Result<()>| pieces(&*file, start + at, u64::from(length), take);
                give(self.sink, self.visit, self.at, header, index, Payload::Long(u64::from(length), &again))?;
                read = read.and_then(|()| pass(&mut batch, u64::from(length)));
            } else {
                let again = |take: &mut dyn FnMut(&[u8]) -> crate::model::Result<()>| {
                    let failed = |e| crate::model::Error::io("decompress", &self.visit.segment.path)(e);
                    let mut batch = open();
                    pass(&mut batch, at).map_err(failed)?;
                    let (mut room, mut left) = (vec![0; 256 << 10], length as usize);
                    while left > 0 {
                        let piece = room.len().min(left);
                        batch.read_exact(&mut room[..piece]).map_err(failed)?;
                        take(&room[..piece])?;
                        left -= piece;
                    }
                    Ok(())
                };
                give(self.sink, self.visit, self.at, header, index, Payload::Long(u64::from(length), &again))?;
                read = read.and_then(|()| pass(&mut batch, u64::from(length)));
            }
            if read.is_err() {
                // It could be read a moment ago. What was given out stays; the rest is not there any more.
                return Ok(false);
            }
            at += u64::from(length);
        }
        Ok(true)
    }

    /// The uncompressed size is outside the sum, and yet it can be checked.
    fn compare_sizes(&mut self, header: &Header, found: u64) {
        if u64::from(header.plain) != found && !self.misfit_told {
            self.misfit_told = true;
            self.warn(
                "header-field-mismatch",
                format!(
                    "the frame of id {} says that its payload has {} bytes uncompressed, and it has {found}: the field is outside the \
                     checksum and has changed on the way; the entries are whole, but check the disk",
                    header.start, header.plain
                ),
            );
        }
    }

    fn warn(&mut self, name: &'static str, text: String) {
        let span = Span::new(self.visit.segment.id, self.at, self.at);
        self.summary.warnings.push(Warning { name, span, text });
    }

    fn bad(&self, kind: Kind, start: u64, end: u64, expected: String, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: Some(Lsn(self.due)),
            doubt: None,
            expected,
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.sink.hurt(&damage)?;
        self.summary.damage.push(damage);
        Ok(())
    }

    /// No frame stands where one was due. Finds the next one and reports what lies between; false when there is none.
    fn damage(&mut self) -> Result<bool, Halt> {
        let start = self.at;
        let header = self.cursor.array(start).map(|bytes| Header::parse(&bytes));
        let own_end = header.filter(|h| h.magic).map(|h| start + h.length());
        let due = self.due;
        let found = match self.chain(start) {
            Chain::Frame(at, next) => Some((at, next)),
            Chain::End(last, header) => self.search(last, Some(header)),
            Chain::Broken => self.search(start, None),
        };
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
            if extended {
                self.warn(
                    "torn-frame-grown-with-zeros",
                    format!(
                        "the frame at {start} was torn, and instead of cutting it something filled it with zeros and wrote on behind it, as \
                         ironwal 0.6.3 does at the first write after a crash: records from id {} on are whole, but ironwal stops reading \
                         before them; upgrade to 0.6.9 and salvage the stream",
                        next.start
                    ),
                );
            } else if !kept && (kind != Kind::BadChecksum || own_end != Some(at)) {
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

    /// Follows the lengths of bad frames: payloads may hold whole frames, and must not be searched while lengths lead on.
    fn chain(&mut self, start: u64) -> Chain {
        let mut at = start;
        loop {
            let header = self.cursor.array(at).map(|bytes| Header::parse(&bytes));
            // Of the first one only magic and length are asked for.
            let Some(header) = header.filter(|h| h.magic && (at == start || h.plausible() && h.start >= self.due)) else {
                return Chain::Broken;
            };
            let next = at + header.length();
            if next > self.cursor.length() {
                return Chain::Broken;
            }
            if let Some(whole) = self.whole_at(next) {
                return if whole.start >= self.due { Chain::Frame(next, whole) } else { Chain::Broken };
            }
            if self.cursor.bytes(next, 1).is_empty() && self.cursor.refused_at(next).is_none() {
                return if header.plausible() { Chain::End(at, header) } else { Chain::Broken };
            }
            at = next;
        }
    }

    /// The next whole frame behind `start`, wherever it is. Where the length of a bad frame leads to the end of the file, its payload may
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
                if sums.crc32(cursor, bad.seed_with(distance), payload, u64::from(distance))? != bad.crc {
                    return None;
                }
            }
            let sum = sums.crc32(cursor, header.seed, at + HEADER as u64, u64::from(header.stored))?;
            (sum == header.crc).then_some(header)
        });
        self.sums = Some(sums);
        found
    }

    /// A full-length frame whose payload ends in zeros, with a frame right behind it.
    fn zero_extended(&mut self, start: u64, end: u64, header: Option<Header>, followed: bool) -> bool {
        let Some(header) = header.filter(Header::plausible) else { return false };
        followed && start + header.length() == end && header.stored > 0 && self.trailing_zeros(start + HEADER as u64, end) >= 4
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
    fn diagnose(&mut self, start: u64, end: u64, header: Option<Header>, followed: bool) -> (Kind, Look, String, String) {
        let frame = format!("a frame of id {}", self.due);
        if let Some((from, to)) = self.cursor.next_refused(start).filter(|(from, _)| *from < end) {
            return (Kind::ReadError, Look::Refused, frame, format!("the system refuses bytes {from} to {to}"));
        }
        let Some(header) = header else {
            let left = end - start;
            let zeros = zero_prefix(self.cursor.bytes(start, HEADER)) as u64 == left;
            let kind = if zeros { Kind::Zeroed } else { Kind::CutShort };
            return (kind, Look::Interrupted, frame, format!("the file ends after {left} of {HEADER} bytes of a frame's header"));
        };
        if self.cursor.zeros_end(start) >= end {
            return (Kind::Zeroed, Look::Interrupted, frame, format!("{} zero bytes", end - start));
        }
        if !header.magic {
            return self.without_magic(start, end, header, frame, followed);
        }
        if let Some(length) = self.right_length(start, end, header) {
            let found = format!("only its length is wrong: {} stands there, with {length} its checksum matches", header.stored);
            return (Kind::BadChecksum, Look::Wrong, frame, found);
        }
        if !header.plausible() {
            let found = format!("a header of type {} with {} entries in {} bytes", header.kind, header.entries, header.stored);
            let look = if followed { Look::Wrong } else { Look::Interrupted };
            return (Kind::NotAFrame, look, frame, found);
        }
        if start + header.length() > end {
            let found = if followed {
                format!("a length of {} that leads behind the next whole frame", header.stored)
            } else {
                format!("the file ends {} bytes short of the frame's end", start + header.length() - end)
            };
            let (kind, look) = if followed { (Kind::NotAFrame, Look::Wrong) } else { (Kind::CutShort, Look::Interrupted) };
            return (kind, look, frame, found);
        }
        let payload = start + HEADER as u64;
        let frame_end = start + header.length();
        if self.cursor.zeros_end(payload) >= frame_end && header.stored > 0 {
            return (
                Kind::Zeroed,
                Look::Interrupted,
                frame,
                format!("a header, and {} zero bytes for its payload", header.stored),
            );
        }
        let sum = self.cursor.fold(payload, u64::from(header.stored), header.seed, crc32).unwrap_or_default();
        let found = format!("stored {:08x}, computed {sum:08x}", header.crc);
        let look = if looks_interrupted(&mut self.cursor, payload, frame_end) { Look::Interrupted } else { Look::Wrong };
        (Kind::BadChecksum, look, format!("{frame} with its checksum"), found)
    }

    fn without_magic(
        &mut self,
        start: u64,
        end: u64,
        header: Header,
        frame: String,
        followed: bool,
    ) -> (Kind, Look, String, String) {
        let fits = Header { magic: true, ..header }.plausible() && start + header.length() <= end;
        if fits && self.cursor.fold(start + HEADER as u64, u64::from(header.stored), header.seed, crc32) == Some(header.crc) {
            let found = format!("all of the frame of id {} but its magic: the checksum matches", header.start);
            return (Kind::NotAFrame, Look::Wrong, frame, found);
        }
        let look = if followed { Look::Wrong } else { Look::Interrupted };
        (Kind::NotAFrame, look, frame, format!("{} bytes that begin no frame", end - start))
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

/// Delivers the entries of a batch that is at hand; false when it is no batch.
fn deliver(sink: &mut Sink<'_>, visit: &Visit<'_>, at: u64, header: &Header, batch: &[u8], outside: bool) -> Result<bool, Halt> {
    if !is_batch(batch, header.entries) {
        return Ok(false);
    }
    if !outside {
        for (index, range) in (0..).zip(entries(batch, header.entries)) {
            give(sink, visit, at, header, index, Payload::Whole(&batch[range]))?;
        }
    }
    Ok(true)
}

fn give(sink: &mut Sink<'_>, visit: &Visit<'_>, at: u64, header: &Header, index: u32, payload: Payload<'_>) -> Result<(), Halt> {
    let lsn = Lsn(header.start.saturating_add(u64::from(index)));
    let fields = [
        Field { name: "entry_index", value: Value::Number(u64::from(index)) },
        Field { name: "entry_count", value: Value::Number(u64::from(header.entries)) },
        Field { name: "start_id", value: Value::Number(header.start) },
        Field { name: "stored_as", value: Value::Text(if header.kind == 0 { "raw" } else { "lz4" }) },
    ];
    sink.record(&Record {
        span: Span::new(visit.segment.id, at, at + header.length()),
        lsn: Some(lsn),
        last_lsn: None,
        kind: "entry",
        time: None,
        tag: None,
        fields: &fields,
        payload,
        encrypted: false,
        physical: false,
    })
}

/// The stored bytes of a batch that is not held.
struct Stored {
    file: Arc<dyn File>,
    at: u64,
    end: u64,
}

impl Read for Stored {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let left = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let want = into.len().min(left);
        let read = self.file.read_at(&mut into[..want], self.at);
        let count = read.map_err(|e| std::io::Error::other(e.to_string()))?;
        self.at += count as u64;
        Ok(count)
    }
}
