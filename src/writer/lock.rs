//! One writer at a time: the file `LOCK` of a log, held with flock.
//!
//! The system frees the lock however the process ends. The file stays, so what stands in it counts only while a process holds the
//! lock; a holder writes its own name into it before anything else, and empties it at the end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, Errno, File, Open, Whereabouts, errno_of, not_regular, read_full, write_full};
use crate::model::{Error, Result, Time};
use crate::native::LOCK;

/// More than this is not read of a lock file.
const LONGEST: usize = 4096;

/// The lock of a log, held until it is dropped.
#[derive(Debug)]
pub struct WriterLock {
    file: Box<dyn File>,
    leave: Leave,
}

/// What becomes of the file at the end.
#[derive(Debug)]
enum Leave {
    /// It stays, empty.
    Empty,
    /// It holds again what it held: the words of a process that was killed.
    Text(Vec<u8>),
    /// It goes: it was not there.
    Nothing(Arc<dyn Disk>, PathBuf),
}

impl WriterLock {
    /// Locks the log in `dir` for `who`, a command line in words. [`Error::Locked`] says who holds it.
    pub fn take(disk: &Arc<dyn Disk>, dir: &Path, who: &str) -> Result<WriterLock> {
        let path = dir.join(LOCK);
        let Some(file) = disk.lock(&path)? else {
            return Err(Error::Locked { path: dir.to_owned(), holder: holder(disk, &path) });
        };
        if !is_ours(file.as_ref())? {
            return Err(not_regular("lock", &path, "a file with words that no writer of walctl's left, and is not written over"));
        }
        // The text must not outlive a change of holder, not even for a moment: first nothing, then ours.
        file.set_length(0)?;
        let who: String = who.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1000).collect();
        let text = format!("pid {}\ncommand {who}\nsince {}\n", std::process::id(), Time::now());
        match write_full(file.as_ref(), text.as_bytes(), 0) {
            // A full disk is what repair is called for; the lock itself needs no room, and the system knows who holds it.
            Err(error) if !matches!(errno_of(&error), Some(Errno::NOSPC | Errno::DQUOT)) => return Err(error),
            _ => {}
        }
        Ok(WriterLock { file, leave: Leave::Empty })
    }

    /// The same, for a process that only passes by: at the end the file is as it was found, or gone if it was not there.
    pub fn visit(disk: &Arc<dyn Disk>, dir: &Path, who: &str) -> Result<WriterLock> {
        let path = dir.join(LOCK);
        let leave = match disk.stat(&path)? {
            None => Leave::Nothing(disk.clone(), path),
            Some(_) => {
                let file = disk.open(&path, Open { sole: true, ..Open::READ })?;
                let mut text = vec![0; LONGEST];
                let read = read_full(file.as_ref(), &mut text, 0)?;
                text.truncate(read);
                Leave::Text(text)
            }
        };
        let mut lock = WriterLock::take(disk, dir, who)?;
        lock.leave = leave;
        Ok(lock)
    }

    /// Where the lock's file is now.
    pub(super) fn whereabouts(&self, disk: &Arc<dyn Disk>, dir: &Path) -> Result<Whereabouts> {
        disk.whereabouts(&dir.join(LOCK), self.file.as_ref())
    }

    /// Which process holds the lock of the log in `dir`, in words, without trying it. `None` when no process does.
    #[must_use]
    pub fn holder(disk: &Arc<dyn Disk>, dir: &Path) -> Option<String> {
        let path = dir.join(LOCK);
        disk.locked_by(&path).map(|_| holder(disk, &path))
    }
}

impl Drop for WriterLock {
    fn drop(&mut self) {
        // Only for people who look into the file; the lock itself goes with the file.
        let _ = match &self.leave {
            Leave::Empty => self.file.set_length(0),
            Leave::Text(text) => self.file.set_length(0).and_then(|()| write_full(self.file.as_ref(), text, 0)),
            // While it is still locked: a process that waits for it finds out that it is gone, and makes a new one.
            Leave::Nothing(disk, path) => match disk.whereabouts(path, self.file.as_ref()) {
                Ok(Whereabouts::Here) => disk.remove(path),
                _ => Ok(()),
            },
        };
    }
}

/// Whether a lock's file holds what a writer of ours may have left: nothing, or its name, or as much of it as a crash let through.
fn is_ours(file: &dyn File) -> Result<bool> {
    let mut room = [0; 4];
    let read = read_full(file, &mut room, 0)?;
    let begins = &room[..read];
    Ok(b"pid ".starts_with(begins) || begins.iter().all(|b| *b == 0))
}

/// The holder of the lock, in words, from what stands in the file; the system's own word counts for more.
fn holder(disk: &Arc<dyn Disk>, path: &Path) -> String {
    let mut room = [0; LONGEST];
    let read = disk.open(path, Open::READ).and_then(|file| read_full(file.as_ref(), &mut room, 0)).unwrap_or(0);
    let said = words(&String::from_utf8_lossy(&room[..read]));
    let known = disk.locked_by(path).filter(|pid| *pid != 0);
    match (said, known) {
        (Some(said), Some(pid)) if said.starts_with(&format!("process {pid} ")) => said,
        (Some(said), None) => said,
        (_, Some(pid)) => format!("process {pid}, which has not yet said more about itself"),
        (None, None) => "another process, which has not yet said who it is".into(),
    }
}

