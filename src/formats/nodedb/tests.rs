//! nodedb logs made by hand and hurt: what the fixtures do not show.

use std::path::Path;
use std::sync::Arc;

use super::format::FORMAT;
use super::record::{Layout, filler};
use super::restorable;
use crate::disk::{Disk, Open, RealDisk, SimDisk, Source, crc32c, write_full};
use crate::formats::{Halt, Item, Mend, Sink, Summary, Visit, Want};
use crate::model::{Damage, DamageKind, Error, Keys, Lsn, Place, Verdict};

fn put(layout: Layout, lsn: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = filler(layout, Lsn(lsn), payload.len());
    bytes[6..10].copy_from_slice(&0x8001u32.to_le_bytes());
    bytes[layout.size()..].copy_from_slice(payload);
    seal(&mut bytes, layout);
    bytes
}

fn seal(bytes: &mut [u8], layout: Layout) {
    let sum = crc32c(crc32c(0, &bytes[..layout.sum_at()]), &bytes[layout.size()..]);
    bytes[layout.sum_at()..layout.size()].copy_from_slice(&sum.to_le_bytes());
}

fn puts(layout: Layout, lsns: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    lsns.flat_map(|lsn| put(layout, lsn, format!("record {lsn}").as_bytes())).collect()
}

/// A folder of a machine or, for the many logs of one segment, of a disk in memory.
enum Log {
    Folder(tempfile::TempDir),
    Memory(SimDisk),
}

struct Seen {
    source: Source,
    lsns: Vec<u64>,
    summaries: Vec<Summary>,
    damage: Vec<Damage>,
}

impl Log {
    fn of(files: &[(&str, &[u8])]) -> Log {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).expect("room for a few bytes");
        }
        Log::Folder(dir)
    }

    fn one(bytes: &[u8]) -> Log {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/log")).expect("a disk in memory has room");
        let file = disk.open(Path::new("/log/wal-00000000000000000001.seg"), Open::CREATE).expect("it is new");
        write_full(&*file, bytes, 0).expect("a disk in memory has room");
        Log::Memory(disk)
    }

    fn source(&self) -> Result<Source, Error> {
        match self {
            Log::Folder(dir) => FORMAT.log_in(Arc::new(RealDisk), dir.path()),
            Log::Memory(disk) => FORMAT.log_in(Arc::new(disk.clone()), Path::new("/log")),
        }
    }

    fn walk(&self) -> Result<Seen, Error> {
        let source = self.source()?;
        let (mut lsns, mut summaries) = (Vec::new(), Vec::new());
        for segment in &source.segments {
            let keys = Keys::default();
            let visit = Visit { source: &source, segment, keys: &keys, want: Want::default() };
            let mut take = |item: Item<'_>| {
                if let Item::Record(record) = item {
                    lsns.extend(record.lsn.map(|l| l.0));
                }
                Ok(())
            };
            match (FORMAT.walk)(&visit, &mut Sink::new(&mut take)) {
                Ok(summary) => summaries.push(summary),
                Err(Halt::Failed(error)) => return Err(error),
                Err(Halt::Enough) => unreachable!("the sink never has enough"),
            }
        }
        let between = (FORMAT.join)(&source, &mut summaries);
        let mut damage: Vec<Damage> = summaries.iter().flat_map(|s| s.damage.kept().to_vec()).collect();
        damage.extend(between);
        Ok(Seen { source, lsns, summaries, damage })
    }

    fn seen(&self) -> Seen {
        self.walk().expect("rotten bytes are no error")
    }
}

