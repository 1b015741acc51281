//! Accepted damage: it is listed and spares the exit code, it is void as soon as anything around it changes, and it hides nothing else.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use serde_json::Value;
use walctl::disk::{Disk, Fault, Luck, Open, SimDisk, write_full};
use walctl::formats::Format;
use walctl::model::{Damage, Keys, Time, Verdict};
use walctl::ops::accept::{AcceptFile, accept, accept_new};
use walctl::ops::report::{Checks, Progress, Report, verify};

use crate::support::folder::{Files, files_in};
use crate::support::recipe::cook;
use crate::support::sandbox::{Sandbox, finish};
use crate::support::wounds::{Dice, bases, choose, frames_of, open_in};

const KNOWN: &str = "/known";

/// What a check finds; none where the log cannot be looked at.
fn look(files: &Files, format: Option<&'static Format>, keys: &Keys) -> Option<(walctl::ops::open::Input, Report)> {
    let (_, mut input) = open_in(files, format, keys).ok()?;
    let report = verify(&input, &Checks::default(), &Progress::default()).ok()?;
    input.source = report.source.clone();
    Some((input, report))
}

fn known(disk: &SimDisk) -> AcceptFile {
    AcceptFile::open(Arc::new(disk.clone()), Path::new(KNOWN), true).expect("it is a file, or none")
}

/// Accepts all damage of a log, in a new file.
fn accept_all(files: &Files, format: Option<&'static Format>, keys: &Keys) -> Option<(SimDisk, usize)> {
    let (input, report) = look(files, format, keys)?;
    let disk = SimDisk::new();
    let new = accept_new(&report, &input, &known(&disk), "the test says so", Time(7)).ok()?;
    Some((disk, new))
}

/// The damage that is left, that which is accepted, and why acceptances are void.
fn with_known(files: &Files, format: Option<&'static Format>, keys: &Keys, disk: &SimDisk) -> Option<(Report, Vec<String>)> {
    let (input, mut report) = look(files, format, keys)?;
    accept(&mut report, &input, &known(disk)).expect("it can be read");
    let why = report.void_acceptances.iter().map(|void| void.why.clone()).collect();
    Some((report, why))
}

fn cooked(recipe: &str) -> Files {
    cook(recipe).expect("a good recipe").segments.into_iter().map(|segment| (segment.name, segment.bytes)).collect()
}

const FIRST: &str = "00000000000000000001.wal";
const SECOND: &str = "00000000000000000041.wal";
const THIRD: &str = "00000000000000000081.wal";
const FOURTH: &str = "00000000000000000121.wal";

/// Four segments, of which the last one grows. A frame takes 440 bytes.
fn four() -> Files {
    cooked(&("times 40 fill 400 9\nseal\nsegment\n".repeat(3) + "times 40 fill 400 9"))
}

/// Where the n-th record of a segment begins.
fn record(number: usize) -> usize {
    4096 + 440 * number
}

/// A log, its damage, and a change of it.
type Change = (&'static str, fn(&mut Files), fn(&mut Files), &'static str);

