//! Drawing segments, and reading bytes: what the thread that reads does beside answering.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use walctl::disk::read_full;
use walctl::formats::{Halt, Item, Mark};
use walctl::model::{Lsn, LsnRange, Time};
use walctl::ops::report::{MapCell, draw_segment};

use super::doc::PIECE;
use super::reader::LogReader;
use super::talk::{Answer, DrawnSegment};

/// How many parts a segment is drawn in: as wide as any terminal is.
pub const CELLS: usize = 512;
/// How often what is drawn so far is shown.
const SHOW: Duration = Duration::from_millis(150);

/// A segment that is being drawn. It goes on from its last mark when it was interrupted.
#[derive(Debug)]
pub struct Drawing {
    name: String,
    mark: Option<Mark>,
    drawn: DrawnSegment,
    lsns: Option<LsnRange>,
    hurts: u64,
    /// How many there were at the mark.
    hurts_at_mark: u64,
}

impl LogReader {
    /// Draws the next segment, until something else is to be done.
    pub(super) fn draw_some(&mut self) {
        let Some(name) = self.draw.front().cloned() else { return };
        let log = self.turner.log();
        let Some(segment) = log.source.segments.iter().find(|segment| segment.name == name).cloned() else {
            self.draw.pop_front();
            return;
        };
        let mut drawing = self
            .drawing
            .take()
            .filter(|drawing| drawing.name == name && drawing.drawn.bytes == segment.length)
            .unwrap_or_else(|| Drawing {
                name: name.clone(),
                mark: None,
                drawn: DrawnSegment { cells: vec![MapCell::Reserved; CELLS], bytes: segment.length, ..DrawnSegment::default() },
                lsns: None,
                hurts: 0,
                hurts_at_mark: 0,
            });
        let sent = self.lines.sent.load(Ordering::Relaxed);
        let (mut shown, lines) = (Instant::now(), &self.lines);
        let mut cells = std::mem::take(&mut drawing.drawn.cells);
        let (length, start) = (drawing.drawn.bytes, drawing.mark);
        drawing.hurts = drawing.hurts_at_mark;
        let walked = draw_segment(log, &segment, length, &mut cells, start, &mut |item, row| {
            drawing.saw(item);
            if lines.sent.load(Ordering::Relaxed) != sent {
                return Err(Halt::Enough);
            }
            if shown.elapsed() >= SHOW {
                shown = Instant::now();
                let drawn = DrawnSegment {
                    cells: row.to_vec(),
                    lsns: lsns(drawing.lsns, log.format.numbers),
                    hurts: drawing.hurts,
                    ..drawing.drawn
                };
                let _ = lines.answers.send((0, Answer::Drawn(name.clone(), Box::new(drawn))));
            }
            Ok(())
        });
        drawing.drawn.cells = cells;
        match walked {
            Ok(None) => self.drawing = Some(drawing),
            walked => {
                self.draw.pop_front();
                let mut drawn = drawing.drawn;
                drawn.lsns = lsns(walked.ok().flatten().and_then(|summary| summary.lsns), self.turner.log().format.numbers);
                (drawn.done, drawn.hurts) = (true, drawing.hurts);
                self.send(Answer::Drawn(name, Box::new(drawn)));
            }
        }
    }

    /// Bytes of a segment; what may be secret is left out before it comes to the screen.
    pub(super) fn bytes(&mut self, segment: String, offset: u64, shown: Option<(u64, u64)>) {
        let mut bytes = vec![0; PIECE as usize];
        let found = self.turner.log().source.segments.iter().find(|known| known.name == segment);
        let read = found.and_then(|found| {
            let file = self.turner.log().source.file(found).ok()?;
            read_full(file.as_ref(), &mut bytes, offset).ok()
        });
        bytes.truncate(read.unwrap_or(0));
        let hide = |(at, byte): (u64, u8)| {
            let free = byte == 0 || shown.is_none_or(|(from, to)| (from..to).contains(&at));
            free.then_some(byte)
        };
        let bytes = (offset..).zip(bytes).map(hide).collect();
        self.send(Answer::Bytes(segment, offset, bytes));
    }
}

impl Drawing {
    fn saw(&mut self, item: &Item<'_>) {
        match item {
            Item::Record(record) => {
                self.drawn.reached = self.drawn.reached.max(record.span.end());
                if let Some(LsnRange { first, last }) = record.lsns().filter(|_| !record.is_control()) {
                    let so_far = self.lsns.unwrap_or(LsnRange { first: Lsn(u64::MAX), last: Lsn(0) });
                    self.lsns = Some(LsnRange { first: so_far.first.min(first), last: so_far.last.max(last) });
                }
                if let Some(time) = record.time.filter(|time| time.0 > 0) {
                    let (first, _): (Option<Time>, _) = self.drawn.times;
                    self.drawn.times = (first.or(Some(time)), Some(time));
                }
            }
            Item::Hurt(_) => self.hurts += 1,
            Item::Mark(mark) => (self.mark, self.hurts_at_mark) = (Some(*mark), self.hurts),
            Item::Reached(at) => self.drawn.reached = self.drawn.reached.max(*at),
        }
    }
}

fn lsns(range: Option<LsnRange>, numbers: walctl::formats::Numbers) -> String {
    range.map_or_else(String::new, |range| numbers.show_range(range))
}
