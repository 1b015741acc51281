//! What salvage keeps: every record that dump shows, its number, its time, its kind and what its format says about it.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::advice::{MORE, copy};
use crate::mend::HURT;
use crate::support::sandbox::Sandbox;

const FORMATS: [&str; 6] = ["ironwal", "kafka", "nodedb", "redis", "rivven", "allsource"];

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

fn fixtures(format: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(format);
    let cases = fs::read_dir(root).expect("there are fixtures").map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<PathBuf> = cases.filter(|case| case.join("wal").is_dir()).collect();
    cases.sort();
    cases
}

/// A record as it must be again: everything but its place, and its number.
fn content(record: &Value) -> String {
    let mut record = record.clone();
    let all = record.as_object_mut().expect("an object");
    for place in ["file", "offset", "length", "lsn", "after_damage", "decoded"] {
        all.remove(place);
    }
    if let Some(meta) = all.get_mut("meta").and_then(Value::as_object_mut) {
        for ours in ["source_lsn", "source_file", "fragments", "batch", "as_stored", "last_lsn"] {
            meta.remove(ours);
        }
        if meta.is_empty() {
            all.remove("meta");
        }
    }
    // A tag of 0 is none, where there are facts beside it.
    if all.get("tag").is_some_and(|tag| tag.is_null() || tag == 0) {
        all.remove("tag");
    }
    record.to_string()
}

/// Salvages LOG into NEW, and compares what dump shows of both.
fn keeps_all(sandbox: &Sandbox, format: &str, what: &str) -> Option<Value> {
    let ran = sandbox.run(&["repair", "LOG", "--format", format, "--salvage", "NEW", "--json"]);
    if ran.code == 1 && ran.stdout.contains("encrypted") | ran.stderr.contains("encrypted") {
        return None;
    }
    assert_eq!(ran.code, 0, "{what}: {}{}", ran.stdout, ran.stderr);
    let done: Value = serde_json::from_str(&ran.stdout).expect("one object");
    let before = lines(&sandbox.run(&["dump", "LOG", "--format", format, "--json"]).stdout);
    let mut after = lines(&sandbox.run(&["dump", "NEW", "--json"]).stdout);
    if sandbox.path().join("NEW-left-out").exists() {
        after.extend(lines(&sandbox.run(&["dump", "NEW-left-out", "--json"]).stdout));
    }
    let mut kept: Vec<String> = after.iter().map(content).collect();
    for record in &before {
        let wanted = content(record);
        let at = kept.iter().position(|have| *have == wanted);
        let at = at.unwrap_or_else(|| panic!("{what}: dump shows {wanted}, and the new log lacks it; it has {kept:#?}"));
        kept.swap_remove(at);
    }
    assert_eq!(sandbox.run(&["verify", "NEW"]).code, 0, "{what}: the new log is not clean");
    if done["renumbered"] == false {
        let shift = done["shifted"].as_u64().expect("a number");
        for record in &before {
            let lsn = record["lsn"].as_u64().expect("numbers stay where all records have one") + shift;
            let here = |new: &Value| new["lsn"] == lsn || new["meta"]["source_lsn"] == lsn - shift;
            assert!(after.iter().any(here), "{what}: number {lsn} is not in the new log");
        }
    }
    Some(done)
}

#[test]
fn every_record_that_dump_shows_of_a_log_of_ours_is_kept() {
    for recipe in HURT.iter().map(|(_, _, recipe)| *recipe).chain(MORE.iter().copied()) {
        keeps_all(&Sandbox::with(recipe), "native", recipe);
    }
}

#[test]
fn every_record_that_dump_shows_of_another_systems_log_is_kept_with_its_number_time_kind_and_facts() {
    let mut kept = 0;
    for format in FORMATS {
        for case in fixtures(format) {
            let name = format!("{format}/{}", case.file_name().unwrap_or_default().to_string_lossy());
            let sandbox = Sandbox::new();
            copy(&case.join("wal"), &sandbox.path().join("LOG"));
            let several = sandbox.run(&["verify", "LOG", "--format", format, "--json"]).stdout.lines().count() != 1;
            if several || sandbox.run(&["dump", "LOG", "--format", format, "--json"]).code == 1 {
                continue;
            }
            kept += usize::from(keeps_all(&sandbox, format, &name).is_some());
        }
    }
    assert!(kept > 80, "only {kept} fixtures could be salvaged");
}

