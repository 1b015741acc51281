//! Which numbers records keep when a log is salvaged, and in which order they are read.

use super::salvage::each_record;
use crate::formats::{Numbers, Want};
use crate::model::{DamageKind, Lsn, LsnRange, Record, Result};
use crate::ops::open::Input;
use crate::ops::report::Report;
use crate::writer::FRAME_LIMIT;

/// A record of another system keeps its number only if it fits one frame; encrypted frames are opened up to 24 MiB.
const ONE_FRAME: u64 = 16 << 20;
/// More runs than this are not put in order: each costs reading its segment once more.
const RUNS: usize = 256;

/// The numbers of the new log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberPlan {
    /// The old ones, with this added to each.
    Stay(u64),
    /// New ones, in the order of the records: some have none.
    New,
}

impl NumberPlan {
    /// The LSNs of a record; `next` is due.
    pub fn of(self, record: &Record<'_>, next: Lsn) -> LsnRange {
        match (self, record.lsns()) {
            (NumberPlan::Stay(shift), Some(lsns)) => LsnRange { first: lsns.first.plus(shift), last: lsns.last.plus(shift) },
            _ => frames(record, next),
        }
    }
}

/// As many LSNs from `next` on as the record takes frames.
pub fn frames(record: &Record<'_>, next: Lsn) -> LsnRange {
    let frames = record.payload.length().div_ceil(FRAME_LIMIT as u64).max(1);
    let first = next.max(Lsn::FIRST);
    LsnRange { first, last: first.plus(frames - 1) }
}

/// Records of one segment that follow each other, by their position among its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The segment.
    pub segment: usize,
    /// The position of the first one.
    pub from: u64,
    /// The position after the last one.
    pub to: u64,
    /// The number of the first one.
    first: Lsn,
}

/// What is read, in which order, and with which numbers.
#[derive(Debug)]
pub struct Course {
    /// What is read.
    pub stretches: Vec<Stretch>,
    /// The numbers.
    pub numbers: NumberPlan,
}

/// Decides over both. Numbers stay wherever each record has one, and one alone. Some systems append to an old segment after a restart, and
/// names can be wrong: records are read in the order of their numbers, not of the files that hold them.
pub fn course(input: &Input, report: &Report) -> Result<Course> {
    let all = |segment: usize, first| Stretch { segment, from: 0, to: u64::MAX, first };
    let natural: Vec<Stretch> = (0..input.source.segments.len()).map(|segment| all(segment, Lsn(0))).collect();
    if input.format.ours.is_some() {
        // A segment without a record stays after the one before it.
        let mut last = Lsn(0);
        let mut stretches = natural;
        for (stretch, summary) in stretches.iter_mut().zip(&report.summaries) {
            last = summary.lsns.map_or(last, |lsns| lsns.first);
            stretch.first = last;
        }
        if report.damage.iter().any(|damage| damage.kind == DamageKind::WrongName) {
            stretches.sort_by_key(|stretch| stretch.first);
        }
        return Ok(Course { stretches, numbers: NumberPlan::Stay(0) });
    }
    // All records of a log that counts from 0 are shifted alike, whichever of them are left.
    let (mut stay, mut zero) = (true, matches!(input.format.numbers, Numbers::CountedFromZero));
    let mut runs: Vec<(Stretch, Lsn)> = Vec::new();
    each_record(input, &natural, Want { salvage: true, ..Want::default() }, &mut |record, at| {
        // The last number that a log can have is 2^64 - 2.
        let fits = |lsns: &LsnRange| lsns.count() == 1 && lsns.last.0 < u64::MAX - 2 && record.payload.length() <= ONE_FRAME;
        let Some(lsns) = record.lsns().filter(fits) else {
            stay = false;
            return Ok(());
        };
        zero |= lsns.first.0 == 0;
        let segment = record.span.place.segment.index();
        let few = runs.len() <= RUNS + input.source.segments.len();
        match runs.last_mut() {
            Some((run, last)) if run.segment == segment && lsns.first == last.next() => (run.to, *last) = (at + 1, lsns.last),
            _ if few => {
                runs.push((Stretch { segment, from: at, to: at + 1, first: lsns.first }, lsns.last));
            }
            _ => {}
        }
        Ok(())
    })?;
    if !stay {
        return Ok(Course { stretches: natural, numbers: NumberPlan::New });
    }
    let numbers = NumberPlan::Stay(u64::from(zero));
    let ascending = runs.windows(2).all(|pair| pair[0].1 < pair[1].0.first);
    if ascending || runs.len() > RUNS + input.source.segments.len() {
        return Ok(Course { stretches: natural, numbers });
    }
    let mut stretches: Vec<Stretch> = runs.into_iter().map(|(run, _)| run).collect();
    stretches.sort_by_key(|stretch| stretch.first);
    // What stands together is read together.
    stretches.dedup_by(|later, before| {
        let joins = later.segment == before.segment && later.from == before.to;
        if joins {
            before.to = later.to;
        }
        joins
    });
    Ok(Course { stretches, numbers })
}
