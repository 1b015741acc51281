//! Pebble logs made by hand and hurt: what the fixtures do not show.

use super::super::blocks::{BLOCK, mask};
use super::format::FORMAT;
use crate::disk::{Entry, EntryKind, crc32c};
use crate::formats::seen::{WholeRead, read_files, read_worn};
use crate::formats::{Ending, Likeness, Sample};
use crate::model::{Acknowledged, DamageKind, Verdict};

/// A file of a log as Pebble would write it.
#[derive(Clone)]
struct Writer {
    bytes: Vec<u8>,
    number: u32,
    /// 1, 5 or 9: what types are counted from.
    first: u8,
    synced: u64,
}

impl Writer {
    fn new(number: u32, first: u8) -> Writer {
        Writer { bytes: Vec::new(), number, first, synced: 0 }
    }

    fn chunk(&mut self, part: u8, payload: &[u8]) {
        let mut covered = vec![self.first + part];
        if self.first > 1 {
            covered.extend(self.number.to_le_bytes());
        }
        if self.first > 5 {
            covered.extend(self.synced.to_le_bytes());
        }
        covered.extend(payload);
        self.bytes.extend(mask(crc32c(0, &covered)).to_le_bytes());
        self.bytes.extend(u16::try_from(payload.len()).expect("a chunk fits its block").to_le_bytes());
        self.bytes.extend(covered);
    }

    fn record(&mut self, payload: &[u8]) -> &mut Self {
        let header = match self.first {
            1 => 7,
            5 => 11,
            _ => 19,
        };
        let (mut rest, mut begun) = (payload, false);
        loop {
            let left = BLOCK as usize - self.bytes.len() % BLOCK as usize;
            if left < header {
                self.bytes.resize(self.bytes.len() + left, 0);
                continue;
            }
            let (piece, behind) = rest.split_at(rest.len().min(left - header));
            self.chunk([[0, 1], [3, 2]][usize::from(begun)][usize::from(!behind.is_empty())], piece);
            (rest, begun) = (behind, true);
            if behind.is_empty() {
                return self;
            }
        }
    }

    fn batch(&mut self, sequence: u64, content: &[u8]) -> &mut Self {
        let mut payload = sequence.to_le_bytes().to_vec();
        payload.extend(1u32.to_le_bytes());
        payload.extend(content);
        self.record(&payload)
    }

    /// One batch after the other; each was written when all but the one before it had been synced.
    fn batches(&mut self, sequences: std::ops::RangeInclusive<u64>) -> &mut Self {
        let mut before = self.bytes.len();
        for sequence in sequences {
            self.synced = before as u64;
            before = self.bytes.len();
            self.batch(sequence, format!("\x01\x03key\x05val{sequence:02}").as_bytes());
        }
        self
    }

    fn close(&mut self) -> &mut Self {
        self.bytes.extend([0, 0, 0, 0, 0, 0, 5]);
        self.bytes.extend((self.number + 1).to_le_bytes());
        self
    }
}

fn read(files: &[(&str, &[u8])]) -> WholeRead {
    read_files(&FORMAT, files)
}

fn one(bytes: &[u8]) -> WholeRead {
    read(&[("000004.log", bytes)])
}

#[test]
fn a_flip_is_corrupt_where_a_later_sync_offset_lies_behind_it_and_torn_where_none_does() {
    let mut log = Writer::new(4, 9);
    log.batches(1..=6);
    let frame = log.bytes.len() / 6;
    for at in 0..log.bytes.len() {
        for bit in 0..8 {
            let mut hurt = log.bytes.clone();
            hurt[at] ^= 1 << bit;
            let (seen, lost) = (one(&hurt), 1 + (at / frame) as u64);
            let what = format!("byte {at}, bit {bit}: {:?}", seen.damage);
            assert_eq!(seen.lsns, (1..=6).filter(|lsn| *lsn != lost).collect::<Vec<_>>(), "{what}");
            // The last chunk bears the place of the one before it, which says that all in front of that was synced.
            let expected = if lost < 5 { Verdict::Corrupt } else { Verdict::Torn };
            assert_eq!((seen.verdict(), seen.damage[0].span.start()), (expected, (at / frame * frame) as u64), "{what}");
            assert_eq!(seen.damage[0].acknowledged() == Acknowledged::Yes, lost < 5, "{what}");
        }
        let seen = one(&log.bytes[..at]);
        assert_eq!(seen.lsns.len(), at / frame);
        assert_eq!(seen.verdict(), if at % frame == 0 { Verdict::Clean } else { Verdict::Torn }, "cut at {at}");
    }
}

