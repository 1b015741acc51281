//! Walking one nodedb segment: records, padding, damage, and what its writer is known to do wrong.

mod bad;

use super::super::again::Rereads;
use super::dwb;
use super::join::{Own, sequence};
use super::preamble::{self, Preamble, PreparedKeys};
use super::record::{BLOCK, Frame, Header, Layout, MAGIC, kind_name};
use super::search::{LONG, SummedSegment};
use super::warnings::Notes;
use crate::disk::pieces;
use crate::formats::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use crate::model::{
    Damage, DamageKind, Error, Facts, Field, Look, Lsn, LsnRange, Payload, Proof, Record, Role, Span, Time, Value,
};

/// How often progress and marks are given.
const STRIDE: u64 = 1 << 20;

/// The facts of a record; short headers lack the last three.
const USUAL: usize = 9;
const NAMES: [&str; USUAL] =
    ["type", "required", "tenant", "vshard", "database", "header_bytes", "apply_key", "event_source", "commit_hlc"];

struct Walker<'v, 's, 'o> {
    visit: &'v Visit<'v>,
    out: &'s mut Sink<'o>,
    reader: SummedSegment,
    summary: Summary,
    own: Own,
    /// The highest LSN so far; what is not above it is old content.
    highest: Option<Lsn>,
    /// What is due while nothing was read yet.
    begins: Lsn,
    layout: Layout,
    opener: Option<PreparedKeys>,
    /// A run of records that go back was reported and goes on.
    back: bool,
    /// Damage was reported directly before.
    explained: bool,
    /// Encrypted payloads that no key opened, before one opened.
    unopened: Vec<Damage>,
    opened: bool,
    notes: Notes,
    rereads: Rereads,
    plain: Vec<u8>,
    fields: [Field<'static>; USUAL],
    /// What is delivered is a copy: where it was due, and the name of the file that holds it.
    copy: Option<(u64, String)>,
}

pub(super) fn walk(visit: &Visit<'_>, out: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut summary = Summary::new(visit.segment, cursor.length());
    let named = sequence(&visit.segment.name).map(Lsn);
    summary.begins = named;
    let mut walker = Walker {
        visit,
        out,
        reader: SummedSegment::new(cursor),
        summary,
        own: Own { first: None, clean_start: true, layout: None, preamble: false },
        highest: None,
        begins: named.unwrap_or(Lsn::FIRST),
        layout: Layout::Long,
        opener: None,
        back: false,
        explained: false,
        unopened: Vec::new(),
        opened: false,
        notes: Notes::default(),
        rereads: Rereads::default(),
        plain: Vec::new(),
        fields: NAMES.map(|name| Field { name, value: Value::Number(0) }),
        copy: None,
    };
    let start = walker.preamble()?;
    let start = match visit.want.start {
        Some(mark) => {
            walker.highest = mark.due.before();
            mark.offset.max(start)
        }
        None => start,
    };
    walker.run(start)?;
    walker.finish()
}

