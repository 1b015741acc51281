//! Reading on while a log grows: step by step, each from where the last one ended.
//!
//! A step lists the folder first and reads afterwards: what the listing shows as finished is then read to its end, so nothing is
//! passed over between one segment and the next. How long to wait between steps is the caller's business.

use std::time::{Duration, Instant};

use super::position::Position;
use super::scan::{Scan, ScanOutcome, ScanStart, Stopped, Take};
use super::seek::first_record;
use crate::disk::{Io, Source};
use crate::formats::{Ending, Format, Mark};
use crate::model::{Error, Lsn, LsnRange, Result};
use crate::ops::open::is_gone;

/// Zeros behind the data are read to the end of the room this often at most, and what was read before is walked over from the last mark.
/// To do that at each step took most of a follower's time.
const FULL_LOOK: Duration = Duration::from_secs(1);
/// And less often where that takes long: records wait meanwhile.
const FULL_LOOK_SHARE: u32 = 50;
/// Not while records come: what is behind the data is told by what comes next. When nothing came for this long it is looked at.
const STANDSTILL: Duration = Duration::from_millis(100);
/// The folder is listed this often. Between two listings only the segment that was read last is looked at: a third of a step was the listing.
const LISTING: Duration = Duration::from_millis(20);

/// A log that is being read as it grows.
#[derive(Debug)]
pub struct Follow {
    source: Source,
    position: Option<Position>,
    /// What stood at the end after the last step, when it ended cleanly.
    quiet: Option<Quiet>,
    /// What stood there before that step, where it was more than zeros.
    before: Option<Quiet>,
    /// The end of the data that the last step came to, and its segment.
    resume: Option<(String, Mark)>,
    /// The last step that left nothing out.
    full: Option<FullLook>,
    /// The steps since then did.
    owes: bool,
    /// When something new was read last.
    news: Option<Instant>,
    near: Option<Near>,
    listed: Option<Instant>,
}

#[derive(Clone, Debug)]
struct FullLook {
    /// The segment whose zeros behind the data were all seen.
    segment: String,
    ended: Instant,
    took: Duration,
}

impl FullLook {
    fn is_recent(&self) -> bool {
        self.ended.elapsed() < FULL_LOOK.max(self.took * FULL_LOOK_SHARE)
    }
}

/// The segment that was read last, alone and held open.
#[derive(Debug)]
struct Near(Source);

impl Near {
    /// Looks how long it is now. `None` where that cannot be told: a listing says what became of it.
    fn again(mut self) -> Option<Near> {
        let segment = self.0.segments.first()?;
        let length = self.0.file(segment).and_then(|file| file.length()).ok()?;
        self.0.segments.first_mut()?.length = length;
        Some(self)
    }
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
    /// The shortest time between two steps that is worth while. A follower that looks again at once reads each group of a busy writer by
    /// itself, and takes the processor that the writer needs.
    pub const PACE: Duration = Duration::from_micros(750);

    /// From a position on; from the start when there is none.
    #[must_use]
    pub fn new(source: Source, position: Option<Position>) -> Follow {
        Follow {
            source,
            position,
            quiet: None,
            before: None,
            resume: None,
            full: None,
            owes: false,
            news: None,
            near: None,
            listed: None,
        }
    }

