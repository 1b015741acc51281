//! The real binary dies, meets failing system calls, and loses its power on real filesystems: what it acknowledged is there.
//!
//! These need root, strace, and the tools of ext4 and XFS. `.ci/run` installs them and runs all of it; without them a test says in
//! one line that it was skipped, and under `CI=true` that is a failure.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const WALCTL: &str = env!("CARGO_BIN_EXE_walctl");
/// How often the power is cut on each filesystem.
const CUTS: u64 = 200;

#[allow(clippy::print_stderr, reason = "a test has nobody else to tell")]
fn skipped(why: &str) {
    eprintln!("skipped: {why}");
}

/// Whether a tool is there; says so when it is not.
fn have(tools: &[&str]) -> bool {
    for tool in tools {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut places = path.split(':').chain(["/sbin", "/usr/sbin"]);
        if !places.any(|place| Path::new(place).join(tool).exists()) {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{tool} is not installed");
            skipped(&format!("{tool} is not installed"));
            return false;
        }
    }
    true
}

pub fn is_root() -> bool {
    // SAFETY: geteuid has no preconditions.
    let root = unsafe { libc::geteuid() } == 0;
    assert!(root || std::env::var("CI").as_deref() != Ok("true"), "this needs root");
    if !root {
        skipped("this needs root");
    }
    root
}

/// What stands in the lines of acknowledgements that came out whole.
pub fn acknowledged(file: &Path) -> Vec<u64> {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| line.parse().expect("a line is an LSN")).collect()
}

/// The LSNs that the log gives back, and the exit code of verify.
pub fn read_back(log: &Path) -> (Vec<u64>, i32) {
    let dump = Command::new(WALCTL).args(["dump", "--json"]).arg(log).output().expect("walctl runs");
    let text = String::from_utf8_lossy(&dump.stdout).into_owned();
    let lsns = text.lines().filter(|line| !line.contains("\"after_damage\":true")).map(|line| {
        let lsn = line.split("\"lsn\":").nth(1).and_then(|rest| rest.split(',').next());
        lsn.and_then(|lsn| lsn.parse().ok()).expect("a line has an LSN")
    });
    let lsns = lsns.collect();
    let verify = Command::new(WALCTL).args(["verify", "-q"]).arg(log).output().expect("walctl runs");
    (lsns, verify.status.code().expect("it is not killed"))
}

/// The size of the batches that these flags ask for.
fn batch_of(flags: &[&str]) -> usize {
    let at = flags.iter().position(|flag| *flag == "--batch");
    at.and_then(|at| flags.get(at + 1)?.parse().ok()).unwrap_or(1)
}

/// What the log lacks of a ledger, or holds otherwise than it says, in words.
fn lacks(log: &Path, ledger: &Path) -> Option<String> {
    // A ledger without an entry says nothing, and the log may have come to nothing.
    fs::read_to_string(ledger).unwrap_or_default().lines().find(|line| !line.starts_with('#'))?;
    let found = Command::new(WALCTL).args(["verify", "--ledger"]).arg(ledger).arg(log).output().expect("walctl runs");
    let fine = matches!(found.status.code(), Some(0 | 3));
    (!fine).then(|| String::from_utf8_lossy(&[found.stdout, found.stderr].concat()).into_owned())
}

/// What was acknowledged is there, in order, and batches are whole; the verdict is clean or torn; and writing goes on, after a repair
/// if need be.
pub fn check(log: &Path, acks: &[u64], flags: &[&str], all: usize, seed: &str) {
    let ledger = log.with_extension("ledger");
    if !log.exists() || fs::read_dir(log).expect("it lists").next().is_none() {
        assert!(acks.is_empty(), "{seed}: the log is gone");
        return;
    }
    let (lsns, exit) = read_back(log);
    let no_log = lsns.is_empty() && acks.is_empty();
    assert!(exit == 0 || exit == 3 || no_log, "{seed}: verify ends with {exit}");
    assert!(lsns.iter().copied().eq(1..=lsns.len() as u64), "{seed}: a hole or another order: {lsns:?}");
    assert!(lsns.len() >= acks.len(), "{seed}: {} records of {} acknowledged", lsns.len(), acks.len());
    assert!(lsns.len().is_multiple_of(batch_of(flags)) || lsns.len() == all, "{seed}: {} records: half of a batch", lsns.len());
    assert_eq!(lacks(log, &ledger), None, "{seed}");
    let more = Command::new(WALCTL).args(["append", "--repair", "--text", "afterwards"]).arg(log).output().expect("walctl runs");
    assert!(more.status.success(), "{seed}: {}", String::from_utf8_lossy(&more.stderr));
    let next: u64 = String::from_utf8_lossy(&more.stdout).trim().parse().expect("an LSN");
    assert!(next > acks.last().copied().unwrap_or(0), "{seed}: {next} is given again");
    let (after, exit) = read_back(log);
    assert_eq!((after.last(), exit), (Some(&next), 0), "{seed}: after going on");
}

