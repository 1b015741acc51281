//! Other systems' own crates as writers: beside them while they run, behind them when they were killed, before them after a repair.
//!
//! They are a package of their own, tests/crates, which `.ci/run` builds into target/writers; `WALCTL_WRITERS` names another binary.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::support::sandbox::{Ran, Sandbox, finish, wait};

/// How long the looks beside a running writer go on.
const BESIDE: Duration = Duration::from_secs(6);
/// How often a writer is killed and begins again in the same log.
const KILLS: u64 = 8;

/// The program with the crates in it. Where everything must be tested a missing one is a failure; elsewhere it is said.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn writers() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/writers/debug/writers");
    let path = std::env::var_os("WALCTL_WRITERS").map_or(built, PathBuf::from);
    let found = path.is_file();
    assert!(found || std::env::var_os("CI").is_none(), "{} is needed here; .ci/run builds it", path.display());
    if !found {
        eprintln!("skipped: {} is not built", path.display());
    }
    found.then_some(path)
}

/// A log that a crate writes.
struct Log {
    system: &'static str,
    program: PathBuf,
    sandbox: Sandbox,
    /// The number of the next record that was never given.
    next: u64,
}

/// A writer under way.
struct Writer {
    child: Child,
    lines: BufReader<ChildStdout>,
    acknowledged: BTreeSet<u64>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Writer {
    /// Reads acknowledgements until there are this many, or no more.
    fn up_to(&mut self, count: usize) {
        let mut line = String::new();
        while self.acknowledged.len() < count {
            line.clear();
            if self.lines.read_line(&mut line).expect("its output reads") == 0 {
                return;
            }
            // The last line of a killed one may be half.
            if line.ends_with('\n') {
                self.acknowledged.insert(line.trim().parse().expect("a number a line"));
            }
        }
    }

    /// SIGKILL, and what it had acknowledged until then.
    fn kill(mut self) -> BTreeSet<u64> {
        self.child.kill().expect("it runs");
        wait(&mut self.child);
        self.up_to(usize::MAX);
        std::mem::take(&mut self.acknowledged)
    }
}

impl Log {
    fn new(system: &'static str) -> Option<Log> {
        let log = Log { system, program: writers()?, sandbox: Sandbox::new(), next: 1 };
        fs::create_dir(log.dir()).expect("room for a folder");
        Some(log)
    }

    fn dir(&self) -> PathBuf {
        self.sandbox.path().join("LOG")
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(self.system).args(words).stdin(Stdio::null());
        command
    }

    fn start(&self) -> Writer {
        let dir = self.dir();
        let mut command = self.command(&["write", dir.to_str().expect("a plain path"), &self.next.to_string()]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the writer starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped"));
        Writer { child, lines, acknowledged: BTreeSet::new() }
    }

    /// Opens the log, appends a few records, and closes it.
    fn append(&mut self, count: u64) {
        let dir = self.dir();
        let words = ["write", dir.to_str().expect("a plain path"), &self.next.to_string(), &count.to_string()];
        let ran = finish(self.command(&words), b"");
        assert_eq!((ran.code, ran.stdout.lines().count() as u64), (0, count), "{}: {}", self.system, ran.stderr);
        self.next += count;
    }

    /// What the crate's own reader gives. It may write: a copy is read.
    fn theirs(&self) -> BTreeSet<u64> {
        let copy = self.sandbox.path().join("COPY");
        let _ = fs::remove_dir_all(&copy);
        copy_all(&self.dir(), &copy);
        let ran = finish(self.command(&["read", copy.to_str().expect("a plain path")]), b"");
        assert_eq!(ran.code, 0, "{}: {}", self.system, ran.stderr);
        ran.stdout.lines().map(|line| line.parse().expect("a number a line")).collect()
    }

    /// What we read.
    fn ours(&self) -> BTreeSet<u64> {
        numbers(&self.sandbox.run(&["dump", "LOG", "--json", "--show-values"]))
    }

    fn verify(&self) -> (i32, String) {
        let ran = self.sandbox.run(&["verify", "LOG"]);
        (ran.code, format!("{}{}", ran.stdout, ran.stderr))
    }

    /// The file that was written to last, unless the system has begun another one since: then a power failure tears it no more.
    fn unfinished(&self) -> Option<PathBuf> {
        let mut files = Vec::new();
        walk(&self.dir(), &mut files);
        let index = files.iter().find(|path| path.ends_with("segments.idx")).and_then(|path| fs::read(path).ok());
        let segment = |path: &PathBuf| path.extension().is_some_and(|e| e == "wal" || e == "seg" || e == "log" || e == "raftlog");
        files.retain(segment);
        files.sort_by_key(|path| path.file_name().map(ToOwned::to_owned));
        let holds = |path: &PathBuf| fs::read(path).is_ok_and(|bytes| bytes.iter().any(|b| *b != 0));
        let last = files.iter().rposition(holds).expect("a record was written");
        let number = |path: &Path| {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).expect("a plain name");
            u64::from_str_radix(stem.trim_start_matches("wal-"), if self.system == "allsource" { 16 } else { 10 })
                .expect("a number")
        };
        // Files that rivven makes ahead of need are numbered far behind; ironwal lists a segment before it makes it.
        let listed = index.and_then(|bytes| bytes.as_chunks().0.last().map(|id| u64::from_le_bytes(*id)));
        let begun = |path: &PathBuf| self.system != "rivven" || number(path) < number(&files[last]) + 1024;
        let unfinished = !files[last + 1..].iter().any(begun) && listed.is_none_or(|id| id <= number(&files[last]));
        unfinished.then(|| files[last].clone())
    }
}

fn numbers(ran: &Ran) -> BTreeSet<u64> {
    let number = |text: &str| -> Option<u64> {
        // allsource gives the whole line; the number is in its payload.
        let text = text.split_once("{\"text\":\"").map_or(text, |(_, rest)| rest);
        text.split(':').next()?.parse().ok()
    };
    let mut all = BTreeSet::new();
    for line in ran.stdout.lines() {
        let json: Json = serde_json::from_str(line).expect("an object a line");
        // A batch of raft-engine holds several.
        let items = json["decoded"]["items"].as_array().map_or(&[][..], Vec::as_slice);
        let values = items.iter().map(|item| &item["value"]).chain([&json["payload"]]);
        all.extend(values.filter_map(Json::as_str).filter_map(number));
    }
    all
}

fn copy_all(from: &Path, to: &Path) {
    fs::create_dir(to).expect("room for a folder");
    for entry in fs::read_dir(from).expect("it is there").map(|e| e.expect("it lists")) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_all(&from, &to);
        } else {
            fs::copy(from, to).expect("room for a file");
        }
    }
}

