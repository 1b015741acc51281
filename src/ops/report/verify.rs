//! Walks a whole log and says what it is worth: records, segments, damage, verdict.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::disk::{Segment, Source};
use crate::formats::{Ending, Halt, Item, KnownHole, State, Summary, Want};
use crate::model::{
    Acknowledged, Damage, DamageKind, Error, HoleOrigin, Lsn, LsnRange, Place, Result, SegmentId, Verdict, Warning,
};
use crate::ops::open::{Input, steady};
use crate::ops::settle::settle;
use crate::ops::walk;

/// What to check, and how hard.
#[derive(Clone, Copy, Debug)]
pub struct Checks {
    /// How many segments are walked at once.
    pub jobs: usize,
    /// Also decrypt, decompress and compare what frames say about each other.
    pub deep: bool,
    /// At most this many bytes a second.
    pub rate: Option<u64>,
    /// Keep the tallies of the segments, for statistics.
    pub tally: bool,
}

impl Default for Checks {
    fn default() -> Self {
        Checks { jobs: 1, deep: false, rate: None, tally: false }
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
}

impl Report {
    /// Every record is whole and none is missing.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.verdict == Verdict::Clean
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
    /// Set to end the work early.
    pub stop: AtomicBool,
}

/// How often a hole is looked at again because it was only in the listing.
const HOLES: u32 = 5;

/// Checks a log.
pub fn verify(input: &Input, checks: &Checks, progress: &Progress) -> Result<Report> {
    // What was walked to its end stays walked when others must be listed anew.
    let mut walked = WalkCache::default();
    let mut holes = 0;
    steady(input, |input| {
        let mut listed = None;
        loop {
            let now = listed.as_ref().unwrap_or(input);
            let report = check(now, checks, progress, &mut walked)?;
            // A folder that changes while it is listed may show the later of two new segments and not the earlier one.
            let hole = report.damage.iter().any(|damage| damage.kind == DamageKind::MissingSegment);
            holes += u32::from(hole);
            if !hole || holes > HOLES || now.source.alone {
                return Ok(report);
            }
            let again = now.format.listed_again(&now.source)?;
            if again.segments.iter().all(|segment| now.source.segments.iter().any(|known| known.name == segment.name)) {
                return Ok(report);
            }
            listed = Some(Input { source: again, ..now.clone() });
        }
    })
}

/// Finished walks over finished segments, by the names of their files.
#[derive(Default)]
struct WalkCache(HashMap<String, Summary>);

impl WalkCache {
    fn keep(&mut self, segment: &Segment, summary: Summary) {
        if segment.followed {
            self.0.insert(segment.name.clone(), summary);
        }
    }