impl Seen {
    fn verdict(&self) -> Verdict {
        self.damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean)
    }

    fn kinds(&self) -> Vec<DamageKind> {
        self.damage.iter().map(|d| d.kind).collect()
    }

    fn warned(&self, name: &str) -> bool {
        self.summaries.iter().any(|s| s.warnings.kept().iter().any(|w| w.name == name))
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_seen_and_spares_the_other_records() {
    for layout in Layout::BOTH {
        let sound = puts(layout, 1..=3);
        let ends: Vec<usize> = (1..=3).map(|n| puts(layout, 1..=n).len()).collect();
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let hit = ends.iter().position(|end| bit / 8 < *end).expect("inside one of three") as u64 + 1;
            let seen = Log::one(&bytes).seen();
            assert_eq!(seen.lsns, [1, 2, 3].into_iter().filter(|n| *n != hit).collect::<Vec<_>>(), "bit {bit}");
            let verdict = if hit == 3 { Verdict::Suspect } else { Verdict::Corrupt };
            assert_eq!((seen.verdict(), seen.damage.len()), (verdict, 1), "bit {bit}: {:?}", seen.damage);
        }
        for cut in 0..sound.len() {
            let seen = Log::one(&sound[..cut]).seen();
            assert_eq!(seen.lsns.len(), ends.iter().filter(|end| **end <= cut).count());
            let whole = cut == 0 || ends.contains(&cut);
            assert_eq!(seen.verdict(), if whole { Verdict::Clean } else { Verdict::Torn }, "cut at {cut}");
        }
    }
}

#[test]
fn numbers_that_are_skipped_given_twice_or_swapped_are_told() {
    let layout = Layout::Long;
    let join = |parts: &[u64]| parts.iter().flat_map(|n| put(layout, *n, b"x")).collect::<Vec<u8>>();
    let cases: [(&[u64], &[DamageKind], Verdict); 4] = [
        (&[1, 2, 4], &[DamageKind::LsnGap], Verdict::Missing),
        (&[1, 2, 2, 3], &[DamageKind::LsnBack], Verdict::Corrupt),
        (&[1, 3, 2, 4], &[DamageKind::LsnGap, DamageKind::LsnBack], Verdict::Corrupt),
        (&[1, 2, 3, 1, 2], &[DamageKind::LsnBack], Verdict::Corrupt),
    ];
    for (lsns, kinds, verdict) in cases {
        let seen = Log::one(&join(lsns)).seen();
        assert_eq!((seen.lsns.as_slice(), seen.kinds().as_slice(), seen.verdict()), (lsns, kinds, verdict));
    }
}

#[test]
fn a_renamed_a_missing_an_emptied_and_a_doubled_segment_are_told_apart() {
    let (a, b, c) = (puts(Layout::Short, 1..=3), puts(Layout::Short, 4..=5), puts(Layout::Short, 6..=7));
    let name = |n: u64| format!("wal-{n:020}.seg");
    let (one, four, five, six) = (name(1), name(4), name(5), name(6));
    let sound = Log::of(&[(&one, &a), (&four, &b), (&six, &c)]).seen();
    assert_eq!(sound.verdict(), Verdict::Clean);
    let renamed = Log::of(&[(&one, &a), (&five, &b), (&six, &c)]).seen();
    assert_eq!((renamed.kinds(), renamed.verdict()), (vec![DamageKind::WrongName], Verdict::Foreign));
    let missing = Log::of(&[(&one, &a), (&six, &c)]).seen();
    assert_eq!((missing.kinds(), missing.verdict()), (vec![DamageKind::MissingSegment], Verdict::Missing));
    let emptied = Log::of(&[(&one, &a), (&four, b""), (&six, &c)]).seen();
    assert_eq!((emptied.kinds(), emptied.verdict()), (vec![DamageKind::MissingSegment], Verdict::Missing));
    let doubled = Log::of(&[(&one, &a), (&four, &b), (&six, &b)]).seen();
    assert_eq!((doubled.kinds()[0], doubled.verdict()), (DamageKind::WrongName, Verdict::Foreign));
    let front = Log::of(&[(&one, &puts(Layout::Short, 2..=3))]).seen();
    assert_eq!((front.kinds(), front.verdict()), (vec![DamageKind::LsnGap], Verdict::Missing));
    let new = Log::of(&[(&one, &a), (&four, b"")]).seen();
    assert_eq!(new.verdict(), Verdict::Clean);
}

