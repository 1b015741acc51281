//! What stands behind a place where reading stopped: frames have fixed places, so a search looks at one place after the other.

use super::frame::{FRAME_HEADER, Frame, HEADER, Header, PAGES, RunningSum, sum_of};
use super::walk::{Due, Walker};
use crate::disk::zero_prefix;

/// How many frames from the start on are looked at to find out how long pages are, where the header does not say so.
const TRIED: u64 = 8;

/// The last frames of this generation in a file, as far as their headers tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LaterFrames {
    /// How long the file was.
    length: u64,
    /// Where the last one begins that ends a transaction.
    pub(super) commit: Option<u64>,
    /// Where the last one begins.
    pub(super) any: Option<u64>,
    /// How many there are behind the place from which the search went, and how many of them end a transaction.
    pub(super) frames: u64,
    pub(super) commits: u64,
}

impl Walker<'_, '_> {
    /// The frames of this generation behind the one at `start`. The file is gone through once.
    pub(super) fn later(&mut self, start: u64) -> LaterFrames {
        if let Some(known) = self.later.filter(|known| known.length == self.cursor.length()) {
            let behind = |at: &u64| *at > start;
            return LaterFrames { commit: known.commit.filter(behind), any: known.any.filter(behind), ..known };
        }
        let (salts, stride) = (self.header.salts, self.header.stride() as u64);
        let mut found = LaterFrames { length: self.cursor.length(), ..LaterFrames::default() };
        let mut at = if start < HEADER as u64 { HEADER as u64 } else { start + stride };
        loop {
            let bytes = self.cursor.bytes(at, FRAME_HEADER);
            let (given, frame, zeros) = (bytes.len() as u64, Frame::parse(bytes), zero_prefix(bytes));
            if given < FRAME_HEADER as u64 {
                let Some(end) = self.cursor.refused_at(at + given) else { break };
                at = self.place_at(end);
                continue;
            }
            if zeros == FRAME_HEADER {
                // Of a hole in a sparse file not every place is looked at.
                let end = self.cursor.zeros_end(at);
                at = self.place_at(end.saturating_sub(FRAME_HEADER as u64 - 1)).max(at + stride);
                continue;
            }
            // What is not all there ends no transaction.
            if frame.is_of(salts) && self.cursor.length().saturating_sub(at) >= stride {
                (found.any, found.frames) = (Some(at), found.frames + 1);
                if frame.commit != 0 {
                    (found.commit, found.commits) = (Some(at), found.commits + 1);
                }
            }
            at += stride;
        }
        self.later = Some(found);
        found
    }

    /// The first place of a frame at or behind an offset.
    fn place_at(&self, offset: u64) -> u64 {
        HEADER as u64 + offset.saturating_sub(HEADER as u64).next_multiple_of(self.header.stride() as u64)
    }

    /// The first whole frame at or behind `from`, and the sum with which it goes on: the one that is stored in the frame before it, which
    /// may be damaged itself. `computed` is the sum over the frame before `from`, should the stored one be what is wrong.
    pub(super) fn next_whole(&mut self, from: u64, computed: Option<RunningSum>) -> Option<(u64, RunningSum)> {
        let stride = self.header.stride() as u64;
        if let Some(sum) = computed
            && matches!(self.due_at(from, sum), Due::Valid(..))
        {
            return Some((from, sum));
        }
        let last = self.later(0).any?;
        let mut at = from;
        while at <= last {
            if self.header_is_of_this_log(at) {
                let stored = if at == HEADER as u64 { 24 } else { at - stride + 16 };
                if let Some(sum) = self.cursor.array(stored).map(RunningSum::stored)
                    && matches!(self.due_at(at, sum), Due::Valid(..))
                {
                    return Some((at, sum));
                }
            }
            at += stride;
        }
        None
    }

    fn header_is_of_this_log(&mut self, at: u64) -> bool {
        let salts = self.header.salts;
        Frame::parse(self.cursor.bytes(at, FRAME_HEADER)).is_of(salts)
    }

    /// What the header would have said, where it is damaged: how long pages are and in which order words are summed shows by which frames
    /// fit each other, and the first of them that do say what the salts are.
    pub(super) fn guess_header(&mut self) -> Option<Header> {
        let bytes = self.cursor.array::<HEADER>(0)?;
        let claimed = Header::claimed(bytes);
        let sizes =
            PAGES.into_iter().filter(|size| *size == claimed.page).chain(PAGES.into_iter().filter(|size| *size != claimed.page));
        for page in sizes {
            for big_endian in [claimed.big_endian, !claimed.big_endian] {
                let header = Header { page, big_endian, ..claimed };
                if let Some(salts) = self.salts_of(&header) {
                    return Some(Header { salts, ..header });
                }
            }
        }
        None
    }

    fn salts_of(&mut self, header: &Header) -> Option<[u8; 8]> {
        let stride = header.stride();
        let mut before = header.sum();
        for index in 0..TRIED {
            let bytes = self.cursor.bytes(HEADER as u64 + index * stride as u64, stride);
            if bytes.len() < stride {
                return None;
            }
            let frame = Frame::parse(bytes);
            if frame.page != 0 && sum_of(bytes, before, header.big_endian) == frame.sum {
                return Some(frame.salts);
            }
            before = frame.sum;
        }
        None
    }
}
