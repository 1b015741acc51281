//! Everything valid, from both sides of every damage, into a new log.
//!
//! The old log is only read, through the same walk as everything else, so a log of any format that can be read can be salvaged, and
//! thereby converted. LSNs are kept; what is missing stays missing, and is reported.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::newlog::{Entry, NewLog};
use crate::formats::{Halt, Item, Sink, Summary, Visit, Want};
use crate::model::{Damage, Error, Kind as Damaged, Lsn, LsnRange, Payload, Record, Result, Time, Value};
use crate::native::{FRAME_LIMIT, Kind};
use crate::ops::{Input, Report};

/// A frame of another program's making that is longer than this is left out.
const LONGEST: u64 = 64 << 20;
/// Lists that hostile input could make long end here; what is beyond is counted.
const LISTED: usize = 10_000;

/// What was salvaged, and what was not.
#[derive(Debug, Default)]
pub struct Salvaged {
    /// The new log.
    pub target: PathBuf,
    /// Its segments.
    pub segments: Vec<String>,
    /// Records in it.
    pub records: u64,
    /// Payload bytes in it.
    pub bytes: u64,
    /// Its first and last LSN.
    pub lsns: Option<LsnRange>,
    /// The LSNs between that it lacks.
    pub missing: Vec<LsnRange>,
    /// How many LSNs those are.
    pub missing_lsns: u64,
    /// The damage of the old log, and what stood around it.
    pub gaps: Vec<Gap>,
    /// Its records bear new LSNs, in their order; where they had a number and no tag, the number became the tag.
    pub renumbered: bool,
    /// Records that were valid and left out: their LSN had been given before, or they are of another log, or too long.
    pub left_out: u64,
    /// Transactions that begin and do not end, or end and did not begin, or have a gap inside.
    pub incomplete: Vec<u64>,
    /// There are more of them than are listed.
    pub more_incomplete: bool,
}

/// A piece of damage of the old log.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The segment's name.
    pub file: String,
    /// What was found.
    pub damage: Damage,
    /// The last record before it, and the first one behind it.
    pub before: Option<Neighbour>,
    /// See `before`.
    pub after: Option<Neighbour>,
}

/// A record beside a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Its LSN in the old log.
    pub lsn: Option<Lsn>,
    /// What it is.
    pub kind: String,
    /// When it was written.
    pub time: Option<Time>,
    /// Its tag.
    pub tag: Option<u64>,
}

/// Writes all that is valid in a log into a new one. `report` is what checking the old log found.
pub fn salvage(input: &Input, report: &Report, target: &Path, stop: &AtomicBool) -> Result<Salvaged> {
    let native = input.format.name == "native";
    let renumber = !native && !numbers_can_stay(input, report)?;
    let gaps = report.damage.iter().map(|damage| Gap {
        file: report.segments.get(damage.span.place.segment.index()).map(|s| s.file.clone()).unwrap_or_default(),
        damage: damage.clone(),
        before: None,
        after: None,
    });
    let mut work = Work {
        log: NewLog::begin(&input.source.disk, target, &input.keys, input.source.segments.first().map(|s| s.path.as_path()))?,
        done: Salvaged { target: target.to_owned(), gaps: gaps.collect(), renumbered: renumber, ..Salvaged::default() },
        native,
        last: None,
        passed: 0,
        waiting: 0,
        open: Vec::new(),
    };
    // Of these nothing can be believed, and a new log would vouch for it.
    let strange = |damage: &&Damage| matches!(damage.kind, Damaged::OtherLog | Damaged::Downgraded);
    let strangers: Vec<_> = report.damage.iter().filter(strange).map(|d| d.span.place.segment).collect();
    let want = Want { payloads: true, salvage: true, ..Want::default() };
    each_record(input, want, &mut |record| {
        if stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if strangers.contains(&record.span.place.segment) {
            work.done.left_out += 1;
            return Ok(());
        }
        work.take(record)
    })?;
    work.finish()
}

/// Hands over every record of a log, segment by segment.
fn each_record(input: &Input, want: Want, take: &mut dyn FnMut(&Record<'_>) -> Result<()>) -> Result<()> {
    let mut before: Option<Summary> = None;
    for segment in &input.source.segments {
        let visit = Visit { source: &input.source, segment, keys: &input.keys, want, before: before.as_ref() };
        let mut each = |item: Item<'_>| match item {
            Item::Record(record) if !record.physical => take(record).map_err(Halt::Failed),
            _ => Ok(()),
        };
        match (input.format.walk)(&visit, &mut Sink::new(&mut each)) {
            Ok(summary) => before = Some(summary),
            Err(Halt::Enough) => return Ok(()),
            Err(Halt::Failed(error)) => return Err(error),
        }
    }
    Ok(())
}

/// Whether the numbers of another system's log are LSNs as ours are: from 1 on, each once, without holes but for damage, and each
/// for one frame.
fn numbers_can_stay(input: &Input, report: &Report) -> Result<bool> {
    let (mut due, mut holes, mut fits) = (None, 0u64, true);
    each_record(input, Want::default(), &mut |record| {
        let one = record.lsns().filter(|l| l.count() == 1 && l.first.0 > 0 && record.payload.length() <= FRAME_LIMIT as u64);
        match (one, due) {
            (Some(lsns), Some(due)) if lsns.first < due => fits = false,
            (Some(lsns), Some(due)) => holes += u64::from(lsns.first > due),
            (Some(_), None) => {}
            (None, _) => fits = false,
        }
        due = one.map(|lsns| lsns.last.next()).or(due);
        Ok(())
    })?;
    Ok(fits && holes <= report.damage.len() as u64 + report.beyond)
}

