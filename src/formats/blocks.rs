//! Frames in blocks of 32 KiB, as LevelDB laid them out first: RocksDB and Pebble share them, and differ in what types mean.

use std::io::{self, Read};
use std::sync::Arc;

use crate::disk::{Cursor, File, WindowSums, crc32c, zero_prefix};
use crate::model::{Error, Result};

/// A file is cut into blocks of this length, counted from its start; a frame never crosses one.
pub const BLOCK: u64 = 32_768;
/// The header of a classic frame.
pub const HEADER: usize = 7;
/// The header of a frame in a recycled log: it bears the log's number.
pub const RECYCLED_HEADER: usize = 11;

/// The header of a frame that says, too, how far the log had been synced when it was written.
pub const SYNC_HEADER: usize = 19;

/// How long a header is, which its type tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Sum, length, type.
    #[default]
    Classic,
    /// The log's number behind them.
    Recycled,
    /// And up to where the log had been synced.
    Sync,
}

impl Form {
    /// How long the header is.
    #[must_use]
    pub const fn header(self) -> usize {
        match self {
            Form::Classic => HEADER,
            Form::Recycled => RECYCLED_HEADER,
            Form::Sync => SYNC_HEADER,
        }
    }
}

/// What a type means to a system, and how long the header is then; `None` for those that it does not write.
pub type Types = fn(u8) -> Option<(Part, Form)>;

/// What a frame is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A record by itself.
    Whole,
    /// The first piece of one.
    First,
    /// A piece between.
    Middle,
    /// The last piece.
    Last,
    /// How what follows is compressed.
    Compression,
    /// How long the timestamps in keys are.
    Timestamps,
    /// Which log came before.
    Predecessor,
    /// A type that readers may pass over.
    Unknown,
}

/// The header of a frame.
///
/// ```text
/// classic    | sum u32 | length u16 | type u8 | payload |
/// recycled   | sum u32 | length u16 | type u8 | log number u32 | payload |
/// sync       | sum u32 | length u16 | type u8 | log number u32 | synced u64 | payload |
/// ```
/// Little-endian. The sum is a masked CRC-32C over all that stands behind the length. The length is not covered, but a wrong one makes the
/// sum wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins.
    pub at: u64,
    /// What it is for.
    pub part: Part,
    /// The type as it is stored.
    pub kind: u8,
    /// How long its header is.
    pub form: Form,
    /// How long its payload is.
    pub length: u16,
    /// The low half of the log's number, where the header has it.
    pub number: Option<u32>,
    /// Everything in front of this offset had been synced when it was written, where the header says so.
    pub synced: Option<u64>,
}

impl Frame {
    /// How long its header is.
    #[must_use]
    pub fn header(&self) -> usize {
        self.form.header()
    }

    /// Where its payload begins.
    #[must_use]
    pub fn payload(&self) -> u64 {
        self.at + self.header() as u64
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.payload() + u64::from(self.length)
    }
}

/// A record whose first frame was seen and whose last one was not.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// Where it begins.
    pub start: u64,
    /// The end of its last frame so far.
    pub end: u64,
    /// How long its payload is so far.
    pub bytes: u64,
    /// How many frames it has so far.
    pub pieces: u64,
    /// The form of its frames.
    pub form: Form,
    /// The low half of the log's number, where frames bear it.
    pub number: Option<u32>,
    /// Up to where its first frame says that the log had been synced.
    pub synced: Option<u64>,
}

impl Pending {
    /// With nothing of it taken in yet.
    #[must_use]
    pub fn begun(frame: &Frame) -> Pending {
        let Frame { at, form, number, synced, .. } = *frame;
        Pending { start: at, end: at, bytes: 0, pieces: 0, form, number, synced }
    }

    /// Takes a frame in.
    pub fn add(&mut self, frame: &Frame) {
        (self.end, self.pieces) = (frame.end(), self.pieces + 1);
        self.bytes += u64::from(frame.length);
    }
}

