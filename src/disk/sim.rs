//! A disk that forgets: files in memory, of which only what was synced is sure to be there after the power fails.
//!
//! What was written and not synced survives in pieces of 512 bytes, each by a throw of the dice; a name of a file or folder that was
//! made, changed or removed survives only by luck until the folder above it is synced. The power can fail at any operation, and any
//! operation can be made to fail. After a failed sync the file reads as before and the next sync says that all is well, while the medium never got the bytes;
//! every descriptor that was open hears of it once: that is what real systems do.

mod file;

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard};

use file::{SimFile, SimFolder};

use super::names::{Names, Target, errno};
use super::{Disk, Entry, EntryKind, Errno, File, Identity, Open, Stamp, Whereabouts};
use crate::model::Result;

/// What survives of a write that was not synced comes in pieces of this size.
const SECTOR: usize = 512;

/// Files in memory, and what of them would survive a power failure. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

/// What goes wrong at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The system answers with this error number.
    Errno(Errno),
    /// A write takes only this many bytes, and says so.
    Short(usize),
    /// The power fails: this operation and all that follow do nothing.
    PowerOff,
}

/// Which of the things that were not synced survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Luck {
    /// None of them.
    None,
    /// All of them.
    All,
    /// Each by dice that this number sets.
    Dice(u64),
}

#[derive(Debug, Default)]
struct Inner {
    nodes: Vec<Node>,
    names: Names,
    /// The files whose lock is held.
    locks: BTreeSet<usize>,
    faults: BTreeMap<u64, Fault>,
    operations: u64,
    off: bool,
    /// How many bytes all files may have together; 0 for no limit.
    limit: u64,
    trace: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// What a reader sees.
    now: Vec<u8>,
    /// What was synced.
    stable: Vec<u8>,
    /// What was done since, in order.
    unsynced: Vec<Change>,
    /// How many syncs have failed: each open file hears of each failure once.
    failures: u64,
}

#[derive(Clone, Debug)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Write(at, piece) => put(bytes, *at, piece),
            Change::Length(length) => bytes.resize(*length, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, piece: &[u8]) {
    if bytes.len() < at + piece.len() {
        bytes.resize(at + piece.len(), 0);
    }
    bytes[at..at + piece.len()].copy_from_slice(piece);
}

/// A small generator: the same number gives the same dice on every machine.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn heads(&mut self) -> bool {
        self.next() & 1 == 1
    }
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> SimDisk {
        SimDisk::default()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no thread panics while holding the disk")
    }

    /// Makes the operation with this number, from 1 on, go wrong.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.inner().faults.insert(operation, fault);
    }

    /// Lets all files together have no more than this many bytes; 0 for no limit.
    pub fn limit(&self, bytes: u64) {
        self.inner().limit = bytes;
    }

    /// How many operations changed something, or were to: writes, syncs, lengths, names.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// What each operation was, one line each.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.inner().trace.clone()
    }

    /// Turns the power off now.
    pub fn power_off(&self) {
        self.inner().off = true;
    }

    /// Whether the power has failed.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.inner().off
    }

    /// The disk as it comes up again after the power failed now.
    #[must_use]
    pub fn after_power_failure(&self, luck: Luck) -> SimDisk {
        let inner = self.inner();
        let mut dice = Dice(match luck {
            Luck::Dice(seed) => seed,
            _ => 0,
        });
        let nodes = inner.nodes.iter().map(|node| Node::new(node.survivor(luck, &mut dice))).collect();
        // A journal keeps the order of names; a filesystem without one does not. Both must be survived.
        let journal = dice.heads();
        let kept = (dice.next() as usize) % (inner.names.unsynced() + 1);
        let names = inner.names.after(|index| match luck {
            Luck::None => false,
            Luck::All => true,
            Luck::Dice(_) if journal => index < kept,
            Luck::Dice(_) => dice.heads(),
        });
        SimDisk { inner: Arc::new(Mutex::new(Inner { nodes, names, ..Inner::default() })) }
    }

    /// A number that tells two contents of a disk apart.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let inner = self.inner();
        let mut hasher = DefaultHasher::new();
        inner.names.each_file(&mut |path, node| (path, &inner.nodes[node].now).hash(&mut hasher));
        hasher.finish()
    }
}

impl Node {
    fn new(bytes: Vec<u8>) -> Node {
        Node { stable: bytes.clone(), now: bytes, unsynced: Vec::new(), failures: 0 }
    }

