//! allsource logs made by hand and hurt: what the fixtures do not show.

use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::format::FORMAT;
use crate::disk::{Disk, Open, RealDisk, SimDisk, crc32, write_full};
use crate::formats::{Ending, Item, Likeness, Sample, Sink, Summary, Visit, Want};
use crate::model::{Damage, DamageKind, Keys, Verdict};

const ID: &str = "00000000-0000-4000-8000-000000000000";

fn entry(sequence: u64, payload: &str) -> String {
    let sum = crc32(0, format!("{sequence}2026-11-20 15:32:46.338 UTC{ID}").as_bytes());
    format!(
        "{{\"sequence\":{sequence},\"wal_timestamp\":\"2026-11-20T15:32:46.338Z\",\"event\":{{\"id\":\"{ID}\",\"event_type\":\"t\",\
         \"entity_id\":\"e\",\"tenant_id\":\"default\",\"payload\":{payload},\"timestamp\":\"2025-07-13T02:00:08Z\",\"metadata\":null,\
         \"version\":1}},\"checksum\":{sum}}}"
    )
}

fn lines(sequences: std::ops::RangeInclusive<u64>) -> String {
    sequences.map(|n| entry(n, "{\"a\":1}") + "\n").collect()
}

fn name(number: u64) -> String {
    format!("wal-{number:016x}.log")
}

struct Seen {
    lsns: Vec<u64>,
    payloads: Vec<String>,
    summaries: Vec<Summary>,
    damage: Vec<Damage>,
}

/// Walks files on a machine's disk: those that others follow are read through a mapping.
fn walk(files: &[(u64, &[u8])], want: Want) -> Seen {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for (number, bytes) in files {
        std::fs::write(dir.path().join(name(*number)), bytes).expect("room for a few bytes");
    }
    walk_in(Arc::new(RealDisk), dir.path(), want)
}

/// Walks one file in memory.
fn one(bytes: impl AsRef<[u8]>) -> Seen {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/log")).expect("a disk in memory has room");
    let file = disk.open(&Path::new("/log").join(name(0)), Open::CREATE).expect("it is new");
    write_full(&*file, bytes.as_ref(), 0).expect("a disk in memory has room");
    walk_in(Arc::new(disk), Path::new("/log"), Want::default())
}

fn walk_in(disk: Arc<dyn Disk>, dir: &Path, want: Want) -> Seen {
    let source = FORMAT.log_in(disk, dir).expect("it can be listed");
    let (mut lsns, mut payloads, mut summaries) = (Vec::new(), Vec::new(), Vec::new());
    for segment in &source.segments {
        let keys = Keys::default();
        let visit = Visit { source: &source, segment, keys: &keys, want };
        let mut take = |item: Item<'_>| {
            if let Item::Record(record) = item {
                lsns.extend(record.lsn.map(|l| l.0));
                let payload = record.payload.whole().expect("a line is at hand");
                payloads.push(String::from_utf8(payload.to_vec()).expect("JSON is UTF-8"));
            }
            Ok(())
        };
        summaries.push((FORMAT.walk)(&visit, &mut Sink::new(&mut take)).expect("rotten bytes are no error"));
    }
    let between = (FORMAT.join)(&source, &mut summaries);
    let mut damage: Vec<Damage> = summaries.iter().flat_map(|s| s.damage.kept().to_vec()).collect();
    damage.extend(between);
    Seen { lsns, payloads, summaries, damage }
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
fn every_cut_keeps_the_lines_before_it_and_is_torn_or_clean() {
    let sound = lines(1..=3);
    let ends: Vec<usize> = (1..=3).map(|n| lines(1..=n).len()).collect();
    for cut in 0..=sound.len() {
        let seen = one(&sound[..cut]);
        // The newline alone may be missing.
        let whole = ends.iter().filter(|end| **end - 1 <= cut).count();
        assert_eq!(seen.lsns.len(), whole, "cut at {cut}");
        let clean = cut == 0 || ends.contains(&cut) || ends.contains(&(cut + 1));
        assert_eq!(seen.verdict(), if clean { Verdict::Clean } else { Verdict::Torn }, "cut at {cut}");
        assert_eq!(seen.warned("missing-final-newline"), ends.contains(&(cut + 1)));
    }
}

