//! From bytes to frames: checking the one at an offset, finding the next valid one, and telling what happened to a bad one.

use std::sync::Arc;

use memchr::memmem::Finder;

use super::layout::{
    ALIGN, FRAME_HEADER, FRAME_MAGIC, FrameHeader, FrameKind, HEADER_BYTES, HEADER_COPY, HEADER_FIELDS, HEADER_USED, HeaderFound,
    Seed, SegmentHeader,
};
use super::remains::Masked;
use crate::disk::{Cursor, File, PREFIX_BLOCK, PrefixSums, crc32, read_full, seed_of};
use crate::model::{Lsn, Result};

/// Frames up to this long are checked in one piece; longer ones a piece at a time, so that no claim costs memory.
const IN_ONE_PIECE: usize = 4 << 20;
/// How much a search looks at before it goes on. Half of what a cursor reads at a time: a search that asked for all of it would make
/// the cursor read anew after each occurrence of a magic.
pub(super) const CHUNK: usize = 128 << 10;
/// Claims up to this long are always summed: they cost little more than what stands between two of them.
pub(super) const SHORT_CLAIM: usize = 8 << 10;
/// How many bytes are summed backwards to find the seed of a segment that lost its header.
const TOLD_BYTES: usize = 16 << 20;

/// A segment being decoded: its bytes, and the seed of its sums.
#[derive(Debug)]
pub struct FrameReader {
    /// The bytes.
    pub cursor: Cursor,
    pub(super) seed: Seed,
    pub(super) prefixes: PrefixSums,
    /// The block in which the last claim ended: where it begins, and how much of it there is.
    pub(super) block: (u64, usize),
    room: Vec<u8>,
    /// What sums that did not match have cost so far, in bytes.
    pub(super) spent: u64,
    pub(super) explained: u32,
    /// The last search: from where, for which LSN at least, and what it came upon. After damage that is followed by more damage the
    /// same bytes would be searched again and again.
    pub(super) searched: Option<(u64, Lsn, Found)>,
    /// The file was a segment before: the id of the log.
    pub(super) recycled: Option<[u8; 16]>,
    /// The file as it is seen through the table of its old bytes.
    pub(super) masked: Option<Arc<Masked>>,
}

/// What stands at an offset where a frame was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// A valid frame.
    Good(FrameHeader),
    /// A header, and a sum that does not match: the one computed.
    BadSum(FrameHeader, u32),
    /// A header whose payload goes past the bytes that can be had.
    Short(FrameHeader),
    /// Not even a header: fewer bytes than one has.
    ShortHeader,
    /// Bytes that are no header.
    NoMagic,
}

/// What a search came upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The next valid frame, if there is one: where, and its header.
    pub frame: Option<(u64, FrameHeader)>,
    /// After the last byte that is not zero, when no frame follows.
    pub content_end: u64,
}

/// What became of a segment's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderState {
    /// It is good.
    Good(SegmentHeader),
    /// One bit flipped: the header as it was, and the bit's number from the start of the file.
    Flipped(SegmentHeader, u32),
    /// It is damaged, and its copy is not.
    Copied(SegmentHeader),
    /// It is damaged, and the id of the log and the name of the file told the seed.
    Known([u8; 16], Seed),
    /// It is damaged, and the frames themselves told their seed.
    Guessed(Seed),
    /// It is damaged, and nothing tells the seed.
    Lost,
    /// It is whole and of a version that we do not know: what, in words.
    Unknown(String),
}