fn walk(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("it is there").map(|e| e.expect("it lists")) {
        if entry.path().is_dir() {
            walk(&entry.path(), into);
        } else {
            into.push(entry.path());
        }
    }
}

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// While the crate appends, every look finds the log sound.
fn nobody_cries_wolf(system: &'static str) {
    let Some(log) = Log::new(system) else { return };
    let mut writer = log.start();
    writer.up_to(3);
    // Acknowledgements are read on, or the writer would wait for a full pipe.
    let begun = Instant::now();
    let mut looks = 0;
    let mut alarms = Vec::new();
    std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            while begun.elapsed() < BESIDE {
                let more = writer.acknowledged.len() + 50;
                writer.up_to(more);
            }
        });
        while !reading.is_finished() {
            for words in [&["verify", "LOG"][..], &["stats", "LOG"], &["dump", "LOG", "--json"], &["verify", "LOG", "--json"]] {
                let ran = log.sandbox.run(words);
                looks += 1;
                let told = ran.stderr.contains("!!") || ran.stdout.contains("\n!!");
                if ran.code != 0 || told {
                    let shown = if words[0] == "dump" { String::new() } else { ran.stdout };
                    alarms.push(format!("{words:?}: {}\n{shown}{}", ran.code, ran.stderr));
                }
            }
        }
    });
    let written = writer.kill().len();
    assert!(alarms.is_empty(), "{system}, {written} records: {} of {looks} looks:\n{}", alarms.len(), alarms[0]);
    assert!(looks >= 8 && written >= 50, "{system}: {looks} looks, {written} records prove little");
}

