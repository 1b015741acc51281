//! A log's files in their natural order.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Cursor, Disk, Entry, EntryKind, File, Io, Open, REPAIR_LOCK};
use crate::model::{Result, SegmentId};

/// One file of a log.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its position in the log.
    pub id: SegmentId,
    /// Its name within the log.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// The number that its format gives it: for most, the first LSN that its name tells. It grows from segment to segment.
    pub sequence: u64,
    /// How long it was when the log was listed.
    pub length: u64,
    /// A later segment exists, in this log or, when a segment was named alone, in its folder.
    pub followed: bool,
    /// What the name stands for. Only a regular file is opened; anything else is a segment that cannot be reached.
    pub kind: EntryKind,
}

/// The file by whose lock the writers of a system keep each other out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// Its name in the folder of the log.
    pub name: &'static str,
    /// How it is locked.
    pub kind: LockKind,
}

/// The call that takes a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// flock(2).
    Flock,
    /// fcntl(2): a POSIX lock on the whole file or a part of it.
    Fcntl,
    /// The same, on the file that a segment is called after or on one beside it: the segment's name without this ending, or with the name
    /// of the lock in its place.
    FcntlBeside {
        /// How the name of a segment ends.
        ending: &'static str,
    },
}

/// The segments of one log, and how to read them.
#[derive(Clone, Debug)]
pub struct Source {
    /// What the user named: the log's folder, or a segment alone.
    pub path: PathBuf,
    /// The folder that holds the segments.
    pub dir: PathBuf,
    /// What it is called in a folder that holds several logs; empty where it is the folder's only one, or its main one.
    pub log: String,
    /// Those to be read, in natural order.
    pub segments: Vec<Segment>,
    /// Those of the same log that stand after them and were left out. A record that begins in the last segment may go on there.
    pub beyond: Vec<Segment>,
    /// Names of the other files in the folder.
    pub others: Vec<String>,
    /// One segment was named, not a log: its neighbours are not looked at.
    pub alone: bool,
    /// How to read segments.
    pub io: Io,
    /// The door.
    pub disk: Arc<dyn Disk>,
    /// Content that is already open: standard input, or the end of a log that is followed.
    given: Option<Arc<dyn File>>,
}

impl Source {
    /// A log whose segments were found in a folder. `log` is its name there, if the folder holds several.
    #[must_use]
    pub fn of(disk: Arc<dyn Disk>, dir: &Path, log: &str, segments: Vec<Segment>, others: Vec<String>) -> Source {
        let path = if log.is_empty() { dir.to_owned() } else { dir.join(log) };
        let (dir, log) = (dir.to_owned(), log.to_owned());
        Source { path, dir, log, segments, beyond: Vec::new(), others, alone: false, io: Io::Auto, disk, given: None }
    }

    /// A segment by itself. `followed` says whether its folder holds a later one.
    #[must_use]
    pub fn single(disk: Arc<dyn Disk>, path: &Path, length: u64, sequence: u64, followed: bool) -> Source {
        let name = path.file_name().map_or_else(|| path.display().to_string(), |n| n.to_string_lossy().into_owned());
        let dir = path.parent().map(Path::to_owned).unwrap_or_default();
        let segment =
            Segment { id: SegmentId(0), name, path: path.to_owned(), sequence, length, followed, kind: EntryKind::File };
        Source {
            path: path.to_owned(),
            dir,
            log: String::new(),
            segments: vec![segment],
            beyond: Vec::new(),
            others: Vec::new(),
            alone: true,
            io: Io::Auto,
            disk,
            given: None,
        }
    }

    /// A segment that is already open, such as standard input.
    #[must_use]
    pub fn given(disk: Arc<dyn Disk>, name: &str, file: Arc<dyn File>, sequence: u64) -> Source {
        let mut source = Source::single(disk, Path::new(name), u64::MAX, sequence, false);
        source.given = Some(file);
        source
    }

    /// The same log where its only segment is open already.
    #[must_use]
    pub fn held(mut self, file: Arc<dyn File>) -> Source {
        self.given = Some(file);
        self
    }

    /// The same log with only some of its segments, numbered anew.
    #[must_use]
    pub fn narrow(&self, range: Range<usize>) -> Source {
        let mut narrowed = self.clone();
        let left_out = narrowed.segments.split_off(range.end.min(narrowed.segments.len()));
        narrowed.beyond.splice(..0, left_out);
        narrowed.segments.drain(..range.start.min(narrowed.segments.len()));
        let all = narrowed.segments.iter_mut().chain(&mut narrowed.beyond);
        all.enumerate().for_each(|(index, segment)| segment.id = id(index));
        narrowed
    }

