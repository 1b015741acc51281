//! Files of segments that were let go, kept as room for the next ones.
//!
//! A file that is written over needs no zeros first: its blocks are there. Its name is changed, and the change is durable, before anything
//! in it is: a crash must never show a segment's name over another one's bytes. The names that the files have meanwhile are no segment's;
//! the next writer removes what a crash leaves of them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, is_left, sweep, unfinished};
use crate::model::{Lsn, Result};

/// The most files that are kept at a time: each is as large as a segment, and no rule of retention counts it.
const KEPT: usize = 4;

/// The files of one log that wait to be used again.
#[derive(Debug)]
pub(super) struct Spares {
    disk: Arc<dyn Disk>,
    paths: Vec<PathBuf>,
    slots: Mutex<[SpareSlot; KEPT]>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum SpareSlot {
    #[default]
    Empty,
    /// A file is being given its name.
    Claimed,
    /// The file of the segment that began with this LSN.
    Kept(Lsn),
}

impl Spares {
    /// Of the log in `dir`.
    pub fn new(disk: &Arc<dyn Disk>, dir: &Path) -> Spares {
        let paths = (1..=KEPT).map(|number| unfinished(&dir.join(format!("spare-{number}")))).collect();
        Spares { disk: disk.clone(), paths, slots: Mutex::default() }
    }

    /// Takes the name from a segment that is let go, and keeps its file. The caller makes that durable, and says so to
    /// [`Spares::durable`]. `None` when there are enough, or it could not be done: the segment has its name still.
    pub fn keep(&self, segment: &Path) -> Option<usize> {
        let slot = {
            let mut slots = self.slots();
            let slot = slots.iter().position(|slot| *slot == SpareSlot::Empty)?;
            slots[slot] = SpareSlot::Claimed;
            slot
        };
        let kept = sweep(self.disk.as_ref(), &self.paths[slot]).and_then(|()| self.disk.rename(segment, &self.paths[slot]));
        if kept.is_err() {
            self.slots()[slot] = SpareSlot::Empty;
        }
        kept.ok().map(|()| slot)
    }

    /// The name that was taken stays taken whatever happens: the file, of the segment that began with `first`, may be written to.
    pub fn durable(&self, slot: usize, first: Lsn) {
        self.slots()[slot] = SpareSlot::Kept(first);
    }

    /// Whether there is one.
    pub fn any(&self) -> bool {
        self.slots().iter().any(|slot| matches!(slot, SpareSlot::Kept(_)))
    }

    /// Gives one away, under another name: the LSN that it began with.
    pub fn take(&self, to: &Path) -> Result<Option<Lsn>> {
        let taken = self.slots().iter().enumerate().find_map(|(at, slot)| match slot {
            SpareSlot::Kept(first) => Some((at, *first)),
            _ => None,
        });
        let Some((slot, first)) = taken else { return Ok(None) };
        let moved = sweep(self.disk.as_ref(), to).and_then(|()| self.disk.rename(&self.paths[slot], to));
        self.slots()[slot] = SpareSlot::Empty;
        moved.map(|()| Some(first))
    }

    /// Whether a crash left files of others. Anything else under their names is an error.
    pub fn are_left(&self) -> Result<bool> {
        self.paths.iter().try_fold(false, |left, path| Ok(is_left(self.disk.as_ref(), path)? || left))
    }

    /// Removes them all, and what a crash left of others.
    pub fn sweep(&self) -> Result<()> {
        let mut slots = self.slots();
        for (slot, path) in slots.iter_mut().zip(&self.paths) {
            if *slot != SpareSlot::Claimed {
                *slot = SpareSlot::Empty;
                sweep(self.disk.as_ref(), path)?;
            }
        }
        Ok(())
    }

    fn slots(&self) -> MutexGuard<'_, [SpareSlot; KEPT]> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
