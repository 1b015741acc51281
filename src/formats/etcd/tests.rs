//! Logs made here, byte by byte, and hurt: what is said of them.

use std::sync::Arc;

use super::FORMAT;
use crate::disk::{RealDisk, crc32c};
use crate::formats::seen::{WholeRead, read_files, read_source, read_while_written};
use crate::formats::{Ending, Mend};
use crate::model::{DamageKind, Lsn, LsnRange, Place, SegmentId, Verdict};

/// Writes logs as the page describes them, and shares no code with what reads them.
#[derive(Clone, Default)]
struct Wal {
    bytes: Vec<u8>,
    sum: u32,
    /// Where each frame begins.
    frames: Vec<usize>,
}

fn varint(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn fields(numbers: &[(u8, u64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (field, number) in numbers {
        bytes.push(field << 3);
        varint(&mut bytes, *number);
    }
    bytes
}

impl Wal {
    fn record(mut self, kind: u64, sum: u32, data: &[u8]) -> Wal {
        let mut record = vec![0x08];
        varint(&mut record, kind);
        record.push(0x10);
        varint(&mut record, u64::from(sum));
        if !data.is_empty() {
            record.push(0x1A);
            varint(&mut record, data.len() as u64);
            record.extend(data);
        }
        let padding = (8 - record.len() % 8) % 8;
        let top = if padding > 0 { (0x80 | padding as u64) << 56 } else { 0 };
        self.frames.push(self.bytes.len());
        self.bytes.extend((record.len() as u64 | top).to_le_bytes());
        self.bytes.extend(record);
        self.bytes.resize(self.bytes.len() + padding, 0);
        self.sum = sum;
        self
    }

    fn data(self, kind: u64, data: &[u8]) -> Wal {
        let sum = crc32c(self.sum, data);
        self.record(kind, sum, data)
    }

    /// The first records of a segment that carries this sum over.
    fn begun(sum: u32) -> Wal {
        Wal { sum, ..Wal::default() }.record(4, sum, b"").data(1, &fields(&[(1, 7), (2, 9)]))
    }

    fn entry(self, index: u64, content: &[u8]) -> Wal {
        let mut data = fields(&[(1, 0), (2, 3), (3, index)]);
        data.push(0x22);
        varint(&mut data, content.len() as u64);
        data.extend(content);
        self.data(2, &data)
    }

    fn state(self, commit: u64) -> Wal {
        self.data(3, &fields(&[(1, 3), (2, 7), (3, commit)]))
    }

    /// Four entries, each promised by a state.
    fn small() -> Wal {
        (1..=4).fold(Wal::begun(0), |wal, index| wal.entry(index, b"some content").state(index))
    }

    fn zeros(&self, count: usize) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        bytes.resize(bytes.len() + count, 0);
        bytes
    }
}

const FIRST: &str = "0000000000000000-0000000000000000.wal";
const SECOND: &str = "0000000000000001-0000000000000005.wal";

fn read(bytes: &[u8]) -> WholeRead {
    read_files(&FORMAT, &[(FIRST, bytes)])
}

#[test]
fn a_log_ends_at_a_frame_or_in_zeros_that_were_made_ahead() {
    let wal = Wal::small();
    for (bytes, ending) in [(wal.zeros(0), Ending::FileEnds), (wal.zeros(4096), Ending::Zeros), (wal.zeros(3), Ending::Zeros)] {
        let seen = read(&bytes);
        assert_eq!((seen.verdict(), seen.endings, seen.kinds.len()), (Verdict::Clean, vec![ending], 10));
        assert_eq!(seen.lsns, [1, 2, 3, 4]);
    }
}

#[test]
fn a_hole_that_is_filled_while_it_is_read_is_none_and_one_that_stays_is_told_once() {
    let wal = Wal::small();
    // Behind the two frames that begin a segment stand those of an entry and of the state that promises it.
    let without = |frames: &[usize]| {
        let mut bytes = wal.bytes.clone();
        frames.iter().for_each(|frame| bytes[wal.frames[*frame] + 17] ^= 1);
        bytes
    };
    let seen = read_while_written(&FORMAT, FIRST, &without(&[6]), &wal.bytes, 2);
    assert_eq!((seen.verdict(), &seen.lsns[..]), (Verdict::Clean, &[1, 2, 3, 4][..]), "{:?}", seen.damage);
    let seen = read_while_written(&FORMAT, FIRST, &without(&[4, 8]), &without(&[4]), 3);
    let starts: Vec<u64> = seen.damage.iter().map(|damage| damage.span.start()).collect();
    assert_eq!((starts, &seen.lsns[..]), (vec![wal.frames[4] as u64], &[1, 3, 4][..]));
}

#[test]
fn a_frame_is_found_behind_more_zeros_than_are_searched_at_a_time() {
    let wal = Wal::begun(0).entry(1, b"one").entry(2, &[7; 200_000]).entry(3, b"three").state(3);
    let (from, to) = (wal.frames[3], wal.frames[4]);
    let mut bytes = wal.zeros(100_000);
    bytes[from..to].fill(0);
    let seen = read(&bytes);
    let spans: Vec<(u64, u64)> = seen.damage.iter().map(|damage| (damage.span.start(), damage.span.end())).collect();
    assert_eq!((&seen.lsns[..], spans), (&[1, 3][..], vec![(from as u64, to as u64)]));
    assert_eq!((seen.damage[0].kind, seen.verdict()), (DamageKind::Zeroed, Verdict::Corrupt));
}

#[test]
fn a_wrong_word_in_front_of_a_record_that_is_whole_is_told_from_a_wrong_record() {
    let wal = Wal::small();
    let found = |at: usize| {
        let mut bytes = wal.bytes.clone();
        bytes[wal.frames[4] + at] ^= 4;
        let seen = read(&bytes);
        let [damage] = &seen.damage[..] else { panic!("byte {at}: {:?}", seen.damage) };
        (damage.kind, damage.found.contains("a record that is as it was written"))
    };
    assert_eq!([0, 1, 3].map(found), [(DamageKind::NotAFrame, true); 3]);
    assert_eq!(found(20), (DamageKind::BadChecksum, false));
}

#[test]
fn a_flipped_bit_costs_its_frame_alone_and_is_clean_only_where_no_sum_and_no_reader_looks() {
    let wal = Wal::small();
    let whole = read(&wal.bytes);
    for at in 0..wal.bytes.len() {
        for bit in 0..8 {
            let mut bytes = wal.bytes.clone();
            bytes[at] ^= 1 << bit;
            let seen = read(&bytes);
            let what = format!("bit {bit} of byte {at}: {:?}", seen.damage);
            let index = wal.frames.partition_point(|start| *start <= at) - 1;
            let (start, last) = (wal.frames[index], index + 1 == wal.frames.len());
            let inside = at - start;
            let padding = usize::from(wal.bytes[start + 7] & 7);
            let end = wal.frames.get(index + 1).copied().unwrap_or(wal.bytes.len());
            let unseen = inside == 9 || at >= end - padding;
            assert!(unseen || seen.verdict() > Verdict::Clean, "{what}");
            let rest: Vec<&Vec<u8>> = whole.payloads.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, p)| p).collect();
            let mut given = seen.payloads.iter();
            assert!(
                rest.iter().all(|payload| given.any(|is| is == *payload)),
                "{what}: a record that was not touched is not given"
            );
            if let Some(damage) = seen.damage.iter().find(|damage| damage.span.length > 0) {
                assert_eq!(damage.span.start(), start as u64, "{what}");
                assert!(damage.verdict() == Verdict::Corrupt || last, "{what}");
            }
        }
    }
}

