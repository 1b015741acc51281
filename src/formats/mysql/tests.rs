//! Logs made here, byte by byte, and hurt: what is said of them.

use std::path::Path;
use std::sync::Arc;

use super::FORMAT;
use super::log::Own;
use crate::disk::{Disk, File, Open, RealDisk, SimDisk, Source, crc32, write_full};
use crate::formats::seen::{WholeRead, read_files};
use crate::formats::{Ending, Item, Sink, Visit, Want};
use crate::model::{DamageKind, Keys, Verdict};

/// Writes files as the page describes them, and shares no code with what reads them.
#[derive(Clone)]
struct Made {
    bytes: Vec<u8>,
    sums: bool,
    relay: bool,
    /// Where each event begins.
    starts: Vec<usize>,
}

impl Made {
    fn by(version: &str, sums: bool, in_use: bool) -> Made {
        let mut made = Made { bytes: b"\xfebin".to_vec(), sums: true, relay: false, starts: Vec::new() };
        let mut body = vec![4, 0];
        body.extend(version.as_bytes());
        body.resize(56, 0);
        body.push(19);
        body.extend([0; 170]);
        body.push(u8::from(sums));
        made = made.event(15, 0, &body);
        made.sums = sums;
        made.bytes[4 + 17] |= u8::from(in_use);
        made
    }

    fn mariadb() -> Made {
        Made::by("10.11.19-MariaDB", true, true)
    }

    fn event(mut self, kind: u8, flags: u16, body: &[u8]) -> Made {
        let at = self.bytes.len();
        self.starts.push(at);
        let length = u32::try_from(19 + body.len() + if self.sums { 4 } else { 0 }).expect("small");
        let next = if self.relay { 0 } else { u32::try_from(at).expect("small") + length };
        self.bytes.extend([1, 2, 3, 4, kind, 7, 0, 0, 0]);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(next.to_le_bytes());
        self.bytes.extend(flags.to_le_bytes());
        self.bytes.extend(body);
        if self.sums {
            let sum = crc32(0, &self.bytes[at..]);
            self.bytes.extend(sum.to_le_bytes());
        }
        self
    }

    fn gtid(self, number: u64) -> Made {
        let body = [&number.to_le_bytes()[..], &[0; 5], &[0; 6]].concat();
        self.event(162, 8, &body)
    }

    fn query(self, text: &str) -> Made {
        let mut body = vec![0; 8];
        body.extend([4, 0, 0, 0, 0]);
        body.extend(b"shop\0");
        body.extend(text.as_bytes());
        self.event(2, 0, &body)
    }

    fn transaction(self, number: u64) -> Made {
        self.gtid(number).query("INSERT INTO t VALUES (1)").event(16, 0, &[9; 8])
    }

    fn rotate(self, name: &str) -> Made {
        let mut made = self.event(4, 0, &[&4u64.to_le_bytes()[..], name.as_bytes()].concat());
        made.bytes[4 + 17] &= !1;
        made
    }

    fn stop(self) -> Made {
        let mut made = self.event(3, 0, &[]);
        made.bytes[4 + 17] &= !1;
        made
    }

    fn end(&self) -> u64 {
        self.bytes.len() as u64
    }
}

fn read(bytes: &[u8]) -> WholeRead {
    read_files(&FORMAT, &[("binlog.000001", bytes)])
}

fn pair(first: &[u8], second: &[u8]) -> WholeRead {
    read_files(&FORMAT, &[("binlog.000001", first), ("binlog.000002", second)])
}

#[test]
fn a_closed_file_is_clean_and_one_that_was_not_closed_is_told_so() {
    let open = Made::mariadb().transaction(1);
    let seen = read(&open.bytes);
    assert_eq!((seen.verdict(), seen.warnings, seen.kinds.len()), (Verdict::Clean, vec!["not-closed"], 4));
    let seen = read(&open.clone().stop().bytes);
    assert_eq!((seen.verdict(), seen.warnings, seen.endings), (Verdict::Clean, vec![], vec![Ending::Closed]));
    let seen = read(&open.gtid(2).bytes);
    assert_eq!((seen.verdict(), seen.warnings), (Verdict::Clean, vec!["uncommitted", "not-closed"]));
}