/// What was accepted is changed; the words are what is said about it. Nothing is said where nothing around it has changed.
const CHANGES: &[Change] = &[
    (
        "the damaged bytes",
        |f| flip(f, SECOND, record(20) + 50),
        |f| flip(f, SECOND, record(20) + 60),
        "the damaged bytes have changed",
    ),
    (
        "it grows",
        |f| zero(f, SECOND, record(20), 440),
        |f| zero(f, SECOND, record(20), 880),
        "it is 880 bytes long now, and was 440",
    ),
    (
        "it shrinks",
        |f| zero(f, SECOND, record(20), 880),
        |f| restore(f, SECOND, record(21), 440),
        "it is 440 bytes long now, and was 880",
    ),
    (
        "the record before it",
        |f| flip(f, SECOND, record(20) + 50),
        |f| flip(f, SECOND, record(18) + 50),
        "what stands before it has changed",
    ),
    (
        "4 KiB before it",
        |f| flip(f, SECOND, record(20) + 50),
        |f| flip(f, SECOND, record(20) - 4096),
        "what stands before it has changed",
    ),
    (
        "the record behind it",
        |f| flip(f, SECOND, record(20) + 50),
        |f| flip(f, SECOND, record(22) + 50),
        "what stands behind it has changed",
    ),
    (
        "another piece, farther than 4 KiB",
        |f| flip(f, SECOND, record(20) + 50),
        |f| flip(f, SECOND, record(2) + 50),
        "the number of records of its segment is 38 now, and was 39",
    ),
    (
        "the length of the segment",
        |f| flip(f, SECOND, record(20) + 50),
        |f| grow(f, SECOND, 512),
        "the length of its segment is ",
    ),
    ("a segment that is not beside it", |f| flip(f, SECOND, record(20) + 50), |f| flip(f, FOURTH, record(2) + 50), ""),
    ("the log grows behind it", |f| flip(f, SECOND, record(20) + 50), |f| append(f, FOURTH), ""),
    ("the segment before it goes", |f| flip(f, SECOND, record(20) + 50), |f| drop(f.remove(FIRST)), ""),
    (
        "the segment before it goes",
        |f| flip(f, SECOND, 45),
        |f| drop(f.remove(FIRST)),
        "the segment before it is none now, and was ",
    ),
    (
        "the end of the segment before it",
        |f| flip(f, SECOND, 45),
        |f| flip(f, FIRST, record(40)),
        "what stands before it has changed",
    ),
    ("the segment behind it goes", |f| flip(f, SECOND, record(36) + 50), |f| drop(f.remove(THIRD)), "the segment behind it is "),
    (
        "the head of the segment behind it",
        |f| flip(f, SECOND, record(36) + 50),
        |f| flip(f, THIRD, 45),
        "what stands behind it has changed",
    ),
    (
        "a hole: the end of what is before it",
        |f| drop(f.remove(SECOND)),
        |f| flip(f, FIRST, record(38) + 50),
        "what stands before it has changed",
    ),
    (
        "a hole: the head of what is behind it",
        |f| drop(f.remove(SECOND)),
        |f| flip(f, THIRD, 45),
        "what stands behind it has changed",
    ),
    ("a hole that becomes larger", |f| drop(f.remove(SECOND)), |f| drop(f.remove(THIRD)), "other LSNs are in doubt now"),
    ("a hole: what is not beside it", |f| drop(f.remove(SECOND)), |f| append(f, FOURTH), ""),
    ("a torn tail on which a segment follows", |f| cut(f, FOURTH, 30), follow, "its verdict is corrupt now, and was torn"),
    ("a torn tail that is cut once more", |f| cut(f, FOURTH, 30), |f| cut(f, FOURTH, 5), "it is "),
    (
        "a tail that is active, and grows near it",
        |f| flip(f, FOURTH, record(36) + 50),
        |f| append(f, FOURTH),
        "what stands behind it has changed",
    ),
    ("a tail that is active, and grows far from it", |f| flip(f, FOURTH, record(10) + 50), |f| append(f, FOURTH), ""),
];

fn flip(files: &mut Files, file: &str, at: usize) {
    files.get_mut(file).expect("it is there")[at] ^= 1;
}

fn zero(files: &mut Files, file: &str, at: usize, count: usize) {
    files.get_mut(file).expect("it is there")[at..at + count].fill(0);
}

fn restore(files: &mut Files, file: &str, at: usize, count: usize) {
    let whole = four();
    files.get_mut(file).expect("it is there")[at..at + count].copy_from_slice(&whole[file][at..at + count]);
}

fn grow(files: &mut Files, file: &str, by: usize) {
    let bytes = files.get_mut(file).expect("it is there");
    bytes.resize(bytes.len() + by, 0);
}

fn cut(files: &mut Files, file: &str, by: usize) {
    let bytes = files.get_mut(file).expect("it is there");
    bytes.truncate(bytes.len() - by);
}

/// The log has one record more.
fn append(files: &mut Files, file: &str) {
    let longer = cooked(&("times 40 fill 400 9\nseal\nsegment\n".repeat(3) + "times 41 fill 400 9"));
    let from = four()[file].len();
    files.get_mut(file).expect("it is there").extend(&longer[file][from..]);
}

/// The log goes on in another segment.
fn follow(files: &mut Files) {
    let longer = cooked(&("times 40 fill 400 9\nseal\nsegment\n".repeat(3) + "times 40 fill 400 9\nsegment\nrecord more"));
    let (name, bytes) = longer.into_iter().next_back().expect("there are five");
    files.insert(name, bytes);
}

