//! What happened to a frame whose sum is wrong: one flipped bit, or a write that was interrupted.

use super::decode::{FrameReader, SHORT_CLAIM};
use super::layout::{FRAME_HEADER, FRAME_MAGIC, FrameHeader};
use crate::disk::{crc32, flipped_bit};

/// Bits of frames up to this long are tried one by one to explain a wrong sum.
const EXPLAINED: u64 = 16 << 20;
/// How often that is tried in one segment.
pub(super) const EXPLANATIONS: u32 = 256;

impl FrameReader {
    /// If the frame at `offset` is whole but for one flipped bit: its header as it was, and the bit, as byte of the segment and bit of
    /// that byte. Then it was not torn: a torn write does not flip a bit.
    pub fn explain(&mut self, offset: u64) -> Option<(FrameHeader, u64, u8)> {
        self.explained += 1;
        // Running a sum backwards goes byte by byte, over the whole frame.
        if self.explained > EXPLANATIONS || self.spent > self.budget() {
            return None;
        }
        let mut head: [u8; FRAME_HEADER] = self.cursor.array(offset)?;
        let strange = u32::from_le_bytes(*head.first_chunk()?) ^ u32::from_le_bytes(FRAME_MAGIC);
        if strange != 0 {
            if !strange.is_power_of_two() {
                return None;
            }
            head[..4].copy_from_slice(&FRAME_MAGIC);
            let header = FrameHeader::parse(&head)?;
            let bit = strange.trailing_zeros();
            return (self.sum_as(offset, &header)? == header.sum).then_some((
                header,
                offset + u64::from(bit / 8),
                (bit % 8) as u8,
            ));
        }
        let header = FrameHeader::parse(&head)?;
        if let Some(computed) = self.sum_as(offset, &header) {
            let wrong = computed ^ header.sum;
            if wrong.is_power_of_two() {
                let bit = wrong.trailing_zeros();
                return Some((FrameHeader { sum: computed, ..header }, offset + 4 + u64::from(bit / 8), (bit % 8) as u8));
            }
            let summed = FRAME_HEADER as u64 - 8 + u64::from(header.length);
            self.spent = self.spent.saturating_add(summed);
            if let Some((byte, bit)) = flipped_bit(header.sum, computed, summed).filter(|(byte, _)| !(0..4).contains(byte)) {
                let at = offset + 8 + byte;
                if let Some(place) = usize::try_from(8 + byte).ok().and_then(|at| head.get_mut(at)) {
                    *place ^= 1 << bit;
                }
                return Some((FrameHeader::parse(&head)?, at, bit));
            }
        }
        // A bit of the length: the sum then goes over another number of bytes.
        (0..32).find_map(|bit| {
            let mended = FrameHeader { length: header.length ^ 1 << bit, ..header };
            let sum = self.sum_as(offset, &mended)?;
            (sum == mended.sum).then_some((mended, offset + 8 + bit / 8, (bit % 8) as u8))
        })
    }

    /// The sum of the frame at `offset` if its header were `header`; `None` when it would not fit or is too long to try.
    fn sum_as(&mut self, offset: u64, header: &FrameHeader) -> Option<u32> {
        let size = FRAME_HEADER as u64 + u64::from(header.length);
        if size > EXPLAINED || self.cursor.length().saturating_sub(offset) < size {
            return None;
        }
        let seed = crc32(self.seed.at(offset), &header.encode()[8..]);
        if size > SHORT_CLAIM as u64 {
            return self.range_sum(seed, offset + FRAME_HEADER as u64, offset + size);
        }
        self.cursor.fold(offset + FRAME_HEADER as u64, u64::from(header.length), seed, crc32)
    }

    /// Whether the frame at `offset` shows that its write was interrupted: zeros from some point of it on, or in whole sectors.
    /// `end` is where it ends, as it says itself; from `next` on other frames stand, which tell nothing about it.
    pub fn looks_interrupted(&mut self, offset: u64, end: u64, next: Option<u64>) -> bool {
        const SECTOR: u64 = 512;
        let (mut at, mut tail_zero) = (offset, false);
        let cut = next.filter(|next| *next < end);
        let end = cut.unwrap_or(end);
        while at < end {
            let sector_end = (at - at % SECTOR + SECTOR).min(end);
            let want = usize::try_from(sector_end - at).expect("at most a sector");
            let bytes = self.cursor.bytes(at, want);
            if bytes.len() < want {
                return true;
            }
            let zeros = bytes.iter().all(|b| *b == 0);
            if zeros && want as u64 == SECTOR {
                return true;
            }
            tail_zero = bytes.last() == Some(&0);
            at = sector_end;
        }
        // The padding in front of the next frame is zeros too.
        tail_zero && cut.is_none()
    }
}