fn words(text: &str) -> Option<String> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let pid: u32 = field("pid")?.parse().ok()?;
    let (command, since) = (field("command")?, field("since")?);
    let plain = |text: &str| text.chars().filter(|c| !c.is_control()).collect::<String>();
    Some(format!("process {pid} ({}), since {}", plain(command), plain(since)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::disk::{RealDisk, SimDisk};

    fn refusal(disk: &Arc<dyn Disk>, dir: &Path) -> String {
        match WriterLock::take(disk, dir, "walctl rotate wal") {
            Err(Error::Locked { holder, .. }) => holder,
            other => panic!("it should be locked: {other:?}"),
        }
    }

    #[test]
    fn the_second_one_hears_who_is_first_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let first = WriterLock::take(&disk, dir.path(), "walctl append\nwal").expect("it is free");
        let holder = refusal(&disk, dir.path());
        assert!(holder.starts_with(&format!("process {} (walctl append wal), since 20", std::process::id())), "{holder}");
        drop(first);
        drop(WriterLock::take(&disk, dir.path(), "walctl rotate wal").expect("it is free again"));
        assert_eq!(std::fs::read(dir.path().join(LOCK)).expect("the file stays"), b"");
    }

    #[test]
    fn a_visitor_leaves_the_file_as_it_was() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let path = dir.path().join(LOCK);
        let visit = || {
            let held = WriterLock::visit(&disk, dir.path(), "walctl repair wal").expect("it is free");
            assert!(refusal(&disk, dir.path()).contains("walctl repair wal"));
            drop(held);
        };
        visit();
        assert!(!path.exists());
        std::fs::write(&path, "pid 7, and what else a killed writer left").expect("room for a few bytes");
        visit();
        assert_eq!(std::fs::read(&path).expect("it stays"), b"pid 7, and what else a killed writer left");
        assert_eq!(WriterLock::holder(&disk, dir.path()), None);
    }

    #[test]
    fn a_lock_on_a_file_that_is_gone_is_no_lock() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join(LOCK);
        for _ in 0..200 {
            // Two that come and go: at no moment may both hold it.
            let both = std::sync::atomic::AtomicU32::new(0);
            std::thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
                        if let Some(held) = disk.lock(&path).expect("it answers") {
                            assert_eq!(both.fetch_add(1, Ordering::SeqCst), 0);
                            both.fetch_sub(1, Ordering::SeqCst);
                            let _ = disk.remove(&path);
                            drop(held);
                        }
                    });
                }
            });
        }
    }

    #[test]
    fn what_a_killed_holder_left_behind_neither_locks_nor_names_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let stale =
            "pid 1\ncommand somebody else\nsince 1999-01-01T00:00:00.000000Z\nand much more that was longer than the next\n";
        std::fs::write(dir.path().join(LOCK), stale).expect("room for a few bytes");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let _held = WriterLock::take(&disk, dir.path(), "x").expect("it is free");
        let text = std::fs::read_to_string(dir.path().join(LOCK)).expect("it reads");
        assert!(!text.contains("somebody") && !text.contains("longer"), "{text}");
        assert!(!refusal(&disk, dir.path()).contains("process 1 "));
    }

    #[test]
    fn a_holder_without_words_is_no_reason_to_invent_some() {
        for text in ["", "pid\n", "pid x\ncommand a\nsince b\n", "\0\0\0\0", "pid 7\nsince b\n"] {
            assert_eq!(words(text), None, "{text:?}");
        }
        assert_eq!(words("pid 7\ncommand a\x1b[2J\nsince b\n").as_deref(), Some("process 7 (a[2J), since b"));
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        disk.create_dir(Path::new("/x")).expect("folders can be made");
        let _held = disk.lock(Path::new("/x/LOCK")).expect("it answers").expect("it is free");
        assert!(refusal(&disk, Path::new("/x")).contains("another process"));
    }

    #[test]
    fn who_holds_a_lock_is_known_while_other_locks_come_and_go() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let held = WriterLock::take(&disk, dir.path(), "x").expect("it is free");
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for name in ["a", "b"] {
                let (disk, path, over) = (&disk, dir.path().join(name), &over);
                scope.spawn(move || {
                    while !over.load(Ordering::Relaxed) {
                        drop(disk.lock(&path).expect("it answers"));
                    }
                });
            }
            let known = (0..3000).filter(|_| disk.locked_by(&dir.path().join(LOCK)).is_some()).count();
            over.store(true, Ordering::Relaxed);
            assert_eq!(known, 3000);
        });
        drop(held);
    }

    #[test]
    fn words_of_another_process_than_the_one_that_holds_the_lock_are_not_repeated() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let _held = WriterLock::take(&disk, dir.path(), "x").expect("it is free");
        std::fs::write(dir.path().join(LOCK), "pid 1\ncommand stale\nsince b\n").expect("room for a few bytes");
        let own = std::process::id();
        assert_eq!(
            WriterLock::holder(&disk, dir.path()),
            Some(format!("process {own}, which has not yet said more about itself"))
        );
    }
}