    /// The same, and there will be more steps: so the first one, too, is a short look.
    #[must_use]
    pub fn soon_again(self) -> Follow {
        Follow { news: Some(Instant::now()), ..self }
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

    /// Looks at the log again and reads what is new. `scan` says what is wanted; its source is not used.
    pub fn step(&mut self, scan: &Scan<'_>, take: &mut Take<'_>) -> Result<Step> {
        let lately = scan.live && self.is_lively() && self.listed.is_some_and(|listed| listed.elapsed() < LISTING);
        if let Some(near) = self.near.take().filter(|_| lately).and_then(Near::again) {
            let before = self.place();
            let step = self.look(Some(near), scan, take)?;
            // Where nothing is new, it stands in another segment, if anywhere.
            if self.place() != before || had_enough(&step) {
                return Ok(step);
            }
        }
        relist(&mut self.source, scan.format)?;
        self.listed = Some(Instant::now());
        self.look(None, scan, take)
    }

    /// Records came a moment ago.
    fn is_lively(&self) -> bool {
        self.news.is_some_and(|news| news.elapsed() < STANDSTILL)
    }

    /// Up to which record was read.
    fn place(&self) -> Option<(String, u64)> {
        self.position.as_ref().map(|position| (position.segment.clone(), position.offset))
    }

    fn look(&mut self, near: Option<Near>, scan: &Scan<'_>, take: &mut Take<'_>) -> Result<Step> {
        let begun = Instant::now();
        let source = near.as_ref().map_or(&self.source, |near| &near.0);
        let lively = self.is_lively();
        let recent = self.full.as_ref().filter(|full| full.is_recent());
        if self.quiet.is_some() && (lively || recent.is_some() || !self.owes) && self.quiet == self.quiet_now(source)? {
            return Ok(Step::Quiet);
        }
        let (first, gone) = match &self.position {
            None => (0, None),
            Some(position) => match source.segments.iter().position(|s| s.name == position.segment) {
                Some(index) => (index, None),
                None => (self.oldest_after(scan.format, position), self.position.clone()),
            },
        };
        let scan = Scan { source, ..*scan };
        let ours = scan.format.ours.is_some();
        let name = source.segments.get(first).map(|s| s.name.clone());
        let seen = lively || recent.is_some_and(|full| Some(&full.segment) == name.as_ref());
        let begin = self.begin(source, first, gone.is_some(), seen && ours);
        let zeros_seen = begin.zeros_seen;
        let first_lsn = match (&gone, &name) {
            // If it is gone by now, the scan says so.
            (Some(_), Some(_)) => first_record(source, scan.format, scan.keys, first).ok().flatten().and_then(|(lsn, _)| lsn),
            _ => None,
        };
        let mut outcome = scan.forward(&begin, take)?;
        let before = self.place();
        self.position = outcome.position.take().or(self.position.take());
        outcome.position.clone_from(&self.position);
        let news = self.place() != before;
        if news {
            self.news = Some(Instant::now());
        }
        // Where something new was found there will be more: then it is not worth a look whether all is quiet.
        let goes_on = outcome.stopped.is_some() || near.is_some() && news;
        let near = if ours { self.near(near, &outcome)? } else { None };
        let source = near.as_ref().map_or(&self.source, |near| &near.0);
        let now = if goes_on { None } else { self.rest(source, &outcome)? };
        self.near = near;
        self.quiet = self.settled(now, ours);
        self.owes = zeros_seen;
        if !zeros_seen {
            // What was written since the walk ended does not matter: it is read from there.
            let read = outcome.stopped.is_none() && outcome.summaries.last().is_some_and(|summary| summary.damage.is_empty());
            let segment = outcome.source.segments.last().filter(|_| read).map(|segment| segment.name.clone());
            self.full = segment.map(|segment| FullLook { segment, ended: Instant::now(), took: begun.elapsed() });
        }
        Ok(match (gone, name) {
            (Some(gone), Some(next)) => Step::Pruned { gone, next, first: first_lsn, outcome: Box::new(outcome) },
            _ => Step::Read(Box::new(outcome)),
        })
    }

    /// Notes where data ended, and holds its segment open until the next listing, if more can come there.
    fn near(&mut self, near: Option<Near>, outcome: &ScanOutcome) -> Result<Option<Near>> {
        let ended = (outcome.summaries.last(), outcome.source.segments.last(), self.source.segments.last());
        let (Some(summary), Some(read), Some(last)) = ended else { return Ok(None) };
        if read.name != last.name {
            return Ok(None);
        }
        if let Some(mark) = summary.resume {
            self.resume = Some((read.name.clone(), mark));
        }
        let here = self.position.as_ref().is_some_and(|position| position.segment == read.name);
        // Past the page cache each look opens the file in its own way.
        if !here
            || self.source.alone
            || self.source.io == Io::Media
            || outcome.stopped.is_some()
            || matches!(summary.ending, Ending::Sealed | Ending::Closed)
        {
            return Ok(None);
        }
        if near.is_some() {
            return Ok(near);
        }
        let count = self.source.segments.len();
        match self.source.file(last) {
            Ok(file) => Ok(Some(Near(self.source.narrow(count - 1..count).held(file)))),
            Err(error) if is_gone(&error, last) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Where the next step begins; `seen` says that what is behind the data need not be looked at.
    fn begin(&self, source: &Source, first: usize, pruned: bool, seen: bool) -> ScanStart<'_> {
        let after = self.position.as_ref();
        let segment = source.segments.get(first);
        let is = |name: &str| segment.is_some_and(|segment| segment.name == name);
        let zeros_seen = seen && !pruned;
        let end = self.resume.as_ref().filter(|(segment, _)| zeros_seen && is(segment)).map(|(_, mark)| *mark);
        let mark = end.or(after.filter(|_| !pruned).and_then(|p| p.mark)).filter(|mark| {
            // A file that became shorter was cut: what stands there now begins elsewhere.
            segment.is_some_and(|segment| segment.length >= mark.offset)
        });
        ScanStart { segment: first, mark, after, zeros_seen, ..ScanStart::default() }
    }

    /// Where to go on when the segment of the position is gone: after it, by name.
    fn oldest_after(&self, format: &Format, position: &Position) -> usize {
        let number = format.number_of(&position.segment);
        let behind = |sequence: u64| number.is_none_or(|number| sequence > number);
        self.source.segments.iter().position(|s| behind(s.sequence)).unwrap_or(0)
    }

    /// What the end of the log looks like, if it ended cleanly: new data must change the first bytes after it.
    fn rest(&self, source: &Source, outcome: &ScanOutcome) -> Result<Option<Quiet>> {
        let (Some(summary), Some(segment)) = (outcome.summaries.last(), source.segments.last()) else {
            return Ok(None);
        };
        if !summary.damage.is_empty() || outcome.source.segments.last().map(|s| &s.name) != Some(&segment.name) {
            return Ok(None);
        }
        self.quiet_at(source, summary.end)
    }

    /// Zeros cannot have been written meanwhile. In a log of ours old bytes may stand there: they are still the old ones if they stood there
    /// before this step too, which found no frame in them. Other formats may begin anew elsewhere.
    fn settled(&mut self, now: Option<Quiet>, ours: bool) -> Option<Quiet> {
        let zeros = now.as_ref().is_some_and(|now| now.behind.iter().all(|byte| *byte == 0));
        let same = ours && now.is_some() && now == self.before;
        self.before.clone_from(&now);
        now.filter(|_| zeros || same)
    }

    fn quiet_now(&self, source: &Source) -> Result<Option<Quiet>> {
        self.quiet.as_ref().map_or(Ok(None), |quiet| self.quiet_at(source, quiet.end))
    }

    fn quiet_at(&self, source: &Source, end: u64) -> Result<Option<Quiet>> {
        let Some(segment) = source.segments.last() else { return Ok(None) };
        let file = match source.file(segment) {
            // It went meanwhile: the next step will see what stands there instead.
            Err(error) if is_gone(&error, segment) => return Ok(None),
            file => file?,
        };
        let mut behind = vec![0; 64];
        let count = crate::disk::read_full(file.as_ref(), &mut behind, end)?;
        behind.truncate(count);
        let (segments, segment) = (self.source.segments.len(), segment.name.clone());
        Ok(Some(Quiet { segments, segment, length: file.length()?, end, behind }))
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
