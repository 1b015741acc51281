//! What programs and terminals get from `walctl verify`: keys that do not change, answers that do not depend on how it reads.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::sandbox::{Sandbox, finish, have};

/// A damaged log in three segments, for every question here.
const HURT: &str = "record alpha\nrecord beta\nrecord gamma\nsegment\nrecord delta\nsegment\nrecord epsilon\nrecord zeta\n\
                    in 1\nflip @2+40 0\nin 3\ncut 10";

fn json(sandbox: &Sandbox, words: &[&str]) -> Value {
    let ran = sandbox.run(words);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{words:?}: {e}: {ran:?}"))
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_keys_of_the_interface_are_there_with_their_types() {
    let sandbox = Sandbox::with(HURT);
    let report = json(&sandbox, &["verify", "LOG", "--json"]);
    let log = ["log", "format", "verdict", "live", "records", "first_lsn", "last_lsn", "valid_bytes", "segments", "damage"];
    let segment = ["file", "first_lsn", "last_lsn", "records", "valid_bytes", "file_bytes", "state", "verdict"];
    let damage = ["file", "offset", "length", "verdict", "kind", "lsn", "acknowledged", "detail", "next"];
    assert!(keys(&report).is_superset(&BTreeSet::from(log)), "{report}");
    assert!(keys(&report["segments"][0]).is_superset(&BTreeSet::from(segment)), "{report}");
    assert!(keys(&report["damage"][0]).is_superset(&BTreeSet::from(damage)), "{report}");
    assert_eq!(report["log"], "LOG");
    assert_eq!(report["format"], "native");
    assert_eq!(report["verdict"], "corrupt");
    assert_eq!(report["live"], false);
    assert_eq!(
        (report["records"].as_u64(), report["first_lsn"].as_u64(), report["last_lsn"].as_u64()),
        (Some(4), Some(1), Some(5))
    );
    let first = &report["damage"][0];
    assert_eq!(first["file"], "00000000000000000001.wal");
    assert_eq!((first["offset"].as_u64(), first["length"].as_u64(), first["lsn"].as_u64()), (Some(4144), Some(48), Some(2)));
    assert_eq!((first["verdict"].as_str(), first["kind"].as_str()), (Some("corrupt"), Some("bad-checksum")));
    assert_eq!((first["acknowledged"].as_str(), report["damage"][1]["acknowledged"].as_str()), (Some("yes"), Some("unknown")));
    assert_eq!(report["segments"][2]["state"], "active");
    assert_eq!(report["segments"][0]["state"], "sealed");
}

#[test]
fn a_clean_log_and_an_empty_one_have_the_same_keys() {
    let sandbox = Sandbox::with("record alpha");
    sandbox.log("EMPTY", "file LOCK -");
    let (full, empty) = (json(&sandbox, &["verify", "LOG", "--json"]), json(&sandbox, &["verify", "EMPTY", "--json"]));
    assert_eq!(keys(&full), keys(&empty));
    assert_eq!((empty["verdict"].as_str(), empty["first_lsn"].is_null()), (Some("clean"), true));
}

#[test]
fn how_it_reads_does_not_change_what_it_finds() {
    let sandbox = Sandbox::with(HURT);
    let plain = json(&sandbox, &["verify", "LOG", "--json"]);
    for more in
        [&["--jobs", "1"][..], &["--jobs", "7"], &["--io", "read"], &["--io", "map"], &["--max-rate", "1GiB/s"], &["--deep"]]
    {
        assert_eq!(json(&sandbox, &[&["verify", "LOG", "--json"], more].concat()), plain, "{more:?}");
    }
    let mut media = json(&sandbox, &["verify", "LOG", "--json", "--media"]);
    let view = media.as_object_mut().and_then(|object| object.remove("media")).expect("it tells what was compared");
    assert_eq!(media, plain);
    assert!(view["differing_spans"].as_array().is_some_and(Vec::is_empty), "{view}");
}

#[test]
fn the_next_command_is_one_that_can_be_typed() {
    for (recipe, verb) in [
        ("record a\nrecord b\ncut 10", "walctl repair "),
        ("record a\nrecord b\nflip @2+40 0", "walctl repair "),
        (HURT, "walctl repair "),
    ] {
        let sandbox = Sandbox::new();
        sandbox.log("it's a log", recipe);
        let report = json(&sandbox, &["verify", "it's a log", "--json"]);
        for damage in report["damage"].as_array().expect("a list") {
            let next = damage["next"].as_str().expect("a command");
            assert!(next.starts_with(verb), "{next}");
            // The shell takes it apart into words of which one is the log.
            let words = finish(sandbox.shell(&format!("for word in {next}; do echo \"$word\"; done")), b"").stdout;
            assert!(words.lines().any(|word| word == "it's a log"), "{next}: {words}");
        }
    }
}

#[test]
fn verifying_changes_nothing() {
    let sandbox = Sandbox::with(HURT);
    let before = sandbox.files("LOG");
    for more in [&["--deep"][..], &["--media"], &["--map"], &["--json"]] {
        sandbox.run(&[&["verify", "LOG"], more].concat());
    }
    assert_eq!(sandbox.files("LOG"), before);
}

#[test]
fn many_damages_are_told_in_short_and_listed_in_json() {
    let flips: String = (1..=100).map(|n| format!("flip @{}+40 0\n", n * 2)).collect();
    let sandbox = Sandbox::with(&format!("times 201 record alpha\n{flips}"));
    let text = sandbox.run(&["verify", "LOG"]).stdout;
    assert!(text.contains("60 further pieces of damage"), "{text}");
    assert_eq!(json(&sandbox, &["verify", "LOG", "--json"])["damage"].as_array().map(Vec::len), Some(100));
}

#[test]
fn on_a_terminal_there_is_colour_unless_somebody_minds() {
    if !have("script") {
        return;
    }
    let sandbox = Sandbox::with(HURT);
    let on_terminal = |line: &str| finish(sandbox.shell(&format!("script -qec '{line}' /dev/null")), b"").stdout;
    assert!(on_terminal("walctl verify LOG").contains("\x1b[1;31mcorrupt"));
    for line in ["NO_COLOR=1 walctl verify LOG", "TERM=dumb walctl verify LOG", "walctl verify LOG --color never"] {
        let shown = on_terminal(line);
        assert!(shown.contains("corrupt") && !shown.contains('\x1b'), "{line}: {shown}");
    }
}

#[test]
fn at_eighty_columns_no_line_is_broken_by_the_terminal_and_each_of_several_logs_has_its_name_above_it() {
    if !have("script") {
        return;
    }
    let sandbox = Sandbox::with(HURT);
    sandbox.log("other", "record alpha");
    sandbox.log("many", "times 120 record alpha");
    let on_terminal = |line: &str| {
        let shown = finish(sandbox.shell(&format!("script -qec 'stty cols 80; {line} --color never' /dev/null")), b"").stdout;
        let lines: Vec<String> = shown.lines().map(|line| line.trim_end_matches('\r').to_owned()).collect();
        lines
    };
    for line in ["verify LOG other", "dump LOG", "dump LOG --hex", "dump LOG --frames", "stats LOG", "repair LOG --dry-run"] {
        let lines = on_terminal(&format!("walctl {line}"));
        let wide: Vec<&String> =
            lines.iter().filter(|line| line.chars().count() > 80 && !line.contains("next: walctl ")).collect();
        assert!(lines.len() > 3 && wide.is_empty(), "{line}: {wide:#?}");
    }
    let lines = on_terminal("walctl verify LOG other");
    let at = |name: &str| lines.iter().position(|line| line == name).unwrap_or_else(|| panic!("{name}: {lines:#?}"));
    assert!(at("LOG") == 0 && lines[at("other") + 1].starts_with("segment "), "{lines:#?}");
    let pages = "next: page through it: walctl dump many --color always | less -RS";
    assert!(on_terminal("walctl dump many").iter().any(|line| line == pages));
    assert!(!on_terminal("walctl dump other").iter().any(|line| line.contains("less")));
}

#[test]
fn a_narrow_terminal_does_not_break_the_names_of_segments() {
    let sandbox = Sandbox::with(HURT);
    let ran = finish(sandbox.shell("COLUMNS=80 walctl verify LOG"), b"");
    assert!(ran.stdout.lines().any(|line| line.starts_with("00000000000000000001.wal")), "{ran:?}");
}
