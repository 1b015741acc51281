//! The one door to bytes: what we ask of a disk and of a file on it.

use std::fmt;
use std::path::Path;

use rustix::io::Errno;

use super::{Mapping, Remote, Stamp, User};
use crate::model::{Error, Result};

/// A machine's files, or something that stands in for them.
pub trait Disk: Send + Sync + fmt::Debug {
    /// The names in a folder, in no order.
    fn list(&self, dir: &Path) -> Result<Vec<Entry>>;
    /// What stands at a path, following links; `None` when nothing does. A link that leads nowhere is something.
    fn stat(&self, path: &Path) -> Result<Option<Entry>>;
    /// What the name itself is, following no link; `None` when there is no such name.
    fn look_at_name(&self, path: &Path) -> Result<Option<EntryKind>> {
        Ok(self.stat(path)?.map(|entry| entry.kind))
    }
    /// How a regular file stands at a path, following links; `None` when no file stands there, or this disk cannot tell.
    fn stamp(&self, _path: &Path) -> Result<Option<Stamp>> {
        Ok(None)
    }
    /// Opens a regular file; anything else is refused, and nothing is waited for. For reading links are followed. For writing they
    /// are not: with a link in a folder that others can write to, any file of ours could be overwritten.
    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>>;
    /// Makes a folder, and the folders above it. Durable only after [`Disk::sync_dir`] of the folder above each; [`make_dir`] does both.
    fn create_dir(&self, dir: &Path) -> Result<()>;
    /// Gives a file or folder another name, replacing a file or an empty folder that had it. Durable only after [`Disk::sync_dir`].
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// Gives a file the owner and the permissions that another one has.
    fn take_after(&self, _path: &Path, _other: &Path) -> Result<()> {
        Ok(())
    }
    /// Removes a file. Durable only after [`Disk::sync_dir`].
    fn remove(&self, path: &Path) -> Result<()>;
    /// Removes an empty folder. Durable only after [`Disk::sync_dir`] of the folder above it.
    fn remove_dir(&self, dir: &Path) -> Result<()>;
    /// Makes the names in a folder durable.
    fn sync_dir(&self, dir: &Path) -> Result<()>;
    /// The process that holds the lock (flock) on a file, found without touching the lock: 0 when the system does not say which.
    fn locked_by(&self, _path: &Path) -> Option<u32> {
        None
    }
    /// The other processes that have locked a file of a folder, or have one open for writing, as far as the system shows them.
    fn users_of(&self, _dir: &Path) -> Vec<User> {
        Vec::new()
    }
    /// Opens a file, made when it is not there, and locks it against all others (flock) until it is dropped or the process
    /// ends, however it ends. `None` when another process holds it. It is opened as for writing, and must have one name only.
    fn lock(&self, path: &Path) -> Result<Option<Box<dyn File>>>;
    /// Opens a folder, for [`Disk::whereabouts`] and nothing else.
    fn open_dir(&self, dir: &Path) -> Result<Box<dyn File>>;
    /// Whether an open file or folder still has the name that it was opened under.
    fn whereabouts(&self, path: &Path, file: &dyn File) -> Result<Whereabouts> {
        let _ = (path, file);
        Ok(Whereabouts::Here)
    }
    /// What can be asked of a disk that is not in this machine.
    fn remote(&self) -> Option<&dyn Remote> {
        None
    }
}

/// Where an open file is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// Under its name.
    Here,
    /// Under another name: its own was changed, or is another file's now.
    Elsewhere,
    /// Nowhere: it has no name any more, and is gone when it is closed.
    Nowhere,
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The number of its filesystem.
    pub device: u64,
    /// Its number there.
    pub number: u64,
}

