//! A bucket as a disk: what is listed and read goes through, what is written in place is refused.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::BucketFile;
use super::state::Bucket;
use crate::disk::{Disk, Entry, Errno, File, Open, Remote, Stamp, Traffic};
use crate::model::{Error, Result};

/// A bucket.
#[derive(Clone, Debug)]
pub struct BucketDisk(Arc<Bucket>);

/// What a bucket cannot do.
pub fn unsupported(doing: &'static str, path: &Path) -> Error {
    Error::io(doing, path)(io::Error::new(io::ErrorKind::Unsupported, "objects are not written in place"))
}

impl BucketDisk {
    /// The bucket that a place is in. Nothing is asked of it yet.
    pub fn open(path: &Path, settings: &[(String, String)]) -> Result<BucketDisk> {
        Ok(BucketDisk(Arc::new(Bucket::new(path, settings)?)))
    }
}

impl Remote for BucketDisk {
    fn lost(&self) -> Option<Error> {
        self.0.error()
    }

    fn confirm(&self, files: &[&Path]) -> Result<()> {
        self.0.confirm(files)
    }

    fn files_read(&self) -> Vec<PathBuf> {
        self.0.files_read()
    }

    fn expect(&self, paths: &[PathBuf]) {
        self.0.expect(paths);
    }

    fn readers(&self, count: usize) {
        self.0.readers(count);
    }

    fn traffic(&self) -> Traffic {
        self.0.traffic()
    }

    fn archive(&self, from: &Arc<dyn File>, to: &Path) -> Result<()> {
        super::archive::archive(&self.0, from, to)
    }
}

impl Disk for BucketDisk {
    fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        let entries = self.0.listing(dir, true, |listing| {
            listing.given = true;
            listing.entries.iter().map(|(entry, _)| entry.clone()).collect::<Vec<_>>()
        })?;
        if entries.is_empty() && !self.0.key(dir)?.as_ref().is_empty() {
            return Err(Error::io("list", dir)(io::ErrorKind::NotFound.into()));
        }
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> Result<Option<Entry>> {
        Ok(self.0.find(path)?.map(|(entry, _)| entry))
    }

    fn stamp(&self, path: &Path) -> Result<Option<Stamp>> {
        let object = self.0.object(path)?;
        Ok(object.map(|object| Stamp::Object { length: object.length, etag: object.etag.clone() }))
    }

    fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
        if how.direct {
            return Err(Error::io("open", path)(Errno::INVAL.into()));
        }
        if how != Open::READ {
            return Err(unsupported("write", path));
        }
        let absent = || Error::io("open", path)(io::ErrorKind::NotFound.into());
        let (entry, object) = self.0.find(path)?.ok_or_else(absent)?;
        let Some(object) = object else { return Err(crate::disk::not_regular("open", path, entry.kind.words())) };
        let head = if object.length > 0 { Some(self.0.head(&object)?) } else { None };
        Ok(Box::new(BucketFile::new(self.0.clone(), object, head)))
    }

    fn create_dir(&self, dir: &Path) -> Result<()> {
        Err(unsupported("create", dir))
    }

    fn rename(&self, from: &Path, _: &Path) -> Result<()> {
        Err(unsupported("rename", from))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        Err(unsupported("remove", path))
    }

    fn remove_dir(&self, dir: &Path) -> Result<()> {
        Err(unsupported("remove", dir))
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        Err(unsupported("sync", dir))
    }

    fn lock(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
        Err(unsupported("lock", path))
    }

    fn open_dir(&self, dir: &Path) -> Result<Box<dyn File>> {
        Err(unsupported("open", dir))
    }

    fn remote(&self) -> Option<&dyn Remote> {
        Some(self)
    }
}
