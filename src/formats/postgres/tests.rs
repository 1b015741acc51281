//! PostgreSQL logs made by hand and hurt: what the fixtures do not show.

use super::format::FORMAT;
use super::page::{LONG_HEADER, PAGE, RECORD_HEADER, SHORT_HEADER};
use crate::disk::crc32c;
use crate::formats::seen::{WholeRead, read_files, read_while_written};
use crate::formats::{Ending, Likeness, Sample};
use crate::model::{DamageKind, Verdict};

const SIZE: u64 = 1 << 20;
/// Where the log begins: its segment 5.
const BASE: u64 = 5 * SIZE;

/// A log as a server writes it, from the start of a segment on.
#[derive(Clone, Default)]
struct Writer {
    bytes: Vec<u8>,
    /// Where each record begins, with where it ends.
    records: Vec<(u64, u64)>,
}

impl Writer {
    fn lsn(&self) -> u64 {
        BASE + self.bytes.len() as u64
    }

    fn header(&mut self, flags: u16, rest: usize) {
        let (first, lsn) = (self.lsn().is_multiple_of(SIZE), self.lsn());
        self.bytes.extend(0xD110u16.to_le_bytes());
        self.bytes.extend((flags | if first { 2 } else { 0 }).to_le_bytes());
        self.bytes.extend(1u32.to_le_bytes());
        self.bytes.extend(lsn.to_le_bytes());
        self.bytes.extend(u32::try_from(rest).expect("small").to_le_bytes());
        self.bytes.extend([0; 4]);
        if first {
            self.bytes.extend(77u64.to_le_bytes());
            self.bytes.extend(u32::try_from(SIZE).expect("small").to_le_bytes());
            self.bytes.extend(u32::try_from(PAGE).expect("small").to_le_bytes());
        }
        assert!(self.bytes.len() as u64 % PAGE == if first { LONG_HEADER } else { SHORT_HEADER } as u64);
    }

    fn record(&mut self, manager: u8, info: u8, content: &[u8]) -> &mut Self {
        if (self.bytes.len() as u64).is_multiple_of(PAGE) {
            self.header(0, 0);
        }
        let begin = self.lsn();
        let prev = self.records.last().map_or(BASE - 8000, |(begin, _)| *begin);
        let mut record = u32::try_from(RECORD_HEADER + content.len()).expect("small").to_le_bytes().to_vec();
        record.extend(700u32.to_le_bytes());
        record.extend(prev.to_le_bytes());
        record.extend([info, manager, 0, 0]);
        let sum = crc32c(crc32c(0, content), &record);
        record.extend(sum.to_le_bytes());
        record.extend(content);
        let mut rest = &record[..];
        while !rest.is_empty() {
            let room = (PAGE - self.bytes.len() as u64 % PAGE) as usize;
            if room == PAGE as usize {
                self.header(1, rest.len());
                continue;
            }
            let (piece, behind) = rest.split_at(rest.len().min(room));
            self.bytes.extend(piece);
            rest = behind;
        }
        self.records.push((begin, self.lsn()));
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self
    }

    fn records(&mut self, count: u8) -> &mut Self {
        for n in 0..count {
            self.record(10, 0, &[n; 100]);
        }
        self
    }

    /// Its segments, filled up with zeros.
    fn segments(&self) -> Vec<(String, Vec<u8>)> {
        let whole = |(index, piece): (usize, &[u8])| {
            let mut bytes = piece.to_vec();
            bytes.resize(SIZE as usize, 0);
            (format!("0000000100000000{:08X}", 5 + index), bytes)
        };
        self.bytes.chunks(SIZE as usize).enumerate().map(whole).collect()
    }

    fn begins(&self) -> Vec<u64> {
        self.records.iter().map(|(begin, _)| *begin).collect()
    }
}

fn read(files: &[(String, Vec<u8>)]) -> WholeRead {
    read_files(&FORMAT, files)
}

