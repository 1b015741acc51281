//! A disk that writes down what is asked of it, in order, and what it would hold if the power had failed at any moment of that.
//!
//! It is one file of a FUSE filesystem. A loop device over that file passes each write on, and each flush as an fsync, so any
//! filesystem of the kernel can be mounted on it. Everything is held in memory, and several disks share one mount.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, UNIX_EPOCH};

use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, WriteFlags,
};

use super::fuse::set_attributes;
use super::medium::Coin;

const PAGE: usize = 4096;
/// XFS wants 300 MB at least. What was never written takes no memory.
const LENGTH: u64 = 320 << 20;

/// What a disk holds; a page that is not there is zeros.
#[derive(Clone, Debug, Default)]
pub struct Image(BTreeMap<u64, Arc<[u8; PAGE]>>);

impl Image {
    fn read(&self, offset: u64, into: &mut [u8]) {
        for_each_page(offset, into.len(), |page, within, at| match self.0.get(&page) {
            Some(held) => into[at..at + within.len()].copy_from_slice(&held[within]),
            None => into[at..at + within.len()].fill(0),
        });
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) {
        for_each_page(offset, bytes.len(), |page, within, at| {
            let from = &bytes[at..at + within.len()];
            if self.0.contains_key(&page) || from.iter().any(|byte| *byte != 0) {
                Arc::make_mut(self.0.entry(page).or_insert_with(|| Arc::new([0; PAGE])))[within].copy_from_slice(from);
            }
        });
    }
}

/// Calls with each page that a range meets, the part of the page, and where that lies in the range.
fn for_each_page(offset: u64, length: usize, mut call: impl FnMut(u64, std::ops::Range<usize>, usize)) {
    let mut done = 0;
    while done < length {
        let at = offset + done as u64;
        let within = usize::try_from(at % PAGE as u64).expect("it is less than a page");
        let count = (PAGE - within).min(length - done);
        call(at / PAGE as u64, within..within + count, done);
        done += count;
    }
}

enum Event {
    Write(u64, Vec<u8>),
    /// With how much had been promised when it came.
    Flush(usize),
}

/// What was asked of a disk since recording began.
pub struct Stream {
    before: Image,
    events: Vec<Event>,
}

/// A moment at which the power fails, and what the disk is like.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// This flush, counted from 0, is no longer answered. What was written since the one before it may be there or not.
    pub flush: usize,
    /// From this flush on the disk answers without having kept anything.
    pub lies_from: usize,
    /// This many bytes are written whole or not at all.
    pub piece: usize,
    /// Of this many pieces that were written and not flushed one survives; 0: none does.
    pub one_in: usize,
    pub seed: u64,
}

impl Stream {
    pub fn flushes(&self) -> usize {
        self.flush_places().count()
    }

    /// Where the flushes stand, and how much had been promised when each came.
    fn flush_places(&self) -> impl Iterator<Item = (usize, usize)> {
        self.events.iter().enumerate().filter_map(|(at, event)| match event {
            Event::Flush(promised) => Some((at, *promised)),
            Event::Write(..) => None,
        })
    }

    /// How much had been promised when this flush came.
    pub fn promised(&self, flush: usize) -> usize {
        self.flush_places().nth(flush).expect("there are so many flushes").1
    }

    /// What the disk holds after this power cut.
    pub fn after(&self, cut: Cut) -> Image {
        let places: Vec<usize> = self.flush_places().map(|(at, _)| at).collect();
        let end = places[cut.flush];
        let kept = cut.flush.min(cut.lies_from).checked_sub(1).map_or(0, |last| places[last]);
        let (mut image, mut coin) = (self.before.clone(), Coin::new(cut.seed));
        for (at, event) in self.events[..end].iter().enumerate() {
            let Event::Write(offset, bytes) = event else { continue };
            if at < kept {
                image.write(*offset, bytes);
                continue;
            }
            for (piece, place) in bytes.chunks(cut.piece).zip((*offset..).step_by(cut.piece)) {
                if cut.one_in > 0 && coin.below(cut.one_in) == 0 {
                    image.write(place, piece);
                }
            }
        }
        image
    }
}

/// How much has been promised by now; asked before a flush is answered.
type Promised = Box<dyn Fn() -> usize + Send>;

#[derive(Default)]
struct Device {
    image: Image,
    recording: Option<(Stream, Promised)>,
}

type Shared = Arc<Mutex<Vec<Device>>>;

/// The mount that the disks are in, until it is dropped.
pub struct Rack {
    devices: Shared,
    at: PathBuf,
    session: Option<BackgroundSession>,
}

impl Rack {
    /// Mounts one in this folder; `None` where the system does not allow that.
    pub fn mount(at: &Path) -> Option<Rack> {
        std::fs::create_dir_all(at).expect("a folder can be made");
        let devices = Shared::default();
        let session = fuser::spawn_mount(Served(devices.clone()), at, &Config::default());
        assert!(session.is_ok() || std::env::var("CI").as_deref() != Ok("true"), "nothing can be mounted here: {session:?}");
        Some(Rack { devices, at: at.to_owned(), session: Some(session.ok()?) })
    }

    /// Adds a disk that holds this; the file that it is.
    pub fn add(&self, image: Image) -> PathBuf {
        let mut devices = lock(&self.devices);
        devices.push(Device { image, recording: None });
        self.at.join((devices.len() - 1).to_string())
    }