#[test]
fn a_cut_is_torn_unless_it_is_made_at_a_frame() {
    let wal = Wal::small();
    for length in 1..wal.bytes.len() {
        let seen = read(&wal.bytes[..length]);
        let at_frame = wal.frames.contains(&length);
        let expected = if at_frame { Verdict::Clean } else { Verdict::Torn };
        assert_eq!(seen.verdict(), expected, "cut to {length}: {:?}", seen.damage);
        let start = wal.frames.iter().rfind(|start| **start <= length).copied();
        let places: Vec<u64> = seen.damage.iter().map(|damage| damage.span.start()).collect();
        assert!(at_frame || places == [start.expect("the first is at 0") as u64], "cut to {length}: {places:?}");
    }
}

#[test]
fn zeros_from_some_sector_on_are_torn_and_with_anything_behind_them_corrupt() {
    let wal = (5..40).fold(Wal::small(), |wal, index| wal.entry(index, &[7; 300]).state(index));
    for from in (512..wal.bytes.len()).step_by(512) {
        let mut bytes = wal.zeros(8192);
        bytes[from..].fill(0);
        let expected = if wal.frames.contains(&from) { Verdict::Clean } else { Verdict::Torn };
        assert_eq!(read(&bytes).verdict(), expected, "zeros from {from} on");
        let mut hole = wal.zeros(8192);
        hole[from..from + 512].fill(0);
        let seen = read(&hole);
        let expected = if from + 512 < wal.bytes.len() { Verdict::Corrupt } else { Verdict::Torn };
        assert_eq!(seen.verdict(), expected, "a hole at {from}: {:?}", seen.damage);
        assert!(from + 1024 > wal.bytes.len() || seen.kinds.len() > 70, "a hole at {from}: only {} records", seen.kinds.len());
    }
    let mut strangers = wal.zeros(8192);
    let end = strangers.len();
    strangers[end - 100..].fill(0xAB);
    let seen = read(&strangers);
    assert_eq!((seen.verdict(), seen.damage.len()), (Verdict::Corrupt, 1), "{:?}", seen.damage);
}

