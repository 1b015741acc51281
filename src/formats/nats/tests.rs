//! Blocks made here, byte by byte, and hurt: what is said of them.

use std::sync::Arc;

use super::FORMAT;
use super::names::key;
use super::record::{Head, sum_of};
use crate::disk::{RealDisk, Source};
use crate::formats::seen::{WholeRead, read_source};
use crate::formats::{Likeness, Sample};
use crate::model::{DamageKind, Place, Verdict};

const ERASED: u64 = 1 << 63;
const TOMBSTONE: u64 = 1 << 62;
const TIME: u64 = 1_795_192_805_315_665_108;

/// A record as the page describes it. Only the sum is taken by what is tested; fixtures vouch for that.
fn record(stream: &str, block: u64, sequence: u64, subject: &str, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(30 + subject.len() + message.len()).expect("small");
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(sequence.to_le_bytes());
    bytes.extend(if sequence & ERASED != 0 { 0 } else { TIME }.to_le_bytes());
    bytes.extend(u16::try_from(subject.len()).expect("small").to_le_bytes());
    bytes.extend([subject.as_bytes(), message, &[0; 8]].concat());
    let head = Head::parse(bytes.first_chunk().expect("a header"), 0).expect("it can be one");
    let sum = sum_of(&key(stream, block), &head, &bytes).expect("its length fits").to_le_bytes();
    let at = bytes.len() - 8;
    bytes[at..].copy_from_slice(&sum);
    bytes
}

fn message(block: u64, sequence: u64) -> Vec<u8> {
    record("orders", block, sequence, "orders.paid", b"some message")
}

/// Messages of a block, and where each begins.
fn block(number: u64, sequences: std::ops::RangeInclusive<u64>) -> (Vec<u8>, Vec<usize>) {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for sequence in sequences {
        starts.push(bytes.len());
        bytes.extend(message(number, sequence));
    }
    (bytes, starts)
}

/// Reads blocks of a stream; gives what the server would do, too.
fn read_as(stream: &str, files: &[(&str, &[u8])]) -> WholeRead {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let msgs = dir.path().join(stream).join("msgs");
    std::fs::create_dir_all(&msgs).expect("room for a folder");
    for (name, bytes) in files {
        std::fs::write(msgs.join(name), bytes).expect("room for a block");
    }
    read_source(&FORMAT, &FORMAT.log_in(Arc::new(RealDisk), &msgs).expect("it lists"))
}

fn read(files: &[(&str, &[u8])]) -> WholeRead {
    read_as("orders", files)
}

#[test]
fn a_block_is_known_for_sure_by_two_records_or_by_one_that_ends_with_the_file() {
    let (bytes, starts) = block(1, 1..=3);
    let likeness = |head: &[u8], length: usize| {
        (FORMAT.recognise)(&Sample { name: Some("1.blk"), head, length: length as u64, beside: &[] })
    };
    assert_eq!(likeness(&bytes, bytes.len()), Likeness::Sure);
    let one = &bytes[..starts[1]];
    assert_eq!(likeness(one, one.len()), Likeness::Sure);
    // One that leads behind the end, and one behind which there is more than was read.
    assert_eq!(likeness(&one[..one.len() - 1], one.len() - 1), Likeness::Maybe);
    assert_eq!(likeness(one, bytes.len()), Likeness::Maybe);
    assert_eq!(likeness(&bytes[..starts[2]], bytes.len()), Likeness::Maybe);
    assert_eq!(likeness(&bytes[..starts[2]], starts[2]), Likeness::Sure);
}

#[test]
fn each_flipped_bit_of_a_block_is_seen_and_costs_its_record() {
    let (bytes, starts) = block(1, 1..=4);
    for at in 0..bytes.len() {
        let index = starts.iter().rposition(|start| *start <= at).expect("the first begins at 0");
        for bit in 0..8 {
            let mut hurt = bytes.clone();
            hurt[at] ^= 1 << bit;
            let read = read(&[("1.blk", &hurt)]);
            let what = format!("bit {bit} of byte {at}: {:?}", read.damage);
            // A length of the subject that is a few bytes off leaves the summed bytes as they are.
            if (20..22).contains(&(at - starts[index])) {
                continue;
            }
            let verdicts = if index < 3 { &[Verdict::Corrupt][..] } else { &[Verdict::Suspect, Verdict::Torn] };
            assert!(verdicts.contains(&read.verdict()), "{what}");
            assert_eq!(read.lsns.len(), 3, "{what}");
        }
    }
}

