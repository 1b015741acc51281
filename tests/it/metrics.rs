//! What `verify --openmetrics` tells scrapers: it is read by real parsers, agrees with the report, and is there whatever happens.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::sandbox::{Ran, Sandbox, code, finish, wait};
use crate::support::scrape::samples;

/// The value of a sample whose labels stand in the order of their names.
fn of(samples: &BTreeMap<String, f64>, name: &str, labels: &str) -> Option<f64> {
    samples.get(&format!("walctl_verify_{name}{{{labels}}}")).copied()
}

/// The verdict that is set for these labels, which stand before `verdict`.
fn verdict(samples: &BTreeMap<String, f64>, labels: &str) -> String {
    let begin = format!("walctl_verify_verdict{{{labels},verdict=");
    let set: Vec<&str> =
        samples.iter().filter(|(_, value)| **value == 1.0).filter_map(|(name, _)| name.strip_prefix(&begin)).collect();
    assert_eq!(set.len(), 1, "{labels}: {set:?} in {samples:?}");
    set[0].trim_end_matches('}').to_owned()
}

/// Whatever ended the run, its text is whole.
fn whole(ran: &Ran) -> Option<BTreeMap<String, f64>> {
    assert!(ran.stdout.ends_with("\n# EOF\n"), "{ran:?}");
    samples(&ran.stdout)
}

#[test]
fn metrics_and_report_agree_on_logs_of_every_verdict() {
    let logs = [
        ("clean", "record a\nseal\nsegment\nrecord b\nclose"),
        ("torn", "record a\nrecord b\ncut 10"),
        ("suspect", "record a\nrecord b\nflip @2+40 1"),
        ("corrupt", "record alpha\nrecord b\nrecord c\nflip @1+42 1"),
        ("missing", "record a\nseal\nskip 7\nsegment\nrecord b"),
        ("foreign", "record a\nsegment\nrecord b\nother log\nsegment\nrecord c"),
        ("hole", "record a\nhole 2 9 gone since the fire\nrecord b"),
    ];
    for (name, recipe) in logs {
        let sandbox = Sandbox::new();
        sandbox.log("LOG", recipe);
        let expected =
            walctl::Verdict::ALL.iter().find(|verdict| verdict.name() == name).map_or("clean", |verdict| verdict.name());
        agree(&sandbox, name, Some(expected));
    }
    for fixture in ["rivven/clean_restarted", "etcd/bit_flip_mid", "redis/bad_length", "postgres/clean_multi", "sqlite/clean_4k"]
    {
        let sandbox = Sandbox::new();
        sandbox.fixture(fixture).expect("the fixture is there");
        agree(&sandbox, fixture, None);
    }
}

fn agree(sandbox: &Sandbox, about: &str, expected: Option<&str>) {
    let (json, metrics) = (sandbox.run(&["verify", "LOG", "--json"]), sandbox.run(&["verify", "LOG", "--openmetrics"]));
    assert_eq!((json.code, &json.stderr), (metrics.code, &metrics.stderr), "{about}");
    let Some(samples) = whole(&metrics) else { return };
    let reports: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    assert!(!reports.is_empty(), "{about}: {json:?}");
    let mut worst = 0.0;
    for report in reports {
        let text = |key: &str| report[key].as_str().unwrap_or_default().to_owned();
        let length = |key: &str| report[key].as_array().map(Vec::len).unwrap_or_default() as f64;
        let labels = format!("format={},log={}", text("format"), text("log"));
        assert_eq!(verdict(&samples, &labels), text("verdict"), "{about}");
        assert!(expected.is_none_or(|expected| expected == text("verdict")), "{about}: {report}");
        for (name, value) in [
            ("damage", length("damage")),
            ("known_holes", length("known_holes")),
            ("warnings", length("warnings")),
            ("segments", length("segments")),
            ("records", report["records"].as_f64().expect("a number")),
            ("valid_bytes", report["valid_bytes"].as_f64().expect("a number")),
            ("segments_unchecked", 0.0),
            ("segments_as_seen", 0.0),
        ] {
            assert_eq!(of(&samples, name, &labels), Some(value), "{about}: {name}");
        }
        let mut kinds: BTreeMap<&str, f64> = BTreeMap::new();
        for damage in report["damage"].as_array().expect("a list") {
            *kinds.entry(damage["kind"].as_str().expect("a name")).or_default() += 1.0;
        }
        for (kind, count) in kinds {
            let labels = format!("format={},kind={kind},log={}", text("format"), text("log"));
            assert_eq!(of(&samples, "damage_by_kind", &labels), Some(count), "{about}");
        }
        let answer = format!("answer={},{labels}", text("acknowledged_lost"));
        assert_eq!(of(&samples, "acknowledged_lost", &answer), Some(1.0), "{about}");
        worst = of(&samples, "exit_code", &labels).expect("each log has one").max(worst);
    }
    assert_eq!(
        (of(&samples, "run_exit_code", "paths=LOG"), worst),
        (Some(f64::from(json.code)), f64::from(json.code)),
        "{about}"
    );
}

