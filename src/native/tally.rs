//! Counting what a segment holds, frame by frame: what a seal says, and what statistics show.

use super::layout::{FrameHeader, FrameKind, MORE};
use crate::model::Lsn;

/// How many kinds of data frames there are.
pub const DATA_KINDS: usize = 8;
/// Sizes and group sizes are counted by powers of two: 0, 1, 2–3, 4–7 …
pub const BUCKETS: usize = 33;
/// Tags are counted one by one up to this many.
const TAGS_KEPT: usize = 64;
/// Transactions that began or ended in a segment are listed up to this many.
const TRANSACTIONS_KEPT: usize = 1024;
/// The index of a seal has at most this many entries; when there are more, each second one goes.
const INDEX_KEPT: usize = 4096;
/// The first distance of two index entries.
const INDEX_STRIDE: u64 = 64 << 10;

/// Records and stored payload bytes of one tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TagCount {
    /// The tag.
    pub tag: u64,
    /// Data frames that bear it.
    pub frames: u64,
    /// Their stored payload bytes.
    pub bytes: u64,
}

/// A place in a segment from which a walk can begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry {
    /// The LSN of the frame there.
    pub lsn: u64,
    /// The latest time of any frame up to and including this one.
    pub max_time: u64,
    /// Where the frame is.
    pub offset: u64,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Data frames by kind.
    pub frames: [u64; DATA_KINDS],
    /// Their payload bytes as stored, by kind.
    pub bytes: [u64; DATA_KINDS],
    /// Records: whole ones and first fragments.
    pub records: u64,
    /// Batches that ended here.
    pub batches: u64,
    /// Pad frames, and the bytes that they take with their headers.
    pub pads: u64,
    /// See `pads`.
    pub pad_bytes: u64,
    /// Clean shutdowns.
    pub closes: u64,
    /// Known holes.
    pub holes: u64,
    /// Groups: how often the known durable part had grown between two data frames. Frames that do not say count as one group.
    pub groups: u64,
    /// Payload bytes before compression and encryption, as far as frames tell.
    pub plain_bytes: u64,
    /// The first and last LSN of a data frame; 0 when there is none.
    pub first_lsn: u64,
    /// See `first_lsn`.
    pub last_lsn: u64,
    /// The time of the first and last data frame, and the extremes between.
    pub first_time: u64,
    /// See `first_time`.
    pub last_time: u64,
    /// See `first_time`.
    pub min_time: u64,
    /// See `first_time`.
    pub max_time: u64,
    /// The longest pause between two data frames that follow each other, and the LSN after it.
    pub pause: u64,
    /// See `pause`.
    pub pause_lsn: u64,
    /// A running digest over the sums of all frames, control frames included.
    pub digest: u64,
    /// Records by size of their stored payload (fragments each by itself), in powers of two.
    pub sizes: [u64; BUCKETS],
    /// Groups by their number of data frames, in powers of two.
    pub group_sizes: [u64; BUCKETS],
    /// The LSN of the newest Checkpoint frame and its tag; 0 when there is none.
    pub checkpoint_lsn: u64,
    /// See `checkpoint_lsn`.
    pub checkpoint: u64,
    /// Tags, counted one by one while they are few.
    pub tags: Vec<TagCount>,
    /// There were more tags than are counted one by one.
    pub more_tags: bool,
    /// Transactions that began here and did not end here.
    pub open: Vec<u64>,
    /// Transactions that ended here and had not begun here.
    pub ended: Vec<u64>,
    /// There were more of them than are listed.
    pub more_transactions: bool,
    /// From LSN and time to offset.
    pub index: Vec<IndexEntry>,
    stride: u64,
    group: Option<Lsn>,
    in_group: u64,
    /// The frame before said that more of its batch follows.
    in_batch: bool,
    /// A batch or a record is under way after the frame before.
    inside: bool,
    /// Where the tag of the frame before stands in `tags`.
    last_tag: usize,
    /// Where the facts of the next record stand.
    facts_at: Option<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Tally {
            frames: [0; DATA_KINDS],
            bytes: [0; DATA_KINDS],
            records: 0,
            batches: 0,
            pads: 0,
            pad_bytes: 0,
            closes: 0,
            holes: 0,
            groups: 0,
            plain_bytes: 0,
            first_lsn: 0,
            last_lsn: 0,
            first_time: 0,
            last_time: 0,
            min_time: u64::MAX,
            max_time: 0,
            pause: 0,
            pause_lsn: 0,
            digest: 0,
            sizes: [0; BUCKETS],
            group_sizes: [0; BUCKETS],
            checkpoint_lsn: 0,
            checkpoint: 0,
            tags: Vec::new(),
            more_tags: false,
            open: Vec::new(),
            ended: Vec::new(),
            more_transactions: false,
            index: Vec::new(),
            stride: INDEX_STRIDE,
            group: None,
            in_group: 0,
            in_batch: false,
            inside: false,
            last_tag: 0,
            facts_at: None,
        }
    }
}

