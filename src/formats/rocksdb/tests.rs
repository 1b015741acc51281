//! RocksDB and LevelDB logs made by hand and hurt: what the fixtures do not show.

use std::path::Path;
use std::sync::Arc;

use super::super::blocks::{BLOCK, mask};
use super::format::FORMAT;
use crate::disk::{Disk, RealDisk, crc32c};
use crate::formats::seen::{WholeRead, read_files, read_while_written};
use crate::formats::{Ending, Likeness, Mend, Sample};
use crate::model::{DamageKind, Place, SegmentId, Verdict};
use crate::ops::open::{Choice, open};
use crate::ops::report::{Checks, Progress, verify};

/// A log as its system would write it.
#[derive(Clone, Default)]
struct Writer {
    bytes: Vec<u8>,
    /// The log's number, if frames bear it.
    number: Option<u32>,
}

impl Writer {
    fn recycled(number: u32) -> Writer {
        Writer { number: Some(number), ..Writer::default() }
    }

    fn frame(&mut self, kind: u8, payload: &[u8]) {
        let mut covered = vec![kind];
        if let Some(number) = self.number.filter(|_| matches!(kind, 5..=8 | 11 | 131)) {
            covered.extend(number.to_le_bytes());
        }
        covered.extend(payload);
        self.bytes.extend(mask(crc32c(0, &covered)).to_le_bytes());
        self.bytes.extend(u16::try_from(payload.len()).expect("a frame fits its block").to_le_bytes());
        self.bytes.extend(covered);
    }

    fn record(&mut self, payload: &[u8]) -> &mut Self {
        let (header, first) = if self.number.is_some() { (11, 5) } else { (7, 1) };
        let (mut rest, mut begun) = (payload, false);
        loop {
            let left = BLOCK as usize - self.bytes.len() % BLOCK as usize;
            if left < header {
                self.bytes.resize(self.bytes.len() + left, 0);
                continue;
            }
            let (piece, behind) = rest.split_at(rest.len().min(left - header));
            let part = match (begun, behind.is_empty()) {
                (false, true) => 0,
                (false, false) => 1,
                (true, false) => 2,
                (true, true) => 3,
            };
            self.frame(first + part, piece);
            (rest, begun) = (behind, true);
            if behind.is_empty() {
                return self;
            }
        }
    }

    fn batch(&mut self, sequence: u64, count: u32, content: &[u8]) -> &mut Self {
        let mut payload = sequence.to_le_bytes().to_vec();
        payload.extend(count.to_le_bytes());
        payload.extend(content);
        self.record(&payload)
    }

    fn batches(&mut self, sequences: std::ops::RangeInclusive<u64>) -> &mut Self {
        for sequence in sequences {
            self.batch(sequence, 1, format!("\x01\x03key\x05val{sequence:02}").as_bytes());
        }
        self
    }

    fn predecessor(&mut self, log: u64, bytes: u64, last: u64) -> &mut Self {
        let payload = [log, bytes, last].map(u64::to_le_bytes).concat();
        self.frame(130, &payload);
        self
    }
}

/// Reads the folder's main log.
fn read(files: &[(&str, &[u8])]) -> WholeRead {
    read_files(&FORMAT, files)
}

fn one(bytes: &[u8]) -> WholeRead {
    read(&[("000004.log", bytes)])
}

#[test]
fn an_empty_first_piece_where_only_a_header_fits_loses_nothing() {
    let mut log = Writer::default();
    log.batch(1, 1, &vec![7; BLOCK as usize - 7 - 12 - 7]);
    assert_eq!(log.bytes.len(), BLOCK as usize - 7);
    // As LevelDB writes it, and as old versions did: begun, and forgotten.
    let mut forgotten = log.clone();
    log.batches(2..=3);
    forgotten.frame(2, b"");
    forgotten.batches(2..=3);
    for bytes in [log.bytes, forgotten.bytes] {
        let seen = one(&bytes);
        assert_eq!((seen.verdict(), seen.lsns), (Verdict::Clean, vec![1, 2, 3]), "{:?}", seen.damage);
    }
}

#[test]
fn a_hole_that_is_filled_while_it_is_read_is_none_and_one_that_stays_is_told_once() {
    let mut log = Writer::default();
    log.batches(1..=6);
    let (one, whole) = (log.bytes.len() / 6, &log.bytes);
    let without = |records: &[usize]| {
        let mut bytes = whole.clone();
        records.iter().for_each(|record| bytes[record * one + 20] ^= 1);
        bytes
    };
    let seen = read_while_written(&FORMAT, "000004.log", &without(&[3]), whole, 3);
    assert_eq!((seen.verdict(), seen.lsns), (Verdict::Clean, vec![1, 2, 3, 4, 5, 6]), "{:?}", seen.damage);
    let seen = read_while_written(&FORMAT, "000004.log", &without(&[1, 4]), &without(&[1]), 4);
    let starts: Vec<u64> = seen.damage.iter().map(|damage| damage.span.start()).collect();
    assert_eq!((starts, seen.lsns), (vec![one as u64], vec![1, 3, 4, 5, 6]));
}

