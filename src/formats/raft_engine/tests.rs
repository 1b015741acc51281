//! Files made here, byte by byte, and hurt: what is said of them.

use super::FORMAT;
use super::header::MAGIC;
use crate::disk::crc32;
use crate::formats::Ending;
use crate::formats::seen::{WholeRead, read_files};
use crate::model::{DamageKind, Verdict};

const NAME: &str = "0000000000000007.raftlog";

/// Writes files as the page describes them, and shares no code with what reads them.
fn file(version: u64) -> Vec<u8> {
    let mut bytes = [&MAGIC[..], &version.to_be_bytes()].concat();
    if version > 1 {
        bytes.extend([0; 8]);
    }
    bytes
}

fn batch(bytes: &mut Vec<u8>, key: u32, entries: &[u8], items: &[u8]) -> usize {
    let start = bytes.len();
    let offset = 16 + if entries.is_empty() { 0 } else { entries.len() + 4 };
    let length = (offset + items.len() + 4) as u64;
    bytes.extend((length << 8).to_be_bytes());
    bytes.extend((offset as u64).to_be_bytes());
    if !entries.is_empty() {
        bytes.extend(entries);
        bytes.extend(crc32(0, entries).to_le_bytes());
    }
    bytes.extend(items);
    bytes.extend((crc32(0, items) ^ key).to_le_bytes());
    start
}

/// Three batches, and where each begins.
fn three(version: u64, key: u32) -> (Vec<u8>, Vec<usize>) {
    let mut bytes = file(version);
    let starts = (0..3u8).map(|n| batch(&mut bytes, key, b"entry", &[1, 17, 1, 1, 100 + n, 5])).collect();
    (bytes, starts)
}

fn read(bytes: &[u8]) -> WholeRead {
    read_files(&FORMAT, &[(NAME, bytes)])
}

#[test]
fn a_file_ends_at_a_batch_in_zeros_or_in_what_an_older_file_left() {
    let (one, _) = three(1, 0);
    let (two, _) = three(2, 7);
    for (bytes, ending) in [
        (one.clone(), Ending::FileEnds),
        (two.clone(), Ending::FileEnds),
        ([&one[..], &[0; 999]].concat(), Ending::Zeros),
        ([&two[..], &three(2, 3).0[69..]].concat(), Ending::Remains),
        ([&two[..], &three(2, 3).0[80..]].concat(), Ending::Remains),
    ] {
        let seen = read(&bytes);
        assert_eq!(
            (seen.verdict(), seen.kinds.len(), &seen.endings[..]),
            (Verdict::Clean, 3, &[ending][..]),
            "{:?}",
            seen.damage
        );
    }
}

#[test]
fn a_flipped_bit_costs_its_batch_alone_and_is_never_clean() {
    for (version, key) in [(1, 0), (2, 7)] {
        let (bytes, starts) = three(version, key);
        let whole = read(&bytes);
        for at in starts[0]..starts[2] {
            for bit in 0..8 {
                let mut hurt = bytes.clone();
                hurt[at] ^= 1 << bit;
                let seen = read(&hurt);
                let what = format!("version {version}, bit {bit} of byte {at}: {:?}", seen.damage);
                let index = starts.partition_point(|start| *start <= at) - 1;
                let inside = at - starts[index];
                // Which compression it was is covered by no sum.
                if inside == 7 && bit == 0 {
                    continue;
                }
                assert_eq!(seen.verdict(), Verdict::Corrupt, "{what}");
                let mut expected = whole.payloads.clone();
                expected.remove(index);
                assert_eq!(seen.payloads, expected, "{what}");
                assert_eq!(seen.damage[0].span.start(), starts[index] as u64, "{what}");
            }
        }
    }
}

#[test]
fn every_cut_inside_the_last_batch_is_torn_with_zeros_behind_it_too() {
    for (version, key) in [(1, 0), (2, 7)] {
        let (bytes, starts) = three(version, key);
        // The first bytes of a header are zeros themselves.
        for cut in starts[2] + 7..bytes.len() {
            let seen = read(&bytes[..cut]);
            assert_eq!((seen.verdict(), seen.kinds.len()), (Verdict::Torn, 2), "cut to {cut}");
        }
        for cut in starts[2] + 8..bytes.len() - 4 {
            let seen = read(&[&bytes[..cut], &[0; 500]].concat());
            assert!((Verdict::Torn..=Verdict::Suspect).contains(&seen.verdict()), "zeros from {cut}: {:?}", seen.damage);
            assert_eq!(seen.kinds.len(), 2, "zeros from {cut}");
        }
    }
}

#[test]
fn a_file_that_another_one_follows_must_end_at_a_batch_and_none_may_be_missing() {
    let (bytes, starts) = three(1, 0);
    let two = |first: &[u8], name: &str| read_files(&FORMAT, &[(NAME, first), (name, &bytes)]);
    assert_eq!(two(&bytes, "0000000000000008.raftlog").verdict(), Verdict::Clean);
    assert_eq!(two(&bytes[..starts[2] + 9], "0000000000000008.raftlog").verdict(), Verdict::Corrupt);
    // The other queue has numbers of its own.
    assert_eq!(two(&bytes[..starts[2] + 9], "0000000000000001.rewrite").verdict(), Verdict::Torn);
    let seen = two(&bytes, "0000000000000009.raftlog");
    assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Missing, DamageKind::MissingSegment));
}

#[test]
fn a_header_that_no_batch_has_is_torn_only_where_its_last_bytes_are_zeros_up_to_the_end_of_the_file() {
    let (bytes, starts) = three(1, 0);
    let begin = starts[2];
    let with = |header: &[u8], rest: &[u8]| read(&[&bytes[..begin], header, rest].concat());
    let first_bytes = &bytes[begin..begin + 8];
    for (header, rest, kind, verdict) in [
        // The second half of the header did not come.
        ([first_bytes, &[0; 8]].concat(), &[0; 40][..], DamageKind::Zeroed, Verdict::Torn),
        // All of a header, which claims to end in front of itself.
        ([&[0xff; 8][..], &[0xff; 8]].concat(), &[0; 40], DamageKind::NotAFrame, Verdict::Suspect),
        ([&[0xff; 8][..], &[0xff; 8]].concat(), &[7; 40], DamageKind::NotAFrame, Verdict::Suspect),
    ] {
        let seen = with(&header, rest);
        let found: Vec<_> = seen.damage.iter().map(|damage| (damage.kind, damage.verdict(), damage.span.start())).collect();
        assert_eq!(found, [(kind, verdict, begin as u64)], "{header:?}: {:?}", seen.damage);
        assert_eq!(seen.kinds.len(), 2);
    }
}
