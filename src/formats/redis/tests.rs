//! What reading a log of Redis or Valkey shows.

use std::sync::Arc;

use super::FORMAT;
use super::rdb::crc64;
use crate::disk::{Disk as _, Entry, EntryKind, RealDisk};
use crate::formats::seen::{WholeRead, read_files, read_worn};
use crate::formats::{Likeness, Mend, Sample};
use crate::model::{DamageKind, Place, SegmentId, Verdict};
use crate::ops::open::Input;

const MANIFEST: &str = "file a.aof.1.base.rdb seq 1 type b\nfile a.aof.1.incr.aof seq 1 type i\n";

/// Commands, each of words with blanks between.
fn commands(lines: &[&str]) -> Vec<u8> {
    let one = |line: &&str| {
        let words: Vec<&str> = line.split(' ').collect();
        let mut text = format!("*{}\r\n", words.len());
        words.iter().for_each(|word| text += &format!("${}\r\n{word}\r\n", word.len()));
        text
    };
    lines.iter().map(one).collect::<String>().into_bytes()
}

fn snapshot(magic: &str) -> Vec<u8> {
    let body = [magic.as_bytes(), b"\xfa\x09valkey-ver\x059.1.2keys\xff"].concat();
    let sum = crc64(0, &body).to_le_bytes();
    [body, sum.to_vec()].concat()
}

/// A log with a manifest, a base and one increment.
fn log(increment: &[u8]) -> WholeRead {
    let base = snapshot("REDIS0010");
    read_files(&FORMAT, &[("a.aof.manifest", MANIFEST.as_bytes()), ("a.aof.1.base.rdb", &base), ("a.aof.1.incr.aof", increment)])
}

fn only(seen: &WholeRead) -> (DamageKind, Verdict, u64, u64) {
    let [damage] = &seen.damage[..] else { panic!("one thing is wrong: {:?}", seen.damage) };
    (damage.kind, damage.verdict(), damage.span.start(), damage.span.end())
}

#[test]
fn snapshots_of_both_systems_are_whole_by_their_sums() {
    for magic in ["REDIS0010", "REDIS0012", "VALKEY080"] {
        let (base, more) = (snapshot(magic), commands(&["SET a 1"]));
        let seen = read_files(
            &FORMAT,
            &[("a.aof.manifest", MANIFEST.as_bytes()), ("a.aof.1.base.rdb", &base), ("a.aof.1.incr.aof", &more)],
        );
        assert_eq!((seen.verdict(), &seen.kinds[..]), (Verdict::Clean, &["SET".to_owned()][..]), "{magic}");
        let single = read_files(&FORMAT, &[("a.aof", [&base[..], &more].concat())]);
        assert_eq!((single.verdict(), single.kinds.len()), (Verdict::Clean, 1), "{magic} and commands in one file");
        let sample = Sample { name: Some("a.aof"), head: &base, length: base.len() as u64, beside: &[] };
        assert_eq!((FORMAT.recognise)(&sample), Likeness::Sure);
    }
}

#[test]
fn any_changed_byte_and_any_cut_of_a_base_is_corrupt() {
    let (base, more) = (snapshot("REDIS0010"), commands(&["SET a 1"]));
    let read = |base: &[u8]| {
        read_files(&FORMAT, &[("a.aof.manifest", MANIFEST.as_bytes()), ("a.aof.1.base.rdb", base), ("a.aof.1.incr.aof", &more)])
    };
    for at in 0..base.len() {
        let mut hurt = base.clone();
        hurt[at] ^= 4;
        for (what, bytes) in [("flipped", &hurt[..]), ("cut", &base[..at])] {
            let seen = read(bytes);
            assert_eq!((seen.verdict(), seen.kinds.len()), (Verdict::Corrupt, 1), "{what} at {at}: {:?}", seen.damage);
        }
    }
}

#[test]
fn a_tear_inside_a_transaction_stands_at_its_command_and_everything_from_multi_on_is_not_valid() {
    let whole = commands(&["SET a 1", "MULTI", "SET b 2", "EXEC"]);
    let multi = commands(&["SET a 1"]).len() as u64;
    let torn = multi + commands(&["MULTI", "SET b 2"]).len() as u64;
    assert_eq!(only(&log(&whole[..whole.len() - 3])), (DamageKind::CutShort, Verdict::Torn, torn, whole.len() as u64 - 3));
    // At the edge of a command only the transaction is torn.
    let seen = log(&whole[..usize::try_from(torn).expect("small")]);
    assert_eq!(only(&seen), (DamageKind::BrokenBatch, Verdict::Torn, multi, torn));
    assert_eq!((seen.kinds.len(), &seen.warnings[..]), (3, &["open-transaction"][..]));
}

