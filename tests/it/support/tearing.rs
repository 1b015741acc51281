//! A mounted filesystem on a disk that forgets: what the kernel asks of it, done to a [`Medium`].

use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs,
    ReplyWrite, Request, WriteFlags,
};

use super::fuse::set_attributes;
use super::medium::{Medium, Node};

/// Nothing is remembered by the kernel: the medium may have changed below it.
const FRESH: Duration = Duration::ZERO;

/// The filesystem, mounted until it is dropped.
pub struct Tearing {
    medium: Shared,
    at: PathBuf,
    session: Option<BackgroundSession>,
}

type Shared = Arc<Mutex<Medium>>;

struct Mounted(Shared);

impl Tearing {
    /// Mounts a new one in this folder; `None` where the system does not allow that.
    pub fn mount(at: &Path, medium: Medium) -> Option<Tearing> {
        std::fs::create_dir_all(at).expect("a folder can be made");
        let medium = Arc::new(Mutex::new(medium));
        let session = fuser::spawn_mount(Mounted(medium.clone()), at, &Config::default());
        assert!(session.is_ok() || std::env::var("CI").as_deref() != Ok("true"), "nothing can be mounted here: {session:?}");
        Some(Tearing { medium, at: at.to_owned(), session: Some(session.ok()?) })
    }

    pub fn path(&self) -> &Path {
        &self.at
    }

    pub fn medium(&self) -> MutexGuard<'_, Medium> {
        lock(&self.medium)
    }
}

impl Drop for Tearing {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = session.umount_and_join();
        }
    }
}

fn lock(medium: &Shared) -> MutexGuard<'_, Medium> {
    medium.lock().expect("nobody panics while holding the medium")
}

fn refusal(errno: i32) -> Errno {
    Errno::from_i32(errno)
}

fn attributes(number: u64, node: &Node) -> FileAttr {
    let (kind, size, perm) = match node {
        Node::Folder(_) => (FileType::Directory, 0, 0o755),
        Node::File(content) => (FileType::RegularFile, content.bytes.len() as u64, 0o644),
    };
    FileAttr {
        ino: INodeNo(number),
        size,
        blocks: size.div_ceil(512),
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: 4096,
        flags: 0,
    }
}

fn text(name: &OsStr) -> &str {
    name.to_str().expect("the tests use plain names")
}

fn place(offset: u64, length: u64) -> Range<usize> {
    let at = |byte: u64| usize::try_from(byte).expect("small files");
    at(offset)..at(offset + length)
}

/// Past the page cache in both directions, where the file was opened so.
fn how(flags: i32) -> FopenFlags {
    if flags & libc::O_DIRECT != 0 { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() }
}

impl Mounted {
    fn entry(&self, number: Result<u64, i32>, reply: ReplyEntry) {
        let medium = lock(&self.0);
        match number.and_then(|number| Ok(attributes(number, medium.node(number)?))) {
            Ok(attr) => reply.entry(&FRESH, &attr, Generation(0)),
            Err(errno) => reply.error(refusal(errno)),
        }
    }
}

fn done(result: Result<(), i32>, reply: ReplyEmpty) {
    match result {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(refusal(errno)),
    }
}

impl Filesystem for Mounted {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let number = lock(&self.0).folder(parent.0).and_then(|folder| folder.names.get(text(name)).copied().ok_or(libc::ENOENT));
        self.entry(number, reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match lock(&self.0).node(ino.0) {
            Ok(node) => reply.attr(&FRESH, &attributes(ino.0, node)),
            Err(errno) => reply.error(refusal(errno)),
        }
    }

    set_attributes!(|self, ino, size, reply| {
        let mut medium = lock(&self.0);
        let set = size.map_or(Ok(()), |size| medium.set_length(ino.0, place(0, size).end));
        match set.and_then(|()| medium.node(ino.0)) {
            Ok(node) => reply.attr(&FRESH, &attributes(ino.0, node)),
            Err(errno) => reply.error(refusal(errno)),
        }
    });

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let made = lock(&self.0).make(parent.0, text(name), true);
        self.entry(made, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(lock(&self.0).remove(parent.0, text(name)), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        done(lock(&self.0).remove(parent.0, text(name)), reply);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        // The writer renames within its folder, over nothing that it does not mean to replace.
        if parent != new_parent || !flags.is_empty() {
            return reply.error(Errno::EXDEV);
        }
        done(lock(&self.0).rename(parent.0, text(name), text(new_name)), reply);
    }

    fn open(&self, _: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        match lock(&self.0).node(ino.0) {
            Ok(_) => reply.opened(FileHandle(0), how(flags.0)),
            Err(errno) => reply.error(refusal(errno)),
        }
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, flags: i32, reply: ReplyCreate) {
        let mut medium = lock(&self.0);
        let made = medium.make(parent.0, text(name), false);
        match made.and_then(|number| Ok(attributes(number, medium.node(number)?))) {
            Ok(attr) => reply.created(&FRESH, &attr, Generation(0), FileHandle(0), how(flags)),
            Err(errno) => reply.error(refusal(errno)),
        }
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let medium = lock(&self.0);
        let name = medium.name_of(ino.0).unwrap_or_default();
        match medium.read(ino.0, name, place(offset, size.into()), flags.0 & libc::O_DIRECT != 0) {
            Ok(bytes) => reply.data(&bytes),
            Err(errno) => reply.error(refusal(errno)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        flags: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        // A device takes whole sectors; the kernel does not look after that here.
        if flags.0 & libc::O_DIRECT != 0 && (!offset.is_multiple_of(512) || !data.len().is_multiple_of(512)) {
            return reply.error(Errno::EINVAL);
        }
        let range = place(offset, data.len() as u64);
        match lock(&self.0).write(ino.0, range.start, data, flags.0 & libc::O_DSYNC != 0) {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("the kernel writes in pieces")),
            Err(errno) => reply.error(refusal(errno)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(lock(&self.0).sync(ino.0), reply);
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        done(lock(&self.0).sync(ino.0), reply);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let medium = lock(&self.0);
        let names = match medium.folder(ino.0) {
            Ok(folder) => &folder.names,
            Err(errno) => return reply.error(refusal(errno)),
        };
        let dots = [(ino.0, "."), (ino.0, "..")].into_iter();
        let entries = dots.chain(names.iter().map(|(name, number)| (*number, name.as_str())));
        for ((number, name), next) in entries.zip(1u64..).skip(place(0, offset).end) {
            let kind = medium.node(number).map_or(FileType::RegularFile, |node| attributes(number, node).kind);
            if reply.add(INodeNo(number), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn fallocate(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, length: u64, mode: i32, reply: ReplyEmpty) {
        if mode != 0 {
            return reply.error(Errno::EOPNOTSUPP);
        }
        done(lock(&self.0).reserve(ino.0, place(offset, length).end), reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(1 << 20, 1 << 20, 1 << 20, 0, 0, 4096, 255, 4096);
    }
}
