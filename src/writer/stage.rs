//! Whole blocks, to be written past the page cache.
//!
//! Where room was made ahead, a group needs no cache: it is laid out here after what its first block holds already, filled up with
//! the zeros that stand there anyway, and goes to the disk as it is. What the log looks like is the same; a page is neither copied nor
//! looked for, and the sync after it finds nothing left to write.

use crate::disk::{AlignedBytes, DIRECT_BLOCK};

const BLOCK: usize = DIRECT_BLOCK as usize;

/// The block in which a segment ends, and a group after it.
#[derive(Debug, Default)]
pub(super) struct Stage {
    /// What the last block holds, and while a group is being written, that group and zeros up to a whole block.
    bytes: AlignedBytes,
    /// How much of it is on the disk.
    held: usize,
}

impl Stage {
    /// A segment ends `held` bytes after the start of a block.
    pub fn begin(&mut self, held: &[u8]) {
        self.bytes.clear(0);
        self.bytes.push(held);
        self.held = held.len();
    }

    /// The group in whole blocks, from the start of the block in which the segment ends.
    pub fn lay(&mut self, group: &[u8]) -> &[u8] {
        self.bytes.truncate(self.held);
        self.bytes.push(group);
        self.bytes.push_zeros(self.bytes.len().next_multiple_of(BLOCK) - self.bytes.len());
        self.bytes.bytes()
    }

    /// The group is in the segment, however it came there.
    pub fn took(&mut self, group: &[u8]) {
        let end = self.held + group.len();
        let held = end % BLOCK;
        if held <= group.len() {
            self.bytes.clear(LARGEST);
            self.bytes.push(&group[group.len() - held..]);
        } else {
            self.bytes.truncate(self.held);
            self.bytes.push(group);
        }
        self.held = held;
    }
}

/// A larger group goes through the cache: it would be held twice.
pub(super) const LARGEST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a disk would hold on which `groups` were laid, one after the other, and what they are joined.
    fn written(first: &[u8], groups: &[Vec<u8>], laid: impl Fn(usize) -> bool) -> (Vec<u8>, Vec<u8>) {
        let (mut disk, mut joined) = (first.to_vec(), first.to_vec());
        let mut stage = Stage::default();
        stage.begin(&first[first.len() / BLOCK * BLOCK..]);
        for (index, group) in groups.iter().enumerate() {
            if laid(index) {
                let start = joined.len() / BLOCK * BLOCK;
                let blocks = stage.lay(group);
                assert!(blocks.len().is_multiple_of(BLOCK) && blocks.as_ptr().addr().is_multiple_of(BLOCK));
                disk.truncate(start);
                disk.extend_from_slice(blocks);
            } else {
                disk.truncate(joined.len());
                disk.extend_from_slice(group);
            }
            joined.extend_from_slice(group);
            stage.took(group);
        }
        disk.truncate(joined.len());
        (disk, joined)
    }

    #[test]
    fn what_is_laid_down_is_what_was_there_and_the_group_whatever_their_lengths() {
        let lengths = [1, 40, 4055, 4096, 4097, 8192, 12_000, 100, 3996, 96, 4000, 65_536, 8];
        let groups: Vec<Vec<u8>> = (1u8..).zip(lengths).map(|(byte, length)| vec![byte; length]).collect();
        for first in [0, 1, 4095, 4096, 5000] {
            let first = vec![255; first];
            let (disk, joined) = written(&first, &groups, |_| true);
            assert!(disk == joined, "all laid behind {}", first.len());
            let (disk, joined) = written(&first, &groups, |index| index % 3 != 1);
            assert!(disk == joined, "some through the cache behind {}", first.len());
        }
    }

    #[test]
    fn a_group_that_came_to_nothing_leaves_no_trace() {
        let mut stage = Stage::default();
        stage.begin(b"held");
        stage.lay(b"failed");
        let mut expected = b"heldgood".to_vec();
        expected.resize(BLOCK, 0);
        assert_eq!(stage.lay(b"good"), expected);
        stage.took(b"good");
        assert_eq!(&stage.lay(b"next")[..12], b"heldgoodnext");
    }
}