#[test]
fn an_acceptance_is_void_when_what_is_around_it_changes_and_holds_while_it_does_not() {
    let none = Keys::default();
    for (name, hurt, change, words) in CHANGES {
        let mut files = four();
        hurt(&mut files);
        let (disk, new) = accept_all(&files, None, &none).expect("it can be looked at");
        assert_eq!(new, 1, "{name}");
        let (report, why) = with_known(&files, None, &none, &disk).expect("it can be looked at");
        assert_eq!((report.verdict, report.accepted.len(), why.len()), (Verdict::Clean, 1, 0), "{name}: {:?}", report.damage);
        change(&mut files);
        let (report, why) = with_known(&files, None, &none, &disk).expect("it can be looked at");
        match words.is_empty() {
            true => assert_eq!((report.accepted.len(), why.len()), (1, 0), "{name}: {why:?}"),
            false => {
                assert!(report.accepted.is_empty() && report.verdict > Verdict::Clean, "{name}: {report:?}");
                assert!(why.len() == 1 && why[0].starts_with(words), "{name}: {why:?}");
            }
        }
    }
}

/// Damage as it stands in a file.
fn place<'r>(report: &'r Report, damage: &Damage) -> (&'r str, u64, u64) {
    let segment = &report.source.segments[damage.span.place.segment.index()];
    (&segment.name, damage.span.start(), damage.span.length)
}

/// The bytes of a span with 4 KiB around them, as far as its segment goes.
fn bytes_of<'f>(files: &'f Files, (file, offset, length): (&str, u64, u64)) -> &'f [u8] {
    let bytes = files.get(file).map_or(&[][..], Vec::as_slice);
    let [from, to] =
        [offset.saturating_sub(4096), offset + length].map(|at| usize::try_from(at).expect("small").min(bytes.len()));
    &bytes[from..to]
}

#[test]
fn any_log_that_is_hurt_anyhow_can_be_accepted_and_no_later_wound_is() {
    let bases: Vec<_> = bases().into_iter().map(|base| (frames_of(&base), base)).collect();
    let (mut accepted, mut void, mut kept) = (0, 0, 0);
    for seed in 0..700 {
        let mut dice = Dice::of(seed);
        let (frames, base) = dice.pick(&bases);
        let mut files = base.files.clone();
        let mut hurt = |files: &mut Files, most| {
            let wounds: Vec<_> = (0..1 + dice.roll(most)).filter_map(|_| choose(base, frames, &mut dice)).collect();
            wounds.iter().for_each(|wound| wound.apply(files));
            wounds
        };
        let wounds = hurt(&mut files, 3);
        let about = format!("seed {seed}: {} {} {wounds:?}", base.format.name, base.name);
        let format = Some(base.format);
        let Some((disk, new)) = accept_all(&files, format, &base.keys) else { continue };
        let (_, plain) = look(&files, format, &base.keys).expect("it was looked at just now");
        let (report, why) = with_known(&files, format, &base.keys, &disk).expect("it was looked at just now");
        assert_eq!((report.verdict, report.damage.len(), why.len()), (Verdict::Clean, 0, 0), "{about}: {why:?}");
        let listed: Vec<&Damage> = report.accepted.iter().map(|one| &one.damage).collect();
        assert_eq!((listed.len(), listed), (new, plain.damage.iter().collect()), "{about}");
        assert!(report.segments.iter().all(|segment| segment.verdict == Verdict::Clean), "{about}");
        accepted += new;
        // Another wound. What is accepted then was accepted before, with the same bytes; all else counts.
        let before = files.clone();
        let more = hurt(&mut files, 2);
        let about = format!("{about}, then {more:?}");
        let Some((_, plain)) = look(&files, format, &base.keys) else { continue };
        let (report, why) = with_known(&files, format, &base.keys, &disk).expect("it was looked at just now");
        let mut all: Vec<&Damage> = report.accepted.iter().map(|one| &one.damage).chain(&report.damage).collect();
        all.sort_by_key(|damage| (damage.span.place, damage.span.length));
        let mut expected: Vec<&Damage> = plain.damage.iter().collect();
        expected.sort_by_key(|damage| (damage.span.place, damage.span.length));
        assert_eq!(all.len(), expected.len(), "{about}");
        assert_eq!(report.verdict, report.damage.iter().map(Damage::verdict).max().unwrap_or(Verdict::Clean), "{about}");
        for one in &report.accepted {
            let at = place(&report, &one.damage);
            assert_eq!(bytes_of(&before, at), bytes_of(&files, at), "{about}: {:?}", one.damage);
        }
        void += why.len();
        kept += report.accepted.len();
    }
    assert!(accepted > 300 && void > 50 && kept > 50, "{accepted} were accepted, then {void} were void and {kept} held");
}