/// Runs `append` under strace with one injection. The exit code, or nothing when it was killed.
fn under_strace(inject: &str, log: &Path, acks: &Path, flags: &[&str]) -> Option<i32> {
    let out = File::create(acks).expect("a file can be made");
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", &format!("inject={inject}"), WALCTL, "append"]).arg(log);
    command.args(["--count", "60", "--size", "700", "--group-records", "4", "--segment-bytes", "16KiB"]).args(flags);
    command.arg("--ledger").arg(log.with_extension("ledger"));
    let status = command.stdout(out).stderr(Stdio::null()).status().expect("strace runs");
    status.code().filter(|code| *code < 128)
}

/// Lets the n-th of these calls go wrong in each thread, n = 1, 2, 3 … until runs are untouched or `most` is reached. Some failures are
/// rightly passed over, such as that of making room ahead, so one run that is well is not the end. How many runs were touched.
fn each_call(name: &str, effect: &str, most: u32, flags: &[&str]) -> u32 {
    let mut untouched = 0;
    for n in 1..=most {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (log, acks) = (dir.path().join("log"), dir.path().join("acks"));
        let seed = format!("{name}:{effect}:when={n} {flags:?}");
        let code = under_strace(&format!("{name}:{effect}:when={n}"), &log, &acks, flags);
        let acks = acknowledged(&acks);
        if code == Some(0) && acks.len() == 60 {
            untouched += 1;
            check(&log, &acks, flags, 60, &seed);
            if untouched == 4 {
                return n - untouched;
            }
            continue;
        }
        assert!(code.is_none_or(|code| code == 6 || code == 1), "{seed}: exit {code:?}");
        check(&log, &acks, flags, 60, &seed);
    }
    most - untouched
}

#[test]
#[ignore = "needs strace"]
fn killed_at_each_sync_nothing_acknowledged_is_lost() {
    if !have(&["strace"]) {
        return;
    }
    for flags in [&[][..], &["--direct"], &["--batch", "7"]] {
        let runs = each_call("fdatasync", "signal=SIGKILL", 200, flags);
        assert!(runs > 10, "only {runs} syncs were met");
    }
    each_call("pwrite64", "signal=SIGKILL", 200, &["--sync", "dsync"]);
}

#[test]
#[ignore = "needs strace"]
fn each_failing_call_ends_with_what_was_acknowledged() {
    if !have(&["strace"]) {
        return;
    }
    for (name, effect) in [
        ("fdatasync", "error=EIO"),
        ("fdatasync", "error=EINTR"),
        ("fsync", "error=EIO"),
        ("pwrite64", "error=EIO"),
        ("pwrite64", "error=ENOSPC"),
        ("ftruncate", "error=EIO"),
        ("rename", "error=EIO"),
        ("rename", "error=ENOSPC"),
        ("openat", "error=EMFILE"),
        ("openat", "error=ENOSPC"),
    ] {
        assert!(each_call(name, effect, 120, &[]) > 0, "{name} was never called");
    }
    assert!(each_call("fallocate", "error=ENOSPC", 20, &["--preallocate", "fallocate"]) > 0, "fallocate was never called");
}

#[test]
#[ignore = "needs strace"]
fn an_interrupted_call_is_repeated_and_nobody_notices() {
    if !have(&["strace"]) {
        return;
    }
    for inject in ["pwrite64:error=EINTR:when=3+5", "ftruncate:error=EINTR:when=1+2"] {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let (log, acks) = (dir.path().join("log"), dir.path().join("acks"));
        assert_eq!(under_strace(inject, &log, &acks, &[]), Some(0), "{inject}");
        assert_eq!(acknowledged(&acks).len(), 60, "{inject}");
        check(&log, &acknowledged(&acks), &[], 60, inject);
    }
}