#[test]
fn without_sync_offsets_a_later_chunk_makes_a_flip_corrupt_and_nothing_proves_that_it_was_promised() {
    for first in [1, 5] {
        let mut log = Writer::new(4, first);
        log.batches(1..=6);
        let frame = log.bytes.len() / 6;
        for at in 0..log.bytes.len() {
            let mut hurt = log.bytes.clone();
            hurt[at] ^= 1 << (at % 8);
            let (seen, lost) = (one(&hurt), 1 + (at / frame) as u64);
            assert_eq!(seen.lsns, (1..=6).filter(|lsn| *lsn != lost).collect::<Vec<_>>(), "byte {at}: {:?}", seen.damage);
            if lost < 6 {
                let told = (seen.verdict(), seen.damage[0].acknowledged());
                assert_eq!(told, (Verdict::Corrupt, Acknowledged::Unknown), "byte {at}: {:?}", seen.damage);
            } else {
                assert!(matches!(seen.verdict(), Verdict::Torn | Verdict::Suspect), "byte {at}: {:?}", seen.damage);
            }
        }
    }
}

#[test]
fn an_older_log_must_be_whole_to_its_end_and_the_newest_one_need_not() {
    let (mut older, mut newer) = (Writer::new(4, 9), Writer::new(6, 9));
    older.batches(1..=5);
    newer.batches(6..=9);
    let two = |older: &[u8]| read(&[("000004.log", older), ("000006.log", &newer.bytes)]);
    assert_eq!(two(&older.bytes).verdict(), Verdict::Clean);
    let end = older.bytes.len();
    let seen = two(&older.bytes[..end - 5]);
    assert_eq!((seen.verdict(), seen.damage[0].acknowledged()), (Verdict::Corrupt, Acknowledged::Unknown), "{:?}", seen.damage);
    let mut zeros = older.bytes.clone();
    zeros.resize(zeros.len() + 100, 0);
    let seen = two(&zeros);
    assert_eq!((seen.verdict(), seen.damage[0].span.start()), (Verdict::Corrupt, end as u64), "{:?}", seen.damage);
    let mut closed = older.clone();
    closed.close();
    closed.bytes.resize(closed.bytes.len() + 100, 7);
    let seen = two(&closed.bytes);
    assert_eq!(
        (seen.verdict(), seen.endings.clone()),
        (Verdict::Clean, vec![Ending::Closed, Ending::FileEnds]),
        "{:?}",
        seen.damage
    );
}

#[test]
fn another_file_of_the_same_log_goes_on_and_what_stands_in_both_is_given_once() {
    let (mut first, mut second) = (Writer::new(4, 9), Writer::new(4, 9));
    first.batches(1..=5);
    second.batches(4..=8).close();
    for cut in [0, 3, 20] {
        let end = first.bytes.len() - cut;
        let files: [(&str, &[u8]); 2] = [("000004-001.log", &second.bytes), ("000004.log", &first.bytes[..end])];
        let seen = read(&files);
        let all = (seen.verdict(), seen.lsns.clone(), seen.warnings.clone());
        assert_eq!(all, (Verdict::Clean, (1..=8).collect(), vec!["repeated"]), "{cut}: {:?}", seen.damage);
    }
    // Batches that were not written again and are gone leave a hole in the numbers, and no other trace.
    let end = first.bytes.len() - 20;
    let (mut later, none) = (Writer::new(4, 9), vec![0; 100]);
    later.batches(7..=8).close();
    for first in [&first.bytes[..end], &none] {
        let seen = read(&[("000004-001.log", &later.bytes), ("000004.log", first)]);
        assert_eq!((seen.verdict(), seen.warnings), (Verdict::Clean, vec!["sequence-skipped"]), "{:?}", seen.damage);
    }
    // What was promised is lost all the same.
    let mut hurt = first.bytes.clone();
    hurt[30] ^= 1;
    assert_eq!(read(&[("000004.log", &hurt), ("000004-001.log", &second.bytes)]).verdict(), Verdict::Corrupt);
}

