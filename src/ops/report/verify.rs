//! Walks a whole log and says what it is worth: records, segments, damage, verdict.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::stats::NOT_CHECKED;
use super::walks::{Portion, WalkCache, Walks, number_anew};
use crate::disk::{Segment, Source};
use crate::formats::{Ending, KnownHole, State, Summary, Want};
use crate::model::{
    Acknowledged, Damage, DamageKind, Error, HoleOrigin, Lsn, LsnRange, Place, Result, SegmentId, Time, Verdict, Warning,
};
use crate::ops::RateLimit;
use crate::ops::accept::{AcceptedDamage, VoidAcceptance};
use crate::ops::far::sure;
use crate::ops::open::{Input, steady};
use crate::ops::seen::{SeenFile, SeenRun};
use crate::ops::settle::settle;

/// What to check, and how hard.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// How many segments are walked at once.
    pub jobs: usize,
    /// Also decrypt, decompress and compare what frames say about each other.
    pub deep: bool,
    /// Keep the tallies of the segments, for statistics.
    pub tally: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Checks { jobs: 1, deep: false, tally: false }
    }
}

/// All that checking a log found.
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The log, as the user named it.
    pub log: PathBuf,
    /// Its files as they were listed when they were checked.
    pub source: Source,
    /// The name of its format.
    pub format: &'static str,
    /// What can change in whole records without any check of the format seeing it; empty when nothing can.
    pub unprotected: &'static str,
    /// The worst verdict.
    pub verdict: Verdict,
    /// A writer held the log meanwhile; its process, where the system tells.
    pub live: Option<u32>,
    /// Whole records.
    pub records: u64,
    /// From the first to the last LSN.
    pub lsns: Option<LsnRange>,
    /// Bytes that are as they should be.
    pub valid_bytes: u64,
    /// The segments, in order.
    pub segments: Vec<SegmentReport>,
    /// Damage in the order of its places.
    pub damage: Vec<Damage>,
    /// How much damage there was beyond what is described.
    pub beyond: u64,
    /// Damage that is known and accepted. It is not among the damage above, and does not count in the verdict.
    pub accepted: Vec<AcceptedDamage>,
    /// Acceptances that do not hold, because something has changed since.
    pub void_acceptances: Vec<VoidAcceptance>,
    /// What is worth saying besides.
    pub warnings: Vec<Warning>,
    /// LSNs that are gone and known to be gone, in the order of the log. Numbers that were never given are not among them.
    pub known_holes: Vec<KnownHole>,
    /// How many LSNs were never given: the format that the log was salvaged from skips them.
    pub unused_lsns: u64,
    /// What the system itself would make of the log if it opened it now, where its format can tell.
    pub recovery: Option<String>,
    /// The walks themselves, for those who look deeper.
    pub summaries: Vec<Summary>,
    /// Where damage begins of which a copy beside the log holds what was there.
    pub copied: Vec<Place>,
    /// What was to be walked. Of a segment that was not, [`SegmentReport::checked`] says so.
    pub portion: Portion,
    /// It was made with a file of what was seen: [`SegmentReport::seen`] says which segments were not walked.
    pub with_seen: bool,
}

/// A line of the report.
#[derive(Clone, Debug)]
pub struct SegmentReport {
    /// Which one.
    pub id: SegmentId,
    /// Its name within the log.
    pub file: String,
    /// From its first to its last LSN.
    pub lsns: Option<LsnRange>,
    /// Whole records.
    pub records: u64,
    /// Bytes that are as they should be.
    pub valid_bytes: u64,
    /// How long the file is.
    pub file_bytes: u64,
    /// Where its data ends.
    pub end: u64,
    /// Why it ends there.
    pub ending: Ending,
    /// Whether it is finished.
    pub state: State,
    /// The worst verdict in it.
    pub verdict: Verdict,
    /// It was walked; otherwise no more than its ends were read.
    pub checked: bool,
    /// When it was walked, if that was not now: it is as it was then.
    pub seen: Option<Time>,
}

impl SegmentReport {
    /// What is known of it in a word.
    #[must_use]
    pub fn verdict_name(&self) -> &'static str {
        if self.verdict == Verdict::Clean && !self.checked { NOT_CHECKED } else { self.verdict.name() }
    }
}

