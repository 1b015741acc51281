//! What scrapers are given is read by a real parser; seals and scans tell the same.

use std::process::Command;

use crate::support::sandbox::{Sandbox, finish};
use crate::support::scrape::python;

const PARSE: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = {f.name: f for f in text_string_to_metric_families(sys.stdin.read())}
assert families['walctl_records'].samples[0].value == 3.0, families['walctl_records']
assert families['walctl_frame_size_bytes'].type == 'gaugehistogram'
logs = {s.labels['log'] for s in families['walctl_segments'].samples}
assert {s.labels['host'] for s in families['walctl_verdict'].samples} == {'db-7'}
assert logs == {'LOG', 'a \"b\" \\\\c'}, logs
";

#[test]
fn a_real_parser_reads_what_scrapers_are_given() {
    let Some(python) = python("prometheus_client") else { return };
    let sandbox = Sandbox::with("record a\nrecord b\nseal\nsegment\nrecord c\ncut 3");
    sandbox.log("a \"b\" \\c", "record a");
    let ran = sandbox.run(&["stats", "LOG", "a \"b\" \\c", "LOG", "--openmetrics", "--host", "db-7"]);
    let mut parser = Command::new(python);
    parser.args(["-c", PARSE]);
    let parsed = finish(parser, ran.stdout.as_bytes());
    assert_eq!(parsed.code, 0, "{}\n{}", parsed.stderr, ran.stdout);
}

#[test]
fn a_gate_does_not_hide_that_a_log_is_hurt() {
    let sandbox = Sandbox::with("record alpha\nrecord b\nrecord c\nflip @1+42 1");
    assert_eq!(sandbox.run(&["stats", "LOG", "--fail-if", "records>0"]).code, 4);
    let sandbox = Sandbox::with("record a");
    assert_eq!(sandbox.run(&["stats", "LOG", "--fail-if", "records>0"]).code, 7);
    assert_eq!(sandbox.run(&["stats", "LOG", "--fail-if", "records>1"]).code, 0);
}

#[test]
fn seals_and_a_scan_tell_the_same() {
    let sandbox = Sandbox::new();
    let mut append = sandbox.command(&["append", "LOG", "--segment-bytes", "8KiB", "--quiet"]);
    append.env_remove("COLUMNS");
    let input: String = (0..2000).map(|n| format!("record {n} {}\n", "x".repeat(n % 50))).collect();
    let ran = finish(append, input.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let json = |words: &[&str]| -> serde_json::Value {
        let ran = sandbox.run(words);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).expect("one object")
    };
    let (quick, scan) = (json(&["stats", "LOG", "--json"]), json(&["stats", "LOG", "--json", "--scan"]));
    assert_eq!((&quick["scanned"], &scan["scanned"]), (&false.into(), &true.into()));
    assert!(quick["segments_count"].as_u64() > Some(10), "{quick}");
    let segments = |value: &serde_json::Value| {
        let mut list = value["segments"].as_array().expect("a list").clone();
        list.iter_mut().for_each(|segment| segment["checked"] = true.into());
        list
    };
    assert_eq!(segments(&quick), segments(&scan));
    for key in ["records", "plain_bytes", "kinds", "tags", "groups", "frame_sizes", "group_sizes", "last_time"] {
        assert_eq!(quick[key], scan[key], "{key}");
    }
}

/// A log of twenty sealed segments, written by the writer itself.
fn sealed() -> Sandbox {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["append", "LOG", "--segment-records", "10", "--count", "205", "--quiet"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    sandbox
}

#[test]
fn a_missing_segment_is_missed_without_a_scan() {
    let sandbox = sealed();
    std::fs::remove_file(sandbox.path().join("LOG/00000000000000000101.wal")).expect("it was sealed");
    for scan in [&[][..], &["--scan"]] {
        let words = |rest: &[&'static str]| [&["stats", "LOG"], rest, scan].concat();
        let ran = sandbox.run(&words(&["--json"]));
        let value: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one object");
        assert_eq!(
            (ran.code, value["verdict"].as_str(), value["damage_count"].as_u64()),
            (4, Some("missing"), Some(1)),
            "{scan:?}"
        );
        assert_eq!(value["records"], 195, "{scan:?}");
        let metrics = sandbox.run(&words(&["--openmetrics"]));
        assert!(metrics.stdout.contains("walctl_damage{log=\"LOG\",format=\"native\"} 1\n"), "{}", metrics.stdout);
        assert!(metrics.stdout.contains("walctl_verdict=\"missing\"} 1\n"), "{}", metrics.stdout);
        assert!(sandbox.run(&words(&["--fail-if", "damage>0"])).stderr.contains("damage > 0: it is 1"));
    }
}

#[test]
fn what_was_not_looked_at_is_not_called_clean() {
    let sandbox = sealed();
    // One flipped bit inside a sealed segment: only reading it can find that.
    let path = sandbox.path().join("LOG/00000000000000000101.wal");
    let whole = std::fs::read(&path).expect("it was sealed");
    let verdict = |words: &[&str]| {
        let ran = sandbox.run(words);
        let value: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one object");
        (ran.code, value["verdict"].as_str().map(str::to_owned), value["unchecked_segments"].as_u64())
    };
    for hurt in [false, true] {
        let mut bytes = whole.clone();
        bytes[4200] ^= u8::from(hurt);
        std::fs::write(&path, bytes).expect("the sandbox has room");
        assert_eq!(verdict(&["stats", "LOG", "--json"]), (0, Some("not checked".to_owned()), Some(20)));
        let (code, word) = if hurt { (4, "corrupt") } else { (0, "clean") };
        assert_eq!(verdict(&["stats", "LOG", "--json", "--scan"]), (code, Some(word.to_owned()), Some(0)));
    }
    let metrics = sandbox.run(&["stats", "LOG", "--openmetrics"]).stdout;
    assert!(metrics.contains("walctl_verdict=\"clean\"} 0\n") && metrics.contains("walctl_verdict=\"not checked\"} 1\n"));
    assert!(sandbox.run(&["stats", "LOG"]).stdout.contains("not checked: 20 segments, whose seals were believed"));
    assert_eq!(sandbox.run(&["stats", "LOG", "--fail-if", "unchecked_segments>0"]).code, 7);
}

#[test]
fn watching_what_is_not_there_ends_at_once() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["stats", "nowhere", "--watch"]);
    assert_eq!((ran.code, ran.stderr.lines().next()), (1, Some("walctl stats: cannot open nowhere: no such file or directory")));
}