/// The power-of-two bucket of a number: 0 for 0, 1 for 1, 2 for 2–3, 3 for 4–7 …
#[must_use]
pub fn bucket(number: u64) -> usize {
    ((u64::BITS - number.leading_zeros()) as usize).min(BUCKETS - 1)
}

/// The digest of a segment's frames after one more frame with this sum.
#[must_use]
#[inline]
pub const fn digest(before: u64, sum: u32) -> u64 {
    (before.rotate_left(5) ^ sum as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Tally {
    /// Data frames by kind: its name, how many, and their payload bytes as stored.
    pub fn by_kind(&self) -> impl Iterator<Item = (&'static str, u64, u64)> {
        let data = FrameKind::ALL.into_iter().filter(|kind| kind.is_data()).take(DATA_KINDS);
        data.map(|kind| (kind.name(), self.frames[kind as usize], self.bytes[kind as usize]))
    }

    /// Counts a valid frame at `offset`. `plain` is its payload's length before compression and encryption, where it is known.
    pub fn observe(&mut self, header: &FrameHeader, offset: u64, plain: u64) {
        self.digest = digest(self.digest, header.sum);
        let Some(kind) = FrameKind::from_byte(header.kind) else { return };
        if !kind.is_data() {
            match kind {
                FrameKind::Pad => {
                    self.pads += 1;
                    self.pad_bytes += header.span();
                }
                FrameKind::Close => self.closes += 1,
                FrameKind::Hole => self.holes += 1,
                FrameKind::Facts => self.facts_at = Some(offset),
                _ => {}
            }
            return;
        }
        let (lsn, time, length) = (header.lsn.0, header.time.0, u64::from(header.length));
        // A walk that begins here must meet the facts of the record too.
        let offset = self.facts_at.take().unwrap_or(offset);
        if self.first_lsn == 0 {
            self.first_lsn = lsn;
        }
        self.last_lsn = lsn;
        self.note_time(time, lsn);
        self.frames[kind as usize] += 1;
        self.bytes[kind as usize] += length;
        self.plain_bytes += plain;
        self.sizes[bucket(length)] += 1;
        if !matches!(kind, FrameKind::Middle | FrameKind::Last) {
            self.records += 1;
        }
        self.note_group(header);
        self.note_tag(header.tag, length);
        match kind {
            FrameKind::Checkpoint => (self.checkpoint_lsn, self.checkpoint) = (lsn, header.tag),
            FrameKind::TxnBegin if self.open.len() < TRANSACTIONS_KEPT => self.open.push(header.tag),
            FrameKind::TxnBegin => self.more_transactions = true,
            FrameKind::TxnCommit | FrameKind::TxnAbort => match self.open.iter().rposition(|t| *t == header.tag) {
                Some(at) => {
                    self.open.swap_remove(at);
                }
                None if self.ended.len() < TRANSACTIONS_KEPT => self.ended.push(header.tag),
                None => self.more_transactions = true,
            },
            _ => {}
        }
        if !self.inside {
            self.note_place(header.lsn, offset);
        }
        let more = header.flags & MORE != 0;
        self.batches += u64::from(more && !self.in_batch);
        self.in_batch = more;
        self.inside = more || matches!(kind, FrameKind::First | FrameKind::Middle);
    }

    /// A time of 0 is unknown.
    fn note_time(&mut self, time: u64, lsn: u64) {
        if time == 0 {
            return;
        }
        if self.last_time == 0 {
            self.first_time = time;
        } else {
            let pause = time.saturating_sub(self.last_time);
            if pause > self.pause {
                (self.pause, self.pause_lsn) = (pause, lsn);
            }
        }
        self.last_time = time;
        self.min_time = self.min_time.min(time);
        self.max_time = self.max_time.max(time);
    }

    fn note_group(&mut self, header: &FrameHeader) {
        let group = header.synced_below();
        if self.in_group == 0 || group != self.group {
            self.end_group();
            self.group = group;
        }
        self.in_group += 1;
    }

    /// Counts the group under way as ended: before the numbers are shown or sealed.
    pub fn end_group(&mut self) {
        if self.in_group > 0 {
            self.group_sizes[bucket(self.in_group)] += 1;
            self.groups += 1;
            self.in_group = 0;
        }
    }

    fn note_tag(&mut self, tag: u64, bytes: u64) {
        // Neighbours often bear the same tag: look where the last one was found first.
        let found = match self.tags.get(self.last_tag) {
            Some(count) if count.tag == tag => Some(self.last_tag),
            _ => self.tags.iter().position(|count| count.tag == tag),
        };
        match found {
            Some(at) => {
                self.tags[at].frames += 1;
                self.tags[at].bytes += bytes;
                self.last_tag = at;
            }
            None if self.tags.len() < TAGS_KEPT => self.tags.push(TagCount { tag, frames: 1, bytes }),
            None => self.more_tags = true,
        }
    }

    /// A walk may begin at an indexed frame, so none lies inside a batch or a record.
    fn note_place(&mut self, lsn: Lsn, offset: u64) {
        let due = self.index.last().is_none_or(|last| offset >= last.offset + self.stride);
        if !due {
            return;
        }
        if self.index.len() == INDEX_KEPT {
            let mut keep = false;
            self.index.retain(|_| {
                keep = !keep;
                keep
            });
            self.stride *= 2;
            return;
        }
        self.index.push(IndexEntry { lsn: lsn.0, max_time: self.max_time, offset });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    fn frame(lsn: u64, unsynced: u16, kind: FrameKind, flags: u8, tag: u64) -> FrameHeader {
        FrameHeader { sum: 1, length: 100, kind: kind as u8, flags, unsynced, lsn: Lsn(lsn), time: Time(lsn * 10), tag }
    }

    #[test]
    fn groups_batches_and_open_transactions_are_counted_from_the_frames_alone() {
        let mut tally = Tally::default();
        let frames = [
            frame(1, 0, FrameKind::Full, 0, 0),
            frame(2, 0, FrameKind::TxnBegin, MORE, 7),
            frame(3, 1, FrameKind::Full, MORE, 7),
            frame(4, 2, FrameKind::TxnBegin, 0, 8),
            frame(5, 0, FrameKind::TxnCommit, 0, 8),
            frame(6, 1, FrameKind::TxnAbort, 0, 99),
        ];
        for (index, header) in frames.iter().enumerate() {
            tally.observe(header, 4096 + index as u64 * 144, 100);
        }
        tally.end_group();
        assert_eq!((tally.groups, tally.batches, tally.records), (3, 1, 6));
        assert_eq!((tally.group_sizes[1], tally.group_sizes[2]), (1, 2));
        assert_eq!((tally.open.as_slice(), tally.ended.as_slice()), (&[7][..], &[99][..]));
        assert_eq!((tally.first_lsn, tally.last_lsn, tally.max_time), (1, 6, 60));
        assert_eq!(tally.tags.iter().map(|t| (t.tag, t.frames)).collect::<Vec<_>>(), [(0, 1), (7, 2), (8, 2), (99, 1)]);
    }

    #[test]
    fn the_index_stays_small_and_never_points_into_a_batch() {
        let mut tally = Tally::default();
        for n in 0..20_000u64 {
            let flags = if n % 2 == 1 { MORE } else { 0 };
            tally.observe(&frame(n + 1, 0, FrameKind::Full, flags, 0), 4096 + n * INDEX_STRIDE, 0);
        }
        assert!(tally.index.len() <= INDEX_KEPT && tally.index.len() > INDEX_KEPT / 4, "{}", tally.index.len());
        assert!(tally.index.windows(2).all(|pair| pair[0].offset < pair[1].offset));
        assert!(tally.index.iter().skip(1).all(|entry| entry.lsn % 2 == 0), "a frame behind MORE is inside a batch");
    }

    #[test]
    fn buckets_are_powers_of_two() {
        for (number, expected) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (1023, 10), (1024, 11), (u64::MAX, 32)] {
            assert_eq!(bucket(number), expected, "{number}");
        }
    }

    #[test]
    fn the_longest_pause_is_the_first_of_its_length() {
        let mut tally = Tally::default();
        for (lsn, time) in (1..).zip([10, 50, 60, 100, 90, 130]) {
            tally.observe(&FrameHeader { time: Time(time), ..frame(lsn, 0, FrameKind::Full, 0, 0) }, 4096, 0);
        }
        assert_eq!((tally.pause, tally.pause_lsn), (40, 2));
        assert_eq!((tally.min_time, tally.max_time, tally.first_time, tally.last_time), (10, 130, 10, 130));
    }

    #[test]
    fn lists_of_tags_and_transactions_end_where_they_say_so() {
        let kept = TRANSACTIONS_KEPT as u64;
        for (kind, count, more) in [
            (FrameKind::TxnBegin, kept, false),
            (FrameKind::TxnBegin, kept + 1, true),
            (FrameKind::TxnAbort, kept, false),
            (FrameKind::TxnCommit, kept + 1, true),
            (FrameKind::Full, TAGS_KEPT as u64, false),
            (FrameKind::Full, TAGS_KEPT as u64 + 1, true),
        ] {
            let mut tally = Tally::default();
            (1..=count).for_each(|n| tally.observe(&frame(n, 0, kind, 0, n), 4096, 0));
            let seen = (tally.open.len() + tally.ended.len(), tally.more_transactions, tally.tags.len(), tally.more_tags);
            let listed = if kind == FrameKind::Full { 0 } else { TRANSACTIONS_KEPT };
            let (transactions, tags) = (kind != FrameKind::Full && more, count > TAGS_KEPT as u64);
            assert_eq!(seen, (listed, transactions, TAGS_KEPT, tags), "{count} of {kind:?}");
        }
    }

    #[test]
    fn each_run_of_frames_that_belong_together_is_one_batch_and_the_stride_doubles_when_the_index_is_full() {
        let mut tally = Tally::default();
        for (lsn, flags) in (1..).zip([MORE, 0, MORE, MORE, 0, 0, MORE, 0]) {
            tally.observe(&frame(lsn, 0, FrameKind::Full, flags, 0), 4096, 0);
        }
        assert_eq!(tally.batches, 3);
        let mut tally = Tally::default();
        for n in 0..=INDEX_KEPT as u64 {
            assert_eq!(tally.stride, INDEX_STRIDE);
            tally.observe(&frame(n + 1, 0, FrameKind::Full, 0, 0), 4096 + n * INDEX_STRIDE, 0);
        }
        assert_eq!((tally.stride, tally.index.len()), (2 * INDEX_STRIDE, INDEX_KEPT / 2));
    }
}
