//! Other systems' logs, hurt in every way: each bit flipped, each length cut, zeros from each byte on. Never a panic, never an endless
//! loop; records whose bytes are untouched are always delivered, and harm under a checksum is never called clean.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use walctl::disk::{RealDisk, Source};
use walctl::formats::{Format, Halt, Item, Sink, Visit, Want, by_name};
use walctl::model::{Damage, Error, Keys, Verdict};

use crate::formats::{Found, Got, cases, expected, foreign, keys, read_all, try_read};
use crate::support::held::HeldFile;
use crate::support::memory::peak_of;

/// One segment, alone.
fn walk(format: &Format, name: &str, bytes: Vec<u8>, keys: &Keys) -> Found {
    let sequence = format.number_of(name).unwrap_or(0);
    let source = Source::given(Arc::new(RealDisk), name, Arc::new(HeldFile::new(bytes)), sequence);
    let mut found = Found::default();
    match try_read(format, &source, keys, "", &mut found) {
        // A flipped version is one that nobody knows.
        Ok(()) | Err(Halt::Failed(Error::Unknown { .. })) => found,
        Err(other) => panic!("{name}: {other:?}"),
    }
}

/// A segment of a fixture: its name, its bytes, the keys of its log.
fn segment(format: &str, case: &str) -> (String, Vec<u8>, Keys) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format).join(case);
    let expect = expected(&dir);
    let file = expect["segments"][0]["file"].as_str().expect("a case has a segment").to_owned();
    let bytes = std::fs::read(dir.join("wal").join(&file)).expect("the segment is there");
    (file.rsplit('/').next().expect("a name").to_owned(), bytes, keys(&expect))
}

/// What a clean segment holds, and whether harm to a byte of a frame must be noticed.
struct Clean {
    format: &'static Format,
    name: String,
    bytes: Vec<u8>,
    keys: Keys,
    records: Vec<Got>,
    protected: fn(usize) -> bool,
}

fn clean(format: &str, case: &str, protected: fn(usize) -> bool) -> Clean {
    let (name, bytes, keys) = segment(format, case);
    let format = by_name(format).expect("the format is in the registry");
    let found = walk(format, &name, bytes.clone(), &keys);
    assert_eq!(found.verdict(), Verdict::Clean);
    assert!(!found.records.is_empty(), "{case} holds records");
    Clean { format, name, bytes, keys, records: found.records, protected }
}

/// ironwal leaves out the uncompressed size and the reserved bytes.
fn clean_ironwal() -> Vec<Clean> {
    let protected = |at: usize| !(25..32).contains(&at);
    ["clean_single", "clean_batch_raw", "clean_multi_stream"].map(|case| clean("ironwal", case, protected)).into()
}

/// rivven leaves out type and flags.
fn clean_rivven() -> Vec<Clean> {
    let protected = |at: usize| !(12..14).contains(&at);
    ["clean_single", "clean_all_types", "clean_zero_length_record", "clean_encrypted", "clean_encrypted_chacha20"]
        .map(|case| clean("rivven", case, protected))
        .into()
}

/// Kafka leaves out the base offset and the leader epoch.
fn clean_kafka() -> Clean {
    clean("kafka", "multi_segment", |at| at >= 8 && !(12..16).contains(&at))
}

fn same(a: &Got, b: &Got) -> bool {
    (a.offset, a.length, &a.kind, &a.payload) == (b.offset, b.length, &b.kind, &b.payload)
}

/// The records outside `harmed` must be there, each once and as they were; what else is there must come from the harmed frame.
fn check_untouched(log: &Clean, found: &Found, harmed: std::ops::Range<u64>, what: &str) {
    let touches = |r: &Got| r.offset < harmed.end && harmed.start < r.offset + r.length;
    let mut delivered = found.records.iter().filter(|r| !touches(r));
    for record in log.records.iter().filter(|r| !touches(r)) {
        let next = delivered.next();
        assert!(
            next.is_some_and(|r| same(r, record)),
            "{what}: the record at {} is untouched; instead of it came {next:?}",
            record.offset
        );
    }
    assert_eq!(delivered.next(), None, "{what}: a record that nobody wrote");
}

