//! Our own logs, hurt in every way that is small: each bit flipped, each segment cut at each byte, zeros from each byte on.
//!
//! Never a panic, never an endless loop, never more memory than the log is worth. Harm under a sum is never called clean, what had
//! provably been synced is called corrupt, what may have been interrupted is not, and records whose bytes are untouched are delivered.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use walctl::disk::Disk;
use walctl::formats::{Halt, Item, Sink, Visit, Want};
use walctl::model::{Acknowledged, Keys, Verdict};
use walctl::ops::open::{Choice, Input, open};
use walctl::ops::report::{Checks, Progress, Report, verify};

use crate::support::held::HeldFolder;
use crate::support::lines::join_with_lines;
use crate::support::memory::peak_of;
use crate::support::recipe::{Frame, KEY, Made, cook};

/// Small logs of every shape.
const SHAPES: [&str; 10] = [
    "record alpha\nrecord beta\nrecord gamma\nclose",
    "record alpha\ngroup\nrecord beta\nrecord gamma\nrecord delta\nsync\nrecord omega",
    "group\nrecord one\nrecord two\nrecord three",
    "record a\nbatch\nrecord b\nlz4 fill 90\nrecord c\nend\nrecord d",
    "record a\nsplit 20 fill 50 98\nkind checkpoint tag 1\nkind txn-begin tag 9 record t\nkind txn-commit tag 9",
    "encrypted record secret\nlz4 encrypted fill 200\nclose\nencrypted record after",
    "unbound\nencrypted record secret\nlz4 encrypted fill 200\nclose\nencrypted record after",
    "record a\nrecord b\nseal\nsegment\nrecord c\nrecord d\nseal\nsegment\nrecord e\nzeros 64",
    "begin 48213\nrecord a\nsegment\ngroup\nrecord b\nrecord c\nsync\nsegment\nunsynced unknown record d",
    "block 512\nrecord a\npad 512\nrecord b\npad 512\nclose",
];

/// No small log is worth more than that.
const MEMORY: usize = 8 << 20;

/// How far the bytes of the header reach that mean something, and those that its sum covers.
const HEADER_SUMMED: usize = 60;
const HEADER_USED: usize = 104;

type Records = BTreeMap<u64, (String, Vec<u8>)>;

/// What reading a log gives.
struct Read {
    report: Report,
    records: Records,
}

fn keys() -> Keys {
    Keys::parse(KEY).expect("the key of the recipes")
}

fn read(made: &Made) -> Read {
    let disk: Arc<dyn Disk> = Arc::new(HeldFolder::of(made));
    let choice = Choice { format: Some(&walctl::formats::native::FORMAT), keys: keys(), ..Choice::default() };
    let input = open(&disk, Path::new("LOG"), &choice).expect("the folder is there").remove(0);
    let (read, peak) = peak_of(|| {
        let report =
            verify(&input, &Checks { deep: true, ..Checks::default() }, &Progress::default()).expect("damage is a finding");
        Read { report, records: records(&input) }
    });
    assert!(peak < MEMORY, "{peak} bytes were held at once");
    read
}

fn records(input: &Input) -> Records {
    let (mut records, mut summaries) = (Records::new(), Vec::new());
    for segment in &input.source.segments {
        let want = Want { payloads: true, deep: true, ..Want::default() };
        let visit = Visit { source: &input.source, segment, keys: &input.keys, want };
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                let mut payload = Vec::new();
                record.payload.each(&mut |piece| {
                    payload.extend_from_slice(piece);
                    Ok(())
                })?;
                let lsn = record.lsn.expect("our records have LSNs").0;
                let twice = records.insert(lsn, (record.kind.to_owned(), payload));
                assert!(twice.is_none(), "LSN {lsn} was delivered twice");
            }
            Ok(())
        };
        match (input.format.walk)(&visit, &mut Sink::new(&mut take)) {
            Ok(summary) => summaries.push(summary),
            Err(Halt::Failed(error)) => panic!("{error}"),
            Err(Halt::Enough) => panic!("nobody had enough"),
        }
    }
    join_with_lines(input.format, &input.source, &mut summaries);
    records
}

/// A log, and what it holds when it is whole.
struct Whole {
    shape: &'static str,
    made: Made,
    records: Records,
}

impl Whole {
    fn of(shape: &'static str) -> Whole {
        let made = cook(shape).expect("a good recipe");
        let read = read(&made);
        assert_eq!(read.report.verdict, Verdict::Clean, "{shape}: {:?}", read.report.damage);
        assert!(!read.records.is_empty());
        Whole { shape, made, records: read.records }
    }

