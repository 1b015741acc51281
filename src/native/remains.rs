//! Bytes of an earlier life in a file that is used again, told from what was written since.
//!
//! A segment may be begun in the file of one that retention let go. Behind its end stand then the old bytes, not zeros. Before the file is
//! used again, a table of sums is written behind its room: one for each sector of 512 bytes, as the old life left it. A sector that still
//! has its sum was not written since. A reader that comes to the end of the data sees such sectors as zeros from there on, so all that
//! is said of zeros (the end of the data, an interrupted write) holds for them word for word.
//!
//! A sector is never taken for an old one when it belongs to a valid frame of the new life. Such frames are looked for first.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::decode::{CHUNK, FrameReader};
use super::layout::{HEADER_BYTES, Seed};
use crate::disk::{AlignedBytes, File, Identity, PrefixSums, crc32, read_full};
use crate::model::{Lsn, Result};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;
/// The table comes in blocks of this size.
const BLOCK: usize = 4096;
/// The first bytes of each: "WLR1".
const TABLE_MAGIC: [u8; 4] = *b"WLR1";
/// Where a block's sums begin.
const FIRST_SUM: usize = 24;
/// How many sums a block holds.
const SUMS: usize = (BLOCK - FIRST_SUM) / 4;
/// How many blocks of the table are tried, from the end of the file on, to find out where it begins.
const TRIED: u64 = 8;

/// How many bytes the table takes for a file whose room ends at `room_end`.
#[must_use]
pub fn table_bytes(room_end: u64) -> u64 {
    (room_end.saturating_sub(HEADER_BYTES) / SECTOR as u64).div_ceil(SUMS as u64) * BLOCK as u64
}

/// Makes the table, as the old bytes are read.
#[derive(Debug)]
pub struct RemainsTable {
    seed: Seed,
    room_end: u64,
    of: Lsn,
    /// Where the block that is being filled will stand.
    at: u64,
    block: Vec<u8>,
}

impl RemainsTable {
    /// For the file of the segment of this log that began with `of`, whose room is to end at `room_end`, a multiple of 4,096.
    #[must_use]
    pub fn new(log_id: &[u8; 16], of: Lsn, room_end: u64) -> RemainsTable {
        let mut table = RemainsTable { seed: Seed::new(log_id, of), room_end, of, at: room_end, block: Vec::new() };
        table.begin();
        table
    }

    fn begin(&mut self) {
        self.block.clear();
        self.block.extend_from_slice(&TABLE_MAGIC);
        self.block.extend_from_slice(&[0; 4]);
        self.block.extend_from_slice(&self.room_end.to_le_bytes());
        self.block.extend_from_slice(&self.of.0.to_le_bytes());
    }

    /// The next bytes of the old life, whole sectors from the end of the header on. Blocks that are full are added to `out`.
    pub fn add(&mut self, bytes: &[u8], out: &mut AlignedBytes) {
        for sector in bytes.chunks(SECTOR) {
            self.block.extend_from_slice(&crc32(0, sector).to_le_bytes());
            if self.block.len() == BLOCK {
                self.end(out);
            }
        }
    }

    /// After the last sector: adds the block that is not full.
    pub fn finish(mut self, out: &mut AlignedBytes) {
        if self.block.len() > FIRST_SUM {
            self.end(out);
        }
    }

    fn end(&mut self, out: &mut AlignedBytes) {
        self.block.resize(BLOCK, 0);
        let sum = crc32(self.seed.at(self.at), &self.block[8..]);
        self.block[4..8].copy_from_slice(&sum.to_le_bytes());
        out.push(&self.block);
        self.at += BLOCK as u64;
        self.begin();
    }
}

/// A file of which sectors that were not written since read as zeros, from some place on.
#[derive(Debug)]
pub(super) struct Masked {
    file: Arc<dyn File>,
    room_end: u64,
    seed: Seed,
    state: Mutex<MaskState>,
}

#[derive(Debug)]
struct MaskState {
    /// Where the mask begins.
    from: u64,
    /// What is there was written: where valid frames stand, in order and apart.
    kept: Vec<(u64, u64)>,
    /// The block of the table that was looked at last, and whether it is whole.
    block: Option<(u64, bool)>,
    bytes: AlignedBytes,
}