#[test]
fn where_the_other_folder_goes_on_nothing_is_torn_and_where_it_cannot_be_seen_nothing_is_certain() {
    let (mut first, mut second, mut later) = (Writer::new(4, 9), Writer::new(4, 9), Writer::new(6, 9));
    first.batches(1..=5);
    second.batches(6..=8).close();
    later.batches(9..=10);
    let open = &first.bytes[..first.bytes.len() - 5];
    let other = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(other.path().join("000004-001.log"), &second.bytes).expect("room for a few bytes");
    let seen = |dir: &str| {
        let options = format!("[WAL Failover]\n  secondary_dir={dir}\n");
        let files: [(&str, &[u8]); 3] =
            [("000004.log", open), ("000006.log", &later.bytes), ("OPTIONS-000007", options.as_bytes())];
        read(&files).verdict()
    };
    assert_eq!(seen(other.path().to_str().expect("a plain path")), Verdict::Clean);
    assert_eq!(seen("/nowhere/at/all"), Verdict::Suspect);
    assert_eq!(seen(""), Verdict::Corrupt);
    let files: [(&str, &[u8]); 3] = [("000004-001.log", open), ("000006.log", &later.bytes), ("stable_identifier", b"x")];
    assert_eq!(read(&files).verdict(), Verdict::Suspect);
}

#[test]
fn behind_a_recycled_log_only_its_own_number_is_damage() {
    let (mut old, mut new) = (Writer::new(2, 9), Writer::new(4, 9));
    old.batches(1..=20);
    new.batches(21..=25);
    let end = new.bytes.len();
    let mut reused = old.bytes.clone();
    reused[..end].copy_from_slice(&new.bytes);
    let seen = one(&reused);
    assert_eq!(
        (seen.verdict(), seen.endings[0], seen.lsns),
        (Verdict::Clean, Ending::Remains, (21..=25).collect()),
        "{:?}",
        seen.damage
    );
    let mut begun = reused.clone();
    let frame = end / 5;
    begun[end - frame + 20..end].copy_from_slice(&old.bytes[end - frame + 20..end]);
    let seen = one(&begun);
    assert_eq!((seen.verdict(), seen.lsns), (Verdict::Torn, (21..=24).collect()), "{:?}", seen.damage);
    let seen = one(&old.bytes);
    assert_eq!((seen.verdict(), seen.payloads.len(), seen.warnings), (Verdict::Clean, 0, vec!["another-logs-chunks"]));
}

#[test]
fn damage_in_one_chunk_of_a_batch_costs_that_batch_alone() {
    let mut log = Writer::new(4, 9);
    log.batches(1..=2);
    let begin = log.bytes.len();
    log.batch(3, &vec![b'x'; 3 * BLOCK as usize]);
    let end = log.bytes.len();
    log.batches(4..=6);
    for at in [begin + 25, BLOCK as usize + 3, BLOCK as usize + 100, 2 * BLOCK as usize + 6, end - 1] {
        let mut hurt = log.bytes.clone();
        hurt[at] ^= 4;
        let seen = one(&hurt);
        assert_eq!((seen.verdict(), seen.lsns), (Verdict::Corrupt, vec![1, 2, 4, 5, 6]), "byte {at}: {:?}", seen.damage);
        let (first, last) = (seen.damage[0].span.start(), seen.damage.last().expect("some").span.end());
        assert!(first == begin as u64 && last == end as u64, "byte {at}: {:?}", seen.damage);
    }
    for cut in [begin + 3, begin + 30, BLOCK as usize, BLOCK as usize + 3, end - 1] {
        let seen = one(&log.bytes[..cut]);
        assert_eq!((seen.verdict(), seen.lsns), (Verdict::Torn, vec![1, 2]), "{cut}: {:?}", seen.damage);
        assert_eq!(seen.damage[0].span.start(), begin as u64, "cut at {cut}");
    }
}

