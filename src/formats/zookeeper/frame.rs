//! From bytes to a transaction: what stands around it, its header, and the path it is about.

pub const MAGIC: [u8; 4] = *b"ZKLG";
pub const VERSION: u32 = 2;
/// The header of a file.
pub const FILE_HEADER: u64 = 16;
/// The sum and the length in front of a transaction.
pub const AROUND: u64 = 12;
/// The header of a transaction.
pub const HEADER: u64 = 32;
/// What stands behind each transaction.
pub const END: u8 = b'B';
/// Twice what a server takes by default is refused by it; a server can be told to take more.
pub const LONGEST: u64 = 64 << 20;
/// The same by default.
pub const LIMIT: u64 = 2_097_150;

/// The header of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Txn {
    pub session: u64,
    pub cxid: u32,
    pub zxid: u64,
    /// Milliseconds since 1970.
    pub time: u64,
    pub kind: i32,
}

impl Txn {
    pub fn parse(bytes: &[u8; HEADER as usize]) -> Txn {
        let eight = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        let four = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        Txn { session: eight(0), cxid: four(8), zxid: eight(12), time: eight(20), kind: four(28).cast_signed() }
    }
}

/// What stands in front of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TxnClaim {
    pub sum: u64,
    pub length: i32,
}

impl TxnClaim {
    pub fn parse(bytes: &[u8; AROUND as usize]) -> TxnClaim {
        let (sum, length) = bytes.split_at(8);
        TxnClaim {
            sum: u64::from_be_bytes(sum.try_into().expect("eight bytes")),
            length: i32::from_be_bytes(length.try_into().expect("four bytes")),
        }
    }

    /// How long the transaction is, if it can be one.
    pub fn bytes(&self) -> Option<u64> {
        u64::try_from(self.length).ok().filter(|length| (HEADER..=LONGEST).contains(length))
    }
}

/// What an operation is called.
pub const fn kind_of(kind: i32) -> &'static str {
    match kind {
        1 => "create",
        15 => "create2",
        19 => "create_container",
        21 => "create_ttl",
        2 => "delete",
        20 => "delete_container",
        5 => "set_data",
        16 => "reconfig",
        7 => "set_acl",
        13 => "check",
        14 => "multi",
        -10 => "create_session",
        -11 => "close_session",
        -1 => "error",
        _ => "unknown",
    }
}

pub const KINDS: &[&str] = &[
    "create",
    "create2",
    "create_container",
    "create_ttl",
    "delete",
    "delete_container",
    "set_data",
    "reconfig",
    "set_acl",
    "check",
    "multi",
    "create_session",
    "close_session",
    "error",
    "unknown",
];

/// Goes on with an Adler-32 sum, which begins with 1.
pub fn adler32(sum: u32, bytes: &[u8]) -> u32 {
    const MODULUS: u32 = 65_521;
    // As many bytes as cannot make the second part pass 32 bits.
    const PIECE: usize = 5552;
    let (mut low, mut high) = (sum & 0xFFFF, sum >> 16);
    for piece in bytes.chunks(PIECE) {
        for byte in piece {
            low += u32::from(*byte);
            high += low;
        }
        (low, high) = (low % MODULUS, high % MODULUS);
    }
    high << 16 | low
}

/// A zxid as people read it.
pub fn show(zxid: u64) -> String {
    format!("0x{zxid:x}")
}

/// The same, back; decimal numbers are taken too.
pub fn read(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// Bytes that are taken from the front, as Jute writes them.
pub struct Jute<'a>(pub &'a [u8]);

impl<'a> Jute<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn int(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    pub fn long(&mut self) -> Option<i64> {
        Some(i64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }

    /// Bytes; `None` inside where they are null.
    pub fn buffer(&mut self) -> Option<Option<&'a [u8]>> {
        match self.int()? {
            -1 => Some(None),
            length => Some(Some(self.take(usize::try_from(length).ok()?)?)),
        }
    }

    pub fn text(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.buffer()?.unwrap_or_default()).into_owned())
    }
}

/// The path that an operation is about.
pub fn path_of(kind: i32, record: &[u8]) -> Option<String> {
    matches!(kind, 1 | 2 | 5 | 7 | 13 | 15 | 16 | 19 | 20 | 21).then(|| Jute(record).text())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_adler_32() {
        assert_eq!(adler32(1, b"Wikipedia"), 0x11E6_0398);
        assert_eq!(adler32(adler32(1, b"Wiki"), b"pedia"), 0x11E6_0398);
        let long = vec![0xFF; 100_000];
        assert_eq!(adler32(1, &long), adler32(adler32(1, &long[..5000]), &long[5000..]));
    }

    #[test]
    fn a_zxid_is_shown_in_hex_and_read_in_both_ways() {
        assert_eq!(
            (show(0x1_0000_0005), read("0x100000005"), read("17"), read("x")),
            ("0x100000005".into(), Some(0x1_0000_0005), Some(17), None)
        );
    }
}
