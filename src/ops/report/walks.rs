//! Walking the segments of a log, several at once, each of them once.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::verify::{Checks, Progress};
use crate::disk::{EntryKind, Segment};
use crate::formats::{Halt, Item, Summary, Want};
use crate::model::{Error, Result, SegmentId};
use crate::ops::open::Input;
use crate::ops::read::{Scope, segments_of_use};
use crate::ops::seen::SeenRun;
use crate::ops::walk;

/// Which segments are walked when not all of them are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Portion {
    /// All of them.
    #[default]
    All,
    /// One part of several, each of which another process walks: segments are dealt out like cards.
    Part {
        /// Which one, from 1 on.
        number: u32,
        /// How many there are.
        of: u32,
    },
    /// None of them: only the ends of each are read.
    Ends,
    /// Some of them, by dice; of the others the ends, where they tell something.
    Sample {
        /// How many of a million.
        per_million: u32,
        /// Which ones.
        seed: u64,
    },
    /// Those that can hold records of this scope; of the others the ends, where they tell something.
    Records(Scope),
    /// Until so many bytes were walked. The last segment of the log is always walked.
    Bytes(u64),
}

/// Finished walks over finished segments, by the names of their files.
#[derive(Default)]
pub(super) struct WalkCache(HashMap<String, Summary>);

impl WalkCache {
    fn keep(&mut self, segment: &Segment, summary: Summary) {
        if segment.followed {
            self.0.insert(segment.name.clone(), summary);
        }
    }

    /// What was found in a segment of an earlier listing, under the number that it has now.
    fn take(&mut self, segment: &Segment) -> Option<Summary> {
        let mut summary = self.0.remove(&segment.name).filter(|_| segment.followed)?;
        number_anew(&mut summary, segment.id);
        Some(summary)
    }
}

/// Gives what was found in a segment the number that it has in another listing.
pub(super) fn number_anew(summary: &mut Summary, id: SegmentId) {
    summary.damage.kept_mut().iter_mut().for_each(|damage| damage.span.place.segment = id);
    summary.warnings.kept_mut().iter_mut().for_each(|warning| warning.span.place.segment = id);
    summary.holes.kept_mut().iter_mut().for_each(|known| known.span.place.segment = id);
}

/// The names of the segments that a sample reads: at least one, whichever there are, and with the same seed the same ones.
fn sampled(segments: &[Segment], per_million: u32, seed: u64) -> HashSet<&str> {
    let count = (segments.len() as u64 * u64::from(per_million)).div_ceil(1_000_000);
    let mut drawn: Vec<(u64, &str)> = segments.iter().map(|segment| (lot(&segment.name, seed), segment.name.as_str())).collect();
    drawn.sort_unstable();
    drawn.into_iter().take(usize::try_from(count).unwrap_or(usize::MAX)).map(|(_, name)| name).collect()
}

/// A number for a name that nothing but the seed decides.
fn lot(name: &str, seed: u64) -> u64 {
    let mixed = |state: u64| {
        let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        state ^ (state >> 31)
    };
    name.bytes()
        .fold(mixed(seed.wrapping_add(0x9E37_79B9_7F4A_7C15)), |state, byte| mixed(state.wrapping_add(u64::from(byte) + 1)))
}

/// The walks over a log: what is wanted of them, and what is already known.
pub(super) struct Walks<'a> {
    pub input: &'a Input,
    pub want: Want,
    pub checks: &'a Checks,
    pub progress: &'a Progress,
    pub seen: Option<&'a SeenRun<'a>>,
    pub portion: Portion,
}

