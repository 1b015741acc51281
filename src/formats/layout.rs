//! Which files of a folder are the segments of a log, in which order, and which of them are finished.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::Format;
use crate::disk::{Disk, Entry, EntryKind, Open, Segment, Source, read_full};
use crate::model::{Result, SegmentId};

/// A folder, as it is shown to a format.
pub struct Folder<'a> {
    /// What it holds, in no order.
    pub entries: &'a [Entry],
    read: &'a dyn Fn(&str) -> Option<Vec<u8>>,
}

impl std::fmt::Debug for Folder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Folder").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl<'a> Folder<'a> {
    /// A folder whose small files `read` gives.
    #[must_use]
    pub fn new(entries: &'a [Entry], read: &'a dyn Fn(&str) -> Option<Vec<u8>>) -> Folder<'a> {
        Folder { entries, read }
    }

    /// The content of a small file that says how segments follow each other, such as a manifest. `None` when it cannot be had, or is
    /// larger than a mebibyte.
    #[must_use]
    pub fn read(&self, name: &str) -> Option<Vec<u8>> {
        (self.read)(name)
    }
}

/// One log of a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Laid {
    /// What it is called where its folder holds several. The log that people mean by the folder itself has an empty name.
    pub name: String,
    /// Its segments in order. A log with a name and without segments is one in a folder of that name, inside this one.
    pub segments: Vec<Placed>,
}

/// One segment of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The file.
    pub entry: Entry,
    /// Its number: most formats put the first LSN there. It grows from segment to segment.
    pub number: u64,
    /// Later segments exist, so it is no longer written to.
    pub followed: bool,
}

/// The layout of a folder with one log, whose segments stand in the order of the numbers that their names give.
#[must_use]
pub fn numbered(folder: &Folder<'_>, number: impl Fn(&str) -> Option<u64>) -> Vec<Laid> {
    let mut found: Vec<(u64, &Entry)> = folder.entries.iter().filter_map(|entry| Some((number(&entry.name)?, entry))).collect();
    found.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    let count = found.len();
    let place =
        |(index, (number, entry)): (usize, (u64, &Entry))| Placed { entry: entry.clone(), number, followed: index + 1 < count };
    let segments: Vec<Placed> = found.into_iter().enumerate().map(place).collect();
    if segments.is_empty() { Vec::new() } else { vec![Laid { name: String::new(), segments }] }
}

/// How often a folder is looked at in which a manifest names files that are not there, before it is believed.
const LOOKS: u32 = 20;

/// No manifest is larger.
const SMALL: u64 = 1 << 20;

/// The content of a small file of a folder.
fn small_file(disk: &dyn Disk, path: &Path) -> Option<Vec<u8>> {
    let entry = disk.stat(path).ok()??;
    if entry.kind != EntryKind::File || entry.length > SMALL {
        return None;
    }
    let mut bytes = vec![0; usize::try_from(entry.length).ok()?];
    let count = read_full(disk.open(path, Open::READ).ok()?.as_ref(), &mut bytes, 0).ok()?;
    bytes.truncate(count);
    Some(bytes)
}

impl Format {
    /// The logs in a folder that was listed.
    #[must_use]
    pub fn lay_out(&self, disk: &dyn Disk, dir: &Path, entries: &[Entry]) -> Vec<Laid> {
        let lay_out = |entries: &[Entry]| (self.layout)(&Folder::new(entries, &|name| small_file(disk, &dir.join(name))));
        let mut laid = lay_out(entries);
        let mut seen = entries.to_vec();
        for _ in 0..LOOKS {
            let absent = |laid: &[Laid]| {
                let placed = laid.iter().flat_map(|log| &log.segments);
                placed.filter(|placed| placed.entry.kind == EntryKind::Absent).map(|placed| placed.entry.name.clone()).collect()
            };
            let missing: Vec<String> = absent(&laid);
            if missing.is_empty() {
                break;
            }
            // A manifest that was read after the folder may name files that came meanwhile, or was replaced before they went: a file is
            // missing when it is not there although the manifest that is read afterwards is the same.
            let found = missing.iter().filter_map(|name| disk.stat(&dir.join(name)).ok()?);
            seen.extend(found.collect::<Vec<Entry>>());
            let again = lay_out(&seen);
            if again == laid {
                break;
            }
            laid = again;
        }
        laid
    }