    /// What a look past the cache shows.
    fn medium(&self) -> Vec<u8> {
        let mut bytes = self.stable.clone();
        self.unsynced.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    }

    fn survivor(&self, luck: Luck, dice: &mut Dice) -> Vec<u8> {
        match luck {
            Luck::None => return self.stable.clone(),
            Luck::All => return self.medium(),
            Luck::Dice(_) => {}
        }
        let mut bytes = self.stable.clone();
        for change in &self.unsynced {
            match change {
                Change::Length(length) => {
                    if dice.heads() {
                        bytes.resize(*length, 0);
                    }
                }
                Change::Write(at, piece) => {
                    // The length can survive without the content: zeros stand there then.
                    if dice.heads() && bytes.len() < at + piece.len() {
                        bytes.resize(at + piece.len(), 0);
                    }
                    let (all, mut done) = (dice.heads(), 0);
                    while done < piece.len() {
                        let end = ((at + done) / SECTOR + 1) * SECTOR - at;
                        let end = end.min(piece.len());
                        if all || dice.heads() {
                            put(&mut bytes, at + done, &piece[done..end]);
                        }
                        done = end;
                    }
                }
            }
        }
        bytes
    }
}

impl Inner {
    /// Counts an operation, and fails it if it is to fail. `Some` is how much of a write gets through.
    fn operate(&mut self, doing: &'static str, path: &Path) -> Result<Option<usize>> {
        if self.off {
            return Err(errno(doing, path, Errno::IO));
        }
        self.operations += 1;
        if self.trace.len() < 100_000 {
            self.trace.push(format!("{} {doing} {}", self.operations, path.display()));
        }
        match self.faults.get(&self.operations) {
            None => Ok(None),
            Some(Fault::Errno(number)) => Err(errno(doing, path, *number)),
            Some(Fault::Short(bytes)) => Ok(Some(*bytes)),
            Some(Fault::PowerOff) => {
                self.off = true;
                Err(errno(doing, path, Errno::IO))
            }
        }
    }

    fn step(&self, doing: &'static str, path: &Path) -> Result<()> {
        if self.off { Err(errno(doing, path, Errno::IO)) } else { Ok(()) }
    }

    fn new_file(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn entry(&self, name: &OsStr, target: Target) -> Entry {
        let name = name.to_string_lossy().into_owned();
        match target {
            Target::File(node) => Entry { name, length: self.nodes[node].now.len() as u64, kind: EntryKind::File },
            Target::Folder(_) => Entry { name, length: 0, kind: EntryKind::Folder },
        }
    }

    fn room(&self, path: &Path, node: usize, length: usize, doing: &'static str) -> Result<()> {
        let grown = length.saturating_sub(self.nodes[node].now.len()) as u64;
        let mut used = 0;
        self.names.each_file(&mut |_, node| used += self.nodes[node].now.len() as u64);
        if self.limit > 0 && grown > 0 && used + grown > self.limit { Err(errno(doing, path, Errno::NOSPC)) } else { Ok(()) }
    }
}

impl Disk for SimDisk {
    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        let inner = self.inner();
        inner.step("list", dir)?;
        match inner.names.find(dir) {
            Some(Target::Folder(folder)) => {
                Ok(inner.names.in_folder(folder).map(|(name, target)| inner.entry(name, target)).collect())
            }
            Some(Target::File(_)) => Err(errno("list", dir, Errno::NOTDIR)),
            None => Err(errno("list", dir, Errno::NOENT)),
        }
    }

    fn stat(&self, path: &Path) -> Result<Option<Entry>> {
        let inner = self.inner();
        inner.step("look at", path)?;
        Ok(inner.names.find(path).map(|target| inner.entry(path.file_name().unwrap_or_default(), target)))
    }