#[test]
fn a_flipped_bit_costs_its_event_alone_and_is_never_clean() {
    let made = Made::mariadb().transaction(1).transaction(2).stop();
    let whole = read(&made.bytes);
    for at in 4..made.bytes.len() {
        for bit in 0..8 {
            // No sum covers the flag of a file that was not closed.
            if (at, bit) == (4 + 17, 0) {
                continue;
            }
            let mut bytes = made.bytes.clone();
            bytes[at] ^= 1 << bit;
            let seen = read(&bytes);
            let what = format!("bit {bit} of byte {at}: {:?}", seen.damage);
            let index = made.starts.partition_point(|start| *start <= at) - 1;
            let mut expected = whole.payloads.clone();
            expected.remove(index);
            assert!(
                seen.verdict() == Verdict::Corrupt || index + 1 == made.starts.len() && seen.verdict() > Verdict::Clean,
                "{what}"
            );
            assert_eq!(seen.payloads, expected, "{what}");
            assert_eq!(seen.damage[0].span.start(), made.starts[index] as u64, "{what}");
        }
    }
    for at in 0..4 {
        let mut bytes = made.bytes.clone();
        bytes[at] ^= 1 << 4;
        let seen = read(&bytes);
        assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Corrupt, DamageKind::BadHeader));
        assert_eq!(seen.payloads, whole.payloads);
    }
}

#[test]
fn a_cut_is_torn_unless_it_is_made_at_an_event() {
    let made = Made::mariadb().transaction(1).transaction(2);
    for length in 0..made.bytes.len() {
        let seen = read(&made.bytes[..length]);
        let at_event = made.starts[1..].contains(&length);
        let verdict = if at_event { Verdict::Clean } else { Verdict::Torn };
        assert_eq!(seen.verdict(), verdict, "cut to {length}: {:?}", seen.damage);
    }
    let mut zeros = made.bytes.clone();
    zeros.resize(zeros.len() + 3000, 0);
    let seen = read(&zeros);
    assert_eq!(
        (seen.verdict(), seen.damage[0].kind, seen.damage[0].span.start()),
        (Verdict::Torn, DamageKind::Zeroed, made.end())
    );
}

#[test]
fn a_file_that_was_closed_lacks_nothing_and_one_that_crashed_may_be_torn() {
    let next = Made::mariadb().transaction(3);
    let open = Made::mariadb().transaction(1).transaction(2);
    let closed = open.clone().rotate("./binlog.000002");
    assert_eq!(pair(&closed.bytes, &next.bytes).verdict(), Verdict::Clean);
    // Cut at its last event, at an earlier one, and inside one.
    let last = *closed.starts.last().expect("it has some");
    let seen = pair(&closed.bytes[..last], &next.bytes);
    assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Missing, DamageKind::MissingSegment));
    assert_eq!(pair(&closed.bytes[..last - 5], &next.bytes).verdict(), Verdict::Corrupt);
    // The server crashed and began another file.
    assert_eq!(pair(&open.bytes, &next.bytes).verdict(), Verdict::Clean);
    assert_eq!(pair(&open.bytes[..open.bytes.len() - 5], &next.bytes).verdict(), Verdict::Torn);
    // A file between them is gone.
    let seen = read_files(&FORMAT, &[("binlog.000001", &closed.bytes), ("binlog.000003", &next.bytes)]);
    let [damage] = &seen.damage[..] else { panic!("{:?}", seen.damage) };
    assert_eq!((damage.verdict(), damage.span.place.segment.0, damage.span.length), (Verdict::Missing, 1, 0));
}

#[test]
fn mysql_cuts_a_crashed_file_behind_a_transaction_and_calls_it_closed() {
    let next = Made::by("9.7.4", true, true).query("BEGIN").event(16, 0, &[1; 8]);
    let cut = Made::by("9.7.4", true, false).query("BEGIN").event(16, 0, &[1; 8]);
    let seen = pair(&cut.bytes, &next.bytes);
    assert_eq!((seen.verdict(), seen.warnings), (Verdict::Clean, vec!["not-rotated", "not-closed"]));
    let seen = pair(&cut.query("BEGIN").bytes, &next.bytes);
    assert_eq!(seen.verdict(), Verdict::Missing);
}

