//! The machine's own files.

use std::fs::{self, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, SeekFrom};

use super::{Disk, Entry, EntryKind, Errno, File, Identity, Mapping, Open, Stamp, User, Whereabouts, not_regular};
use crate::model::{Error, Result};

/// Files as the operating system has them.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

#[derive(Debug)]
struct RealFile {
    file: fs::File,
    path: PathBuf,
}

impl Disk for RealDisk {
    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        // A listing that was interrupted in the middle cannot be gone on with.
        unless_interrupted(|| list_once(dir)).map_err(Error::io("list", dir))
    }

    fn stat(&self, path: &Path) -> Result<Option<Entry>> {
        let name = || path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        match unless_interrupted(|| fs::metadata(path)) {
            Ok(meta) => Ok(Some(entry(name(), &meta))),
            Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::NOENT | Errno::LOOP)) => {
                let link = self.look_at_name(path)? == Some(EntryKind::Link);
                Ok(link.then(|| Entry { name: name(), length: 0, kind: EntryKind::Link }))
            }
            Err(e) => Err(Error::io("look at", path)(e)),
        }
    }

    fn look_at_name(&self, path: &Path) -> Result<Option<EntryKind>> {
        match unless_interrupted(|| fs::symlink_metadata(path)) {
            Ok(meta) => Ok(Some(kind(&meta))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Error::io("look at", path)(e)),
        }
    }

    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        match unless_interrupted(|| fs::metadata(path)) {
            Ok(meta) if meta.is_file() => {
                // A time that does not fit is as good as any other: it is only compared.
                let nanos = |seconds: i64, nanos: i64| seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos);
                Ok(Some(Stamp::File {
                    length: meta.len(),
                    modified_ns: nanos(meta.mtime(), meta.mtime_nsec()),
                    changed_ns: nanos(meta.ctime(), meta.ctime_nsec()),
                    number: meta.ino(),
                }))
            }
            Ok(_) => Ok(None),
            Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::NOENT | Errno::LOOP)) => Ok(None),
            Err(e) => Err(Error::io("look at", path)(e)),
        }
    }

    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        let doing = if how.create { "create" } else { "open" };
        if !how.create {
            // Before it is opened: opening a pipe or a device may already affect the process at the other end.
            let there = unless_interrupted(|| if how.write { fs::symlink_metadata(path) } else { fs::metadata(path) });
            there.map_or(Ok(()), |meta| regular(doing, path, &meta, how.sole))?;
        }
        let mut flags = libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY;
        if how.write {
            flags |= libc::O_NOFOLLOW;
        }
        if how.direct {
            flags |= libc::O_DIRECT;
        }
        if how.dsync {
            flags |= libc::O_DSYNC;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(how.write)
            .create_new(how.create)
            .create(how.or_create)
            .custom_flags(flags)
            .open(path)
            .map_err(Error::io(doing, path))?;
        // Another file may have got the name meanwhile.
        let meta = unless_interrupted(|| file.metadata()).map_err(Error::io("look at", path))?;
        regular(doing, path, &meta, how.sole)?;
        Ok(Box::new(RealFile { file, path: path.to_owned() }))
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        unless_interrupted(|| fs::create_dir_all(dir)).map_err(Error::io("create", dir))
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        unless_interrupted(|| fs::rename(from, to)).map_err(Error::io("rename", from))
    }

    fn take_after(&self, path: &Path, other: &Path) -> Result<()> {
        use std::os::unix::fs::{PermissionsExt, fchown};
        let theirs = unless_interrupted(|| fs::metadata(other)).map_err(Error::io("look at", other))?;
        // By descriptor and not by name: a link put there meanwhile would have another file given away.
        let flags = libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(Error::io("open", path))?;
        let ours = unless_interrupted(|| file.metadata()).map_err(Error::io("look at", path))?;
        regular("open", path, &ours, true)?;
        // The permissions first: who may not give files away can at least keep them from others.
        let permissions = fs::Permissions::from_mode(theirs.permissions().mode() & 0o777);
        file.set_permissions(permissions).map_err(Error::io("change the permissions of", path))?;
        if (ours.uid(), ours.gid()) == (theirs.uid(), theirs.gid()) {
            return Ok(());
        }
        fchown(&file, Some(theirs.uid()), Some(theirs.gid())).map_err(Error::io("change the owner of", path))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        unless_interrupted(|| fs::remove_file(path)).map_err(Error::io("remove", path))
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        fs::remove_dir(dir).map_err(Error::io("remove", dir))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        // An empty path is the folder we stand in: `Path::parent` of a bare name gives it.
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let sync = || Ok(rustix::fs::fsync(fs::File::open(dir)?)?);
        sync().map_err(Error::io("sync", dir))
    }

    fn locked_by(&self, path: &Path) -> Option<u32> {
        // Trying the lock could keep a writer out for a moment, so the kernel's own list is read instead.
        let meta = unless_interrupted(|| fs::metadata(path)).ok()?;
        let inode = format!(":{}", meta.ino());
        let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
        let device = format!("{major:02x}:{minor:02x}");
        let holder = |locks: &str| {
            locks.lines().find_map(|line| {
                // 1: FLOCK  ADVISORY  WRITE 4121 fe:00:1234 0 EOF; a waiter has "->" in front of its kind.
                let mut words = line.split_whitespace().skip(1);
                let held = words.next() == Some("FLOCK");
                let mut words = words.skip(2);
                let (pid, place) = (words.next()?, words.next()?);
                let here = place.strip_suffix(inode.as_str()).is_some_and(|dev| dev == device);
                (held && here).then(|| pid.parse().unwrap_or(0))
            })
        };
        for _ in 0..LOCK_READINGS {
            let (locks, pieces) = read_pieces(Path::new("/proc/locks")).ok()?;
            let found = holder(&locks);
            if found.is_some() || pieces < 2 {
                return found;
            }
        }
        None
    }

    fn users_of(&self, dir: &Path) -> Vec<User> {
        super::users::users_of(dir)
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        loop {
            let file = RealFile::open_lock(path)?;
            match unless_interrupted(|| file.file.try_lock().map_err(io::Error::from)) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(e) => return Err(Error::io("lock", path)(e)),
            }
            // Its holder may have removed the file between our opening and locking it: a lock on a file without a name keeps no process out.
            if self.whereabouts(path, &file)? == Whereabouts::Here {
                return Ok(Some(Box::new(file)));
            }
        }
    }

    fn open_dir(&self, dir: &Path) -> Result<Box<dyn File>> {
        let path = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        let flags = libc::O_CLOEXEC | libc::O_DIRECTORY;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(Error::io("open", dir))?;
        Ok(Box::new(RealFile { file, path: path.to_owned() }))
    }

    fn whereabouts(&self, path: &Path, file: &dyn File) -> Result<Whereabouts> {
        let Some((own, names)) = file.identity() else { return Ok(Whereabouts::Here) };
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let there = unless_interrupted(|| match fs::symlink_metadata(path) {
            // A log may be named by a link to its folder; a file that is written is never opened through one.
            Ok(meta) if meta.is_symlink() => fs::metadata(path).map(|meta| meta.is_dir().then_some(meta)),
            meta => meta.map(Some),
        });
        match there {
            Ok(Some(meta)) if identity(&meta) == own => Ok(Whereabouts::Here),
            Ok(_) if names == 0 => Ok(Whereabouts::Nowhere),
            Ok(_) => Ok(Whereabouts::Elsewhere),
            Err(e) if matches!(Errno::from_io_error(&e), Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)) => {
                Ok(if names == 0 { Whereabouts::Nowhere } else { Whereabouts::Elsewhere })
            }
            Err(e) => Err(Error::io("look at", path)(e)),
        }
    }
}