#[test]
fn a_batch_that_is_too_long_to_be_held_comes_in_pieces() {
    let content: Vec<u8> = (0..20u32 << 20).map(|n| (n >> 7) as u8).collect();
    for first in [1, 5, 9] {
        let mut log = Writer::new(4, first);
        log.batch(1, &content).batches(2..=2);
        let seen = one(&log.bytes);
        assert_eq!((seen.verdict(), seen.lsns), (Verdict::Clean, vec![1, 2]), "{:?}", seen.damage);
        assert!(seen.payloads[0][12..] == content[..]);
    }
}

#[test]
fn a_log_inside_the_payload_of_a_damaged_chunk_proves_nothing() {
    let (mut inner, mut log) = (Writer::new(4, 9), Writer::new(4, 9));
    inner.synced = 1 << 40;
    inner.batch(1, b"x").batch(2, b"y");
    log.batches(1..=2).batch(3, &inner.bytes);
    let end = log.bytes.len();
    log.bytes[end - 1] ^= 1;
    let seen = one(&log.bytes);
    assert_eq!(
        (seen.verdict(), seen.lsns, seen.damage[0].kind),
        (Verdict::Torn, vec![1, 2], DamageKind::BadChecksum),
        "{:?}",
        seen.damage
    );
}

#[test]
fn sync_chunks_are_known_by_themselves_and_the_others_by_their_folder() {
    let entry = |name: &str| Entry { name: name.into(), length: 0, kind: EntryKind::File };
    let marker = [entry("marker.manifest.000001.MANIFEST-000001")];
    let rocksdb = crate::formats::by_name("rocksdb").expect("it is known");
    let both = |name, head: &[u8], beside: &[Entry]| {
        let sample = Sample { name: Some(name), head, length: head.len() as u64, beside };
        ((FORMAT.recognise)(&sample), (rocksdb.recognise)(&sample))
    };
    for first in [1, 5, 9] {
        let mut log = Writer::new(4, first);
        log.batches(1..=3);
        let own = first == 9;
        let expected = if own { (Likeness::Sure, Likeness::No) } else { (Likeness::No, Likeness::Sure) };
        assert_eq!(both("000004.log", &log.bytes, &[]), expected, "{first}");
        assert_eq!(both("000004.log", &log.bytes, &marker), (Likeness::Sure, Likeness::No), "{first}");
        assert_eq!(both("000004-001.log", &log.bytes, &[]).0, Likeness::Sure, "{first}");
        log.bytes[12] ^= 1;
        assert_eq!(both("000004.log", &log.bytes, &marker), (Likeness::Sure, Likeness::No), "{first}");
    }
    // What RocksDB writes in front of compressed records has a type of Pebble's.
    let mut bytes = mask(crc32c(0, &[9, 7, 0, 0, 0])).to_le_bytes().to_vec();
    bytes.extend([4, 0, 9, 7, 0, 0, 0]);
    bytes.extend([0; 40]);
    assert_eq!(both("000004.log", &bytes, &[]), (Likeness::No, Likeness::Sure));
    assert_eq!(both("000004.log", &[], &marker), (Likeness::Maybe, Likeness::No));
}

