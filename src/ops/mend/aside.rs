//! Valid records that have no place in a salvaged log, in a log of their own beside it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::numbers::frames;
use crate::disk::Disk;
use crate::model::{Error, Keys, Lsn, Record, Result, Time};
use crate::writer::{FrameKind, NewLog, NewRecord, RecordFacts};

/// A log that begins with its first record.
pub struct Aside {
    disk: Arc<dyn Disk>,
    target: PathBuf,
    keys: Keys,
    like: Option<PathBuf>,
    log: Option<(PathBuf, NewLog)>,
}

impl Aside {
    /// Beside the log that is salvaged into `target`.
    pub fn new(disk: &Arc<dyn Disk>, target: &Path, keys: &Keys, like: Option<&Path>) -> Aside {
        Aside { disk: disk.clone(), target: target.to_owned(), keys: keys.clone(), like: like.map(Path::to_owned), log: None }
    }

    /// Adds a record, with all that is known of it as facts: it is no checkpoint and no transaction here.
    pub fn write(&mut self, record: &Record<'_>, facts: &RecordFacts, payload: &[u8]) -> Result<()> {
        if self.log.is_none() {
            self.log = Some(self.begin()?);
        }
        let Some((_, log)) = &mut self.log else { return Ok(()) };
        let lsns = frames(record, log.next.max(Lsn::FIRST));
        let (time, tag) = (record.time.unwrap_or(Time(0)), record.tag.unwrap_or(0));
        let facts = facts.encode();
        log.write(&NewRecord { kind: FrameKind::Full, lsns, time, tag, payload, batch: None, facts: Some(&facts) })
    }

    /// A folder that is not there yet: an earlier run may have ended between the two logs.
    fn begin(&self) -> Result<(PathBuf, NewLog)> {
        let name = self.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for number in 1..100 {
            let more = if number == 1 { String::new() } else { format!("-{number}") };
            let path = self.target.with_file_name(format!("{name}-left-out{more}"));
            if self.disk.stat(&path)?.is_none() {
                let log = NewLog::begin(&self.disk, &path, &self.keys, self.like.as_deref())?;
                return Ok((path, log));
            }
        }
        Err(Error::Refused { path: self.target.clone(), why: "there are too many logs of left-out records beside it".into() })
    }

    /// Makes it durable; where it is, if anything is in it.
    pub fn finish(self) -> Result<Option<PathBuf>> {
        match self.log {
            None => Ok(None),
            Some((path, log)) => log.finish().map(|_| Some(path)),
        }
    }
}
