//! Putting the newest cut back, byte for byte.
//!
//! It is refused when something was written behind a cut since; a known hole lies in the middle of a log, and is taken back at any time. What an interrupted undo left after the cut, zeros and bytes that the cut file has
//! too, is nothing that was written since: undo can be run again, and so can repair.

use std::path::PathBuf;
use std::sync::Arc;

use super::apply::replace_end;
use super::cutfile::{self, CutFile, Provenance};
use crate::disk::{Cursor, Disk, File, Open, Segment, as_private, unfinished, write_full};
use crate::model::{Error, Result};
use crate::ops::open::Input;

/// The cuts of the newest repair, in the order in which they are put back.
#[derive(Clone, Debug)]
pub struct Undo {
    /// The log, as the user named it.
    pub log: PathBuf,
    /// The folder of its segments.
    pub dir: PathBuf,
    /// What is put back.
    pub cuts: Vec<CutFile>,
}

/// Works out what undoing the newest repair would do. Why it must not be done is an error.
pub fn plan_undo(input: &Input) -> Result<Undo> {
    let source = &input.source;
    let (disk, dir) = (&source.disk, &source.dir);
    let refused = |path: PathBuf, why: String| Err(Error::Refused { path, why });
    let mut cuts = Vec::new();
    for name in cutfile::names(disk, dir)? {
        match CutFile::read(disk, dir, &name)? {
            Ok(cut) => cuts.push(cut),
            Err(why) => return refused(dir.join(&name), format!("nothing is put back while this cut file is damaged: {why}")),
        }
    }
    let Some(newest) = cuts.iter().map(|c| c.from.repair).max() else {
        return refused(source.path.clone(), "there is no cut to put back".into());
    };
    cuts.retain(|c| c.from.repair == newest);
    // The last cut that was made is the first one to be put back.
    cuts.sort_by_key(|c| std::cmp::Reverse(c.from.step));
    for cut in &cuts {
        if cut.from.format != input.format.name {
            let why = format!("the cut is from a log of format {}, and this one is {}", cut.from.format, input.format.name);
            return refused(cut.path.clone(), why);
        }
    }
    let listed = |name: &str| source.segments.iter().find(|s| s.name == name).map(|s| s.sequence);
    let number = |name: &str| listed(name).or_else(|| input.format.number_of(name));
    let behind = cuts.iter().filter_map(|c| c.from.newest.as_deref());
    let newest_cut = cuts.iter().map(|c| c.from.segment.as_str()).chain(behind).filter_map(number).max();
    // Nothing was written to a segment without a byte, or, where systems make files ahead of need, to one of zeros.
    let foreign = input.format.ours.is_none();
    let ahead = |segment: &Segment| {
        let nothing = |mut cursor: Cursor| cursor.length() == 0 || foreign && cursor.zeros_end(0) >= cursor.length();
        source.cursor(segment).is_ok_and(nothing)
    };
    let later = source.segments.iter().find(|s| Some(s.sequence) > newest_cut && !ahead(s));
    // A known hole lies in the middle of a log: what follows it in the log was there before it.
    if let Some(segment) = later.filter(|_| cuts.iter().any(|cut| cut.from.hole.is_none())) {
        return refused(segment.path.clone(), "the log has grown since the cut: this segment was begun behind it".into());
    }
    for cut in &cuts {
        // In one repair, segments after a cut are removed: each must still be away, or be what was removed.
        fits(disk, cut, &dir.join(&cut.from.segment))?;
    }
    Ok(Undo { log: source.path.clone(), dir: dir.clone(), cuts })
}

/// Whether the bytes can be put back without losing others.
fn fits(disk: &Arc<dyn Disk>, cut: &CutFile, path: &std::path::Path) -> Result<()> {
    let from = &cut.from;
    let refused = |why: String| Err(Error::Refused { path: path.to_owned(), why });
    if disk.stat(path)?.is_none() {
        return if from.removed || from.added { Ok(()) } else { refused("the segment that was cut is not there".into()) };
    }
    let file: Arc<dyn File> = disk.open(path, Open::READ)?.into();
    let length = file.length()?;
    if length < from.offset {
        return refused(format!("it has {length} bytes, and was cut at {}", from.offset));
    }
    let mut cursor = Cursor::new(file, length);
    if from.added {
        let same = length == from.fill.len() as u64 && cursor.bytes(0, from.fill.len()) == from.fill.as_slice();
        return if same { Ok(()) } else { refused("it was changed since it was written".into()) };
    }
    if cutfile::context(&mut cursor, from.offset) != Some(from.context) {
        return refused(format!("what stands before {} is not what stood there when it was cut", from.offset));
    }
    let mut saved = cut.cursor(disk)?;
    let mut at = from.offset;
    while at < length {
        let piece = cursor.bytes(at, 64 << 10).to_vec();
        if piece.is_empty() {
            return refused(format!("it cannot be read at {at}"));
        }
        if let Some(index) = strange(&piece, at, from, cut, &mut saved) {
            let what = format!("the log has grown since the cut at {}: other bytes stand at {}", from.offset, at + index);
            return refused(what);
        }
        at += piece.len() as u64;
    }
    Ok(())
}

/// The first byte of a piece that is neither zero, nor what was cut there, nor what was filled in.
fn strange(piece: &[u8], at: u64, from: &Provenance, cut: &CutFile, saved: &mut Cursor) -> Option<u64> {
    let end = from.offset + from.bytes;
    let known = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(piece.len());
    let old = if known > 0 { saved.bytes(cut.place_of(at), known) } else { &[] };
    for (index, byte) in piece.iter().enumerate() {
        let place = at + index as u64 - from.offset;
        let filled = usize::try_from(place).ok().and_then(|p| from.fill.get(p));
        if *byte != 0 && old.get(index) != Some(byte) && filled != Some(byte) {
            return Some(index as u64);
        }
    }
    None
}

/// Puts the cuts back, and removes their files. The caller holds the log's lock since before the plan was made.
pub fn undo(disk: &Arc<dyn Disk>, plan: &Undo) -> Result<()> {
    for cut in &plan.cuts {
        let path = plan.dir.join(&cut.from.segment);
        fits(disk, cut, &path)?;
        put_back(disk, plan, cut)?;
        disk.remove(&cut.path)?;
        disk.sync_dir(&plan.dir)?;
    }
    Ok(())
}

fn put_back(disk: &Arc<dyn Disk>, plan: &Undo, cut: &CutFile) -> Result<()> {
    let from = &cut.from;
    let path = plan.dir.join(&from.segment);
    if from.added {
        if disk.stat(&path)?.is_some() {
            disk.remove(&path)?;
        }
        return disk.sync_dir(&plan.dir);
    }
    if !from.fill.is_empty() {
        // Cut shorter step by step, what was filled in could pass for whole without the rest that its system needs.
        let unfinished = unfinished(&plan.dir.join(&cut.name));
        replace_end(disk, &path, &unfinished, from.offset, &mut |new| {
            cut.each(disk, &mut |at, piece| write_full(new, piece, at))?;
            new.set_length(from.file_bytes)
        })?;
        return disk.sync_dir(&plan.dir);
    }
    let segment = disk.open(&path, Open { write: true, or_create: from.removed, ..Open::READ })?;
    if from.removed {
        as_private(disk.as_ref(), &path, &cut.path)?;
    }
    cut.each(disk, &mut |at, piece| write_full(segment.as_ref(), piece, at))?;
    segment.set_length(from.file_bytes)?;
    segment.sync_all()?;
    disk.sync_dir(&plan.dir)
}