#[test]
fn a_log_cut_between_two_records_is_proven_by_the_log_behind_it() {
    let mut first = Writer::default();
    first.batches(1..=9);
    let whole = first.bytes.len();
    let mut second = Writer::default();
    second.predecessor(4, whole as u64, 9).batches(10..=12);
    let seen = read(&[("000004.log", &first.bytes), ("000007.log", &second.bytes)]);
    assert_eq!((seen.verdict(), seen.payloads.len()), (Verdict::Clean, 13), "{:?}", seen.damage);
    let frame = whole / 9;
    let seen = read(&[("000004.log", &first.bytes[..whole - frame]), ("000007.log", &second.bytes)]);
    let damage = &seen.damage[0];
    assert_eq!(
        (seen.verdict(), damage.kind, damage.span.start()),
        (Verdict::Corrupt, DamageKind::CutShort, (whole - frame) as u64)
    );
    assert_eq!(damage.doubt.map(|lsns| lsns.to_string()).as_deref(), Some("9"));
}

#[test]
fn a_log_that_is_gone_is_missing_only_while_the_manifest_wants_it() {
    let mut log = Writer::default();
    log.predecessor(4, 300, 9).batches(10..=12);
    let manifest = |lowest: u8| {
        let mut manifest = Writer::default();
        manifest.record(&[1, 1, b'c']).record(&[10, lowest]);
        manifest.bytes
    };
    let current: &[u8] = b"MANIFEST-000005\n";
    for (lowest, verdict) in [(4, Verdict::Missing), (5, Verdict::Clean)] {
        let seen = read(&[("000007.log", &log.bytes), ("MANIFEST-000005", &manifest(lowest)), ("CURRENT", current)]);
        assert_eq!((seen.verdict(), seen.lsns), (verdict, vec![10, 11, 12]), "{lowest}: {:?}", seen.damage);
    }
    let seen = one(&log.bytes);
    assert_eq!((seen.verdict(), seen.warnings.as_slice()), (Verdict::Clean, &["predecessor-absent"][..]));
}

#[test]
fn numbers_skipped_inside_a_file_are_no_damage_and_make_a_gap_between_files_less_than_certain() {
    let (mut even, mut gapped, mut later) = (Writer::default(), Writer::default(), Writer::default());
    even.batches(1..=4);
    gapped.batches(1..=2).batches(4..=4);
    later.batches(9..=10);
    assert_eq!(one(&gapped.bytes).verdict(), Verdict::Clean);
    assert_eq!(read(&[("000004.log", &even.bytes), ("000005.log", &later.bytes)]).verdict(), Verdict::Missing);
    let seen = read(&[("000004.log", &gapped.bytes), ("000005.log", &later.bytes)]);
    assert_eq!(seen.verdict(), Verdict::Suspect);
    assert_eq!(seen.warnings, ["sequence-skipped", "sequence-gap"]);
}

#[test]
fn behind_a_recycled_log_only_a_frame_with_its_own_number_is_damage() {
    let (mut old, mut new) = (Writer::recycled(2), Writer::recycled(4));
    old.batches(1..=20);
    new.batches(21..=25);
    let end = new.bytes.len();
    let mut reused = old.bytes.clone();
    reused[..end].copy_from_slice(&new.bytes);
    let seen = one(&reused);
    assert_eq!((seen.verdict(), seen.endings[0], seen.lsns), (Verdict::Clean, Ending::Remains, vec![21, 22, 23, 24, 25]));
    // A flip in each of its bytes but the last frame's is proven by the frames behind.
    let frame = end / 5;
    for at in 0..end {
        let mut hurt = reused.clone();
        hurt[at] ^= 1 << (at % 8);
        let seen = one(&hurt);
        let lost = 21 + (at / frame) as u64;
        assert_eq!(seen.lsns, (21..=25).filter(|lsn| *lsn != lost).collect::<Vec<_>>(), "byte {at}");
        if at < end - frame {
            assert_eq!(seen.verdict(), Verdict::Corrupt, "byte {at}: {:?}", seen.damage);
            assert_eq!(seen.damage[0].span.start(), (at / frame * frame) as u64);
        }
    }
    // A frame that was begun over the old content and not finished bears this log's number.
    let mut begun = reused.clone();
    begun[end - frame + 15..end].copy_from_slice(&old.bytes[end - frame + 15..end]);
    let seen = one(&begun);
    assert_eq!((seen.verdict(), seen.lsns), (Verdict::Suspect, vec![21, 22, 23, 24]), "{:?}", seen.damage);
}