impl FrameReader {
    /// Reads a segment's header and prepares to read its frames.
    ///
    /// `siblings` gives ids of logs that the header may have had, and `named` is the first LSN that the file's name gives: with them a
    /// header that is lost altogether costs nothing but itself. So do two frames that agree on a seed.
    pub fn open(mut cursor: Cursor, siblings: &dyn Fn() -> Vec<[u8; 16]>, named: Option<Lsn>) -> (FrameReader, HeaderState) {
        let mut head = [0; HEADER_FIELDS];
        let have = cursor.bytes(0, head.len());
        head[..have.len()].copy_from_slice(have);
        let enough = have.len() >= HEADER_USED;
        let mut reader = FrameReader {
            cursor,
            seed: Seed(0),
            prefixes: PrefixSums::from(HEADER_BYTES),
            block: (0, 0),
            room: Vec::new(),
            spent: 0,
            explained: 0,
            searched: None,
            recycled: None,
            masked: None,
        };
        let state = match SegmentHeader::decode(&head) {
            _ if !enough => HeaderState::Lost,
            HeaderFound::Good(header) => HeaderState::Good(header),
            HeaderFound::Unknown(what) => HeaderState::Unknown(what),
            HeaderFound::Flipped(header, bit) => HeaderState::Flipped(header, bit),
            HeaderFound::Bad => HeaderState::Lost,
        };
        let state = match state {
            HeaderState::Lost => reader.without_header(&head, siblings, named),
            other => other,
        };
        match &state {
            HeaderState::Good(header) | HeaderState::Flipped(header, _) | HeaderState::Copied(header) => {
                reader.seed = header.seed();
                reader.recycled = header.recycled.then_some(header.log_id);
            }
            HeaderState::Known(_, seed) | HeaderState::Guessed(seed) => reader.seed = *seed,
            HeaderState::Lost | HeaderState::Unknown(_) => {}
        }
        (reader, state)
    }

    /// What can be known of a header that is lost.
    fn without_header(
        &mut self,
        head: &[u8; HEADER_FIELDS],
        siblings: &dyn Fn() -> Vec<[u8; 16]>,
        named: Option<Lsn>,
    ) -> HeaderState {
        if let Some(HeaderFound::Good(header)) = self.cursor.array(HEADER_COPY).map(|copy| SegmentHeader::decode(&copy))
            && header.is_copied()
        {
            return HeaderState::Copied(header);
        }
        let mut ids = siblings();
        ids.extend(head.get(16..32).and_then(|id| <[u8; 16]>::try_from(id).ok()));
        for id in ids {
            let Some(named) = named else { break };
            let seed = Seed::new(&id, named);
            self.seed = seed;
            if matches!(self.check(HEADER_BYTES), Check::Good(_)) {
                return HeaderState::Known(id, seed);
            }
        }
        self.guess_seed().map_or(HeaderState::Lost, HeaderState::Guessed)
    }