    /// What was found in a segment of an earlier listing, under the number that it has now.
    fn take(&mut self, segment: &Segment) -> Option<Summary> {
        let mut summary = self.0.remove(&segment.name).filter(|_| segment.followed)?;
        summary.damage.kept_mut().iter_mut().for_each(|damage| damage.span.place.segment = segment.id);
        summary.warnings.kept_mut().iter_mut().for_each(|warning| warning.span.place.segment = segment.id);
        summary.holes.kept_mut().iter_mut().for_each(|known| known.span.place.segment = segment.id);
        Some(summary)
    }
}

fn check(input: &Input, checks: &Checks, progress: &Progress, walked: &mut WalkCache) -> Result<Report> {
    let source = &input.source;
    let other = source.other_writer(input.format.lock);
    let live = other.filter(|_| !source.alone || source.segments.iter().any(|s| !s.followed));
    let total = source.segments.iter().map(|s| if s.length == u64::MAX { 0 } else { s.length }).sum();
    progress.done.store(0, Ordering::Relaxed);
    progress.total.store(total, Ordering::Relaxed);
    let want = Want { counts_only: true, deep: checks.deep, tally: checks.tally, live: live.is_some(), ..Want::default() };
    let mut summaries = walk_all(input, want, checks, progress, walked)?;
    settle(input.into(), want, &mut summaries)?;
    let between = (input.format.join)(source, &mut summaries);
    Ok(report(input, live, summaries, between))
}

/// Walks the segments, several at once.
fn walk_all(input: &Input, want: Want, checks: &Checks, progress: &Progress, walked: &mut WalkCache) -> Result<Vec<Summary>> {
    let segments = &input.source.segments;
    let pace = RateLimit { since: Instant::now(), rate: checks.rate, done: AtomicU64::new(0) };
    let known = |segment: &Segment| {
        let summary = walked.take(segment)?;
        progress.done.fetch_add(summary.length, Ordering::Relaxed);
        Some(Ok(summary))
    };
    let mut results: Vec<Option<Result<Summary>>> = segments.iter().map(known).collect();
    let todo: Vec<&Segment> = segments.iter().zip(&results).filter(|(_, done)| done.is_none()).map(|(s, _)| s).collect();
    let found = walk_several(input, &todo, want, checks.jobs, &pace, progress);
    for (segment, result) in todo.into_iter().zip(found) {
        results[segment.id.index()] = result;
    }
    // The first real failure counts, not the interruptions that it caused in others.
    let (mut failed, mut interrupted) = (None, false);
    let mut summaries = Vec::with_capacity(results.len());
    for (segment, result) in segments.iter().zip(results) {
        match result {
            Some(Ok(summary)) => summaries.push((segment, summary)),
            None | Some(Err(Error::Interrupted)) => interrupted = true,
            Some(Err(error)) => failed = failed.or(Some(error)),
        }
    }
    let failed = failed.or(interrupted.then_some(Error::Interrupted));
    let Some(error) = failed else { return Ok(summaries.into_iter().map(|(_, summary)| summary).collect()) };
    summaries.into_iter().for_each(|(segment, summary)| walked.keep(segment, summary));
    Err(error)
}

/// Walks some segments; after a failure the rest stays undone.
fn walk_several(
    input: &Input,
    todo: &[&Segment],
    want: Want,
    jobs: usize,
    pace: &RateLimit,
    progress: &Progress,
) -> Vec<Option<Result<Summary>>> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<Option<Result<Summary>>>> = Mutex::new(todo.iter().map(|_| None).collect());
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(segment) = todo.get(index) else { return };
            let result = walk_one(input, segment, want, pace, progress);
            let failed = result.is_err();
            results.lock().expect("no walk panics while it stores its result")[index] = Some(result);
            if failed {
                // The others need not go on; what they do not take up stays undone.
                next.store(todo.len(), Ordering::Relaxed);
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..jobs.min(todo.len()) {
            // Where there is no thread to be had, fewer do the work: this one at the least.
            if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                break;
            }
        }
        work();
    });
    results.into_inner().expect("no walk panics while it stores its result")
}

fn walk_one(input: &Input, segment: &Segment, want: Want, pace: &RateLimit, progress: &Progress) -> Result<Summary> {
    let mut reached = 0;
    let mut step = |to: u64| {
        let more = to.saturating_sub(reached);
        reached = reached.max(to);
        progress.done.fetch_add(more, Ordering::Relaxed);
        pace.wait(more);
    };
    let mut take = |item: Item<'_>| {
        if let Item::Reached(offset) = item {
            step(offset);
            if progress.stop.load(Ordering::Relaxed) {
                return Err(Halt::Failed(Error::Interrupted));
            }
        }
        Ok(())
    };
    let summary = walk::one(input, segment, want, &mut take)?.ok_or(Error::Interrupted)?;
    step(summary.length);
    Ok(summary)
}

/// Keeps reading below a rate, over all threads together.
struct RateLimit {
    since: Instant,
    rate: Option<u64>,
    done: AtomicU64,
}

impl RateLimit {
    fn wait(&self, more: u64) {
        let Some(rate) = self.rate.filter(|r| *r > 0) else { return };
        let done = self.done.fetch_add(more, Ordering::Relaxed) + more;
        let due = Duration::from_secs_f64(done as f64 / rate as f64);
        if let Some(rest) = due.checked_sub(self.since.elapsed()) {
            std::thread::sleep(rest);
        }
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
    let mut beyond = 0;
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
        beyond += more;
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
        records: summaries.iter().map(|s| s.records).sum(),
        lsns,
        valid_bytes: summaries.iter().map(|s| s.valid_bytes.min(s.length)).sum(),
        segments,
        damage,
        beyond,
        warnings,
        known_holes,
        unused_lsns,
        recovery: summaries.iter().rev().find_map(|summary| summary.recovery.clone()),
        summaries,
    }
}
