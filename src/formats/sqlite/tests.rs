//! SQLite logs made by hand and hurt: what the fixtures do not show.

use super::format::FORMAT;
use crate::formats::seen::{WholeRead, read_files, read_worn};
use crate::formats::{Ending, Likeness, Sample};
use crate::model::{DamageKind, Verdict};

const PAGE: usize = 512;
const FRAME: usize = 24 + PAGE;

/// A log as SQLite would write it.
#[derive(Clone)]
struct Writer {
    bytes: Vec<u8>,
    big: bool,
    salts: [u8; 8],
    sum: (u32, u32),
}

fn add(sum: (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let (mut one, mut two) = (u64::from(sum.0), u64::from(sum.1));
    let word = |at: usize| {
        let four: [u8; 4] = bytes[at..at + 4].try_into().expect("four");
        u64::from(if big { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    };
    for at in (0..bytes.len()).step_by(8) {
        one = (one + word(at) + two) & 0xFFFF_FFFF;
        two = (two + word(at + 4) + one) & 0xFFFF_FFFF;
    }
    (u32::try_from(one).expect("masked"), u32::try_from(two).expect("masked"))
}

impl Writer {
    fn new(generation: u8, big: bool) -> Writer {
        let salts = [7, 7, 7, generation, 0x51, generation, generation.wrapping_mul(31), 9];
        let mut writer = Writer { bytes: Vec::new(), big, salts, sum: (0, 0) };
        writer.bytes.extend((0x377F_0682u32 + u32::from(big)).to_be_bytes());
        writer.bytes.extend(3_007_000u32.to_be_bytes());
        writer.bytes.extend(u32::try_from(PAGE).expect("small").to_be_bytes());
        writer.bytes.extend(u32::from(generation).to_be_bytes());
        writer.bytes.extend(salts);
        writer.sum = add((0, 0), &writer.bytes, big);
        writer.store();
        writer
    }

    fn store(&mut self) {
        self.bytes.extend(self.sum.0.to_be_bytes());
        self.bytes.extend(self.sum.1.to_be_bytes());
    }

    /// A frame; `size` is how many pages the database has if it ends a transaction.
    fn frame(&mut self, page: u32, size: u32) -> &mut Self {
        let head = [page.to_be_bytes(), size.to_be_bytes()].concat();
        let seed = page.wrapping_mul(2_654_435_761).wrapping_add(u32::try_from(self.bytes.len()).expect("small"));
        let content: Vec<u8> = (0..PAGE as u32).map(|n| (seed.wrapping_mul(n | 1) >> 13) as u8 | 1).collect();
        self.sum = add(add(self.sum, &head, self.big), &content, self.big);
        self.bytes.extend(head);
        self.bytes.extend(self.salts);
        self.store();
        self.bytes.extend(content);
        self
    }

    /// Transactions of two frames each.
    fn commits(&mut self, count: u32) -> &mut Self {
        for n in 0..count {
            self.frame(n + 2, 0).frame(1, n + 3);
        }
        self
    }
}

fn of(bytes: &[u8]) -> WholeRead {
    read_files(&FORMAT, &[("app.db-wal", bytes)])
}

/// Where the frames that were given begin.
fn count(seen: &WholeRead) -> usize {
    seen.payloads.len()
}

fn at(frame: usize) -> usize {
    32 + (frame - 1) * FRAME
}

#[test]
fn frames_of_both_word_orders_are_read_and_the_last_of_a_transaction_is_a_commit() {
    for big in [false, true] {
        let mut log = Writer::new(1, big);
        log.commits(3);
        let seen = of(&log.bytes);
        assert_eq!((seen.verdict(), seen.endings[0], count(&seen)), (Verdict::Clean, Ending::FileEnds, 6), "{:?}", seen.damage);
        assert_eq!(seen.kinds, ["frame", "commit", "frame", "commit", "frame", "commit"]);
        assert!(seen.warnings.is_empty() && seen.payloads.iter().all(|page| page.len() == PAGE));
    }
}

#[test]
fn each_flipped_bit_costs_its_frame_alone_and_in_front_of_a_commit_it_is_corrupt() {
    let mut log = Writer::new(1, false);
    log.commits(3);
    for byte in 0..log.bytes.len() {
        // Every byte, and every bit of headers.
        let bits = if (byte.max(32) - 32) % FRAME < 24 { 0..8 } else { byte % 8..byte % 8 + 1 };
        for bit in bits {
            let mut hurt = log.bytes.clone();
            hurt[byte] ^= 1 << bit;
            let seen = of(&hurt);
            let what = format!("bit {bit} of byte {byte}: {:?}", seen.damage);
            assert_eq!(seen.damage.len(), 1, "{what}");
            let damage = &seen.damage[0];
            if byte < 32 {
                // A sum that is wrong itself takes the frame with it that goes on from it.
                assert_eq!((damage.kind, seen.verdict()), (DamageKind::BadHeader, Verdict::Corrupt), "{what}");
                assert_eq!((count(&seen), damage.span.start()), (if byte < 24 { 6 } else { 5 }, 0), "{what}");
                continue;
            }
            let frame = (byte - 32) / FRAME + 1;
            let inside = (byte - 32) % FRAME;
            assert_eq!((damage.span.start(), damage.span.end()), (at(frame) as u64, at(frame + 1) as u64), "{what}");
            assert_eq!(count(&seen), 5, "{what}");
            let size_gone = frame == 6 && hurt[at(6) + 4..at(6) + 8] == [0; 4];
            let expected = match frame {
                1..=5 => Verdict::Corrupt,
                // What would have ended a transaction, and does not say so any more, is one that never ended.
                _ if size_gone || inside < 4 && hurt[at(6)..at(6) + 4] == [0; 4] => Verdict::Torn,
                _ => Verdict::Suspect,
            };
            assert_eq!(seen.verdict(), expected, "{what}");
        }
    }
}

#[test]
fn every_cut_is_torn_unless_it_lies_between_two_frames_and_frames_behind_the_last_commit_are_told() {
    let mut log = Writer::new(1, false);
    log.commits(3);
    for cut in (0..32).chain((32..log.bytes.len()).step_by(7)).chain((1..=7).map(at)) {
        let seen = of(&log.bytes[..cut]);
        let between = cut == 0 || cut >= 32 && (cut - 32).is_multiple_of(FRAME);
        assert_eq!(seen.verdict(), if between { Verdict::Clean } else { Verdict::Torn }, "cut at {cut}: {:?}", seen.damage);
        let whole = cut.saturating_sub(32) / FRAME;
        assert_eq!(count(&seen), whole, "cut at {cut}");
        assert_eq!(seen.warnings.contains(&"uncommitted"), whole % 2 == 1, "cut at {cut}");
        if !between {
            assert_eq!(seen.damage[0].span.start() as usize, if cut < 32 { 0 } else { at(whole + 1) });
            let expected = if cut < 32 { "a header".to_owned() } else { format!("frame {}", whole + 1) };
            assert_eq!(seen.damage[0].expected, expected, "cut at {cut}");
        }
    }
}

#[test]
fn zeros_are_the_end_and_no_other_generation() {
    let mut log = Writer::new(1, false);
    log.commits(2);
    for zeros in [4, 8, 24, 40, FRAME, 3 * FRAME + 77] {
        let mut bytes = log.bytes.clone();
        bytes.resize(bytes.len() + zeros, 0);
        let seen = of(&bytes);
        assert_eq!((seen.verdict(), seen.endings[0], count(&seen)), (Verdict::Clean, Ending::Zeros, 4), "{zeros} zeros");
    }
    for length in [1, 32, 5000] {
        let seen = of(&vec![0; length]);
        assert_eq!((seen.verdict(), seen.endings[0]), (Verdict::Clean, Ending::Zeros));
    }
    // In front of a commit they are a hole. The frame behind it goes on from a sum that is gone.
    let mut hole = log.bytes.clone();
    hole[at(1)..at(2)].fill(0);
    let seen = of(&hole);
    assert_eq!((seen.verdict(), seen.damage[0].kind, count(&seen)), (Verdict::Corrupt, DamageKind::Zeroed, 2));
    assert_eq!((seen.damage[0].span.start(), seen.damage[0].span.end()), (at(1) as u64, at(3) as u64));
}

#[test]
fn an_older_generation_behind_the_end_is_no_damage_wherever_it_is_hurt_or_cut() {
    let (mut old, mut new) = (Writer::new(1, false), Writer::new(2, false));
    old.commits(6);
    new.commits(2);
    let mut reused = old.bytes.clone();
    reused[..new.bytes.len()].copy_from_slice(&new.bytes);
    for byte in (new.bytes.len()..new.bytes.len() + 30).chain((new.bytes.len()..reused.len()).step_by(13)) {
        let mut hurt = reused.clone();
        hurt[byte] ^= 1 << (byte % 8);
        let seen = of(&hurt);
        assert_eq!(
            (seen.verdict(), seen.endings[0], count(&seen)),
            (Verdict::Clean, Ending::Remains, 4),
            "byte {byte}: {:?}",
            seen.damage
        );
    }
    // Where it is cut so short that its salts are not there, it may be anything.
    for cut in (new.bytes.len()..new.bytes.len() + 30).chain((new.bytes.len()..reused.len()).step_by(29)) {
        let expected = if (1..=11).contains(&(cut - new.bytes.len())) { Verdict::Torn } else { Verdict::Clean };
        let seen = of(&reused[..cut]);
        assert!(seen.verdict() <= expected && count(&seen) == 4, "cut at {cut}: {:?}", seen.damage);
    }
    // Its commits prove nothing about the new one, whose own do.
    let mut hurt = reused.clone();
    hurt[at(4) + 100] ^= 1;
    assert_eq!(of(&hurt).verdict(), Verdict::Suspect);
    hurt[at(2) + 100] ^= 1;
    assert_eq!(of(&hurt).verdict(), Verdict::Corrupt);
}

#[test]
fn what_an_open_transaction_left_is_torn_and_a_commit_behind_it_makes_it_corrupt() {
    let mut log = Writer::new(1, false);
    log.commits(2).frame(9, 0).frame(10, 0).frame(11, 0).frame(12, 0);
    // A page that changed again is written over in place, and its sum is put right when the transaction ends.
    log.bytes[at(6) + 60] ^= 0x40;
    // Room of frames that were never written.
    let mut spilled = log.bytes.clone();
    spilled.resize(spilled.len() + 2 * FRAME, 0);
    for bytes in [&log.bytes, &spilled] {
        let seen = of(bytes);
        assert_eq!((seen.verdict(), count(&seen)), (Verdict::Torn, 5), "{:?}", seen.damage);
        assert_eq!((seen.damage[0].span.start(), seen.warnings[0]), (at(6) as u64, "uncommitted"));
    }
    // Zeros in front of what it wrote are no end either.
    let mut zeros = log.bytes.clone();
    zeros[at(5)..at(6)].fill(0);
    let seen = of(&zeros);
    assert_eq!((seen.verdict(), count(&seen), seen.damage[0].kind), (Verdict::Torn, 4, DamageKind::Zeroed));
    log.frame(13, 40);
    let seen = of(&log.bytes);
    assert_eq!((seen.verdict(), count(&seen)), (Verdict::Corrupt, 8), "{:?}", seen.damage);
}

#[test]
fn frames_that_the_system_refuses_are_told_so_and_those_in_front_of_them_by_their_bytes() {
    let mut log = Writer::new(1, false);
    log.commits(50);
    let spans = |bytes: &[u8], refused| -> Vec<_> {
        let seen = read_worn(&FORMAT, "app.db-wal", bytes, refused);
        seen.damage.iter().map(|damage| (damage.kind, damage.span.start(), damage.span.end())).collect()
    };
    // Frames 16 to 23, and with them the one whose sum goes on from one that is gone.
    assert_eq!(spans(&log.bytes, 8192..12_288), [(DamageKind::ReadError, at(16) as u64, at(25) as u64)]);
    // The frame behind the commit in frame 84 begins with a piece of 4 KiB. Both frames of that transaction are damaged, and no whole one
    // follows that could be read.
    let (start, end) = (at(83) as u64, at(85) as u64);
    assert!(end.is_multiple_of(4096));
    let mut hurt = log.bytes[..at(85) + 4096].to_vec();
    hurt[at(83) + 100] ^= 1;
    hurt[at(84) + 100] ^= 1;
    let refused = (DamageKind::ReadError, end, end + 4096);
    assert_eq!(spans(&hurt, end..end + 4096), [(DamageKind::BadChecksum, start, end), refused]);
}

#[test]
fn a_header_that_is_gone_altogether_is_told_from_the_frames_behind_it() {
    for big in [false, true] {
        let mut log = Writer::new(3, big);
        log.commits(3);
        for junk in [0, 0xA5] {
            let mut hurt = log.bytes.clone();
            hurt[..32].fill(junk);
            let seen = of(&hurt);
            assert_eq!((seen.verdict(), count(&seen), seen.damage[0].kind), (Verdict::Corrupt, 5, DamageKind::BadHeader));
            assert_eq!((seen.damage[0].span.start(), seen.damage[0].span.end()), (0, at(2) as u64));
        }
    }
    // With nothing behind it nothing is lost.
    let mut alone = Writer::new(1, false).bytes;
    assert_eq!(of(&alone).verdict(), Verdict::Clean);
    alone[30] ^= 1;
    assert_eq!(of(&alone).verdict(), Verdict::Suspect);
    alone.extend([5; 3000]);
    assert_eq!(of(&alone).verdict(), Verdict::Corrupt);
}

#[test]
fn several_databases_of_a_folder_are_several_logs() {
    let entry = |name: &str, kind| crate::disk::Entry { name: name.into(), length: 0, kind };
    use crate::disk::EntryKind::{File, Folder};
    let laid = |entries: &[crate::disk::Entry]| -> Vec<String> {
        let laid = (FORMAT.layout)(&crate::formats::Folder::new(entries, &|_| None));
        laid.iter().map(|log| format!("{}:{}", log.name, log.segments[0].entry.name)).collect()
    };
    let all = ["b.db-wal", "a.db", "b.db", "a.db-wal", "a.db-shm", "-wal"].map(|name| entry(name, File));
    assert_eq!(laid(&all), ["a.db-wal:a.db-wal", "b.db-wal:b.db-wal"]);
    assert_eq!(laid(&[entry("x-wal", Folder), entry("b.db-wal", File)]), [":b.db-wal"]);
}

#[test]
fn a_log_is_known_by_its_content_and_with_a_damaged_header_by_its_name_too() {
    let mut log = Writer::new(1, false);
    log.commits(2);
    let likeness = |name, head: &[u8]| (FORMAT.recognise)(&Sample { name, head, length: head.len() as u64, beside: &[] });
    assert_eq!(likeness(None, &log.bytes), Likeness::Sure);
    assert_eq!(likeness(Some("copy-of-the-log"), &log.bytes), Likeness::Sure);
    for byte in 0..32 {
        let mut hurt = log.bytes.clone();
        hurt[byte] ^= 0x10;
        assert_eq!(likeness(Some("app.db-wal"), &hurt), Likeness::Sure, "byte {byte}");
    }
    assert_eq!(likeness(Some("app.db-wal"), b""), Likeness::Maybe);
    assert_eq!(likeness(Some("app.db-wal"), &[0; 100]), Likeness::Maybe);
    assert_eq!(likeness(Some("notes-wal"), b"some notes about nothing that are longer than a header"), Likeness::No);
    assert_eq!(likeness(Some("app.db"), b"SQLite format 3\0 and more of it than a header of a log has"), Likeness::No);
}
