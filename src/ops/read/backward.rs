//! Reading a log from its end: the last records, and records in reverse order, with bounded memory.
//!
//! A segment is surveyed once, from its start to its end, for it cannot be read backwards: that gives the places where a walk can
//! begin and how many wanted records follow each. From there on it is read piece by piece.

use std::collections::VecDeque;
use std::ops::Range;

use super::owned::OwnedRecord;
use super::position::Position;
use super::scan::{Event, Scan, ScanOutcome, Shown, Stopped, Take, Way, finish};
use super::seek::segments_of_use;
use crate::disk::Segment;
use crate::formats::{Halt, Item, Mark, Summary};
use crate::model::{Damage, Error, Record, Result};
use crate::ops::open::is_gone;

/// More pieces than this are merged: what is kept of a segment does not grow with it.
const MOST_PIECES: usize = 1024;
/// Pieces are at least this long while they are few.
const SHORTEST_PIECE: u64 = 256 << 10;
/// How much of a piece is held at once when it is turned around.
const HELD_BYTES: usize = 8 << 20;
/// A payload longer than this is not held but read again.
const HELD_PAYLOAD: usize = 1 << 20;

/// A part of a segment that can be walked by itself.
#[derive(Clone, Copy, Debug)]
struct Piece {
    mark: Option<Mark>,
    /// Records in it that meet all conditions.
    matched: u64,
    /// Records in it that are to be delivered: those, and their neighbours where they are wanted.
    shown: u64,
    hurts: u64,
}

impl Piece {
    fn start(&self) -> u64 {
        self.mark.map_or(0, |mark| mark.offset)
    }
}

/// What a survey of a segment gives.
struct Survey {
    pieces: Vec<Piece>,
    first_hurt: Option<u64>,
    last: Option<Position>,
    summary: Summary,
}

impl Survey {
    fn shown(&self) -> u64 {
        self.pieces.iter().map(|p| p.shown).sum()
    }
}

/// What is kept of a segment when its pieces are not needed any more.
struct KeptOfSurvey {
    shown: u64,
    first_hurt: Option<u64>,
}

