//! The key-value store of the examples: killed and cut off from power at random, it has every acknowledged write and no other.

#[path = "../../examples/recover_kv.rs"]
mod recover_kv;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use recover_kv::Store;
use walctl::disk::{Fault, Luck, SimDisk};
use walctl::{Options, verify};

use crate::support::wounds::Dice;

/// Sets keys until the disk fails; what was acknowledged, and what was under way then.
fn load(disk: &SimDisk, seed: u64) -> (BTreeMap<String, String>, Option<(String, String)>) {
    let mut promised = BTreeMap::new();
    let options = Options::new().disk(Arc::new(disk.clone())).background(false).segment_records(20);
    let Ok(mut store) = Store::open(&options, Path::new("/store")) else { return (promised, None) };
    promised.extend(store.all().map(|(key, value)| (key.to_owned(), value.to_owned())));
    for step in 0..150 {
        let (key, value) = (format!("key {}", (seed + step * 7) % 13), format!("value {seed} {step}"));
        if step % 40 == 39 && store.compact().is_err() {
            return (promised, None);
        }
        if store.set(&key, &value).is_err() {
            return (promised, Some((key, value)));
        }
        promised.insert(key, value);
    }
    (promised, None)
}

/// What is found is what was promised, with or without the write that was under way.
fn is_kept(found: &BTreeMap<String, String>, promised: &BTreeMap<String, String>, under_way: Option<(String, String)>) -> bool {
    let mut more = promised.clone();
    more.extend(under_way);
    found == promised || *found == more
}

#[test]
fn a_store_whose_power_fails_has_every_acknowledged_write_and_no_other() {
    let whole = SimDisk::new();
    assert_eq!(load(&whole, 0).0.len(), 13);
    let count = whole.operations();
    for cut in 0..100 {
        let (disk, operation) = (SimDisk::new(), 1 + cut * (count - 1) / 99);
        disk.fail_at(operation, Fault::PowerOff);
        let (promised, under_way) = load(&disk, 0);
        let after = disk.after_power_failure([Luck::None, Luck::All, Luck::Dice(cut)][cut as usize % 3]);
        let options = Options::new().disk(Arc::new(after)).background(false).segment_records(20);
        let store = Store::open(&options, Path::new("/store")).unwrap_or_else(|error| panic!("operation {operation}: {error}"));
        let found: BTreeMap<_, _> = store.all().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        assert!(is_kept(&found, &promised, under_way), "operation {operation}: {found:?} of {promised:?}");
    }
}

/// The example as a program.
fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let target = Path::new(env!("CARGO_BIN_EXE_walctl")).parent().and_then(Path::parent).expect("target/PROFILE/walctl");
        let mut build = Command::new(cargo);
        build.args(["build", "--quiet", "--offline", "--example", "recover_kv", "--target-dir"]).arg(target);
        assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs").success());
        target.join("debug/examples/recover_kv")
    })
}

/// Kills the store `times` times at random moments, always going on with the same folder.
fn kill(times: u64) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut promised: BTreeMap<String, String> = BTreeMap::new();
    for run in 0..times {
        let mut dice = Dice::of(run);
        let mut child = Command::new(program())
            .arg(dir.path().join("store"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (mut input, output) = (child.stdin.take().expect("it is piped"), child.stdout.take().expect("it is piped"));
        let mut answers = BufReader::new(output).lines();
        writeln!(input, "all").expect("it reads");
        let all = answers.next().expect("it answers").expect("it is text");
        let found = all.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
        let found: BTreeMap<String, String> = found.collect();
        let sent = |(key, value): (&String, &String)| promised.get(key) == Some(value) || value.starts_with("late-");
        assert!(
            promised.keys().all(|key| found.contains_key(key)) && found.iter().all(sent),
            "run {run}: {found:?} of {promised:?}"
        );
        promised = found;
        for step in 0..dice.roll(30) {
            let (key, value) = (format!("k{}", dice.roll(20)), format!("v{run}-{step}"));
            let line = if step == 20 { "compact".to_owned() } else { format!("set {key} {value}") };
            writeln!(input, "{line}").expect("it reads");
            let answer = answers.next().expect("it answers").expect("it is text");
            if step != 20 {
                assert_eq!(answer, format!("ok {key} {value}"));
                promised.insert(key, value);
            }
        }
        // Some are under way when it dies: they may be there, or not.
        for late in 0..dice.roll(5) {
            writeln!(input, "set k{} late-{run}-{late}", dice.roll(20)).expect("it reads");
        }
        child.kill().expect("it can be killed");
        child.wait().expect("it ended");
    }
    assert!(verify(dir.path().join("store")).expect("it reads").verdict <= walctl::Verdict::Torn);
}

#[test]
fn a_store_that_is_killed_has_every_acknowledged_write() {
    kill(10);
}

#[test]
#[ignore = "slow: it is killed 1,000 times"]
fn a_store_that_is_killed_a_thousand_times_has_every_acknowledged_write() {
    kill(1000);
}