impl Walker<'_, '_, '_> {
    fn due(&self) -> Lsn {
        self.highest.map_or(self.begins, Lsn::next)
    }

    /// Reads the preamble if there is one; where the records begin.
    fn preamble(&mut self) -> Result<u64, Halt> {
        let Some(bytes) = self.reader.cursor.array::<{ preamble::BYTES }>(0) else { return Ok(0) };
        if bytes[..4] != preamble::MAGIC {
            return Ok(0);
        }
        let size = preamble::BYTES as u64;
        let found = Preamble(bytes);
        self.own.preamble = true;
        self.opener = self.opener_for(&found);
        match found.oddity() {
            None => self.summary.valid_bytes = size,
            Some(odd) => self.odd_preamble(&odd, u16::from_le_bytes([bytes[4], bytes[5]]))?,
        }
        self.summary.end = size;
        Ok(size)
    }

    fn odd_preamble(&mut self, odd: &str, version: u16) -> Result<(), Halt> {
        let size = preamble::BYTES as u64;
        let next = self.reader.frame_at(size, self.layout).or_else(|| self.reader.next_frame(size, None));
        if next.is_none() && version != 1 {
            return Err(self.unknown(4, &format!("nodedb preamble version {version}")));
        }
        let mut facts = Facts::of(Look::Wrong);
        facts.proof = next.map(|frame| proof(&frame));
        self.hurt(Damage {
            kind: DamageKind::BadHeader,
            span: Span::new(self.visit.segment.id, 0, size),
            lsn: None,
            doubt: None,
            expected: "a preamble as every release writes it".into(),
            found: odd.to_owned(),
            facts,
        })
    }

    fn opener_for(&self, preamble: &Preamble) -> Option<PreparedKeys> {
        let want = self.visit.want.payloads || self.visit.want.deep;
        (want && !self.visit.keys.is_empty()).then(|| PreparedKeys::new(self.visit.keys, preamble))
    }

    fn run(&mut self, start: u64) -> Result<(), Halt> {
        let mut at = start;
        let mut told = start;
        loop {
            if at >= self.reader.cursor.length() {
                return Ok(());
            }
            at = match self.reader.frame_at(at, self.layout) {
                Some(frame) => self.frame(&frame)?,
                None => match self.bad(at)? {
                    Some(next) => next,
                    None => return Ok(()),
                },
            };
            if at - told >= STRIDE {
                told = at;
                self.out.reached(at)?;
                if self.visit.want.marks {
                    self.out.mark(Mark { offset: at, due: self.due(), seed: 0 })?;
                }
            }
        }
    }

    /// Takes a whole record in; where the next one begins.
    fn frame(&mut self, frame: &Frame) -> Result<u64, Halt> {
        let header = &frame.header;
        if header.is_filler() {
            self.filler(frame)?;
            return Ok(frame.end());
        }
        let rises = self.highest.is_none_or(|highest| header.lsn > highest);
        if !rises {
            if let Some(end) = self.padding_end(frame.at) {
                self.padding(frame.at, end);
                return Ok(end);
            }
            self.goes_back(frame)?;
        } else {
            self.back = false;
            // Bad bytes before it were reported, with the same records in doubt.
            if let Some(highest) = self.highest
                && header.lsn > highest.next()
                && !self.explained
            {
                self.gap(frame, highest.next())?;
            }
            self.highest = Some(header.lsn);
        }
        self.explained = false;
        self.accept(frame);
        self.deliver(frame, !rises)?;
        Ok(frame.end())
    }

    /// Counts a whole record.
    fn accept(&mut self, frame: &Frame) {
        let header = &frame.header;
        self.own.first.get_or_insert((header.lsn, frame.at, header.layout));
        if let Some(before) = self.own.layout.filter(|before| *before != header.layout) {
            self.notes.layouts(before, frame);
        }
        self.own.layout = Some(header.layout);
        self.layout = header.layout;
        self.summary.frames += 1;
        self.summary.blank = false;
        self.summary.valid_bytes += header.total();
        self.summary.end = frame.end();
        self.summary.ending = Ending::FileEnds;
        self.summary.saw(header.lsn, header.lsn);
        self.notes.record(frame, self.own.preamble);
    }

    fn filler(&mut self, frame: &Frame) -> Result<(), Halt> {
        self.notes.filler(frame);
        self.explained = false;
        self.layout = frame.header.layout;
        self.summary.frames += 1;
        self.summary.blank = false;
        self.summary.valid_bytes += frame.header.total();
        self.summary.end = frame.end();
        self.summary.ending = Ending::FileEnds;
        if self.visit.want.frames { self.deliver(frame, false) } else { Ok(()) }
    }

    /// Where padding of the releases with short headers ends, if the bytes at `at` are that: whatever the buffer held, up to a
    /// multiple of 4,096 with exactly the next record, or up to the end of the file.
    fn padding_end(&mut self, at: u64) -> Option<u64> {
        let highest = self.highest.filter(|_| self.own.layout == Some(Layout::Short) && !at.is_multiple_of(BLOCK))?;
        let boundary = at.next_multiple_of(BLOCK);
        if boundary == self.reader.cursor.length() {
            return self.leftovers_at(at, highest).then_some(boundary);
        }
        let next = self.reader.frame_at(boundary, Layout::Short)?;
        (next.header.lsn == highest.next()).then_some(boundary)
    }

    /// Whether the rest of the last block can be what an earlier batch left in the buffer: no record above the last one begins
    /// there, nor one that should be whole.
    fn leftovers_at(&mut self, at: u64, highest: Lsn) -> bool {
        let length = self.reader.cursor.length();
        let lead = self.reader.cursor.bytes(at, Layout::Short.size()).to_vec();
        let lsn = lead.get(10..18).map(|b| Lsn(u64::from_le_bytes(b.try_into().expect("eight bytes"))));
        if lead.len() >= 4 && lead[..4] == MAGIC {
            let Some(header) = Header::read(&lead, Layout::Short) else {
                return lsn.is_none_or(|lsn| lsn <= highest);
            };
            return header.lsn <= highest && (at + header.total() > length || self.reader.sound(at, Layout::Short).is_some());
        }
        // The record that is due, with a magic that rotted, is no padding.
        lsn != Some(highest.next())
    }

    fn padding(&mut self, start: u64, end: u64) {
        self.notes.padding(start, end, end < self.reader.cursor.length());
        self.summary.end = end;
    }

    fn unknown(&self, offset: u64, what: &str) -> Halt {
        Halt::Failed(Error::Unknown { path: self.visit.segment.path.clone(), offset, what: what.to_owned() })
    }

    fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.out.damage(&damage)?;
        self.summary.damage.push(damage);
        Ok(())
    }

    fn deliver(&mut self, frame: &Frame, out_of_order: bool) -> Result<(), Halt> {
        let header = frame.header;
        let size = header.layout.size();
        let physical = header.kind() == 0;
        if physical && !self.visit.want.frames {
            return Ok(());
        }
        self.summary.records += u64::from(!physical);
        let decrypted = header.encrypted() && self.decrypt(frame)?;
        let usual = self.fields(frame);
        let more;
        let at = self.copy.as_ref().map_or(frame.at, |(at, _)| *at);
        let copy = self.copy.as_ref().map(|(_, name)| Field { name: "copy_in", value: Value::Text(name) });
        let fields = if decrypted || out_of_order || copy.is_some() {
            let said = [(decrypted, "stored_encrypted"), (out_of_order, "out_of_order")];
            let said = said.iter().filter(|(yes, _)| *yes).map(|(_, name)| Field { name, value: Value::Flag(true) });
            more = self.fields[..usual].iter().copied().chain(said).chain(copy).collect::<Vec<_>>();
            &more[..]
        } else {
            &self.fields[..usual]
        };
        let (start, length) = (frame.at + size as u64, u64::from(header.payload));
        let at_hand = header.total() <= LONG || self.reader.cursor.is_mapped() || self.reader.cursor.is_direct();
        let file = (!at_hand && !decrypted).then(|| self.reader.cursor.file().clone());
        let again = |take: &mut dyn FnMut(&[u8]) -> Result<(), Error>| match &file {
            Some(file) => pieces(&**file, start, length, take),
            None => Ok(()),
        };
        let payload = match (decrypted, &file) {
            (true, _) => Payload::Whole(&self.plain),
            (false, Some(_)) => Payload::Long(length, &again),
            (false, None) => Payload::Whole(self.reader.cursor.bytes(start, header.payload as usize)),
        };
        self.out.record(&Record {
            lsn: Some(header.lsn),
            kind: kind_name(header.kind(), header.layout).unwrap_or("unknown"),
            time: (header.commit_hlc != 0).then_some(Time(header.commit_hlc / 1000)),
            tag: Some(header.tenant),
            fields,
            payload,
            encrypted: header.encrypted() && !decrypted,
            role: if physical { Role::Padding } else { Role::Data },
            ..Record::at(Span::new(self.visit.segment.id, at, at + header.total()))
        })
    }

    /// Writes the record's facts over those of the one before; how many it has. Their names stay, which is half of the work.
    #[inline]
    fn fields(&mut self, frame: &Frame) -> usize {
        let header = &frame.header;
        let long = header.layout == Layout::Long;
        let [kind, required, tenant, vshard, database, size, key, source, hlc] = &mut self.fields;
        kind.value = Value::Number(u64::from(header.kind()));
        required.value = Value::Flag(header.required());
        tenant.value = Value::Number(header.tenant);
        vshard.value = Value::Number(u64::from(header.vshard));
        database.value = Value::Number(header.database);
        size.value = Value::Number(header.layout.size() as u64);
        if long {
            key.value = Value::Number(header.apply_key);
            source.value = Value::Number(u64::from(header.event_source));
            hlc.value = Value::Number(header.commit_hlc);
        }
        if long { USUAL } else { USUAL - 3 }
    }

    /// Opens an encrypted payload into `plain`, if a key does.
    fn decrypt(&mut self, frame: &Frame) -> Result<bool, Halt> {
        let Some(opener) = &mut self.opener else { return Ok(false) };
        let size = frame.header.layout.size();
        let mut raw = [0; 63];
        raw[..size].copy_from_slice(&self.reader.cursor.bytes(frame.at, size)[..size]);
        let length = frame.header.payload as usize;
        let stored = self.reader.cursor.bytes(frame.at + size as u64, length);
        let opened = if stored.len() == length {
            opener.open(&frame.header, &raw, stored)
        } else {
            // A stream gives no more than a window at a time.
            let mut all = Vec::new();
            pieces(&**self.reader.cursor.file(), frame.at + size as u64, length as u64, &mut |piece| {
                all.extend_from_slice(piece);
                Ok(())
            })?;
            opener.open(&frame.header, &raw, &all)
        };
        let mended = opener.mended.take();
        if let Some(plain) = opened {
            self.plain = plain;
            self.opened = true;
            if let Some((found, right)) = mended {
                self.wrong_epoch(frame, &found, &right)?;
            }
            for damage in std::mem::take(&mut self.unopened) {
                self.hurt(damage)?;
            }
            return Ok(true);
        }
        let mut facts = Facts::of(Look::Wrong);
        facts.proof = Some(proof(frame));
        let damage = Damage {
            kind: DamageKind::BadPayload,
            span: Span::new(self.visit.segment.id, frame.at, frame.end()),
            lsn: Some(frame.header.lsn),
            doubt: LsnRange::new(frame.header.lsn, frame.header.lsn),
            expected: "a payload that the keys open, as they open others of this segment".into(),
            found: "ciphertext that they do not open".into(),
            facts,
        };
        if self.opened {
            self.hurt(damage)?;
        } else {
            // As long as nothing was opened, the key is to blame and not the bytes.
            if self.unopened.len() < 1000 {
                self.unopened.push(damage);
            }
            self.notes.unopened(frame);
        }
        Ok(false)
    }

    /// The keys open the records with an epoch that differs in a bit from the one that stands there.
    fn wrong_epoch(&mut self, frame: &Frame, found: &str, right: &str) -> Result<(), Halt> {
        let mut facts = Facts::of(Look::Wrong);
        facts.proof = Some(proof(frame));
        self.hurt(Damage {
            kind: DamageKind::BadHeader,
            span: Span::new(self.visit.segment.id, 0, preamble::BYTES as u64),
            lsn: None,
            doubt: None,
            expected: format!("epoch {right}, with which a key opens record {}", frame.header.lsn),
            found: format!("epoch {found}"),
            facts,
        })
    }

    fn finish(mut self) -> Walk {
        self.summary.length = self.reader.cursor.length();
        self.summary.due = match (self.highest, self.summary.begins) {
            (Some(highest), _) => Some(highest.next()),
            (None, begins) => begins,
        };
        if !self.opened {
            self.summary.locked = self.notes.locked();
            self.notes.no_key();
        }
        let id = self.visit.segment.id;
        for warning in self.notes.take(id, self.summary.end, self.summary.length, self.own.layout) {
            self.summary.warnings.push(warning);
        }
        // The order of offsets: payloads that turned out bad later were noted late.
        self.summary.damage.kept_mut().sort_by_key(|d| d.span.start());
        for restore in dwb::restorable(self.visit.source, self.visit.segment, self.summary.damage.kept())? {
            let name = dwb::name_of(self.visit.segment).unwrap_or_default();
            self.summary.warnings.push(super::warnings::restorable(&restore, &name, !self.visit.segment.followed));
        }
        self.summary.own = Some(Box::new(self.own));
        Ok(self.summary)
    }
}

/// What a whole record proves about what lies before it: it was written after.
fn proof(frame: &Frame) -> Proof {
    Proof::LaterRecord { lsn: frame.header.lsn }
}

fn preamble_begun(bytes: &[u8]) -> bool {
    let count = bytes.len().min(4);
    count > 0 && bytes[..count] == preamble::MAGIC[..count]
}