#[test]
fn behind_a_range_that_the_system_refuses_the_next_command_is_found() {
    let line = |n: usize| format!("SET key-{n:04} {}", "x".repeat(80));
    let lines: Vec<String> = (0..200).map(line).collect();
    let all = commands(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let one = all.len() as u64 / 200;
    let seen = read_worn(&FORMAT, "a.aof", &all, 8192..12_288);
    let (first, next) = (8192 / one * one, 12_288_u64.next_multiple_of(one));
    assert_eq!(only(&seen), (DamageKind::ReadError, Verdict::Unreadable, first, next));
    assert_eq!(seen.kinds.len() as u64, 200 - (next - first) / one);
}

#[test]
fn a_multi_inside_of_another_is_a_command_of_it() {
    // What a server wrote behind one that a tear had left open: its EXEC ends both.
    let seen = log(&commands(&["MULTI", "SET a 1", "MULTI", "SET b 2", "EXEC", "SET c 3"]));
    assert_eq!((seen.verdict(), seen.kinds.len()), (Verdict::Clean, 6));
    let begin = commands(&["SET a 1"]);
    let open = [&begin[..], &commands(&["MULTI", "SET a 1", "MULTI", "SET b 2"])].concat();
    assert_eq!(only(&log(&open)).2, begin.len() as u64, "it is open from the first one on");
}

#[test]
fn zeros_at_the_end_are_torn_and_a_changed_byte_is_corrupt_even_in_the_last_command() {
    let whole = commands(&["SET a 1", "SET b 2"]);
    let half = commands(&["SET a 1"]).len();
    let zeros = |from: usize| [&whole[..from], &vec![0; 700]].concat();
    for from in half..=whole.len() {
        let (_, verdict, start, end) = only(&log(&zeros(from)));
        let begin = if from == whole.len() { from } else { half } as u64;
        assert_eq!((verdict, start), (Verdict::Torn, begin), "zeros from {from} on");
        assert!(end >= from as u64);
    }
    for (at, byte) in [(half, b'+'), (half + 1, b'x'), (half + 4, b'x'), (whole.len() - 1, b'x')] {
        let mut hurt = whole.clone();
        hurt[at] = byte;
        assert_eq!(log(&hurt).verdict(), Verdict::Corrupt, "byte {at}");
    }
}

#[test]
fn the_server_cuts_what_ends_early_and_refuses_zeros() {
    let whole = commands(&["SET a 1", "SET b 2"]);
    let told = |bytes: Vec<u8>| log(&bytes).recovery.unwrap_or_default();
    let zeros = |count: usize| told([&whole[..], &vec![0; count]].concat());
    for count in [1, 2, 700] {
        assert!(zeros(count).contains("refuses to start because"), "{count} zeros: {}", zeros(count));
    }
    for missing in 1..8 {
        let words = told(whole[..whole.len() - missing].to_vec());
        assert!(words.contains("cuts a.aof.1.incr.aof at byte"), "{missing} bytes missing: {words}");
    }
}

#[test]
fn behind_damage_reading_goes_on_and_the_database_is_not_known() {
    let mut bytes = commands(&["SELECT 3", "SET a 1", "SET b 2", "MODULE.DO x", "SET c 3"]);
    let at = commands(&["SELECT 3"]).len();
    bytes[at] = b'!';
    let seen = log(&bytes);
    assert_eq!(seen.kinds, ["SELECT", "SET", "other", "SET"]);
    assert_eq!(only(&seen).1, Verdict::Corrupt);
}

#[test]
fn a_torn_file_that_another_follows_is_corrupt() {
    let manifest = format!("{MANIFEST}file a.aof.2.incr.aof seq 2 type i\n");
    let (base, more) = (snapshot("REDIS0010"), commands(&["SET a 1"]));
    let files: [(&str, &[u8]); 4] = [
        ("a.aof.manifest", manifest.as_bytes()),
        ("a.aof.1.base.rdb", &base),
        ("a.aof.1.incr.aof", &more[..more.len() - 2]),
        ("a.aof.2.incr.aof", &more),
    ];
    let seen = read_files(&FORMAT, &files);
    assert_eq!(only(&seen).1, Verdict::Corrupt);
    assert!(seen.recovery.is_some_and(|words| words.contains("it cuts only the last file")));
}

#[test]
fn a_log_without_its_manifest_lacks_it_unless_nothing_was_written_yet() {
    let base = snapshot("REDIS0010");
    let read = |increment: &[u8]| read_files(&FORMAT, &[("a.aof.1.base.rdb", &base[..]), ("a.aof.1.incr.aof", increment)]);
    assert_eq!(read(b"").verdict(), Verdict::Clean);
    let seen = read(&commands(&["SET a 1"]));
    assert_eq!(only(&seen).1, Verdict::Missing);
    assert!(seen.recovery.is_some_and(|words| words.contains("begins a new and empty log")));
}

#[test]
fn a_line_of_the_manifest_that_is_none_is_damage() {
    let manifest = format!("{MANIFEST}file a.aof.2.incr.a");
    let base = snapshot("REDIS0010");
    let files: [(&str, &[u8]); 3] =
        [("a.aof.manifest", manifest.as_bytes()), ("a.aof.1.base.rdb", &base), ("a.aof.1.incr.aof", b"")];
    let (kind, verdict, ..) = only(&read_files(&FORMAT, &files));
    assert_eq!((kind, verdict), (DamageKind::BadHeader, Verdict::Corrupt));
}

/// A rewrite can come between the listing of the folder and the reading of the manifest.
#[test]
fn a_file_that_came_after_the_folder_was_listed_is_not_missing_and_one_that_never_came_is() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).expect("room for a few bytes");
    write("a.aof.1.incr.aof", b"");
    let listed: Vec<Entry> = RealDisk.list(dir.path()).expect("it lists");
    write("a.aof.manifest", MANIFEST.as_bytes());
    write("a.aof.1.base.rdb", &snapshot("REDIS0010"));
    let entries = [listed, vec![Entry { name: "a.aof.manifest".into(), length: 1, kind: EntryKind::File }]].concat();
    let kinds = || {
        let logs = FORMAT.lay_out(&RealDisk, dir.path(), &entries);
        logs[0].segments.iter().map(|placed| placed.entry.kind).collect::<Vec<_>>()
    };
    assert_eq!(kinds(), [EntryKind::File, EntryKind::File]);
    std::fs::remove_file(dir.path().join("a.aof.1.base.rdb")).expect("it is there");
    assert_eq!(kinds(), [EntryKind::Absent, EntryKind::File]);
}