#[test]
fn what_cannot_be_looked_at_is_not_checked_and_never_absent() {
    let sandbox = Sandbox::with("encrypted record a\nseal\nsegment\nencrypted record b");
    sandbox.log("odd \"name\" \\ \u{1b}[31m\n2", "record a");
    std::fs::create_dir_all(sandbox.path().join("NOTES/below")).expect("a folder can be made");
    std::fs::write(sandbox.path().join("NOTES/below/milk"), "eggs").expect("there is room");
    std::fs::write(sandbox.path().join("KEYS2"), format!("{}\n", "7".repeat(64))).expect("there is room");
    std::fs::write(sandbox.path().join("SEEN"), "").expect("there is room");
    let odd = "odd \"name\" \\ \u{1b}[31m\n2";
    let ran = sandbox.run(&["verify", "LOG", "nowhere", "NOTES", odd, "--openmetrics", "--host", "a\"b\\c"]);
    assert_eq!(ran.code, 1);
    let Some(samples) = whole(&ran) else { return };
    let named = |format: &str, log: &str| format!("format={format},host=a\"b\\c,log={log}");
    let odd = r#"odd "name" \ \x1b[31m\n2"#;
    for (format, log, expected, exit) in [
        ("native", "LOG", "clean", 0.0),
        ("", "nowhere", "not checked", 1.0),
        ("", "NOTES", "not checked", 1.0),
        ("native", odd, "clean", 0.0),
    ] {
        assert_eq!(verdict(&samples, &named(format, log)), expected, "{log}");
        assert_eq!(of(&samples, "exit_code", &named(format, log)), Some(exit), "{log}");
    }
    let run = format!("host=a\"b\\c,paths=LOG nowhere NOTES {odd}");
    assert_eq!(of(&samples, "run_exit_code", &run), Some(1.0));
    assert_eq!((of(&samples, "run_logs", &run), of(&samples, "run_logs_not_checked", &run)), (Some(4.0), Some(2.0)));
    // Without its key nothing is looked into, whatever the checksums say; and a file of what was seen that is none ends the run at once.
    for words in [
        &["verify", "LOG", "--deep", "--openmetrics"][..],
        &["verify", "LOG", "--key-file", "KEYS2", "--openmetrics"],
        &["verify", "LOG", "--key-file", "SEEN", "--openmetrics"],
        &["verify", "LOG", "--seen", "NOTES", "--openmetrics"],
    ] {
        let ran = sandbox.run(words);
        let samples = whole(&ran).expect("the parser was there just now");
        let format = if ran.stdout.contains("format=\"native\"") { "native" } else { "" };
        assert_eq!(
            (ran.code, verdict(&samples, &format!("format={format},log=LOG"))),
            (1, "not checked".to_owned()),
            "{words:?}"
        );
        assert_eq!(of(&samples, "run_exit_code", "paths=LOG"), Some(1.0), "{words:?}");
    }
}

#[test]
fn a_folder_above_many_logs_is_told_log_by_log() {
    let sandbox = Sandbox::new();
    sandbox.log("data/a/wal", "record a");
    sandbox.log("data/b/c/wal", "record a\nrecord b\ncut 10");
    std::fs::create_dir_all(sandbox.path().join("data/mongo/journal")).expect("a folder can be made");
    std::fs::write(sandbox.path().join("data/mongo/journal/WiredTigerLog.0000000001"), "whatever").expect("there is room");
    let ran = sandbox.run(&["verify", "data", "--openmetrics"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (3, ""));
    let Some(samples) = whole(&ran) else { return };
    assert_eq!(verdict(&samples, "format=native,log=data/a/wal"), "clean");
    assert_eq!(verdict(&samples, "format=native,log=data/b/c/wal"), "torn");
    let run = |name: &str| of(&samples, name, "paths=data");
    assert_eq!((run("run_logs"), run("run_logs_without_reader"), run("run_exit_code")), (Some(2.0), Some(1.0), Some(3.0)));
}

/// How many bytes a process has read by system calls. What it has open is no sign: while it waits for its rate, it has nothing open.
fn bytes_read(process: u32) -> u64 {
    let counts = std::fs::read_to_string(format!("/proc/{process}/io")).unwrap_or_default();
    counts.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).unwrap_or(0)
}

