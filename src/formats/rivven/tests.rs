//! Logs of rivven made by hand: what their bytes allow to be told.

use std::path::Path;
use std::sync::Arc;

use super::FORMAT;
use super::record::{HELD, MAGIC};
use crate::disk::{RealDisk, crc32};
use crate::formats::{Item, Sink, Summary, Visit, Want};
use crate::model::{Damage, DamageKind, Keys, Verdict};

fn record_of(kind: u8, flags: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(crc32(0, data).to_be_bytes());
    bytes.extend(u32::try_from(data.len()).expect("small").to_be_bytes());
    bytes.extend([kind, flags]);
    bytes.extend(data);
    bytes
}

fn record(data: &[u8]) -> Vec<u8> {
    record_of(0, 4, data)
}

/// This many records, one after the other.
fn records(count: usize) -> Vec<u8> {
    (0..count).flat_map(|n| record(format!("record {n}").as_bytes())).collect()
}

struct AtOffset {
    /// LSN, offset, payload (of a long one, a little of it).
    records: Vec<(u64, u64, Vec<u8>)>,
    encrypted: usize,
    damage: Vec<Damage>,
    warnings: Vec<&'static str>,
}

impl AtOffset {
    fn lsns(&self) -> Vec<u64> {
        self.records.iter().map(|r| r.0).collect()
    }

    fn verdict(&self) -> Verdict {
        self.damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean)
    }
}

fn read(dir: &Path, keys: &Keys, want: Want) -> AtOffset {
    let source = FORMAT.log_in(Arc::new(RealDisk), dir).expect("it lists");
    let (mut records, mut encrypted) = (Vec::new(), 0);
    let mut summaries: Vec<Summary> = Vec::new();
    for segment in &source.segments {
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                let mut payload = Vec::new();
                record.payload.each(&mut |piece| {
                    payload.extend(piece.iter().take(8));
                    Ok(())
                })?;
                encrypted += usize::from(record.encrypted);
                let whole = record.payload.whole().map_or(payload, <[u8]>::to_vec);
                records.push((record.lsn.expect("all are numbered").0, record.span.start(), whole));
            }
            Ok(())
        };
        let visit = Visit { source: &source, segment, keys, want };
        summaries.push((FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("bytes are no error"));
    }
    let between = (FORMAT.join)(&source, &mut summaries);
    let mut damage: Vec<Damage> = summaries.iter().flat_map(|s| s.damage.kept().to_vec()).collect();
    damage.extend(between);
    let warnings = summaries.iter().flat_map(|s| s.warnings.kept()).map(|w| w.name).collect();
    AtOffset { records, encrypted, damage, warnings }
}

