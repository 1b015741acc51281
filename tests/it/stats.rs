//! What scrapers are given is read by a real parser; seals and scans tell the same.

use std::process::Command;

use crate::support::sandbox::{Sandbox, finish};
use crate::support::scrape::{python, samples};

const PARSE: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = {f.name: f for f in text_string_to_metric_families(sys.stdin.read())}
assert families['walctl_records'].samples[0].value == 3.0, families['walctl_records']
assert families['walctl_frame_size_bytes'].type == 'histogram'
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
    // The textfile collector reads it as the older format.
    let read = samples(&ran.stdout).expect("the parser was there just now");
    let of_log = |name: &&String| name.starts_with("walctl_verdict{format=native,host=db-7,log=LOG,verdict=");
    let verdicts: Vec<f64> = read.keys().filter(of_log).map(|name| read[name]).collect();
    assert!(verdicts.len() > 7 && verdicts.iter().sum::<f64>() == 1.0, "{read:?}");
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
        assert!(metrics.stdout.contains("verdict=\"missing\"} 1\n"), "{}", metrics.stdout);
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
    assert!(metrics.contains("verdict=\"clean\"} 0\n") && metrics.contains("verdict=\"not checked\"} 1\n"));
    assert!(sandbox.run(&["stats", "LOG"]).stdout.contains("not checked: 20 segments, whose seals were believed"));
    assert_eq!(sandbox.run(&["stats", "LOG", "--fail-if", "unchecked_segments>0"]).code, 7);
}

#[test]
fn watching_what_is_not_there_ends_at_once() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["stats", "nowhere", "--watch"]);
    assert_eq!((ran.code, ran.stderr.lines().next()), (1, Some("walctl stats: cannot open nowhere: no such file or directory")));
}

/// A log of any kind, and stretches of it: how many records dump shows of one is how many are counted.
fn agrees_with_dump(sandbox: &Sandbox, what: &str, scopes: &[&[&str]]) {
    for scope in scopes {
        let words = |first: &[&'static str]| [first, *scope].concat();
        let shown = sandbox.run(&words(&["dump", "LOG", "--json"]));
        let lines: Vec<serde_json::Value> =
            shown.stdout.lines().map(|line| serde_json::from_str(line).expect("a record a line")).collect();
        let mut told = Vec::new();
        for jobs in ["1", "2", "5"] {
            let ran = sandbox.run(&[words(&["stats", "LOG", "--json"]).as_slice(), &["--jobs", jobs]].concat());
            let stats: serde_json::Value =
                serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{what} {scope:?}: {ran:?}"));
            assert_eq!(stats["records"], lines.len(), "{what} {scope:?}: {}", ran.stdout);
            assert_ne!(stats["verdict"], "clean", "{what} {scope:?}: not all of it was looked at");
            assert_eq!(stats["all_prepared_known"], what.starts_with("native"), "{what} {scope:?}: their ends may be elsewhere");
            let by_manager = stats["breakdowns"].as_array().expect("a list").iter().find(|each| each["by"] == "resource manager");
            assert!(by_manager.is_none_or(|each| each["count"] == lines.len()), "{what} {scope:?}: {}", ran.stdout);
            assert!(
                by_manager.is_some() || lines.is_empty() || !what.starts_with("postgres"),
                "{what} {scope:?}: {}",
                ran.stdout
            );
            let ends = |key: &str, line: Option<&serde_json::Value>| {
                assert!(
                    line.is_none_or(|line| line["lsn"].is_null() || stats[key] == line["lsn"]),
                    "{what} {scope:?} {key}: {stats}"
                );
            };
            ends("first_lsn", lines.iter().min_by_key(|line| line["lsn"].as_u64()));
            let compared = ["records", "kinds", "tags", "breakdowns", "pauses", "frame_sizes", "segments", "rates"];
            told.push(compared.map(|key| stats[key].clone()));
        }
        assert!(
            told.iter().all(|one| *one == told[0]),
            "{what} {scope:?}: the number of threads changes what is counted: {told:?}"
        );
    }
}

#[test]
fn a_stretch_counts_what_dump_shows_of_it_whatever_the_number_of_threads() {
    let sandbox = sealed();
    agrees_with_dump(
        &sandbox,
        "native",
        &[
            &["--lsn", "15..37"],
            &["--lsn", "..10"],
            &["--lsn", "-7.."],
            &["--lsn", "500.."],
            &["--since", "yesterday"],
            &["--until", "yesterday"],
        ],
    );
    let sandbox = Sandbox::new();
    let mut append = sandbox.command(&["append", "LOG", "--json", "--segment-records", "4", "--quiet"]);
    append.env_remove("COLUMNS");
    let line = |n: u32| {
        let size = "x".repeat(n as usize % 40);
        format!("{{\"payload\": \"{size}\", \"tag\": {}, \"time\": \"2026-03-0{}T10:00:{:02}Z\"}}\n", n % 3, 1 + n / 20, n % 20)
    };
    let ran = finish(append, (0..100).map(line).collect::<String>().as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let scopes: &[&[&str]] = &[
        &["--since", "2026-03-02T10:00:07Z"],
        &["--until", "2026-03-03T10:00:07Z"],
        &["--since", "2026-03-02T10:00:07Z", "--until", "2026-03-03T10:00:07Z"],
        &["--since", "2026-03-02T10:00:07Z", "--lsn", "20..40"],
        &["--since", "2027-01-01"],
    ];
    agrees_with_dump(&sandbox, "native by time", scopes);
    for fixture in ["kafka/multi_segment", "postgres/clean_multi"] {
        let sandbox = Sandbox::new();
        sandbox.fixture(fixture).expect("it is there");
        agrees_with_dump(&sandbox, fixture, &[&["--lsn", "3..9"], &["--lsn", "-2.."], &["--until", "2020-01-01"]]);
    }
}

#[test]
fn a_scan_counts_the_same_whatever_the_number_of_threads() {
    for fixture in ["kafka/multi_segment", "postgres/clean_multi", "rivven/bitflip_mid", "native"] {
        let sandbox = if fixture == "native" { sealed() } else { Sandbox::new() };
        if fixture != "native" {
            sandbox.fixture(fixture).expect("it is there");
        }
        let count = |jobs: &str| {
            let ran = sandbox.run(&["stats", "LOG", "--scan", "--json", "--jobs", jobs]);
            let mut stats: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one object");
            // These are measured anew each time.
            for measured in ["scan_bytes_per_second", "replay_seconds", "age_seconds"] {
                stats[measured] = serde_json::Value::Null;
            }
            (ran.code, stats)
        };
        let one = count("1");
        assert!(["2", "8"].iter().all(|jobs| count(jobs) == one), "{fixture}: {one:?}");
    }
}
