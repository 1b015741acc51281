//! What a record holds, as far as proofs need it: the record about the log before, and what tells an edit from a batch.

use super::super::batch::BatchHead;

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
    fn the_first_edit_of_a_manifest_is_not_taken_for_a_batch() {
        assert!(looks_like_edit(b"\x01\x1aleveldb.BytewiseComparator"));
        assert!(!looks_like_edit(b"\x01\0\0\0\0\0\0\0\x01\0\0\0\x01\x03key\x03val"));
    }
}
