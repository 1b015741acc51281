//! What users see of other systems' logs: what is not protected, who has them open, what an empty file proves, how headers are drawn.

use std::fs::{self, OpenOptions};

use serde_json::Value as Json;

use crate::support::sandbox::Sandbox;

/// A log as a fixture has it.
fn fixture(name: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.fixture(name).expect("the fixture is there");
    sandbox
}

fn answer(sandbox: &Sandbox, words: &[&str]) -> Json {
    let ran = sandbox.run(words);
    serde_json::from_str(&ran.stdout).unwrap_or_else(|why| panic!("{why}: {}{}", ran.stdout, ran.stderr))
}

#[test]
fn verify_says_in_a_line_of_its_own_what_a_formats_checksum_leaves_open() {
    for (case, open) in [
        ("allsource/bitflip_payload_undetectable", Some("payload")),
        ("rivven/bitflip_type_undetectable", Some("type and flags")),
        ("nodedb/clean_single", None),
    ] {
        let sandbox = fixture(case);
        let ran = sandbox.run(&["verify", "LOG"]);
        assert_eq!(ran.code, 0, "{case}: {}", ran.stdout);
        let line = ran.stdout.lines().find(|line| line.trim_start().starts_with("not protected by "));
        assert_eq!(line.is_some(), open.is_some(), "{case}: {}", ran.stdout);
        let json = answer(&sandbox, &["verify", "LOG", "--json"]);
        match open {
            Some(word) => {
                assert!(line.is_some_and(|l| l.contains(word)) && json["unprotected"].as_str().is_some_and(|t| t.contains(word)))
            }
            None => assert_eq!(json["unprotected"], Json::Null, "{case}"),
        }
    }
}

