//! Reading a segment: bytes at an offset, through a mapping or through a window.
//!
//! Running out is not an error: a reader gets fewer bytes than it asked for, at the end of the file or in front of a range that the
//! system refuses to give, and asks which of the two it was. Only the second is damage.

mod ahead;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use self::ahead::FileAhead;
use super::{Disk, Errno, File, Mapping, Open, errno_of};
use crate::model::{Error, Result};

/// How to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Io {
    /// Finished segments through a mapping, the others with system calls.
    #[default]
    Auto,
    /// Everything through a mapping where one can be had.
    Map,
    /// System calls only.
    Read,
    /// System calls past the page cache: what is on the medium.
    Media,
}

/// How much is read at a time; measured as fast as any larger piece, and it stays in the processor's cache.
const WINDOW: usize = 256 << 10;
/// So much is read first by a short look: a header, most of the time.
const FIRST_WINDOW: usize = 8 << 10;
/// So much is read where reading jumps: what a follower finds at the end of a log, and enough behind it for a second look. Each piece that
/// follows the last one is twice as long.
const JUMP_WINDOW: usize = 32 << 10;
/// The same past the page cache, where the system reads nothing ahead: a disk gave 1.6 GB/s in such pieces and 1.0 in the smaller ones.
const DIRECT_WINDOW: usize = 1 << 20;
/// Room for frames up to a few megabytes is kept: giants and dwarfs may alternate.
const ROOM_KEPT: usize = 8 << 20;
/// The grain in which a refused range is narrowed down, and to which direct reads are aligned.
const GRAIN: u64 = 4096;
/// The largest piece that a window hands out; larger ranges are read in several.
pub const LARGEST_PIECE: usize = 65 << 20;

/// A reader over one segment, at the length that it had when it was opened.
#[derive(Debug)]
pub struct Cursor {
    file: Arc<dyn File>,
    length: u64,
    mapping: Option<Mapping>,
    /// The mapped bytes may be written to meanwhile.
    unsure: bool,
    window: ReadWindow,
    /// Ranges that the system refused, in order and apart.
    refused: Vec<(u64, u64)>,
    /// Reads go past the page cache.
    direct: bool,
    /// See [`Cursor::sparing`].
    sparing: bool,
}

#[derive(Debug, Default)]
struct ReadWindow {
    /// With room to start at an aligned address.
    room: Vec<u8>,
    skip: usize,
    start: u64,
    filled: usize,
    /// Where the piece that was read last ended, and how long it may have been.
    last: (u64, usize),
}

impl Cursor {
    /// Over the first `length` bytes of a file; `u64::MAX` where only reading tells how long it is.
    #[must_use]
    pub fn new(file: Arc<dyn File>, length: u64) -> Cursor {
        Cursor {
            file,
            length,
            mapping: None,
            unsure: false,
            window: ReadWindow::default(),
            refused: Vec::new(),
            direct: false,
            sparing: false,
        }
    }

    /// Past the page cache. Where the filesystem refuses that, the cache is asked to forget nothing and is read instead;
    /// [`Cursor::is_direct`] tells.
    pub fn direct(disk: &Arc<dyn Disk>, path: &Path, file: Arc<dyn File>, length: u64) -> Result<Cursor> {
        match disk.open(path, Open { direct: true, ..Open::READ }) {
            Ok(direct) => Ok(Cursor { direct: true, ..Cursor::new(direct.into(), length) }),
            Err(error) if errno_of(&error) == Some(Errno::INVAL) => Ok(Cursor::new(file, length)),
            Err(error) => Err(error),
        }
    }

    /// The same for a short look: little is read first and where reading jumps, and ever more where it goes on.
    #[must_use]
    pub fn sparing(self) -> Cursor {
        self.file.read_here_and_there();
        Cursor { sparing: true, ..self }
    }

    /// The same, read from one end to the other: past the page cache a thread reads ahead.
    #[must_use]
    pub fn ahead(mut self) -> Cursor {
        if self.direct
            && self.length > 4 * DIRECT_WINDOW as u64
            && let Some(ahead) = FileAhead::of(&self.file)
        {
            self.file = Arc::new(ahead);
        }
        self
    }

