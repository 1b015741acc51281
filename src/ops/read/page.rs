//! Pages of a log: some records behind a place or before it, without walking more of the log than that asks for.
//!
//! A segment cannot be read backwards. So the places that walks come past where a later walk can begin are kept, a bounded number of them for
//! each segment, and the records before a place are found by walking one short piece after the other, each a piece further back.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Selection;
use super::follow::Passed;
use super::follow::relist;
use super::scan::{Event, Scan, ScanStart, Shown, Take, Way};
use super::seek::segments_of_use;
use crate::disk::{Segment, Source};
use crate::formats::{Format, Halt, Item, Mark, Want};
use crate::model::{Damage, Error, Lsn, Result};
use crate::ops::open::{Input, is_gone};
use crate::ops::walk::{self, LogView};

/// Where something that is shown of a log stands: a record, or damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot {
    /// The name of its segment.
    pub segment: String,
    /// Where it begins there.
    pub offset: u64,
    /// It is a record. Damage stands before a record at the same offset.
    pub record: bool,
    /// It is damage that begins before records which were delivered before it, and stands behind the last of these.
    pub late: bool,
    /// Which one it is of those that begin at this offset: some formats put several records into one frame.
    pub nth: u32,
    /// Its number, of a record that has one.
    pub lsn: Option<Lsn>,
    /// Where a walk can begin that comes to it.
    pub mark: Option<Mark>,
}

impl Spot {
    /// The first thing at an offset or behind it.
    #[must_use]
    pub fn at(segment: &str, offset: u64) -> Spot {
        Spot { segment: segment.to_owned(), offset, record: false, late: false, nth: 0, lsn: None, mark: None }
    }

    /// Whether the two are the same thing.
    #[must_use]
    pub fn is(&self, other: &Spot) -> bool {
        self.segment == other.segment && self.order() == other.order()
    }

    fn order(&self) -> Order {
        (self.offset, self.record || self.late, self.nth)
    }
}

/// The order of things in a segment.
type Order = (u64, bool, u32);

/// Where a page begins.
#[derive(Clone, Copy, Debug)]
pub enum PageFrom<'a> {
    /// At the start of the log.
    Start,
    /// With this, or what follows it.
    At(&'a Spot),
    /// Behind this.
    Behind(&'a Spot),
}

/// How a page ended.
#[derive(Debug, PartialEq, Eq)]
pub enum PageEnd {
    /// The receiver had enough.
    Enough,
    /// The log has no more; and what retention took away while it was read.
    Log(Vec<Passed>),
}

/// Takes one thing of a page, and makes of it what is kept.
pub type Make<'m, T> = dyn FnMut(Event<'_>, &Spot) -> Result<Option<T>, Halt> + 'm;

/// More marks than this are thinned out: what is kept of a segment does not grow with it.
const MOST_MARKS: usize = 1024;
/// Marks are at least this far apart while they are few.
const MARK_DISTANCE: u64 = 128 << 10;
/// Of this many segments marks are kept.
const MARKED_SEGMENTS: usize = 256;
/// More damage than this in a row is no interrupted write.
const HELD_BACK: usize = 64;

/// Gives pages of one log.
#[derive(Debug)]
pub struct PageTurner {
    log: Input,
    live: bool,
    /// It is read as it grows, whether or not its writer can be seen.
    grows: bool,
    marks: HashMap<String, SegmentMarks>,
    /// The segments that marks are kept of, from the one that was used longest ago.
    used: VecDeque<String>,
}

impl PageTurner {
    /// Of this log.
    #[must_use]
    pub fn new(log: Input) -> PageTurner {
        let live = is_live(&log.source, log.format);
        PageTurner { log, live, grows: false, marks: HashMap::new(), used: VecDeque::new() }
    }

    /// The log as it was listed last.
    #[must_use]
    pub fn log(&self) -> &Input {
        &self.log
    }

    /// Whether a process writes to it.
    #[must_use]
    pub fn live(&self) -> bool {
        self.live
    }

    /// Says that the log is read as it grows: what stands unfinished at its end is no damage.
    pub fn follow(&mut self, grows: bool) {
        self.grows = grows;
    }

