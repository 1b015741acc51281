//! What a record holds, as far as numbers and proofs need it: the head of a write batch, and the record about the log before.

/// The head of a write batch: the number of its first operation, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHead {
    /// The sequence number of the first operation.
    pub sequence: u64,
    /// How many sequence numbers it takes. Commits and rollbacks take none, and repeat one.
    pub count: u32,
}

/// How long the head is.
pub const BATCH_HEAD: usize = 12;

impl BatchHead {
    /// From the first bytes of a payload.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<BatchHead> {
        let head: &[u8; BATCH_HEAD] = payload.first_chunk()?;
        let (sequence, count) = head.split_first_chunk()?;
        Some(BatchHead { sequence: u64::from_le_bytes(*sequence), count: u32::from_le_bytes(count.try_into().ok()?) })
    }

    /// The number that the next batch gets.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.sequence.saturating_add(u64::from(self.count))
    }
}

/// What a log says about the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Its number.
    pub log: u64,
    /// How long it was when it was finished.
    pub bytes: u64,
    /// The last sequence number in it; 0 when it holds none.
    pub last_sequence: u64,
}

impl Predecessor {
    /// From the payload of such a record.
    #[must_use]
    pub fn parse(payload: &[u8]) -> Option<Predecessor> {
        let number = |at: usize| payload.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
        Some(Predecessor { log: number(0)?, bytes: number(8)?, last_sequence: number(16)? })
    }
}

/// Whether a first record is one of a MANIFEST: it names the order of keys.
#[must_use]
pub fn looks_like_edit(payload: &[u8]) -> bool {
    matches!(payload, [1, length, name @ ..] if name.get(..usize::from(*length)).is_some_and(|name| name.is_ascii()))
        && BatchHead::parse(payload).is_none_or(|head| head.sequence >> 56 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_that_takes_no_numbers_leaves_the_next_one_where_it_was() {
        let head = BatchHead::parse(&[9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 13]).expect("a head");
        assert_eq!((head.sequence, head.count, head.next()), (9, 0, 9));
        assert_eq!(BatchHead::parse(&[0; 11]), None);
    }

    #[test]
    fn the_first_edit_of_a_manifest_is_not_taken_for_a_batch() {
        assert!(looks_like_edit(b"\x01\x1aleveldb.BytewiseComparator"));
        assert!(!looks_like_edit(b"\x01\0\0\0\0\0\0\0\x01\0\0\0\x01\x03key\x03val"));
    }
}