#[test]
fn a_record_is_read_over_three_segments_and_from_the_first_one_alone_it_is_said_to_go_on() {
    let mut log = Writer::default();
    let long: Vec<u8> = (0..2_500_000u32).map(|n| (n >> 5) as u8).collect();
    log.records(3).record(21, 0, &long).records(2);
    let files = log.segments();
    assert_eq!(files.len(), 3);
    let seen = read(&files);
    assert_eq!((seen.verdict(), &seen.lsns), (Verdict::Clean, &log.begins()), "{:?}", seen.damage);
    assert!(seen.payloads[3] == long);
    let seen = read(&files[..1]);
    assert_eq!((seen.verdict(), seen.lsns.len(), seen.warnings.as_slice()), (Verdict::Clean, 3, &["goes-on-elsewhere"][..]));
    let seen = read(&[files[0].clone(), files[2].clone()]);
    assert_eq!(seen.verdict(), Verdict::Missing, "{:?}", seen.damage);
    // A flip in the middle of it costs it alone.
    let mut hurt = files.clone();
    hurt[1].1[500_000] ^= 8;
    let seen = read(&hurt);
    assert_eq!((seen.verdict(), seen.lsns.len()), (Verdict::Corrupt, 5), "{:?}", seen.damage);
}

#[test]
fn a_record_too_long_to_be_held_comes_in_pieces() {
    let mut log = Writer::default();
    let long: Vec<u8> = (0..9u32 << 20).map(|n| (n >> 9) as u8).collect();
    log.record(21, 0, &long).records(1);
    let seen = read(&log.segments());
    assert_eq!((seen.verdict(), seen.lsns), (Verdict::Clean, log.begins()));
    assert!(seen.payloads[0] == long);
}

#[test]
fn every_flip_in_a_record_costs_that_record_alone_and_is_never_clean() {
    let mut log = Writer::default();
    log.records(64).record(10, 0, &[9; 9000]).records(8);
    let (begins, last) = (log.begins(), *log.records.last().expect("some"));
    let files = log.segments();
    let page = |at: usize| at % PAGE as usize;
    for at in (0..log.bytes.len()).filter(|at| at % 29 == 0 || page(*at) < 24) {
        let mut hurt = files.clone();
        hurt[0].1[at] ^= 1 << (at % 8);
        let seen = read(&hurt);
        let lsn = BASE + at as u64;
        let harmed = log.records.iter().find(|(begin, end)| (*begin..*end).contains(&lsn)).copied();
        let in_header = page(at) < SHORT_HEADER || at < LONG_HEADER;
        match harmed {
            Some((begin, _)) if !in_header => {
                let left: Vec<u64> = begins.iter().copied().filter(|other| *other != begin).collect();
                assert_eq!(seen.lsns, left, "byte {at}: {:?}", seen.damage);
                assert_eq!(seen.damage[0].span.start(), begin - BASE, "byte {at}");
                let expected = if begin == last.0 { Verdict::Suspect } else { Verdict::Corrupt };
                assert!(
                    seen.verdict() == expected || begin == last.0 && seen.verdict() == Verdict::Torn,
                    "byte {at}: {:?}",
                    seen.damage
                );
            }
            // A page's header: the record that runs over it goes, and no other.
            _ if in_header => {
                let over = harmed.map(|(begin, _)| begin);
                let gone: Vec<u64> = begins.iter().copied().filter(|begin| !seen.lsns.contains(begin)).collect();
                assert!(gone.iter().all(|begin| Some(*begin) == over), "byte {at}: {gone:X?} are gone, {:?}", seen.damage);
                assert_eq!(seen.damage.is_empty(), gone.is_empty() && seen.verdict() == Verdict::Clean, "byte {at}");
            }
            _ => assert_eq!(seen.lsns, begins, "padding at {at}"),
        }
    }
}