    /// Lists the log again, and looks for a writer.
    pub fn list(&mut self) -> Result<()> {
        relist(&mut self.log.source, self.log.format)?;
        self.live = is_live(&self.log.source, self.log.format);
        Ok(())
    }

    /// Forgets what earlier walks came past: the files may be others now.
    pub fn forget(&mut self) {
        self.marks.clear();
        self.used.clear();
    }

    /// Delivers what meets the conditions from a place on, until `take` has enough. Damage with nothing behind it in a log that grows is not
    /// delivered: it may be a write under way.
    pub fn forward(&mut self, from: PageFrom<'_>, selection: &Selection, take: &mut Make<'_, ()>) -> Result<PageEnd> {
        let source = self.log.source.clone();
        let chosen = segments_of_use(&source, self.log.format, &self.log.keys, selection.scope())?.range;
        let source = source.narrow(0..chosen.end);
        let (spot, index) = match from {
            PageFrom::Start => (None, chosen.start),
            PageFrom::At(spot) | PageFrom::Behind(spot) => {
                (Some(spot), place_of(&source, self.log.format, spot).0.max(chosen.start))
            }
        };
        // What the walk comes past before the place is left out below: damage that begins before it may be told behind it.
        let there = |segment: &Segment, spot: &Spot| segment.name == spot.segment;
        let spot = spot.filter(|spot| source.segments.get(index).is_some_and(|segment| there(segment, spot)));
        let mark = spot.and_then(|spot| spot.mark.or_else(|| self.mark_before(&spot.segment, spot.offset)));
        let mark = mark.filter(|mark| source.segments.get(index).is_some_and(|segment| segment.length >= mark.offset));
        let begin = ScanStart { segment: index, mark, ..ScanStart::default() };
        let (keys, live) = (self.log.keys.clone(), self.live);
        let scan = Scan { growing: live || self.grows, live, ..Scan::of(&source, self.log.format, &keys, selection) };
        let (mut enough, mut count) = (false, SameOffset::default());
        let mut each = |event: Event<'_>| {
            let here = count.spot(&event);
            if let Event::Record(shown) = &event {
                self.note(shown.segment, shown.way.mark);
            }
            let passed = match from {
                PageFrom::Start => false,
                PageFrom::At(spot) => here.segment == spot.segment && here.order() < spot.order(),
                PageFrom::Behind(spot) => here.segment == spot.segment && here.order() <= spot.order(),
            };
            if passed && !matches!(event, Event::Reached(..)) {
                return Ok(());
            }
            match take(event, &here) {
                // Damage met so far would keep the scan going, to learn what it means. That is not asked here.
                Err(Halt::Enough) => {
                    enough = true;
                    Err(Halt::Failed(Error::Interrupted))
                }
                taken => taken.map(|_| ()),
            }
        };
        let take: &mut Take<'_> = &mut each;
        match scan.forward(&begin, take) {
            Err(Error::Interrupted) if enough => Ok(PageEnd::Enough),
            read => Ok(PageEnd::Log(read?.passed)),
        }
    }

    /// The last things before a place, or before the end of the log, that meet the conditions, at most `most` of them, in the order of the log.
    /// The flag says that nothing stands before them.
    pub fn backward<T>(
        &mut self,
        before: Option<&Spot>,
        most: usize,
        selection: &Selection,
        make: &mut Make<'_, T>,
    ) -> Result<(VecDeque<T>, bool)> {
        let source = self.log.source.clone();
        let chosen = segments_of_use(&source, self.log.format, &self.log.keys, selection.scope())?.range;
        let (at, inside) = before.map_or((chosen.end, false), |spot| place_of(&source, self.log.format, spot));
        let mut next = (at + usize::from(inside)).min(chosen.end);
        let mut limit = before.filter(|_| inside && next == at + 1).map(Spot::order);
        let mut found = VecDeque::new();
        while next > chosen.start && found.len() < most {
            next -= 1;
            let segment = &source.segments[next];
            let mut starts: Vec<Option<Mark>> = vec![None];
            starts.extend(self.marks_before(&segment.name, limit.map_or(u64::MAX, |limit| limit.0)).into_iter().map(Some));
            for start in starts.into_iter().rev() {
                let part = BackwardPart { source: &source, index: next, start, limit, most: most - found.len() };
                let mut piece = match self.piece(&part, selection, make) {
                    // It was pruned, and with it all that stand before it: the log begins behind it now.
                    Err(error) if is_gone(&error, segment) => return Ok((found, true)),
                    piece => piece?,
                };
                piece.append(&mut found);
                found = piece;
                if found.len() >= most {
                    break;
                }
                limit = start.map(|mark| (mark.offset, false, 0));
            }
            limit = None;
        }
        // Whether anything stands before exactly as many as were wanted, nobody has looked.
        let start = found.len() < most;
        Ok((found, start))
    }

    /// Walks a piece of a segment, and keeps the last of what meets the conditions.
    fn piece<T>(&mut self, part: &BackwardPart<'_>, selection: &Selection, make: &mut Make<'_, T>) -> Result<VecDeque<T>> {
        let segment = &part.source.segments[part.index];
        let (format, keys, live) = (self.log.format, self.log.keys.clone(), self.live);
        let mut keeper = PieceKeeper {
            make,
            limit: part.limit,
            most: part.most,
            kept: VecDeque::new(),
            held: Vec::new(),
            count: SameOffset::default(),
        };
        let mut way = Way { mark: part.start, ordinal: 0 };
        let mut last_start = None;
        let mut take = |item: Item<'_>| match item {
            Item::Record(record) => {
                let start = record.span.start();
                if part.limit.is_some_and(|limit| start > limit.0) {
                    return Err(Halt::Enough);
                }
                keeper.let_out(segment)?;
                last_start = Some(start);
                let here = way;
                way.ordinal += 1;
                if !selection.head(record) || !selection.body(record)? {
                    return Ok(());
                }
                keeper.see(Event::Record(&Shown { record, segment, matched: true, after_damage: false, way: here }))
            }
            Item::Mark(mark) => {
                if last_start.is_none_or(|start| mark.offset > start) {
                    way = Way { mark: Some(mark), ordinal: 0 };
                    self.note(segment, Some(mark));
                }
                Ok(())
            }
            // What is wrong with the header is told by each walk, wherever it begins.
            Item::Hurt(damage) if part.start.is_some_and(|mark| damage.span.start() < mark.offset) => Ok(()),
            Item::Hurt(damage) => {
                keeper.held.push(damage.clone());
                if keeper.held.len() > HELD_BACK { keeper.let_out(segment) } else { Ok(()) }
            }
            Item::Reached(at) => keeper.see(Event::Reached(segment, at)),
        };
        let want = Want { payloads: true, marks: true, start: part.start, live, lsns: selection.lsns, ..Want::default() };
        let view = LogView { source: part.source, format, keys: &keys };
        let ended = walk::one(view, segment, want, &mut take)?;
        // What stands at the end of a log that grows may be a write under way.
        if ended.is_some()
            && (segment.followed || !(live || self.grows))
            && let Err(Halt::Failed(error)) = keeper.let_out(segment)
        {
            return Err(error);
        }
        Ok(keeper.kept)
    }

    fn note(&mut self, segment: &Segment, mark: Option<Mark>) {
        let Some(mark) = mark else { return };
        if !self.marks.contains_key(&segment.name) {
            if self.used.len() >= MARKED_SEGMENTS
                && let Some(oldest) = self.used.pop_front()
            {
                self.marks.remove(&oldest);
            }
            self.used.push_back(segment.name.clone());
        }
        self.marks.entry(segment.name.clone()).or_default().note(mark);
    }

    fn marks_before(&self, segment: &str, offset: u64) -> Vec<Mark> {
        let Some(marks) = self.marks.get(segment) else { return Vec::new() };
        let length = self.log.source.segments.iter().find(|s| s.name == segment).map_or(0, |s| s.length);
        marks.before(offset, length)
    }

    /// The last place before an offset where a walk can begin, as far as one is known.
    fn mark_before(&self, segment: &str, offset: u64) -> Option<Mark> {
        self.marks_before(segment, offset.saturating_add(1)).pop()
    }
}

