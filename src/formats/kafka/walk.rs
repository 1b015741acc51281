//! Walking one segment: its batches, and whether their offsets go on.

use super::super::again::Rereads;
use super::super::resync::Sums;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::batch::{BatchHeader, COVERED, HEADER, old_message};
use super::index::Index;
use super::log::{self, Own};
use crate::disk::{Cursor, crc32c, pieces, zero_prefix};
use crate::model::{Damage, DamageKind, Error, Facts, Field, Look, Lsn, Payload, Record, Result, Span, Time, Value, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// Records longer than this are not held in memory.
const HELD: u64 = 8 << 20;

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    /// The offset that the next batch should begin with; `None` where nothing tells.
    pub(super) due: Option<u64>,
    /// A bad region ends here: a jump in offsets is its doing.
    pub(super) after_damage: bool,
    pub(super) rereads: Rereads,
    /// Sums for a search, kept from one to the next.
    pub(super) sums: Option<Sums>,
    /// The index beside the segment.
    pub(super) index: Option<Index>,
    told_gap: bool,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    // Before the segment is opened: an entry is written after what it points to.
    let beside = !visit.source.alone && visit.want.start.is_none();
    let index = beside.then(|| Index::beside(visit.source, visit.segment));
    let cursor = visit.source.cursor(visit.segment)?;
    let named = log::base_of(&visit.segment.name);
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        sums: None,
        index,
        cursor,
        own: Own::default(),
        at: 0,
        due: named,
        after_damage: named.is_none(),
        rereads: Rereads::default(),
        told_gap: false,
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.due, state.after_damage) = (mark.offset, Some(mark.due.0), false);
    }
    state.summary.begins = named.map(Lsn);
    state.run()?;
    state.index_ends();
    let Walker { mut summary, cursor, own, due, .. } = state;
    summary.length = cursor.length();
    summary.due = due.map(Lsn);
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match self.whole_at(self.at) {
                Some(header) => self.batch(&header)?,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                None if self.cursor.unmap_if_faulty() => {}
                None => {
                    if let Some(ending) = self.ends() {
                        (self.summary.end, self.summary.ending) = (self.at, ending);
                        return Ok(());
                    }
                    self.refuse_old()?;
                    if !self.stop()? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if let Some(due) = self.due.filter(|_| self.visit.want.marks && self.at >= marked + STRIDE && !self.after_damage) {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(due), seed: 0 })?;
            }
        }
    }

    /// What the index says besides, now that the end of the data is known.
    fn index_ends(&mut self) {
        let Some(mut index) = self.index.take() else { return };
        if self.summary.ending == Ending::Damage {
            index.pass(u64::MAX);
        }
        let due = self.due.unwrap_or(u64::MAX);
        if let Some(wrong) = index.end(self.visit.source, self.at, due) {
            let text = format!(
                "{wrong}; a broker finds offsets through its index files, and readers can miss records; stop it and remove this segment's .index and \
                 .timeindex: it makes them anew"
            );
            self.warn("index-mismatch", text);
        }
    }

    /// How the data ends here, if it does.
    pub(super) fn ends(&mut self) -> Option<Ending> {
        let piece = self.cursor.bytes(self.at, HEADER);
        let (given, zeros) = (piece.len(), zero_prefix(piece));
        if given == 0 {
            return self.cursor.refused_at(self.at).is_none().then_some(Ending::FileEnds);
        }
        if zeros < given {
            return None;
        }
        let end = self.cursor.zeros_end(self.at);
        let more = end < self.cursor.length() || !self.cursor.bytes(end, 1).is_empty() || self.cursor.refused_at(end).is_some();
        (!more).then_some(Ending::Zeros)
    }

    /// The header of a whole batch at a place.
    pub(super) fn whole_at(&mut self, at: u64) -> Option<BatchHeader> {
        let header = BatchHeader::parse(&self.cursor.array(at)?);
        (header.plausible() && self.sum(at, &header)? == header.crc).then_some(header)
    }

    /// What the sum over a batch comes out as; `None` when the file ends inside it.
    pub(super) fn sum(&mut self, at: u64, header: &BatchHeader) -> Option<u32> {
        let length = header.length().checked_sub(COVERED as u64)?;
        self.cursor.fold(at + COVERED as u64, length, 0, crc32c)
    }

    /// Messages of the layouts before Kafka 0.11 are whole, and nothing here reads them.
    fn refuse_old(&mut self) -> Result<(), Halt> {
        let at = self.at;
        match old_message(self.cursor.bytes(at, 1 << 20)) {
            Some(magic) => {
                let what = format!("a message of Kafka's layout {magic}, from before version 0.11,");
                Err(Error::Unknown { path: self.visit.segment.path.clone(), offset: at, what }.into())
            }
            None => Ok(()),
        }
    }

    /// A whole batch.
    fn batch(&mut self, header: &BatchHeader) -> Result<(), Halt> {
        let (start, end) = (self.at, self.at + header.length());
        self.order(header, end)?;
        if let Some(index) = &mut self.index {
            index.batch(start, header.base);
        }
        self.own.compacted |= header.is_compacted();
        if !self.summary.damage.is_empty() {
            self.own.behind += 1;
        }
        self.summary.blank = false;
        self.summary.records += 1;
        self.summary.frames += 1;
        self.summary.valid_bytes += end - start;
        self.summary.saw(Lsn(header.base), Lsn(header.last()));
        self.at = end;
        self.after_damage = false;
        let lsns = self.visit.want.lsns;
        let wanted = lsns.is_none_or(|range| range.first.0 <= header.last() && header.base <= range.last.0);
        if self.visit.want.counts_only || !wanted {
            return Ok(());
        }
        self.deliver(start, header)
    }

    /// Compares where a batch begins with where it should. The base offset is outside the sum: where the batch behind goes on as if this
    /// one stood where it was due, only this number is wrong.
    fn order(&mut self, header: &BatchHeader, end: u64) -> Result<(), Halt> {
        let Some(due) = self.due.replace(header.next()) else { return Ok(()) };
        if header.base == due || self.after_damage && header.base > due {
            return Ok(());
        }
        let should_end = due.saturating_add(u64::from(header.last_delta.unsigned_abs()) + 1);
        let behind = self.cursor.array(end).map(|bytes| BatchHeader::parse(&bytes)).filter(BatchHeader::plausible);
        if !self.after_damage && behind.is_some_and(|behind| behind.base == should_end) {
            self.due = Some(should_end);
            let found = format!(
                "base offset {}, and the batch behind it goes on with {should_end}: the number of this batch changed; its records are as they were",
                header.base
            );
            let kind = if header.base > due { DamageKind::LsnGap } else { DamageKind::LsnBack };
            return self.misplaced(kind, Look::Followed, due, found);
        }
        if header.base > due {
            self.own.compacted = true;
            if !self.told_gap {
                self.told_gap = true;
                let text = format!(
                    "offset {due} was due at {}, and {} stands there: in a compacted topic such gaps are normal, in any other these records \
                     are gone; only the first gap of a segment is told",
                    self.at, header.base
                );
                self.warn("sequence-gap", text);
            }
            return Ok(());
        }
        let found =
            format!("base offset {}: offsets that were given before come again, which a broker never writes", header.base);
        self.misplaced(DamageKind::LsnBack, Look::Mixed, due, found)
    }

    fn misplaced(&mut self, kind: DamageKind, look: Look, due: u64, found: String) -> Result<(), Halt> {
        let mut damage = self.bad(kind, self.at, self.at, found);
        damage.lsn = Some(Lsn(due));
        damage.expected = format!("offset {due} next");
        damage.facts = Facts::of(look);
        self.hurt(damage)
    }

    pub(super) fn warn(&mut self, name: &'static str, text: String) {
        let span = Span::new(self.visit.segment.id, self.at, self.at);
        self.summary.warnings.push(Warning { name, span, text });
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: self.due.map(Lsn),
            doubt: None,
            expected: "a record batch".into(),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        if self.summary.damage.is_empty() && damage.span.length > 0 {
            self.own.first_bad = Some(damage.span.start());
        }
        self.sink.damage(&damage)?;
        self.summary.damage.push(damage);
        Ok(())
    }

    /// Hands over a batch: its records as they are stored.
    fn deliver(&mut self, start: u64, header: &BatchHeader) -> Result<(), Halt> {
        let signed = |name, number| Field { name, value: Value::Signed(number) };
        let mut fields = vec![signed("records", i64::from(header.count))];
        fields.push(Field { name: "last_offset", value: Value::Number(header.last()) });
        fields.push(Field { name: "compression", value: Value::Text(header.compression().name()) });
        fields.push(signed("leader_epoch", i64::from(header.epoch)));
        if header.producer >= 0 {
            fields.push(signed("producer_id", header.producer));
            fields.push(signed("producer_epoch", i64::from(header.producer_epoch)));
            fields.push(signed("sequence", i64::from(header.sequence)));
        }
        for (name, set) in [
            ("transactional", header.is_transactional()),
            ("append_time", header.is_append_time()),
            ("delete_horizon", header.attributes & 64 != 0),
        ] {
            if set {
                fields.push(Field { name, value: Value::Flag(true) });
            }
        }
        fields.push(signed("first_timestamp", header.first_time));
        fields.push(signed("max_timestamp", header.max_time));
        let (at, length) = (start + HEADER as u64, header.length() - HEADER as u64);
        let record = Record {
            lsn: Some(Lsn(header.base)),
            last_lsn: (header.last_delta > 0).then_some(Lsn(header.last())),
            kind: if header.is_control() { "control" } else { "batch" },
            time: u64::try_from(header.max_time).ok().and_then(|ms| ms.checked_mul(1000)).map(Time),
            tag: u64::try_from(header.producer).ok(),
            fields: &fields,
            ..Record::at(Span::new(self.visit.segment.id, start, start + header.length()))
        };
        if length <= HELD {
            let stored = self.cursor.bytes(at, usize::try_from(length).expect("a few megabytes"));
            return self.sink.record(&Record { payload: Payload::Whole(stored), ..record });
        }
        let file = self.visit.source.file(self.visit.segment)?;
        let again = move |take: &mut dyn FnMut(&[u8]) -> Result<()>| pieces(&*file, at, length, take);
        self.sink.record(&Record { payload: Payload::Long(length, &again), ..record })
    }
}