fn flip_all(log: &Clean) {
    for at in 0..log.bytes.len() {
        for bit in 0..8 {
            let mut bytes = log.bytes.clone();
            bytes[at] ^= 1 << bit;
            let found = walk(log.format, &log.name, bytes, &log.keys);
            let what = format!("{} with bit {bit} of byte {at} flipped", log.format.name);
            let frame = log.records.iter().find(|r| (r.offset..r.offset + r.length).contains(&(at as u64)));
            let frame = frame.expect("a clean log is all frames");
            check_untouched(log, &found, frame.offset..frame.offset + frame.length, &what);
            let inside = at - usize::try_from(frame.offset).expect("small");
            if (log.protected)(inside) {
                assert_ne!(found.verdict(), Verdict::Clean, "{what}");
                assert!(!found.records.iter().any(|r| r.offset == frame.offset), "{what}: it was delivered");
            }
            let last = frame.offset + frame.length == log.bytes.len() as u64;
            // A number outside the sum is wrong, and no byte besides.
            let is_number = |damage: &Damage| damage.span.length == 0 && !(log.protected)(inside);
            let numbers_only = found.damage.iter().all(|(_, damage)| is_number(damage));
            let expected = if last && !numbers_only { Verdict::Suspect } else { Verdict::Corrupt };
            assert!(found.verdict() <= expected, "{what}: {:?}", found.damage);
            for (_, damage) in found.damage.iter().filter(|(_, damage)| !is_number(damage)) {
                // Zeros at the very end are not counted in by a format that fills its files ahead.
                let end = frame.offset + frame.length;
                let ends = damage.span.end() == end || last && at + 1 == log.bytes.len() && damage.span.end() + 1 == end;
                assert!(damage.span.start() == frame.offset && ends, "{what}: {damage:?}");
            }
        }
    }
}

fn cut_all(log: &Clean) {
    for length in 0..log.bytes.len() {
        let found = walk(log.format, &log.name, log.bytes[..length].to_vec(), &log.keys);
        let what = format!("{} cut to {length} bytes", log.format.name);
        check_untouched(log, &found, length as u64..u64::MAX, &what);
        let frame = log.records.iter().rfind(|r| r.offset <= length as u64).expect("a clean log is all frames");
        // Zeros that a frame begins with are not told from room that was made ahead.
        let blank = log.bytes[usize::try_from(frame.offset).expect("small")..length].iter().all(|byte| *byte == 0);
        let expected = if blank { Verdict::Clean } else { Verdict::Torn };
        assert_eq!(found.verdict(), expected, "{what}: {:?}", found.damage);
    }
}

/// Zeros from some byte on: what an interrupted write leaves in a file that was filled ahead.
fn zero_all(log: &Clean, filled_ahead: bool) {
    for from in 0..log.bytes.len() {
        let mut bytes = log.bytes.clone();
        bytes[from..].fill(0);
        let found = walk(log.format, &log.name, bytes.clone(), &log.keys);
        let what = format!("{} with zeros from {from} on", log.format.name);
        let untouched = log.bytes.iter().rposition(|b| *b != 0).is_some_and(|last| last < from);
        if untouched {
            continue;
        }
        let frame = log.records.iter().rfind(|r| r.offset <= from as u64).expect("a clean log is all frames");
        // The end of a frame may have been zeros before.
        let whole = bytes[..usize::try_from(frame.offset + frame.length).expect("small")]
            == log.bytes[..usize::try_from(frame.offset + frame.length).expect("small")];
        let harmed = if whole { frame.offset + frame.length } else { frame.offset };
        check_untouched(log, &found, harmed..u64::MAX, &what);
        let blank = bytes[usize::try_from(harmed).expect("small")..].iter().all(|byte| *byte == 0);
        let clean = filled_ahead && blank;
        let expected = if clean { Verdict::Clean } else { Verdict::Torn };
        assert!(found.verdict() == expected || (!clean && found.verdict() == Verdict::Suspect), "{what}: {:?}", found.damage);
    }
}

#[test]
fn a_flipped_bit_in_an_ironwal_frame_costs_that_frame_alone_and_is_never_clean() {
    clean_ironwal().iter().for_each(flip_all);
}

#[test]
fn a_flipped_bit_in_a_rivven_record_costs_that_record_alone_and_is_never_clean() {
    clean_rivven().iter().for_each(flip_all);
}

#[test]
fn a_flipped_bit_in_a_kafka_batch_costs_that_batch_alone_and_is_never_clean() {
    flip_all(&clean_kafka());
}

#[test]
fn a_cut_kafka_segment_is_torn_unless_it_is_cut_at_a_batch() {
    cut_all(&clean_kafka());
}