/// A piece of a segment that is walked for what stands at its end.
struct BackwardPart<'a> {
    source: &'a Source,
    index: usize,
    start: Option<Mark>,
    limit: Option<Order>,
    most: usize,
}

/// The last of what a piece holds.
struct PieceKeeper<'p, 'm, T> {
    make: &'p mut Make<'m, T>,
    limit: Option<Order>,
    most: usize,
    kept: VecDeque<T>,
    /// Damage with nothing behind it yet.
    held: Vec<Damage>,
    count: SameOffset,
}

impl<T> PieceKeeper<'_, '_, T> {
    fn see(&mut self, event: Event<'_>) -> Result<(), Halt> {
        let spot = self.count.spot(&event);
        if self.limit.is_some_and(|limit| spot.order() >= limit) && !matches!(event, Event::Reached(..)) {
            return Err(Halt::Enough);
        }
        if let Some(thing) = (self.make)(event, &spot)? {
            self.kept.push_back(thing);
            if self.kept.len() > self.most {
                self.kept.pop_front();
            }
        }
        Ok(())
    }

    fn let_out(&mut self, segment: &Segment) -> Result<(), Halt> {
        for damage in std::mem::take(&mut self.held) {
            self.see(Event::Damage(segment, &damage))?;
        }
        Ok(())
    }
}

