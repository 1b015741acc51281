//! Reading a log from a place on: the records that are wanted, the damage between them, and what was established at the end.

use super::follow::Passed;
use super::seek::{Chosen, segments_of_use};
use super::select::Ascent;
use crate::disk::{EntryKind, Segment, Source};
use crate::formats::{Format, Halt, Item, Mark, Summary, Want};
use crate::model::{Damage, Keys, Lsn, Record, Result};
use crate::ops::read::{Position, Selection};
use crate::ops::settle::settle_what_is_left;
use crate::ops::walk::{self, LogView};
use crate::ops::{far::sure, open::is_gone};

/// A log, and what is wanted of it.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'a> {
    /// Its segments.
    pub source: &'a Source,
    /// How they are read.
    pub format: &'static Format,
    /// Keys for encrypted payloads.
    pub keys: &'a Keys,
    /// The conditions.
    pub selection: &'a Selection,
    /// Payloads are wanted, not only what stands around them.
    pub payloads: bool,
    /// Everything as it lies there: fragments, padding, control frames.
    pub frames: bool,
    /// Records that fail the condition on content alone are delivered too: they stand around those that are wanted.
    pub neighbours: bool,
    /// The log is still growing: damage with nothing after it is not reported, for it may be a write under way.
    pub growing: bool,
    /// A writer holds the log.
    pub live: bool,
}

/// What a scan delivers, in the order of the log.
#[derive(Debug)]
pub enum Event<'a> {
    /// A record.
    Record(&'a Shown<'a>),
    /// A bad region, before anything after it. What it means is known only at the end.
    Damage(&'a Segment, &'a Damage),
    /// Reading has come this far.
    Reached(&'a Segment, u64),
}

/// A record as a scan delivers it.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a> {
    /// It.
    pub record: &'a Record<'a>,
    /// Its segment.
    pub segment: &'a Segment,
    /// It meets all conditions; otherwise it only stands beside one that does.
    pub matched: bool,
    /// A bad region stands before it in what was read.
    pub after_damage: bool,
    /// How to come back to it.
    pub way: Way,
}

/// How to come back to a record: the place where a walk can begin, and how many records follow until it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// Where to begin; at the start of the segment when absent.
    pub mark: Option<Mark>,
    /// How many records come before it from there.
    pub ordinal: u64,
}

/// Where a scan delivers. `Halt::Enough` ends it.
pub type Take<'t> = dyn FnMut(Event<'_>) -> Result<(), Halt> + 't;

/// Where a scan begins.
#[derive(Debug, Default)]
pub struct ScanStart<'a> {
    /// The first segment to read.
    pub segment: usize,
    /// A place in it; its start when absent.
    pub mark: Option<Mark>,
    /// Records up to this place were read already, and are passed over.
    pub after: Option<&'a Position>,
    /// A bad region stands before it.
    pub after_damage: bool,
    /// See [`Want::zeros_seen`].
    pub zeros_seen: bool,
}

/// Why a scan ended before the end of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The receiver had enough.
    Enough,
    /// Nothing that follows can be wanted.
    Past,
}

/// What a scan established.
#[derive(Debug)]
pub struct ScanOutcome {
    /// The segments that were read; the ids in `damage` are theirs.
    pub source: Source,
    /// What the walks found, one for each segment that was read to its end.
    pub summaries: Vec<Summary>,
    /// All damage, in the order of the log, with what it means complete.
    pub damage: Vec<Damage>,
    /// Damage beyond what is listed.
    pub more_damage: u64,
    /// Why reading ended early, if it did.
    pub stopped: Option<Stopped>,
    /// Up to where records were read.
    pub position: Option<Position>,
    /// Where segments went while the log was read, before they could be.
    pub passed: Vec<Passed>,
}

impl ScanOutcome {
    /// Of a scan that did not have to read anything.
    #[must_use]
    pub fn nothing(source: &Source) -> ScanOutcome {
        ScanOutcome {
            source: source.narrow(0..0),
            summaries: Vec::new(),
            damage: Vec::new(),
            more_damage: 0,
            stopped: Some(Stopped::Enough),
            position: None,
            passed: Vec::new(),
        }
    }
}

