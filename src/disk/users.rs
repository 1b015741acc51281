//! Which other processes use the files of a folder: which have locked one (flock, fcntl), which have one open for writing.
//!
//! Other systems' logs seldom have a lock of their own, so an open file is all that shows that the system runs. A process that we may
//! not look into, another user's or one outside our container, is not seen unless it holds a lock.

use std::collections::HashMap;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What is locked in a folder of another system's log while it is mended here.
pub const REPAIR_LOCK: &str = ".walctl-repair";

/// A process that uses a file of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its number; 0 when the system does not say which.
    pub pid: u32,
    /// What the system calls its program; empty when it does not say.
    pub program: String,
    /// The file.
    pub file: String,
    /// It holds a lock on it; otherwise it has it open for writing.
    pub locked: bool,
}

impl std::fmt::Display for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            0 => f.write_str("another process")?,
            pid => write!(f, "process {pid}")?,
        }
        if !self.program.is_empty() {
            write!(f, " ({})", self.program)?;
        }
        write!(f, " {} {}", if self.locked { "holds a lock on" } else { "has open for writing" }, self.file)
    }
}

/// A file, whatever it is called.
type DeviceInode = (u64, u64);

/// The processes that use files of a folder, apart from this one; holders of locks first.
pub fn users_of(dir: &Path) -> Vec<User> {
    let mut files: HashMap<DeviceInode, String> = HashMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if let Ok(meta) = entry.metadata()
            && meta.is_file()
        {
            files.insert((meta.dev(), meta.ino()), entry.file_name().to_string_lossy().into_owned());
        }
    }
    let mut users = Vec::new();
    for name in files.values() {
        users.extend(lock_on(&dir.join(name), name));
    }
    let writers = writers(&files);
    for user in &mut users {
        // The kernel does not say who holds a flock; the process that has the file open does, most likely.
        let likely = writers.iter().find(|w| if user.pid == 0 { w.file == user.file } else { w.pid == user.pid });
        if let Some(writer) = likely {
            (user.pid, user.program) = (writer.pid, writer.program.clone());
        }
        if user.program.is_empty() && user.pid != 0 {
            user.program = program(user.pid);
        }
    }
    users.extend(writers);
    users
}

/// The processes that hold a lock on a file. Asking for an flock takes it for a moment.
fn lock_on(path: &Path, name: &str) -> Option<User> {
    let file = File::open(path).ok()?;
    let user = |pid| Some(User { pid, program: String::new(), file: name.to_owned(), locked: true });
    if let Some(pid) = posix_lock_on(&file) {
        return user(pid);
    }
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => user(0),
        _ => None,
    }
}

/// The process that holds a POSIX lock on a file; 0 for a lock of an open file description, as etcd takes them, which belongs to none.
///
/// Not through rustix, which makes a process number of the -1 that the kernel then gives.
fn posix_lock_on(file: &File) -> Option<u32> {
    let write = libc::c_short::try_from(libc::F_WRLCK).expect("lock types are small");
    let from_start = libc::c_short::try_from(libc::SEEK_SET).expect("origins are small");
    let mut lock = libc::flock { l_type: write, l_whence: from_start, l_start: 0, l_len: 0, l_pid: 0 };
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the kernel writes one `flock` into ours.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &raw mut lock) };
    let free = libc::c_short::try_from(libc::F_UNLCK).expect("lock types are small");
    (asked == 0 && lock.l_type != free).then(|| u32::try_from(lock.l_pid).unwrap_or(0))
}

/// The processes that have one of the files open for writing.
fn writers(files: &HashMap<DeviceInode, String>) -> Vec<User> {
    let own = std::process::id();
    let mut found = Vec::new();
    for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()).filter(|pid| *pid != own) else {
            continue;
        };
        let open = fs::read_dir(process.path().join("fd")).into_iter().flatten().flatten();
        let written = open.into_iter().find_map(|fd| {
            // Sockets, pipes and devices are not asked for more than their names.
            fs::read_link(fd.path()).ok().filter(|target| target.is_absolute() && !target.starts_with("/dev"))?;
            let meta = fs::metadata(fd.path()).ok()?;
            let name = files.get(&(meta.dev(), meta.ino()))?;
            let info = fs::read_to_string(process.path().join("fdinfo").join(fd.file_name())).ok()?;
            let flags = info.lines().find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok())?;
            (flags & libc::O_ACCMODE != libc::O_RDONLY).then(|| name.clone())
        });
        if let Some(file) = written {
            found.push(User { pid, program: program(pid), file, locked: false });
        }
    }
    found
}

fn program(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_process_that_has_a_file_open_for_writing_uses_it_and_one_that_reads_it_does_not() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("a.wal"), b"a").expect("room");
        assert_eq!(users_of(dir.path()), []);
        for (how, uses) in [("<", false), (">>", true)] {
            let script = format!("exec 3{how} a.wal; echo ready; read line");
            let mut child = Command::new("sh")
                .args(["-c", &script])
                .current_dir(dir.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("a shell");
            let mut ready = [0; 6];
            std::io::Read::read_exact(child.stdout.as_mut().expect("it is piped"), &mut ready).expect("it says so");
            let users = users_of(dir.path());
            drop(child.stdin.take());
            let pid = child.id();
            child.wait().expect("it ends");
            let expected = User { pid, program: "sh".into(), file: "a.wal".into(), locked: false };
            assert_eq!(users, if uses { vec![expected] } else { Vec::new() }, "{how}");
        }
    }

    #[test]
    fn a_lock_of_an_open_file_description_is_seen_although_no_process_holds_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let held = File::create(dir.path().join("a.wal")).expect("room");
        let write = libc::c_short::try_from(libc::F_WRLCK).expect("small");
        let mut lock = libc::flock { l_type: write, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
        // SAFETY: the descriptor is open, and the kernel reads one `flock`.
        assert_eq!(unsafe { libc::fcntl(held.as_raw_fd(), libc::F_OFD_SETLK, &raw mut lock) }, 0);
        let users = users_of(dir.path());
        assert_eq!(users, [User { pid: 0, program: String::new(), file: "a.wal".into(), locked: true }]);
    }

    #[test]
    fn a_lock_on_any_file_of_the_folder_is_seen() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("LOCK");
        let held = File::create(&path).expect("room");
        held.lock().expect("no other process has it");
        // Our own descriptor is passed over, the lock on it is not: it conflicts with a second one.
        let users = users_of(dir.path());
        assert_eq!(users, [User { pid: 0, program: String::new(), file: "LOCK".into(), locked: true }]);
        assert_eq!(users[0].to_string(), "another process holds a lock on LOCK");
    }
}
