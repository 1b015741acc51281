//! Power cuts below a real filesystem: everything that ext4 or XFS asks of its disk while logs are written is written down, and the
//! disk is put together again as a power cut at any flush could have left it. The filesystem replays its journal, and what walctl had
//! acknowledged before that flush is there.
//!
//! These need root, /dev/fuse, a loop device, and the tools of ext4 and XFS.

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use walctl::disk::RealDisk;
use walctl::writer::{GroupCommit, Settings};

use crate::crash::is_root;
use crate::support::medium::Coin;
use crate::support::sandbox::have;
use crate::support::stream::{Cut, Image, Rack, Stream};

const WALCTL: &str = env!("CARGO_BIN_EXE_walctl");
/// How often the power is cut on each filesystem: divided among the writers.
const CUTS: usize = 40;
const RECORDS: usize = 420;
const THREADS: usize = 4;

/// Who writes, and how.
enum Writer {
    /// Threads of this process share one log.
    Threads(Box<Settings>),
    /// The binary, with records on its standard input.
    Binary(&'static [&'static str]),
}

fn writers() -> [(&'static str, Writer); 5] {
    let small = Settings { segment_bytes: 32 << 10, ..Settings::default() };
    [
        ("threads", Writer::Threads(Box::new(small.clone()))),
        ("threads, buffered", Writer::Threads(Box::new(Settings { buffered: true, ..small }))),
        ("binary", Writer::Binary(&[])),
        ("binary, buffered, in batches", Writer::Binary(&["--buffered", "--batch", "7"])),
        ("binary, no room ahead", Writer::Binary(&["--preallocate", "none", "--sync", "fsync"])),
    ]
}

fn payload(thread: usize, number: usize) -> String {
    format!("{thread} {number} {}", "x".repeat((thread * 17 + number) * 53 % 900))
}

/// An LSN and the record that was acknowledged with it.
type Promise = (u64, String);

impl Writer {
    /// Writes a log, while the rack is asked to write down how. What was asked, and every promise in the order they came.
    fn record(&self, rack: &Rack, log: &Path, scratch: &Path) -> (Stream, Vec<Promise>) {
        match self {
            Writer::Threads(options) => {
                let promises: Arc<Mutex<Vec<Promise>>> = Arc::default();
                let seen = promises.clone();
                rack.record(move || seen.lock().expect("nobody panics with it").len());
                let writer = GroupCommit::open(Arc::new(RealDisk), log, options.as_ref().clone()).expect("the folder is empty");
                thread::scope(|scope| {
                    for thread in 0..THREADS {
                        let (writer, promises) = (&writer, &promises);
                        scope.spawn(move || {
                            for number in 0..RECORDS / THREADS {
                                let text = payload(thread, number);
                                let lsn = writer.append(text.as_bytes()).expect("the disk is well").lsn;
                                promises.lock().expect("nobody panics with it").push((lsn.0, text));
                            }
                        });
                    }
                });
                writer.close().expect("the disk is well");
                let promises = promises.lock().expect("nobody panics with it").clone();
                (rack.recorded(), promises)
            }
            Writer::Binary(flags) => {
                let (input, told) = (scratch.join("input"), scratch.join("told"));
                let lines: String = (0..RECORDS).map(|number| payload(0, number) + "\n").collect();
                fs::write(&input, lines).expect("the sandbox has room");
                let out = File::create(&told).expect("the sandbox has room");
                let seen = told.clone();
                rack.record(move || whole_lines(&seen).len());
                let mut command = Command::new(WALCTL);
                command.arg("append").arg(log).args(["--segment-bytes", "32KiB", "--group-records", "7"]).args(*flags);
                command.stdin(File::open(&input).expect("it was just written")).stdout(out).stderr(Stdio::piped());
                let ended = command.spawn().and_then(|child| child.wait_with_output()).expect("walctl runs");
                assert!(ended.status.success(), "{}", words(&ended));
                let promises =
                    whole_lines(&told).into_iter().map(|lsn| (lsn, payload(0, usize::try_from(lsn).expect("few") - 1)));
                (rack.recorded(), promises.collect())
            }
        }
    }

    /// How many records are there together or not at all.
    fn batch(&self) -> usize {
        if matches!(self, Writer::Binary(flags) if flags.contains(&"--batch")) { 7 } else { 1 }
    }
}

/// The LSNs that were printed with the end of their line.
fn whole_lines(told: &Path) -> Vec<u64> {
    let text = fs::read_to_string(told).unwrap_or_default();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(|lsn| lsn.parse().expect("an LSN")).collect()
}

/// A filesystem on a disk of the rack, until it is dropped.
struct Mount<'a>(&'a Rack, PathBuf);