struct Work {
    log: NewLog,
    done: Salvaged,
    native: bool,
    last: Option<Neighbour>,
    /// Gaps that lie before the last record.
    passed: usize,
    /// Of those, from here on the record behind them is not known yet.
    waiting: usize,
    /// Transactions under way, and whether a gap lies in them.
    open: Vec<(u64, bool)>,
}

impl Work {
    fn take(&mut self, record: &Record<'_>) -> Result<()> {
        if record.encrypted {
            let what = "some payloads are encrypted, and no key that was given opens them; give theirs with --key-file";
            return Err(Error::Input { what: what.into() });
        }
        self.pass(record);
        let kind = Kind::from_name(record.kind)
            .filter(|kind| self.native && kind.is_data() && !matches!(kind, Kind::First | Kind::Middle | Kind::Last));
        let kind = kind.unwrap_or(Kind::Full);
        let length = record.payload.length();
        let next = if self.done.lsns.is_none() { Lsn::FIRST } else { self.log.next };
        let lsns = match record.lsns() {
            Some(lsns) if !self.done.renumbered => lsns,
            _ => {
                let frames = length.div_ceil(FRAME_LIMIT as u64).max(1);
                LsnRange { first: next, last: next.plus(frames - 1) }
            }
        };
        // A number that was given before would make two histories of one log. The first one stays.
        if lsns.first < next || length.div_ceil(lsns.count()) > LONGEST {
            self.done.left_out += 1;
            return Ok(());
        }
        let payload = match record.payload {
            Payload::Whole(bytes) => std::borrow::Cow::Borrowed(bytes),
            Payload::Long(length, _) if length > 1 << 30 => {
                self.done.left_out += 1;
                return Ok(());
            }
            Payload::Long(..) => {
                let mut all = Vec::new();
                record.payload.each(&mut |piece| {
                    all.extend_from_slice(piece);
                    Ok(())
                })?;
                std::borrow::Cow::Owned(all)
            }
        };
        let batch = record.fields.iter().find_map(|f| match (f.name, f.value) {
            ("batch", Value::Number(first)) if self.native => Some(first),
            _ => None,
        });
        let old = record.lsn.filter(|_| self.done.renumbered).map_or(0, |lsn| lsn.0);
        let tag = record.tag.unwrap_or(old);
        self.log.write(&Entry { kind, lsns, time: record.time.unwrap_or(Time(0)), tag, payload: &payload, batch })?;
        self.transaction(kind, tag);
        let done = &mut self.done;
        done.records += 1;
        done.bytes += length;
        if let Some(hole) = done.lsns.and_then(|_| LsnRange::new(next, lsns.first.before()?)) {
            done.missing_lsns += hole.count();
            if done.missing.len() < LISTED {
                done.missing.push(hole);
            }
        }
        let first = done.lsns.map_or(lsns.first, |all| all.first);
        done.lsns = LsnRange::new(first, lsns.last);
        Ok(())
    }

    /// Remembers the record for the gaps beside it.
    fn pass(&mut self, record: &Record<'_>) {
        let here = Neighbour { lsn: record.lsn, kind: record.kind.to_owned(), time: record.time, tag: record.tag };
        while let Some(gap) = self.done.gaps.get_mut(self.passed).filter(|g| g.damage.span.place <= record.span.place) {
            gap.before.clone_from(&self.last);
            self.passed += 1;
            self.open.iter_mut().for_each(|(_, holed)| *holed = true);
        }
        for gap in self.done.gaps.get_mut(self.waiting..self.passed).unwrap_or_default() {
            gap.after = Some(here.clone());
        }
        self.waiting = self.passed;
        self.last = Some(here);
    }

    fn transaction(&mut self, kind: Kind, tag: u64) {
        match kind {
            Kind::TxnBegin if self.open.len() < LISTED => self.open.push((tag, false)),
            Kind::TxnBegin => self.done.more_incomplete = true,
            Kind::TxnCommit | Kind::TxnAbort => match self.open.iter().rposition(|(open, _)| *open == tag) {
                Some(at) => {
                    if self.open.swap_remove(at).1 {
                        self.incomplete(tag);
                    }
                }
                None => self.incomplete(tag),
            },
            _ => {}
        }
    }

    fn incomplete(&mut self, tag: u64) {
        if self.done.incomplete.len() < LISTED {
            self.done.incomplete.push(tag);
        } else {
            self.done.more_incomplete = true;
        }
    }

    fn finish(mut self) -> Result<Salvaged> {
        for gap in self.done.gaps.get_mut(self.passed..).unwrap_or_default() {
            gap.before.clone_from(&self.last);
        }
        for (tag, _) in std::mem::take(&mut self.open) {
            self.incomplete(tag);
        }
        self.done.incomplete.sort_unstable();
        self.done.incomplete.dedup();
        self.done.segments = self.log.finish()?;
        Ok(self.done)
    }
}
