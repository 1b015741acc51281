//! Walking one segment: its records, those that go on in later segments included, and what stands where a record was due.

use super::super::again::Rereads;
use super::super::{Ending, Halt, Mark, Sink, Summary, Visit, Walk};
use super::log::{Own, name_of, number_of};
use super::page::{ALIGN, PAGE, possible_size, segment_size, show};
use super::pages::{NoRecord, PageStanding, Pages, PrevDue, WholeRecord, index_of};
use crate::disk::{Segment, Source};
use crate::model::{Damage, DamageKind, Facts, Look, Lsn, Span, Warning};

/// How far a walk goes between two marks, and between two signs of life.
const STRIDE: u64 = 1 << 20;

/// A walk under way.
pub(super) struct Walker<'a, 's> {
    pub(super) visit: &'a Visit<'a>,
    pub(super) sink: &'a mut Sink<'s>,
    pub(super) pages: Pages<'a>,
    pub(super) summary: Summary,
    pub(super) own: Own,
    pub(super) at: u64,
    /// Where the record before begins, if it is known.
    pub(super) due: PrevDue,
    /// A page whose header is none of this log's, and that holds records that are.
    pub(super) tolerated: Option<usize>,
    pub(super) rereads: Rereads,
}

/// The size that segments of this log have, as far as their files tell.
fn listed_size(source: &Source) -> Option<u64> {
    source.segments.iter().map(|segment| segment.length).find(|length| possible_size(*length))
}

/// What a walk takes from the other files: how long a segment is.
pub(super) fn around(source: &Source, _: &Segment) -> String {
    listed_size(source).map_or_else(String::new, |size| size.to_string())
}

pub(super) fn walk(visit: &Visit<'_>, sink: &mut Sink<'_>) -> Walk {
    // What others follow may be written to all the same: segments are made ahead.
    let mut cursor = visit.source.cursor_never_finished(visit.segment)?;
    let name = name_of(&visit.segment.name);
    let head = cursor.bytes(0, PAGE as usize);
    let stated = segment_size(head);
    let header_lsn = super::page::PageHeader::parse(head).map_or(0, |header| header.lsn);
    let length = cursor.length();
    // Files have their full length; a damaged first page is no reason to doubt it, nor a cut one to believe it.
    let listed = || listed_size(visit.source);
    let size = stated.or(Some(length).filter(|length| possible_size(*length))).or_else(listed).unwrap_or(16 << 20);
    let base = name.map_or(header_lsn, |name| number_of(name.parts, size).saturating_mul(size));
    let mut state = Walker {
        visit,
        sink,
        summary: Summary::new(visit.segment, length),
        pages: Pages::new(visit, cursor, size, base, name.map(|name| name.timeline)),
        own: Own { size, base, ..Own::default() },
        at: 0,
        due: PrevDue::From(0),
        tolerated: None,
        rereads: Rereads::default(),
    };
    if let Some(mark) = visit.want.start {
        (state.at, state.due) = (mark.offset, if mark.seed > 0 { PrevDue::At(mark.seed) } else { PrevDue::From(0) });
    }
    state.run()?;
    let Walker { mut summary, pages, own, at, .. } = state;
    summary.length = pages.cursor.length();
    if own.current {
        summary.blank = false;
        summary.begins = Some(Lsn(base));
        summary.due = Some(Lsn(base.saturating_add(at.max(if own.through { size } else { 0 }))));
    }
    summary.own = Some(Box::new(own));
    Ok(summary)
}

impl Walker<'_, '_> {
    fn run(&mut self) -> Result<(), Halt> {
        let (mut told, mut marked) = (self.at, self.at);
        loop {
            if self.at >= self.pages.size {
                self.own.through = true;
                (self.summary.end, self.summary.ending) = (self.pages.size, Ending::FileEnds);
                return Ok(());
            }
            match self.step()? {
                Ok(()) => {}
                Err(_) if self.pages.cursor.unmap_if_faulty() => self.pages.forget(),
                Err(stop) => {
                    if !self.stop(stop)? {
                        return Ok(());
                    }
                }
            }
            let at = self.at.min(self.pages.size);
            if at >= told + STRIDE {
                told = at;
                self.sink.reached(told)?;
            }
            if self.visit.want.marks && at >= marked + STRIDE && at < self.pages.size {
                marked = at;
                let due = Lsn(self.pages.base.saturating_add(at));
                self.sink.mark(Mark { offset: at, due, seed: self.own.last.unwrap_or(0) })?;
            }
        }
    }