#[test]
fn a_torn_end_is_corrupt_when_a_later_segment_exists() {
    let torn = &puts(Layout::Short, 1..=3)[..150];
    let later = puts(Layout::Short, 4..=5);
    let log = Log::of(&[("wal-00000000000000000001.seg", torn), ("wal-00000000000000000004.seg", &later)]);
    let seen = log.seen();
    assert_eq!((seen.kinds(), seen.verdict()), (vec![DamageKind::CutShort], Verdict::Corrupt));
    let doubt = seen.damage[0].doubt.expect("the next segment tells what is in doubt");
    assert_eq!((doubt.first, doubt.last), (Lsn(3), Lsn(3)));
}

/// Batches of direct writes as the releases with short headers leave them: the rest of each block is what the buffer held.
fn direct(batches: &[&[u8]], buffer: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    for batch in batches {
        let mut block = batch.to_vec();
        let room = batch.len().next_multiple_of(4096);
        block.extend_from_slice(&buffer[batch.len()..room]);
        file.extend_from_slice(&block);
    }
    file
}

#[test]
fn padding_of_direct_writes_is_told_from_damage() {
    let layout = Layout::Short;
    let mut buffer = puts(layout, 1..=40);
    buffer.resize(4096, 0);
    let (first, second) = (puts(layout, 41..=43), puts(layout, 44..=46));
    // Both batches end where a stale record begins in the buffer.
    assert_eq!(first.len() % (layout.size() + 9), 0);
    let start = puts(layout, 1..=40);
    let mut whole = start.clone();
    whole.resize(4096, 0);
    let sound = [whole.clone(), direct(&[&first, &second], &buffer)].concat();
    let seen = Log::one(&sound).seen();
    assert_eq!((seen.lsns.len(), seen.verdict()), (46, Verdict::Clean), "{:?}", seen.damage);
    assert!(seen.warned("records-behind-direct-io-gap"));
    // Each bit of the last batch counts, although padding follows that nothing protects.
    for bit in 0..second.len() * 8 {
        let mut bytes = sound.clone();
        bytes[8192 + bit / 8] ^= 1 << (bit % 8);
        assert_ne!(Log::one(&bytes).seen().verdict(), Verdict::Clean, "bit {bit} of the last batch");
    }
    // A batch that is gone is no padding.
    let hole = [whole, direct(&[&second], &buffer)].concat();
    let seen = Log::one(&hole).seen();
    assert_eq!((seen.lsns.len(), seen.verdict()), (43, Verdict::Corrupt));
}

#[test]
fn a_cut_of_long_headers_is_filled_up_to_the_block_and_reads_clean() {
    let fill = |log: &Source, offset: u64| {
        let segment = &log.segments[0];
        let Mend::CutAndFill(fill) = FORMAT.mend_at(log, &[], Place { segment: segment.id, offset }) else {
            panic!("0.6 rounds its resume offset down")
        };
        fill(log, segment, offset).expect("it can be read")
    };
    for count in 1..=60 {
        let whole = puts(Layout::Long, 1..=count);
        let torn = [whole.as_slice(), &put(Layout::Long, count + 1, b"torn")[..20]].concat();
        let log = Log::one(&torn);
        let seen = log.seen();
        let cut = whole.len() as u64;
        assert_eq!((seen.verdict(), seen.damage[0].span.start()), (Verdict::Torn, cut));
        let mended = [whole.as_slice(), &fill(&seen.source, cut)].concat();
        assert!(mended.len().is_multiple_of(4096), "{count} records");
        let seen = Log::one(&mended).seen();
        assert_eq!((seen.verdict(), seen.lsns.len() as u64), (Verdict::Clean, count));
    }
    // 0.2.1 would take a filler for a record and start over.
    let log = Log::one(&puts(Layout::Short, 1..=3));
    assert!(fill(&log.seen().source, 63).is_empty());
}

