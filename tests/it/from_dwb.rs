//! `repair --from-dwb`: what nodedb's double-write file holds of a torn end is put back instead of cut.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use crate::mend::{kill_everywhere, strace_is_there};
use crate::support::sandbox::Sandbox;

type Files = BTreeMap<String, Vec<u8>>;

/// The fixtures with a torn end that the double-write file holds: name, folder, expect.json.
fn torn() -> Vec<(String, PathBuf, Json)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nodedb");
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("the fixtures are there").map(|e| e.expect("it can be listed")) {
        let Ok(text) = fs::read_to_string(entry.path().join("expect.json")) else { continue };
        let expect: Json = serde_json::from_str(&text).expect("it is JSON");
        if expect["recoverable_from_dwb"].as_array().is_some_and(|lsns| !lsns.is_empty()) {
            found.push((entry.file_name().to_string_lossy().into_owned(), entry.path().join("wal"), expect));
        }
    }
    assert!(found.len() >= 2, "both header sizes are among the fixtures");
    found
}

fn files(dir: &Path) -> Files {
    let entries = fs::read_dir(dir).expect("it is there").map(|e| e.expect("it can be listed"));
    entries.map(|e| (e.file_name().to_string_lossy().into_owned(), fs::read(e.path()).expect("it reads"))).collect()
}

fn sandbox_with(dir: &Path) -> Sandbox {
    let sandbox = Sandbox::new();
    let log = sandbox.path().join("LOG");
    fs::create_dir(&log).expect("room for a folder");
    for (name, bytes) in files(dir) {
        fs::write(log.join(name), bytes).expect("room for a file");
    }
    sandbox
}

fn answer(sandbox: &Sandbox, words: &[&str]) -> (i32, Json) {
    let ran = sandbox.run(words);
    let line = ran.stdout.lines().next().unwrap_or_else(|| panic!("{words:?}: {}", ran.stderr));
    (ran.code, serde_json::from_str(line).expect("one object"))
}

fn lsns(sandbox: &Sandbox) -> Vec<u64> {
    let ran = sandbox.run(&["dump", "LOG", "--json"]);
    let record = |line: &str| serde_json::from_str::<Json>(line).expect("an object a line")["lsn"].as_u64().expect("a number");
    ran.stdout.lines().map(record).collect()
}

#[test]
fn a_torn_record_comes_back_from_its_copy_and_undo_brings_every_byte_back() {
    for (case, dir, expect) in torn() {
        let sandbox = sandbox_with(&dir);
        let log = sandbox.path().join("LOG");
        let before = files(&log);
        let (_, report) = answer(&sandbox, &["verify", "LOG", "--json"]);
        assert_eq!(report["damage"][0]["next"], "walctl repair LOG --from-dwb", "{case}: a cut is not what is advised");
        let lost: Vec<u64> = expect["recoverable_from_dwb"].as_array().expect("a list").iter().filter_map(Json::as_u64).collect();
        let mut all = lsns(&sandbox);
        all.extend(&lost);

        let (code, plan) = answer(&sandbox, &["repair", "LOG", "--from-dwb", "--dry-run", "--json"]);
        assert_eq!((code, &plan["refused"], plan["done"].as_bool()), (3, &Json::Null, Some(false)), "{case}");
        assert_eq!(plan["cuts"][0]["restored_first_lsn"].as_u64(), lost.first().copied(), "{case}");
        assert_eq!(files(&log), before, "{case}: a dry run writes nothing");

        let (code, done) = answer(&sandbox, &["repair", "LOG", "--from-dwb", "--json"]);
        assert_eq!((code, done["after"]["verdict"].as_str()), (0, Some("clean")), "{case}: {done}");
        assert_eq!(lsns(&sandbox), all, "{case}");
        let (segment, old) = before.iter().find(|(name, _)| name.ends_with(".seg")).expect("there is a segment");
        let new = &files(&log)[segment];
        let offset = usize::try_from(expect["damage"]["first_bad_frame"]["offset"].as_u64().expect("a number")).expect("short");
        assert_eq!(new[..offset], old[..offset], "{case}: what stands before the tear is left alone");
        let copy = &expect["dwb"]["records"].as_array().expect("a list").last().expect("a copy")["record_len"];
        let end = offset + usize::try_from(copy.as_u64().expect("a number")).expect("short");
        let long = expect["record_header_size"] == 63;
        assert_eq!(new.len(), if long { end.next_multiple_of(4096) } else { end }, "{case}");

        let (code, again) = answer(&sandbox, &["repair", "LOG", "--from-dwb", "--json"]);
        assert_eq!((code, again["cuts"].as_array().map(Vec::len)), (0, Some(0)), "{case}");
        assert_eq!(sandbox.run(&["repair", "LOG", "--undo"]).code, 0, "{case}");
        assert_eq!(files(&log), before, "{case}");
    }
}

#[test]
fn every_length_of_a_torn_end_is_restored_and_undone() {
    for (case, dir, expect) in torn() {
        let offset = usize::try_from(expect["damage"]["first_bad_frame"]["offset"].as_u64().expect("a number")).expect("short");
        let segment = expect["segments"][0]["file"].as_str().expect("a name");
        let whole = files(&dir)[segment].clone();
        for length in (offset + 1..whole.len()).step_by(13) {
            for behind in [0, 5000] {
                let sandbox = sandbox_with(&dir);
                let log = sandbox.path().join("LOG");
                // Nothing of what stands behind the tear is valid, however long it is.
                let bytes = [&whole[..length], &vec![0xA5; behind]].concat();
                fs::write(log.join(segment), bytes).expect("room for a file");
                let before = files(&log);
                let ran = sandbox.run(&["repair", "LOG", "--from-dwb", "--accept-suspect"]);
                assert_eq!(ran.code, 0, "{case} {length}+{behind}: {}{}", ran.stdout, ran.stderr);
                assert_eq!(lsns(&sandbox), [1, 2], "{case} {length}+{behind}");
                assert_eq!(sandbox.run(&["repair", "LOG", "--undo"]).code, 0, "{case} {length}+{behind}");
                assert_eq!(files(&log), before, "{case} {length}+{behind}");
            }
        }
    }
}