#[test]
fn a_file_that_holds_only_another_logs_frames_says_so() {
    let mut old = Writer::recycled(2);
    old.batches(1..=5);
    let seen = one(&old.bytes);
    assert_eq!((seen.verdict(), seen.payloads.len(), seen.endings[0]), (Verdict::Clean, 0, Ending::Remains));
    assert_eq!(seen.warnings, ["another-logs-frames"]);
}

#[test]
fn logs_are_one_log_and_each_manifest_is_one_by_itself() {
    let entry = |name: &str| crate::disk::Entry { name: name.into(), length: 0, kind: crate::disk::EntryKind::File };
    let laid = |names: &[&str]| -> Vec<String> {
        let entries: Vec<_> = names.iter().copied().map(entry).collect();
        let laid = (FORMAT.layout)(&crate::formats::Folder::new(&entries, &|_| None));
        let of = |log: &crate::formats::Laid| log.segments.iter().map(|p| p.entry.name.as_str()).collect::<Vec<_>>().join("+");
        laid.iter().map(|log| format!("{}:{}", log.name, of(log))).collect()
    };
    let all = ["MANIFEST-000005", "000012.log", "000004.log", "LOG", "CURRENT", "MANIFEST-000011", "000010.sst"];
    let expected = [":000004.log+000012.log", "MANIFEST-000011:MANIFEST-000011", "MANIFEST-000005:MANIFEST-000005"];
    assert_eq!(laid(&all), expected);
    assert_eq!(laid(&all[4..6]), [":MANIFEST-000011"]);
}

#[test]
fn types_that_may_be_passed_over_are_shown_and_others_are_damage() {
    let mut log = Writer::default();
    log.batches(1..=1);
    log.frame(0x90, b"something new");
    log.batches(2..=2);
    let seen = one(&log.bytes);
    assert_eq!((seen.verdict(), seen.kinds[1].as_str(), seen.payloads.len()), (Verdict::Clean, "unknown", 3));
    let mut log = Writer::default();
    log.batches(1..=1);
    log.frame(0x20, b"something new");
    log.batches(2..=2);
    let seen = one(&log.bytes);
    assert_eq!((seen.verdict(), seen.lsns, seen.damage[0].kind), (Verdict::Corrupt, vec![1, 2], DamageKind::NotAFrame));
}

#[test]
fn a_log_inside_the_payload_of_a_damaged_last_record_proves_nothing() {
    let (mut inner, mut log) = (Writer::default(), Writer::default());
    inner.batches(1..=3);
    log.batches(1..=2).batch(3, 1, &inner.bytes);
    let end = log.bytes.len();
    log.bytes[end - 1] ^= 1;
    let seen = one(&log.bytes);
    assert_eq!((seen.verdict(), seen.lsns), (Verdict::Suspect, vec![1, 2]), "{:?}", seen.damage);
    // But where a wrong length leads to the end of the file, the frames behind the right one count.
    let mut log = Writer::default();
    log.batches(1..=5);
    let (frame, end) = (log.bytes.len() / 5, log.bytes.len());
    log.bytes[frame + 4..frame + 6].copy_from_slice(&u16::try_from(end - frame - 7).expect("small").to_le_bytes());
    let seen = one(&log.bytes);
    assert_eq!((seen.verdict(), seen.lsns), (Verdict::Corrupt, vec![1, 3, 4, 5]), "{:?}", seen.damage);
}

#[test]
fn damage_in_one_piece_of_a_record_costs_that_record_alone() {
    let mut log = Writer::default();
    log.batches(1..=2);
    let begin = log.bytes.len();
    log.batch(3, 1, &vec![b'x'; 3 * BLOCK as usize]);
    let end = log.bytes.len();
    log.batches(4..=5);
    for at in [begin + 20, BLOCK as usize + 3, BLOCK as usize + 100, 2 * BLOCK as usize + 6, end - 1] {
        let mut hurt = log.bytes.clone();
        hurt[at] ^= 4;
        let seen = one(&hurt);
        assert_eq!((seen.verdict(), seen.lsns), (Verdict::Corrupt, vec![1, 2, 4, 5]), "byte {at}: {:?}", seen.damage);
        let (first, last) = (seen.damage[0].span.start(), seen.damage.last().expect("some").span.end());
        assert!(first == begin as u64 && last == end as u64, "byte {at}: {:?}", seen.damage);
    }
    for cut in [begin + 3, begin + 20, BLOCK as usize, BLOCK as usize + 3, end - 1] {
        let seen = one(&log.bytes[..cut]);
        assert_eq!((seen.verdict(), seen.lsns), (Verdict::Torn, vec![1, 2]), "{cut}: {:?}", seen.damage);
        assert_eq!(seen.damage[0].span.start(), begin as u64, "cut at {cut}");
    }
}

