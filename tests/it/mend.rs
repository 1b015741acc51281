//! What each command does about each kind of damage, as the README tells it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use walctl::model::CATALOGUE;

use crate::support::sandbox::Sandbox;

/// A kind of damage, where it is, and a log that has it.
pub const HURT: &[(&str, &str, &str)] = &[
    ("bad-checksum", "in the last frame", "record alpha\nrecord beta\nflip @2+42 1"),
    ("bad-checksum", "before frames of later groups", "record alpha\nrecord beta\nflip @1+42 1"),
    ("cut-short", "at the end", "record alpha\nrecord beta\ncut 10"),
    ("zeroed", "at the end", "record alpha\nfill 700 1\nzeros 900\nzero @2+100 640"),
    ("zeroed", "in the last group", "record alpha\ngroup\nfill 700\nrecord beta\nsync\nzero @2 740"),
    ("zeroed", "before frames of later groups", "record alpha\nfill 700\nrecord beta\nzero @2 740"),
    (
        "not-a-frame",
        "at the end",
        "record alpha\nraw 010203040506070801020304050607080102030405060708010203040506070801020304050607080102030405060708",
    ),
    ("bad-header", "one bit of it", "record alpha\nrecord beta\nflip 20 3"),
    ("unfinished-segment", "the last file", "record alpha\nsegment\ncut to 100"),
    ("broken-batch", "at the end", "record alpha\nbatch\nrecord beta\nrecord gamma\nend\ncut to @3"),
    ("broken-record", "at the end", "record alpha\nsplit 3 record abcdefghi\ncut to @4"),
    ("lsn-gap", "between two frames", "record alpha\nlsn 5 record beta"),
    ("lsn-back", "between two frames", "record alpha\nrecord beta\nlsn 1 record gamma"),
    ("missing-segment", "between two others", "record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\ndrop segment 2"),
    ("other-log", "a segment", "record alpha\nsegment\nrecord beta\nother log\nsegment\nrecord gamma"),
    ("broken-chain", "a segment", "record alpha\nchain 12345\nsegment\nrecord beta"),
    ("wrong-name", "a segment", "record alpha\nsegment\nrecord beta\nrename 2 00000000000000000009.wal"),
];

/// The same of logs that only a key opens.
const HURT_BEHIND_A_KEY: &[(&str, &str, &str)] = &[
    ("plaintext-frame", "in an encrypted segment", "encrypted record alpha\nrecord beta\nencrypted record gamma"),
    ("downgraded", "a segment", "encrypted record alpha\nsegment\nunbound\nencrypted record beta"),
];

/// Kinds that no bytes of a small log can have: they need a failing disk, a ledger, or a digest that was forged. The README names them
/// under the table.
const OTHERS: &[&str] = &["bad-payload", "bad-seal", "read-error", "ledger-lost"];

/// The heading of the README's section on damage.
const SECTION: &str = "## Damage and how it is mended\n";

fn json(sandbox: &Sandbox, words: &[&str]) -> (i32, Value) {
    let ran = sandbox.run(words);
    let line = ran.stdout.lines().next().unwrap_or_else(|| panic!("{words:?}: {}", ran.stderr));
    (ran.code, serde_json::from_str(line).expect("one object"))
}

/// What `repair` does, in words; and that a second time changes nothing, and that undo brings every byte back.
fn repair(recipe: &str) -> String {
    let sandbox = Sandbox::with(recipe);
    let before = sandbox.files("LOG");
    let (code, answer) = json(&sandbox, &["repair", "LOG", "--json"]);
    let (words, flags): (String, &[&str]) = match (code, answer["refused"]["kind"].as_str()) {
        (0, None) => ("cuts".into(), &[]),
        (3, Some("suspect")) => ("cuts with `--accept-suspect`".into(), &["--accept-suspect"]),
        (3 | 4, Some(_)) => {
            assert_eq!(sandbox.files("LOG"), before, "{recipe}");
            return format!("refuses ({code})");
        }
        other => panic!("{recipe}: {other:?}"),
    };
    let again: Vec<&str> = ["repair", "LOG", "--json"].into_iter().chain(flags.iter().copied()).collect();
    assert_eq!(json(&sandbox, &again).0, 0, "{recipe}");
    let mended = sandbox.files("LOG");
    let (code, nothing) = json(&sandbox, &again);
    assert_eq!((code, nothing["cuts"].as_array().map(Vec::len), sandbox.files("LOG") == mended), (0, Some(0), true), "{recipe}");
    assert_eq!(sandbox.run(&["verify", "LOG"]).code, 0, "{recipe}");
    assert_eq!(sandbox.run(&["repair", "LOG", "--undo"]).code, 0, "{recipe}");
    assert_eq!(sandbox.files("LOG"), before, "{recipe}");
    words
}