    /// Whether reads go past the page cache.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// The file below.
    #[must_use]
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// How long the segment was when reading began; of a pipe, `u64::MAX` until its end was met.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Looks again how long the file is, and forgets what was read: it may have been written since.
    pub fn refresh(&mut self) -> Result<()> {
        self.length = self.file.length()?;
        self.window.filled = 0;
        Ok(())
    }

    /// Reads another file from now on, which stands for the same segment.
    pub fn replace(&mut self, file: Arc<dyn File>, length: u64) {
        (self.file, self.length, self.mapping) = (file, length, None);
        self.window.filled = 0;
    }

    /// Whether others can reach the file, and so write to it. Bytes in memory stay as they are.
    #[must_use]
    pub fn may_be_written(&self) -> bool {
        self.file.identity().is_some()
    }

    /// Reads with system calls from now on.
    pub fn unmap(&mut self) {
        self.mapping = None;
        self.window.filled = 0;
    }

    /// Waits a little, looks again, and says whether anything from `offset` on has changed since: the length of the file, or the
    /// bytes there. For tails that may be written to at this moment.
    pub fn look_again(&mut self, offset: u64, wait: Duration) -> Result<bool> {
        let (length, before) = (self.length, self.bytes(offset, WINDOW).to_vec());
        std::thread::sleep(wait);
        self.refresh()?;
        Ok(length != self.length || self.bytes(offset, WINDOW) != before)
    }

    /// Reads through a mapping from now on, if one can be had. Unless the segment is `finished`, so that nothing writes to it any more,
    /// the mapping is only good for bytes that prove themselves.
    pub fn map(&mut self, finished: bool) {
        if self.mapping.is_none() && !self.direct {
            self.mapping = self.file.map(self.length);
        }
        self.unsure = !finished;
    }