/// Sums are stored masked, so that a sum over bytes that hold sums is not weak.
#[must_use]
pub fn mask(sum: u32) -> u32 {
    sum.rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// A header at the start of `bytes`, which reach to the end of the block or of the file; `left` is the distance to the end of the block.
/// The sum is not looked at.
#[must_use]
pub fn parse(types: Types, bytes: &[u8], at: u64, left: usize) -> Option<(Frame, u32)> {
    let head: &[u8; HEADER] = bytes.first_chunk()?;
    let (part, form) = types(head[6])?;
    let number = match form {
        Form::Classic => None,
        Form::Recycled | Form::Sync => Some(u32::from_le_bytes(*bytes.get(HEADER..)?.first_chunk()?)),
    };
    let synced = match form {
        Form::Classic | Form::Recycled => None,
        Form::Sync => Some(u64::from_le_bytes(*bytes.get(RECYCLED_HEADER..)?.first_chunk()?)),
    };
    let frame = Frame { at, part, kind: head[6], form, length: u16::from_le_bytes([head[4], head[5]]), number, synced };
    let fits = frame.header() + usize::from(frame.length) <= left;
    fits.then_some((frame, u32::from_le_bytes([head[0], head[1], head[2], head[3]])))
}

/// The whole frame at the start of `bytes`: its sum fits.
#[must_use]
pub fn whole(types: Types, bytes: &[u8], at: u64, left: usize) -> Option<Frame> {
    let (frame, sum) = parse(types, bytes, at, left)?;
    let covered = bytes.get(6..frame.header() + usize::from(frame.length))?;
    (mask(crc32c(0, covered)) == sum).then_some(frame)
}

/// Whether a whole frame that `accept` takes begins in `block`, which is the first of a file, behind its start.
#[must_use]
pub fn later_in_first(types: Types, block: &[u8], accept: impl Fn(&Frame) -> bool) -> bool {
    let mut sums = WindowSums::default();
    sums.take(block);
    (1..block.len().saturating_sub(RECYCLED_HEADER)).any(|at| {
        parse(types, &block[at..], at as u64, BLOCK as usize - at).is_some_and(|(frame, sum)| {
            let end = at + frame.header() + usize::from(frame.length);
            accept(&frame) && sums.range(at + 6, end).is_some_and(|covered| mask(covered) == sum)
        })
    })
}

/// What stands at an offset, whatever frames are due there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// A frame whose sum fits.
    Frame(Frame),
    /// Too little for a header up to the end of the block, which is there.
    Trailer(u64),
    /// The file ends here.
    FileEnds,
    /// Only zeros up to the end of the file.
    Zeros,
    /// A header of zeros, and something behind it.
    ZeroHeader,
    /// Something else.
    Bad,
}

/// How far it is from `at` to the end of its block.
#[must_use]
pub fn left_in_block(at: u64) -> usize {
    usize::try_from(BLOCK - at % BLOCK).expect("at most a block")
}

/// Looks at what stands at `at`. `room` is the longest rest of a block that may be zeros because no header fits in it any more.
pub fn stands(types: Types, cursor: &mut Cursor, at: u64, room: usize) -> Stands {
    let left = left_in_block(at);
    match whole(types, cursor.bytes(at, left), at, left).filter(|_| left >= HEADER) {
        Some(frame) => Stands::Frame(frame),
        None => stands_no_frame(types, cursor, at, room),
    }
}

/// The same where no whole frame stands.
fn stands_no_frame(types: Types, cursor: &mut Cursor, at: u64, room: usize) -> Stands {
    let left = left_in_block(at);
    let bytes = cursor.bytes(at, left);
    if bytes.is_empty() {
        return if cursor.refused_at(at).is_some() { Stands::Bad } else { Stands::FileEnds };
    }
    let (given, zeros) = (bytes.len(), zero_prefix(bytes));
    if left < HEADER {
        // Nothing reads these bytes.
        return match given == left {
            true => Stands::Trailer(at + left as u64),
            false if zeros == given => Stands::Zeros,
            false => Stands::Bad,
        };
    }
    if parse(types, bytes, at, left).is_some() {
        return Stands::Bad;
    }
    if left <= room && zeros == left {
        return Stands::Trailer(at + left as u64);
    }
    if zeros < HEADER.min(given) {
        return Stands::Bad;
    }
    let end = cursor.zeros_end(at);
    if end >= cursor.length() { Stands::Zeros } else { Stands::ZeroHeader }
}

