//! What the header and the frames of a SQLite log look like on disk, and the running sum over them.

/// The header of the log.
pub const HEADER: usize = 32;
/// The header of a frame; a page follows.
pub const FRAME_HEADER: usize = 24;
/// The same in all but its last bit, which says how sums are taken.
pub const MAGIC: u32 = 0x377F_0682;
/// The only version there is.
pub const VERSION: u32 = 3_007_000;
/// Pages are a power of two long, within these bounds.
pub const PAGES: [u32; 8] = [512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536];

/// The sum that runs from the header through all frames: two words, each of which takes in the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunningSum(pub u32, pub u32);

impl RunningSum {
    /// Goes on over `bytes`, a multiple of 8. Words are read in the order of the machine that wrote the log.
    #[must_use]
    pub fn over(self, bytes: &[u8], big_endian: bool) -> RunningSum {
        let word = if big_endian { u32::from_be_bytes } else { u32::from_le_bytes };
        let (mut one, mut two) = (self.0, self.1);
        for [a, b, c, d, e, f, g, h] in bytes.as_chunks().0.iter().copied() {
            one = one.wrapping_add(word([a, b, c, d])).wrapping_add(two);
            two = two.wrapping_add(word([e, f, g, h])).wrapping_add(one);
        }
        RunningSum(one, two)
    }

    /// As it is stored, always big-endian.
    #[must_use]
    pub fn stored(bytes: [u8; 8]) -> RunningSum {
        let [a, b, c, d, e, f, g, h] = bytes;
        RunningSum(u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h]))
    }

    /// In one number, for a mark.
    #[must_use]
    pub fn packed(self) -> u64 {
        u64::from(self.0) << 32 | u64::from(self.1)
    }

    /// The same back.
    #[must_use]
    pub fn unpacked(seed: u64) -> RunningSum {
        RunningSum((seed >> 32) as u32, seed as u32)
    }
}

impl std::fmt::Display for RunningSum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08x} {:08x}", self.0, self.1)
    }
}

fn number(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_be_bytes)
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()).unwrap_or_default()
}

/// The header of the log.
///
/// ```text
/// | magic u32 | version u32 | page size u32 | checkpoint u32 | salts 8 | sum 8 |
///   0           4             8               12               16        24
/// ```
/// Big-endian. The sum is over the first 24 bytes. The salts change whenever the log is begun again at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The bytes.
    pub bytes: [u8; HEADER],
    /// Sums are over big-endian words.
    pub big_endian: bool,
    /// How long pages are.
    pub page: u32,
    /// What all frames of this generation bear.
    pub salts: [u8; 8],
}

/// What is wrong with a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadHead {
    /// It does not begin as headers do.
    Magic(u32),
    /// Its sum does not fit.
    Sum(RunningSum, RunningSum),
    /// Its sum fits, and its version is unknown.
    Version(u32),
    /// Its sum fits, and pages cannot be that long.
    PageSize(u32),
}

impl Header {
    /// Its fields as they stand there, whatever they are worth. Bits of the magic other than the last are not looked at.
    #[must_use]
    pub fn claimed(bytes: [u8; HEADER]) -> Header {
        Header { bytes, big_endian: bytes[3] & 1 == 1, page: number(&bytes, 8), salts: eight(&bytes, 16) }
    }

    /// A header that is valid.
    pub fn parse(bytes: [u8; HEADER]) -> Result<Header, BadHead> {
        let header = Header::claimed(bytes);
        let (magic, version) = (number(&bytes, 0), number(&bytes, 4));
        if magic & !1 != MAGIC {
            return Err(BadHead::Magic(magic));
        }
        let computed = RunningSum::default().over(&bytes[..24], header.big_endian);
        match header.sum() == computed {
            false => Err(BadHead::Sum(header.sum(), computed)),
            true if version != VERSION => Err(BadHead::Version(version)),
            true if !PAGES.contains(&header.page) => Err(BadHead::PageSize(header.page)),
            true => Ok(header),
        }
    }

    /// The sum that is stored in it, with which the first frame goes on.
    #[must_use]
    pub fn sum(&self) -> RunningSum {
        RunningSum::stored(eight(&self.bytes, 24))
    }

    /// How often the log was begun again at its start.
    #[must_use]
    pub fn checkpoint(&self) -> u32 {
        number(&self.bytes, 12)
    }

    /// How long a frame is.
    #[must_use]
    pub fn stride(&self) -> usize {
        FRAME_HEADER + self.page as usize
    }
}

/// The header of a frame.
///
/// ```text
/// | page u32 | pages after commit u32 | salts 8 | sum 8 | page ... |
///   0          4                        8         16      24
/// ```
/// The sum goes on from the frame before, over the first 8 bytes and the page. Salts are not summed, but compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Which page it holds.
    pub page: u32,
    /// How many pages the database has after it, if it ends a transaction; 0 otherwise.
    pub commit: u32,
    /// Those of the generation that it belongs to.
    pub salts: [u8; 8],
    /// What is stored as the running sum.
    pub sum: RunningSum,
}

impl Frame {
    /// From its first bytes; what is not there counts as zeros.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Frame {
        Frame {
            page: number(bytes, 0),
            commit: number(bytes, 4),
            salts: eight(bytes, 8),
            sum: RunningSum::stored(eight(bytes, 16)),
        }
    }

    /// It is of this generation, as far as its header tells.
    #[must_use]
    pub fn is_of(&self, salts: [u8; 8]) -> bool {
        self.salts == salts && self.page != 0
    }

    /// It is of this generation and ends a transaction.
    #[must_use]
    pub fn commits(&self, salts: [u8; 8]) -> bool {
        self.is_of(salts) && self.commit != 0
    }
}

/// The sum of a whole frame, gone on with from the one before.
#[must_use]
pub fn sum_of(frame: &[u8], before: RunningSum, big_endian: bool) -> RunningSum {
    let (head, page) = frame.split_at(FRAME_HEADER.min(frame.len()));
    before.over(&head[..8.min(head.len())], big_endian).over(page, big_endian)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a log that SQLite 3.40.1 wrote.
    const REAL: [u8; HEADER] = [
        0x37, 0x7f, 0x06, 0x82, 0x00, 0x2d, 0xe2, 0x18, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x38, 0xec, 0x56, 0xa3,
        0xf7, 0xa4, 0x90, 0x62, 0, 0, 0, 0, 0, 0, 0, 0,
    ];

    #[test]
    fn words_are_summed_in_pairs_and_each_sum_takes_in_the_other() {
        let bytes = [1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0];
        // one = 1, two = 0 + 2 + 1 = 3; one = 1 + 3 + 3 = 7, two = 3 + 4 + 7 = 14.
        assert_eq!(RunningSum::default().over(&bytes, false), RunningSum(7, 14));
        assert_eq!(RunningSum::default().over(&bytes[..8], true), RunningSum(1 << 24, 3 << 24));
        let halves = RunningSum::default().over(&bytes[..8], false).over(&bytes[8..], false);
        assert_eq!(halves, RunningSum(7, 14));
        assert_eq!(RunningSum::unpacked(halves.packed()), halves);
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let mut good = REAL;
        let sum = RunningSum::default().over(&good[..24], false);
        good[24..28].copy_from_slice(&sum.0.to_be_bytes());
        good[28..].copy_from_slice(&sum.1.to_be_bytes());
        assert!(Header::parse(good).is_ok_and(|header| header.page == 1024 && !header.big_endian && header.stride() == 1048));
        for bit in 0..HEADER * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::parse(bad), Err(BadHead::Magic(_) | BadHead::Sum(..))), "bit {bit}");
        }
    }
}
