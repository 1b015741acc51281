//! Encrypted logs: what was frozen still reads, what is lost of a header costs no payload, and the foreign formats keep the same rules.

use std::path::Path;

use walctl::native::key_hint;

use crate::support::sandbox::Sandbox;

fn fixture(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name).display().to_string()
}

/// Logs that earlier builds of walctl wrote, as they wrote them. Their bytes must never stop reading.
#[test]
fn frozen_encrypted_logs_read_whole_and_are_clean() {
    let sandbox = Sandbox::new();
    let keys = fixture("native/KEYS");
    for (name, records) in
        [("encrypted-unbound", "alpha\nthe second record\n"), ("encrypted-bound", "alpha\nthe second record\n")]
    {
        let log = fixture(&format!("native/{name}"));
        let dumped = sandbox.run(&["dump", &log, "--raw", "--key-file", &keys]);
        assert_eq!((dumped.code, dumped.stdout.as_str()), (0, records), "{name}: {}", dumped.stderr);
        let verified = sandbox.run(&["verify", &log, "--deep", "--key-file", &keys]);
        assert_eq!(verified.code, 0, "{name}: {}{}", verified.stdout, verified.stderr);
    }
}

#[test]
fn an_older_encrypted_log_goes_on_with_a_segment_whose_payloads_are_bound() {
    let sandbox = Sandbox::with("unbound\nencrypted record alpha\nclose");
    let appended = sandbox.run(&["append", "LOG", "--key-file", "KEYS", "--text", "beta"]);
    assert_eq!((appended.code, appended.stdout.as_str()), (0, "2\n"), "{}", appended.stderr);
    let flags: Vec<u8> =
        sandbox.files("LOG").iter().filter(|(name, _)| name.ends_with(".wal")).map(|(_, bytes)| bytes[10]).collect();
    assert_eq!(flags, [1, 3]);
    let verified = sandbox.run(&["verify", "LOG", "--deep", "--key-file", "KEYS"]);
    assert_eq!(verified.code, 0, "{}", verified.stdout);
    assert_eq!(sandbox.run(&["dump", "LOG", "--raw", "--key-file", "KEYS"]).stdout, "alpha\nbeta\n");
}

#[test]
fn what_is_lost_of_a_header_costs_no_payload() {
    let log = "encrypted record alpha\nencrypted record beta\nsegment\nencrypted record gamma\n";
    for (lost, what) in [
        ("in 1\nzero 0 512", "the first sector"),
        ("in 1\nzero 2048 512", "the copy"),
        ("in 1\nzero 0 4096", "the header of one segment of two"),
        ("in 2\nzero 0 4096", "the header of the last one"),
        ("in 1\nput 64 0000000000000000", "the key id"),
        ("in 1\nput 72 0000000000000000", "the salt"),
        ("in 1\nput 88 0000000000000000", "what authenticates it"),
    ] {
        let sandbox = Sandbox::with(&format!("{log}{lost}"));
        let dumped = sandbox.run(&["dump", "LOG", "--raw", "--key-file", "KEYS"]);
        assert_eq!(dumped.stdout, "alpha\nbeta\ngamma\n", "without {what}: {}", dumped.stderr);
        let copy_alone = what == "the copy";
        let verified = sandbox.run(&["verify", "LOG", "--key-file", "KEYS", "--deep"]);
        assert_eq!(verified.code == 0, copy_alone, "without {what}: {}", verified.stdout);
    }
}

