//! The file of what is accepted: lines of JSON, and comments of people between them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::entry::Acceptance;
use crate::disk::{Disk, File, Open, read_full, write_full};
use crate::model::{Error, Result};
use crate::ops::seen::{open_named, replace};

/// No file that people read is longer.
const LONGEST: u64 = 16 << 20;
/// What a new file begins with.
const HEAD: &str = "\
# Damage that walctl verify reports as accepted, a line for each piece. A line is void as soon as what it says, or what lies around the
# damage, is not as it was. To accept a piece of damage no longer, delete its line. Lines that begin with # are comments.
";

/// A file of what is accepted.
pub struct AcceptFile {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    lines: Mutex<Vec<AcceptLine>>,
}

/// A line as it stands in the file, and what it accepts; nothing if it is a comment or empty.
#[derive(Clone, Debug)]
struct AcceptLine {
    text: String,
    accepts: Option<Acceptance>,
}

impl fmt::Debug for AcceptFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcceptFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl AcceptFile {
    /// Reads a file. One that is not there is an error unless it is to be written. One line that is none, and nothing of it is taken.
    pub fn open(disk: Arc<dyn Disk>, path: &Path, to_be_written: bool) -> Result<AcceptFile> {
        let lines = match open_named(disk.as_ref(), path, "what is accepted")? {
            Some(file) => read(path, file.as_ref())?,
            None if to_be_written => Vec::new(),
            None => read(path, disk.open(path, Open::READ)?.as_ref())?,
        };
        Ok(AcceptFile { disk, path: path.to_owned(), lines: Mutex::new(lines) })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it accepts, in its order.
    #[must_use]
    pub fn entries(&self) -> Vec<Acceptance> {
        self.lines().iter().filter_map(|line| line.accepts.clone()).collect()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<AcceptLine>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds acceptances, and takes out those that they replace. What another process has put into the file meanwhile stays.
    pub(super) fn add(&self, new: &[Acceptance], replaced: &[Acceptance]) -> Result<()> {
        let mut lines = self.lines();
        replace(self.disk.as_ref(), &self.path, &mut |file| {
            // It is there: it was made to be locked, at the latest.
            let mut now = read(&self.path, self.disk.open(&self.path, Open::READ)?.as_ref())?;
            now.retain(|line| line.accepts.as_ref().is_none_or(|accepts| !replaced.contains(accepts)));
            if now.is_empty() {
                now.extend(HEAD.lines().map(|text| AcceptLine { text: text.to_owned(), accepts: None }));
            }
            now.extend(new.iter().map(|one| AcceptLine { text: one.line(), accepts: Some(one.clone()) }));
            let text: String = now.iter().map(|line| format!("{}\n", line.text)).collect();
            if text.len() as u64 > LONGEST {
                return Err(Error::Input {
                    what: format!("{} would become too long: {} bytes", self.path.display(), text.len()),
                });
            }
            write_full(file, text.as_bytes(), 0)?;
            *lines = now;
            Ok(())
        })
    }
}

fn read(path: &Path, file: &dyn File) -> Result<Vec<AcceptLine>> {
    let wrong = |what: String| Error::Input { what: format!("{}{what}; nothing of it is taken", path.display()) };
    let length = file.length()?;
    if length > LONGEST {
        return Err(wrong(format!(" has {length} bytes, and no list of accepted damage is longer than {LONGEST}")));
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    let count = read_full(file, &mut bytes, 0)?;
    bytes.truncate(count);
    let text = String::from_utf8(bytes).map_err(|_| wrong(" is no text".into()))?;
    let line = |(index, text): (usize, &str)| {
        let code = text.trim();
        let accepts = match code.is_empty() || code.starts_with('#') {
            true => None,
            false => Some(Acceptance::parse(code).map_err(|why| wrong(format!(":{}: {why}", index + 1)))?),
        };
        Ok(AcceptLine { text: text.to_owned(), accepts })
    };
    text.lines().enumerate().map(line).collect()
}
