//! The pages of a segment and of those behind it, as one stream of bytes without page headers.
//!
//! Records run over pages and files, and each can claim a gigabyte. So every page is read and summed once, in order; a claim is then
//! answered from what is known of the pages that it runs over, and reads two of them at most.

use super::super::Visit;
use super::log::number_of;
use super::page::{LONG_HEADER, LONGEST, PAGE, PageHeader, RECORD_HEADER, RecordHeader, SHORT_HEADER, version_of};
use crate::disk::{Cursor, EntryKind, PrefixSums, WindowSums, crc32c, zero_prefix};
use crate::model::{Error, Result};

/// What stands where a page is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageStanding {
    /// A page of this log in its place.
    Current,
    /// Only zeros.
    Zeros,
    /// A page of an earlier position: what remains from an older use of the file.
    Old,
    /// Something else.
    Other,
    /// No bytes: the file ends, or the system refuses.
    Absent,
    /// The segment that it would be in is not there.
    NoSegment,
}

/// What is known of a page.
#[derive(Clone, Copy, Debug)]
pub struct PageFacts {
    /// What it is.
    pub stands: PageStanding,
    /// Its header; of no use unless the page is current.
    pub header: PageHeader,
    /// Where its content begins in the stream.
    start: u64,
    /// Up to there the record that began before it goes.
    pub ends: u64,
    /// The first page of those in a row up to this one that all go on with the same record.
    run: usize,
    /// The sum of the stream up to its content.
    prefix: u32,
}

impl PageFacts {
    fn room(&self) -> u64 {
        PAGE - self.header.length() as u64
    }

    fn goes_on(&self) -> bool {
        self.stands == PageStanding::Current && self.header.continues()
    }
}

/// Why no record stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRecord {
    /// A length of zero: the log ends here, or bytes are gone.
    Zero,
    /// A length that no record has.
    Length(u32),
    /// It does not follow the record before.
    Prev(u64),
    /// A sum that does not fit: stored, computed.
    Sum(u32, u32),
    /// A page that it should go on in is none of this log.
    Page(usize, PageStanding),
    /// A page goes on with another record, or with another part of it: how much is missing there, and how much should be.
    Rest(usize, u32, u64),
    /// The record is void: the log went on at this page.
    Void(usize),
}

/// Where the record before a record begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrevDue {
    /// Exactly there.
    At(u64),
    /// There or further on, and before the record itself.
    From(u64),
}

/// A whole record.
#[derive(Clone, Copy, Debug)]
pub struct WholeRecord {
    /// Its header.
    pub header: RecordHeader,
    /// Where it ends, counted from the start of the segment that it begins in.
    pub end: u64,
}

/// The pages from the start of a segment on.
pub struct Pages<'a> {
    visit: &'a Visit<'a>,
    /// Of the segment itself.
    pub cursor: Cursor,
    /// The latest segment behind it that was read.
    later: Option<(u64, Cursor)>,
    /// How long segments are.
    pub size: u64,
    /// The position of the segment's first byte.
    pub base: u64,
    pub magic: Option<u16>,
    timeline: Option<u32>,
    table: Vec<PageFacts>,
    window: WindowSums,
    windowed: Option<usize>,
    /// The latest end of a claim, and the sum of the stream up to there.
    ended: Option<(u64, u32)>,
}