#[test]
fn zeros_from_any_byte_on_are_torn_or_the_end() {
    let mut log = Writer::default();
    log.records(70).record(10, 0, &[9; 9000]).records(2);
    let files = log.segments();
    for from in (40..log.bytes.len())
        .filter(|from| from % 37 == 0 || from % PAGE as usize <= 32)
        // A page's header is in one sector.
        .filter(|from| !(1..24).contains(&(from % PAGE as usize)))
    {
        let mut hurt = files.clone();
        hurt[0].1[from..].fill(0);
        let seen = read(&hurt);
        let whole = log.records.iter().filter(|(_, end)| {
            let end = (*end - BASE) as usize;
            hurt[0].1[..end] == files[0].1[..end]
        });
        let whole: Vec<u64> = whole.map(|(begin, _)| *begin).collect();
        assert_eq!(seen.lsns, whole, "from {from}");
        assert!(seen.verdict() <= Verdict::Suspect, "from {from}: {:?}", seen.damage);
        // A record of which nothing is left was never begun.
        let begun = log.records.get(whole.len()).map_or(from, |(begin, _)| (*begin - BASE) as usize);
        let nothing = hurt[0].1[begun..].iter().all(|b| *b == 0);
        assert_eq!(seen.verdict() == Verdict::Clean, nothing, "from {from}: {:?}", seen.damage);
    }
}

#[test]
fn pages_of_this_log_behind_damage_prove_that_it_went_on_though_no_whole_record_is_left() {
    let mut log = Writer::default();
    log.records(250);
    let (mut files, hurt) = (log.segments(), &log.records[10..]);
    for (begin, _) in hurt {
        files[0].1[(begin - BASE) as usize + 21] ^= 1;
    }
    let page = |at: usize| u16::from_le_bytes([files[0].1[at * PAGE as usize + 2], files[0].1[at * PAGE as usize + 3]]);
    assert!([1, 2, 3].iter().all(|at| page(*at) & 1 == 1), "each page begins with the rest of a record");
    let seen = read(&files);
    let [damage] = &seen.damage[..] else { panic!("{:?}", seen.damage) };
    assert_eq!(
        (damage.verdict(), damage.span.start(), seen.lsns),
        (Verdict::Corrupt, hurt[0].0 - BASE, log.begins()[..10].to_vec())
    );
}

#[test]
fn a_record_that_is_finished_while_it_is_read_is_not_torn() {
    let mut log = Writer::default();
    log.records(5);
    let (name, whole) = log.segments().remove(0);
    let (last, _) = log.records[4];
    let mut begun = whole.clone();
    begun[(last - BASE) as usize + 60..].fill(0);
    let seen = read_while_written(&FORMAT, &name, &begun, &whole, log.begins()[3]);
    assert_eq!((seen.verdict(), seen.lsns), (Verdict::Clean, log.begins()), "{:?}", seen.damage);
    let seen = read_while_written(&FORMAT, &name, &begun, &begun, log.begins()[3]);
    assert_eq!((seen.verdict(), seen.lsns.len()), (Verdict::Torn, 4));
}

#[test]
fn the_rest_of_a_record_that_breaks_off_proves_nothing_about_its_beginning() {
    let mut log = Writer::default();
    log.records(3).record(10, 0, &[7; (SIZE + 10 * PAGE) as usize]);
    let (begin, whole) = (log.begins()[3] - BASE, log.segments());
    for page in [5, 1, 0] {
        let mut files = whole.clone();
        files[1].1[page * PAGE as usize..].fill(0);
        let seen = read(&files);
        assert_eq!(
            (seen.verdict(), seen.damage[0].span.start()),
            (Verdict::Torn, begin),
            "zeros from page {page} on: {:?}",
            seen.damage
        );
    }
    // A whole record in the later segment does.
    log.records(1);
    let mut files = log.segments();
    files[1].1[PAGE as usize..2 * PAGE as usize].fill(0);
    assert_eq!(read(&files).verdict(), Verdict::Corrupt);
}