#[test]
fn every_flip_costs_one_record_and_every_cut_is_torn_unless_it_lies_between_two() {
    let mut log = Writer::default();
    log.batches(1..=6);
    let frame = log.bytes.len() / 6;
    for at in 0..log.bytes.len() {
        for bit in 0..8 {
            let mut hurt = log.bytes.clone();
            hurt[at] ^= 1 << bit;
            let (seen, lost) = (one(&hurt), 1 + (at / frame) as u64);
            assert_eq!(seen.lsns, (1..=6).filter(|lsn| *lsn != lost).collect::<Vec<_>>(), "byte {at}: {:?}", seen.damage);
            let expected: &[Verdict] = if lost < 6 { &[Verdict::Corrupt] } else { &[Verdict::Suspect, Verdict::Torn] };
            assert!(expected.contains(&seen.verdict()), "byte {at}, bit {bit}: {:?}", seen.damage);
            assert_eq!(seen.damage[0].span.start(), (at / frame * frame) as u64);
        }
        let seen = one(&log.bytes[..at]);
        assert_eq!(seen.lsns.len(), at / frame);
        assert_eq!(seen.verdict(), if at % frame == 0 { Verdict::Clean } else { Verdict::Torn }, "cut at {at}");
    }
}

#[test]
fn a_record_that_is_too_long_to_be_held_comes_in_pieces() {
    let content: Vec<u8> = (0..20u32 << 20).map(|n| (n >> 7) as u8).collect();
    for mut log in [Writer::default(), Writer::recycled(4)] {
        log.batch(1, 1, &content).batches(2..=2);
        let seen = one(&log.bytes);
        assert_eq!((seen.verdict(), seen.lsns), (Verdict::Clean, vec![1, 2]), "{:?}", seen.damage);
        assert!(seen.payloads[0][12..] == content[..]);
    }
}

#[test]
fn what_does_not_unpack_under_a_right_sum_is_a_bad_payload() {
    let mut log = Writer::default();
    log.frame(9, &7u32.to_le_bytes());
    log.record(b"\x28\xb5\x2f\xfd this is no Zstandard stream");
    let seen = one(&log.bytes);
    if cfg!(feature = "zstd") {
        assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Corrupt, DamageKind::BadPayload));
    } else {
        assert_eq!((seen.verdict(), seen.payloads.len()), (Verdict::Clean, 2));
    }
}

#[test]
fn a_damaged_or_half_written_first_frame_is_still_recognised_and_pebbles_folder_is_not() {
    let mut log = Writer::default();
    log.batches(1..=3);
    let mut hurt = log.bytes.clone();
    hurt[9] ^= 1;
    let marker = [crate::disk::Entry {
        name: "marker.manifest.000001.MANIFEST-000001".into(),
        length: 0,
        kind: crate::disk::EntryKind::File,
    }];
    let sample = |head, beside| Sample { name: Some("000004.log"), head, length: 100, beside };
    assert_eq!((FORMAT.recognise)(&sample(&hurt, &[])), Likeness::Sure);
    assert_eq!((FORMAT.recognise)(&sample(&log.bytes[..20], &[])), Likeness::Maybe);
    assert_eq!((FORMAT.recognise)(&sample(&log.bytes, &marker)), Likeness::No);
}

#[test]
fn a_log_that_another_one_follows_is_not_cut_even_where_it_is_named_alone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut first = Writer::default();
    first.batch(1, 1, b"alpha").batch(2, 1, b"beta");
    let torn = first.bytes.len() - 3;
    let path = dir.path().join("000004.log");
    std::fs::write(&path, &first.bytes[..torn]).expect("room");
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let cut = |path: &Path| {
        let input = open(&disk, path, &Choice::default()).expect("it opens").remove(0);
        let report = verify(&input, &Checks::default(), &Progress::default()).expect("it reads");
        let at = Place { segment: SegmentId(0), offset: report.damage[0].span.start() };
        matches!(FORMAT.mend_at(&input.source, &report.summaries, at), Mend::Cut)
    };
    assert_eq!([cut(&path), cut(dir.path())], [true, true]);
    std::fs::write(dir.path().join("000007.log"), Writer::default().batch(3, 1, b"gamma").bytes.as_slice()).expect("room");
    assert_eq!([cut(&path), cut(dir.path())], [false, false]);
}
