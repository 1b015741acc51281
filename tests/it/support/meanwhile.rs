//! A disk on which something happens between two looks: a writer prunes, appends or begins a segment at exactly that moment.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use walctl::disk::{Disk, Entry, File, Open, SimDisk, Stamp};
use walctl::model::Result;

/// What is about to be done when the hook is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    Listed,
    Open,
    /// Past the cache or through it.
    Read {
        direct: bool,
    },
}

type Hook = Arc<Mutex<dyn FnMut(Door, &Path) + Send>>;

/// A disk in memory; the hook may change it through a clone.
#[derive(Clone)]
pub struct Meanwhile {
    disk: SimDisk,
    live: bool,
    hook: Hook,
}

struct Watched {
    file: Box<dyn File>,
    path: PathBuf,
    direct: bool,
    hook: Hook,
}

impl Meanwhile {
    /// With a writer that holds the log, as far as readers can tell.
    pub fn new(disk: &SimDisk, hook: impl FnMut(Door, &Path) + Send + 'static) -> Meanwhile {
        Meanwhile { disk: disk.clone(), live: true, hook: Arc::new(Mutex::new(hook)) }
    }

    /// The same without a writer.
    pub fn at_rest(self) -> Meanwhile {
        Meanwhile { live: false, ..self }
    }

    fn pass(&self, door: Door, path: &Path) {
        (self.hook.lock().expect("no hook panics"))(door, path);
    }
}

impl fmt::Debug for Meanwhile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meanwhile")
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watched({})", self.path.display())
    }
}

impl Disk for Meanwhile {
    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        let listed = self.disk.list(dir);
        self.pass(Door::Listed, dir);
        listed
    }

    fn stat(&self, path: &Path) -> Result<Option<Entry>> {
        self.disk.stat(path)
    }

    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        self.disk.stamp(path)
    }

    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        self.pass(Door::Open, path);
        let file = self.disk.open(path, how)?;
        Ok(Box::new(Watched { file, path: path.to_owned(), direct: how.direct, hook: self.hook.clone() }))
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.disk.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.disk.remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        self.disk.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.disk.sync_dir(dir)
    }

    fn locked_by(&self, _: &Path) -> Option<u32> {
        self.live.then_some(1)
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        self.disk.lock(path)
    }

    fn open_dir(&self, path: &Path) -> Result<Box<dyn File>> {
        self.disk.open_dir(path)
    }
}

impl File for Watched {
    fn length(&self) -> Result<u64> {
        self.file.length()
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let read = self.file.read_at(into, offset);
        (self.hook.lock().expect("no hook panics"))(Door::Read { direct: self.direct }, &self.path);
        read
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> Result<()> {
        self.file.sync_all()
    }

    fn set_length(&self, length: u64) -> Result<()> {
        self.file.set_length(length)
    }

    fn reserve(&self, offset: u64, length: u64) -> Result<()> {
        self.file.reserve(offset, length)
    }
}
