//! Logs made here, byte by byte, and hurt: what is said of them.

use super::FORMAT;
use crate::disk::crc32c;
use crate::formats::seen::{WholeRead, read_files, read_worn};
use crate::formats::{Ending, Likeness, Sample};
use crate::model::{DamageKind, Verdict};

const PAGE: usize = 32_768;

/// Writes segments as the page describes them, and shares no code with what reads them.
#[derive(Clone, Default)]
struct Pages {
    bytes: Vec<u8>,
    /// Where each record begins.
    starts: Vec<usize>,
}

impl Pages {
    fn frame(&mut self, kind: u8, fragment: &[u8]) {
        self.bytes.push(kind);
        self.bytes.extend(u16::try_from(fragment.len()).expect("less than a page").to_be_bytes());
        self.bytes.extend(crc32c(0, fragment).to_be_bytes());
        self.bytes.extend(fragment);
    }

    fn record(mut self, flags: u8, record: &[u8]) -> Pages {
        let (mut rest, mut first) = (record, true);
        self.pad_if_short();
        self.starts.push(self.bytes.len());
        loop {
            let (piece, left) = rest.split_at(rest.len().min(PAGE - self.bytes.len() % PAGE - 7));
            let kind = match (first, left.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            self.frame(flags | kind, piece);
            (rest, first) = (left, false);
            if rest.is_empty() {
                return self;
            }
            self.pad_if_short();
        }
    }

    fn pad_if_short(&mut self) {
        if PAGE - self.bytes.len() % PAGE < 7 {
            self.bytes.resize(self.bytes.len().next_multiple_of(PAGE), 0);
        }
    }

    fn padded(&self) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(bytes.len().next_multiple_of(PAGE), 0);
        bytes
    }

    /// A series, and then one sample of it in each record.
    fn small() -> Pages {
        (0..4).fold(Pages::default().record(0, &series(7)), |pages, at| pages.record(0, &sample(7, 100 + at)))
    }
}

fn series(number: u64) -> Vec<u8> {
    [&[1][..], &number.to_be_bytes(), &[1, 8], b"__name__", &[2], b"up"].concat()
}

fn sample(number: u64, time: u64) -> Vec<u8> {
    [&[2][..], &number.to_be_bytes(), &time.to_be_bytes(), &[0, 0], &1.5f64.to_be_bytes()].concat()
}

fn read(bytes: &[u8]) -> WholeRead {
    read_files(&FORMAT, &[("00000000", bytes)])
}

#[test]
fn a_segment_ends_at_a_record_or_in_zeros_and_may_be_short_or_empty_anywhere() {
    let pages = Pages::small();
    for (bytes, ending) in [(pages.bytes.clone(), Ending::FileEnds), (pages.padded(), Ending::Zeros)] {
        let seen = read(&bytes);
        assert_eq!((seen.verdict(), seen.endings, seen.kinds.len()), (Verdict::Clean, vec![ending], 5));
    }
    let seen = read_files(&FORMAT, &[("00000004", &pages.bytes[..]), ("00000005", &[]), ("00000006", &pages.padded())]);
    assert_eq!((seen.verdict(), seen.kinds.len()), (Verdict::Clean, 10));
    let seen = read_files(&FORMAT, &[("00000004", &pages.bytes), ("00000006", &pages.bytes)]);
    let [damage] = &seen.damage[..] else { panic!("{:?}", seen.damage) };
    assert_eq!((damage.kind, damage.verdict(), damage.span.length), (DamageKind::MissingSegment, Verdict::Missing, 0));
}

#[test]
fn a_flipped_bit_costs_its_record_alone_and_is_never_clean() {
    let pages = Pages::small();
    let whole = read(&pages.bytes);
    for at in 0..pages.bytes.len() {
        for bit in 0..8 {
            let mut bytes = pages.bytes.clone();
            bytes[at] ^= 1 << bit;
            let seen = read(&bytes);
            let what = format!("bit {bit} of byte {at}: {:?}", seen.damage);
            let index = pages.starts.partition_point(|start| *start <= at) - 1;
            let last = index + 1 == pages.starts.len();
            // That the record is packed is not covered by its sum; what is inside then is no block.
            assert!(seen.verdict() > Verdict::Clean, "{what}");
            assert!(seen.verdict() == Verdict::Corrupt || last, "{what}");
            let mut expected = whole.payloads.clone();
            expected.remove(index);
            assert_eq!(seen.payloads, expected, "{what}");
            assert_eq!(seen.damage[0].span.start(), pages.starts[index] as u64, "{what}");
        }
    }
}