    /// The seed of this segment's sums.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    fn guess_seed(&mut self) -> Option<Seed> {
        // Each whole frame tells the seed that it was summed with. Two neighbours that tell the same are no accident.
        let (mut offset, mut summed) = (HEADER_BYTES, 0);
        let finder = Finder::new(&FRAME_MAGIC);
        while summed < TOLD_BYTES {
            if let Some((seed, next)) = self.told_seed(offset, &mut summed)
                && self.told_seed(next, &mut summed).is_some_and(|(other, _)| other == seed)
            {
                return Some(seed);
            }
            let chunk = self.cursor.bytes(offset + 1, CHUNK);
            if chunk.len() < FRAME_HEADER {
                return None;
            }
            offset += match finder.find(chunk) {
                Some(at) => 1 + at as u64,
                None => chunk.len() as u64 - 2,
            };
        }
        None
    }

    fn told_seed(&mut self, offset: u64, summed: &mut usize) -> Option<(Seed, u64)> {
        let header = FrameHeader::parse(&self.cursor.array(offset)?)?;
        let size = FRAME_HEADER.checked_add(usize::try_from(header.length).ok()?).filter(|s| *s <= IN_ONE_PIECE)?;
        // Short ones cost as well: the window moves.
        *summed += size.max(SHORT_CLAIM);
        let bytes = self.cursor.bytes(offset, size);
        let told = seed_of(header.sum, bytes.get(8..size)?);
        offset.is_multiple_of(ALIGN).then(|| (Seed(told.wrapping_sub(offset as u32)), offset + header.span()))
    }

    /// Checks the frame at `offset`. Always inlined: a header that is returned through memory and read again at once costs more than
    /// checking it.
    #[inline(always)]
    pub fn check(&mut self, offset: u64) -> Check {
        let check = self.check_bytes(offset);
        if matches!(check, Check::Good(_)) || self.recycled.is_none() || !self.mask(offset) {
            return check;
        }
        self.check_bytes(offset)
    }

    /// [`FrameReader::check`] of the bytes as they read now.
    #[inline(always)]
    fn check_bytes(&mut self, offset: u64) -> Check {
        let head = self.cursor.bytes(offset, FRAME_HEADER);
        let Some(head) = head.first_chunk::<FRAME_HEADER>() else { return Check::ShortHeader };
        let Some(header) = FrameHeader::parse(head) else { return Check::NoMagic };
        let size = FRAME_HEADER + header.length as usize;
        let computed = if size > SHORT_CLAIM && self.spent > self.budget() {
            match self.claimed_sum(offset, size as u64) {
                Some(sum) => sum,
                None => return Check::Short(header),
            }
        } else if size <= IN_ONE_PIECE {
            let bytes = self.cursor.bytes(offset, size);
            if bytes.len() < size {
                return Check::Short(header);
            }
            crc32(self.seed.at(offset), &bytes[8..])
        } else {
            let behind = self.cursor.length().saturating_sub(offset);
            let sum = |sum, piece: &[u8]| crc32(sum, piece);
            match (behind >= size as u64).then(|| self.cursor.fold(offset + 8, size as u64 - 8, self.seed.at(offset), sum)) {
                Some(Some(sum)) => sum,
                _ => return Check::Short(header),
            }
        };
        // Zeros of a frame that were never written are no part of it: old bytes stand there.
        if computed == header.sum && self.masked.as_ref().is_none_or(|masked| masked.is_whole(offset)) {
            return Check::Good(header);
        }
        self.spent = self.spent.saturating_add(size as u64);
        Check::BadSum(header, computed)
    }

    /// The header at `offset`, whatever its sum says, without moving the window away from where reading goes on.
    pub fn peek(&mut self, offset: u64) -> Option<FrameHeader> {
        if self.cursor.is_mapped() {
            return FrameHeader::parse(&self.cursor.array(offset)?);
        }
        if self.cursor.length().saturating_sub(offset) < FRAME_HEADER as u64 {
            return None;
        }
        let mut head = [0; FRAME_HEADER];
        (self.read(&mut head, offset)? == FRAME_HEADER).then(|| FrameHeader::parse(&head)).flatten()
    }

    /// Checks a frame that stands apart from where reading goes on: the window has to go there and come back, so what does not match
    /// costs more than its own bytes, and when too much was spent nothing is found there any more. A search finds it all the same.
    pub fn check_afar(&mut self, offset: u64) -> Check {
        if self.spent > self.budget() {
            return Check::NoMagic;
        }
        let check = self.check(offset);
        if !matches!(check, Check::Good(_)) && !self.cursor.is_mapped() {
            self.spent = self.spent.saturating_add(2 * CHUNK as u64);
        }
        check
    }

    /// How much may be spent on sums that do not match. Bytes can be made so that each eighth of them begins a header that claims
    /// megabytes, and summing each claim would never end: when that has cost more than reading everything twice, sums of long claims
    /// come from prefixes that are summed once.
    pub(super) fn budget(&self) -> u64 {
        self.cursor.length().min(1 << 40).saturating_mul(2).saturating_add(16 << 20)
    }

    /// The sum of a frame that claims to be `size` bytes long, at a cost that does not depend on it; `None` when it is not all there.
    #[cold]
    fn claimed_sum(&mut self, offset: u64, size: u64) -> Option<u32> {
        if self.cursor.length().saturating_sub(offset) < size {
            return None;
        }
        self.range_sum(self.seed.at(offset), offset + 8, offset + size)
    }

    /// To be called when the bytes may have changed: forgets what was read, and with `written` also what was learned from it.
    pub fn refresh(&mut self, written: bool) -> Result<()> {
        if written {
            self.unmask();
        }
        let length = self.cursor.length();
        self.cursor.refresh()?;
        if written || length != self.cursor.length() {
            self.searched = None;
            self.prefixes = PrefixSums::from(HEADER_BYTES);
            self.block = (0, 0);
        }
        Ok(())
    }

    /// The next valid frame at or after `from` with an LSN of at least `least`, wherever it is: to the very end of the segment.
    pub fn search(&mut self, from: u64, least: Lsn) -> Found {
        // Between the start of an earlier search and what that one came upon there is nothing, nor for a higher LSN.
        let known = self.searched.filter(|(start, asked, _)| *start <= from && *asked <= least).map(|(_, _, found)| found);
        let found = match known {
            Some(found @ Found { frame: None, .. }) => Found { content_end: found.content_end.max(from), ..found },
            Some(found @ Found { frame: Some((at, header)), .. }) if from <= at && least <= header.lsn => found,
            Some(Found { frame: Some((at, _)), .. }) if from <= at => self.search_on(at + 1, least),
            _ => self.search_on(from, least),
        };
        self.searched = Some((from, least, found));
        found
    }

    pub(super) fn search_on(&mut self, from: u64, least: Lsn) -> Found {
        let finder = Finder::new(&FRAME_MAGIC);
        let (mut at, mut content_end) = (from.next_multiple_of(ALIGN), from);
        let mut blank = false;
        loop {
            if blank && !self.cursor.is_mapped() && !self.cursor.is_direct() && self.cursor.length() != u64::MAX {
                // A hole of a sparse file is zeros that need not be read.
                let data = self.cursor.file().data_from(at).filter(|data| *data < self.cursor.length());
                let Some(data) = data else { return Found { frame: None, content_end } };
                at = at.max(data / ALIGN * ALIGN);
            }
            let chunk = self.cursor.bytes(at, CHUNK);
            if chunk.is_empty() {
                match self.cursor.refused_at(at) {
                    Some(end) => {
                        content_end = content_end.max(end);
                        at = end.next_multiple_of(ALIGN);
                        continue;
                    }
                    None => return Found { frame: None, content_end },
                }
            }
            let length = chunk.len();
            let hit = finder.find(chunk);
            let seen = &chunk[..hit.map_or(length, |h| h + FRAME_MAGIC.len())];
            let last = seen.iter().rposition(|b| *b != 0);
            blank = last.is_none();
            if let Some(last) = last {
                content_end = content_end.max(at + last as u64 + 1);
            }
            match hit {
                Some(hit) => {
                    let offset = at + hit as u64;
                    if offset.is_multiple_of(ALIGN)
                        && let Some(header) = self.candidate(offset, least)
                    {
                        return Found { frame: Some((offset, header)), content_end };
                    }
                    // The next magic can begin after this one at the earliest.
                    at = offset + FRAME_MAGIC.len() as u64;
                }
                // A magic may begin in the last three bytes.
                None if length > 3 && length == CHUNK => at += length as u64 - 3,
                None => at += length as u64,
            }
        }
    }

    fn candidate(&mut self, offset: u64, least: Lsn) -> Option<FrameHeader> {
        let header = FrameHeader::parse(&self.cursor.array(offset)?)?;
        if header.lsn < least || FrameKind::from_byte(header.kind).is_none() {
            return None;
        }
        let size = FRAME_HEADER as u64 + u64::from(header.length);
        if self.cursor.length().saturating_sub(offset) < size {
            return None;
        }
        if !self.cursor.is_mapped() {
            // A long claim takes the window away from where the search goes on, and it has to come back.
            self.spent = self.spent.saturating_add(if size > SHORT_CLAIM as u64 { CHUNK as u64 } else { 0 });
        }
        matches!(self.check_bytes(offset), Check::Good(_)).then_some(header)
    }

    fn read(&mut self, into: &mut [u8], offset: u64) -> Option<usize> {
        if self.cursor.is_direct() {
            // Direct reads are aligned: they go through the window.
            let have = self.cursor.bytes(offset, into.len());
            into[..have.len()].copy_from_slice(have);
            return Some(have.len());
        }
        read_full(self.cursor.file().as_ref() as &dyn File, into, offset).ok()
    }

    /// The sum from `seed` over the bytes from `start` to `end`, in constant time once everything up to `end` has been read.
    pub(super) fn range_sum(&mut self, seed: u32, start: u64, end: u64) -> Option<u32> {
        if self.prefixes.known_to() + PREFIX_BLOCK <= end {
            // Far more than is asked, so that many claims share one pass over the bytes.
            let until = end.saturating_add(64 * PREFIX_BLOCK).min(self.cursor.length());
            self.block = (0, 0);
            self.room.resize(PREFIX_BLOCK as usize, 0);
            let mut room = std::mem::take(&mut self.room);
            while self.prefixes.known_to() + PREFIX_BLOCK <= until {
                if self.read(&mut room, self.prefixes.known_to()) != Some(room.len()) {
                    break;
                }
                self.prefixes.add(&room);
            }
            self.room = room;
        }
        let last = self.prefix(end)?;
        // The search stands at the start, so its bytes are at hand.
        let (at, sum) = self.prefixes.below(start);
        let first = self.cursor.fold(at, start - at, sum, crc32)?;
        Some(PrefixSums::range(seed, first, last, end - start))
    }

    /// The sum over everything from the first frame to `to`. Reads apart from the cursor's window, which stays where a search is.
    fn prefix(&mut self, to: u64) -> Option<u32> {
        let (at, sum) = self.prefixes.below(to);
        let rest = usize::try_from(to - at).ok().filter(|rest| *rest < PREFIX_BLOCK as usize)?;
        if self.block.0 != at {
            self.room.resize(PREFIX_BLOCK as usize, 0);
            let mut room = std::mem::take(&mut self.room);
            let have = self.read(&mut room, at);
            self.room = room;
            self.block = (at, have.unwrap_or(0));
        }
        Some(crc32(sum, self.room.get(..self.block.1)?.get(..rest)?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::disk::{Disk, Open, RealDisk};
    use crate::model::Time;
    use crate::native::{FrameFields, encode_frame, encode_header};

    fn header() -> SegmentHeader {
        SegmentHeader { key: None, block: 0, log_id: [9; 16], first_lsn: Lsn(1), created: Time(0), chain: 0, recycled: false }
    }

    fn log(payloads: &[&[u8]]) -> Vec<u8> {
        let mut bytes = encode_header(&header());
        for (index, payload) in payloads.iter().enumerate() {
            let lsn = Lsn(index as u64 + 1);
            let fields = FrameFields { kind: FrameKind::Full, flags: 0, unsynced: 0, lsn, time: Time(5), tag: 0 };
            let offset = bytes.len() as u64;
            encode_frame(&mut bytes, &fields, payload, header().seed(), offset);
        }
        bytes
    }

    fn open(bytes: &[u8]) -> (FrameReader, HeaderState) {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), bytes).expect("room for a small log");
        let opened: Arc<dyn File> = RealDisk.open(file.path(), Open::READ).expect("it is there").into();
        FrameReader::open(Cursor::new(opened, bytes.len() as u64), &Vec::new, None)
    }

    #[test]
    fn a_header_destroyed_altogether_does_not_cost_the_frames() {
        let mut bytes = log(&[b"alpha", b"beta", b"gamma"]);
        bytes[..4096].fill(0);
        let (mut reader, state) = open(&bytes);
        assert_eq!(state, HeaderState::Guessed(header().seed()));
        assert!(matches!(reader.check(4096), Check::Good(h) if h.lsn == Lsn(1)));
    }

    #[test]
    fn one_frame_alone_does_not_vouch_for_its_own_seed() {
        let mut bytes = log(&[b"alpha"]);
        bytes[..4096].fill(0);
        assert_eq!(open(&bytes).1, HeaderState::Lost);
    }

    #[test]
    fn the_search_finds_the_next_valid_frame_and_no_copy_of_one() {
        let inner = log(&[b"x"])[4096..].to_vec();
        let mut bytes = log(&[b"alpha", &inner, b"gamma"]);
        let third = bytes.len() as u64 - 48;
        bytes[4096 + 48 + 20] ^= 1;
        let (mut reader, _) = open(&bytes);
        assert!(matches!(reader.check(4144), Check::BadSum(..)));
        let found = reader.search(4152, Lsn(2));
        assert_eq!(found.frame.map(|(at, h)| (at, h.lsn)), Some((third, Lsn(3))));
    }

    #[test]
    fn the_search_finds_a_frame_wherever_it_begins_beside_the_border_of_a_piece() {
        let aligned = CHUNK as u64;
        for border in [aligned, 2 * aligned] {
            for beside in [-16i64, -8, 0, 8, 16] {
                // What is read in pieces need not begin at the start of one: magics that are none move it by four.
                for shift in [0u64, 4, 8, 12] {
                    let gap = border.checked_add_signed(beside).expect("it is larger");
                    let mut bytes = log(&[b"alpha"]);
                    let from = bytes.len() as u64;
                    bytes.resize(usize::try_from(from + gap).expect("small"), 0xEE);
                    let magic = usize::try_from(from + shift).expect("small");
                    bytes[magic..magic + 4].copy_from_slice(&FRAME_MAGIC);
                    let fields = FrameFields { kind: FrameKind::Full, flags: 0, unsynced: 0, lsn: Lsn(7), time: Time(5), tag: 0 };
                    let at = bytes.len() as u64;
                    encode_frame(&mut bytes, &fields, b"omega", header().seed(), at);
                    for mapped in [false, true] {
                        let (mut reader, _) = open(&bytes);
                        if mapped {
                            reader.cursor.map(true);
                        }
                        let found = reader.search(from, Lsn(2));
                        assert_eq!(
                            found.frame.map(|(at, h)| (at, h.lsn)),
                            Some((at, Lsn(7))),
                            "{gap} bytes on, {shift}, {mapped}"
                        );
                        assert_eq!(found.content_end, at + 4, "{gap} bytes on");
                    }
                }
            }
        }
    }

    #[test]
    fn each_flipped_bit_of_a_frame_is_explained() {
        let good = log(&[b"alpha beta", b"g"]);
        for bit in 0..(FRAME_HEADER + 10) * 8 {
            let mut bytes = good.clone();
            bytes[4096 + bit / 8] ^= 1 << (bit % 8);
            let (mut reader, _) = open(&bytes);
            let explained = reader.explain(4096).map(|(header, byte, bit)| (header.lsn, header.length, byte, bit));
            assert_eq!(explained, Some((Lsn(1), 10, 4096 + bit as u64 / 8, (bit % 8) as u8)), "bit {bit}");
        }
    }

    #[test]
    fn a_sum_from_prefixes_equals_the_sum_over_the_bytes() {
        let payload = vec![0x5A; 20_000];
        let bytes = log(&[&payload, b"beta"]);
        let (mut reader, _) = open(&bytes);
        reader.spent = u64::MAX / 2;
        assert!(matches!(reader.check(4096), Check::Good(_)));
        assert!(reader.candidate(4096, Lsn(1)).is_some());
        let second = 4096 + super::super::frame_bytes(20_000) as u64;
        assert_eq!(reader.candidate(second, Lsn(1)).map(|h| h.lsn), Some(Lsn(2)));
        assert!(reader.candidate(second, Lsn(3)).is_none());
    }

    #[test]
    fn bytes_full_of_claims_are_searched_in_linear_time() {
        // 4 MiB in which every 40 bytes begin a header that claims 2 MiB: 100,000 claims, 200 GB if each were summed.
        let mut bytes = encode_header(&header());
        let claim = FrameHeader { sum: 1, length: 2 << 20, kind: 0, flags: 0, unsynced: 0, lsn: Lsn(7), time: Time(0), tag: 0 };
        while bytes.len() < 4 << 20 {
            bytes.extend_from_slice(&claim.encode());
        }
        let (mut reader, _) = open(&bytes);
        assert_eq!(reader.search(4096, Lsn(1)).frame, None);
        // The budget was used up and the rest came from prefixes: each claim counts, none was summed beyond that.
        assert!(reader.spent > reader.budget());
        assert!(reader.prefixes.known_to() > 4096);
    }

    #[test]
    fn a_search_without_a_find_says_where_the_content_ends() {
        for (length, last) in [(5000, 4999), (300_000, 4500), (300_000, 262_144), (600_000, 599_998)] {
            let mut bytes = log(&[b"alpha"]);
            bytes.resize(length, 0);
            bytes[last] = 7;
            let (mut reader, _) = open(&bytes);
            let found = reader.search(4200, Lsn(0));
            assert_eq!((found.frame, found.content_end), (None, last as u64 + 1), "{length}");
        }
    }

    #[test]
    fn a_frame_that_is_summed_a_piece_at_a_time_is_good_and_each_change_in_it_is_found() {
        let payload = vec![0x5A; IN_ONE_PIECE + 77];
        let mut bytes = log(&[b"alpha", &payload]);
        let (mut reader, _) = open(&bytes);
        let at = 4096 + 48;
        assert!(matches!(reader.check(at), Check::Good(frame) if frame.lsn == Lsn(2)));
        let whole = usize::try_from(at).expect("small") + FRAME_HEADER + payload.len();
        for place in [whole - 1, whole / 2, 4096 + 48 + FRAME_HEADER] {
            bytes[place] ^= 1;
            assert!(matches!(open(&bytes).0.check(at), Check::BadSum(..)), "{place}");
            bytes[place] ^= 1;
        }
        bytes.truncate(whole - 1);
        assert!(matches!(open(&bytes).0.check(at), Check::Short(_)));
    }

    #[test]
    fn a_flipped_bit_in_a_frame_that_ends_with_the_file_is_explained() {
        let whole = log(&[b"eight by"]);
        assert_eq!(whole.len(), 4096 + FRAME_HEADER + 8);
        // In the payload, the sum, the magic, and the length.
        for (byte, bit) in [(4096 + FRAME_HEADER + 7, 6), (4096 + 4, 0), (4096 + 1, 3), (4096 + 8, 4)] {
            let mut bytes = whole.clone();
            bytes[byte] ^= 1 << bit;
            let (mut reader, _) = open(&bytes);
            let found = reader.explain(4096).map(|(header, at, bit)| (header.lsn, header.length, at, bit));
            assert_eq!(found, Some((Lsn(1), 8, byte as u64, bit)));
        }
    }

    #[test]
    fn a_header_that_is_cut_off_is_none_and_two_frames_of_any_length_tell_their_seed() {
        let mut bytes = log(&[b"alpha", b"much longer than the first"]);
        assert_eq!(open(&bytes[..HEADER_USED - 1]).1, HeaderState::Lost);
        bytes[..4096].fill(0);
        assert_eq!(open(&bytes).1, HeaderState::Guessed(header().seed()));
    }

    #[test]
    fn so_many_damaged_frames_are_explained_and_no_more() {
        let mut bytes = log(&[b"alpha"]);
        bytes[4096 + 41] ^= 1;
        let (mut reader, _) = open(&bytes);
        for _ in 0..crate::native::explain::EXPLANATIONS {
            assert!(reader.explain(4096).is_some());
        }
        assert_eq!(reader.explain(4096), None);
    }

    #[test]
    fn zeros_at_the_end_or_in_a_whole_sector_or_a_missing_end_look_interrupted() {
        let mut bytes = vec![0xEE; 8192];
        let looks = |bytes: &[u8], from, to| open(bytes).0.looks_interrupted(from, to, None);
        assert!(!looks(&bytes, 4100, 6000), "garbage has no zeros");
        assert!(!looks(&bytes, 4100, 8192), "it ends with the file");
        assert!(looks(&bytes, 4100, 8193), "the file ends before it");
        bytes[5000..5100].fill(0);
        assert!(!looks(&bytes, 4100, 6000), "a run of zeros is no sector");
        assert!(looks(&bytes, 4100, 5050), "it ends with zeros");
        assert!(!looks(&bytes, 4100, 5101));
        let until = |next| open(&bytes).0.looks_interrupted(4100, 5080, Some(next));
        assert!(!until(5050), "zeros in front of the next frame are padding");
        assert!(until(5080) && until(5088), "that frame begins where this one should end");
        bytes[5120..5632].fill(0);
        assert!(looks(&bytes, 4100, 6000), "a sector never came");
        assert!(!looks(&bytes, 4100, 5001 - 2), "what comes behind it does not count");
    }
}
