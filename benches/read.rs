//! How fast logs are checked, beside a bare loop over the same bytes, in one run and by turns.
//!
//! `cargo bench --bench read` makes sealed logs of 1 GiB in a temporary folder (`TMPDIR` says where), reads each once so that it is
//! in the page cache, and prints medians and the ratio pair by pair. `cargo bench --bench read -- 256` makes them smaller.

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

mod common;

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use common::{median, processor_time};
use walctl::disk::{Disk, Io, RealDisk};
use walctl::model::{Lsn, Time, Verdict};
use walctl::native::{
    FRAME_HEADER, FrameFields, FrameHeader, FrameKind, HEADER_BYTES, SegmentHeader, Tally, encode_frame, encode_header,
    encode_seal, segment_name,
};
use walctl::ops::open::{Choice, Input, open};
use walctl::ops::report::{Checks, Progress, verify};

const TURNS: usize = 7;

fn main() {
    let megabytes: u64 = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(1024);
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (payload, segments) in [(1024, 1), (128, 1), (1024, 4)] {
        let log = dir.path().join(format!("log-{payload}-{segments}"));
        let records = make(&log, payload, segments, (megabytes << 20) / segments);
        compare(&log, payload, segments, records);
        std::fs::remove_dir_all(&log).expect("it was just made");
    }
}

/// Writes a sealed log, and says how many records it has.
fn make(dir: &Path, payload: usize, segments: u64, bytes: u64) -> u64 {
    std::fs::create_dir_all(dir).expect("room for a folder");
    let payload: Vec<u8> = (0..payload).map(|n| b'a' + (n % 26) as u8).collect();
    let (mut lsn, mut chain) = (1, 0);
    for _ in 0..segments {
        let header =
            SegmentHeader { key: None, block: 0, log_id: [5; 16], first_lsn: Lsn(lsn), created: Time(0), chain, recycled: false };
        let mut file = File::create(dir.join(segment_name(Lsn(lsn)))).expect("room for a file");
        let mut out = encode_header(&header);
        let (mut written, mut tally) = (0u64, Tally::default());
        while written + (out.len() as u64) < bytes {
            let fields = FrameFields { kind: FrameKind::Full, flags: 0, unsynced: 0, lsn: Lsn(lsn), time: Time(lsn), tag: 0 };
            let (at, start) = (written + out.len() as u64, out.len());
            encode_frame(&mut out, &fields, &payload, header.seed(), at);
            let frame = FrameHeader::parse(out[start..].first_chunk().expect("a frame")).expect("its magic");
            tally.observe(&frame, at, payload.len() as u64);
            lsn += 1;
            if out.len() > 1 << 20 {
                file.write_all(&out).expect("room for the log");
                written += out.len() as u64;
                out.clear();
            }
        }
        let at = written + out.len() as u64;
        chain = encode_seal(&mut out, &tally, 0, Lsn(lsn), Time(lsn), header.seed(), at);
        file.write_all(&out).expect("room for the log");
    }
    lsn - 1
}

/// The bare loop: maps each file and sums each record, believing every length.
fn bare(dir: &Path) -> u64 {
    let mut count = 0;
    for path in files(dir) {
        let file = File::open(path).expect("it is there");
        // SAFETY: nobody else knows the file.
        let map = unsafe { memmap2::Mmap::map(&file) }.expect("a regular file maps");
        let mut at = HEADER_BYTES as usize;
        while let Some(header) = map.get(at..at + FRAME_HEADER).and_then(|h| FrameHeader::parse(h.first_chunk()?)) {
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(&map[at + 8..at + FRAME_HEADER + header.length as usize]);
            black_box(hasher.finalize());
            at += header.span() as usize;
            count += 1;
        }
    }
    count
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir).expect("it lists").map(|e| e.expect("it lists").path()).collect();
    files.sort();
    files
}

fn input(dir: &Path, io: Io) -> Input {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    open(&disk, dir, &Choice { io, ..Choice::default() }).expect("a log").remove(0)
}

fn check(dir: &Path, io: Io, jobs: usize) -> u64 {
    let report = verify(&input(dir, io), &Checks { jobs, ..Checks::default() }, &Progress::default()).expect("it reads");
    assert_eq!(report.verdict, Verdict::Clean);
    report.records
}

fn compare(log: &Path, payload: usize, segments: u64, records: u64) {
    type Way = (&'static str, Box<dyn Fn() -> u64>);
    let path = log.to_owned();
    let way = |io: Io, jobs: usize| -> Box<dyn Fn() -> u64> {
        let path = path.clone();
        Box::new(move || check(&path, io, jobs))
    };
    let bare_path = path.clone();
    let mut ways: Vec<Way> = vec![
        ("bare loop, mapped", Box::new(move || bare(&bare_path))),
        ("verify, 1 thread", way(Io::Auto, 1)),
        ("verify --io read, 1 thread", way(Io::Read, 1)),
    ];
    let reader_path = path.clone();
    let records_of = move || walctl::Reader::open(&reader_path).expect("a log");
    let again = records_of.clone();
    ways.push(("Reader, owned records", Box::new(move || records_of().map(|record| record.map_or(0, |_| 1)).sum())));
    ways.push((
        "Reader::each, lent records",
        Box::new(move || {
            let mut count = 0;
            let ended = again().each(|record| {
                count += u64::from(!record.payload.is_empty());
                Ok(())
            });
            assert_eq!(ended.expect("it reads"), walctl::Ended::Whole);
            count
        }),
    ));
    if segments > 1 {
        ways.push(("verify, 2 threads", way(Io::Auto, 2)));
    }
    let bytes: u64 = files(log).iter().map(|f| f.metadata().expect("it is there").len()).sum();
    println!("{segments} segment(s), {records} records of {payload} B, {:.2} GB", bytes as f64 / 1e9);
    let mut times: Vec<Vec<(f64, f64)>> = ways.iter().map(|_| Vec::new()).collect();
    for turn in 0..=TURNS {
        for ((name, run), times) in ways.iter().zip(&mut times) {
            let (start, processor) = (Instant::now(), processor_time());
            assert!(run() >= records, "{name} lost records");
            // The first turn brings the log into the cache.
            if turn > 0 {
                times.push((start.elapsed().as_secs_f64(), processor_time() - processor));
            }
        }
    }
    let base = times[0].clone();
    for ((name, _), times) in ways.iter().zip(&times) {
        let ratio = |of: fn(&(f64, f64)) -> f64| median(base.iter().zip(times).map(|(bare, this)| of(bare) / of(this)));
        let time = median(times.iter().map(|(wall, _)| *wall));
        println!(
            "  {name:28} {:6.2} GB/s  {:6.2} M records/s  {:.2} x the bare loop  {:.2} x in processor time",
            bytes as f64 / time / 1e9,
            records as f64 / time / 1e6,
            ratio(|(wall, _)| *wall),
            ratio(|(_, processor)| *processor)
        );
    }
}
