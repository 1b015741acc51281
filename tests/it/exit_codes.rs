//! Every exit code, by the situation that leads to it.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use crate::support::sandbox::{Sandbox, finish};

/// What is the case, the log, the command, its exit code.
const SITUATIONS: &[(&str, &str, &str, i32)] = &[
    ("a clean log", "record a\nclose", "walctl verify LOG", 0),
    ("a log that was never closed", "record a", "walctl verify LOG", 0),
    ("help", "", "walctl --help", 0),
    ("the version", "", "walctl --version", 0),
    ("no such log", "", "walctl verify nowhere", 1),
    ("an empty folder", "", "walctl verify LOG", 1),
    ("a folder without logs", "file notes.txt hello", "walctl verify LOG", 1),
    ("an unknown version", "record a\nversion 2", "walctl verify LOG", 1),
    ("an unknown flag in the header", "record a\nflags 8", "walctl verify LOG", 1),
    ("a key file that is none", "record a", "echo zz >BAD; walctl verify LOG --key-file BAD", 1),
    ("a key file that is not there", "record a", "walctl verify LOG --key-file nowhere", 1),
    ("no command", "", "walctl", 2),
    ("no path", "", "walctl verify", 2),
    ("an unknown flag", "record a", "walctl verify LOG --nonsense", 2),
    ("an unknown format", "record a", "walctl verify LOG --format nonsense", 2),
    ("a torn tail", "record a\nrecord b\ncut 10", "walctl verify LOG", 3),
    ("a suspect tail", "record a\nrecord b\nflip @2+40 0", "walctl verify LOG", 3),
    ("a torn tail, quietly", "record a\nrecord b\ncut 10", "walctl verify LOG --quiet", 3),
    ("a torn tail, as JSON", "record a\nrecord b\ncut 10", "walctl verify LOG --json", 3),
    ("a corrupt record", "record a\nrecord b\nrecord c\nflip @2+40 0", "walctl verify LOG", 4),
    ("a missing segment", "record a\nsegment\nrecord b\nsegment\nrecord c\ndrop segment 2", "walctl verify LOG", 4),
    ("a segment of another log", "record a\nsegment\nrecord b\nother log\nsegment\nrecord c", "walctl verify LOG", 4),
    ("a torn and a corrupt log", "record a\nrecord b\nrecord c\nflip @2+40 0", "walctl verify LOG TORN CLEAN", 4),
    ("a corrupt log and none", "record a\nrecord b\nrecord c\nflip @2+40 0", "walctl verify LOG nowhere TORN", 1),
    ("a torn log and a clean one", "record a", "walctl verify LOG TORN CLEAN", 3),
];

#[test]
fn each_situation_ends_with_its_code() {
    let mut wrong = Vec::new();
    for (situation, recipe, line, code) in SITUATIONS {
        let sandbox = Sandbox::with(recipe);
        sandbox.log("TORN", "record a\nrecord b\ncut 10");
        sandbox.log("CLEAN", "record a");
        let ran = finish(sandbox.shell(line), b"");
        if ran.code != *code {
            wrong.push(format!("{situation}: {line}: {} and not {code}\n{}{}", ran.code, ran.stdout, ran.stderr));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn under_quiet_nothing_is_printed_but_failures() {
    let sandbox = Sandbox::with("record a\nrecord b\ncut 10");
    let ran = sandbox.run(&["verify", "LOG", "--quiet"]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", ""));
    let ran = sandbox.run(&["verify", "nowhere", "--quiet"]);
    assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{ran:?}");
}

#[test]
fn under_json_a_failure_is_one_object_on_the_last_line_of_standard_error() {
    let sandbox = Sandbox::with("record a\nversion 9");
    for (words, code) in [
        (&["verify", "--json", "nowhere"][..], 1),
        (&["verify", "--json", "LOG"], 1),
        (&["verify", "--json"], 2),
        (&["dump", "--json", "--nonsense"], 2),
    ] {
        let ran = sandbox.run(words);
        let last = ran.stderr.lines().last().unwrap_or_default();
        let object: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|e| panic!("{words:?}: {e}: {ran:?}"));
        let error = &object["error"];
        assert_eq!((ran.code, error["code"].as_i64()), (code, Some(i64::from(code))), "{words:?}");
        assert!(error["message"].is_string() && error.get("hint").is_some(), "{words:?}: {last}");
    }
}

#[test]
fn a_failure_names_the_command_that_failed_and_the_next_one() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["verify", "nowhere"]);
    assert!(ran.stderr.starts_with("walctl verify: "), "{ran:?}");
    assert!(ran.stderr.lines().nth(1).is_some_and(|line| line.starts_with("next: ")), "{ran:?}");
}

#[test]
fn interrupted_is_130() {
    let sandbox = Sandbox::new();
    // It waits for a log on a pipe that says nothing.
    let (reader, writer) = std::io::pipe().expect("a pipe can be made");
    let mut child =
        sandbox.command(&["verify", "-"]).stdin(reader).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let pid = rustix::process::Pid::from_child(&child);
    // Before the handler stands the signal itself ends the process: ask until one of the two has happened.
    let status = loop {
        if let Some(status) = child.try_wait().expect("it can be waited for") {
            break status;
        }
        if catches_interrupts(child.id()) {
            rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it is ours");
            break child.wait().expect("it can be waited for");
        }
    };
    drop(writer);
    assert_eq!((status.code(), status.signal()), (Some(130), None));
}

/// Whether a process has a handler for Ctrl-C, as the kernel tells.
fn catches_interrupts(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|mask| mask & 2 != 0)
}