/// Any call that may sleep can be interrupted by a signal, and then nothing has happened: whoever asked asks again. Each of them is
/// interrupted once, the first, the second, and so on, and the answer is always the same.
#[test]
#[ignore = "needs strace"]
fn whatever_call_is_interrupted_the_answer_is_the_same() {
    if !have(&["strace"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let lines: String = (0..300).map(|n| format!("{n} {}\n", "x".repeat(n))).collect();
    fs::write(dir.path().join("input"), lines).expect("the sandbox has room");
    let script = "rm -rf new && \"$@\" append new --segment-bytes 16KiB <input && \"$@\" verify -q new && \"$@\" dump --raw new && \
                  \"$@\" rotate new --keep-segments 1 && \"$@\" append new --text more && \"$@\" verify new";
    let run = |command: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh"]).args(command).current_dir(dir.path()).output().expect("sh runs")
    };
    let expected = run(&[WALCTL]);
    assert!(expected.status.success(), "{}", String::from_utf8_lossy(&expected.stderr));
    let calls = "openat getdents64 statx mkdir rename unlink flock read pread64 pwrite64 write lseek ftruncate poll";
    for call in calls.split(' ') {
        let mut met = 0;
        for n in 1..=60 {
            let inject = format!("inject={call}:error=EINTR:when={n}");
            let trace = dir.path().join("trace");
            let _ = fs::remove_file(&trace);
            let trace = trace.to_string_lossy().into_owned();
            // Appended to by each of the commands.
            let ran = run(&["strace", "-f", "-qq", "-A", "-o", &trace, "-e", &format!("trace={call}"), "-e", &inject, WALCTL]);
            let told = fs::read_to_string(&trace).unwrap_or_default();
            let injected = told.lines().filter(|line| line.ends_with("(INJECTED)")).count();
            if injected == 0 {
                break;
            }
            // Before the program itself begins, the system loads it, and asks once.
            if ran.status.code() == Some(127) {
                continue;
            }
            met += injected;
            let said = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(0), "{inject}: {said}\n{told}");
            assert!(ran.stdout == expected.stdout, "{inject}: another answer: {said}\n{told}");
        }
        assert!(met > 0, "{call} is never called");
    }
}

/// Nobody can notice at once that a write said that it took bytes which it did not take. Afterwards it must be told, and never as clean.
#[test]
#[ignore = "needs strace"]
fn a_write_that_lies_is_found_out() {
    if !have(&["strace"]) {
        return;
    }
    let mut lies = 0;
    for n in 1..=24 {
        for claimed in ["40", "512", "700"] {
            let dir = tempfile::tempdir().expect("a temporary folder");
            let (log, acks) = (dir.path().join("log"), dir.path().join("acks"));
            let seed = format!("pwrite64:retval={claimed}:when={n}");
            let code = under_strace(&seed, &log, &acks, &[]);
            assert!(code.is_some(), "{seed}: it was killed");
            let (lsns, exit) = if log.exists() { read_back(&log) } else { (Vec::new(), 1) };
            let whole = lsns.len() == acknowledged(&acks).len();
            assert!(whole || exit != 0, "{seed}: {} records came back, and verify says that all is well", lsns.len());
            if !whole {
                lies += 1;
                assert!(lacks(&log, &log.with_extension("ledger")).is_some(), "{seed}: the ledger lists what is not there");
            }
        }
    }
    assert!(lies > 0, "no write was a lie");
}

#[test]
fn a_limit_of_file_size_is_met_with_a_short_write_and_the_rest_is_cut() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let (log, acks) = (dir.path().join("log"), dir.path().join("acks"));
    // 40 blocks of 1024 bytes, and a segment that wants more.
    let line = format!("ulimit -f 40; exec {WALCTL} append {} --count 100 --size 900 > {}", log.display(), acks.display());
    let status = Command::new("bash").args(["-c", &line]).stderr(Stdio::null()).status().expect("bash runs");
    assert_eq!(status.code(), Some(6));
    check(&log, &acknowledged(&acks), &[], 100, "ulimit -f 40");
}

/// A filesystem in a file, mounted through a loop device until it is dropped.
struct Loop {
    dir: PathBuf,
    mounted: bool,
}

impl Loop {
    fn make(dir: &Path, kind: &str) -> Loop {
        let image = dir.join("image");
        File::create(&image).and_then(|file| file.set_len(320 << 20)).expect("a sparse file can be made");
        let made = Command::new(format!("mkfs.{kind}")).arg("-q").arg(&image).status().expect("mkfs runs");
        assert!(made.success());
        fs::create_dir(dir.join("mnt")).expect("a folder can be made");
        let mut made = Loop { dir: dir.to_owned(), mounted: false };
        made.mount();
        made
    }

    fn path(&self) -> PathBuf {
        self.dir.join("mnt")
    }

    fn mount(&mut self) {
        let done = Command::new("mount").args(["-o", "loop"]).arg(self.dir.join("image")).arg(self.path()).status();
        assert!(done.expect("mount runs").success());
        self.mounted = true;
    }