impl Mount<'_> {
    fn of<'a>(rack: &'a Rack, disk: &Path, at: &Path) -> Option<Mount<'a>> {
        fs::create_dir_all(at).expect("a folder can be made");
        let status = Command::new("mount").args(["-o", "loop"]).arg(disk).arg(at).stderr(Stdio::null()).status();
        status.expect("mount runs").success().then(|| Mount(rack, at.to_owned()))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let begun = Instant::now();
        while !Command::new("umount").arg(&self.1).stderr(Stdio::null()).status().is_ok_and(|status| status.success()) {
            if begun.elapsed() > Duration::from_secs(30) {
                let _ = Command::new("umount").arg("-l").arg(&self.1).status();
                return;
            }
            thread::yield_now();
        }
        self.0.forget();
    }
}

/// A log as it was written on a filesystem of this kind, and what became of the disk meanwhile.
struct Recording {
    stream: Stream,
    promises: Vec<Promise>,
}

impl Recording {
    fn make(kind: &str, writer: &Writer, rack: &Rack, dir: &Path) -> Recording {
        let disk = rack.add(Image::default());
        let made = Command::new(format!("mkfs.{kind}")).arg("-q").arg(&disk).output().expect("mkfs runs");
        assert!(made.status.success(), "{}", words(&made));
        let mount = Mount::of(rack, &disk, &dir.join("mnt")).expect("a fresh filesystem can be mounted");
        let synced = Command::new("sync").arg("-f").arg(&mount.1).status().expect("sync runs");
        assert!(synced.success());
        let (stream, promises) = writer.record(rack, &mount.1.join("log"), dir);
        Recording { stream, promises }
    }

    /// What is wrong after this power cut, or how the log ended.
    fn cut(&self, cut: Cut, batch: usize, rack: &Rack, dir: &Path) -> Result<End, String> {
        let disk = rack.add(self.stream.after(cut));
        let mount = Mount::of(rack, &disk, &dir.join("mnt")).ok_or("it cannot be mounted")?;
        examine(&mount.1.join("log"), &self.promises[..self.stream.promised(cut.flush)], batch)
    }
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn walctl(words: &[&str], log: &Path) -> Output {
    Command::new(WALCTL).args(words).arg(log).output().expect("walctl runs")
}

/// How the log was found.
struct End {
    torn: bool,
    /// It holds more than had been promised.
    more: bool,
}

/// Holds what is left of the log against what had been promised, mends it, and goes on with it.
fn examine(log: &Path, promises: &[Promise], batch: usize) -> Result<End, String> {
    if !log.exists() || fs::read_dir(log).map_err(|why| why.to_string())?.next().is_none() {
        return if promises.is_empty() { Ok(End { torn: false, more: false }) } else { Err("the log is gone".into()) };
    }
    let verify = walctl(&["verify", "--deep"], log);
    let (torn, no_log) = (verify.status.code() == Some(3), verify.status.code() == Some(1));
    if !(verify.status.success() || torn || no_log && promises.is_empty()) {
        return Err(words(&verify));
    }
    let found = dump(log)?;
    let by_lsn: HashMap<u64, &str> = found.iter().map(|(lsn, text)| (*lsn, text.as_str())).collect();
    for (lsn, text) in promises {
        match by_lsn.get(lsn) {
            None => return Err(format!("record {lsn} was acknowledged and is not there: {} records are", found.len())),
            Some(held) if held != text => return Err(format!("record {lsn} is another one")),
            Some(_) => {}
        }
    }
    if !found.len().is_multiple_of(batch) {
        return Err(format!("{} records: half of a batch", found.len()));
    }
    if torn {
        let repair = walctl(&["repair"], log);
        if !repair.status.success() || walctl(&["verify", "-q"], log).status.code() != Some(0) || dump(log)? != found {
            return Err(format!("the repair: {}", words(&repair)));
        }
    }
    let append = walctl(&["append", "--repair", "--text", "0 afterwards"], log);
    let due = found.len() as u64 + 1;
    if String::from_utf8_lossy(&append.stdout).trim() != due.to_string() {
        return Err(format!("{due} is due: {}", words(&append)));
    }
    let verify = walctl(&["verify", "-q"], log);
    if !verify.status.success() || dump(log)?.len() as u64 != due {
        return Err(format!("after going on: {}", words(&verify)));
    }
    Ok(End { torn, more: found.len() > promises.len() })
}

/// Every record in front of the first damage: in order from 1 without a hole, and as somebody handed it over.
fn dump(log: &Path) -> Result<Vec<Promise>, String> {
    let dump = walctl(&["dump", "--json"], log);
    let mut records: Vec<Promise> = Vec::new();
    for line in String::from_utf8_lossy(&dump.stdout).lines() {
        let value: serde_json::Value = serde_json::from_str(line).map_err(|why| format!("{why}: {line}"))?;
        if value.get("after_damage").is_some() {
            break;
        }
        let (lsn, text) = (value["lsn"].as_u64().ok_or(line)?, value["payload"].as_str().ok_or(line)?);
        let mut parts = text.split(' ').map(|word| word.parse().ok());
        let handed_over = match (parts.next().flatten(), parts.next().flatten()) {
            (Some(thread), Some(number)) => payload(thread, number),
            _ => "0 afterwards".to_owned(),
        };
        if lsn != records.len() as u64 + 1 || text != handed_over {
            return Err(format!("{line} comes after {} records", records.len()));
        }
        records.push((lsn, text.to_owned()));
    }
    Ok(records)
}

/// Where disks of this kind can be made; `None` elsewhere.
fn rack(kind: &str, dir: &Path) -> Option<Rack> {
    if !is_root() || !have("mount") || !have(&format!("mkfs.{kind}")) || !has_loops() {
        return None;
    }
    Rack::mount(&dir.join("rack"))
}

#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn has_loops() -> bool {
    let found = Path::new("/dev/loop-control").exists();
    assert!(found || std::env::var("CI").as_deref() != Ok("true"), "this needs loop devices");
    if !found {
        eprintln!("skipped: this machine has no loop devices");
    }
    found
}

