//! A log's files in their natural order.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Cursor, Disk, Entry, EntryKind, File, Io, Open};
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
    /// The number that its name gives: most formats put the first LSN there. Segments are ordered by it.
    pub sequence: u64,
    /// How long it was when the log was listed.
    pub length: u64,
    /// A later segment exists, in this log or, when a segment was named alone, in its folder.
    pub followed: bool,
    /// What the name stands for. Only a regular file is opened; anything else is a segment that cannot be reached.
    pub kind: EntryKind,
}

/// The segments of one log, and how to read them.
#[derive(Clone, Debug)]
pub struct Source {
    /// What the user named: the log's folder, or a segment alone.
    pub path: PathBuf,
    /// The folder that holds the segments.
    pub dir: PathBuf,
    /// Those to be read, in natural order.
    pub segments: Vec<Segment>,
    /// Those of the same log that stand behind them and were left out. A record that begins in the last segment may go on there.
    pub beyond: Vec<Segment>,
    /// Names of the other files in the folder.
    pub others: Vec<String>,
    /// One segment was named, not a log: its neighbours are not looked at.
    pub alone: bool,
    /// How to read segments.
    pub io: Io,
    /// The door.
    pub disk: Arc<dyn Disk>,
    /// Content that is already open: standard input.
    given: Option<Arc<dyn File>>,
}

impl Source {
    /// The segments among the names in a folder: those that `sequence` gives a number, whatever they stand for.
    pub fn folder(disk: Arc<dyn Disk>, dir: &Path, sequence: fn(&str) -> Option<u64>) -> Result<Source> {
        let entries = disk.list(dir)?;
        Ok(Source::of(disk, dir, entries, sequence))
    }

    /// The same, over a listing that was already made.
    #[must_use]
    pub fn of(disk: Arc<dyn Disk>, dir: &Path, entries: Vec<Entry>, sequence: fn(&str) -> Option<u64>) -> Source {
        let mut segments = Vec::new();
        let mut others = Vec::new();
        for entry in entries {
            match sequence(&entry.name) {
                Some(number) => segments.push((number, entry)),
                None => others.push(entry.name),
            }
        }
        segments.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
        others.sort();
        let count = segments.len();
        let segments = segments
            .into_iter()
            .enumerate()
            .map(|(index, (sequence, entry))| Segment {
                id: id(index),
                path: dir.join(&entry.name),
                name: entry.name,
                sequence,
                length: entry.length,
                followed: index + 1 < count,
                kind: entry.kind,
            })
            .collect();
        Source {
            path: dir.to_owned(),
            dir: dir.to_owned(),
            segments,
            beyond: Vec::new(),
            others,
            alone: false,
            io: Io::Auto,
            disk,
            given: None,
        }
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

    /// The same log as its folder lists it now: segments come and go under a running writer.
    pub fn listed_again(&self, sequence: fn(&str) -> Option<u64>) -> Result<Source> {
        if self.alone {
            return Ok(self.clone());
        }
        let again = Source::folder(self.disk.clone(), &self.dir, sequence)?;
        Ok(Source { path: self.path.clone(), ..again }.with_io(self.io))
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

    /// A process that writes to the log: the one that holds our lock or, for a log of another system, has a file of it open.
    #[must_use]
    pub fn writer(&self, lock: Option<&str>) -> Option<u32> {
        match lock {
            Some(name) => self.disk.locked_by(&self.dir.join(name)),
            None if self.given.is_some() => None,
            None => self.disk.users_of(&self.dir).first().map(|user| user.pid),
        }
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
    fn segments_come_in_the_order_of_their_numbers_and_strangers_stay_apart() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["10.seg", "9.seg", "LOCK", "x.seg"] {
            std::fs::write(dir.path().join(name), name).expect("room for a few bytes");
        }
        std::fs::create_dir(dir.path().join("11.seg")).expect("a folder can be made");
        let source = Source::folder(Arc::new(RealDisk), dir.path(), |n| n.strip_suffix(".seg")?.parse().ok()).expect("it lists");
        let names: Vec<&str> = source.segments.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["9.seg", "10.seg", "11.seg"]);
        assert_eq!(source.segments.iter().map(|s| s.followed).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(source.segments[2].kind, EntryKind::Folder);
        assert_eq!(source.others, ["LOCK", "x.seg"]);
    }

    #[test]
    fn segments_that_are_left_out_behind_are_still_known() {
        let entry = |name: &str| Entry { name: name.into(), length: 0, kind: EntryKind::File };
        let entries = ["1", "2", "3", "4"].map(entry).to_vec();
        let source = Source::of(Arc::new(RealDisk), Path::new("wal"), entries, |name| name.parse().ok());
        let narrowed = source.narrow(0..3).narrow(1..2);
        let named = |segments: &[Segment]| segments.iter().map(|s| (s.id.0, s.sequence)).collect::<Vec<_>>();
        assert_eq!((named(&narrowed.segments), named(&narrowed.beyond)), (vec![(0, 2)], vec![(1, 3), (2, 4)]));
    }
}