impl<'a> Pages<'a> {
    /// Of a segment at `base`, read through `cursor`; its pages are of this timeline or older ones.
    pub fn new(visit: &'a Visit<'a>, cursor: Cursor, size: u64, base: u64, timeline: Option<u32>) -> Pages<'a> {
        Pages {
            visit,
            cursor,
            later: None,
            size,
            base,
            magic: None,
            timeline,
            table: Vec::new(),
            window: WindowSums::default(),
            windowed: None,
            ended: None,
        }
    }

    /// Forgets all pages: they may have changed.
    pub fn forget(&mut self) {
        self.table.clear();
        (self.windowed, self.ended, self.later) = (None, None, None);
    }

    /// How many pages a segment has.
    pub fn count(&self) -> usize {
        usize::try_from(self.size / PAGE).expect("at most 131,072")
    }

    /// What is known of a page, counted from the start of the segment.
    pub fn page(&mut self, index: usize) -> Result<PageFacts> {
        while self.table.len() <= index {
            self.load()?;
        }
        Ok(self.table[index])
    }

    /// Reads and sums the next page.
    fn load(&mut self) -> Result<()> {
        let index = self.table.len();
        let due = self.base.saturating_add(index as u64 * PAGE);
        let first = index.is_multiple_of(self.count());
        let (magic, timeline, before) = (self.magic, self.timeline, self.table.last().copied());
        let (start, prefix) = match before {
            None => (0, 0),
            Some(before) => (before.start + before.room(), self.sum_behind(index - 1, &before)?),
        };
        let none = PageHeader::none(first);
        let length = if first { LONG_HEADER } else { SHORT_HEADER };
        let (stands, header) = match self.bytes(index)? {
            None => (PageStanding::NoSegment, none),
            Some(bytes) if bytes.len() < PAGE as usize => (PageStanding::Absent, none),
            Some(bytes) => {
                let header = PageHeader::parse(bytes).unwrap_or(none);
                let known = version_of(header.magic).is_some();
                let ours = known && magic.is_none_or(|magic| magic == header.magic) && header.length() == length;
                let timely = timeline.is_none_or(|newest| header.timeline <= newest);
                if ours && timely && header.lsn == due {
                    (PageStanding::Current, header)
                } else if zero_prefix(bytes) == bytes.len() {
                    (PageStanding::Zeros, none)
                } else if known && header.lsn < due {
                    (PageStanding::Old, none)
                } else {
                    (PageStanding::Other, none)
                }
            }
        };
        if stands == PageStanding::Current {
            self.magic.get_or_insert(header.magic);
        }
        let mut facts = PageFacts { stands, header, start, ends: start + u64::from(header.rest), run: index, prefix };
        if let Some(before) = before.filter(|before| before.goes_on() && facts.goes_on() && before.ends == facts.ends) {
            facts.run = before.run;
        }
        self.table.push(facts);
        Ok(())
    }

    /// The sum of the stream behind a page.
    fn sum_behind(&mut self, index: usize, facts: &PageFacts) -> Result<u32> {
        let bytes = self.bytes(index)?.unwrap_or_default();
        Ok(crc32c(facts.prefix, bytes.get(facts.header.length()..).unwrap_or_default()))
    }

    /// The bytes of a page, fewer where the file ends; `None` when its segment is not there.
    pub fn bytes(&mut self, index: usize) -> Result<Option<&[u8]>> {
        let at = index as u64 * PAGE;
        if at < self.size {
            return Ok(Some(self.cursor.bytes(at, PAGE as usize)));
        }
        let start = self.base.saturating_add(at / self.size * self.size);
        if self.later.as_ref().is_none_or(|(known, _)| *known != start) {
            let wanted = start / self.size;
            let segment = self.visit.later().find(|segment| number_of(segment.sequence, self.size) == wanted);
            let Some(segment) = segment.filter(|segment| segment.kind == EntryKind::File) else { return Ok(None) };
            self.later = Some((start, self.visit.source.cursor_never_finished(segment)?));
        }
        Ok(self.later.as_mut().map(|(_, cursor)| cursor.bytes(at % self.size, PAGE as usize)))
    }

    /// The place in the stream of a byte of the segment.
    fn place(&mut self, at: u64) -> Result<u64> {
        let facts = self.page(index_of(at))?;
        Ok(facts.start + (at % PAGE).saturating_sub(facts.header.length() as u64))
    }

    /// Where the record that goes on in page `first` up to `ends` has its end, counted from the start of the segment; or what is wrong with
    /// the first page that does not go on with it.
    pub fn follow(&mut self, first: usize, ends: u64) -> Result<Result<u64, NoRecord>> {
        let facts = self.page(first)?;
        if !facts.goes_on() || facts.ends != ends {
            return Ok(Err(self.misfit(first, ends)));
        }
        loop {
            // Runs never go back: the first page that is not in this one ends it.
            let behind = first + self.table[first..].partition_point(|facts| facts.run <= first);
            let last = self.table[behind - 1];
            if ends <= last.start + last.room() {
                let within = first + self.table[first..behind].partition_point(|facts| facts.start + facts.room() < ends);
                let facts = self.table[within];
                return Ok(Ok(within as u64 * PAGE + ends - facts.start + facts.header.length() as u64));
            }
            if behind < self.table.len() {
                return Ok(Err(self.misfit(behind, ends)));
            }
            self.load()?;
        }
    }

    fn misfit(&self, index: usize, ends: u64) -> NoRecord {
        let facts = &self.table[index];
        if facts.stands != PageStanding::Current {
            return NoRecord::Page(index, facts.stands);
        }
        if facts.header.overwrites() {
            return NoRecord::Void(index);
        }
        let rest = if facts.header.continues() { facts.header.rest } else { 0 };
        NoRecord::Rest(index, rest, ends.saturating_sub(facts.start))
    }

    /// The whole record at `at`, a multiple of 8 behind the header of a page.
    pub fn record(&mut self, at: u64, due: PrevDue) -> Result<Result<WholeRecord, NoRecord>> {
        let (index, offset) = (index_of(at), usize::try_from(at % PAGE).expect("less than a page"));
        let room = PAGE as usize - offset;
        let here = room.min(RECORD_HEADER);
        let mut head = [0; RECORD_HEADER];
        let bytes = self.bytes(index)?.unwrap_or_default();
        match bytes.get(offset..offset + here) {
            Some(bytes) => head[..here].copy_from_slice(bytes),
            None => return Ok(Err(NoRecord::Page(index, PageStanding::Absent))),
        }
        let mut header = RecordHeader::parse(&head);
        if header.total == 0 {
            return Ok(Err(NoRecord::Zero));
        }
        if !(RECORD_HEADER as u32..=LONGEST).contains(&header.total) {
            return Ok(Err(NoRecord::Length(header.total)));
        }
        let lsn = self.base.saturating_add(at);
        let misplaced = |header: &RecordHeader| match due {
            PrevDue::At(due) => header.prev != due,
            PrevDue::From(least) => !(least..lsn).contains(&header.prev),
        };
        if here >= 16 && misplaced(&header) {
            return Ok(Err(NoRecord::Prev(header.prev)));
        }
        let total = header.total as usize;
        let (content, end) = if total <= room {
            let end = offset + total;
            let sum = match self.window.range(offset + RECORD_HEADER, end).filter(|_| self.windowed == Some(index)) {
                Some(sum) => sum,
                None => match self.bytes(index)?.unwrap_or_default().get(offset + RECORD_HEADER..end) {
                    Some(content) => crc32c(0, content),
                    None => return Ok(Err(NoRecord::Page(index, PageStanding::Absent))),
                },
            };
            (sum, at + total as u64)
        } else {
            let ends = self.place(at)? + total as u64;
            let end = match self.follow(index + 1, ends)? {
                Ok(end) => end,
                Err(stop) => return Ok(Err(stop)),
            };
            if here < RECORD_HEADER {
                let skip = self.table[index + 1].header.length();
                let next = self.bytes(index + 1)?.unwrap_or_default();
                head[here..].copy_from_slice(next.get(skip..skip + RECORD_HEADER - here).unwrap_or(&[0; RECORD_HEADER][here..]));
                header = RecordHeader::parse(&head);
                if misplaced(&header) {
                    return Ok(Err(NoRecord::Prev(header.prev)));
                }
            }
            let length = (total - RECORD_HEADER) as u64;
            let first = self.prefix(ends - length, index)?;
            let last = match self.ended.filter(|(known, _)| *known == ends) {
                Some((_, sum)) => sum,
                None => self.prefix(ends, index_of(end - 1))?,
            };
            self.ended = Some((ends, last));
            (PrefixSums::castagnoli_range(0, first, last, length), end)
        };
        let computed = crc32c(content, &head[..20]);
        Ok(if computed == header.crc { Ok(WholeRecord { header, end }) } else { Err(NoRecord::Sum(header.crc, computed)) })
    }

    /// Where in the stream the record ends that begins at `at`, or that the page there goes on with, if it says so.
    pub fn claimed_end(&mut self, at: u64) -> Result<Option<u64>> {
        let page = self.page(index_of(at))?;
        if at.is_multiple_of(PAGE) {
            return Ok((page.stands == PageStanding::Current).then_some(page.ends));
        }
        let total = self.cursor.array(at).map_or(0, u32::from_le_bytes);
        Ok(Some(self.place(at)? + u64::from(total)))
    }

    /// The sum of the stream up to `place`, which lies in page `index`, or in the next one.
    fn prefix(&mut self, place: u64, index: usize) -> Result<u32> {
        let facts = self.page(index)?;
        let index = if place > facts.start + facts.room() { index + 1 } else { index };
        let facts = self.page(index)?;
        let skip = facts.header.length();
        let count = usize::try_from(place - facts.start).expect("at most a page");
        let bytes = self.bytes(index)?.unwrap_or_default();
        Ok(crc32c(facts.prefix, bytes.get(skip..skip + count).unwrap_or_default()))
    }

    /// Takes the sums of a page whose every place is about to be tried.
    pub fn try_every_place(&mut self, index: usize) -> Result<()> {
        if self.windowed != Some(index) {
            let mut window = std::mem::take(&mut self.window);
            window.take(self.bytes(index)?.unwrap_or_default());
            (self.window, self.windowed) = (window, Some(index));
        }
        Ok(())
    }

    /// Hands over the content of the whole record at `at`, from behind its header.
    pub fn content(&mut self, at: u64, total: u32, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let (mut index, mut offset) = (index_of(at), usize::try_from(at % PAGE).expect("less than a page"));
        let (mut skip, mut left) = (RECORD_HEADER, total as usize);
        while left > 0 {
            let bytes = self.bytes(index)?.unwrap_or_default().get(offset..).unwrap_or_default();
            let piece = &bytes[..bytes.len().min(left)];
            if piece.is_empty() {
                return Err(Error::Input { what: format!("the record at byte {at} of {} is gone", self.visit.segment.name) });
            }
            left -= piece.len();
            let head = skip.min(piece.len());
            take(&piece[head..])?;
            skip -= head;
            index += 1;
            let first = index.is_multiple_of(self.count());
            offset = if first { LONG_HEADER } else { SHORT_HEADER };
        }
        Ok(())
    }
}

/// Which page a byte of the segment is in.
pub fn index_of(at: u64) -> usize {
    usize::try_from(at / PAGE).expect("no segment is longer than memory has addresses")
}