#[test]
fn every_flipped_bit_of_what_the_checksum_covers_is_seen_and_no_other_line_suffers() {
    let (first, second, third) = (lines(1..=1), lines(2..=2), lines(3..=3));
    let text = format!("{first}{second}{third}");
    let covered = ["\"sequence\":", "\"wal_timestamp\":\"", "\"id\":\"", "\"checksum\":"];
    for field in covered {
        let start = first.len() + second.find(field).expect("each line has it") + field.len();
        let length = text[start..].find([',', '"', '}']).expect("each value ends");
        for bit in 0..length * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[start + bit / 8] ^= 1 << (bit % 8);
            // Letters of an id or of T and Z mean the same in both cases.
            let changed = bytes[start + bit / 8];
            if changed.eq_ignore_ascii_case(&text.as_bytes()[start + bit / 8]) && changed.is_ascii_alphabetic() {
                continue;
            }
            let seen = one(&bytes);
            if changed == b' ' && text.as_bytes()[start + bit / 8] == b'T' {
                continue;
            }
            assert_eq!(seen.verdict(), Verdict::Corrupt, "{field} bit {bit}");
            assert!(seen.lsns.contains(&1) && seen.lsns.contains(&3), "{field} bit {bit}");
        }
    }
}

#[test]
fn blank_lines_carriage_returns_extra_keys_and_odd_payloads_are_no_damage() {
    let odd = ["\"{\\\"sequence\\\":9,\\n\"", "123456789012345678901234567890.5e3", "[[[[{}]]]]", "\"\u{e9}\u{1F600}\""];
    let mut text = String::from("\n\r\n");
    for (index, payload) in odd.iter().enumerate() {
        text += &entry(index as u64 + 1, payload);
        text += "\r\n \n";
    }
    text += &entry(5, "{}").replacen("{\"sequence\"", "{\"new\":[1,{}],\"sequence\"", 1);
    text += "\n";
    let seen = one(&text);
    assert_eq!((seen.lsns.as_slice(), seen.verdict()), ([1, 2, 3, 4, 5].as_slice(), Verdict::Clean), "{:?}", seen.damage);
    assert_eq!(seen.payloads[0], entry(1, odd[0]));
    assert_eq!(seen.summaries[0].valid_bytes, text.len() as u64);
}

#[test]
fn a_name_and_a_whole_entry_tell_how_much_a_file_looks_like_one_of_allsource() {
    let (whole, long) = (lines(1..=2), entry(1, &format!("\"{}\"", "x".repeat(1000))));
    let ended = whole.replace('\n', "\r\n");
    let (ours, other) = (Some("wal-0000000000000000.log"), Some("other.log"));
    let late = "\n".repeat(63) + &whole;
    let too_late = "\n".repeat(64) + &whole;
    for (what, name, head, expected) in [
        ("its name and an entry", ours, whole.as_str(), Likeness::Sure),
        ("its name and the beginning of an entry", ours, &long[..100], Likeness::Sure),
        ("its name and an entry behind blank lines", ours, &late, Likeness::Sure),
        ("its name and an entry behind too many", ours, &too_late, Likeness::Maybe),
        ("its name and junk", ours, "junk\n", Likeness::Maybe),
        ("its name and nothing", ours, "", Likeness::Maybe),
        ("another name and an entry", other, &whole, Likeness::Sure),
        ("another name and an entry whose lines end otherwise", other, &ended, Likeness::Sure),
        ("a stream and an entry", None, &whole, Likeness::Sure),
        ("another name and the beginning of an entry", other, &long[..100], Likeness::No),
        ("another name and junk", other, "junk\n", Likeness::No),
        ("another name and nothing", other, "", Likeness::No),
    ] {
        let sample = Sample { name, head: head.as_bytes(), length: head.len() as u64, beside: &[] };
        assert_eq!((FORMAT.recognise)(&sample), expected, "{what}");
    }
}

#[test]
fn a_line_of_megabytes_and_a_nest_of_a_thousand_levels_are_read() {
    let long = format!("\"{}\"", "x".repeat(3 << 20));
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    let text = format!("{}\n{}\n{}\n", entry(1, &long), entry(2, &deep), entry(3, "1"));
    let seen = one(&text);
    assert_eq!((seen.lsns.as_slice(), seen.verdict()), ([1, 2, 3].as_slice(), Verdict::Clean));
    assert!(seen.warned("nested-too-deep"));
    // Each byte is one of a line, and of one only.
    assert_eq!((seen.summaries[0].valid_bytes, seen.summaries[0].frames), (text.len() as u64, 3));
    // The same as the torn end of a log: held once, found bad once.
    let seen = one(&text[..2 << 20]);
    assert_eq!((seen.lsns.len(), seen.verdict()), (0, Verdict::Torn));
}

