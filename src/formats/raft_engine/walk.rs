//! Walking one file: batches become records, both of their sums checked, and what stands where a batch was due is looked into.

use super::group_items::{Does, items};
use super::header::{BATCH_HEADER, FileHeader, FileStart, LONG_HEADER, RaftBatch, SHORT_HEADER, file_start};
use super::log::{Own, name_of};
use crate::disk::{Cursor, crc32, pieces, zero_prefix};
use crate::formats::again::Rereads;
use crate::formats::resync::Sums;
use crate::formats::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use crate::model::{Damage, DamageKind, Error, Facts, Field, Look, Lsn, Payload, Record, Span, Value};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;
/// Batches longer than this are not held in memory.
const HELD: u64 = 8 << 20;

/// How much of a batch is as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    Whole,
    /// Its items are; its entries are not.
    Items,
    /// Its items bear the signature of another file.
    Signed(u32),
}

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) cursor: Cursor,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    pub(super) header: FileHeader,
    /// What sums are signed with; `None` where nothing told it yet.
    pub(super) key: Option<u32>,
    pub(super) rereads: Rereads,
    pub(super) sums: Option<Sums>,
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    let cursor = visit.source.cursor(visit.segment)?;
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, cursor.length()),
        cursor,
        own: Own::default(),
        at: 0,
        header: FileHeader { version: 2, alignment: 0, length: LONG_HEADER },
        key: name_of(&visit.segment.name).map(|(_, number)| number as u32),
        rereads: Rereads::default(),
        sums: None,
    };
    if state.begin()? {
        if let Some(mark) = visit.want.start {
            state.at = mark.offset;
        }
        state.run()?;
    }
    let Walker { mut summary, cursor, own, .. } = state;
    summary.length = cursor.length();
    summary.own = Some(Box::new(own));
    Ok(summary)
}

/// What stands at a place.
enum RaftStands {
    Batch(RaftBatch, Sound),
    /// Zeros up to here: what fills a file up to a multiple of its alignment.
    Filled(u64),
    FileEnds,
    Zeros,
    Bad,
}

impl Walker<'_, '_> {
    /// Reads the header of the file. False when there is nothing behind it.
    fn begin(&mut self) -> Result<bool, Halt> {
        loop {
            let bytes = self.cursor.bytes(0, LONG_HEADER as usize);
            let (given, zeros) = (bytes.len(), zero_prefix(bytes));
            match file_start(bytes) {
                FileStart::Header(header) => {
                    (self.header, self.at) = (header, header.length);
                    if header.version == 1 {
                        self.key = Some(0);
                    }
                    self.summary.valid_bytes = header.length;
                    return Ok(true);
                }
                _ if self.cursor.unmap_if_faulty() => continue,
                FileStart::Newer(version) => {
                    let what = format!("version {version} of the format");
                    return Err(Error::Unknown { path: self.visit.segment.path.clone(), offset: 53, what }.into());
                }
                FileStart::Short | FileStart::Bad => {
                    let stop = self.rereads.stop(&mut self.cursor, 0);
                    if self.rereads.tail_moves(&stop, &mut self.cursor, self.visit.want.live)? {
                        continue;
                    }
                    return self.headless(given, zeros);
                }
            }
        }
    }