impl Walks<'_> {
    /// Walks the segments, several at once. `None` for those that are not of the portion.
    pub fn all(&self, walked: &mut WalkCache) -> Result<Vec<Option<Summary>>> {
        let segments = &self.input.source.segments;
        let (mut known, mut todo): (Vec<Option<Summary>>, Vec<&Segment>) = (Vec::new(), Vec::with_capacity(segments.len()));
        for segment in segments {
            let summary = walked.take(segment);
            match &summary {
                Some(summary) => drop(self.progress.done.fetch_add(summary.length, Ordering::Relaxed)),
                None => todo.push(segment),
            }
            known.extend((summary.is_some() || !known.is_empty()).then_some(summary));
        }
        // Of a million segments one list of what was found is enough: where nothing was known before, there is no second one.
        let first = segments.len() - known.len();
        let mut found = self.several(&todo)?;
        let rest = found.split_off(first.min(found.len()));
        let mut rest = rest.into_iter();
        found.extend(
            known.into_iter().map(|known| known.map_or_else(|| rest.next().flatten(), |summary| Some(Ok(Some(summary))))),
        );
        let results = found;
        if results.iter().all(|result| matches!(result, Some(Ok(_)))) {
            return Ok(results.into_iter().map(|result| result.and_then(Result::ok).flatten()).collect());
        }
        // The first real failure counts, not the interruptions that it caused in others.
        let mut failed = None;
        for (segment, result) in segments.iter().zip(results) {
            match result {
                Some(Ok(Some(summary))) => walked.keep(segment, summary),
                Some(Ok(None)) | None | Some(Err(Error::Interrupted)) => {}
                Some(Err(error)) => failed = failed.or(Some(error)),
            }
        }
        Err(failed.unwrap_or(Error::Interrupted))
    }

    /// Walks some segments; after a failure the rest stays undone.
    fn several(&self, todo: &[&Segment]) -> Result<Vec<Option<Result<Option<Summary>>>>> {
        let next = AtomicUsize::new(0);
        let Input { source, format, keys, .. } = self.input;
        let chosen = match self.portion {
            Portion::Sample { per_million, seed } => sampled(&source.segments, per_million, seed),
            Portion::Records(scope) => {
                let range = segments_of_use(source, format, keys, scope)?.range;
                source.segments[range].iter().map(|segment| segment.name.as_str()).collect()
            }
            _ => HashSet::new(),
        };
        let limits = Limits { chosen, begun: AtomicU64::new(0) };
        let results: Mutex<Vec<Option<Result<Option<Summary>>>>> = Mutex::new(todo.iter().map(|_| None).collect());
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(segment) = todo.get(index) else { return };
                self.expect(todo.get(index + self.checks.jobs));
                let result = self.one(segment, &limits);
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
            for _ in 1..self.checks.jobs.min(todo.len()) {
                // Where there is no thread to be had, fewer do the work: this one at the least.
                if std::thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        Ok(results.into_inner().expect("no walk panics while it stores its result"))
    }

    /// This segment is surely read after those that are being read.
    fn expect(&self, segment: Option<&&Segment>) {
        if let (Some(remote), Some(segment), None, Portion::All) =
            (self.input.source.disk.remote(), segment, self.seen, self.portion)
        {
            remote.expect(std::slice::from_ref(&segment.path));
        }
    }

    /// One segment: as it was seen before, or walked; `None` when it is not of the portion.
    fn one(&self, segment: &Segment, limits: &Limits<'_>) -> Result<Option<Summary>> {
        if self.progress.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if let Portion::Part { number, of } = self.portion
            && (!segment.followed || segment.id.index() % (of as usize) + 1 != number as usize)
        {
            return Ok(None);
        }
        let walked = match self.portion {
            Portion::Ends => segment.kind != EntryKind::File,
            Portion::Sample { .. } | Portion::Records(_) => {
                segment.kind != EntryKind::File || limits.chosen.contains(segment.name.as_str())
            }
            _ => true,
        };
        if !walked {
            let ends = self.input.format.ends.map(|ends| ends(&self.input.source, segment));
            self.progress.done.fetch_add(segment.length, Ordering::Relaxed);
            return ends.transpose();
        }
        if let Some(summary) = self.seen.and_then(|seen| seen.find(self.input, segment, self.want)) {
            self.progress.done.fetch_add(summary.length, Ordering::Relaxed);
            return Ok(Some(summary));
        }
        if let Portion::Bytes(most) = self.portion
            && segment.followed
            && limits.begun.fetch_add(segment.length, Ordering::Relaxed) >= most
        {
            return Ok(None);
        }
        let before = self.seen.and_then(|seen| seen.before(segment));
        let summary = self.walk(segment)?;
        if let Some(seen) = self.seen {
            seen.keep(self.input, segment, self.want, before, &summary);
        }
        Ok(Some(summary))
    }

    fn walk(&self, segment: &Segment) -> Result<Summary> {
        let progress = self.progress;
        let mut reached = 0;
        let mut step = |to: u64| {
            let more = to.saturating_sub(reached);
            reached = reached.max(to);
            progress.read(more);
        };
        let mut take = |item: Item<'_>| {
            if let Item::Hurt(_) = item {
                progress.damage.fetch_add(1, Ordering::Relaxed);
            }
            if let Item::Reached(offset) = item {
                step(offset);
                if progress.stop.load(Ordering::Relaxed) {
                    return Err(Halt::Failed(Error::Interrupted));
                }
            }
            Ok(())
        };
        let summary = walk::one(self.input, segment, self.want, &mut take)?.ok_or(Error::Interrupted)?;
        step(summary.length);
        Ok(summary)
    }
}