#[test]
fn a_format_that_counts_from_zero_is_shifted_by_one_for_all_records_alike() {
    let case = fixtures("ironwal").into_iter().find(|case| case.ends_with("frame_removed_mid")).expect("the fixture is there");
    let sandbox = Sandbox::new();
    copy(&case.join("wal"), &sandbox.path().join("LOG"));
    let done = keeps_all(&sandbox, "ironwal", "frame_removed_mid").expect("it is not encrypted");
    assert_eq!((done["shifted"].as_u64(), done["renumbered"].as_bool()), (Some(1), Some(false)));
    assert!(done["missing_count"].as_u64() > Some(0), "the hole stays: {done}");
    let report: Value = serde_json::from_str(&sandbox.run(&["verify", "NEW", "--json"]).stdout).expect("one object");
    let known: u64 = report["known_holes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|hole| hole["last_lsn"].as_u64().expect("a number") - hole["first_lsn"].as_u64().expect("a number") + 1)
        .sum();
    assert_eq!(Some(known), done["missing_count"].as_u64());
    let old = lines(&sandbox.run(&["dump", "LOG", "--format", "ironwal", "--json"]).stdout);
    let new = lines(&sandbox.run(&["dump", "NEW", "--json"]).stdout);
    assert_eq!(old.len(), new.len());
    for (old, new) in old.iter().zip(&new) {
        assert_eq!(old["lsn"].as_u64().map(|lsn| lsn + 1), new["lsn"].as_u64());
        assert_eq!(new["meta"]["source_lsn"], old["lsn"]);
        assert_eq!(new["time"], old["time"], "a record without a time does not get one");
    }
}

#[test]
fn a_record_without_a_time_is_not_of_1970() {
    let sandbox = Sandbox::with("time 0 record alpha\nrecord beta\ntime 0 record gamma");
    let times = |log: &str| -> Vec<Value> {
        lines(&sandbox.run(&["dump", log, "--json"]).stdout).iter().map(|record| record["time"].clone()).collect()
    };
    let before = times("LOG");
    assert!(before[0].is_null() && before[2].is_null() && before[1].is_string(), "{before:?}");
    assert_eq!(sandbox.run(&["repair", "LOG", "--salvage", "NEW", "--quiet"]).code, 0);
    assert_eq!(times("NEW"), before);
    let stats = sandbox.run(&["stats", "LOG", "--json"]).stdout;
    assert!(!stats.contains("1970"), "{stats}");
}

#[test]
fn a_segment_under_a_wrong_name_is_read_in_the_place_of_its_records() {
    let sandbox = Sandbox::with("record alpha\nsegment\nrecord beta\nsegment\nrecord gamma\nrename 2 00000000000000000009.wal");
    let done = keeps_all(&sandbox, "native", "a wrong name").expect("it is not encrypted");
    assert_eq!(
        (done["records"].as_u64(), done["left_out_count"].as_u64(), done["missing_count"].as_u64()),
        (Some(3), Some(0), Some(0))
    );
    let payloads: Vec<Value> =
        lines(&sandbox.run(&["dump", "NEW", "--json"]).stdout).iter().map(|record| record["payload"].clone()).collect();
    assert_eq!(payloads, ["alpha", "beta", "gamma"]);
}

#[test]
fn what_cannot_have_its_place_is_kept_beside() {
    let recipe = "record alpha\nrecord beta\nlsn 1 kind checkpoint tag 7 record gamma\nother log\nsegment\nrecord delta";
    let sandbox = Sandbox::with(recipe);
    let done = keeps_all(&sandbox, "native", recipe).expect("it is not encrypted");
    assert_eq!((done["records"].as_u64(), done["left_out_count"].as_u64()), (Some(2), Some(2)), "{done}");
    assert_eq!(done["left_out_log"], "NEW-left-out");
    let aside = lines(&sandbox.run(&["dump", "NEW-left-out", "--json"]).stdout);
    assert_eq!((&aside[0]["kind"], &aside[0]["meta"]["source_lsn"]), (&Value::from("checkpoint"), &Value::from(1)));
    assert_eq!(sandbox.run(&["stats", "NEW-left-out", "--json"]).code, 0);
}

#[test]
fn what_is_kept_beside_has_the_facts_of_its_record_and_none_of_its_place() {
    let facts = r#"facts {"kind":"put","meta":{"vshard":7}}"#;
    let sandbox = Sandbox::with(&format!("record alpha\nother log\nsegment\nbatch\n{facts}\nrecord beta\nrecord gamma\nend"));
    let before = lines(&sandbox.run(&["dump", "LOG", "--json"]).stdout);
    assert_eq!(before[2]["meta"], json!({ "batch": 2 }), "the record itself");
    keeps_all(&sandbox, "native", "a batch of another log").expect("it is not encrypted");
    let aside = lines(&sandbox.run(&["dump", "NEW-left-out", "--json"]).stdout);
    let file = &before[1]["file"];
    assert_eq!(aside[0]["meta"], json!({ "vshard": 7, "source_lsn": 2, "source_file": file }));
    assert_eq!(aside[1]["meta"], json!({ "source_lsn": 3, "source_file": file }));
}

#[test]
fn a_salvaged_log_is_salvaged_again_with_its_holes_as_they_were() {
    let sandbox = Sandbox::with("record alpha\nrecord beta\nrecord gamma\nrecord delta\nflip @2+42 1");
    assert_eq!(sandbox.run(&["repair", "LOG", "--salvage", "ONE", "--quiet"]).code, 0);
    assert_eq!(sandbox.run(&["repair", "ONE", "--salvage", "TWO", "--quiet"]).code, 0);
    let holes = |log: &str| -> Value {
        let report: Value = serde_json::from_str(&sandbox.run(&["verify", log, "--json"]).stdout).expect("one object");
        assert_eq!(report["verdict"], "clean");
        report["known_holes"].clone()
    };
    assert_eq!((&holes("ONE")[0]["first_lsn"], &holes("ONE")[0]["reason"]), (&Value::from(2), &Value::from("bad-checksum")));
    assert_eq!(holes("ONE"), holes("TWO"));
}

#[test]
fn what_was_acknowledged_and_is_lost_at_the_end_is_never_given_again() {
    let sandbox = Sandbox::with("record alpha\nrecord beta\nclose\nflip @2+42 1");
    assert_eq!(sandbox.run(&["repair", "LOG", "--salvage", "NEW", "--quiet"]).code, 0);
    assert_eq!(sandbox.run(&["append", "NEW", "--text", "gamma"]).stdout, "3\n");
    let verdict = sandbox.run(&["verify", "NEW"]);
    assert!(verdict.code == 0 && verdict.stdout.contains("known hole: LSN 2,"), "{}", verdict.stdout);
}

#[test]
fn a_record_of_which_a_copy_lies_beside_the_middle_of_a_log_is_shown_counted_and_kept() {
    for (case, header) in [("clean_dwb", 54), ("clean_dwb-h63", 63)] {
        let fixture = fixtures("nodedb").into_iter().find(|path| path.ends_with(case)).expect("the fixture is there");
        let sandbox = Sandbox::new();
        copy(&fixture.join("wal"), &sandbox.path().join("LOG"));
        let dump = || lines(&sandbox.run(&["dump", "LOG", "--format", "nodedb", "--json"]).stdout);
        let whole = dump();
        let hurt = &whole[whole.len() - 2];
        let path = sandbox.path().join("LOG").join(hurt["file"].as_str().expect("a name"));
        let mut bytes = fs::read(&path).expect("it can be read");
        bytes[usize::try_from(hurt["offset"].as_u64().expect("a number")).expect("small") + header] ^= 1;
        fs::write(&path, bytes).expect("it can be written");
        let shown = dump();
        assert_eq!(shown.len(), whole.len(), "{case}");
        let copy = &shown[whole.len() - 2];
        assert_eq!(
            (&copy["lsn"], &copy["payload"], &copy["offset"]),
            (&hurt["lsn"], &hurt["payload"], &hurt["offset"]),
            "{case}"
        );
        assert!(copy["meta"]["copy_in"].as_str().is_some_and(|name| name.ends_with(".dwb")), "{case}: {copy}");
        for command in ["verify", "stats"] {
            let ran = sandbox.run(&[command, "LOG", "--format", "nodedb", "--json"]);
            let report: Value = serde_json::from_str(&ran.stdout).expect("one object");
            assert_eq!(report["records"].as_u64(), Some(whole.len() as u64), "{case}: {command}");
            assert_eq!(report["verdict"], "corrupt", "{case}: {command}");
        }
        let done = keeps_all(&sandbox, "nodedb", case).expect("it is not encrypted");
        assert_eq!((done["records"].as_u64(), done["missing_count"].as_u64()), (Some(whole.len() as u64), Some(0)), "{case}");
    }
}

#[test]
fn facts_of_an_encrypted_log_are_encrypted_and_come_back_with_the_key() {
    let fixture = fixtures("nodedb").into_iter().find(|path| path.ends_with("clean_record_types")).expect("the fixture is there");
    let sandbox = Sandbox::with("record alpha");
    fs::remove_dir_all(sandbox.path().join("LOG")).expect("only its keys are wanted");
    copy(&fixture.join("wal"), &sandbox.path().join("LOG"));
    let words = ["repair", "LOG", "--format", "nodedb", "--key-file", "KEYS", "--salvage", "NEW", "--quiet"];
    let ran = sandbox.run(&words);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let old: Vec<String> =
        lines(&sandbox.run(&["dump", "LOG", "--format", "nodedb", "--json"]).stdout).iter().map(content).collect();
    let new: Vec<String> =
        lines(&sandbox.run(&["dump", "NEW", "--key-file", "KEYS", "--json"]).stdout).iter().map(content).collect();
    assert_eq!(old, new);
    let bytes = fs::read(sandbox.path().join("NEW/00000000000000000001.wal")).expect("it can be read");
    assert!(memchr::memmem::find(&bytes, b"vshard").is_none(), "facts lie there in plain text");
}

/// The log in tests/fixtures/native/known-holes was salvaged from ironwal's `frame_removed_mid`; then a segment of it went and was accepted.
#[test]
fn a_frozen_log_with_facts_and_both_sorts_of_holes_reads_as_it_did() {
    let sandbox = Sandbox::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/native/known-holes"), &sandbox.path().join("LOG"));
    let ran = sandbox.run(&["verify", "LOG", "--json"]);
    let report: Value = serde_json::from_str(&ran.stdout).expect("one object");
    assert_eq!((ran.code, &report["verdict"], report["records"].as_u64()), (0, &Value::from("clean"), Some(14)));
    let told: Vec<(Option<u64>, Option<u64>, &str, &str)> = report["known_holes"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|hole| {
            let text = |key: &str| hole[key].as_str().unwrap_or_default();
            (hole["first_lsn"].as_u64(), hole["last_lsn"].as_u64(), text("origin"), text("reason"))
        })
        .collect();
    assert_eq!(told, [(Some(8), Some(8), "salvaged", "lsn-gap"), (Some(15), Some(16), "accepted", "missing-segment")]);
    let records = lines(&sandbox.run(&["dump", "LOG", "--json"]).stdout);
    assert_eq!((&records[0]["kind"], &records[0]["meta"]["stored_as"]), (&Value::from("entry"), &Value::from("raw")));
    assert!(records[0]["time"].is_null() && records[0]["meta"]["source_lsn"] == 0, "{}", records[0]);
    assert_eq!((&records[13]["lsn"], &records[13]["payload"]), (&Value::from(17), &Value::from("gamma")));
}
