//! Reading on while a log grows: step by step, each from where the last one ended.
//!
//! A step lists the folder first and reads afterwards: what the listing shows as finished is then read to its end, so nothing is
//! passed over between one segment and the next. How long to wait between steps is the caller's business.

use std::time::{Duration, Instant};

use super::position::Position;
use super::scan::{Scan, ScanOutcome, ScanStart, Stopped, Take};
use super::seek::first_record;
use crate::disk::Source;
use crate::formats::Format;
use crate::model::{Error, Lsn, LsnRange, Result};
use crate::ops::open::is_gone;

/// Zeros behind the data are read to the end of the room this often. To read them at each step took most of a follower's time.
const ALL_ZEROS: Duration = Duration::from_secs(1);

/// A log that is being read as it grows.
#[derive(Debug)]
pub struct Follow {
    source: Source,
    position: Option<Position>,
    /// What stood at the end of the data at the last step; if it still does, nothing was written.
    quiet: Option<Quiet>,
    /// What stood there before that step, where it was more than zeros.
    before: Option<Quiet>,
    /// The segment whose zeros behind the data were all seen, and when.
    zeros: Option<(String, Instant)>,
    /// Only the nearest zeros were looked at since.
    owes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Quiet {
    segments: usize,
    segment: String,
    length: u64,
    end: u64,
    /// The first bytes after the data. A frame begins there, or after its alignment, and is not like what stands there now.
    behind: Vec<u8>,
}

/// What a step came upon.
#[derive(Debug)]
pub enum Step {
    /// Nothing new.
    Quiet,
    /// The log was read to its present end.
    Read(Box<ScanOutcome>),
    /// The segment that was being read is gone; reading went on with the oldest that is left.
    Pruned {
        /// The segment that is gone.
        gone: Position,
        /// The one that reading goes on with.
        next: String,
        /// The LSN of its first record.
        first: Option<Lsn>,
        /// What was read.
        outcome: Box<ScanOutcome>,
    },
}

impl Follow {
    /// From a position on; from the start when there is none.
    #[must_use]
    pub fn new(source: Source, position: Option<Position>) -> Follow {
        Follow { source, position, quiet: None, before: None, zeros: None, owes: false }
    }

    /// Up to where records were read.
    #[must_use]
    pub fn position(&self) -> Option<&Position> {
        self.position.as_ref()
    }

    /// The log as it was listed last.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Lists the log again and reads what is new. `scan` says what is wanted; its source is not used.
    pub fn step(&mut self, scan: &Scan<'_>, take: &mut Take<'_>) -> Result<Step> {
        relist(&mut self.source, scan.format)?;
        let recent = self.zeros.as_ref().is_some_and(|(_, seen)| seen.elapsed() < ALL_ZEROS);
        if self.quiet.is_some() && (recent || !self.owes) && self.quiet == self.quiet_now()? {
            return Ok(Step::Quiet);
        }
        let (first, gone) = match &self.position {
            None => (0, None),
            Some(position) => match self.source.segments.iter().position(|s| s.name == position.segment) {
                Some(index) => (index, None),
                None => (self.oldest_after(scan.format, position), self.position.clone()),
            },
        };
        let scan = Scan { source: &self.source, ..*scan };
        let ours = scan.format.ours.is_some();
        let begin = self.begin(first, gone.is_some(), recent && ours);
        let zeros_seen = begin.zeros_seen;
        let name = self.source.segments.get(first).map(|s| s.name.clone());
        let first_lsn = match (&gone, &name) {
            // If it is gone by now, the scan says so.
            (Some(_), Some(_)) => {
                first_record(&self.source, scan.format, scan.keys, first).ok().flatten().and_then(|(lsn, _)| lsn)
            }
            _ => None,
        };
        let mut outcome = scan.forward(&begin, take)?;
        let position = outcome.position.take().or(self.position.take());
        self.position = position.clone();
        outcome.position = position;
        let now = if outcome.stopped.is_none() { self.rest(&outcome)? } else { None };
        self.quiet = self.settled(now, ours);
        self.owes = zeros_seen;
        if !zeros_seen {
            self.zeros = self.quiet.as_ref().map(|quiet| (quiet.segment.clone(), Instant::now()));
        }
        Ok(match (gone, name) {
            (Some(gone), Some(next)) => Step::Pruned { gone, next, first: first_lsn, outcome: Box::new(outcome) },
            _ => Step::Read(Box::new(outcome)),
        })
    }