    /// The mark of a file is made of its number and its content.
    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        let inner = self.inner();
        inner.step("look at", path)?;
        let Some(Target::File(node)) = inner.names.find(path) else { return Ok(None) };
        let content = &inner.nodes[node].now;
        let mut hasher = DefaultHasher::new();
        content.hash(&mut hasher);
        Ok(Some(Stamp::Object { length: content.len() as u64, etag: format!("{node}-{:016x}", hasher.finish()) }))
    }

    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        let mut inner = self.inner();
        inner.step("open", path)?;
        let node = match (inner.names.find(path), how.create || how.or_create) {
            (Some(_), _) if how.create => return Err(errno("create", path, Errno::EXIST)),
            (Some(Target::File(node)), _) => node,
            (Some(Target::Folder(_)), _) => return Err(errno("open", path, Errno::ISDIR)),
            (None, false) => return Err(errno("open", path, Errno::NOENT)),
            (None, true) => {
                let name = inner.names.name("create", path)?;
                inner.operate("create", path)?;
                let node = inner.new_file();
                inner.names.link(name, Target::File(node));
                node
            }
        };
        let heard = AtomicU64::new(inner.nodes[node].failures);
        Ok(Box::new(SimFile { disk: self.clone(), node, path: path.to_owned(), how, locked: false, heard }))
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        let mut inner = self.inner();
        inner.step("create", dir)?;
        let above: Vec<&Path> = dir.ancestors().collect();
        for path in above.into_iter().rev() {
            match inner.names.find(path) {
                Some(Target::Folder(_)) => continue,
                Some(Target::File(_)) => return Err(errno("create", path, Errno::EXIST)),
                None => {}
            }
            let name = inner.names.name("create", path)?;
            inner.operate("create", path)?;
            inner.names.link_folder(name);
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let mut inner = self.inner();
        inner.operate("rename", from)?;
        let number = match (inner.names.find(from), inner.names.find(to)) {
            (None, _) => Some(Errno::NOENT),
            (Some(Target::Folder(_)), Some(Target::File(_))) => Some(Errno::NOTDIR),
            (Some(Target::File(_)), Some(Target::Folder(_))) => Some(Errno::ISDIR),
            (Some(Target::Folder(_)), Some(Target::Folder(full))) if inner.names.in_folder(full).next().is_some() => {
                Some(Errno::NOTEMPTY)
            }
            (Some(Target::Folder(_)), _) if to != from && to.starts_with(from) => Some(Errno::INVAL),
            _ => None,
        };
        if let Some(number) = number {
            return Err(errno("rename", from, number));
        }
        let (from, to) = (inner.names.name("rename", from)?, inner.names.name("rename", to)?);
        inner.names.rename(from, to);
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        let mut inner = self.inner();
        inner.operate("remove", path)?;
        match inner.names.find(path) {
            None => return Err(errno("remove", path, Errno::NOENT)),
            Some(Target::Folder(_)) => return Err(errno("remove", path, Errno::ISDIR)),
            Some(Target::File(_)) => {}
        }
        let name = inner.names.name("remove", path)?;
        inner.names.unlink(name);
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        let mut inner = self.inner();
        inner.operate("remove", dir)?;
        let number = match inner.names.find(dir) {
            None => Some(Errno::NOENT),
            Some(Target::File(_)) => Some(Errno::NOTDIR),
            Some(Target::Folder(folder)) if inner.names.in_folder(folder).next().is_some() => Some(Errno::NOTEMPTY),
            Some(Target::Folder(_)) => None,
        };
        if let Some(number) = number {
            return Err(errno("remove", dir, number));
        }
        let name = inner.names.name("remove", dir)?;
        inner.names.unlink(name);
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        let mut inner = self.inner();
        inner.operate("sync folder", dir)?;
        let Some(Target::Folder(folder)) = inner.names.find(dir) else { return Err(errno("sync", dir, Errno::NOENT)) };
        inner.names.sync(folder);
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        let mut inner = self.inner();
        inner.step("lock", path)?;
        // The lock's file is no part of what must survive: it is not counted among the operations.
        let node = match inner.names.find(path) {
            Some(Target::File(node)) => node,
            Some(Target::Folder(_)) => return Err(errno("lock", path, Errno::ISDIR)),
            None => {
                let name = inner.names.name("lock", path)?;
                let node = inner.new_file();
                inner.names.link_for_now(name, Target::File(node));
                node
            }
        };
        if !inner.locks.insert(node) {
            return Ok(None);
        }
        let heard = AtomicU64::new(0);
        Ok(Some(Box::new(SimFile { disk: self.clone(), node, path: path.to_owned(), how: Open::WRITE, locked: true, heard })))
    }

    fn open_dir(&self, dir: &Path) -> Result<Box<dyn File>> {
        let inner = self.inner();
        inner.step("open", dir)?;
        match inner.names.find(dir) {
            Some(Target::Folder(folder)) => Ok(Box::new(SimFolder { folder, path: dir.to_owned() })),
            Some(Target::File(_)) => Err(errno("open", dir, Errno::NOTDIR)),
            None => Err(errno("open", dir, Errno::NOENT)),
        }
    }

    fn whereabouts(&self, path: &Path, file: &dyn File) -> Result<Whereabouts> {
        let inner = self.inner();
        inner.step("look at", path)?;
        let Some((own, _)) = file.identity() else { return Ok(Whereabouts::Here) };
        Ok(match inner.names.find(path) {
            Some(there) if identity(there) == own => Whereabouts::Here,
            _ if inner.names.has(target(own)) => Whereabouts::Elsewhere,
            _ => Whereabouts::Nowhere,
        })
    }
}