#[test]
fn what_the_server_would_do_at_its_next_start_depends_on_the_bad_frame_alone() {
    let wal = Wal::small().entry(4, &[7; 3000]).entry(5, b"five").state(5);
    let (whole, frame) = (wal.zeros(8192), wal.frames[wal.frames.len() - 3]);
    let told = |hurt: &dyn Fn(&mut [u8])| {
        let mut bytes = whole.clone();
        hurt(&mut bytes);
        read(&bytes).recovery.unwrap_or_default()
    };
    assert_eq!(told(&|_| {}), "", "it starts, and there is nothing to say");
    let sector = (frame + 512).next_multiple_of(512);
    for (hurt, starts) in [
        // A length word of zero is the end for the server, whatever follows.
        (&(|bytes: &mut [u8]| bytes[frame..frame + 8].fill(0)) as &dyn Fn(&mut [u8]), "etcd takes 0"),
        (&|bytes| bytes[sector..sector + 512].fill(0), "etcd takes this for a torn end"),
        (&|bytes| bytes[frame + 100] ^= 1, "etcd refuses to start"),
    ] {
        let told = told(hurt);
        assert!(told.starts_with(starts), "{told}");
        assert_eq!(told.contains("2 whole frames"), !starts.contains("refuses"), "{told}");
    }
}

#[test]
fn a_segment_that_does_not_continue_the_sum_tells_that_something_is_missing() {
    let first = Wal::small();
    let second = Wal::begun(first.sum).state(4).entry(5, b"five");
    let both = |cut: usize| read_files(&FORMAT, &[(FIRST, &first.bytes[..cut]), (SECOND, &second.bytes[..])]);
    assert_eq!(both(first.bytes.len()).verdict(), Verdict::Clean);
    let seen = both(first.frames[6]);
    let [damage] = &seen.damage[..] else { panic!("{:?}", seen.damage) };
    assert_eq!(
        (damage.kind, damage.span, damage.doubt),
        (DamageKind::MissingSegment, crate::model::Span::new(SegmentId(1), 0, 0), LsnRange::new(Lsn(3), Lsn(4)))
    );
    let seen = both(first.frames[6] + 3);
    assert_eq!((seen.verdict(), seen.damage.len()), (Verdict::Corrupt, 1), "{:?}", seen.damage);
    // The record that carries the sum over is the one that was changed.
    let mut hurt = second.clone();
    hurt.bytes[11] ^= 1;
    let seen = read_files(&FORMAT, &[(FIRST, &first.bytes), (SECOND, &hurt.bytes)]);
    let [damage] = &seen.damage[..] else { panic!("{:?}", seen.damage) };
    assert_eq!((damage.verdict(), damage.span.place), (Verdict::Corrupt, Place { segment: SegmentId(1), offset: 0 }));
}

