//! Carrying a plan out: save, sync, cut, sync.
//!
//! A crash at any point leaves either the log as it was, or the log cut with its bytes saved. What is saved has its name only when it
//! is complete; a cut is one change of a file's length, or one rename.

use std::path::Path;
use std::sync::Arc;

use super::cutfile::{self, looks_cut, save, write_new};
use super::repair::{Cut, Plan};
use crate::disk::{Cursor, Disk, EntryKind, File, Open, as_private, crc32, finished, pieces, unfinished, write_full};
use crate::model::{Error, Result};

/// Does what the plan says. The caller holds the log's lock since before the plan was made.
pub fn carry_out(disk: &Arc<dyn Disk>, plan: &Plan) -> Result<()> {
    if plan.cuts.is_empty() {
        return Ok(());
    }
    sweep(disk, &plan.dir)?;
    for cut in &plan.cuts {
        // Of a segment that is added nothing is saved but where it came from; the file that it is to be like stands in for it.
        let like = cut.like.as_ref().unwrap_or(&cut.path);
        let segment: Arc<dyn File> = disk.open(like, Open::READ)?.into();
        if cut.from.added {
            must_be_new(disk, &cut.path)?;
        } else {
            unchanged(&segment, cut)?;
        }
        if cut.saved {
            // It was complete when it got its name; the name may have been lost to a crash until now.
            disk.open(&plan.dir.join(&cut.saved_as), Open::WRITE)?.sync_all()?;
            disk.sync_dir(&plan.dir)?;
        } else {
            save(disk, &plan.dir, &cut.saved_as, &cut.from, segment.as_ref(), like)?;
        }
        drop(segment);
        apply(disk, &plan.dir, cut)?;
    }
    Ok(())
}

/// Removes what an interrupted repair left unfinished: it was never used.
fn sweep(disk: &Arc<dyn Disk>, dir: &Path) -> Result<()> {
    for entry in disk.list(dir)? {
        if entry.kind == EntryKind::File && finished(&entry.name).is_some_and(looks_cut) {
            disk.remove(&dir.join(&entry.name))?;
        }
    }
    Ok(())
}

/// The segment is still what the plan was made for.
fn unchanged(segment: &Arc<dyn File>, cut: &Cut) -> Result<()> {
    let from = &cut.from;
    let length = segment.length()?;
    let mut cursor = Cursor::new(segment.clone(), length);
    let same = length == from.file_bytes
        && cursor.fold(from.offset, from.bytes, 0, crc32) == Some(from.sum)
        && cutfile::context(&mut cursor, from.offset) == Some(from.context);
    if same {
        return Ok(());
    }
    let why = "it changed since the plan was made; nothing was cut".into();
    Err(Error::Refused { path: cut.path.clone(), why })
}

/// Nothing is written over.
fn must_be_new(disk: &Arc<dyn Disk>, path: &Path) -> Result<()> {
    match disk.stat(path)? {
        None => Ok(()),
        Some(_) => Err(Error::Refused { path: path.to_owned(), why: "it is there already; nothing was written".into() }),
    }
}

/// Writes a segment that was not there, and gives it its name once all of it is synced.
fn add(disk: &Arc<dyn Disk>, dir: &Path, cut: &Cut) -> Result<()> {
    let unfinished = unfinished(&dir.join(&cut.saved_as));
    let written = write_new(disk, &unfinished, &mut |new| {
        if let Some(like) = &cut.like {
            as_private(disk.as_ref(), &unfinished, like)?;
        }
        write_full(new, &cut.from.fill, 0)
    });
    written.and_then(|()| disk.rename(&unfinished, &cut.path)).inspect_err(|_| drop(disk.remove(&unfinished)))
}

fn apply(disk: &Arc<dyn Disk>, dir: &Path, cut: &Cut) -> Result<()> {
    let from = &cut.from;
    if from.added {
        add(disk, dir, cut)?;
    } else if from.removed {
        disk.remove(&cut.path)?;
    } else if from.fill.is_empty() {
        let segment = disk.open(&cut.path, Open::WRITE)?;
        segment.set_length(from.offset)?;
        segment.sync_all()?;
    } else {
        // What stays and what is added must come together: one without the other is a log that its system reads wrongly.
        let unfinished = unfinished(&dir.join(&cut.saved_as));
        replace_end(disk, &cut.path, &unfinished, from.offset, &mut |new| write_full(new, &from.fill, from.offset))?;
    }
    disk.sync_dir(dir)
}

/// Puts a file with the same first `keep` bytes and another end in the place of a file, in one step.
pub fn replace_end(
    disk: &Arc<dyn Disk>,
    path: &Path,
    unfinished: &Path,
    keep: u64,
    end: &mut dyn FnMut(&dyn File) -> Result<()>,
) -> Result<()> {
    let old = disk.open(path, Open::READ)?;
    let written = write_new(disk, unfinished, &mut |new| {
        // Its system must still be able to open it, under whatever user walctl runs.
        disk.take_after(unfinished, path)?;
        let mut at = 0;
        pieces(old.as_ref(), 0, keep, &mut |piece| {
            write_full(new, piece, at)?;
            at += piece.len() as u64;
            Ok(())
        })?;
        end(new)
    });
    written.and_then(|()| disk.rename(unfinished, path)).inspect_err(|_| drop(disk.remove(unfinished)))
}