impl Masked {
    /// If the file, which is `length` bytes long and of a segment of this log that says that it is in a file used again, has its table
    /// still: where its room ends, and the file as it is seen through the table. A writer cuts the table off with the remains.
    pub fn find(file: &Arc<dyn File>, length: u64, log_id: &[u8; 16]) -> Option<Masked> {
        let block = BLOCK as u64;
        if !length.is_multiple_of(block) {
            return None;
        }
        let mut bytes = AlignedBytes::new();
        bytes.push_zeros(BLOCK);
        (1..=TRIED).find_map(|back| {
            let at = length.checked_sub(back * block).filter(|at| *at > HEADER_BYTES)?;
            let whole = read_full(file.as_ref(), bytes.bytes_mut(), at).ok()? == BLOCK;
            let (room_end, of) = (number(bytes.bytes(), 8)?, Lsn(number(bytes.bytes(), 16)?));
            let seed = Seed::new(log_id, of);
            let fits = room_end.is_multiple_of(block)
                && room_end > HEADER_BYTES
                && room_end <= at
                && length - room_end == table_bytes(room_end);
            (whole && fits && is_whole(bytes.bytes(), seed, at)).then(|| {
                let state = MaskState { from: u64::MAX, kept: Vec::new(), block: None, bytes: AlignedBytes::new() };
                Masked { file: file.clone(), room_end, seed, state: Mutex::new(state) }
            })
        })
    }

    /// The file below.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// Where the room ends and the table begins.
    pub fn room_end(&self) -> u64 {
        self.room_end
    }

    /// Where the mask begins.
    pub fn from(&self) -> u64 {
        self.state().from
    }

    /// From here on sectors with their old sum read as zeros, but for those in which valid frames stand.
    pub fn begin(&self, from: u64, kept: Vec<(u64, u64)>) {
        let mut state = self.state();
        (state.from, state.kept, state.block) = (from, kept, None);
    }

    /// Whether a frame that is good as it reads now is good as it stands: it was met when the mask began, or lies before it.
    pub fn is_whole(&self, frame: u64) -> bool {
        let state = self.state();
        let next = state.kept.partition_point(|(_, to)| *to <= frame);
        frame < state.from || state.kept.get(next).is_some_and(|(from, _)| *from <= frame)
    }

    fn state(&self) -> MutexGuard<'_, MaskState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the sector at `at` stands as the old life left it.
    fn is_old(&self, state: &mut MaskState, at: u64, sector: &[u8]) -> bool {
        let end = at + SECTOR as u64;
        let next = state.kept.partition_point(|(_, to)| *to <= at);
        if at < state.from || state.kept.get(next).is_some_and(|(from, _)| *from < end) {
            return false;
        }
        let Some(index) = at.checked_sub(HEADER_BYTES).map(|at| at / SECTOR as u64) else { return false };
        let place = self.room_end + index / SUMS as u64 * BLOCK as u64;
        let whole = match state.block {
            Some((known, whole)) if known == place => whole,
            _ => {
                state.bytes.truncate(0);
                state.bytes.push_zeros(BLOCK);
                let read = read_full(self.file.as_ref(), state.bytes.bytes_mut(), place).unwrap_or(0);
                let whole = read == BLOCK && is_whole(state.bytes.bytes(), self.seed, place);
                state.block = Some((place, whole));
                whole
            }
        };
        let sum = FIRST_SUM + (index % SUMS as u64) as usize * 4;
        whole && state.bytes.bytes()[sum..sum + 4] == crc32(0, sector).to_le_bytes()
    }
}