/// Killed at any moment and begun again: what was acknowledged is there, we read what the crate reads, and nothing is called lost.
/// With `hurt`, the end is torn by hand as a power failure would, and mended by us before the crate goes on.
fn killed_and_begun_again(system: &'static str, hurt: bool) {
    let Some(mut log) = Log::new(system) else { return };
    let mut dice = Dice(7);
    let mut kept: BTreeSet<u64> = BTreeSet::new();
    for round in 0..KILLS {
        let mut writer = log.start();
        writer.up_to(1 + usize::try_from(dice.below(120)).expect("small"));
        let acknowledged = writer.kill();
        let what = format!("{system}, round {round}");
        let ours = log.ours();
        assert!(acknowledged.is_subset(&ours), "{what}: acknowledged and not read: {:?}", acknowledged.difference(&ours));
        assert!(kept.is_subset(&ours), "{what}: read before and not now: {:?}", kept.difference(&ours));
        let (code, said) = log.verify();
        assert!(code == 0 || code == 3, "{what}: {said}");
        if let Some(newest) = log.unfinished().filter(|_| hurt) {
            tear(&newest, dice.below(40) + 1);
        }
        if hurt || code == 3 {
            mend(&log, &what);
        }
        kept = log.ours();
        let theirs = log.theirs();
        assert!(theirs.is_subset(&kept), "{what}: they read what we do not: {:?}", theirs.difference(&kept));
        // What was in flight when it was killed may be there too.
        log.next += acknowledged.len() as u64 + 1000;
        let (from, before) = (log.next, kept.len());
        log.append(5);
        let after = log.ours();
        assert!(kept.is_subset(&after) && (from..from + 5).all(|n| after.contains(&n)), "{what}: {:?}", kept.difference(&after));
        assert_eq!(after.len(), before + 5, "{what}");
        let theirs = log.theirs();
        assert!((from..from + 5).all(|n| theirs.contains(&n)), "{what}: after our repair they do not read what they append");
        let (code, said) = log.verify();
        assert_eq!(code, 0, "{what}: {said}");
        kept = after;
    }
}

/// Takes the last bytes away, as if they had not reached the disk: zeros in room made ahead, and otherwise a shorter file.
fn tear(path: &Path, bytes: u64) {
    let content = fs::read(path).expect("it reads");
    let end = content.iter().rposition(|b| *b != 0).map_or(0, |last| last as u64 + 1);
    let file = OpenOptions::new().write(true).open(path).expect("it is there");
    let length = content.len() as u64;
    file.set_len(end.saturating_sub(bytes)).expect("it can be cut");
    if length > end {
        file.set_len(length).expect("it can grow");
    }
}

fn mend(log: &Log, what: &str) {
    for flags in [&[][..], &["--accept-suspect"]] {
        let ran = log.sandbox.run(&[&["repair", "LOG"][..], flags].concat());
        if ran.code == 0 {
            return;
        }
        assert!(flags.is_empty(), "{what}: repair: {}\n{}{}", ran.code, ran.stdout, ran.stderr);
    }
}

#[test]
#[ignore = "builds on other systems' crates"]
fn beside_a_running_ironwal_nothing_is_called_damaged() {
    nobody_cries_wolf("ironwal");
    nobody_cries_wolf("ironwal-batches");
}

#[test]
#[ignore = "builds on other systems' crates"]
fn beside_a_running_nodedb_nothing_is_called_damaged() {
    nobody_cries_wolf("nodedb");
    nobody_cries_wolf("nodedb-buffered");
}

#[test]
#[ignore = "builds on other systems' crates"]
fn beside_a_running_raft_engine_nothing_is_called_damaged() {
    nobody_cries_wolf("raft-engine");
}

#[test]
#[ignore = "builds on other systems' crates"]
fn what_killed_writers_of_raft_engine_leave_is_read_mended_and_gone_on_with() {
    killed_and_begun_again("raft-engine", false);
    killed_and_begun_again("raft-engine-plain", true);
}

#[test]
#[ignore = "builds on other systems' crates"]
fn beside_a_running_rivven_nothing_is_called_damaged() {
    nobody_cries_wolf("rivven");
}

#[test]
#[ignore = "builds on other systems' crates"]
fn what_killed_writers_of_ironwal_leave_is_read_mended_and_gone_on_with() {
    killed_and_begun_again("ironwal", false);
    killed_and_begun_again("ironwal", true);
    killed_and_begun_again("ironwal-one-segment", true);
}

#[test]
#[ignore = "builds on other systems' crates"]
fn what_killed_writers_of_nodedb_leave_is_read_mended_and_gone_on_with() {
    killed_and_begun_again("nodedb", false);
    killed_and_begun_again("nodedb", true);
    killed_and_begun_again("nodedb-buffered", true);
}

#[test]
#[ignore = "builds on other systems' crates"]
fn what_killed_writers_of_rivven_leave_is_read_mended_and_gone_on_with() {
    killed_and_begun_again("rivven", false);
    killed_and_begun_again("rivven", true);
}

#[test]
#[ignore = "by hand: cargo build --manifest-path tests/crates/Cargo.toml --target-dir target/writers --features allsource"]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn what_allsource_writes_is_read_while_it_runs_and_after_it_was_killed() {
    let Some(program) = writers() else { return };
    let built = Command::new(program).args(["allsource", "read", "/dev/null"]).output().expect("it starts");
    if String::from_utf8_lossy(&built.stderr).contains("not built in") {
        eprintln!("skipped: allsource is not built in");
        return;
    }
    nobody_cries_wolf("allsource");
    killed_and_begun_again("allsource", false);
    killed_and_begun_again("allsource", true);
}
