//! What the medium holds, beside what the page cache says: after a sync that failed, the two can differ.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::disk::{Cursor, Disk, File, Open, Segment};
use crate::model::{Error, Result, SegmentId, Span};
use crate::ops::{Input, Progress};

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

/// Compares the medium with the page cache, segment by segment.
pub fn compare_media(input: &Input, progress: &Progress) -> Result<MediaView> {
    let mut view = MediaView { direct: true, ..MediaView::default() };
    for segment in input.source.segments.iter().filter(|s| s.length != u64::MAX) {
        compare_segment(&input.source.disk, segment, &mut view, progress)?;
    }
    Ok(view)
}

fn compare_segment(disk: &Arc<dyn Disk>, segment: &Segment, view: &mut MediaView, progress: &Progress) -> Result<()> {
    let file: Arc<dyn File> = disk.open(&segment.path, Open::READ)?.into();
    let length = file.length()?;
    let mut cached = Cursor::new(file.clone(), length);
    let mut medium = Cursor::direct(disk, &segment.path, file.clone(), length)?;
    let direct = medium.is_direct();
    view.direct &= direct;
    let mut at = 0;
    while at < length {
        let want = usize::try_from(PIECE.min(length - at)).expect("a piece");
        // The cache first: reading the medium must not put its bytes where the cache's were looked for.
        let from_cache = cached.bytes(at, want).to_vec();
        if !direct {
            file.forget(at, PIECE);
            medium.refresh()?;
        }
        let from_medium = medium.bytes(at, want);
        for (index, piece) in from_cache.chunks(GRAIN as usize).enumerate() {
            let start = index * GRAIN as usize;
            if from_medium.get(start..start + piece.len()) != Some(piece) {
                let from = at + start as u64;
                differs(&mut view.differing, segment.id, from, from + piece.len() as u64);
            }
        }
        // What the cache could not give, the walk reports; here the place only must be passed.
        let passed = if from_cache.is_empty() { GRAIN } else { from_cache.len() as u64 };
        at += passed;
        view.compared += from_cache.len() as u64;
        progress.done.fetch_add(passed, Ordering::Relaxed);
        if progress.stop.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
    }
    Ok(())
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
    use crate::ops::{Choice, open};

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
        fn look(&self, path: &Path) -> Result<Option<Entry>> {
            self.cache.look(path)
        }
        fn open(&self, path: &Path, how: Open) -> Result<Box<dyn File>> {
            match (how.direct, self.direct) {
                (true, false) => Err(Error::io("open", path)(std::io::Error::from_raw_os_error(libc::EINVAL))),
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
            let choice = Choice { format: Some(&crate::formats::native::FORMAT), ..Choice::default() };
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
        let choice = Choice { format: Some(&crate::formats::native::FORMAT), ..Choice::default() };
        let input = open(&disk, dir.path(), &choice).expect("it opens").remove(0);
        let view = compare_media(&input, &Progress::default()).expect("it reads");
        assert_eq!((view.differing.len(), view.compared), (0, 300_001));
    }
}