impl Scan<'_> {
    /// Delivers the last `count` records that meet the conditions, in the order of the log, and up to `context` neighbours before
    /// them.
    pub fn tail(&self, count: u64, context: u64, take: &mut Take<'_>) -> Result<ScanOutcome> {
        let mut back = Backward::new(self)?;
        let (mut found, mut ahead) = (0, 0);
        let mut surveyed: VecDeque<KeptOfSurvey> = VecDeque::new();
        let mut begin: Option<(Option<Mark>, u64)> = None;
        while begin.is_none()
            && let Some(survey) = back.next()?
        {
            let mut piece_shown_before: u64 = survey.shown();
            for piece in survey.pieces.iter().rev() {
                // Neighbours stand before the first match; those in the piece of the match itself are not counted.
                if found >= count {
                    ahead += piece.shown;
                }
                found += piece.matched;
                piece_shown_before -= piece.shown;
                if found >= count && ahead >= context {
                    begin = Some((piece.mark, piece_shown_before));
                    break;
                }
            }
            surveyed.push_front(KeptOfSurvey { shown: survey.shown(), first_hurt: survey.first_hurt });
            back.done(survey);
        }
        let mut skip = found.saturating_sub(count);
        let (mark, passed) = begin.unwrap_or((None, 0));
        let first = back.next_index;
        let mut stopped = None;
        let mut hurt_before = false;
        for (index, known) in surveyed.iter().enumerate() {
            let first_hurt = if hurt_before { Some(0) } else { known.first_hurt };
            hurt_before |= first_hurt.is_some();
            let (mark, mut seen) = if index == 0 { (mark, passed) } else { (None, 0) };
            // Neighbours of a match that is passed over come too; the caller that wants them keeps only the nearest.
            let mut each = |piece: PieceItem<'_>| match piece {
                PieceItem::Shown(shown) => {
                    if seen >= known.shown {
                        return Err(Halt::Enough);
                    }
                    seen += 1;
                    let passed_over = shown.matched && skip > 0;
                    skip -= u64::from(passed_over);
                    if passed_over && !self.neighbours {
                        return Ok(());
                    }
                    take(Event::Record(&Shown { matched: shown.matched && !passed_over, ..*shown }))
                        .map_err(|h| remember(&mut stopped, h))
                }
                PieceItem::Hurt(segment, damage) => {
                    if skip > 0 {
                        return Ok(());
                    }
                    take(Event::Damage(segment, damage)).map_err(|h| remember(&mut stopped, h))
                }
                PieceItem::Reached(segment, at) => take(Event::Reached(segment, at)).map_err(|h| remember(&mut stopped, h)),
            };
            back.walk_piece(first + index, mark, u64::MAX, first_hurt, &mut each)?;
            if stopped.is_some() {
                break;
            }
        }
        back.finish(stopped)
    }

    /// Delivers what meets the conditions from the end of the log to its start.
    pub fn reverse(&self, take: &mut Take<'_>) -> Result<ScanOutcome> {
        let mut back = Backward::new(self)?;
        let mut stopped = None;
        while stopped.is_none()
            && let Some(survey) = back.next()?
        {
            let mut end = u64::MAX;
            for piece in survey.pieces.iter().rev() {
                if piece.shown > 0 || piece.hurts > 0 {
                    match back.turn(piece, end, survey.first_hurt, take) {
                        Ok(()) => {}
                        Err(Halt::Enough) => {
                            stopped = Some(Stopped::Enough);
                            break;
                        }
                        Err(Halt::Failed(error)) => return Err(error),
                    }
                }
                end = piece.start();
            }
            back.done(survey);
        }
        back.finish(stopped)
    }

    /// Delivers one record again.
    pub fn again(&self, segment: &Segment, way: Way, see: &mut dyn FnMut(&Record<'_>) -> Result<(), Halt>) -> Result<(), Halt> {
        let index = self.source.segments.iter().position(|s| s.name == segment.name).unwrap_or(0);
        let mut ordinal = 0;
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                if ordinal == way.ordinal {
                    see(record)?;
                    return Err(Halt::Enough);
                }
                ordinal += 1;
            }
            Ok(())
        };
        self.walk(index, way.mark, false, &mut take)?;
        Ok(())
    }
}

/// Keeps that the receiver had enough, as opposed to the end of a piece.
fn remember(stopped: &mut Option<Stopped>, halt: Halt) -> Halt {
    if matches!(halt, Halt::Enough) {
        *stopped = Some(Stopped::Enough);
    }
    halt
}

enum PieceItem<'a> {
    Shown(&'a Shown<'a>),
    Hurt(&'a Segment, &'a Damage),
    Reached(&'a Segment, u64),
}

/// Goes through the segments of a log from the last one to the first.
struct Backward<'a> {
    scan: Scan<'a>,
    range: Range<usize>,
    /// The segment that was surveyed last; those before it have not been looked at.
    next_index: usize,
    /// Of the segments that were surveyed, in the order of the log.
    summaries: VecDeque<Summary>,
    /// The last record of the log, as far as it was surveyed.
    last: Option<Position>,
}