impl FrameReader {
    /// In a file that was a segment before: from this offset on, what was not written since reads as zeros. True if the bytes there may
    /// read otherwise now.
    #[cold]
    pub(super) fn mask(&mut self, offset: u64) -> bool {
        if self.masked.as_ref().is_some_and(|masked| masked.from() <= offset) {
            return false;
        }
        self.unmask();
        if self.cursor.length() == u64::MAX {
            // Only the end of a pipe tells where the table is.
            let mut at = offset;
            loop {
                match self.cursor.bytes(at, CHUNK).len() {
                    0 => break,
                    count => at += count as u64,
                }
            }
        }
        let (file, length) = (self.cursor.file().clone(), self.cursor.length());
        let Some(masked) = self.recycled.and_then(|id| Masked::find(&file, length, &id)) else { return false };
        // A sector of a new frame may be equal to the old one: frames count before sums.
        self.cursor.replace(file, length.min(masked.room_end()));
        let (mut at, mut kept) = (offset, Vec::<(u64, u64)>::new());
        while let Some((place, frame)) = self.search_on(at, Lsn(0)).frame {
            at = place + frame.span();
            match kept.last_mut().filter(|last| last.1 == place) {
                Some(last) => last.1 = at,
                None => kept.push((place, at)),
            }
        }
        masked.begin(offset, kept);
        let (masked, room_end) = (Arc::new(masked), self.cursor.length());
        self.masked = Some(masked.clone());
        self.look_anew(masked, room_end);
        true
    }

    /// Every byte reads as it stands.
    pub(super) fn unmask(&mut self) {
        if let Some(masked) = self.masked.take() {
            let length = masked.file().length().unwrap_or(masked.room_end());
            self.look_anew(masked.file().clone(), length);
        }
    }

    fn look_anew(&mut self, file: Arc<dyn File>, length: u64) {
        self.cursor.replace(file, length);
        self.searched = None;
        self.prefixes = PrefixSums::from(HEADER_BYTES);
        self.block = (0, 0);
    }
}

fn number(block: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*block.get(at..)?.first_chunk()?))
}

fn is_whole(block: &[u8], seed: Seed, at: u64) -> bool {
    block[..4] == TABLE_MAGIC && block[4..8] == crc32(seed.at(at), &block[8..]).to_le_bytes()
}