    /// The records that must come through when the frames that `hit` picks are gone: all that have no frame among them.
    fn untouched(&self, hit: impl Fn(usize, &Frame) -> bool) -> Vec<u64> {
        let mut alive = Vec::new();
        for (index, segment) in self.made.segments.iter().enumerate() {
            // A unit is a record in all its fragments, or a batch: all of it or nothing.
            let mut units: Vec<Vec<&Frame>> = Vec::new();
            let mut open = false;
            for frame in segment.frames.iter().filter(|f| f.kind < 16) {
                let more = segment.bytes[frame.offset + 13] & 4 != 0 || frame.kind == 1 || frame.kind == 2;
                match units.last_mut().filter(|_| open) {
                    Some(unit) => unit.push(frame),
                    None => units.push(vec![frame]),
                }
                open = more;
            }
            for unit in units.iter().filter(|unit| !unit.iter().any(|frame| hit(index, frame))) {
                alive.extend(unit.iter().filter(|f| self.records.contains_key(&f.lsn)).map(|f| f.lsn));
            }
        }
        alive
    }

    fn demand_delivered(&self, read: &Read, alive: &[u64], what: &str) {
        for lsn in alive {
            assert_eq!(read.records.get(lsn), self.records.get(lsn), "{}: {what}: LSN {lsn} was not touched", self.shape);
        }
        for (lsn, record) in &read.records {
            assert_eq!(Some(record), self.records.get(lsn), "{}: {what}: LSN {lsn} was never written so", self.shape);
        }
    }

    /// Whether something behind a frame proves that it had been synced, by the rule of the format page.
    fn proven(&self, segment: usize, hit: &Frame) -> bool {
        let made = &self.made.segments[segment];
        let later = made.frames.iter().filter(|f| f.offset > hit.offset).any(|f| {
            let unsynced = u16::from_le_bytes([made.bytes[f.offset + 14], made.bytes[f.offset + 15]]);
            let vouches = unsynced != u16::MAX && f.lsn.saturating_sub(u64::from(unsynced)) > hit.lsn;
            vouches || f.kind == 17 || f.kind == 18
        });
        later || segment + 1 < self.made.segments.len()
    }
}

static STEPS: AtomicU64 = AtomicU64::new(0);
static RUNNING: AtomicU64 = AtomicU64::new(0);

/// Ends the process when one log is read for a minute: a test that hangs tells nobody why.
fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::thread::spawn(|| {
            let (mut seen, mut seconds) = (0, 0);
            while seconds < 60 {
                std::thread::sleep(Duration::from_secs(1));
                let now = STEPS.load(Ordering::Relaxed);
                seconds = if now == seen { seconds + 1 } else { 0 };
                seen = now;
                if RUNNING.load(Ordering::Relaxed) == 0 {
                    seconds = 0;
                }
            }
            std::process::abort();
        });
    });
}

fn watched(made: &Made) -> Read {
    watch();
    STEPS.fetch_add(1, Ordering::Relaxed);
    RUNNING.fetch_add(1, Ordering::Relaxed);
    let done = read(made);
    RUNNING.fetch_sub(1, Ordering::Relaxed);
    done
}

#[test]
fn each_flipped_bit_under_a_sum_is_found_and_costs_no_other_record() {
    for shape in SHAPES {
        let whole = Whole::of(shape);
        for (index, segment) in whole.made.segments.iter().enumerate() {
            for at in (0..HEADER_USED).chain(4096..segment.bytes.len()) {
                for bit in 0..8 {
                    let mut made = whole.made.clone();
                    made.segments[index].bytes[at] ^= 1 << bit;
                    let what = format!("bit {bit} of byte {at} of segment {}", index + 1);
                    let read = watched(&made);
                    let frame = segment.frames.iter().find(|f| (f.offset..f.summed_end).contains(&at));
                    match frame {
                        Some(frame) => judge_flip(&whole, index, frame, &read, at, &what),
                        // What authenticates a header covers also what no sum does.
                        None if at < HEADER_SUMMED || (segment.bytes[10] & 2 != 0 && (64..HEADER_USED).contains(&at)) => {
                            assert_ne!(read.report.verdict, Verdict::Clean, "{shape}: {what}");
                        }
                        None => {}
                    }
                    let hit = |segment: usize, other: &Frame| segment == index && frame.is_some_and(|f| f.offset == other.offset);
                    whole.demand_delivered(&read, &whole.untouched(hit), &what);
                }
            }
        }
    }
}