#[test]
fn an_unknown_version_is_an_error_and_a_flipped_one_is_damage() {
    for layout in Layout::BOTH {
        let mut newer = put(layout, 1, b"from the future");
        newer[4] = 2;
        let flipped = Log::one(&newer).seen();
        assert_eq!((flipped.kinds(), flipped.verdict()), (vec![DamageKind::BadChecksum], Verdict::Suspect));
        seal(&mut newer, layout);
        assert!(matches!(Log::one(&newer).walk(), Err(Error::Unknown { .. })));
    }
    // Of a layout that we do not know, too.
    let mut other = b"WNYS\x02\x00".to_vec();
    other.extend_from_slice(&[7; 200]);
    assert!(matches!(Log::one(&other).walk(), Err(Error::Unknown { .. })));
}

#[test]
fn a_double_write_file_gives_back_what_fits_the_hole() {
    for layout in Layout::BOTH {
        let lost = put(layout, 2, b"two");
        let mut dwb = vec![0; 4096];
        dwb[..4].copy_from_slice(b"FBWD");
        let size = u32::try_from(lost.len()).expect("short").to_le_bytes();
        if layout == Layout::Long {
            let mut head = b"BSWD".to_vec();
            head.extend_from_slice(&9u64.to_le_bytes());
            head.extend_from_slice(&size);
            head.extend_from_slice(&crc32c(0, &head.clone()).to_le_bytes());
            dwb.extend_from_slice(&head);
        } else {
            dwb.extend_from_slice(&size);
        }
        dwb.extend_from_slice(&lost);
        let mut bytes = [put(layout, 1, b"one"), lost.clone(), put(layout, 3, b"three")].concat();
        let at = put(layout, 1, b"one").len();
        bytes[at + layout.size()] ^= 1;
        let log = Log::of(&[("wal-00000000000000000001.seg", &bytes), ("wal-00000000000000000001.dwb", &dwb)]);
        let seen = log.seen();
        assert!(seen.warned("copy-in-double-write-file"));
        let back = restorable(&seen.source, &seen.source.segments[0], &seen.damage).expect("it can be read");
        assert_eq!(back.len(), 1);
        assert_eq!((back[0].offset, back[0].lsn, &back[0].bytes), (at as u64, Lsn(2), &lost));
        // A copy that rotted is none.
        let mut rotten = dwb.clone();
        let last = rotten.len() - 1;
        rotten[last] ^= 1;
        let log = Log::of(&[("wal-00000000000000000001.seg", &bytes), ("wal-00000000000000000001.dwb", &rotten)]);
        assert!(!log.seen().warned("copy-in-double-write-file"));
    }
}

#[test]
fn a_preamble_is_told_by_its_fields_and_by_what_follows() {
    let mut record = put(Layout::Long, 1, &[9; 40]);
    record[6..10].copy_from_slice(&0xC001u32.to_le_bytes());
    seal(&mut record, Layout::Long);
    let preamble = b"WALP\x01\x00\x00\x00\xaa\xbb\xcc\xdd\x00\x00\x00\x00";
    let sound = [preamble.as_slice(), &record].concat();
    assert_eq!(Log::one(&sound).seen().verdict(), Verdict::Clean);
    for at in [0, 3, 4, 6, 7, 13] {
        let mut bytes = sound.clone();
        bytes[at] ^= 2;
        let seen = Log::one(&bytes).seen();
        assert_eq!((seen.kinds(), seen.lsns), (vec![DamageKind::BadHeader], vec![1]), "byte {at}");
    }
    assert_eq!(Log::one(preamble).seen().verdict(), Verdict::Clean);
    let begun = Log::one(&preamble[..9]).seen();
    assert_eq!((begun.kinds(), begun.verdict()), (vec![DamageKind::UnfinishedSegment], Verdict::Torn));
}

#[test]
fn a_payload_of_megabytes_is_checked_and_handed_out_in_pieces() {
    let payload: Vec<u8> = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let bytes = [put(Layout::Short, 1, &payload), put(Layout::Short, 2, b"small")].concat();
    let log = Log::one(&bytes);
    let seen = log.seen();
    assert_eq!((seen.lsns.len(), seen.verdict()), (2, Verdict::Clean));
    let keys = Keys::default();
    let want = Want { payloads: true, ..Want::default() };
    let visit = Visit { source: &seen.source, segment: &seen.source.segments[0], keys: &keys, want };
    let mut all = Vec::new();
    let mut take = |item: Item<'_>| {
        if let Item::Record(record) = item
            && record.lsn == Some(Lsn(1))
        {
            record.payload.each(&mut |piece| {
                all.extend_from_slice(piece);
                Ok(())
            })?;
        }
        Ok(())
    };
    (FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("nothing is wrong with it");
    assert_eq!(all, payload);
}

