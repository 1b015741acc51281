//! A process with 64 appending threads is killed at random moments, again and again on the same log: nothing acknowledged is lost,
//! each thread's records come back in their order without a hole, and batches come back whole.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use walctl::disk::RealDisk;
use walctl::writer::{Draft, GroupCommit, Preallocate, Settings, SyncMode};

const WALCTL: &str = env!("CARGO_BIN_EXE_walctl");
const THREADS: usize = 64;
/// Says to a process that it is the one to be killed: the folder, the mode and the session.
const ROLE: &str = "WALCTL_TEST_LOAD";
/// How often a process is killed.
const KILLS: u64 = 60;
/// How often on the same log.
const SESSIONS: u64 = 4;

fn modes() -> Vec<Settings> {
    let base = Settings { segment_bytes: 256 << 10, ..Settings::default() };
    vec![
        base.clone(),
        Settings { direct: true, ..base.clone() },
        Settings { sync: SyncMode::Dsync, ..base.clone() },
        Settings { sync: SyncMode::Fsync, preallocate: Preallocate::None, ..base.clone() },
        Settings { preallocate: Preallocate::Sparse, segment_records: Some(100), ..base.clone() },
        Settings { preallocate: Preallocate::Fallocate, frame_limit: 100, ..base },
    ]
}

fn payload(session: u64, thread: usize, number: u64, more: u64) -> String {
    let length = usize::try_from(number * 37 % 400).expect("small");
    format!("{session} {thread} {number} {more} {}", "x".repeat(length))
}

/// The process that is killed. Run as a test it does nothing.
#[test]
#[ignore = "it is started by the test below"]
fn the_load_itself() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let mut words = role.split(' ');
    let mut number = || words.next().and_then(|word| word.parse::<u64>().ok()).expect("the test below sets three words");
    let (mode, session) = (usize::try_from(number()).expect("small"), number());
    let dir = Path::new(words.next().expect("the test below sets three words"));
    let options = modes().swap_remove(mode);
    let log = GroupCommit::open(Arc::new(RealDisk), &dir.join("log"), options).expect("the log is clean");
    let acks = File::options().append(true).create(true).open(dir.join("acks")).expect("a file can be made");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (log, acks) = (log.clone(), &acks);
            scope.spawn(move || {
                let mut number = 0;
                loop {
                    // Each fifth time it is a batch of three.
                    let count = if number % 5 == 4 { 3 } else { 1 };
                    let payloads: Vec<String> =
                        (0..count).map(|more| payload(session, thread, number + more, count - 1 - more)).collect();
                    let drafts: Vec<Draft<'_>> = payloads.iter().map(|text| Draft::of(text.as_bytes())).collect();
                    let told = log.append_batch(&drafts).expect("the disk is well");
                    let lines: String = told
                        .iter()
                        .zip(number..)
                        .map(|(ack, number)| format!("{} {session} {thread} {number}\n", ack.lsn))
                        .collect();
                    // One call: a line is there, or it is not.
                    (&mut &*acks).write_all(lines.as_bytes()).expect("the disk is well");
                    number += count;
                }
            });
        }
    });
}

/// The records of a log: LSN and payload, and that they are in order without a hole.
fn read_back(log: &Path, seed: &str) -> Vec<(u64, String)> {
    let dump = Command::new(WALCTL).args(["dump", "--json"]).arg(log).output().expect("walctl runs");
    let mut records = Vec::new();
    let mut due = 1;
    for line in String::from_utf8_lossy(&dump.stdout).lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        if value.get("after_damage").is_some() {
            break;
        }
        let lsn = value["lsn"].as_u64().expect("ours have numbers");
        assert_eq!(lsn, due, "{seed}: a hole or another order");
        let text = value["payload"].as_str().expect("it is text").to_owned();
        // A record in several frames takes as many numbers.
        due = value.get("meta").and_then(|meta| meta["last_lsn"].as_u64()).unwrap_or(lsn) + 1;
        records.push((lsn, text));
    }
    records
}