#[test]
fn each_cut_is_torn_unless_it_is_behind_a_record() {
    let (bytes, starts) = block(1, 1..=4);
    for length in 1..bytes.len() {
        let read = read(&[("1.blk", &bytes[..length])]);
        let expected = if starts.contains(&length) { Verdict::Clean } else { Verdict::Torn };
        assert_eq!(read.verdict(), expected, "cut to {length}: {:?}", read.damage);
        assert_eq!(read.lsns.len(), starts.iter().filter(|start| **start > 0 && **start <= length).count(), "cut to {length}");
    }
}

#[test]
fn deletions_of_every_kind_are_no_damage() {
    let mut bytes = message(1, 1);
    bytes.extend(record("orders", 1, 2 | ERASED, "", b"random bytes"));
    bytes.extend(message(1, 9));
    bytes.extend(record("orders", 1, 1 | TOMBSTONE, "", b""));
    let read = read(&[("1.blk", &bytes)]);
    assert_eq!((read.verdict(), &read.lsns[..]), (Verdict::Clean, &[1, 2, 9][..]));
    assert_eq!(read.kinds, ["msg", "erased", "msg", "tombstone"]);
    assert!(read.warnings.is_empty(), "{:?}", read.warnings);
}

#[test]
fn a_block_that_lacks_is_missing_unless_all_of_it_was_deleted() {
    let (one, three) = (block(1, 1..=3).0, block(3, 6..=7).0);
    let lacks = read(&[("1.blk", &one), ("3.blk", &three)]);
    assert_eq!((lacks.verdict(), lacks.damage[0].kind), (Verdict::Missing, DamageKind::MissingSegment));
    let deleted = [4, 5].map(|sequence| record("orders", 3, sequence | TOMBSTONE, "", b"")).concat();
    assert_eq!(read(&[("1.blk", &one), ("3.blk", &[three, deleted].concat())]).verdict(), Verdict::Clean);
    let next = block(3, 4..=5).0;
    assert_eq!(read(&[("1.blk", &one), ("3.blk", &next)]).verdict(), Verdict::Clean);
    assert_eq!(read(&[("7.blk", &block(7, 90..=95).0)]).verdict(), Verdict::Clean, "limits remove blocks at the front");
}

#[test]
fn a_name_is_taken_from_the_folder_or_guessed_and_without_one_sums_are_not_checked() {
    let (bytes, _) = block(1, 1..=4);
    let clean = |stream, bytes: &[u8]| {
        let read = read_as(stream, &[("1.blk", bytes)]);
        assert_eq!((read.verdict(), read.lsns.len()), (Verdict::Clean, 4), "{stream}: {:?}", read.damage);
        read.warnings
    };
    assert!(clean("orders", &bytes).is_empty() && clean("a-backup", &bytes).is_empty());
    let other: Vec<u8> = (1..=4).flat_map(|sequence| record("SOMETHING", 1, sequence, "orders.paid", b"message")).collect();
    assert_eq!(clean("a-backup", &other), ["sums-not-checked"]);
    let mut hurt = bytes;
    hurt[60] ^= 1;
    assert_eq!(read_as("a-backup", &[("1.blk", &hurt)]).verdict(), Verdict::Corrupt, "the first subject still tells");
}

#[test]
fn what_is_compressed_or_encrypted_is_passed_over_and_a_chunk_that_is_cut_is_seen() {
    let mut packed = b"cmp\x01\xac\x02\xff\x06\x00\x00S2sTwO".to_vec();
    packed.extend([0, 9, 0, 0]);
    packed.extend([7; 9]);
    packed.extend([1; 8]);
    let two = block(2, 9..=10).0;
    let opaque = read(&[("1.blk", &packed), ("2.blk", &two)]);
    assert_eq!((opaque.verdict(), opaque.warnings, opaque.lsns), (Verdict::Clean, vec!["compressed-block"], vec![9, 10]));
    assert_eq!(opaque.whole, [false, true], "what was not looked into is not called clean");
    for length in 4..packed.len() {
        assert_eq!(read(&[("1.blk", &packed[..length])]).verdict(), Verdict::Torn, "cut to {length}");
    }
    let sealed = read(&[("1.blk", &[9; 100]), ("1.key", &[1; 64])]);
    assert_eq!((sealed.verdict(), sealed.warnings, sealed.whole), (Verdict::Clean, vec!["encrypted-block"], vec![false]));
}