    /// From now on what is asked of the newest disk is written down.
    pub fn record(&self, promised: impl Fn() -> usize + Send + 'static) {
        let mut devices = lock(&self.devices);
        let device = devices.last_mut().expect("there is a disk");
        let stream = Stream { before: device.image.clone(), events: Vec::new() };
        device.recording = Some((stream, Box::new(promised)));
    }

    /// Ends the recording.
    pub fn recorded(&self) -> Stream {
        let mut devices = lock(&self.devices);
        devices.last_mut().and_then(|device| device.recording.take()).expect("a recording had begun").0
    }

    /// Forgets what the newest disk holds, when nobody uses it any more.
    pub fn forget(&self) {
        if let Some(device) = lock(&self.devices).last_mut() {
            *device = Device::default();
        }
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let _ = session.umount_and_join();
        }
    }
}

fn lock(devices: &Shared) -> MutexGuard<'_, Vec<Device>> {
    devices.lock().expect("nobody panics while holding the disks")
}

struct Served(Shared);

impl Served {
    /// Works on the disk with this number.
    fn with<T>(&self, ino: INodeNo, work: impl FnOnce(&mut Device) -> T) -> Result<T, Errno> {
        let index = usize::try_from(ino.0).ok().and_then(|number| number.checked_sub(2)).ok_or(Errno::EISDIR)?;
        lock(&self.0).get_mut(index).map(work).ok_or(Errno::ENOENT)
    }
}

fn attributes(ino: INodeNo) -> FileAttr {
    let (kind, size, perm) = if ino.0 == 1 { (FileType::Directory, 0, 0o755) } else { (FileType::RegularFile, LENGTH, 0o644) };
    FileAttr {
        ino,
        size,
        blocks: size / 512,
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

const FRESH: Duration = Duration::ZERO;

impl Filesystem for Served {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let count = lock(&self.0).len();
        match name.to_str().and_then(|name| name.parse::<usize>().ok()).filter(|index| *index < count) {
            Some(index) => reply.entry(&FRESH, &attributes(INodeNo(index as u64 + 2)), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FRESH, &attributes(ino));
    }

    // The length stays as it is.
    set_attributes!(|self, ino, _size, reply| {
        reply.attr(&FRESH, &attributes(ino));
    });

    fn open(&self, _: &Request, _: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let how = if flags.0 & libc::O_DIRECT != 0 { FopenFlags::FOPEN_DIRECT_IO } else { FopenFlags::empty() };
        reply.opened(FileHandle(0), how);
    }

    fn read(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let count = LENGTH.saturating_sub(offset).min(size.into());
        let mut bytes = vec![0; usize::try_from(count).expect("the kernel reads in pieces")];
        match self.with(ino, |device| device.image.read(offset, &mut bytes)) {
            Ok(()) => reply.data(&bytes),
            Err(errno) => reply.error(errno),
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
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        if offset + data.len() as u64 > LENGTH {
            return reply.error(Errno::ENOSPC);
        }
        let written = self.with(ino, |device| {
            device.image.write(offset, data);
            if let Some((stream, _)) = &mut device.recording {
                stream.events.push(Event::Write(offset, data.to_vec()));
            }
        });
        match written {
            Ok(()) => reply.written(u32::try_from(data.len()).expect("the kernel writes in pieces")),
            Err(errno) => reply.error(errno),
        }
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        let flushed = self.with(ino, |device| {
            if let Some((stream, promised)) = &mut device.recording {
                stream.events.push(Event::Flush(promised()));
            }
        });
        match flushed {
            Ok(()) => reply.ok(),
            Err(errno) => reply.error(errno),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    // The kernel then writes zeros by itself, as to any disk that can do no more than read and write.
    fn fallocate(&self, _: &Request, _: INodeNo, _: FileHandle, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        reply.error(Errno::EOPNOTSUPP);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        reply.statfs(1 << 20, 1 << 20, 1 << 20, 0, 0, 4096, 255, 4096);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(image: &Image) -> String {
        let mut bytes = [0; 4];
        image.read(4094, &mut bytes);
        String::from_utf8_lossy(&bytes).replace('\0', "-")
    }

    #[test]
    fn what_was_flushed_is_there_and_of_the_rest_what_the_coin_says() {
        let mut before = Image::default();
        before.write(4094, b"0000");
        let events = vec![
            Event::Write(4094, b"11".to_vec()),
            Event::Flush(1),
            Event::Write(4095, b"22".to_vec()),
            Event::Write(4097, b"3".to_vec()),
            Event::Flush(2),
            Event::Write(4094, b"4444".to_vec()),
            Event::Flush(5),
        ];
        let stream = Stream { before, events };
        let cut = |flush, lies_from, one_in, seed| text(&stream.after(Cut { flush, lies_from, piece: 2, one_in, seed }));
        let all = |flush, lies_from| {
            let mut found: Vec<String> = (0..64).map(|seed| cut(flush, lies_from, 2, seed)).collect();
            found.sort();
            found.dedup();
            found
        };
        assert_eq!(all(0, 9), ["0000", "1100"]);
        assert_eq!(all(1, 9), ["1100", "1103", "1220", "1223"]);
        assert_eq!(all(2, 9), ["1223", "1244", "4423", "4444"]);
        assert_eq!([cut(2, 9, 0, 1), cut(2, 9, 1, 1)], ["1223", "4444"]);
        // The second flush is a lie: what it should have kept is as uncertain as what came later.
        assert_eq!([cut(2, 1, 0, 1), cut(2, 0, 0, 1)], ["1100", "0000"]);
        assert_eq!((stream.flushes(), stream.promised(2)), (3, 5));
    }
}
