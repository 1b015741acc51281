//! A page that is written beside the answer, and whose file it may replace.

use std::fs;
use std::io::Read as _;
use std::path::Path;

use walctl::disk::{Disk, EntryKind, RealDisk, begin_file, unfinished, write_full};
use walctl::model::Error;

use super::append::flags::command_line;
use super::exit::{CommandFailure, Exit};

/// Nothing that walctl did not write is replaced unless that was asked for, and nothing but a file in any case. `mark` stands in the first
/// bytes of every page of this sort, and `what` is what people call it.
pub fn may_be_written(path: &Path, overwrite: bool, mark: &str, what: &str) -> anyhow::Result<()> {
    let refused = |what: String, next: Option<String>| CommandFailure { exit: Exit::Usage, message: what, next };
    let shown = path.display();
    match RealDisk.look_at_name(path)? {
        None => return Ok(()),
        Some(EntryKind::File) => {}
        Some(other) => return Err(refused(format!("{shown} is {}, not a regular file", other.words()), None).into()),
    }
    let mut head = Vec::new();
    fs::File::open(path).and_then(|file| file.take(128).read_to_end(&mut head)).map_err(Error::io("read", path))?;
    if overwrite || head.is_empty() || String::from_utf8_lossy(&head).contains(mark) {
        return Ok(());
    }
    let next = format!("name another file, or write over this one: {} --overwrite", command_line());
    Err(refused(format!("{shown} is there and is no {what} of walctl; it is left alone"), Some(next)).into())
}

/// Writes a new file, synced, which then gets its name.
pub fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = unfinished(path);
    let file = begin_file(&RealDisk, &new)?;
    write_full(file.as_ref(), text.as_bytes(), 0)?;
    file.sync_all()?;
    RealDisk.rename(&new, path)?;
    RealDisk.sync_dir(path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    Ok(())
}