impl Report {
    /// Every record is whole and none is missing.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.verdict == Verdict::Clean && self.unchecked() == 0
    }

    /// How many segments were not walked.
    #[must_use]
    pub fn unchecked(&self) -> usize {
        self.segments.iter().filter(|segment| !segment.checked).count()
    }

    /// What is known of the log in a word: what was not looked at is not called clean.
    #[must_use]
    pub fn verdict_name(&self) -> &'static str {
        if self.verdict == Verdict::Clean && self.unchecked() > 0 { NOT_CHECKED } else { self.verdict.name() }
    }

    /// Nothing is wrong but a write that was interrupted at the end, or may have been: a tail that can be cut.
    #[must_use]
    pub fn is_torn(&self) -> bool {
        matches!(self.verdict, Verdict::Torn | Verdict::Suspect)
    }

    /// The first LSN; `None` when there is no record, or no numbers.
    #[must_use]
    pub fn first_lsn(&self) -> Option<Lsn> {
        Some(self.lsns?.first)
    }

    /// The last LSN; `None` when there is no record, or no numbers.
    #[must_use]
    pub fn last_lsn(&self) -> Option<Lsn> {
        Some(self.lsns?.last)
    }

    /// The LSNs that may be lost, in the order of the damage.
    pub fn in_doubt(&self) -> impl Iterator<Item = LsnRange> + '_ {
        self.damage.iter().filter_map(|damage| damage.doubt)
    }

    /// Whether a copy beside the log holds what is damaged at its end.
    #[must_use]
    pub fn has_copy(&self, damage: &Damage) -> bool {
        self.copied.contains(&damage.span.place)
    }

    /// Whether an acknowledged record is known to be lost.
    #[must_use]
    pub fn acknowledged(&self) -> Acknowledged {
        let answers = self.damage.iter().map(Damage::acknowledged);
        answers.fold(Acknowledged::No, |worst, one| match (worst, one) {
            (Acknowledged::Yes, _) | (_, Acknowledged::Yes) => Acknowledged::Yes,
            (Acknowledged::Unknown, _) | (_, Acknowledged::Unknown) => Acknowledged::Unknown,
            _ => Acknowledged::No,
        })
    }
}

/// How far a check has come. Shared with the thread that shows it and the one that may end it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes looked at.
    pub done: AtomicU64,
    /// Bytes to look at; 0 when unknown.
    pub total: AtomicU64,
    /// Pieces of damage that were met, before it is known what they mean.
    pub damage: AtomicU64,
    /// Set to end the work early.
    pub stop: AtomicBool,
    /// How fast it may read.
    pub limit: RateLimit,
}

impl Progress {
    /// Of work that reads at most this many bytes a second.
    #[must_use]
    pub fn at_most(rate: Option<u64>) -> Progress {
        Progress { limit: RateLimit::at(rate), ..Progress::default() }
    }

    /// That many bytes more were looked at. Waits where that was too fast.
    pub fn read(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
        self.limit.wait_unless(bytes, &self.stop);
    }
}

/// How often a hole is looked at again because it was only in the listing.
const HOLES: u32 = 5;

/// Checks a log.
pub fn verify(input: &Input, checks: &Checks, progress: &Progress) -> Result<Report> {
    match verify_some(input, checks, progress, None, Portion::All)? {
        Looked::All(report) => Ok(*report),
        Looked::Some(_) => Err(Error::Interrupted),
    }
}

/// Checks a portion of a log: the ends of its segments, a sample of them, as much as a budget allows.
pub fn verify_portion(input: &Input, checks: &Checks, progress: &Progress, portion: Portion) -> Result<Looked> {
    verify_some(input, checks, progress, None, portion)
}

/// Checks a log with a file of what was seen: what stands in it and still fits is not walked again, and what is walked is kept there.
/// Where not all segments are walked, nothing is judged.
pub fn verify_seen(input: &Input, checks: &Checks, progress: &Progress, file: &SeenFile, portion: Portion) -> Result<Looked> {
    let run = SeenRun::new(file, input);
    let looked = verify_some(&run.input(input), checks, progress, Some(&run), portion)?;
    if let Looked::All(report) = &looked {
        run.listed(&report.source);
    }
    Ok(looked)
}

/// What came of checking a log of which not all segments may have been looked at.
#[derive(Debug)]
pub enum Looked {
    /// All were.
    All(Box<Report>),
    /// Some were not, so nothing is judged.
    Some(Partly),
}

/// How much of a log was looked at.
#[derive(Clone, Debug)]
pub struct Partly {
    /// The log, as the user named it.
    pub log: PathBuf,
    /// The name of its format.
    pub format: &'static str,
    /// How many segments it has.
    pub segments: usize,
    /// How many of them were walked now.
    pub walked: usize,
    /// How many were not, because they are as they were when they were walked before.
    pub as_seen: usize,
    /// How many were not looked at.
    pub left: usize,
    /// How much damage stands in the segments that were looked at. What it means is known when all of them were.
    pub damage: u64,
}

