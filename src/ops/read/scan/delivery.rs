//! What a scan delivers of each segment that it walks: records, damage as soon as something stands behind it, and how far it came.

use super::{Event, Scan, ScanStart, Shown, Stopped, Take, Way};
use crate::disk::Segment;
use crate::formats::{Halt, Item, Mark, Summary};
use crate::model::{Damage, Lsn, Record, Result};
use crate::ops::read::Position;
use crate::ops::read::select::Ascent;

/// What `Scan::forward` carries from item to item.
pub(in crate::ops::read) struct ScanReader<'s, 't> {
    scan: &'s Scan<'s>,
    pub(in crate::ops::read) take: &'t mut Take<'t>,
    ascent: Ascent,
    /// Where the scan before this one ended.
    begun_after: Option<&'s Position>,
    pub(in crate::ops::read) position: Option<Position>,
    pub(in crate::ops::read) after_damage: bool,
    /// The LSN that the segment before leaves due.
    pub(super) due: Option<Lsn>,
    /// Damage with nothing after it yet.
    held_back: Vec<Damage>,
    pub(super) way: Way,
    /// Where the last record began: a mark that is not after it leads to it again.
    last_start: u64,
    /// Bad regions in this segment.
    hurts: u64,
    pub(in crate::ops::read) stopped: Option<Stopped>,
    /// No record of this segment has come yet.
    fresh: bool,
    /// All of this segment was read before this scan.
    pub(super) passing: bool,
    /// So many records of this segment come once more: they were delivered already, in lots.
    pub(super) delivered: u64,
}

/// More damage than this in a row is not held back: it is no interrupted write any more.
const HELD_BACK: usize = 64;

impl<'s, 't> ScanReader<'s, 't> {
    pub(in crate::ops::read) fn new(
        scan: &'s Scan<'s>,
        begin: &ScanStart<'s>,
        ascent: Ascent,
        take: &'t mut Take<'t>,
    ) -> ScanReader<'s, 't> {
        ScanReader {
            scan,
            take,
            ascent,
            begun_after: begin.after,
            position: begin.after.cloned(),
            after_damage: begin.after_damage || begin.after.is_some_and(|p| p.after_damage),
            due: None,
            held_back: Vec::new(),
            way: Way { mark: None, ordinal: 0 },
            last_start: 0,
            hurts: 0,
            stopped: None,
            fresh: true,
            passing: false,
            delivered: 0,
        }
    }

    pub(in crate::ops::read) fn enter(&mut self, mark: Option<Mark>) {
        self.way = Way { mark, ordinal: 0 };
        self.hurts = 0;
        self.last_start = 0;
        self.fresh = true;
        self.delivered = 0;
    }

    pub(in crate::ops::read) fn item(&mut self, segment: &Segment, item: Item<'_>) -> Result<(), Halt> {
        match item {
            Item::Record(record) => self.record(segment, record),
            Item::Mark(mark) => {
                if mark.offset > self.last_start || self.way.ordinal == 0 {
                    self.way = Way { mark: Some(mark), ordinal: 0 };
                }
                Ok(())
            }
            Item::Hurt(damage) => {
                self.hurts += 1;
                if self.passed(segment, damage.span.start()) || self.stopped.is_some() {
                    return Ok(());
                }
                self.held_back.push(damage.clone());
                if self.held_back.len() > HELD_BACK { self.let_out(segment) } else { Ok(()) }
            }
            Item::Reached(offset) => (self.take)(Event::Reached(segment, offset)),
        }
    }

    fn record(&mut self, segment: &Segment, record: &Record<'_>) -> Result<(), Halt> {
        let way = self.way;
        self.way.ordinal += 1;
        self.last_start = record.span.start();
        // Enough was delivered; the walk goes on only to learn what its damage means.
        if self.stopped.is_some() || self.passing {
            return Ok(());
        }
        if let Some(position) = self.begun_after
            && position.covers(&segment.name, record)
        {
            self.fresh = false;
            return Ok(());
        }
        if self.fresh {
            self.fresh = false;
            self.after_damage = self.comes_after_damage(record.lsn);
        }
        if self.delivered > 0 {
            self.delivered -= 1;
            self.advance(segment, record, way);
            return Ok(());
        }
        if !self.held_back.is_empty() {
            self.let_out(segment)?;
        }
        if self.ascent.is_past(record) {
            return self.stop(Stopped::Past);
        }
        if self.scan.selection.head(record) {
            let matched = self.scan.selection.body(record)?;
            if matched || self.scan.neighbours {
                let shown = Shown { record, segment, matched, after_damage: self.after_damage, way };
                match (self.take)(Event::Record(&shown)) {
                    Ok(()) => {}
                    Err(Halt::Enough) => {
                        self.advance(segment, record, way);
                        return self.stop(Stopped::Enough);
                    }
                    failed => return failed,
                }
            }
        }
        self.advance(segment, record, way);
        Ok(())
    }

    /// Whether a bad region stands before what is read, if this is the LSN of the first record of a segment.
    pub(in crate::ops::read) fn comes_after_damage(&self, first: Option<Lsn>) -> bool {
        // Records are gone between this segment and the one before; the join will say so at the end.
        self.after_damage || matches!((self.due, first), (Some(due), Some(lsn)) if lsn > due)
    }

    /// The reader has enough. With damage in this segment the walk goes on to its end without delivering: what the damage means is
    /// known only there.
    fn stop(&mut self, why: Stopped) -> Result<(), Halt> {
        self.stopped = Some(why);
        if self.hurts == 0 { Err(Halt::Enough) } else { Ok(()) }
    }

    fn advance(&mut self, segment: &Segment, record: &Record<'_>, way: Way) {
        match &mut self.position {
            Some(position) if position.segment == segment.name => {
                position.offset = record.span.start();
                position.lsn = record.lsn;
                position.mark = way.mark;
                position.after_damage = self.after_damage;
            }
            other => {
                *other = Some(Position {
                    segment: segment.name.clone(),
                    offset: record.span.start(),
                    lsn: record.lsn,
                    mark: way.mark,
                    after_damage: self.after_damage,
                });
            }
        }
    }

    /// Whether what begins at `offset` was told before this scan.
    fn passed(&self, segment: &Segment, offset: u64) -> bool {
        self.passing || self.begun_after.is_some_and(|p| p.segment == segment.name && offset < p.offset)
    }

    fn let_out(&mut self, segment: &Segment) -> Result<(), Halt> {
        self.after_damage = true;
        for damage in std::mem::take(&mut self.held_back) {
            (self.take)(Event::Damage(segment, &damage))?;
        }
        Ok(())
    }

    /// At the end of a segment. Small segments have no other place at which a reader learns how far it came.
    pub(super) fn leave(&mut self, segment: &Segment, summary: &Summary) -> Result<()> {
        let due = !self.held_back.is_empty() && (segment.followed || !self.scan.growing);
        let let_out = if due { self.let_out(segment) } else { Ok(()) };
        match let_out.and_then(|()| (self.take)(Event::Reached(segment, summary.length))) {
            Ok(()) => {}
            Err(Halt::Enough) => self.stopped = self.stopped.or(Some(Stopped::Enough)),
            Err(Halt::Failed(error)) => return Err(error),
        }
        self.held_back.clear();
        self.due = summary.due.or(self.due);
        Ok(())
    }
}
