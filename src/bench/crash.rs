//! Does this machine keep its promises? A child appends with a ledger, dies at a random moment, and the log is held against the ledger.
//!
//! A killed process proves what the writer and the kernel do; only a lost power proves what the disk does. Given a loop image and
//! root, the filesystem itself is shut down without writing anything more, which is as near to that as software comes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::observer::Watch;
use crate::disk::Disk;
use crate::model::{Error, Result, Verdict};
use crate::ops::open::{Choice, open};
use crate::ops::report::{Checks, Progress, check_ledger, verify};

/// What to do.
#[derive(Clone, Debug)]
pub struct CrashPlan {
    /// The program whose `append` is killed.
    pub program: PathBuf,
    /// More words for it: how it writes.
    pub flags: Vec<String>,
    /// How many crashes.
    pub rounds: u64,
    /// How long records are.
    pub size: usize,
    /// An image that is mounted and shut down; none to kill the child alone.
    pub image: Option<PathBuf>,
    /// Where chance begins.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrashVerdict {
    /// Crashes that happened.
    pub crashes: u64,
    /// Records that had been acknowledged.
    pub acknowledged: u64,
    /// Of these, records that are gone.
    pub lost: u64,
    /// Of these, records that came back with another content.
    pub different: u64,
    /// Crashes that left a torn or suspect tail, which is no loss.
    pub torn: u64,
    /// Crashes that left worse.
    pub worse: u64,
    /// What was found wrong, in words.
    pub findings: Vec<String>,
}

impl CrashVerdict {
    /// Whether every promise was kept.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.lost == 0 && self.different == 0 && self.worse == 0
    }
}

/// A log lives through this many crashes before a new one is begun: so that going on behind a crash is tried too.
const LIVES: u64 = 5;
/// A child that acknowledges nothing for this long is broken.
const PATIENCE: Duration = Duration::from_secs(30);

/// Crashes and checks, in a folder that is the caller's to remove.
pub fn crash_test(disk: &Arc<dyn Disk>, dir: &Path, plan: &CrashPlan, watch: &Watch<'_>) -> Result<CrashVerdict> {
    let mut verdict = CrashVerdict::default();
    let mut chance = plan.seed | 1;
    let mount = dir.join("mount");
    for round in 0..plan.rounds {
        if watch.is_over() {
            break;
        }
        let home = if plan.image.is_some() { mount.clone() } else { dir.to_owned() };
        let log = home.join(format!("walctl-crash-{}-{}", std::process::id(), round / LIVES));
        let ledger = dir.join("ledger");
        let mounted = plan.image.as_deref().map(|image| Mounted::mount(image, &mount)).transpose()?;
        let mut child = start(plan, &log, &ledger)?;
        let lived = live(&mut child, &ledger, &mut chance, watch);
        // Only what was told before the power failed counts: a child that outlives its filesystem for a moment may still be told of
        // success by a sync that was under way, and that could not have been read after a real failure.
        let told = mounted.as_ref().map(|_| whole_lines(&ledger)).transpose()?;
        let shut = match &mounted {
            Some(mounted) if lived.is_ok() => mounted.shut_down(),
            _ => Ok(()),
        };
        // It is ours, and it must not outlive us whatever came before.
        let _ = child.kill();
        let _ = child.wait();
        drop(mounted);
        lived?;
        shut?;
        if let Some(told) = told {
            fs::write(&ledger, told).map_err(Error::io("write", &ledger))?;
        }
        let mounted = plan.image.as_deref().map(|image| Mounted::mount(image, &mount)).transpose()?;
        judge(disk, &log, &ledger, round + 1, &mut verdict)?;
        verdict.crashes += 1;
        if (round + 1) % LIVES == 0 || round + 1 == plan.rounds {
            fs::remove_dir_all(&log).map_err(Error::io("remove", &log))?;
        }
        drop(mounted);
        fs::remove_file(&ledger).map_err(Error::io("remove", &ledger))?;
        watch.step(1);
    }
    Ok(verdict)
}

/// What a file holds by now, up to its last whole line.
fn whole_lines(path: &Path) -> Result<Vec<u8>> {
    let mut content = fs::read(path).map_err(Error::io("read", path))?;
    let end = content.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    content.truncate(end);
    Ok(content)
}

fn start(plan: &CrashPlan, log: &Path, ledger: &Path) -> Result<Child> {
    Command::new(&plan.program)
        .arg("append")
        .arg(log)
        .args(["--quiet", "--count", "1000000000", "--size", &plan.size.to_string(), "--ledger"])
        .arg(ledger)
        .args(if log.exists() { &["--repair"][..] } else { &[] })
        .args(&plan.flags)
        // The records are read again without a key.
        .env_remove("WALCTL_KEY_FILE")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io("run", &plan.program))
}

