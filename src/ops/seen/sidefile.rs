//! A file of ours that a user names: what it may be called, and how it is replaced as a whole.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::disk::{Disk, EntryKind, File, Open, as_private, begin_file, finished, not_regular, unfinished};
use crate::formats::ALL;
use crate::model::{Error, Result};

/// How long to wait for another process that is writing the file.
const PATIENCE: Duration = Duration::from_secs(60);

/// Opens the file for reading; `None` when it is not there. `keep` says what it is for, in an error about its name.
pub fn open_named(disk: &dyn Disk, path: &Path, keep: &str) -> Result<Option<Box<dyn File>>> {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let what = |is: String| Error::Input { what: format!("{} is {is}: keep {keep} in a file of another name", path.display()) };
    if let Some(format) = ALL.iter().find(|format| format.number_of(&name).is_some()) {
        return Err(what(format!("called like a segment of a {} log", format.name)));
    }
    if finished(&name).is_some() {
        return Err(what("called like a file that walctl has not finished".into()));
    }
    match disk.look_at_name(path)? {
        None => Ok(None),
        Some(EntryKind::File) => Ok(Some(disk.open(path, Open::READ)?)),
        Some(EntryKind::Link) => Err(not_regular("open", path, "a symbolic link, and walctl writes through none")),
        Some(other) => Err(not_regular("open", path, other.words())),
    }
}

/// Puts a new file in its place, which holds what `write` writes and has the same permissions. Whoever holds its lock may replace it; the lock
/// goes with the old file, and so does its work.
pub fn replace(disk: &dyn Disk, path: &Path, write: &mut dyn FnMut(&dyn File) -> Result<()>) -> Result<()> {
    let _lock = locked(disk, path)?;
    let growing = unfinished(path);
    let new = begin_file(disk, &growing)?;
    as_private(disk, &growing, path)?;
    write(new.as_ref())?;
    new.sync_all()?;
    disk.rename(&growing, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new("")))
}

/// The file, made if it is not there, and locked against other processes that would replace it.
fn locked(disk: &dyn Disk, path: &Path) -> Result<Box<dyn File>> {
    let begun = Instant::now();
    loop {
        if let Some(file) = disk.lock(path)? {
            return Ok(file);
        }
        if begun.elapsed() > PATIENCE {
            let holder = "a process that has been writing it for a minute".into();
            return Err(Error::Locked { path: path.to_owned(), holder });
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