fn log(files: &[(u64, Vec<u8>)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (name, bytes) in files {
        std::fs::write(dir.path().join(format!("{name:020}.wal")), bytes).expect("room");
    }
    dir
}

fn all() -> Want {
    Want { payloads: true, deep: true, ..Want::default() }
}

fn found(files: &[(u64, Vec<u8>)]) -> AtOffset {
    read(log(files).path(), &Keys::default(), all())
}

#[test]
fn records_inside_a_bad_one_are_not_taken_for_the_log() {
    let mut bad = record(&[records(3), b"x".to_vec()].concat());
    *bad.last_mut().expect("not empty") ^= 1;
    let middle = found(&[(0, [record(b"a"), bad.clone(), record(b"b")].concat())]);
    assert_eq!((middle.lsns(), middle.verdict()), (vec![1, 3], Verdict::Corrupt));
    let end = found(&[(0, [record(b"a"), bad.clone()].concat())]);
    assert_eq!((end.lsns(), end.verdict()), (vec![1], Verdict::Suspect));
    let ahead = found(&[(0, [record(b"a"), bad.clone(), vec![0; 9000]].concat())]);
    assert_eq!((ahead.lsns(), ahead.verdict()), (vec![1], Verdict::Suspect));
    // Two bad records in a row are two numbers.
    let pair = found(&[(0, [record(b"a"), bad.clone(), bad, record(b"b")].concat())]);
    assert_eq!((pair.lsns(), pair.damage.len()), (vec![1, 4], 1));
}

#[test]
fn a_length_that_leads_to_the_end_does_not_hide_the_records_that_prove_it_wrong() {
    let mut bytes = [record(b"alpha"), record(b"beta")].concat();
    let length = u32::try_from(bytes.len() - 14).expect("small");
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let dir = log(&[(0, bytes)]);
    let seen = read(dir.path(), &Keys::default(), all());
    assert_eq!((seen.lsns(), seen.verdict()), (vec![2], Verdict::Corrupt));
    let saved = read(dir.path(), &Keys::default(), Want { salvage: true, ..all() });
    assert_eq!(saved.records[0], (1, 0, b"alpha".to_vec()));
}

#[test]
fn records_behind_a_torn_one_are_told_with_the_version_that_leaves_them() {
    let mut header = MAGIC.to_vec();
    header.resize(14, 0);
    let seen = found(&[(0, [record(b"a"), header, record(b"b")].concat())]);
    assert_eq!((seen.lsns(), seen.verdict()), (vec![1, 3], Verdict::Corrupt));
    assert_eq!(seen.warnings, ["records-behind-torn-header"]);
    let mut torn = record(&[9; 40]);
    torn[30..].fill(0);
    let seen = found(&[(0, [record(b"a"), torn, record(b"b")].concat())]);
    assert_eq!(seen.warnings, ["records-behind-torn-record"]);
    let mut flipped = record(&[9; 40]);
    flipped[30] ^= 1;
    let seen = found(&[(0, [record(b"a"), flipped.clone(), record(b"b")].concat())]);
    assert_eq!(seen.warnings, ["opening-would-overwrite"]);
    let seen = found(&[(0, [record(b"a"), flipped, record(b"b")].concat()), (4, record(b"c"))]);
    assert_eq!(seen.warnings, ["replay-passes-over"]);
}

#[test]
fn a_later_file_proves_a_sync_only_if_something_was_written_to_it() {
    let torn = [record(b"a"), record(b"b")[..10].to_vec(), vec![0; 100]].concat();
    assert_eq!(found(&[(0, torn.clone())]).verdict(), Verdict::Torn);
    assert_eq!(found(&[(0, torn.clone()), (1024, vec![0; 4096])]).verdict(), Verdict::Torn);
    assert_eq!(found(&[(0, torn), (3, record(b"c"))]).verdict(), Verdict::Corrupt);
}

#[test]
fn numbers_that_go_back_are_foreign_and_a_restart_of_0_0_13_is_named() {
    let seen = found(&[(0, records(5)), (3, records(2))]);
    assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Foreign, DamageKind::LsnBack));
    assert_eq!(seen.warnings, ["restart-reused-lsns"]);
    assert_eq!(seen.lsns(), [1, 2, 3, 4, 5, 3, 4]);
}

#[test]
fn a_number_that_is_1024_higher_is_an_estimate_up_to_what_a_limit_of_a_128th_lets_a_file_hold() {
    // Ten records that fill their file to its last byte.
    let full = |bytes: usize| {
        [(0..9).flat_map(|_| record(&[7; 13_000 - 14])).collect(), record(&vec![7; bytes - 9 * 13_000 - 14])].concat()
    };
    for (bytes, estimate) in [(131_000, true), (131_072, true), (131_199, true), (131_200, false)] {
        let seen = found(&[(0, full(bytes)), (1024, records(1))]);
        let verdict = if estimate { Verdict::Clean } else { Verdict::Missing };
        assert_eq!((seen.verdict(), seen.warnings.contains(&"lsn-jump-after-restart")), (verdict, estimate), "{bytes} bytes");
    }
}

#[test]
fn a_small_gap_is_a_restart_and_a_large_one_is_a_missing_file() {
    let small = found(&[(0, records(9)), (11, records(9)), (20, records(1))]);
    assert_eq!((small.verdict(), small.warnings), (Verdict::Clean, vec!["lsn-gap-in-segment-names"]));
    let large = found(&[(0, records(9)), (19, records(9)), (28, records(1))]);
    assert_eq!((large.verdict(), large.damage[0].kind), (Verdict::Missing, DamageKind::MissingSegment));
    assert_eq!(large.damage[0].doubt.map(|d| d.to_string()).as_deref(), Some("10-18"));
    let empty = found(&[(0, records(9)), (10, records(9)), (40, Vec::new())]);
    assert_eq!(empty.verdict(), Verdict::Missing);
}