fn judge_flip(whole: &Whole, segment: usize, frame: &Frame, read: &Read, at: usize, what: &str) {
    let shape = whole.shape;
    let verdict = read.report.verdict;
    let described = || format!("{shape}: {what}: {:?}", read.report.damage);
    if whole.proven(segment, frame) {
        assert_eq!(verdict, Verdict::Corrupt, "{}", described());
        assert_eq!(read.report.acknowledged(), Acknowledged::Yes, "{}", described());
    } else {
        assert!(matches!(verdict, Verdict::Suspect | Verdict::Torn), "{}: {verdict}", described());
    }
    let id = read.report.segments[segment].id;
    let covers =
        read.report.damage.iter().any(|d| {
            d.span.place.segment == id && d.span.start() <= at as u64 && (at as u64) < d.span.end().max(d.span.start() + 1)
        });
    assert!(covers, "{}", described());
}

#[test]
fn a_log_cut_at_any_byte_is_torn_or_clean_and_keeps_what_stands_before_the_cut() {
    for shape in SHAPES {
        let whole = Whole::of(shape);
        let last = whole.made.segments.len() - 1;
        let segment = &whole.made.segments[last];
        for length in (0..HEADER_USED + 8).chain(4090..segment.bytes.len()) {
            let mut made = whole.made.clone();
            made.segments[last].bytes.truncate(length);
            let what = format!("cut at {length}");
            let read = watched(&made);
            assert!(read.report.verdict <= Verdict::Torn, "{shape}: {what}: {:?}", read.report.damage);
            if let Some(frame) = segment.frames.iter().find(|f| f.offset < length && length < f.summed_end) {
                assert_eq!(read.report.verdict, Verdict::Torn, "{shape}: {what} is inside frame {}", frame.lsn);
            }
            let hit = |index: usize, frame: &Frame| index == last && frame.summed_end > length;
            whole.demand_delivered(&read, &whole.untouched(hit), &what);
        }
    }
}

#[test]
fn a_log_of_which_zeros_stand_from_any_byte_on_is_torn_or_clean() {
    for shape in SHAPES {
        let whole = Whole::of(shape);
        let last = whole.made.segments.len() - 1;
        let segment = &whole.made.segments[last];
        for from in 4096..segment.bytes.len() {
            let mut made = whole.made.clone();
            made.segments[last].bytes[from..].fill(0);
            let what = format!("zeros from {from} on");
            let read = watched(&made);
            assert!(read.report.verdict <= Verdict::Torn, "{shape}: {what}: {:?}", read.report.damage);
            let changed = |frame: &Frame| segment.bytes[from.min(frame.summed_end)..frame.summed_end].iter().any(|b| *b != 0);
            let hit = |index: usize, frame: &Frame| index == last && changed(frame);
            if segment.frames.iter().any(|frame| frame.offset < from && changed(frame)) {
                assert_eq!(read.report.verdict, Verdict::Torn, "{shape}: {what}");
            }
            whole.demand_delivered(&read, &whole.untouched(hit), &what);
        }
    }
}

#[test]
fn a_finished_segment_that_was_cut_has_lost_acknowledged_records() {
    for shape in SHAPES {
        let whole = Whole::of(shape);
        let last = whole.made.segments.len() - 1;
        for index in 0..last {
            let segment = &whole.made.segments[index];
            let data_end = segment.frames.iter().filter(|f| f.kind < 16).map(|f| f.summed_end).max().unwrap_or(0);
            for length in (0..HEADER_USED + 8).chain(4090..data_end) {
                let mut made = whole.made.clone();
                made.segments[index].bytes.truncate(length);
                let what = format!("segment {} cut at {length}", index + 1);
                let read = watched(&made);
                let verdict = read.report.verdict;
                assert!(matches!(verdict, Verdict::Corrupt | Verdict::Missing), "{shape}: {what}: {:?}", read.report.damage);
                assert_eq!(read.report.acknowledged(), Acknowledged::Yes, "{shape}: {what}");
                let hit = |at: usize, frame: &Frame| at == index && frame.summed_end > length;
                whole.demand_delivered(&read, &whole.untouched(hit), &what);
            }
        }
    }
}

#[test]
fn a_segment_that_is_gone_is_missed_unless_it_was_the_last() {
    for shape in SHAPES {
        let whole = Whole::of(shape);
        for index in 0..whole.made.segments.len() - 1 {
            let mut made = whole.made.clone();
            made.segments.remove(index);
            let read = watched(&made);
            // What was pruned from the front is not missing.
            let expected = if index == 0 { Verdict::Clean } else { Verdict::Missing };
            assert_eq!(read.report.verdict, expected, "{shape}: without segment {}: {:?}", index + 1, read.report.damage);
            whole.demand_delivered(&read, &whole.untouched(|at, _| at == index), &format!("without segment {}", index + 1));
        }
    }
}
