//! One of two logs that are compared: its records, in the order of their numbers, as what is compared of each.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use sha2::{Digest, Sha256};

use super::order::AscendingRun;
use crate::disk::Segment;
use crate::formats::{Format, Halt, Numbers};
use crate::model::{Lsn, LsnRange, Payload, Record, Result, Time, Value};
use crate::ops::open::{Input, steady};
use crate::ops::read::{Event, Scan, ScanOutcome, ScanStart, Selection, Shown, last_lsn};
use crate::ops::report::Progress;

/// Records are handed over in portions of this many.
const PORTION: usize = 256;
/// This many portions wait between the thread that reads a log and the one that compares.
const WAITING: usize = 4;
/// As many records are asked whether they say which number they had before: the first ones may have had none.
const LOOKED_AT: u32 = 64;

/// One of the two logs.
#[derive(Debug)]
pub struct Side<'a> {
    /// The log.
    pub input: &'a Input,
    /// The LSNs that are compared.
    pub window: Option<LsnRange>,
    /// Its records are compared by the numbers that they had in the log that they were salvaged from.
    pub by_source: bool,
    /// A number that comes again takes back what had it.
    pub takes_back: bool,
    /// A writer holds the log.
    pub live: bool,
    /// The last LSN when reading began, if the log is being written: what is higher came meanwhile.
    pub noted: Option<Lsn>,
    /// The first LSN that the log holds, or would hold if nothing had been written to it yet.
    pub first: Option<Lsn>,
}

/// What is compared of a record, or of several that share a number.
#[derive(Clone, Debug)]
pub struct ComparedRecord {
    pub lsns: LsnRange,
    pub length: u64,
    pub digest: [u8; 32],
    pub kind: Arc<str>,
    pub tag: Option<u64>,
    pub time: Option<Time>,
    /// The payload is ciphertext that no key opens.
    pub encrypted: bool,
    /// Damage stands between this record and the one before it.
    pub hurt: bool,
    /// Only the first of its numbers is known.
    pub salvaged: bool,
    pub segment: Arc<str>,
    pub offset: u64,
}

impl ComparedRecord {
    /// Takes a record in that is compared with it.
    fn join(&mut self, record: &Record<'_>) -> Result<()> {
        let both = Sha256::new().chain_update(self.digest).chain_update(digest_of(&record.payload)?);
        self.digest = both.finalize().into();
        self.length += record.payload.length();
        self.encrypted |= record.encrypted;
        Ok(())
    }
}

/// What one log hands over.
pub enum FromSide {
    Units(Vec<ComparedRecord>),
    /// A number is lower than one before it: the log has to be put in order first.
    Falls,
    Ended(Result<Box<SideEnd>>),
}

/// What is known of a log when it was read to its end.
#[derive(Debug)]
pub struct SideEnd {
    pub outcome: ScanOutcome,
    /// Damage stands behind the last record.
    pub hurt: bool,
    /// Records without a number.
    pub unnumbered: u64,
    /// Records out of order that could not be put in order.
    pub disordered: u64,
    /// The lowest of their numbers.
    pub lowest_disordered: Option<Lsn>,
}

