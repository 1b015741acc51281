//! What a log consists of, in numbers: from seals where they are, from a walk where they are not.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::count::LogCounts;
use super::pauses::look_behind_pauses;
use super::restart::{SAMPLE, rate, replay, sample};
use crate::disk::{Remote, Segment, Source, Traffic};
use crate::formats::{Breakdowns, CountedPart, Counter, Ending, Halt, Item, Ours, State, Summary, Tally, Want};
use crate::model::{Damage, Error, HoleOrigin, Lsn, LsnRange, Result, Time, Verdict};
use crate::ops::far::sure;
use crate::ops::in_order::in_order;
use crate::ops::open::{Input, steady};
use crate::ops::read::{Scope, segments_of_use};
use crate::ops::report::Progress;
use crate::ops::settle::settle;
use crate::ops::walk;

/// What a log consists of.
#[derive(Debug)]
pub struct Stats {
    /// The log, as the user named it.
    pub log: PathBuf,
    /// The name of its format.
    pub format: &'static str,
    /// What only logs have that walctl writes itself.
    pub ours: Option<&'static Ours>,
    /// A writer holds it; its process, where the system tells.
    pub live: Option<u32>,
    /// Everything was read; otherwise seals were believed.
    pub scanned: bool,
    /// Which records were counted.
    pub scope: Scope,
    /// How many segments the log has. Those that can hold none of these records are not among the segments below.
    pub of_segments: usize,
    /// The worst that was seen. Segments whose seal was believed were not checked: [`Stats::verdict_name`] says so.
    pub verdict: Verdict,
    /// How many segments were not read because their Seal was believed.
    pub unchecked: u64,
    /// How much damage was seen.
    pub damage: u64,
    /// All segments together.
    pub counts: LogCounts,
    /// What its records hold, by what matters in its format; empty where a format has nothing to tell.
    pub breakdowns: Breakdowns,
    /// Each by itself.
    pub segments: Vec<SegmentStats>,
    /// LSNs that the log itself says are gone, in the order of its segments.
    pub known_holes: Vec<LsnRange>,
    /// How the log ends.
    pub ending: Option<Ending>,
    /// Records, and bytes of segments, after the last checkpoint: what a restart reads again. The whole log when there is none.
    pub replay_records: u64,
    /// See `replay_records`.
    pub replay_bytes: u64,
    /// Bytes a second of a scan, measured on this log just now; `None` when it is too small to tell.
    pub scan_rate: Option<f64>,
    /// What was asked of the bucket that holds the log, up to here.
    pub traffic: Option<Traffic>,
    /// When this was counted.
    pub now: Time,
}

/// What a segment consists of.
#[derive(Clone, Debug)]
pub struct SegmentStats {
    /// Its name.
    pub file: String,
    /// From its first to its last LSN.
    pub lsns: Option<LsnRange>,
    /// From its first to its last time.
    pub times: Option<(Time, Time)>,
    /// Records.
    pub records: u64,
    /// Bytes up to the end of its data.
    pub used: u64,
    /// Bytes of damage behind that.
    pub damaged: u64,
    /// How long the file is; the rest is room that was made ahead.
    pub file_bytes: u64,
    /// Whether it is finished.
    pub state: State,
    /// What keeps it from being pruned.
    pub pinned: Pinned,
    /// It was read; otherwise its Seal was believed.
    pub checked: bool,
}

/// What keeps a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// Nothing: all of it is safe elsewhere, as the last checkpoint says.
    Nothing,
    /// It is written to.
    Active,
    /// It holds records that no checkpoint covers.
    Checkpoint,
    /// A transaction with this tag began in it and has not ended.
    Transaction(u64),
}