    /// The number that a file of this name has as a segment, as far as the name alone tells.
    #[must_use]
    pub fn number_of(&self, name: &str) -> Option<u64> {
        let entries = [Entry { name: name.to_owned(), length: 0, kind: EntryKind::File }];
        (self.layout)(&Folder::new(&entries, &|_| None)).first()?.segments.first().map(|placed| placed.number)
    }

    /// The log in a folder that people mean by the folder itself; one without segments when there is none.
    pub fn log_in(&self, disk: Arc<dyn Disk>, dir: &Path) -> Result<Source> {
        let entries = disk.list(dir)?;
        let laid = self.lay_out(disk.as_ref(), dir, &entries).into_iter().find(|laid| laid.name.is_empty());
        Ok(laid.unwrap_or(Laid { name: String::new(), segments: Vec::new() }).source(disk, dir, &entries))
    }

    /// A log as its folder lists it now: segments come and go under a running writer.
    pub fn listed_again(&self, source: &Source) -> Result<Source> {
        if source.alone {
            return Ok(source.clone());
        }
        let entries = source.disk.list(&source.dir)?;
        let laid = self.lay_out(source.disk.as_ref(), &source.dir, &entries).into_iter().find(|laid| laid.name == source.log);
        let laid = laid.unwrap_or_else(|| Laid { name: source.log.clone(), segments: Vec::new() });
        let mut again = laid.source(source.disk.clone(), &source.dir, &entries).with_io(source.io);
        again.path.clone_from(&source.path);
        Ok(again)
    }
}

impl Laid {
    /// Whether it only says that a folder inside this one holds a log.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        self.segments.is_empty() && !self.name.is_empty()
    }

    /// The log, to be read.
    #[must_use]
    pub fn source(self, disk: Arc<dyn Disk>, dir: &Path, entries: &[Entry]) -> Source {
        let own: HashSet<&str> = self.segments.iter().map(|placed| placed.entry.name.as_str()).collect();
        let mut others: Vec<String> =
            entries.iter().filter(|entry| !own.contains(entry.name.as_str())).map(|entry| entry.name.clone()).collect();
        others.sort();
        let segment = |(id, placed): (u32, Placed)| Segment {
            id: SegmentId(id),
            path: dir.join(&placed.entry.name),
            name: placed.entry.name,
            sequence: placed.number,
            length: placed.entry.length,
            followed: placed.followed,
            kind: placed.entry.kind,
        };
        Source::of(disk, dir, &self.name, (0..).zip(self.segments).map(segment).collect(), others)
    }
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
        let entries = RealDisk.list(dir.path()).expect("it lists");
        let mut laid = numbered(&Folder::new(&entries, &|_| None), |name| name.strip_suffix(".seg")?.parse().ok());
        let source = laid.pop().expect("there is one log").source(Arc::new(RealDisk), dir.path(), &entries);
        let names: Vec<&str> = source.segments.iter().map(|s| s.name.as_str()).collect();
        assert_eq!(names, ["9.seg", "10.seg", "11.seg"]);
        assert_eq!(source.segments.iter().map(|s| s.followed).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(source.segments[2].kind, EntryKind::Folder);
        assert_eq!(source.others, ["LOCK", "x.seg"]);
    }

    #[test]
    fn a_manifest_is_read_through_the_door_unless_it_is_large_or_no_file() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("small"), "one two").expect("room for a few bytes");
        std::fs::File::create(dir.path().join("large")).and_then(|file| file.set_len(SMALL + 1)).expect("a hole takes no room");
        let read = |name: &str| small_file(&RealDisk, &dir.path().join(name));
        assert_eq!(read("small").as_deref(), Some(&b"one two"[..]));
        assert_eq!((read("large"), read("."), read("absent")), (None, None, None));
    }
}