/// Waits until the first record is acknowledged, and then for as long as chance will have it.
fn live(child: &mut Child, ledger: &Path, chance: &mut u64, watch: &Watch<'_>) -> Result<()> {
    let begun = Instant::now();
    let listed = || fs::metadata(ledger).map_or(0, |meta| meta.len());
    // The first line of a ledger is its head.
    while listed() < 100 {
        let ended = child.try_wait().map_err(Error::io("wait for", ledger))?;
        if ended.is_some() || begun.elapsed() > PATIENCE {
            return Err(Error::Refused {
                path: ledger.to_owned(),
                why: "the appender that was to be killed acknowledged nothing".into(),
            });
        }
        if watch.is_over() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    *chance ^= *chance << 13;
    *chance ^= *chance >> 7;
    *chance ^= *chance << 17;
    std::thread::sleep(Duration::from_micros(*chance % 150_000));
    Ok(())
}

fn judge(disk: &Arc<dyn Disk>, log: &Path, ledger: &Path, round: u64, verdict: &mut CrashVerdict) -> Result<()> {
    for input in open(disk, log, &Choice::default())? {
        let report = verify(&input, &Checks::default(), &Progress::default())?;
        let kept = check_ledger(&input, ledger)?;
        verdict.acknowledged += kept.listed;
        verdict.lost += kept.lacking;
        verdict.different += kept.different.len() as u64;
        match report.verdict {
            Verdict::Clean => {}
            Verdict::Torn | Verdict::Suspect => verdict.torn += 1,
            worse => {
                verdict.worse += 1;
                verdict.findings.push(format!("crash {round}: the log is {worse}"));
            }
        }
        if !kept.is_met() {
            let ranges: Vec<String> = kept.lacks.iter().map(|range| format!("{}-{}", range.first, range.last)).collect();
            verdict.findings.push(format!(
                "crash {round}: lacks {} of {} acknowledged: {}",
                kept.lacking,
                kept.listed,
                ranges.join(", ")
            ));
        }
    }
    Ok(())
}

/// An image that is mounted until this is dropped.
struct Mounted {
    point: PathBuf,
}

impl Mounted {
    fn mount(image: &Path, point: &Path) -> Result<Mounted> {
        fs::create_dir_all(point).map_err(Error::io("create", point))?;
        tool(Command::new("mount").args(["-o", "loop"]).arg(image).arg(point), image, "it cannot be mounted")?;
        Ok(Mounted { point: point.to_owned() })
    }

    /// Stops the filesystem where it stands: what it has not written by now is lost.
    fn shut_down(&self) -> Result<()> {
        const SHUTDOWN: libc::c_ulong = 0x8004_587D;
        let without_journal: u32 = 2;
        let root = fs::File::open(&self.point).map_err(Error::io("open", &self.point))?;
        use std::os::fd::AsRawFd;
        // SAFETY: the descriptor is open, and the request reads one u32 that outlives the call.
        let done = unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN as _, &raw const without_journal) };
        if done == 0 { Ok(()) } else { Err(Error::io("shut down", &self.point)(std::io::Error::last_os_error())) }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A child that is just dying may hold it for a moment.
        for _ in 0..50 {
            if tool(Command::new("umount").arg(&self.point), &self.point, "").is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn tool(command: &mut Command, path: &Path, wrong: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().map_err(Error::io("mount", path))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(Error::Refused { path: path.to_owned(), why: format!("{wrong}: {said}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A process that does nothing for as long as it lives.
    fn idle() -> Child {
        Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().expect("sleep can be run")
    }

    fn end(mut child: Child) {
        child.kill().expect("it is ours");
        child.wait().expect("it was ours");
    }

    #[test]
    fn a_child_lives_until_chance_says_so_and_chance_goes_on_from_there() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ledger = dir.path().join("ledger");
        fs::write(&ledger, "x".repeat(100)).expect("room for a ledger");
        let mut child = idle();
        let mut chance = 1;
        live(&mut child, &ledger, &mut chance, &Watch::deaf()).expect("it acknowledged something");
        // Xorshift with 13, 7 and 17: the same crashes for the same seed, now and later.
        assert_eq!(chance, 0x4082_2041);
        end(child);
    }

    #[test]
    fn a_child_that_ends_before_it_acknowledged_anything_is_an_error_and_an_interrupted_wait_is_none() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ledger = dir.path().join("ledger");
        let stop = || true;
        let over = Watch { stop: &stop, ..Watch::deaf() };
        for listed in ["", "only the head of a ledger"] {
            fs::write(&ledger, listed).expect("room for a ledger");
            let mut child = idle();
            live(&mut child, &ledger, &mut 1, &over).expect("the watcher had enough");
            child.kill().expect("it is ours");
            child.wait().expect("it was ours");
            // The watcher had enough here too: a child that ended is told first.
            let error = live(&mut child, &ledger, &mut 1, &over).expect_err("it is dead");
            assert!(error.to_string().contains("acknowledged nothing"), "{error}");
        }
    }

    #[test]
    fn only_whole_lines_of_a_ledger_count() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ledger = dir.path().join("ledger");
        for (content, whole) in [("", ""), ("a", ""), ("a\n", "a\n"), ("a\nb\nc", "a\nb\n")] {
            fs::write(&ledger, content).expect("room for a ledger");
            assert_eq!(whole_lines(&ledger).expect("it reads"), whole.as_bytes(), "{content:?}");
        }
    }
}