#[test]
fn zeros_to_the_end_are_torn_in_kafka_unless_they_begin_at_a_batch() {
    zero_all(&clean_kafka(), true);
}

#[test]
fn a_cut_ironwal_segment_is_torn_unless_it_is_cut_at_a_frame() {
    clean_ironwal().iter().for_each(cut_all);
}

#[test]
fn a_cut_rivven_file_is_torn_unless_it_is_cut_at_a_record() {
    clean_rivven().iter().for_each(cut_all);
}

#[test]
fn zeros_to_the_end_are_torn_in_ironwal_and_the_usual_end_in_rivven() {
    clean_ironwal().iter().for_each(|log| zero_all(log, false));
    clean_rivven().iter().for_each(|log| zero_all(log, true));
}

/// An increment of Redis: its name, its bytes, and what it holds.
fn clean_redis() -> (&'static Format, &'static str, Vec<u8>, Found) {
    let format = by_name("redis").expect("the format is in the registry");
    let name = "appendonly.aof.1.incr.aof";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/redis/clean_incr/wal").join(name);
    let bytes = std::fs::read(path).expect("the increment is there");
    let found = walk(format, name, bytes.clone(), &Keys::default());
    assert_eq!((found.verdict(), found.records.len()), (Verdict::Clean, 41));
    (format, name, bytes, found)
}

/// The bytes of a Redis command that are neither its name nor a key or value: marks, numbers and line ends.
fn framing(command: &[u8]) -> Vec<usize> {
    let (mut places, mut at) = (Vec::new(), 0);
    while at < command.len() {
        let line = command[at..].windows(2).position(|two| two == b"\r\n").expect("a line ends") + 2;
        places.extend(at..at + line);
        let number: usize = std::str::from_utf8(&command[at + 1..at + line - 2]).expect("digits").parse().expect("a number");
        let content = if command[at] == b'$' { number } else { 0 };
        at += line + content;
        if command[at - line - content] == b'$' {
            places.extend(at..at + 2);
            at += 2;
        }
    }
    places
}

#[test]
fn a_flipped_bit_of_what_frames_a_redis_command_is_never_clean_and_costs_no_command_further_on() {
    let (format, name, bytes, clean) = clean_redis();
    for record in &clean.records {
        let start = usize::try_from(record.offset).expect("small");
        let end = record.offset + record.length;
        for at in framing(&record.payload).into_iter().map(|at| start + at) {
            for bit in 0..8 {
                let mut hurt = bytes.clone();
                hurt[at] ^= 1 << bit;
                let found = walk(format, name, hurt, &Keys::default());
                let what = format!("bit {bit} of byte {at} flipped");
                assert_ne!(found.verdict(), Verdict::Clean, "{what}");
                // A length that leads further can take in commands behind it; those further on are given.
                let ends = found.damage.iter().map(|(_, damage)| damage.span.end()).max().unwrap_or(0);
                let untouched = |r: &&Got| r.offset + r.length <= record.offset || r.offset >= ends.max(end);
                for other in clean.records.iter().filter(untouched) {
                    assert!(found.records.iter().any(|r| same(r, other)), "{what}: the command at {} is untouched", other.offset);
                }
                assert!(ends < end + 200, "{what}: {:?}", found.damage);
            }
        }
    }
}

#[test]
fn a_cut_redis_file_is_torn_unless_it_is_cut_at_a_command_outside_of_a_transaction() {
    let (format, name, bytes, clean) = clean_redis();
    let mut open = false;
    let mut edges = vec![0];
    for record in &clean.records {
        open = record.kind == "MULTI" || open && record.kind != "EXEC";
        if !open {
            edges.push(record.offset + record.length);
        }
    }
    for length in 0..bytes.len() as u64 {
        let found = walk(format, name, bytes[..usize::try_from(length).expect("small")].to_vec(), &Keys::default());
        let expected = if edges.contains(&length) { Verdict::Clean } else { Verdict::Torn };
        assert_eq!(found.verdict(), expected, "cut to {length} bytes: {:?}", found.damage);
        let whole = clean.records.iter().filter(|r| r.offset + r.length <= length).count();
        assert_eq!(found.records.len(), whole, "cut to {length} bytes");
    }
}