impl RealFile {
    /// Opens the file of a lock, which is written over: it must be a file, and have no other name.
    fn open_lock(path: &Path) -> Result<RealFile> {
        let there = unless_interrupted(|| fs::symlink_metadata(path));
        there.map_or(Ok(()), |meta| regular("open", path, &meta, true))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .custom_flags(libc::O_CLOEXEC | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW)
            .open(path)
            .map_err(Error::io("open", path))?;
        let meta = unless_interrupted(|| file.metadata()).map_err(Error::io("look at", path))?;
        regular("open", path, &meta, true)?;
        Ok(RealFile { file, path: path.to_owned() })
    }
}

/// Refuses what is no regular file, or has a second name where it must have one only.
fn regular(doing: &'static str, path: &Path, meta: &fs::Metadata, sole: bool) -> Result<()> {
    match kind(meta) {
        EntryKind::File if sole && meta.nlink() > 1 => {
            Err(not_regular(doing, path, "a hard link to a file that has other names too, and walctl writes through none"))
        }
        EntryKind::File => Ok(()),
        EntryKind::Link => Err(not_regular(doing, path, "a symbolic link, and walctl writes through none")),
        other => Err(not_regular(doing, path, &format!("{}, not a regular file", other.words()))),
    }
}

fn identity(meta: &fs::Metadata) -> Identity {
    Identity { device: meta.dev(), number: meta.ino() }
}

/// The kernel gives its list of locks in pieces, and a lock that goes between two of them hides another. So a list of several pieces that
/// does not name a file is read again.
const LOCK_READINGS: usize = 4;

/// All of a file of the kernel's, and in how many pieces it came. A piece is as long as the kernel gives it at once: in smaller ones, it is not
/// of one moment.
fn read_pieces(path: &Path) -> io::Result<(String, usize)> {
    let mut file = fs::File::open(path)?;
    let mut room = vec![0; 64 << 10];
    let (mut all, mut pieces) = (Vec::new(), 0);
    loop {
        match unless_interrupted(|| file.read(&mut room))? {
            0 => return Ok((String::from_utf8_lossy(&all).into_owned(), pieces)),
            count => all.extend_from_slice(&room[..count]),
        }
        pieces += 1;
    }
}