    /// Whether bytes come from a mapping.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        self.mapping.is_some()
    }

    /// Whether some of the mapping could not be read, and looks like zeros.
    #[must_use]
    pub fn is_faulty(&self) -> bool {
        self.mapping.as_ref().is_some_and(|m| m.faults() > 0)
    }

    /// To be asked where bytes look bad: drops the mapping if some of it could not be read and looked like zeros, or if it may have
    /// changed while it was read. True if so: whatever was just read from it must be read again, now with system calls, which answer
    /// in words and give all of a place at one moment.
    pub fn unmap_if_faulty(&mut self) -> bool {
        if self.is_faulty() || (self.unsure && self.is_mapped()) {
            self.mapping = None;
            self.window.filled = 0;
            // It may be shorter now; that is the usual reason. Failing to tell is left to the reads that follow.
            if let Ok(now) = self.file.length() {
                self.length = self.length.min(now);
            }
            return true;
        }
        false
    }

    /// The bytes from `offset` on: `want` of them, or fewer where the file ends or the system refuses to go on.
    ///
    /// `want` may come from the file itself. No more is allocated than the file can hold, nor than [`LARGEST_PIECE`].
    #[inline]
    pub fn bytes(&mut self, offset: u64, want: usize) -> &[u8] {
        if self.mapping.is_some() {
            let all = self.mapping.as_ref().map_or(&[][..], Mapping::bytes);
            let from = usize::try_from(offset).unwrap_or(usize::MAX).min(all.len());
            return &all[from..from.saturating_add(want).min(all.len())];
        }
        if !self.in_window(offset, want) {
            self.fill(offset, want);
        }
        let window = &self.window;
        let all = &window.room[window.skip.min(window.room.len())..][..window.filled];
        let from = usize::try_from(offset.saturating_sub(window.start)).unwrap_or(usize::MAX).min(all.len());
        &all[from..from.saturating_add(want).min(all.len())]
    }

    /// Whether bytes were read before and [`bytes`](Cursor::bytes) gives them as they were then, up to the end of the file. What is
    /// mapped is read anew each time.
    #[must_use]
    pub fn holds(&self, offset: u64, want: usize) -> bool {
        self.mapping.is_none() && self.in_window(offset, want)
    }

    /// A window that reaches the end of the file holds all there is.
    #[inline]
    fn in_window(&self, offset: u64, want: usize) -> bool {
        let end = self.window.start + self.window.filled as u64;
        self.window.start <= offset && offset.saturating_add(want as u64).min(self.length) <= end
    }

    /// The `N` bytes at `offset`, if they are all there.
    #[inline]
    pub fn array<const N: usize>(&mut self, offset: u64) -> Option<[u8; N]> {
        self.bytes(offset, N).try_into().ok()
    }

    /// The sum of a range in pieces, continued from `seed` by `sum`; `None` when the range is not all there.
    pub fn fold<T>(&mut self, offset: u64, length: u64, seed: T, mut sum: impl FnMut(T, &[u8]) -> T) -> Option<T> {
        let (mut at, end, mut value) = (offset, offset.checked_add(length)?, seed);
        while at < end {
            let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(WINDOW);
            let piece = self.bytes(at, want);
            if piece.len() < want {
                return None;
            }
            value = sum(value, piece);
            at += want as u64;
        }
        Some(value)
    }

    /// If the system refuses to give the byte at `offset`: where the refused range ends.
    #[must_use]
    pub fn refused_at(&self, offset: u64) -> Option<u64> {
        self.refused.iter().find(|(start, end)| (*start..*end).contains(&offset)).map(|(_, end)| *end)
    }

    /// The first range at or after `offset` that the system refused, as far as reading has gone.
    #[must_use]
    pub fn next_refused(&self, offset: u64) -> Option<(u64, u64)> {
        self.refused.iter().copied().find(|(_, end)| *end > offset)
    }

    /// Where the zeros that begin at `offset` end: the first other byte, the end of the file, or a refused range.
    pub fn zeros_end(&mut self, offset: u64) -> u64 {
        let mut at = offset;
        loop {
            // A hole of a sparse file is zeros that need not be read.
            if self.mapping.is_none() && !self.direct && self.length != u64::MAX && at.is_multiple_of(GRAIN) {
                match self.file.data_from(at) {
                    None => return self.length.max(at),
                    Some(data) if data >= self.length => return self.length.max(at),
                    Some(data) => at = at.max(data),
                }
            }
            let want = usize::try_from(GRAIN - at % GRAIN).expect("at most 4096") + WINDOW - GRAIN as usize;
            let piece = self.bytes(at, want);
            let (count, given) = (zero_prefix(piece), piece.len());
            at += count as u64;
            if count < given || given == 0 {
                return at;
            }
        }
    }

    /// How much is read at `start`.
    fn next_window(&self, start: u64) -> usize {
        let (end, last) = self.window.last;
        match (self.direct, self.sparing && !self.file.is_dear()) {
            (true, _) => DIRECT_WINDOW,
            (false, false) => WINDOW,
            // A piece begins in the grain in which the last one ended, or right behind it.
            (false, true) if last > 0 && start.abs_diff(end) <= GRAIN => (last * 2).min(WINDOW),
            (false, true) if start == 0 => FIRST_WINDOW,
            (false, true) => JUMP_WINDOW,
        }
    }

    /// Fills the window so that it begins at or before `offset` and holds `want` bytes from there, if they can be had.
    #[cold]
    fn fill(&mut self, offset: u64, want: usize) {
        let start = offset - offset % GRAIN;
        let lead = usize::try_from(offset - start).expect("less than a grain");
        let left = usize::try_from(self.length.saturating_sub(start)).unwrap_or(usize::MAX);
        let window = self.next_window(start);
        let size = lead.saturating_add(want).clamp(window, LARGEST_PIECE).min(left);
        let size = if self.direct { size.next_multiple_of(GRAIN as usize) } else { size };
        let need = size + GRAIN as usize;
        // A giant's room is given back when ordinary frames follow.
        if self.window.room.len() < need || self.window.room.len() > need.max(ROOM_KEPT) {
            // Zeroed by the system: pages of a claim that no bytes come for are never touched.
            self.window.room = vec![0; need];
        }
        self.window.skip = self.window.room.as_ptr().align_offset(GRAIN as usize).min(GRAIN as usize);
        self.window.start = start;
        self.window.filled = 0;
        let enough = if self.file.is_dear() { lead.saturating_add(want).min(size) } else { size };
        while self.window.filled < enough {
            let at = start + self.window.filled as u64;
            if self.refused_at(at).is_some() {
                return;
            }
            // Past the cache a read ends inside a grain where the file ends. It may grow at this moment, and a read that begins inside
            // a grain is refused, which is no damage: so that grain is read again.
            let again = if self.direct { self.window.filled % GRAIN as usize } else { 0 };
            let from = self.window.skip + self.window.filled - again;
            let until = self.next_refused(at).map_or(size, |(from, _)| usize::try_from(from - start).unwrap_or(size).min(size));
            let into = &mut self.window.room[from..self.window.skip + until];
            match self.file.read_at(into, at - again as u64) {
                Ok(count) if count <= again => {
                    self.end_met(at);
                    break;
                }
                Ok(count) => self.window.filled += count - again,
                Err(_) => self.narrow(at, until),
            }
        }
        // Judge the file as it stood when reading began.
        let within = usize::try_from(self.length.saturating_sub(start)).unwrap_or(usize::MAX);
        self.window.filled = self.window.filled.min(within);
        self.window.last = (start + self.window.filled as u64, size.clamp(FIRST_WINDOW, WINDOW));
    }

    /// Nothing stands at `at`: the file ends there or before. A claim may have led far past the end of a pipe, which knows by now
    /// how long it is.
    fn end_met(&mut self, at: u64) {
        let now = self.file.length().unwrap_or(u64::MAX);
        self.length = self.length.min(at).min(now);
    }

    /// Reads on grain by grain after a refusal, up to the grain that is refused.
    fn narrow(&mut self, at: u64, until: usize) {
        let mut at = at;
        let end = self.window.start + until as u64;
        while at < end {
            let grain_end = (at - at % GRAIN + GRAIN).min(end);
            let from = self.window.skip + self.window.filled;
            let into = &mut self.window.room[from..from + usize::try_from(grain_end - at).expect("at most a grain")];
            match self.file.read_at(into, at) {
                Ok(0) => {
                    self.end_met(at);
                    return;
                }
                Ok(count) => {
                    self.window.filled += count;
                    at += count as u64;
                }
                Err(_) => {
                    self.refuse(at, grain_end);
                    return;
                }
            }
        }
    }

    fn refuse(&mut self, start: u64, end: u64) {
        match self.refused.iter_mut().find(|(_, e)| *e == start) {
            Some(range) => range.1 = end,
            None => self.refused.push((start, end)),
        }
        self.refused.sort_unstable();
    }
}