#[test]
fn entries_inside_bad_lines_are_told_and_given_to_a_salvage_alone() {
    let fused = format!("{}{}{}\n{}", lines(1..=1), &entry(2, "{}")[..100], entry(2, "{}"), lines(3..=3));
    let seen = one(&fused);
    assert_eq!((seen.lsns.as_slice(), seen.verdict()), ([1, 3].as_slice(), Verdict::Corrupt));
    assert!(seen.warned("entry-inside-bad-line"));
    let saved = walk(&[(0, fused.as_bytes())], Want { salvage: true, ..Want::default() });
    assert_eq!(saved.lsns, [1, 2, 3]);
    assert_eq!(saved.payloads[1], entry(2, "{}"));
}

#[test]
fn hostile_lines_end_in_time() {
    // Each beginning claims an object that reaches to the end of the line.
    let nest = "{\"sequence\":1,\"a\":".repeat(200_000);
    let seen = one(nest.as_bytes());
    assert_eq!((seen.lsns.len(), seen.verdict()), (0, Verdict::Torn));
    let junk = "{\"sequence\":1}\n".repeat(50_000);
    let seen = one(junk.as_bytes());
    assert_eq!(seen.verdict(), Verdict::Suspect);
}

#[test]
fn holes_are_looked_for_in_the_whole_set_and_not_file_by_file() {
    // Plain recovery went on in the oldest file: 6 stands there, and nothing is missing.
    let (oldest, second) = (lines(1..=3) + &lines(6..=7), lines(4..=5));
    let seen = walk(&[(0, oldest.as_bytes()), (3, second.as_bytes())], Want::default());
    assert_eq!(seen.verdict(), Verdict::Clean, "{:?}", seen.damage);
    assert!(seen.warned("sequence-out-of-file-order"));
    let seen = walk(&[(0, oldest.as_bytes())], Want::default());
    assert_eq!((seen.kinds(), seen.verdict()), (vec![DamageKind::LsnGap], Verdict::Missing));
    let third = lines(8..=9);
    let seen = walk(&[(0, oldest.as_bytes()), (7, third.as_bytes())], Want::default());
    assert_eq!((seen.kinds(), seen.verdict()), (vec![DamageKind::LsnGap], Verdict::Missing));
    // The name of an empty newest file tells what was given before it.
    let seen = walk(&[(0, lines(1..=3).as_bytes()), (3, b"")], Want::default());
    assert_eq!(seen.verdict(), Verdict::Clean);
    let seen = walk(&[(0, lines(1..=2).as_bytes()), (3, b"")], Want::default());
    assert_eq!((seen.kinds(), seen.verdict()), (vec![DamageKind::MissingSegment], Verdict::Missing));
    // A front that was checkpointed is no hole; lines that are gone from a file's front are one.
    let seen = walk(&[(0, b""), (3, lines(4..=5).as_bytes())], Want::default());
    assert_eq!(seen.verdict(), Verdict::Clean);
    let seen = walk(&[(3, lines(5..=6).as_bytes())], Want::default());
    assert_eq!((seen.kinds(), seen.verdict()), (vec![DamageKind::LsnGap], Verdict::Missing));
}

#[test]
fn a_renamed_file_and_a_doubled_file_are_told() {
    let (a, b) = (lines(1..=3), lines(4..=6));
    let seen = walk(&[(0, a.as_bytes()), (5, b.as_bytes())], Want::default());
    assert_eq!((seen.kinds(), seen.verdict()), (vec![DamageKind::WrongName], Verdict::Foreign));
    let seen = walk(&[(0, a.as_bytes()), (3, b.as_bytes()), (6, b.as_bytes())], Want::default());
    assert!(seen.kinds().contains(&DamageKind::LsnBack) && seen.warned("duplicate-sequence"));
    assert_eq!(seen.verdict(), Verdict::Corrupt);
}