#[test]
fn without_sums_lengths_are_checked_and_content_is_not() {
    let made = Made::by("10.11.19-MariaDB", false, false).transaction(1).transaction(2).stop();
    let seen = read(&made.bytes);
    assert_eq!((seen.verdict(), seen.warnings, seen.kinds.len()), (Verdict::Clean, vec!["no-checksums"], 8));
    for event in 1..made.starts.len() - 1 {
        for bit in 0..32 {
            let mut bytes = made.bytes.clone();
            bytes[made.starts[event] + 9 + bit / 8] ^= 1 << (bit % 8);
            let seen = read(&bytes);
            assert_eq!(seen.verdict(), Verdict::Corrupt, "event {event}, bit {bit}: {:?}", seen.damage);
            assert_eq!(seen.kinds.len(), 7, "event {event}, bit {bit}: {:?}", seen.damage);
        }
    }
}

#[test]
fn encrypted_events_are_walked_by_their_lengths_and_end_where_a_length_leads() {
    let mut made = Made::mariadb().event(164, 0, &[1, 1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    let plain = made.bytes.len();
    for number in 0..6u8 {
        made.starts.push(made.bytes.len());
        made.bytes.extend([0xA5 ^ number; 9]);
        made.bytes.extend((40 + u32::from(number)).to_le_bytes());
        made.bytes.extend(vec![0x5A ^ number; 27 + usize::from(number)]);
    }
    let seen = read(&made.bytes);
    assert_eq!((seen.verdict(), seen.kinds.len(), seen.kinds[3].as_str()), (Verdict::Clean, 8, "Encrypted"));
    assert!(seen.warnings.contains(&"encrypted"));
    let seen = read(&made.bytes[..made.bytes.len() - 7]);
    assert_eq!((seen.verdict(), seen.kinds.len()), (Verdict::Torn, 7));
    // A length that leads nowhere, and others behind it that lead to the end.
    let mut bytes = made.bytes.clone();
    bytes[plain + 9 + 3] = 0x40;
    let seen = read(&bytes);
    assert_eq!((seen.verdict(), seen.damage[0].span.start(), seen.kinds.len()), (Verdict::Corrupt, plain as u64, 7));
}

#[test]
fn a_relay_log_goes_on_behind_a_rotation_of_its_source() {
    let mut made = Made::mariadb();
    made.relay = true;
    let made = made
        .event(4, 0x20, &[&4u64.to_le_bytes()[..], b"source-bin.000009"].concat())
        .transaction(1)
        .event(4, 0, &[&4u64.to_le_bytes()[..], b"source-bin.000010"].concat())
        .transaction(2);
    let seen = read_files(&FORMAT, &[("relay-bin.000001", &made.bytes)]);
    assert_eq!((seen.verdict(), seen.kinds.len(), seen.endings), (Verdict::Clean, 9, vec![Ending::FileEnds]));
}

#[test]
fn one_flagged_event_makes_a_relay_log_and_a_second_one_does_not_take_that_back() {
    let advice = |flags: &[u16]| {
        let made = flags.iter().fold(Made::mariadb(), |made, flags| made.event(16, *flags, &[9; 8]));
        read(&made.bytes).recovery.expect("it was not closed").contains("relay_log_recovery=ON")
    };
    assert!(!advice(&[0, 0]) && !advice(&[0x20, 8]), "no event was flagged");
    assert!(advice(&[0x40]) && advice(&[0x40, 0]) && advice(&[0x40, 0x40]) && advice(&[0, 0x48, 0x40, 0]));
}

#[test]
fn from_a_mark_a_walk_goes_on_as_the_one_that_left_it_with_sums_and_without() {
    for sums in [true, false] {
        let begun = Made::by("10.11.19-MariaDB", sums, true);
        let text = format!("INSERT INTO t VALUES ('{}')", "x".repeat(100_000));
        let made = (1..=30).fold(begun, |made, number| made.gtid(number).query(&text).event(16, 0, &[9; 8]));
        let file: Arc<dyn File> = SimDisk::new().open(Path::new("/a"), Open::CREATE).expect("it is new").into();
        write_full(file.as_ref(), &made.bytes, 0).expect("there is room");
        let source = Source::given(Arc::new(RealDisk), "binlog.000001", file, 1);
        let walk = |want| {
            let (mut marks, mut places) = (Vec::new(), Vec::new());
            let mut take = |item: Item<'_>| {
                match item {
                    Item::Mark(mark) => marks.push(mark),
                    Item::Record(record) => places.push((record.span.start(), record.kind.to_owned())),
                    _ => {}
                }
                Ok(())
            };
            let visit = Visit { source: &source, segment: &source.segments[0], keys: &Keys::default(), want };
            let summary = (FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("it reads");
            assert!(summary.damage.is_empty(), "sums {sums}: {:?}", summary.damage);
            (marks, places, summary.own::<Own>().map(|own| (own.in_use, own.mariadb, own.relay)))
        };
        let (marks, all, own) = walk(Want { marks: true, ..Want::default() });
        assert_eq!(marks.len(), 2);
        for mark in marks {
            let (_, rest, known) = walk(Want { start: Some(mark), ..Want::default() });
            let before = all.iter().position(|(at, _)| *at == mark.offset).expect("it stands at an event");
            assert_eq!((rest.as_slice(), known), (&all[before..], own));
        }
    }
}

/// An event as it stands in a packed transaction: without a sum.
fn inner(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, 2, 3, 4, kind, 7, 0, 0, 0];
    bytes.extend((19 + body.len() as u32).to_le_bytes());
    bytes.extend([0; 6]);
    bytes.extend(body);
    bytes
}

/// A Zstandard frame whose one block is stored as it is.
fn frame(content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("small");
    let block = (u32::from(length) << 3 | 1).to_le_bytes();
    [&[0x28, 0xB5, 0x2F, 0xFD, 0x20, length][..], &block[..3], content].concat()
}

/// The body of a packed transaction: how it is packed, how long it was, its bytes.
fn payload(method: u8, before: usize, stored: &[u8]) -> Vec<u8> {
    let length = |number: usize| u8::try_from(number).expect("small");
    // 251 and more take three bytes.
    let number = |number: usize| if number <= 250 { vec![length(number)] } else { vec![252, number as u8, (number >> 8) as u8] };
    let (method, before) = (number(usize::from(method)), number(before));
    let mut body = vec![2, length(method.len())];
    body.extend(method);
    body.extend([3, length(before.len())]);
    body.extend(before);
    body.extend([1, 1, length(stored.len()), 0]);
    body.extend(stored);
    body
}

#[test]
fn a_packed_transaction_is_looked_into_and_must_be_events_to_the_last_byte() {
    let events = [inner(2, b"\0\0\0\0\0\0\0\0\x04\0\0\0\0shop\0BEGIN"), inner(16, &[9; 8])].concat();
    let cut = &events[..events.len() - 1];
    let of = |body: &[u8]| {
        let seen = read(&Made::by("8.4.0", true, false).event(40, 0, body).transaction(2).stop().bytes);
        assert_eq!(seen.kinds.len(), 6, "the event itself is whole");
        let found: Vec<String> = seen.damage.iter().map(|damage| damage.found.clone()).collect();
        assert!(seen.damage.iter().all(|damage| damage.kind == DamageKind::BadPayload && damage.verdict() == Verdict::Corrupt));
        found
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(of(&payload(255, events.len(), &events)), none);
    assert_eq!(of(&payload(9, 5, b"bytes")), none, "another method is not looked into");
    assert_eq!(of(&payload(255, events.len(), cut)), ["68 bytes unpacked, where 69 are announced".to_owned()]);
    assert_eq!(of(&payload(255, cut.len(), cut)), ["no whole event at byte 42 of the 68 unpacked ones".to_owned()]);
    assert_eq!(of(&[2, 9, 0]), ["fields of a packed transaction that do not come out even".to_owned()]);
    if cfg!(feature = "zstd") {
        assert_eq!(of(&payload(0, events.len(), &frame(&events))), none);
        assert_eq!(of(&payload(0, 8, b"no frame")), ["8 bytes that do not unpack".to_owned()]);
    }
}