    /// Where the next step begins; `recent` says that zeros were looked at a moment ago.
    fn begin(&self, first: usize, pruned: bool, recent: bool) -> ScanStart<'_> {
        let after = self.position.as_ref();
        let mark = after.filter(|_| !pruned).and_then(|p| p.mark).filter(|mark| {
            // A file that became shorter was cut: what stands there now begins elsewhere.
            self.source.segments.get(first).is_some_and(|s| s.length >= mark.offset)
        });
        let name = self.source.segments.get(first).map(|segment| &segment.name);
        let zeros_seen = recent && !pruned && name.is_some() && name == self.zeros.as_ref().map(|(name, _)| name);
        ScanStart { segment: first, mark, after, zeros_seen, ..ScanStart::default() }
    }

    /// Where to go on when the segment of the position is gone: after it, by name.
    fn oldest_after(&self, format: &Format, position: &Position) -> usize {
        let number = format.number_of(&position.segment);
        let behind = |sequence: u64| number.is_none_or(|number| sequence > number);
        self.source.segments.iter().position(|s| behind(s.sequence)).unwrap_or(0)
    }

    /// What the end of the log looks like, if it ended cleanly: new data must change the first bytes after it.
    fn rest(&self, outcome: &ScanOutcome) -> Result<Option<Quiet>> {
        let (Some(summary), Some(segment)) = (outcome.summaries.last(), self.source.segments.last()) else {
            return Ok(None);
        };
        if !summary.damage.is_empty() || outcome.source.segments.last().map(|s| &s.name) != Some(&segment.name) {
            return Ok(None);
        }
        self.quiet_at(segment.name.clone(), summary.end)
    }

    /// Zeros cannot have been written meanwhile. In a log of ours old bytes may stand there: they are still the old ones if they stood there
    /// before this step too, which found no frame in them. Other formats may begin anew elsewhere.
    fn settled(&mut self, now: Option<Quiet>, ours: bool) -> Option<Quiet> {
        let zeros = now.as_ref().is_some_and(|now| now.behind.iter().all(|byte| *byte == 0));
        let same = ours && now.is_some() && now == self.before;
        self.before.clone_from(&now);
        now.filter(|_| zeros || same)
    }

    fn quiet_now(&self) -> Result<Option<Quiet>> {
        let (Some(quiet), Some(segment)) = (&self.quiet, self.source.segments.last()) else {
            return Ok(None);
        };
        self.quiet_at(segment.name.clone(), quiet.end)
    }

    fn quiet_at(&self, name: String, end: u64) -> Result<Option<Quiet>> {
        let Some(segment) = self.source.segments.last() else { return Ok(None) };
        let file = match self.source.file(segment) {
            // It went meanwhile: the next step will see what stands there instead.
            Err(error) if is_gone(&error, segment) => return Ok(None),
            file => file?,
        };
        let mut behind = vec![0; 64];
        let count = crate::disk::read_full(file.as_ref(), &mut behind, end)?;
        behind.truncate(count);
        Ok(Some(Quiet { segments: self.source.segments.len(), segment: name, length: file.length()?, end, behind }))
    }
}

/// Segments that were listed, and gone before they could be read: retention was faster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// The first of them.
    pub gone: String,
    /// The one with which reading went on, if any is left.
    pub next: Option<String>,
    /// The LSN that was due where they went.
    pub due: Option<Lsn>,
    /// Where in the order of what was read they had been.
    pub(super) index: usize,
}

impl Passed {
    /// The records that were not shown, as far as numbers tell: between what was read before and what was read next.
    #[must_use]
    pub fn unread(&self, outcome: &ScanOutcome) -> Option<LsnRange> {
        LsnRange::new(self.due?, outcome.summaries.get(self.index)?.lsns?.first.before()?)
    }
}

/// Lists a log again, as it stands now.
pub(super) fn relist(source: &mut Source, format: &Format) -> Result<()> {
    if source.alone {
        let disk = source.disk.clone();
        let path = source.segments.first().map(|s| s.path.clone()).unwrap_or_default();
        let entry = disk.stat(&path)?.ok_or_else(|| Error::io("open", &path)(std::io::ErrorKind::NotFound.into()))?;
        for segment in &mut source.segments {
            segment.length = entry.length;
        }
        return Ok(());
    }
    *source = format.listed_again(source)?;
    Ok(())
}

/// Whether a step delivered all that was asked for.
#[must_use]
pub fn had_enough(step: &Step) -> bool {
    match step {
        Step::Quiet => false,
        Step::Read(outcome) | Step::Pruned { outcome, .. } => outcome.stopped == Some(Stopped::Enough),
    }
}

/// The records that were pruned unread: after the position, and before what a scan delivers first.
#[must_use]
pub fn unread(gone: &Position, first: Option<Lsn>) -> Option<LsnRange> {
    LsnRange::new(gone.lsn?.next(), first?.before()?)
}
