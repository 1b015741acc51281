//! The real binary on a disk that tears and reorders: of what was not synced any part survives a power cut, sector by sector and name
//! by name. What it acknowledged is there. And a disk whose syncs and reads fail.
//!
//! These need root and /dev/fuse. The power fails in an operation with a given number, and a coin with a given seed decides what
//! survives: both are told when something is wrong.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::crash::{acknowledged, check, is_root, read_back};
use crate::support::medium::{Coin, Medium};
use crate::support::tearing::Tearing;

const WALCTL: &str = env!("CARGO_BIN_EXE_walctl");
/// So many records come in each life of a log: whole batches, and some segments.
const RECORDS: usize = 210;
/// How often a log is written from nothing, in each mode.
const LOGS: usize = 12;
/// How often the power fails on the same log.
const LIVES: usize = 3;
/// How often the coin is thrown for the same power cut.
const THROWS: u64 = 2;

const MODES: [&[&str]; 12] = [
    &[],
    &["--direct"],
    &["--buffered"],
    &["--sync", "dsync"],
    &["--sync", "fsync", "--segment-records", "30"],
    &["--batch", "7"],
    &["--batch", "7", "--direct", "--sync", "dsync"],
    &["--preallocate", "none"],
    &["--preallocate", "sparse"],
    &["--preallocate", "fallocate", "--batch", "7"],
    &["--preallocate", "zero", "--segment-bytes", "8KiB"],
    // A thread of its own seals between any two groups.
    &["--segment-age", "1ms", "--batch", "7"],
];

#[allow(clippy::print_stderr, reason = "a test has nobody else to tell")]
fn mount(dir: &Path, piece: usize, seed: u64) -> Option<Tearing> {
    if !is_root() {
        return None;
    }
    let mounted = Tearing::mount(&dir.join("mnt"), Medium::new(piece, seed));
    if mounted.is_none() {
        eprintln!("skipped: nothing can be mounted here");
    }
    mounted
}

/// One log, its acknowledgements and its ledger, which lie on a disk that is well.
struct Life {
    dir: PathBuf,
    /// Where the log is, from the root of the disk.
    name: &'static str,
    log: PathBuf,
    acks: Vec<u64>,
}

impl Life {
    fn begin(dir: &Path, disk: &Tearing, name: &'static str) -> Life {
        Life { dir: dir.to_owned(), name, log: disk.path().join(name), acks: Vec::new() }
    }

    fn ledger(&self) -> PathBuf {
        self.dir.join("ledger")
    }

    /// Appends records that tell their life and number. The exit code.
    fn append(&mut self, life: usize, flags: &[&str]) -> i32 {
        let lines: String = (0..RECORDS).map(|n| format!("{life} {n} {}\n", "x".repeat(n * 53 % 900))).collect();
        let (input, told) = (self.dir.join("input"), self.dir.join("told"));
        fs::write(&input, lines).expect("the sandbox has room");
        if self.acks.is_empty() {
            // The log that it was begun for may be gone, and another one comes.
            let _ = fs::remove_file(self.ledger());
        }
        let mut command = Command::new(WALCTL);
        command.arg("append").arg(&self.log).args(["--repair", "--group-records", "7", "--ledger"]).arg(self.ledger());
        if !flags.contains(&"--segment-bytes") {
            command.args(["--segment-bytes", "32KiB"]);
        }
        command.args(flags).stdin(File::open(&input).expect("it was just written"));
        let status = command.stdout(File::create(&told).expect("the sandbox has room")).stderr(Stdio::null()).status();
        self.acks.extend(acknowledged(&told));
        status.expect("walctl runs").code().expect("it is not killed")
    }

    /// What this fall of the coin leaves is looked at, mended and gone on with, on a disk that is well.
    fn examine(&self, disk: &Tearing, throw: u64, flags: &[&str], seed: &str) {
        let copy = self.dir.join("copy");
        let _ = fs::remove_dir_all(&copy);
        disk.medium().survivors(throw, &copy);
        let log = copy.join(self.name);
        if self.ledger().exists() && log.exists() {
            fs::copy(self.ledger(), log.with_extension("ledger")).expect("the sandbox has room");
        }
        in_order(&log, seed);
        if throw.is_multiple_of(2) && log.exists() && read_back(&log).1 == 3 {
            let repair = Command::new(WALCTL).arg("repair").arg(&log).output().expect("walctl runs");
            assert!(repair.status.success(), "{seed}: {}", String::from_utf8_lossy(&repair.stderr));
            assert_eq!(read_back(&log).1, 0, "{seed}: after the repair");
        }
        check(&log, &self.acks, flags, usize::MAX, seed);
    }
}