#[test]
fn pieces_of_a_batch_whose_beginning_is_damaged_are_one_region_with_it() {
    for first in [1, 5, 9] {
        let mut log = Writer::new(4, first);
        log.batches(1..=2);
        let start = log.bytes.len();
        log.batch(3, &vec![b'x'; 3 * BLOCK as usize]);
        let end = log.bytes.len();
        log.batches(4..=6);
        log.bytes[start + 100] ^= 1;
        let seen = one(&log.bytes);
        let spans: Vec<(u64, u64)> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
        assert_eq!((seen.lsns, spans), (vec![1, 2, 4, 5, 6], vec![(start as u64, end as u64)]), "types from {first}");
    }
}

#[test]
fn a_range_that_the_system_refuses_is_told_where_it_lies_and_damage_in_front_of_it_by_its_bytes() {
    let (mut log, mut starts) = (Writer::new(4, 1), Vec::new());
    for sequence in 1..=700 {
        starts.push(log.bytes.len() as u64);
        log.batches(sequence..=sequence);
    }
    assert!(log.bytes.len() < BLOCK as usize);
    let (from, to) = (8192, 12_288);
    let hit = starts.partition_point(|start| *start <= from) - 1;
    let spans = |bytes: &[u8]| -> Vec<_> {
        let seen = read_worn(&FORMAT, "000004.log", bytes, from..to);
        seen.damage.iter().map(|damage| (damage.kind, damage.span.start(), damage.span.end())).collect()
    };
    // Behind it reading goes on at the next block, and there is none.
    let refused = (DamageKind::ReadError, starts[hit], log.bytes.len() as u64);
    assert_eq!(spans(&log.bytes), [refused]);
    // What is refused further on has nothing to do with it.
    log.bytes[starts[5] as usize + 20] ^= 1;
    assert_eq!(spans(&log.bytes), [(DamageKind::BadChecksum, starts[5], starts[6]), refused]);
}

#[test]
fn pieces_are_followed_to_the_last_one_whatever_a_block_leaves_behind_them() {
    let head = [3u64.to_le_bytes().as_slice(), &1u32.to_le_bytes()].concat();
    for left in [0, 1, 6, 7, 8] {
        let mut log = Writer::new(4, 1);
        log.batches(1..=2);
        let start = log.bytes.len();
        log.chunk(1, &[&head[..], b"first"].concat());
        let room = BLOCK as usize - log.bytes.len() - 7;
        log.chunk(2, &vec![b'x'; room - left]);
        // Where a header fits, the last piece stands in the same block, and nothing else of it may fit.
        if left < 7 {
            log.bytes.resize(BLOCK as usize, 0);
        }
        log.chunk(3, if left < 7 { b"last" } else { &b"x"[..left - 7] });
        let end = log.bytes.len();
        log.batches(4..=6);
        assert_eq!(one(&log.bytes).lsns, [1, 2, 3, 4, 5, 6], "{left} bytes left");
        log.bytes[start + 20] ^= 1;
        let seen = one(&log.bytes);
        let spans: Vec<(u64, u64)> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
        assert_eq!((seen.lsns, spans), (vec![1, 2, 4, 5, 6], vec![(start as u64, end as u64)]), "{left} bytes left");
    }
}

#[test]
fn a_piece_that_ends_where_no_header_fits_is_followed_into_the_next_block() {
    let mut log = Writer::new(4, 1);
    log.batches(1..=2);
    let start = log.bytes.len();
    let head = [3u64.to_le_bytes().as_slice(), &1u32.to_le_bytes()].concat();
    log.chunk(1, &[&head[..], &vec![b'x'; BLOCK as usize - start - 7 - head.len() - 3]].concat());
    log.bytes.extend([0; 3]);
    log.chunk(2, b"middle");
    log.chunk(3, b"last");
    let end = log.bytes.len();
    log.batches(4..=6);
    log.bytes[start + 100] ^= 1;
    let seen = one(&log.bytes);
    let spans: Vec<(u64, u64)> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
    assert_eq!((seen.lsns, spans), (vec![1, 2, 4, 5, 6], vec![(start as u64, end as u64)]));
}