fn verify_some(
    input: &Input,
    checks: &Checks,
    progress: &Progress,
    seen: Option<&SeenRun<'_>>,
    portion: Portion,
) -> Result<Looked> {
    // What was walked to its end stays walked when others must be listed anew.
    let mut walked = WalkCache::default();
    let mut holes = 0;
    steady(input, |input| {
        let mut listed = None;
        loop {
            let now = listed.as_ref().unwrap_or(input);
            let report = match check(now, checks, progress, seen, portion, &mut walked)? {
                Looked::All(report) => report,
                partly @ Looked::Some(_) => return Ok(partly),
            };
            // A folder that changes while it is listed may show the later of two new segments and not the earlier one.
            let hole = report.damage.iter().any(|damage| damage.kind == DamageKind::MissingSegment);
            holes += u32::from(hole);
            if !hole || holes > HOLES || now.source.alone {
                return Ok(Looked::All(report));
            }
            let again = now.format.listed_again(&now.source)?;
            if again.segments.iter().all(|segment| now.source.segments.iter().any(|known| known.name == segment.name)) {
                return Ok(Looked::All(report));
            }
            listed = Some(Input { source: again, ..now.clone() });
        }
    })
}

fn check(
    input: &Input,
    checks: &Checks,
    progress: &Progress,
    seen: Option<&SeenRun<'_>>,
    portion: Portion,
    walked: &mut WalkCache,
) -> Result<Looked> {
    let source = &input.source;
    let other = source.other_writer(input.format.lock);
    let live = other.filter(|_| !source.alone || source.segments.iter().any(|s| !s.followed));
    let total = source.segments.iter().map(|s| if s.length == u64::MAX { 0 } else { s.length }).sum();
    progress.done.store(0, Ordering::Relaxed);
    progress.total.store(total, Ordering::Relaxed);
    if let Some(remote) = source.disk.remote() {
        remote.readers(checks.jobs);
    }
    let want = Want { counts_only: true, deep: checks.deep, tally: checks.tally, live: live.is_some(), ..Want::default() };
    let found = Walks { input, want, checks, progress, seen, portion }.all(walked)?;
    // Of a part nothing is judged, even where it is all there is.
    let by_choice = matches!(portion, Portion::Ends | Portion::Sample { .. } | Portion::Records(_));
    if matches!(portion, Portion::Part { .. }) || !by_choice && found.iter().any(Option::is_none) {
        return Ok(Looked::Some(partly(input, &found, seen)));
    }
    let (summaries, between) = if found.iter().flatten().filter(|summary| summary.whole).count() == found.len() {
        // In place: a second list of them would be half a gigabyte for a million segments.
        let mut summaries: Vec<Summary> = found.into_iter().map(|known| known.expect("all were counted above")).collect();
        settle(input.into(), want, &mut summaries)?;
        let between = (input.format.join)(source, &mut summaries);
        (summaries, between)
    } else {
        some_joined(input, found)
    };
    let mut report = Report { portion, ..report(input, live, summaries, between) };
    let told = report.damage.iter().map(|damage| damage.span).chain(report.warnings.iter().map(|warning| warning.span));
    sure(source, told.map(|span| span.place.segment))?;
    if let Some(seen) = seen {
        for segment in &mut report.segments {
            segment.seen = seen.taken_from(&segment.file);
        }
        report.with_seen = true;
    }
    Ok(Looked::All(Box::new(report)))
}

/// Joins what is known of some segments: with each other where the ends of all are known, else each by itself.
fn some_joined(input: &Input, mut found: Vec<Option<Summary>>) -> (Vec<Summary>, Vec<Damage>) {
    let source = &input.source;
    if found.iter().all(Option::is_some) {
        let mut summaries: Vec<Summary> = found.into_iter().flatten().collect();
        let between = (input.format.join)(source, &mut summaries);
        return (summaries, between);
    }
    // What a join says of a segment by itself may be explained by another one, so only the damage that its walk found counts. The join
    // completes what later segments prove about it.
    for (index, known) in found.iter_mut().enumerate() {
        let Some(mut summary) = known.take() else { continue };
        let id = source.segments[index].id;
        let mut alone = source.narrow(index..index + 1);
        alone.alone = true;
        let warnings = summary.warnings.clone();
        number_anew(&mut summary, SegmentId(0));
        let mut summaries = [summary];
        (input.format.join)(&alone, &mut summaries);
        let [mut summary] = summaries;
        summary.warnings = warnings;
        number_anew(&mut summary, id);
        *known = Some(summary);
    }
    let unknown = |segment: &Segment| Summary { whole: false, ..Summary::new(segment, segment.length) };
    let summaries = found.into_iter().zip(&source.segments).map(|(known, segment)| known.unwrap_or_else(|| unknown(segment)));
    (summaries.collect(), Vec::new())
}