/// How many records `--salvage` keeps, from both sides of the damage; and that it leaves the log alone.
fn salvage(recipe: &str) -> String {
    let sandbox = Sandbox::with(recipe);
    let before = sandbox.files("LOG");
    let keys: &[&str] = if recipe.contains("encrypted") { &["--key-file", "KEYS"] } else { &[] };
    let words = [&["repair", "LOG", "--salvage", "NEW", "--json"], keys].concat();
    let (code, answer) = json(&sandbox, &words);
    assert_eq!((code, sandbox.files("LOG") == before), (0, true), "{recipe}");
    let kept = answer["records"].as_u64().expect("a number");
    let new = sandbox.run(&["dump", "NEW", "--json"]).stdout.lines().count() as u64;
    assert_eq!(kept, new, "{recipe}");
    // What is lost in the middle is a known hole of the new log.
    let report = json(&sandbox, &["verify", "NEW", "--json"]).1;
    let holes = report["known_holes"].as_array().expect("a list");
    let length = |hole: &Value| hole["last_lsn"].as_u64().expect("a number") - hole["first_lsn"].as_u64().expect("a number") + 1;
    assert_eq!(Some(holes.iter().map(length).sum()), answer["missing_count"].as_u64(), "{recipe}");
    assert_eq!(sandbox.run(&["verify", "NEW"]).code, 0, "{recipe}");
    kept.to_string()
}

fn row((kind, place, recipe): &(&str, &str, &str)) -> String {
    let sandbox = Sandbox::with(recipe);
    let (code, report) = json(&sandbox, &["verify", "LOG", "--json"]);
    let damage = report["damage"].as_array().expect("a list");
    assert!(damage.iter().any(|d| d["kind"] == *kind), "{recipe}: {damage:?}");
    let verdict = report["verdict"].as_str().expect("a word");
    let acknowledged = damage[0]["acknowledged"].as_str().expect("a word");
    let (repair, salvage) = (repair(recipe), salvage(recipe));
    format!("| `{kind}` {place} | {verdict} ({code}) | {acknowledged} | {repair} | {salvage} |\n")
}

#[test]
fn the_readme_tells_what_is_done_about_each_damage() {
    for entry in &CATALOGUE {
        let shown = HURT.iter().chain(HURT_BEHIND_A_KEY).any(|(kind, ..)| *kind == entry.name);
        assert_ne!(shown, OTHERS.contains(&entry.name), "{}", entry.name);
    }
    let expected: String = HURT.iter().chain(HURT_BEHIND_A_KEY).map(row).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).expect("there is a README");
    let (before, rest) = text.split_once(SECTION).expect("the section is there");
    let start = rest.find("|---|").expect("the section has a table");
    let start = start + rest[start..].find('\n').expect("a line ends") + 1;
    let end = start + rest[start..].split_inclusive('\n').take_while(|line| line.starts_with('|')).map(str::len).sum::<usize>();
    if rest[start..end] == expected {
        return;
    }
    assert!(std::env::var_os("UPDATE").is_some(), "the table should be\n{expected}");
    let new = format!("{before}{SECTION}{}{expected}{}", &rest[..start], &rest[end..]);
    fs::write(path, new).expect("the repository can be written to");
}

#[test]
fn the_readme_names_every_kind_of_damage_where_it_tells_of_damage() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is a README");
    let (_, rest) = text.split_once(SECTION).expect("the section is there");
    let section = rest.split("\n## ").next().unwrap_or_default();
    let lacking: Vec<&str> = CATALOGUE.iter().map(|e| e.name).filter(|name| !section.contains(&format!("`{name}`"))).collect();
    assert_eq!(lacking, [""; 0]);
}

/// System calls by which repair, undo and salvage change something.
const CHANGES: &[&str] = &["pwrite64", "ftruncate", "fsync", "fdatasync", "rename", "unlink", "mkdir"];

