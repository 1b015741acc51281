//! Which numbers records keep when a log is salvaged, and in which order they are read.

use super::salvage::{Gap, each_record};
use crate::formats::{Numbers, Want};
use crate::model::{DamageKind, Hole, Lsn, LsnRange, Record, Result};
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

/// More than that is claimed by damage, and not believed: it would use up the numbers.
const MOST: u64 = 1 << 32;

/// The numbers that records would have had that were lost in these gaps, from `next` on, and why. Where nothing says how many they were, one.
pub fn lost<'a>(gaps: impl Iterator<Item = &'a Gap>, next: Lsn) -> Option<(LsnRange, String)> {
    let (mut total, mut reasons) = (0u64, Vec::new());
    for gap in gaps.filter(|gap| loses(gap)) {
        let damage = &gap.damage;
        total = total.saturating_add(damage.doubt.map_or(1, |doubt| doubt.count()));
        let reason = match damage.doubt {
            Some(doubt) => format!("{}, {}", damage.kind, Hole::source_words(doubt)),
            None => damage.kind.name().to_owned(),
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let last = next.plus(total.clamp(1, MOST) - 1);
    (total > 0).then(|| LsnRange::new(next, last)).flatten().map(|lsns| (lsns, reasons.join("; ")))
}

/// Whether a record is gone there, and not only something else amiss.
fn loses(gap: &Gap) -> bool {
    use DamageKind as K;
    let amiss = matches!(
        gap.damage.kind,
        K::BadHeader
            | K::UnfinishedSegment
            | K::BadSeal
            | K::LsnBack
            | K::OtherLog
            | K::BrokenChain
            | K::WrongName
            | K::Downgraded
    );
    gap.damage.doubt.is_some() || gap.damage.kind == K::MissingSegment || (!amiss && gap.damage.span.length > 0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, Open, SimDisk, crc32, write_full};
    use crate::ops::open::{Choice, open};
    use crate::ops::report::{Checks, Progress, verify};

    /// An entry of allsource: its records have any number in any file.
    fn line(sequence: u64) -> String {
        const ID: &str = "00000000-0000-4000-8000-000000000000";
        let sum = crc32(0, format!("{sequence}2026-11-20 15:32:46.338 UTC{ID}").as_bytes());
        format!(
            "{{\"sequence\":{sequence},\"wal_timestamp\":\"2026-11-20T15:32:46.338Z\",\"event\":{{\"id\":\"{ID}\",\"event_type\":\"t\",\
             \"entity_id\":\"e\",\"tenant_id\":\"default\",\"payload\":{{}},\"timestamp\":\"2025-07-13T02:00:08Z\",\"metadata\":null,\
             \"version\":1}},\"checksum\":{sum}}}\n"
        )
    }

    /// What is decided over files of these sequences: stretches by segment, from and to, and the numbers.
    fn decided(files: &[Vec<u64>]) -> (Vec<(usize, u64, u64)>, NumberPlan) {
        let text = |sequences: &Vec<u64>| sequences.iter().map(|sequence| line(*sequence)).collect();
        decided_over(&files.iter().map(text).collect::<Vec<String>>())
    }

    fn decided_over(files: &[String]) -> (Vec<(usize, u64, u64)>, NumberPlan) {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/log")).expect("a disk in memory has room");
        for (index, text) in files.iter().enumerate() {
            let path = format!("/log/wal-{index:016x}.log");
            let file = disk.open(Path::new(&path), Open::CREATE).expect("it is new");
            write_full(file.as_ref(), text.as_bytes(), 0).expect("a disk in memory has room");
        }
        let disk: Arc<dyn Disk> = Arc::new(disk);
        let choice = Choice { format: crate::formats::by_name("allsource"), ..Choice::default() };
        let input = open(&disk, Path::new("/log"), &choice).expect("it opens").remove(0);
        let report = verify(&input, &Checks::default(), &Progress::default()).expect("it reads");
        let course = course(&input, &report).expect("it reads");
        (course.stretches.iter().map(|s| (s.segment, s.from, s.to)).collect(), course.numbers)
    }

    /// Each segment from end to end, in the order of files.
    fn natural(segments: usize) -> Vec<(usize, u64, u64)> {
        (0..segments).map(|segment| (segment, 0, u64::MAX)).collect()
    }

    #[test]
    fn records_are_read_in_the_order_of_their_numbers_and_what_stands_together_at_once() {
        for (what, files, expected) in [
            ("in order", vec![vec![1, 2, 3], vec![4, 5]], natural(2)),
            ("in order, with holes", vec![vec![1, 2, 5], vec![9, 12]], natural(2)),
            (
                "what followed was written to the oldest",
                vec![vec![1, 2, 3, 6, 7], vec![4, 5]],
                vec![(0, 0, 3), (1, 0, 2), (0, 3, 5)],
            ),
            ("files were swapped, with a hole in one", vec![vec![10, 11], vec![1, 2, 4, 5]], vec![(1, 0, 4), (0, 0, 2)]),
            ("lines were swapped", vec![vec![1, 3, 2, 4]], vec![(0, 0, 1), (0, 2, 3), (0, 1, 2), (0, 3, 4)]),
            ("one is there twice", vec![vec![1, 2], vec![2, 3]], vec![(0, 0, 2), (1, 0, 2)]),
            ("a file begins where another one stops", vec![vec![3, 4], vec![1, 2]], vec![(1, 0, 2), (0, 0, 2)]),
            (
                "files that follow each other at the same line",
                vec![vec![1, 9], vec![5, 2]],
                vec![(0, 0, 1), (1, 1, 2), (1, 0, 1), (0, 1, 2)],
            ),
        ] {
            assert_eq!(decided(&files), (expected, NumberPlan::Stay(0)), "{what}");
        }
    }

    #[test]
    fn what_only_a_salvage_finds_is_counted_too_and_a_long_run_is_one() {
        // An entry inside a bad line.
        let files = [line(1) + "torn" + &line(3) + &line(4), line(2)];
        assert_eq!(decided_over(&files).0, [(0, 0, 1), (1, 0, 1), (0, 1, 3)]);
        let count = RUNS as u64 + 50;
        let files = [(1..=count).chain([count + 2]).collect(), vec![count + 1]];
        assert_eq!(decided(&files).0, [(0, 0, count), (1, 0, 1), (0, count, count + 1)]);
    }

    #[test]
    fn segments_of_ours_whose_names_were_exchanged_are_read_in_the_order_of_their_numbers() {
        use crate::native::segment_name;
        use crate::ops::mend::tests::{disk_with, look, segment};
        let (first, sum) = segment(1, 0, &[(1, 0, 0, b"a"), (2, 0, 0, b"b"), (3, 0, 0, b"c")]);
        let (second, _) = segment(4, sum, &[(4, 0, 0, b"d")]);
        for (files, expected) in [([&first, &second], [0, 1]), ([&second, &first], [1, 0])] {
            let files = files.into_iter().zip([1, 4]).map(|(bytes, lsn)| (segment_name(Lsn(lsn)), bytes.clone())).collect();
            let (input, report) = look(&disk_with(&files)).expect("it reads");
            let course = course(&input, &report).expect("it reads");
            assert_eq!(course.stretches.iter().map(|stretch| stretch.segment).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn all_are_shifted_where_one_has_the_number_0_and_numbered_anew_where_one_has_none_that_fits() {
        const LAST: u64 = u64::MAX - 3;
        for (files, expected) in [
            (vec![vec![1, 2]], NumberPlan::Stay(0)),
            (vec![vec![0, 1, 2]], NumberPlan::Stay(1)),
            (vec![vec![1], vec![0], vec![2]], NumberPlan::Stay(1)),
            (vec![vec![1, LAST]], NumberPlan::Stay(0)),
            (vec![vec![1, LAST + 1]], NumberPlan::New),
        ] {
            assert_eq!(decided(&files).1, expected, "{files:?}");
        }
    }

    #[test]
    fn more_runs_than_are_remembered_are_left_in_the_order_of_files() {
        let backward = |count: u64| (1..=count).rev().map(|n| 2 * n).collect::<Vec<u64>>();
        for (segments, runs, ordered) in [(1, RUNS + 1, true), (1, RUNS + 2, false), (3, RUNS + 3, true), (3, RUNS + 4, false)] {
            let mut files = vec![Vec::new(); segments];
            files[segments - 1] = backward(runs as u64);
            let stretches = decided(&files).0;
            if ordered {
                let expected: Vec<_> = (0..runs as u64).rev().map(|at| (segments - 1, at, at + 1)).collect();
                assert_eq!(stretches, expected, "{runs} in {segments}");
            } else {
                assert_eq!(stretches, natural(segments), "{runs} in {segments}");
            }
        }
    }
}
