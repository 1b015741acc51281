//! What a record of rivven looks like on disk.

/// Begins every record.
pub const MAGIC: [u8; 4] = *b"WALR";
/// How long a record's header is.
pub const HEADER: usize = 14;
/// Data longer than this is not held in memory.
pub const HELD: usize = 8 << 20;
/// Unless it is ciphertext, which can only be opened in one piece; no release reads longer records.
pub const HELD_SEALED: usize = 64 << 20;

/// Flag: compressed. No version writes it.
pub const COMPRESSED: u8 = 1;
/// Flag: the data is an envelope of ciphertext.
pub const ENCRYPTED: u8 = 2;
/// Flag: the sum is there. Every version writes it, none looks at it.
pub const HAS_CHECKSUM: u8 = 4;

/// The header of a record; FORMAT.md draws it. The sum covers the data alone: a changed type, flag or length can only be told where it
/// makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether the magic is there.
    pub magic: bool,
    /// The sum of the data.
    pub crc: u32,
    /// How many bytes of data follow.
    pub data: u32,
    /// What it is.
    pub kind: u8,
    /// Compressed, encrypted, has a sum.
    pub flags: u8,
}

impl Header {
    /// Takes a header apart. Nothing is checked yet.
    #[must_use]
    pub fn parse(bytes: &[u8; HEADER]) -> Header {
        let word = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Header { magic: bytes[..4] == MAGIC, crc: word(4), data: word(8), kind: bytes[12], flags: bytes[13] }
    }

    /// Whether this can be a record at all: the sum is not looked at.
    ///
    /// A magic with zeros after it is what a torn header looks like in a file that was filled with zeros ahead; its sum, of no data,
    /// would match. A real empty record has a flag.
    #[must_use]
    pub fn plausible(&self) -> bool {
        self.magic && self.kind <= 7 && !self.begun()
    }

    /// Length and flags are zero: the header was begun and not finished.
    #[must_use]
    pub fn begun(&self) -> bool {
        self.data == 0 && self.flags == 0
    }

    /// How long the record is.
    #[must_use]
    pub fn length(&self) -> u64 {
        HEADER as u64 + u64::from(self.data)
    }

    /// What its type is called.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self.kind {
            0 => "full",
            1 => "first",
            2 => "middle",
            3 => "last",
            4 => "checkpoint",
            5 => "txn-begin",
            6 => "txn-commit",
            7 => "txn-abort",
            _ => "unknown",
        }
    }

    /// Whether it carries data: full, first, middle or last.
    #[must_use]
    pub fn is_data(&self) -> bool {
        self.kind <= 3
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_magic_with_zeros_is_no_record_and_an_empty_record_is() {
        let mut bytes = [0; HEADER];
        bytes[..4].copy_from_slice(&MAGIC);
        assert!(!Header::parse(&bytes).plausible());
        bytes[13] = HAS_CHECKSUM;
        assert!(Header::parse(&bytes).plausible());
        bytes[12] = 8;
        assert!(!Header::parse(&bytes).plausible());
        bytes[8..12].copy_from_slice(&300u32.to_be_bytes());
        assert_eq!((Header::parse(&bytes).data, Header::parse(&bytes).length()), (300, 314));
    }
}