/// Places in a segment where a walk can begin.
#[derive(Debug, Default)]
struct SegmentMarks {
    marks: BTreeMap<u64, Mark>,
    distance: u64,
}

impl SegmentMarks {
    fn note(&mut self, mark: Mark) {
        self.distance = self.distance.max(MARK_DISTANCE);
        let near = mark.offset.saturating_sub(self.distance - 1)..mark.offset.saturating_add(self.distance);
        if self.marks.range(near).next().is_some() {
            return;
        }
        self.marks.insert(mark.offset, mark);
        if self.marks.len() > MOST_MARKS {
            self.distance = self.distance.saturating_mul(2);
            let mut index = 0;
            self.marks.retain(|_, _| {
                index += 1;
                index % 2 == 0
            });
        }
    }

    /// Those before an offset, of a file that is so long. A file that became shorter was cut, and begins elsewhere there.
    fn before(&self, offset: u64, length: u64) -> Vec<Mark> {
        self.marks.range(..offset.min(length)).map(|(_, mark)| *mark).collect()
    }
}

/// Counts what begins at the same offset.
#[derive(Debug, Default)]
struct SameOffset {
    last: Option<(String, u64, bool)>,
    nth: u32,
}

impl SameOffset {
    fn spot(&mut self, event: &Event<'_>) -> Spot {
        let (segment, offset, record, lsn, mark) = match event {
            Event::Record(shown) => (shown.segment, shown.record.span.start(), true, shown.record.lsn, shown.way.mark),
            Event::Damage(segment, damage) => {
                let start = damage.span.start();
                if let Some((name, offset, record)) = &self.last
                    && *name == segment.name
                    && (*offset > start || *offset == start && *record)
                {
                    self.nth += 1;
                    return Spot { late: *record, nth: self.nth, ..Spot::at(name, *offset) };
                }
                (*segment, start, false, None, None)
            }
            Event::Reached(segment, _) | Event::Lot(segment, _) => return Spot::at(&segment.name, 0),
        };
        let again = self.last.as_ref().is_some_and(|last| last.0 == segment.name && last.1 == offset && last.2 == record);
        self.nth = if again { self.nth + 1 } else { 0 };
        if !again {
            self.last = Some((segment.name.clone(), offset, record));
        }
        Spot { segment: segment.name.clone(), offset, record, late: false, nth: self.nth, lsn, mark }
    }
}

/// The index of a spot's segment, or of the first one behind where it was if it is gone; and whether it is there.
fn place_of(source: &Source, format: &Format, spot: &Spot) -> (usize, bool) {
    if let Some(index) = source.segments.iter().position(|segment| segment.name == spot.segment) {
        return (index, true);
    }
    let number = format.number_of(&spot.segment);
    let behind = |segment: &Segment| number.is_none_or(|number| segment.sequence > number);
    (source.segments.iter().position(behind).unwrap_or(source.segments.len()), false)
}

fn is_live(source: &Source, format: &Format) -> bool {
    source.segments.iter().any(|segment| !segment.followed) && source.writer(format.lock).is_some()
}