/// Runs a command, killed at the n-th call of a kind. True if it ended by itself.
fn killed_at(sandbox: &Sandbox, call: &str, n: usize, words: &[&str]) -> bool {
    let mut line = vec!["-f", "-qq", "-o", "TRACE"];
    let inject = format!("inject={call}:signal=SIGKILL:when={n}");
    line.extend(["-e", &inject, env!("CARGO_BIN_EXE_walctl")]);
    line.extend(words);
    let ran = std::process::Command::new("strace").args(line).current_dir(sandbox.path()).output().expect("strace starts");
    !fs::read_to_string(sandbox.path().join("TRACE")).expect("a trace").contains("killed by SIGKILL") && ran.status.success()
}

pub fn strace_is_there() -> bool {
    let there = std::process::Command::new("strace").arg("-V").output().is_ok_and(|o| o.status.success());
    assert!(there || std::env::var_os("CI").is_none(), "strace is missing");
    there
}

/// Kills a command at each change that it makes; `check` looks at what is left.
pub fn kill_everywhere(prepare: impl Fn() -> Sandbox, words: &[&str], check: impl Fn(&Sandbox, &str)) {
    let mut kills = 0;
    for call in CHANGES {
        for n in 1.. {
            let sandbox = prepare();
            let ended = killed_at(&sandbox, call, n, words);
            kills += usize::from(!ended);
            check(&sandbox, &format!("{words:?} killed at {call} {n}"));
            if ended {
                break;
            }
        }
    }
    assert!(kills >= 6, "{words:?} was killed only {kills} times");
}