impl File for Masked {
    /// What stands behind the room is no part of the segment.
    fn length(&self) -> Result<u64> {
        Ok(self.file.length()?.min(self.room_end))
    }

    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize> {
        let left = usize::try_from(self.room_end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let want = into.len().min(left);
        let count = self.file.read_at(&mut into[..want], offset)?;
        let end = offset + count as u64;
        let mut state = self.state();
        let mut at = state.from.max(offset) / SECTOR as u64 * SECTOR as u64;
        let mut whole = [0; SECTOR];
        while at < end {
            let (from, to) = (at.max(offset), (at + SECTOR as u64).min(end));
            let part = &mut into[(from - offset) as usize..(to - offset) as usize];
            let old = if part.len() == SECTOR {
                self.is_old(&mut state, at, part)
            } else {
                read_full(self.file.as_ref(), &mut whole, at)? == SECTOR && self.is_old(&mut state, at, &whole)
            };
            if old {
                part.fill(0);
            }
            at += SECTOR as u64;
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize> {
        self.file.write_at(bytes, offset)
    }

    fn sync_data(&self) -> Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> Result<()> {
        self.file.sync_all()
    }

    fn set_length(&self, length: u64) -> Result<()> {
        self.file.set_length(length)
    }

    fn reserve(&self, offset: u64, length: u64) -> Result<()> {
        self.file.reserve(offset, length)
    }

    fn data_from(&self, offset: u64) -> Option<u64> {
        self.file.data_from(offset)
    }

    fn is_dear(&self) -> bool {
        self.file.is_dear()
    }

    fn identity(&self) -> Option<(Identity, u64)> {
        self.file.identity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Cursor, Disk, Open, RealDisk};
    use crate::model::Time;
    use crate::native::{Check, FrameFields, FrameKind, FrameReader, SegmentHeader, encode_frame, encode_header};

    const ID: [u8; 16] = [9; 16];
    const ROOM: usize = 64 << 10;

    fn header(first: u64) -> SegmentHeader {
        let recycled = first > 1;
        SegmentHeader { key: None, block: 0, log_id: ID, first_lsn: Lsn(first), created: Time(0), chain: 0, recycled }
    }

    /// Frames of one life, from its header on: a payload of `fill` for each length.
    fn life(first: u64, lengths: &[usize], fill: impl Fn(usize) -> u8) -> Vec<u8> {
        let mut bytes = encode_header(&header(first));
        for (lsn, length) in (first..).zip(lengths) {
            let fields = FrameFields { kind: FrameKind::Full, flags: 0, unsynced: 0, lsn: Lsn(lsn), time: Time(5), tag: 0 };
            let (payload, offset) = ((0..*length).map(&fill).collect::<Vec<u8>>(), bytes.len() as u64);
            encode_frame(&mut bytes, &fields, &payload, header(first).seed(), offset);
        }
        bytes
    }

    /// The old life up to the end of the room.
    fn old() -> Vec<u8> {
        let mut bytes = life(1, &[700; 90], |n| (n % 251 + 1) as u8);
        assert!(bytes.len() > ROOM);
        bytes.truncate(ROOM);
        bytes
    }

    /// A file that was used again: new frames, zeros to the end of their block, old bytes, and the table.
    fn recycled(frames: &[u8]) -> Vec<u8> {
        let (mut file, mut table) = (old(), AlignedBytes::new());
        let mut sums = RemainsTable::new(&ID, Lsn(1), ROOM as u64);
        sums.add(&file[HEADER_BYTES as usize..], &mut table);
        sums.finish(&mut table);
        assert_eq!(table.len() as u64, table_bytes(ROOM as u64));
        let mut new = frames.to_vec();
        new.resize(new.len().next_multiple_of(BLOCK), 0);
        file[..new.len()].copy_from_slice(&new);
        file.extend_from_slice(table.bytes());
        file
    }

    fn open(bytes: &[u8]) -> FrameReader {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), bytes).expect("room for a small log");
        let opened: Arc<dyn File> = RealDisk.open(file.path(), Open::READ).expect("it is there").into();
        FrameReader::open(Cursor::new(opened, bytes.len() as u64), &Vec::new, None).0
    }

    /// Goes over the valid frames: where they end.
    fn end(reader: &mut FrameReader) -> u64 {
        let mut at = HEADER_BYTES;
        while let Check::Good(frame) = reader.check(at) {
            at += frame.span();
        }
        at
    }

    #[test]
    fn behind_the_end_of_data_an_older_life_reads_as_zeros_and_nothing_follows() {
        for lengths in [&[][..], &[10], &[4016], &[4056], &[700; 20], &[30_000], &[700; 79]] {
            let frames = life(91, lengths, |_| 7);
            let mut reader = open(&recycled(&frames));
            let data_end = end(&mut reader);
            assert_eq!(data_end, frames.len() as u64, "{lengths:?}");
            assert!(!matches!(reader.check(data_end), Check::Good(_)));
            assert_eq!(reader.cursor.length(), ROOM as u64, "the table is no part of the segment");
            assert_eq!(reader.cursor.zeros_end(data_end), ROOM as u64, "{lengths:?}");
            assert_eq!(reader.search(data_end, Lsn(0)).content_end, data_end, "{lengths:?}");
        }
    }

    #[test]
    fn a_sector_that_did_not_arrive_is_told_from_one_that_rotted() {
        let frames = life(91, &[700, 5000], |_| 7);
        let bad = HEADER_BYTES + 744;
        let (sector, whole) = (bad as usize / SECTOR * SECTOR + 3 * SECTOR, recycled(&frames));
        // It holds what stood there before.
        let mut torn = whole.clone();
        torn[sector..sector + SECTOR].copy_from_slice(&old()[sector..sector + SECTOR]);
        let mut reader = open(&torn);
        assert_eq!(end(&mut reader), bad);
        assert!(reader.looks_interrupted(bad, frames.len() as u64, None));
        // It holds something else.
        let mut rotten = whole;
        rotten[sector + 5] ^= 0x41;
        let mut reader = open(&rotten);
        assert_eq!(end(&mut reader), bad);
        assert!(!reader.looks_interrupted(bad, frames.len() as u64, None));
        assert!(reader.cursor.zeros_end(bad) < frames.len() as u64);
    }

    #[test]
    fn zeros_that_were_never_written_make_no_frame_whole() {
        // Of a record of zeros only the first sectors arrived: what is seen in place of the others must not complete it.
        let frames = life(91, &[700, 3000], |_| 0);
        let (bad, mut torn) = (HEADER_BYTES + 744, recycled(&frames));
        let sector = (bad as usize + 1000) / SECTOR * SECTOR;
        torn[sector..sector + SECTOR].copy_from_slice(&old()[sector..sector + SECTOR]);
        let mut reader = open(&torn);
        for _ in 0..2 {
            assert_eq!(end(&mut reader), bad);
            assert_eq!(reader.search(bad, Lsn(0)).frame, None);
        }
        assert!(reader.looks_interrupted(bad, frames.len() as u64, None));
    }

    #[test]
    fn a_valid_frame_counts_though_its_sectors_are_equal_to_the_old_ones() {
        // The old life's bytes, in a record of the new one: sector by sector the same.
        let mut frames = life(91, &[700], |_| 7);
        let (at, inside) = (frames.len(), old());
        let fields = FrameFields { kind: FrameKind::Full, flags: 0, unsynced: 0, lsn: Lsn(92), time: Time(5), tag: 0 };
        encode_frame(&mut frames, &fields, &inside[at + 40..at + 40 + 6000], header(91).seed(), at as u64);
        let data_end = frames.len() as u64;
        let mut damaged = recycled(&frames);
        damaged[HEADER_BYTES as usize + 50] ^= 1;
        let mut reader = open(&damaged);
        assert_eq!(end(&mut reader), HEADER_BYTES);
        let found = reader.search(HEADER_BYTES + 8, Lsn(0));
        assert_eq!(found.frame.map(|(place, frame)| (place, frame.lsn)), Some((at as u64, Lsn(92))));
        assert_eq!(reader.cursor.zeros_end(data_end), ROOM as u64);
    }

    #[test]
    fn rot_in_room_that_was_never_written_and_in_the_table_is_no_end_of_data() {
        let frames = life(91, &[700], |_| 7);
        for flip in [5 * BLOCK + 77, ROOM + 100, ROOM + 5] {
            let mut file = recycled(&frames);
            file[flip] ^= 4;
            let mut reader = open(&file);
            let data_end = end(&mut reader);
            assert_eq!(data_end, frames.len() as u64);
            assert!(reader.cursor.zeros_end(data_end) < reader.cursor.length(), "flipped at {flip}");
        }
    }

    #[test]
    fn a_segment_that_says_nothing_of_an_older_life_is_read_as_it_stands() {
        let mut file = recycled(&life(91, &[700], |_| 7));
        let plain = SegmentHeader { recycled: false, ..header(91) };
        file[..BLOCK].copy_from_slice(&encode_header(&plain));
        let mut reader = open(&file);
        let data_end = end(&mut reader);
        assert!(reader.cursor.zeros_end(data_end) < ROOM as u64);
        assert_eq!(reader.cursor.length(), file.len() as u64);
    }

    #[test]
    fn claims_of_a_table_are_bounded_by_the_file() {
        let frames = life(91, &[700], |_| 7);
        let mut file = recycled(&frames);
        let last = file.len() - BLOCK;
        for (at, value) in [(8, u64::MAX), (8, 0), (8, 4096), (8, 1 << 40), (16, 2)] {
            let mut hostile = file.clone();
            hostile[last + at..last + at + 8].copy_from_slice(&value.to_le_bytes());
            let sum = crc32(
                Seed::new(&ID, Lsn(number(&hostile[last..], 16).expect("it is there"))).at(last as u64),
                &hostile[last + 8..],
            );
            hostile[last + 4..last + 8].copy_from_slice(&sum.to_le_bytes());
            let mut reader = open(&hostile);
            let data_end = end(&mut reader);
            assert_eq!(data_end, frames.len() as u64);
            assert!(reader.cursor.zeros_end(data_end) < hostile.len() as u64, "{value}");
        }
        file.truncate(last);
        assert_eq!(end(&mut open(&file)), frames.len() as u64);
    }
}