#[test]
fn no_flip_and_no_cut_of_any_small_fixture_panics_or_hangs() {
    for format in foreign() {
        for (case, dir) in cases(format.name) {
            let expect = expected(&dir);
            let keys = keys(&expect);
            let clean = read_all(format, &dir.join("wal"), &keys);
            for file in clean.segments.keys() {
                // A manifest can name what is not there.
                let Ok(bytes) = std::fs::read(dir.join("wal").join(file)) else { continue };
                let content = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
                if bytes.len() > 8192 || content > 1300 {
                    continue;
                }
                let name = file.rsplit('/').next().expect("a name");
                for at in 0..content {
                    let mut hurt = bytes.clone();
                    // A bit of every byte; all of them are flipped in the clean ones.
                    hurt[at] ^= 1 << (at % 8);
                    walk(format, name, hurt, &keys);
                    let found = walk(format, name, bytes[..at].to_vec(), &keys);
                    let end = at as u64;
                    assert!(
                        found.records.iter().all(|r| r.offset + r.length <= end),
                        "{}/{case}: {file} cut to {at} bytes gives a record that reaches behind its end",
                        format.name
                    );
                }
            }
        }
    }
}

/// A megabyte that becomes two hundred, under a right checksum: entries come in pieces, and memory stays small.
#[test]
fn a_batch_that_explodes_is_read_in_little_memory() {
    const ENTRY: usize = 200 << 20;
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(&u32::try_from(ENTRY).expect("small").to_le_bytes()).expect("a vector takes all");
    let zeros = vec![0; 1 << 20];
    for _ in 0..ENTRY >> 20 {
        encoder.write_all(&zeros).expect("a vector takes all");
    }
    let stored = encoder.finish().expect("a vector takes all");
    let mut bytes = b"LAWL\0\0\0\0".to_vec();
    bytes.extend([0; 8]);
    bytes.extend([1, 0, 0, 0, 1]);
    bytes.extend(u32::try_from(stored.len()).expect("small").to_le_bytes());
    let mut sum = crc32fast::Hasher::new();
    sum.update(&bytes[8..]);
    sum.update(&stored);
    bytes[4..8].copy_from_slice(&sum.finalize().to_le_bytes());
    // The uncompressed size is a lie as well; nothing may be allocated by it.
    bytes.extend(u32::MAX.to_le_bytes());
    bytes.extend([0; 3]);
    bytes.extend(stored);
    let format = by_name("ironwal").expect("the format is in the registry");
    let name = "00000000000000000000.wal";
    let source = Source::given(Arc::new(RealDisk), name, Arc::new(HeldFile::new(bytes)), 0);
    let want = Want { payloads: true, deep: true, ..Want::default() };
    let visit = Visit { source: &source, segment: &source.segments[0], keys: &Keys::default(), want };
    let mut length = 0;
    let mut take = |item: Item<'_>| match item {
        Item::Record(record) => record
            .payload
            .each(&mut |piece| {
                length += piece.len();
                Ok(())
            })
            .map_err(Halt::from),
        _ => Ok(()),
    };
    let (walk, peak) = peak_of(|| (format.walk)(&visit, &mut Sink::new(&mut take)));
    assert!(walk.is_ok_and(|summary| summary.records == 1));
    assert_eq!(length, ENTRY);
    assert!(peak < 32 << 20, "{peak} bytes");
}

/// Headers that lie about their lengths, as dense as they can stand: each claims most of the file.
#[test]
fn a_search_among_hostile_claims_comes_to_its_end() {
    const SIZE: usize = 2 << 20;
    let mut ironwal = vec![b'x'; 40];
    while ironwal.len() < SIZE {
        let mut header = [0; 32];
        header[..4].copy_from_slice(b"LAWL");
        header[8] = 9;
        header[16] = 1;
        header[21..25].copy_from_slice(&u32::try_from(SIZE - ironwal.len()).expect("small").saturating_sub(100).to_le_bytes());
        ironwal.extend(header);
    }
    let mut rivven = vec![b'x'; 40];
    while rivven.len() < SIZE {
        rivven.extend(b"WALRcrc!");
        rivven.extend(u32::try_from(SIZE - rivven.len()).expect("small").saturating_sub(100).to_be_bytes());
        rivven.extend([0, 4]);
    }
    for (name, bytes) in [("ironwal", ironwal), ("rivven", rivven)] {
        let format = by_name(name).expect("the format is in the registry");
        let found = walk(format, "00000000000000000000.wal", bytes, &Keys::default());
        assert_eq!((found.records.len(), found.verdict()), (0, Verdict::Torn), "{name}");
    }
}