fn partly(input: &Input, found: &[Option<Summary>], seen: Option<&SeenRun<'_>>) -> Partly {
    let segments = &input.source.segments;
    let taken = |name: &str| seen.is_some_and(|seen| seen.taken_from(name).is_some());
    let as_seen = segments.iter().zip(found).filter(|(segment, found)| found.is_some() && taken(&segment.name)).count();
    let looked_at = found.iter().flatten().count();
    Partly {
        log: input.source.path.clone(),
        format: input.format.name,
        segments: segments.len(),
        walked: looked_at - as_seen,
        as_seen,
        left: segments.len() - looked_at,
        damage: found.iter().flatten().fold(0, |sum, summary| {
            sum.saturating_add(summary.damage.kept().len() as u64).saturating_add(summary.damage.beyond())
        }),
    }
}

/// The places of torn ends of which the format keeps copies that fit.
fn copied(input: &Input, damage: &[Damage]) -> Vec<Place> {
    let Some(restore) = input.format.restore else { return Vec::new() };
    let torn = damage.iter().filter(|damage| matches!(damage.verdict(), Verdict::Torn | Verdict::Suspect));
    let fits = |damage: &&Damage| {
        let segment = input.source.segments.get(damage.span.place.segment.index());
        segment.is_some_and(|segment| matches!(restore(&input.source, segment, std::slice::from_ref(*damage)), Ok(Some(_))))
    };
    torn.filter(fits).map(|damage| damage.span.place).collect()
}

fn report(input: &Input, live: Option<u32>, mut summaries: Vec<Summary>, between: Vec<Damage>) -> Report {
    let mut damage = between;
    let mut warnings = Vec::new();
    let mut beyond = 0u64;
    let (mut known_holes, mut unused_lsns) = (Vec::new(), 0u64);
    for summary in &mut summaries {
        for known in std::mem::take(&mut summary.holes).into_parts().0 {
            match known.hole.origin {
                HoleOrigin::Unused => unused_lsns = unused_lsns.saturating_add(known.hole.lsns.count()),
                _ => known_holes.push(known),
            }
        }
        let (kept, more) = std::mem::take(&mut summary.damage).into_parts();
        damage.extend(kept);
        beyond = beyond.saturating_add(more);
        warnings.extend(std::mem::take(&mut summary.warnings).into_parts().0);
    }
    damage.sort_by_key(|d| (d.span.place, d.span.length));
    let worst = |id: Option<SegmentId>| {
        let of = damage.iter().filter(|d| id.is_none_or(|id| d.span.place.segment == id));
        of.map(Damage::verdict).max().unwrap_or(Verdict::Clean)
    };
    let segments: Vec<SegmentReport> = input
        .source
        .segments
        .iter()
        .zip(&summaries)
        .map(|(segment, summary)| SegmentReport {
            id: segment.id,
            file: segment.name.clone(),
            lsns: summary.lsns,
            records: summary.records,
            // The padding of the last frame may be missing: it is worth nothing.
            valid_bytes: summary.valid_bytes.min(summary.length),
            file_bytes: summary.length,
            end: summary.end.min(summary.length),
            ending: summary.ending,
            state: summary.state,
            verdict: worst(Some(segment.id)),
            checked: summary.whole,
            seen: None,
        })
        .collect();
    let lsns =
        summaries.iter().filter_map(|s| s.lsns).reduce(|a, b| LsnRange { first: a.first.min(b.first), last: a.last.max(b.last) });
    Report {
        copied: copied(input, &damage),
        log: input.source.path.clone(),
        source: input.source.clone(),
        format: input.format.name,
        unprotected: input.format.unprotected,
        verdict: worst(None),
        live,
        records: summaries.iter().fold(0, |sum, summary| sum.saturating_add(summary.records)),
        lsns,
        valid_bytes: summaries.iter().map(|s| s.valid_bytes.min(s.length)).sum(),
        segments,
        damage,
        beyond,
        accepted: Vec::new(),
        void_acceptances: Vec::new(),
        warnings,
        known_holes,
        unused_lsns,
        portion: Portion::All,
        with_seen: false,
        recovery: summaries.iter().rev().find_map(|summary| summary.recovery.clone()),
        summaries,
    }
}