    /// The same log, read in another way.
    #[must_use]
    pub fn with_io(mut self, io: Io) -> Source {
        self.io = io;
        self
    }

    /// The content of a segment.
    pub fn file(&self, segment: &Segment) -> Result<Arc<dyn File>> {
        match &self.given {
            Some(file) => Ok(file.clone()),
            None => Ok(self.disk.open(&segment.path, Open::READ)?.into()),
        }
    }

    /// A reader over a segment. Segments that others follow are no longer written, so they may be mapped.
    pub fn cursor(&self, segment: &Segment) -> Result<Cursor> {
        self.reader(segment, segment.followed)
    }

    /// The same where a system writes to segments that others follow: files are made ahead, or the oldest one is written to.
    pub fn cursor_never_finished(&self, segment: &Segment) -> Result<Cursor> {
        self.reader(segment, false)
    }

    fn reader(&self, segment: &Segment, finished: bool) -> Result<Cursor> {
        let file = self.file(segment)?;
        // The listing may be old by now: what counts is how long the file is when reading begins.
        let length = file.length()?;
        let mut cursor = match (self.io, &self.given) {
            (Io::Media, None) => Cursor::direct(&self.disk, &segment.path, file, length)?,
            _ => Cursor::new(file, length),
        };
        if self.io == Io::Map || (self.io == Io::Auto && segment.followed) {
            cursor.map(finished);
        }
        Ok(cursor)
    }

    /// A process that writes to the log: the one that holds its lock or, where there is none that tells, has a file of it open.
    #[must_use]
    pub fn writer(&self, lock: Option<Lock>) -> Option<u32> {
        match lock {
            Some(Lock { name, kind: LockKind::Flock }) => self.disk.locked_by(&self.dir.join(name)),
            _ if self.given.is_some() => None,
            Some(Lock { name, kind: LockKind::Fcntl }) => {
                self.disk.users_of(&self.dir).iter().find(|user| user.locked && user.file == name).map(|user| user.pid)
            }
            Some(Lock { name, kind: LockKind::FcntlBeside { ending } }) => {
                let bases = self.segments.iter().filter_map(|segment| segment.name.strip_suffix(ending));
                let files: Vec<String> = bases.flat_map(|base| [base.to_owned(), format!("{base}{name}")]).collect();
                let users = self.disk.users_of(&self.dir);
                users.iter().find(|user| user.locked && files.contains(&user.file)).map(|user| user.pid)
            }
            // Who mends the log writes no records.
            None => self.disk.users_of(&self.dir).iter().find(|user| user.file != REPAIR_LOCK).map(|user| user.pid),
        }
    }

    /// The same, unless it is this process: who holds the lock here, to repair or to begin to write, does not write meanwhile.
    #[must_use]
    pub fn other_writer(&self, lock: Option<Lock>) -> Option<u32> {
        self.writer(lock).filter(|pid| *pid != std::process::id())
    }

    /// A reader over another file of the folder, if it is there: sidecars of a segment.
    pub fn sibling(&self, name: &str) -> Result<Option<Cursor>> {
        let path = self.dir.join(name);
        match self.disk.stat(&path)? {
            Some(Entry { kind: EntryKind::File, .. }) => {
                let file: Arc<dyn File> = self.disk.open(&path, Open::READ)?.into();
                let length = file.length()?;
                Ok(Some(Cursor::new(file, length)))
            }
            _ => Ok(None),
        }
    }
}

fn id(index: usize) -> SegmentId {
    SegmentId(u32::try_from(index).expect("a folder does not hold four billion files"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    #[test]
    fn segments_that_are_left_out_behind_are_still_known() {
        let segment = |sequence: u32| Segment {
            id: SegmentId(sequence - 1),
            name: sequence.to_string(),
            path: sequence.to_string().into(),
            sequence: u64::from(sequence),
            length: 0,
            followed: sequence < 4,
            kind: EntryKind::File,
        };
        let segments = (1..=4).map(segment).collect();
        let source = Source::of(Arc::new(RealDisk), Path::new("wal"), "", segments, Vec::new());
        let narrowed = source.narrow(0..3).narrow(1..2);
        let named = |segments: &[Segment]| segments.iter().map(|s| (s.id.0, s.sequence)).collect::<Vec<_>>();
        assert_eq!((named(&narrowed.segments), named(&narrowed.beyond)), (vec![(0, 2)], vec![(1, 3), (2, 4)]));
    }
}
