//! Streams of ironwal made by hand: what their bytes allow to be told.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::FORMAT;
use super::frame::{HELD, MAGIC};
use crate::disk::{RealDisk, crc32};
use crate::formats::{Item, Sink, Summary, Visit, Want};
use crate::model::{Damage, DamageKind, Keys, Verdict};
use crate::ops::settle::settle;
use crate::ops::walk::{self, LogView};

fn frame_of(start: u64, count: u32, kind: u8, stored: &[u8], plain: usize) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend([0; 4]);
    bytes.extend(start.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.push(kind);
    bytes.extend(u32::try_from(stored.len()).expect("small").to_le_bytes());
    let sum = crc32(crc32(0, &bytes[8..]), stored);
    bytes.extend(u32::try_from(plain).expect("small").to_le_bytes());
    bytes.extend([0; 3]);
    bytes.extend(stored);
    bytes[4..8].copy_from_slice(&sum.to_le_bytes());
    bytes
}

fn batch(entries: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        bytes.extend(u32::try_from(entry.len()).expect("small").to_le_bytes());
        bytes.extend(*entry);
    }
    bytes
}

fn frame(start: u64, entries: &[&[u8]]) -> Vec<u8> {
    let batch = batch(entries);
    frame_of(start, u32::try_from(entries.len()).expect("small"), 0, &batch, batch.len())
}

fn lz4(batch: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(batch).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// LSN, offset, payload; how much of a long one came.
type Got = (u64, u64, Vec<u8>);

struct Found {
    records: Vec<Got>,
    damage: Vec<Damage>,
    warnings: Vec<&'static str>,
}

impl Found {
    fn ids(&self) -> Vec<u64> {
        self.records.iter().map(|r| r.0).collect()
    }

    fn verdict(&self) -> Verdict {
        self.damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean)
    }
}

fn read(dir: &Path, want: Want) -> Found {
    let source = FORMAT.log_in(Arc::new(RealDisk), dir).expect("it lists");
    let mut records = Vec::new();
    let mut summaries: Vec<Summary> = Vec::new();
    for segment in &source.segments {
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                let mut payload = Vec::new();
                record.payload.each(&mut |piece| {
                    payload.extend(piece.iter().take(8));
                    Ok(())
                })?;
                let whole = record.payload.whole().map_or(payload, <[u8]>::to_vec);
                records.push((record.lsn.expect("ids are written").0, record.span.start(), whole));
            }
            Ok(())
        };
        let visit = Visit { source: &source, segment, keys: &Keys::default(), want };
        summaries.push((FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("bytes are no error"));
    }
    let between = (FORMAT.join)(&source, &mut summaries);
    let mut damage: Vec<Damage> = summaries.iter().flat_map(|s| s.damage.kept().to_vec()).collect();
    damage.extend(between);
    let warnings = summaries.iter().flat_map(|s| s.warnings.kept()).map(|w| w.name).collect();
    Found { records, damage, warnings }
}

const ALL: fn() -> Want = || Want { payloads: true, deep: true, ..Want::default() };

