//! Segments in files that were segments before: old bytes behind the end are no damage, and nobody reads them as records.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use walctl::disk::{Disk, RealDisk};
use walctl::native::{SEGMENT_RECYCLED, segment_lsn};
use walctl::ops::open::{Choice, open};
use walctl::ops::read::Follow;
use walctl::{Ack, Log, Lsn, Options, Preallocate, Retain, Verdict};

use crate::support::following::step;

const SEGMENT: u64 = 256 << 10;

fn options() -> Options {
    Options::new().segment_bytes(SEGMENT).preallocate(Preallocate::Recycle).retain(Retain::new().segments(2))
}

/// A payload that tells its number, and is otherwise the same each time: old sectors resemble new ones as much as they can.
fn payload(number: u64) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.resize(8 + (number % 7 * 300) as usize, 0x5A);
    bytes
}

/// The segments of a log in order, each with whether it says that its file was used before.
fn segments(dir: &Path) -> BTreeMap<u64, bool> {
    let names = fs::read_dir(dir).expect("it is there").map(|e| e.expect("it lists").file_name().into_string().expect("plain"));
    let told = |name: &String| {
        let mut head = [0; 12];
        File::open(dir.join(name)).and_then(|mut file| file.read_exact(&mut head)).ok()?;
        Some((segment_lsn(name)?.0, u16::from_le_bytes([head[10], head[11]]) & SEGMENT_RECYCLED != 0))
    };
    names.filter_map(|name| told(&name)).collect()
}

/// Appends until the active segment is one in a file that was used before and has some records in it; what the last one was told.
fn fill(log: &Log, dir: &Path) -> Ack {
    let begun = Instant::now();
    let mut number = 0;
    loop {
        let mut last = None;
        for _ in 0..50 {
            number += 1;
            last = Some(log.append(payload(number)).expect("the disk is well"));
        }
        if number > 1000 && segments(dir).pop_last().is_some_and(|(first, recycled)| recycled && number > first + 60) {
            return last.expect("fifty were appended");
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "no file was used again: {:?}", segments(dir));
    }
}

/// As a power failure, or a copy that somebody takes, would leave it.
fn copied(dir: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a temporary folder");
    for entry in fs::read_dir(dir).expect("it is there") {
        let entry = entry.expect("it lists");
        if segment_lsn(&entry.file_name().to_string_lossy()).is_some() {
            fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("room for a copy");
        }
    }
    copy
}

fn json(dir: &Path, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = Command::new(env!("CARGO_BIN_EXE_walctl")).args(arguments).arg("--json").arg(dir).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), serde_json::from_str(text.lines().next().unwrap_or("")).unwrap_or(Value::Null))
}

/// Every file of a folder and what it holds.
fn content(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir).expect("it is there").map(|entry| entry.expect("it lists"));
    files.map(|f| (f.file_name().into_string().expect("plain"), fs::read(f.path()).expect("it reads"))).collect()
}

#[test]
fn a_log_in_files_used_again_is_clean_while_it_is_written_after_a_crash_and_when_it_is_closed() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = options().open(dir.path()).expect("a new log");
    let last = fill(&log, dir.path()).lsn.0;
    // Beside the writer, and as a copy that was taken beside it.
    for (look, path) in [("live", dir.path().to_owned()), ("copied", copied(dir.path()).keep())] {
        let report = walctl::verify(&path).expect("it reads");
        assert_eq!((report.verdict, report.last_lsn()), (Verdict::Clean, Some(Lsn(last))), "{look}");
        let (code, verified) = json(&path, &["verify", "--deep"]);
        assert_eq!((code, &verified["verdict"]), (Some(0), &Value::from("clean")), "{look}: {verified}");
        let reader = walctl::Reader::open(&path).expect("it opens");
        let numbers: Vec<u64> = reader.map(|record| record.expect("it is whole").lsn.0).collect();
        assert_eq!(numbers, (numbers[0]..=last).collect::<Vec<_>>(), "{look}");
        if look == "copied" {
            // A writer after the crash goes on in the same segment, and what was old is gone from it.
            let names = segments(&path).len();
            let after = options().open(&path).expect("it is clean");
            assert_eq!(after.append(payload(last + 1)).expect("the disk is well").lsn, Lsn(last + 1));
            assert_eq!(segments(&path).len(), names);
            drop(after);
            assert_eq!(walctl::verify(&path).expect("it reads").verdict, Verdict::Clean);
            fs::remove_dir_all(&path).expect("it is ours");
        }
    }
    log.close().expect("the disk is well");
    drop(log);
    assert_eq!(walctl::verify(dir.path()).expect("it reads").verdict, Verdict::Clean);
    let names: Vec<String> = content(dir.path()).into_keys().collect();
    assert!(names.iter().all(|name| !name.contains("unfinished")), "{names:?}");
}