impl Stats {
    /// What is known of the whole log in a word: what was not read is not called clean.
    #[must_use]
    pub fn verdict_name(&self) -> &'static str {
        if self.verdict == Verdict::Clean && self.unchecked > 0 { NOT_CHECKED } else { self.verdict.name() }
    }

    /// Bytes up to the end of the data of each segment.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.used).sum()
    }

    /// Bytes of all files.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.segments.iter().map(|s| s.file_bytes).sum()
    }

    /// The bytes that the headers of all frames take, where that is known.
    #[must_use]
    pub fn frame_headers(&self) -> Option<u64> {
        self.ours.map(|ours| (self.counts.frames + self.counts.closes) * ours.frame_header)
    }

    /// Bytes that are reserved and not used.
    #[must_use]
    pub fn reserved_bytes(&self) -> u64 {
        self.file_bytes().saturating_sub(self.used_bytes() + self.damaged_bytes())
    }

    /// Bytes of damage behind the last whole record of a segment.
    #[must_use]
    pub fn damaged_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.damaged).sum()
    }

    /// Used bytes for each byte of payload; 0 without payload.
    #[must_use]
    pub fn write_amplification(&self) -> f64 {
        ratio(self.used_bytes(), self.counts.plain_bytes)
    }

    /// Payload bytes as given for each stored one; 1 when nothing is stored.
    #[must_use]
    pub fn compression_ratio(&self) -> f64 {
        if self.counts.stored_bytes == 0 { 1.0 } else { ratio(self.counts.plain_bytes, self.counts.stored_bytes) }
    }

    /// Data frames for each sync; 0 where the format does not say.
    #[must_use]
    pub fn frames_per_group(&self) -> f64 {
        ratio(self.counts.frames, self.counts.groups)
    }

    /// How long a restart reads, at the rate that was measured.
    #[must_use]
    pub fn replay_seconds(&self) -> Option<f64> {
        if self.replay_bytes == 0 { Some(0.0) } else { self.scan_rate.map(|rate| self.replay_bytes as f64 / rate) }
    }
}

fn ratio(a: u64, b: u64) -> f64 {
    if b == 0 { 0.0 } else { a as f64 / b as f64 }
}

/// What stands for a verdict where none of what was looked at is damaged, and not all was looked at.
pub const NOT_CHECKED: &str = "not checked";

/// What one segment gave.
pub(super) struct SegmentPart {
    summary: Summary,
    /// The summary is of a walk, not only of header and Seal.
    walked: bool,
    pub(super) tally: Option<Box<Tally>>,
    /// Where not all records are counted: how many were, and their numbers.
    meant: Option<(u64, Option<LsnRange>)>,
    pub(super) used: u64,
    file_bytes: u64,
    state: State,
}

impl SegmentPart {
    /// Bytes of damage behind the last whole record: they are neither used nor room that was made ahead.
    fn damaged_behind(&self) -> u64 {
        let behind = self.summary.damage.kept().iter().filter(|damage| damage.span.start() >= self.used);
        behind.map(|damage| damage.span.length).sum::<u64>().min(self.file_bytes.saturating_sub(self.used))
    }

    fn of(mut summary: Summary, walked: bool) -> SegmentPart {
        let tally = summary.tally.take();
        SegmentPart { tally, walked, meant: None, used: summary.end, file_bytes: summary.length, state: summary.state, summary }
    }

    /// All of it was looked into. What is compressed or encrypted as a whole may be walked, and is not.
    fn checked(&self) -> bool {
        self.walked && self.summary.whole
    }
}

/// What is counted, and how.
#[derive(Clone, Copy, Debug)]
pub struct StatsWish {
    /// Read all of it; otherwise seals are believed, and only what has none is read.
    pub scan: bool,
    /// Count only these records. What the log is worth is then not known.
    pub scope: Scope,
    /// How many segments are read at once; one where the format breaks its content down.
    pub jobs: usize,
}

impl Default for StatsWish {
    fn default() -> Self {
        StatsWish { scan: false, scope: Scope::default(), jobs: 1 }
    }
}

/// Counts what a log holds.
pub fn stats(input: &Input, wish: &StatsWish, progress: &Progress) -> Result<Stats> {
    steady(input, |input| {
        if wish.scope.is_all() {
            return count(input, &input.source, wish, progress);
        }
        let Input { source, format, keys, .. } = input;
        let range = segments_of_use(source, format, keys, wish.scope)?.range;
        let some = Input { source: source.narrow(range), ..input.clone() };
        count(&some, source, wish, progress)
    })
}

/// A segment, what its records come to if it was walked, and how long that took.
type CountedSegment = (SegmentPart, Option<LogCounts>, Duration);