#[test]
fn dump_hex_draws_each_of_nodedbs_headers_with_its_own_fields() {
    let drawn = |case: &str| {
        let ran = fixture(case).run(&["dump", "LOG", "--hex", "--limit", "1"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let short = drawn("nodedb/clean_single");
    assert!(!short.contains("apply key") && !short.contains("hlc"), "{short}");
    assert!(short.contains("reserved") && short.contains("checksum") && short.contains("payload"), "{short}");
    let long = drawn("nodedb/clean_single-h63");
    assert!(long.contains("apply key") && long.contains("hlc") && long.contains("payload"), "{long}");
}

/// Another process, which has done that and lives until its input is dropped. What this process has open, each child that it is just
/// starting would have open too.
fn holding(sandbox: &Sandbox, hold: &str) -> std::process::Child {
    let mut shell = sandbox.shell(&format!("{hold}; echo ready; read line"));
    let mut child = shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().expect("a shell");
    let mut ready = [0; 6];
    std::io::Read::read_exact(child.stdout.as_mut().expect("it is piped"), &mut ready).expect("it says so");
    child
}

#[test]
fn repair_of_a_log_that_a_process_has_open_refuses_until_it_is_told() {
    for hold in
        ["exec 3>>LOG/00000000000000000000.wal", "exec 3<LOG/00000000000000000000.wal; flock 3", "exec 3>LOG/LOCK; flock -s 3"]
    {
        let sandbox = fixture("rivven/torn_tail");
        let before = sandbox.files("LOG");
        let mut child = holding(&sandbox, hold);
        for words in [&["repair", "LOG"][..], &["repair", "LOG", "--dry-run"], &["repair", "LOG", "--undo"]] {
            let ran = sandbox.run(words);
            assert_eq!(ran.code, 5, "{hold}: {words:?}: {}{}", ran.stdout, ran.stderr);
            assert!(ran.stderr.contains("is in use") && ran.stderr.contains("--accept-running"), "{}", ran.stderr);
        }
        let kept: Vec<_> = sandbox.files("LOG").into_iter().filter(|(name, _)| name != "LOCK").collect();
        assert_eq!(kept, before, "{hold}");
        let told = sandbox.run(&["repair", "LOG", "--accept-running"]);
        assert_eq!(told.code, 0, "{hold}: {}{}", told.stdout, told.stderr);
        drop(child.stdin.take());
        child.wait().expect("it ends");
        assert_eq!(sandbox.run(&["repair", "LOG", "--undo"]).code, 0, "{hold}: nobody has it open any more");
    }
}

#[test]
fn verify_says_that_another_systems_log_is_being_written() {
    let sandbox = fixture("rivven/clean_single");
    let mut writer = OpenOptions::new();
    // This process is another one to the binary.
    let _held = writer.append(true).open(sandbox.path().join("LOG/00000000000000000000.wal")).expect("it is there");
    let json = answer(&sandbox, &["verify", "LOG", "--json"]);
    assert_eq!((&json["live"], &json["writer_pid"]), (&Json::Bool(true), &Json::from(std::process::id())));
}

#[test]
fn an_unfinished_record_at_the_end_of_a_log_that_postgres_has_open_is_on_its_way_and_torn_when_nobody_has() {
    for case in ["postgres/torn_sector", "postgres/torn_multi_page_record"] {
        let sandbox = fixture(case);
        let torn = answer(&sandbox, &["verify", "LOG", "--json"]);
        assert_eq!(torn["verdict"], "torn", "{case}");
        let newest = torn["damage"][0]["file"].as_str().expect("a name").to_owned();
        let mut held = holding(&sandbox, &format!("exec 3>>LOG/{newest}"));
        let live = answer(&sandbox, &["verify", "LOG", "--json"]);
        assert_eq!((&live["verdict"], &live["records"]), (&Json::from("clean"), &torn["records"]), "{case}");
        drop(held.stdin.take());
        held.wait().expect("it ends");
        assert_eq!(answer(&sandbox, &["verify", "LOG", "--json"])["verdict"], "torn", "{case}");
    }
}

#[test]
fn an_empty_newest_segment_keeps_an_acknowledged_record_from_being_cut() {
    for case in ["rivven/torn_tail", "allsource/torn_tail"] {
        let sandbox = fixture(case);
        let last = answer(&sandbox, &["verify", "LOG", "--json"])["last_lsn"].as_u64().expect("it has records");
        // Of rivven the LSN that is next, of allsource the last one that was given: both say that the torn record was whole.
        let rivven = case.starts_with("rivven");
        let name = if rivven { format!("{:020}.wal", last + 2) } else { format!("wal-{:016x}.log", last + 1) };
        fs::write(sandbox.path().join("LOG").join(&name), b"").expect("room for a name");
        let before = sandbox.files("LOG");
        let ran = sandbox.run(&["repair", "LOG"]);
        assert_eq!(ran.code, 4, "{case}: {}{}", ran.stdout, ran.stderr);
        assert_eq!(sandbox.files("LOG"), before, "{case}");
    }
}

#[test]
fn a_cut_is_put_back_although_an_empty_segment_stands_behind_it() {
    for case in ["rivven/torn_tail", "allsource/torn_tail"] {
        let sandbox = fixture(case);
        let last = answer(&sandbox, &["verify", "LOG", "--json"])["last_lsn"].as_u64().expect("it has records");
        // Begun before the torn record.
        let rivven = case.starts_with("rivven");
        let name = if rivven { format!("{:020}.wal", last + 1) } else { format!("wal-{last:016x}.log") };
        fs::write(sandbox.path().join("LOG").join(&name), b"").expect("room for a name");
        let before = sandbox.files("LOG");
        let cut = sandbox.run(&["repair", "LOG"]);
        assert_eq!(cut.code, 0, "{case}: {}{}", cut.stdout, cut.stderr);
        let back = sandbox.run(&["repair", "LOG", "--undo"]);
        assert_eq!(back.code, 0, "{case}: {}{}", back.stdout, back.stderr);
        assert_eq!(sandbox.files("LOG"), before, "{case}");
    }
}

#[test]
fn a_small_hole_in_the_names_of_rivven_is_suspect_and_is_never_cut() {
    let sandbox = fixture("rivven/missing_segment");
    let log = sandbox.path().join("LOG");
    // Twelve records more than the gap leaves in doubt three instead of fifteen.
    let last = log.join("00000000000000000057.wal");
    fs::rename(&last, log.join("00000000000000000045.wal")).expect("it is there");
    fs::rename(log.join("00000000000000000071.wal"), log.join("00000000000000000059.wal")).expect("it is there");
    let before = sandbox.files("LOG");
    let ran = sandbox.run(&["verify", "LOG"]);
    assert_eq!(ran.code, 3, "{}", ran.stdout);
    assert!(ran.stdout.contains("suspect") && ran.stdout.contains("next: compare with a backup"), "{}", ran.stdout);
    let cut = sandbox.run(&["repair", "LOG", "--accept-suspect"]);
    assert_eq!((cut.code, sandbox.files("LOG")), (3, before), "{}{}", cut.stdout, cut.stderr);
}

/// Commands say neither their database nor their time: what stood in front of the place where reading goes on decides both.
#[test]
fn reading_goes_on_from_a_cursor_in_the_database_and_at_the_time_of_the_commands_before_it() {
    let command = |words: &[&str]| {
        words.iter().fold(format!("*{}\r\n", words.len()), |line, word| line + &format!("${}\r\n{word}\r\n", word.len()))
    };
    let mut log = String::new();
    for number in 0..20_000u32 {
        if number % 700 == 0 {
            log += &format!("#TS:{}\r\n", 1_700_000_000 + number);
        }
        if number % 900 == 0 {
            log += &command(&["SELECT", &(number / 900 % 16).to_string()]);
        }
        log += &command(&["SET", &format!("key:{number:05}"), &"v".repeat(90)]);
    }
    let sandbox = Sandbox::new();
    fs::write(sandbox.path().join("appendonly.aof"), log).expect("room for a file");
    let dump = |more: &[&str]| {
        let words = ["dump", "appendonly.aof", "--json", "--show-values"];
        let ran = sandbox.run(&[&words[..], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.stdout
    };
    let whole = dump(&[]);
    let mut parts = String::new();
    let mut marks = 0;
    for limit in ["9000", "3456", "5000", "100000"] {
        parts += &dump(&["--cursor", "CURSOR", "--limit", limit]);
        let cursor = fs::read_to_string(sandbox.path().join("CURSOR")).expect("it is kept");
        marks += usize::from(cursor.contains("\"seed\""));
    }
    assert!(marks > 1, "reading began in the middle, and not at the beginning of the file: {marks}");
    assert!(whole == parts, "the parts are not the whole");
}