impl<'a> Side<'a> {
    /// Looks at the ends of a log, before either log is read.
    pub fn look(input: &'a Input, window: Option<LsnRange>, other: &'static Format) -> Result<Side<'a>> {
        let source = &input.source;
        let live = source.segments.iter().any(|s| !s.followed) && source.writer(input.format.lock).is_some();
        let noted = if live { last_lsn(source, input.format, &input.keys)? } else { None };
        let takes_back = [input.format, other].iter().any(|format| matches!(format.numbers, Numbers::CountedAgain));
        let mut side = Side { input, window, by_source: false, takes_back, live, noted, first: None };
        // A stream is read only once, and its first records are not known before.
        if source.path.as_os_str() != "-" {
            side.by_source =
                input.format.ours.is_some() && other.ours.is_none() && steady(input, |input| side.has_source(input))?;
            side.first = steady(input, |input| side.first_number(input))?;
        }
        Ok(side)
    }

    /// The number of the first record.
    fn first_number(&self, input: &Input) -> Result<Option<Lsn>> {
        let mut first = None;
        let outcome = self.begin(input, &mut |record| {
            first = self.numbers(record).map(|lsns| lsns.first);
            first.is_none()
        })?;
        Ok(first.or_else(|| outcome.summaries.iter().find_map(|summary| summary.begins)))
    }

    /// Whether its records say which numbers they had before.
    fn has_source(&self, input: &Input) -> Result<bool> {
        let (mut seen, mut found) = (0, false);
        self.begin(input, &mut |record| {
            (seen, found) = (seen + 1, found || source_lsn(record).is_some());
            seen < LOOKED_AT && !found
        })?;
        Ok(found)
    }

    /// Reads the first records, until `more` says no.
    fn begin(&self, input: &Input, more: &mut dyn FnMut(&Record<'_>) -> bool) -> Result<ScanOutcome> {
        let selection = Selection::default();
        let scan = Scan { payloads: false, live: self.live, ..Scan::of(&input.source, input.format, &input.keys, &selection) };
        scan.forward(&ScanStart::default(), &mut |event| match event {
            Event::Record(shown) if shown.record.is_data() && !more(shown.record) => Err(Halt::Enough),
            _ => Ok(()),
        })
    }

    /// The numbers of a record; none where it takes none.
    pub fn numbers(&self, record: &Record<'_>) -> Option<LsnRange> {
        if takes_none(record) {
            return None;
        }
        if self.by_source {
            let more = number_of(record, "count").map_or(0, |count| count.saturating_sub(1));
            return source_lsn(record).map(|old| LsnRange { first: old, last: old.plus(more) });
        }
        record.lsns()
    }

    /// Reads the log on a thread of its own.
    pub fn spawn<'scope>(
        &'scope self,
        scope: &'scope std::thread::Scope<'scope, '_>,
        (falls, order): (bool, Option<&'scope [AscendingRun]>),
        progress: &'scope Progress,
    ) -> std::io::Result<Receiver<FromSide>> {
        let (sender, receiver) = sync_channel(WAITING);
        std::thread::Builder::new().spawn_scoped(scope, move || {
            let ended = self.read(falls, order, progress, &sender);
            // The one who compares has enough when it does not listen any more.
            let _ = sender.send(FromSide::Ended(ended.map(Box::new)));
        })?;
        Ok(receiver)
    }

    /// `falls` says that its numbers are known to go up and down, `order` in which order they ascend.
    fn read(
        &self,
        falls: bool,
        order: Option<&[AscendingRun]>,
        progress: &Progress,
        sender: &SyncSender<FromSide>,
    ) -> Result<SideEnd> {
        let mut feed = Feed::new(self, progress, sender);
        let selection = Selection { lsns: self.window.filter(|_| !self.by_source), ..Selection::default() };
        let source = &self.input.source;
        let scan =
            Scan { growing: self.live, live: self.live, ..Scan::of(source, self.input.format, &self.input.keys, &selection) };
        let Some(order) = order else {
            feed.reports_falls = !falls && source.path.as_os_str() != "-";
            let outcome = scan.forward(&ScanStart::default(), &mut |event| feed.event(event))?;
            return feed.end(outcome);
        };
        // What is damaged and what it means only a walk in the order of the files tells.
        let outcome = Scan { payloads: false, ..scan }.forward(&ScanStart::default(), &mut |_| Ok(()))?;
        for stretch in order {
            stretch.read(self, &scan, &mut |shown| feed.record(shown))?;
        }
        feed.end(outcome)
    }

    /// Goes through the records with the numbers by which they are compared.
    pub fn each_number(&self, take: &mut dyn FnMut(&Shown<'_>, LsnRange) -> Result<(), Halt>) -> Result<()> {
        let selection = Selection::default();
        let input = self.input;
        let scan = Scan { payloads: false, live: self.live, ..Scan::of(&input.source, input.format, &input.keys, &selection) };
        let mut each = |event: Event<'_>| match event {
            Event::Record(shown) if shown.record.is_data() => match self.numbers(shown.record) {
                Some(lsns) => take(shown, lsns),
                None => Ok(()),
            },
            _ => Ok(()),
        };
        scan.forward(&ScanStart::default(), &mut each).map(drop)
    }
}

/// Takes records from a scan and hands them over.
struct Feed<'a> {
    side: &'a Side<'a>,
    progress: &'a Progress,
    sender: &'a SyncSender<FromSide>,
    portion: Vec<ComparedRecord>,
    last: Option<ComparedRecord>,
    kind: Arc<str>,
    segment: Arc<str>,
    reached: (String, u64),
    hurt: bool,
    /// The last record lies outside the window.
    outside: bool,
    unnumbered: u64,
    disordered: u64,
    lowest_disordered: Option<Lsn>,
    reports_falls: bool,
}