/// What reading the segments gave.
struct SegmentParts {
    counts: LogCounts,
    breakdowns: Breakdowns,
    parts: Vec<SegmentPart>,
    /// What was walked, and how long that took one thread.
    read_bytes: u64,
    read_time: Duration,
}

fn count_segments(input: &Input, all: &Source, live: bool, wish: &StatsWish, progress: &Progress) -> Result<SegmentParts> {
    let source = &input.source;
    progress.done.store(0, Ordering::Relaxed);
    let (given, jobs) = match (input.format.count, wish.scope.is_all()) {
        (None, _) => (None, wish.jobs),
        // What a record holds can depend on those before it, so one thread reads them all.
        (Some(count), true) => (Some((count, CountedPart::All)), 1),
        (Some(count), false) => (Some((count, CountedPart::Some)), 1),
    };
    if let Some(remote) = source.disk.remote() {
        remote.readers(jobs);
    }
    let one = |index: usize, content: Option<&mut ContentCount>| {
        if progress.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let segment = &source.segments[index];
        let sealed = if wish.scan { None } else { from_trailer(input, segment, wish.scope)? };
        if let Some(part) = sealed {
            progress.done.fetch_add(part.file_bytes, Ordering::Relaxed);
            return Ok((part, None, Duration::ZERO));
        }
        let begun = Instant::now();
        let (part, counted) = count_segment(input, segment, live, (wish.scope, content), progress)?;
        Ok((part, Some(counted), begun.elapsed()))
    };
    let parts = Vec::with_capacity(source.segments.len());
    let (counts, breakdowns) = (LogCounts::default(), Breakdowns::default());
    let mut sum = SegmentParts { counts, breakdowns, parts, read_bytes: 0, read_time: Duration::ZERO };
    let mut take = |index: usize, (part, counted, took): CountedSegment| {
        if let Some(counted) = counted {
            sum.read_bytes += part.used;
            sum.read_time += took;
            sum.counts.append(counted);
        }
        if let Some(tally) = &part.tally {
            sum.counts.add(tally, index);
        }
        sum.parts.push(part);
        Ok(())
    };
    let Some((count, given)) = given else {
        in_order(source.segments.len(), jobs, &|index| one(index, None), &mut take)?;
        return Ok(sum);
    };
    let mut content = ContentCount::of(count(all, given));
    (0..source.segments.len()).try_for_each(|index| take(index, one(index, Some(&mut content))?))?;
    sum.breakdowns = content.breakdowns;
    if given == CountedPart::Some {
        // The end of a transaction can stand behind what was read.
        sum.breakdowns.open.clear();
        sum.breakdowns.more_open = true;
    }
    Ok(sum)
}

/// Counts the segments of `input`, which are those of the log `all` that are of use.
fn count(input: &Input, all: &Source, wish: &StatsWish, progress: &Progress) -> Result<Stats> {
    let source = &input.source;
    let live = source.writer(input.format.lock);
    let counted = count_segments(input, all, live.is_some(), wish, progress)?;
    let SegmentParts { mut counts, breakdowns, parts, read_bytes, read_time } = counted;
    let of = all.segments.len();
    let whole = wish.scope.is_all();
    let (parts, verdict, damage) = judged(input, live.is_some(), parts)?;
    let unchecked = if whole { parts.iter().filter(|part| !part.checked()).count() } else { of } as u64;
    let mut segments = describe(input, &parts, &counts);
    if !whole {
        segments.iter_mut().for_each(|segment| segment.checked = false);
    }
    // Frames of a batch or a record that is not whole are counted by kind and size; the records in them are not given out.
    counts.records = segments.iter().map(|s| s.records).sum();
    look_behind_pauses(input, &mut counts, &parts, &segments);
    let header = input.format.ours.map_or(0, |ours| ours.segment_header);
    let (replay_records, replay_bytes) = replay(&counts, &parts, &segments, header);
    let ending = parts.last().map(|p| p.summary.ending);
    let holes = parts.iter().flat_map(|part| part.summary.holes.kept()).filter(|known| known.hole.origin != HoleOrigin::Unused);
    let known_holes = holes.map(|known| known.hole.lsns).collect();
    // Bytes that are paid for are not read to learn how fast they come.
    let sample = |parts: &[SegmentPart]| if source.disk.remote().is_some() { None } else { sample(input, parts) };
    // How fast it reads when it is held back says nothing of a restart.
    let held_back = progress.limit.is_limited();
    let scan_rate = if read_bytes >= SAMPLE && !held_back { Some(rate(read_bytes, read_time)) } else { sample(&parts) };
    let scan_rate = scan_rate.or((read_bytes > 0 && !held_back).then(|| rate(read_bytes, read_time)));
    Ok(Stats {
        log: source.path.clone(),
        format: input.format.name,
        ours: input.format.ours,
        live,
        scanned: whole && parts.iter().all(|part| part.walked),
        scope: wish.scope,
        of_segments: of,
        verdict,
        unchecked,
        damage,
        counts,
        breakdowns,
        segments,
        known_holes,
        ending,
        replay_records,
        replay_bytes,
        scan_rate,
        traffic: source.disk.remote().map(Remote::traffic),
        now: Time::now(),
    })
}

