//! What the medium holds, beside what the page cache says: after a sync that failed, the two can differ.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::disk::{Cursor, Disk, EntryKind, File, Open, Segment, crc32};
use crate::formats::{Item, Want};
use crate::model::{Error, Lsn, Result, SegmentId, Span};
use crate::ops::open::{Input, steady};
use crate::ops::report::Progress;
use crate::ops::walk;

/// How a log looks past the page cache.
#[derive(Clone, Debug, Default)]
pub struct MediaView {
    /// Reads went past the page cache. Otherwise the cache was asked to drop what is clean, and read again: that is as good where the
    /// filesystem obeys, and shows nothing where it does not.
    pub direct: bool,
    /// Where the medium holds something else than the cache, or refuses to give what the cache has.
    pub differing: Vec<Span>,
    /// How many bytes were compared.
    pub compared: u64,
}

const PIECE: u64 = 256 << 10;
const GRAIN: u64 = 4096;
/// A frame can say of no more than 65,534 before it that they are not known durable.
const MOST_OPEN: usize = 65_535;
/// A difference counts when it stands as it was through this many further looks, each after a longer pause: 126 ms in all.
const LOOKS: u32 = 6;

/// Compares the medium with the page cache, segment by segment.
///
/// Two looks are never taken at the same moment, and a writer works between them. So a difference counts only if it lies below what was
/// durable when the first look began, and is still there, unchanged on either side, when both are looked at again.
pub fn compare_media(input: &Input, progress: &Progress) -> Result<MediaView> {
    steady(input, |input| {
        let mut view = MediaView { direct: true, ..MediaView::default() };
        let live = input.source.writer(input.format.lock).is_some();
        for segment in input.source.segments.iter().filter(|s| s.length != u64::MAX && s.kind == EntryKind::File) {
            let below = if live && !segment.followed { durable_end(input, segment)? } else { u64::MAX };
            let mut pair = Pair::open(&input.source.disk, segment, below)?;
            view.direct &= pair.medium.is_direct();
            let mut doubts = pair.compare(&mut view.compared, progress)?;
            for look in 0..LOOKS {
                if doubts.is_empty() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(2 << look));
                pair.look_again(&mut doubts)?;
            }
            doubts.iter().for_each(|doubt| differs(&mut view.differing, segment.id, doubt.start, doubt.end));
        }
        Ok(view)
    })
}

/// Up to where a segment that is being written was certainly durable: as its own frames say. Everything where that cannot be told.
fn durable_end(input: &Input, segment: &Segment) -> Result<u64> {
    let Some(ours) = input.format.ours else { return Ok(u64::MAX) };
    let mut durable = ours.segment_header;
    // LSN and end of the frames that are not known durable yet.
    let mut open: VecDeque<(Lsn, u64)> = VecDeque::new();
    let mut take = |item: Item<'_>| {
        let Item::Record(record) = item else { return Ok(()) };
        let Some(lsn) = record.lsn else { return Ok(()) };
        let below = record.unsynced.map_or(Lsn(0), |n| Lsn(lsn.0.saturating_sub(u64::from(n))));
        while let Some((_, end)) = open.front().filter(|(lsn, _)| *lsn < below) {
            durable = *end;
            open.pop_front();
        }
        if open.len() > MOST_OPEN {
            open.pop_front();
        }
        open.push_back((lsn, record.span.end()));
        Ok(())
    };
    let want = Want { frames: true, live: true, ..Want::default() };
    walk::one(input, segment, want, &mut take)?;
    Ok(durable)
}

/// A segment, looked at through the cache and past it.
struct Pair {
    file: Arc<dyn File>,
    cached: Cursor,
    medium: Cursor,
    /// Nothing from here on is compared.
    below: u64,
}

/// A range in which the two looks differed, and the sum of what each gave.
struct DifferingRange {
    start: u64,
    end: u64,
    cached: u32,
    medium: u32,
}