#[test]
fn behind_a_switch_and_in_segments_made_ahead_nothing_is_due() {
    let mut log = Writer::default();
    log.records(3).record(0, 0x40, b"");
    log.bytes.resize(SIZE as usize, 0);
    log.records(4);
    let mut files = log.segments();
    // Two made ahead: one of zeros, and one that was an earlier segment.
    files.push(("000000010000000000000007".into(), vec![0; SIZE as usize]));
    files.push(("000000010000000000000008".into(), files[0].1.clone()));
    let seen = read(&files);
    assert_eq!((seen.verdict(), &seen.lsns), (Verdict::Clean, &log.begins()), "{:?}", seen.damage);
    assert_eq!(seen.endings, [Ending::FileEnds, Ending::Zeros, Ending::Zeros, Ending::Remains]);
    // A segment in between that holds nothing of the log is a hole in it.
    let mut hole = files.clone();
    hole[0].1[200..].fill(0);
    assert_eq!(read(&hole).verdict(), Verdict::Corrupt);
}

#[test]
fn old_records_behind_the_end_of_a_recycled_segment_are_not_taken_for_this_log() {
    let (mut old, mut new) = (Writer::default(), Writer::default());
    old.records(200);
    new.record(0, 0x40, b"");
    new.bytes.resize(SIZE as usize, 0);
    new.records(30);
    let mut files = new.segments();
    let end = new.bytes.len() - SIZE as usize;
    let recycled = &old.segments()[0].1;
    let page_end = end.next_multiple_of(PAGE as usize);
    files[1].1[page_end..].copy_from_slice(&recycled[page_end..]);
    let seen = read(&files);
    assert_eq!(
        (seen.verdict(), &seen.lsns, seen.endings[1]),
        (Verdict::Clean, &new.begins(), Ending::Remains),
        "{:?}",
        seen.damage
    );
}

#[test]
fn what_an_old_timeline_wrote_behind_the_point_where_it_was_left_is_no_part_of_the_log() {
    let (mut old, mut new) = (Writer::default(), Writer::default());
    old.records(3).record(0, 0x40, b"");
    old.bytes.resize(SIZE as usize, 0);
    new.clone_from(&old);
    old.records(50).record(0, 0x40, b"");
    old.bytes.resize(2 * SIZE as usize, 0);
    old.records(5);
    new.records(20);
    let mut files = old.segments();
    let (_, mut copy) = new.segments().remove(1);
    copy[4] = 2;
    files.push(("000000020000000000000006".into(), copy));
    let seen = read(&files);
    assert_eq!((seen.verdict(), seen.lsns), (Verdict::Clean, new.begins()), "{:?}", seen.damage);
}

#[test]
fn a_first_record_that_follows_another_one_than_the_last_is_of_another_history() {
    let (mut one, mut other) = (Writer::default(), Writer::default());
    one.records(3).record(0, 0x40, b"");
    one.bytes.resize(SIZE as usize, 0);
    one.records(2);
    other.records(4).record(0, 0x40, b"");
    let files = [other.segments().remove(0), one.segments().remove(1)];
    let seen = read(&files);
    assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Foreign, DamageKind::BrokenChain), "{:?}", seen.damage);
}

#[test]
fn a_segment_is_recognised_by_its_header_and_one_made_ahead_by_its_name() {
    let mut log = Writer::default();
    log.records(3);
    let head = &log.segments()[0].1[..64 << 10];
    let sample = |name, head| Sample { name, head, length: SIZE, beside: &[] };
    let name = Some("000000010000000000000005");
    assert_eq!((FORMAT.recognise)(&sample(name, head)), Likeness::Sure);
    assert_eq!((FORMAT.recognise)(&sample(None, head)), Likeness::Sure);
    assert_eq!((FORMAT.recognise)(&sample(name, &[0; 8192])), Likeness::Maybe);
    assert_eq!((FORMAT.recognise)(&sample(Some("notes.txt"), head)), Likeness::No);
    assert_eq!((FORMAT.recognise)(&sample(None, &[0; 8192])), Likeness::No);
}