impl<'a> Scan<'a> {
    /// Reads from `begin` to the end, or until `take` has enough.
    pub fn forward(&self, begin: &ScanStart<'a>, take: &mut Take<'_>) -> Result<ScanOutcome> {
        let chosen = if begin.segment == 0 && begin.after.is_none() {
            segments_of_use(self.source, self.format, self.keys, self.selection.scope())?
        } else {
            Chosen { range: begin.segment..self.source.segments.len(), ascending: false }
        };
        let to_the_end = chosen.range.end == self.source.segments.len();
        let mut source = self.source.narrow(chosen.range);
        let mut reader = ScanReader {
            scan: self,
            take,
            ascent: Ascent::up_to(self.selection.lsns.filter(|_| chosen.ascending).map(|range| range.last)),
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
        };
        // Segments before the position are read only for what later ones need of them.
        let passed = begin.after.and_then(|p| source.segments.iter().position(|s| s.name == p.segment)).unwrap_or(0);
        let mut summaries: Vec<Summary> = Vec::new();
        let mut parted: Vec<Passed> = Vec::new();
        while let Some(segment) = source.segments.get(summaries.len()) {
            let index = summaries.len();
            let apart = parted.last().is_some_and(|passed| passed.index == index);
            if !apart && !self.catch_up(&source, &mut summaries, &mut reader)? {
                break;
            }
            let mark = begin.mark.filter(|_| index == 0 && !apart);
            reader.enter(mark);
            reader.passing = index < passed;
            let want = Want { zeros_seen: begin.zeros_seen, ..self.want(mark, false) };
            let log = LogView { source: &source, ..self.log() };
            match walk::one(log, segment, want, &mut |item| reader.item(segment, item)) {
                Ok(Some(summary)) => {
                    reader.leave(segment, &summary)?;
                    summaries.push(summary);
                }
                Ok(None) => break,
                // Nothing of it was read: it went between listing and opening.
                Err(error) if is_gone(&error, segment) && parted.len() < LISTINGS => {
                    let gone = segment.name.clone();
                    let Some(joined) = self.list_again(&mut source, index, to_the_end)? else { return Err(error) };
                    if !joined {
                        let next = source.segments.get(index).map(|s| s.name.clone());
                        parted.push(Passed { gone, next, due: reader.due, index });
                    }
                    continue;
                }
                Err(error) => return Err(error),
            }
            if reader.stopped.is_some() {
                break;
            }
        }
        let (stopped, position) = (reader.stopped, reader.position);
        if stopped.is_none() && parted.is_empty() {
            settle_what_is_left(LogView { source: &source, ..self.log() }, self.want(None, true), &mut summaries)?;
        }
        Ok(ScanOutcome { passed: parted.clone(), ..finish(self.format, source, summaries, &parted, stopped, position)? })
    }

    /// Delivers what came to segments after the place that they were read to: another system may have begun the next one before the end
    /// of the last one had left its memory, or while it was read. False when the receiver has enough.
    fn catch_up(&self, source: &Source, summaries: &mut [Summary], reader: &mut ScanReader<'_, '_>) -> Result<bool> {
        if source.alone || self.format.ours.is_some() {
            return Ok(true);
        }
        let first = summaries.iter().rposition(|s| !s.blank).unwrap_or(0);
        for (index, summary) in summaries.iter_mut().enumerate().skip(first) {
            let Some(segment) = source.segments.get(index).filter(|s| s.kind == EntryKind::File) else { continue };
            let length = match source.file(segment) {
                // It was read, and nobody can read what came to it since.
                Err(error) if is_gone(&error, segment) => summary.length,
                file => file?.length()?,
            };
            if length == summary.length {
                continue;
            }
            reader.enter(None);
            let shown = summary.end;
            let mut more = |item: Item<'_>| match item {
                Item::Record(record) if record.span.start() < shown => {
                    reader.way.ordinal += 1;
                    Ok(())
                }
                Item::Hurt(damage) if damage.span.start() < shown => Ok(()),
                item => reader.item(segment, item),
            };
            let log = LogView { source, ..self.log() };
            match walk::one(log, segment, self.want(None, false), &mut more)? {
                Some(again) => *summary = again,
                None => return Ok(false),
            }
            reader.leave(segment, summary)?;
        }
        Ok(reader.stopped.is_none())
    }

    /// Lists the log again because the segment at `index` is gone, and puts what is to be read after those that were read. Whether
    /// these are still there, so that what follows must join with them; `None` when the listing still has the segment.
    fn list_again(&self, source: &mut Source, index: usize, to_the_end: bool) -> Result<Option<bool>> {
        let again = self.format.listed_again(source)?;
        let key = |segment: &Segment| (segment.sequence, segment.name.clone());
        let (read, rest) = source.segments.split_at(index);
        let (Some(gone), Some(last)) = (rest.first().map(key), rest.last().map(key)) else { return Ok(None) };
        if source.alone || again.segments.iter().any(|segment| segment.name == gone.1) {
            return Ok(None);
        }
        let before = read.last().map(key);
        let first = source.segments.first().map(key);
        let behind = |segment: &&Segment| match &before {
            Some(read) => key(segment) > *read,
            None => Some(key(segment)) >= first,
        };
        let wanted = |segment: &&Segment| behind(segment) && (to_the_end || key(segment) <= last);
        let more: Vec<Segment> = again.segments.iter().filter(wanted).cloned().collect();
        let joined = before.is_none_or(|read| again.segments.iter().any(|segment| segment.name == read.1));
        source.segments.truncate(index);
        source.segments.extend(more);
        *source = source.narrow(0..source.segments.len());
        Ok(Some(joined && index > 0))
    }

    pub(super) fn log(&self) -> LogView<'a> {
        LogView { source: self.source, format: self.format, keys: self.keys }
    }

    /// Walks one segment, delivering its items as they come; `only_counts` says that payloads are not shown. `None` when `take` had
    /// enough.
    pub(super) fn walk(
        &self,
        index: usize,
        mark: Option<Mark>,
        only_counts: bool,
        take: &mut dyn FnMut(Item<'_>) -> Result<(), Halt>,
    ) -> Result<Option<Summary>> {
        walk::one(self.log(), &self.source.segments[index], self.want(mark, only_counts), take)
    }

    fn want(&self, start: Option<Mark>, only_counts: bool) -> Want {
        Want {
            payloads: self.payloads && !only_counts || self.selection.content.is_some(),
            frames: self.frames,
            lsns: self.selection.lsns,
            since: self.selection.since,
            live: self.live,
            marks: true,
            start,
            ..Want::default()
        }
    }
}