impl<'a> Backward<'a> {
    fn new(scan: &Scan<'a>) -> Result<Backward<'a>> {
        let range = segments_of_use(scan.source, scan.format, scan.keys, scan.selection.scope())?.range;
        let next_index = range.end;
        Ok(Backward { scan: *scan, range, next_index, summaries: VecDeque::new(), last: None })
    }

    /// Surveys the segment before.
    fn next(&mut self) -> Result<Option<Survey>> {
        if self.next_index <= self.range.start {
            return Ok(None);
        }
        self.next_index -= 1;
        let mut survey = match self.survey(self.next_index) {
            // It was pruned before it was reached, and with it all that stand before it: the log begins after it now.
            Err(error) if self.went(self.next_index, &error)? => {
                self.next_index += 1;
                self.range.start = self.next_index;
                return Ok(None);
            }
            survey => survey?,
        };
        self.last = self.last.take().or(survey.last.take());
        Ok(Some(survey))
    }

    /// Whether a failure says that a segment is gone, and neither it nor any before it is listed any more.
    fn went(&self, index: usize, error: &Error) -> Result<bool> {
        let segments = &self.scan.source.segments;
        let Some(segment) = segments.get(index).filter(|segment| is_gone(error, segment)) else { return Ok(false) };
        let again = self.scan.format.listed_again(self.scan.source)?;
        let key = (segment.sequence, &segment.name);
        Ok(!self.scan.source.alone && again.segments.iter().all(|other| (other.sequence, &other.name) > key))
    }

    fn done(&mut self, survey: Survey) {
        self.summaries.push_front(survey.summary);
    }

    fn finish(self, stopped: Option<Stopped>) -> Result<ScanOutcome> {
        let source = self.scan.source.narrow(self.next_index.min(self.range.end)..self.range.end);
        finish(self.scan.format, source, self.summaries.into(), &[], stopped, self.last)
    }

    fn survey(&self, index: usize) -> Result<Survey> {
        let scan = &self.scan;
        let fresh = |mark| Piece { mark, matched: 0, shown: 0, hurts: 0 };
        let mut pieces = vec![fresh(None)];
        let mut shortest = SHORTEST_PIECE;
        let mut first_hurt = None;
        let mut mark_before = None;
        let mut last = None;
        let mut last_start = None;
        let mut take = |item: Item<'_>| {
            match item {
                // A mark that is not after the last record leads to it again.
                Item::Mark(mark) if last_start.is_some_and(|start| mark.offset <= start) => return Ok(()),
                Item::Mark(mark) => mark_before = Some(mark),
                Item::Record(record) => {
                    last_start = Some(record.span.start());
                    last = Some((record.span.start(), record.lsn, mark_before));
                }
                _ => {}
            }
            match item {
                Item::Record(record) if scan.selection.head(record) => {
                    let matched = scan.selection.body(record)?;
                    let piece = pieces.last_mut().expect("there is always one piece");
                    piece.matched += u64::from(matched);
                    piece.shown += u64::from(matched || scan.neighbours);
                }
                Item::Mark(mark) if mark.offset >= pieces.last().map_or(0, Piece::start) + shortest => {
                    if pieces.len() == MOST_PIECES {
                        merge(&mut pieces);
                        shortest *= 2;
                    }
                    pieces.push(fresh(Some(mark)));
                }
                Item::Hurt(damage) => {
                    pieces.last_mut().expect("there is always one piece").hurts += 1;
                    first_hurt.get_or_insert(damage.span.start());
                }
                _ => {}
            }
            Ok(())
        };
        // Whether an encrypted payload was altered shows only when it is opened, and the verdict must be that of a forward scan.
        let summary = scan.walk(index, None, scan.keys.is_empty(), &mut take)?.expect("a survey never has enough");
        let segment = scan.source.segments[index].name.clone();
        let after_damage = first_hurt.is_some();
        let last = last.map(|(offset, lsn, mark)| Position { segment, offset, lsn, mark, after_damage });
        Ok(Survey { pieces, first_hurt, last, summary })
    }

    /// Walks from a mark up to `end`, delivering what is wanted.
    fn walk_piece(
        &self,
        index: usize,
        mark: Option<Mark>,
        end: u64,
        first_hurt: Option<u64>,
        each: &mut dyn FnMut(PieceItem<'_>) -> Result<(), Halt>,
    ) -> Result<()> {
        let scan = &self.scan;
        let segment = &scan.source.segments[index];
        let mut way = Way { mark, ordinal: 0 };
        let mut last_start = None;
        let mut take = |item: Item<'_>| match item {
            Item::Record(record) => {
                if record.span.start() >= end {
                    return Err(Halt::Enough);
                }
                last_start = Some(record.span.start());
                let here = way;
                way.ordinal += 1;
                if !scan.selection.head(record) {
                    return Ok(());
                }
                let matched = scan.selection.body(record)?;
                if !matched && !scan.neighbours {
                    return Ok(());
                }
                let after_damage = first_hurt.is_some_and(|hurt| hurt <= record.span.start());
                each(PieceItem::Shown(&Shown { record, segment, matched, after_damage, way: here }))
            }
            Item::Mark(mark) => {
                if last_start.is_some_and(|start| mark.offset <= start) {
                    return Ok(());
                }
                if mark.offset >= end {
                    return Err(Halt::Enough);
                }
                way = Way { mark: Some(mark), ordinal: 0 };
                Ok(())
            }
            Item::Hurt(damage) if damage.span.start() >= end => Err(Halt::Enough),
            Item::Hurt(damage) => each(PieceItem::Hurt(segment, damage)),
            Item::Reached(at) => each(PieceItem::Reached(segment, at)),
        };
        match scan.walk(index, mark, false, &mut take) {
            // It was surveyed, and pruned before its records were delivered.
            Err(error) if !self.went(index, &error)? => Err(error),
            _ => Ok(()),
        }
    }