#[test]
fn entries_of_a_new_leader_replace_others_and_are_no_damage_and_a_skipped_entry_is() {
    let wal = Wal::small().entry(3, b"of another leader").entry(4, b"and another");
    let seen = read(&wal.bytes);
    assert_eq!((seen.verdict(), &seen.lsns[..]), (Verdict::Clean, &[1, 2, 3, 4, 3, 4][..]));
    let seen = read(&wal.clone().entry(7, b"").bytes);
    let [damage] = &seen.damage[..] else { panic!("{:?}", seen.damage) };
    assert_eq!((damage.kind, damage.doubt), (DamageKind::LsnGap, LsnRange::new(Lsn(5), Lsn(6))));
    // A member that was far behind got a snapshot instead.
    let seen = read(&wal.data(5, &fields(&[(1, 6), (2, 3)])).entry(7, b"").bytes);
    assert_eq!(seen.verdict(), Verdict::Clean);
}

#[test]
fn a_record_of_a_type_that_nobody_knows_is_shown_and_said_and_is_no_damage() {
    let seen = read(&Wal::small().data(9, b"of a later version").state(4).bytes);
    assert_eq!((seen.verdict(), &seen.warnings[..]), (Verdict::Clean, &["unknown-type"][..]));
    assert_eq!(seen.kinds[10..], ["unknown", "state"]);
}

#[test]
fn only_the_torn_end_of_the_last_segment_may_be_cut() {
    let first = Wal::small();
    let second = Wal::begun(first.sum).state(4).entry(5, b"five");
    let mend = |files: &[(&str, &[u8])], at: (u32, usize)| {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in files {
            std::fs::write(dir.path().join(name), bytes).expect("room for a few segments");
        }
        let source = FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
        let mut summaries = Vec::new();
        for segment in &source.segments {
            let visit = crate::formats::Visit { source: &source, segment, keys: &Default::default(), want: Default::default() };
            summaries.push(FORMAT.walk(&visit, &mut crate::formats::Sink::new(&mut |_| Ok(()))).expect("no error"));
        }
        (FORMAT.join)(&source, &mut summaries);
        assert_eq!(read_source(&FORMAT, &source).endings.len(), files.len());
        matches!(FORMAT.mend_at(&source, &summaries, Place { segment: SegmentId(at.0), offset: at.1 as u64 }), Mend::Cut)
    };
    let (torn, last) = (first.bytes.len() - 3, first.frames[9]);
    assert!(mend(&[(FIRST, &first.bytes[..torn])], (0, last)));
    assert!(!mend(&[(FIRST, &first.bytes[..torn])], (0, first.frames[8])), "an entry in front of the torn end");
    assert!(!mend(&[(FIRST, &first.bytes)], (0, last)), "nothing is torn");
    assert!(!mend(&[(FIRST, &first.bytes[..torn]), (SECOND, &second.bytes)], (0, last)), "a later segment stands");
    let mut rotten = first.bytes.clone();
    rotten[last + 20] ^= 4;
    assert!(!mend(&[(FIRST, &rotten)], (0, last)), "etcd refuses it too");
}

#[test]
fn a_word_that_lies_costs_its_frame_alone_wherever_it_leads() {
    let wal = (5..40).fold(Wal::small(), |wal, index| wal.entry(index, &[7; 300]).state(index));
    let whole = read(&wal.bytes).payloads.len();
    for frame in 0..wal.frames.len() - 1 {
        for length in [1, 8, 16, 64, 1 << 10, 1 << 30, (1 << 56) - 8, 0xFFFF_FFFF_FFFF_FFFF] {
            let (mut bytes, start) = (wal.bytes.clone(), wal.frames[frame]);
            bytes[start..start + 8].copy_from_slice(&u64::to_le_bytes(length));
            if bytes == wal.bytes {
                continue;
            }
            let seen = read(&bytes);
            let what = format!("frame {frame} of length {length}: {:?}", seen.damage);
            assert_eq!((seen.verdict(), seen.payloads.len()), (Verdict::Corrupt, whole - 1), "{what}");
        }
    }
}