#[test]
fn a_file_that_is_hurt_anyhow_is_refused_or_accepts_nothing_that_nobody_accepted() {
    let none = Keys::default();
    let mut files = four();
    flip(&mut files, SECOND, record(20) + 50);
    let (disk, _) = accept_all(&files, None, &none).expect("it can be looked at");
    let good = files_in(&disk, Path::new("/")).remove("known").expect("it was written");
    let text = String::from_utf8(good.clone()).expect("it is text");
    let line = text.lines().last().expect("the acceptance is the last line").to_owned();
    let head = text.len() - line.len() - 1;
    let (mut refused, mut void, mut holds) = (0, 0, 0);
    let mut judge = |bytes: &[u8]| {
        let disk = SimDisk::new();
        let file = disk.open(Path::new(KNOWN), Open::CREATE).expect("an empty disk takes it");
        write_full(file.as_ref(), bytes, 0).expect("there is room");
        let Ok(known) = AcceptFile::open(Arc::new(disk), Path::new(KNOWN), false) else {
            refused += 1;
            return;
        };
        let (input, mut report) = look(&files, None, &none).expect("it can be looked at");
        accept(&mut report, &input, &known).expect("it can be read");
        match report.accepted.len() {
            0 => {
                assert_eq!(report.verdict, Verdict::Corrupt);
                void += 1;
            }
            // Only what is for people may be another text.
            _ => {
                let mut entries = known.entries();
                let mut original = entries.remove(0);
                assert!(entries.is_empty());
                original.log = "/log".into();
                original.since = Time(7);
                original.reason = "the test says so".into();
                assert_eq!(
                    vec![original],
                    AcceptFile::open(Arc::new(copy(&good)), Path::new(KNOWN), false).expect("it is good").entries()
                );
                holds += 1;
            }
        }
    };
    for at in (head..good.len()).step_by(3) {
        for bit in [0, 4, 7] {
            let mut hurt = good.clone();
            hurt[at] ^= 1 << bit;
            judge(&hurt);
        }
        judge(&good[..at]);
        judge(&[&good[..at], &[0], &good[at..]].concat());
    }
    assert!(refused > 500 && void > 50 && holds > 10, "{refused} refused, {void} void, {holds} hold");
}

fn copy(bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new();
    let file = disk.open(Path::new(KNOWN), Open::CREATE).expect("an empty disk takes it");
    write_full(file.as_ref(), bytes, 0).expect("there is room");
    disk
}

#[test]
fn a_power_failure_at_any_moment_of_writing_leaves_the_old_file_or_the_new_one() {
    let none = Keys::default();
    let mut files = four();
    flip(&mut files, SECOND, record(20) + 50);
    let (disk, _) = accept_all(&files, None, &none).expect("it can be looked at");
    let disk = disk.after_power_failure(Luck::None);
    assert_eq!(known(&disk).entries().len(), 1, "what was accepted is durable");
    flip(&mut files, THIRD, record(20) + 50);
    let (input, report) = look(&files, None, &none).expect("it can be looked at");
    let trial = disk.after_power_failure(Luck::All);
    let begun = trial.operations();
    assert_eq!(accept_new(&report, &input, &known(&trial), "more", Time(9)).ok(), Some(1));
    let (count, mut old, mut new) = (trial.operations() - begun, 0, 0);
    for operation in 1..=count {
        for luck in [Luck::None, Luck::All, Luck::Dice(operation)] {
            let disk = disk.after_power_failure(Luck::All);
            let file = known(&disk);
            disk.fail_at(disk.operations() + operation, Fault::PowerOff);
            let _ = accept_new(&report, &input, &file, "more", Time(9));
            let after = disk.after_power_failure(luck);
            match known(&after).entries().len() {
                1 => old += 1,
                2 => new += 1,
                other => panic!("operation {operation}, {luck:?}: {other} entries"),
            }
            // What was left unfinished is in nobody's way.
            let file = known(&after);
            assert!(accept_new(&report, &input, &file, "more", Time(9)).is_ok() && file.entries().len() == 2);
        }
    }
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}

