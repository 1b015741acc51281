//! Following the advice that is printed leads to an end, whatever is wrong: never in a circle, never to something that gains nothing.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use walctl::formats;

use crate::mend::HURT;
use crate::support::sandbox::{Ran, Sandbox, finish};

/// More steps than any advice needs.
const STEPS: usize = 12;

/// Logs with more than one thing wrong, and logs that were mended before.
pub const MORE: &[&str] = &[
    "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\ndrop segment 2\ncut 10",
    "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\ndrop segment 2\nin 1\nflip @1+42 1",
    "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\nsegment\nrecord delta\nsegment\nrecord epsilon\ndrop segment 4\ndrop segment 2",
    "record alpha\nrecord beta\nsegment\nrecord gamma\nin 1\ncut to @2",
    "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\nin 2\ncut to 4096",
    "record alpha\nhole 2 5 missing-segment\nrecord beta\nflip @6+42 1\nrecord gamma",
    "record alpha\nhole 2 5 missing-segment\nrecord beta\nsegment\nrecord gamma\nsegment\nrecord delta\ndrop segment 2",
    "record alpha\nhole 3 5 of-another-range\nrecord beta",
    "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\nsegment\nrecord delta\nrename 2 00000000000000000009.wal",
];

/// The first command that was advised.
fn advised(ran: &Ran) -> Option<String> {
    let mut lines = ran.stdout.lines().chain(ran.stderr.lines());
    let next = lines.find_map(|line| line.trim_start().strip_prefix("next: "))?;
    Some(command_of(next).to_owned())
}

/// What is to be typed, without the condition in front of it.
fn command_of(next: &str) -> &str {
    let condition = ["if ", "first "].iter().any(|word| next.starts_with(word));
    next.split_once(": walctl ").filter(|_| condition).map_or(next, |(condition, _)| &next[condition.len() + 2..])
}

/// Files with their content, by path.
type Files = Vec<(PathBuf, Vec<u8>)>;

/// Everything in the sandbox, by path.
fn state(dir: &Path) -> Files {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("the sandbox can be listed").map(|entry| entry.expect("its entries too")) {
        let path = entry.path();
        if path.is_dir() {
            files.extend(state(&path));
        } else {
            files.push((path.clone(), fs::read(path).expect("it can be read")));
        }
    }
    files.sort();
    files
}

/// Types what is advised until nothing more is, and gives how that ended.
fn follow(sandbox: &Sandbox, first: &str, what: &str) -> Ran {
    let mut line = first.to_owned();
    let mut seen: Vec<(String, Files)> = Vec::new();
    loop {
        let here = (line.clone(), state(sandbox.path()));
        let typed: Vec<&String> = seen.iter().map(|(line, _)| line).collect();
        assert!(!seen.contains(&here), "{what}: a circle: {typed:?}, then {line} again");
        assert!(seen.len() < STEPS, "{what}: no end: {typed:?}");
        let ran = finish(sandbox.shell(&line), b"");
        let next = advised(&ran);
        let lacks_key = next.as_deref().is_some_and(|next| next.contains("--key-file FILE"));
        let done = !matches!(ran.code, 1 | 101) || lacks_key;
        assert!(done, "{what}: {line} was advised and cannot be done: {}{}", ran.stdout, ran.stderr);
        let Some(next) = next else { return ran };
        // Words are for a human, and what is in capitals is for the human to fill in: both are an end.
        if !next.starts_with("walctl ") || next.contains("FILE") {
            return ran;
        }
        seen.push(here);
        line = next;
    }
}