#[test]
fn an_interrupted_run_says_how_far_it_came() {
    let sandbox = Sandbox::with("record a");
    sandbox.log("BIG", &("times 4000 fill 900 100\nseal\nsegment\n".repeat(2) + "record tail"));
    for (seen, signal) in [(&[][..], "-INT"), (&["--seen", "SEEN"][..], "-TERM")] {
        let words = [
            &["verify", "LOG", "BIG", "nowhere", "--openmetrics", "--io", "read", "--jobs", "1", "--max-rate", "500KiB/s"],
            seen,
        ]
        .concat();
        let child = sandbox.command(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        // It reads the second log, so it is done with the first one. It waits with a segment open after each megabyte, for seconds.
        let begun = Instant::now();
        while bytes_read(child.id()) < 1_000_000 {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not come to the second log");
            std::thread::sleep(Duration::from_millis(2));
        }
        let begun = Instant::now();
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        let output = child.wait_with_output().expect("it ends");
        assert!(begun.elapsed() < Duration::from_secs(20), "it is asked to end, and goes on");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let ran = Ran { code: code(output.status), stdout: text(&output.stdout), stderr: text(&output.stderr) };
        assert_eq!(ran.code, 130, "{ran:?}");
        let Some(samples) = whole(&ran) else { return };
        assert_eq!(verdict(&samples, "format=native,log=LOG"), "clean");
        assert_eq!(verdict(&samples, "format=native,log=BIG"), "not checked");
        assert_eq!(verdict(&samples, "format=,log=nowhere"), "not checked");
        assert_eq!(of(&samples, "exit_code", "format=,log=nowhere"), Some(130.0));
        assert_eq!(of(&samples, "run_exit_code", "paths=LOG BIG nowhere"), Some(130.0));
    }
}

#[test]
fn the_oldest_reading_is_told_and_what_was_left_out_is_counted() {
    let sandbox = Sandbox::with(&("record a\nseal\nsegment\n".repeat(5) + "record tail"));
    let at = |words: &[&str]| samples(&sandbox.run(&[&["verify", "LOG", "--openmetrics"], words].concat()).stdout);
    let labels = "format=native,log=LOG";
    let Some(first) = at(&["--seen", "SEEN"]) else { return };
    let second = at(&["--seen", "SEEN"]).expect("the parser was there just now");
    let told = |samples: &BTreeMap<String, f64>, name: &str| of(samples, name, labels).expect("it is told");
    assert_eq!((told(&first, "segments_as_seen"), told(&second, "segments_as_seen")), (0.0, 5.0));
    assert_eq!(told(&first, "oldest_seen_timestamp_seconds"), told(&first, "checked_timestamp_seconds"));
    let [begun, finished] = ["run_started_timestamp_seconds", "run_finished_timestamp_seconds"]
        .map(|name| of(&first, name, "paths=LOG").expect("it is told"));
    let oldest = told(&second, "oldest_seen_timestamp_seconds");
    assert!(begun <= oldest && oldest <= finished, "{begun} <= {oldest} <= {finished}");
    assert!(told(&second, "checked_timestamp_seconds") >= finished);
    let ends = at(&["--ends"]).expect("the parser was there just now");
    assert_eq!((told(&ends, "segments_unchecked"), verdict(&ends, labels).as_str()), (6.0, "not checked"));
    assert_eq!(of(&ends, "oldest_seen_timestamp_seconds", labels), None);
    let part = at(&["--seen", "PART", "--part", "1/3"]).expect("the parser was there just now");
    assert_eq!((told(&part, "segments_unchecked"), told(&part, "exit_code")), (4.0, 0.0));
    assert_eq!(verdict(&part, labels), "not checked");
}

#[test]
fn a_run_that_is_killed_leaves_no_text_that_passes_for_a_whole_one() {
    let sandbox = Sandbox::with(&("times 200 fill 900 100\nseal\nsegment\n".repeat(9) + "record tail"));
    let words = ["verify", "LOG", "--openmetrics", "--jobs", "1", "--max-rate", "200KiB/s"];
    let mut child = sandbox.command(&words).stdout(Stdio::piped()).spawn().expect("it starts");
    std::thread::sleep(Duration::from_millis(200));
    child.kill().expect("it is ours");
    wait(&mut child);
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().expect("it was piped"), &mut said).expect("it is text");
    assert!(!said.contains("# EOF"), "{said}");
    let full = finish(sandbox.shell("walctl verify LOG --openmetrics >/dev/full"), b"");
    assert_eq!((full.code, full.stderr.contains("no space left")), (1, true), "{full:?}");
}