fn json(sandbox: &Sandbox, words: &[&str]) -> (i32, Value) {
    let ran = sandbox.run(&[words, &["--json"]].concat());
    (ran.code, serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {ran:?}")))
}

fn count(report: &Value, key: &str) -> usize {
    report["accepted"][key].as_array().map_or(usize::MAX, Vec::len)
}

#[test]
fn other_systems_logs_are_accepted_with_what_was_seen_and_without_and_by_their_ends() {
    for fixture in ["etcd/bit_flip_mid", "postgres/bit_flip_mid", "redis/bad_length", "etcd/missing_segment"] {
        let sandbox = Sandbox::new();
        sandbox.fixture(fixture).expect("the fixture is there");
        let (code, plain) = json(&sandbox, &["verify", "LOG"]);
        assert_eq!(code, 4, "{fixture}");
        let new = sandbox.run(&["verify", "LOG", "--accept", "KNOWN", "--accept-new", "it is a fixture"]);
        assert_eq!(new.code, 0, "{fixture}: {new:?}");
        for words in [&[][..], &["--seen", "SEEN"], &["--seen", "SEEN"]] {
            let (code, report) = json(&sandbox, &[&["verify", "LOG", "--accept", "KNOWN"], words].concat());
            assert_eq!((code, &report["verdict"], count(&report, "void")), (0, &"clean".into(), 0), "{fixture} {words:?}");
            assert_eq!(count(&report, "damage"), plain["damage"].as_array().map_or(0, Vec::len), "{fixture} {words:?}");
        }
        assert_eq!(json(&sandbox, &["verify", "LOG"]).1, plain, "{fixture}: the log itself is as it was");
    }
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["append", "LOG", "--segment-records", "10", "--count", "45", "--quiet"]).code, 0);
    std::fs::remove_file(sandbox.path().join("LOG/00000000000000000011.wal")).expect("it is sealed");
    assert_eq!(sandbox.run(&["verify", "LOG", "--accept", "KNOWN", "--accept-new", "gone"]).code, 0);
    let (code, report) = json(&sandbox, &["verify", "LOG", "--accept", "KNOWN", "--ends"]);
    assert_eq!((code, &report["verdict"], count(&report, "damage")), (0, &"not checked".into(), 1), "{report}");
    // Of what was not read nobody knows whether it is gone.
    let found = sandbox.run(&["verify", "LOG", "--accept", "KNOWN", "--sample", "1%", "--seed", "3"]);
    assert!(!found.stdout.contains("and gone"), "{found:?}");
}

#[test]
fn one_log_that_is_accepted_does_not_hide_another_one_and_they_share_a_file() {
    let sandbox = Sandbox::with("record alpha\nrecord b\nrecord c\nflip @1+42 1");
    sandbox.log("OTHER", "record beta\nrecord b\nrecord c\nflip @1+42 1");
    assert_eq!(sandbox.run(&["verify", "LOG", "--accept", "KNOWN", "--accept-new", "first"]).code, 0);
    let both = sandbox.run(&["verify", "LOG", "OTHER", "--accept", "KNOWN"]);
    assert_eq!(both.code, 4, "{both:?}");
    let log = both.stdout.lines().find(|line| line.starts_with("LOG: ")).expect("it is told");
    assert!(log.contains("clean") && log.ends_with("; 1 piece of damage is accepted"), "{log}");
    assert_eq!(sandbox.run(&["verify", "OTHER", "--accept", "KNOWN", "--accept-new", "second"]).code, 0);
    assert_eq!(sandbox.run(&["verify", "LOG", "OTHER", "--accept", "KNOWN"]).code, 0);
    // What people write between the lines stays, and what they take out is accepted no longer.
    let path = sandbox.path().join("KNOWN");
    let text = std::fs::read_to_string(&path).expect("it is text");
    let without: String = text.lines().filter(|line| !line.contains("\"first\"")).map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, format!("# told to Ada\n\n{without}")).expect("there is room");
    assert_eq!(sandbox.run(&["verify", "LOG", "OTHER", "--accept", "KNOWN"]).code, 4);
    assert_eq!(sandbox.run(&["verify", "LOG", "--accept", "KNOWN", "--accept-new", "third"]).code, 0);
    let text = std::fs::read_to_string(&path).expect("it is text");
    assert!(
        text.starts_with("# told to Ada\n\n# Damage that walctl") && text.contains("second") && text.contains("third"),
        "{text}"
    );
}