/// What the records that were read hold.
struct ContentCount {
    counter: Counter,
    room: Vec<u8>,
    breakdowns: Breakdowns,
}

impl ContentCount {
    fn of(counter: Counter) -> ContentCount {
        ContentCount { counter, room: Vec::new(), breakdowns: Breakdowns::default() }
    }
}

/// A segment whose end answers for all of it.
fn from_trailer(input: &Input, segment: &Segment, scope: Scope) -> Result<Option<SegmentPart>> {
    let Some(trailer) = input.format.trailer else { return Ok(None) };
    let part = trailer(&input.source, segment)?.map(|summary| SegmentPart::of(summary, false));
    Ok(part.filter(|part| scope.is_all() || part.tally.as_ref().is_some_and(|tally| lies_in(tally, scope))))
}

/// Whether all that was counted is meant.
fn lies_in(tally: &Tally, scope: Scope) -> bool {
    let ends = [(tally.first_lsn, tally.min_time), (tally.last_lsn, tally.max_time)];
    ends.into_iter().all(|(lsn, time)| scope.holds(LsnRange::new(Lsn(lsn), Lsn(lsn)), Some(Time(time)).filter(|time| time.0 > 0)))
}

/// Counts a segment by walking it: what its records come to where its format does not count by itself.
fn count_segment(
    input: &Input,
    segment: &Segment,
    live: bool,
    (scope, mut content): (Scope, Option<&mut ContentCount>),
    progress: &Progress,
) -> Result<(SegmentPart, LogCounts)> {
    let Scope { lsns, since, until } = scope;
    let want = Want { tally: true, live, lsns, since, until, payloads: content.is_some(), ..Want::default() };
    let (mut counts, mut reached) = (LogCounts::default(), 0);
    let mut step = |to: u64| {
        progress.read(to.saturating_sub(reached));
        reached = reached.max(to);
    };
    let mut take = |item: Item<'_>| {
        match item {
            Item::Record(record) if scope.holds(record.lsns(), record.time) => {
                counts.record(record);
                if let Some(ContentCount { counter, room, breakdowns }) = content.as_deref_mut() {
                    breakdowns.record(counter, record, room)?;
                }
            }
            Item::Hurt(_) => drop(progress.damage.fetch_add(1, Ordering::Relaxed)),
            Item::Reached(offset) => step(offset),
            Item::Record(_) | Item::Mark(_) => {}
        }
        if progress.stop.load(Ordering::Relaxed) { Err(Halt::Failed(Error::Interrupted)) } else { Ok(()) }
    };
    let summary = walk::one(input, segment, want, &mut take)?.ok_or(Error::Interrupted)?;
    step(summary.length);
    let mut part = SegmentPart::of(summary, true);
    if !scope.is_all() {
        // The walk counts what it passes over, too.
        part.meant = Some(match &part.tally {
            Some(tally) => {
                (tally.records, LsnRange::new(Lsn(tally.first_lsn), Lsn(tally.last_lsn)).filter(|_| tally.last_lsn > 0))
            }
            None => (counts.records, counts.lsns),
        });
    }
    Ok((part, counts))
}