/// How many zero bytes `bytes` begins with.
#[must_use]
pub fn zero_prefix(bytes: &[u8]) -> usize {
    let mut count = 0;
    for block in bytes.chunks(64) {
        if block.iter().fold(0, |all, b| all | b) != 0 {
            return count + block.iter().take_while(|b| **b == 0).count();
        }
        count += block.len();
    }
    count
}

/// Hands out a range of a file piece by piece, with a buffer of its own.
pub fn pieces(file: &dyn File, offset: u64, length: u64, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut room = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(WINDOW)];
    let (mut at, end) = (offset, offset.saturating_add(length));
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(usize::MAX).min(room.len());
        let got = file.read_at(&mut room[..want], at)?;
        if got == 0 {
            let path = Path::new("a segment");
            return Err(Error::io("read", path)(std::io::ErrorKind::UnexpectedEof.into()));
        }
        take(&room[..got])?;
        at += got as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    use super::*;

    /// A file that can only be read, as a function says.
    struct Scripted<R> {
        length: AtomicU64,
        read: R,
    }

    impl<R> std::fmt::Debug for Scripted<R> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Scripted")
        }
    }

    impl<R: Fn(&AtomicU64, &mut [u8], u64) -> Result<usize> + Send + Sync> File for Scripted<R> {
        fn length(&self) -> Result<u64> {
            Ok(self.length.load(Relaxed))
        }
        fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
            (self.read)(&self.length, into, offset)
        }
        fn write_at(&self, _: &[u8], _: u64) -> Result<usize> {
            unreachable!("reading never writes")
        }
        fn sync_data(&self) -> Result<()> {
            unreachable!("reading never syncs")
        }
        fn sync_all(&self) -> Result<()> {
            unreachable!("reading never syncs")
        }
        fn set_length(&self, _: u64) -> Result<()> {
            unreachable!("reading never cuts")
        }
        fn reserve(&self, _: u64, _: u64) -> Result<()> {
            unreachable!("reading never reserves")
        }
    }

    /// Counting bytes, of which some ranges are refused, and few are given at a time.
    fn rotten(length: u64, bad: &[(u64, u64)]) -> Arc<dyn File> {
        let bad = bad.to_vec();
        let read = move |_: &AtomicU64, into: &mut [u8], offset: u64| {
            let end = length.min(offset + into.len().min(8192) as u64);
            if bad.iter().any(|(from, to)| offset < *to && *from < end) {
                return Err(Error::io("read", Path::new("x"))(Errno::IO.into()));
            }
            for (at, byte) in (offset..end).zip(into.iter_mut()) {
                *byte = u8::try_from(at % 251).expect("a remainder of 251");
            }
            Ok(usize::try_from(end.saturating_sub(offset)).expect("small"))
        };
        Arc::new(Scripted { length: length.into(), read })
    }

    /// A file that grows with each read, as a writer makes it, and is read past the cache: only whole grains, at whole grains.
    fn growing(length: u64) -> Arc<dyn File> {
        let read = |length: &AtomicU64, into: &mut [u8], offset: u64| {
            let length = length.fetch_add(944, Relaxed);
            if offset >= length {
                return Ok(0);
            }
            if !offset.is_multiple_of(GRAIN) || !into.len().is_multiple_of(GRAIN as usize) {
                return Err(Error::io("read", Path::new("x"))(Errno::INVAL.into()));
            }
            let count = into.len().min(usize::try_from(length - offset).expect("small"));
            into[..count].fill(7);
            Ok(count)
        };
        Arc::new(Scripted { length: length.into(), read })
    }

    fn cursor(length: u64, bad: &[(u64, u64)]) -> Cursor {
        Cursor::new(rotten(length, bad), length)
    }

    #[test]
    fn what_is_refused_is_refused_when_it_is_read_ahead_too() {
        let (length, bad) = (6 << 20, [(1_500_000, 1_500_001), (3 << 20, (3 << 20) + 1), (5_000_000, 5_200_000)]);
        let read = |mut cursor: Cursor| {
            let (mut at, mut bytes) = (0, Vec::new());
            while at < length {
                let given = cursor.bytes(at, 8192).to_vec();
                at += given.len() as u64;
                bytes.extend(given);
                at = cursor.refused_at(at).unwrap_or(at);
            }
            (bytes, cursor.refused)
        };
        let direct = || Cursor { direct: true, ..cursor(length, &bad) };
        let (bytes, refused) = read(direct().ahead());
        assert_eq!(refused.len(), 3);
        assert!((bytes, refused) == read(direct()));
    }

    #[test]
    fn in_a_short_look_little_is_read_where_reading_jumps_and_ever_more_where_it_goes_on() {
        let length = 2 << 20;
        let asked = Arc::new(std::sync::Mutex::new(Vec::new()));
        let seen = asked.clone();
        let read = move |_: &AtomicU64, into: &mut [u8], offset: u64| {
            seen.lock().expect("no panic").push((offset >> 10, into.len() >> 10));
            Ok(into.len().min(usize::try_from(length - offset).expect("small")))
        };
        let mut cursor = Cursor::new(Arc::new(Scripted { length: length.into(), read }), length).sparing();
        let mut at = 0;
        while at < 600 << 10 {
            assert_eq!(cursor.bytes(at, 100).len(), 100);
            at += 100;
        }
        let on = std::mem::take(&mut *asked.lock().expect("no panic"));
        let (places, sizes): (Vec<u64>, Vec<usize>) = on.into_iter().unzip();
        assert_eq!(sizes, [8, 16, 32, 64, 128, 256, 256]);
        assert!(places.windows(2).zip(&sizes).all(|(two, size)| (two[0] + *size as u64).abs_diff(two[1]) <= 4), "{places:?}");
        cursor.bytes(1 << 20, 100);
        cursor.bytes(3 << 19, 128 << 10);
        assert_eq!(*asked.lock().expect("no panic"), [(1024, 32), (1536, 128)], "what is wanted is read at once");
    }

    #[test]
    fn reading_goes_up_to_a_refused_range_and_on_behind_it() {
        let mut cursor = cursor(100_000, &[(20_000, 20_001)]);
        let bytes = cursor.bytes(100, 50_000);
        assert_eq!(bytes.len(), 16_384 - 100);
        assert_eq!(bytes[0], 100);
        assert_eq!(cursor.refused_at(16_384), Some(20_480));
        assert_eq!(cursor.bytes(17_000, 8), b"");
        assert_eq!(cursor.bytes(20_480, 50_000).len(), 50_000);
        assert_eq!(cursor.refused_at(20_480), None);
    }

    #[test]
    fn a_claim_longer_than_the_file_allocates_no_more_than_the_file() {
        let mut cursor = cursor(5000, &[]);
        assert_eq!(cursor.bytes(4000, usize::MAX / 2).len(), 1000);
        assert!(cursor.window.room.len() < 2 * WINDOW);
        assert_eq!(cursor.bytes(6000, 10), b"");
        assert_eq!(cursor.bytes(u64::MAX - 5, 4), b"");
    }

    #[test]
    fn a_file_of_unknown_length_gives_all_it_has() {
        for (offset, want) in [(0, 300_000), (4097, 1 << 20), (100, 5 << 20)] {
            let mut cursor = Cursor::new(rotten(3_000_000, &[]), u64::MAX);
            let expected = want.min(3_000_000 - usize::try_from(offset).expect("small"));
            assert_eq!(cursor.bytes(offset, want).len(), expected, "{offset} {want}");
            let mut cursor = Cursor::new(rotten(3_000_000, &[]), u64::MAX);
            assert_eq!(cursor.fold(offset, 2_000_000, 0, |n, piece| n + piece.len()), Some(2_000_000), "{offset}");
        }
    }

    #[test]
    fn a_medium_that_holds_less_than_the_cache_showed_ends_where_it_ends() {
        use crate::disk::{Fault, SimDisk};
        let sim = SimDisk::new();
        let (disk, path): (Arc<dyn Disk>, _) = (Arc::new(sim.clone()), Path::new("/a"));
        let file: Arc<dyn File> = disk.open(path, Open::CREATE).expect("it is new").into();
        file.write_at(&[7; 600], 0).and_then(|_| file.sync_data()).expect("the disk is well");
        sim.fail_at(sim.operations() + 2, Fault::Errno(Errno::IO));
        file.write_at(&[8; 400], 600).expect("the cache takes it");
        file.sync_data().expect_err("the medium does not get it");
        let mut cursor = Cursor::direct(&disk, path, file.clone(), 1000).expect("it opens");
        assert_eq!((cursor.bytes(0, 1000).len(), cursor.length()), (600, 600));
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_past_the_cache_refuses_nothing() {
        let mut cursor = Cursor { direct: true, ..Cursor::new(growing(15_480), 15_480) };
        let mut at = 0;
        for _ in 0..200 {
            at += cursor.bytes(at, 3000).len() as u64;
            assert_eq!(cursor.next_refused(0), None, "{at}");
            cursor.refresh().expect("it answers");
        }
        assert!(at > 15_480, "{at}");
    }

    #[test]
    fn bad_bytes_of_a_mapping_that_may_have_changed_are_read_again_with_a_call_and_those_of_a_finished_file_are_not() {
        let path = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(path.path(), [0; 8192]).expect("room for 8 KiB");
        for finished in [false, true] {
            let file: Arc<dyn File> = crate::disk::RealDisk.open(path.path(), Open::READ).expect("it is there").into();
            let mut cursor = Cursor::new(file, 8192);
            cursor.map(finished);
            assert!(cursor.is_mapped());
            assert_eq!(cursor.unmap_if_faulty(), !finished);
            assert_eq!((cursor.is_mapped(), cursor.is_faulty()), (finished, false));
            assert!(!cursor.unmap_if_faulty(), "it is asked again only once");
            assert_eq!(cursor.bytes(4096, 8), [0; 8]);
        }
    }

    #[test]
    fn pieces_of_a_range_are_summed_without_holding_it() {
        let mut cursor = cursor(3_000_000, &[]);
        let count = cursor.fold(1, 2_999_999, 0usize, |n, piece| n + piece.len());
        assert_eq!(count, Some(2_999_999));
        assert_eq!(cursor.fold(1, 3_000_000, 0usize, |n, piece| n + piece.len()), None);
        assert!(cursor.window.room.len() < 2 * WINDOW);
    }

    #[test]
    fn zeros_are_counted_to_the_first_other_byte() {
        assert_eq!(zero_prefix(&[0; 200]), 200);
        let mut bytes = [0; 200];
        for at in [0, 63, 64, 199] {
            bytes[at] = 1;
            assert_eq!(zero_prefix(&bytes), at);
            bytes[at] = 0;
        }
    }
}
