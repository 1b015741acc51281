//! Everything valid, from both sides of every damage, into a new log.
//!
//! The old log is only read, through the same walk as everything else, so a log of any format that can be read can be salvaged, and
//! thereby converted. Numbers stay wherever the old format has any; what is missing is written down as a known hole; what the old format
//! says about a record is kept beside it. A valid record that cannot have its place, because its number was given before or it belongs
//! to another log, goes to a second log beside the new one: nothing that can be read is dropped.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::aside::Aside;
use super::numbers::{Course, NumberPlan, Stretch, course, lost};
use crate::disk::EntryKind;
use crate::formats::{Halt, Item, KnownHole, Want};
use crate::model::{
    Acknowledged, Damage, DamageKind, Error, Field, Hole, HoleOrigin, Lsn, LsnRange, Payload, Record, Result, Time,
};
use crate::ops::open::Input;
use crate::ops::read::Scope;
use crate::ops::report::{Progress, Report};
use crate::ops::walk;
use crate::writer::{Fact, FrameKind, NewLog, NewRecord, RecordFacts};

/// A record that is longer is left out.
const LONGEST: u64 = 1 << 30;
/// Lists that hostile input could make long end here; what is beyond is counted.
const LISTED: usize = 10_000;
/// What a walk over a log of ours says about a record by itself; other fields come from its Facts.
const OURS: [&str; 3] = ["batch", "fragments", "as_stored"];

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
    /// The LSNs that it lacks, each a known hole of it.
    pub missing: Vec<LsnRange>,
    /// How many LSNs those are.
    pub missing_lsns: u64,
    /// How many LSNs the old format never gave.
    pub unused_lsns: u64,
    /// The damage of the old log, and what stood around it.
    pub gaps: Vec<Gap>,
    /// Its records bear new LSNs, in their order: the old log has none for some of them.
    pub renumbered: bool,
    /// What was added to every number: the old format counts from 0, LSNs from 1.
    pub shifted: u64,
    /// Records that were valid and are in `left_out_to`: their LSN had been given before, or they are of another log.
    pub left_out: u64,
    /// The log that holds them.
    pub left_out_to: Option<PathBuf>,
    /// Records that were too long to be kept at all.
    pub too_long: u64,
    /// Transactions that begin and do not end, or end and did not begin, or have a gap inside.
    pub incomplete: Vec<u64>,
    /// There are more of them than are listed.
    pub more_incomplete: bool,
    /// Which records were asked for.
    pub scope: Scope,
    /// Records that were not asked for. They are neither in the new log nor lost.
    pub outside: u64,
}

/// A piece of damage of the old log.
#[derive(Clone, Debug)]
pub struct Gap {
    /// The segment's name.
    pub file: String,
    /// What was found.
    pub damage: Damage,
    /// The last record before it, and the first one after it.
    pub before: Option<Neighbour>,
    /// See `before`.
    pub after: Option<Neighbour>,
}

/// A record beside a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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