/// An open file. All of it works through a shared reference: reading goes on while another thread writes.
pub trait File: Send + Sync + fmt::Debug {
    /// How long it is now.
    fn length(&self) -> Result<u64>;
    /// Reads from `offset` as much as one call gives; 0 bytes mean the end.
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize>;
    /// Writes at `offset` as much as one call takes.
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize>;
    /// Makes content durable, and as much of the metadata as is needed to read it again (fdatasync).
    fn sync_data(&self) -> Result<()>;
    /// Makes content and all metadata durable (fsync).
    fn sync_all(&self) -> Result<()>;
    /// Cuts or extends it; what is added reads as zeros.
    fn set_length(&self, length: u64) -> Result<()>;
    /// Reserves blocks for the range without writing them (fallocate).
    fn reserve(&self, offset: u64, length: u64) -> Result<()>;
    /// Asks the system to drop what it caches of the range, as far as it is clean. It may not obey.
    fn forget(&self, _offset: u64, _length: u64) {}
    /// Tells the system that little is read of it, here and there: what follows need not be read ahead.
    fn read_here_and_there(&self) {}
    /// Maps the first `length` bytes for reading; `None` when this file cannot be mapped.
    fn map(&self, _length: u64) -> Option<Mapping> {
        None
    }
    /// The first offset from `offset` on that may hold anything but zeros of a hole; `None` when the rest is a hole.
    /// A file that cannot tell says `offset`.
    fn data_from(&self, offset: u64) -> Option<u64> {
        Some(offset)
    }
    /// Whether each read costs, so that no more is read than is wanted.
    fn is_dear(&self) -> bool {
        false
    }
    /// Whether no other descriptor of the file is open, in this process or another, for reading neither; no where the system does not tell.
    fn is_sole(&self) -> bool {
        false
    }
    /// Which file it is, and how many names it has; `None` where the system does not say.
    fn identity(&self) -> Option<(Identity, u64)> {
        None
    }
}

/// A name in a folder, or what stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name without its folder.
    pub name: String,
    /// Bytes, for a file.
    pub length: u64,
    /// What it is.
    pub kind: EntryKind,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A named pipe.
    Pipe,
    /// A device or a socket.
    Other,
    /// A symbolic link; where links are followed, one whose target cannot be reached.
    Link,
    /// Nothing: a manifest names it, and it is not there. No listing gives it.
    Absent,
}

impl EntryKind {
    /// What a name stands for that should be a regular file's, where links are followed.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            EntryKind::File => "a regular file",
            EntryKind::Folder => "a folder",
            EntryKind::Pipe => "a named pipe",
            EntryKind::Other => "a device or a socket",
            EntryKind::Link => "a symbolic link whose target cannot be reached",
            EntryKind::Absent => "no file, although a manifest names it",
        }
    }
}

/// The system's error number, where there is one.
#[must_use]
pub fn errno_of(error: &Error) -> Option<Errno> {
    error.errno().map(Errno::from_raw_os_error)
}

/// The error of what cannot be opened as a regular file, and why.
#[must_use]
pub fn not_regular(doing: &'static str, path: &Path, what: &str) -> Error {
    Error::io(doing, path)(std::io::Error::new(std::io::ErrorKind::InvalidInput, format!("it is {what}")))
}

/// How to open a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// For writing as well as reading.
    pub write: bool,
    /// It must not exist yet and is made.
    pub create: bool,
    /// It is made when it does not exist.
    pub or_create: bool,
    /// Past the page cache (O_DIRECT): offsets, lengths and buffers must be aligned.
    pub direct: bool,
    /// Each write returns when it is durable (O_DSYNC).
    pub dsync: bool,
    /// It must have no other name: what is written to it would change a file that another name stands for.
    pub sole: bool,
}

impl Open {
    /// For reading.
    pub const READ: Open = Open { write: false, create: false, or_create: false, direct: false, dsync: false, sole: false };
    /// For reading and writing what exists.
    pub const WRITE: Open = Open { write: true, ..Open::READ };
    /// A new file, which must not exist.
    pub const CREATE: Open = Open { write: true, create: true, ..Open::READ };
}

/// Makes a folder and those above it that are missing, and makes the names of all of them durable.
pub fn make_dir(disk: &dyn Disk, dir: &Path) -> Result<()> {
    let mut made = Vec::new();
    for path in dir.ancestors().take_while(|path| !path.as_os_str().is_empty()) {
        if disk.stat(path)?.is_some() {
            break;
        }
        made.push(path);
    }
    disk.create_dir(dir)?;
    made.into_iter().rev().filter_map(Path::parent).try_for_each(|above| disk.sync_dir(above))
}

/// Reads until `into` is full or the file ends; how many bytes were read.
pub fn read_full(file: &dyn File, into: &mut [u8], offset: u64) -> Result<usize> {
    let mut done = 0;
    while done < into.len() {
        match file.read_at(&mut into[done..], offset + done as u64)? {
            0 => break,
            count => done += count,
        }
    }
    Ok(done)
}

/// Writes all of `bytes`, with as many calls as it takes.
pub fn write_full(file: &dyn File, bytes: &[u8], offset: u64) -> Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        // A file that takes nothing answers with an error, never with 0: that is the door's promise.
        done += file.write_at(&bytes[done..], offset + done as u64)?;
    }
    Ok(())
}