fn check(dir: &Path, seed: &str) {
    let log = dir.join("log");
    let verify = Command::new(WALCTL).args(["verify", "--deep"]).arg(&log).output().expect("walctl runs");
    let exit = verify.status.code();
    assert!(matches!(exit, Some(0 | 3)), "{seed}: verify: {exit:?} {}", String::from_utf8_lossy(&verify.stdout));
    let records = read_back(&log, seed);
    let found: HashMap<u64, &str> = records.iter().map(|(lsn, text)| (*lsn, text.as_str())).collect();
    let mut due: HashMap<(&str, &str), (u64, u64)> = HashMap::new();
    for (lsn, text) in &records {
        let mut words = text.splitn(5, ' ');
        let mut word = || words.next().expect("it was handed over like that");
        let (session, thread) = (word(), word());
        if session == "afterwards" {
            continue;
        }
        let (number, more): (u64, u64) = (word().parse().expect("a number"), word().parse().expect("a number"));
        let own = due.entry((session, thread)).or_default();
        assert_eq!(number, own.0, "{seed}: LSN {lsn}: thread {thread} of session {session} lacks a record before");
        let whole = payload(session.parse().expect("a number"), thread.parse().expect("a number"), number, more);
        assert!(*text == whole, "{seed}: LSN {lsn} is another record");
        *own = (number + 1, more);
    }
    for ((session, thread), (_, more)) in &due {
        assert_eq!(*more, 0, "{seed}: half of a batch of thread {thread} of session {session} came back");
    }
    let acks = fs::read_to_string(dir.join("acks")).unwrap_or_default();
    for line in acks.lines() {
        let (lsn, record) = line.split_once(' ').expect("a line is complete");
        let lsn: u64 = lsn.parse().expect("an LSN");
        let found = found.get(&lsn).unwrap_or_else(|| panic!("{seed}: LSN {lsn} was acknowledged and is not there"));
        assert!(found.starts_with(&format!("{record} ")), "{seed}: LSN {lsn} was {record}");
    }
    let more = Command::new(WALCTL).args(["append", "--repair", "--text", "afterwards x"]).arg(&log).output();
    let more = more.expect("walctl runs");
    assert!(more.status.success(), "{seed}: {}", String::from_utf8_lossy(&more.stderr));
    let next: u64 = String::from_utf8_lossy(&more.stdout).trim().parse().expect("an LSN");
    assert!(records.last().is_none_or(|(lsn, _)| next > *lsn), "{seed}: {next} is given again");
}

#[test]
#[ignore = "takes a while"]
fn killed_under_the_load_of_64_threads_nothing_acknowledged_is_lost() {
    let own = std::env::current_exe().expect("this program has a path");
    let count = modes().len() as u64;
    let mut dir = tempfile::tempdir().expect("a temporary folder");
    for kill in 0..KILLS {
        let (session, mode) = (kill % SESSIONS, kill / SESSIONS % count);
        if session == 0 {
            dir = tempfile::tempdir().expect("a temporary folder");
        }
        let acks = dir.path().join("acks");
        let length = || fs::metadata(&acks).map_or(0, |meta| meta.len());
        let goal = length() + 200 + kill.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 60_000;
        let seed = format!("kill {kill} (session {session}, mode {mode}, {goal} bytes of acknowledgements)");
        let mut child = Command::new(&own)
            .args(["crash_load::the_load_itself", "--exact", "--ignored", "--nocapture"])
            .env(ROLE, format!("{mode} {session} {}", dir.path().display()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program starts again");
        let begun = Instant::now();
        while length() < goal && begun.elapsed() < Duration::from_secs(30) {
            assert!(child.try_wait().expect("it is our child").is_none(), "{seed}: the load ended by itself");
            thread::yield_now();
        }
        child.kill().expect("it is our child");
        child.wait().expect("it is our child");
        check(dir.path(), &seed);
    }
}
