//! Taking segments away: one after the other from the oldest on, each copied and checked before if that is wanted.
//!
//! A crash at any point leaves a log without a hole: the folder is synced after each removal, since a filesystem may forget a removal
//! and keep the next one. A copy has its name only when it is complete, and what is removed is durable elsewhere before.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::disk::{Cursor, Disk, File, Open, Remote, begin_file, crc32, make_dir, pieces, unfinished, write_full};
use crate::model::{Error, Result};
use crate::ops::report::Progress;
use crate::writer::{Fate, SegmentFacts, check_frames};

/// Takes away what a plan lets go, and says of each segment when it is gone and where its copy is: in a folder of the same disk or of another
/// one. The caller holds the log's lock since before the plan was made. It is stopped only between two segments.
pub fn retire(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    plan: &[Fate],
    archive: Option<(&Arc<dyn Disk>, &Path)>,
    progress: &Progress,
    gone: &mut dyn FnMut(&SegmentFacts, Option<PathBuf>),
) -> Result<()> {
    if let Some((there, archive)) = archive.filter(|(there, _)| there.remote().is_none() && plan.iter().any(Fate::goes))
        && there.stat(archive)?.is_none()
    {
        make_dir(there.as_ref(), archive)?;
    }
    // A plan that was made by hand must not leave a hole either.
    for fate in plan.iter().take_while(|fate| fate.goes()) {
        if progress.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let copy = archive.map(|(there, archive)| match there.remote() {
            None => copy(disk, dir, &fate.segment, archive),
            Some(remote) => copy_far(disk, dir, &fate.segment, remote, archive),
        });
        let copy = copy.transpose()?;
        disk.remove(&dir.join(&fate.segment.file))?;
        disk.sync_dir(dir)?;
        progress.done.fetch_add(fate.segment.bytes, Ordering::Relaxed);
        gone(&fate.segment, copy);
    }
    Ok(())
}

/// Copies a segment into `archive`, which another machine holds. What is damaged here is copied nowhere, and stays.
fn copy_far(disk: &Arc<dyn Disk>, dir: &Path, segment: &SegmentFacts, remote: &dyn Remote, archive: &Path) -> Result<PathBuf> {
    let (from, to) = (dir.join(&segment.file), archive.join(&segment.file));
    let source: Arc<dyn File> = disk.open(&from, Open::READ)?.into();
    let length = source.length()?;
    check_frames(Cursor::direct(disk, &from, source.clone(), length)?, &from, segment.first)?;
    remote.archive(&source, &to)?;
    Ok(to)
}

/// Copies a segment into `archive`, durably, and checks the copy past the cache. Where it is.
fn copy(disk: &Arc<dyn Disk>, dir: &Path, segment: &SegmentFacts, archive: &Path) -> Result<PathBuf> {
    let (from, to) = (dir.join(&segment.file), archive.join(&segment.file));
    let source: Arc<dyn File> = disk.open(&from, Open::READ)?.into();
    let length = source.length()?;
    let mut sum = 0;
    if disk.stat(&to)?.is_some() {
        // An earlier run may have been interrupted between copying and removing.
        pieces(source.as_ref(), 0, length, &mut |piece| {
            sum = crc32(sum, piece);
            Ok(())
        })?;
        if !is_copy(disk, &to, length, sum)? {
            let why = "the archive has another file of that name".into();
            return Err(Error::Refused { path: to, why });
        }
        disk.open(&to, Open::WRITE)?.sync_all()?;
        disk.sync_dir(archive)?;
    } else {
        let name = unfinished(&to);
        let target = begin_file(disk.as_ref(), &name)?;
        let mut at = 0;
        let written = pieces(source.as_ref(), 0, length, &mut |piece| {
            sum = crc32(sum, piece);
            write_full(target.as_ref(), piece, at)?;
            at += piece.len() as u64;
            Ok(())
        });
        written.and_then(|()| target.sync_all()).and_then(|()| disk.rename(&name, &to)).inspect_err(|_| {
            // Half a copy is of no use, and the disk may be full.
            drop(disk.remove(&name));
        })?;
        disk.sync_dir(archive)?;
        if !is_copy(disk, &to, length, sum)? {
            let why = "the copy does not read back as it was written".into();
            return Err(Error::Refused { path: to, why });
        }
    }
    let copied: Arc<dyn File> = disk.open(&to, Open::READ)?.into();
    check_frames(Cursor::direct(disk, &to, copied, length)?, &from, segment.first)?;
    Ok(to)
}

/// Whether a file has this length and sum, as read from the medium.
fn is_copy(disk: &Arc<dyn Disk>, path: &Path, length: u64, sum: u32) -> Result<bool> {
    let file: Arc<dyn File> = disk.open(path, Open::READ)?.into();
    if file.length()? != length {
        return Ok(false);
    }
    Ok(Cursor::direct(disk, path, file, length)?.fold(0, length, 0, crc32) == Some(sum))
}