#[test]
fn files_made_ahead_are_neither_an_end_nor_a_hole() {
    let left = [records(3), vec![0; 500]].concat();
    let unused = found(&[(0, left.clone()), (1024, vec![0; 4096])]);
    assert_eq!((unused.verdict(), unused.warnings), (Verdict::Clean, vec!["unused-preallocated-segment"]));
    let used = found(&[(0, left), (1024, [records(2), vec![0; 500]].concat())]);
    assert_eq!((used.lsns(), used.verdict()), (vec![1, 2, 3, 1024, 1025], Verdict::Clean));
    assert_eq!(used.warnings, ["lsn-jump-after-restart"]);
}

#[test]
fn an_emptied_file_before_the_first_records_is_missing_unless_a_restart_jumped_from_it() {
    for emptied in [vec![], vec![0; 300]] {
        let gone = found(&[(0, emptied.clone()), (5, records(4)), (9, records(2))]);
        assert_eq!((gone.lsns(), gone.verdict()), (vec![5, 6, 7, 8, 9, 10], Verdict::Missing));
        let begun = found(&[(0, emptied.clone()), (1024, records(4))]);
        assert_eq!(begun.verdict(), Verdict::Clean);
        // A restart inside a file that a rotation named skips one number.
        assert_eq!(found(&[(7, emptied), (8, records(4))]).verdict(), Verdict::Clean);
    }
}

/// Records that take at least so many bytes.
fn bytes_of_records(least: usize) -> (usize, Vec<u8>) {
    let one = record(&[b'x'; 250]);
    let count = least.div_ceil(one.len());
    (count, one.repeat(count))
}

#[test]
fn a_restart_that_jumps_over_a_file_without_content_is_no_missing_file() {
    // A limit of 256 KiB; the rotation came with the last record, and the estimate is 2,048 above the file that it began.
    let (count, full) = bytes_of_records(256 << 10);
    let begun = count as u64 + 1;
    let jumped = begun + 2048;
    for room in [Vec::new(), vec![0; 4096]] {
        let seen = found(&[(0, full.clone()), (begun, room), (jumped, records(2))]);
        assert_eq!((seen.verdict(), seen.warnings), (Verdict::Clean, vec!["lsn-jump-after-restart"]));
    }
    // The same names where the file before cannot have been rotated away at that limit.
    let (few, short) = bytes_of_records(100 << 10);
    let begun = few as u64 + 1;
    let seen = found(&[(0, short), (begun, Vec::new()), (begun + 2048, records(2))]);
    assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Missing, DamageKind::MissingSegment));
}

#[test]
fn a_restart_behind_a_file_that_outgrew_its_room_is_no_missing_file() {
    let (count, full) = bytes_of_records(256 << 10);
    let begun = count as u64 + 1;
    // Made with room for less than it holds, so no zeros stand at its end; and below the limit, so no rotation finished it.
    let (_, outgrown) = bytes_of_records(200 << 10);
    let seen = found(&[(0, full.clone()), (begun, outgrown.clone()), (begun + 2048, records(2))]);
    assert_eq!((seen.verdict(), seen.warnings), (Verdict::Clean, vec!["lsn-jump-after-restart"]));
    // One that is full was rotated away, so the next file has a number of its own.
    let seen = found(&[(0, full.clone()), (begun, [full, records(9)].concat()), (begun + 2048, records(2))]);
    assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Missing, DamageKind::MissingSegment));
}

#[test]
fn a_file_made_ahead_whose_room_was_not_made_yet_is_no_hole() {
    let (count, full) = bytes_of_records(140 << 10);
    let begun = count as u64 + 1;
    let seen = found(&[(0, full), (begun, [records(3), vec![0; 500]].concat()), (begun + 1120, Vec::new())]);
    assert_eq!((seen.verdict(), seen.warnings), (Verdict::Clean, vec!["unused-preallocated-segment"]));
}

#[test]
fn a_small_file_that_is_missing_is_suspect_and_the_one_number_of_a_restart_is_not() {
    let by_gap = |gap: u64| {
        let seen = found(&[(0, records(40)), (41 + gap, records(40)), (81 + gap, records(1))]);
        (seen.verdict(), seen.warnings.len())
    };
    assert_eq!(by_gap(1), (Verdict::Clean, 1));
    for gap in 2..20 {
        assert_eq!(by_gap(gap), (Verdict::Suspect, 0), "{gap} numbers");
    }
    for gap in [20, 40, 79] {
        assert_eq!(by_gap(gap), (Verdict::Missing, 0), "{gap} numbers");
    }
}