#[test]
fn advice_about_a_log_of_ours_ends_with_a_clean_log() {
    let recipes = HURT.iter().map(|(_, _, recipe)| *recipe).chain(MORE.iter().copied());
    for recipe in recipes {
        for first in ["walctl verify LOG", "walctl repair LOG"] {
            let sandbox = Sandbox::with(recipe);
            let ran = follow(&sandbox, first, recipe);
            assert_eq!(ran.code, 0, "{recipe}: {first}: {}{}", ran.stdout, ran.stderr);
            let logs = fs::read_dir(sandbox.path()).expect("it lists").map(|entry| entry.expect("an entry").file_name());
            let logs: Vec<String> = logs.map(|name| name.to_string_lossy().into_owned()).filter(|name| name != "KEYS").collect();
            let clean = logs.iter().any(|log| sandbox.run(&["verify", log]).code == 0);
            assert!(clean, "{recipe}: {first}: nothing in {logs:?} is clean");
        }
    }
}

#[test]
fn no_repair_that_verify_advises_is_refused() {
    let more = [
        "record alpha\nflip 40 0",
        "record alpha\nrecord beta\nrecord gamma\nrecord delta\nflip @2+42 1\ncut 10",
        "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\nrecord delta\ndrop segment 2\ncut 10",
    ];
    let mut tried = 0;
    for recipe in HURT.iter().map(|(_, _, recipe)| *recipe).chain(MORE.iter().copied()).chain(more) {
        let report: Value =
            serde_json::from_str(&Sandbox::with(recipe).run(&["verify", "LOG", "--json"]).stdout).expect("one object");
        for damage in report["damage"].as_array().expect("a list") {
            let next = command_of(damage["next"].as_str().expect("each has advice"));
            if !next.starts_with("walctl repair") {
                continue;
            }
            let ran = finish(Sandbox::with(recipe).shell(&format!("{next} --json")), b"");
            let answer: Value = serde_json::from_str(ran.stdout.lines().next().unwrap_or_default()).unwrap_or(Value::Null);
            assert!(answer.get("refused").is_none_or(Value::is_null), "{recipe}: {next}: {}", answer["refused"]);
            tried += 1;
        }
    }
    assert!(tried > 20, "{tried} pieces of advice");
}

#[test]
fn a_bare_hole_is_not_offered_a_salvage_that_gains_nothing() {
    let recipe = "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\ndrop segment 2";
    let sandbox = Sandbox::with(recipe);
    for words in [&["verify", "LOG"][..], &["repair", "LOG"]] {
        let ran = sandbox.run(words);
        assert_eq!(advised(&ran).as_deref(), Some("walctl repair LOG --accept-hole 2..2 --yes"), "{words:?}");
    }
    let report: Value = serde_json::from_str(&sandbox.run(&["verify", "LOG", "--json"]).stdout).expect("one object");
    let next = report["damage"][0]["next"].as_str().expect("there is advice");
    assert_eq!(next, "if no copy of the segment is left anywhere: walctl repair LOG --accept-hole 2..2 --yes");
    assert_eq!(finish(sandbox.shell(command_of(next)), b"").code, 0, "what is printed is complete");
}

#[test]
fn advice_about_logs_of_other_systems_comes_to_an_end() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut followed = 0;
    for format in formats::ALL.iter().map(|format| format.name).filter(|name| *name != "native") {
        for case in fs::read_dir(root.join(format)).expect("fixtures").map(|entry| entry.expect("an entry").path()) {
            let name = case.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let words = ["bitflip", "bit_flip", "missing", "removed", "zero", "torn", "garbage", "bad_", "cut"];
            let hurt = words.iter().any(|word| name.contains(word));
            if !hurt || !case.join("wal").is_dir() {
                continue;
            }
            let sandbox = Sandbox::new();
            copy(&case.join("wal"), &sandbox.path().join("LOG"));
            let first = format!("walctl verify LOG --format {format}");
            follow(&sandbox, &first, &format!("{format}/{name}"));
            followed += 1;
        }
    }
    assert!(followed > 90, "{followed} fixtures");
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the sandbox has room");
    for entry in fs::read_dir(from).expect("it lists").map(|entry| entry.expect("an entry")) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("the sandbox has room");
        }
    }
}