    /// Delivers a piece from its end to its start. What does not fit into memory is left for another walk over the piece.
    fn turn(&self, piece: &Piece, end: u64, first_hurt: Option<u64>, take: &mut Take<'_>) -> Result<(), Halt> {
        let index = self.next_index;
        let segment = &self.scan.source.segments[index];
        // How many things of the piece, from its start, are still to be delivered.
        let mut left = u64::MAX;
        loop {
            let mut held: VecDeque<Turned> = VecDeque::new();
            let (mut count, mut bytes) = (0, 0);
            self.walk_piece(index, piece.mark, end, first_hurt, &mut |item| {
                if count >= left {
                    return Err(Halt::Enough);
                }
                let thing = match item {
                    PieceItem::Shown(shown) => Turned::of(shown),
                    PieceItem::Hurt(_, damage) => Turned::Damage(Box::new(damage.clone())),
                    PieceItem::Reached(..) => return Ok(()),
                };
                count += 1;
                bytes += thing.bytes();
                held.push_back(thing);
                while bytes > HELD_BYTES && held.len() > 1 {
                    bytes -= held.pop_front().map_or(0, |thing| thing.bytes());
                }
                Ok(())
            })?;
            left = count - held.len() as u64;
            for thing in held.iter().rev() {
                thing.deliver(&self.scan, segment, take)?;
            }
            if left == 0 {
                return Ok(());
            }
        }
    }
}

/// Something that waits to be delivered in reverse order.
enum Turned {
    Record { held: Option<Box<OwnedRecord>>, matched: bool, after_damage: bool, way: Way },
    Damage(Box<Damage>),
}

impl Turned {
    fn of(shown: &Shown<'_>) -> Turned {
        let held = OwnedRecord::of(shown.record, HELD_PAYLOAD).map(Box::new);
        Turned::Record { held, matched: shown.matched, after_damage: shown.after_damage, way: shown.way }
    }

    fn bytes(&self) -> usize {
        size_of::<Turned>()
            + match self {
                Turned::Record { held, .. } => held.as_ref().map_or(0, |held| held.bytes()),
                Turned::Damage(damage) => size_of::<Damage>() + damage.expected.len() + damage.found.len(),
            }
    }

    fn deliver(&self, scan: &Scan<'_>, segment: &Segment, take: &mut Take<'_>) -> Result<(), Halt> {
        match self {
            Turned::Damage(damage) => take(Event::Damage(segment, damage)),
            Turned::Record { held, matched, after_damage, way } => {
                let (matched, after_damage, way) = (*matched, *after_damage, *way);
                let mut show = |record: &Record<'_>| take(Event::Record(&Shown { record, segment, matched, after_damage, way }));
                match held {
                    Some(held) => held.show(show),
                    None => {
                        let mut enough = false;
                        scan.again(segment, way, &mut |record| match show(record) {
                            Err(Halt::Enough) => {
                                enough = true;
                                Ok(())
                            }
                            other => other,
                        })?;
                        if enough { Err(Halt::Enough) } else { Ok(()) }
                    }
                }
            }
        }
    }
}

/// Makes one piece out of each two.
fn merge(pieces: &mut Vec<Piece>) {
    let merged = pieces.chunks(2).map(|pair| Piece {
        mark: pair[0].mark,
        matched: pair.iter().map(|p| p.matched).sum(),
        shown: pair.iter().map(|p| p.shown).sum(),
        hurts: pair.iter().map(|p| p.hurts).sum(),
    });
    *pieces = merged.collect();
}