#[test]
fn a_cut_is_torn_unless_it_is_made_at_a_record_and_corrupt_with_a_segment_behind() {
    let long = Pages::small()
        .record(0, &[&series(8)[..9], &[1, 1, b'x', 0xC0, 0xB8, 2], &[b'y'; 40_000]].concat())
        .record(0, &sample(8, 1));
    let cuts = (1..400).chain(PAGE - 20..PAGE + 20).chain(long.bytes.len() - 60..long.bytes.len());
    for length in cuts {
        let seen = read(&long.bytes[..length]);
        let expected = if long.starts.contains(&length) { Verdict::Clean } else { Verdict::Torn };
        assert_eq!(seen.verdict(), expected, "cut to {length}: {:?}", seen.damage);
        let start = long.starts.iter().rfind(|start| **start <= length).copied().expect("the first is at 0");
        assert!(expected == Verdict::Clean || seen.damage[0].span.start() == start as u64, "cut to {length}: {:?}", seen.damage);
        let both = read_files(&FORMAT, &[("00000000", &long.bytes[..length]), ("00000001", &[])]);
        let expected = if expected == Verdict::Clean { Verdict::Clean } else { Verdict::Corrupt };
        assert_eq!(both.verdict(), expected, "cut to {length} with a segment behind");
    }
}

#[test]
fn records_in_pieces_are_joined_and_packed_ones_unpacked() {
    let labels = many_series(96_000);
    // A Snappy block of one literal.
    let mut packed = vec![27, 26 << 2];
    packed.extend(sample(7, 5));
    let pages = Pages::small().record(0, &labels).record(8, &packed);
    let seen = read(&pages.bytes);
    assert_eq!((seen.verdict(), seen.kinds.len()), (Verdict::Clean, 7));
    assert_eq!(seen.payloads[5..], [labels, sample(7, 5)]);
}

/// Series of as many bytes as that, or a few more.
fn many_series(bytes: usize) -> Vec<u8> {
    let mut labels = vec![1];
    for number in 0u64.. {
        if labels.len() >= bytes {
            break;
        }
        labels.extend(number.to_be_bytes());
        labels.extend([1, 1, b'a', 20]);
        labels.extend([b'b'; 20]);
    }
    labels
}

/// A block of Snappy that is one literal, whose length takes four bytes behind the tag.
fn literal(bytes: &[u8]) -> Vec<u8> {
    let (mut packed, mut left) = (Vec::new(), bytes.len());
    while left >= 128 {
        packed.push((left % 128) as u8 | 128);
        left /= 128;
    }
    packed.extend([left as u8, 63 << 2]);
    packed.extend(u32::try_from(bytes.len() - 1).expect("a few megabytes").to_le_bytes());
    packed.extend(bytes);
    packed
}

#[test]
fn a_packed_record_of_which_not_all_is_held_is_read_again_and_must_still_unpack() {
    // More than the page with which what is held comes to an end.
    let labels = many_series(super::walk::HELD + 3 * PAGE);
    let packed = literal(&labels);
    let seen = read(&Pages::small().record(8, &packed).record(0, &sample(7, 9)).bytes);
    assert_eq!((seen.verdict(), seen.kinds.len()), (Verdict::Clean, 7), "{:?}", seen.damage);
    assert!(seen.payloads[5] == labels, "{} of {} bytes", seen.payloads[5].len(), labels.len());
    let seen = read(&Pages::small().record(8, &packed[..packed.len() - 1]).record(0, &sample(7, 9)).bytes);
    let [damage] = &seen.damage[..] else { panic!("{:?}", seen.damage) };
    assert_eq!((damage.kind, seen.payloads.len(), seen.payloads.last()), (DamageKind::BadPayload, 6, Some(&sample(7, 9))));
}

#[test]
fn a_record_that_is_longer_than_what_is_held_is_whole_packed_or_not() {
    let labels = many_series(super::walk::HELD + 1000);
    let packed = literal(&labels);
    for (flags, stored) in [(0, &labels), (8, &packed)] {
        let seen = read(&Pages::small().record(flags, stored).record(0, &sample(7, 9)).bytes);
        assert_eq!((seen.verdict(), seen.kinds.len()), (Verdict::Clean, 7), "{flags}: {:?}", seen.damage);
        assert!(seen.payloads[5] == labels, "{flags}: {} of {} bytes", seen.payloads[5].len(), labels.len());
        // One byte less of its content, under a right sum, is no record.
        let short = &stored[..stored.len() - 1];
        let seen = read(&Pages::small().record(flags, short).record(0, &sample(7, 9)).bytes);
        assert_ne!(seen.verdict(), Verdict::Clean, "{flags}");
        assert_eq!(seen.payloads.last(), Some(&sample(7, 9)), "{flags}: what follows is read");
    }
}

#[test]
fn a_record_that_was_begun_and_never_ended_is_corrupt_at_its_beginning() {
    let mut pages = Pages::small();
    let start = pages.bytes.len();
    pages.frame(2, &[1; 100]);
    let seen = read(&pages.bytes);
    assert_eq!((seen.verdict(), seen.damage[0].span.start()), (Verdict::Torn, start as u64));
    let seen = read(&pages.record(0, &sample(7, 9)).bytes);
    assert_eq!((seen.verdict(), seen.damage[0].span.start(), seen.kinds.len()), (Verdict::Corrupt, start as u64, 6));
}