/// What the walks found, and what joining them with each other and with the Seals that were believed shows.
fn judged(input: &Input, live: bool, mut parts: Vec<SegmentPart>) -> Result<(Vec<SegmentPart>, Verdict, u64)> {
    let blank = |(part, segment): (&mut SegmentPart, &Segment)| std::mem::replace(&mut part.summary, Summary::new(segment, 0));
    let mut summaries: Vec<Summary> = parts.iter_mut().zip(&input.source.segments).map(blank).collect();
    let want = Want { tally: true, live, ..Want::default() };
    settle(input.into(), want, &mut summaries)?;
    let mut damage: Vec<Damage> = (input.format.join)(&input.source, &mut summaries);
    let mut beyond = 0;
    for (part, summary) in parts.iter_mut().zip(summaries) {
        damage.extend(summary.damage.kept().iter().cloned());
        beyond += summary.damage.beyond();
        part.summary = summary;
    }
    sure(&input.source, damage.iter().map(|damage| damage.span.place.segment))?;
    let verdict = damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean);
    Ok((parts, verdict, damage.len() as u64 + beyond))
}

fn describe(input: &Input, parts: &[SegmentPart], counts: &LogCounts) -> Vec<SegmentStats> {
    let safe = counts.checkpoint.map(|(_, safe)| safe);
    let of = |(index, (part, segment)): (usize, (&SegmentPart, &Segment))| {
        let tally = part.tally.as_ref().filter(|t| t.last_lsn > 0);
        let summary = &part.summary;
        let lsns = tally.and_then(|t| LsnRange::new(Lsn(t.first_lsn), Lsn(t.last_lsn))).or(summary.lsns);
        let (records, lsns) = part.meant.unwrap_or((summary.records, lsns));
        let open = counts.open.iter().find(|(_, began)| *began == index);
        let pinned = match (open, lsns, safe) {
            _ if part.state == State::Active => Pinned::Active,
            (Some((tag, _)), ..) => Pinned::Transaction(*tag),
            (None, Some(lsns), Some(safe)) if lsns.last <= safe => Pinned::Nothing,
            (None, None, _) => Pinned::Nothing,
            _ => Pinned::Checkpoint,
        };
        SegmentStats {
            file: segment.name.clone(),
            lsns,
            times: tally.filter(|t| t.max_time > 0).map(|t| (Time(t.min_time), Time(t.max_time))),
            records,
            used: part.used,
            damaged: part.damaged_behind(),
            file_bytes: part.file_bytes,
            state: part.state,
            pinned,
            checked: part.checked(),
        }
    };
    parts.iter().zip(&input.source.segments).enumerate().map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, Open, SimDisk};
    use crate::formats::Format;
    use crate::formats::native::FORMAT;
    use crate::model::Keys;

    /// Each segment says at its end that it has the records 3 to 5, of the times 30 to 50.
    static SEALED: Format = Format {
        trailer: Some(|_, segment| {
            let mut tally = Tally::default();
            (tally.first_lsn, tally.last_lsn, tally.min_time, tally.max_time) = (3, 5, 30, 50);
            Ok(Some(Summary { tally: Some(Box::new(tally)), ..Summary::new(segment, 0) }))
        }),
        ..FORMAT
    };

    #[test]
    fn the_end_of_a_segment_answers_where_all_of_it_is_meant_and_else_it_is_read() {
        let disk = SimDisk::new();
        let file = disk.open(Path::new("/a"), Open::CREATE).expect("it is new");
        let source = Source::given(Arc::new(disk), "a", file.into(), 1);
        let input = Input { source, format: &SEALED, keys: Keys::default(), named: true };
        let answers = |scope| from_trailer(&input, &input.source.segments[0], scope).expect("it reads").is_some();
        let lsns = |first, last| answers(Scope { lsns: LsnRange::new(Lsn(first), Lsn(last)), ..Scope::default() });
        assert!(answers(Scope::default()));
        assert!(lsns(3, 5) && lsns(1, 9) && !lsns(3, 4) && !lsns(4, 5) && !lsns(6, 9));
        let times = |since, until| answers(Scope { since: Some(Time(since)), until: Some(Time(until)), ..Scope::default() });
        assert!(times(30, 50) && times(1, 90) && !times(30, 49) && !times(31, 50) && !times(51, 90));
    }
}
