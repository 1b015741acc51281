//! Lines that are printed on several threads are those that one prints.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;

use crate::support::sandbox::{Ran, Sandbox};

/// A log of several segments with records of every length, some of them longer than is held in memory at once.
fn large() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut lines = Vec::new();
    for n in 0..30_000u32 {
        let length = if n % 9_000 == 8_999 { 300_000 } else { n as usize % 90 };
        let fill = if n % 5 == 0 { "\u{fc}\\\"x" } else { "abcd" };
        lines.push(format!("{n} {}", fill.repeat(length / 4 + 1)));
    }
    fs::write(sandbox.path().join("in"), lines.join("\n") + "\n").expect("room");
    let fed = sandbox.shell("walctl append LOG --sync none --segment-bytes 256KiB --quiet < in").status().expect("a shell");
    assert!(fed.success());
    sandbox
}

fn dump(sandbox: &Sandbox, jobs: &str, more: &[&str]) -> Ran {
    sandbox.run(&[&["dump", "LOG", "--jobs", jobs][..], more].concat())
}

fn demand_equal(sandbox: &Sandbox, what: &str) {
    for more in [
        &["--json"][..],
        &["--csv"],
        &["--raw"],
        &["--raw", "--delimiter", "nul"],
        &["--grep", "7"],
        &["--json", "--grep", "7"],
        &["--raw", "--grep", "abcd"],
        &["--json", "--lsn", "2000..20000"],
        &["--csv", "--payload", "hex"],
        &["--json", "--frames"],
    ] {
        let one = dump(sandbox, "1", more);
        for jobs in ["2", "5"] {
            let several = dump(sandbox, jobs, more);
            assert_eq!((several.code, &several.stderr), (one.code, &one.stderr), "{what}: {more:?} with {jobs}");
            assert!(several.stdout == one.stdout, "{what}: {more:?} with {jobs}: other lines");
        }
        assert!(one.stdout.len() > 100_000, "{what}: {more:?} shows little");
    }
}

#[test]
fn what_no_key_opens_is_not_searched_on_any_thread_and_told() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path().join("KEYS"), "5a".repeat(32) + "\n").expect("room");
    let fed = sandbox.shell(
        "seq -f 'plain %06.0f needle' 1 20000 | walctl append LOG --sync none --quiet
         seq -f 'secret %06.0f needle' 1 20000 | walctl append LOG --sync none --quiet --key-file KEYS",
    );
    assert!(crate::support::sandbox::finish(fed, b"").code == 0);
    for more in [&["--json"][..], &["--csv"]] {
        let ran = ["1", "3"].map(|jobs| dump(&sandbox, jobs, &[&["--grep", "needle"], more].concat()));
        assert!(ran[0].stdout == ran[1].stdout, "{more:?}");
        assert!(ran[0].stdout.matches("plain").count() == 20_000 && !ran[0].stdout.contains("secret"), "{more:?}");
        assert_eq!((ran[0].code, &ran[0].stderr), (ran[1].code, &ran[1].stderr), "{more:?}");
        assert!(ran[0].stderr.contains("not all records were searched: from LSN 20001 on"), "{}", ran[0].stderr);
    }
}

#[test]
fn lines_of_several_threads_stand_in_the_order_of_the_log_and_are_the_same() {
    let sandbox = large();
    demand_equal(&sandbox, "whole");
    let segment = fs::read_dir(sandbox.path().join("LOG")).expect("a log").map(|entry| entry.expect("a file").path());
    let mut segments: Vec<_> = segment.filter(|path| path.extension().is_some_and(|kind| kind == "wal")).collect();
    segments.sort();
    let file = OpenOptions::new().write(true).open(&segments[1]).expect("it is there");
    file.write_all_at(&[0xa5; 3000], 100_000).expect("it takes bytes");
    let hurt = dump(&sandbox, "4", &["--json"]);
    assert!(hurt.code == 4 && hurt.stdout.contains("\"after_damage\":true"), "{}", hurt.stderr);
    demand_equal(&sandbox, "hurt");
}

#[test]
fn a_reader_that_has_seen_enough_ends_all_threads() {
    let sandbox = large();
    let ran = crate::support::sandbox::finish(
        sandbox.shell("walctl dump LOG --json --jobs 4 | head -n 3 | wc -l; echo ${PIPESTATUS[0]}"),
        b"",
    );
    assert_eq!(ran.stdout.split_whitespace().next(), Some("3"), "{}{}", ran.stdout, ran.stderr);
}