/// Each life's records come back from the first on without a hole, one life behind the other, and nothing that was never handed over.
fn in_order(log: &Path, seed: &str) {
    let dump = Command::new(WALCTL).args(["dump", "--json"]).arg(log).output().expect("walctl runs");
    let mut due = (0, 0);
    for line in String::from_utf8_lossy(&dump.stdout).lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        if value.get("after_damage").is_some() {
            break;
        }
        let payload = value["payload"].as_str().expect("it was text");
        let mut words = payload.split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<usize>().ok()).expect("it tells its life and number");
        let (life, own) = (number(), number());
        if life > due.0 {
            due = (life, 0);
        }
        assert_eq!((life, own), due, "{seed}: a hole or another order");
        assert_eq!(payload.len(), format!("{life} {own} ").len() + own * 53 % 900, "{seed}: record {own} is another one");
        due.1 += 1;
    }
}

#[test]
#[ignore = "needs root and /dev/fuse"]
fn power_cuts_that_tear_and_reorder_lose_nothing_that_was_acknowledged() {
    let (mut cuts, mut tails) = (0, 0);
    for (mode, flags) in MODES.iter().enumerate() {
        for run in 0..LOGS {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let piece = if run % 4 == 3 { 4096 } else { 512 };
            let Some(disk) = mount(dir.path(), piece, run as u64) else { return };
            // The names of the folders that it lies in must be durable too.
            let mut log = Life::begin(dir.path(), &disk, if run % 5 == 4 { "made/with/the/log" } else { "log" });
            let mut coin = Coin::new((mode * LOGS + run) as u64);
            for life in 0..LIVES {
                // Early ones meet the making of the log, late ones rotations; a third of a run's operations lie before the first.
                let cut = 1 + coin.below(if run.is_multiple_of(3) { 24 } else { 220 }) as u64;
                disk.medium().cut_at = Some(cut);
                let before = log.acks.len();
                let code = log.append(life, flags);
                let dead = disk.medium().dead;
                let seed = format!("{flags:?}, run {run}, life {life}, pieces of {piece}, cut in operation {cut}");
                // Behind the last acknowledgement only room ahead is given back, and nobody need hear of a failure there.
                let finished = code == 0 && log.acks.len() - before == RECORDS;
                assert!(finished || dead && (code == 1 || code == 6), "{seed}: exit {code}");
                cuts += u64::from(dead);
                for throw in 0..THROWS {
                    log.examine(&disk, throw, flags, &format!("{seed}, throw {throw}"));
                }
                tails += usize::from(dead && code == 6);
                disk.medium().reboot(coin.below(1 << 30) as u64);
            }
        }
    }
    assert!(cuts > 280 && tails > 140, "only {cuts} power cuts, and {tails} while records were on their way");
}

/// The control: where nobody syncs, this disk does lose what was acknowledged, and so do readers of what is left.
#[test]
#[ignore = "needs root and /dev/fuse"]
fn without_a_sync_the_same_power_cuts_lose_records() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = mount(dir.path(), 512, 1) else { return };
    let mut log = Life::begin(dir.path(), &disk, "log");
    disk.medium().cut_at = Some(40);
    assert_ne!(log.append(0, &["--sync", "none", "--segment-bytes", "1MiB", "--preallocate", "none"]), 0);
    let lost = (0..16).filter(|throw| {
        let copy = dir.path().join(throw.to_string());
        disk.medium().survivors(*throw, &copy);
        read_back(&copy.join("log")).0.len() < log.acks.len()
    });
    assert!(log.acks.len() > 20 && lost.count() > 8);
}