impl Pair {
    fn open(disk: &Arc<dyn Disk>, segment: &Segment, below: u64) -> Result<Pair> {
        let file: Arc<dyn File> = disk.open(&segment.path, Open::READ)?.into();
        let length = file.length()?;
        let medium = Cursor::direct(disk, &segment.path, file.clone(), length)?;
        Ok(Pair { cached: Cursor::new(file.clone(), length), medium, file, below: below.min(length) })
    }

    /// The first look at everything.
    fn compare(&mut self, compared: &mut u64, progress: &Progress) -> Result<Vec<DifferingRange>> {
        let mut doubts = Vec::new();
        let mut at = 0;
        while at < self.below {
            let want = usize::try_from(PIECE.min(self.below - at)).expect("a piece");
            // The cache first: reading the medium must not put its bytes where the cache's were looked for.
            let from_cache = self.cached.bytes(at, want).to_vec();
            self.forget(at, PIECE)?;
            let from_medium = self.medium.bytes(at, want);
            for (index, piece) in from_cache.chunks(GRAIN as usize).enumerate() {
                let start = index * GRAIN as usize;
                let other = from_medium.get(start..).unwrap_or_default();
                let other = &other[..other.len().min(piece.len())];
                if other != piece {
                    let from = at + start as u64;
                    let end = from + piece.len() as u64;
                    doubts.push(DifferingRange { start: from, end, cached: sum(piece), medium: sum(other) });
                }
            }
            // What the cache could not give, the walk reports; here the place only must be passed.
            let passed = if from_cache.is_empty() { GRAIN } else { from_cache.len() as u64 };
            at += passed;
            *compared += from_cache.len() as u64;
            progress.done.fetch_add(passed, Ordering::Relaxed);
            if progress.stop.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
        }
        Ok(doubts)
    }

    /// Looks again, and keeps only what differs as it did before: where either side has moved, a process was writing.
    fn look_again(&mut self, doubts: &mut Vec<DifferingRange>) -> Result<()> {
        let give = |cursor: &mut Cursor, doubt: &DifferingRange| {
            let want = usize::try_from(doubt.end - doubt.start).expect("at most a grain");
            sum(cursor.bytes(doubt.start, want))
        };
        self.cached.refresh()?;
        doubts.retain(|doubt| give(&mut self.cached, doubt) == doubt.cached);
        if let (Some(first), Some(last)) = (doubts.first(), doubts.last()) {
            self.forget(first.start, last.end - first.start)?;
            self.medium.refresh()?;
        }
        doubts.retain(|doubt| give(&mut self.medium, doubt) == doubt.medium);
        Ok(())
    }

    /// Where the medium can only be read through the cache, the cache must let go first.
    fn forget(&mut self, offset: u64, length: u64) -> Result<()> {
        if !self.medium.is_direct() {
            self.file.forget(offset, length);
            self.medium.refresh()?;
        }
        Ok(())
    }
}

/// A sum of bytes that tells also how many they are.
fn sum(bytes: &[u8]) -> u32 {
    crc32(u32::try_from(bytes.len()).unwrap_or(u32::MAX), bytes)
}

