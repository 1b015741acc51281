//! The same with the real binary: killed, interrupted, many at once, and files that only a real disk has.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::sandbox::{Sandbox, code, finish, wait};
use crate::support::wounds::Dice;

/// Thirty segments, two of them damaged.
const THIRTY: &str = "times 20 fill 900 100\nseal\nsegment\n";
const HURT: &str = "record tail\nin 3\nflip @45+40 0\nin 17\ncut 200";

fn thirty() -> Sandbox {
    Sandbox::with(&(THIRTY.repeat(29) + HURT))
}

fn json(sandbox: &Sandbox, words: &[&str]) -> Value {
    let ran = sandbox.run(&[words, &["--json"]].concat());
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {ran:?}"))
}

/// A report without what is said about the file of what was seen.
fn without_seen(mut report: Value) -> Value {
    report.as_object_mut().expect("an object").remove("seen");
    report
}

fn lines(sandbox: &Sandbox, file: &str) -> usize {
    fs::read_to_string(sandbox.path().join(file)).map_or(0, |text| text.lines().count())
}

#[test]
fn a_run_that_is_killed_at_a_hundred_moments_goes_on_and_ends_with_the_same_report() {
    let sandbox = thirty();
    let whole = without_seen(json(&sandbox, &["verify", "LOG"]));
    let slowly = ["verify", "LOG", "--seen", "SEEN", "--jobs", "1", "--max-rate", "1MiB/s", "--quiet"];
    let (mut dice, mut kept) = (Dice::of(16), 0);
    for _ in 0..100 {
        let mut child = sandbox.command(&slowly).stdout(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(dice.roll(120) as u64));
        child.kill().expect("it is ours");
        wait(&mut child);
        let now = lines(&sandbox, "SEEN");
        assert!(now >= kept, "{kept} lines were kept, and now {now}");
        kept = now;
    }
    let report = json(&sandbox, &["verify", "LOG", "--seen", "SEEN"]);
    assert_eq!(report["seen"]["as_seen_count"], kept, "{}", report["seen"]);
    assert_eq!((&report["seen"]["broken_lines_count"], &report["seen"]["segments_count"]), (&0.into(), &30.into()));
    assert_eq!(without_seen(report), whole);
}

#[test]
fn an_interrupted_run_keeps_what_it_found_and_the_next_one_goes_on() {
    let sandbox = thirty();
    let slowly = ["verify", "LOG", "--seen", "SEEN", "--jobs", "1", "--max-rate", "200KiB/s"];
    let mut child = sandbox.command(&slowly).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    let begun = Instant::now();
    while lines(&sandbox, "SEEN") == 0 && begun.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let kept = lines(&sandbox, "SEEN");
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.is_ok_and(|status| status.success()));
    assert_eq!(code(wait(&mut child)), 130);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("it was piped"), &mut said).expect("it is text");
    assert_eq!(said, "interrupted: what was found is kept in SEEN; the same command goes on from there\n");
    let report = json(&sandbox, &["verify", "LOG", "--seen", "SEEN"]);
    let as_seen = report["seen"]["as_seen_count"].as_u64().expect("a number");
    assert!((kept.max(1) as u64..29).contains(&as_seen), "{kept} lines were kept before, {as_seen} segments are as seen");
    assert_eq!(without_seen(report), without_seen(json(&sandbox, &["verify", "LOG"])));
}

#[test]
fn parts_that_keep_one_file_at_once_lose_no_line() {
    let sandbox = thirty();
    let part = |number: usize| {
        let part = format!("{number}/8");
        let words = ["verify", "LOG", "--seen", "SEEN", "--part", &part, "--quiet"];
        sandbox.command(&words).spawn().expect("it starts")
    };
    let mut parts: Vec<_> = (1..=8).map(part).collect();
    let codes: Vec<i32> = parts.iter_mut().map(|part| code(wait(part))).collect();
    assert_eq!(codes, [0; 8]);
    let report = json(&sandbox, &["verify", "LOG", "--seen", "SEEN"]);
    assert_eq!((&report["seen"]["as_seen_count"], &report["verdict"]), (&29.into(), &"corrupt".into()), "{}", report["seen"]);
    assert_eq!(without_seen(report), without_seen(json(&sandbox, &["verify", "LOG"])));
    let beside = sandbox.files(".").into_iter().filter(|(name, _)| name.contains("unfinished")).count();
    assert_eq!(beside, 0);
}

#[test]
fn a_budget_of_bytes_is_kept_to_and_the_last_run_judges() {
    let sandbox = thirty();
    let budget = ["verify", "LOG", "--seen", "SEEN", "--max-bytes", "100KiB", "--jobs", "1"];
    let mut left = 30;
    for run in 1.. {
        let ran = sandbox.run(&[&budget[..], &["--json"]].concat());
        let object: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
        if ran.code == 4 {
            assert_eq!((object["verdict"].as_str(), left > 0, run > 4), (Some("corrupt"), true, true));
            break;
        }
        assert_eq!((ran.code, object["verdict"].as_str()), (1, Some("not checked")), "{ran:?}");
        assert!(ran.stderr.contains("it goes on where this one ended"), "{ran:?}");
        let now = object["seen"]["left_count"].as_u64().expect("a number");
        assert!(now < left, "{now} of {left}");
        left = now;
    }
    let last = json(&sandbox, &budget);
    assert_eq!(without_seen(last), without_seen(json(&sandbox, &["verify", "LOG"])));
}

