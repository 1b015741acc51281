//! Logs made here, transaction by transaction, and hurt: what is said of them.

use std::path::Path;
use std::sync::Arc;

use super::FORMAT;
use super::frame::adler32;
use crate::disk::{Disk, File, Open, RealDisk, SimDisk, Source, write_full};
use crate::formats::seen::{WholeRead, read_files, read_worn};
use crate::formats::{Ending, Item, Sink, Visit, Want};
use crate::model::{DamageKind, Keys, Verdict};

fn transaction(zxid: u64, kind: i32, record: &[u8]) -> Vec<u8> {
    let mut body = 0x1234u64.to_be_bytes().to_vec();
    body.extend(7u32.to_be_bytes());
    body.extend(zxid.to_be_bytes());
    body.extend(1_700_000_000_000u64.to_be_bytes());
    body.extend(kind.to_be_bytes());
    body.extend(record);
    let mut bytes = u64::from(adler32(1, &body)).to_be_bytes().to_vec();
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    bytes.push(b'B');
    bytes
}

fn file(transactions: &[Vec<u8>], zeros: usize) -> Vec<u8> {
    let mut bytes = b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend(transactions.concat());
    bytes.resize(bytes.len() + zeros, 0);
    bytes
}

fn small() -> Vec<Vec<u8>> {
    (1..=5).map(|zxid| transaction(zxid, 5, b"\0\0\0\x02/a\0\0\0\x03abc\0\0\0\x01")).collect()
}

fn read(bytes: &[u8]) -> WholeRead {
    read_files(&FORMAT, &[("log.1", bytes)])
}

#[test]
fn a_file_ends_at_a_transaction_or_in_zeros() {
    for (zeros, ending) in [(0, Ending::FileEnds), (4096, Ending::Zeros), (3, Ending::Zeros)] {
        let seen = read(&file(&small(), zeros));
        assert_eq!((seen.verdict(), seen.endings, &seen.lsns[..]), (Verdict::Clean, vec![ending], &[1, 2, 3, 4, 5][..]));
    }
}

#[test]
fn each_flipped_bit_is_noticed_but_for_the_number_of_the_database() {
    let whole = file(&small(), 600);
    let data = whole.len() - 600;
    for at in (0..8).chain(16..data) {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            let version = (4..8).contains(&at);
            if version {
                continue;
            }
            let seen = read(&bytes);
            assert!(seen.verdict() > Verdict::Clean, "bit {bit} of byte {at}");
            let least = if at < 16 { 5 } else { 4 };
            assert!(seen.lsns.len() >= least, "bit {bit} of byte {at}: {:?}", seen.lsns);
        }
    }
}

#[test]
fn a_cut_inside_a_transaction_is_torn_with_and_without_zeros_behind_it() {
    let whole = file(&small(), 0);
    let one = small()[0].len();
    for length in 0..whole.len() {
        // A sum has 32 bits of 64, so its first bytes look like the zeros behind the end.
        let at_end = length >= 16 && (length - 16) % one <= 4;
        let seen = read(&whole[..length]);
        assert_eq!(seen.verdict(), if at_end { Verdict::Clean } else { Verdict::Torn }, "cut to {length}: {:?}", seen.damage);
        if length > 16 {
            let mut zeros = whole[..length].to_vec();
            zeros.resize(4096, 0);
            let seen = read(&zeros);
            assert!(seen.verdict() <= Verdict::Torn, "zeros from {length} on: {:?}", seen.damage);
        }
    }
}

#[test]
fn a_transaction_is_found_wherever_it_begins_in_what_is_searched_at_a_time() {
    let one = &small()[0];
    // Damage, and bytes without any meaning up to a transaction that begins around the end of the first 64 KiB behind it.
    let start = 16 + one.len();
    let (end, least) = (start + 1 + (64 << 10), 12 + 32);
    for at in [end - least - 1, end - least, end - least + 1, end - 12, end - 1, end, end + 1, end + least, end + 100_000] {
        let mut bytes = file(&small()[..1], 0);
        bytes.resize(at, b'r');
        bytes.extend(small()[3..].concat());
        let seen = read(&bytes);
        let spans: Vec<_> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
        assert_eq!((seen.lsns, spans), (vec![1, 4, 5], vec![(start as u64, at as u64)]));
    }
}

#[test]
fn what_the_server_makes_of_a_log_is_told_by_its_first_damage() {
    let whole = file(&small(), 0);
    let one = small()[0].len();
    let told = |seen: WholeRead| seen.recovery.unwrap_or_default();
    assert_eq!(told(read(&whole)), "");
    let torn = told(read(&whole[..whole.len() - 9]));
    assert!(torn.contains("for the end of log.1 and starts; its next transaction"), "{torn}");
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        told(read(&bytes))
    };
    let (rotten, no_mark) = (flipped(16 + one + 40), flipped(16 + 2 * one - 1));
    assert!(rotten.contains("CRC check failed in log.1 at byte"), "{rotten}");
    assert!(no_mark.contains("forgets what stands behind it without a word"), "{no_mark}");
    // Nobody knows what stands where nothing can be read.
    let long = file(&(1..=9).map(|zxid| transaction(zxid, 5, &[7; 1000])).collect::<Vec<_>>(), 0);
    let refused = told(read_worn(&FORMAT, "log.1", &long, 8192..12_288));
    assert!(refused.contains("may refuse to start because of log.1 at byte"), "{refused}");
}

