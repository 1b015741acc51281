//! Whether a log still has the names that it was opened under.
//!
//! A descriptor stays good whatever happens to the name of its file. A writer whose folder or segment was deleted or replaced would go
//! on acknowledging records that cannot be opened again, and make its next segments in whatever has the folder's path now. So the names are
//! looked at once a segment, and before a log is called closed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lock::WriterLock;
use crate::disk::{Disk, EntryKind, File, Whereabouts, not_regular};
use crate::model::{Error, Lsn, Result};
use crate::native::LOCK;

/// The folder of a log that is open for writing.
#[derive(Debug)]
pub(super) struct Standing {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    folder: Box<dyn File>,
    /// A segment may be begun under this name though a file has it: what a crash left of it.
    left: Lsn,
}

/// The segment that is written, as it is looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct WrittenSegment<'a> {
    pub path: &'a Path,
    pub file: &'a dyn File,
    /// Its first LSN, and the one after its last.
    pub lsns: (Lsn, Lsn),
}

/// Why nothing more can be written, and what is lost by it.
#[derive(Debug)]
pub(super) struct Astray {
    pub error: Error,
    /// Records from here on are in no file that has a name.
    pub lost: Option<Lsn>,
}

impl From<Error> for Astray {
    fn from(error: Error) -> Astray {
        Astray { error, lost: None }
    }
}

impl Standing {
    /// Of a log that ends before `next`.
    pub fn new(disk: &Arc<dyn Disk>, dir: &Path, next: Lsn) -> Result<Standing> {
        Ok(Standing { disk: disk.clone(), dir: dir.to_owned(), folder: disk.open_dir(dir)?, left: next })
    }

    /// The folder still has its path.
    pub fn folder(&self) -> Result<()> {
        let why = match self.disk.whereabouts(&self.dir, self.folder.as_ref())? {
            Whereabouts::Here => return Ok(()),
            Whereabouts::Elsewhere => {
                "the log's folder was moved or deleted while it was written, or another one has its path now"
            }
            Whereabouts::Nowhere => "the log's folder was deleted while it was written",
        };
        Err(Error::Refused { path: self.dir.clone(), why: why.into() })
    }

    /// The folder, the lock and the segment that is written still have their names.
    pub fn check(&self, lock: &WriterLock, active: Option<WrittenSegment<'_>>) -> Result<(), Astray> {
        let segment = active.map_or(Ok(()), |active| self.segment(&active));
        // What becomes of the records is known from the segment; what happened, from the folder.
        if let Err(error) = self.folder() {
            return Err(Astray { error, lost: segment.err().and_then(|astray| astray.lost) });
        }
        segment?;
        match lock.whereabouts(&self.disk, &self.dir)? {
            Whereabouts::Here => Ok(()),
            _ => {
                let why =
                    "the lock's file was deleted or replaced while the log was written: another writer may be at work".into();
                Err(Error::Refused { path: self.dir.join(LOCK), why }.into())
            }
        }
    }

    /// A segment may get this name: nothing has it, or what a crash left of a segment that was to get it.
    pub fn is_free(&self, path: &Path, first: Lsn) -> Result<()> {
        match self.disk.look_at_name(path)? {
            None => Ok(()),
            Some(EntryKind::File) if first == self.left => Ok(()),
            Some(there) => {
                let what = format!("{} that has the name of the next segment; walctl has not made it", there.words());
                Err(not_regular("begin a segment in", path, &what))
            }
        }
    }

    fn segment(&self, active: &WrittenSegment<'_>) -> Result<(), Astray> {
        let (first, next) = active.lsns;
        let records = match next.before().filter(|last| *last >= first) {
            None => String::new(),
            Some(last) if last == first => format!("; LSN {first} is"),
            Some(last) => format!("; LSN {first}-{last} are"),
        };
        let refused = |why: String| Error::Refused { path: active.path.to_owned(), why };
        match self.disk.whereabouts(active.path, active.file)? {
            Whereabouts::Here => Ok(()),
            Whereabouts::Elsewhere => {
                let end =
                    if records.is_empty() { String::new() } else { format!("{records} in the file that had this name before") };
                Err(refused(format!("the segment was renamed or replaced while it was written{end}")).into())
            }
            Whereabouts::Nowhere => {
                let end = if records.is_empty() { String::new() } else { format!("{records} lost with it") };
                let error = refused(format!("the segment was deleted while it was written{end}"));
                Err(Astray { error, lost: Some(first) })
            }
        }
    }
}