#[test]
fn content_in_padding_is_corrupt_and_a_page_that_was_left_early_is_said() {
    let pages = Pages::small();
    let mut bytes = pages.padded();
    bytes[20_000] = 1;
    let seen = read(&bytes);
    assert_eq!((seen.verdict(), seen.damage[0].span.start()), (Verdict::Corrupt, pages.bytes.len() as u64));
    let two = [pages.padded(), pages.bytes.clone()].concat();
    let seen = read(&two);
    assert_eq!((seen.verdict(), seen.kinds.len(), &seen.warnings[..]), (Verdict::Clean, 10, &["page-left-early"][..]));
}

#[test]
fn a_record_of_a_type_that_nobody_knows_is_shown_and_one_that_is_not_consumed_is_damage() {
    let seen = read(&Pages::small().record(0, &[77, 1, 2, 3]).bytes);
    assert_eq!((seen.verdict(), seen.kinds.last().map(String::as_str)), (Verdict::Clean, Some("unknown")));
    let seen = read(&Pages::small().record(0, &sample(7, 1)[..20]).bytes);
    assert_eq!((seen.verdict(), seen.damage[0].kind), (Verdict::Corrupt, DamageKind::BadPayload));
}

#[test]
fn pieces_of_a_record_whose_beginning_is_damaged_are_one_region_with_it() {
    let pages = Pages::small().record(0, &many_series(3 * PAGE));
    let (start, end) = (*pages.starts.last().expect("it was begun"), pages.bytes.len());
    let mut bytes = pages.record(0, &sample(7, 200)).record(0, &sample(7, 201)).padded();
    bytes[start + 100] ^= 1;
    let seen = read(&bytes);
    let spans: Vec<(u64, u64)> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
    assert_eq!((seen.payloads.len(), spans), (7, vec![(start as u64, end as u64)]));
}

#[test]
fn a_range_that_the_system_refuses_is_told_where_it_lies_and_damage_in_front_of_it_by_its_bytes() {
    let mut pages = (0..900).fold(Pages::small(), |pages, at| pages.record(0, &sample(7, 200 + at)));
    assert!(pages.bytes.len() < PAGE);
    let starts: Vec<u64> = pages.starts.iter().map(|start| *start as u64).collect();
    let (from, to) = (8192, 12_288);
    let hit = starts.partition_point(|start| *start <= from) - 1;
    let spans = |bytes: &[u8]| -> Vec<_> {
        let seen = read_worn(&FORMAT, "00000000", bytes, from..to);
        seen.damage.iter().map(|damage| (damage.kind, damage.span.start(), damage.span.end())).collect()
    };
    // Behind it reading goes on at the next page, and there is none.
    let refused = (DamageKind::ReadError, starts[hit], pages.bytes.len() as u64);
    assert_eq!(spans(&pages.bytes), [refused]);
    // What is refused further on has nothing to do with it.
    pages.bytes[pages.starts[5] + 20] ^= 1;
    assert_eq!(spans(&pages.bytes), [(DamageKind::BadChecksum, starts[5], starts[6]), refused]);
}

#[test]
fn pieces_without_a_beginning_are_one_region() {
    let pages = Pages::default().record(0, &many_series(4 * PAGE));
    let mut bytes = pages.record(0, &sample(7, 200)).padded();
    bytes.drain(..PAGE);
    let seen = read(&bytes);
    let spans: Vec<u64> = seen.damage.iter().map(|damage| damage.span.start()).collect();
    assert_eq!((seen.payloads.len(), spans, seen.damage[0].kind), (1, vec![0], DamageKind::BrokenRecord));
}

#[test]
fn by_its_name_a_file_that_was_only_begun_may_be_a_segment() {
    let likeness = |name, head: &[u8]| (FORMAT.recognise)(&Sample { name, head, length: head.len() as u64, beside: &[] });
    let pages = Pages::small();
    let whole = &pages.bytes[..];
    let mut hurt = whole.to_vec();
    hurt[7] ^= 1;
    let named = Some("00000003");
    for (what, name, head, expected) in [
        ("whole", None, whole, Likeness::Sure),
        ("whole", named, whole, Likeness::Sure),
        ("of another name", Some("notes"), whole, Likeness::No),
        ("a hurt first record", named, &hurt, Likeness::Sure),
        ("less than a header", named, &whole[..6], Likeness::Maybe),
        ("less than its first record", named, &whole[..20], Likeness::Maybe),
        ("less than its first record", None, &whole[..20], Likeness::No),
        ("empty", named, &[], Likeness::Maybe),
        ("words", named, b"some notes about nothing", Likeness::No),
        ("as many bytes as a header has", named, &whole[..7], Likeness::Maybe),
        ("as many bytes as a header has, and none", named, b"no head", Likeness::No),
        ("all of a frame whose sum is wrong", named, &hurt[..pages.starts[1]], Likeness::No),
    ] {
        assert_eq!(likeness(name, head), expected, "{what} {name:?}");
    }
}