    /// Over a page's header, or over one record.
    fn step(&mut self) -> Result<Result<(), NoRecord>, Halt> {
        let index = index_of(self.at);
        let page = self.pages.page(index)?;
        if page.stands != PageStanding::Current && self.tolerated != Some(index) {
            return Ok(Err(NoRecord::Page(index, page.stands)));
        }
        self.own.current = true;
        if self.at.is_multiple_of(PAGE) {
            let behind = self.at + page.header.length() as u64;
            if !page.header.continues() {
                self.at = behind;
                return Ok(Ok(()));
            }
            if self.at > 0 || self.visit.want.start.is_some() {
                // The record before ended with the page before.
                return Ok(Err(NoRecord::Rest(index, page.header.rest, 0)));
            }
            // The rest of a record that began in an earlier segment: it is read with that one.
            return Ok(self.pages.follow(0, page.ends)?.map(|end| self.at = end.next_multiple_of(ALIGN)));
        }
        match self.pages.record(self.at, self.due)? {
            Ok(found) => self.record(&found)?,
            Err(NoRecord::Void(index)) if self.is_void(index)? => self.at = index as u64 * PAGE,
            Err(stop) => return Ok(Err(stop)),
        }
        Ok(Ok(()))
    }

    /// Whether the first record of a page that declares the record before void says so too: flags of pages are not protected.
    fn is_void(&mut self, index: usize) -> Result<bool, Halt> {
        let first = index as u64 * PAGE + self.pages.page(index)?.header.length() as u64;
        Ok(self.pages.record(first, self.due)?.is_ok_and(|found| found.header.voids()))
    }

    fn record(&mut self, found: &WholeRecord) -> Result<(), Halt> {
        let lsn = self.pages.base.saturating_add(self.at);
        self.own.first.get_or_insert((lsn, found.header.prev));
        self.own.last = Some(lsn);
        self.due = PrevDue::At(lsn);
        self.summary.records += 1;
        self.summary.frames += 1;
        self.summary.saw(Lsn(lsn), Lsn(lsn));
        let end = found.end.min(self.pages.size);
        self.summary.valid_bytes += end - self.at;
        let wanted = self.visit.want.lsns.is_none_or(|range| range.contains(Lsn(lsn)));
        if wanted && !self.visit.want.counts_only {
            self.deliver(found, lsn)?;
        }
        self.at = if found.header.is_switch() {
            // The rest of the segment that it ends in is unused.
            (found.end - 1) / self.pages.size * self.pages.size + self.pages.size
        } else {
            found.end.next_multiple_of(ALIGN)
        };
        Ok(())
    }

    pub(super) fn bad(&self, kind: DamageKind, start: u64, end: u64, found: String) -> Damage {
        let lsn = self.pages.base.saturating_add(start);
        Damage {
            kind,
            span: Span::new(self.visit.segment.id, start, end),
            lsn: Some(Lsn(lsn)),
            doubt: None,
            expected: format!("a record at {}", show(lsn)),
            found,
            facts: Facts::of(Look::Wrong),
        }
    }

    pub(super) fn hurt(&mut self, damage: Damage) -> Result<(), Halt> {
        self.own.hurt = true;
        self.sink.damage(&damage)?;
        self.summary.damage.push(damage);
        Ok(())
    }

    pub(super) fn warn(&mut self, name: &'static str, text: String) {
        let span = Span::new(self.visit.segment.id, self.at.min(self.pages.size), self.at.min(self.pages.size));
        self.summary.warnings.push(Warning { name, span, text });
    }
}