/// Writes all that is valid in a log into a new one, or what is of one stretch of it. `report` is what checking the old log found.
/// When it is stopped or fails, what was written of the new one is removed.
pub fn salvage(input: &Input, report: &Report, target: &Path, scope: Scope, progress: &Progress) -> Result<Salvaged> {
    let Course { stretches, numbers } = course(input, report)?;
    let mut rank = vec![usize::MAX; input.source.segments.len()];
    for (place, stretch) in stretches.iter().enumerate() {
        rank[stretch.segment] = rank[stretch.segment].min(place);
    }
    let mut gaps: Vec<Gap> = report
        .damage
        .iter()
        .map(|damage| Gap {
            file: report.segments.get(damage.span.place.segment.index()).map(|s| s.file.clone()).unwrap_or_default(),
            damage: damage.clone(),
            before: None,
            after: None,
        })
        .collect();
    let place = |gap: &Gap| (rank.get(gap.damage.span.place.segment.index()).copied(), gap.damage.span.start());
    gaps.sort_by_key(place);
    let like = input.source.segments.iter().find(|s| s.kind == EntryKind::File).map(|s| s.path.as_path());
    let (renumbered, shifted) = match numbers {
        NumberPlan::Stay(shifted) => (false, shifted),
        NumberPlan::New => (true, 0),
    };
    let mut work = SalvageRun {
        log: NewLog::begin(&input.source.disk, target, &input.keys, like)?,
        aside: Aside::new(&input.source.disk, target, &input.keys, like),
        done: Salvaged { target: target.to_owned(), gaps, renumbered, shifted, scope, ..Salvaged::default() },
        ours: input.format.ours.is_some(),
        numbers,
        rank,
        known: report.known_holes.iter().filter(|known| may_hold(scope, &known.hole)).cloned().collect(),
        now: Time::now(),
        last: None,
        passed: 0,
        told: 0,
        waiting: 0,
        open: Vec::new(),
        passed_over: false,
    };
    // Of these nothing can be believed, and a new log would vouch for it.
    let strange = |damage: &&Damage| matches!(damage.kind, DamageKind::OtherLog | DamageKind::Downgraded);
    let strangers: Vec<_> = report.damage.iter().filter(strange).map(|d| d.span.place.segment).collect();
    let want = Want { payloads: true, salvage: true, ..Want::default() };
    each_record(input, &stretches, want, &mut |record, _| {
        if progress.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        progress.read(record.span.length);
        let stranger = strangers.contains(&record.span.place.segment);
        let file = input.source.segments.get(record.span.place.segment.index()).map_or("", |s| s.name.as_str());
        work.take(record, file, stranger)
    })?;
    work.finish()
}