/// What all walks share.
struct Limits<'a> {
    /// The names of those that are walked where not all are.
    chosen: HashSet<&'a str>,
    /// How many bytes the segments have that walks were begun over.
    begun: AtomicU64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Damage, DamageKind, Facts, Look, Span, Warning};

    #[test]
    fn a_sample_has_its_size_and_is_the_same_for_the_same_seed() {
        let segment = |number: u32| Segment {
            id: SegmentId(number),
            name: format!("{number:020}.wal"),
            path: number.to_string().into(),
            sequence: u64::from(number),
            length: 1,
            followed: true,
            kind: EntryKind::File,
        };
        let segments: Vec<Segment> = (0..200).map(segment).collect();
        for (per_million, count) in [(1, 1), (5_000, 1), (5_001, 2), (50_000, 10), (1_000_000, 200)] {
            let sample = sampled(&segments, per_million, 7);
            assert_eq!((sample.len(), &sample), (count, &sampled(&segments, per_million, 7)), "{per_million}");
        }
        let [one, other] = [7, 8].map(|seed| sampled(&segments, 50_000, seed));
        assert!(one.intersection(&other).count() < 10, "another seed, another sample");
        // Which of those that are left are read does not change when others are pruned.
        let left = sampled(&segments[100..], 1_000_000, 7).len();
        assert_eq!((left, sampled(&[], 1_000_000, 7).len()), (100, 0));
    }

    /// A seed that stands in a report draws the same segments with every version.
    #[test]
    fn a_name_draws_the_number_that_splitmix64_gives_for_its_bytes() {
        let drawn = [("", 0), ("a", 0), ("00000000000000000001.wal", 7)].map(|(name, seed)| lot(name, seed));
        assert_eq!(drawn, [0xe220_a839_7b1d_cdaf, 0x597c_bea1_6e2c_8278, 0xdbd6_84d9_a1ed_0c81]);
    }

    #[test]
    fn what_was_found_in_a_segment_moves_with_it_to_another_number() {
        let (was, now) = (Span::new(SegmentId(4), 10, 20), Span::new(SegmentId(1), 10, 20));
        let segment = Segment {
            id: SegmentId(4),
            name: "5.wal".into(),
            path: "5.wal".into(),
            sequence: 5,
            length: 100,
            followed: true,
            kind: EntryKind::File,
        };
        let mut summary = Summary::new(&segment, 100);
        summary.damage.push(Damage {
            kind: DamageKind::CutShort,
            span: was,
            lsn: None,
            doubt: None,
            expected: String::new(),
            found: String::new(),
            facts: Facts::of(Look::Wrong),
        });
        summary.warnings.push(Warning { name: "odd", span: was, text: String::new() });
        number_anew(&mut summary, SegmentId(1));
        assert_eq!((summary.damage.kept()[0].span, summary.warnings.kept()[0].span), (now, now));
    }
}