#[test]
#[ignore = "needs root and /dev/fuse"]
fn a_disk_that_gives_up_what_it_could_not_sync_loses_nothing_that_was_acknowledged() {
    for flags in [MODES[0], MODES[1], MODES[4]] {
        let mut unmet = 0;
        for n in 1..=200 {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let Some(disk) = mount(dir.path(), 512, n) else { return };
            disk.medium().fail_sync = Some(n);
            let mut log = Life::begin(dir.path(), &disk, "log");
            let code = log.append(0, flags);
            let seed = format!("{flags:?}, sync {n} fails");
            unmet = if disk.medium().syncs < n { unmet + 1 } else { 0 };
            // Room ahead may fail to be made, and nobody need hear of it.
            assert!(matches!(code, 0 | 1 | 6), "{seed}: exit {code}");
            assert!(code != 0 || log.acks.len() == RECORDS, "{seed}: {} acknowledged", log.acks.len());
            log.examine(&disk, 1, flags, &seed);
            // The machine stays up, and its cache shows what the disk never got. Who goes on looks at the disk.
            log.append(1, flags);
            let seed = format!("{seed}, and it goes on");
            (0..THROWS).for_each(|throw| log.examine(&disk, throw, flags, &format!("{seed}, throw {throw}")));
            if unmet == 2 {
                assert!(n > 20, "only {n} syncs were met");
                break;
            }
        }
    }
}

#[test]
#[ignore = "needs root and /dev/fuse"]
fn what_the_disk_refuses_to_give_is_unreadable_and_reading_goes_on_behind_it() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = mount(dir.path(), 512, 1) else { return };
    let mut log = Life::begin(dir.path(), &disk, "log");
    assert_eq!(log.append(0, &[]), 0);
    let (whole, exit) = read_back(&log.log);
    assert_eq!((whole.len(), exit), (RECORDS, 0));
    let name = "00000000000000000001.wal";
    for (bad, what) in [(12_288..12_800, "a sector"), (8192..20_480, "some pages"), (0..512, "the header")] {
        for io in ["auto", "map", "read", "media"] {
            disk.medium().bad = vec![(name.to_owned(), bad.clone())];
            let io = if io == "media" { vec!["--media"] } else { vec!["--io", io] };
            let seed = format!("{what}, {io:?}");
            let verify = Command::new(WALCTL).args(["verify", "--json"]).args(&io).arg(&log.log).output().expect("walctl runs");
            let report: serde_json::Value = serde_json::from_slice(&verify.stdout).expect("a report is JSON");
            assert_eq!(verify.status.code(), Some(4), "{seed}: {report}");
            let found: Vec<&str> =
                report["damage"].as_array().expect("a list").iter().filter_map(|d| d["verdict"].as_str()).collect();
            assert!(found.contains(&"unreadable"), "{seed}: {report}");
            assert_eq!(report["last_lsn"], RECORDS, "{seed}: reading did not go on behind it");
        }
        // Who appends looks only at the last segment.
        let more = Command::new(WALCTL).args(["append", "--text", "more"]).arg(&log.log).output().expect("walctl runs");
        assert_eq!(more.status.code(), Some(0), "{what}: {}", String::from_utf8_lossy(&more.stderr));
        disk.medium().bad.clear();
        fs::remove_dir_all(&log.log).expect("it is there");
        log.acks.clear();
        assert_eq!(log.append(0, &[]), 0);
    }
}

#[test]
#[ignore = "needs root and /dev/fuse"]
fn nothing_is_appended_behind_what_cannot_be_read_and_nothing_is_cut() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let Some(disk) = mount(dir.path(), 512, 1) else { return };
    let mut log = Life::begin(dir.path(), &disk, "log");
    // Not closed, so that opening reads it frame by frame, and from the medium.
    disk.medium().cut_at = Some(40);
    assert_eq!(log.append(0, &["--segment-bytes", "1MiB"]), 6);
    disk.medium().reboot(1);
    let (before, _) = read_back(&log.log);
    assert!(before.len() > 20);
    for bad in [4608..5120, 0..512] {
        disk.medium().bad = vec![("00000000000000000001.wal".to_owned(), bad.clone())];
        for flags in [&[][..], &["--repair"]] {
            let more = Command::new(WALCTL).arg("append").args(flags).args(["--text", "more"]).arg(&log.log).output();
            let more = more.expect("walctl runs");
            let said = String::from_utf8_lossy(&more.stderr).into_owned();
            assert_eq!(more.status.code(), Some(4), "{bad:?} {flags:?}: {said}");
            assert!(more.stdout.is_empty() && said.contains("--salvage"), "{bad:?} {flags:?}: {said}");
        }
    }
    disk.medium().bad.clear();
    assert_eq!(read_back(&log.log).0, before);
}
