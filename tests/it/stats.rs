//! What scrapers are given is read by a real parser; seals and scans tell the same.

use std::process::Command;

use crate::support::sandbox::{Sandbox, finish};

const PARSE: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = {f.name: f for f in text_string_to_metric_families(sys.stdin.read())}
assert families['walctl_records'].samples[0].value == 3.0, families['walctl_records']
assert families['walctl_frame_size_bytes'].type == 'gaugehistogram'
logs = {s.labels['log'] for s in families['walctl_segments'].samples}
assert logs == {'LOG', 'a \"b\" \\\\c'}, logs
";

#[test]
fn a_real_parser_reads_what_scrapers_are_given() {
    // The system's packages belong to the system's Python, which need not be the first one on the path.
    let has_it =
        |python: &&str| Command::new(python).args(["-c", "import prometheus_client"]).output().is_ok_and(|o| o.status.success());
    let Some(python) = ["python3", "/usr/bin/python3"].into_iter().find(has_it) else {
        assert!(std::env::var_os("CI").is_none(), "prometheus_client is missing");
        return;
    };
    let sandbox = Sandbox::with("record a\nrecord b\nseal\nsegment\nrecord c\ncut 3");
    sandbox.log("a \"b\" \\c", "record a");
    let ran = sandbox.run(&["stats", "LOG", "a \"b\" \\c", "--openmetrics"]);
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
    assert!(quick["segments"].as_u64() > Some(10), "{quick}");
    for key in ["records", "plain_bytes", "kinds", "tags", "groups", "frame_sizes", "group_sizes", "segment_list", "last_time"] {
        assert_eq!(quick[key], scan[key], "{key}");
    }
}