/// Hands over the records of a log, stretch by stretch, each with its position among those of its segment.
pub(super) fn each_record(
    input: &Input,
    stretches: &[Stretch],
    want: Want,
    take: &mut dyn FnMut(&Record<'_>, u64) -> Result<()>,
) -> Result<()> {
    for stretch in stretches {
        let Some(segment) = input.source.segments.get(stretch.segment) else { continue };
        let mut at = 0;
        let done = walk::one(input, segment, want, &mut |item| match item {
            Item::Record(record) if record.is_data() => {
                at += 1;
                let wanted = (stretch.from..stretch.to).contains(&(at - 1));
                if wanted { take(record, at - 1).map_err(Halt::Failed) } else { Ok(()) }
            }
            _ => Ok(()),
        })?;
        if done.is_none() {
            break;
        }
    }
    Ok(())
}

struct SalvageRun {
    log: NewLog,
    aside: Aside,
    done: Salvaged,
    ours: bool,
    numbers: NumberPlan,
    /// Where each segment stands in the order in which they are read.
    rank: Vec<usize>,
    /// Holes that the old log knows.
    known: Vec<KnownHole>,
    now: Time,
    last: Option<Neighbour>,
    /// Gaps that lie before the last record.
    passed: usize,
    /// Of those, from here on no hole tells of them yet.
    told: usize,
    /// Of those, from here on the record after them is not known yet.
    waiting: usize,
    /// Transactions under way, and whether a gap lies in them.
    open: Vec<(u64, bool)>,
    /// Since the last record that was taken there was one that was not asked for.
    passed_over: bool,
}

/// Whether records of a scope can be missing in a hole that a log knows.
fn may_hold(scope: Scope, hole: &Hole) -> bool {
    let before = Neighbour { lsn: hole.lsns.first.before(), time: hole.before, ..Neighbour::default() };
    let behind = Neighbour { lsn: Some(hole.lsns.last.next()), time: hole.behind, ..Neighbour::default() };
    !(ends_before(scope, &before) || begins_behind(scope, &behind))
}

/// The scope ends before what follows this record, as far as can be told.
fn ends_before(scope: Scope, before: &Neighbour) -> bool {
    let by_lsn = scope.lsns.zip(before.lsn).is_some_and(|(wanted, lsn)| lsn >= wanted.last);
    by_lsn || scope.until.zip(before.time).is_some_and(|(until, time)| time > until)
}

/// The scope begins behind what stands before this record, as far as can be told.
fn begins_behind(scope: Scope, after: &Neighbour) -> bool {
    let by_lsn = scope.lsns.zip(after.lsn).is_some_and(|(wanted, lsn)| lsn <= wanted.first);
    by_lsn || scope.since.zip(after.time).is_some_and(|(since, time)| time < since)
}

impl Gap {
    /// Whether nothing of the scope can be missing there.
    fn is_outside(&self, scope: Scope) -> bool {
        self.before.as_ref().is_some_and(|before| ends_before(scope, before))
            || self.after.as_ref().is_some_and(|after| begins_behind(scope, after))
    }
}

impl Salvaged {
    fn lacks(&mut self, lsns: LsnRange) {
        self.missing_lsns = self.missing_lsns.saturating_add(lsns.count());
        if self.missing.len() < LISTED {
            self.missing.push(lsns);
        }
    }
}

impl SalvageRun {
    fn take(&mut self, record: &Record<'_>, file: &str, stranger: bool) -> Result<()> {
        if record.encrypted {
            let what = "some payloads are encrypted, and none of the keys opens them; name a file with their key with --key-file";
            return Err(Error::Input { what: what.into() });
        }
        if record.payload.length() > LONGEST {
            self.done.too_long += 1;
            return Ok(());
        }
        let asked_for = self.done.scope.holds(record.lsns(), record.time);
        if !asked_for {
            self.done.outside += 1;
            self.passed_over = true;
            if !stranger {
                self.pass(record);
            }
            return Ok(());
        }
        let payload = whole(&record.payload)?;
        if stranger {
            return self.aside(record, file, &payload);
        }
        self.pass(record);
        if self.done.renumbered {
            // The hole takes numbers, and the record those behind it.
            self.hole_before(self.log.next, record.time)?;
        }
        let lsns = self.numbers.of(record, self.log.next);
        // A number that was given before would make two histories of one log. The first one stays.
        // The last number there is has none after it, so it is compared with what was kept.
        if self.done.lsns.is_some_and(|kept| lsns.first < self.log.next || lsns.first <= kept.last) {
            return self.aside(record, file, &payload);
        }
        let facts = self.facts_of(record, lsns.first);
        let kind = match facts {
            Some(_) => FrameKind::Full,
            None => native_kind(record),
        };
        self.hole_before(lsns.first, record.time)?;
        let batch = record.batch.filter(|_| self.ours).map(|first| first.0);
        let (time, tag) = (record.time.unwrap_or(Time(0)), record.tag.unwrap_or(0));
        let facts = facts.map(|facts| facts.encode());
        self.log.write(&NewRecord { kind, lsns, time, tag, payload: &payload, batch, facts: facts.as_deref() })?;
        self.transaction(kind, tag);
        let done = &mut self.done;
        done.records += 1;
        done.bytes += payload.len() as u64;
        let first = done.lsns.map_or(lsns.first, |all| all.first);
        done.lsns = LsnRange::new(first, lsns.last);
        Ok(())
    }

    /// What is kept beside a record: what its format says about it, and its number there if some records have another one now. Nothing for a record
    /// of ours, unless it was salvaged from another format before.
    fn facts_of(&self, record: &Record<'_>, lsn: Lsn) -> Option<RecordFacts> {
        let fields = self.fields_of(record);
        if self.ours && fields.is_empty() && FrameKind::from_name(record.kind).is_some() {
            return None;
        }
        let mut facts = RecordFacts::of(record.kind, &fields);
        if let Some(old) = record.lsn.filter(|old| self.done.renumbered || *old != lsn) {
            facts.add("source_lsn", Fact::Number(old.0));
        }
        Some(facts)
    }

    fn fields_of<'r>(&self, record: &Record<'r>) -> Vec<Field<'r>> {
        record.fields.iter().filter(|f| !self.ours || !OURS.contains(&f.name)).copied().collect()
    }

    /// A record that cannot have its place in the new log.
    fn aside(&mut self, record: &Record<'_>, file: &str, payload: &[u8]) -> Result<()> {
        let mut facts = RecordFacts::of(record.kind, &self.fields_of(record));
        if let Some(old) = record.lsn {
            facts.add("source_lsn", Fact::Number(old.0));
        }
        facts.add("source_file", Fact::Text(file.to_owned()));
        self.done.left_out += 1;
        self.aside.write(record, &facts, payload)
    }

    /// Writes down what is missing before the record with this LSN.
    fn hole_before(&mut self, first: Lsn, behind: Option<Time>) -> Result<()> {
        let gaps = self.told..self.passed;
        self.told = self.passed;
        if self.done.renumbered {
            return self.unnumbered(gaps, behind, &|_| true);
        }
        if self.done.lsns.is_none() {
            // A log may begin anywhere, but what is known to be missing before its first record is not silently pruned.
            let scope = self.done.scope;
            let near = self.done.gaps.get(gaps.clone()).unwrap_or_default().iter().filter(|gap| !gap.is_outside(scope));
            let doubts = near.filter_map(|gap| gap.damage.doubt);
            let known = self.known.iter().map(|known| known.hole.lsns).filter(|lsns| lsns.last < first);
            let begins = doubts.map(|doubt| doubt.first.plus(self.done.shifted)).chain(known.map(|lsns| lsns.first)).min();
            let lowest = scope.lsns.map_or(Lsn::FIRST, |lsns| lsns.first.plus(self.done.shifted).clamp(Lsn::FIRST, first));
            self.log.next = begins.map_or(first, |begins| begins.clamp(lowest, first));
        }
        let Some(missing) = first.before().and_then(|last| LsnRange::new(self.log.next, last)) else { return Ok(()) };
        self.missing(missing, gaps, behind)
    }

    /// Writes holes over a range: those that the old log knows as they stand there, and what lies between them.
    fn missing(&mut self, missing: LsnRange, gaps: std::ops::Range<usize>, behind: Option<Time>) -> Result<()> {
        let mut reasons: Vec<&str> = Vec::new();
        for gap in self.done.gaps.get(gaps).unwrap_or_default() {
            if !reasons.contains(&gap.damage.kind.name()) {
                reasons.push(gap.damage.kind.name());
            }
        }
        if std::mem::take(&mut self.passed_over) && reasons.is_empty() && self.done.lsns.is_some() {
            reasons.push("not asked for");
        }
        let origin = if reasons.is_empty() && !self.ours { HoleOrigin::Unused } else { HoleOrigin::Salvaged };
        let before = self.log.last_time;
        let new = |lsns| Hole { lsns, origin, before, behind, chain: None, reason: reasons.join(", ") };
        let inside = |known: &&KnownHole| missing.first <= known.hole.lsns.first && known.hole.lsns.last <= missing.last;
        let mut known: Vec<KnownHole> = self.known.iter().filter(inside).cloned().collect();
        known.sort_by_key(|known| known.hole.lsns.first);
        let mut holes: Vec<(Hole, Time)> = Vec::new();
        let mut next = missing.first;
        for old in known.into_iter().filter(|old| old.hole.lsns.first >= missing.first) {
            if old.hole.lsns.first < next {
                continue;
            }
            if let Some(lsns) = old.hole.lsns.first.before().and_then(|last| LsnRange::new(next, last)) {
                holes.push((new(lsns), self.now));
            }
            next = old.hole.lsns.last.next();
            holes.push((Hole { chain: None, ..old.hole }, old.since));
        }
        if let Some(lsns) = LsnRange::new(next, missing.last) {
            holes.push((new(lsns), self.now));
        }
        for (hole, since) in holes {
            self.log.hole(&hole, since)?;
            let done = &mut self.done;
            match hole.origin {
                HoleOrigin::Unused => done.unused_lsns = done.unused_lsns.saturating_add(hole.lsns.count()),
                _ => done.lacks(hole.lsns),
            }
        }
        Ok(())
    }

    /// Writes a hole for what is lost in these gaps, where all records bear new numbers.
    fn unnumbered(&mut self, gaps: std::ops::Range<usize>, behind: Option<Time>, counts: &dyn Fn(&Gap) -> bool) -> Result<()> {
        let scope = self.done.scope;
        let gaps = self.done.gaps.get(gaps).unwrap_or_default().iter().filter(|gap| !gap.is_outside(scope) && counts(gap));
        let Some((lsns, reason)) = lost(gaps, self.log.next.max(Lsn::FIRST)) else { return Ok(()) };
        let hole = Hole { lsns, origin: HoleOrigin::Salvaged, before: self.log.last_time, behind, chain: None, reason };
        self.log.hole(&hole, self.now)?;
        self.done.lacks(lsns);
        Ok(())
    }

    /// Remembers the record for the gaps beside it.
    fn pass(&mut self, record: &Record<'_>) {
        let here = Neighbour { lsn: record.lsn, kind: record.kind.to_owned(), time: record.time, tag: record.tag };
        let place = |segment: usize, offset: u64| (self.rank.get(segment).copied(), offset);
        let at = place(record.span.place.segment.index(), record.span.start());
        while let Some(gap) = self.done.gaps.get_mut(self.passed) {
            let span = gap.damage.span;
            if (self.rank.get(span.place.segment.index()).copied(), span.start()) > at {
                break;
            }
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

    fn transaction(&mut self, kind: FrameKind, tag: u64) {
        match kind {
            FrameKind::TxnBegin if self.open.len() < LISTED => self.open.push((tag, false)),
            FrameKind::TxnBegin => self.done.more_incomplete = true,
            FrameKind::TxnCommit | FrameKind::TxnAbort => match self.open.iter().rposition(|(open, _)| *open == tag) {
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

    /// Records that had been acknowledged and are lost at the very end: their numbers must not be given again.
    fn hole_at_end(&mut self) -> Result<()> {
        let scope = self.done.scope;
        let promised = |gap: &&Gap| gap.damage.acknowledged() == Acknowledged::Yes && !gap.is_outside(scope);
        let gaps = self.told..self.done.gaps.len();
        if self.done.renumbered && self.done.lsns.is_some() {
            return self.unnumbered(gaps, None, &|gap| gap.damage.acknowledged() == Acknowledged::Yes);
        }
        let lost =
            self.done.gaps.get(gaps.clone()).unwrap_or_default().iter().filter(promised).filter_map(|gap| gap.damage.doubt);
        let last = lost.map(|doubt| doubt.last.plus(self.done.shifted)).max();
        let known = self.known.iter().map(|known| known.hole.lsns.last).max();
        let highest = scope.lsns.map_or(Lsn(u64::MAX), |lsns| lsns.last.plus(self.done.shifted));
        let range = last.max(known).map(|last| last.min(highest)).and_then(|last| LsnRange::new(self.log.next, last));
        match range.filter(|_| !self.done.renumbered && self.done.lsns.is_some()) {
            Some(missing) => self.missing(missing, gaps, None),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> Result<Salvaged> {
        for gap in self.done.gaps.get_mut(self.passed..).unwrap_or_default() {
            gap.before.clone_from(&self.last);
        }
        self.hole_at_end()?;
        let scope = self.done.scope;
        self.done.gaps.retain(|gap| !gap.is_outside(scope));
        for (tag, _) in std::mem::take(&mut self.open) {
            self.incomplete(tag);
        }
        self.done.incomplete.sort_unstable();
        self.done.incomplete.dedup();
        self.done.left_out_to = self.aside.finish()?;
        self.done.segments = self.log.finish()?;
        Ok(self.done)
    }
}

/// The kind of a record of ours.
fn native_kind(record: &Record<'_>) -> FrameKind {
    let whole = |kind: &FrameKind| kind.is_data() && !matches!(kind, FrameKind::First | FrameKind::Middle | FrameKind::Last);
    FrameKind::from_name(record.kind).filter(whole).unwrap_or(FrameKind::Full)
}

fn whole<'p>(payload: &Payload<'p>) -> Result<Cow<'p, [u8]>> {
    if let Payload::Whole(bytes) = payload {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut all = Vec::new();
    payload.each(&mut |piece| {
        all.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(Cow::Owned(all))
}