/// A search for the next whole frame, byte by byte: frames have no magic and stand anywhere in their block.
#[derive(Debug)]
pub struct FrameSearch {
    types: Types,
    /// Sums of two blocks: of the one that is searched, and of the one to which a claim leads.
    known: [BlockSums; 2],
}

/// The sums of a block.
#[derive(Debug, Default)]
struct BlockSums {
    sums: WindowSums,
    /// Which block, and how much of it there was.
    of: Option<(u64, usize)>,
}

impl FrameSearch {
    /// For the frames of a system.
    #[must_use]
    pub fn of(types: Types) -> FrameSearch {
        FrameSearch { types, known: Default::default() }
    }

    /// Forgets sums: the bytes may have changed.
    pub fn forget(&mut self) {
        self.known.iter_mut().for_each(|known| known.of = None);
    }

    /// The first frame at or behind `from` whose sum fits and that `accept` takes.
    pub fn find(&mut self, cursor: &mut Cursor, from: u64, accept: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let mut at = from;
        loop {
            let block = at - at % BLOCK;
            let bytes = cursor.bytes(block, BLOCK as usize);
            let given = bytes.len();
            let first = usize::try_from(at - block).expect("less than a block");
            if given <= first {
                // The end, or a range that the system refuses: a frame may stand behind it.
                at = cursor.refused_at(block + given as u64).filter(|end| *end > at)?;
                continue;
            }
            if zero_prefix(&bytes[first..]) == given - first {
                // A hole of a sparse file is passed in one step. A sum or a length may begin with zeros.
                at = cursor.zeros_end(at).saturating_sub(HEADER as u64).max(block + given as u64);
                continue;
            }
            self.take(block, bytes);
            for offset in first..given.saturating_sub(HEADER - 1) {
                if let Some(frame) = self.whole(block, bytes, offset).filter(&accept) {
                    return Some(frame);
                }
            }
            at = block + given as u64;
        }
    }

    /// The whole frame at `at`, if one is there. A claim costs no more than its header.
    pub fn whole_at(&mut self, cursor: &mut Cursor, at: u64) -> Option<Frame> {
        let block = at - at % BLOCK;
        let bytes = cursor.bytes(block, BLOCK as usize);
        self.take(block, bytes);
        self.whole(block, bytes, usize::try_from(at - block).ok()?)
    }

    /// What [`stands`] says, with sums that cost no more than a pass over the block, however many frames begin in it: behind damage claims may
    /// be many.
    pub fn stands(&mut self, cursor: &mut Cursor, at: u64, room: usize) -> Stands {
        match self.whole_at(cursor, at) {
            Some(frame) => Stands::Frame(frame),
            None => stands_no_frame(self.types, cursor, at, room),
        }
    }

    /// The sum that should be stored in a frame, if it is all there.
    pub fn sum_of(&mut self, cursor: &mut Cursor, frame: &Frame) -> Option<u32> {
        let block = frame.at - frame.at % BLOCK;
        let bytes = cursor.bytes(block, BLOCK as usize);
        self.take(block, bytes);
        let within = |at: u64| usize::try_from(at - block).unwrap_or(usize::MAX);
        self.known[0].sums.range(within(frame.at) + 6, within(frame.end())).map(mask)
    }

    /// Whether the sum that is stored at `start` is the one over the bytes from the type on up to `end`, in the same block.
    pub fn fits(&mut self, cursor: &mut Cursor, start: u64, end: u64) -> bool {
        let block = start - start % BLOCK;
        let bytes = cursor.bytes(block, BLOCK as usize);
        self.take(block, bytes);
        let within = |at: u64| usize::try_from(at.saturating_sub(block)).unwrap_or(usize::MAX);
        let Some(stored) = bytes.get(within(start)..).and_then(|rest| rest.first_chunk()) else { return false };
        let covered = self.known[0].sums.range(within(start) + 6, within(end));
        covered.is_some_and(|covered| mask(covered) == u32::from_le_bytes(*stored))
    }

