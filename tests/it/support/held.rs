//! A folder of files, or one file, held in memory: it can only be read.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use walctl::disk::{Disk, Entry, EntryKind, File, Open};
use walctl::model::{Error, Result};

use super::recipe::Made;

/// The folder; every path leads into it by its last part.
#[derive(Debug)]
pub struct HeldFolder(BTreeMap<String, Arc<Vec<u8>>>);

/// A file of such a folder, or by itself. It counts what is asked of it.
#[derive(Debug)]
pub struct HeldFile {
    bytes: Arc<Vec<u8>>,
    read: AtomicU64,
}

impl HeldFile {
    pub fn new(bytes: impl Into<Arc<Vec<u8>>>) -> HeldFile {
        HeldFile { bytes: bytes.into(), read: AtomicU64::new(0) }
    }

    /// How many bytes were read.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }
}

impl HeldFolder {
    pub fn of(made: &Made) -> HeldFolder {
        HeldFolder(made.segments.iter().map(|s| (s.name.clone(), Arc::new(s.bytes.clone()))).collect())
    }

    fn at(&self, path: &Path) -> Option<(&String, &Arc<Vec<u8>>)> {
        self.0.get_key_value(path.file_name()?.to_str()?)
    }
}

fn entry(name: &str, content: &[u8]) -> Entry {
    Entry { name: name.to_owned(), length: content.len() as u64, kind: EntryKind::File }
}

fn read_only<T>() -> Result<T> {
    Err(Error::Input { what: "reading never writes".into() })
}

impl Disk for HeldFolder {
    fn list(&self, _: &Path) -> Result<Vec<Entry>> {
        Ok(self.0.iter().map(|(name, content)| entry(name, content)).collect())
    }

    fn stat(&self, path: &Path) -> Result<Option<Entry>> {
        if path == Path::new("LOG") {
            return Ok(Some(Entry { name: "LOG".into(), length: 0, kind: EntryKind::Folder }));
        }
        Ok(self.at(path).map(|(name, content)| entry(name, content)))
    }

    fn open(&self, path: &Path, _: Open) -> Result<Box<dyn File>> {
        match self.at(path) {
            Some((_, content)) => Ok(Box::new(HeldFile::new(content.clone()))),
            None => Err(Error::io("open", path)(std::io::ErrorKind::NotFound.into())),
        }
    }

    fn create_dir(&self, _: &Path) -> Result<()> {
        read_only()
    }

    fn remove_dir(&self, _: &Path) -> Result<()> {
        read_only()
    }

    fn rename(&self, _: &Path, _: &Path) -> Result<()> {
        read_only()
    }

    fn remove(&self, _: &Path) -> Result<()> {
        read_only()
    }

    fn sync_dir(&self, _: &Path) -> Result<()> {
        read_only()
    }

    fn lock(&self, _: &Path) -> Result<Option<Box<dyn File>>> {
        read_only()
    }

    fn open_dir(&self, _: &Path) -> Result<Box<dyn File>> {
        read_only()
    }
}

impl File for HeldFile {
    fn length(&self) -> Result<u64> {
        Ok(self.bytes.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.bytes.len());
        let count = into.len().min(self.bytes.len() - from);
        into[..count].copy_from_slice(&self.bytes[from..from + count]);
        self.read.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn write_at(&self, _: &[u8], _: u64) -> Result<usize> {
        read_only()
    }

    fn sync_data(&self) -> Result<()> {
        read_only()
    }

    fn sync_all(&self) -> Result<()> {
        read_only()
    }

    fn set_length(&self, _: u64) -> Result<()> {
        read_only()
    }

    fn reserve(&self, _: u64, _: u64) -> Result<()> {
        read_only()
    }
}