#[test]
fn runs_that_accept_at_once_lose_nothing() {
    let sandbox = Sandbox::new();
    let logs: Vec<String> = (0..8).map(|number| format!("LOG{number}")).collect();
    for (number, log) in logs.iter().enumerate() {
        sandbox.log(log, &format!("record alpha{number}\nrecord b\nrecord c\nflip @1+42 1"));
    }
    let start = |log: &String| {
        let words = ["verify", log, "--accept", "KNOWN", "--accept-new", "at once", "--quiet"];
        sandbox.command(&words).stderr(Stdio::null()).spawn().expect("it starts")
    };
    let mut running: Vec<_> = logs.iter().map(start).collect();
    assert!(running.iter_mut().all(|child| child.wait().is_ok_and(|status| status.success())));
    let names: Vec<&str> = logs.iter().map(String::as_str).collect();
    let ran = sandbox.run(&[&["verify", "--accept", "KNOWN"], &names[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn what_is_still_written_to_is_not_settled() {
    let sandbox = Sandbox::with(
        "record alpha\nrecord b\nrecord c\nflip @1+42 1\nseal\nsegment\nrecord delta\nrecord e\nrecord f\nin 2\nflip @4+42 1",
    );
    // Held as by a writer: another process has the lock.
    let lock = std::fs::File::create(sandbox.path().join("LOG/LOCK")).expect("there is room");
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).expect("nobody has it");
    let ran = sandbox.run(&["verify", "LOG", "--accept", "KNOWN", "--accept-new", "now"]);
    assert!(ran.code == 1 && ran.stderr.contains("is not settled"), "{ran:?}");
    assert!(!sandbox.path().join("KNOWN").exists());
    drop(lock);
    assert_eq!(sandbox.run(&["verify", "LOG", "--accept", "KNOWN", "--accept-new", "now"]).code, 0);
}

#[test]
fn what_is_no_such_file_is_refused_before_anything_is_looked_at() {
    let sandbox = Sandbox::with("record alpha\nrecord b\nrecord c\nflip @1+42 1");
    let shell = |line: &str| assert_eq!(finish(sandbox.shell(line), b"").code, 0, "{line}");
    shell(
        "mkfifo PIPE; mkdir FOLDER; ln -s nowhere LINK; head -c 17000000 /dev/zero >ZEROS; printf '\\377\\n' >LATIN; echo milk >NOTES",
    );
    shell(
        "walctl verify LOG --accept KNOWN --accept-new x --quiet 2>/dev/null; echo >KNOWN2; cat KNOWN >>KNOWN2; tail -1 KNOWN | head -c 200 >>KNOWN2",
    );
    shell("head -c 15000000 /dev/zero | tr '\\0' '[' >DEEP");
    for (name, why) in [
        ("PIPE", "a named pipe"),
        ("FOLDER", "a folder"),
        ("LINK", "a symbolic link"),
        ("/dev/null", "a device"),
        ("ZEROS", "has 17000000 bytes"),
        ("LATIN", "is no text"),
        ("NOTES", "NOTES:1: it is no JSON"),
        ("DEEP", "DEEP:1: it is no JSON"),
        ("KNOWN2", "KNOWN2:5: it is no JSON"),
        ("LOG/00000000000000000001.wal", "called like a segment"),
        ("LOG/00000000000000000009.wal", "called like a segment"),
        ("x.walctl-unfinished", "has not finished"),
        ("nowhere/KNOWN", "no such file"),
    ] {
        let before = sandbox.files("LOG");
        for more in [&[][..], &["--accept-new", "x"]] {
            let ran = sandbox.run(&[&["verify", "LOG", "--accept", name], more].concat());
            assert!(ran.code == 1 && ran.stdout.is_empty() && ran.stderr.contains(why), "{name} {more:?}: {ran:?}");
        }
        assert_eq!(sandbox.files("LOG"), before, "{name}");
    }
    assert!(!sandbox.path().join("nowhere").exists());
}