#[test]
fn a_writer_that_is_killed_loses_nothing_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (mut acknowledged, mut used_again) = (0, 0);
    for round in 0..12u64 {
        let mut writer = Command::new(env!("CARGO_BIN_EXE_walctl"))
            .args(["append", "--segment-bytes", "64KiB", "--preallocate", "recycle", "--keep-segments", "2"])
            .arg(dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let (mut input, mut output) = (writer.stdin.take().expect("piped"), writer.stdout.take().expect("piped"));
        let feeder = std::thread::spawn(move || {
            for number in 0u64.. {
                if writeln!(input, "{number:0width$}", width = 20 + (number % 50 * 17) as usize).is_err() {
                    return;
                }
            }
        });
        // As many acknowledgements as it takes for files to be used again, a different number each time.
        let (mut told, mut room) = (Vec::new(), [0; 4096]);
        while told.iter().filter(|byte| **byte == b'\n').count() < 900 + 37 * round as usize {
            let count = output.read(&mut room).expect("it writes");
            assert!(count > 0, "it ended: {}", String::from_utf8_lossy(&told));
            told.extend_from_slice(&room[..count]);
        }
        used_again += usize::from(segments(dir.path()).values().any(|recycled| *recycled));
        writer.kill().expect("it runs");
        writer.wait().expect("it was killed");
        feeder.join().expect("it does not panic");
        let report = walctl::verify(dir.path()).expect("it reads");
        assert!(matches!(report.verdict, Verdict::Clean | Verdict::Torn), "round {round}: {report:?}");
        let last = report.last_lsn().expect("there are records").0;
        assert!(last >= acknowledged + 900, "round {round}: {last} after {acknowledged}");
        acknowledged = last;
        if report.verdict == Verdict::Torn {
            let (code, _) = json(dir.path(), &["repair"]);
            assert_eq!(code, Some(0));
        }
    }
    assert!(used_again >= 6, "files were used again in {used_again} rounds");
}

#[test]
fn whoever_has_a_segment_open_keeps_it_as_it_was() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = options().open(dir.path()).expect("a new log");
    let mut number = 0;
    let mut open: Vec<(File, Vec<u8>)> = Vec::new();
    for _ in 0..8 {
        // The oldest one, which is the next to go.
        let path = dir.path().join(format!("{:020}.wal", segments(dir.path()).keys().next().copied().unwrap_or(1)));
        if let (Ok(file), Ok(bytes)) = (File::open(&path), fs::read(&path)) {
            open.push((file, bytes));
        }
        for _ in 0..400 {
            number += 1;
            log.append(payload(number)).expect("the disk is well");
        }
    }
    log.close().expect("the disk is well");
    assert!(open.len() >= 6);
    for (mut file, before) in open {
        let mut now = Vec::new();
        file.read_to_end(&mut now).expect("it reads");
        // One that was active had room behind it, and got more records.
        let end = before.iter().rposition(|byte| *byte != 0).expect("a header at least");
        let same = now.len() > end && now[..4096] == before[..4096];
        assert!(same || now.len() <= end && now[..4096] == before[..4096], "its header is another one");
    }
}

#[test]
fn a_damaged_newest_record_is_not_called_torn_and_repair_of_it_can_be_undone() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = options().open(dir.path()).expect("a new log");
    let last = fill(&log, dir.path());
    let copy = copied(dir.path());
    drop(log);
    let (newest, _) = segments(copy.path()).pop_last().expect("there are some");
    let path = copy.path().join(format!("{newest:020}.wal"));
    let mut bytes = fs::read(&path).expect("it reads");
    for at in 44..48 {
        bytes[last.offset as usize + at] ^= 0xA5;
    }
    fs::write(&path, &bytes).expect("room");
    let before = content(copy.path());
    let (code, verified) = json(copy.path(), &["verify"]);
    assert_eq!((code, &verified["verdict"]), (Some(3), &Value::from("suspect")), "{verified}");
    assert_eq!(json(copy.path(), &["repair"]).0, Some(3), "it is not cut unasked");
    assert_eq!(content(copy.path()), before);
    assert_eq!(json(copy.path(), &["repair", "--accept-suspect"]).0, Some(0));
    let report = walctl::verify(copy.path()).expect("it reads");
    assert_eq!((report.verdict, report.last_lsn()), (Verdict::Clean, last.lsn.before()));
    assert_eq!(json(copy.path(), &["repair", "--undo"]).0, Some(0));
    assert_eq!(content(copy.path()), before, "every byte is back, those of the older life too");
}

#[test]
fn a_log_that_comes_through_a_pipe_ends_where_its_data_ends() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let log = options().open(dir.path()).expect("a new log");
    fill(&log, dir.path());
    let copy = copied(dir.path());
    drop(log);
    let (newest, _) = segments(copy.path()).pop_last().expect("there are some");
    let file = File::open(copy.path().join(format!("{newest:020}.wal"))).expect("it is there");
    let output = Command::new(env!("CARGO_BIN_EXE_walctl"))
        .args(["verify", "--json", "-"])
        .stdin(Command::new("cat").stdin(file).stdout(Stdio::piped()).spawn().expect("it starts").stdout.expect("piped"))
        .output()
        .expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
}

#[test]
fn a_follower_of_a_log_in_files_used_again_misses_nothing_and_rests_where_nothing_is_written() {
    for buffered in [false, true] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let log = options().buffered(buffered).open(dir.path()).expect("a new log");
        let mut due = fill(&log, dir.path()).lsn.0;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let inputs = open(&disk, dir.path(), &Choice::default()).expect("it opens");
        let mut follow = Follow::new(inputs[0].source.clone(), None);
        assert_eq!(step(&mut follow, &inputs[0], true).0.last(), Some(&due));
        for round in 0..300 {
            let rests = (0..4).any(|_| matches!(step(&mut follow, &inputs[0], true), (lsns, None) if lsns.is_empty()));
            assert!(rests, "buffered={buffered}: it reads again and again where nothing is written, round {round}");
            due += 1;
            log.append(payload(due)).expect("the disk is well");
            assert_eq!(step(&mut follow, &inputs[0], true).0, [due], "buffered={buffered}");
        }
    }
}