#[test]
fn only_the_torn_end_of_the_last_file_is_cut_and_never_a_snapshot() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mend = |files: &[(&str, &[u8])], offset: u64| {
        for entry in std::fs::read_dir(dir.path()).expect("it lists").flatten() {
            std::fs::remove_file(entry.path()).expect("it can go");
        }
        files.iter().for_each(|(name, bytes)| std::fs::write(dir.path().join(name), bytes).expect("room"));
        let source = FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
        let last = u32::try_from(source.segments.len() - 1).expect("a few");
        let input = Input { source, format: &FORMAT, keys: crate::model::Keys::default(), named: false };
        let report =
            crate::ops::report::verify(&input, &crate::ops::report::Checks::default(), &crate::ops::report::Progress::default());
        let report = report.expect("it reads");
        FORMAT.mend_at(&input.source, &report.summaries, Place { segment: SegmentId(last), offset })
    };
    let multi = commands(&["SET a 1", "MULTI", "SET b 2"]);
    let begin = commands(&["SET a 1"]).len() as u64;
    let torn = commands(&["SET a 1", "MULTI"]).len() as u64;
    assert!(matches!(mend(&[("a.aof", &multi[..multi.len() - 1])], torn), Mend::CutBack(at) if at == begin));
    assert!(matches!(mend(&[("a.aof", &multi)], begin), Mend::Cut));
    let base = snapshot("REDIS0010");
    let at = base.len() as u64 - 12;
    for name in ["a.aof.1.base.rdb", "a.aof"] {
        assert!(matches!(mend(&[(name, &base[..base.len() - 3])], at), Mend::Refuse(_)), "{name}");
    }
}

#[test]
fn without_a_manifest_the_newest_base_is_read_first_and_then_what_was_added_in_order() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    for name in ["a.aof.10.incr.aof", "a.aof.9.incr.aof", "a.aof.2.base.aof", "a.aof.1.incr.aof"] {
        std::fs::write(dir.path().join(name), commands(&["SET a 1"])).expect("room");
    }
    let source = FORMAT.log_in(Arc::new(RealDisk), dir.path()).expect("it lists");
    let names: Vec<&str> = source.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names, ["a.aof.2.base.aof", "a.aof.1.incr.aof", "a.aof.9.incr.aof", "a.aof.10.incr.aof"]);
}