#[test]
fn a_change_that_keeps_the_time_of_its_file_is_noticed() {
    let sandbox = thirty();
    sandbox.run(&["verify", "LOG", "--seen", "SEEN"]);
    assert_eq!(json(&sandbox, &["verify", "LOG", "--seen", "SEEN"])["seen"]["as_seen_count"], 29);
    let path = sandbox.path().join("LOG/00000000000000000101.wal");
    let time = fs::metadata(&path).and_then(|meta| meta.modified()).expect("it has one");
    let mut bytes = fs::read(&path).expect("it is there");
    bytes[5000] ^= 1;
    let file = fs::OpenOptions::new().write(true).open(&path).expect("it is there");
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes, 0).expect("there is room");
    file.set_modified(time).expect("it is ours");
    let report = json(&sandbox, &["verify", "LOG", "--seen", "SEEN"]);
    assert_eq!((&report["seen"]["as_seen_count"], report["damage"].as_array().map(Vec::len)), (&28.into(), Some(3)), "{report}");
}

#[test]
fn a_file_of_somebody_else_is_left_as_it_is_and_the_verdict_stands() {
    let sandbox = thirty();
    let whole = without_seen(json(&sandbox, &["verify", "LOG"]));
    let long = [vec![b'x'; 40 << 20], b"\n".to_vec()].concat();
    for (name, content) in [("NOTES", &b"milk\neggs\n"[..]), ("BINARY", &[0, 0xff, b'\n', 7]), ("LONG", &long)] {
        fs::write(sandbox.path().join(name), content).expect("there is room");
        let ran = sandbox.run(&["verify", "LOG", "--seen", name, "--json"]);
        let report: Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
        assert_eq!((ran.code, &report["seen"]["kept"]), (4, &false.into()), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("it is left as it is, and nothing is kept"), "{name}: {}", ran.stderr);
        assert_eq!(without_seen(report), whole, "{name}");
        assert!(fs::read(sandbox.path().join(name)).is_ok_and(|now| now == content), "{name} was changed");
    }
    // A segment by another name is somebody else's file, too; by its own it is refused.
    fs::hard_link(sandbox.path().join("LOG/00000000000000000021.wal"), sandbox.path().join("LINK")).expect("links can be made");
    let before = sandbox.files("LOG");
    assert_eq!(sandbox.run(&["verify", "LOG", "--seen", "LINK"]).code, 4);
    for name in ["LOG/00000000000000000021.wal", "LOG/../LOG/00000000000000000099.wal", "00000000000000000007.wal", "000007.log"]
    {
        let ran = sandbox.run(&["verify", "LOG", "--seen", name]);
        assert_eq!((ran.code, ran.stderr.contains("is called like a segment of a")), (1, true), "{ran:?}");
    }
    assert!(!sandbox.path().join("000007.log").exists());
    assert_eq!(sandbox.files("LOG"), before);
    assert_eq!(sandbox.run(&["verify", "LOG", "--seen", "LOG"]).code, 1);
}

#[test]
fn lines_are_of_one_question_and_of_one_set_of_keys() {
    let sandbox = Sandbox::with("encrypted record a\nseal\nsegment\nencrypted record b\nseal\nsegment\nencrypted record c");
    let as_seen =
        |words: &[&str]| json(&sandbox, &[&["verify", "LOG", "--seen", "SEEN"], words].concat())["seen"]["as_seen_count"].clone();
    for words in [&[][..], &["--key-file", "KEYS"], &["--key-file", "KEYS", "--deep"]] {
        assert_eq!((as_seen(words), as_seen(words)), (0.into(), 2.into()), "{words:?}");
    }
    assert_eq!(lines(&sandbox, "SEEN"), 6);
    let text = fs::read_to_string(sandbox.path().join("SEEN")).expect("it is text");
    assert!(!text.contains(crate::support::recipe::KEY.trim()), "a key stands in the file");
    let ran = sandbox.run(&["verify", "LOG", "--seen", "SEEN", "--deep"]);
    assert_eq!(ran.code, 1, "without its key nothing is looked into: {ran:?}");
}

#[test]
fn several_logs_share_a_file_and_a_copy_of_one_is_another() {
    let sandbox = thirty();
    sandbox.log("OTHER", &(THIRTY.repeat(4) + "record tail"));
    let copied = finish(sandbox.shell("cp -a LOG COPY"), b"");
    assert_eq!(copied.code, 0);
    let counts = |words: &[&str]| -> Vec<u64> {
        let ran = sandbox.run(&[&["verify", "--seen", "SEEN", "--json"], words].concat());
        let objects = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).expect("it is JSON"));
        objects.map(|object| object["seen"]["as_seen_count"].as_u64().expect("a number")).collect()
    };
    assert_eq!(counts(&["LOG", "OTHER"]), [0, 0]);
    assert_eq!(counts(&["LOG", "OTHER", "COPY"]), [29, 4, 0]);
    // Swapped for another one, the log at a path is another log.
    assert_eq!(finish(sandbox.shell("mv LOG OLD && mv OTHER LOG && mv OLD OTHER"), b"").code, 0);
    assert_eq!(counts(&["LOG", "OTHER", "COPY"]), [4, 29, 29]);
}