fn differs(spans: &mut Vec<Span>, segment: SegmentId, start: u64, end: u64) {
    match spans.last_mut() {
        Some(last) if last.place.segment == segment && last.end() == start => last.length += end - start,
        _ => spans.push(Span::new(segment, start, end)),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::disk::{Entry, RealDisk, SimDisk, write_full};
    use crate::ops::open::{Choice, open};

    #[test]
    fn neighbouring_differences_are_one_range() {
        let mut spans = Vec::new();
        for start in [0, 4096, 16_384] {
            differs(&mut spans, SegmentId(0), start, start + 4096);
        }
        differs(&mut spans, SegmentId(1), 20_480, 24_576);
        assert_eq!(
            spans.iter().map(|s| (s.start(), s.end())).collect::<Vec<_>>(),
            [(0, 8192), (16_384, 20_480), (20_480, 24_576)]
        );
    }

    /// A disk of which some files hold something else below the cache, and which may not be able to read past it.
    #[derive(Debug)]
    struct TwoFaced {
        cache: SimDisk,
        medium: SimDisk,
        direct: bool,
    }

    impl Disk for TwoFaced {
        fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
            self.cache.list(dir)
        }
        fn stat(&self, path: &Path) -> Result<Option<Entry>> {
            self.cache.stat(path)
        }
        fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
            match (how.direct, self.direct) {
                (true, false) => Err(Error::io("open", path)(crate::disk::Errno::INVAL.into())),
                (true, true) => self.medium.open(path, Open { direct: false, ..how }),
                (false, _) => self.cache.open(path, how),
            }
        }
        fn create_dir(&self, dir: &Path) -> Result<()> {
            self.cache.create_dir(dir)
        }
        fn rename(&self, from: &Path, to: &Path) -> Result<()> {
            self.cache.rename(from, to)
        }
        fn remove(&self, path: &Path) -> Result<()> {
            self.cache.remove(path)
        }
        fn remove_dir(&self, dir: &Path) -> Result<()> {
            self.cache.remove_dir(dir)
        }
        fn sync_dir(&self, dir: &Path) -> Result<()> {
            self.cache.sync_dir(dir)
        }
        fn lock(&self, path: &Path) -> Result<Option<Box<dyn File>>> {
            self.cache.lock(path)
        }
        fn open_dir(&self, dir: &Path) -> Result<Box<dyn File>> {
            self.cache.open_dir(dir)
        }
    }

    #[test]
    fn what_the_medium_holds_otherwise_is_told_by_place_and_length_and_by_how_it_was_read() {
        let dir = Path::new("/log");
        let disk = |flips: &[(usize, usize)]| {
            let disk = SimDisk::new();
            disk.create_dir(dir).expect("room");
            for (index, name) in ["00000000000000000001.wal", "00000000000000000009.wal"].iter().enumerate() {
                let mut bytes = vec![7; 600_001];
                flips.iter().filter(|(file, _)| *file == index).for_each(|(_, at)| bytes[*at] = 8);
                write_full(disk.open(&dir.join(name), Open::CREATE).expect("it is new").as_ref(), &bytes, 0).expect("room");
            }
            disk
        };
        let flips = [(0, 5000), (0, 9000), (1, 4095), (1, 300_000), (1, 600_000)];
        for direct in [true, false] {
            let shared: Arc<dyn Disk> = Arc::new(TwoFaced { cache: disk(&[]), medium: disk(&flips), direct });
            let choice = Choice { format: Some(crate::formats::ours()), ..Choice::default() };
            let input = open(&shared, dir, &choice).expect("it opens").remove(0);
            let view = compare_media(&input, &Progress::default()).expect("it reads");
            assert_eq!((view.direct, view.compared), (direct, 1_200_002));
            let found: Vec<_> = view.differing.iter().map(|s| (s.place.segment.index(), s.start(), s.length)).collect();
            // 300,000 lies in the second piece that is read, and the last block has one byte in it.
            let all = [(0, 4096, 8192), (1, 0, 4096), (1, 299_008, 4096), (1, 598_016, 1985)];
            assert_eq!(found, if direct { &all[..] } else { &[] });
        }
    }

    #[test]
    fn a_healthy_file_reads_the_same_past_the_cache() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("00000000000000000001.wal"), vec![7; 300_001]).expect("room");
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let choice = Choice { format: Some(crate::formats::ours()), ..Choice::default() };
        let input = open(&disk, dir.path(), &choice).expect("it opens").remove(0);
        let view = compare_media(&input, &Progress::default()).expect("it reads");
        assert_eq!((view.differing.len(), view.compared), (0, 300_001));
    }
}