#[test]
fn a_walk_that_wants_marks_leaves_one_a_megabyte_and_goes_on_from_each_and_others_leave_none() {
    const MEGABYTE: usize = 1 << 20;
    let bytes = file(&(1..=30).map(|zxid| transaction(zxid, 5, &[7; 100_000])).collect::<Vec<_>>(), 0);
    let file: Arc<dyn File> = SimDisk::new().open(Path::new("/a"), Open::CREATE).expect("it is new").into();
    write_full(file.as_ref(), &bytes, 0).expect("there is room");
    let source = Source::given(Arc::new(RealDisk), "log.1", file, 1);
    let walk = |want| {
        let (mut marks, mut zxids) = (Vec::new(), Vec::new());
        let mut take = |item: Item<'_>| {
            match item {
                Item::Mark(mark) => marks.push(mark),
                Item::Record(record) => zxids.extend(record.lsn.map(|lsn| lsn.0)),
                _ => {}
            }
            Ok(())
        };
        let visit = Visit { source: &source, segment: &source.segments[0], keys: &Keys::default(), want };
        (FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("it reads");
        (marks, zxids)
    };
    assert!(walk(Want::default()).0.is_empty());
    let (marks, all) = walk(Want { marks: true, ..Want::default() });
    let one = (bytes.len() - 16) / 30;
    // Each mark stands at the first transaction that is a megabyte or more behind the one before.
    let step = MEGABYTE.div_ceil(one);
    let expected: Vec<(usize, u64)> = (1..=30 / step).map(|mark| (16 + mark * step * one, (mark * step) as u64)).collect();
    assert_eq!(marks.iter().map(|mark| (mark.offset as usize, mark.seed)).collect::<Vec<_>>(), expected);
    for mark in marks {
        let (_, rest) = walk(Want { start: Some(mark), ..Want::default() });
        assert_eq!((rest.as_slice(), mark.due.0), (&all[usize::try_from(mark.seed).expect("small")..], mark.seed + 1));
    }
}

#[test]
fn what_is_missing_between_files_is_told_unless_a_snapshot_holds_it() {
    let all = small();
    let (first, second) = (file(&all[..2], 64), file(&all[3..], 64));
    let seen = read_files(&FORMAT, &[("log.1", &first), ("log.4", &second)]);
    let kinds: Vec<DamageKind> = seen.damage.iter().map(|damage| damage.kind).collect();
    assert_eq!((seen.verdict(), kinds), (Verdict::Missing, vec![DamageKind::MissingSegment]));
    let snapshot = b"ZKSN".to_vec();
    let seen = read_files(&FORMAT, &[("log.1", &first), ("log.4", &second), ("snapshot.3", &snapshot)]);
    assert_eq!(seen.verdict(), Verdict::Clean);
    // The server took the torn end for the end, and gave its zxid again.
    let mut torn = file(&all[..3], 0);
    torn.truncate(torn.len() - 9);
    let seen = read_files(&FORMAT, &[("log.1", &torn), ("log.3", &file(&all[2..], 0))]);
    assert_eq!(seen.verdict(), Verdict::Torn);
    let seen = read_files(&FORMAT, &[("log.1", &torn), ("log.4", &second)]);
    assert_eq!((seen.verdict(), seen.damage.len()), (Verdict::Corrupt, 1));
}

#[test]
fn behind_damage_a_transaction_of_the_next_leader_is_believed_and_one_of_a_leader_far_off_is_not() {
    let record = b"\0\0\0\x02/a\0\0\0\x03abc\0\0\0\x01";
    for (epoch, believed) in [(0, true), (1, true), (0xFFFF, true), (0x1_0000, false), (0x4000_0000, false)] {
        let next = (epoch << 32) + 9;
        let mut bytes = file(&[&small()[..], &[transaction(next, 5, record)]].concat(), 0);
        let last = bytes.len() - 2 * small()[0].len();
        bytes[last + 40] ^= 1;
        let seen = read(&bytes);
        assert_eq!(seen.lsns.last() == Some(&next), believed, "epoch {epoch:#x}: {:?}", seen.lsns);
    }
    let far = |zxid| {
        let mut bytes = file(&[&small()[..], &[transaction(zxid, 5, record)]].concat(), 0);
        let last = bytes.len() - 2 * small()[0].len();
        bytes[last + 40] ^= 1;
        read(&bytes).lsns.last() == Some(&zxid)
    };
    assert_eq!([4 + (1 << 24) - 1, 4 + (1 << 24)].map(far), [true, false], "of the same leader, so many later");
}