    fn unmount(&mut self) {
        // A process that was killed may still be on its way out.
        let begun = Instant::now();
        while !Command::new("umount").arg(self.path()).stderr(Stdio::null()).status().expect("umount runs").success() {
            assert!(begun.elapsed() < Duration::from_secs(30), "it cannot be unmounted");
            std::thread::yield_now();
        }
        self.mounted = false;
    }

    /// Cuts the power: what is not on the medium by now never gets there. Whether the journal is flushed before is up to the flag.
    fn cut(&self, flush_journal: bool) {
        let flag: u32 = if flush_journal { 1 } else { 2 };
        let root = File::open(self.path()).expect("the mount point opens");
        // SAFETY: the shutdown ioctl reads one u32 from the pointer, which lives through the call.
        let done = unsafe { libc::ioctl(root.as_raw_fd(), 0x8004_587D, &raw const flag) };
        assert_eq!(done, 0, "{}", std::io::Error::last_os_error());
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if self.mounted {
            let _ = Command::new("umount").arg("-l").arg(self.path()).status();
        }
    }
}

/// Ends with the test, whatever happens.
struct Reaped(Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a file holds by now, up to its last whole line.
fn whole_lines(path: &Path) -> Vec<u8> {
    let mut content = fs::read(path).unwrap_or_default();
    let end = content.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    content.truncate(end);
    content
}

fn power_cuts(kind: &str) {
    if !is_root() || !have(&["mount", &format!("mkfs.{kind}")]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a temporary folder");
    let mut disk = Loop::make(dir.path(), kind);
    // What people run stands twice.
    let modes: [&[&str]; 11] = [
        &[],
        &["--direct"],
        &["--buffered"],
        &["--sync", "dsync"],
        &["--sync", "fsync", "--segment-records", "50"],
        &["--batch", "5"],
        &[],
        &["--batch", "5", "--direct", "--sync", "dsync"],
        &["--preallocate", "none"],
        &["--preallocate", "sparse"],
        &["--preallocate", "fallocate"],
    ];
    let mut lost_tails = 0;
    for cut in 0..CUTS {
        let mode = modes[usize::try_from(cut).expect("small") % modes.len()];
        let (log, acks) = (disk.path().join(format!("log{cut}")), dir.path().join("acks"));
        // Beside the disk whose power fails: what it lists was told to somebody.
        let ledger = dir.path().join(format!("ledger{cut}"));
        let seed = format!("{kind}, cut {cut}, {mode:?}");
        let out = File::create(&acks).expect("a file can be made");
        let mut command = Command::new(WALCTL);
        command.arg("append").arg(&log).args(["--count", "1000000", "--size", "300", "--segment-bytes", "64KiB"]).args(mode);
        command.arg("--ledger").arg(&ledger);
        let mut child = Reaped(command.stdout(out).stderr(Stdio::null()).spawn().expect("walctl runs"));
        // The moment differs from cut to cut by how far the writer has come, not by a clock.
        let goal = 1 + cut * 37 % 2000;
        let begun = Instant::now();
        while fs::metadata(&acks).map_or(0, |meta| meta.len()) < goal * 4 && begun.elapsed() < Duration::from_secs(20) {
            std::thread::yield_now();
        }
        // Only what somebody was told before the power failed counts. A real failure ends the process with it; here it lives on for
        // a moment, and a sync that was under way when the filesystem went may still come back with success.
        let (told, listed) = (whole_lines(&acks), whole_lines(&ledger));
        disk.cut(cut % 3 == 1);
        let _ = child.0.wait();
        disk.unmount();
        disk.mount();
        fs::write(&acks, told).and_then(|()| fs::write(&ledger, listed)).expect("the sandbox has room");
        let acks = acknowledged(&acks);
        let (lsns, _) = if log.exists() { read_back(&log) } else { (Vec::new(), 0) };
        lost_tails += u64::from(lsns.len() > acks.len());
        assert_eq!(lacks(&log, &ledger), None, "{seed}");
        check(&log, &acks, mode, 1_000_000, &seed);
        let _ = fs::remove_dir_all(&log);
    }
    disk.unmount();
    assert!(lost_tails > 0, "{kind}: the power never failed between a write and its acknowledgement");
}

#[test]
#[ignore = "needs root and a loop device"]
fn power_cuts_on_ext4_lose_nothing_that_was_acknowledged() {
    power_cuts("ext4");
}

#[test]
#[ignore = "needs root and a loop device"]
fn power_cuts_on_xfs_lose_nothing_that_was_acknowledged() {
    power_cuts("xfs");
}