/// Runs a command of which the n-th and all later calls of a kind fail.
fn failing(sandbox: &Sandbox, call: &str, error: &str, n: usize, words: &[&str]) -> (i32, String) {
    let inject = format!("inject={call}:error={error}:when={n}+");
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-qq", "-o", "TRACE", "-e", &inject, env!("CARGO_BIN_EXE_walctl")]).args(words);
    let ran = strace.current_dir(sandbox.path()).output().expect("strace starts");
    (ran.status.code().expect("it ends by itself"), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[test]
fn a_full_disk_stops_repair_before_it_cuts_and_the_message_says_what_helps() {
    if !strace_is_there() {
        return;
    }
    let recipe = "record alpha\nrecord beta\ncut 10";
    // The holder's name in the lock is the first thing written, and the only one that nobody needs.
    for n in [1, 2] {
        let sandbox = Sandbox::with(recipe);
        let before = sandbox.files("LOG");
        let (code, said) = failing(&sandbox, "pwrite64", "ENOSPC", n, &["repair", "LOG"]);
        assert_eq!((code, sandbox.files("LOG") == before), (6, true), "{said}");
        assert!(said.contains("cut-4144.walctl-unfinished: no space left on device; not all that was planned is done"), "{said}");
        assert!(said.contains("next: make room: df -h LOG; then run the same command again"), "{said}");
        assert_eq!(sandbox.run(&["repair", "LOG"]).code, 0);
    }
}

#[test]
fn a_full_disk_leaves_nothing_of_a_salvage_behind() {
    if !strace_is_there() {
        return;
    }
    for (call, n) in [("pwrite64", 1), ("fsync", 2), ("rename", 1)] {
        let sandbox = Sandbox::with("record alpha\nrecord beta\nflip @1+42 1");
        let before = sandbox.files("LOG");
        let (code, said) = failing(&sandbox, call, "ENOSPC", n, &["repair", "LOG", "--salvage", "NEW"]);
        assert_eq!((code, sandbox.files("LOG") == before), (6, true), "{call}: {said}");
        assert!(said.contains("LOG was not touched, and what was written of the new log has been removed"), "{call}: {said}");
        assert!(said.contains("; then walctl repair LOG --salvage NEW\n"), "{call}: {said}");
        assert!(!sandbox.path().join("NEW").exists() && !sandbox.path().join("NEW.walctl-unfinished").exists(), "{call}");
        assert_eq!(sandbox.run(&["repair", "LOG", "--salvage", "NEW"]).code, 0, "{call}");
    }
}

#[test]
fn a_segment_that_may_not_be_written_is_not_cut_and_nothing_says_that_it_was() {
    if !strace_is_there() {
        return;
    }
    let sandbox = Sandbox::with("record alpha\nrecord beta\ncut 10");
    let before = sandbox.files("LOG");
    let (code, said) = failing(&sandbox, "ftruncate", "EPERM", 2, &["repair", "LOG"]);
    let kept: Vec<_> = sandbox.files("LOG").into_iter().filter(|(name, _)| !name.contains(".cut-")).collect();
    assert_eq!((code, kept == before), (6, true), "{said}");
    assert!(said.contains("not all that was planned is done"), "{said}");
}

#[test]
fn what_is_cut_can_be_read_by_nobody_who_could_not_read_the_log() {
    use std::os::unix::fs::PermissionsExt;
    for recipe in ["record alpha\nrecord beta\ncut 10", "record alpha\nsegment\ncut to 100"] {
        let sandbox = Sandbox::with(recipe);
        let log = sandbox.path().join("LOG");
        let files = || fs::read_dir(&log).expect("it lists").map(|entry| entry.expect("it lists").path());
        for file in files() {
            fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("it is ours");
        }
        assert_eq!(sandbox.run(&["repair", "LOG", "--salvage", "NEW"]).code, 0, "{recipe}");
        let new = fs::metadata(sandbox.path().join("NEW/00000000000000000001.wal")).expect("it is there");
        assert_eq!(new.permissions().mode() & 0o777, 0o600, "{recipe}");
        for words in [&["repair", "LOG", "--quiet"][..], &["repair", "LOG", "--undo", "--quiet"]] {
            assert_eq!(sandbox.run(words).code, 0, "{recipe}");
            for file in files() {
                let mode = fs::metadata(&file).expect("it is there").permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{recipe}: {words:?}: {}", file.display());
            }
        }
    }
}

/// The files of the log without its lock, which a killed holder leaves behind with its name in it.
fn log_files(sandbox: &Sandbox) -> Vec<(String, Vec<u8>)> {
    sandbox.files("LOG").into_iter().filter(|(name, _)| name != "LOCK").collect()
}

#[test]
#[ignore = "hundreds of runs under strace"]
fn a_repair_an_undo_and_a_salvage_can_be_killed_anywhere_and_run_again() {
    if !strace_is_there() {
        return;
    }
    let recipes = [
        "record alpha\nrecord beta\ncut 10",
        "record alpha\ngroup\nfill 700\nrecord beta\nsync\nzero @2 740\nzeros 9000",
        "record alpha\nsegment\ncut to 100",
    ];
    for recipe in recipes {
        let before = log_files(&Sandbox::with(recipe));
        let whole = |sandbox: &Sandbox, what: &str| {
            assert_eq!(sandbox.run(&["repair", "LOG"]).code, 0, "{recipe}: {what}");
            assert_eq!(sandbox.run(&["verify", "LOG"]).code, 0, "{recipe}: {what}");
            while sandbox.run(&["repair", "LOG", "--undo"]).code == 0 {}
            assert!(log_files(sandbox) == before, "{recipe}: {what}");
        };
        kill_everywhere(|| Sandbox::with(recipe), &["repair", "LOG"], whole);
        let mended = || {
            let sandbox = Sandbox::with(recipe);
            assert_eq!(sandbox.run(&["repair", "LOG"]).code, 0);
            sandbox
        };
        kill_everywhere(mended, &["repair", "LOG", "--undo"], |sandbox, what| {
            while sandbox.run(&["repair", "LOG", "--undo"]).code == 0 {}
            assert!(log_files(sandbox) == before, "{recipe}: {what}");
            whole(sandbox, what);
        });
        let calm = Sandbox::with(recipe);
        assert_eq!(calm.run(&["repair", "LOG", "--salvage", "NEW"]).code, 0);
        let salvaged = calm.run(&["dump", "NEW", "--json"]).stdout;
        kill_everywhere(
            || Sandbox::with(recipe),
            &["repair", "LOG", "--salvage", "NEW"],
            |sandbox, what| {
                assert!(log_files(sandbox) == before, "{recipe}: {what}");
                if !sandbox.path().join("NEW").exists() {
                    assert_eq!(sandbox.run(&["repair", "LOG", "--salvage", "NEW"]).code, 0, "{recipe}: {what}");
                }
                assert_eq!(sandbox.run(&["dump", "NEW", "--json"]).stdout, salvaged, "{recipe}: {what}");
                assert!(!sandbox.path().join("NEW.walctl-unfinished").exists(), "{recipe}: {what}");
            },
        );
    }
}