#[test]
fn an_empty_file_that_a_rotation_named_proves_that_the_one_before_it_was_synced() {
    let torn = [records(3), record(b"d")[..10].to_vec()].concat();
    for room in [Vec::new(), vec![0; 4096]] {
        let seen = found(&[(0, torn.clone()), (5, room.clone())]);
        assert_eq!((seen.verdict(), seen.damage.len()), (Verdict::Corrupt, 1));
        assert_eq!(seen.damage[0].doubt.map(|d| d.to_string()).as_deref(), Some("4"));
        // Its number was due when it was begun: what is torn before it came later.
        assert_eq!(found(&[(0, torn.clone()), (4, room)]).verdict(), Verdict::Torn);
    }
}

#[test]
fn a_name_tells_how_much_a_bad_region_held() {
    let bytes = [records(3), vec![7; 300], records(3)].concat();
    let seen = found(&[(0, bytes), (12, records(1))]);
    assert_eq!((seen.verdict(), seen.damage.len()), (Verdict::Corrupt, 1));
    // Eleven numbers were given before the next file, six records are whole.
    assert_eq!(seen.damage[0].doubt.map(|d| d.count()), Some(5));
}

#[test]
fn headers_that_no_version_writes_are_told_and_their_data_is_given() {
    for (kind, flags, name) in [
        (0, 0, "header-field-mismatch"),
        (0, 5, "header-field-mismatch"),
        (0, 12, "header-field-mismatch"),
        (0, 6, "header-field-mismatch"),
    ] {
        let seen = found(&[(0, [record(b"a"), record_of(kind, flags, b"data"), record(b"b")].concat())]);
        assert_eq!((seen.lsns(), seen.verdict()), (vec![1, 2, 3], Verdict::Clean), "flags {flags}");
        assert!(seen.warnings.contains(&name), "flags {flags}: {:?}", seen.warnings);
    }
    assert_eq!(found(&[(0, [record(b"a"), record_of(1, 4, b"f"), record(b"b")].concat())]).warnings, ["lone-fragment"]);
    let fragments =
        [record_of(1, 4, b"f"), record_of(2, 4, b"m"), record_of(4, 4, b""), record_of(3, 4, b"l"), record(b"b")].concat();
    assert!(found(&[(0, fragments)]).warnings.is_empty());
    assert_eq!(found(&[(0, [record(b""), record(b"b")].concat())]).warnings, ["zero-length-data-record"]);
}

#[test]
fn a_host_that_replayed_more_than_there_is_lost_the_end() {
    let dir = log(&[(0, records(5))]);
    for (text, warnings) in [("5\n", vec![]), ("7", vec!["replay-marker-ahead"]), ("seven", vec!["sidecar-inconsistent"])] {
        std::fs::write(dir.path().join(".last_replayed_lsn"), text).expect("room");
        assert_eq!(read(dir.path(), &Keys::default(), all()).warnings, warnings, "{text}");
    }
}

#[test]
fn without_its_key_an_encrypted_record_is_given_as_ciphertext() {
    let mut envelope = b"RVEN\x01\x00\0\0\0\x01".to_vec();
    envelope.extend([1; 12]);
    envelope.extend([0, 0]);
    envelope.extend([5; 40]);
    let dir = log(&[(0, [record_of(0, 6, &envelope), record(b"plain")].concat())]);
    let none = read(dir.path(), &Keys::default(), all());
    assert_eq!((none.encrypted, none.verdict()), (1, Verdict::Clean));
    assert_eq!((&none.records[0].2, none.warnings), (&envelope, vec!["encrypted-not-replayed"]));
    let wrong = read(dir.path(), &Keys::parse(&"ab".repeat(32)).expect("a key"), all());
    assert_eq!((wrong.encrypted, wrong.warnings), (1, vec!["no-key-fits", "encrypted-not-replayed"]));
}

#[test]
fn a_record_longer_than_what_is_held_is_given_in_pieces() {
    let large = vec![6; HELD + 1];
    let mut bytes = [record(b"a"), record(&large), record(b"b")].concat();
    let seen = found(&[(0, bytes.clone())]);
    assert_eq!((seen.lsns(), seen.verdict()), (vec![1, 2, 3], Verdict::Clean));
    assert!(seen.records[1].2.len() >= 8 && seen.records[1].2.iter().all(|b| *b == 6));
    bytes[5000] ^= 1;
    assert_eq!(found(&[(0, bytes)]).lsns(), [1, 3]);
}