/// A whole frame, taken elsewhere with its number and sum made right, is what an attacker without the key can make.
#[test]
fn a_frame_of_another_log_under_the_same_key_does_not_open() {
    for (unbound, code) in [("", 4), ("unbound\n", 0)] {
        let ours = Sandbox::with(&format!("{unbound}encrypted record pay alice\nencrypted record pay bob"));
        let theirs = Sandbox::with(&format!("{unbound}other log\nencrypted record nothing\nencrypted record pay mallory"));
        let bytes = |sandbox: &Sandbox| sandbox.files("LOG").remove(0).1;
        let (mut log, other) = (bytes(&ours), bytes(&theirs));
        // The second frames begin behind first ones of 40 + 28 + 9 and 40 + 28 + 7 bytes: both at 4096 + 80.
        let at = 4096 + 80;
        log.truncate(at);
        log.extend_from_slice(&other[at..]);
        let mut seed = crc32fast::Hasher::new();
        seed.update(&log[16..40]);
        let mut sum = crc32fast::Hasher::new_with_initial(seed.finalize().wrapping_add(at as u32));
        sum.update(&log[at + 8..at + 40 + 28 + 11]);
        let sum = sum.finalize().to_le_bytes();
        log[at + 4..at + 8].copy_from_slice(&sum);
        std::fs::write(ours.path().join("LOG/00000000000000000001.wal"), log).expect("the sandbox has room");
        assert_eq!(ours.run(&["verify", "LOG"]).code, 0, "its sum is right");
        let verified = ours.run(&["verify", "LOG", "--deep", "--key-file", "KEYS"]);
        assert_eq!(verified.code, code, "{unbound}{}{}", verified.stdout, verified.stderr);
    }
}

#[test]
fn a_wrong_key_is_an_inability_in_the_foreign_formats_too() {
    let sandbox = Sandbox::new();
    let wrong = sandbox.path().join("WRONG");
    std::fs::write(&wrong, "5a".repeat(32)).expect("the sandbox has room");
    let wrong = wrong.display().to_string();
    for name in
        ["nodedb/clean_encrypted", "nodedb/clean_encrypted-h63", "rivven/clean_encrypted", "rivven/clean_encrypted_chacha20"]
    {
        let log = log_in(&fixture(name));
        for words in
            [&["verify", &log, "--key-file", &wrong][..], &["verify", &log, "--deep"], &["dump", &log, "--key-file", &wrong]]
        {
            let ran = sandbox.run(words);
            assert_eq!(ran.code, 1, "{words:?}: {}{}", ran.stdout, ran.stderr);
            assert!(ran.stderr.contains("encrypted"), "{words:?}: {}", ran.stderr);
        }
        let raw = sandbox.run(&["dump", &log, "--raw"]);
        assert_eq!(raw.code, 1, "{name}: {}", raw.stderr);
        assert_eq!(sandbox.run(&["verify", &log]).code, 0, "{name}: its checksums need no key");
    }
}

#[test]
fn the_key_of_one_segment_of_two_is_not_enough_for_a_deep_check() {
    let sandbox = Sandbox::new();
    let log = log_in(&fixture("nodedb/clean_encrypted_key_rotation-h63"));
    let expect = std::fs::read_to_string(Path::new(&log).with_file_name("expect.json")).expect("the fixture says what it holds");
    let expect: serde_json::Value = serde_json::from_str(&expect).expect("it is JSON");
    let keys: Vec<&str> = expect["test_keys_hex"].as_array().expect("a list").iter().filter_map(|key| key.as_str()).collect();
    for (given, code) in [(&keys[..], 0), (&keys[..1], 1), (&keys[1..], 1)] {
        std::fs::write(sandbox.path().join("SOME"), given.join("\n")).expect("the sandbox has room");
        let ran = sandbox.run(&["verify", &log, "--deep", "--key-file", "SOME"]);
        assert_eq!(ran.code, code, "{} of {} keys: {}{}", given.len(), keys.len(), ran.stdout, ran.stderr);
        assert_eq!(ran.stdout.is_empty(), code == 1, "what was not looked into is not called clean: {}", ran.stdout);
    }
}

/// The folder in a fixture that holds the log.
fn log_in(fixture: &str) -> String {
    let inner = Path::new(fixture).join("wal");
    if inner.is_dir() { inner.display().to_string() } else { fixture.to_owned() }
}

#[test]
fn the_key_id_of_the_format_page_is_that_of_the_library() {
    let hint = key_hint(&[0x6b; 32], *b"salt of a recipe");
    let sandbox = Sandbox::with("encrypted record alpha");
    assert_eq!(sandbox.files("LOG").remove(0).1[64..72], hint.id);
}