    /// The sums of a block, which are taken once.
    fn take(&mut self, block: u64, bytes: &[u8]) {
        let key = Some((block, bytes.len()));
        if self.known[0].of != key {
            self.known.swap(0, 1);
        }
        if self.known[0].of != key {
            self.known[0].sums.take(bytes);
            self.known[0].of = key;
        }
    }

    fn whole(&self, block: u64, bytes: &[u8], offset: usize) -> Option<Frame> {
        let (frame, sum) = parse(self.types, bytes.get(offset..)?, block + offset as u64, BLOCK as usize - offset)?;
        let end = offset + frame.header() + usize::from(frame.length);
        self.known[0].sums.range(offset + 6, end).is_some_and(|covered| mask(covered) == sum).then_some(frame)
    }
}

/// The payload of a record that is too long to be held, read again from its frames, which were found whole before.
#[derive(Debug)]
pub struct Fragments {
    file: Arc<dyn File>,
    /// How long the header of each frame is.
    header: usize,
    at: u64,
    end: u64,
    /// How much of the current frame's payload is left.
    left: usize,
}

impl Fragments {
    /// Of a record that is complete.
    #[must_use]
    pub fn of(file: Arc<dyn File>, record: &Pending) -> Fragments {
        Fragments { file, header: record.form.header(), at: record.start, end: record.end, left: 0 }
    }

    /// Goes to the payload of the next frame; false behind the last one.
    fn next_frame(&mut self) -> io::Result<bool> {
        let rest = BLOCK - self.at % BLOCK;
        if rest < self.header as u64 {
            self.at += rest;
        }
        if self.at >= self.end {
            return Ok(false);
        }
        let mut head = [0; HEADER];
        crate::disk::read_full(&*self.file, &mut head, self.at).map_err(io::Error::other)?;
        self.left = usize::from(u16::from_le_bytes([head[4], head[5]]));
        self.at += self.header as u64;
        Ok(true)
    }
}

impl Read for Fragments {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.left == 0 {
            if !self.next_frame()? {
                return Ok(0);
            }
        }
        let want = self.left.min(into.len());
        let count = self.file.read_at(&mut into[..want], self.at).map_err(io::Error::other)?;
        if count == 0 && want > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.left, self.at) = (self.left - count, self.at + count as u64);
        Ok(count)
    }
}

/// Hands over what the fragments of a record hold, piece by piece.
pub fn hand_over(mut fragments: Fragments, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let start = fragments.at;
    let mut room = vec![0; 64 << 10];
    loop {
        match fragments.read(&mut room) {
            Ok(0) => return Ok(()),
            Ok(count) => take(&room[..count])?,
            Err(error) => return Err(Error::Input { what: format!("a record at {start} cannot be read again: {error}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classic(kind: u8) -> Option<(Part, Form)> {
        let form = if kind < 5 { Form::Classic } else { Form::Recycled };
        (1..=8).contains(&kind).then_some((Part::Whole, form))
    }

    #[test]
    fn a_masked_sum_is_the_one_that_the_systems_store() {
        // The first frame of a LevelDB MANIFEST: `leveldb.BytewiseComparator`.
        let bytes = b"V\xf9\xb8\xf8\x1c\x00\x01\x01\x1aleveldb.BytewiseComparator";
        let (frame, sum) = parse(classic, bytes, 0, BLOCK as usize).expect("it is a header");
        assert_eq!((frame.part, frame.length, frame.end()), (Part::Whole, 28, 35));
        assert_eq!(mask(crc32c(0, &bytes[6..])), sum);
    }

    #[test]
    fn a_length_that_passes_its_block_is_no_frame() {
        let mut bytes = [0; 11];
        bytes[6] = 1;
        bytes[4] = 5;
        assert!(parse(classic, &bytes, 0, 12).is_some());
        assert!(parse(classic, &bytes, 0, 11).is_none());
        bytes[6] = 5;
        assert!(parse(classic, &bytes, 0, 15).is_none(), "a longer header leaves less room");
        assert!(parse(classic, &bytes, 0, 16).is_some());
    }
}