    /// A file without its header. Batches may follow all the same.
    fn headless(&mut self, given: usize, zeros: usize) -> Result<bool, Halt> {
        let length = self.cursor.length();
        let refused = self.cursor.refused_at(0).or(self.cursor.next_refused(0).map(|(_, end)| end));
        let only_zeros = zeros == given && self.cursor.zeros_end(0) >= length;
        let unbegun = given < SHORT_HEADER as usize || only_zeros;
        let (kind, look, found) = match (refused, unbegun) {
            (Some(_), _) => (DamageKind::ReadError, Look::Refused, "bytes that the system refuses to give".to_owned()),
            (None, true) if only_zeros && length > 0 => (DamageKind::UnfinishedSegment, Look::Interrupted, "zeros".to_owned()),
            (None, true) => {
                (DamageKind::UnfinishedSegment, Look::Interrupted, format!("the end of the file after {length} bytes"))
            }
            (None, false) => (DamageKind::BadHeader, Look::Followed, "something else".to_owned()),
        };
        let end = if unbegun { length } else { LONG_HEADER.min(length) };
        let mut damage = self.bad(kind, 0, refused.unwrap_or(end), found);
        damage.expected = "the header of a file".to_owned();
        damage.facts = Facts::of(look);
        self.own.stops.get_or_insert(0);
        if look == Look::Interrupted {
            self.own.cut = Some(0);
        }
        self.hurt(damage)?;
        (self.summary.end, self.summary.ending) = (0, Ending::Damage);
        if unbegun || refused.is_some() {
            return Ok(false);
        }
        // Which version it is, the first batch tells.
        for (version, length) in [(1, SHORT_HEADER), (2, LONG_HEADER)] {
            let key = if version == 1 { Some(0) } else { self.key };
            self.header = FileHeader { version, alignment: 0, length };
            let saved = std::mem::replace(&mut self.key, key);
            if self.batch_at(length).is_some_and(|(_, sound)| sound == Sound::Whole) {
                self.at = length;
                return Ok(true);
            }
            self.key = saved;
        }
        self.at = LONG_HEADER;
        Ok(true)
    }

    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            match self.stands() {
                RaftStands::Batch(batch, Sound::Whole) => self.batch(&batch)?,
                RaftStands::Filled(next) => self.at = next,
                // Bytes of a mapping that could not be read look like zeros: read them again in a way that tells.
                _ if self.cursor.unmap_if_faulty() => {}
                RaftStands::FileEnds => {
                    (self.summary.end, self.summary.ending) = (self.at, Ending::FileEnds);
                    return Ok(());
                }
                RaftStands::Zeros => {
                    (self.summary.end, self.summary.ending) = (self.at, Ending::Zeros);
                    return Ok(());
                }
                RaftStands::Batch(..) | RaftStands::Bad => {
                    if !self.stop()? {
                        return Ok(());
                    }
                }
            }
            if self.at >= told + STRIDE {
                told = self.at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && self.at >= marked + STRIDE {
                marked = self.at;
                self.sink.mark(Mark { offset: marked, due: Lsn(0), seed: 0 })?;
            }
        }
    }

    fn stands(&mut self) -> RaftStands {
        let at = self.at;
        let bytes = self.cursor.bytes(at, BATCH_HEADER as usize);
        if bytes.is_empty() {
            return if self.cursor.refused_at(at).is_some() { RaftStands::Bad } else { RaftStands::FileEnds };
        }
        if zero_prefix(bytes) == bytes.len() || bytes.starts_with(&[0; 8]) {
            let end = self.cursor.zeros_end(at);
            if end >= self.cursor.length() && self.cursor.refused_at(end).is_none() {
                return RaftStands::Zeros;
            }
            let aligned = at.checked_next_multiple_of(self.header.alignment.max(1)).filter(|next| *next > at && *next <= end);
            return aligned.map_or(RaftStands::Bad, RaftStands::Filled);
        }
        self.batch_at(at).map_or(RaftStands::Bad, |(batch, sound)| RaftStands::Batch(batch, sound))
    }

    /// The batch at a place, if the file holds all of it and a sum of it fits.
    pub(super) fn batch_at(&mut self, at: u64) -> Option<(RaftBatch, Sound)> {
        let batch = RaftBatch::parse(self.cursor.array(at)?, at)?;
        if batch.end() > self.cursor.length() {
            return None;
        }
        let stored = self.cursor.array(batch.items_sum()).map(u32::from_le_bytes)?;
        let computed = self.cursor.fold(at + batch.items, batch.length - batch.items - 4, 0, crc32)?;
        let key = stored ^ computed;
        // A stream has no name, so its first batch tells the signature.
        if self.header.version != 1 && *self.key.get_or_insert(key) != key {
            return Some((batch, Sound::Signed(key)));
        }
        if self.header.version == 1 && key != 0 {
            return Some((batch, Sound::Signed(key)));
        }
        let entries = match batch.entries_sum() {
            None => true,
            Some(sum) => {
                let stored = self.cursor.array(sum).map(u32::from_le_bytes)?;
                self.cursor.fold(at + BATCH_HEADER, sum - at - BATCH_HEADER, 0, crc32) == Some(stored)
            }
        };
        Some((batch, if entries { Sound::Whole } else { Sound::Items }))
    }

    /// A whole batch.
    fn batch(&mut self, batch: &RaftBatch) -> Result<(), Halt> {
        self.summary.blank = false;
        self.summary.frames += 1;
        self.summary.records += 1;
        self.summary.valid_bytes += batch.length;
        self.at = batch.end();
        let lost = self.own.stops.is_some();
        self.own.behind += u64::from(lost);
        if self.visit.want.counts_only && !lost {
            return Ok(());
        }
        let held = batch.length <= HELD;
        let bytes = if held { self.cursor.bytes(batch.at, batch.length as usize) } else { &[] };
        let end = bytes.len().saturating_sub(4);
        let found = bytes.get(batch.items as usize..end).and_then(items).unwrap_or_default();
        if lost {
            for item in &found {
                if let Does::Entries { first, ends } = &item.does
                    && !ends.is_empty()
                {
                    self.own.lost(item.group, *first, first.saturating_add(ends.len() as u64 - 1));
                }
            }
        }
        if self.visit.want.counts_only {
            return Ok(());
        }
        let entries: usize =
            found.iter().map(|item| if let Does::Entries { ends, .. } = &item.does { ends.len() } else { 0 }).sum();
        let first = found.first().map(|item| item.group);
        let fields = [
            Field { name: "compression", value: Value::Text(if batch.lz4 { "lz4" } else { "none" }) },
            Field { name: "items_offset", value: Value::Number(batch.items) },
            Field { name: "items", value: Value::Number(found.len() as u64) },
            Field { name: "entries", value: Value::Number(entries as u64) },
        ];
        let record = Record {
            kind: "batch",
            tag: first.filter(|group| found.iter().all(|item| item.group == *group)),
            fields: if held { &fields } else { &fields[..2] },
            ..Record::at(Span::new(self.visit.segment.id, batch.at, batch.end()))
        };
        if held {
            return self.sink.record(&Record { payload: Payload::Whole(&bytes[BATCH_HEADER as usize..]), ..record });
        }
        let file = self.visit.source.file(self.visit.segment)?;
        let (at, length) = (batch.at + BATCH_HEADER, batch.length - BATCH_HEADER);
        let again = move |take: &mut dyn FnMut(&[u8]) -> crate::model::Result<()>| pieces(&*file, at, length, take);
        self.sink.record(&Record { payload: Payload::Long(length, &again), ..record })
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end.max(start)),
            lsn: None,
            doubt: None,
            expected: "a batch".to_owned(),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.summary.hurt(damage, self.sink)
    }
}