#[test]
fn a_wrong_length_that_leads_to_a_later_record_hides_none_before_it() {
    let layout = Layout::Short;
    let size = put(layout, 1, &[7; 10]).len();
    // One of the first two records claims to reach to the third one behind it.
    for hurt in [0, 1] {
        let mut bytes: Vec<u8> = (1..=6).flat_map(|n| put(layout, n, &[7; 10])).collect();
        let claim = u32::try_from(3 * size - layout.size()).expect("short");
        bytes[hurt * size + 30..hurt * size + 34].copy_from_slice(&claim.to_le_bytes());
        let seen = Log::one(&bytes).seen();
        assert_eq!(seen.lsns, (1..=6).filter(|lsn| *lsn != hurt as u64 + 1).collect::<Vec<_>>());
        assert_eq!((seen.damage.len(), seen.damage[0].span.end()), (1, ((hurt + 1) * size) as u64));
    }
}

#[test]
fn a_log_inside_the_payload_of_a_bad_record_is_not_taken_for_the_log() {
    let layout = Layout::Long;
    let inner = puts(layout, 100..=101);
    let mut bytes = [put(layout, 1, b"x"), put(layout, 2, &inner), put(layout, 3, b"x")].concat();
    let at = put(layout, 1, b"x").len() + 20;
    bytes[at] ^= 1;
    let seen = Log::one(&bytes).seen();
    assert_eq!((seen.lsns.as_slice(), seen.verdict()), ([1, 3].as_slice(), Verdict::Corrupt));
}

#[test]
fn a_plain_segment_behind_an_encrypted_one_is_worth_a_warning() {
    let preamble = b"WALP\x01\x00\x00\x00\xaa\xbb\xcc\xdd\x00\x00\x00\x00";
    let mut record = put(Layout::Short, 1, &[9; 40]);
    record[6..10].copy_from_slice(&0xC001u32.to_le_bytes());
    seal(&mut record, Layout::Short);
    let encrypted = [preamble.as_slice(), &record].concat();
    let plain = puts(Layout::Short, 2..=3);
    let (one, two) = ("wal-00000000000000000001.seg", "wal-00000000000000000002.seg");
    assert!(Log::of(&[(one, &encrypted), (two, &plain)]).seen().warned("plaintext-segment-behind-encrypted"));
    let mixed = [encrypted.as_slice(), &plain].concat();
    assert!(Log::one(&mixed).seen().warned("plaintext-record-in-encrypted-segment"));
}

#[test]
fn a_flipped_bit_of_an_epoch_is_found_by_the_key_and_a_wrong_key_is_no_damage() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nodedb/clean_encrypted");
    let file = "wal-00000000000000000001.seg";
    let sound = std::fs::read(case.join("wal").join(file)).expect("the fixture is there");
    let expect = std::fs::read_to_string(case.join("expect.json")).expect("it is there");
    let right =
        expect.split("test_keys_hex").nth(1).and_then(|rest| rest.split('"').find(|word| word.len() == 64)).expect("its key");
    let (right, wrong) = (Keys::parse(right).expect("a key"), Keys::parse(&"5a".repeat(32)).expect("a key"));
    let look = |bytes: &[u8], keys: &Keys| {
        let log = Log::one(bytes);
        let source = log.source().expect("it can be listed");
        let want = Want { payloads: true, ..Want::default() };
        let visit = Visit { source: &source, segment: &source.segments[0], keys, want };
        let mut plain = 0;
        let mut take = |item: Item<'_>| {
            plain += u64::from(matches!(item, Item::Record(record) if !record.encrypted));
            Ok(())
        };
        let summary = (FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("rotten bytes are no error");
        let kinds: Vec<DamageKind> = summary.damage.kept().iter().map(|d| d.kind).collect();
        let names: Vec<&str> = summary.warnings.kept().iter().map(|w| w.name).collect();
        (plain == summary.records, kinds, names)
    };
    assert_eq!(look(&sound, &right), (true, vec![], vec![]));
    assert_eq!(look(&sound, &wrong), (false, vec![], vec!["no-key-fits"]));
    for bit in 0..32 {
        let mut bytes = sound.clone();
        bytes[8 + bit / 8] ^= 1 << (bit % 8);
        assert_eq!(look(&bytes, &right), (true, vec![DamageKind::BadHeader], vec![]), "bit {bit}");
    }
    // One payload that was encrypted wrongly, under a right checksum, is damage: the key opens the others.
    let mut bytes = sound.clone();
    bytes[16 + 54] ^= 1;
    let length = u32::from_le_bytes(bytes[46..50].try_into().expect("four bytes")) as usize;
    seal(&mut bytes[16..16 + 54 + length], Layout::Short);
    assert_eq!(look(&bytes, &right), (false, vec![DamageKind::BadPayload], vec![]));
}