/// What `Scan::forward` carries from item to item.
struct ScanReader<'a, 't> {
    scan: &'a Scan<'a>,
    take: &'t mut Take<'t>,
    ascent: Ascent,
    /// Where the scan before this one ended.
    begun_after: Option<&'a Position>,
    position: Option<Position>,
    after_damage: bool,
    /// The LSN that the segment before leaves due.
    due: Option<Lsn>,
    /// Damage with nothing after it yet.
    held_back: Vec<Damage>,
    way: Way,
    /// Where the last record began: a mark that is not after it leads to it again.
    last_start: u64,
    /// Bad regions in this segment.
    hurts: u64,
    stopped: Option<Stopped>,
    /// No record of this segment has come yet.
    fresh: bool,
    /// All of this segment was read before this scan.
    passing: bool,
}

/// How often a log is listed anew because a segment is gone.
const LISTINGS: usize = 1000;
/// More damage than this in a row is not held back: it is no interrupted write any more.
const HELD_BACK: usize = 64;

impl ScanReader<'_, '_> {
    fn enter(&mut self, mark: Option<Mark>) {
        self.way = Way { mark, ordinal: 0 };
        self.hurts = 0;
        self.last_start = 0;
        self.fresh = true;
    }

    fn item(&mut self, segment: &Segment, item: Item<'_>) -> Result<(), Halt> {
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
            // Records are gone between this segment and the one before; the join will say so at the end.
            self.after_damage |= matches!((self.due, record.lsn), (Some(due), Some(lsn)) if lsn > due);
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
    fn leave(&mut self, segment: &Segment, summary: &Summary) -> Result<()> {
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

/// Joins what the walks found over the segments that were read to their end. What lies on either side of segments that went meanwhile
/// is joined by itself: what is missing there was let go.
pub(super) fn finish(
    format: &Format,
    source: Source,
    mut summaries: Vec<Summary>,
    parted: &[Passed],
    stopped: Option<Stopped>,
    position: Option<Position>,
) -> Result<ScanOutcome> {
    let read = source.narrow(0..summaries.len());
    let mut between = Vec::new();
    let mut from = 0;
    for to in parted.iter().map(|passed| passed.index).chain([summaries.len()]) {
        if from < to {
            let part = read.narrow(from..to);
            let mut found = (format.join)(&part, &mut summaries[from..to]);
            for damage in &mut found {
                damage.span.place.segment = read.segments[from + damage.span.place.segment.index()].id;
            }
            between.extend(found);
        }
        from = to;
    }
    let more_damage = summaries.iter().map(|s| s.damage.beyond()).sum();
    let mut damage: Vec<Damage> = summaries.iter().flat_map(|s| s.damage.kept()).cloned().chain(between).collect();
    damage.sort_by_key(|d| d.span.place);
    sure(&read, damage.iter().map(|damage| damage.span.place.segment))?;
    Ok(ScanOutcome { source: read, summaries, damage, more_damage, stopped, position, passed: Vec::new() })
}