impl<'a> Feed<'a> {
    fn new(side: &'a Side<'a>, progress: &'a Progress, sender: &'a SyncSender<FromSide>) -> Feed<'a> {
        Feed {
            side,
            progress,
            sender,
            portion: Vec::new(),
            last: None,
            kind: Arc::from(""),
            segment: Arc::from(""),
            reached: (String::new(), 0),
            hurt: false,
            outside: false,
            unnumbered: 0,
            disordered: 0,
            lowest_disordered: None,
            reports_falls: false,
        }
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), Halt> {
        match event {
            Event::Record(shown) => self.record(shown),
            Event::Damage(..) => {
                self.hurt = true;
                Ok(())
            }
            Event::Reached(segment, offset) => self.reached(segment, offset),
            Event::Lot(..) => Ok(()),
        }
    }

    fn reached(&mut self, segment: &Segment, offset: u64) -> Result<(), Halt> {
        if self.reached.0 != segment.name {
            self.reached = (segment.name.clone(), 0);
        }
        self.progress.read(offset.saturating_sub(self.reached.1));
        self.reached.1 = offset.max(self.reached.1);
        if self.progress.stop.load(Ordering::Relaxed) {
            return Err(Halt::Failed(crate::model::Error::Interrupted));
        }
        Ok(())
    }

    fn record(&mut self, shown: &Shown<'_>) -> Result<(), Halt> {
        let record = shown.record;
        if !record.is_data() {
            return Ok(());
        }
        let Some(lsns) = self.side.numbers(record) else {
            match &mut self.last {
                // A batch of nothing that has a place in the log: it is compared with what it follows.
                Some(last) if takes_none(record) && !self.outside => last.join(record)?,
                _ if self.outside => {}
                _ => self.unnumbered += 1,
            }
            return Ok(());
        };
        self.outside = self.side.window.is_some_and(|window| lsns.last < window.first || window.last < lsns.first);
        if self.outside {
            return Ok(());
        }
        if let Some(last) = &mut self.last {
            if last.lsns.contains(lsns.first) && !self.side.takes_back {
                // Several records under one number are compared as one.
                last.lsns.last = lsns.last.max(last.lsns.last);
                last.join(record)?;
                return Ok(());
            }
            if lsns.first <= last.lsns.last {
                if self.reports_falls {
                    let _ = self.sender.send(FromSide::Falls);
                    return Err(Halt::Enough);
                }
                self.disordered += 1;
                self.lowest_disordered = Some(self.lowest_disordered.map_or(lsns.first, |lowest| lowest.min(lsns.first)));
                return Ok(());
            }
        }
        if *self.kind != *record.kind {
            self.kind = Arc::from(record.kind);
        }
        if *self.segment != *shown.segment.name {
            self.segment = Arc::from(shown.segment.name.as_str());
        }
        let unit = ComparedRecord {
            lsns,
            length: record.payload.length(),
            digest: digest_of(&record.payload)?,
            kind: self.kind.clone(),
            tag: record.tag,
            time: record.time,
            encrypted: record.encrypted,
            hurt: std::mem::take(&mut self.hurt),
            salvaged: self.side.by_source,
            segment: self.segment.clone(),
            offset: record.span.start(),
        };
        let Some(before) = self.last.replace(unit) else { return Ok(()) };
        self.portion.push(before);
        if self.portion.len() < PORTION { Ok(()) } else { self.hand_over() }
    }

    fn hand_over(&mut self) -> Result<(), Halt> {
        let portion = std::mem::take(&mut self.portion);
        self.sender.send(FromSide::Units(portion)).map_err(|_| Halt::Enough)
    }

    fn end(mut self, outcome: ScanOutcome) -> Result<SideEnd> {
        self.portion.extend(self.last.take());
        let _ = self.hand_over();
        let Feed { hurt, unnumbered, disordered, lowest_disordered, .. } = self;
        Ok(SideEnd { outcome, hurt, unnumbered, disordered, lowest_disordered })
    }
}

/// Whether it is a batch of nothing, which has the number of the next one.
fn takes_none(record: &Record<'_>) -> bool {
    number_of(record, "count") == Some(0)
}

/// The number that a salvaged record had before.
fn source_lsn(record: &Record<'_>) -> Option<Lsn> {
    number_of(record, "source_lsn").map(Lsn)
}

fn number_of(record: &Record<'_>, name: &str) -> Option<u64> {
    match record.fields.iter().find(|field| field.name == name)?.value {
        Value::Number(number) => Some(number),
        _ => None,
    }
}

/// What a payload holds, in a few bytes. One that is not at hand is summed piece by piece.
fn digest_of(payload: &Payload<'_>) -> Result<[u8; 32]> {
    let mut sum = Sha256::new();
    payload.each(&mut |piece| {
        sum.update(piece);
        Ok(())
    })?;
    Ok(sum.finalize().into())
}
