//! Files and folders of the disk that forgets, as they are once opened.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Change, SECTOR, SimDisk, Target, identity, offset_of, put};
use crate::disk::names::errno;
use crate::disk::{Errno, File, Identity, Open};
use crate::model::Result;

#[derive(Debug)]
pub(super) struct SimFolder {
    pub(super) folder: usize,
    pub(super) path: PathBuf,
}

impl SimFolder {
    fn refused<T>(&self, doing: &'static str) -> Result<T> {
        Err(errno(doing, &self.path, Errno::ISDIR))
    }
}

impl File for SimFolder {
    fn length(&self) -> Result<u64> {
        Ok(0)
    }

    fn read_at(&self, _: &mut [u8], _: u64) -> Result<usize> {
        self.refused("read")
    }

    fn write_at(&self, _: &[u8], _: u64) -> Result<usize> {
        self.refused("write")
    }

    fn sync_data(&self) -> Result<()> {
        self.refused("sync")
    }

    fn sync_all(&self) -> Result<()> {
        self.refused("sync")
    }

    fn set_length(&self, _: u64) -> Result<()> {
        self.refused("set the length of")
    }

    fn reserve(&self, _: u64, _: u64) -> Result<()> {
        self.refused("reserve space in")
    }

    fn identity(&self) -> Option<(Identity, u64)> {
        Some((identity(Target::Folder(self.folder)), 1))
    }
}

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) node: usize,
    pub(super) path: PathBuf,
    pub(super) how: Open,
    pub(super) locked: bool,
    /// How many failed syncs of the file it has heard of.
    pub(super) heard: AtomicU64,
}

impl Drop for SimFile {
    fn drop(&mut self) {
        if self.locked {
            self.disk.inner().locks.remove(&self.node);
        }
    }
}

impl SimFile {
    fn sync(&self) -> Result<()> {
        let mut inner = self.disk.inner();
        let answer = inner.operate("sync", &self.path);
        if inner.off {
            return answer.map(|_| ());
        }
        let node = &mut inner.nodes[self.node];
        let unsynced = std::mem::take(&mut node.unsynced);
        // A sync that fails takes the changes with it: no later sync will write them, and the cache still shows them.
        if answer.is_err() {
            node.failures += 1;
        } else {
            unsynced.iter().for_each(|change| change.apply(&mut node.stable));
        }
        let failures = node.failures;
        if self.heard.swap(failures, Ordering::Relaxed) < failures {
            return Err(answer.err().unwrap_or_else(|| errno("sync", &self.path, Errno::IO)));
        }
        Ok(())
    }
}

impl File for SimFile {
    fn length(&self) -> Result<u64> {
        let inner = self.disk.inner();
        inner.step("look at", &self.path)?;
        Ok(inner.nodes[self.node].now.len() as u64)
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let inner = self.disk.inner();
        inner.step("read", &self.path)?;
        let node = &inner.nodes[self.node];
        let medium = self.how.direct.then(|| node.medium());
        let bytes = medium.as_deref().unwrap_or(&node.now);
        let from = offset_of(offset).min(bytes.len());
        let count = into.len().min(bytes.len() - from);
        into[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        let mut inner = self.disk.inner();
        if self.locked {
            return Ok(bytes.len());
        }
        if !self.how.write {
            return Err(errno("write", &self.path, Errno::BADF));
        }
        if self.how.direct && (!offset.is_multiple_of(SECTOR as u64) || !bytes.len().is_multiple_of(SECTOR)) {
            return Err(errno("write", &self.path, Errno::INVAL));
        }
        let at = offset_of(offset);
        let answer = inner.operate("write", &self.path);
        let count = match &answer {
            Ok(Some(short)) => (*short).min(bytes.len()),
            // A write during which the power fails may have come through in part.
            Err(_) if !inner.off => return answer.map(|_| 0),
            _ => bytes.len(),
        };
        inner.room(&self.path, self.node, at + count, "write")?;
        let (off, dsync) = (inner.off, self.how.dsync);
        let node = &mut inner.nodes[self.node];
        put(&mut node.now, at, &bytes[..count]);
        node.unsynced.push(Change::Write(at, bytes[..count].to_vec()));
        if dsync && !off {
            for change in std::mem::take(&mut node.unsynced) {
                change.apply(&mut node.stable);
            }
        }
        answer.map(|_| count)
    }

    fn sync_data(&self) -> Result<()> {
        self.sync()
    }

    fn sync_all(&self) -> Result<()> {
        self.sync()
    }

    fn set_length(&self, length: u64) -> Result<()> {
        let mut inner = self.disk.inner();
        if self.locked {
            return Ok(());
        }
        let answer = inner.operate("set the length of", &self.path);
        if answer.is_err() && !inner.off {
            return answer.map(|_| ());
        }
        let length = offset_of(length);
        inner.room(&self.path, self.node, length, "set the length of")?;
        let node = &mut inner.nodes[self.node];
        node.now.resize(length, 0);
        node.unsynced.push(Change::Length(length));
        answer.map(|_| ())
    }

    fn reserve(&self, offset: u64, length: u64) -> Result<()> {
        let now = self.length()?;
        if offset + length > now { self.set_length(offset + length) } else { Ok(()) }
    }

    /// Nobody keeps a file of this disk open that another one writes over.
    fn is_sole(&self) -> bool {
        true
    }

    fn identity(&self) -> Option<(Identity, u64)> {
        Some((identity(Target::File(self.node)), 1))
    }
}