#[test]
fn a_file_has_a_wrong_name_where_it_begins_too_early_or_with_what_another_file_should_hold() {
    // By file: its number, the sequences in it. Which of them have a wrong name.
    for (what, files, expected) in [
        ("as written", vec![(0, 1..=3), (3, 4..=6)], vec![]),
        ("it begins with what its name says was before", vec![(0, 1..=3), (4, 4..=6)], vec![4]),
        ("it begins earlier than that", vec![(0, 1..=3), (5, 4..=6)], vec![5]),
        ("two names were swapped", vec![(0, 1..=3), (3, 7..=9), (6, 4..=6)], vec![3, 6]),
        ("what it should begin with is the last of another", vec![(0, 1..=4), (3, 5..=6)], vec![3]),
        ("what it should begin with is gone", vec![(0, 1..=3), (3, 5..=6)], vec![]),
        ("what it should begin with is gone, and so is a file", vec![(0, 1..=3), (5, 7..=8)], vec![]),
        ("the oldest is opened again at every start", vec![(0, 4..=5), (3, 1..=3)], vec![3]),
    ] {
        let files: Vec<(u64, String)> = files.into_iter().map(|(number, sequences)| (number, lines(sequences))).collect();
        let bytes: Vec<(u64, &[u8])> = files.iter().map(|(number, text)| (*number, text.as_bytes())).collect();
        let seen = walk(&bytes, Want::default());
        let wrong = seen.damage.iter().filter(|d| d.kind == DamageKind::WrongName);
        let named: Vec<u64> = wrong.map(|d| files[d.span.place.segment.index()].0).collect();
        assert_eq!(named, expected, "{what}: {:?}", seen.damage);
    }
    // What stood in front may have been what the name says.
    let hurt = String::from("lost\n") + &lines(7..=9);
    let seen = walk(&[(0, lines(1..=6).as_bytes()), (3, hurt.as_bytes())], Want::default());
    assert_eq!(seen.kinds(), [DamageKind::NotAFrame]);
}

#[test]
fn a_bad_end_says_whether_anything_stands_in_the_file_and_doubts_an_entry_only_where_one_was_begun() {
    let (begun, whole) = (entry(2, "{}")[..40].to_owned(), lines(1..=1));
    // Whether nothing was ever written, and the sequences in doubt.
    for (what, bytes, blank, doubt) in [
        ("nothing", Vec::new(), true, None),
        ("zeros", vec![0; 100], true, None),
        ("a line of zeros", [vec![0; 100], b"\n".to_vec()].concat(), true, None),
        ("junk", b"junk".to_vec(), false, None),
        ("a line of junk", b"junk\n".to_vec(), false, None),
        ("the beginning of an entry", begun.clone().into_bytes(), false, Some("1")),
        ("a whole entry and zeros", [whole.clone().into_bytes(), vec![0; 100]].concat(), false, None),
        ("a whole entry and junk", (whole.clone() + "junk").into_bytes(), false, None),
        ("a whole entry and the beginning of one", (whole.clone() + &begun).into_bytes(), false, Some("2")),
    ] {
        let seen = one(&bytes);
        let found = seen.damage.first().and_then(|d| d.doubt).map(|doubt| doubt.to_string());
        assert_eq!((seen.summaries[0].blank, found.as_deref()), (blank, doubt), "{what}: {:?}", seen.damage);
        let expected = if bytes.is_empty() { Ending::FileEnds } else { Ending::Damage };
        assert_eq!(seen.summaries[0].ending, expected, "{what}");
    }
}

#[test]
fn a_line_longer_than_any_release_writes_is_passed_over_to_its_end() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join(name(0));
    let first = lines(1..=1);
    // Zeros of a hole; the entry behind them begins in the middle of what is read at a time.
    let (start, length) = (first.len() as u64, (64 << 20) + 500_000);
    let file = std::fs::File::create(&path).expect("room for a file");
    file.write_all_at(first.as_bytes(), 0).expect("room for a line");
    file.write_all_at(format!("\n{}", lines(2..=3)).as_bytes(), start + length).expect("room for two lines");
    let seen = walk_in(Arc::new(RealDisk), dir.path(), Want::default());
    assert_eq!(seen.lsns, [1, 2, 3]);
    let [damage] = &seen.damage[..] else { panic!("{:?}", seen.damage) };
    assert_eq!((damage.span.start(), damage.span.end()), (start, start + length + 1));
    assert_eq!(damage.found, format!("a line of {} bytes", length + 1));
}