#[test]
fn without_a_copy_nothing_is_written_and_the_reason_is_told() {
    for (case, dir, _) in torn() {
        for rotten in [false, true] {
            let sandbox = sandbox_with(&dir);
            let log = sandbox.path().join("LOG");
            let (name, mut bytes) = files(&log).into_iter().find(|(name, _)| name.ends_with(".dwb")).expect("there is one");
            if rotten {
                let last = bytes.len() - 1;
                bytes[last] ^= 1;
                fs::write(log.join(name), bytes).expect("room for a file");
            } else {
                fs::remove_file(log.join(name)).expect("it was there");
            }
            let before = files(&log);
            let (code, plan) = answer(&sandbox, &["repair", "LOG", "--from-dwb", "--json"]);
            assert_eq!((code, plan["refused"]["kind"].as_str()), (3, Some("no-copy")), "{case}: {plan}");
            assert_eq!(files(&log), before, "{case}");
        }
    }
    // Our own log has no such file.
    let sandbox = Sandbox::with("record alpha\nrecord beta\ncut 10");
    let before = sandbox.files("LOG");
    let (code, plan) = answer(&sandbox, &["repair", "LOG", "--from-dwb", "--json"]);
    assert_eq!((code, plan["refused"]["kind"].as_str()), (3, Some("no-copy")), "{plan}");
    assert_eq!(sandbox.files("LOG"), before);
    assert_eq!(sandbox.run(&["repair", "LOG", "--from-dwb", "--at", "1"]).code, 2);
}

#[test]
fn a_rotten_last_record_needs_no_permission_when_its_copy_replaces_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/nodedb");
    for case in ["clean_dwb", "clean_dwb-h63"] {
        let sandbox = sandbox_with(&root.join(case).join("wal"));
        let log = sandbox.path().join("LOG");
        let (segment, mut bytes) = files(&log).into_iter().find(|(name, _)| name.ends_with(".seg")).expect("there is one");
        let whole = lsns(&sandbox);
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(log.join(segment), bytes).expect("room for a file");
        assert_eq!(answer(&sandbox, &["repair", "LOG", "--json"]).1["refused"]["kind"], "suspect", "{case}");
        let ran = sandbox.run(&["repair", "LOG", "--from-dwb"]);
        assert_eq!(ran.code, 0, "{case}: {}{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains("put back there from wal-"), "{case}: {}", ran.stdout);
        assert_eq!(lsns(&sandbox), whole, "{case}");
    }
}

#[test]
fn the_mended_segment_belongs_to_whom_it_belonged() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let (case, dir, _) = torn().remove(0);
    let sandbox = sandbox_with(&dir);
    let log = sandbox.path().join("LOG");
    let segment = log.join(files(&log).into_keys().find(|name| name.ends_with(".seg")).expect("there is one"));
    fs::set_permissions(&segment, fs::Permissions::from_mode(0o640)).expect("it is ours");
    // Only root may give files away; without that the permissions alone are looked at.
    let _ = chown(&segment, Some(4321), Some(1234));
    let owner = || fs::metadata(&segment).map(|m| (m.uid(), m.gid(), m.mode())).expect("it is there");
    let before = owner();
    for words in [&["repair", "LOG", "--from-dwb"][..], &["repair", "LOG", "--undo"]] {
        assert_eq!(sandbox.run(words).code, 0, "{case}");
        assert_eq!(owner(), before, "{case}: {words:?}");
    }
}

#[test]
#[ignore = "dozens of runs under strace"]
fn it_and_its_undo_can_be_killed_anywhere_and_run_again() {
    if !strace_is_there() {
        return;
    }
    for (case, dir, expect) in torn() {
        let before = files(&dir);
        let prepare = || sandbox_with(&dir);
        let mut all = lsns(&prepare());
        all.extend(expect["recoverable_from_dwb"].as_array().expect("a list").iter().filter_map(Json::as_u64));
        let undone = |sandbox: &Sandbox, what: &str| {
            while sandbox.run(&["repair", "LOG", "--undo"]).code == 0 {}
            assert!(files(&sandbox.path().join("LOG")) == before, "{case}: {what}");
        };
        let whole = |sandbox: &Sandbox, what: &str| {
            assert_eq!(sandbox.run(&["repair", "LOG", "--from-dwb"]).code, 0, "{case}: {what}");
            assert_eq!(sandbox.run(&["verify", "LOG"]).code, 0, "{case}: {what}");
            assert_eq!(lsns(sandbox), all, "{case}: {what}");
            undone(sandbox, what);
        };
        kill_everywhere(prepare, &["repair", "LOG", "--from-dwb"], whole);
        let mended = || {
            let sandbox = prepare();
            assert_eq!(sandbox.run(&["repair", "LOG", "--from-dwb"]).code, 0);
            sandbox
        };
        kill_everywhere(mended, &["repair", "LOG", "--undo"], |sandbox, what| {
            undone(sandbox, what);
            whole(sandbox, what);
        });
    }
}