fn list_once(dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for item in fs::read_dir(dir)? {
        let item = item?;
        // A name that is not UTF-8 is no segment of any format.
        let Ok(name) = item.file_name().into_string() else { continue };
        match fs::metadata(item.path()) {
            Ok(meta) => entries.push(entry(name, &meta)),
            // To pass over a segment would be to say that it is missing, or that the log ends before it. So a link is listed wherever
            // it leads; only what went while we looked is not there.
            Err(e) => match item.file_type() {
                Ok(kind) if kind.is_symlink() => entries.push(Entry { name, length: 0, kind: EntryKind::Link }),
                _ if e.kind() == io::ErrorKind::NotFound => {}
                _ => return Err(e),
            },
        }
    }
    Ok(entries)
}

fn entry(name: String, meta: &fs::Metadata) -> Entry {
    Entry { name, length: if meta.is_file() { meta.len() } else { 0 }, kind: kind(meta) }
}

fn kind(meta: &fs::Metadata) -> EntryKind {
    let kind = meta.file_type();
    if kind.is_file() {
        EntryKind::File
    } else if kind.is_dir() {
        EntryKind::Folder
    } else if kind.is_symlink() {
        EntryKind::Link
    } else if kind.is_fifo() {
        EntryKind::Pipe
    } else {
        EntryKind::Other
    }
}

/// Repeats what a signal interrupted; nothing has happened then. Rust's library does that for opening, reading and writing, and for
/// nothing else.
fn unless_interrupted<T>(mut act: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

impl File for RealFile {
    fn length(&self) -> Result<u64> {
        Ok(unless_interrupted(|| self.file.metadata()).map_err(Error::io("look at", &self.path))?.len())
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        unless_interrupted(|| self.file.read_at(into, offset)).map_err(Error::io("read", &self.path))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        match unless_interrupted(|| self.file.write_at(bytes, offset)) {
            Ok(0) if !bytes.is_empty() => Err(Error::io("write", &self.path)(io::ErrorKind::WriteZero.into())),
            written => written.map_err(Error::io("write", &self.path)),
        }
    }

    // A sync that was interrupted may have failed already for some pages, and asking again would answer for the rest alone:
    // it counts as failed, and is never repeated. (Rust's own sync_data repeats it.)
    fn sync_data(&self) -> Result<()> {
        rustix::fs::fdatasync(&self.file).map_err(|e| Error::io("sync", &self.path)(e.into()))
    }

    fn sync_all(&self) -> Result<()> {
        rustix::fs::fsync(&self.file).map_err(|e| Error::io("sync", &self.path)(e.into()))
    }

    fn set_length(&self, length: u64) -> Result<()> {
        unless_interrupted(|| self.file.set_len(length)).map_err(Error::io("set the length of", &self.path))
    }

    fn reserve(&self, offset: u64, length: u64) -> Result<()> {
        unless_interrupted(|| Ok(rustix::fs::fallocate(&self.file, FallocateFlags::empty(), offset, length)?))
            .map_err(Error::io("reserve space in", &self.path))
    }

    fn forget(&self, offset: u64, length: u64) {
        let length = std::num::NonZeroU64::new(length);
        // Advice may be refused without harm: nothing is dropped then.
        let _ = rustix::fs::fadvise(&self.file, offset, length, rustix::fs::Advice::DontNeed);
    }

    fn read_here_and_there(&self) {
        let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::Random);
    }

    fn map(&self, length: u64) -> Option<Mapping> {
        Mapping::new(&self.file, length)
    }

    fn data_from(&self, offset: u64) -> Option<u64> {
        match rustix::fs::seek(&self.file, SeekFrom::Data(offset)) {
            Ok(data) => Some(data),
            Err(Errno::NXIO) => None,
            Err(_) => Some(offset),
        }
    }

    /// A write lease is given only where no other descriptor is open, nor a mapping that was made through one.
    fn is_sole(&self) -> bool {
        use std::os::fd::AsRawFd;
        // Of Linux, on all machines that Rust runs on but PA-RISC; the crate has no name for it.
        const F_SETSIG: libc::c_int = 10;
        let fd = self.file.as_raw_fd();
        // SAFETY: fcntl on a descriptor that is open, with numbers. Whoever opens the file while the lease is held makes the system send a
        // signal: SIGIO, which would end the process, unless another is asked for. SIGURG is ignored where nothing handles it.
        unsafe {
            libc::fcntl(fd, F_SETSIG, libc::SIGURG) == 0
                && libc::fcntl(fd, libc::F_SETLEASE, libc::F_WRLCK) == 0
                && libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) == 0
        }
    }

    fn identity(&self) -> Option<(Identity, u64)> {
        let meta = unless_interrupted(|| self.file.metadata()).ok()?;
        Some((identity(&meta), meta.nlink()))
    }
}