fn power_cuts(kind: &str) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let Some(rack) = rack(kind, dir.path()) else { return };
    let (mut torn, mut more) = (0, 0);
    for (index, (name, writer)) in writers().into_iter().enumerate() {
        let recording = Recording::make(kind, &writer, &rack, dir.path());
        let (flushes, own) = (recording.stream.flushes(), CUTS / writers().len());
        assert_eq!(recording.promises.len(), RECORDS, "{kind}, {name}");
        assert!(flushes > RECORDS / 14, "{kind}, {name}: only {flushes} flushes reached the disk");
        for number in 0..own {
            // Anywhere in its share of the stream, so that each part of a log's life has some.
            let seed = (index * own + number) as u64;
            let flush = (number * flushes + Coin::new(seed).below(flushes)) / own;
            let (piece, one_in) = ([512, 4096][number % 2], [2, 2, 4, 1][number % 4]);
            let cut = Cut { flush, lies_from: usize::MAX, piece, one_in, seed };
            match recording.cut(cut, writer.batch(), &rack, dir.path()) {
                Ok(end) => (torn, more) = (torn + u32::from(end.torn), more + u32::from(end.more)),
                Err(why) => panic!("{kind}, {name}, {cut:?} of {flushes} flushes: {why}"),
            }
        }
    }
    assert!(torn + more > 0, "{kind}: no power cut met a group on its way");
}

/// The control: the same streams on a disk that answers flushes without having kept anything, from the middle of the stream on.
fn a_lie(kind: &str) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let Some(rack) = rack(kind, dir.path()) else { return };
    for (name, writer) in writers() {
        let recording = Recording::make(kind, &writer, &rack, dir.path());
        let flush = recording.stream.flushes() - 1;
        for (one_in, seed) in [(0, 0), (2, 1), (4, 2)] {
            let cut = Cut { flush, lies_from: flush / 2, piece: 512, one_in, seed };
            let lost = recording.cut(cut, writer.batch(), &rack, dir.path()).err();
            let why = lost.unwrap_or_else(|| panic!("{kind}, {name}, {cut:?}: nothing was lost to a disk that lies"));
            // With nothing of what came later the filesystem is that of an earlier moment, and whole.
            let whole = why.contains("was acknowledged and is not there");
            assert!(whole || one_in > 0, "{kind}, {name}, {cut:?}: {why}");
        }
    }
}

#[test]
#[ignore = "needs root and a loop device"]
fn power_cuts_below_ext4_lose_nothing_that_was_acknowledged() {
    power_cuts("ext4");
}

#[test]
#[ignore = "needs root and a loop device"]
fn power_cuts_below_xfs_lose_nothing_that_was_acknowledged() {
    power_cuts("xfs");
}

#[test]
#[ignore = "needs root and a loop device"]
fn a_disk_below_ext4_that_lies_about_flushes_loses_what_was_acknowledged() {
    a_lie("ext4");
}

#[test]
#[ignore = "needs root and a loop device"]
fn a_disk_below_xfs_that_lies_about_flushes_loses_what_was_acknowledged() {
    a_lie("xfs");
}

/// The other control: where the writer syncs nothing, these disks lose what was acknowledged.
#[test]
#[ignore = "needs root and a loop device"]
fn without_a_sync_power_cuts_below_ext4_lose_records() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let Some(rack) = rack("ext4", dir.path()) else { return };
    let writer = Writer::Binary(&["--sync", "none", "--preallocate", "none", "--buffered"]);
    let recording = Recording::make("ext4", &writer, &rack, dir.path());
    let last = recording.stream.flushes().checked_sub(1).expect("the clean close syncs");
    let lost = (0..=last).filter(|flush| {
        let cut = Cut { flush: *flush, lies_from: usize::MAX, piece: 4096, one_in: 2, seed: *flush as u64 };
        recording.cut(cut, 1, &rack, dir.path()).is_err()
    });
    assert!(lost.count() > 0, "what nobody synced survived {last} power cuts");
}
