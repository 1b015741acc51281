//! A door that remembers what was looked at through it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use super::{Disk, Entry, EntryKind, File, Open, Remote, Stamp, User, Whereabouts, settled_stamp};
use crate::model::Result;

/// Another door, and what each thread looked at through it since it asked for that.
#[derive(Debug)]
pub struct Noting {
    door: Arc<dyn Disk>,
    notes: Mutex<HashMap<ThreadId, Notes>>,
}

/// The paths that were looked at, each once, in the order of the first look, and the stamps of the files there before it. There is none where
/// no file stood, or where one was being changed.
pub type Notes = Vec<(PathBuf, Option<Stamp>)>;

impl Noting {
    /// The same disk, noted.
    #[must_use]
    pub fn new(door: Arc<dyn Disk>) -> Noting {
        Noting { door, notes: Mutex::default() }
    }

    /// From here on, what this thread looks at is noted.
    pub fn begin(&self) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).insert(thread::current().id(), Notes::new());
    }

    /// What this thread looked at since [`Noting::begin`].
    pub fn end(&self) -> Notes {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).remove(&thread::current().id()).unwrap_or_default()
    }

    fn note(&self, path: &Path) {
        let own = thread::current().id();
        let is_new = |notes: &Notes| notes.iter().all(|(known, _)| known != path);
        if !self.notes.lock().unwrap_or_else(PoisonError::into_inner).get(&own).is_some_and(is_new) {
            return;
        }
        // Other threads go on meanwhile: this may have to wait.
        let stamp = settled_stamp(self.door.as_ref(), path);
        if let Some(notes) = self.notes.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&own) {
            notes.push((path.to_owned(), stamp));
        }
    }
}

impl Disk for Noting {
    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        self.note(dir);
        self.door.list(dir)
    }

    fn stat(&self, path: &Path) -> Result<Option<Entry>> {
        self.note(path);
        self.door.stat(path)
    }

    fn look_at_name(&self, path: &Path) -> Result<Option<EntryKind>> {
        self.note(path);
        self.door.look_at_name(path)
    }

    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        self.door.stamp(path)
    }

    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        self.note(path);
        self.door.open(path, how)
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        self.door.create_dir(dir)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.door.rename(from, to)
    }

    fn take_after(&self, path: &Path, other: &Path) -> Result<()> {
        self.door.take_after(path, other)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.door.remove(path)
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        self.door.remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        self.door.sync_dir(dir)
    }

    fn locked_by(&self, path: &Path) -> Option<u32> {
        self.door.locked_by(path)
    }

    fn users_of(&self, dir: &Path) -> Vec<User> {
        self.door.users_of(dir)
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        self.door.lock(path)
    }

    fn open_dir(&self, dir: &Path) -> Result<Box<dyn File>> {
        self.door.open_dir(dir)
    }

    fn whereabouts(&self, path: &Path, file: &dyn File) -> Result<Whereabouts> {
        self.door.whereabouts(path, file)
    }

    fn remote(&self) -> Option<&dyn Remote> {
        self.door.remote()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::SimDisk;

    #[test]
    fn what_a_thread_looks_at_is_noted_once_and_only_while_that_is_wanted() {
        let noting = Noting::new(Arc::new(SimDisk::new()));
        let look = |name: &str| drop(noting.stat(Path::new(name)));
        look("before");
        noting.begin();
        look("a");
        look("b");
        look("a");
        thread::scope(|scope| drop(scope.spawn(|| look("of another thread")).join()));
        assert_eq!(noting.end(), [("a".into(), None), ("b".into(), None)]);
        look("after");
        assert_eq!(noting.end(), Notes::new());
    }
}
