//! Walking one block: its records, and what stands where a record was due.

use super::super::again::Rereads;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::log::Own;
use super::record::{HEADER, Head, Kind, SUM, begin, sum_of};
use super::{names, stored};
use crate::disk::{Cursor, pieces};
use crate::model::{Damage, DamageKind, Facts, Field, Look, Lsn, Payload, Record, Span, Time, Value, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// Records longer than this are not held in memory.
const HELD: u64 = 8 << 20;
/// Sums that do not fit may cost so many times the length of the block, and then only short claims are looked into.
const FALSE_CLAIMS: u64 = 4;
const SHORT: u64 = 4 << 10;
/// How often a block is read anew because the server put another file in its place.
const REPLACED: u32 = 16;
/// How many records must agree in shape before sums are called unknown and not wrong.
const AGREE: usize = 3;

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    /// The last sequence so far.
    pub(super) last: u64,
    keys: Vec<[u8; 32]>,
    /// The key that fits.
    key: Option<[u8; 32]>,
    /// Nothing says which key it is: records are followed by their lengths.
    unchecked: bool,
    budget: u64,
    pub(super) rereads: Rereads,
    replaced: u32,
    /// What was delivered before the block was replaced: up to this sequence.
    skip: Option<u64>,
    told: Vec<&'static str>,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        own: Own::default(),
        at: 0,
        last: 0,
        keys: names::keys(visit.source, visit.segment),
        key: None,
        unchecked: false,
        budget: cursor.length().max(STRIDE).saturating_mul(FALSE_CLAIMS),
        cursor,
        rereads: Rereads::default(),
        replaced: 0,
        skip: None,
        told: Vec::new(),
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.last, state.unchecked) = (mark.offset, mark.due.0.saturating_sub(1), mark.seed == 1);
    }
    loop {
        state.begin()?;
        if state.run()? {
            break;
        }
    }
    let Walker { mut summary, cursor, mut own, last, .. } = state;
    summary.length = cursor.length();
    summary.due = (last > 0).then(|| Lsn(last.saturating_add(1)));
    own.last = last;
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    /// What can be told of the block before its first record.
    fn begin(&mut self) -> Result<(), Halt> {
        if self.visit.want.start.is_some() {
            return Ok(());
        }
        let key = self.visit.segment.name.strip_suffix(".blk").map(|number| format!("{number}.key"));
        if key.is_some_and(|key| self.visit.source.sibling(&key).is_ok_and(|found| found.is_some())) {
            let text = "the block is encrypted by the server (a key lies beside it): nothing in it can be checked or counted, not even where it ends";
            self.own.opaque = Some("encrypted");
            self.summary.locked += 1;
            self.pass_over("encrypted-block", text.to_owned());
        } else if self.cursor.bytes(0, 3) == stored::COMPRESSED {
            self.compressed()?;
        }
        Ok(())
    }

    /// The whole block is something that is not looked into, and must not pass as clean.
    fn pass_over(&mut self, name: &'static str, text: String) {
        let end = self.cursor.length();
        (self.summary.blank, self.summary.whole) = (false, false);
        self.warn_once(name, Span::new(self.visit.segment.id, 0, end), text);
        self.at = end;
    }

    fn compressed(&mut self) -> Result<(), Halt> {
        self.own.opaque = Some("compressed");
        let end = self.cursor.length();
        match stored::look(&mut self.cursor) {
            stored::PackedBlock::Whole { plain } => {
                let text = format!(
                    "the block is compressed with S2, which walctl does not unpack: {end} bytes that are {plain} when unpacked are not looked into, and \
                     their records are not counted; its chunks are whole in number and length"
                );
                self.summary.valid_bytes = end;
                self.pass_over("compressed-block", text);
            }
            stored::PackedBlock::Other(found) => {
                self.pass_over(
                    "compressed-block",
                    format!("the block is not looked into and its records are not counted: {found}"),
                );
            }
            stored::PackedBlock::Short { chunk } => {
                let found = format!("a chunk of {} that the file ends in, at byte {chunk}", "S2");
                let mut damage = self.bad(DamageKind::CutShort, 0, end, found);
                damage.expected = "a compressed block".to_owned();
                damage.facts = Facts::of(Look::Interrupted);
                self.hurt(damage)?;
                (self.summary.end, self.summary.ending, self.at) = (0, Ending::Damage, end);
            }
        }
        Ok(())
    }

    /// False when the block must be read anew.
    fn run(&mut self) -> Result<bool, Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match self.whole_at(self.at) {
                Some(head) => self.record(&head)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                None if self.cursor.unmap_if_faulty() => {}
                None if self.ends() => return Ok(true),
                None if self.finds_key() => {}
                None => {
                    if let Some(done) = self.stop()? {
                        return Ok(done);
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE && self.last < u64::MAX {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(self.last + 1), seed: u64::from(self.unchecked) })?;
            }
        }
    }

    /// Whether the file ends at a record.
    fn ends(&mut self) -> bool {
        if !self.cursor.bytes(self.at, 1).is_empty() || self.cursor.refused_at(self.at).is_some() {
            return false;
        }
        if self.summary.ending != Ending::Damage {
            (self.summary.end, self.summary.ending) = (self.at, Ending::FileEnds);
        }
        true
    }

    /// The header of a whole record at an offset.
    pub(super) fn whole_at(&mut self, at: u64) -> Option<Head> {
        let head = Head::parse(&self.cursor.array::<HEADER>(at)?, at)?;
        (head.end() <= self.cursor.length() && self.fits(&head)).then_some(head)
    }

    fn fits(&mut self, head: &Head) -> bool {
        if self.unchecked {
            return true;
        }
        if head.length > SHORT && head.length > self.budget {
            return false;
        }
        let fitting = match self.key {
            Some(key) => agrees(&mut self.cursor, &key, head).then_some(key),
            None => self.keys.iter().find(|key| agrees(&mut self.cursor, key, head)).copied(),
        };
        if fitting.is_none() {
            self.budget = self.budget.saturating_sub(head.length);
        }
        self.key = self.key.or(fitting);
        fitting.is_some()
    }

    /// Nothing fitted yet: whether a name can be guessed from the first record, or records agree in shape and no key fits any of them.
    fn finds_key(&mut self) -> bool {
        if self.at > 0 || self.key.is_some() || self.unchecked || self.own.first_bad.is_some() {
            return false;
        }
        let first = self.cursor.array::<HEADER>(0).and_then(|bytes| Head::parse(&bytes, 0));
        let Some(first) = first.filter(|head| head.end() <= self.cursor.length() && head.usual(0)) else { return false };
        let record = self.cursor.bytes(0, usize::try_from(first.length).unwrap_or(0)).to_vec();
        let guessed = names::guessed(self.visit.segment, &first, &record);
        if let Some(key) = guessed.into_iter().find(|key| agrees(&mut self.cursor, key, &first)) {
            self.key = Some(key);
            return true;
        }
        let mut heads = Vec::new();
        let mut at = 0;
        while heads.len() < AGREE
            && let Some(head) = self.cursor.array::<HEADER>(at).and_then(|bytes| Head::parse(&bytes, at))
        {
            let last = heads.last().map_or(0, |head: &Head| head.sequence);
            if head.end() > self.cursor.length() || !head.usual(if head.kind == Kind::Tombstone { 0 } else { last }) {
                return false;
            }
            at = head.end();
            heads.push(head);
        }
        let whole = heads.len() == AGREE || at == self.cursor.length();
        if heads.iter().any(|head| self.fits(head)) {
            return false;
        }
        if whole && (self.keys.is_empty() || heads.len() == AGREE) {
            self.unchecked = true;
            let text = "no sum fits, while records follow each other as they should: the key of the sums is made of the stream's name, and the folder \
                        is called otherwise or there is none; sums are not checked. Keep meta.inf beside msgs, or call the folder as the stream";
            self.warn_once("sums-not-checked", Span::new(self.visit.segment.id, 0, 0), text.to_owned());
            return true;
        }
        false
    }

    /// A whole record stands at the place that was reached.
    fn record(&mut self, head: &Head) -> Result<(), Halt> {
        if head.kind != Kind::Tombstone {
            if head.sequence <= self.last {
                let text = format!(
                    "sequence {} stands behind {}: the server passes over such records when it starts, and walctl shows them",
                    head.sequence, self.last
                );
                self.warn_once("sequence-back", Span::new(self.visit.segment.id, head.at, head.at), text);
            } else if head.sequence < u64::MAX {
                self.summary.saw(Lsn(head.sequence), Lsn(head.sequence));
            }
            self.last = self.last.max(head.sequence);
        }
        self.own.saw(head);
        self.summary.records += 1;
        self.summary.frames += 1;
        self.summary.valid_bytes += head.length;
        self.summary.blank = false;
        self.at = head.end();
        if let Some(skip) = self.skip {
            if head.kind == Kind::Tombstone || head.sequence <= skip {
                return Ok(());
            }
            self.skip = None;
        }
        if self.visit.want.counts_only { Ok(()) } else { self.deliver(head) }
    }

    fn deliver(&mut self, head: &Head) -> Result<(), Halt> {
        let subject = self.cursor.bytes(head.at + HEADER as u64, usize::from(head.subject)).to_vec();
        let subject = String::from_utf8_lossy(&subject);
        let headers = match self.cursor.array::<4>(head.behind_subject()) {
            Some(length) if head.has_headers => u32::from_le_bytes(length),
            _ => 0,
        };
        let end = head.end() - SUM as u64;
        let at = head.behind_subject() + if head.has_headers { 4 + u64::from(headers) } else { 0 };
        // Its sum does not cover the length of the headers.
        let at = at.min(end);
        let length = end - at;
        let file = if length > HELD { Some(self.visit.source.file(self.visit.segment)?) } else { None };
        let again = |take: &mut dyn FnMut(&[u8]) -> crate::model::Result<()>| match &file {
            Some(file) => pieces(&**file, at, length, take),
            None => Ok(()),
        };
        let message = if file.is_none() { self.cursor.bytes(at, usize::try_from(length).unwrap_or(0)) } else { &[] };
        let number = |name, value: u64| Field { name, value: Value::Number(value) };
        let fields = match head.kind {
            Kind::Message => vec![
                Field { name: "subject", value: Value::Text(&subject) },
                number("header_len", u64::from(headers)),
                number("msg_len", length),
            ],
            Kind::Erased => vec![number("msg_len", length)],
            Kind::Tombstone => vec![number("deletes", head.sequence)],
        };
        let lsn = (head.kind != Kind::Tombstone && head.sequence > 0).then_some(Lsn(head.sequence));
        self.sink.record(&Record {
            lsn,
            last_lsn: lsn,
            kind: head.kind.name(),
            time: (head.time > 0).then_some(Time(head.time / 1000)),
            fields: &fields,
            payload: if file.is_some() { Payload::Long(length, &again) } else { Payload::Whole(message) },
            ..Record::at(Span::new(self.visit.segment.id, head.at, head.end()))
        })
    }

    /// Whether the server put another file in the place of this block since it was opened: it erases and compacts like that. Then the
    /// block is read from its start, and what was delivered is not delivered again.
    pub(super) fn replaced(&mut self) -> Result<bool, Halt> {
        if self.replaced >= REPLACED || self.visit.want.start.is_some() {
            return Ok(false);
        }
        let now = self.visit.source.file(self.visit.segment)?;
        if now.identity() == self.cursor.file().identity() {
            return Ok(false);
        }
        self.replaced += 1;
        self.cursor = self.visit.source.cursor(self.visit.segment)?;
        self.summary = Summary::new(self.visit.segment, self.cursor.length());
        self.own = Own::default();
        self.skip = self.skip.max(Some(self.last)).filter(|last| *last > 0);
        (self.at, self.last) = (0, 0);
        self.told.clear();
        Ok(true)
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: self.last.checked_add(1).map(Lsn),
            doubt: None,
            expected: if self.last == 0 { "a record".to_owned() } else { format!("a record behind sequence {}", self.last) },
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.own.first_bad.get_or_insert(damage.span.start());
        self.summary.hurt(damage, self.sink)
    }

    fn warn_once(&mut self, name: &'static str, span: Span, text: String) {
        if !self.told.contains(&name) {
            self.told.push(name);
            self.summary.warnings.push(Warning { name, span, text });
        }
    }
}

/// Whether the sum of a record is right under a key.
fn agrees(cursor: &mut Cursor, key: &[u8; 32], head: &Head) -> bool {
    let Some(stored) = cursor.array::<SUM>(head.end() - SUM as u64).map(u64::from_le_bytes) else { return false };
    if head.length <= HELD {
        let bytes = cursor.bytes(head.at, usize::try_from(head.length).unwrap_or(0));
        return bytes.len() as u64 == head.length && sum_of(key, head, bytes) == Some(stored);
    }
    let Some(header) = cursor.array::<HEADER>(head.at) else { return false };
    let rest = head.behind_subject() + if head.has_headers { 4 } else { 0 };
    let pieces = [(head.at + HEADER as u64, u64::from(head.subject)), (rest, head.end() - SUM as u64 - rest)];
    let mut sum = begin(key, &header);
    for (at, length) in pieces {
        let taken = cursor.fold(at, length, sum, |mut sum, piece| {
            sum.append(piece);
            sum
        });
        match taken {
            Some(taken) => sum = taken,
            None => return false,
        }
    }
    sum.sum() == stored
}