#[test]
fn records_between_headers_that_claim_megabytes_are_all_found_in_time() {
    let layout = Layout::Short;
    let mut bad = filler(layout, Lsn(0), 0);
    bad[30..34].copy_from_slice(&(1u32 << 20).to_le_bytes());
    let mut bytes = Vec::new();
    for lsn in 1..=20_000 {
        bytes.extend_from_slice(&put(layout, lsn, b""));
        bytes.extend_from_slice(&bad);
    }
    let seen = Log::one(&bytes).seen();
    assert_eq!((seen.lsns.len(), seen.verdict()), (20_000, Verdict::Corrupt));
}

#[test]
fn what_was_on_its_way_is_looked_at_again_before_it_is_called_torn() {
    let whole = puts(Layout::Long, 1..=3);
    let log = Log::of(&[("wal-00000000000000000001.seg", &whole[..whole.len() - 5])]);
    let source = log.source().expect("it can be listed");
    let path = source.segments[0].path.clone();
    let keys = Keys::default();
    let visit = Visit { source: &source, segment: &source.segments[0], keys: &keys, want: Want::default() };
    let mut seen = 0;
    let mut take = |item: Item<'_>| {
        if let Item::Record(_) = item {
            seen += 1;
            std::fs::write(&path, &whole).expect("room for a few bytes");
        }
        Ok(())
    };
    let summary = (FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("bytes are no error");
    assert_eq!((seen, summary.damage.is_empty()), (3, true));
}

#[test]
fn a_record_longer_than_what_is_held_is_given_in_pieces_where_nothing_is_mapped() {
    let long = usize::try_from(super::search::LONG).expect("small") + 5000;
    let payload: Vec<u8> = (0..long).map(|n| (n % 251) as u8).collect();
    for layout in Layout::BOTH {
        let bytes = [put(layout, 1, b"before"), put(layout, 2, &payload), put(layout, 3, b"behind")].concat();
        // A disk in memory gives no mapping.
        let log = Log::one(&bytes);
        let (source, mut given) = (log.source().expect("it lists"), Vec::new());
        let want = Want { payloads: true, ..Want::default() };
        let visit = Visit { source: &source, segment: &source.segments[0], keys: &Keys::default(), want };
        let mut take = |item: Item<'_>| {
            let Item::Record(record) = item else { return Ok(()) };
            let mut all = Vec::new();
            record.payload.each(&mut |piece| {
                all.extend_from_slice(piece);
                Ok(())
            })?;
            let held = record.lsn != Some(Lsn(2));
            assert_eq!((record.payload.length(), record.payload.whole().is_some()), (all.len() as u64, held));
            given.push(all);
            Ok(())
        };
        let summary = (FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("it is whole");
        assert!(given == [b"before".to_vec(), payload.clone(), b"behind".to_vec()], "{} records", given.len());
        assert_eq!((summary.records, summary.damage.is_empty()), (3, true));
    }
}
