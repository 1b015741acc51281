//! Reading a log from a place on: the records that are wanted, the damage between them, and what was established at the end.

mod ahead;
mod delivery;

use self::ahead::{AheadTasks, WalkedAhead};
pub use self::ahead::{Helper, Lot, Maker, WalkAhead};
use self::delivery::ScanReader;
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
    /// What was made of records on another thread, in place of them: see [`Scan::forward_ahead`].
    Lot(&'a Segment, &'a Lot),
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
        self.read(begin, None, take)
    }

    /// Reads all of it, with other threads that walk finished segments ahead, where that can be done: then `take` is given [`Event::Lot`]
    /// where records were made into something there.
    pub fn forward_ahead(&self, ahead: Option<&WalkAhead<'_>>, take: &mut Take<'_>) -> Result<ScanOutcome> {
        self.read(&ScanStart::default(), ahead, take)
    }

    fn read(&self, begin: &ScanStart<'a>, ahead: Option<&WalkAhead<'_>>, take: &mut Take<'_>) -> Result<ScanOutcome> {
        let chosen = if begin.segment == 0 && begin.after.is_none() {
            segments_of_use(self.source, self.format, self.keys, self.selection.scope())?
        } else {
            Chosen { range: begin.segment..self.source.segments.len(), ascending: false }
        };
        let to_the_end = chosen.range.end == self.source.segments.len();
        let source = self.source.narrow(chosen.range);
        let ascent = Ascent::up_to(self.selection.lsns.filter(|_| chosen.ascending).map(|range| range.last));
        let board = ahead.filter(|_| !ascent.is_bound()).and_then(|ahead| AheadTasks::of(ahead, self, &source));
        let reader = ScanReader::new(self, begin, ascent, take);
        match board {
            Some(board) => board.beside(self, || self.read_on(begin, source, to_the_end, reader, Some(&board))),
            None => self.read_on(begin, source, to_the_end, reader, None),
        }
    }

    fn read_on<'s>(
        &'s self,
        begin: &ScanStart<'s>,
        mut source: Source,
        to_the_end: bool,
        mut reader: ScanReader<'s, '_>,
        board: Option<&AheadTasks<'_>>,
    ) -> Result<ScanOutcome> {
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
            let turn = board.map_or(Ok(WalkedAhead::Walk(0)), |board| board.take_turn(index, segment, &mut reader))?;
            let walked = match turn {
                WalkedAhead::Made(made) => Ok(made.map(|summary| *summary)),
                WalkedAhead::Walk(delivered) => {
                    reader.delivered = delivered;
                    walk::one(log, segment, want, &mut |item| reader.item(segment, item))
                }
            };
            match walked {
                Ok(Some(summary)) => {
                    reader.leave(segment, &summary)?;
                    summaries.push(summary);
                }
                Ok(None) => break,
                // Nothing of it was read: it went between listing and opening.
                Err(error) if is_gone(&error, segment) && parted.len() < LISTINGS => {
                    // What was read ahead may stand elsewhere in the new listing.
                    board.into_iter().for_each(AheadTasks::end);
                    let gone = segment.name.clone();
                    let Some(joined) = self.list_again(&mut source, index, to_the_end)? else { return Err(error) };
                    if !joined {
                        let next = source.segments.get(index).map(|s| s.name.clone());
                        // Threads may have delivered some of it before it went.
                        let last = reader.position.as_ref().filter(|_| reader.delivered > 0).and_then(|position| position.lsn);
                        parted.push(Passed { gone, next, due: last.map(Lsn::next).or(reader.due), index });
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

    pub(super) fn want(&self, start: Option<Mark>, only_counts: bool) -> Want {
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

/// How often a log is listed anew because a segment is gone.
const LISTINGS: usize = 1000;

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