/// Files and folders are counted apart, as if they were on two devices.
fn identity(target: Target) -> Identity {
    match target {
        Target::File(node) => Identity { device: 0, number: node as u64 },
        Target::Folder(folder) => Identity { device: 1, number: folder as u64 },
    }
}

fn target(identity: Identity) -> Target {
    let number = offset_of(identity.number);
    if identity.device == 0 { Target::File(number) } else { Target::Folder(number) }
}

fn offset_of(offset: u64) -> usize {
    usize::try_from(offset).expect("files in memory are small")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn disk() -> (SimDisk, PathBuf) {
        let disk = SimDisk::new();
        disk.create_dir(Path::new("/log")).expect("folders can be made");
        disk.sync_dir(Path::new("/")).expect("it syncs");
        (disk, PathBuf::from("/log/a"))
    }

    fn content(disk: &SimDisk, path: &Path) -> Option<Vec<u8>> {
        let file = disk.open(path, Open::READ).ok()?;
        let mut bytes = vec![0; usize::try_from(file.length().expect("it answers")).expect("small")];
        crate::disk::read_full(file.as_ref(), &mut bytes, 0).expect("it reads");
        Some(bytes)
    }

    #[test]
    fn what_was_not_synced_is_gone_and_so_is_a_name_whose_folder_was_not() {
        let (disk, path) = disk();
        let file = disk.open(&path, Open::CREATE).expect("it can be made");
        file.write_at(b"alpha", 0).expect("it takes bytes");
        file.sync_data().expect("it syncs");
        assert_eq!(content(&disk.after_power_failure(Luck::None), &path), None);
        disk.sync_dir(Path::new("/log")).expect("it syncs");
        file.write_at(b"BETA", 5).expect("it takes bytes");
        assert_eq!(content(&disk.after_power_failure(Luck::None), &path).as_deref(), Some(&b"alpha"[..]));
        assert_eq!(content(&disk.after_power_failure(Luck::All), &path).as_deref(), Some(&b"alphaBETA"[..]));
    }

    #[test]
    fn a_long_write_survives_in_sectors_and_the_dice_decide_which() {
        let (disk, path) = disk();
        let file = disk.open(&path, Open::CREATE).expect("it can be made");
        file.write_at(&[1; 8 * SECTOR], 0).expect("it takes bytes");
        disk.sync_dir(Path::new("/log")).expect("it syncs");
        let states: BTreeSet<Vec<u8>> =
            (0..200).filter_map(|seed| content(&disk.after_power_failure(Luck::Dice(seed)), &path)).collect();
        assert!(states.len() > 20, "{} states", states.len());
        assert!(states.iter().any(|s| s.len() == 8 * SECTOR && s[..SECTOR] == [0; SECTOR] && s.contains(&1)), "reordered");
    }

    #[test]
    fn after_a_failed_sync_the_cache_lies_and_the_next_sync_says_that_all_is_well() {
        let (disk, path) = disk();
        let file = disk.open(&path, Open::CREATE).expect("it can be made");
        disk.sync_dir(Path::new("/log")).expect("it syncs");
        file.write_at(&[7; 512], 0).expect("it takes bytes");
        disk.fail_at(disk.operations() + 1, Fault::Errno(Errno::IO));
        assert_eq!(file.sync_data().expect_err("it was told to fail").errno(), Some(Errno::IO.raw_os_error()));
        file.sync_data().expect("the second one says nothing");
        assert_eq!(content(&disk, &path), Some(vec![7; 512]));
        assert_eq!(content(&disk.after_power_failure(Luck::All), &path), Some(Vec::new()));
        let direct = disk.open(&path, Open { direct: true, ..Open::READ }).expect("it opens");
        assert_eq!(direct.read_at(&mut [0; 512], 0).expect("it reads"), 0, "the medium never got it");
    }

    #[test]
    fn the_power_fails_at_the_operation_that_was_named_and_stays_off() {
        let (disk, path) = disk();
        disk.fail_at(disk.operations() + 2, Fault::PowerOff);
        let file = disk.open(&path, Open::CREATE).expect("the first operation works");
        assert!(file.write_at(b"x", 0).is_err());
        assert!(disk.is_off() && file.sync_data().is_err() && disk.list(Path::new("/log")).is_err());
    }

    /// Where the folder is found after the power fails, and whether the file in it is.
    fn found(disk: &SimDisk, luck: Luck) -> (bool, bool, bool) {
        let after = disk.after_power_failure(luck);
        let there = |path: &str| after.stat(Path::new(path)).expect("it answers").is_some();
        (there("/new"), there("/done"), there("/new/a") || there("/done/a"))
    }

    #[test]
    fn a_folder_has_its_new_name_for_sure_only_when_the_folder_above_it_was_synced() {
        let disk = SimDisk::new();
        let (work, done) = (Path::new("/new"), Path::new("/done"));
        disk.create_dir(work).expect("folders can be made");
        disk.sync_dir(Path::new("/")).expect("it syncs");
        disk.open(&work.join("a"), Open::CREATE).expect("it can be made");
        disk.rename(work, done).expect("nothing is in the way");
        assert!(disk.stat(work).expect("it answers").is_none());
        assert_eq!(disk.list(done).expect("it lists").len(), 1);
        assert_eq!(found(&disk, Luck::None), (true, false, false));
        assert_eq!(found(&disk, Luck::All), (false, true, true));
        let states: BTreeSet<_> = (0..100).map(|seed| found(&disk, Luck::Dice(seed))).collect();
        let each = [(false, true, false), (false, true, true), (true, false, false), (true, false, true)];
        assert_eq!(states, BTreeSet::from(each), "either name, and in both the file or not");
        // A file's name belongs to the folder that it is in, whatever that is called and wherever it ends up.
        disk.sync_dir(done).expect("it syncs");
        assert_eq!(found(&disk, Luck::None), (true, false, true));
        disk.sync_dir(Path::new("/")).expect("it syncs");
        assert_eq!(found(&disk, Luck::None), (false, true, true));
        assert_eq!(content(&disk.after_power_failure(Luck::None), &done.join("a")), Some(Vec::new()));
    }

    #[test]
    fn a_folder_that_was_made_is_gone_with_all_that_is_in_it_until_the_folder_above_it_was_synced() {
        let disk = SimDisk::new();
        let (inner, outer) = (Path::new("/a/b"), Path::new("/a"));
        disk.create_dir(inner).expect("folders can be made");
        disk.open(&inner.join("c"), Open::CREATE).expect("it can be made").sync_all().expect("it syncs");
        disk.sync_dir(inner).expect("it syncs");
        let there = |path: &Path| disk.after_power_failure(Luck::None).stat(path).expect("it answers").is_some();
        disk.sync_dir(outer).expect("it syncs");
        assert!(!there(outer) && !there(inner), "the outer folder's own name was not synced");
        disk.sync_dir(Path::new("/")).expect("it syncs");
        assert!(there(&inner.join("c")));
    }

    #[test]
    fn a_folder_takes_no_name_that_a_file_or_a_full_folder_has() {
        let disk = SimDisk::new();
        let path = Path::new;
        disk.create_dir(path("/new")).expect("folders can be made");
        disk.create_dir(path("/full")).expect("folders can be made");
        disk.create_dir(path("/empty")).expect("folders can be made");
        disk.open(path("/full/a"), Open::CREATE).expect("it can be made");
        let refused = |from: &str, to: &str| {
            disk.rename(path(from), path(to)).expect_err("it is in the way").errno().map(Errno::from_raw_os_error)
        };
        assert_eq!(refused("/new", "/full"), Some(Errno::NOTEMPTY));
        assert_eq!(refused("/new", "/full/a"), Some(Errno::NOTDIR));
        assert_eq!(refused("/full/a", "/new"), Some(Errno::ISDIR));
        assert_eq!(refused("/new", "/new/below"), Some(Errno::INVAL));
        assert_eq!(refused("/gone", "/new"), Some(Errno::NOENT));
        disk.rename(path("/full"), path("/empty")).expect("an empty folder gives way");
        assert!(disk.stat(path("/empty/a")).expect("it answers").is_some());
    }
}
