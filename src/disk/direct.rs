//! Bytes at an aligned address, as direct writes want them.

/// Addresses, offsets and lengths of direct writes are multiples of this; every disk we know takes it.
pub const DIRECT_BLOCK: u64 = 4096;
const GRAIN: usize = DIRECT_BLOCK as usize;

/// A growing piece of memory whose first byte lies at an aligned address.
#[derive(Debug, Default)]
pub struct AlignedBytes {
    room: Vec<u8>,
    skip: usize,
}

impl AlignedBytes {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> AlignedBytes {
        AlignedBytes::default()
    }

    /// How many bytes there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.room.len() - self.skip
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.room[self.skip..]
    }

    /// The bytes, to be changed.
    #[inline]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.room[self.skip..]
    }

    /// Adds bytes at the end.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.make_room(bytes.len());
        self.room.extend_from_slice(bytes);
    }

    /// Adds zeros at the end.
    #[inline]
    pub fn push_zeros(&mut self, count: usize) {
        self.make_room(count);
        self.room.resize(self.room.len() + count, 0);
    }

    /// Forgets all bytes but the first `length`.
    pub fn truncate(&mut self, length: usize) {
        self.room.truncate(self.skip + length);
    }

    /// Forgets all bytes, and the memory too when it is more than `keep`.
    pub fn clear(&mut self, keep: usize) {
        if self.room.capacity() > keep {
            *self = AlignedBytes::default();
        } else {
            self.room.truncate(self.skip);
        }
    }

    /// Within its capacity a vector does not move, so the address stays aligned.
    #[inline]
    fn make_room(&mut self, more: usize) {
        if self.room.capacity() - self.room.len() < more {
            self.grow(more);
        }
    }

    #[cold]
    fn grow(&mut self, more: usize) {
        let want = (self.len() + more).max(self.len() * 2).max(64 << 10);
        let mut room: Vec<u8> = Vec::with_capacity(want + GRAIN);
        let skip = (GRAIN - room.as_ptr().addr() % GRAIN) % GRAIN;
        room.resize(skip, 0);
        room.extend_from_slice(self.bytes());
        (self.room, self.skip) = (room, skip);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_stays_aligned_while_it_grows() {
        let mut all = AlignedBytes::new();
        let mut expected = Vec::new();
        for n in 0..5000usize {
            let piece = vec![u8::try_from(n % 251).expect("small"); n % 97];
            all.push(&piece);
            all.push_zeros(n % 3);
            expected.extend_from_slice(&piece);
            expected.resize(expected.len() + n % 3, 0);
            // Before the first byte there is no address.
            assert!(all.is_empty() || all.bytes().as_ptr().addr().is_multiple_of(GRAIN));
        }
        assert_eq!(all.bytes(), expected);
        all.clear(usize::MAX);
        all.push(b"x");
        assert_eq!((all.bytes(), all.bytes().as_ptr().addr() % GRAIN), (&b"x"[..], 0));
        all.clear(0);
        assert!(all.is_empty());
    }
}