/// A stream of these segments, with the sidecars that belong to it.
fn stream(segments: &[(u64, Vec<u8>)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut index = Vec::new();
    for (start, bytes) in segments {
        std::fs::write(dir.path().join(format!("{start:020}.wal")), bytes).expect("room");
        index.extend(start.to_le_bytes());
    }
    std::fs::write(dir.path().join("segments.idx"), index).expect("room");
    if let [_, .., (last, _)] = segments {
        let mut head = vec![1, 24];
        head.extend(format!("{last:020}.wal").into_bytes());
        std::fs::write(dir.path().join("head.state"), head).expect("room");
    }
    dir
}

fn found(segments: &[(u64, Vec<u8>)]) -> Found {
    read(stream(segments).path(), ALL())
}

fn warned(found: &Found, name: &str) -> bool {
    found.warnings.contains(&name)
}

#[test]
fn frames_inside_a_bad_payload_are_not_taken_for_the_log() {
    let inner = [frame(50, &[b"stranger"]), frame(51, &[b"stranger"])].concat();
    let mut bad = frame(1, &[&inner, b"x"]);
    *bad.last_mut().expect("not empty") ^= 1;
    // With a frame after it, and at the very end of the file.
    let middle = found(&[(0, [frame(0, &[b"a"]), bad.clone(), frame(3, &[b"b"])].concat())]);
    assert_eq!((middle.ids(), middle.verdict()), (vec![0, 3], Verdict::Corrupt));
    let end = found(&[(0, [frame(0, &[b"a"]), bad.clone()].concat())]);
    assert_eq!((end.ids(), end.verdict()), (vec![0], Verdict::Suspect));
    // Two bad ones in a row still lead on.
    let pair = found(&[(0, [frame(0, &[b"a"]), bad.clone(), frame(3, &[b"b"])].concat())]);
    assert_eq!(pair.damage.len(), 1);
}

#[test]
fn a_length_that_leads_to_the_end_does_not_hide_the_frames_that_prove_it_wrong() {
    let (first, second) = (frame(0, &[b"alpha"]), frame(1, &[b"beta"]));
    let mut bytes = [first.clone(), second.clone()].concat();
    let length = u32::try_from(bytes.len() - 32).expect("small");
    bytes[21..25].copy_from_slice(&length.to_le_bytes());
    let seen = found(&[(0, bytes.clone())]);
    assert_eq!((seen.ids(), seen.verdict()), (vec![1], Verdict::Corrupt));
    assert!(seen.damage[0].found.contains("makes the checksum match"), "{:?}", seen.damage[0]);
    let saved = read(stream(&[(0, bytes)]).path(), Want { salvage: true, ..ALL() });
    assert_eq!(saved.records[0], (0, 0, b"alpha".to_vec()));
}

#[test]
fn a_sum_that_is_right_over_what_is_there_makes_no_frame_whole_that_claims_more() {
    let mut torn = frame(1, &[b"beta"]);
    let length = u32::try_from(torn.len() - 32 + 5).expect("small");
    torn[21..25].copy_from_slice(&length.to_le_bytes());
    let sum = crc32(crc32(0, &torn[8..25]), &torn[32..]);
    torn[4..8].copy_from_slice(&sum.to_le_bytes());
    let seen = found(&[(0, [frame(0, &[b"alpha"]), torn].concat())]);
    assert_eq!((seen.ids(), seen.damage.len()), (vec![0], 1), "{:?}", seen.damage);
}

#[test]
fn a_frame_without_its_magic_is_lost_to_ironwal_and_kept_by_a_salvage() {
    let mut bytes = [frame(0, &[b"a"]), frame(1, &[b"b"]), frame(2, &[b"c"])].concat();
    let second = frame(0, &[b"a"]).len();
    bytes[second] ^= 0x10;
    let dir = stream(&[(0, bytes)]);
    let seen = read(dir.path(), ALL());
    assert_eq!((seen.ids(), seen.verdict()), (vec![0, 2], Verdict::Corrupt));
    assert!(warned(&seen, "opening-would-cut"), "{:?}", seen.warnings);
    assert_eq!(read(dir.path(), Want { salvage: true, ..ALL() }).ids(), [0, 1, 2]);
}

#[test]
fn a_flipped_payload_bit_stops_ironwal_and_not_us() {
    let mut bytes = [frame(0, &[b"a"]), frame(1, &[b"b"]), frame(2, &[b"c"])].concat();
    let at = frame(0, &[b"a"]).len() + 36;
    bytes[at] ^= 1;
    let seen = found(&[(0, bytes)]);
    assert_eq!(seen.ids(), [0, 2]);
    assert!(warned(&seen, "iteration-stops-here") && !warned(&seen, "opening-would-cut"), "{:?}", seen.warnings);
}

#[test]
fn a_flipped_bit_in_a_compressed_batch_is_not_told_as_a_frame_that_0_6_3_filled_with_zeros() {
    let text = batch(&[&b"abcdefgh".repeat(200)]);
    let stored = lz4(&text);
    assert!(stored.ends_with(&[0; 4]), "the mark at the end of an LZ4 frame");
    let whole = frame_of(1, 1, 1, &stored, text.len());
    for bit in 32 * 8..(whole.len() - 4) * 8 {
        let mut hurt = whole.clone();
        hurt[bit / 8] ^= 1 << (bit % 8);
        let seen = found(&[(0, [frame(0, &[b"a"]), hurt, frame(2, &[b"c"])].concat())]);
        assert_eq!((seen.ids(), seen.verdict()), (vec![0, 2], Verdict::Corrupt), "bit {bit}");
        assert_eq!(seen.warnings, ["iteration-stops-here"], "bit {bit}");
    }
    // One that was cut and filled up is told, as what it may be.
    let mut torn = whole.clone();
    let cut = torn.len() - 9;
    torn[cut..].fill(0);
    let seen = found(&[(0, [frame(0, &[b"a"]), torn, frame(2, &[b"c"])].concat())]);
    assert_eq!(seen.warnings, ["torn-frame-grown-with-zeros"]);
}

#[test]
fn sizes_outside_the_checksum_are_compared_with_what_is_there() {
    let plain = batch(&[&[7; 500], &[8; 500]]);
    let right = frame_of(0, 2, 1, &lz4(&plain), plain.len());
    let wrong = frame_of(0, 2, 1, &lz4(&plain), plain.len() + 1);
    assert!(!warned(&found(&[(0, right)]), "header-field-mismatch"));
    let seen = found(&[(0, wrong)]);
    assert_eq!((seen.ids(), seen.verdict()), (vec![0, 1], Verdict::Clean));
    assert!(warned(&seen, "header-field-mismatch"));
}

#[test]
fn a_compressed_batch_is_opened_where_payloads_or_their_check_are_asked_for_and_nowhere_else() {
    let plain = batch(&[b"alpha", b"beta"]);
    let stored = lz4(&plain);
    let dir = stream(&[(0, [frame_of(0, 2, 1, &stored, plain.len()), frame(2, &[b"gamma"])].concat())]);
    let (entries, packed) = ([b"alpha".to_vec(), b"beta".to_vec()], [stored, Vec::new()]);
    for (payloads, deep, expected) in
        [(false, false, &packed), (true, false, &entries), (false, true, &entries), (true, true, &entries)]
    {
        let seen = read(dir.path(), Want { payloads, deep, ..Want::default() });
        let payloads: Vec<&Vec<u8>> = seen.records.iter().map(|record| &record.2).collect();
        assert_eq!(payloads, [&expected[0], &expected[1], &b"gamma".to_vec()], "{payloads:?} {deep}");
        assert_eq!(seen.ids(), [0, 1, 2]);
    }
}

#[test]
fn a_right_sum_over_no_batch_is_damage_and_reading_goes_on() {
    for payload in [b"\x09\0\0\0abcdef".to_vec(), batch(&[b"a", b"b", b"c"])] {
        for kind in [0, 1] {
            let stored = if kind == 0 { payload.clone() } else { lz4(&payload) };
            let bytes = [frame(0, &[b"a"]), frame_of(1, 2, kind, &stored, payload.len()), frame(3, &[b"d"])].concat();
            let seen = found(&[(0, bytes)]);
            assert_eq!((seen.ids(), seen.damage.len()), (vec![0, 3], 1), "{:?}", seen.damage);
            assert_eq!(seen.damage[0].kind, DamageKind::BadPayload);
        }
    }
}

#[test]
fn ids_that_go_back_are_foreign_and_named() {
    let seen = found(&[(0, [frame(0, &[b"a", b"b"]), frame(1, &[b"again"]), frame(2, &[b"c"])].concat())]);
    assert_eq!((seen.ids(), seen.verdict(), seen.damage.len()), (vec![0, 1, 1, 2], Verdict::Foreign, 1));
    assert!(warned(&seen, "ids-given-twice"));
}

#[test]
fn a_renamed_segment_is_told_from_one_that_lost_its_first_frames() {
    // 2 and 3 follow 0 and 1, under the name 5.
    let renamed = found(&[(0, frame(0, &[b"a", b"b"])), (5, frame(2, &[b"c", b"d"]))]);
    assert_eq!((renamed.verdict(), renamed.damage.len()), (Verdict::Foreign, 1), "{:?}", renamed.damage);
    assert_eq!(renamed.damage[0].kind, DamageKind::WrongName);
    let beheaded = found(&[(0, frame(0, &[b"a", b"b"])), (2, frame(3, &[b"d"]))]);
    assert_eq!((beheaded.verdict(), beheaded.damage[0].kind), (Verdict::Missing, DamageKind::LsnGap), "{:?}", beheaded.damage);
    let overlapping = found(&[(0, frame(0, &[b"a", b"b"])), (1, frame(1, &[b"c"]))]);
    assert_eq!((overlapping.verdict(), overlapping.damage[0].kind), (Verdict::Foreign, DamageKind::LsnBack));
}

#[test]
fn a_torn_end_is_corrupt_as_soon_as_a_later_segment_exists() {
    let torn = [frame(0, &[b"a"]), frame(1, &[b"beta and more"])[..40].to_vec()].concat();
    assert_eq!(found(&[(0, torn.clone())]).verdict(), Verdict::Torn);
    assert_eq!(found(&[(0, torn.clone()), (2, frame(2, &[b"c"]))]).verdict(), Verdict::Corrupt);
    assert_eq!(found(&[(0, torn), (2, Vec::new())]).verdict(), Verdict::Corrupt);
}

#[test]
fn sidecars_are_compared_with_the_files() {
    let dir = stream(&[(0, frame(0, &[b"a"])), (1, frame(1, &[b"b"]))]);
    assert!(read(dir.path(), ALL()).warnings.is_empty());
    std::fs::write(dir.path().join("head.state"), b"\x01\x1800000000000000000009.wal").expect("room");
    assert!(warned(&read(dir.path(), ALL()), "sidecar-inconsistent"));
    let all: Vec<u8> = [0u64, 1, 2].iter().flat_map(|id| id.to_le_bytes()).collect();
    std::fs::remove_file(dir.path().join("head.state")).expect("it is there");
    std::fs::write(dir.path().join("segments.idx"), &all).expect("room");
    // One ahead is what a crash during a rotation leaves; a head that is missing then is told.
    assert_eq!(read(dir.path(), ALL()).warnings, ["sidecar-missing"]);
    std::fs::write(dir.path().join("segments.idx"), &all[..8]).expect("room");
    assert_eq!(read(dir.path(), ALL()).warnings, ["sidecar-inconsistent", "sidecar-missing"]);
}

#[test]
fn a_shard_that_ends_before_its_checkpoint_lost_its_end() {
    let root = tempfile::tempdir().expect("a temporary folder");
    let shard = root.path().join("shard_01");
    std::fs::create_dir(&shard).expect("a folder can be made");
    std::fs::write(shard.join("00000000000000000000.wal"), frame(0, &[b"a", b"b"])).expect("room");
    std::fs::write(shard.join("segments.idx"), [0; 8]).expect("room");
    let checkpoint = |next: u64| {
        let mut payload = vec![1, 1, 0, b'c'];
        payload.extend([0; 8]);
        payload.extend([2, 0]);
        payload.extend(9u64.to_le_bytes());
        payload.extend(next.to_le_bytes());
        let mut entry = b"CKPT".to_vec();
        entry.extend(crc32(0, &payload).to_le_bytes());
        entry.extend(u32::try_from(payload.len()).expect("small").to_le_bytes());
        entry.extend(payload);
        entry
    };
    for (log, name) in [
        (checkpoint(2), None),
        (checkpoint(3), Some("behind-checkpoint")),
        (b"CKPTxxxxxxxx".to_vec(), Some("checkpoint-damaged")),
    ] {
        std::fs::write(root.path().join("checkpoints.log"), log).expect("room");
        assert_eq!(read(&shard, ALL()).warnings, name.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn what_was_on_its_way_is_looked_at_again_before_it_is_called_torn() {
    let dir = stream(&[(0, [frame(0, &[b"a"]), frame(1, &[b"beta and more"])[..40].to_vec()].concat())]);
    let path = dir.path().join("00000000000000000000.wal");
    let whole = [frame(0, &[b"a"]), frame(1, &[b"beta and more"])].concat();
    let source = FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
    let mut seen = 0;
    let mut take = |item: Item<'_>| {
        if let Item::Record(_) = item {
            seen += 1;
            std::fs::write(&path, &whole).expect("room");
        }
        Ok(())
    };
    let visit = Visit { source: &source, segment: &source.segments[0], keys: &Keys::default(), want: ALL() };
    let summary = (FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("bytes are no error");
    assert_eq!((seen, summary.damage.is_empty()), (2, true));
}

#[test]
fn the_end_of_a_segment_that_came_after_the_next_one_was_begun_is_not_missing() {
    let first = [frame(0, &[b"a"]), frame(1, &[b"b"]), frame(2, &[b"c"])];
    // What a writer of the crate has in its memory when the next segment begins: a frame, or the rest of one.
    for (there, comes) in [(2, true), (2, false), (1, true), (1, false)] {
        let began = if there == 2 { first[..2].concat() } else { [&first[0][..], &first[1][..30]].concat() };
        let dir = stream(&[(0, began), (3, frame(3, &[b"d"]))]);
        let source = FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
        let (keys, want) = (Keys::default(), Want { live: true, ..ALL() });
        let log = LogView { source: &source, format: &FORMAT, keys: &keys };
        let walked = |segment| walk::summary(log, segment, want).expect("bytes are no error");
        let mut summaries: Vec<Summary> = source.segments.iter().map(walked).collect();
        if comes {
            std::fs::write(dir.path().join("00000000000000000000.wal"), first.concat()).expect("room");
        }
        settle(log, want, &mut summaries).expect("it can be read again");
        let between = (FORMAT.join)(&source, &mut summaries);
        let records: u64 = summaries.iter().map(|summary| summary.records).sum();
        let whole = between.is_empty() && summaries.iter().all(|summary| summary.damage.is_empty());
        assert_eq!((whole, records == 4), (comes, comes), "{there} frames were there, the rest comes: {comes}");
    }
}

#[test]
fn batches_and_entries_longer_than_what_is_held_are_read_in_pieces() {
    let (small, large) = (vec![3; 1000], vec![4; HELD + 5]);
    let plain = batch(&[&small, &large, b"end"]);
    for kind in [0, 1] {
        let stored = if kind == 0 { plain.clone() } else { lz4(&plain) };
        let bytes = [frame_of(0, 3, kind, &stored, plain.len()), frame(3, &[b"next"])].concat();
        let seen = found(&[(0, bytes.clone())]);
        assert_eq!((seen.ids(), seen.verdict()), (vec![0, 1, 2, 3], Verdict::Clean));
        assert_eq!((&seen.records[0].2, seen.records[2].2.as_slice()), (&small, &b"end"[..]));
        assert!(seen.records[1].2.len() >= 8 && seen.records[1].2.iter().all(|b| *b == 4));
        let mut hurt = bytes;
        hurt[40] ^= 1;
        assert_eq!(found(&[(0, hurt)]).ids(), [3]);
    }
}

#[test]
fn bytes_that_came_between_two_frames_cost_none_of_them() {
    let (first, second) = (frame(0, &[b"alpha"]), frame(1, &[b"beta"]));
    let seen = found(&[(0, [&first[..], &[0xA5; 40], &second].concat())]);
    let at = first.len() as u64;
    let spans: Vec<(u64, u64)> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
    assert_eq!((seen.ids(), spans), (vec![0, 1], vec![(at, at + 40)]));
}

#[test]
fn a_frame_without_its_magic_is_not_salvaged_over_a_whole_one_in_its_payload() {
    let inner = frame(50, &[b"stranger"]);
    let mut outer = frame(1, &[&inner, b"x"]);
    outer[0] ^= 0x10;
    let bytes = [frame(0, &[b"a"]), outer, frame(60, &[b"b"])].concat();
    assert_eq!(read(stream(&[(0, bytes)]).path(), Want { salvage: true, ..ALL() }).ids(), [0, 50, 60]);
}

#[test]
fn behind_damage_neither_an_older_frame_nor_one_that_no_writer_makes_is_taken_though_its_sum_is_right() {
    let (first, next) = (frame(5, &[b"alpha", b"beta"]), frame(7, &[b"gamma"]));
    let older = frame(2, &[b"of another stream"]);
    let strange = frame_of(7, 1, 2, &batch(&[b"of no kind"]), 14);
    for (what, between) in [("older", older), ("strange", strange)] {
        let seen = found(&[(5, [&first[..], &[0xA5; 40], &between, &next].concat())]);
        let spans: Vec<(u64, u64)> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
        let at = first.len() as u64;
        assert_eq!((seen.ids(), spans), (vec![5, 6, 7], vec![(at, at + 40 + between.len() as u64)]), "{what}");
    }
}