#[test]
fn a_block_that_the_server_replaced_is_read_anew_and_nothing_is_delivered_twice() {
    let (bytes, starts) = block(1, 1..=4);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let msgs = dir.path().join("orders/msgs");
    std::fs::create_dir_all(&msgs).expect("room for a folder");
    let path = msgs.join("1.blk");
    // What it was when it was opened ends inside its third message; what took its place lacks the second one, and goes on.
    let compacted = [&bytes[..starts[1]], &bytes[starts[2]..]].concat();
    for replaced in [true, false] {
        std::fs::write(&path, &bytes[..starts[3] - 9]).expect("room for a block");
        let source = FORMAT.log_in(Arc::new(RealDisk), &msgs).expect("it lists");
        let keys = crate::model::Keys::default();
        let want = crate::formats::Want { payloads: true, ..crate::formats::Want::default() };
        let visit = crate::formats::Visit { source: &source, segment: &source.segments[0], keys: &keys, want };
        let mut lsns = Vec::new();
        let mut take = |item: crate::formats::Item<'_>| {
            if let crate::formats::Item::Record(record) = item {
                if replaced && lsns.is_empty() {
                    std::fs::write(msgs.join("new"), &compacted).expect("room for a block");
                    std::fs::rename(msgs.join("new"), &path).expect("it takes the place of the old one");
                }
                lsns.push(record.lsn.expect("messages have numbers").0);
            }
            Ok(())
        };
        let summary = FORMAT.walk(&visit, &mut crate::formats::Sink::new(&mut take)).expect("rotten bytes are no error");
        let whole = summary.damage.is_empty();
        assert_eq!((lsns, whole), if replaced { (vec![1, 2, 3, 4], true) } else { (vec![1, 2], false) });
    }
}

#[test]
fn only_the_torn_end_of_the_last_block_is_cut() {
    let (bytes, starts) = block(1, 1..=4);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let msgs = dir.path().join("orders/msgs");
    std::fs::create_dir_all(&msgs).expect("room for a folder");
    let source = || FORMAT.log_in(Arc::new(RealDisk), &msgs).expect("it lists");
    let asked = |source: Source, index: usize, at: usize| {
        let keys = crate::model::Keys::default();
        let walk = |segment| {
            let visit = crate::formats::Visit { source: &source, segment, keys: &keys, want: crate::formats::Want::default() };
            FORMAT.walk(&visit, &mut crate::formats::Sink::new(&mut |_| Ok(()))).expect("rotten bytes are no error")
        };
        let mut summaries: Vec<_> = source.segments.iter().map(walk).collect();
        (FORMAT.join)(&source, &mut summaries);
        let place = Place { segment: source.segments[index].id, offset: at as u64 };
        let mend = FORMAT.mend_at(&source, &summaries, place);
        (matches!(mend, crate::formats::Mend::Cut), summaries.last().and_then(|last| last.recovery.clone()).unwrap_or_default())
    };
    let may = |bytes: &[u8], at: usize| {
        std::fs::write(msgs.join("1.blk"), bytes).expect("room for a block");
        asked(source(), 0, at)
    };
    let (cut, words) = may(&bytes[..bytes.len() - 9], starts[3]);
    assert!(cut && words.contains("numbers from 4 on are given out again"), "{words}");
    let mut hurt = bytes.clone();
    hurt[starts[1] + 30] ^= 1;
    let (cut, words) = may(&hurt, starts[1]);
    assert!(!cut && words.contains("2 whole records behind it"), "{words}");
    let (cut, words) = may(&bytes, starts[3]);
    assert!(!cut && words.starts_with("nats-server finds 4 messages"), "{words}");
    // With a block behind it, looked at or not, a torn end is not the end of the log; that of the last block is.
    let (later, later_starts) = block(2, 5..=6);
    std::fs::write(msgs.join("1.blk"), &bytes[..bytes.len() - 9]).expect("room for a block");
    std::fs::write(msgs.join("2.blk"), &later[..later.len() - 9]).expect("room for a block");
    assert!(!asked(source(), 0, starts[3]).0, "another block follows");
    assert!(!asked(source().narrow(0..1), 0, starts[3]).0, "another block follows that was not looked at");
    assert!(asked(source(), 1, later_starts[1]).0, "the last block");
}
