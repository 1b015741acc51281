//! Each payload in a file of its own, in a folder that the user names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use walctl::disk::{Disk, Errno, Open, RealDisk, errno_of, write_full};
use walctl::model::{Lsn, LsnRange, Record, Result};

/// A folder that gets one file a record.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
    disk: Arc<dyn Disk>,
    /// From the lowest to the highest LSN that was written.
    lsns: Option<LsnRange>,
    /// How many were written.
    pub written: u64,
}

impl Files {
    /// In that folder, which is made when it is not there.
    pub fn new(dir: &Path) -> Result<Files> {
        let disk = Arc::new(RealDisk);
        disk.create_dir(dir)?;
        Ok(Files { dir: dir.to_owned(), disk, lsns: None, written: 0 })
    }

    /// Writes the payload of a record. A file that is there already is never replaced.
    pub fn record(&mut self, record: &Record<'_>) -> Result<()> {
        let (path, file) = self.create(record)?;
        let mut at = 0;
        let done = record.payload.each(&mut |piece| {
            write_full(file.as_ref(), piece, at)?;
            at += piece.len() as u64;
            Ok(())
        });
        if done.is_err() {
            // Half a payload must not pass for one.
            let _ = self.disk.remove(&path);
        }
        self.written += u64::from(done.is_ok());
        if let Some(lsn) = record.lsn {
            let range = self.lsns.unwrap_or(LsnRange { first: lsn, last: lsn });
            self.lsns = Some(LsnRange { first: range.first.min(lsn), last: range.last.max(lsn) });
        }
        done
    }

    /// Whether this run may have written a record with that LSN.
    fn may_have(&self, lsn: Option<Lsn>) -> bool {
        self.lsns.is_some_and(|range| lsn.is_some_and(|lsn| range.contains(lsn)))
    }

    fn create(&self, record: &Record<'_>) -> Result<(PathBuf, Box<dyn walctl::disk::File>)> {
        let name = match record.lsn {
            Some(lsn) => format!("{:020}", lsn.0),
            None => format!("{:05}-{:020}", record.span.place.segment.0, record.span.start()),
        };
        let path = self.dir.join(&name);
        match self.disk.open(&path, Open::CREATE) {
            Ok(file) => Ok((path, file)),
            // Two records of a damaged log can bear one LSN: the place tells them apart. A file of another run is left alone.
            Err(error) if errno_of(&error) == Some(Errno::EXIST) && self.may_have(record.lsn) => {
                let path = self.dir.join(format!("{name}-at-{}", record.span.start()));
                let file = self.disk.open(&path, Open::CREATE)?;
                Ok((path, file))
            }
            Err(error) => Err(error),
        }
    }
}