#[test]
fn a_bad_end_is_torn_in_the_newest_file_and_corrupt_in_an_older_one() {
    let torn = lines(1..=3) + &entry(4, "{}")[..50];
    assert_eq!(one(&torn).verdict(), Verdict::Torn);
    let seen = walk(&[(0, torn.as_bytes()), (3, lines(4..=5).as_bytes())], Want::default());
    assert_eq!(seen.verdict(), Verdict::Corrupt);
    assert_eq!(seen.damage[0].doubt, None, "4 stands in the next file");
    // An empty newest file proves nothing.
    let seen = walk(&[(0, torn.as_bytes()), (3, b"")], Want::default());
    assert_eq!(seen.verdict(), Verdict::Torn);
    // The last line is there to its newline, and wrong.
    let wrong = lines(1..=3).replacen("{\"sequence\":3", "{\"sequence\":4", 1);
    assert_eq!(one(&wrong).verdict(), Verdict::Suspect);
}

#[test]
fn an_empty_newest_file_proves_the_sequence_that_it_is_named_after() {
    let torn = format!("{}{}", lines(1..=3), &lines(4..=4)[..90]);
    // Begun after sequence 4 was written: what is torn of it was whole once.
    let proven = walk(&[(0, torn.as_bytes()), (4, b"")], Want::default());
    assert_eq!((proven.verdict(), proven.damage.len()), (Verdict::Corrupt, 1));
    assert_eq!(proven.damage[0].doubt.map(|d| d.to_string()).as_deref(), Some("4"));
    // Begun by a restart that found 3 to be the last.
    let restarted = walk(&[(0, torn.as_bytes()), (3, b"")], Want::default());
    assert_eq!((restarted.verdict(), restarted.damage.len()), (Verdict::Torn, 1));
}

#[test]
fn the_name_of_the_only_file_says_nothing_of_what_was_given_behind_its_lines() {
    let seen = walk(&[(4, lines(2..=3).as_bytes())], Want::default());
    assert_eq!((seen.kinds(), seen.lsns.as_slice()), (vec![DamageKind::WrongName], [2, 3].as_slice()));
    // With an empty one beside it the same name does.
    let seen = walk(&[(0, lines(2..=3).as_bytes()), (4, b"")], Want::default());
    assert_eq!(seen.kinds(), [DamageKind::MissingSegment]);
}

#[test]
fn swapped_and_doubled_lines_are_told_apart() {
    let swapped = [entry(1, "1"), entry(3, "1"), entry(2, "1"), entry(4, "1")].join("\n") + "\n";
    let seen = one(&swapped);
    assert_eq!((seen.lsns.as_slice(), seen.verdict()), ([1, 3, 2, 4].as_slice(), Verdict::Clean));
    assert!(seen.warned("sequence-out-of-file-order") && !seen.warned("duplicate-sequence"));
    let doubled = lines(1..=2) + &lines(2..=3);
    let seen = one(&doubled);
    assert_eq!((seen.kinds(), seen.verdict()), (vec![DamageKind::LsnBack], Verdict::Corrupt));
    assert!(!seen.warned("sequence-out-of-file-order") && seen.warned("duplicate-sequence"));
}

#[test]
fn what_was_put_into_quarantine_and_what_a_rotation_may_have_deleted_is_told() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let aside = dir.path().join("quarantine");
    std::fs::create_dir(&aside).expect("room for a folder");
    std::fs::write(aside.join("20250601T120000.123456Z-wal-0000000000000000.log"), "{").expect("room for a byte");
    for number in 20..30 {
        std::fs::write(dir.path().join(name(number)), lines(number + 1..=number + 1)).expect("room for a line");
    }
    let seen = walk_in(Arc::new(RealDisk), dir.path(), Want::default());
    assert_eq!(seen.verdict(), Verdict::Clean);
    assert!(seen.warned("quarantined-files") && seen.warned("front-may-be-deleted"));
}

#[test]
fn a_line_on_its_way_is_looked_at_again_before_it_is_called_torn() {
    let whole = lines(1..=3);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join(name(0));
    std::fs::write(&path, &whole[..whole.len() - 50]).expect("room for a few bytes");
    let source = FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it can be listed");
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
fn a_torn_line_is_lost_if_a_later_sequence_was_given_even_in_an_older_file() {
    // A restart went on in the oldest file; the newest one was emptied and is named after a sequence that stands.
    let torn = lines(11..=11) + &entry(12, "{}")[..100];
    let seen = walk(
        &[(0, (lines(1..=5) + &lines(13..=13)).as_bytes()), (5, lines(6..=10).as_bytes()), (10, torn.as_bytes()), (13, b"")],
        Want::default(),
    );
    let verdicts: Vec<Verdict> = seen.damage.iter().map(Damage::verdict).collect();
    assert_eq!(verdicts, [Verdict::Corrupt]);
}
